"""The kinds of specification, and the class of each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from modelyard_specs.kinds.assets import Data, DataImport, Environment, Model
from modelyard_specs.kinds.automation import Subscription, Trigger
from modelyard_specs.kinds.base import Spec
from modelyard_specs.kinds.batch import BatchDeployment, BatchEndpoint
from modelyard_specs.kinds.cloud import Compute, Connection, Datastore, Registry, Workspace
from modelyard_specs.kinds.components import CommandComponent, OpaqueComponent, ParallelComponent, PipelineComponent
from modelyard_specs.kinds.jobs import CommandJob, OpaqueJob, PipelineJob, SweepJob
from modelyard_specs.kinds.online import OnlineDeployment, OnlineEndpoint
from modelyard_specs.kinds.packages import ModelPackage, ServerlessEndpoint
from modelyard_specs.kinds.schedules import ImportSchedule, JobSchedule, MonitorSchedule

Kind = Literal[
    "command_job",
    "pipeline_job",
    "sweep_job",
    "opaque_job",
    "command_component",
    "pipeline_component",
    "parallel_component",
    "opaque_component",
    "data",
    "data_import",
    "model",
    "model_package",
    "environment",
    "online_endpoint",
    "online_deployment",
    "batch_endpoint",
    "batch_deployment",
    "serverless_endpoint",
    "job_schedule",
    "monitor_schedule",
    "import_schedule",
    "datastore",
    "compute",
    "connection",
    "workspace",
    "registry",
    "trigger",
    "subscription",
]

Group = Literal[
    "job",
    "component",
    "data",
    "data-import",
    "model",
    "model-package",
    "environment",
    "online-endpoint",
    "online-deployment",
    "batch-endpoint",
    "batch-deployment",
    "serverless-endpoint",
    "schedule",
    "datastore",
    "compute",
    "connection",
    "workspace",
    "registry",
    "trigger",
    "subscription",
]
"""The command group that a file is given to: ``modelyard job create -f`` means a job, whatever the file leaves out."""

CLASSES: Final[Mapping[Kind, type[Spec]]] = MappingProxyType(
    {
        "command_job": CommandJob,
        "pipeline_job": PipelineJob,
        "sweep_job": SweepJob,
        "opaque_job": OpaqueJob,
        "command_component": CommandComponent,
        "pipeline_component": PipelineComponent,
        "parallel_component": ParallelComponent,
        "opaque_component": OpaqueComponent,
        "data": Data,
        "data_import": DataImport,
        "model": Model,
        "model_package": ModelPackage,
        "environment": Environment,
        "online_endpoint": OnlineEndpoint,
        "online_deployment": OnlineDeployment,
        "batch_endpoint": BatchEndpoint,
        "batch_deployment": BatchDeployment,
        "serverless_endpoint": ServerlessEndpoint,
        "job_schedule": JobSchedule,
        "monitor_schedule": MonitorSchedule,
        "import_schedule": ImportSchedule,
        "datastore": Datastore,
        "compute": Compute,
        "connection": Connection,
        "workspace": Workspace,
        "registry": Registry,
        "trigger": Trigger,
        "subscription": Subscription,
    }
)
