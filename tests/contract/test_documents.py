"""What the documents tell people to type is what the command line understands, and the files they name are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from modelyard.cli import read

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("*/*/README.md"))]
BLOCK = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


def commands(document: Path) -> list[list[str]]:
    lines = "\n".join(BLOCK.findall(document.read_text())).replace("\\\n", " ").splitlines()
    words = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    return [line for line in words if line]


def test_there_are_documents_with_commands() -> None:
    assert sum(len(commands(document)) for document in DOCUMENTS) >= 5


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_are_understood_and_files_are_there(document: Path) -> None:
    for words in commands(document):
        match Path(words[0]).name:
            case "modelyard":
                options = vars(read(words[1:]))
                file = options.get("file")
                for path in [file] if isinstance(file, str) else file or []:
                    assert any((folder / str(path)).exists() for folder in (ROOT, document.parent)), path
            case "make":
                targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
                assert {word for word in words[1:] if "=" not in word} <= set(targets), words
            case _:
                pass
    for link in LINK.findall(document.read_text()):
        assert (document.parent / link).exists(), f"{document}: {link}"
