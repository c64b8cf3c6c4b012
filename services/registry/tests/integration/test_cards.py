"""Model cards: generated from what is known, with people's own sections; the audit log of what they changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
from services.registry.tests.integration.test_lineage import CODE, LOCK, hear, story
from services.registry.tests.support import register_outside

from modelyard_contracts import full_type
from modelyard_contracts.drift_monitor import DriftDetected
from modelyard_platform.database import Pool, create_pool
from modelyard_testing.conditions import eventually
from registry.settings import Settings

CARD = "/api/v1/models/delay/versions/2/card"


async def prepared(api: httpx.AsyncClient, pool: Pool) -> None:
    """Two versions, the second trained by a job, promoted, deployed and drifting; its data is registered here too."""
    await api.post(
        "/api/v1/data",
        json={"spec": {"name": "flights", "version": "1", "path": "wasbs://c@a.blob.core.windows.net/d"}},
    )
    await register_outside(api, "delay")
    body = {
        "spec": {
            "name": "delay",
            "path": "https://example.com/m",
            "description": "Delays of flights | by *random* forest",
            "tags": {"team": "ops"},
            "properties": {"metrics.auc": "0.81", "metrics.note": "n/a"},
        },
        "job": "retrain_1",
        "environment": LOCK,
    }
    made = await api.post("/api/v1/models", json=body, headers={"Modelyard-Reason": "drift in June"})
    assert made.status_code == 201, made.text
    await api.put("/api/v1/models/delay/aliases/champion", json={"version": "1"})
    evidence = {"candidate": {"auc": 0.81}, "champion": {"auc": 0.7}}
    promotion = {"model": "delay", "candidate": "2", "criterion": "candidate.auc > champion.auc", "evidence": evidence}
    assert (await api.post("/api/v1/promotions", json=promotion)).status_code == 201

    events = list(story())
    again = next(event for event in events if event.type == full_type(DriftDetected.TYPE))
    drift = again.model_copy(
        update={
            "id": UUID(int=50),
            "subject": "endpoints/e/deployments/green",
            "data": again.data.model_copy(update={"deployment": "green", "model": "delay:2"}),
        }
    )
    inputs = events[13].model_copy(
        update={
            "data": events[13].data.model_copy(update={"uses": ["data/flights/versions/1"], "experiment": "delays"})
        }
    )
    await hear(pool, [*events[:13], inputs, *events[14:], drift])


async def pool_of(settings: Settings) -> Pool:
    return await create_pool(settings.postgres_dsn.get_secret_value(), service="test")


async def test_a_card_tells_what_is_known(api: httpx.AsyncClient, settings: Settings) -> None:
    async with await pool_of(settings) as pool:
        await prepared(api, pool)

        async def whole() -> dict[str, Any] | None:
            card: dict[str, Any] = (await api.get(CARD)).json()
            return card if card["reason"] else None

        card = await eventually(whole)
    assert card is not None
    assert card["reason"] == "drift in June"
    assert card["metrics"] == {"auc": 0.81}
    assert [one["status"] for one in card["evaluations"]] == ["approved"]
    training = card["training"]
    assert (training["job"], training["experiment"], training["code"]) == ("retrain_1", "delays", CODE)
    assert training["environments"] == ["sk:2"]
    assert [(one["name"], one["version"]) for one in training["data"]] == [("flights", "1")]
    (deployment,) = card["deployments"]
    assert (deployment["endpoint"], deployment["deployment"]) == ("e", "green")
    assert (deployment["state"], deployment["traffic"]) == ("ready", 100)
    assert deployment["drift"] == "drifting: distance"


async def test_a_card_as_markdown(api: httpx.AsyncClient, settings: Settings) -> None:
    async with await pool_of(settings) as pool:
        await prepared(api, pool)
    sections = {"limitations": "Not for | winter.\n\n- snow", "intended_use": "Planning."}
    assert (await api.put(CARD, json={"sections": sections})).status_code == 200
    answer = await api.get(CARD, headers={"Accept": "text/markdown"})
    assert answer.headers["content-type"].startswith("text/markdown")
    text = answer.text
    assert text.startswith("# delay 2\n\nDelays of flights | by *random* forest\n")
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Intended use",
        "## Out of scope",
        "## Evaluation",
        "## Training",
        "## Deployments",
        "## Limitations",
        "## Ethical considerations",
        "## Caveats and recommendations",
        "## Contact",
    ]
    assert "Not for | winter.\n\n- snow" in text
    assert "| e | green | ready | 100 % | drifting: distance |" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)


async def test_people_write_their_sections_only(api: httpx.AsyncClient, as_role: Callable[..., dict[str, str]]) -> None:
    await register_outside(api, "delay")
    card = "/api/v1/models/delay/versions/@latest/card"
    wrong = await api.put(card, json={"sections": {"training": "by hand"}})
    assert (wrong.status_code, wrong.json()["path"]) == (400, "sections.training")
    assert (await api.put(card, json={"sections": {"ethics": "x" * 20_001}})).status_code == 400
    assert (await api.put(card, json={"metrics": {"auc": 1}})).status_code == 400
    assert (await api.put(card, json={"sections": {}}, headers=as_role("reader"))).status_code == 403
    assert (await api.get("/api/v1/models/nobody/versions/1/card")).status_code == 404

    await api.put(card, json={"sections": {"ethics": "Fair.", "contact": "ada"}})
    await api.put(card, json={"sections": {"ethics": "Fair.", "contact": None}}, headers={"Modelyard-Reason": "left"})
    sections = (await api.get(card)).json()["sections"]
    assert {name: one["text"] for name, one in sections.items()} == {"ethics": "Fair."}
    assert sections["ethics"]["written_by"] == "user:ada"

    async def audited() -> list[dict[str, Any]]:
        found = await api.get("/api/v1/audit", params={"type": "model.card_updated"})
        items: list[dict[str, Any]] = found.json()["items"]
        return items if len(items) == 2 else []

    newest, first = await eventually(audited)
    assert (first["before"], first["after"]) == ({}, {"ethics": "Fair.", "contact": "ada"})
    assert (newest["before"], newest["after"], newest["reason"]) == ({"contact": "ada"}, {}, "left")


async def test_the_audit_log_by_subject_actor_type_and_time(api: httpx.AsyncClient, settings: Settings) -> None:
    async with await pool_of(settings) as pool:
        await hear(pool, list(story()))
    await api.post("/api/v1/tokens", json={"name": "ci", "role": "reader"}, headers={"Modelyard-Reason": "CI 100%"})
    await api.delete("/api/v1/tokens/ci")

    async def changes(**params: Any) -> list[dict[str, Any]]:
        answer = await api.get("/api/v1/audit", params=params)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def both() -> bool:
        return len(await changes(type="token.*")) == 2

    await eventually(both)
    revoked, created = await changes(type="token.*")
    assert (created["type"], created["subject"], created["reason"]) == ("token.created", "tokens/ci", "CI 100%")
    assert (revoked["type"], revoked["after"]) == ("token.revoked", None)

    traffic = await changes(subject="endpoints/e", type="endpoint.traffic_changed")
    assert [(one["before"], one["after"]) for one in traffic] == [
        ({"blue": 100}, {"blue": 0, "green": 100}),
        ({}, {"blue": 100}),
    ]
    assert all(one["subject"].startswith("endpoints/e/") for one in await changes(subject="endpoints/e/"))
    assert await changes(subject="endpoints/%") == []
    assert await changes(actor="user:nobody") == []
    assert {one["actor"] for one in await changes(actor="user:ada", type="job.*")} == {"user:ada"}
    span = await changes(after="2026-05-01T10:03Z", before="2026-05-01T12:05:00+02:00")
    assert [one["type"] for one in span] == ["step.started", "job.submitted"]
    assert (await api.get("/api/v1/audit", params={"after": "yesterday"})).status_code == 400

    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (await api.get("/api/v1/audit", params={"limit": 5} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [one["event"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == len(list(story())) + 2
