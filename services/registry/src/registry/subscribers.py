"""The events the registry follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelyard_contracts import Event
from modelyard_contracts.builder import ModelConversionFailed, ModelConverted
from modelyard_contracts.drift_monitor import MonitorDeleted, MonitorUpdated
from modelyard_contracts.scheduler import (
    JobCanceled,
    JobCompleted,
    JobFailed,
    JobSubmitted,
    StepFailed,
    TriggerDeleted,
    TriggerUpdated,
)
from modelyard_contracts.serving import (
    DeploymentDegraded,
    DeploymentDeleted,
    DeploymentFailed,
    DeploymentReady,
    DeploymentRequested,
)
from modelyard_platform.database import Connection
from modelyard_platform.subscribers import Subscribers
from registry.usecases import explanations, follow, refusals, signing

subscribers = Subscribers("registry")


@subscribers.on_any()
async def on_any_event(tx: Connection, events: Sequence[Event[Any]]) -> None:
    await follow.keep_facts(tx, events)


@subscribers.on(ModelConverted)
async def on_model_converted(tx: Connection, event: Event[ModelConverted]) -> None:
    await signing.keep_conversion(tx, event)


@subscribers.on(ModelConversionFailed)
async def on_model_conversion_failed(tx: Connection, event: Event[ModelConversionFailed]) -> None:
    await follow.keep_conversion_failure(tx, event)
    await refusals.keep_refusal(tx, event)


@subscribers.on(StepFailed)
async def on_step_failed(tx: Connection, event: Event[StepFailed]) -> None:
    await refusals.keep_refusal(tx, event)


@subscribers.on(DeploymentFailed)
async def on_deployment_failed(tx: Connection, event: Event[DeploymentFailed]) -> None:
    await refusals.keep_refusal(tx, event)
    await follow.follow_deployment(tx, event, "failed")


@subscribers.on(DeploymentDegraded)
async def on_deployment_degraded(tx: Connection, event: Event[DeploymentDegraded]) -> None:
    await refusals.keep_refusal(tx, event)
    await follow.follow_deployment(tx, event, "degraded")


@subscribers.on(DeploymentRequested)
async def on_deployment_requested(tx: Connection, event: Event[DeploymentRequested]) -> None:
    await follow.follow_deployment(tx, event, "requested")


@subscribers.on(DeploymentReady)
async def on_deployment_ready(tx: Connection, event: Event[DeploymentReady]) -> None:
    await follow.follow_deployment(tx, event, "ready")


@subscribers.on(DeploymentDeleted)
async def on_deployment_deleted(tx: Connection, event: Event[DeploymentDeleted]) -> None:
    await follow.stand(tx, event, ())


@subscribers.on(JobCompleted)
async def on_job_completed(tx: Connection, event: Event[JobCompleted]) -> None:
    await explanations.keep_explanation(tx, event)
    await follow.stand(tx, event, ())


@subscribers.on(JobSubmitted)
async def on_job_submitted(tx: Connection, event: Event[JobSubmitted]) -> None:
    await follow.follow_job(tx, event)


@subscribers.on(JobFailed)
async def on_job_failed(tx: Connection, event: Event[JobFailed]) -> None:
    await follow.stand(tx, event, ())


@subscribers.on(JobCanceled)
async def on_job_canceled(tx: Connection, event: Event[JobCanceled]) -> None:
    await follow.stand(tx, event, ())


@subscribers.on(TriggerUpdated)
async def on_trigger_updated(tx: Connection, event: Event[TriggerUpdated]) -> None:
    await follow.follow_trigger(tx, event)


@subscribers.on(TriggerDeleted)
async def on_trigger_deleted(tx: Connection, event: Event[TriggerDeleted]) -> None:
    await follow.stand(tx, event, ())


@subscribers.on(MonitorUpdated)
async def on_monitor_updated(tx: Connection, event: Event[MonitorUpdated]) -> None:
    await follow.follow_monitor(tx, event)


@subscribers.on(MonitorDeleted)
async def on_monitor_deleted(tx: Connection, event: Event[MonitorDeleted]) -> None:
    await follow.stand(tx, event, ())
