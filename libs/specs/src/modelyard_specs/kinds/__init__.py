"""The kinds of specification, and the class of each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from modelyard_specs.kinds.assets import Data, Environment, Model
from modelyard_specs.kinds.automation import Subscription, Trigger
from modelyard_specs.kinds.base import Spec
from modelyard_specs.kinds.jobs import CommandComponent, CommandJob, OpaqueComponent, OpaqueJob, PipelineJob
from modelyard_specs.kinds.online import OnlineDeployment, OnlineEndpoint
from modelyard_specs.kinds.schedules import JobSchedule, MonitorSchedule

Kind = Literal[
    "command_job",
    "pipeline_job",
    "opaque_job",
    "command_component",
    "opaque_component",
    "data",
    "model",
    "environment",
    "online_endpoint",
    "online_deployment",
    "job_schedule",
    "monitor_schedule",
    "trigger",
    "subscription",
]

Group = Literal[
    "job",
    "component",
    "data",
    "model",
    "environment",
    "online-endpoint",
    "online-deployment",
    "schedule",
    "trigger",
    "subscription",
]
"""The command group that a file is given to: ``modelyard job create -f`` means a job, whatever the file leaves out."""

CLASSES: Final[Mapping[Kind, type[Spec]]] = MappingProxyType(
    {
        "command_job": CommandJob,
        "pipeline_job": PipelineJob,
        "opaque_job": OpaqueJob,
        "command_component": CommandComponent,
        "opaque_component": OpaqueComponent,
        "data": Data,
        "model": Model,
        "environment": Environment,
        "online_endpoint": OnlineEndpoint,
        "online_deployment": OnlineDeployment,
        "job_schedule": JobSchedule,
        "monitor_schedule": MonitorSchedule,
        "trigger": Trigger,
        "subscription": Subscription,
    }
)
