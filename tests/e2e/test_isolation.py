"""No workspace reads anything of another one, by any route: the routes are those of the published documents, so that new ones count.

What everybody who has a token may read is named here, and why stands in docs/adr/0015-blobs-have-no-scope.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from modelyard import Client
from modelyard_testing.stacks import Stack, eventually
from tests.made import PYTHON_3_11, code, command, deployment, sum_model
from tests.on_stack import MARKS

pytestmark = MARKS

MARK: Final = "kept-apart"
DOCUMENTS: Final = sorted((Path(__file__).parents[2] / "contracts" / "openapi").glob("*.yaml"))
OPEN: Final = re.compile(r"/api/v1/(blobs|environment-locks|registries|signing-key)(/|$)")
"""Named by the digest of their content; shared on purpose; a public key."""
FOLLOWED: Final = "/api/v1/events/stream"
NOTHING_THERE: Final = re.compile(r".*/(components|environments)/[^/]+/versions/[^/]+/tree|.*/explanation")
"""What the workspace itself has none of here: these kinds have no files, and nothing was explained."""
QUERIES: Final[dict[str, dict[str, str]]] = {
    "/api/v1/assets": {"kind": "models"},
    "/api/v1/lineage": {"node": f"model/{MARK}:1"},
    "/api/v1/experiments": {"name": MARK},
    "/api/v1/artifacts": {"under": MARK},
    "/api/v1/data/{name}/diff": {"from": "1", "to": "1"},
}
UNMARKED: Final = {"/api/v1/whoami", "/api/v1/workspaces", "/api/v1/promotions", "/api/v1/dead-letters"}
"""Lists in which nothing of this test stands."""
SEARCHES: Final[dict[str, dict[str, Any]]] = {
    "/api/v1/experiments/search": {},
    "/api/v1/runs/search": {"experiments": [0]},
    "/api/v1/logged-models/search": {"experiments": [0]},
}


@dataclass(frozen=True)
class Kept:
    """What there is in one workspace: the values of paths' parameters by the first part of a path, and the digests of its files."""

    values: dict[str, dict[str, str]]
    digests: frozenset[str]


def created(answer: httpx.Response) -> Any:
    """What a request that has to be taken gives."""
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


@pytest.fixture(scope="module")
def owner(stack: Stack) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {stack.layout.owner_token()}"}
    with httpx.Client(base_url=stack.document()["url"], headers=headers, timeout=30, trust_env=False) as http:
        yield http


@pytest.fixture(scope="module")
def stranger(owner: httpx.Client) -> Iterator[httpx.Client]:
    """The owner of another workspace, who may do there what any reader may."""
    made = created(owner.post("/api/v1/workspaces", json={"name": "elsewhere"}))
    headers = {"Authorization": f"Bearer {made['token']}"}
    with httpx.Client(base_url=owner.base_url, headers=headers, timeout=30, trust_env=False) as http:
        yield http


@pytest.fixture(scope="module")
def kept(stack: Stack, owner: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """One of everything, in the first workspace."""
    with Client(stack.document()["url"], stack.layout.owner_token()) as client:
        yield keep_apart(client, owner, tmp_path_factory.mktemp("kept"))
        for collection in ("monitors", "triggers", "subscriptions", "computes", "datastores", "connections"):
            created(owner.delete(f"/api/v1/{collection}/{MARK}"))
        client.endpoints.delete(MARK)


def keep_apart(client: Client, owner: httpx.Client, tmp_path: Path) -> Kept:
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n3,4\n")
    model = client.models.create({"name": MARK, "version": "1", "path": str(sum_model(tmp_path / "m", plus=15.0))})
    created(owner.put(f"/api/v1/models/{MARK}/aliases/champion", json={"version": "1"}))
    data = client.data.create({"name": MARK, "version": "1", "type": "uri_file", "path": str(tmp_path / "rows.csv")})
    client.environments.create({"name": MARK, "version": "1", **PYTHON_3_11})
    component = {"name": MARK, "version": "1", "type": "command", "command": "true", "environment": PYTHON_3_11}
    client.components.create(component)
    src = code(tmp_path / "src", write="import sys, pathlib; pathlib.Path(sys.argv[1], 'x').write_text('kept apart')")
    folder = {"out": {"type": "uri_folder"}}
    job = client.jobs.create(
        command(src, "python write.py ${{outputs.out}}", name=MARK, outputs=folder, experiment_name=MARK)
    )
    client.endpoints.create({"name": MARK, "auth_mode": "key"})
    spec = deployment(MARK, MARK, model=f"azureml:{MARK}:1")
    created(owner.put(f"/api/v1/endpoints/{MARK}/deployments/{MARK}", json={"spec": spec}))
    resources: dict[str, dict[str, Any]] = {
        "computes": {"type": "amlcompute"},
        "datastores": {"type": "azure_blob", "account_name": "account", "container_name": "flights"},
        "connections": {"type": "git", "target": "https://git.example/flights"},
        "subscriptions": {"type": "webhook", "url": "http://127.0.0.1:9/", "secret": MARK, "events": ["never.happens"]},
    }
    for collection, resource in resources.items():
        created(owner.put(f"/api/v1/{collection}/{MARK}", json={"spec": {"name": MARK} | resource}))
    client.triggers.create(
        {
            "name": MARK,
            "type": "trigger",
            "on": {"type": "drift.detected", "filter": {"subject": "endpoints/none/*"}},
            "create_job": {"type": "command", "environment": PYTHON_3_11, "command": "true"},
        }
    )
    eventually(lambda: client.data.get(MARK, "1")["profile"])
    client.monitors.create(monitor())
    created(owner.post("/api/v1/tokens", json={"name": MARK, "role": "reader", "days": 1}))
    file = client.data.files(MARK, "1")["files"][0]
    created(owner.put(f"/api/v1/artifacts/{MARK}/{MARK}", json={"sha256": file["sha256"], "size": file["size"]}))
    experiment = created(owner.get("/api/v1/experiments", params={"name": MARK}))["items"][0]["id"]
    run = created(owner.post("/api/v1/runs", json={"experiment": experiment, "name": MARK}))["id"]
    metric = {"key": "loss", "value": 1, "timestamp": 1, "step": 0}
    created(owner.post(f"/api/v1/runs/{run}/log", json={"metrics": [metric]}))
    logged = created(owner.post("/api/v1/logged-models", json={"name": MARK, "experiment": experiment}))["id"]
    assert client.jobs.wait(job["name"], timeout_s=60)["status"] == "completed"
    eventually(lambda: client.models.get(MARK, "1")["manifest"])
    output = client.jobs.output(MARK, "out")
    files = [*client.models.files(MARK, "1")["files"], file, *output["files"]]
    named = {"name": MARK, "version": "1", "label": "latest"}
    return Kept(
        values={
            **dict.fromkeys(("models", "data", "environments", "components"), named),
            "{kind}": named | {"kind": "models"},
            **dict.fromkeys(("triggers", "monitors", "subscriptions", "computes", "datastores", "connections"), named),
            "jobs": {"name": MARK, "output": "out"},
            "endpoints": {"endpoint": MARK, "name": MARK},
            "experiments": {"id_": str(experiment)},
            "runs": {"id_": run, "key": "loss"},
            "logged-models": {"id_": logged},
            "artifacts": {"path": f"{MARK}/{MARK}"},
            "why": {"entity": "model", "name": f"{MARK}:1"},
            "workspaces": {"name": "default"},
        },
        digests=frozenset({model["tree"], data["tree"], output["tree"], *(found["sha256"] for found in files)}),
    )


def monitor() -> dict[str, Any]:
    signal = {
        "type": "data_drift",
        "reference_data": {"input_data": {"path": f"azureml:{MARK}:1", "type": "uri_file"}, "data_context": "training"},
        "features": ["a", "b"],
        "metric_thresholds": {"numerical": {"normalized_wasserstein_distance": 0.5}},
    }
    return {
        "name": MARK,
        "trigger": {"type": "recurrence", "frequency": "month", "interval": 1},
        "create_monitor": {
            "compute": {"instance_type": "standard_e4s_v3", "runtime_version": "3.4"},
            "monitoring_target": {"ml_task": "regression", "endpoint_deployment_id": f"azureml:{MARK}:{MARK}"},
            "monitoring_signals": {"inputs": signal},
        },
    }


def routes() -> list[str]:
    """Every path that can be read, as the services publish them."""
    documents = [yaml.safe_load(document.read_text()) for document in DOCUMENTS]
    return sorted({path for document in documents for path, does in document["paths"].items() if "get" in does})


def filled(path: str, kept: Kept) -> str:
    """The path of what there is. A parameter that this test does not know is to be told here, with something that it finds."""
    values = kept.values.get(path.split("/")[3], {})
    unknown = {name for name in re.findall(r"{(\w+)}", path) if name not in values}
    assert not unknown, f"{path}: say in `kept` what {unknown} is, and let there be one"
    return path.format(**values)


def test_no_route_tells_another_workspace_anything(owner: httpx.Client, stranger: httpx.Client, kept: Kept) -> None:
    wrong: list[str] = []
    checked = 0
    for path in routes():
        if OPEN.match(path) or path == FOLLOWED:
            continue
        checked += 1
        asked, query = filled(path, kept), QUERIES.get(path, {})
        own = owner.get(asked, params=query)
        if own.status_code != httpx.codes.OK and not NOTHING_THERE.fullmatch(
            path.replace("{name}", "x").replace("{version}", "1")
        ):
            wrong.append(f"{asked} answers its own workspace {own.status_code}: the test proves nothing")
        if "{" not in path and path not in UNMARKED and MARK not in own.text:
            wrong.append(f"{asked} shows its own workspace nothing: the test proves nothing")
        other = stranger.get(asked, params=query)
        if "{" in path and other.status_code != httpx.codes.NOT_FOUND:
            wrong.append(f"{asked} answers another workspace {other.status_code}: {other.text[:200]}")
        if other.is_success and MARK in other.text:
            wrong.append(f"{asked} shows it to another workspace: {other.text[:200]}")
        wrong += [f"{asked} tells another workspace {digest}" for digest in kept.digests if digest in other.text]
    for asked, body in SEARCHES.items():
        found = stranger.post(asked, json=body)
        assert found.is_success, (asked, found.text)
        assert MARK not in found.text
    assert not wrong, "\n".join(wrong)
    assert checked > 60


def test_the_stream_of_events_is_of_one_workspace(stranger: httpx.Client, kept: Kept) -> None:
    created(stranger.post("/api/v1/models", json={"spec": {"name": "last", "path": "https://example.com/model"}}))
    with stranger.stream("GET", FOLLOWED, params={"since": "0"}) as answer:
        for line in answer.iter_lines():
            field, _, value = line.partition(": ")
            if field == "data":
                assert MARK not in value
                assert not any(digest in value for digest in kept.digests)
                if json.loads(value)["subject"] == "models/last/versions/1":
                    return
    raise AssertionError("the stream ended")
