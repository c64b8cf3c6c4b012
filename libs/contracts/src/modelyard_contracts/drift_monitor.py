"""Events of the drift monitor."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict

from modelyard_contracts.envelope import EventData


class FeatureDrift(BaseModel):
    """One feature's distance from its baseline. `value` is in the units of `measure`; it drifted when above `threshold`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    feature: str
    measure: str
    value: float
    threshold: float
    drifted: bool


class MonitorEvent(EventData):
    """What a monitor saw in one window of scored rows."""

    monitor: str
    endpoint: str
    deployment: str
    model: str | None = None
    signal: str = "data_drift"
    window: int
    rows: int
    baseline_rows: int
    window_start: AwareDatetime
    window_end: AwareDatetime
    features: tuple[FeatureDrift, ...] = ()

    @property
    def subject(self) -> str:
        return f"endpoints/{self.endpoint}/deployments/{self.deployment}"


class MonitorEvaluated(MonitorEvent):
    TYPE: ClassVar[str] = "monitor.evaluated"


class DriftDetected(MonitorEvent):
    """The signal went from quiet to drifting; `features` holds those that drifted, the largest first."""

    TYPE: ClassVar[str] = "drift.detected"


class DriftResolved(MonitorEvent):
    TYPE: ClassVar[str] = "drift.resolved"


class MonitorChange(EventData):
    """Somebody changed a monitor: its specification `before` (None when it is new) and `after` (None when it is deleted).

    It watches `deployment` of `endpoint`; `references` are the data versions it compares with, as `name:version`.
    """

    monitor: str
    endpoint: str
    deployment: str
    references: list[str] = []
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None

    @property
    def subject(self) -> str:
        return f"monitors/{self.monitor}"


class MonitorUpdated(MonitorChange):
    TYPE: ClassVar[str] = "monitor.updated"


class MonitorDeleted(MonitorChange):
    TYPE: ClassVar[str] = "monitor.deleted"


EVENTS: tuple[type[EventData], ...] = (MonitorEvaluated, DriftDetected, DriftResolved, MonitorUpdated, MonitorDeleted)
