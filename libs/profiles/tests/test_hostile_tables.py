"""MLTable files that were written to keep whoever reads them busy, or to trip them up."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelyard_profiles import MLTableError, read_rows
from modelyard_profiles.mltable import TablePath, load_folder, parse

_WAITS_S = 20.0


def in_time(code: str, *arguments: str) -> str:
    """What the code prints, run apart: a regular expression that finds no end stops every thread of its process."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=_WAITS_S, check=True
    ).stdout


def test_no_pattern_of_paths_keeps_the_reader_busy() -> None:
    code = (
        "from modelyard_profiles.mltable import TablePath\n"
        "paths = ['a' * 1000 + end for end in ('', 'b')]\n"
        "for pattern in ('**a' * 40 + 'c', '*a' * 40 + 'c', '**/a*' * 40 + 'c', '**a*a' * 40 + 'b'):\n"
        "    print(len(TablePath('pattern', pattern, 1).among(paths)))"
    )
    assert in_time(code).split() == ["0", "0", "0", "1"]


def test_no_pattern_of_columns_keeps_the_reader_busy(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"{'a' * 60},x\n1,2\n")
    (tmp_path / "MLTable").write_text(
        "paths: [{file: a.csv}]\ntransformations:\n - read_delimited\n - drop_columns: {pattern: '(a+)+b|X', ignore_case: true}\n"
    )
    code = (
        "import sys; from pathlib import Path\n"
        "from modelyard_profiles import read_rows; from modelyard_profiles.mltable import load_folder\n"
        "print(read_rows(load_folder(Path(sys.argv[1])), 0, 1).rows)"
    )
    assert in_time(code, str(tmp_path)).strip() == "[[1]]"


def slow(pattern: str) -> re.Pattern[str]:
    """What a pattern means, as it reads."""
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(meaning.get(piece) or re.escape(piece) for piece in pieces))


@given(st.text("ab/*?", min_size=1, max_size=9), st.lists(st.text("ab/", min_size=1, max_size=9), max_size=20))
@example("**/a*b", ["a/ab", "ab", "x/aab/ab"])
@example("**a*b**", ["a/ab", "a/b"])
@settings(max_examples=1000, deadline=None)
def test_a_pattern_means_what_it_says(pattern: str, paths: list[str]) -> None:
    expected = [path for path in paths if slow(pattern).fullmatch(path)]
    assert TablePath("pattern", pattern, 1).among(paths) == expected


@pytest.mark.parametrize(
    "text",
    [
        "true: 1\npaths: [{file: a}]",
        "0x10: 1\npaths: [{file: a}]",
        "<<: {paths: [{file: a}, {files: b}]}",
        "paths: [{file: a}, 7]\npaths: [{file: a}, {file: b}, 7]",
        "paths: [{file: a}]\n<<: {transformations: 1}",
        "paths: [{file: a}]\ntransformations:\n - read_parquet\n - filter: 'col(\"x\") > 1e400'\n - take: x",
        "paths: [{file: a}]\ntransformations:\n - read_parquet\n - filter: 'col(\"x\") > 1000000000000000000000000'",
        """
paths: [{file: a}]
transformations:
 - read_parquet
 - convert_column_types: [{columns: x, column_type: {datetime: {formats: '%Y %Y'}}}]
""",
    ],
)
def test_oddities_are_refused_and_not_stumbled_over(text: str) -> None:
    with pytest.raises(MLTableError):
        parse(text.encode())


def test_a_pattern_of_columns_may_match_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    for options, columns in (("{pattern: 'X'}", ["x", "y"]), ("{pattern: '[xz]', invert: true}", ["x"])):
        (tmp_path / "MLTable").write_text(
            f"paths: [{{file: a.csv}}]\ntransformations:\n - read_delimited\n - drop_columns: {options}\n"
        )
        assert [column["name"] for column in read_rows(load_folder(tmp_path), 0, 1).columns] == columns
