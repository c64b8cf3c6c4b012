"""What journeys and faults share. Each of the two packages has a stack of its own, one after the other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard import Client
from modelyard_testing.stacks import Stack
from tests.on_stack import Cli


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    """The SDK, as the owner; patient enough for a stack whose parts are killed."""
    with Client(stack.document()["url"], stack.layout.owner_token(), retry_s=120) as client:
        yield client


@pytest.fixture
def cli(stack: Stack, tmp_path: Path) -> Cli:
    """`modelyard …` in the test's own folder."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "modelyard.cli", *words],
            cwd=tmp_path,
            env=os.environ | {"MODELYARD_HOME": str(stack.layout.home)},
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )

    return run
