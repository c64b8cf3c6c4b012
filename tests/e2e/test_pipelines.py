"""A pipeline's second submission does nothing twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modelyard import Client
from tests.made import code, command
from tests.on_stack import MARKS

pytestmark = MARKS

COUNT = """\
    import json, pathlib, sys

    source, target, more = sys.argv[1:]
    total = json.loads(pathlib.Path(source, "total.json").read_text()) if source != "-" else 0
    pathlib.Path(target, "total.json").write_text(json.dumps(total + int(more)))
"""


def pipeline(src: Path, second: int) -> dict[str, Any]:
    folder = {"type": "uri_folder"}
    return {
        "type": "pipeline",
        "outputs": {"total": folder},
        "jobs": {
            "first": command(src, "python count.py - ${{outputs.total}} 1", outputs={"total": folder}),
            "second": command(
                src,
                "python count.py ${{inputs.total}} ${{outputs.total}} ${{inputs.more}}",
                inputs={"total": "${{parent.jobs.first.outputs.total}}", "more": second},
                outputs={"total": "${{parent.outputs.total}}"},
            ),
        },
    }


def run(client: Client, src: Path, target: Path, second: int) -> tuple[dict[str, str], int]:
    """How each step came about, and the pipeline's answer."""
    job = client.jobs.wait(client.jobs.create(pipeline(src, second))["name"], timeout_s=60)
    assert job["status"] == "completed", job["detail"]
    folder = client.jobs.download(job["name"], "total", target=target / job["name"])
    steps = {step["name"]: step["status"] for step in job["steps"]}
    return steps, json.loads((folder / "total" / "total.json").read_text())


def test_steps_whose_work_was_done_before_are_reused(client: Client, tmp_path: Path) -> None:
    src = code(tmp_path / "src", count=COUNT)
    assert run(client, src, tmp_path, 2) == ({"first": "completed", "second": "completed"}, 3)
    assert run(client, src, tmp_path, 2) == ({"first": "reused", "second": "reused"}, 3)
    assert run(client, src, tmp_path, 5) == ({"first": "reused", "second": "completed"}, 6)
