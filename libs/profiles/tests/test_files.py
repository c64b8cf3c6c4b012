import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from modelyard_profiles import DataFileError, LogicalType, profile_file
from modelyard_profiles.readers import BLOCK_BYTES


@pytest.fixture
def rows() -> pa.Table:
    generator = np.random.default_rng(7)
    return pa.table(
        {
            "delay": generator.normal(5, 40, 3_000).round(1),
            "carrier": generator.choice(["AA", "UA", "B6"], 3_000),
            "seats": pa.array([None if i % 10 == 0 else i % 300 for i in range(3_000)]),
            "late": generator.random(3_000) < 0.25,
        }
    )


def test_one_table_has_one_profile_in_every_format(tmp_path: Path, rows: Any) -> None:
    pa.csv.write_csv(rows, tmp_path / "rows.csv")
    pa.parquet.write_table(rows, tmp_path / "rows.parquet")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows.to_pylist()))
    profiles = [profile_file(tmp_path / f"rows.{suffix}") for suffix in ("csv", "parquet", "jsonl")]
    types = {name: str(column.type) for name, column in profiles[0].columns.items()}
    assert types == {"delay": "numeric", "carrier": "categorical", "seats": "numeric", "late": "boolean"}
    for profile in profiles:
        assert profile.rows == 3_000
        assert profile.columns["seats"].missing == 300
        assert profile.summary()["columns"]["delay"]["mean"] == pytest.approx(rows["delay"].to_numpy().mean())
        assert profile.summary()["columns"]["carrier"] == profiles[0].summary()["columns"]["carrier"]
        assert profile.summary()["columns"]["late"] == profiles[0].summary()["columns"]["late"]


def _filler(line: Any, size: int = BLOCK_BYTES) -> Any:
    return line * (size // len(line) + 1)


@pytest.mark.parametrize(
    ("early", "late", "logical_type"),
    [
        ("1,\n", "1.5,\n", LogicalType.NUMERIC),
        ("1,\n", "N42,\n", LogicalType.CATEGORICAL),
        (",\n", "7,\n", LogicalType.NUMERIC),
        (",\n", "x,\n", LogicalType.CATEGORICAL),
        ("true,\n", "maybe,\n", LogicalType.CATEGORICAL),
        ("2013-01-01,\n", "unknown,\n", LogicalType.CATEGORICAL),
    ],
)
def test_a_csv_columns_type_is_that_of_the_whole_file(
    tmp_path: Path, early: Any, late: Any, logical_type: LogicalType
) -> None:
    (tmp_path / "rows.csv").write_text("value,empty\n" + _filler(early) + late)
    profile = profile_file(tmp_path / "rows.csv")
    assert profile.columns["value"].type is logical_type
    assert profile.columns["empty"].type is LogicalType.UNKNOWN
    assert profile.rows == len(_filler(early)) // len(early) + 1


@pytest.mark.parametrize(
    ("early", "late", "logical_type"),
    [
        ({"value": 1}, {"value": 1.5}, LogicalType.NUMERIC),
        ({"value": None}, {"value": "x"}, LogicalType.CATEGORICAL),
        ({"value": "2013-01-01T00:00:00"}, {"value": "x"}, LogicalType.CATEGORICAL),
        ({"other": 1}, {"value": True}, LogicalType.BOOLEAN),
    ],
)
def test_a_json_fields_type_is_that_of_the_whole_file(
    tmp_path: Path, early: Any, late: Any, logical_type: LogicalType
) -> None:
    (tmp_path / "rows.jsonl").write_text(_filler(json.dumps(early) + "\n") + json.dumps(late))
    assert profile_file(tmp_path / "rows.jsonl").columns["value"].type is logical_type


@pytest.mark.parametrize(
    ("name", "content", "line", "reason"),
    [
        ("a.csv", b"a,b\n1,2\n1,2,3\n", 3, "Expected 2 columns, got 3"),
        ("a.csv", b"a,b\n1,x\n2,\xff\xfe\n", 3, "UTF8"),
        ("a.csv", b"a,b\n" + _filler(b"1,x\n") + b"1\n", len(_filler(b"1,x\n")) // 4 + 2, "Expected 2 columns, got 1"),
        ("a.csv", b"a,a\n1,2\n", None, "unique"),
        ("a.csv", b"", None, "Empty"),
        ("a.jsonl", b'{"a": 1}\n{"a" 2}\n', 2, "not JSON"),
        ("a.jsonl", b'{"a": 1}\n\n[1]\n', 3, "must be a JSON object, this is an array"),
        ("a.jsonl", b'{"a": 1}\n{"a": "x"}\n', 2, "'a' was a number in the rows before, this is a string"),
        ("a.jsonl", _filler(b'{"a": 1}\n') + b"{\n", len(_filler(b'{"a": 1}\n')) // 9 + 1, "not JSON"),
        ("a.parquet", b"PAR1 not really", None, "Parquet"),
        ("a.xlsx", b"", None, "known are csv, parquet, jsonl"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path: Path, name: str, content: bytes, line: Any, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataFileError, match=reason) as raised:
        profile_file(tmp_path / name)
    assert raised.value.line == line
    assert str(raised.value).startswith(name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="no\\.csv"):
        profile_file(tmp_path / "no.csv")


def test_an_empty_table_has_an_empty_profile(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n")
    profile = profile_file(tmp_path / "rows.csv")
    assert profile.rows == 0
    assert profile.summary()["rows"] == 0
