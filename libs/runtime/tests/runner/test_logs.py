"""What the live log does when NATS does not keep up."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard_contracts.work import StepOrder
from modelyard_platform.errors import InvalidError
from modelyard_runtime.runner import logs
from modelyard_runtime.runner.command import render


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[logs.StepLog]:
    log = logs.StepLog(tmp_path / "log.txt")
    yield log
    log.close()


def chunks(lines: logs.StepLog) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    while (chunk := lines.take_chunk()) is not None:
        found.append(chunk)
    return found


def test_buffer_is_bounded_and_keeps_the_newest(lines: logs.StepLog) -> None:
    line = b"x" * 999 + b"\n"
    for _ in range(2 * logs.BUFFER_BYTES // len(line)):
        lines.write("stdout", line)
    lines.write("stdout", b"last\n")
    kept = chunks(lines)
    assert sum(len(body) for _, body in kept) <= logs.BUFFER_BYTES
    assert kept[-1][1].endswith(b"last\n")
    assert lines.take_skipped() > logs.BUFFER_BYTES // 2
    assert lines.take_skipped() == 0
    assert lines.path.stat().st_size > 2 * logs.BUFFER_BYTES - 2000


def test_order_of_streams_is_kept_and_lines_stay_whole(lines: logs.StepLog) -> None:
    lines.write("stdout", b"a\nhalf")
    lines.write("stderr", b"b\n")
    lines.write("stdout", b" whole\n")
    assert chunks(lines) == [("stdout", b"a\n"), ("stderr", b"b\n"), ("stdout", b"half whole\n")]


def test_line_without_end_goes_live_when_it_has_waited(lines: logs.StepLog) -> None:
    lines.write("stdout", b"progress 10%")
    assert chunks(lines) == []
    lines.complete()
    assert chunks(lines) == [("stdout", b"progress 10%")]


def test_file_is_bounded(lines: logs.StepLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 100)
    for _ in range(20):
        lines.write("stdout", b"123456789\n")
    text = lines.path.read_bytes()
    assert text.startswith(b"123456789\n" * 10)
    assert text.count(b"[modelyard] the log is cut here") == 1
    assert len(text) < 200


def test_subject_has_one_token_for_each_name() -> None:
    order = StepOrder(step_id="s", attempt=1, workspace="w", job="a.b", step="c >*d", command="", correlation_id="c")
    assert logs.subject(order) == "logs.w.a_b.c___d"


def test_render() -> None:
    inputs, outputs = {"data": "/in/data", "rate": "0.1"}, {"model-1": "/out/m"}
    assert (
        render("x ${{inputs.data}} ${{ inputs.rate }} ${{outputs.model-1}} $HOME", inputs, outputs)
        == "x /in/data 0.1 /out/m $HOME"
    )
    with pytest.raises(
        InvalidError, match=r"uses \$\{\{outputs\.x\}\}, but the step has no such output; it has: model-1"
    ):
        render("${{outputs.x}}", inputs, outputs)
