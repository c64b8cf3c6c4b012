from datetime import UTC, datetime, timedelta

import pytest

from modelyard.cli.output import age, as_table, size

ROWS = [
    {
        "name": "a" * 80,
        "status": "completed",
        "size": 3 * 1024**2,
        "created_at": "2026-01-02T03:04:05.123+00:00",
        "tags": {"x": "1"},
    },
    {"name": "b", "status": "failed", "size": 12, "created_at": None, "tags": {}},
]
COLUMNS = ("name", "status", "size", "created_at", "tags")


def test_what_is_piped_is_whole_and_plain() -> None:
    lines = as_table(ROWS, COLUMNS).splitlines()
    assert lines[0].split() == ["name", "status", "size", "created", "at", "tags"]
    assert lines[2].split() == ["a" * 80, "completed", "3145728", "2026-01-02", "03:04:05Z", "x=1"]
    assert lines[3].split() == ["b", "failed", "12"]
    assert "\x1b" not in "".join(lines)
    assert as_table([]) == ""


def test_a_person_sees_ages_sizes_and_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    lines = as_table(ROWS, COLUMNS, person=True).splitlines()
    assert "a" * 59 + "…" in lines[2]
    assert "\x1b[32mcompleted\x1b[0m" in lines[2]
    assert "\x1b[31mfailed   \x1b[0m" in lines[3]
    assert "3.0 MiB" in lines[2]
    assert " d ago" in lines[2]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in as_table(ROWS, COLUMNS, person=True)


@pytest.mark.parametrize(
    ("seconds", "said"), [(1, "just now"), (65, "1 min ago"), (3 * 3600, "3 h ago"), (50 * 3600, "2 d ago")]
)
def test_ages(seconds: int, said: str) -> None:
    assert age((datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()) == said


def test_sizes() -> None:
    assert [size(count) for count in (0, 1023, 1024, 1536 * 1024, 5 * 1024**4)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "1.5 MiB",
        "5.0 TiB",
    ]
