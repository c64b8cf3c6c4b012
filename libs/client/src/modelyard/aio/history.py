# Generated from modelyard.api.history by libs.client.generate_async: do not edit.
"""What happened and why, what was decided, what could not be handled, who may come in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from modelyard.aio import live
from modelyard.aio.http import Http
from modelyard.api.http import Documents, Json, quoted


class Events:
    """The log of everything that happened, and what is happening now."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def list(
        self, *, type: str | None = None, subject: str | None = None, correlation: str | None = None,  # noqa: A002 - CloudEvents' name
        limit: int | None = 100,
    ) -> Documents:  # fmt: skip
        """Events, newest first. `type` is short, as `model.registered`; `correlation` names everything that followed from one request."""
        params = {"type": type, "subject": subject, "correlation": correlation}
        return [item async for item in self._http.pages("events", params, limit=limit)]

    async def stream(
        self, *, types: Sequence[str] = (), subjects: Sequence[str] = (), since: str | None = None
    ) -> AsyncIterator[Json]:
        """CloudEvents as they happen, without end; none is missed when the connection breaks.

        `types` and `subjects` are patterns (`drift.*`, `endpoints/*`). `since`: a position in the stream; `"0"` for all that is kept.
        """
        params = {"type": list(types), "subject": list(subjects)} | ({"since": since} if since else {})
        async for event in live.follow(self._http, "events/stream", params):
            document: Json = json.loads(event.data)
            yield document


class Promotions:
    """Candidates judged against the champion."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def request(self, model: str, candidate: str, *, criterion: str, evidence: Mapping[str, Any]) -> Json:
        """Judge `candidate` (a version or `@label`) by a criterion such as `candidate.auc >= champion.auc + 0.005`.

        `evidence` has `candidate` and `champion`: each side's figures, measured on the same rows. The answer's `status` is `approved`
        or `rejected`, its `detail` says why.
        """
        body = {"model": model, "candidate": candidate, "criterion": criterion, "evidence": dict(evidence)}
        answer: Json = await self._http.post("promotions", body)
        return answer

    async def list(self, model: str | None = None, *, limit: int | None = 100) -> Documents:
        """Decisions, newest first."""
        return [item async for item in self._http.pages("promotions", {"model": model}, limit=limit)]


class DeadLetters:
    """Messages between the services that could not be handled. Owners only."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def list(self, *, limit: int = 100) -> Documents:
        """Newest first, each with its reason."""
        return [item async for item in self._http.pages("dead-letters", limit=limit)]

    async def replay(self, sequence: int) -> Json:
        """Send one again to where it failed, once the reason is mended."""
        answer: Json = await self._http.post(f"dead-letters/{int(sequence)}/replay")
        return answer


class Tokens:
    """Personal tokens. Owners only."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def create(self, name: str, role: str, *, days: int | None = None) -> Json:
        """A new token; the answer's `token` is shown this once. Roles: reader, contributor, deployer, owner."""
        answer: Json = await self._http.post("tokens", {"name": name, "role": role, "days": days})
        return answer

    async def list(self) -> Documents:
        """Whose tokens there are, not the tokens."""
        return [item async for item in self._http.pages("tokens")]

    async def delete(self, name: str) -> None:
        """Revoke a token."""
        await self._http.delete(f"tokens/{quoted(name)}")
