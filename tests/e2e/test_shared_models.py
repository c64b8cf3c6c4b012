"""A model of one workspace is shared, and used from another one: deployed, scored, read by a job, and held while it is used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from modelyard import Client
from modelyard.errors import ModelyardError
from modelyard_testing.stacks import Stack, eventually
from tests.made import code, command, deployment, sum_model
from tests.on_stack import MARKS, Cli
from tests.scoring import Endpoint

pytestmark = MARKS

SHARED: Final = "azureml://registries/company"
TRAIN: Final = """\
    import shutil, sys

    shutil.copy("model.onnx", sys.argv[1])
"""
READ: Final = """\
    import pathlib, sys, time

    gate, model, data, found = map(pathlib.Path, sys.argv[1:])
    while not gate.exists():
        time.sleep(0.05)
    names = sorted(file.name for folder in (model, data) for file in folder.iterdir())
    (found / "names.txt").write_text(" ".join(names))
"""


@pytest.fixture
def lab(client: Client, stack: Stack) -> Iterator[Client]:
    """The owner of another workspace."""
    made = client.workspaces.create("sharing-lab")
    with Client(stack.document()["url"], made["token"]) as lab:
        yield lab


def refused(client: Client, kind: str, name: str) -> str:
    """Why a shared version may not be deleted."""
    with pytest.raises(ModelyardError) as error:
        getattr(client.registry("company"), kind).delete(name, "1")
    assert (error.value.status, error.value.code) == (412, "in_use")
    return error.value.detail


def goes(delete: Callable[[], None], while_: str) -> bool:
    """Whether it can be deleted; `while_` is the problem that passes."""
    try:
        delete()
    except ModelyardError as error:
        if error.code != while_:
            raise
        return False
    return True


def test_a_model_is_trained_here_and_used_there(client: Client, lab: Client, cli: Cli, tmp_path: Path) -> None:
    # Trained and shared here.
    src = code(tmp_path / "train", train=TRAIN)
    shutil.copy(sum_model(tmp_path / "model", plus=4.0), src)
    model = {"type": "custom_model", "name": "lent-sum"}
    trained = client.jobs.create(command(src, "python train.py ${{outputs.model}}", outputs={"model": model}))
    assert client.jobs.wait(trained["name"], timeout_s=60)["status"] == "completed"
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    client.data.create({"name": "lent-rows", "type": "uri_folder", "path": str(tmp_path / "rows.csv")})
    for words in (
        ("registry", "create", "-n", "company"),
        ("model", "share", "-n", "lent-sum", "-v", "1", "--registry-name", "company"),
        ("data", "share", "-n", "lent-rows", "-v", "1", "--registry-name", "company"),
    ):
        done = cli(*words)
        assert done.returncode == 0, done.stderr
    with pytest.raises(ModelyardError) as error:
        lab.models.get("lent-sum")
    assert error.value.status == 404

    # Deployed and scored there.
    lab.endpoints.create({"name": "lent-sums", "auth_mode": "key"})
    with pytest.raises(ModelyardError) as error:
        client.endpoints.create({"name": "lent-sums", "auth_mode": "key"})
    assert (error.value.status, error.value.code) == (409, "name_taken")
    assert "sharing-lab" not in str(error.value)
    spec = deployment("lent-sums", "blue", model=f"{SHARED}/models/lent-sum/labels/latest")
    found = lab.deployments.create(spec, all_traffic=True, timeout_s=120)
    assert found["status"] == "ready", found["detail"]
    assert found["model"] == f"{SHARED}/models/lent-sum/versions/1"
    endpoint = Endpoint(lab, "lent-sums")
    assert endpoint.score((1, 2)).json() == [7.0]
    blue = "endpoints/lent-sums/deployments/blue of workspace sharing-lab"
    eventually(lambda: client.registry("company").models.list(search="used-by:endpoints/lent-sums/*"))
    assert f"in use by {blue};" in refused(client, "models", "lent-sum")

    # Read by a job there, which holds both while it runs.
    src = code(tmp_path / "read", read=READ)
    gate = tmp_path / "gate"
    given: dict[str, Any] = {
        "model": {"type": "custom_model", "path": f"{SHARED}/models/lent-sum/versions/1"},
        "data": {"type": "uri_folder", "path": f"{SHARED}/data/lent-rows/labels/latest"},
    }
    read = f"python read.py {gate} ${{{{inputs.model}}}} ${{{{inputs.data}}}} ${{{{outputs.found}}}}"
    job = lab.jobs.create(command(src, read, inputs=given, outputs={"found": {"type": "uri_folder"}}))["name"]
    eventually(lambda: client.registry("company").data.list(search=f"used-by:jobs/{job}"))
    reader = f"jobs/{job} of workspace sharing-lab"
    assert f"in use by {reader};" in refused(client, "data", "lent-rows")
    assert f"in use by {blue}, {reader};" in refused(client, "models", "lent-sum")
    gate.touch()
    ended = lab.jobs.wait(job, timeout_s=60)
    assert ended["status"] == "completed", ended["detail"]
    folder = lab.jobs.download(job, "found", target=tmp_path / "downloaded")
    assert next(folder.rglob("names.txt")).read_text() == "model.onnx rows.csv"
    eventually(lambda: not client.registry("company").data.list(search=f"used-by:jobs/{job}"))
    client.registry("company").data.delete("lent-rows", "1")

    # Explained there, as far as what is shared, and no further.
    shared = "registries/company/models/lent-sum/versions/1"

    def nodes() -> set[str]:
        return {node["id"] for node in lab.lineage("endpoint/lent-sums")["nodes"]}

    eventually(lambda: shared in nodes())
    assert f"jobs/{trained['name']}" not in nodes()
    assert shared in {fact["subject"] for fact in lab.why("endpoint", "lent-sums")["chain"]}
    down = {node["id"] for node in lab.lineage(shared, direction="down")["nodes"]}
    assert {"endpoints/lent-sums", f"jobs/{job}"} <= down

    # The workspace stays while anything stands in it; so does the version, and it is let go with the deployment.
    with pytest.raises(ModelyardError) as error:
        client.workspaces.delete("sharing-lab")
    assert "endpoints/lent-sums, endpoints/lent-sums/deployments/blue" in error.value.detail
    endpoint.close()
    lab.endpoints.delete("lent-sums")

    eventually(lambda: goes(lambda: client.registry("company").models.delete("lent-sum", "1"), "in_use"), 60)
    eventually(lambda: goes(lambda: client.workspaces.delete("sharing-lab"), "workspace_in_use"), 30)
    assert json.loads(cli("registry", "list", "-o", "json").stdout)[0]["writers"] == ["default"]
