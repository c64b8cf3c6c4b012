"""What a monitor does, and its pure decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal, assert_never

from drift_monitor.errors import InvalidError, UnsupportedMonitorError
from modelyard_contracts.drift_monitor import FeatureDrift as Finding
from modelyard_profiles import DEFAULT_RULES, MIN_ROWS, DriftRule, FeatureDrift, LogicalType, Measure, TableProfile
from modelyard_specs.kinds.schedules import DataDrift, MonitorSchedule, RecurrenceTrigger, TopFeatures

SignalState = Literal["quiet", "drifting"]
Change = Literal["detected", "resolved", "none"]

WINDOW_ROWS_PROPERTY: Final = "modelyard.window_rows"
"""Property of a monitor: a window also closes when it has this many rows, not only when the time is up."""
MAX_WINDOW_ROWS: Final = 1_000_000

_SECONDS: Final = {"minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000}


@dataclass(frozen=True, kw_only=True, slots=True)
class SignalPlan:
    """One signal: which features are compared with which baseline, by which rules. `baseline` is a profile's blob."""

    name: str
    reference: str
    baseline: str
    features: tuple[str, ...] | None
    rules: tuple[DriftRule, ...]

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> SignalPlan:
        """From what was stored."""
        rules = tuple(
            DriftRule(LogicalType(rule["type"]), Measure(rule["measure"]), rule["threshold"])
            for rule in stored["rules"]
        )
        features = stored["features"]
        return cls(**{**stored, "rules": rules, "features": tuple(features) if features is not None else None})


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """When a window closes, and what is looked at then."""

    every_s: int
    window_rows: int
    min_rows: int
    signals: tuple[SignalPlan, ...]

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Plan:
        """From what was stored."""
        return cls(**{**stored, "signals": tuple(SignalPlan.from_json(signal) for signal in stored["signals"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Monitor:
    """Watches one deployment."""

    workspace: str
    name: str
    endpoint: str
    deployment: str
    spec: dict[str, Any]
    plan: Plan
    created_by: str
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Scored rows between two comparisons. `profile` is a serialised TableProfile."""

    id: int
    workspace: str
    monitor: str
    number: int
    status: str
    model: str | None
    rows: int
    first_row: datetime
    last_row: datetime
    profile: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Scored rows as they came from a replica, sketched."""

    profile: TableProfile
    model: str | None
    first_row: datetime
    last_row: datetime


def cadence(schedule: MonitorSchedule) -> tuple[int, int]:
    """Seconds between comparisons, and rows after which a window closes early. Raises InvalidError, UnsupportedMonitorError."""
    match schedule.trigger:
        case RecurrenceTrigger(frequency=frequency, interval=interval):
            every_s = _SECONDS[frequency] * interval
        case _:
            raise UnsupportedMonitorError(
                "a monitor's trigger has to be a recurrence (frequency and interval); cron is not acted upon yet",
                path="trigger.type",
            )
    written = schedule.properties.get(WINDOW_ROWS_PROPERTY, MAX_WINDOW_ROWS)
    try:
        rows = int(str(written))
    except ValueError:
        rows = 0
    if not MIN_ROWS <= rows <= MAX_WINDOW_ROWS:
        raise InvalidError(
            f"{WINDOW_ROWS_PROPERTY} is {written!r}; it has to be a number from {MIN_ROWS} to {MAX_WINDOW_ROWS}",
            path=f"properties.{WINDOW_ROWS_PROPERTY}",
        )
    return every_s, rows


def rules_of(signal: DataDrift) -> tuple[DriftRule, ...]:
    """The thresholds a signal states, or the usual ones where it states none. Raises UnsupportedMonitorError."""
    numerical, categorical = signal.metric_thresholds.numerical, signal.metric_thresholds.categorical
    if categorical.pearsons_chi_squared_test is not None or numerical.two_sample_kolmogorov_smirnov_test is not None:
        raise UnsupportedMonitorError(
            "tests that give a p-value are not computed, since with enough rows everything is significant; use a distance: "
            "normalized_wasserstein_distance, jensen_shannon_distance or population_stability_index",
            path="metric_thresholds",
        )
    stated = [
        (LogicalType.NUMERIC, Measure.NORMALIZED_WASSERSTEIN_DISTANCE, numerical.normalized_wasserstein_distance),
        (LogicalType.NUMERIC, Measure.JENSEN_SHANNON_DISTANCE, numerical.jensen_shannon_distance),
        (LogicalType.NUMERIC, Measure.POPULATION_STABILITY_INDEX, numerical.population_stability_index),
        (LogicalType.CATEGORICAL, Measure.JENSEN_SHANNON_DISTANCE, categorical.jensen_shannon_distance),
        (LogicalType.CATEGORICAL, Measure.POPULATION_STABILITY_INDEX, categorical.population_stability_index),
        (LogicalType.BOOLEAN, Measure.JENSEN_SHANNON_DISTANCE, categorical.jensen_shannon_distance),
        (LogicalType.BOOLEAN, Measure.POPULATION_STABILITY_INDEX, categorical.population_stability_index),
    ]
    rules = [DriftRule(type_, measure, threshold) for type_, measure, threshold in stated if threshold is not None]
    covered = {rule.type for rule in rules}
    return (*rules, *(rule for rule in DEFAULT_RULES if rule.type not in covered))


def features_of(signal: DataDrift, baseline: TableProfile) -> tuple[str, ...] | None:
    """The features a signal names; None for all that both sides have. Raises InvalidError for one the baseline does not know."""
    match signal.features:
        case None | "all_features":
            return None
        case TopFeatures():
            raise UnsupportedMonitorError(
                "top_n_feature_importance is not acted upon yet: name the features, or leave them out for all",
                path="features.top_n_feature_importance",
            )
        case list(names):
            for name in names:
                if name not in baseline.columns:
                    known = ", ".join(baseline.columns)
                    raise InvalidError(f"the reference data has no column {name!r}; it has {known}", path="features")
            return tuple(names)
        case _:
            assert_never(signal.features)


def findings(results: Sequence[FeatureDrift]) -> tuple[Finding, ...]:
    """What a comparison measured, the furthest beyond its limit first; features without a distance are left out."""
    measured = [
        (result.value / result.limit, result) for result in results if result.value is not None and result.limit
    ]
    return tuple(
        Finding(
            feature=result.feature,
            measure=str(result.measure),
            value=round(float(result.value or 0.0), 6),
            threshold=round(float(result.limit or result.threshold), 6),
            drifted=result.drifted,
        )
        for _, result in sorted(measured, key=lambda pair: -pair[0])
    )


def next_state(state: SignalState, *, drifted: bool) -> tuple[SignalState, Change]:
    """One window's outcome moves a signal: it tells when drift begins and when it ends, not every window in between."""
    match state, drifted:
        case "quiet", True:
            return "drifting", "detected"
        case "drifting", False:
            return "quiet", "resolved"
        case _:
            return state, "none"
