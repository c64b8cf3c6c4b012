"""What the registry learns from events: the log, what stands on a version, what the builder made of a model."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from modelyard_contracts import Event
from modelyard_contracts.builder import ModelConversionFailed
from modelyard_contracts.drift_monitor import MonitorUpdated
from modelyard_contracts.scheduler import JobSubmitted, TriggerUpdated
from modelyard_platform.database import Connection
from registry.domain.facts import fact_of
from registry.domain.references import Target, target_of_model, target_of_subject, targets_of
from registry.store import assets, facts, uses
from registry.usecases import lineage


async def keep_facts(tx: Connection, events: Sequence[Event[Any]]) -> None:
    """Every event goes into the log, and what it says of where things come from into the lineage graph."""
    found = [(event.workspace, fact_of(event)) for event in events]
    await facts.insert_facts(tx, found)
    for workspace in sorted({workspace for workspace, _ in found}):
        await lineage.begin(tx, workspace)
    for workspace, fact in found:
        await lineage.extend(tx, workspace, fact)


async def keep_conversion_failure(tx: Connection, event: Event[ModelConversionFailed]) -> None:
    """Why there is no ONNX form."""
    failed = {"status": "failed", "detail": event.data.detail}
    await assets.set_conversion(tx, event.workspace, event.data.name, event.data.version, failed)


async def follow_deployment(tx: Connection, event: Event[Any], status: str) -> None:
    """A deployment is to stand on a model version; until it is ready, it stands on the former one too.

    `event` is a `DeploymentRequested`, `DeploymentReady`, `DeploymentDegraded` or `DeploymentFailed`.
    """
    if not event.data.model or not await uses.is_newer(tx, event.workspace, event.subject, event.sequence):
        return
    target = target_of_model(event.data.model, event.workspace)
    if target is None:
        return
    if status == "ready":
        await uses.drop_uses(tx, event.workspace, event.subject)
    await uses.add_uses(tx, event.workspace, event.subject, [target], status=status)


async def follow_job(tx: Connection, event: Event[JobSubmitted]) -> None:
    """A job stands on the versions it was resolved to, until it has ended."""
    targets = {target_of_subject(subject, event.workspace) for subject in event.data.uses}
    await stand(tx, event, {target for target in targets if target is not None})


async def follow_trigger(tx: Connection, event: Event[TriggerUpdated]) -> None:
    """A trigger stands on the versions that its specification names."""
    await stand(tx, event, targets_of(event.data.after, event.workspace))


async def follow_monitor(tx: Connection, event: Event[MonitorUpdated]) -> None:
    """A monitor stands on the data versions that it compares with."""
    pairs = [reference.rpartition(":") for reference in event.data.references]
    await stand(tx, event, {Target(event.workspace, "data", name, version) for name, _, version in pairs if name})


async def stand(tx: Connection, event: Event[Any], targets: Collection[Target]) -> None:
    """The event's subject stands on these versions, and on no others any more."""
    if await uses.is_newer(tx, event.workspace, event.subject, event.sequence):
        await uses.drop_uses(tx, event.workspace, event.subject)
        await uses.add_uses(tx, event.workspace, event.subject, targets)
