"""Deployments of what is in a shared registry."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from services.serving.tests.integration.running import Served, put, register, told

from modelyard_platform.objects import ObjectStore
from modelyard_specs import parse_reference

SHARED = "azureml://registries/company/models"


@pytest.mark.parametrize("which", ["/versions/1", "/labels/latest", ""])
async def test_a_shared_model_is_deployed(
    served: Served, registry: httpx.AsyncClient, blobs: ObjectStore, tmp_path: Path, which: str
) -> None:
    await register(registry, blobs, tmp_path / "m")
    assert (await registry.post("/api/v1/registries", json={"name": "company"})).status_code == 201
    share = {"registry": "company", "name": "lines"}
    assert (await registry.post("/api/v1/models/line/versions/1/share", json=share)).status_code == 201
    await put(served.api, "flights", {})
    made = await put(served.api, "flights/deployments/blue", {"model": f"{SHARED}/lines{which}"})
    assert made["model"] == f"{SHARED}/lines/versions/1"
    (asked,) = [envelope["data"] for kind, envelope in await told(served.parts) if kind == "deployment.requested"]
    assert asked["model"] == "company/lines:1"
    version = await served.parts.models.resolve(parse_reference(f"{SHARED}/lines{which}"), "lab")
    assert version.subject == "registries/company/models/lines/versions/1"
    assert version.reference == "company/lines:1"


async def test_what_a_registry_does_not_have_is_said(served: Served, registry: httpx.AsyncClient) -> None:
    await registry.post("/api/v1/registries", json={"name": "company"})
    await put(served.api, "flights", {})
    for named, code in (("company", "asset_not_found"), ("nowhere", "registry_not_found")):
        spec = {"model": f"azureml://registries/{named}/models/line/versions/1"}
        answer = await served.api.put("/api/v1/endpoints/flights/deployments/blue", json={"spec": spec})
        assert (answer.status_code, answer.json()["code"], answer.json()["path"]) == (404, code, "model"), answer.text
