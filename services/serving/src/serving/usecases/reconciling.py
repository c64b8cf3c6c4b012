"""Bringing what is there back to what should be: the database says what should be, Ray Serve and the `routes` bucket what is."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from modelyard_contracts.serving import DeploymentDegraded, DeploymentReady
from modelyard_platform import outbox
from modelyard_platform.database import transaction
from modelyard_platform.errors import PlatformError
from serving import store
from serving.clients.ray_serve import Application
from serving.clients.routes import Announcement
from serving.domain import deployments as states
from serving.domain.deployments import Deployment, application
from serving.domain.failures import refusal
from serving.domain.plan import as_signed_now
from serving.usecases.parts import SOURCE, Parts, cause_of, now
from serving.usecases.publishing import publish_all, publish_routes

log = logging.getLogger(__name__)

MARKS_STAY: Final = timedelta(hours=1)
"""An edge that was away for longer reads the whole bucket anyway."""

_OURS: Final = re.compile(r"[A-Za-z0-9-]+\.[A-Za-z0-9-]+\.g\d+")


async def reconcile(parts: Parts, suspects: frozenset[str]) -> frozenset[str]:
    """One round. Announcements that Ray does not know are removed when nothing listens there, or when they were `suspects` of the
    round before; the answer is the suspects of this one.

    Raises UnavailableError when Ray does not answer: then nothing that depends on its answer is done.
    """
    await publish_all(parts)
    await parts.routes.forget_removed(MARKS_STAY)
    # The order matters: what was announced before Ray was asked, Ray must know; what Ray knew before the database was read, the
    # database must want.
    announced = await parts.routes.replicas()
    applications = await parts.ray.applications()
    async with transaction(parts.pool) as tx:
        deployments = await store.all_deployments(tx)
    await _end_unwanted(parts, applications, deployments)
    for deployment in deployments:
        if deployment.live is not None and deployment.status != "deleting":
            await _keep_live(parts, applications, deployment)
    return await _remove_dead(parts, applications, announced, suspects)


async def _end_unwanted(parts: Parts, applications: Mapping[str, Application], deployments: list[Deployment]) -> None:
    wanted = set()
    for deployment in deployments:
        if deployment.live is not None:
            wanted.add(application(deployment.endpoint, deployment.name, deployment.live.number))
        if deployment.status in states.UNDER_WAY:
            wanted.add(application(deployment.endpoint, deployment.name, deployment.target.number))
    for name, app in applications.items():
        if name not in wanted and _OURS.fullmatch(name) and app.status != "DELETING":
            log.warning("ending an application that nothing wants", extra={"application": name})
            await parts.ray.delete(name)


async def _keep_live(parts: Parts, applications: Mapping[str, Application], deployment: Deployment) -> None:
    assert deployment.live is not None
    name = application(deployment.endpoint, deployment.name, deployment.live.number)
    here = applications.get(name)
    if here is None:
        log.warning("Ray has lost a live application: starting it again", extra={"application": name})
        await parts.ray.deploy(name, await _plan(parts, deployment))
    elif here.status == "DEPLOY_FAILED" and not here.pids:
        log.warning(
            "a live application could not be started again: once more",
            extra={"application": name, "detail": here.message},
        )
        await parts.ray.delete(name)
    await observe(parts, deployment, here.running if here else 0, refusal(here.message) if here else None)


async def _plan(parts: Parts, deployment: Deployment) -> dict[str, Any]:
    """What the live generation's replicas are told. When the registry does not answer, it is what they were told before."""
    assert deployment.live is not None
    assert deployment.live.plan is not None
    if deployment.live.model is not None and deployment.live.plan.get("model") is not None:
        name, _, version = deployment.live.model.rpartition(":")
        with suppress(PlatformError):
            return as_signed_now(deployment.live.plan, await parts.models.get(name, version, deployment.workspace))
    return deployment.live.plan


async def observe(parts: Parts, deployment: Deployment, replicas: int, refused: str | None = None) -> None:
    """Write down how many replicas of the live generation run, and say so when it falls below what was asked for or recovers, and when
    one is not there because it has refused its model."""
    if states.observed(deployment, replicas, now(), refused) == deployment:
        return
    async with transaction(parts.pool) as tx:
        current = await store.get_deployment(tx, deployment.endpoint, deployment.name, lock=True)
        if current is None or current.live != deployment.live:
            return
        seen = states.observed(current, replicas, now(), refused)
        await store.save_deployment(tx, seen)
        assert current.live is not None
        assert seen.live is not None
        refused_now = seen.live.refused if seen.live.refused != current.live.refused else None
        if seen.status != current.status or refused_now is not None:
            names: dict[str, Any] = {
                "endpoint": seen.endpoint,
                "deployment": seen.name,
                "generation": seen.live.number,
                "model": seen.live.model,
            }
            event: DeploymentDegraded | DeploymentReady
            if seen.status == "degraded":
                event = DeploymentDegraded(**names, detail=seen.detail, refused=seen.live.refused_subject)
            elif refused_now is not None:  # an update is under way, or has failed: the status is about that
                event = DeploymentDegraded(**names, detail=refused_now, refused=seen.live.refused_subject)
            else:
                event = DeploymentReady(**names)
            await outbox.add(tx, SOURCE, event, cause_of(seen.cause))
    await publish_routes(parts, deployment.endpoint)


async def _remove_dead(
    parts: Parts, applications: Mapping[str, Application], announced: list[Announcement], suspects: frozenset[str]
) -> frozenset[str]:
    unknown = [
        replica
        for replica in announced
        if (app := applications.get(application(replica.endpoint, replica.deployment, replica.generation))) is None
        or replica.pid not in app.pids
    ]
    left = set()
    for replica in unknown:
        if replica.key in suspects or not await parts.replicas.listens(replica):
            log.warning("removing the route of a dead replica", extra={"replica": replica.key})
            await parts.routes.remove_replica(replica)
        else:
            left.add(replica.key)
    return frozenset(left)
