from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelyard_testing.stacks import Stack, whole_stack


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with whole_stack(tmp_path_factory.mktemp("faults")) as stack:
        yield stack
