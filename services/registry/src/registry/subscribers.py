"""The events the registry follows."""

from __future__ import annotations

from typing import Any

from modelyard_contracts import Event
from modelyard_contracts.builder import ModelConversionFailed, ModelConverted
from modelyard_contracts.serving import DeploymentDeleted, DeploymentReady, DeploymentRequested
from modelyard_platform.database import Connection
from modelyard_platform.subscribers import Subscribers
from registry.usecases import follow

subscribers = Subscribers("registry")


@subscribers.on_any()
async def on_any_event(tx: Connection, event: Event[Any]) -> None:
    await follow.keep_fact(tx, event)


@subscribers.on(ModelConverted)
async def on_model_converted(tx: Connection, event: Event[ModelConverted]) -> None:
    await follow.keep_conversion(tx, event)


@subscribers.on(ModelConversionFailed)
async def on_model_conversion_failed(tx: Connection, event: Event[ModelConversionFailed]) -> None:
    await follow.keep_conversion_failure(tx, event)


@subscribers.on(DeploymentRequested)
async def on_deployment_requested(tx: Connection, event: Event[DeploymentRequested]) -> None:
    await follow.add_use(tx, event)


@subscribers.on(DeploymentReady)
async def on_deployment_ready(tx: Connection, event: Event[DeploymentReady]) -> None:
    await follow.settle_use(tx, event)


@subscribers.on(DeploymentDeleted)
async def on_deployment_deleted(tx: Connection, event: Event[DeploymentDeleted]) -> None:
    await follow.drop_use(tx, event)
