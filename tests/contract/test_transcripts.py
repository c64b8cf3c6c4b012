"""A transcript that is not true is found out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.transcripts import follow, matches

DOCUMENT = """
```yaml title="folder/a.yml"
name: a
```

```console
$ cat folder/a.yml
name: a
$ printf 'one\\n%s\\nthree\\n' $RANDOM
one
…
three
$ cat <<END
> typed in two lines
> END
typed in … lines
$ false || echo "exit $?" >&2
exit 1
```
"""


@pytest.mark.parametrize(
    ("shown", "real", "same"),
    [
        ("a\nb", "a\nb\n", True),
        ("a\nb", "a\n", False),
        ("a … c", "a 12 c", True),
        ("a … c", "a 12\nc", False),
        ("a\n…\nz", "a\nz", True),
        ("a\n…\nz", "a\nb\nc\nz", True),
        ("a\n…", "b\n", False),
        ("", "", True),
        ("", "more", False),
        ("(a|b)", "a", False),
    ],
)
def test_what_is_shown_is_what_came_out(shown: str, real: str, *, same: bool) -> None:
    assert matches(shown, real) is same


def test_a_true_transcript_is_followed(tmp_path: Path) -> None:
    document = tmp_path / "guide.md"
    document.write_text(DOCUMENT)
    assert follow(document, tmp_path, os.environ) == 4


@pytest.mark.parametrize(
    ("true", "false"), [("name: a\n$", "name: b\n$"), ("exit 1", "exit 2"), ("false ||", "true ||")]
)
def test_a_false_one_is_not(true: str, false: str, tmp_path: Path) -> None:
    document = tmp_path / "guide.md"
    document.write_text(DOCUMENT.replace(true, false))
    with pytest.raises(AssertionError):
        follow(document, tmp_path, os.environ)
