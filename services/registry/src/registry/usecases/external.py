"""Data that stays outside: recorded when it is registered, checked when it is used."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from modelyard_platform.errors import InvalidError, PreconditionError, UnavailableError
from modelyard_platform.external import External, ExternalStore, is_external

T = TypeVar("T")

MOST_AT_ONCE: Final = 4


class Outside:
    """The registry's eyes on what lies outside; a few looks at a time, so that slow servers cannot take all threads."""

    def __init__(self, store: ExternalStore) -> None:
        self._store = store
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def record(self, path: str | None) -> dict[str, Any] | None:
        """What is there, to be kept with the version; None for a path that leads to files of ours.

        Raises InvalidError, ForbiddenError, NotFoundError, TooLargeError, PreconditionError.
        """
        if path is None or not is_external(path) or path.startswith("azureml://jobs/"):
            return None
        found = await self._do(lambda: self._store.look(path))
        return found.model_dump(mode="json")

    async def check(self, recorded: dict[str, Any]) -> External:
        """What is there now. Raises ExternalChangedError, and what `record` raises."""
        return await self._do(lambda: self._store.check(External.model_validate(recorded)))

    async def read(self, recorded: dict[str, Any], limit: int, use: Callable[[Path], T]) -> T:
        """What `use` makes of a folder with what is there now, which is removed afterwards. Raises as `check` does, and
        InvalidError when it has more than `limit` bytes."""
        content = External.model_validate(recorded)
        if content.size is None or content.size > limit:
            raise InvalidError(
                f"it stays outside and has more than {limit} bytes, or no known size: it is not read here"
            )

        def read() -> T:
            with tempfile.TemporaryDirectory(prefix="modelyard-external-") as folder:
                target = Path(folder) / "content"
                self._store.download(content, target)
                return use(target)

        return await self._do(read)

    async def _do(self, call: Callable[[], T]) -> T:
        async with self._turns:
            try:
                return await asyncio.to_thread(call)
            except UnavailableError as error:
                # It is somebody else's server that does not answer, not this one.
                raise PreconditionError(error.detail, code="external_unavailable") from error
