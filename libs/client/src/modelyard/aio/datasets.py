# Generated from modelyard.api.datasets by libs.client.generate_async: do not edit.
"""What only data has: rows, profiles, and differences between versions."""

from __future__ import annotations

from modelyard.aio.assets import Assets
from modelyard.api.http import Json, quoted


class Datasets(Assets):
    """Versions of data."""

    async def profile(self, name: str, version: str | None = None, *, label: str | None = None) -> Json:
        """A table's profile: `rows`, and for each of `columns` type, missing, distinct, quantiles, histogram or top values."""
        return self._dict(
            await self._http.get(f"{self._at(name, await self._exact(name, version, label), None)}/profile")
        )

    async def rows(
        self,
        name: str,
        version: str | None = None,
        *,
        label: str | None = None,
        file: str | None = None,
        offset: int = 0,
        limit: int = 20,
    ) -> Json:
        """Some rows of a table: `columns`, `rows`, and `next`, the offset of the following ones. `file`: which; else the first table."""
        params = {"offset": offset, "limit": limit} | ({"file": file} if file else {})
        return self._dict(
            await self._http.get(f"{self._at(name, await self._exact(name, version, label), None)}/rows", params)
        )

    async def diff(self, name: str, before: str, after: str = "@latest") -> Json:
        """How two versions differ: `files`, and `table` with schema, rows, and drift of each column.

        A side is a version, `@label`, `other:version` or `other@label`.
        """
        return self._dict(await self._http.get(f"data/{quoted(name)}/diff", {"from": before, "to": after}))

    async def check(self, name: str, version: str | None = None, *, label: str | None = None) -> Json:
        """Whether data that stays outside is still what was registered: `status` is `kept`, `unchanged` or `unchecked`.

        Raises:
            ModelyardError: `external_changed` when it is not.
        """
        return self._dict(
            await self._http.post(f"{self._at(name, await self._exact(name, version, label), None)}/check")
        )
