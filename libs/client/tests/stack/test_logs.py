from pathlib import Path

import pytest

from modelyard.stack import logs


def test_a_log_is_kept_bounded_while_its_writer_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LARGEST_BYTES", 100)
    log = tmp_path / "part.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 101)
        logs.bound(log)
        assert log.stat().st_size == 0
        assert (tmp_path / "part.log.1").stat().st_size == 101
        writer.write(b"next\n")
        logs.bound(log)
    assert log.read_bytes() == b"next\n"


def test_the_tail_and_what_comes_after_it(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    assert logs.tail(log, 5) == []
    log.write_text("".join(f"{number}\n" for number in range(100_000)))
    assert logs.tail(log, 2) == ["99998", "99999"]
    assert len(logs.tail(log, 20_000)) == 20_000
    assert logs.tail(log, 0) == []
    position = log.stat().st_size
    assert logs.appended(log, position) == ("", position)
    log.write_text("anew\n")  # truncated since
    assert logs.appended(log, position) == ("anew\n", 5)
