import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from libs.client.tests.conftest import Platform

from modelyard import Client
from modelyard.cli import main
from modelyard.cli.events import told
from modelyard.cli.words import _WORDS, in_words
from modelyard_contracts import EVENT_TYPES
from modelyard_testing.stacks import eventually

Write = Callable[[dict[str, str]], Path]
Capture = pytest.CaptureFixture[str]


def test_why_is_told_oldest_first(environment: Platform, write: Write, capsys: Capture) -> None:
    for _ in range(2):
        assert main(["model", "create", "-n", "m", "--path", "https://example.com/m", "--reason", "made by hand"]) == 0
    assert main(["model", "set-alias", "-n", "m", "-v", "1", "--alias", "champion"]) == 0
    write({"figures.json": json.dumps({"candidate": {"auc": 0.9}, "champion": {"auc": 0.8}})})
    capsys.readouterr()
    promote = ["promotion", "request", "--model", "m", "--candidate", "2", "--evidence", "figures.json"]
    assert main([*promote, "--criterion", "candidate.auc > champion.auc", "--query", "status", "-o", "tsv"]) == 0
    assert capsys.readouterr().out == "approved\n"
    assert main([*promote, "--criterion", "candidate.auc > champion.auc + 0.5"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["status"] == "rejected"
    assert "m:2 was rejected" in captured.err
    with Client() as client:
        eventually(lambda: client.events.list(type="promotion.rejected"))

    for what in ("model/m:2", "models/m/versions/2"):
        assert main(["why", what]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert "model m:2 was registered" in lines[0]
        assert lines[1].strip() == 'by user:owner: "made by hand"'
        assert "may take the place of version 1: candidate.auc > champion.auc" in lines[-2]
        assert "because of [1], [2]" in lines[-1]
    assert main(["why", "model/m:9"]) == 1
    assert "nothing is known about models/m/versions/9" in capsys.readouterr().err
    assert main(["event", "list", "--type", "promotion.approved", "--query", "[].subject", "-o", "tsv"]) == 0
    assert capsys.readouterr().out == "models/m/versions/2\n"
    assert main(["promotion", "list", "--query", "[].status", "-o", "tsv"]) == 0
    assert capsys.readouterr().out == "rejected\napproved\n"


def test_every_event_has_words() -> None:
    spoken = {*_WORDS, "drift.detected", "endpoint.traffic_changed"}
    assert {name for name in EVENT_TYPES if name not in spoken} == set()
    assert in_words("a.b", "things/1", {}) == "a.b of things/1"
    for name in EVENT_TYPES:
        assert "{" not in in_words(name, "s", {})


def test_words_say_what_matters() -> None:
    traffic = {"endpoint": "e", "traffic": {"blue": 90, "green": 10}, "previous": {"blue": 100, "green": 0}}
    assert in_words("endpoint.traffic_changed", "endpoints/e", traffic) == (
        "traffic of e became blue 90 %, green 10 % (it was blue 100 %)"
    )
    feature = {"feature": "temp", "measure": "normalized_wasserstein_distance", "value": 1.2345, "threshold": 0.5}
    drift = {"endpoint": "e", "deployment": "blue", "rows": 500, "features": [feature | {"drifted": True}] * 6}
    said = in_words("drift.detected", "s", drift)
    assert said.startswith("e/blue drifted on 500 rows: temp (normalized_wasserstein_distance 1.23 > 0.5), temp")
    assert said.endswith("and 2 more")
    fact: dict[str, Any] = {
        "type": "job.completed",
        "subject": "jobs/j",
        "time": "2026-11-23T12:00:05.123Z",
        "actor": "job:j",
    }
    facts = [
        fact | {"id": str(n), "reason": None, "data": {"job": "j", "seconds": 1.5}, "because": ["0"] if n else []}
        for n in range(2)
    ]
    assert told(facts).splitlines() == [
        "[1]  2026-11-23 12:00:05Z  job j completed in 1.5 s",
        f"{' ' * 27}by job:j",
        "[2]  2026-11-23 12:00:05Z  job j completed in 1.5 s",
        f"{' ' * 27}by job:j, because of [1]",
    ]


def test_tokens_and_triggers(environment: Platform, write: Write, capsys: Capture) -> None:
    assert (
        main(["token", "create", "-n", "ci", "--role", "reader", "--days", "3", "--query", "token", "-o", "tsv"]) == 0
    )
    assert len(capsys.readouterr().out) > 20
    assert main(["token", "delete", "-n", "ci", "-y"]) == 0
    assert main(["dead-letter", "list", "-o", "table"]) == 0

    write({"job.yml": "type: command\ncommand: echo\nenvironment: {image: x}\n"})
    write({"trigger.yml": "type: trigger\nname: t\non: {type: drift.detected}\ncreate_job: job.yml\n"})
    for group in ("trigger", "schedule"):
        assert main([group, "create", "-f", "trigger.yml"]) == 0
        capsys.readouterr()
        assert main([group, "show", "-n", "t", "--query", "spec.create_job.command", "-o", "tsv"]) == 0
        assert capsys.readouterr().out == "echo\n"
        for verb, enabled in (("disable", "false"), ("enable", "true")):
            assert main([group, verb, "-n", "t"]) == 0
            capsys.readouterr()
            assert main([group, "show", "-n", "t", "--query", "enabled", "-o", "tsv"]) == 0
            assert capsys.readouterr().out == f"{enabled}\n"
        assert main([group, "update", "-n", "t", "--set", "cooldown=60"]) == 0
        assert json.loads(capsys.readouterr().out)["spec"]["cooldown"] == 60
        assert main([group, "update", "-n", "t", "--set", "coldown=60"]) == 2
        assert "did you mean `cooldown`?" in capsys.readouterr().err
        assert main([group, "delete", "-n", "t", "--yes"]) == 0
    write({"nightly.yml": "name: n\ntrigger: {type: cron, expression: '0 1 * * *'}\ncreate_job: job.yml\n"})
    assert main(["schedule", "create", "-f", "nightly.yml"]) == 2
    assert "nightly.yml:2:1: trigger: jobs at certain times are not supported yet" in capsys.readouterr().err
