"""Unmodified MLflow clients against the gateway: everything a script asserts holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from services.gateway.tests.mlflow.conftest import Stack
from services.scheduler.tests.support import Runner, command

from modelyard_contracts.work import StepOrder
from modelyard_testing.conditions import eventually

pytestmark = pytest.mark.timeout(600)
"""The clients' environments are made once, from the package index, by whichever test comes first."""


def test_models_are_logged_registered_and_loaded(script: Callable[..., str]) -> None:
    script("models")


def test_the_registry_answers_everything_its_client_asks(script: Callable[..., str]) -> None:
    script("registry")


def test_experiments_and_runs_are_tracked(script: Callable[..., str]) -> None:
    script("tracking")


def test_files_go_through_the_proxy(script: Callable[..., str], stack: Stack) -> None:
    script("artifacts")
    files = stack.http.get("/api/v1/models/files/versions/1/tree").json()["files"]
    [large] = [file for file in files if file["path"] == "large.bin"]
    assert len(large["parts"]) == 3


def test_what_is_refused_says_why_in_one_sentence(script: Callable[..., str]) -> None:
    script("refused")


async def test_a_step_is_a_run_and_what_it_registers_is_its_jobs(
    script: Callable[..., str], stack: Stack, nats_url: str
) -> None:
    """The command of a step has the step's own token, and finds its run by MLFLOW_RUN_ID."""
    job = stack.http.post("/api/v1/jobs", json={"spec": command("hang", experiment_name="nightly")}).json()
    runner = Runner(nats_url, stack.scheduler_url, stack.store)

    async def order() -> StepOrder | None:
        return runner.orders[0] if runner.orders else None

    async with runner.running():
        given = await eventually(order)
    assert given is not None
    said = await asyncio.to_thread(script, "step", given.token, MLFLOW_RUN_ID=given.step_id)
    version = stack.http.get(f"/api/v1/models/from-a-step/versions/{said.split()[-1]}").json()
    assert version["job"] == job["name"]
    assert version["properties"]["mlflow.run_id"] == given.step_id
    assert version["created_by"] == f"job:{job['name']}"

    def run() -> Any:
        return stack.http.get(f"/api/v1/runs/{given.step_id}").json()

    assert [point["value"] for point in run()["metrics"] if point["key"] == "rmse"] == [0.25]
    assert stack.http.get(f"/api/v1/experiments/{run()['experiment']}").json()["name"] == "nightly"
    stack.http.post(f"/api/v1/jobs/{job['name']}/cancel")
    assert (run()["status"], run()["job"]) == ("killed", job["name"])
