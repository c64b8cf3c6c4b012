"""What a person reads in a chat: a title, a few facts, and where to look."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from modelyard_contracts import Event, EventData, short_type
from modelyard_contracts.builder import EnvironmentBuildFailed, ModelConversionFailed, ModelConverted
from modelyard_contracts.drift_monitor import DriftDetected, DriftResolved, FeatureDrift
from modelyard_contracts.registry import ModelAliasMoved, ModelRegistered, PromotionEvent
from modelyard_contracts.scheduler import JobCompleted, JobEvent, JobFailed, ScheduleFired, ScheduleMissed
from modelyard_contracts.serving import DeploymentDegraded, DeploymentFailed, DeploymentReady, EndpointTrafficChanged

MAX_FEATURES: Final = 5
MAX_VALUE: Final = 600

Facts = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Message:
    """Plain text throughout; whoever sends it adds the marks of its chat."""

    title: str
    facts: tuple[tuple[str, str], ...]
    link: str | None


def compose(event: Event[Any], public_url: str) -> Message:
    """The message of any event; those that people wait for have their own words."""
    title, facts = _words(event)
    if event.reason:
        facts.append(("reason", event.reason))
    facts.append(("by", event.actor))
    shown = tuple((name, _shortened(value)) for name, value in facts if value)
    return Message(title, shown, f"{public_url.rstrip('/')}/" if public_url else None)


def _words(event: Event[Any]) -> tuple[str, Facts]:
    for kind, say in _SAY.items():
        if isinstance(event.data, kind):
            return say(event.data)
    return _anything(event)


def _drift(data: DriftDetected) -> tuple[str, Facts]:
    drifted = [feature for feature in data.features if feature.drifted] or list(data.features)
    facts: Facts = [("monitor", data.monitor), ("model", data.model or "")]
    facts += [(feature.feature, _measured(feature)) for feature in drifted[:MAX_FEATURES]]
    if len(drifted) > MAX_FEATURES:
        facts.append(("and", f"{len(drifted) - MAX_FEATURES} more features"))
    facts.append(("rows", f"{data.rows:,} against a baseline of {data.baseline_rows:,}"))
    facts.append(("window", f"{data.window_start:%Y-%m-%d %H:%M} to {data.window_end:%Y-%m-%d %H:%M} UTC"))
    return f"Drift on endpoint {data.endpoint} ({data.deployment})", facts


def _measured(feature: FeatureDrift) -> str:
    return f"{feature.measure} {feature.value:.3g}, threshold {feature.threshold:.3g}"


def _drift_resolved(data: DriftResolved) -> tuple[str, Facts]:
    facts: Facts = [("monitor", data.monitor), ("rows", f"{data.rows:,}")]
    return f"No more drift on endpoint {data.endpoint} ({data.deployment})", facts


def _job_failed(data: JobFailed) -> tuple[str, Facts]:
    return f"Job {_called(data)} failed", [
        ("job", data.job),
        ("step", data.step or ""),
        ("why", data.detail),
        ("log", _last_lines(data.log_tail)),
    ]


def _job_completed(data: JobCompleted) -> tuple[str, Facts]:
    return f"Job {_called(data)} completed", [("job", data.job), ("took", _seconds(data.seconds))]


def _deployment_failed(data: DeploymentFailed) -> tuple[str, Facts]:
    facts: Facts = [("model", data.model or ""), ("why", _last_lines(data.detail))]
    return f"Deployment {data.deployment} of endpoint {data.endpoint} failed", facts


def _deployment_degraded(data: DeploymentDegraded) -> tuple[str, Facts]:
    facts: Facts = [("model", data.model or ""), ("why", data.detail)]
    return f"Deployment {data.deployment} of endpoint {data.endpoint} is degraded", facts


def _deployment_ready(data: DeploymentReady) -> tuple[str, Facts]:
    facts: Facts = [("model", data.model or ""), ("took", _seconds(data.seconds))]
    return f"Deployment {data.deployment} of endpoint {data.endpoint} is ready", facts


def _traffic(data: EndpointTrafficChanged) -> tuple[str, Facts]:
    facts: Facts = [("now", _split(data.traffic)), ("before", _split(data.previous))]
    facts += [(f"model of {deployment}", model) for deployment, model in data.models.items()]
    return f"Traffic of endpoint {data.endpoint} changed", facts


def _model_registered(data: ModelRegistered) -> tuple[str, Facts]:
    return f"Model {data.name}:{data.version} registered", [
        ("job", data.job or ""),
        ("tags", ", ".join(f"{name}={value}" for name, value in data.tags.items())),
    ]


def _alias(data: ModelAliasMoved) -> tuple[str, Facts]:
    before: Facts = [("before", data.previous or "none")]
    if not data.version:
        return f"Model {data.name} has no {data.alias} any more", before
    return f"Model {data.name}:{data.version} is now {data.alias}", before


def _promotion(data: PromotionEvent) -> tuple[str, Facts]:
    facts: Facts = [("against", data.champion or "no champion"), ("criterion", data.criterion)]
    candidate, champion = data.evidence.get("candidate"), data.evidence.get("champion")
    if isinstance(candidate, dict) and isinstance(champion, dict):
        judged = [name for name in candidate if f"candidate.{name}" in data.criterion and name in champion]
        facts += [(name, f"{candidate[name]:.4g}, the champion {champion[name]:.4g}") for name in judged]
    facts.append(("why", getattr(data, "detail", "")))
    return f"Promotion of {data.name}:{data.version} {data.TYPE.partition('.')[2]}", facts


def _converted(data: ModelConverted) -> tuple[str, Facts]:
    apart = f"{data.max_abs_difference:.3g} at most, on {data.rows:,} rows"
    return f"Model {data.name}:{data.version} converted to ONNX", [("difference", apart)]


def _not_converted(data: ModelConversionFailed) -> tuple[str, Facts]:
    return f"Model {data.name}:{data.version} could not be converted to ONNX", [("why", data.detail)]


def _not_built(data: EnvironmentBuildFailed) -> tuple[str, Facts]:
    return f"Environment {data.name}:{data.version} could not be built", [("why", data.detail)]


def _fired(data: ScheduleFired) -> tuple[str, Facts]:
    return f"Schedule {data.schedule} submitted job {data.job}", []


def _missed(data: ScheduleMissed) -> tuple[str, Facts]:
    return f"Schedule {data.schedule} did not submit its job", [("why", data.detail)]


def _anything(event: Event[Any]) -> tuple[str, Facts]:
    entity, _, verb = short_type(event.type).partition(".")
    facts: Facts = [("about", event.subject)]
    if isinstance(event.data, JobEvent):
        facts.append(("experiment", event.data.experiment or ""))
    detail = getattr(event.data, "detail", None)
    facts.append(("detail", str(detail) if detail else ""))
    return f"{entity.capitalize()} {verb.replace('_', ' ')}", facts


_SAY: Final[dict[type[EventData], Callable[[Any], tuple[str, Facts]]]] = {
    DriftDetected: _drift,
    DriftResolved: _drift_resolved,
    JobFailed: _job_failed,
    JobCompleted: _job_completed,
    DeploymentFailed: _deployment_failed,
    DeploymentDegraded: _deployment_degraded,
    DeploymentReady: _deployment_ready,
    EndpointTrafficChanged: _traffic,
    ModelRegistered: _model_registered,
    ModelAliasMoved: _alias,
    PromotionEvent: _promotion,
    ModelConverted: _converted,
    ModelConversionFailed: _not_converted,
    EnvironmentBuildFailed: _not_built,
    ScheduleFired: _fired,
    ScheduleMissed: _missed,
}


def _called(data: JobEvent) -> str:
    return data.display_name or data.job


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _split(traffic: dict[str, int]) -> str:
    return ", ".join(f"{deployment} {percent} %" for deployment, percent in traffic.items())


def _last_lines(text: str, lines: int = 3) -> str:
    return "\n".join(_filled(text.splitlines())[-lines:])


def _filled(lines: Iterable[str]) -> list[str]:
    return [line for line in lines if line.strip()]


def _shortened(value: str) -> str:
    return value if len(value) <= MAX_VALUE else f"{value[: MAX_VALUE - 1]}…"
