"""Deployments as people ask for them; what follows is `rollout`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from nats.errors import Error as NatsError

from modelyard_contracts.serving import DeploymentRequested
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.changes import masked
from modelyard_platform.database import Connection, transaction
from modelyard_platform.errors import UnavailableError
from modelyard_specs import LocalPath, TreeReference
from modelyard_specs.kinds.assets import Model
from modelyard_specs.kinds.online import OnlineDeployment
from serving import store
from serving.domain import deployments as states
from serving.domain.deployments import Deployment, Generation
from serving.domain.plan import ModelVersion, onnx_of, read_deployment
from serving.errors import BeingDeletedError, FieldInvalidError, HasTrafficError
from serving.usecases.endpoints import apply_traffic
from serving.usecases.parts import SOURCE, Parts, kept, now
from serving.usecases.publishing import publish_routes
from serving.usecases.rollout import require_convertible


async def put_deployment(
    parts: Parts, cause: Cause, endpoint: str, name: str, spec: dict[str, Any], *, all_traffic: bool
) -> Deployment:
    """Ask for a deployment, or for a new generation of one; the same spec again asks for nothing.

    It is started in the background. With `all_traffic` it gets all of the endpoint's traffic once it is ready, and not before.
    """
    asked = read_deployment(spec)
    for field, given, wanted in (("name", asked.name, name), ("endpoint_name", asked.endpoint_name, endpoint)):
        if given not in (None, wanted):
            raise FieldInvalidError(field, f"the spec is of {given!r}, the address of {wanted!r}")
    spec = spec | {"name": name, "endpoint_name": endpoint}
    read_deployment(spec)
    async with transaction(parts.pool) as tx:  # first of all: nothing is registered for an endpoint that is not there
        await store.require_endpoint(tx, cause.workspace, endpoint)
    version = await _model(parts, cause, endpoint, name, asked)
    if version is not None and asked.code_configuration is None and onnx_of(version) is None:
        await require_convertible(parts, version)
    async with transaction(parts.pool) as tx:
        deployment = await _request(
            tx, cause, endpoint, name, spec, version.reference if version else None, all_traffic=all_traffic
        )
    await publish_routes(parts, endpoint)
    return deployment


async def _request(
    tx: Connection,
    cause: Cause,
    endpoint_name: str,
    name: str,
    spec: dict[str, Any],
    model: str | None,
    *,
    all_traffic: bool,
) -> Deployment:
    endpoint = await store.require_endpoint(tx, cause.workspace, endpoint_name, lock=True)
    if endpoint.deleting:
        raise BeingDeletedError(f"endpoint {endpoint_name!r}")
    there = await store.get_deployment(tx, endpoint_name, name, lock=True)
    at = now()
    if there is None:
        deployment = Deployment(
            workspace=cause.workspace,
            endpoint=endpoint_name,
            name=name,
            status="requested",
            target=Generation(number=1, spec=spec, model=model),
            all_traffic=all_traffic,
            cause=kept(cause),
            created_at=at,
            changed_at=at,
        )
    elif changed := states.updated(there, spec=spec, model=model, cause=kept(cause), all_traffic=all_traffic, at=at):
        deployment = changed
    else:
        if all_traffic and there.status in states.UNDER_WAY:
            there = replace(there, all_traffic=True)
            await store.save_deployment(tx, there)
        elif all_traffic:
            await apply_traffic(tx, cause, endpoint, {name: 100})
        return there
    event = DeploymentRequested(
        endpoint=endpoint_name,
        deployment=name,
        generation=deployment.target.number,
        model=model,
        before=masked(there.target.spec) if there else None,
        after=masked(spec),
    )
    requested = await outbox.add(tx, SOURCE, event, cause)
    deployment = replace(deployment, cause=kept(cause, requested.id))
    await store.save_deployment(tx, deployment)
    return deployment


async def _model(parts: Parts, cause: Cause, endpoint: str, name: str, asked: OnlineDeployment) -> ModelVersion | None:
    """The model version of a spec: the one it refers to, or the one registered for what it brings along."""
    match asked.model:
        case None:
            return None
        case Model() as model:
            brought = model.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
        case TreeReference() as tree:
            brought = {"path": str(tree)}
        case LocalPath(path):
            raise FieldInvalidError(
                "model", f"{path!r} is a path on the client's machine: upload it first, as modelyard://trees/<digest>"
            )
        case reference:
            return await parts.models.resolve(reference, cause.workspace)
    brought |= {"name": brought.get("name") or f"{endpoint}-{name}"}
    digest = hashlib.sha256(json.dumps(brought, sort_keys=True).encode()).hexdigest()
    return await parts.models.register(brought, cause, f"serving-{endpoint}-{name}-{digest[:32]}")


async def get_deployment(parts: Parts, workspace: str, endpoint: str, name: str) -> tuple[Deployment, int]:
    """One deployment, and its percent of the traffic. Raises EndpointNotFoundError, DeploymentNotFoundError."""
    async with transaction(parts.pool) as tx:
        owner = await store.require_endpoint(tx, workspace, endpoint)
        return await store.require_deployment(tx, endpoint, name), owner.traffic.get(name, 0)


async def delete_deployment(parts: Parts, cause: Cause, endpoint_name: str, name: str) -> None:
    """Ask for a deployment's end. Raises HasTrafficError while it gets requests."""
    async with transaction(parts.pool) as tx:
        endpoint = await store.require_endpoint(tx, cause.workspace, endpoint_name, lock=True)
        deployment = await store.require_deployment(tx, endpoint_name, name)
        if percent := endpoint.traffic.get(name, 0):
            raise HasTrafficError(endpoint_name, name, percent)
        deployment = states.deleting(deployment, kept(cause), now())
        await store.save_deployment(tx, deployment)
        await store.save_endpoint(tx, replace(endpoint, revision=endpoint.revision + 1))
    await publish_routes(parts, endpoint_name)


async def read_logs(parts: Parts, workspace: str, endpoint: str, name: str) -> str:
    """The end of every replica's log, each under a line that names it. Raises UnavailableError when none can be asked."""
    deployment, _ = await get_deployment(parts, workspace, endpoint, name)
    try:
        replicas = await parts.routes.replicas(endpoint, name)
    except (NatsError, OSError, TimeoutError) as error:
        raise UnavailableError("replicas cannot be found while NATS does not answer") from error
    said = []
    for replica in sorted(replicas, key=lambda found: (found.generation, found.key)):
        try:
            text = await parts.replicas.logs(replica)
        except UnavailableError as error:
            text = f"{error.detail}\n"
        said.append(f"==> generation {replica.generation}, {replica.key.rsplit('.', 1)[1]} <==\n{text}")
    if deployment.status == "failed":
        said.append(f"==> generation {deployment.target.number}, failed <==\n{deployment.detail}\n")
    return "\n".join(said)
