"""The guides are transcripts: every command in them is run, and every output is the one they show."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from modelyard_testing.stacks import Stack
from tests.on_stack import MARKS
from tests.transcripts import follow

pytestmark = MARKS

GUIDES = sorted((Path(__file__).parents[2] / "docs" / "guides").glob("*.md"))


def test_there_are_guides() -> None:
    assert GUIDES


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_a_guide_is_true(guide: Path, stack: Stack, tmp_path: Path) -> None:
    environment = os.environ | {
        "MODELYARD_HOME": str(stack.layout.home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "140",
        "NO_COLOR": "1",
    }
    assert follow(guide, tmp_path, environment) >= 5
