"""Deployments as they are asked for, without Ray: what is stored, told and refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import nats
import pytest
from services.serving.tests.integration.running import Served, put, register, serve, told

from modelyard_contracts import encode
from modelyard_contracts.builder import ModelConversionFailed
from modelyard_contracts.envelope import Event, full_type
from modelyard_platform import trees
from modelyard_platform.objects import ObjectStore
from modelyard_testing.conditions import eventually
from serving.settings import Settings


async def test_asking_twice_is_asking_once(
    served: Served, registry: httpx.AsyncClient, blobs: ObjectStore, tmp_path: Path
) -> None:
    model = await register(registry, blobs, tmp_path / "m")
    await put(served.api, "flights", {})
    spec: dict[str, object] = {
        "model": "azureml:line@latest",
        "instance_type": "Standard_DS3_v2",
        "environment_variables": {"KEY": "hidden"},
    }
    headers = {"Modelyard-Correlation-Id": "story", "Modelyard-Reason": "first try"}
    for _ in range(2):
        asked = await served.api.put("/api/v1/endpoints/flights/deployments/blue", json={"spec": spec}, headers=headers)
        assert asked.status_code == 202
        document = asked.json()
        assert (document["model"], document["generation"], document["provisioning_state"]) == (
            f"azureml:{model}",
            1,
            "Creating",
        )
        assert document["ignored"] == ["instance_type"]
    await register(registry, blobs, tmp_path / "m")
    moved = await put(served.api, "flights/deployments/blue", spec)
    assert (moved["model"], moved["generation"]) == ("azureml:line:2", 2), "latest names another version by now"
    asks = [envelope for kind, envelope in await told(served.parts) if kind == "deployment.requested"]
    assert [(ask["data"]["generation"], ask["data"]["model"]) for ask in asks] == [(1, "line:1"), (2, "line:2")]
    assert "before" not in asks[0]["data"] or asks[0]["data"]["before"] is None
    assert asks[1]["data"]["before"] == asks[0]["data"]["after"]
    assert asks[0]["data"]["after"]["environment_variables"] == {"KEY": "***"}
    assert (asks[0]["correlationid"], asks[0]["reason"], asks[0]["subject"]) == (
        "story",
        "first try",
        "endpoints/flights/deployments/blue",
    )
    assert (await served.parts.routes.endpoints())["flights"].entry["deployments"] == []


@pytest.mark.parametrize(
    ("spec", "status", "path"),
    [
        ({"model": "azureml:line:7"}, 404, "model"),
        ({"model": "azureml:lien:1"}, 404, "model"),
        ({"model": "azureml:line@champion"}, 404, "model"),
        ({"model": "./model.onnx"}, 400, "model"),
        ({"model": "https://example.com/model.onnx"}, 400, "model"),
        ({"model": "azureml:line:1", "name": "green"}, 400, "name"),
        ({"model": "azureml:line:1", "endpoint_name": "trains"}, 400, "endpoint_name"),
        ({"model": "azureml:line:1", "instance_cuont": 2}, 400, "instance_cuont"),
    ],
)
async def test_a_bad_spec_says_what_is_wrong_and_stores_nothing(
    served: Served,
    registry: httpx.AsyncClient,
    blobs: ObjectStore,
    tmp_path: Path,
    spec: dict[str, Any],
    status: int,
    path: str,
) -> None:
    await register(registry, blobs, tmp_path / "m")
    await put(served.api, "flights", {})
    refused = await served.api.put("/api/v1/endpoints/flights/deployments/blue", json={"spec": spec})
    assert (refused.status_code, refused.json()["path"]) == (status, path), refused.text
    if spec["model"] == "azureml:line:7":
        assert refused.json()["exists"] == ["1"]
    assert (await served.api.get("/api/v1/endpoints/flights/deployments")).json()["items"] == []
    assert [kind for kind, _ in await told(served.parts)] == ["endpoint.created"]


async def test_a_model_that_the_spec_brings_along_is_registered(
    served: Served, registry: httpx.AsyncClient, blobs: ObjectStore, tmp_path: Path
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"a model")
    tree = trees.upload(blobs, tmp_path / "model.onnx")
    await put(served.api, "flights", {})
    for _ in range(2):
        document = await put(
            served.api, "flights/deployments/blue", {"model": {"path": f"{trees.SCHEME}{tree.digest}"}}
        )
        assert (document["model"], document["generation"]) == ("azureml:flights-blue:1", 1)
    assert (await registry.get("/api/v1/models/flights-blue/versions/1")).json()["tree"] == tree.digest


async def test_a_deployment_of_an_endpoint_that_is_not_there_registers_nothing(
    served: Served, registry: httpx.AsyncClient, blobs: ObjectStore, tmp_path: Path
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"a model")
    tree = trees.upload(blobs, tmp_path / "model.onnx")
    spec = {"model": {"path": f"{trees.SCHEME}{tree.digest}"}}
    refused = await served.api.put("/api/v1/endpoints/flights/deployments/blue", json={"spec": spec})
    assert (refused.status_code, refused.json()["code"]) == (404, "endpoint_not_found")
    assert (await registry.get("/api/v1/models/flights-blue/versions")).status_code == 404


async def test_deployments_of_a_deleted_endpoint_take_no_changes(
    served: Served, registry: httpx.AsyncClient, blobs: ObjectStore, tmp_path: Path
) -> None:
    model = await register(registry, blobs, tmp_path / "m")
    await put(served.api, "flights", {})
    await put(served.api, "flights/deployments/blue", {"model": f"azureml:{model}"})
    assert (await served.api.delete("/api/v1/endpoints/flights")).status_code == 202
    assert (await served.api.get("/api/v1/endpoints/flights")).json()["provisioning_state"] == "Deleting"
    assert (await served.api.get("/api/v1/endpoints/flights/deployments/blue")).json()["status"] == "deleting"
    assert await served.parts.routes.endpoints() == {}
    for path, body in (
        ("flights/deployments/blue", {"spec": {"model": f"azureml:{model}"}}),
        ("flights", {"spec": {}}),
    ):
        refused = await served.api.put(f"/api/v1/endpoints/{path}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "being_deleted")


async def test_a_deployment_waits_for_its_models_conversion_and_fails_with_its_reason(
    settings: Settings, registry: httpx.AsyncClient, blobs: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")  # nobody listens there
    name, _, version = (await register(registry, blobs, tmp_path / "m", file="model.pkl")).partition(":")
    async with serve(settings) as served:
        await put(served.api, "flights", {})
        await put(served.api, "flights/deployments/blue", {"model": f"azureml:{name}:{version}"})
        building = await _blue(served, "building")
        assert "being converted" in building["detail"]
        await _publish(
            settings.nats_url, ModelConversionFailed(name=name, version=version, detail="no converter for MyModel")
        )
        failed = await _blue(served, "failed")
        assert "no converter for MyModel" in failed["detail"]
        assert "code_configuration" in failed["detail"]
        envelope = next(envelope for kind, envelope in await told(served.parts) if kind == "deployment.failed")
        assert envelope["data"]["detail"] == failed["detail"]
        assert envelope["actor"] == "service:serving"
        requested = next(envelope for kind, envelope in await told(served.parts) if kind == "deployment.requested")
        assert envelope["causationid"] == requested["id"]
        refused = await served.api.put(
            "/api/v1/endpoints/flights/deployments/green", json={"spec": {"model": f"azureml:{name}:{version}"}}
        )
        assert (refused.status_code, refused.json()["code"]) == (412, "model_not_servable")


async def test_without_ray_a_deployment_fails_in_time_and_says_so(
    settings: Settings, registry: httpx.AsyncClient, blobs: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    model = await register(registry, blobs, tmp_path / "m")
    async with serve(settings) as served:
        await put(served.api, "flights", {})
        await put(served.api, "flights/deployments/blue", {"model": f"azureml:{model}"})
        failed = await _blue(served, "failed")
        assert "not ready within 3 s" in failed["detail"]
        assert "Ray" in failed["detail"]


async def _blue(served: Served, status: str) -> dict[str, Any]:
    """The deployment once it has this status."""

    async def check() -> dict[str, Any] | None:
        document: dict[str, Any] = (await served.api.get("/api/v1/endpoints/flights/deployments/blue")).json()
        return document if document["status"] == status else None

    found = await eventually(check)
    assert found is not None
    return found


async def _publish(nats_url: str, data: ModelConversionFailed) -> None:
    """As the builder would tell it."""
    event: Event[Any] = Event[Any](
        id=uuid4(),
        source="/modelyard/builder",
        type=full_type(data.TYPE),
        subject=data.subject,
        time=datetime.now(UTC),
        workspace="default",
        actor="service:builder",
        correlationid="c",
        sequence=1,
        data=data.model_dump(mode="json"),
    )
    connection = await nats.connect(nats_url)
    try:
        await connection.jetstream().publish(f"modelyard.default.{data.TYPE}", encode(event))
    finally:
        await connection.close()
