"""Events in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_OF_ASSETS: Final = {
    "registered": "was registered",
    "updated": "was described anew",
    "archived": "was archived",
    "deleted": "was deleted",
    "shared": "was shared as {target}",
    "integrity_failed": "is not what was signed, and was refused by {refused_by}: {detail}",
}
_KINDS: Final = ("model", "data", "environment", "component")
_WORDS: Final = {
    **{f"{kind}.{verb}": f"{kind} {{name}}:{{version}} {says}" for kind in _KINDS for verb, says in _OF_ASSETS.items()},
    **{f"{kind}.alias_moved": f"{{alias}} of {kind} {{name}} became version {{version}}" for kind in _KINDS},
    "model.inspected": "model {name}:{version} was looked into",
    "model.card_updated": "the card of model {name}:{version} was written",
    "model.converted": "model {name}:{version} was converted to ONNX, at most {max_abs_difference} away from the original on {rows} rows",
    "model.conversion_failed": "model {name}:{version} could not be converted: {detail}",
    "data.profiled": "data {name}:{version} was profiled: {rows} rows",
    "environment.built": "environment {name}:{version} was built",
    "environment.build_failed": "environment {name}:{version} could not be built: {detail}",
    "promotion.requested": "model {name}:{version} was put forward to take the place of version {champion}, if {criterion}",
    "promotion.approved": "model {name}:{version} may take the place of version {champion}: {criterion}",
    "promotion.rejected": "model {name}:{version} may not take the place of version {champion}: {detail}",
    "job.submitted": "job {job} was submitted",
    "job.started": "job {job} started",
    "job.completed": "job {job} completed in {seconds} s",
    "job.failed": "job {job} failed: {detail}",
    "job.canceled": "job {job} was canceled",
    "job.updated": "job {job} was described anew",
    "step.started": "step {step} of job {job} started",
    "step.completed": "step {step} of job {job} completed in {seconds} s",
    "step.failed": "step {step} of job {job} failed: {detail}",
    "step.canceled": "step {step} of job {job} was canceled: {detail}",
    "step.reused": "step {step} of job {job} was done before and is used again",
    "schedule.fired": "{schedule} fired and submitted job {job}",
    "trigger.updated": "trigger {trigger} was put in place",
    "trigger.deleted": "trigger {trigger} was deleted",
    "schedule.missed": "{schedule} did not submit a job: {detail}",
    "endpoint.created": "endpoint {endpoint} was created",
    "endpoint.updated": "endpoint {endpoint} was changed",
    "endpoint.key_regenerated": "the {key} key of endpoint {endpoint} was replaced",
    "endpoint.deleted": "endpoint {endpoint} was deleted",
    "deployment.requested": "deployment {deployment} of {endpoint} was asked for",
    "deployment.ready": "deployment {deployment} of {endpoint} was ready after {seconds} s",
    "deployment.failed": "deployment {deployment} of {endpoint} failed: {detail}",
    "deployment.degraded": "deployment {deployment} of {endpoint} is degraded: {detail}",
    "deployment.deleted": "deployment {deployment} of {endpoint} was deleted",
    "monitor.evaluated": "monitor {monitor} looked at {rows} rows of {endpoint}/{deployment}",
    "monitor.updated": "monitor {monitor} was put in place on {endpoint}/{deployment}",
    "monitor.deleted": "monitor {monitor} was deleted",
    "drift.resolved": "drift on {endpoint}/{deployment} is over",
    "subscription.updated": "subscription {subscription} was put in place",
    "subscription.deleted": "subscription {subscription} was deleted",
    **{f"{what}.updated": f"{what} {{name}} was put in place" for what in ("compute", "datastore", "connection")},
    **{f"{what}.deleted": f"{what} {{name}} was deleted" for what in ("compute", "datastore", "connection")},
    "token.created": "token {token} was made, with the role {role}",
    "token.revoked": "token {token} was revoked",
    "workspace.created": "workspace {name} was made",
    "workspace.deleted": "workspace {name} was deleted",
    "registry.created": "shared registry {name} was made",
    "registry.updated": "shared registry {name} was changed",
    "registry.deleted": "shared registry {name} was deleted",
    "alert.fired": "{subscription} is told of {event_type}",
    "alert.delivered": "{subscription} was told of {event_type}",
    "alert.dead_lettered": "{subscription} could not be told of {event_type}: {detail}",
}
_MOST_FEATURES: Final = 4


class _Known(dict[str, Any]):
    """An event's data; what it does not say is a question mark."""

    def __missing__(self, _: str) -> str:
        return "?"


def in_words(type_: str, subject: str, data: Mapping[str, Any]) -> str:
    """What happened, as a sentence without its full stop. `type_` is short: `model.registered`."""
    known = _Known({key: f"{value:.3g}" if isinstance(value, float) else value for key, value in data.items()})
    text = " ".join(_WORDS[type_].format_map(known).split()) if type_ in _WORDS else f"{type_} of {subject}"
    match type_:
        case "model.registered" if known.get("job"):
            text += f", made by job {known['job']}"
        case "model.inspected" if known.get("flavours"):
            text += f": {', '.join(known['flavours'])}"
        case "model.alias_moved" | "data.alias_moved" | "environment.alias_moved" | "component.alias_moved" if (
            known.get("previous")
        ):
            text += f" (it was {known['previous']})"
        case _ if type_.endswith(".archived") and data.get("archived") is False:
            text = text.replace("was archived", "was brought back")
        case "job.submitted" if known.get("trigger"):
            text += f" by trigger {known['trigger']}"
        case "deployment.requested" if known.get("model"):
            text += f", with model {known['model']}"
        case "endpoint.traffic_changed":
            text = f"traffic of {known['endpoint']} became {_split(data.get('traffic'))}{_was(data.get('previous'))}"
        case "drift.detected":
            text = f"{known['endpoint']}/{known['deployment']} drifted on {known['rows']} rows: {_features(data.get('features'))}"
        case _:
            pass
    return text


def _split(traffic: Any) -> str:
    shares = [f"{name} {share} %" for name, share in (traffic or {}).items() if share]
    return ", ".join(shares) or "none"


def _was(traffic: Any) -> str:
    return f" (it was {_split(traffic)})" if traffic else ""


def _features(features: Any) -> str:
    drifted = [one for one in features or [] if one.get("drifted", True)]
    said = [
        f"{one['feature']} ({one['measure']} {one['value']:.3g} > {one['threshold']:g})"
        for one in drifted[:_MOST_FEATURES]
    ]
    return ", ".join(said) + (f" and {len(drifted) - _MOST_FEATURES} more" if len(drifted) > _MOST_FEATURES else "")
