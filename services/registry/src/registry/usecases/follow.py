"""What the registry learns from events: the log, what stands on a version, what the builder made of a model."""

from __future__ import annotations

from typing import Any

from modelyard_contracts import Event
from modelyard_contracts.builder import ModelConversionFailed, ModelConverted
from modelyard_contracts.serving import DeploymentDeleted, DeploymentReady, DeploymentRequested
from modelyard_platform.database import Connection
from registry.domain.facts import fact_of
from registry.store import assets, facts


async def keep_fact(tx: Connection, event: Event[Any]) -> None:
    """Every event goes into the log."""
    await facts.insert_fact(tx, event.workspace, fact_of(event))


async def keep_conversion(tx: Connection, event: Event[ModelConverted]) -> None:
    """The ONNX form and its certificate belong to the version from now on."""
    data = event.data.model_dump(mode="json", exclude={"name", "version"})
    await assets.set_conversion(
        tx, event.workspace, event.data.name, event.data.version, {"status": "converted", **data}
    )


async def keep_conversion_failure(tx: Connection, event: Event[ModelConversionFailed]) -> None:
    """Why there is no ONNX form."""
    failed = {"status": "failed", "detail": event.data.detail}
    await assets.set_conversion(tx, event.workspace, event.data.name, event.data.version, failed)


async def add_use(tx: Connection, event: Event[DeploymentRequested]) -> None:
    """A deployment is to stand on a model version; until that is ready, it stands on the former one too."""
    if event.data.model:
        name, _, version = event.data.model.rpartition(":")
        await assets.add_use(tx, event.workspace, "models", name, version, event.subject)


async def settle_use(tx: Connection, event: Event[DeploymentReady]) -> None:
    """A deployment stands on this version, and on no other any more."""
    if event.data.model:
        name, _, version = event.data.model.rpartition(":")
        await assets.drop_uses(tx, event.workspace, event.subject)
        await assets.add_use(tx, event.workspace, "models", name, version, event.subject)


async def drop_use(tx: Connection, event: Event[DeploymentDeleted]) -> None:
    """The deployment is gone."""
    await assets.drop_uses(tx, event.workspace, event.subject)
