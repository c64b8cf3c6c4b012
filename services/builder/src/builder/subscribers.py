"""The events the builder follows."""

from __future__ import annotations

from builder.usecases import conversions, environments
from modelyard_contracts import Event
from modelyard_contracts.registry import EnvironmentRegistered, ModelRegistered
from modelyard_platform.database import Connection
from modelyard_platform.subscribers import Subscribers

subscribers = Subscribers("builder")


def _has_files(event: Event[ModelRegistered]) -> bool:
    return event.data.tree is not None


@subscribers.on(EnvironmentRegistered)
async def on_environment_registered(tx: Connection, event: Event[EnvironmentRegistered]) -> None:
    await environments.ask(tx, event)


@subscribers.on(ModelRegistered, where=_has_files)
async def on_model_registered(tx: Connection, event: Event[ModelRegistered]) -> None:
    await conversions.ask(tx, event)
