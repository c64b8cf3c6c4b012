"""A function whose answer is to be awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

Waiting = Callable[[], Awaitable[T]]
