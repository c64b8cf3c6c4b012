"""A version was refused where it was to be loaded: that its files are not what was signed is a fact about the version."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final, TypeAlias

from modelyard_contracts import Event
from modelyard_contracts.builder import ModelConversionFailed
from modelyard_contracts.registry import (
    ComponentIntegrityFailed,
    DataIntegrityFailed,
    EnvironmentIntegrityFailed,
    IntegrityFailed,
    ModelIntegrityFailed,
)
from modelyard_contracts.scheduler import StepFailed
from modelyard_contracts.serving import DeploymentDegraded, DeploymentFailed
from modelyard_platform import outbox
from modelyard_platform.cause import Cause, cause_of_event
from modelyard_platform.database import Connection
from modelyard_platform.manifests import version_of
from registry.domain.scopes import is_registry
from registry.store import refusals

log = logging.getLogger(__name__)

SOURCE: Final = "registry"
SILENT_S: Final = 600.0
"""Who refuses a version again within this time has said nothing new: a replica that is started again and again, a client that tries."""
_REFUSED: Final[dict[str, type[IntegrityFailed]]] = {
    "models": ModelIntegrityFailed,
    "data": DataIntegrityFailed,
    "environments": EnvironmentIntegrityFailed,
    "components": ComponentIntegrityFailed,
}

Refusal: TypeAlias = (
    Event[DeploymentFailed] | Event[DeploymentDegraded] | Event[StepFailed] | Event[ModelConversionFailed]
)


async def keep_refusal(tx: Connection, event: Refusal) -> None:
    """What a deployment, a step or a conversion was to load was refused there."""
    if event.data.refused is not None:
        cause = cause_of_event(SOURCE, event)
        await tell_refusal(tx, cause, event.data.refused, event.subject, event.data.detail)


async def tell_refusal(tx: Connection, cause: Cause, subject: str, refused_by: str, detail: str) -> None:
    """Say in the version's scope that what is signed as `subject` was refused; who has said so lately is not repeated.

    Nobody speaks about the versions of another workspace: what is none of the own or a shared registry's is only logged.
    """
    about = version_of(subject)
    if about is None or not (about.scope == cause.workspace or is_registry(about.scope)):
        log.warning("a refusal is about no version that could be known there", extra={"refused": subject})
        return
    if about.scope != cause.workspace:
        refused_by = f"workspaces/{cause.workspace}/{refused_by}"
        cause = replace(cause, workspace=about.scope)
    failed = _REFUSED[about.kind](name=about.name, version=about.version, refused_by=refused_by, detail=detail)
    if await refusals.note_refusal(tx, about.scope, failed.subject, refused_by, SILENT_S):
        await outbox.add(tx, SOURCE, failed, cause)
