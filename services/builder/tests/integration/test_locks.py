"""Environment specifications become locks by uv, once each, and what cannot be locked says which requirement."""

import asyncio
import json

import asyncpg
import pytest
from services.builder.tests.support import Publish, Registry, Start, told

from modelyard_contracts.registry import EnvironmentRegistered
from modelyard_platform.objects import ObjectStore

SIX = {"requirements": ["six==1.16.0"]}


async def test_lock_is_a_blob_of_hash_pinned_lines(start: Start, objects: ObjectStore) -> None:
    async with start() as client:
        answer = await client.lock(
            {
                "name": "e",
                "conda_file": {
                    "channels": ["conda-forge"],
                    "dependencies": ["python=3.11", "six=1.16", {"pip": ["idna>=3"]}],
                },
            }
        )
        assert answer.status_code == 200, answer.text
        lock = answer.json()
        assert lock["python"] == "3.11"
        assert [name.partition("==")[0] for name in lock["packages"]] == ["idna", "six"]
        assert "six==1.16.0" in lock["packages"]
        blob = json.loads(objects.get_bytes(lock["digest"]))
        assert set(blob) == {"python", "requirements"}
        assert "--hash=sha256:" in blob["requirements"]
        assert (await client.get(f"/api/v1/environment-locks/{lock['digest']}")).json() == lock
        assert (await client.lock(lock["digest"])).json() == lock
        assert (await client.get(f"/api/v1/environment-locks/{'0' * 64}")).status_code == 404


async def test_same_meaning_is_locked_once(start: Start, database: str) -> None:
    texts = [
        SIX,
        {"requirements": "# a comment\nSix == 1.16.0\n"},
        {"name": "x", "requirements": ["six==1.16.0", "six==1.16.0"]},
    ]
    async with start() as one, start() as other:
        answers = await asyncio.gather(*(client.lock(text) for text in texts for client in (one, other)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["digest"] for answer in answers}) == 1
    connection = await asyncpg.connect(database)
    try:
        assert await connection.fetchval("select array_agg(attempts) from environment_locks") == [1]
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"requirements": ["no-such-package-of-modelyard==1"]}, "no-such-package-of-modelyard was not found"),
        ({"requirements": ["six==1.16.0", "six>=1.17"]}, "six"),
        (
            {"conda_file": {"dependencies": ["no-such-package-of-modelyard"]}},
            "conda_file asks conda for no-such-package-of-modelyard",
        ),
    ],
)
async def test_no_solution_says_which_requirement(start: Start, spec: dict[str, object], said: str) -> None:
    async with start() as client:
        first, second = await asyncio.gather(client.lock(spec), client.lock(spec))
        for answer in (first, second):
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (400, "environment_unresolvable"), problem
            assert said in problem["detail"]


async def test_time_limit(start: Start) -> None:
    async with start(lock_timeout_s=0.01) as client:
        answer = await client.lock({"requirements": ["scikit-learn"]})
    assert (answer.status_code, answer.json()["code"]) == (503, "lock_timeout")


async def test_registered_environment_is_locked_ahead(
    start: Start, publish: Publish, registry: Registry, database: str
) -> None:
    registry.add("environments/e/versions/1", spec=SIX)
    registry.add("environments/e/labels/latest", spec=SIX)
    registry.add("environments/bad/versions/1", spec={"build": {"path": "."}})
    async with start() as client:
        event = await publish(EnvironmentRegistered(name="e", version="1"))
        (built,) = await told(database)
        await publish(EnvironmentRegistered(name="bad", version="1"))
        _, failed = await told(database, 2)
        for reference in ("azureml:e:1", "azureml:e@latest", "modelyard:e:1"):
            assert (await client.lock(reference)).json()["digest"] == built["data"]["lock"]
        missing = await client.lock("azureml:e:2")
    assert built["type"] == "modelyard.environment.built.v1"
    assert built["causationid"] == str(event.id)
    assert (built["data"]["python"], built["data"]["packages"]) == ("3.11", 1)
    assert failed["type"] == "modelyard.environment.build_failed.v1"
    assert "Docker build context" in failed["data"]["detail"]
    assert missing.status_code == 404


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "reference",
    ["azureml://registries/azureml/environments/sklearn-1.5/labels/latest", "azureml:AzureML-sklearn-1.5@latest"],
)
async def test_curated_environment(start: Start, reference: str) -> None:
    async with start() as client:
        lock = (await client.lock(reference)).json()
    versions = dict(name.split("==") for name in lock["packages"])
    assert versions["scikit-learn"].startswith("1.5.")
    assert versions["pandas"] == "1.5.3"
    assert "mlflow-skinny" in versions


async def test_roles(start: Start) -> None:
    async with start() as client:
        client.be("reader")
        assert (await client.lock(SIX)).status_code == 403
        assert (await client.get("/api/v1/conversions")).json() == {"items": [], "next": None}
