"""A job that explains a model version has completed: what it wrote belongs to the version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from services.registry.tests.support import register_outside

from modelyard_contracts.scheduler import JobCompleted
from modelyard_platform import outbox, trees
from modelyard_platform.cause import Cause
from modelyard_platform.database import create_pool, transaction
from modelyard_platform.objects import ObjectStore
from modelyard_testing.conditions import eventually
from registry.domain.explanations import explained_by, strongest
from registry.settings import Settings

FEATURES = [{"name": name, "mean_abs": size, "mean": -size} for name, size in (("b", 0.25), ("a|b\nc", 2.0))]
SUMMARY = {"method": "permutation", "rows": 3, "outputs": [{"name": "p", "base_value": 0.5, "features": FEATURES}]}
MINE = {"modelyard.explains": "models/m/versions/1"}


@pytest.mark.parametrize(
    ("properties", "outputs", "expected"),
    [
        (MINE, {"explanation": "t"}, ("m", "1", "t")),
        (MINE, {"other": "t"}, None),
        ({}, {"explanation": "t"}, None),
        ({"modelyard.explains": "endpoints/m"}, {"explanation": "t"}, None),
    ],
)
def test_only_a_job_that_says_so_explains(properties: Any, outputs: Any, expected: Any) -> None:
    assert explained_by(properties, outputs) == expected


@pytest.mark.parametrize(
    "summary",
    [{}, {"outputs": 1}, {"outputs": [1]}, {"outputs": [{"name": "p"}]}, {"outputs": [{"name": "p", "base_value": "x", "features": []}]},
     {"outputs": [{"name": "p", "base_value": 1, "features": [{"name": "a", "mean_abs": None, "mean": 1}]}]}],
)  # fmt: skip
def test_a_summary_is_whatever_a_job_has_written(summary: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"summary|could not convert"):
        strongest(summary, 5, 10)


async def test_a_version_keeps_its_newest_explanation(
    api: httpx.AsyncClient, store: ObjectStore, settings: Settings, tmp_path: Path
) -> None:
    await register_outside(api, "m")
    address = "/api/v1/models/m/versions/1/explanation"
    missing = await api.get(address)
    assert missing.status_code == 404
    assert missing.json()["code"] == "explanation_missing"

    pool = await create_pool(settings.postgres_dsn.get_secret_value(), service="test")
    try:
        for turn in (1, 2):
            (tmp_path / "global.json").write_text(json.dumps(SUMMARY | {"rows": turn}))
            tree = trees.upload(store, tmp_path)
            data = JobCompleted(
                job=f"job-{turn}", kind="command", outputs={"explanation": tree.digest}, properties=MINE
            )
            async with transaction(pool) as tx:
                await outbox.add(tx, "elsewhere", data, Cause(actor="user:ada", correlation_id="story"))

            async def attached(job: str = f"job-{turn}") -> bool:
                return bool((await api.get(address)).json().get("job") == job)

            await eventually(attached)
            found = (await api.get(address)).json()
            assert found["summary"]["rows"] == turn
            assert found["tree"] == tree.digest

        card = (await api.get("/api/v1/models/m/versions/1/card")).json()["explanation"]
        assert (card["job"], card["method"], card["rows"]) == ("job-2", "permutation", 2)
        [output] = card["outputs"]
        assert [one["name"] for one in output["features"]] == ["a|b\nc", "b"], "the strongest first"
        page = (await api.get("/api/v1/models/m/versions/1/card", headers={"Accept": "text/markdown"})).text
        assert "**p**, base value 0.5\n\n| column | mean size | mean |\n| --- | --- | --- |\n" in page
        assert "| a\\|b c | 2 | -2 |\n| b | 0.25 | -0.25 |\n" in page

        for turn, written in enumerate(
            (b"no JSON", b"[]", b'{"rows": NaN}', b'{"method": "\\ud800"}', b"[" * 100_000), start=3
        ):
            (tmp_path / "global.json").write_bytes(written)
            tree = trees.upload(store, tmp_path)
            data = JobCompleted(
                job=f"job-{turn}", kind="command", outputs={"explanation": tree.digest}, properties=MINE
            )
            async with transaction(pool) as tx:
                await outbox.add(tx, "elsewhere", data, Cause(actor="user:ada", correlation_id="story"))

            async def refused() -> bool:
                answer = await api.get(address)
                return answer.status_code == 400 and answer.json()["code"] == "explanation_invalid"

            await eventually(refused)
            card = (await api.get("/api/v1/models/m/versions/1/card")).json()["explanation"]
            assert (card["outputs"], "cannot be shown" in card["detail"]) == ([], True)
            (tmp_path / "global.json").write_text(json.dumps(SUMMARY | {"rows": turn}))
            tree = trees.upload(store, tmp_path)
            data = data.model_copy(update={"job": f"mended-{turn}", "outputs": {"explanation": tree.digest}})
            async with transaction(pool) as tx:
                await outbox.add(tx, "elsewhere", data, Cause(actor="user:ada", correlation_id="story"))

            async def mended(turn: int = turn) -> bool:
                return bool((await api.get(address)).json().get("job") == f"mended-{turn}")

            await eventually(mended)
    finally:
        await pool.close()
