"""Events of the registry about assets: models, data, environments, components, and their promotion."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from modelyard_contracts.envelope import EventData

AssetKind = Literal["models", "data", "environments", "components"]


class AssetEvent(EventData):
    """A fact about one version of an asset, or about its name alone (`version` is empty then)."""

    COLLECTION: ClassVar[AssetKind]

    name: str
    version: str

    @property
    def subject(self) -> str:
        name = f"{self.COLLECTION}/{self.name}"
        return f"{name}/versions/{self.version}" if self.version else name


class Registered(AssetEvent):
    """A version now exists; its content will not change."""

    type: str | None = None
    tree: str | None = None
    manifest: str | None = None
    size: int = 0
    job: str | None = None
    tags: dict[str, str] = {}
    properties: dict[str, str] = {}


class ModelRegistered(Registered):
    TYPE: ClassVar[str] = "model.registered"
    COLLECTION: ClassVar[AssetKind] = "models"

    flavour: str | None = None
    environment: str | None = None


class DataRegistered(Registered):
    TYPE: ClassVar[str] = "data.registered"
    COLLECTION: ClassVar[AssetKind] = "data"


class EnvironmentRegistered(Registered):
    TYPE: ClassVar[str] = "environment.registered"
    COLLECTION: ClassVar[AssetKind] = "environments"


class ComponentRegistered(Registered):
    TYPE: ClassVar[str] = "component.registered"
    COLLECTION: ClassVar[AssetKind] = "components"


class DataProfiled(AssetEvent):
    """The registry has read the whole table and keeps its profile; or could not, and says why."""

    TYPE: ClassVar[str] = "data.profiled"
    COLLECTION: ClassVar[AssetKind] = "data"

    rows: int = 0
    columns: int = 0
    detail: str | None = None


class ModelInspected(AssetEvent):
    """The registry has looked into the model's files: the formats they are in, and how many things in them are dangerous to load."""

    TYPE: ClassVar[str] = "model.inspected"
    COLLECTION: ClassVar[AssetKind] = "models"

    flavours: list[str] = []
    warnings: int = 0
    detail: str | None = None


class IntegrityFailed(AssetEvent):
    """The version's files were refused where they were to be loaded: they are not what was signed. `refused_by` is the subject of
    the deployment, step or conversion that was to load them (below `workspaces/NAME` when it is not in the version's own scope), what
    the registry was about to do with them (`registry/profile`), or who said so of a download (`clients/user:ada`). The same is said
    again only after a while."""

    refused_by: str
    detail: str


class ModelIntegrityFailed(IntegrityFailed):
    TYPE: ClassVar[str] = "model.integrity_failed"
    COLLECTION: ClassVar[AssetKind] = "models"


class DataIntegrityFailed(IntegrityFailed):
    TYPE: ClassVar[str] = "data.integrity_failed"
    COLLECTION: ClassVar[AssetKind] = "data"


class EnvironmentIntegrityFailed(IntegrityFailed):
    TYPE: ClassVar[str] = "environment.integrity_failed"
    COLLECTION: ClassVar[AssetKind] = "environments"


class ComponentIntegrityFailed(IntegrityFailed):
    TYPE: ClassVar[str] = "component.integrity_failed"
    COLLECTION: ClassVar[AssetKind] = "components"


class AssetChange(AssetEvent):
    """Somebody changed what is known of a version or of a name: what it was `before`, what it is `after`."""

    before: dict[str, Any] = {}
    after: dict[str, Any] = {}


class Updated(AssetChange):
    """Metadata changed: description, tags, properties or stage."""

    changed: dict[str, Any] = {}


class AliasMoved(AssetChange):
    """An alias (label) such as `champion` now names this version; `version` is empty when the alias was removed."""

    alias: str
    previous: str | None = None


class Archived(AssetChange):
    """Hidden from lists and from `latest`; or brought back (`archived` is false)."""

    archived: bool = True


class Deleted(AssetChange):
    """Gone for good."""


class ModelUpdated(Updated):
    TYPE: ClassVar[str] = "model.updated"
    COLLECTION: ClassVar[AssetKind] = "models"


class ModelAliasMoved(AliasMoved):
    TYPE: ClassVar[str] = "model.alias_moved"
    COLLECTION: ClassVar[AssetKind] = "models"


class ModelArchived(Archived):
    TYPE: ClassVar[str] = "model.archived"
    COLLECTION: ClassVar[AssetKind] = "models"


class ModelDeleted(Deleted):
    TYPE: ClassVar[str] = "model.deleted"
    COLLECTION: ClassVar[AssetKind] = "models"


class DataUpdated(Updated):
    TYPE: ClassVar[str] = "data.updated"
    COLLECTION: ClassVar[AssetKind] = "data"


class DataAliasMoved(AliasMoved):
    TYPE: ClassVar[str] = "data.alias_moved"
    COLLECTION: ClassVar[AssetKind] = "data"


class DataArchived(Archived):
    TYPE: ClassVar[str] = "data.archived"
    COLLECTION: ClassVar[AssetKind] = "data"


class DataDeleted(Deleted):
    TYPE: ClassVar[str] = "data.deleted"
    COLLECTION: ClassVar[AssetKind] = "data"


class EnvironmentUpdated(Updated):
    TYPE: ClassVar[str] = "environment.updated"
    COLLECTION: ClassVar[AssetKind] = "environments"


class EnvironmentAliasMoved(AliasMoved):
    TYPE: ClassVar[str] = "environment.alias_moved"
    COLLECTION: ClassVar[AssetKind] = "environments"


class EnvironmentArchived(Archived):
    TYPE: ClassVar[str] = "environment.archived"
    COLLECTION: ClassVar[AssetKind] = "environments"


class EnvironmentDeleted(Deleted):
    TYPE: ClassVar[str] = "environment.deleted"
    COLLECTION: ClassVar[AssetKind] = "environments"


class ComponentUpdated(Updated):
    TYPE: ClassVar[str] = "component.updated"
    COLLECTION: ClassVar[AssetKind] = "components"


class ComponentAliasMoved(AliasMoved):
    TYPE: ClassVar[str] = "component.alias_moved"
    COLLECTION: ClassVar[AssetKind] = "components"


class ComponentArchived(Archived):
    TYPE: ClassVar[str] = "component.archived"
    COLLECTION: ClassVar[AssetKind] = "components"


class ComponentDeleted(Deleted):
    TYPE: ClassVar[str] = "component.deleted"
    COLLECTION: ClassVar[AssetKind] = "components"


class PromotionEvent(AssetEvent):
    """A version was put forward to take a champion's place; the criterion and both sides' figures are kept with the decision."""

    COLLECTION: ClassVar[AssetKind] = "models"

    promotion: str
    champion: str | None = None
    criterion: str
    evidence: dict[str, Any] = {}


class PromotionRequested(PromotionEvent):
    TYPE: ClassVar[str] = "promotion.requested"


class PromotionApproved(PromotionEvent):
    TYPE: ClassVar[str] = "promotion.approved"


class PromotionRejected(PromotionEvent):
    TYPE: ClassVar[str] = "promotion.rejected"

    detail: str = ""


class Shared(AssetEvent):
    """A version of this workspace was copied to a shared registry; `target` is its subject there, as `registries/R/models/x/versions/1`."""

    target: str


class ModelShared(Shared):
    TYPE: ClassVar[str] = "model.shared"
    COLLECTION: ClassVar[AssetKind] = "models"


class DataShared(Shared):
    TYPE: ClassVar[str] = "data.shared"
    COLLECTION: ClassVar[AssetKind] = "data"


class EnvironmentShared(Shared):
    TYPE: ClassVar[str] = "environment.shared"
    COLLECTION: ClassVar[AssetKind] = "environments"


class ComponentShared(Shared):
    TYPE: ClassVar[str] = "component.shared"
    COLLECTION: ClassVar[AssetKind] = "components"


class ModelCardUpdated(AssetEvent):
    """People's sections of the card changed; sections by name."""

    TYPE: ClassVar[str] = "model.card_updated"
    COLLECTION: ClassVar[AssetKind] = "models"

    before: dict[str, str] = {}
    after: dict[str, str] = {}


EVENTS: tuple[type[EventData], ...] = (
    ModelRegistered,
    ModelInspected,
    ModelIntegrityFailed,
    ModelUpdated,
    ModelAliasMoved,
    ModelArchived,
    ModelDeleted,
    DataRegistered,
    DataProfiled,
    DataIntegrityFailed,
    EnvironmentRegistered,
    EnvironmentIntegrityFailed,
    ComponentRegistered,
    ComponentIntegrityFailed,
    PromotionRequested,
    PromotionApproved,
    PromotionRejected,
    ModelShared,
    DataShared,
    EnvironmentShared,
    ComponentShared,
    ModelCardUpdated,
    DataUpdated,
    DataAliasMoved,
    DataArchived,
    DataDeleted,
    EnvironmentUpdated,
    EnvironmentAliasMoved,
    EnvironmentArchived,
    EnvironmentDeleted,
    ComponentUpdated,
    ComponentAliasMoved,
    ComponentArchived,
    ComponentDeleted,
)
