import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from libs.client.tests.conftest import Platform, Servers

from drift_monitor.app import build as build_drift_monitor
from drift_monitor.settings import Settings as DriftMonitorSettings
from modelyard import Client
from modelyard.cli import main
from modelyard_testing.apps import AppServer, app_server
from notifier.app import build as build_notifier
from notifier.settings import Settings as NotifierSettings

Write = Callable[[dict[str, str]], Path]
Capture = pytest.CaptureFixture[str]

MONITOR = """
name: watch
trigger: {type: recurrence, frequency: minute, interval: 5}
create_monitor:
  compute: {instance_type: standard_e4s_v3, runtime_version: '3.4'}
  monitoring_target: {ml_task: classification, endpoint_deployment_id: 'azureml:flights:blue'}
  monitoring_signals:
    inputs:
      type: data_drift
      reference_data:
        input_data: {path: 'azureml:training:1', type: uri_folder}
        data_context: training
      metric_thresholds:
        numerical: {normalized_wasserstein_distance: 0.5}
"""


@pytest.fixture
def others(servers: Servers, registry: AppServer) -> Iterator[dict[str, str]]:
    """The real notifier and drift monitor."""
    notifying = NotifierSettings(**servers.common, postgres_dsn=servers.dsn("notifier"))
    watching = DriftMonitorSettings(
        **servers.common, postgres_dsn=servers.dsn("drift_monitor"), registry_url=registry.url
    )
    with (
        app_server(lambda: build_notifier(notifying)) as notifier,
        app_server(lambda: build_drift_monitor(watching)) as drift_monitor,
    ):
        yield {"notifier_url": notifier.url, "drift_monitor_url": drift_monitor.url}


def test_a_subscriptions_life(environment: Platform, write: Write, capsys: Capture) -> None:
    write({"hook.yml": "type: webhook\nname: hook\nurl: https://example.com/h\nsecret: s3cret\nevents: [drift.*]\n"})
    assert main(["subscription", "create", "-f", "hook.yml", "--set", "events[1]=job.failed"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["events"] == ["drift.*", "job.failed"]
    assert "s3cret" not in captured.out + captured.err
    assert main(["subscription", "list", "--query", "[].name", "-o", "tsv"]) == 0
    assert capsys.readouterr().out == "hook\n"
    assert main(["subscription", "deliveries", "-n", "hook"]) == 0
    assert capsys.readouterr().out == "[]\n"
    assert main(["subscription", "delete", "-n", "hook", "--yes"]) == 0
    assert main(["subscription", "show", "-n", "hook"]) == 1
    assert "there are no subscriptions yet" in capsys.readouterr().err
    write({"bad.yml": "type: webhook\nname: hook\nurl: example.com\nevents: [drift]\n"})
    assert main(["subscription", "create", "-f", "bad.yml"]) == 2
    assert {line.split(": ")[1] for line in capsys.readouterr().err.splitlines()} == {"url", "events[0]"}


def test_a_monitors_life(environment: Platform, write: Write, capsys: Capture) -> None:
    rows = "".join(f"{index},{index % 7}\n" for index in range(200))
    with Client() as client:
        client.data.create(write({"training/t.csv": f"a,b\n{rows}", "data.yml": "name: training\npath: training\n"}))
    write({"monitor.yml": MONITOR})
    assert main(["schedule", "create", "--file", "monitor.yml"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["deployment"] == "blue"
    assert "note: accepted without effect: create_monitor.compute" in captured.err
    assert main(["schedule", "list", "--query", "[].[kind, name]", "-o", "tsv"]) == 0
    assert capsys.readouterr().out == "monitor\twatch\n"
    assert main(["monitor", "signals", "-n", "watch", "--query", "signals[].state", "-o", "tsv"]) == 0
    assert capsys.readouterr().out == "quiet\n"
    assert main(["schedule", "delete", "-n", "watch", "--yes"]) == 0
    assert main(["monitor", "list"]) == 0
    assert json.loads(capsys.readouterr().out) == []
