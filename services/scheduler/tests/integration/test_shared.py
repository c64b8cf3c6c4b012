"""Jobs that use what is in a shared registry."""

from __future__ import annotations

from typing import Any

import pytest
from services.scheduler.tests.support import ENVIRONMENT, World, command, events_of, put_files

from modelyard_contracts.scheduler import JobSubmitted

SHARED = "azureml://registries/company"


@pytest.fixture
async def company(world: World) -> World:
    """A registry with one of each kind, and a workspace with other things of the same names."""
    answer = await world.registry.post("/api/v1/registries", json={"name": "company"})
    assert answer.status_code == 201, answer.text
    component = {
        "name": "x",
        "type": "command",
        "command": "score ${{inputs.model}}",
        "environment": f"{SHARED}/environments/x/versions/1",
        "inputs": {"model": {"type": "uri_folder"}},
    }
    assets: dict[str, dict[str, Any]] = {
        "models": {"type": "custom_model", "path": f"modelyard://trees/{put_files(world.store, {'m': 'shared'})}"},
        "data": {"type": "uri_folder", "path": f"modelyard://trees/{put_files(world.store, {'d': 'shared'})}"},
        "environments": ENVIRONMENT,
        "components": component,
    }
    for kind, spec in assets.items():
        made = await world.registry.post(f"/api/v1/{kind}", json={"spec": spec | {"name": "x"}})
        assert made.status_code == 201, made.text
        shared = await world.registry.post(f"/api/v1/{kind}/x/versions/1/share", json={"registry": "company"})
        assert shared.status_code == 201, shared.text
    return world


async def inputs_of(world: World, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """The job's inputs, its order's, and what it says that it uses."""
    job = await world.submit(command("score ${{inputs.x}}", inputs={"x": given}))
    async with world.runner().running() as runner:
        done = await world.ended(job["name"])
    assert done["status"] == "completed", done["detail"]
    (order,) = runner.orders
    submitted = [event.data for event in await events_of(world.nats_url) if isinstance(event.data, JobSubmitted)]
    return job["inputs"], order.inputs["x"].model_dump(), submitted[-1].uses


@pytest.mark.parametrize("type_", ["mlflow_model", "custom_model", "uri_folder"])
@pytest.mark.parametrize("which", ["/versions/1", "/labels/latest", ""])
async def test_a_shared_model_is_an_input(company: World, type_: str, which: str) -> None:
    inputs, order, uses = await inputs_of(company, {"type": type_, "path": f"{SHARED}/models/x{which}"})
    assert inputs == {"x": f"{SHARED}/models/x/versions/1"}
    assert (order["tree"], order["type"]) == (put_files(company.store, {"m": "shared"}), type_)
    assert order["subject"] == "registries/company/models/x/versions/1"
    assert uses == ["registries/company/models/x/versions/1"]


async def test_shared_data_is_an_input(company: World) -> None:
    inputs, order, uses = await inputs_of(company, {"type": "uri_folder", "path": f"{SHARED}/data/x/versions/1"})
    assert inputs == {"x": f"{SHARED}/data/x/versions/1"}
    assert order["tree"] == put_files(company.store, {"d": "shared"})
    assert order["subject"] == "registries/company/data/x/versions/1"
    assert uses == ["registries/company/data/x/versions/1"]


async def test_a_shared_component_with_a_shared_environment_runs(company: World) -> None:
    model = {"type": "custom_model", "path": f"{SHARED}/models/x/versions/1"}
    step = {"component": f"{SHARED}/components/x/labels/latest", "inputs": {"model": "${{parent.inputs.model}}"}}
    job = await company.submit({"type": "pipeline", "inputs": {"model": model}, "jobs": {"score": step}})
    async with company.runner().running():
        done = await company.ended(job["name"])
    assert done["status"] == "completed", done["detail"]
    assert company.builder.state.calls[0]["conda_file"] == ENVIRONMENT["conda_file"]
    submitted = [event.data for event in await events_of(company.nats_url) if isinstance(event.data, JobSubmitted)]
    assert submitted[0].uses == [
        f"registries/company/{kind}/x/versions/1" for kind in ("components", "environments", "models")
    ]


@pytest.mark.parametrize(
    ("spec", "status", "path", "says"),
    [
        ({"environment": f"{SHARED}/models/x/versions/1"}, 400, "environment", "environments"),
        ({"environment": f"{SHARED}/environments/x/versions/7"}, 404, "environment", "1"),
        ({"environment": "azureml://registries/nowhere/environments/x/versions/1"}, 404, "environment", "company"),
    ],
)
async def test_what_a_registry_does_not_have_is_said(
    company: World, spec: dict[str, Any], status: int, path: str, says: str
) -> None:
    answer = await company.scheduler.post("/api/v1/jobs", json={"spec": command(**spec)})
    assert (answer.status_code, answer.json()["path"]) == (status, path), answer.text
    assert says in answer.json()["detail"]
