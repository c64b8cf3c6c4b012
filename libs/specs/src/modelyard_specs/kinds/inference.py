"""Which kind a mapping is: by the group it was given to, its ``$schema`` (of any version), its ``type`` and its shape."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from modelyard_specs.errors import Code
from modelyard_specs.kinds import Group, Kind

_SCHEMA = re.compile(r"([A-Za-z]+)(?:\.schema)?\.json$")

_GROUP_OF_SCHEMA: Final[Mapping[str, Group]] = MappingProxyType(
    {
        "commandjob": "job",
        "pipelinejob": "job",
        "sweepjob": "job",
        "paralleljob": "job",
        "sparkjob": "job",
        "automljob": "job",
        "commandcomponent": "component",
        "pipelinecomponent": "component",
        "parallelcomponent": "component",
        "sparkcomponent": "component",
        "data": "data",
        "model": "model",
        "environment": "environment",
        "managedonlineendpoint": "online-endpoint",
        "kubernetesonlineendpoint": "online-endpoint",
        "onlineendpoint": "online-endpoint",
        "managedonlinedeployment": "online-deployment",
        "kubernetesonlinedeployment": "online-deployment",
        "onlinedeployment": "online-deployment",
        "schedule": "schedule",
        "monitorschedule": "schedule",
        "monitoringschedule": "schedule",
        "trigger": "trigger",
        "subscription": "subscription",
    }
)

_UNSUPPORTED_SCHEMAS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "batchendpoint": "batch endpoints",
        "batchdeployment": "batch deployments",
        "modelbatchdeployment": "batch deployments",
        "pipelinecomponentbatchdeployment": "batch deployments",
        "modelpackage": "model packages",
        "serverlessendpoint": "serverless endpoints",
        "dataimport": "data imports",
        "import": "data imports",
        "amlcompute": "compute",
        "computeinstance": "compute",
        "compute": "compute",
        "kubernetescompute": "compute",
        "vmcompute": "compute",
        "synapsesparkcompute": "compute",
        "azureblob": "datastores",
        "azurefile": "datastores",
        "azuredatalakegentwo": "datastores",
        "azuredatalakegenone": "datastores",
        "datastore": "datastores",
        "connection": "connections",
        "workspaceconnection": "connections",
        "workspace": "workspaces",
        "registry": "registries",
        "featureset": "feature sets",
        "featurestore": "feature stores",
        "featurestoreentity": "feature store entities",
    }
)

_OPAQUE_JOBS: Final = frozenset(
    {"sweep", "parallel", "spark", "automl", "import", "finetuning", "fine_tuning", "distillation", "data_transfer"}
)
_DATA_TYPES: Final = frozenset({"uri_file", "uri_folder", "mltable"})
_MODEL_TYPES: Final = frozenset({"custom_model", "mlflow_model", "triton_model"})


class NotInferredError(Exception):
    """The mapping is of no supported kind: ``message`` and ``code`` say why, ``expected`` what would help."""

    def __init__(self, message: str, code: Code, expected: str | None = None) -> None:
        self.message, self.code, self.expected = message, code, expected
        super().__init__(message)


def infer_kind(value: Mapping[str, Any], *, group: Group | None = None, file_name: str = "") -> Kind:
    """The kind of a mapping; ``group`` overrules its ``$schema``. Raises NotInferredError."""
    schema = _schema_name(value)
    if group is None and schema in _UNSUPPORTED_SCHEMAS:
        raise NotInferredError(f"{_UNSUPPORTED_SCHEMAS[schema]} are not supported yet", "unsupported")
    found = group or _GROUP_OF_SCHEMA.get(schema) or _group_by_shape(value, file_name)
    return _kind_in_group(found, value, schema)


def _schema_name(value: Mapping[str, Any]) -> str:
    url = value.get("$schema")
    found = _SCHEMA.search(url.strip()) if isinstance(url, str) else None
    return found[1].lower() if found else ""


def _type(value: Mapping[str, Any]) -> str:
    kind = value.get("type")
    return kind.lower() if isinstance(kind, str) else ""


def _kind_in_group(group: Group, value: Mapping[str, Any], schema: str) -> Kind:
    kind = _type(value)
    match group:
        case "job":
            return _job_kind(kind, value, schema)
        case "component":
            return "command_component" if kind in {"", "command"} and "jobs" not in value else "opaque_component"
        case "schedule":
            if kind == "trigger":
                return "trigger"
            if "import_data" in value:
                raise NotInferredError("schedules that import data are not supported yet", "unsupported")
            monitor = "create_monitor" in value or (schema.startswith("monitor") and "create_job" not in value)
            return "monitor_schedule" if monitor else "job_schedule"
        case "online-endpoint":
            return "online_endpoint"
        case "online-deployment":
            return "online_deployment"
        case "data" | "model" | "environment" | "trigger" | "subscription":
            return group


def _job_kind(kind: str, value: Mapping[str, Any], schema: str) -> Kind:
    if kind == "pipeline" or (not kind and ("jobs" in value or schema == "pipelinejob")):
        return "pipeline_job"
    if kind in {"", "command"}:
        return "command_job"
    return "opaque_job"


def _group_by_shape(value: Mapping[str, Any], file_name: str) -> Group:
    kind, keys = _type(value), value.keys()
    if kind == "trigger" or {"on", "create_job"} <= keys:
        return "trigger"
    if kind in {"webhook", "chat"}:
        return "subscription"
    if "create_job" in keys or "create_monitor" in keys or "import_data" in keys:
        return "schedule"
    if kind in _DATA_TYPES:
        return "data"
    if kind in _MODEL_TYPES:
        return "model"
    if {"code_configuration", "instance_type", "request_settings", "scale_settings"} & keys and "command" not in keys:
        return "online-deployment"
    if "auth_mode" in keys or "traffic" in keys:
        return "online-endpoint"
    if "jobs" in keys or "command" in keys:
        return "component" if _declares(value) else "job"
    if {"image", "conda_file", "build"} & keys:
        return "environment"
    if kind in _OPAQUE_JOBS or kind in {"command", "pipeline"}:
        return "job"
    raise _not_a_spec(value, file_name)


def _declares(value: Mapping[str, Any]) -> bool:
    """A component declares its inputs; a job gives them."""
    if "version" in value or "is_deterministic" in value:
        return True
    inputs = value.get("inputs")
    given = list(inputs.values()) if isinstance(inputs, Mapping) else []
    return bool(given) and all(
        isinstance(i, Mapping) and "type" in i and not {"path", "value"} & i.keys() for i in given
    )


def _not_a_spec(value: Mapping[str, Any], file_name: str) -> NotInferredError:
    if "dependencies" in value and {"channels", "name"} & value.keys():
        return NotInferredError("this is a conda environment, not a specification", "other")
    if "python" in value and "dependencies" in value:
        return NotInferredError("this is an MLflow python_env, not a specification", "other")
    if "flavors" in value or file_name == "MLmodel":
        return NotInferredError("this is an MLflow model description, not a specification", "other")
    return NotInferredError("the kind cannot be told", "invalid", "`$schema` or `type`")
