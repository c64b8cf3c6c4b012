"""Events of the registry about workspaces, shared registries, and what a workspace knows by its name alone: tokens and resources."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from modelyard_contracts.envelope import EventData

ResourceKind = Literal["computes", "datastores", "connections"]


class TokenEvent(EventData):
    """A personal token, by its name."""

    token: str
    role: str | None = None

    @property
    def subject(self) -> str:
        return f"tokens/{self.token}"


class ScopeEvent(EventData):
    """A workspace, or a shared registry."""

    name: str
    description: str = ""


class WorkspaceCreated(ScopeEvent):
    TYPE: ClassVar[str] = "workspace.created"

    @property
    def subject(self) -> str:
        return f"workspaces/{self.name}"


class WorkspaceDeleted(WorkspaceCreated):
    """The workspace is gone with its tokens; `before` is what was known of it."""

    TYPE: ClassVar[str] = "workspace.deleted"

    before: dict[str, Any] = {}


class SharedRegistryCreated(ScopeEvent):
    """`writers` are the workspaces that may share into it."""

    TYPE: ClassVar[str] = "registry.created"

    writers: list[str] = []

    @property
    def subject(self) -> str:
        return f"registries/{self.name}"


class SharedRegistryUpdated(SharedRegistryCreated):
    """What the registry is for, or who may share into it, changed: `before` and `after`."""

    TYPE: ClassVar[str] = "registry.updated"

    before: dict[str, Any] = {}
    after: dict[str, Any] = {}


class SharedRegistryDeleted(SharedRegistryCreated):
    """The shared registry is gone; `before` is what was known of it."""

    TYPE: ClassVar[str] = "registry.deleted"

    before: dict[str, Any] = {}


class ResourceEvent(EventData):
    """Somebody changed a compute, a datastore or a connection: its specification `before` (None when it is new) and `after` (None when
    it is deleted). What gives access is in neither."""

    COLLECTION: ClassVar[ResourceKind]

    name: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None

    @property
    def subject(self) -> str:
        return f"{self.COLLECTION}/{self.name}"


class ComputeUpdated(ResourceEvent):
    TYPE: ClassVar[str] = "compute.updated"
    COLLECTION: ClassVar[ResourceKind] = "computes"


class ComputeDeleted(ResourceEvent):
    TYPE: ClassVar[str] = "compute.deleted"
    COLLECTION: ClassVar[ResourceKind] = "computes"


class DatastoreUpdated(ResourceEvent):
    TYPE: ClassVar[str] = "datastore.updated"
    COLLECTION: ClassVar[ResourceKind] = "datastores"


class DatastoreDeleted(ResourceEvent):
    TYPE: ClassVar[str] = "datastore.deleted"
    COLLECTION: ClassVar[ResourceKind] = "datastores"


class ConnectionUpdated(ResourceEvent):
    TYPE: ClassVar[str] = "connection.updated"
    COLLECTION: ClassVar[ResourceKind] = "connections"


class ConnectionDeleted(ResourceEvent):
    TYPE: ClassVar[str] = "connection.deleted"
    COLLECTION: ClassVar[ResourceKind] = "connections"


class TokenCreated(TokenEvent):
    TYPE: ClassVar[str] = "token.created"


class TokenRevoked(TokenEvent):
    TYPE: ClassVar[str] = "token.revoked"


EVENTS: tuple[type[EventData], ...] = (
    TokenCreated,
    TokenRevoked,
    WorkspaceCreated,
    WorkspaceDeleted,
    SharedRegistryCreated,
    SharedRegistryUpdated,
    SharedRegistryDeleted,
    ComputeUpdated,
    ComputeDeleted,
    DatastoreUpdated,
    DatastoreDeleted,
    ConnectionUpdated,
    ConnectionDeleted,
)
