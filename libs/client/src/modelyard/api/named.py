"""What has a name and a specification, and is put in place whole: triggers, monitors, subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.api.http import Documents, Http, Json, quoted
from modelyard.api.specs import Prepared, SpecLike, Specs, overrides_of

if TYPE_CHECKING:
    from modelyard_specs import Group


class Named:
    """One kind of them, at `/api/v1/<collection>/<name>`."""

    def __init__(self, http: Http, specs: Specs, collection: str, group: Group) -> None:
        self._http = http
        self._specs = specs
        self._collection = collection
        self._group = group

    def create(self, spec: SpecLike, **overrides: Any) -> Json:
        """Create it, or change the one of this name. Raises SpecError, ModelyardError."""
        return self.put(self._specs.prepare(spec, self._group, overrides_of(overrides)))

    def put(self, prepared: Prepared) -> Json:
        """Put in place what was prepared."""
        with prepared.blamed():
            answer: Json = self._http.put(f"{self._collection}/{quoted(prepared.name)}", {"spec": prepared.spec})
        return answer

    def get(self, name: str) -> Json:
        """One of them."""
        answer: Json = self._http.get(f"{self._collection}/{quoted(name)}")
        return answer

    def list(self, *, limit: int | None = None) -> Documents:
        """All of them, by name."""
        return [*self._http.pages(self._collection, limit=limit)]

    def delete(self, name: str) -> None:
        """Remove it."""
        self._http.delete(f"{self._collection}/{quoted(name)}")


class Monitors(Named):
    """Monitors of deployments."""

    def signals(self, name: str, *, limit: int = 20) -> Json:
        """What a monitor sees: the state of each of its `signals`, and its newest `evaluations`."""
        answer: Json = self._http.get(f"{self._collection}/{quoted(name)}/signals", {"limit": limit})
        return answer


class Subscriptions(Named):
    """Webhooks and chats that are told of events."""

    def deliveries(self, name: str, *, status: str | None = None, limit: int | None = 100) -> Documents:
        """Its deliveries, newest first; `status="dead"` gives those that were given up."""
        path = f"{self._collection}/{quoted(name)}/deliveries"
        return [*self._http.pages(path, {"status": status}, limit=limit)]

    def replay(self, delivery: str) -> Json:
        """Send a delivered or dead delivery again."""
        answer: Json = self._http.post(f"deliveries/{quoted(delivery)}/replay")
        return answer
