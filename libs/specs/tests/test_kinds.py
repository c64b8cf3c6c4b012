"""Every kind, from files as users write them."""

import json
from pathlib import Path

import pytest

from modelyard_specs import AssetLabel, Document, Group, Kind, SpecError, load, load_mapping, parse_reference
from modelyard_specs.kinds.automation import Subscription, Trigger
from modelyard_specs.kinds.base import Opaque
from modelyard_specs.kinds.components import SweepStep
from modelyard_specs.kinds.jobs import CommandComponent, CommandJob, PipelineJob
from modelyard_specs.kinds.online import OnlineDeployment, OnlineEndpoint
from modelyard_specs.kinds.schedules import DataDrift, JobSchedule, MonitorSchedule, RecurrenceTrigger
from modelyard_specs.kinds.sweeps import Uniform

FIXTURES = Path(__file__).parent / "fixtures"

FILES: list[tuple[str, Kind, tuple[str, ...]]] = [
    ("pipeline/command.yml", "command_job", ("identity", "services", "compute", "inputs.rows.mode")),
    ("pipeline/bare_command.YAML", "command_job", ()),
    ("pipeline/train.yml", "command_component", ("resources.shm_size",)),
    (
        "pipeline/pipeline.yml",
        "pipeline_job",
        ("settings.default_datastore", "settings.default_compute", "jobs.train-job.component.resources.shm_size"),
    ),
    ("pipeline/sweep_node.yml", "pipeline_job", ("jobs.tune.trial.resources.shm_size",)),
    ("assets/data.yml", "data", ()),
    ("assets/mltable.yml", "data", ()),
    ("assets/model.yml", "model", ()),
    ("assets/job_model.yml", "model", ()),
    ("assets/environment.yml", "environment", ("os_type",)),
    ("assets/build.yml", "environment", ()),
    ("online/endpoint.yml", "online_endpoint", ("public_network_access",)),
    (
        "online/blue.yml",
        "online_deployment",
        (
            "data_collector.collections.model_outputs.data",
            "data_collector.rolling_rate",
            "app_insights_enabled",
            "instance_type",
            "liveness_probe",
        ),
    ),
    (
        "online/kubernetes.yml",
        "online_deployment",
        ("request_settings.max_queue_wait_ms", "resources.limits", "scale_settings"),
    ),
    (
        "schedules/nightly.yml",
        "job_schedule",
        (
            "create_job.job.settings.default_datastore",
            "create_job.job.settings.default_compute",
            "create_job.job.jobs.train-job.component.resources.shm_size",
        ),
    ),
    (
        "schedules/cron.yml",
        "job_schedule",
        ("create_job.identity", "create_job.services", "create_job.compute", "create_job.inputs.rows.mode"),
    ),
    (
        "schedules/monitor.yml",
        "monitor_schedule",
        (
            "create_monitor.compute",
            "create_monitor.monitoring_target.ml_task",
            "create_monitor.monitoring_signals.drift.reference_data.data_column_names",
        ),
    ),
    ("schedules/least_monitor.yml", "monitor_schedule", ("create_monitor.monitoring_target.ml_task",)),
    (
        "schedules/retrain.yml",
        "trigger",
        (
            "create_job.settings.default_datastore",
            "create_job.settings.default_compute",
            "create_job.jobs.train-job.component.resources.shm_size",
        ),
    ),
    ("schedules/chat.yml", "subscription", ()),
    ("schedules/webhook.yml", "subscription", ()),
]


@pytest.mark.parametrize(("name", "kind", "ignored"), FILES, ids=[name for name, _, _ in FILES])
def test_a_file_is_read_as_its_kind(name: str, kind: Kind, ignored: tuple[str, ...]) -> None:
    document = load(FIXTURES / name)
    assert document.kind == kind
    assert set(document.ignored) == set(ignored)


@pytest.mark.parametrize("name", [name for name, _, _ in FILES])
def test_a_spec_survives_json(name: str) -> None:
    document = load(FIXTURES / name)
    again = load_mapping(json.loads(json.dumps(document.spec())))
    assert (again.kind, again.spec()) == (document.kind, document.spec())


def _load(name: str) -> Document:
    return load(FIXTURES / name)


def test_command_job() -> None:
    job = _load("pipeline/command.yml").model
    assert isinstance(job, CommandJob)
    assert job.command == (
        'python train.py --rows ${{inputs.rows}} --learning-rate ${{inputs.learning_rate}} --out "${{outputs.model}}"'
    )
    assert job.inputs["learning_rate"] == 1e-3
    assert job.environment_variables == {"OMP_NUM_THREADS": "1", "DEBUG": "true"}
    assert job.tags == {"owner": "ml", "cost": "12"}
    assert job.limits is not None
    assert job.limits.timeout == 3600
    assert job.code == parse_reference("src")
    assert job.outputs["model"].type == "uri_folder"


def test_component_keeps_its_version_as_written() -> None:
    component = _load("pipeline/train.yml").model
    assert isinstance(component, CommandComponent)
    assert component.version == "1.10"
    assert component.inputs["training_data"].required
    assert not component.inputs["learning_rate"].required
    assert not component.inputs["note"].required


def test_pipeline_reads_its_component_files_and_warns_of_unknown_inputs() -> None:
    document = _load("pipeline/pipeline.yml")
    assert isinstance(document.model, PipelineJob)
    assert list(document.model.jobs) == ["prep-job", "train-job", "register-job"]
    assert list(document.files) == [("jobs", "train-job", "component")]
    assert [(w.path, w.line) for w in document.warnings] == [("jobs.train-job.inputs.verbose", 31)]


def test_a_sweep_node_has_a_trial() -> None:
    model = _load("pipeline/sweep_node.yml").model
    assert isinstance(model, PipelineJob)
    tune = model.jobs["tune"]
    assert isinstance(tune, SweepStep)
    assert (tune.limits.max_total_trials, tune.limits.max_concurrent_trials) == (4, 2)
    assert isinstance(tune.search_space["learning_rate"], Uniform)


def test_online() -> None:
    endpoint, blue, green = (_load(f"online/{name}.yml").model for name in ("endpoint", "blue", "kubernetes"))
    assert isinstance(endpoint, OnlineEndpoint)
    assert endpoint.auth_mode == "key"
    assert isinstance(blue, OnlineDeployment)
    assert blue.data_collector is not None
    assert blue.data_collector.collections["model_inputs"].enabled is True
    assert blue.environment_variables == {"WORKERS": "2"}
    assert isinstance(green, OnlineDeployment)
    assert green.model == AssetLabel("flight-delay", "champion")
    assert green.resources is not None
    assert green.resources.limits is not None
    assert green.resources.limits.nvidia_gpu == "1"


def test_schedules() -> None:
    nightly, monitor = _load("schedules/nightly.yml").model, _load("schedules/monitor.yml").model
    assert isinstance(nightly, JobSchedule)
    assert isinstance(nightly.trigger, RecurrenceTrigger)
    assert nightly.trigger.schedule is not None
    assert nightly.trigger.schedule.minutes == [0]
    assert nightly.trigger.schedule.week_days == ["monday", "friday"]
    assert isinstance(monitor, MonitorSchedule)
    target = monitor.create_monitor.monitoring_target
    assert target is not None
    assert target.deployment == ("flights", "blue")
    drift = monitor.create_monitor.monitoring_signals["drift"]
    assert isinstance(drift, DataDrift)
    assert drift.features == ["dep_delay", "distance"]
    assert drift.metric_thresholds.numerical.normalized_wasserstein_distance == 0.1
    assert isinstance(monitor.create_monitor.monitoring_signals["attribution"], Opaque)


def test_own_kinds() -> None:
    trigger, chat, webhook = (_load(f"schedules/{name}.yml").model for name in ("retrain", "chat", "webhook"))
    assert isinstance(trigger, Trigger)
    assert trigger.on.type == "drift.detected"
    assert trigger.on.filter.data == {"signal": "drift"}
    assert trigger.cooldown == 3600
    assert isinstance(chat, Subscription)
    assert chat.subjects == ["endpoints/*"]
    assert isinstance(webhook, Subscription)
    assert webhook.format == "eventgrid"
    assert "s3cret" not in repr(webhook)


JOBS = {"a": {"command": "ls", "environment": "azureml:a:1"}}
SWEEP = {
    "trial": {"command": "ls", "environment": "azureml:a:1"},
    "objective": {"goal": "maximize", "primary_metric": "auc"},
    "limits": {"max_total_trials": 2},
}


@pytest.mark.parametrize(
    ("value", "group", "kind"),
    [
        ({"name": "m", "path": "azureml:x:1"}, "model", "model"),
        ({"name": "d", "path": "azureml:x:1"}, "data", "data"),
        ({"type": "sweep", **SWEEP}, None, "sweep_job"),
        ({"$schema": "https://x/latest/sweepJob.schema.json", "type": "Sweep", **SWEEP}, None, "sweep_job"),
        ({"type": "spark", "entry": {"file": "x.py"}}, None, "opaque_job"),
        ({"$schema": "https://x/latest/pipelineComponent.schema.json", "jobs": JOBS}, None, "pipeline_component"),
        ({"$schema": "https://x/latest/sparkComponent.schema.json", "type": "spark"}, None, "opaque_component"),
        ({"name": "b", "endpoint_name": "e", "model": "azureml:m:1", "mini_batch_size": 2}, None, "batch_deployment"),
        ({"$schema": "http://azureml/sdk-2-0/BatchDeployment.json", "name": "b", "model": "azureml:m:1"}, None,
         "batch_deployment"),
        ({"name": "e", "auth_mode": "aad_token", "defaults": {"deployment_name": "b"}}, None, "batch_endpoint"),
        ({"name": "c", "type": "AmlCompute", "size": "s"}, None, "compute"),
        ({"name": "w", "location": "x"}, "workspace", "workspace"),
        ({"command": "ls", "environment": "azureml:a:1"}, "component", "command_component"),
        ({"command": "ls", "environment": "azureml:a:1", "inputs": {"x": {"type": "string"}}}, None,
         "command_component"),
        ({"name": "abc", "auth_mode": "aml_token"}, None, "online_endpoint"),
    ],
)  # fmt: skip
def test_kinds_by_group_schema_and_shape(value: dict[str, object], group: Group | None, kind: Kind) -> None:
    assert load_mapping(value, group=group).kind == kind


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        ({"name": "c", "channels": [], "dependencies": []}, "other", "conda environment"),
        ({"python": "3.9", "dependencies": []}, "other", "python_env"),
        ({"hello": 1}, "invalid", "kind cannot be told"),
        ({"$schema": "https://x/latest/featureSet.schema.json", "name": "b"}, "unsupported", "feature sets"),
    ],
)
def test_what_is_no_kind_says_why(value: dict[str, object], code: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        load_mapping(value)
    assert caught.value.code == code
