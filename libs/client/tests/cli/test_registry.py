"""What is found, changed, shared and told of assets."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from libs.client.tests.conftest import Platform

from modelyard import Client
from modelyard.cli import main
from modelyard.cli.datasets import diff_drawn, rows_drawn
from modelyard.cli.lineage import drawn
from modelyard_platform.manifests import Signer, new_private_key
from modelyard_testing.stacks import eventually

Write = Callable[[dict[str, str]], Path]
Capture = pytest.CaptureFixture[str]


def said(capsys: Capture, *arguments: str) -> str:
    """What a command that succeeds prints."""
    capsys.readouterr()
    assert main(list(arguments)) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_versions_are_changed_and_found(environment: Platform, write: Write, capsys: Capture) -> None:
    write({"clf/model.pkl": "p", "model.yml": "name: delay\npath: clf\ntags: {team: a, old: x}\n"})
    for _ in range(2):
        said(capsys, "model", "create", "-f", "model.yml")
    said(capsys, "model", "create", "-n", "other", "--path", "clf", "-d", "another one")
    changed = json.loads(
        said(
            capsys, "model", "update", "-n", "delay", "-v", "1", "--set", "tags.TagName=TagValue", "description=the first",
            "--remove", "tags.old", "--stage", "Production", "--add", "tags", "checked=yes",
        )
    )  # fmt: skip
    assert changed["tags"] == {"team": "a", "TagName": "TagValue", "checked": "yes"}
    assert (changed["description"], changed["stage"]) == ("the first", "Production")
    assert main(["model", "update", "-n", "delay", "-v", "1", "--set", "path=elsewhere"]) == 2
    assert "`path` cannot change" in capsys.readouterr().err

    def found(*flags: str) -> str:
        return said(capsys, "model", "list", *flags, "--query", "[].join(':', [name, version])", "-o", "tsv")

    assert found() == "delay:2\nother:1\n"
    assert found("--search", "TagName=TagValue") == "delay:1\n"
    assert found("--tag", "checked", "--stage", "Production", "--created-by", "user:owner") == "delay:1\n"
    assert found("--tag", "team=a", "--all-versions", "--sort=-version") == "delay:2\ndelay:1\n"
    assert found("-n", "del*") == "delay:2\n"
    assert found("-n", "delay", "--tag", "old") == "delay:2\n"
    assert found("--search", "another") == "other:1\n"
    assert found("--created-before", "2020-01-01") == ""
    assert main(["model", "list", "--search", "stag:Production"]) == 2
    assert "stag" in capsys.readouterr().err


def test_a_version_is_shared(environment: Platform, write: Write, capsys: Capture, tmp_path: Path) -> None:
    write({"clf/model.pkl": "p", "model.yml": "name: delay\npath: clf\n"})
    said(capsys, "model", "create", "-f", "model.yml")
    said(capsys, "registry", "create", "-n", "company", "--description", "for all")
    assert said(capsys, "registry", "list", "--query", "[].name", "-o", "tsv") == "company\n"
    share = ("model", "share", "-n", "delay", "-v", "1", "--registry-name", "company", "--share-with-name", "late")
    assert json.loads(said(capsys, *share))["name"] == "late"
    assert (
        said(capsys, "model", "show", "-n", "late", "-v", "1", "--registry", "company", "--query", "name") == '"late"\n'
    )
    assert said(capsys, "model", "list", "--registry-name", "company", "--query", "[].name", "-o", "tsv") == "late\n"
    said(capsys, "model", "download", "-n", "late", "-v", "1", "--registry-name", "company", "-p", "got")
    assert (tmp_path / "got/late/clf/model.pkl").read_text() == "p"
    assert main(["model", "show", "-n", "late"]) == 1
    assert main(["model", "show", "-n", "late", "--registry-name", "nowhere"]) == 1
    assert "nowhere" in capsys.readouterr().err

    made = json.loads(said(capsys, "workspace", "create", "-n", "team-b"))
    said(capsys, "workspace", "create", "-n", "team-c")
    lists = said(
        capsys, "registry", "update", "-n", "company", "--add-writer", "team-b", "team-c", "--remove-writer", "team-c",
        "--query", "writers",
    )  # fmt: skip
    assert json.loads(lists) == ["default", "team-b"]
    said(capsys, "registry", "create", "-n", "lab", "--writer", "team-b", "--writer", "team-c")
    assert json.loads(said(capsys, "registry", "show", "-n", "lab", "--query", "writers")) == [
        "default",
        "team-b",
        "team-c",
    ]
    assert main(["registry", "update", "-n", "lab", "--add-writer", "team-x"]) == 2
    assert "team-c" in capsys.readouterr().err
    assert said(capsys, "workspace", "show", "--query", "mlflow_tracking_uri", "-o", "tsv") == f"{environment.url}\n"
    with Client(environment.url, made["token"]) as other:
        assert other.models.list() == []
        assert other.registry("company").models.get("late")["version"] == "1"


def test_what_is_asked_of_a_registry_is_not_done_in_the_workspace(
    environment: Platform, write: Write, capsys: Capture
) -> None:
    write({"clf/model.pkl": "p"})
    said(capsys, "model", "create", "-n", "delay", "--path", "clf")
    said(capsys, "registry", "create", "-n", "company")
    there = ("--registry-name", "company")
    said(capsys, "model", "share", "-n", "delay", "-v", "1", *there)
    one = ("-n", "delay", "-v", "1")
    said(capsys, "model", "update", *one, *there, "--set", "description=shared")
    said(capsys, "model", "set-alias", *one, *there, "--alias", "champion")
    said(capsys, "model", "archive", *one, *there)
    query = ("--query", "[description, aliases, archived]")
    assert json.loads(said(capsys, "model", "show", *one, *query)) == ["", [], False]
    assert json.loads(said(capsys, "model", "show", *one, *there, *query)) == ["shared", ["champion"], True]
    said(capsys, "model", "restore", *one, *there)
    said(capsys, "model", "remove-alias", "-n", "delay", *there, "--alias", "champion")
    said(capsys, "model", "delete", *one, *there, "--yes")
    assert said(capsys, "model", "list", *there, "--query", "[].name", "-o", "tsv") == ""
    assert said(capsys, "model", "list", "--query", "[].name", "-o", "tsv") == "delay\n"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("model create -n delay --path clf", "`modelyard model share"),
        ("model explain -n delay -v 1", "leave --registry-name out"),
        ("model card export -n delay -v 1", "leave --registry-name out"),
        ("model verify -n delay -v 1", "leave --registry-name out"),
        ("data preview -n delays -v 1", "leave --registry-name out"),
    ],
)
def test_what_only_a_workspace_can_do_is_refused_for_a_registry(line: str, says: str, capsys: Capture) -> None:
    assert main([*line.split(), "--registry-name", "company"]) == 1
    assert says in capsys.readouterr().err


def test_lineage_and_audit_are_told(environment: Platform, capsys: Capture) -> None:
    said(
        capsys, "model", "create", "-n", "m", "--path", "https://example.com/m", "--job", "train", "--reason", "by hand"
    )
    with Client() as client:
        eventually(lambda: client.audit(type="model.registered"))
    assert said(capsys, "lineage", "model/m:1").splitlines()[1].startswith("└─ made: ")
    assert json.loads(said(capsys, "lineage", "model/m:1", "-o", "json"))["edges"][0]["source"] == "jobs/train"
    assert main(["lineage", "model/none:1"]) == 1
    assert main(["lineage", "nonsense"]) in {1, 2}
    row = said(capsys, "audit", "--actor", "user:owner", "--query", "[0].[type, subject, reason]", "-o", "tsv")
    assert row == "model.registered\nmodels/m/versions/1\nby hand\n"


def test_a_card_is_written_and_exported(environment: Platform, capsys: Capture, tmp_path: Path) -> None:
    said(capsys, "model", "create", "-n", "m", "--path", "https://example.com/m")
    with Client() as client:
        eventually(lambda: client.audit(type="model.registered"))
    edit = ("model", "card", "edit", "-n", "m", "-v", "1", "--section", "limitations=Flights of 2013 only.")
    assert json.loads(said(capsys, *edit))["sections"]["limitations"]["text"] == "Flights of 2013 only."
    assert "Flights of 2013 only." in said(capsys, "model", "card", "show", "-n", "m")
    said(capsys, "model", "card", "export", "-n", "m", "-p", "CARD.md")
    assert (tmp_path / "CARD.md").read_text().startswith("#")
    assert main(["model", "card", "edit", "-n", "m", "--section", "metrics=great"]) == 2
    assert "metrics" in capsys.readouterr().err


def test_files_are_held_against_what_was_signed(
    environment: Platform, write: Write, capsys: Capture, signing_key: Path, tmp_path: Path
) -> None:
    write({"clf/model.pkl": "p", "model.yml": "name: m\npath: clf\n"})
    said(capsys, "model", "create", "-f", "model.yml")
    with Client() as client:
        eventually(lambda: client.models.get("m")["manifest"])
    assert json.loads(said(capsys, "model", "verify", "-n", "m"))["verified"] is True
    said(capsys, "model", "download", "-n", "m", "-p", "got")
    (tmp_path / "trusted.pub").write_text(Signer.read(signing_key).public_key)
    (tmp_path / "other.pub").write_text(Signer(new_private_key()).public_key)
    local = ("model", "verify", "-n", "m", "--folder", "got/m")
    assert json.loads(said(capsys, *local, "--public-key", "trusted.pub"))["files"] == 1
    assert main([*local, "--public-key", "other.pub"]) == 1
    assert "is trusted" in capsys.readouterr().err
    (tmp_path / "got/m/clf/model.pkl").write_text("q")
    assert main(list(local)) == 1
    assert "default/models/m/versions/1 is refused" in capsys.readouterr().err
    assert main([*local, "--public-key", "model.yml"]) == 1
    assert "public key cannot be used" in capsys.readouterr().err


def test_data_is_looked_into(environment: Platform, write: Write, capsys: Capture) -> None:
    for factor in (1, 3):
        rows = "".join(f"{index * factor},{index % 7}\n" for index in range(300))
        write({"in/t.csv": f"a,b\n{rows}", "data.yml": "name: d\npath: in\ntype: uri_folder\n"})
        said(capsys, "data", "create", "-f", "data.yml")
    with Client() as client:
        eventually(lambda: all((one["profile"] or {}).get("status") == "profiled" for one in client.data.list("d")))
    assert (
        said(capsys, "data", "preview", "-n", "d", "-v", "1", "--rows", "2")
        .splitlines()[-1]
        .startswith("… more from row 2")
    )
    assert json.loads(said(capsys, "data", "preview", "-n", "d", "-v", "2", "-o", "json"))["rows"][1] == [3, 1]
    assert "d:1, 300 rows" in said(capsys, "data", "profile", "-n", "d", "-v", "1")
    told = said(capsys, "data", "diff", "-n", "d", "1", "2")
    assert "d:1 → d:2" in told
    assert "rows: 300 → 300 (+0)" in told
    assert json.loads(said(capsys, "data", "diff", "-n", "d", "1", "-o", "json"))["table"]["drifted"] == ["a"]
    assert main(["data", "diff", "-n", "d", "1", "9"]) == 1


def test_graphs_are_drawn_as_trees() -> None:
    def node(name: str) -> dict[str, object]:
        return {"id": name, "title": name.upper(), "state": None, "by": None, "time": None, "more": name == "d"}

    def edge(source: str, target: str, relation: str) -> dict[str, object]:
        return {"source": source, "target": target, "relation": relation, "until": None}

    edges = [
        edge("b", "a", "made"),
        edge("c", "a", "data"),
        edge("d", "b", "code"),
        edge("b", "c", "made"),
        edge("a", "e", "answers"),
    ]
    graph = {
        "node": "a",
        "direction": "both",
        "nodes": [node(name) for name in "abcde"],
        "edges": edges,
        "complete": False,
    }
    assert drawn(graph).splitlines() == [
        "A",
        "rests on:",
        "├─ made: B",
        "│  └─ code: D …",
        "└─ data: C",
        "   └─ made: B (see above)",
        "what rests on it:",
        "└─ answers: E",
        "… there is more: a greater --depth, or a node further on, shows it",
    ]


def test_differences_and_rows_are_drawn_whatever_is_missing() -> None:
    side = {"name": "d", "version": "1"}
    alone = {
        "from": side,
        "to": side | {"version": "2"},
        "identical": False,
        "files": None,
        "table": None,
        "notes": ["a side stays outside"],
    }
    assert diff_drawn(alone) == "d:1 → d:2\na side stays outside"
    assert diff_drawn(alone | {"identical": True, "notes": []}) == "d:1 → d:2\nthe same files"
    page = {"file": "t.csv", "columns": [{"name": "a", "type": "int64"}], "rows": [[1], [None]], "next": None}
    assert rows_drawn(page).splitlines() == ["t.csv", "a", "-", "1"]
