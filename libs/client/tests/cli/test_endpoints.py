import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse
from libs.client.tests.conftest import Platform, Servers

from modelyard import Client
from modelyard.cli import main
from modelyard_testing.apps import AppServer, app_server
from serving.app import build
from serving.settings import Settings

Write = Callable[[dict[str, str]], Path]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def scored() -> list[dict[str, Any]]:
    """The requests that came to where endpoints answer."""
    return []


@pytest.fixture
def edge_url(scored: list[dict[str, Any]]) -> Iterator[str]:
    """Where endpoints answer: the edge's route without an edge, that notes who asked what."""
    app = FastAPI()

    @app.post("/endpoints/{name}/score")
    async def score(
        name: str, request: Request, authorization: str = Header(), azureml_model_deployment: str = Header("")
    ) -> JSONResponse:
        if not authorization.startswith("Bearer "):
            raise HTTPException(401)
        body = await request.body()
        scored.append({"name": name, "key": authorization[7:], "deployment": azureml_model_deployment, "body": body})
        if body == b"broken":
            problem = {"status": 400, "code": "body_invalid", "detail": "the body is no JSON"}
            return JSONResponse(problem, 400, media_type="application/problem+json")
        return JSONResponse([0.5])

    with app_server(lambda: app) as server:
        yield server.url


@pytest.fixture
def others(
    servers: Servers, registry: AppServer, locks: AppServer, edge_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """The real service; there is no Ray for it to start replicas on."""
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    settings = Settings(
        **servers.common,
        postgres_dsn=servers.dsn("serving"),
        public_url=edge_url,
        registry_url=registry.url,
        builder_url=locks.url,
    )
    with app_server(lambda: build(settings)) as server:
        yield {"serving_url": server.url}


def test_an_endpoints_life(
    environment: Platform, write: Write, capsys: Capture, scored: list[dict[str, Any]], edge_url: str
) -> None:
    write({"endpoint.yml": "name: other\ndescription: late or not\nauth_mode: key\n", "request.json": '{"a": 1}'})
    assert main(["online-endpoint", "create", "--name", "flights", "-f", "endpoint.yml"]) == 0
    assert main(["online-endpoint", "create", "--name", "plain"]) == 0
    capsys.readouterr()
    assert main(["online-endpoint", "show", "-n", "flights", "--query", "scoring_uri", "-o", "tsv"]) == 0
    assert capsys.readouterr().out == f"{edge_url}/endpoints/flights/score\n"
    assert main(["online-endpoint", "update", "-n", "flights", "--set", "tags.team=a"]) == 0
    changed = json.loads(capsys.readouterr().out)
    assert (changed["tags"], changed["description"]) == ({"team": "a"}, "late or not")
    assert main(["online-endpoint", "list", "--query", "[].name", "-o", "tsv"]) == 0
    assert capsys.readouterr().out == "flights\nplain\n"

    assert main(["online-endpoint", "update", "-n", "flights", "--traffic", "blue=100"]) == 1
    assert "blue" in capsys.readouterr().err
    assert main(["online-endpoint", "update", "-n", "flights", "--traffic", "blue=60"]) == 2
    assert "blue" in capsys.readouterr().err

    assert main(["online-endpoint", "get-credentials", "-n", "flights", "--query", "primaryKey", "-o", "tsv"]) == 0
    key = capsys.readouterr().out.strip()
    invoke = ["online-endpoint", "invoke", "-n", "flights"]
    assert main([*invoke, "--request-file", "request.json", "--deployment", "green"]) == 0
    assert json.loads(capsys.readouterr().out) == [0.5]
    assert scored == [{"name": "flights", "key": key, "deployment": "green", "body": b'{"a": 1}'}]
    write({"broken.json": "broken"})
    assert main([*invoke, "--request-file", "broken.json"]) == 2
    assert capsys.readouterr().err == "modelyard: the body is no JSON\n"

    assert main(["online-endpoint", "regenerate-keys", "-n", "flights", "--key-type", "primary"]) == 0
    assert json.loads(capsys.readouterr().out)["primaryKey"] != key
    assert main(["online-endpoint", "delete", "-n", "flights", "--yes"]) == 0
    assert main(["online-endpoint", "show", "-n", "flights"]) == 1
    assert "endpoints that exist: plain" in capsys.readouterr().err


def test_a_deployment_is_asked_for_and_its_failure_told(environment: Platform, write: Write, capsys: Capture) -> None:
    with Client() as client:
        client.endpoints.create({"name": "flights"})
        client.models.create(write({"m.onnx": "o", "m.yml": "name: m\npath: m.onnx\n"}).parent / "m.yml")
    write({"blue.yml": "name: blue\nmodel: azureml:m:1\ninstance_type: x\ninstance_count: 1\n"})
    create = ["online-deployment", "create", "-f", "blue.yml"]
    assert main([*create, "--no-wait"]) == 2
    assert "endpoint_name: `endpoint_name` is missing" in capsys.readouterr().err
    assert main([*create, "-e", "nowhere", "--no-wait"]) == 1
    assert "endpoints that exist: flights" in capsys.readouterr().err
    assert main([*create, "--endpoint", "flights", "--no-wait"]) == 0
    asked = json.loads(capsys.readouterr().out)
    assert (asked["name"], asked["endpoint_name"], asked["model"]) == ("blue", "flights", "azureml:m:1")
    assert main(["online-deployment", "list", "-e", "flights", "--query", "[].name", "-o", "tsv"]) == 0
    assert capsys.readouterr().out == "blue\n"
    update = ["online-deployment", "update", "-n", "blue", "-e", "flights", "--no-wait"]
    assert main([*update, "--set", "liveness_probe.period=7", "request_settings.request_timeout_ms=9000"]) == 0
    assert main([*update, "--set", "instance_count=2", "tags.team=a", "--remove", "request_settings"]) == 0
    capsys.readouterr()
    assert main(["online-deployment", "show", "-n", "blue", "-e", "flights", "--query", "spec"]) == 0
    spec = json.loads(capsys.readouterr().out)
    assert (spec["instance_count"], spec["liveness_probe"], spec["tags"]) == (2, {"period": 7}, {"team": "a"})
    assert "request_settings" not in spec
    assert main([*update, "--set", "instance_cout=2"]) == 2
    assert "did you mean `instance_count`?" in capsys.readouterr().err
    assert main([*create, "-e", "flights", "--timeout", "1"]) == 1
    assert "deployment blue of flights is still" in capsys.readouterr().err

    write({"score/score.py": "def init(): ...\n", "conda.yml": "dependencies: [python=3.11, unsolvable]\n"})
    write(
        {
            "green.yml": "name: green\nendpoint_name: flights\nmodel: azureml:m:1\ninstance_type: x\ninstance_count: 1\n"
            "code_configuration: {code: score, scoring_script: score.py}\n"
            "environment: {image: x, conda_file: conda.yml}\n"
        }
    )
    assert main(["online-deployment", "create", "-f", "green.yml"]) == 1
    said = capsys.readouterr().err
    assert "deployment green of flights failed:" in said
    assert "no version of `unsolvable` exists" in said
