"""Events of the registry: models, data, environments, components, promotions."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from modelyard_contracts.envelope import EventData

AssetKind = Literal["models", "data", "environments", "components"]


class AssetEvent(EventData):
    """A fact about one version of an asset."""

    COLLECTION: ClassVar[AssetKind]

    name: str
    version: str

    @property
    def subject(self) -> str:
        return f"{self.COLLECTION}/{self.name}/versions/{self.version}"


class Registered(AssetEvent):
    """A version now exists; its content will not change."""

    type: str | None = None
    tree: str | None = None
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


class ModelUpdated(AssetEvent):
    """Metadata changed: description, tags, properties or stage."""

    TYPE: ClassVar[str] = "model.updated"
    COLLECTION: ClassVar[AssetKind] = "models"

    changed: dict[str, Any] = {}


class ModelAliasMoved(AssetEvent):
    """An alias (label) such as `champion` now names this version; `version` is empty when the alias was removed."""

    TYPE: ClassVar[str] = "model.alias_moved"
    COLLECTION: ClassVar[AssetKind] = "models"

    alias: str
    previous: str | None = None


class ModelArchived(AssetEvent):
    TYPE: ClassVar[str] = "model.archived"
    COLLECTION: ClassVar[AssetKind] = "models"

    archived: bool = True


class ModelDeleted(AssetEvent):
    TYPE: ClassVar[str] = "model.deleted"
    COLLECTION: ClassVar[AssetKind] = "models"


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


EVENTS: tuple[type[EventData], ...] = (
    ModelRegistered,
    ModelUpdated,
    ModelAliasMoved,
    ModelArchived,
    ModelDeleted,
    DataRegistered,
    DataProfiled,
    EnvironmentRegistered,
    ComponentRegistered,
    PromotionRequested,
    PromotionApproved,
    PromotionRejected,
)
