"""Workspaces, which are isolated from one another, and the shared registries beside them."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.api.assets import Assets
from modelyard.api.http import Documents, Http, Json, quoted
from modelyard.api.specs import Specs


class Workspaces:
    """The workspaces of an installation. Owners make them."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def create(self, name: str, *, description: str | None = None) -> Json:
        """A new workspace; the answer's `token` is its first owner's, and is shown this once."""
        answer: Json = self._http.post("workspaces", _named(name, description))
        return answer

    def get(self, name: str) -> Json:
        """One workspace."""
        answer: Json = self._http.get(f"workspaces/{quoted(name)}")
        return answer

    def delete(self, name: str) -> None:
        """Delete a workspace in which nothing is registered, deployed, running or set up."""
        self._http.delete(f"workspaces/{quoted(name)}")

    def list(self) -> Documents:
        """The workspaces there are, by name."""
        return [*self._http.pages("workspaces")]


class Registries:
    """Shared registries: what is shared into one, every workspace can use. The workspace whose owners make registries, and those that
    they let in, may share into it."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def create(self, name: str, *, description: str | None = None, writers: Sequence[str] = ()) -> Json:
        """A new shared registry, into which the workspaces `writers` may share."""
        answer: Json = self._http.post("registries", _named(name, description) | {"writers": [*writers]})
        return answer

    def update(
        self,
        name: str,
        *,
        description: str | None = None,
        add_writers: Sequence[str] = (),
        remove_writers: Sequence[str] = (),
    ) -> Json:
        """Change what a registry is for, or which workspaces may share into it."""
        change = {"description": description, "add_writers": [*add_writers], "remove_writers": [*remove_writers]}
        answer: Json = self._http.patch(f"registries/{quoted(name)}", change)
        return answer

    def get(self, name: str) -> Json:
        """One registry."""
        answer: Json = self._http.get(f"registries/{quoted(name)}")
        return answer

    def delete(self, name: str) -> None:
        """Delete a registry in which nothing is shared."""
        self._http.delete(f"registries/{quoted(name)}")

    def list(self) -> Documents:
        """The shared registries there are, by name."""
        return [*self._http.pages("registries")]


class Registry:
    """One shared registry: what was shared into it."""

    def __init__(self, http: Http, specs: Specs, name: str) -> None:
        self.name = name
        self._http = http.under(f"registries/{quoted(name)}")
        self.models = Assets(self._http, specs, "models", name)
        self.data = Assets(self._http, specs, "data", name)
        self.environments = Assets(self._http, specs, "environments", name)
        self.components = Assets(self._http, specs, "components", name)


def _named(name: str, description: str | None) -> Json:
    return {"name": name} | ({"description": description} if description is not None else {})
