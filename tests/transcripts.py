"""Documents that are transcripts: what they show is typed, and what comes out is compared with what they show.

A fenced block ```` ```yaml title="model.yml" ```` is a file. In a ```` ```console ```` block a line `$ …` is typed to bash (`\\` and
here-documents go on in the lines below, which begin with `> `), and the lines that follow are what comes out, standard error
included. `…` stands for anything in a line; a line that is nothing else stands for any lines, none included.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BLOCK: Final = re.compile(
    r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_ANYTHING: Final = "…"
_TIMEOUT_S: Final = 180


@dataclass(frozen=True, slots=True)
class File:
    """A file that the document shows."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Typed:
    """A command and the output it is shown with."""

    command: str
    output: str


def read(document: str) -> Iterator[File | Typed]:
    """A document's files and commands, in its order."""
    for block in _BLOCK.finditer(document):
        if block["title"]:
            yield File(block["title"], block["text"])
        elif block["language"] == "console":
            yield from _typed(block["text"])


def _typed(text: str) -> Iterator[Typed]:
    command: list[str] = []
    output: list[str] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield Typed("\n".join(command), "\n".join(output))
            command, output = [line.removeprefix("$ ")], []
        elif line.startswith("> ") and not output:
            command.append(line.removeprefix("> "))
        else:
            output.append(line)
    if command:
        yield Typed("\n".join(command), "\n".join(output))


def matches(shown: str, real: str) -> bool:
    """Whether the real output is the one shown; space at the ends of lines does not count."""
    pattern = ""
    for line in shown.strip("\n").splitlines():
        if line.strip() == _ANYTHING:
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(re.escape(part) for part in line.rstrip().split(_ANYTHING)) + r"\n"
    lines = "".join(f"{line.rstrip()}\n" for line in real.strip("\n").splitlines())
    return re.fullmatch(pattern, lines) is not None


def follow(document: Path, folder: Path, environment: Mapping[str, str]) -> int:
    """Do what the document does, in `folder`; answers the number of commands. AssertionError where it is not as shown."""
    count = 0
    for one in read(document.read_text(encoding="utf-8")):
        if isinstance(one, File):
            path = folder / one.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(one.text, encoding="utf-8")
            continue
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", one.command],
            cwd=folder,
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        assert matches(one.output, done.stdout), f"$ {one.command}\n{done.stdout}\n--- shown ---\n{one.output}"
        assert done.returncode == 0, f"$ {one.command}\nended with {done.returncode}\n{done.stdout}"
        count += 1
    return count
