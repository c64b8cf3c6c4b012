"""A function that may wait for the network. Its twin in `modelyard.aio` is to be awaited."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

Waiting = Callable[[], T]
