"""An MLflow client that is given the stack's url and a token works, and what it makes is the platform's."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from services.gateway.tests.mlflow.scripts import SCRIPTS, interpreter, run_script

from modelyard import Client
from modelyard_testing.stacks import Stack, eventually
from tests.made import code, deployment
from tests.on_stack import MARKS
from tests.scoring import Endpoint

pytestmark = MARKS

INSTALL_S: Final = 240
"""Environments are made from the package index."""

FITTED: Final[dict[str, Any]] = {
    "conda_file": {
        "name": "fitted",
        "dependencies": [
            "python=3.11",
            {"pip": ["mlflow-skinny==3.17.2", "numpy~=2.2", "pandas~=2.2", "scikit-learn==1.9.1", "skops"]},
        ],
    }
}


@pytest.mark.parametrize("name", ["models", "registry", "artifacts"])
@pytest.mark.parametrize("version", ["mlflow-3", "mlflow-2"])
def test_its_calls_pass_the_edge(client: Client, stack: Stack, tmp_path: Path, version: str, name: str) -> None:
    """The scripts of the gateway's own tests, each in an empty workspace; one of them sends a file of 40 MiB."""
    made = client.workspaces.create(f"{version}-{name}")
    url = stack.document()["url"]
    run_script(interpreter(version), SCRIPTS / f"{name}.py", tmp_path, url=url, token=made["token"])


def test_what_a_client_registers_is_deployed(client: Client, stack: Stack, tmp_path: Path) -> None:
    script = SCRIPTS / "deployed.py"
    url, token = stack.document()["url"], stack.layout.owner_token()
    run_script(interpreter("mlflow-3"), script, tmp_path, url=url, token=token)
    version = client.models.get("logged-sum", label="champion")
    assert (version["version"], version["type"], version["tags"]) == ("1", "mlflow_model", {"team": "flights"})

    client.endpoints.create({"name": "logged", "auth_mode": "key"})
    spec = deployment("logged", "blue", model="azureml:logged-sum@champion")
    found = client.deployments.create(spec, all_traffic=True, timeout_s=INSTALL_S)
    assert found["status"] == "ready", found["detail"]
    with closing(Endpoint(client, "logged")) as endpoint:
        eventually(endpoint.answers)  # the edge follows its table
        assert endpoint.score((1.5, 2.0)).json() == pytest.approx([3.5], abs=1e-5)


def test_a_function_of_a_clients_is_explained(client: Client, stack: Stack, tmp_path: Path) -> None:
    """A python_function has no ONNX form: it predicts in the environment that its folder names."""
    script = SCRIPTS / "function.py"
    url, token = stack.document()["url"], stack.layout.owner_token()
    run_script(interpreter("mlflow-3"), script, tmp_path, url=url, token=token)
    job = client.explanations.create("logged-function", data=str(tmp_path / "rows.csv"), rows=20)
    ended = client.jobs.wait(job["name"], timeout_s=INSTALL_S)
    assert ended["status"] == "completed", client.jobs.logs(job["name"])
    [output] = client.explanations.get("logged-function", "1")["summary"]["outputs"]
    assert output["max_additivity_error"] < 1e-9
    assert [feature["name"] for feature in output["features"]] == ["b", "a"]


def test_a_job_that_knows_mlflow_only_is_a_run(client: Client, stack: Stack, tmp_path: Path) -> None:
    src = code(tmp_path / "src", train=(SCRIPTS / "train.py").read_text())
    job = client.jobs.create(
        {
            "type": "command",
            "experiment_name": "with-mlflow",
            "code": str(src),
            "command": "python train.py",
            "environment": FITTED,
        }
    )
    ended = client.jobs.wait(job["name"], timeout_s=INSTALL_S)
    assert ended["status"] == "completed", client.jobs.logs(job["name"])

    version = client.models.get("from-a-job", "1")
    assert (version["job"], version["tags"]) == (job["name"], {"by": "job"})
    run = f"{stack.document()['url']}/api/v1/runs/{version['properties']['mlflow.run_id']}"
    found = httpx.get(run, headers={"Authorization": f"Bearer {stack.layout.owner_token()}"}, trust_env=False).json()
    assert (found["job"], found["status"]) == (job["name"], "finished")
    latest = {point["key"]: point["value"] for point in found["metrics"]}
    assert latest["loss"] == pytest.approx(1 / 3)
    assert latest["training_r2_score"] == pytest.approx(1)
    assert found["params"]["fit_intercept"] == "True"

    trained = client.models.card("from-a-job", "1")["training"]
    assert (trained["experiment"], trained["run"]["id"], trained["run"]["metrics"]["loss"]) == (
        "with-mlflow",
        found["id"],
        latest["loss"],
    )
    assert "| loss | 0.333333 |" in client.models.card_markdown("from-a-job", "1")
