"""Serving's routes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import PlainTextResponse

from modelyard_platform.http import Deployer, Reader
from serving.domain.deployments import UNDER_WAY
from serving.schemas import (
    DeploymentAnswer,
    DeploymentBody,
    DeploymentPage,
    EndpointAnswer,
    EndpointPage,
    Keys,
    RegenerateBody,
    SpecBody,
    TrafficBody,
    deployment_answer,
    endpoint_answer,
)
from serving.usecases import deployments, endpoints
from serving.usecases.parts import Parts

router = APIRouter(prefix="/api/v1/endpoints", tags=["endpoints"])


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


Wired = Annotated[Parts, Depends(_parts)]
Limit = Annotated[int, Query(ge=1, le=1000)]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


@router.get("")
async def list_endpoints(parts: Wired, caller: Reader, *, cursor: str = "", limit: Limit = 100) -> EndpointPage:
    """Endpoints, by name."""
    page, following = await endpoints.list_endpoints(parts, caller.cause.workspace, cursor, limit)
    return EndpointPage(
        items=[endpoint_answer(endpoint, names, parts.public_url) for endpoint, names in page], next=following
    )


@router.put("/{name}", responses={201: {"model": EndpointAnswer}})
async def put_endpoint(name: str, body: SpecBody, parts: Wired, caller: Deployer, response: Response) -> EndpointAnswer:
    """Create an endpoint (201) or change it (200)."""
    if await endpoints.put_endpoint(parts, caller.cause, name, body.spec):
        response.status_code = 201
    return await _endpoint(parts, caller.cause.workspace, name)


@router.get("/{name}")
async def get_endpoint(name: str, parts: Wired, caller: Reader) -> EndpointAnswer:
    """One endpoint."""
    return await _endpoint(parts, caller.cause.workspace, name)


@router.delete("/{name}", status_code=202)
async def delete_endpoint(name: str, parts: Wired, caller: Deployer) -> None:
    """Stop answering now; the endpoint is gone when its deployments have ended (GET answers 404)."""
    await endpoints.delete_endpoint(parts, caller.cause, name)


@router.put("/{name}/traffic")
async def put_traffic(name: str, body: TrafficBody, parts: Wired, caller: Deployer) -> EndpointAnswer:
    """Split the traffic between deployments that have become ready."""
    await endpoints.set_traffic(parts, caller.cause, name, body.traffic, body.mirror)
    return await _endpoint(parts, caller.cause.workspace, name)


@router.get("/{name}/keys")
async def get_keys(name: str, parts: Wired, caller: Deployer) -> Keys:
    """The keys that callers of the endpoint send."""
    return Keys(**await endpoints.get_keys(parts, caller.cause.workspace, name))


@router.post("/{name}/keys/regenerate")
async def regenerate_key(
    name: str, body: RegenerateBody, parts: Wired, caller: Deployer, key: IdempotencyKey = None
) -> Keys:
    """Put a new key in the place of one."""
    return Keys(**await endpoints.regenerate_key(parts, caller.cause, name, body.keyType, key))


@router.get("/{endpoint}/deployments")
async def list_deployments(endpoint: str, parts: Wired, caller: Reader) -> DeploymentPage:
    """An endpoint's deployments, by name."""
    owner, found = await endpoints.get_endpoint(parts, caller.cause.workspace, endpoint)
    return DeploymentPage(
        items=[deployment_answer(one, owner.traffic.get(one.name, 0)) for one in found.values()], next=None
    )


@router.put("/{endpoint}/deployments/{name}", responses={202: {"model": DeploymentAnswer}})
async def put_deployment(
    endpoint: str, name: str, body: DeploymentBody, parts: Wired, caller: Deployer, response: Response
) -> DeploymentAnswer:
    """Ask for a deployment or a new generation of one. 202: it is on its way. The same spec again changes nothing (200)."""
    asked = await deployments.put_deployment(
        parts, caller.cause, endpoint, name, body.spec, all_traffic=body.all_traffic
    )
    if asked.status in UNDER_WAY:
        response.status_code = 202
    return await _deployment(parts, caller.cause.workspace, endpoint, name)


@router.get("/{endpoint}/deployments/{name}")
async def get_deployment(endpoint: str, name: str, parts: Wired, caller: Reader) -> DeploymentAnswer:
    """One deployment."""
    return await _deployment(parts, caller.cause.workspace, endpoint, name)


@router.delete("/{endpoint}/deployments/{name}", status_code=202)
async def delete_deployment(endpoint: str, name: str, parts: Wired, caller: Deployer) -> None:
    """Drain and end a deployment without traffic; it is gone when GET answers 404."""
    await deployments.delete_deployment(parts, caller.cause, endpoint, name)


@router.get("/{endpoint}/deployments/{name}/logs", response_class=PlainTextResponse)
async def get_logs(endpoint: str, name: str, parts: Wired, caller: Reader) -> str:
    """The end of its replicas' logs."""
    return await deployments.read_logs(parts, caller.cause.workspace, endpoint, name)


async def _endpoint(parts: Parts, workspace: str, name: str) -> EndpointAnswer:
    endpoint, found = await endpoints.get_endpoint(parts, workspace, name)
    return endpoint_answer(endpoint, list(found), parts.public_url)


async def _deployment(parts: Parts, workspace: str, endpoint: str, name: str) -> DeploymentAnswer:
    return deployment_answer(*await deployments.get_deployment(parts, workspace, endpoint, name))
