"""Compute, datastores and connections: known by their name alone. What gives access to them is neither sent nor kept."""

from __future__ import annotations

from typing import Any

from modelyard.api.http import Documents, Json
from modelyard.api.named import Named
from modelyard.api.specs import overrides_of


class Resources(Named):
    """One kind of them. A resource is a mapping: `name`, `type`, `spec`, `provisioning_state`, `id`, …"""

    def update(self, name: str, **changes: Any) -> Json:
        """Change keys of the specification it has. Raises SpecError, ModelyardError."""
        spec = self.get(name)["spec"]
        return self.put(self._specs.prepare(spec, self._group, overrides_of(changes)))

    def list(self, *, type: str | None = None, limit: int | None = None) -> Documents:  # noqa: A002 - as the key is called
        """All of them, or those of a type, by name."""
        return [*self._http.pages(self._collection, {"type": type}, limit=limit)]
