# Generated from modelyard.api.workspaces by libs.client.generate_async: do not edit.
"""Workspaces, which are isolated from one another, and the shared registries beside them."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.aio.assets import Assets
from modelyard.aio.http import Http
from modelyard.aio.specs import Specs
from modelyard.api.http import Documents, Json, quoted
from modelyard.api.workspaces import _named


class Workspaces:
    """The workspaces of an installation. Owners make them."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def create(self, name: str, *, description: str | None = None) -> Json:
        """A new workspace; the answer's `token` is its first owner's, and is shown this once."""
        answer: Json = await self._http.post("workspaces", _named(name, description))
        return answer

    async def get(self, name: str) -> Json:
        """One workspace."""
        answer: Json = await self._http.get(f"workspaces/{quoted(name)}")
        return answer

    async def delete(self, name: str) -> None:
        """Delete a workspace in which nothing is registered, deployed, running or set up."""
        await self._http.delete(f"workspaces/{quoted(name)}")

    async def list(self) -> Documents:
        """The workspaces there are, by name."""
        return [item async for item in self._http.pages("workspaces")]


class Registries:
    """Shared registries: what is shared into one, every workspace can use. The workspace whose owners make registries, and those that
    they let in, may share into it."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def create(self, name: str, *, description: str | None = None, writers: Sequence[str] = ()) -> Json:
        """A new shared registry, into which the workspaces `writers` may share."""
        answer: Json = await self._http.post("registries", _named(name, description) | {"writers": [*writers]})
        return answer

    async def update(
        self,
        name: str,
        *,
        description: str | None = None,
        add_writers: Sequence[str] = (),
        remove_writers: Sequence[str] = (),
    ) -> Json:
        """Change what a registry is for, or which workspaces may share into it."""
        change = {"description": description, "add_writers": [*add_writers], "remove_writers": [*remove_writers]}
        answer: Json = await self._http.patch(f"registries/{quoted(name)}", change)
        return answer

    async def get(self, name: str) -> Json:
        """One registry."""
        answer: Json = await self._http.get(f"registries/{quoted(name)}")
        return answer

    async def delete(self, name: str) -> None:
        """Delete a registry in which nothing is shared."""
        await self._http.delete(f"registries/{quoted(name)}")

    async def list(self) -> Documents:
        """The shared registries there are, by name."""
        return [item async for item in self._http.pages("registries")]


class Registry:
    """One shared registry: what was shared into it."""

    def __init__(self, http: Http, specs: Specs, name: str) -> None:
        self.name = name
        self._http = http.under(f"registries/{quoted(name)}")
        self.models = Assets(self._http, specs, "models", name)
        self.data = Assets(self._http, specs, "data", name)
        self.environments = Assets(self._http, specs, "environments", name)
        self.components = Assets(self._http, specs, "components", name)
