# Generated from modelyard.api.endpoints by libs.client.generate_async: do not edit.
"""Endpoints and their deployments."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from modelyard.aio.http import Http
from modelyard.aio.specs import Specs
from modelyard.aio.waiting import Waiting
from modelyard.api.endpoints import _POLL_S, _SCORE_TIMEOUT, GONE_S, READY_S, UNDER_WAY
from modelyard.api.http import Documents, Json, is_loopback, problem_of, quoted
from modelyard.api.specs import Prepared, SpecLike, overrides_of
from modelyard.errors import ModelyardError, UnreachableError


class Endpoints:
    """Addresses that answer. An endpoint is a mapping: `name`, `scoring_uri`, `traffic`, `deployments`, …"""

    def __init__(self, http: Http, specs: Specs) -> None:
        self._http = http
        self._specs = specs

    async def create(self, spec: SpecLike, **overrides: Any) -> Json:
        """Create an endpoint, or change the one of this name. Raises SpecError, ModelyardError."""
        return await self.put(await self._specs.prepare(spec, "online-endpoint", overrides_of(overrides)))

    async def put(self, prepared: Prepared) -> Json:
        """Create or change what was prepared."""
        with prepared.blamed():
            answer: Json = await self._http.put(f"endpoints/{quoted(prepared.name)}", {"spec": prepared.spec})
        return answer

    async def get(self, name: str) -> Json:
        """One endpoint."""
        answer: Json = await self._http.get(f"endpoints/{quoted(name)}")
        return answer

    async def list(self, *, limit: int | None = None) -> Documents:
        """Endpoints, by name."""
        return [item async for item in self._http.pages("endpoints", limit=limit)]

    async def delete(self, name: str, *, wait: bool = True) -> None:
        """Stop answering, and wait until its deployments have ended."""
        await self._http.delete(f"endpoints/{quoted(name)}")
        if wait:
            await _until_gone(lambda: self.get(name), f"endpoint {name}")

    async def set_traffic(self, name: str, traffic: Mapping[str, int], mirror: Mapping[str, int] | None = None) -> Json:
        """Split the traffic: percent by deployment, together 100, or 0 for none. Only what has become ready can get any."""
        body = {"traffic": dict(traffic), "mirror": dict(mirror or {})}
        answer: Json = await self._http.put(f"endpoints/{quoted(name)}/traffic", body)
        return answer

    async def keys(self, name: str) -> dict[str, str]:
        """`primaryKey` and `secondaryKey`: what callers of the endpoint send."""
        answer: dict[str, str] = await self._http.get(f"endpoints/{quoted(name)}/keys")
        return answer

    async def regenerate_key(self, name: str, key_type: str) -> dict[str, str]:
        """Put a new key in the place of the `primary` or `secondary` one."""
        answer: dict[str, str] = await self._http.post(
            f"endpoints/{quoted(name)}/keys/regenerate", {"keyType": key_type}
        )
        return answer

    async def invoke(self, name: str, body: bytes, *, deployment: str | None = None) -> bytes:
        """Score: what the endpoint answers to a JSON body. `deployment` asks one in particular.

        Raises:
            ModelyardError: it answered a problem.
            UnreachableError: it did not answer. A request that scores is not repeated.
        """
        endpoint = await self.get(name)
        headers = {
            "Authorization": f"Bearer {(await self.keys(name))['primaryKey']}",
            "Content-Type": "application/json",
        }
        if deployment:
            headers["azureml-model-deployment"] = deployment
        uri = endpoint["scoring_uri"]
        try:
            async with httpx.AsyncClient(timeout=_SCORE_TIMEOUT, trust_env=not is_loopback(uri)) as caller:
                answer = await caller.post(uri, content=body, headers=headers)
        except httpx.TransportError as error:
            raise UnreachableError(uri, error or type(error).__name__) from error
        if not answer.is_success:
            raise problem_of(answer)
        return answer.content


class Deployments:
    """What answers behind an endpoint. A deployment is a mapping: `name`, `endpoint_name`, `status`, `detail`, `live_model`, `traffic`, …

    Status: `requested`, `building`, `starting`, then `ready`, `degraded` or `failed`.
    """

    def __init__(self, http: Http, specs: Specs) -> None:
        self._http = http
        self._specs = specs

    async def create(
        self,
        spec: SpecLike,
        *,
        endpoint: str | None = None,
        all_traffic: bool = False,
        wait: bool = True,
        timeout_s: float = READY_S,
        **overrides: Any,
    ) -> Json:
        """Create a deployment, or give the one of this name a new specification; wait until it is ready or has failed.

        `endpoint` goes over the specification's `endpoint_name`. `all_traffic`: give it everything once it is ready. What answered
        before goes on answering until then.

        Raises:
            SpecError: the specification is wrong.
            ModelyardError: it was refused.
            TimeoutError: it is still under way.
        """
        prepared = await self._specs.prepare(
            spec, "online-deployment", overrides_of(overrides | {"endpoint_name": endpoint})
        )
        asked = await self.put(prepared, all_traffic=all_traffic)
        return await self.wait(asked["endpoint_name"], asked["name"], timeout_s=timeout_s) if wait else asked

    async def put(self, prepared: Prepared, *, all_traffic: bool = False) -> Json:
        """Ask for what was prepared; it is on its way."""
        path = f"endpoints/{quoted(str(prepared.spec['endpoint_name']))}/deployments/{quoted(prepared.name)}"
        with prepared.blamed():
            answer: Json = await self._http.put(path, {"spec": prepared.spec, "all_traffic": all_traffic})
        return answer

    async def wait(
        self, endpoint: str, name: str, *, timeout_s: float = READY_S, on_change: Callable[[Json], None] | None = None
    ) -> Json:
        """The deployment once it is ready or has failed; `on_change` hears of every state on the way. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        polls, status = 0, None
        while True:
            found = await self.get(endpoint, name)
            if on_change is not None and found["status"] != status:
                on_change(found)
            status = found["status"]
            if status not in UNDER_WAY:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"deployment {name} of {endpoint} is still {status} after {timeout_s:g} s")
            await asyncio.sleep(_POLL_S[min(polls, len(_POLL_S) - 1)])
            polls += 1

    async def get(self, endpoint: str, name: str) -> Json:
        """One deployment."""
        answer: Json = await self._http.get(f"endpoints/{quoted(endpoint)}/deployments/{quoted(name)}")
        return answer

    async def list(self, endpoint: str) -> Documents:
        """An endpoint's deployments, by name."""
        return [item async for item in self._http.pages(f"endpoints/{quoted(endpoint)}/deployments")]

    async def delete(self, endpoint: str, name: str, *, wait: bool = True) -> None:
        """Drain and end a deployment that gets no traffic, and wait until it is gone."""
        await self._http.delete(f"endpoints/{quoted(endpoint)}/deployments/{quoted(name)}")
        if wait:
            await _until_gone(lambda: self.get(endpoint, name), f"deployment {name} of {endpoint}")

    async def logs(self, endpoint: str, name: str) -> str:
        """The end of its replicas' logs."""
        return await self._http.text(f"endpoints/{quoted(endpoint)}/deployments/{quoted(name)}/logs")


async def _until_gone(look: Waiting[object], what: str) -> None:
    deadline = time.monotonic() + GONE_S
    polls = 0
    while True:
        try:
            await look()
        except ModelyardError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return
            raise
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} is still there after {GONE_S:g} s")
        await asyncio.sleep(_POLL_S[min(polls, len(_POLL_S) - 1)])
        polls += 1
