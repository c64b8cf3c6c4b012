"""The way of a deployment's generation from requested to ready, and the way out.

Every step can be taken again: whoever takes over after a crash begins where the row says. A generation comes up beside the live one, in an
application of its own, and takes its place when its replicas have answered; one that fails leaves the live one as it was.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from nats.errors import Error as NatsError

from modelyard_contracts.serving import DeploymentDeleted, DeploymentFailed, DeploymentReady
from modelyard_platform import outbox
from modelyard_platform.database import Connection, transaction
from modelyard_platform.errors import PlatformError, UnavailableError
from serving import store
from serving.clients.ray_serve import Application
from serving.domain import deployments as states
from serving.domain.deployments import Deployment, application
from serving.domain.failures import readable, refused
from serving.domain.plan import ModelVersion, Onnx, onnx_of, read_deployment, replica_spec
from serving.errors import ModelNotServableError
from serving.usecases.endpoints import apply_traffic, remove_endpoint
from serving.usecases.parts import SOURCE, Parts, cause_of, now
from serving.usecases.publishing import publish_routes

log = logging.getLogger(__name__)

POLL_S: Final = 0.5
BUILD_POLL_S: Final = 1.0
DETAIL_CHARS: Final = 16_000


class SupersededError(Exception):
    """A newer spec came, or the deployment is on its way out: this generation is no longer wanted."""


async def bring_up(parts: Parts, deployment: Deployment) -> None:
    """Take a generation as far as it goes: ready, or failed with the reason. Stops quietly when it is no longer wanted."""
    try:
        async with transaction(parts.pool) as tx:  # an earlier try may have come further
            deployment = await _current(tx, deployment)
        if deployment.target.plan is None:
            deployment = await _build(parts, deployment)
        await _start(parts, deployment)
    except SupersededError:
        log.info("no longer wanted", extra={"application": _target(deployment)})
    except PlatformError as error:
        await fail(parts, deployment, error.detail, refused=error.members.get("refused"))


async def fail(parts: Parts, deployment: Deployment, detail: str, *, refused: str | None = None) -> None:
    """This generation will not work: say why, and end what was started of it."""
    detail = (
        detail
        if len(detail) <= DETAIL_CHARS
        else f"{detail[: DETAIL_CHARS // 4]}\n…\n{detail[-3 * DETAIL_CHARS // 4 :]}"
    )
    try:
        async with transaction(parts.pool) as tx:
            current = await _current(tx, deployment)
            await store.save_deployment(tx, states.failed(current, detail, now()))
            event = DeploymentFailed(**_names(current), detail=detail, refused=refused)
            await outbox.add(tx, SOURCE, event, cause_of(current.cause))
    except SupersededError:
        return
    log.warning("deployment failed", extra={"application": _target(deployment), "detail": detail})
    with suppress(UnavailableError):  # the reconciler ends it then
        await parts.ray.delete(_target(deployment))


async def _build(parts: Parts, deployment: Deployment) -> Deployment:
    """Wait for what others make, and write down what the replicas are to be told. Raises PlatformError when it will not come."""
    asked = read_deployment(deployment.target.spec)
    deadline = _clock() + parts.build_timeout_s
    version, onnx, lock = None, None, None
    if deployment.target.model is not None:
        deployment, version = await _version(parts, deployment, deadline)
        if asked.code_configuration is None:
            deployment, onnx = await _converted(parts, deployment, version, deadline)
    if asked.code_configuration is not None:
        deployment, lock = await _locked(parts, deployment, deadline)
    plan = replica_spec(
        asked,
        workspace=deployment.workspace,
        endpoint=deployment.endpoint,
        deployment=deployment.name,
        generation=deployment.target.number,
        version=version,
        onnx=onnx,
        lock=lock,
        defaults=parts.defaults,
    )
    async with transaction(parts.pool) as tx:
        current = states.starting(await _current(tx, deployment), plan.model_dump(mode="json"), now())
        await store.save_deployment(tx, current)
    return current


async def _version(parts: Parts, deployment: Deployment, deadline: float) -> tuple[Deployment, ModelVersion]:
    assert deployment.target.model is not None
    name, _, version = deployment.target.model.rpartition(":")
    while True:
        try:
            return deployment, await parts.models.get(name, version, deployment.workspace)
        except UnavailableError as error:
            if _clock() > deadline:
                raise
            deployment = await _waiting(parts, deployment, error.detail)
        await asyncio.sleep(BUILD_POLL_S)


async def _converted(
    parts: Parts, deployment: Deployment, version: ModelVersion, deadline: float
) -> tuple[Deployment, Onnx]:
    """The version's ONNX form, waiting for its conversion. Raises ModelNotServableError."""
    while (onnx := onnx_of(version)) is None:
        await require_convertible(parts, version)
        if _clock() > deadline:
            raise ModelNotServableError(
                version.reference, f"its conversion to ONNX did not come within {parts.build_timeout_s:g} s"
            )
        deployment = await _waiting(parts, deployment, f"model {version.reference} is being converted to ONNX")
        await asyncio.sleep(BUILD_POLL_S)
        deployment, version = await _version(parts, deployment, deadline)
    return deployment, onnx


async def require_convertible(parts: Parts, version: ModelVersion) -> None:
    """Raises ModelNotServableError when the builder will not convert a version. One that does not answer leaves the question open."""
    with suppress(UnavailableError):
        if why := await parts.builder.why_not_converted(version.name, version.version, version.scope):
            raise ModelNotServableError(version.reference, f"it has no ONNX form ({why})")


async def _locked(parts: Parts, deployment: Deployment, deadline: float) -> tuple[Deployment, str]:
    """The lock of its environment. Raises PlatformError when it cannot be made."""
    environment = deployment.target.spec["environment"]
    key = f"serving-{deployment.cause['causation_id']}"  # the event that asked for this generation
    waits_for = "its environment is being locked"
    while True:
        deployment = await _waiting(parts, deployment, waits_for)
        try:
            return deployment, await parts.builder.lock(environment, cause_of(deployment.cause), key)
        except UnavailableError as error:
            if _clock() > deadline:
                raise
            waits_for = error.detail
        await asyncio.sleep(BUILD_POLL_S)


async def _waiting(parts: Parts, deployment: Deployment, waits_for: str) -> Deployment:
    if (deployment.status, deployment.detail) != ("building", waits_for):
        async with transaction(parts.pool) as tx:
            deployment = states.building(await _current(tx, deployment), waits_for, now())
            await store.save_deployment(tx, deployment)
    else:
        async with transaction(parts.pool) as tx:
            await _current(tx, deployment)
    return deployment


async def _start(parts: Parts, deployment: Deployment) -> None:
    """Start the replicas and wait until they have announced themselves and answered. Raises PlatformError when they do not."""
    deadline = _clock() + parts.start_timeout_s
    waits_for = "nothing was heard of it"
    while _clock() < deadline:
        try:
            waits_for = await _look(parts, deployment) or ""
        except UnavailableError as error:
            waits_for = error.detail
        except (NatsError, OSError, TimeoutError) as error:
            waits_for = f"NATS does not answer: {error!r}"
        if not waits_for:
            await _make_live(parts, deployment)
            return
        await asyncio.sleep(POLL_S)
    raise PlatformError(
        f"not ready within {parts.start_timeout_s:g} s: {waits_for}", kind="precondition", code="start_timeout"
    )


async def _look(parts: Parts, deployment: Deployment) -> str | None:
    """What the generation still waits for, or None when it is ready. Raises PlatformError when Ray has given it up."""
    plan = deployment.target.plan
    assert plan is not None
    name = _target(deployment)
    async with transaction(parts.pool) as tx:
        await _current(tx, deployment)
    here = (await parts.ray.applications()).get(name)
    if here is None:
        await parts.ray.deploy(name, plan)
        return "its application is being started"
    if here.status == "DEPLOY_FAILED":
        raise PlatformError(
            readable(here.message) or "Ray Serve gives no reason",
            kind="precondition",
            code="deploy_failed",
            refused=refused(here.message),
        )
    wanted = plan["num_replicas"]
    if here.status != "RUNNING" or here.running < wanted:
        return f"{here.running} of {wanted} replicas run ({here.status}): {here.message or 'no message'}"
    return await _smoke(parts, deployment, here, wanted)


async def _smoke(parts: Parts, deployment: Deployment, here: Application, wanted: int) -> str | None:
    announced = [
        replica
        for replica in await parts.routes.replicas(deployment.endpoint, deployment.name)
        if replica.generation == deployment.target.number and replica.pid in here.pids
    ]
    if len(announced) < wanted:
        return f"{len(announced)} of {wanted} replicas have announced themselves"
    model = _model_name(deployment)
    problems = await asyncio.gather(*(parts.replicas.smoke(replica, model) for replica in announced))
    return next((problem for problem in problems if problem), None)


def _model_name(deployment: Deployment) -> str:
    plan: dict[str, Any] = deployment.target.plan or {}
    return str(plan["model"]["name"]) if plan.get("model") else deployment.name


async def _make_live(parts: Parts, deployment: Deployment) -> None:
    """From here on this generation is what the deployment serves; the one before it drains and ends."""
    async with transaction(parts.pool) as tx:
        endpoint = await store.require_endpoint(tx, deployment.workspace, deployment.endpoint, lock=True)
        current = await _current(tx, deployment)
        before = current.live
        at = now()
        live = replace(states.ready(current, at), all_traffic=False)
        await store.save_deployment(tx, live)
        await store.save_endpoint(tx, replace(endpoint, revision=endpoint.revision + 1))
        seconds = round((at - current.changed_at).total_seconds(), 3)
        event = await outbox.add(
            tx, SOURCE, DeploymentReady(**_names(current), **_runs(current), seconds=seconds), cause_of(current.cause)
        )
        if current.all_traffic:
            endpoint = await store.require_endpoint(tx, deployment.workspace, deployment.endpoint, lock=True)
            await apply_traffic(tx, cause_of(current.cause).because_of(str(event.id)), endpoint, {current.name: 100})
    await publish_routes(parts, deployment.endpoint)
    if before is not None:
        with suppress(UnavailableError):  # the reconciler ends it then
            await parts.ray.delete(application(deployment.endpoint, deployment.name, before.number))


async def take_down(parts: Parts, deployment: Deployment) -> None:
    """End every generation's application, and with the last replica the deployment; with the last deployment a deleted endpoint.

    Raises UnavailableError while Ray does not answer or replicas drain: to be called again.
    """
    await publish_routes(parts, deployment.endpoint)
    ours = application(deployment.endpoint, deployment.name, 0).removesuffix("0")
    left = {name: app for name, app in (await parts.ray.applications()).items() if name.removeprefix(ours).isdecimal()}
    for name, app in left.items():
        if app.status != "DELETING":
            await parts.ray.delete(name)
    if left:
        raise UnavailableError(f"replicas of {', '.join(left)} are draining", code="draining")
    for replica in await parts.routes.replicas(deployment.endpoint, deployment.name):
        await parts.routes.remove_replica(replica)
    async with transaction(parts.pool) as tx:
        endpoint = await store.require_endpoint(tx, deployment.workspace, deployment.endpoint, lock=True)
        current = await store.get_deployment(tx, deployment.endpoint, deployment.name, lock=True)
        if current is None or current.status != "deleting":
            return
        await store.delete_deployment(tx, current.endpoint, current.name)
        await outbox.add(tx, SOURCE, DeploymentDeleted(**_names(current)), cause_of(current.cause))
        if endpoint.deleting and not await store.deployments_of(tx, endpoint.name):
            await remove_endpoint(tx, cause_of(endpoint.cause), endpoint)


async def _current(tx: Connection, deployment: Deployment) -> Deployment:
    """The row as it is now, locked. Raises SupersededError when it is about something else by now."""
    current = await store.get_deployment(tx, deployment.endpoint, deployment.name, lock=True)
    if current is None or current.status not in states.UNDER_WAY or current.target.number != deployment.target.number:
        raise SupersededError
    return current


def _target(deployment: Deployment) -> str:
    return application(deployment.endpoint, deployment.name, deployment.target.number)


def _names(deployment: Deployment) -> dict[str, Any]:
    return {
        "endpoint": deployment.endpoint,
        "deployment": deployment.name,
        "generation": deployment.target.number,
        "model": deployment.target.model,
    }


def _runs(deployment: Deployment) -> dict[str, Any]:
    """What its replicas run, by digest."""
    plan: dict[str, Any] = deployment.target.plan or {}
    model, script = plan.get("model") or {}, plan.get("script") or {}
    return {
        "package": model.get("tree") if model.get("onnx_file") else None,
        "code": script.get("code_tree"),
        "environment": script.get("lock"),
    }


def _clock() -> float:
    return asyncio.get_running_loop().time()
