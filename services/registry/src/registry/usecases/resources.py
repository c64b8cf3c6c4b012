"""Making, showing and removing compute, datastores and connections; and what the name of a datastore leads to."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final

from modelyard_contracts import workspaces as contracts
from modelyard_contracts.workspaces import ResourceEvent, ResourceKind
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.changes import masked
from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.external.web import check_url
from modelyard_platform.specs import load_spec
from modelyard_specs import DatastorePath, Group, parse_reference
from registry.domain.assets import check_name, check_text
from registry.domain.references import Target
from registry.domain.resources import OWN_STORE, Resource, address_of, own_store
from registry.errors import InvalidError, OwnStoreError, ResourceInUseError, ResourceNotFoundError
from registry.store import resources

_SOURCE: Final = "registry"
_GROUPS: Final[dict[ResourceKind, Group]] = {
    "computes": "compute",
    "datastores": "datastore",
    "connections": "connection",
}
_UPDATED: Final[dict[ResourceKind, type[ResourceEvent]]] = {
    "computes": contracts.ComputeUpdated,
    "datastores": contracts.DatastoreUpdated,
    "connections": contracts.ConnectionUpdated,
}
_DELETED: Final[dict[ResourceKind, type[ResourceEvent]]] = {
    "computes": contracts.ComputeDeleted,
    "datastores": contracts.DatastoreDeleted,
    "connections": contracts.ConnectionDeleted,
}
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


async def put_resource(pool: Pool, cause: Cause, kind: ResourceKind, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Make a resource, or put another specification in the place of its own. What gives access is left out.

    Raises InvalidError, also when the specification says another name; OwnStoreError.
    """
    check_name(name)
    document = load_spec(spec, _GROUPS[kind])
    if document.kind != _GROUPS[kind]:
        raise InvalidError(f"this is a {document.kind.replace('_', ' ')}, not a {_GROUPS[kind]}", path="type")
    checked = document.spec()
    check_text(checked)
    if checked.get("name") != name:
        raise InvalidError(
            f"the specification's name is {checked.get('name')!r}, the address says {name!r}", path="name"
        )
    if kind == "datastores":
        if name == OWN_STORE:
            raise OwnStoreError("it is there by itself and does not change; give another name")
        address = address_of(checked, "")
        if address.startswith(("http:", "https:")):
            check_url(address)
    async with transaction(pool) as tx:
        before = await resources.lock_resource(tx, cause.workspace, kind, name)
        made = await resources.put_resource(tx, cause.workspace, cause.actor, kind=kind, name=name, spec=checked)
        if before is None or before.spec != made.spec:
            former = masked(before.spec) if before else None
            await outbox.add(tx, _SOURCE, _UPDATED[kind](name=name, before=former, after=masked(checked)), cause)
        return _document(made) | {"ignored": list(document.ignored)}


async def get_resource(pool: Pool, workspace: str, kind: ResourceKind, name: str) -> dict[str, Any]:
    """Raises ResourceNotFoundError, with the nearest name."""
    async with transaction(pool) as tx:
        return _document(await _require(tx, workspace, kind, name))


async def list_resources(
    pool: Pool, workspace: str, kind: ResourceKind, *, type_: str | None, after: str, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of resources by name, and the cursor of the next page. Every workspace has the datastore of its own files."""
    async with transaction(pool) as tx:
        found = await resources.list_resources(tx, workspace, kind, after=after, type_=type_, limit=limit + 1)
        if kind == "datastores" and after < OWN_STORE:
            own = await _own_store(tx, workspace)
            if type_ in (None, own.spec["type"]):
                found = sorted([*found, own], key=lambda one: one.name)
    return [_document(one) for one in found[:limit]], found[limit - 1].name if len(found) > limit else None


async def delete_resource(pool: Pool, cause: Cause, kind: ResourceKind, name: str) -> None:
    """Raises ResourceNotFoundError; OwnStoreError; ResourceInUseError while something stands on it, saying what."""
    if kind == "datastores" and name == OWN_STORE:
        raise OwnStoreError("it is there by itself and stays")
    async with transaction(pool) as tx:
        before = await resources.lock_resource(tx, cause.workspace, kind, name)
        if before is None:
            raise await _missing(tx, cause.workspace, kind, name)
        if standing := await resources.users_of(tx, cause.workspace, kind, name):
            raise ResourceInUseError(_GROUPS[kind], name, standing)
        await resources.delete_resource(tx, cause.workspace, kind, name)
        await outbox.add(tx, _SOURCE, _DELETED[kind](name=name, before=masked(before.spec)), cause)


async def outside_path(pool: Pool, workspace: str, path: str | None) -> str | None:
    """A path with the address outside in the place of a datastore's name; any other path as it is.

    Raises ResourceNotFoundError for an unknown datastore, OwnStoreError, InvalidError.
    """
    if path is None or not path.startswith(("azureml://", "modelyard://")):
        return path
    try:
        reference = parse_reference(path)
    except ValueError as error:
        raise InvalidError(str(error), path="path") from error
    if not isinstance(reference, DatastorePath):
        return path
    if reference.datastore == OWN_STORE:
        raise OwnStoreError(
            "this workspace's own files have no paths there: register them (`path: ./folder`) and name them by azureml:NAME:VERSION"
        )
    async with transaction(pool) as tx:
        datastore = await _require(tx, workspace, "datastores", reference.datastore)
    return address_of(datastore.spec, reference.path)


async def hold_datastores(tx: Connection, workspace: str, targets: Collection[Target]) -> None:
    """The datastores among these targets are there, and stay until the transaction ends. Raises ResourceNotFoundError."""
    wanted = {target.name for target in targets if target.kind == "datastores" and target.name != OWN_STORE}
    held = await resources.hold_datastores(tx, workspace, wanted)
    for name in sorted(wanted - held):
        raise await _missing(tx, workspace, "datastores", name)


async def _require(tx: Connection, workspace: str, kind: ResourceKind, name: str) -> Resource:
    found = await resources.get_resource(tx, workspace, kind, name)
    if found is None and kind == "datastores" and name == OWN_STORE:
        return await _own_store(tx, workspace)
    if found is None:
        raise await _missing(tx, workspace, kind, name)
    return found


async def _own_store(tx: Connection, workspace: str) -> Resource:
    return own_store(await resources.made_at(tx, workspace) or _LONG_AGO)


async def _missing(tx: Connection, workspace: str, kind: ResourceKind, name: str) -> ResourceNotFoundError:
    there = await resources.names_of(tx, workspace, kind)
    if kind == "datastores":
        there = sorted([*there, OWN_STORE])
    return ResourceNotFoundError(_GROUPS[kind], name, there)


def _document(resource: Resource) -> dict[str, Any]:
    return {
        "id": f"{resource.kind}/{resource.name}",
        "kind": resource.kind,
        "name": resource.name,
        "type": resource.spec["type"],
        "spec": resource.spec,
        "provisioning_state": "Succeeded",
        "created_by": resource.created_by,
        "created_at": resource.created_at.isoformat(),
        "updated_at": resource.updated_at.isoformat(),
    }
