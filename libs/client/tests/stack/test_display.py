import io
from pathlib import Path

import pytest
from rich.console import Console

from modelyard.cli.stack_display import display, table
from modelyard.stack import ALL, Layout
from modelyard.stack.parts import ports_of
from modelyard.stack.state import PartStatus, RunStatus


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout.open(tmp_path)
    layout.assign_ports(port for name in ALL for port in ports_of(name))
    return layout


def test_without_a_terminal_each_change_is_one_line(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    starting = RunStatus(state="starting", parts={"nats": PartStatus(name="nats", state="starting", port=4222)})
    ready = starting.with_part("nats", state="ready", took_s=0.5)
    died = ready.with_part("nats", state="restarting", detail="killed by signal 9; again in 0.2 s")
    with display(layout) as on_change:
        for status in (starting, starting, ready, died):
            on_change(status)
    assert capsys.readouterr().out.splitlines() == [
        "nats: starting",
        "nats: ready in 0.5 s",
        "nats: restarting (killed by signal 9; again in 0.2 s)",
    ]


def test_once_ready_it_says_what_to_do_next(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    running = RunStatus(state="running", pid=1, ready_s=12.3)
    with display(layout) as on_change:
        on_change(running)
        on_change(running)
    shown = capsys.readouterr().out
    assert shown.count("Modelyard is ready after 12.3 s") == 1
    assert f"http://127.0.0.1:{layout.ports['edge']}" in shown
    assert str(layout.token_file) in shown


def test_the_table_has_a_row_for_each_part_and_bends_no_text() -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    rows = [vars(PartStatus(name="nats", state="restarting", port=4222, restarts=2, detail="[bold] is not markup"))]
    console.print(table(rows))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "restarting" in shown
    assert "4222" in shown
    assert "[bold] is not markup" in shown
