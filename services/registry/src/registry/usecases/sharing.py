"""Sharing: a version is copied from its workspace to a shared registry, from where every workspace may use it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from modelyard_contracts.registry import (
    AssetKind,
    ComponentShared,
    DataShared,
    EnvironmentShared,
    ModelShared,
    Shared,
)
from modelyard_platform import idempotency, outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import transaction
from modelyard_platform.manifests import Signer
from registry.domain.assets import ANONYMOUS, NewVersion, check_name
from registry.domain.references import targets_of, workspace_references
from registry.domain.scopes import registry_scope
from registry.errors import InvalidError
from registry.store import assets, profiles, uses, version_tasks
from registry.usecases import signing
from registry.usecases.assets import SOURCE, document, find, registered, subject_of
from registry.usecases.scopes import require_writer
from registry.usecases.version_files import VersionFiles, stored

_SHARED: Final[dict[AssetKind, type[Shared]]] = {
    "models": ModelShared,
    "data": DataShared,
    "environments": EnvironmentShared,
    "components": ComponentShared,
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a version goes: a registry, and a name there. Without a version it keeps its own."""

    registry: str
    name: str
    version: str | None


async def share_version(
    files: VersionFiles,
    signer: Signer | None,
    cause: Cause,
    kind: AssetKind,
    name: str,
    version: str,
    target: Target,
    key: str | None,
) -> dict[str, Any]:
    """Copy a version's row: its files are found by their digests. `properties` say where it comes from.

    Raises NotFoundError for the version or the registry, ForbiddenError, VersionExistsError when the registry has that version already,
    InvalidError for what would not be whole there, IntegrityError for files that are not what was signed: they are not signed again.
    """
    pool = files.pool
    check_name(target.name)
    if target.version is not None:
        check_name(target.version, "version")
    if ANONYMOUS in (name, target.name):
        raise InvalidError("an anonymous version cannot be shared: register it under a name first", path="name")
    request = {
        "share": kind,
        "name": name,
        "version": version,
        "target": [target.registry, target.name, target.version],
    }
    async with transaction(pool) as tx:
        found = await find(tx, cause.workspace, kind, name, version)
        await require_writer(tx, cause.workspace, target.registry)
    _check_whole(found.kind, found.spec, target.registry)
    tree = await files.tree(cause, stored(found), "share") if found.tree is not None else None
    new = NewVersion(
        kind=kind,
        name=target.name,
        version=target.version or found.version,
        type=found.type,
        description=found.description,
        tags=found.tags,
        properties=found.properties
        | {
            "sharedFrom": f"{kind}/{found.name}/versions/{found.version}",
            "sharedFromWorkspace": cause.workspace,
            "sharedBy": cause.actor,
        },
        stage=found.stage,
        tree=found.tree,
        size=found.size,
        spec=found.spec | {"name": target.name, "version": target.version or found.version},
        job=found.job,
        environment=found.environment,
        sample=found.sample,
    )
    there = replace(cause, workspace=registry_scope(target.registry))
    async with transaction(pool) as tx:
        if (done := await idempotency.answered(tx, cause, key, request)) is not None:
            return done
        await require_writer(tx, cause.workspace, target.registry)
        made = await assets.insert_version(tx, there.workspace, cause.actor, new)
        await uses.add_uses(tx, there.workspace, subject_of(made), targets_of(made.spec, there.workspace))
        made = await signing.sign_version(tx, signer, there, made, tree)
        await outbox.add(tx, SOURCE, registered(made), there)
        copy = f"{there.workspace}/{kind}/{made.name}/versions/{made.version}"
        await outbox.add(tx, SOURCE, _SHARED[kind](name=found.name, version=found.version, target=copy), cause)
        if found.external is not None:
            made = await profiles.set_external(tx, made, found.external)
        if kind == "data" and (tree is not None or (found.external or {}).get("checked")):
            await profiles.insert_task(tx, made.id, there)
        if kind == "models" and tree is not None:
            await version_tasks.insert_task(tx, made.id, "inspection", there)
        answer = document(made)
        await idempotency.remember(tx, cause, key, request, answer)
        return answer


def _check_whole(kind: AssetKind, spec: dict[str, Any], registry: str) -> None:
    """What a specification names in its workspace would be another thing, or nothing, in every other one. Raises InvalidError.

    Data at a datastore's path is whole: the address that it led to was recorded, and goes along.
    """
    for path, text, named, name in workspace_references(spec):
        if named == "datastores":
            if kind == "data":
                continue
            raise InvalidError(
                f"{path}: `{text}` is of this workspace's datastore {name!r}, and other workspaces could not use it: register data at that "
                f"path, share it, and name azureml://registries/{registry}/data/NAME/versions/VERSION",
                path=path,
            )
        raise InvalidError(
            f"{path}: `{text}` is of this workspace, and other workspaces could not use it: share it first, and register the {kind} with "
            f"azureml://registries/{registry}/{named}/{name}/versions/VERSION",
            path=path,
        )
