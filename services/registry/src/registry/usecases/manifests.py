"""What clients are told of a version's signature, and tell of it."""

from __future__ import annotations

import asyncio

from modelyard_contracts.registry import AssetKind
from modelyard_platform.cause import Cause
from modelyard_platform.database import Pool, transaction
from modelyard_platform.manifests import subject_of
from modelyard_platform.objects import ObjectStore
from registry.errors import NotSignedError
from registry.store import version_tasks
from registry.usecases.assets import find
from registry.usecases.refusals import tell_refusal


async def read_manifest(
    pool: Pool, store: ObjectStore, workspace: str, kind: AssetKind, name: str, version: str
) -> bytes:
    """A version's manifest, also in the moment before it is stored. Raises NotFoundError, NotSignedError, NotSignedYetError."""
    async with transaction(pool) as tx:
        found = await find(tx, workspace, kind, name, version)
        if found.manifest is None:
            raise NotSignedError(f"{kind} {name}:{found.version} is not signed")
        waiting = await version_tasks.get_waiting_manifest(tx, found.id)
    if waiting is not None:
        return waiting.encode()
    return await asyncio.to_thread(store.get_bytes, found.manifest)


async def report_refusal(
    pool: Pool, cause: Cause, scope: str, kind: AssetKind, name: str, version: str, detail: str
) -> None:
    """A client has refused what it downloaded. It is believed, and named. Raises NotFoundError."""
    async with transaction(pool) as tx:
        found = await find(tx, scope, kind, name, version)
        subject = subject_of(scope, kind, found.name, found.version)
        await tell_refusal(tx, cause, subject, f"clients/{cause.actor}", detail)
