from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelyard_testing.stacks import Stack
from tests.on_stack import the_only_stack


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with the_only_stack(tmp_path_factory, "faults") as stack:
        yield stack
