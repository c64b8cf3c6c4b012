"""What a supervisor tells of itself and its parts: written to run.json at every change, read by `status` and for recovery."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from modelyard.stack.layout import Layout, write_atomically

PartState = Literal["waiting", "starting", "ready", "restarting", "stopping", "stopped", "done", "failed"]
StackState = Literal["starting", "running", "stopping", "stopped", "failed"]


@dataclass(frozen=True, kw_only=True)
class PartStatus:
    """A part or one-shot job now. Times are seconds since the epoch; `took_s` is how long its last start took."""

    name: str
    state: PartState = "waiting"
    port: int | None = None
    pid: int | None = None
    started_at: float | None = None
    took_s: float | None = None
    restarts: int = 0
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """A whole stack now. `boot` tells one boot of the machine from another: pids of an earlier one mean nothing."""

    state: StackState = "stopped"
    pid: int | None = None
    boot: str = ""
    started_at: float | None = None
    ready_s: float | None = None
    detail: str = ""
    parts: dict[str, PartStatus] = field(default_factory=dict)

    def with_part(self, name: str, **changes: Any) -> "RunStatus":
        return replace(self, parts={**self.parts, name: replace(self.parts[name], **changes)})


def write(layout: Layout, status: RunStatus) -> None:
    write_atomically(layout.run_file, json.dumps(asdict(status), indent=1) + "\n")


def read(layout: Layout) -> RunStatus:
    """The last status written; a stopped stack's when there is none."""
    try:
        document = json.loads(layout.run_file.read_text())
    except FileNotFoundError:
        return RunStatus()
    parts = {name: PartStatus(**part) for name, part in document.pop("parts").items()}
    return RunStatus(**document, parts=parts)
