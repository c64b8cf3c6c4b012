"""MLTable files: what is read, what is done with it, and what is refused by name and line."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from modelyard_profiles import DataFileError, MLTableError, profile_rows, read_rows
from modelyard_profiles.mltable import load_folder, parse
from modelyard_profiles.readers import BLOCK_BYTES


def table(folder: Path, mltable: str, limit: int = 100, **files: str | bytes) -> tuple[list[str], list[list[Any]]]:
    (folder / "MLTable").write_text(mltable)
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = read_rows(load_folder(folder), 0, limit)
    return [column["name"] for column in found.columns], found.rows


def delimited(options: str = "", more: str = "", paths: str = "[{folder: .}]") -> str:
    return f"type: mltable\npaths: {paths}\ntransformations:\n  - read_delimited: {{{options}}}\n{more}"


@pytest.mark.parametrize(
    ("paths", "read"),
    [
        ("[{file: ./a.csv}]", [[1]]),
        ("[{folder: ./sub}]", [[2], [3]]),
        ("[{pattern: ./*.csv}]", [[1]]),
        ("[{pattern: '**/*.csv'}]", [[1], [2], [3]]),
        ("[{pattern: 'sub/?.csv'}]", [[2]]),
        ("[{folder: .}]", [[1], [2], [3]]),
        ("[{file: sub/b.csv}, {file: a.csv}, {file: a.csv}]", [[2], [1]]),
    ],
)
def test_paths_name_files_beside_it(tmp_path: Path, paths: str, read: list[list[int]]) -> None:
    found = table(tmp_path, delimited(paths=paths), a_csv="x\n1\n", sub__b_csv="x\n2\n", sub__deep__c_csv="x\n3\n")
    assert found == (["x"], read)


@pytest.mark.parametrize(
    ("header", "names", "rows"),
    [
        ("all_files_same_headers", ["x", "y"], [[1, "a"], [2, "b"]]),
        ("from_first_file", ["x", "y"], [["1", "a"], ["p", "q"], ["2", "b"]]),
        ("all_files_different_headers", ["x", "y", "p", "q"], [[1, "a", None, None], [None, None, 2, "b"]]),
        ("no_header", ["Column1", "Column2"], [["x", "y"], ["1", "a"], ["p", "q"], ["2", "b"]]),
    ],
)
def test_headers(tmp_path: Path, header: str, names: list[str], rows: list[list[Any]]) -> None:
    assert table(tmp_path, delimited(f"header: {header}"), a_csv="x,y\n1,a\n", b_csv="p,q\n2,b\n") == (names, rows)


def test_how_text_is_written(tmp_path: Path) -> None:
    options = (
        "delimiter: ';', encoding: latin1, empty_as_string: true, include_path_column: true, support_multi_line: true"
    )
    found = table(tmp_path, delimited(options), a_csv='x;y\n"é\nù";\n'.encode("latin1"))
    assert found == (["Path", "x", "y"], [["a.csv", "é\nù", ""]])
    assert table(tmp_path, delimited("infer_column_types: false"), a_csv="x\n007\n") == (["x"], [["007"]])


@pytest.mark.parametrize(
    ("steps", "names", "rows"),
    [
        ("  - take: 2\n", ["n", "s"], [[1, "a"], [2, "b"]]),
        ("  - skip: 3\n", ["n", "s"], [[4, "d"]]),
        ("  - skip: 1\n  - take: 1\n", ["n", "s"], [[2, "b"]]),
        ("  - keep_columns: s\n  - take: 1\n", ["s"], [["a"]]),
        ("  - drop_columns: [s]\n  - take: 1\n", ["n"], [[1]]),
        ("  - keep_columns: {pattern: N, ignore_case: true}\n  - take: 1\n", ["n"], [[1]]),
        ("  - drop_columns: {pattern: n, invert: true}\n  - take: 1\n", ["n"], [[1]]),
        ('  - filter: \'col("n") >= 2 and not (col("s") == "d")\'\n', ["n", "s"], [[2, "b"], [3, "c"]]),
        ("  - filter: '2 < col(\"n\") < 4'\n", ["n", "s"], [[3, "c"]]),
    ],
)
def test_transformations(tmp_path: Path, steps: str, names: list[str], rows: list[list[Any]]) -> None:
    assert table(tmp_path, delimited(more=steps), a_csv="n,s\n1,a\n2,b\n", b_csv="n,s\n3,c\n4,d\n") == (names, rows)


def test_columns_are_converted_from_what_is_written(tmp_path: Path) -> None:
    conversion = """
  - convert_column_types:
    - {columns: id, column_type: string}
    - {columns: [a, b], column_type: float}
    - {columns: yes, column_type: {boolean: {true_values: [j], false_values: [n]}}}
    - {columns: at, column_type: {datetime: {formats: ['%Y-%m-%d %H:%M:%S.%f', '%d/%m/%Y']}}}
"""
    text = "id,a,b,yes,at\n007,1,2,j,2013-01-02 03:04:05.5\n8,,2,n,03/01/2013\n"
    _, rows = table(tmp_path, delimited(more=conversion.replace("columns: yes", "columns: 'yes'")), a_csv=text)
    assert rows == [
        ["007", 1.0, 2.0, True, "2013-01-02T03:04:05.500000"],
        ["8", None, 2.0, False, "2013-01-03T00:00:00"],
    ]
    overridden = "infer_column_types: {column_type_overrides: [{columns: id, column_type: string}]}"
    assert table(tmp_path, delimited(overridden), a_csv="id\n007\n")[1] == [["007"]]


def test_other_formats(tmp_path: Path) -> None:
    pa.parquet.write_table(pa.table({"n": [1, 2]}), tmp_path / "a.parquet")
    lines = "paths: [{file: b.jsonl}]\ntransformations: [read_json_lines]\n"
    assert table(tmp_path, lines, b_jsonl='{"n": 1}\n{"n": 2.5}\n')[1] == [[1], [2.5]]
    parquet = "paths: [{file: a.parquet}]\ntransformations: [{read_parquet: {include_path_column: true}}]\n"
    assert table(tmp_path, parquet) == (["Path", "n"], [["a.parquet", 1], ["a.parquet", 2]])


def test_a_sample_is_the_same_every_time(tmp_path: Path) -> None:
    rows = "n\n" + "".join(f"{n}\n" for n in range(1_000))
    step = "  - take_random_sample: {probability: 0.1, seed: 7}\n"
    first = table(tmp_path, delimited(more=step), 1_000, a_csv=rows)
    assert 50 < len(first[1]) < 150
    assert table(tmp_path, delimited(more=step), 1_000, a_csv=rows) == first


def test_a_type_is_that_of_all_files(tmp_path: Path) -> None:
    filler = "1\n" * (BLOCK_BYTES // 2 + 1)
    (tmp_path / "MLTable").write_text(delimited())
    (tmp_path / "a.csv").write_text("n\n" + filler + "word\n")
    (tmp_path / "b.csv").write_text("n\n2\n")
    column = profile_rows(load_folder(tmp_path)).columns["n"]
    assert str(column.type) == "categorical"
    assert column.count == BLOCK_BYTES // 2 + 3


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "a mapping with `paths`"),
        ("paths: []", 1, "at least one"),
        ("paths: [{file: a}]\npath: x", 2, "unknown key 'path'"),
        ("type: uri_file\npaths: [{file: a}]", 1, "must be mltable"),
        ("paths:\n - files: a", 2, "one of `file"),
        ("paths:\n - file: /etc/passwd", 2, "outside"),
        ("paths:\n - file: a/../../b", 2, "leads out"),
        ("paths: [{file: a}]\ntransformations:\n - take: 1", 3, "begin with one of read_delimited"),
        ("paths: [{file: a}]\ntransformations:\n - read_parquet\n - read_parquet", 4, "first transformation"),
        ("paths: [{file: a}]\ntransformations:\n - read_delimited: {sep: x}", 3, "no option 'sep'"),
        ("paths: [{file: a}]\ntransformations:\n - read_delimited: {encoding: klingon}", 3, "unknown encoding"),
        ("paths: [{file: a}]\ntransformations:\n - read_parquet\n - select_partitions: [1]", 4, "select_partitions is not supported"),
        ("paths: [{file: a}]\ntransformations:\n - read_parquet\n - take: -1", 4, "a number of rows"),
        ("paths: [{file: a}]\ntransformations:\n - read_parquet\n - take_random_sample: {probability: 0.1}", 4, "needs a `seed`"),
        ("paths: [{file: a}]\ntransformations:\n - read_parquet\n - filter: '__import__(\"os\")'", 4, "is no condition"),
        ("paths: [{file: a}]\ntransformations:\n - read_parquet\n - keep_columns: {pattern: '('}", 4, "no regular expression"),
        ("query_source: {handler: x}", 1, "query_source"),
        ("a: &a [x]\nb: *a", 2, "anchors"),
        ("\x00", None, "not YAML"),
    ],
)  # fmt: skip
def test_what_it_asks_for_is_refused_by_name_and_line(text: str, line: int | None, message: str) -> None:
    with pytest.raises(MLTableError) as refused:
        parse(text.encode())
    assert message in refused.value.reason
    assert refused.value.line == line


@pytest.mark.parametrize(
    "step", ["keep_columns: z", "filter: 'col(\"z\") > 1'", "convert_column_types: [{columns: s, column_type: int}]"]
)
def test_what_does_not_fit_the_table_is_said_with_the_line(tmp_path: Path, step: str) -> None:
    with pytest.raises(MLTableError) as refused:
        table(tmp_path, delimited(more=f"  - {step}\n"), a_csv="s\nx\n")
    assert refused.value.line == 5


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"b\.csv, line 3"):
        table(tmp_path, delimited(), a_csv="x,y\n1,2\n", b_csv="x,y\n1,2\n1,2,3\n")


def test_only_files_are_no_table(tmp_path: Path) -> None:
    with pytest.raises(MLTableError, match="no transformation that reads"):
        table(tmp_path, "paths: [{file: a.bin}]\n", a_bin="x")
