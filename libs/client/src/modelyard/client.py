"""The SDK: one client for one Modelyard.

from modelyard import Client

client = Client()
client.data.create("data.yml")
job = client.jobs.create("pipeline.yml")
for chunk in client.jobs.stream(job["name"]):
    print(chunk.text, end="")
"""

from __future__ import annotations

import os
from typing import Any, Literal, Self

from modelyard.api.assets import Assets
from modelyard.api.datasets import Datasets
from modelyard.api.endpoints import Deployments, Endpoints
from modelyard.api.explanations import Explanations
from modelyard.api.history import DeadLetters, Events, Promotions, Tokens
from modelyard.api.http import RETRY_S, Documents, Http, Json, quoted
from modelyard.api.jobs import Jobs
from modelyard.api.models import Models
from modelyard.api.named import Monitors, Named, Subscriptions
from modelyard.api.resources import Resources
from modelyard.api.specs import Specs
from modelyard.api.workspaces import Registries, Registry, Workspaces
from modelyard.errors import NotConfiguredError

REASON_HEADER = "Modelyard-Reason"
CAUSATION_HEADER = "Modelyard-Causation-Id"


class Client:
    """Talks to the Modelyard at `url` as the holder of `token`; synchronous, and safe to share between threads.

    What is not given comes from `MODELYARD_URL` and `MODELYARD_TOKEN`, else from the stack that runs on this machine
    (`MODELYARD_HOME`). `reason` and `because` (an event's id) are kept with every change this client makes.
    While Modelyard is away or restarting, requests are repeated for `retry_s` seconds, each with effect at most once.

    Raises:
        NotConfiguredError: neither arguments nor environment say where Modelyard is, and none runs here.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        reason: str | None = None,
        because: str | None = None,
        retry_s: float = RETRY_S,
    ) -> None:
        found_url, found_token = _where(url, token)
        headers = {}
        if reason:
            headers[REASON_HEADER] = " ".join(reason.split())
        if because:
            headers[CAUSATION_HEADER] = because.strip()
        self._http = Http(found_url, found_token, headers=headers, retry_s=retry_s)
        self.specs = Specs(self._http)
        self.models = Models(self._http, self.specs, "models")
        self.data = Datasets(self._http, self.specs, "data")
        self.environments = Assets(self._http, self.specs, "environments")
        self.components = Assets(self._http, self.specs, "components")
        self.jobs = Jobs(self._http, self.specs)
        self.explanations = Explanations(self._http, self.models, self.jobs)
        self.endpoints = Endpoints(self._http, self.specs)
        self.deployments = Deployments(self._http, self.specs)
        self.triggers = Named(self._http, self.specs, "triggers", "trigger")
        self.monitors = Monitors(self._http, self.specs, "monitors", "schedule")
        self.subscriptions = Subscriptions(self._http, self.specs, "subscriptions", "subscription")
        self.computes = Resources(self._http, self.specs, "computes", "compute")
        self.datastores = Resources(self._http, self.specs, "datastores", "datastore")
        self.connections = Resources(self._http, self.specs, "connections", "connection")
        self.events = Events(self._http)
        self.promotions = Promotions(self._http)
        self.dead_letters = DeadLetters(self._http)
        self.tokens = Tokens(self._http)
        self.workspaces = Workspaces(self._http)
        self.registries = Registries(self._http)

    @property
    def url(self) -> str:
        """Where Modelyard is; its page is there too."""
        return self._http.url

    def signing_key(self) -> Json:
        """The key that versions are signed with: `public_key` (PEM) and its `fingerprint`."""
        answer: Json = self._http.get("signing-key")
        return answer

    def whoami(self) -> Json:
        """Whose token this is: `actor`, `role`, `workspace`."""
        answer: Json = self._http.get("whoami")
        return answer

    def registry(self, name: str) -> Registry:
        """A shared registry: its `models`, `data`, `environments`, `components`."""
        return Registry(self._http, self.specs, name)

    def why(self, entity: str, name: str) -> Json:
        """What made an `endpoint`, a `model` (`name:version`) or a `job` what it is: `chain`, oldest first, each fact with the ids of
        those it rests on (`because`)."""
        answer: Json = self._http.get(f"why/{quoted(entity, name)}")
        return answer

    def lineage(
        self, node: str, *, direction: Literal["up", "down", "both"] = "up", depth: int = 20, at: str | None = None
    ) -> Json:
        """The part of the lineage graph around a thing (`model/NAME:VERSION`, `endpoint/NAME`, `job/NAME`, …): `nodes` and `edges`.

        `up` is what it rests on, `down` what rests on it, `depth` edges far, as it was `at` a time (ISO 8601).
        """
        params = {"node": node, "direction": direction, "depth": depth} | ({"at": at} if at else {})
        answer: Json = self._http.get("lineage", params)
        return answer

    def audit(
        self, *, subject: str | None = None, actor: str | None = None, type: str | None = None,  # noqa: A002 - as events have it
        after: str | None = None, before: str | None = None, limit: int | None = 100,
    ) -> Documents:  # fmt: skip
        """Every change, newest first: `actor`, `reason`, `type`, `subject`, `before`, `after`. A `subject` is the beginning of one."""
        params = {"subject": subject, "actor": actor, "type": type, "after": after, "before": before}
        return [*self._http.pages("audit", params, limit=limit)]

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _where(url: str | None, token: str | None) -> tuple[str, str]:
    url = url or os.environ.get("MODELYARD_URL")
    token = token or os.environ.get("MODELYARD_TOKEN")
    if url and token:
        return url, token
    if url:
        raise NotConfiguredError(f"which token for {url}? set MODELYARD_TOKEN")
    stack = _stack()
    if token:
        return stack["url"], token
    with open(stack["token_file"], encoding="utf-8") as file:  # noqa: PTH123 - the path is text in the status
        return stack["url"], file.read().strip()


def _stack() -> dict[str, Any]:
    from modelyard.stack import Layout, default_home, status

    home = default_home()
    if (home / "stack.json").is_file():  # opening a layout would make one
        found = status(Layout.open(home))
        if found["url"] and found["state"] in {"starting", "running"}:
            return found
    raise NotConfiguredError(
        f"no Modelyard runs on {home}: start one with `modelyard up`, or set MODELYARD_URL and MODELYARD_TOKEN"
    )
