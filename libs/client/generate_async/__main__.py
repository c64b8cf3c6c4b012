"""Writes the modules, or says which ones differ."""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from pathlib import Path
from typing import Final

from libs.client.generate_async.analysis import Module, Program
from libs.client.generate_async.twin import Twin

HERE: Final = Path(__file__).parents[1] / "src" / "modelyard"
BY_HAND: Final = {"specs": "modelyard.aio.specs", "waiting": "modelyard.aio.waiting"}
"""Modules of `api` with a twin of their own."""
UNTOUCHED: Final = frozenset({"__init__", "blobs", "git", "trees"})
"""What has no twin: it is only called from what is written by hand, in threads."""


def generated() -> dict[Path, str]:
    """Every generated file with its text."""
    modules = []
    for path in [
        *sorted((HERE / "api").glob("*.py")),
        HERE / "client.py",
        *(HERE / "aio" / f"{one}.py" for one in BY_HAND),
    ]:
        hand = path.parent.name == "aio"
        if path.stem in UNTOUCHED or (path.stem in BY_HAND and not hand):
            continue
        source = path.read_bytes()
        modules.append(Module(path.stem, source, ast.parse(source), "" if hand else path.stem))
    program = Program(modules)
    return {
        HERE / "aio" / f"{module.twin}.py": formatted(Twin(program, module).text())
        for module in modules
        if module.twin and any(program.has_twin(getattr(node, "name", "")) for node in module.tree.body)
    }


def formatted(text: str) -> str:
    """Without unused imports, and as ruff formats it."""
    ruff = str(Path(sys.executable).with_name("ruff"))
    for command in (
        ["check", "--quiet", "--fix-only", "--select", "F401,I,RUF022,TC005", "--ignore-noqa"],
        ["format", "--quiet"],
    ):
        done = subprocess.run(
            [ruff, *command, "--stdin-filename", str(HERE / "aio" / "x.py"), "-"],
            input=text,
            capture_output=True,
            check=False,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{done.stderr}\n{text}")
        text = done.stdout
    return text


def main() -> int:
    """Write, or with `--check` compare; 1 when something differs."""
    parser = argparse.ArgumentParser(description="Writes modelyard.aio from modelyard.api.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    texts = generated()
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    left = {path for path in (HERE / "aio").glob("*.py") if path not in texts} - {
        HERE / "aio" / f"{one}.py" for one in (*BY_HAND, "__init__")
    }
    if not check:
        for path in stale:
            path.write_text(texts[path])
        for path in left:
            path.unlink()
        return 0
    for path in [*stale, *sorted(left)]:
        print(
            f"{path.name} in modelyard/aio differs from its original: run python -m libs.client.generate_async",
            file=sys.stderr,
        )
    return 1 if stale or left else 0


if __name__ == "__main__":
    sys.exit(main())
