"""Endpoints: their addresses, keys and traffic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from modelyard_contracts.serving import (
    EndpointCreated,
    EndpointDeleted,
    EndpointKeyRegenerated,
    EndpointTrafficChanged,
    EndpointUpdated,
)
from modelyard_platform import idempotency, outbox
from modelyard_platform.cause import Cause
from modelyard_platform.changes import masked
from modelyard_platform.database import Connection, transaction
from serving import store
from serving.domain import deployments as states
from serving.domain.deployments import Deployment
from serving.domain.endpoints import Endpoint, KeyType, key, regenerated, split
from serving.domain.plan import read_endpoint
from serving.errors import BeingDeletedError, FieldInvalidError, NameTakenError
from serving.usecases.parts import SOURCE, Parts, kept, now
from serving.usecases.publishing import publish_routes


async def put_endpoint(parts: Parts, cause: Cause, name: str, spec: dict[str, Any]) -> bool:
    """Create an endpoint or change its description, and tell whether it was created. Traffic in the spec is applied as by `set_traffic`."""
    asked = read_endpoint(spec)
    if asked.name not in (None, name):
        raise FieldInvalidError("name", f"the spec is of {asked.name!r}, the address of {name!r}")
    read_endpoint({"name": name})
    spec = spec | {"name": name}
    async with transaction(parts.pool) as tx:
        fresh = Endpoint(
            workspace=cause.workspace,
            name=name,
            spec=spec,
            traffic={},
            cause=kept(cause),
            created_by=cause.actor,
            created_at=now(),
        )
        created = await store.get_endpoint(tx, name) is None and await store.insert_endpoint(tx, fresh)
        if not created and (there := await store.get_endpoint(tx, name)) and there.workspace != cause.workspace:
            raise NameTakenError(name)
        endpoint = await _changeable(tx, cause.workspace, name)
        if created:
            await outbox.add(tx, SOURCE, EndpointCreated(endpoint=name), cause)
        elif endpoint.spec != spec:
            changed = EndpointUpdated(endpoint=name, before=masked(endpoint.spec), after=masked(spec))
            endpoint = replace(endpoint, spec=spec)
            await store.save_endpoint(tx, endpoint)
            await outbox.add(tx, SOURCE, changed, cause)
        if asked.traffic:
            await apply_traffic(tx, cause, endpoint, asked.traffic)
    await publish_routes(parts, name)
    return created


async def get_endpoint(parts: Parts, workspace: str, name: str) -> tuple[Endpoint, dict[str, Deployment]]:
    """One endpoint with its deployments by name. Raises EndpointNotFoundError."""
    async with transaction(parts.pool) as tx:
        return await store.require_endpoint(tx, workspace, name), await store.deployments_of(tx, name)


async def list_endpoints(
    parts: Parts, workspace: str, after: str, limit: int
) -> tuple[list[tuple[Endpoint, list[str]]], str | None]:
    """A page of endpoints by name, each with its deployments' names, and the cursor of the next page."""
    async with transaction(parts.pool) as tx:
        found = await store.list_endpoints(tx, workspace, after, limit + 1)
        page = found[:limit]
        names = await store.deployment_names(tx, [endpoint.name for endpoint in page])
    return [(endpoint, names[endpoint.name]) for endpoint in page], page[-1].name if len(found) > limit else None


async def set_traffic(parts: Parts, cause: Cause, name: str, traffic: dict[str, int], mirror: dict[str, int]) -> None:
    """Another split, between deployments that have become ready. Raises what `split` raises."""
    if any(mirror.values()):
        raise FieldInvalidError("mirror", "mirroring is not there yet; leave it out")
    async with transaction(parts.pool) as tx:
        await apply_traffic(tx, cause, await _changeable(tx, cause.workspace, name), traffic)
    await publish_routes(parts, name)


async def apply_traffic(tx: Connection, cause: Cause, endpoint: Endpoint, traffic: dict[str, int]) -> Endpoint:
    """The part of a change of traffic that stands in a transaction; the endpoint is locked in it."""
    deployments = await store.deployments_of(tx, endpoint.name)
    changed = split(endpoint, traffic, deployments)
    if changed is not endpoint:
        await store.save_endpoint(tx, changed)
        event = EndpointTrafficChanged(
            endpoint=endpoint.name,
            traffic=changed.traffic,
            previous=endpoint.traffic,
            models={name: model for name in changed.traffic if (model := _live_model(deployments[name]))},
        )
        await outbox.add(tx, SOURCE, event, cause)
    return changed


def _live_model(deployment: Deployment) -> str | None:
    return deployment.live.model if deployment.live else None


async def delete_endpoint(parts: Parts, cause: Cause, name: str) -> None:
    """Stop answering at once; its deployments end in the background, and with the last of them the endpoint is gone."""
    async with transaction(parts.pool) as tx:
        endpoint = await store.require_endpoint(tx, cause.workspace, name, lock=True)
        if endpoint.deleting:
            return
        endpoint = replace(endpoint, deleting=True, traffic={}, revision=endpoint.revision + 1, cause=kept(cause))
        await store.save_endpoint(tx, endpoint)
        deployments = await store.deployments_of(tx, name)
        for deployment in deployments.values():
            await store.save_deployment(tx, states.deleting(deployment, kept(cause), now()))
        if not deployments:
            await remove_endpoint(tx, cause, endpoint)
    await publish_routes(parts, name)


async def remove_endpoint(tx: Connection, cause: Cause, endpoint: Endpoint) -> None:
    """The end of an endpoint without deployments."""
    await store.delete_endpoint(tx, endpoint.name)
    await outbox.add(tx, SOURCE, EndpointDeleted(endpoint=endpoint.name), cause)


async def get_keys(parts: Parts, workspace: str, name: str) -> dict[str, str]:
    """Both keys, as `az ml online-endpoint get-credentials` prints them."""
    endpoint, _ = await get_endpoint(parts, workspace, name)
    return _keys(parts, endpoint)


async def regenerate_key(
    parts: Parts, cause: Cause, name: str, which: KeyType, idempotency_key: str | None
) -> dict[str, str]:
    """A new key in the place of one; the other goes on working, so that callers can move over."""
    request = {"endpoint": name, "regenerate": which}
    async with transaction(parts.pool) as tx:
        endpoint = await _changeable(tx, cause.workspace, name)
        if await idempotency.answered(tx, cause, idempotency_key, request) is None:
            endpoint = regenerated(endpoint, which)
            await store.save_endpoint(tx, endpoint)
            await outbox.add(tx, SOURCE, EndpointKeyRegenerated(endpoint=name, key=which), cause)
            await idempotency.remember(tx, cause, idempotency_key, request, {"regenerated": which})  # no key is stored
    await publish_routes(parts, name)
    return _keys(parts, endpoint)


def _keys(parts: Parts, endpoint: Endpoint) -> dict[str, str]:
    return {
        "primaryKey": key(parts.key_secret, endpoint, "primary"),
        "secondaryKey": key(parts.key_secret, endpoint, "secondary"),
    }


async def _changeable(tx: Connection, workspace: str, name: str) -> Endpoint:
    endpoint = await store.require_endpoint(tx, workspace, name, lock=True)
    if endpoint.deleting:
        raise BeingDeletedError(f"endpoint {name!r}")
    return endpoint
