"""Schedules: a job at certain times, a monitor, or a data import."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from modelyard_specs.kinds.assets import DataImport, EnvironmentField
from modelyard_specs.kinds.base import (
    AssetRef,
    ComputeRef,
    Flag,
    Inlined,
    InlineTag,
    OneOrMore,
    Opaque,
    ReadOnly,
    Ref,
    RefOrInline,
    RefTag,
    Resource,
    Snake,
    Spec,
    Text,
    Texts,
    Whole,
    WithoutEffect,
)
from modelyard_specs.kinds.jobs import CommandJob, OpaqueJob, PipelineJob, PipelineSettings, is_command
from modelyard_specs.kinds.ports import Input, JobInput, JobOutput
from modelyard_specs.kinds.runs import Distribution, Limits, Resources
from modelyard_specs.references import AssetVersion, Reference

Weekday = Annotated[Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"], Snake]
Hour = Annotated[Whole, Field(ge=0, le=23)]
Minute = Annotated[Whole, Field(ge=0, le=59)]


class _Times(Spec):
    start_time: Text | None = None
    end_time: Text | None = None
    time_zone: Text = "UTC"


class CronTrigger(_Times):
    """A cron expression of five fields."""

    type: Annotated[Literal["cron"], Snake]
    expression: Annotated[str, Field(pattern=r"^\s*\S+(\s+\S+){4}\s*$")]


class RecurrencePattern(Spec):
    """When in the day, week or month; a single value stands for a list of one."""

    hours: Annotated[list[Hour], OneOrMore]
    minutes: Annotated[list[Minute], OneOrMore]
    week_days: Annotated[list[Weekday], OneOrMore] = Field(default_factory=list)
    month_days: Annotated[list[Annotated[Whole, Field(ge=-1, le=31)]], OneOrMore] = Field(default_factory=list)


class RecurrenceTrigger(_Times):
    """Every ``interval`` units of ``frequency``."""

    type: Annotated[Literal["recurrence"], Snake]
    frequency: Annotated[Literal["minute", "hour", "day", "week", "month"], Snake]
    interval: Annotated[Whole, Field(ge=1)]
    schedule: RecurrencePattern | None = None


def _trigger_form(value: object) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "<cron>" if isinstance(kind, str) and kind.lower() == "cron" else "<recurrence>"


TimeTrigger = Annotated[
    Annotated[CronTrigger, Tag("<cron>")] | Annotated[RecurrenceTrigger, Tag("<recurrence>")],
    Discriminator(_trigger_form),
]


def _job_form(value: object) -> str:
    if isinstance(value, BaseModel):
        forms: dict[type, str] = {JobFrom: "<file>", CommandJob: "<command>", PipelineJob: "<pipeline>"}
        return forms.get(type(value), "<opaque>")
    if not isinstance(value, dict):
        return "<reference>"
    if "job" in value:
        return "<file>"
    if "jobs" in value or str(value.get("type", "")).lower() == "pipeline":
        return "<pipeline>"
    return "<command>" if is_command(value) else "<opaque>"


class JobFrom(ReadOnly):
    """A job in a file (or a registered one) with what differs from it."""

    schema_url: Text | None = Field(default=None, alias="$schema")
    parent_job_name: Annotated[Text | None, WithoutEffect()] = None
    type: Text | None = None
    job: Annotated[
        Annotated[Ref, Tag("<reference>")]
        | Annotated[CommandJob, Tag("<command>")]
        | Annotated[PipelineJob, Tag("<pipeline>")]
        | Annotated[OpaqueJob, Tag("<opaque>")],
        Discriminator(_job_form),
        Inlined("job"),
    ]
    name: Text | None = None
    display_name: Text | None = None
    description: Text | None = None
    experiment_name: Text | None = None
    tags: Texts = Field(default_factory=dict)
    properties: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, JobInput] = Field(default_factory=dict)
    outputs: dict[str, JobOutput] = Field(default_factory=dict)
    settings: PipelineSettings | None = None
    compute: Annotated[ComputeRef | None, WithoutEffect()] = None
    environment: EnvironmentField | None = None
    environment_variables: Texts = Field(default_factory=dict)
    resources: Resources | None = None
    limits: Limits | None = None
    distribution: Distribution | None = None
    identity: Annotated[Any, WithoutEffect()] = None
    services: Annotated[Any, WithoutEffect()] = None
    queue_settings: Annotated[Any, WithoutEffect()] = None


CreateJob = Annotated[
    Annotated[Ref, Tag("<reference>")]
    | Annotated[JobFrom, Tag("<file>")]
    | Annotated[CommandJob, Tag("<command>")]
    | Annotated[PipelineJob, Tag("<pipeline>")]
    | Annotated[OpaqueJob, Tag("<opaque>")],
    Discriminator(_job_form),
    Inlined("job"),
]
"""A path, a job written inline, or ``job:`` with what differs from it."""


class JobSchedule(Resource):
    """A job at certain times."""

    display_name: Text | None = None
    trigger: TimeTrigger
    create_job: CreateJob


class ImportSchedule(Resource):
    """A data import at certain times. Parses; cannot run yet."""

    display_name: Text | None = None
    trigger: TimeTrigger
    import_data: Annotated[
        Annotated[Ref, RefTag] | Annotated[DataImport, InlineTag], RefOrInline, Inlined("data-import")
    ]


class MonitoringTarget(Spec):
    """The deployment that is watched: ``endpoint_deployment_id: azureml:ENDPOINT:DEPLOYMENT``."""

    ml_task: Annotated[Text | None, Snake, WithoutEffect()] = None
    endpoint_deployment_id: ComputeRef | None = None
    model_id: AssetRef | None = None

    @property
    def deployment(self) -> tuple[str, str] | None:
        """Endpoint and deployment, when the target names them."""
        found: Reference | None = self.endpoint_deployment_id
        return (found.name, found.version) if isinstance(found, AssetVersion) else None


class DataWindow(Spec):
    """ISO 8601 durations back from the run, or fixed times."""

    lookback_window_size: Text | None = None
    lookback_window_offset: Text | None = None
    window_start: Text | None = None
    window_end: Text | None = None


class MonitoredData(Spec):
    """A data set in the role that ``data_context`` says."""

    input_data: Input | None = None
    data_context: Annotated[Text | None, Snake] = None
    data_column_names: Annotated[dict[str, Text], WithoutEffect()] = Field(default_factory=dict)
    target_column_name: Annotated[Text | None, WithoutEffect()] = None
    data_window: DataWindow | None = None
    pre_processing_component: Annotated[Text | None, WithoutEffect()] = None


class TopFeatures(Spec):
    """The most important features only."""

    top_n_feature_importance: Annotated[Whole, Field(ge=1)]


def _features_form(value: object) -> str:
    if isinstance(value, dict | BaseModel):
        return "<top>"
    return "<names>" if isinstance(value, list) else "<all>"


Features = Annotated[
    Annotated[TopFeatures, Tag("<top>")]
    | Annotated[list[Text], Tag("<names>")]
    | Annotated[Literal["all_features"], Tag("<all>")],
    Discriminator(_features_form),
]


class DataSegment(Spec):
    """Rows whose feature has one of these values."""

    feature_name: Text
    feature_values: list[Text]


class NumericalDrift(Spec):
    """Thresholds for numeric features."""

    normalized_wasserstein_distance: float | None = None
    jensen_shannon_distance: float | None = None
    population_stability_index: float | None = None
    two_sample_kolmogorov_smirnov_test: float | None = None


class CategoricalDrift(Spec):
    """Thresholds for categorical features."""

    jensen_shannon_distance: float | None = None
    population_stability_index: float | None = None
    pearsons_chi_squared_test: float | None = None


class DriftThresholds(Spec):
    """What counts as drift."""

    threshold: Annotated[float | None, WithoutEffect()] = None
    data_type: Annotated[Text | None, WithoutEffect()] = None
    numerical: NumericalDrift = Field(default_factory=NumericalDrift)
    categorical: CategoricalDrift = Field(default_factory=CategoricalDrift)


class QualityRates(Spec):
    """Shares of rows, 0 to 1."""

    null_value_rate: float | None = None
    data_type_error_rate: float | None = None
    out_of_bounds_rate: float | None = None


class QualityThresholds(Spec):
    """What counts as bad data."""

    threshold: Annotated[float | None, WithoutEffect()] = None
    data_type: Annotated[Text | None, WithoutEffect()] = None
    numerical: QualityRates = Field(default_factory=QualityRates)
    categorical: QualityRates = Field(default_factory=QualityRates)


class _Signal(Spec):
    production_data: MonitoredData | None = None
    reference_data: MonitoredData | None = None
    alert_enabled: Flag = True
    properties: dict[str, Any] = Field(default_factory=dict)


class DataDrift(_Signal):
    """Inputs against the baseline."""

    type: Annotated[Literal["data_drift"], Snake]
    features: Features | None = None
    feature_type_override: Annotated[dict[str, Text], WithoutEffect()] = Field(default_factory=dict)
    data_segment: Annotated[DataSegment | None, WithoutEffect()] = None
    metric_thresholds: DriftThresholds = Field(default_factory=DriftThresholds)


class PredictionDrift(_Signal):
    """Predictions against the baseline."""

    type: Annotated[Literal["prediction_drift"], Snake]
    metric_thresholds: DriftThresholds = Field(default_factory=DriftThresholds)


class DataQuality(_Signal):
    """Missing, ill-typed and out-of-range values."""

    type: Annotated[Literal["data_quality"], Snake]
    features: Features | None = None
    feature_type_override: Annotated[dict[str, Text], WithoutEffect()] = Field(default_factory=dict)
    metric_thresholds: QualityThresholds = Field(default_factory=QualityThresholds)


class OpaqueSignal(Opaque):
    """A signal of the original that is not computed here."""

    type: Annotated[
        Literal[
            "feature_attribution_drift",
            "model_performance",
            "custom",
            "generation_safety_quality",
            "generation_token_statistics",
        ],
        Snake,
    ]


def _signal_form(value: object) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    known = re.sub("[-_]", "", str(kind)).lower()
    return f"<{known}>" if known in {"datadrift", "predictiondrift", "dataquality"} else "<opaque>"


Signal = Annotated[
    Annotated[DataDrift, Tag("<datadrift>")]
    | Annotated[PredictionDrift, Tag("<predictiondrift>")]
    | Annotated[DataQuality, Tag("<dataquality>")]
    | Annotated[OpaqueSignal, Tag("<opaque>")],
    Discriminator(_signal_form),
]


class AlertNotification(Spec):
    """Who is told."""

    emails: list[Text] = Field(default_factory=list)


def _alert_form(value: object) -> str:
    return "<mapping>" if isinstance(value, dict | BaseModel) else "<text>"


class CreateMonitor(Spec):
    """What is watched, against what, and who is told. With only a target, everything else is by default."""

    compute: Annotated[Any, WithoutEffect()] = None
    monitoring_target: MonitoringTarget | None = None
    monitoring_signals: dict[str, Signal] = Field(default_factory=dict)
    alert_notification: (
        Annotated[
            Annotated[AlertNotification, Tag("<mapping>")] | Annotated[Text, Tag("<text>")], Discriminator(_alert_form)
        ]
        | None
    ) = None


class MonitorSchedule(Resource):
    """A monitor that runs at certain times."""

    display_name: Text | None = None
    trigger: TimeTrigger
    create_monitor: CreateMonitor
