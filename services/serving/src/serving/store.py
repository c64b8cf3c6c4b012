"""All of serving's SQL."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import asyncpg

from modelyard_platform.database import Connection
from serving.domain.deployments import Deployment, Generation
from serving.domain.endpoints import Endpoint
from serving.errors import DeploymentNotFoundError, EndpointNotFoundError

CHANNEL: Final = "modelyard_serving"
"""PostgreSQL notification that wakes the controller: a deployment wants something done."""

_GET_ENDPOINT: Final = "select * from endpoints where name = $1"
_LOCK_ENDPOINT: Final = "select * from endpoints where name = $1 for update"
_ENDPOINT_NAMES: Final = "select name from endpoints where workspace = $1 order by name limit 50"
_LIST_ENDPOINTS: Final = "select * from endpoints where workspace = $1 and name > $2 order by name limit $3"
_ALL_ENDPOINTS: Final = "select * from endpoints order by name"
_INSERT_ENDPOINT: Final = """
insert into endpoints (name, workspace, spec, traffic, primary_generation, secondary_generation, revision, deleting, cause, created_by,
                       created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (name) do nothing
"""
_SAVE_ENDPOINT: Final = """
update endpoints set spec = $2, traffic = $3, primary_generation = $4, secondary_generation = $5, revision = $6, deleting = $7, cause = $8
where name = $1
"""
_DELETE_ENDPOINT: Final = "delete from endpoints where name = $1"

_GET_DEPLOYMENT: Final = "select * from deployments where endpoint = $1 and name = $2"
_LOCK_DEPLOYMENT: Final = "select * from deployments where endpoint = $1 and name = $2 for update"
_DEPLOYMENTS_OF: Final = "select * from deployments where endpoint = $1 order by name"
_DEPLOYMENT_NAMES: Final = "select endpoint, name from deployments where endpoint = any($1::text[]) order by name"
_ALL_DEPLOYMENTS: Final = "select * from deployments order by endpoint, name"
_UNSETTLED: Final = """
select * from deployments where status in ('requested', 'building', 'starting', 'deleting') order by changed_at limit $1
"""
_SAVE_DEPLOYMENT: Final = """
insert into deployments (endpoint, name, workspace, status, detail, target, live, replicas, all_traffic, cause, created_at, changed_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (endpoint, name) do update set
    status = excluded.status, detail = excluded.detail, target = excluded.target, live = excluded.live, replicas = excluded.replicas,
    all_traffic = excluded.all_traffic, cause = excluded.cause, changed_at = excluded.changed_at
"""
_DELETE_DEPLOYMENT: Final = "delete from deployments where endpoint = $1 and name = $2"
_WAKE: Final = "select pg_notify('modelyard_serving', '')"

_LEAD: Final = "select pg_try_advisory_lock(hashtext('modelyard_serving_controller' || current_schema()))"
_STILL_HERE: Final = "select 1"


def _endpoint(row: asyncpg.Record) -> Endpoint:
    return Endpoint(**dict(row))


def _deployment(row: asyncpg.Record) -> Deployment:
    values: dict[str, Any] = dict(row)
    live = values.pop("live")
    return Deployment(
        **values | {"target": Generation(**values["target"]), "live": Generation(**live) if live else None}
    )


async def get_endpoint(tx: Connection, name: str) -> Endpoint | None:
    """An endpoint of any workspace, or None."""
    row = await tx.fetchrow(_GET_ENDPOINT, name)
    return _endpoint(row) if row else None


async def require_endpoint(tx: Connection, workspace: str, name: str, *, lock: bool = False) -> Endpoint:
    """An endpoint; with `lock`, nobody else changes it or its deployments before this transaction ends. Raises EndpointNotFoundError."""
    row = await tx.fetchrow(_LOCK_ENDPOINT if lock else _GET_ENDPOINT, name)
    if row is None or row["workspace"] != workspace:
        names = await tx.fetch(_ENDPOINT_NAMES, workspace)
        raise EndpointNotFoundError(name, [found["name"] for found in names])
    return _endpoint(row)


async def list_endpoints(tx: Connection, workspace: str, after: str, limit: int) -> list[Endpoint]:
    """Endpoints by name, those after the cursor."""
    return [_endpoint(row) for row in await tx.fetch(_LIST_ENDPOINTS, workspace, after, limit)]


async def all_endpoints(tx: Connection) -> list[Endpoint]:
    """Every workspace's endpoints."""
    return [_endpoint(row) for row in await tx.fetch(_ALL_ENDPOINTS)]


async def insert_endpoint(tx: Connection, endpoint: Endpoint) -> bool:
    """False when the name was taken in the meantime."""
    done = await tx.execute(
        _INSERT_ENDPOINT,
        endpoint.name,
        endpoint.workspace,
        endpoint.spec,
        endpoint.traffic,
        endpoint.primary_generation,
        endpoint.secondary_generation,
        endpoint.revision,
        endpoint.deleting,
        endpoint.cause,
        endpoint.created_by,
        endpoint.created_at,
    )
    return bool(done.endswith(" 1"))


async def save_endpoint(tx: Connection, endpoint: Endpoint) -> None:
    """Write a changed endpoint, locked before in this transaction."""
    await tx.execute(
        _SAVE_ENDPOINT,
        endpoint.name,
        endpoint.spec,
        endpoint.traffic,
        endpoint.primary_generation,
        endpoint.secondary_generation,
        endpoint.revision,
        endpoint.deleting,
        endpoint.cause,
    )


async def delete_endpoint(tx: Connection, name: str) -> None:
    """Remove an endpoint without deployments."""
    await tx.execute(_DELETE_ENDPOINT, name)


async def get_deployment(tx: Connection, endpoint: str, name: str, *, lock: bool = False) -> Deployment | None:
    """One deployment, or None."""
    row = await tx.fetchrow(_LOCK_DEPLOYMENT if lock else _GET_DEPLOYMENT, endpoint, name)
    return _deployment(row) if row else None


async def require_deployment(tx: Connection, endpoint: str, name: str) -> Deployment:
    """One deployment. Raises DeploymentNotFoundError."""
    found = await get_deployment(tx, endpoint, name)
    if found is None:
        raise DeploymentNotFoundError(endpoint, name, await deployments_of(tx, endpoint))
    return found


async def deployments_of(tx: Connection, endpoint: str) -> dict[str, Deployment]:
    """An endpoint's deployments by name."""
    return {row["name"]: _deployment(row) for row in await tx.fetch(_DEPLOYMENTS_OF, endpoint)}


async def deployment_names(tx: Connection, endpoints: list[str]) -> dict[str, list[str]]:
    """The deployments' names of each of these endpoints."""
    names: dict[str, list[str]] = {endpoint: [] for endpoint in endpoints}
    for row in await tx.fetch(_DEPLOYMENT_NAMES, endpoints):
        names[row["endpoint"]].append(row["name"])
    return names


async def all_deployments(tx: Connection) -> list[Deployment]:
    """Every endpoint's deployments."""
    return [_deployment(row) for row in await tx.fetch(_ALL_DEPLOYMENTS)]


async def unsettled(tx: Connection, limit: int) -> list[Deployment]:
    """Deployments on their way in or out, the longest waiting first."""
    return [_deployment(row) for row in await tx.fetch(_UNSETTLED, limit)]


async def save_deployment(tx: Connection, deployment: Deployment) -> None:
    """Write a new or changed deployment and wake the controller when this commits."""
    await tx.execute(
        _SAVE_DEPLOYMENT,
        deployment.endpoint,
        deployment.name,
        deployment.workspace,
        deployment.status,
        deployment.detail,
        asdict(deployment.target),
        asdict(deployment.live) if deployment.live else None,
        deployment.replicas,
        deployment.all_traffic,
        deployment.cause,
        deployment.created_at,
        deployment.changed_at,
    )
    await tx.execute(_WAKE)


async def delete_deployment(tx: Connection, endpoint: str, name: str) -> None:
    """Remove a deployment whose replicas are gone."""
    await tx.execute(_DELETE_DEPLOYMENT, endpoint, name)


async def try_lead(connection: Connection) -> bool:
    """Whether this session is now the one that controls deployments; it stays so until it ends."""
    return bool(await connection.fetchval(_LEAD))


async def still_here(connection: Connection) -> None:
    """Raises when the session is lost, and the lead with it."""
    await connection.fetchval(_STILL_HERE)
