"""Model cards: gathered from what is known at the moment of asking; people's sections are kept as they wrote them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from modelyard_contracts.registry import ModelCardUpdated
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.errors import PlatformError
from modelyard_platform.objects import ObjectStore
from registry.clients import Scheduler
from registry.domain.assets import AssetVersion
from registry.domain.cards import check_sections
from registry.domain.explanations import Explanation, strongest
from registry.domain.facts import Fact, Link
from registry.domain.lineage import describe
from registry.store import assets, cards, explanations, facts, lineage, promotions
from registry.usecases.assets import SOURCE, find
from registry.usecases.explanations import read_summary

_MANY: Final = 200
_OUTPUTS: Final = 5
_FEATURES: Final = 10
_PATIENCE_S: Final = 1.0
"""So long a card waits for the scheduler; without it it says less."""
_RUN: Final = "mlflow.run_id"
"""The property of a version that says which run it was logged by."""


async def get_card(
    pool: Pool, store: ObjectStore, scheduler: Scheduler, workspace: str, name: str, version: str
) -> dict[str, Any]:
    """Everything that is known of a model version. Raises AssetNotFoundError."""
    async with transaction(pool) as tx:
        model = await find(tx, workspace, "models", name, version)
        card = await _card(tx, workspace, model)
    return await _with_files_and_run(card, store, scheduler, workspace, model)


async def put_sections(
    pool: Pool,
    store: ObjectStore,
    scheduler: Scheduler,
    cause: Cause,
    name: str,
    version: str,
    sections: Mapping[str, str | None],
) -> dict[str, Any]:
    """Write people's sections; an empty one or None is removed, what is not named stays. Raises InvalidError, AssetNotFoundError."""
    check_sections(sections)
    asked = {section: text or "" for section, text in sections.items()}
    async with transaction(pool) as tx:
        found = await find(tx, cause.workspace, "models", name, version)
        card = (cause.workspace, found.name, found.version)
        await cards.lock_card(tx, *card)
        before = {section: kept["text"] for section, kept in (await cards.list_sections(tx, *card)).items()}
        changed = {section: text for section, text in asked.items() if before.get(section, "") != text}
        if changed:
            await cards.put_sections(tx, *card, changed, cause.actor)
            event = ModelCardUpdated(
                name=found.name,
                version=found.version,
                before={section: before[section] for section in changed if section in before},
                after={section: text for section, text in changed.items() if text.strip()},
            )
            await outbox.add(tx, SOURCE, event, cause)
        made = await _card(tx, cause.workspace, found)
    return await _with_files_and_run(made, store, scheduler, cause.workspace, found)


async def _with_files_and_run(
    card: dict[str, Any], store: ObjectStore, scheduler: Scheduler, workspace: str, model: AssetVersion
) -> dict[str, Any]:
    """With what is not in the database: the values of the explanation, the run that trained it."""
    if card["explanation"] is not None:
        card["explanation"] |= await asyncio.to_thread(_values, store, card["explanation"]["tree"])
    card["training"]["run"] = await _run(scheduler, workspace, model)
    return card


def _values(store: ObjectStore, tree: str) -> dict[str, Any]:
    try:
        summary = read_summary(store, tree)
        outputs = strongest(summary, _OUTPUTS, _FEATURES)
    except (PlatformError, ValueError) as error:
        return {"outputs": [], "detail": f"its values cannot be shown: {error}"}
    rows = summary.get("rows")
    return {"method": str(summary.get("method")), "rows": rows if isinstance(rows, int) else None, "outputs": outputs}


async def _run(scheduler: Scheduler, workspace: str, model: AssetVersion) -> dict[str, Any] | None:
    """The run that logged the version; else the step of its job that put out its files, or was the only one."""
    id_ = model.properties.get(_RUN)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            if id_ is None and model.job is not None:
                steps = await scheduler.steps(workspace, model.job)
                made = [step for step in steps if model.tree in step["outputs"].values()] or steps
                id_ = made[0]["id"] if len(made) == 1 else None
            found = await scheduler.run(workspace, id_) if id_ is not None else None
    except (PlatformError, TimeoutError):
        return None
    return found and {
        "id": found["id"],
        "name": found["name"],
        "status": found["status"],
        "params": found["params"],
        "metrics": {point["key"]: point["value"] for point in found["metrics"]},
    }


async def _card(tx: Connection, workspace: str, model: AssetVersion) -> dict[str, Any]:
    subject = f"models/{model.name}/versions/{model.version}"
    now = datetime.now(UTC)
    registered = await facts.newest_fact(tx, workspace, Link("model.registered", subject), now)
    inspection, conversion = model.inspection or {}, model.conversion or {}
    decisions = await promotions.list_promotions(tx, workspace, model.name, _MANY)
    return {
        "name": model.name,
        "version": model.version,
        "description": model.description,
        "type": model.type,
        "stage": model.stage,
        "aliases": list(model.aliases),
        "tags": model.tags,
        "tree": model.tree,
        "size": model.size,
        "created_by": model.created_by,
        "created_at": model.created_at,
        "reason": registered.reason if registered else None,
        "flavours": [flavour["name"] for flavour in inspection.get("flavours", ())],
        "signature": inspection.get("signature") or conversion.get("signature"),
        "metrics": _metrics(model),
        "evaluations": [one for one in decisions if one["candidate"] == model.version],
        "training": await _training(tx, workspace, model, now),
        "conversion": model.conversion,
        "explanation": _explanation(await explanations.get_explanation(tx, model.id)),
        "deployments": await _deployments(tx, workspace, subject, now),
        "sections": await cards.list_sections(tx, workspace, model.name, model.version),
    }


def _explanation(found: Explanation | None) -> dict[str, Any] | None:
    return {"job": found.job, "tree": found.tree, "created_at": found.created_at} if found else None


def _metrics(model: AssetVersion) -> dict[str, float]:
    """Figures that came with the version, as properties named `metrics.…`."""
    found = {}
    for name, value in model.properties.items():
        if name.startswith("metrics."):
            try:
                found[name.removeprefix("metrics.")] = float(value)
            except ValueError:
                continue
    return found


async def _training(tx: Connection, workspace: str, model: AssetVersion, now: datetime) -> dict[str, Any]:
    job = f"jobs/{model.job}"
    submitted = None
    data: list[dict[str, Any]] = []
    if model.job:
        submitted = await facts.newest_fact(tx, workspace, Link("job.submitted", job), now)
        for edge in await lineage.neighbours(tx, workspace, [job], None, _MANY, up=True):
            node = describe(edge.source, None)
            if node.kind == "data" and node.version is not None:
                found = await assets.get_version(tx, workspace, "data", node.name, node.version)
                data.append({"name": node.name, "version": node.version, "profile": _profile(found)})
    lock = f"locks/{model.environment}"
    behind = await lineage.neighbours(tx, workspace, [lock, job], None, _MANY, up=True) if model.environment else []
    environments = sorted(
        {describe(edge.source, None).title for edge in behind if edge.source.startswith("environments/")}
    )
    said = submitted.data if submitted else {}
    return {
        "job": model.job,
        "experiment": said.get("experiment"),
        "code": ", ".join(said.get("code", ())) or None,
        "commit": said.get("commit"),
        "repository": said.get("repository"),
        "branch": said.get("branch"),
        "dirty": bool(said.get("dirty")),
        "lock": model.environment,
        "environments": environments,
        "data": sorted(data, key=lambda one: (one["name"], one["version"])),
    }


def _profile(data: AssetVersion | None) -> dict[str, Any] | None:
    profile = (data.profile if data else None) or {}
    summary: dict[str, Any] | None = profile.get("summary") if profile.get("status") == "profiled" else None
    return summary


async def _deployments(tx: Connection, workspace: str, subject: str, now: datetime) -> list[dict[str, Any]]:
    edges = [
        edge
        for edge in await lineage.neighbours(tx, workspace, [subject], None, _MANY, up=False)
        if edge.relation == "deployed" and edge.target.startswith("endpoints/")
    ]
    endpoints = {edge.target: edge.target.partition("/deployments/")[0] for edge in edges}
    states = await lineage.newest_states(tx, workspace, [*endpoints, *set(endpoints.values())], None)
    found = []
    for edge in sorted(edges, key=lambda one: one.target):
        endpoint = endpoints[edge.target]
        name = edge.target.rpartition("/")[2]
        live = states[endpoint].data if endpoint in states else {}
        found.append(
            {
                "endpoint": endpoint.partition("/")[2],
                "deployment": name,
                "state": describe(edge.target, states.get(edge.target)).state,
                "traffic": (live.get("traffic") or {}).get(name, 0),
                "drift": await _drift(tx, workspace, edge.target, now),
                "since": edge.since,
            }
        )
    return found


async def _drift(tx: Connection, workspace: str, deployment: str, now: datetime) -> str | None:
    """`drifting` with its features, `quiet`, or None when nobody has looked."""
    detected = await facts.newest_fact(tx, workspace, Link("drift.detected", deployment), now)
    resolved = await facts.newest_fact(tx, workspace, Link("drift.resolved", deployment), now)
    if detected and (resolved is None or resolved.time < detected.time):
        return f"drifting: {_features(detected)}"
    looked = await facts.newest_fact(tx, workspace, Link("monitor.evaluated", deployment), now)
    return "quiet" if looked else None


def _features(fact: Fact) -> str:
    return ", ".join(feature["feature"] for feature in fact.data.get("features", ())) or "no feature named"
