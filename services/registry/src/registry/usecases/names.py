"""Names: making, describing, archiving and deleting an asset as a whole."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from modelyard_contracts.registry import AssetKind
from modelyard_platform import idempotency, outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import Pool, transaction
from registry.domain.assets import ANONYMOUS, Asset, check_name, check_tags, check_text
from registry.domain.metadata import MetadataChange, difference
from registry.errors import InvalidError
from registry.store import assets, names
from registry.usecases.assets import DELETED, SOURCE, UPDATED, keep_archived, remove_version, subject_of


def document(asset: Asset) -> dict[str, Any]:
    """A name as the API answers it."""
    return asdict(asset) | {
        "created_at": asset.created_at.isoformat(),
        "updated_at": asset.updated_at.isoformat(),
    }


async def create_name(
    pool: Pool, cause: Cause, kind: AssetKind, name: str, description: str, tags: dict[str, str], key: str | None
) -> dict[str, Any]:
    """A name that has no versions yet. Raises AssetExistsError."""
    check_name(name)
    if name == ANONYMOUS:
        raise InvalidError(f"{ANONYMOUS!r} is kept for what is registered without a name", path="name")
    check_tags(tags)
    check_text(description, "description")
    request = {"kind": kind, "name": name, "description": description, "tags": tags}
    async with transaction(pool) as tx:
        if (done := await idempotency.answered(tx, cause, key, request)) is not None:
            return done
        await names.insert_asset(tx, cause.workspace, kind, name, description=description, tags=tags, actor=cause.actor)
        after = {"description": description, "tags": tags}
        await outbox.add(tx, SOURCE, UPDATED[kind](name=name, version="", changed=after, after=after), cause)
        answer = document(await names.require_asset(tx, cause.workspace, kind, name))
        await idempotency.remember(tx, cause, key, request, answer)
        return answer


async def get_name(pool: Pool, workspace: str, kind: AssetKind, name: str) -> dict[str, Any]:
    """What is known of a name. Raises AssetNotFoundError."""
    async with transaction(pool) as tx:
        return document(await names.require_asset(tx, workspace, kind, name))


async def update_name(pool: Pool, cause: Cause, kind: AssetKind, name: str, change: MetadataChange) -> dict[str, Any]:
    """Change description or tags of the name itself. Raises AssetNotFoundError, InvalidError."""
    check_text(change.description, "description")
    async with transaction(pool) as tx:
        found = await names.lock_asset(tx, cause.workspace, kind, name)
        description = found.description if change.description is None else change.description
        tags = change.tags_after(found.tags)
        before, now = difference(
            {"description": found.description, "tags": found.tags}, {"description": description, "tags": tags}
        )
        if now:
            await names.update_asset(tx, cause.workspace, found, description=description, tags=tags)
            event = UPDATED[kind](name=name, version="", changed=now, before=before, after=now)
            await outbox.add(tx, SOURCE, event, cause)
        return document(await names.require_asset(tx, cause.workspace, kind, name))


async def set_all_archived(pool: Pool, cause: Cause, kind: AssetKind, name: str, *, archived: bool) -> dict[str, Any]:
    """Archive, or bring back, every version of a name there is now. Gives those it changed."""
    async with transaction(pool) as tx:
        await names.lock_asset(tx, cause.workspace, kind, name)
        changing = [
            version
            for version in await assets.lock_versions(tx, cause.workspace, kind, name)
            if version.archived != archived
        ]
        for version in changing:
            await keep_archived(tx, cause, version, archived=archived)
        return {"versions": [version.version for version in changing]}


async def delete_name(pool: Pool, cause: Cause, kind: AssetKind, name: str) -> None:
    """Delete a name with all of its versions, or nothing. Raises InUseError while anything stands on one of them.

    Versions of the name that stand on one another do not hold each other.
    """
    async with transaction(pool) as tx:
        found = await names.lock_asset(tx, cause.workspace, kind, name)
        versions = await assets.lock_versions(tx, cause.workspace, kind, name)
        own = {subject_of(version) for version in versions}
        for version in versions:
            await remove_version(tx, cause, version, but_for=own)
        await names.mark_deleted(tx, cause.workspace, found)
        before = {"description": found.description, "tags": found.tags}
        await outbox.add(tx, SOURCE, DELETED[kind](name=name, version="", before=before), cause)
