from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelyard.stack import down
from modelyard_testing.stacks import SERVERS, Stack


@pytest.fixture
def make_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    made: list[Stack] = []

    def make(name: str = "home", names: tuple[str, ...] = SERVERS) -> Stack:
        made.append(Stack(tmp_path / name, names))
        return made[-1]

    yield make
    for stack in made:
        down(stack.layout)
        assert not stack.layout.sockets_path().exists()


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    return make_stack()
