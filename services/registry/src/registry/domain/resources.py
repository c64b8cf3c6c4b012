"""Resources: compute, datastores and connections, known by their name alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from modelyard_contracts.workspaces import ResourceKind
from registry.errors import InvalidError

RESOURCE_KINDS: Final[tuple[ResourceKind, ...]] = ("computes", "datastores", "connections")

OWN_STORE: Final = "workspaceblobstore"
"""The datastore that every workspace has: where its own files are."""

_HOSTS: Final = {
    "azure_blob": ("blob", "container_name"),
    "azure_file": ("file", "file_share_name"),
    "azure_data_lake_gen2": ("dfs", "filesystem"),
}
"""The service of an account that keeps a type's files, and the key that says where in the account they are."""
_CLOUD: Final = "core.windows.net"
_KEPT_IN_PATHS: Final = "/-._~!$&'()*+,;=:@"


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """A resource. `spec` holds nothing that gives access."""

    kind: ResourceKind
    name: str
    spec: dict[str, Any]
    created_by: str
    created_at: datetime
    updated_at: datetime


def own_store(since: datetime) -> Resource:
    """The datastore that is there by itself, in a workspace that was made `since` then."""
    spec = {
        "name": OWN_STORE,
        "type": "azure_blob",
        "description": "Where this workspace keeps what is uploaded to it and what its jobs put out. It is there by itself.",
    }
    return Resource(
        kind="datastores",
        name=OWN_STORE,
        spec=spec,
        created_by="service:registry",
        created_at=since,
        updated_at=since,
    )


def address_of(datastore: Mapping[str, Any], path: str) -> str:
    """The address outside of what lies at `path` in a datastore. Raises InvalidError for a path that leads out of it.

    `https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH`, and the like of the other types. An `endpoint` is the cloud's domain
    (`core.chinacloudapi.cn`), or with a scheme the address of the account itself, in front of the container. `protocol: s3` is the S3
    server of the operator's settings, with the container as its bucket.
    """
    path = path.lstrip("/")
    if any(part in ("..", ".") for part in path.split("/")):
        raise InvalidError(f"`{path[:200]}` leads out of the datastore {datastore['name']!r}", path="path")
    if any(mark in str(datastore.get("endpoint") or "") for mark in "?#@ "):
        raise InvalidError("the endpoint is a domain, or an address without user name and query", path="endpoint")
    kind, endpoint, protocol = datastore["type"], datastore.get("endpoint"), (datastore.get("protocol") or "").lower()
    match kind:
        case "azure_data_lake_gen1":
            return f"adl://{datastore.get('store_name')}.azuredatalakestore.net/{path}"
        case "one_lake":
            artifact = (datastore.get("artifact") or {}).get("name")
            return f"abfss://{datastore.get('one_lake_workspace_name')}@{endpoint or 'onelake.dfs.fabric.microsoft.com'}/{artifact}/{path}"
        case "hdfs":
            return f"hdfs://{datastore.get('name_node_address')}/{path}"
        case _:
            pass
    service, place = _HOSTS[kind]
    container = datastore.get(place)
    if protocol == "s3":
        return f"s3://{container}/{path}"
    escaped = f"{quote(str(container), safe=_KEPT_IN_PATHS)}/{quote(path, safe=_KEPT_IN_PATHS)}"
    if endpoint and "://" in endpoint:
        return f"{endpoint.rstrip('/')}/{escaped}"
    scheme = "http" if protocol == "http" else "https"
    return f"{scheme}://{datastore.get('account_name')}.{service}.{endpoint or _CLOUD}/{escaped}"
