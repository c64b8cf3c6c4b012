import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from libs.client.tests.conftest import Platform

from modelyard.cli import main
from modelyard_testing.apps import app_server

Write = Callable[[dict[str, str]], Path]
Capture = pytest.CaptureFixture[str]

SECRET = "hunter2-zaq1"


def asked(capsys: Capture, *words: str) -> str:
    """What a command prints."""
    assert main(list(words)) == 0, capsys.readouterr().err
    return capsys.readouterr().out.rstrip("\n")


def test_a_cluster_as_scripts_make_it(environment: Platform, capsys: Capture) -> None:
    size = ["--min-instances", "0", "--max-instances", "4"]
    assert main(["compute", "create", "-n", "cpu-cluster", "--type", "amlcompute", *size, "--admin-password", "x"]) == 0
    said = capsys.readouterr()
    made = json.loads(said.out)
    assert "nothing runs on it" in said.err
    assert "--admin-password means nothing here" in said.err
    assert (made["name"], made["type"], made["provisioning_state"]) == ("cpu-cluster", "amlcompute", "Succeeded")
    assert (made["min_instances"], made["max_instances"], made["size"], made["id"]) == (
        0,
        4,
        None,
        "computes/cpu-cluster",
    )
    show = ["compute", "show", "-n", "cpu-cluster"]
    assert asked(capsys, *show, "--query", "name", "-o", "tsv") == "cpu-cluster"
    change = ["--max-instances", "8", "--size", "s", "--identity-type", "system_assigned", "--tags", "team=a"]
    assert main(["compute", "update", "-n", "cpu-cluster", *change]) == 0
    capsys.readouterr()
    assert main(["compute", "update", "-n", "cpu-cluster", "--set", "description=big", "--remove", "tags.team"]) == 0
    capsys.readouterr()
    query = "[max_instances, min_instances, size, identity.type, description, tags]"
    assert json.loads(asked(capsys, *show, "--query", query)) == [8, 0, "s", "system_assigned", "big", {}]
    assert asked(capsys, "compute", "list", "--type", "amlcompute", "--query", "[].name", "-o", "tsv") == "cpu-cluster"
    assert asked(capsys, "compute", "list", "--type", "kubernetes", "--query", "[].name", "-o", "tsv") == ""
    assert "cpu-cluster  amlcompute" in asked(capsys, "compute", "list", "-o", "table")
    assert main(["compute", "attach", "-n", "k8s", "--type", "Kubernetes", "--resource-id", "/subscriptions/x"]) == 0
    capsys.readouterr()
    assert main(["compute", "delete", "-n", "cpu-cluster", "--yes", "--no-wait"]) == 0
    assert main(["compute", "detach", "-n", "k8s", "-y"]) == 0
    assert main(["compute", "show", "-n", "cpu-cluster"]) == 1
    assert "there is no compute 'cpu-cluster'; there are none yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "status", "says"),
    [
        ("compute create --type amlcompute", 2, "give --file, or --name and --type"),
        ("compute create -n c --type amlcompte", 2, "did you mean `aml_compute`"),
        ("compute create -n c --type amlcompute --tags x", 2, "write KEY=VALUE"),
        ("compute update -n c", 2, "what to --set"),
        ("compute update -n c -f c.yml --remove tags.a", 2, "leave --file out"),
        ("schedule update -f s.yml --add tags a=b", 2, "leave --file out"),
        ("registry update -n company", 2, "what is to change?"),
        ("datastore create -n d", 2, "`type` is missing"),
        ("datastore create -f none.yml", 2, "none.yml"),
        ("datastore delete -n workspaceblobstore", 2, "by itself"),
        ("connection delete -n c", 2, "say --yes"),
    ],
)
def test_what_makes_no_sense_is_told(environment: Platform, line: str, status: int, says: str, capsys: Capture) -> None:
    assert main(line.split()) == status
    assert says in capsys.readouterr().err


def test_secrets_never_leave_the_client(
    write: Write, capsys: Capture, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    sent: list[bytes] = []
    app = FastAPI()

    @app.put("/api/v1/{kind}/{name}")
    async def put(kind: str, name: str, request: Request) -> dict[str, Any]:
        sent.append(await request.body() + repr(request.headers).encode() + request.url.path.encode())
        spec = (await request.json())["spec"]
        return {"id": f"{kind}/{name}", "kind": kind, "name": name, "type": spec["type"], "spec": spec}

    blob = "name: blobs\ntype: azure_blob\naccount_name: a\ncontainer_name: c\n"
    write({"blob.yml": f"{blob}credentials:\n  account_key: {SECRET}\ntags: {{sas_token: {SECRET}}}\n"})
    write(
        {"git.yml": f"name: g\ntype: git\ntarget: https://u:{SECRET}@example.com/x\ncredentials: {{pat: {SECRET}}}\n"}
    )
    monkeypatch.chdir(tmp_path)
    with app_server(lambda: app) as server:
        monkeypatch.setenv("MODELYARD_URL", server.url)
        monkeypatch.setenv("MODELYARD_TOKEN", "t")
        assert main(["datastore", "create", "-f", "blob.yml", "-o", "none"]) == 0
        assert main(["connection", "create", "-f", "git.yml", "--set", f"api_key={SECRET}", "-o", "none"]) == 0
        ssh = ["--admin-username", "u", "--admin-password", SECRET]
        assert main(["compute", "create", "-n", "c", "--type", "amlcompute", *ssh, "-o", "none"]) == 0
    said = capsys.readouterr()
    assert [b"account_name" in sent[0], b"***@example.com" in sent[1], b"aml_compute" in sent[2]] == [True] * 3
    assert SECRET.encode() not in b"".join(sent)
    assert SECRET not in said.out + said.err + caplog.text
    assert "accepted without effect: credentials" in said.err
    assert "EXTERNAL_S3_*" in said.err
    assert "what looks like a secret in `sas_token`" in said.err


def test_a_datastore_by_its_file(environment: Platform, write: Write, capsys: Capture) -> None:
    write({"blob.yml": "name: blobs\ntype: azure_blob\naccount_name: a\ncontainer_name: c\n"})
    assert main(["datastore", "create", "-f", "blob.yml", "--set", "description=raw"]) == 0
    capsys.readouterr()
    show = ["datastore", "show", "-n", "blobs", "--query", "[account_name, description]", "-o", "tsv"]
    assert asked(capsys, *show) == "a\nraw"
    assert main(["datastore", "update", "-f", "blob.yml", "--set", "account_name=b"]) == 0
    capsys.readouterr()
    assert asked(capsys, *show[:4], "--query", "account_name", "-o", "tsv") == "b"
    assert asked(capsys, "datastore", "list", "--query", "[].name", "-o", "tsv") == "blobs\nworkspaceblobstore"
    assert asked(capsys, "datastore", "delete", "-n", "blobs") == ""


def test_a_folder_with_resources_is_applied(environment: Platform, write: Write, capsys: Capture) -> None:
    write(
        {
            "azure/cluster.yml": "$schema: https://azuremlschemas.azureedge.net/latest/amlCompute.schema.json\n"
            "name: cpu\ntype: amlcompute\nmax_instances: 2\n",
            "azure/blob.yml": "$schema: https://azuremlschemas.azureedge.net/latest/azureBlob.schema.json\n"
            "name: blobs\ntype: azure_blob\naccount_name: a\ncontainer_name: c\n",
            "azure/git.yml": "$schema: http://azureml/sdk-2-0/Connection.json\nname: git\ntype: git\ntarget: https://example.com\n",
        }
    )
    assert main(["apply", "-f", "azure", "--query", "[].[what, name]", "-o", "tsv"]) == 0
    assert capsys.readouterr().out == "compute\tcpu\ndatastore\tblobs\nconnection\tgit\n"


def test_a_job_is_described_and_put_out_of_the_way(environment: Platform, write: Write, capsys: Capture) -> None:
    write({"job.yml": "type: command\ncommand: ls\nenvironment: {image: python}\ntags: {team: a}\n"})
    assert main(["job", "create", "-f", "job.yml", "-n", "j"]) == 0
    said = ["display_name=first try", "experiment_name=delays", "description=d", "tags.hello=1"]
    assert main(["job", "update", "-n", "j", "--set", *said]) == 0
    capsys.readouterr()
    query = "[display_name, experiment_name, description, tags]"
    expected = ["first try", "delays", "d", {"team": "a", "hello": "1"}]
    assert json.loads(asked(capsys, "job", "show", "-n", "j", "--query", query)) == expected
    assert main(["job", "update", "-n", "j", "--set", "command=x"]) == 2
    assert (
        "`command` cannot change; what can: display_name, experiment_name, description, tags" in capsys.readouterr().err
    )
    assert main(["job", "update", "-n", "j"]) == 2
    assert main(["job", "archive", "-n", "j"]) == 1
    assert "archive it when it has ended" in capsys.readouterr().err
    assert main(["job", "cancel", "-n", "j"]) == 0
    assert main(["job", "archive", "-n", "j"]) == 0
    capsys.readouterr()
    listed = ["job", "list", "--query", "[].name", "-o", "tsv"]
    assert asked(capsys, *listed) == ""
    assert asked(capsys, *listed, "--include-archived") == "j"
    assert asked(capsys, *listed, "--archived-only", "--all-results", "true") == "j"
    assert main(["job", "restore", "-n", "j"]) == 0
    capsys.readouterr()
    assert asked(capsys, *listed) == "j"
    steps = ["job", "list", "--parent-job-name", "j"]
    assert asked(capsys, *steps, "--query", "[].[name, status]", "-o", "tsv") == "main\tCanceled"
    assert asked(capsys, *steps, "-o", "table").split()[:3] == ["name", "status", "attempt"]


def test_configure_says_where_one_is(environment: Platform, capsys: Capture) -> None:
    assert main(["configure", "--defaults", "group=rg", "workspace=ws"]) == 0
    assert "defaults are not kept" in capsys.readouterr().err
    assert asked(capsys, "configure", "-l", "--query", "[?name=='workspace'].value", "-o", "tsv") == "default"


def test_flags_of_az_make_what_they_say(environment: Platform, write: Write, capsys: Capture) -> None:
    write({"clf/model.pkl": "p", "context/Dockerfile": "FROM scratch\n"})
    create = ["model", "create", "--name", "m", "--path", "clf", "--tags", "team=a", "a.kind=b", "--stage", "Staging"]
    query = ["--query", "[tags, stage]"]
    assert json.loads(asked(capsys, *create, *query)) == [{"team": "a", "a.kind": "b"}, "Staging"]
    assert asked(capsys, "model", "list", "-s", "Staging", "--query", "[].name", "-o", "tsv") == "m"
    assert main(["model", "archive", "-n", "m", "-v", "1"]) == 0
    capsys.readouterr()
    assert asked(capsys, "model", "list", "--archived-only", "--query", "[].name", "-o", "tsv") == "m"
    assert asked(capsys, "model", "list", "-o", "none") == ""
    build = ["environment", "create", "-n", "e", "--build-context", "context", "--dockerfile-path", "Dockerfile"]
    assert asked(capsys, *build, "--query", "spec.build.dockerfile_path", "-o", "tsv") == "Dockerfile"
