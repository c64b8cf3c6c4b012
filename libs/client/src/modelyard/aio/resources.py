# Generated from modelyard.api.resources by libs.client.generate_async: do not edit.
"""Compute, datastores and connections: known by their name alone. What gives access to them is neither sent nor kept."""

from __future__ import annotations

from typing import Any

from modelyard.aio.named import Named
from modelyard.api.http import Documents, Json
from modelyard.api.specs import overrides_of


class Resources(Named):
    """One kind of them. A resource is a mapping: `name`, `type`, `spec`, `provisioning_state`, `id`, …"""

    async def update(self, name: str, **changes: Any) -> Json:
        """Change keys of the specification it has. Raises SpecError, ModelyardError."""
        spec = (await self.get(name))["spec"]
        return await self.put(await self._specs.prepare(spec, self._group, overrides_of(changes)))

    async def list(self, *, type: str | None = None, limit: int | None = None) -> Documents:  # noqa: A002 - as the key is called
        """All of them, or those of a type, by name."""
        return [item async for item in self._http.pages(self._collection, {"type": type}, limit=limit)]
