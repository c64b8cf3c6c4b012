"""Bad input: a precise answer, and nothing stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from modelyard import Client
from modelyard_testing.stacks import Stack
from tests.made import PYTHON_3_11, deployment
from tests.on_stack import MARKS, Cli
from tests.scoring import Endpoint

pytestmark = MARKS

JOB = """\
type: command
command: ls ${{inputs.data}}
environment:
  image: python:3.11
inputs:
  data:
    type: uri_folder
    path: azureml:flights:7
"""


def post(stack: Stack, client: Client, path: str, **body: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {stack.layout.owner_token()}", "Content-Type": "application/json"}
    return httpx.post(f"{client.url}/api/v1/{path}", headers=headers, trust_env=False, timeout=10, **body)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (JOB.replace("command: ls", "command: [ls"), "job.yml:2:15: not valid YAML"),
        (
            JOB.replace("  image:", "  imag:"),
            "job.yml:4:3: environment.imag: unknown key `imag`; did you mean `image`?",
        ),
        (JOB.replace("azureml:flights:7", "[1]"), "job.yml:8:11: inputs.data.path: "),
    ],
    ids=["malformed", "unknown key", "wrong type"],
)
def test_a_wrong_file_is_refused_with_its_line(client: Client, cli: Cli, tmp_path: Path, spec: str, told: str) -> None:
    (tmp_path / "job.yml").write_text(spec)
    before = client.jobs.list()
    done = cli("job", "create", "-f", "job.yml")
    assert done.returncode == 2, done
    assert told in done.stderr
    assert done.stdout == ""
    assert client.jobs.list() == before


def test_a_missing_reference_is_named_with_its_line_and_what_exists(client: Client, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "job.yml").write_text(JOB)
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    assert cli("data", "create", "-n", "flights", "-v", "3", "-t", "uri_file", "--path", "rows.csv").returncode == 0
    before = client.jobs.list()
    done = cli("job", "create", "-f", "job.yml")
    assert done.returncode != 0
    assert done.stderr == "modelyard: line 8: inputs.data.path: data has no 'flights:7'; versions that exist: 3\n"
    assert client.jobs.list() == before


@pytest.mark.parametrize(
    ("path", "spec", "where"),
    [
        ("models", {"name": "made", "typ": "custom_model", "path": f"modelyard://trees/{'0' * 64}"}, "typ"),
        ("jobs", {"type": "command", "command": "ls", "environment": PYTHON_3_11, "limits": {"timeout": "1 h"}}, "limits.timeout"),
    ],
    ids=["unknown key", "wrong type"],
)  # fmt: skip
def test_over_http_a_wrong_specification_is_a_problem_with_a_path(
    stack: Stack, client: Client, path: str, spec: dict[str, Any], where: str
) -> None:
    before = client.models.list(), client.jobs.list()
    answer = post(stack, client, path, json={"spec": spec})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["code"], problem["path"]) == ("spec_invalid", where)
    assert where in problem["detail"]
    assert (client.models.list(), client.jobs.list()) == before


def test_over_http_a_body_that_is_no_json_is_a_problem(stack: Stack, client: Client) -> None:
    answer = post(stack, client, "models", content=b'{"spec": ')
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "request_invalid"


def test_over_http_a_missing_reference_is_named_and_what_exists(stack: Stack, client: Client, sums: Endpoint) -> None:
    spec = deployment(sums.name, "green", model="azureml:sum:99")
    path = f"{client.url}/api/v1/endpoints/{sums.name}/deployments/green"
    headers = {"Authorization": f"Bearer {stack.layout.owner_token()}"}
    answer = httpx.put(path, headers=headers, json={"spec": spec}, trust_env=False, timeout=10)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["path"] == "model"
    assert answer.json()["detail"] == "models has no 'sum:99'; versions that exist: 1"
    assert [found["name"] for found in client.deployments.list(sums.name)] == ["blue"]
