"""How a stack's state looks on a terminal, and in plain lines where there is none."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from modelyard.stack import Layout, services
from modelyard.stack.state import RunStatus

_STYLES: Final = {
    "waiting": "dim",
    "starting": "yellow",
    "ready": "green",
    "done": "green",
    "restarting": "bold red",
    "failed": "bold red",
    "stopping": "yellow",
    "stopped": "dim",
}


@contextlib.contextmanager
def display(layout: Layout) -> Iterator[Callable[[RunStatus], None]]:
    """Follow a stack that runs in this process: a live table on a terminal, a line for every change without one."""
    console = Console(highlight=False)
    follow = _live(layout, console) if console.is_terminal else _plain(layout, console)
    with follow as on_change:
        yield on_change


@contextlib.contextmanager
def _live(layout: Layout, console: Console) -> Iterator[Callable[[RunStatus], None]]:
    told_next = False

    class Latest:
        status: RunStatus | None = None

        def __rich__(self) -> Table | str:
            return (
                table([asdict(part) for part in self.status.parts.values()], self.status.started_at)
                if self.status
                else ""
            )

    latest = Latest()
    with Live(latest, console=console, refresh_per_second=8) as live:

        def on_change(now: RunStatus) -> None:
            nonlocal told_next
            latest.status = now
            if now.state == "running" and not told_next:
                told_next = True
                live.console.print(what_next(layout, now.ready_s, detached=False), soft_wrap=True)

        yield on_change


@contextlib.contextmanager
def _plain(layout: Layout, console: Console) -> Iterator[Callable[[RunStatus], None]]:
    before: dict[str, str] = {}
    told_next = False

    def on_change(now: RunStatus) -> None:
        nonlocal told_next
        for part in now.parts.values():
            if before.get(part.name, "waiting") != part.state:
                before[part.name] = part.state
                took = f" in {part.took_s:.1f} s" if part.state in {"ready", "done"} and part.took_s is not None else ""
                console.print(
                    Text(f"{part.name}: {part.state}{took}{f' ({part.detail})' if part.detail else ''}"), soft_wrap=True
                )
        if now.state == "running" and not told_next:
            told_next = True
            console.print(what_next(layout, now.ready_s, detached=False), soft_wrap=True)

    yield on_change


def table(parts: list[dict[str, Any]], started_at: float | None = None) -> Table:
    """One row a part. While a part starts, its seconds are those since the stack's start."""
    shown = Table(box=None, pad_edge=False, header_style="dim")
    shown.add_column("part")
    shown.add_column("state")
    for column in ("seconds", "port", "pid", "restarts"):
        shown.add_column(column, justify="right")
    shown.add_column("", overflow="fold")
    for part in parts:
        seconds = part["took_s"]
        if part["state"] == "starting" and started_at is not None:
            seconds = time.time() - started_at
        shown.add_row(
            part["name"],
            Text(part["state"], style=_STYLES[part["state"]]),
            "" if seconds is None else f"{seconds:.1f}",
            str(part["port"] or ""),
            str(part["pid"] or ""),
            str(part["restarts"] or ""),
            Text(part["detail"]),
        )
    return shown


def status_table(document: Mapping[str, Any]) -> None:
    """Print what `status` answers, without its secrets."""
    console = Console(highlight=False)
    console.print(Text(f"{document['home']}: {document['state']}"), soft_wrap=True)
    if document["state"] != "stopped":
        console.print(table(document["parts"]))
    if document["state"] == "running":
        console.print(Text(f"url    {document['url']}\ntoken  {document['token_file']}"), soft_wrap=True)


def what_next(layout: Layout, ready_s: float | None, *, detached: bool) -> str:
    """What a person does with a stack that is ready."""
    token, address = layout.token_file, services.url(layout)
    return (
        f"\nModelyard is ready after {ready_s or 0:.1f} s: {address}\n"
        f"  token    {token}\n"
        f'  try      curl -H "Authorization: Bearer $(cat {token})" {address}/api/v1/whoami\n'
        f"  state    modelyard status      logs   modelyard logs -f\n"
        f"  stop     {'modelyard down' if detached else 'Ctrl-C, or modelyard down in another terminal'}\n"
    )
