"""Which kind a mapping is: by the group it was given to, its ``$schema`` (of any version), its ``type`` and its shape."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from modelyard_specs.kinds import Group, Kind
from modelyard_specs.kinds.components import kind_of
from modelyard_specs.kinds.foreign import NotInferredError, is_workflow, not_a_spec

_SCHEMA = re.compile(r"([A-Za-z0-9]+)(?:\.schema)?\.json$")

GROUP_OF_SCHEMA: Final[Mapping[str, Group]] = MappingProxyType(
    {
        "commandjob": "job",
        "pipelinejob": "job",
        "sweepjob": "job",
        "paralleljob": "job",
        "sparkjob": "job",
        "automljob": "job",
        "importjob": "job",
        "finetuningjob": "job",
        "distillationjob": "job",
        "datatransferjob": "job",
        "commandcomponent": "component",
        "pipelinecomponent": "component",
        "parallelcomponent": "component",
        "sparkcomponent": "component",
        "importcomponent": "component",
        "datatransfercomponent": "component",
        "data": "data",
        "dataimport": "data-import",
        "model": "model",
        "modelpackage": "model-package",
        "modelversionpackage": "model-package",
        "environment": "environment",
        "managedonlineendpoint": "online-endpoint",
        "kubernetesonlineendpoint": "online-endpoint",
        "onlineendpoint": "online-endpoint",
        "managedonlinedeployment": "online-deployment",
        "kubernetesonlinedeployment": "online-deployment",
        "onlinedeployment": "online-deployment",
        "batchendpoint": "batch-endpoint",
        "batchdeployment": "batch-deployment",
        "modelbatchdeployment": "batch-deployment",
        "pipelinecomponentbatchdeployment": "batch-deployment",
        "serverlessendpoint": "serverless-endpoint",
        "schedule": "schedule",
        "jobschedule": "schedule",
        "monitorschedule": "schedule",
        "monitoringschedule": "schedule",
        "importdataschedule": "schedule",
        "dataimportschedule": "schedule",
        "amlcompute": "compute",
        "computeinstance": "compute",
        "compute": "compute",
        "kubernetescompute": "compute",
        "vmcompute": "compute",
        "virtualmachinecompute": "compute",
        "synapsesparkcompute": "compute",
        "azureblob": "datastore",
        "azurefile": "datastore",
        "azuredatalakegen1": "datastore",
        "azuredatalakegen2": "datastore",
        "onelake": "datastore",
        "hdfs": "datastore",
        "datastore": "datastore",
        "connection": "connection",
        "workspaceconnection": "connection",
        "workspace": "workspace",
        "hub": "workspace",
        "project": "workspace",
        "featurestore": "workspace",
        "registry": "registry",
        "trigger": "trigger",
        "subscription": "subscription",
    }
)

UNSUPPORTED_SCHEMAS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "featureset": "feature sets",
        "featuresetbackfill": "feature sets",
        "featurestoreentity": "feature store entities",
        "featureretrievalspec": "feature retrieval specifications",
        "deploymenttemplate": "deployment templates",
        "index": "indexes",
        "marketplacesubscription": "marketplace subscriptions",
        "flow": "prompt flows",
    }
)

_OPAQUE_JOBS: Final = frozenset(
    {"parallel", "spark", "automl", "import", "finetuning", "fine_tuning", "distillation", "data_transfer"}
)
_DATA_TYPES: Final = frozenset({"uri_file", "uri_folder", "mltable"})
_MODEL_TYPES: Final = frozenset({"custom_model", "mlflow_model", "triton_model"})
_COMPUTE_TYPES: Final = frozenset({"amlcompute", "computeinstance", "synapsespark", "virtualmachine"})
_DATASTORE_TYPES: Final = frozenset(
    {"azure_blob", "azure_file", "azure_data_lake_gen1", "azure_data_lake_gen2", "one_lake", "hdfs"}
)


def infer_kind(value: Mapping[str, Any], *, group: Group | None = None, file_name: str = "") -> Kind:
    """The kind of a mapping; ``group`` overrules its ``$schema``. Raises NotInferredError."""
    schema = schema_name(value)
    if group is None and schema in UNSUPPORTED_SCHEMAS:
        raise NotInferredError(f"{UNSUPPORTED_SCHEMAS[schema]} are not supported", "unsupported")
    found = group or GROUP_OF_SCHEMA.get(schema) or _group_by_shape(value, file_name)
    return _kind_in_group(found, value, schema)


def schema_name(value: Mapping[str, Any]) -> str:
    """The last part of its ``$schema``, in lower case: ``commandjob``."""
    url = value.get("$schema")
    found = _SCHEMA.search(url.strip()) if isinstance(url, str) else None
    return found[1].lower() if found else ""


def _type(value: Mapping[str, Any]) -> str:
    kind = value.get("type")
    return kind.lower() if isinstance(kind, str) else ""


def _kind_in_group(group: Group, value: Mapping[str, Any], schema: str) -> Kind:
    match group:
        case "job":
            return _job_kind(_type(value), value, schema)
        case "component":
            kinds: dict[str, Kind] = {
                "command": "command_component",
                "pipeline": "pipeline_component",
                "parallel": "parallel_component",
            }
            return kinds.get(kind_of(dict(value)), "opaque_component")
        case "data":
            return "data_import" if "source" in value else "data"
        case "schedule":
            return _schedule_kind(value, schema)
        case "model" | "environment" | "datastore" | "compute" | "connection" | "workspace" | "registry":
            return group
        case "trigger" | "subscription":
            return group
        case "data-import":
            return "data_import"
        case "model-package":
            return "model_package"
        case "online-endpoint":
            return "online_endpoint"
        case "online-deployment":
            return "online_deployment"
        case "batch-endpoint":
            return "batch_endpoint"
        case "batch-deployment":
            return "batch_deployment"
        case "serverless-endpoint":
            return "serverless_endpoint"


def _job_kind(kind: str, value: Mapping[str, Any], schema: str) -> Kind:
    if kind == "pipeline" or (not kind and ("jobs" in value or schema == "pipelinejob")):
        return "pipeline_job"
    if kind == "sweep" or (not kind and schema == "sweepjob"):
        return "sweep_job"
    return "command_job" if kind in {"", "command"} else "opaque_job"


def _schedule_kind(value: Mapping[str, Any], schema: str) -> Kind:
    if _type(value) == "trigger":
        return "trigger"
    if "import_data" in value:
        return "import_schedule"
    monitor = "create_monitor" in value or (schema.startswith("monitor") and "create_job" not in value)
    return "monitor_schedule" if monitor else "job_schedule"


def _group_by_shape(value: Mapping[str, Any], file_name: str) -> Group:
    kind, keys = _type(value), value.keys()
    by_type = _group_by_type(kind)
    if is_workflow(value):
        raise not_a_spec(value, file_name)
    if kind == "trigger" or {"on", "create_job"} <= keys:
        return "trigger"
    if "create_job" in keys or "create_monitor" in keys or "import_data" in keys:
        return "schedule"
    if by_type is not None:
        return "data-import" if by_type == "data" and "source" in keys else by_type
    if {"job_definition", "mini_batch_size", "output_action"} & keys and "endpoint_name" in keys:
        return "batch-deployment"
    if kind == "model" and "endpoint_name" in keys:
        return "batch-deployment"
    if {"code_configuration", "instance_type", "request_settings", "scale_settings"} & keys and "command" not in keys:
        return "batch-deployment" if isinstance(value.get("settings"), Mapping) else "online-deployment"
    if {"inferencing_server"} <= keys:
        return "model-package"
    if "auth_mode" in keys or "traffic" in keys:
        return "batch-endpoint" if "defaults" in keys else "online-endpoint"
    if {"model_id", "name"} <= keys:
        return "serverless-endpoint"
    if "jobs" in keys or "command" in keys or {"trial", "objective"} <= keys:
        return "component" if _declares(value) else "job"
    if {"image", "conda_file", "build"} & keys and "services" not in keys:
        return "environment"
    if "replication_locations" in keys:
        return "registry"
    if kind in _OPAQUE_JOBS or kind in {"command", "pipeline", "sweep"}:
        return "component" if _declares(value) else "job"
    raise not_a_spec(value, file_name)


def _group_by_type(kind: str) -> Group | None:
    if kind in {"webhook", "chat", "openlineage"}:
        return "subscription"
    if kind in _DATA_TYPES:
        return "data"
    if kind in _MODEL_TYPES:
        return "model"
    if kind in _DATASTORE_TYPES:
        return "datastore"
    return "compute" if kind in _COMPUTE_TYPES else None


def _declares(value: Mapping[str, Any]) -> bool:
    """A component declares its inputs; a job gives them."""
    if "version" in value or "is_deterministic" in value:
        return True
    inputs = value.get("inputs")
    given = list(inputs.values()) if isinstance(inputs, Mapping) else []
    return bool(given) and all(
        isinstance(i, Mapping) and "type" in i and not {"path", "value"} & i.keys() for i in given
    )
