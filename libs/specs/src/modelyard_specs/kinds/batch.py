"""Batch endpoints and deployments: a model, or a pipeline component. They parse; they cannot run yet."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from modelyard_specs.kinds.assets import EnvironmentField, ModelField
from modelyard_specs.kinds.base import (
    AssetRef,
    ComputeRef,
    Resource,
    Snake,
    Spec,
    Text,
    Texts,
    Whole,
    WithoutEffect,
)
from modelyard_specs.kinds.components import ComponentField, PipelineSettings
from modelyard_specs.kinds.online import CodeConfiguration, EndpointName
from modelyard_specs.kinds.parallel import RetrySettings
from modelyard_specs.kinds.runs import Resources


class BatchDefaults(Spec):
    """The deployment that jobs go to when they name none."""

    deployment_name: EndpointName | None = None


class BatchEndpoint(Resource):
    """A stable name for batch scoring, over its deployments."""

    name: EndpointName | None = None
    auth_mode: Annotated[Literal["key", "aml_token", "aad_token"], Snake] = "aad_token"
    defaults: BatchDefaults | None = None
    identity: Annotated[Any, WithoutEffect()] = None
    location: Annotated[Text | None, WithoutEffect()] = None
    kind: Annotated[Text | None, WithoutEffect()] = None
    public_network_access: Annotated[Text | None, WithoutEffect()] = None
    scoring_uri: Annotated[Any, WithoutEffect()] = None
    openapi_uri: Annotated[Any, WithoutEffect()] = None


class BatchRun(Spec):
    """How files are scored. ``mini_batch_size`` in files; a threshold of -1 ignores all failures."""

    mini_batch_size: Annotated[Whole, Field(ge=1)] | None = None
    max_concurrency_per_instance: Annotated[Whole, Field(ge=1)] | None = None
    error_threshold: Annotated[Whole, Field(ge=-1)] | None = None
    retry_settings: RetrySettings | None = None
    output_action: Annotated[Literal["append_row", "summary_only"], Snake] | None = None
    output_file_name: Text | None = None
    logging_level: Annotated[Literal["debug", "info", "warning"], Snake] | None = None
    environment_variables: Texts = Field(default_factory=dict)


class BatchSettings(BatchRun, PipelineSettings):
    """Under ``settings``: how a model's deployment scores, or how a pipeline's runs."""

    instance_count: Annotated[Whole, Field(ge=1)] | None = None


class BatchDeployment(Resource, BatchRun):
    """A model, or a pipeline component (``type: pipeline``), behind a batch endpoint. How it scores stands under
    ``settings`` or, in the older layout, beside it."""

    name: EndpointName | None = None
    endpoint_name: EndpointName | None = None
    type: Annotated[Literal["model", "pipeline"], Snake] | None = None
    model: ModelField | None = None
    code_configuration: CodeConfiguration | None = None
    environment: EnvironmentField | None = None
    component: ComponentField | None = None
    job_definition: AssetRef | None = None
    compute: ComputeRef | None = None
    resources: Resources | None = None
    settings: BatchSettings | None = None

    @model_validator(mode="after")
    def _something_to_run(self) -> "BatchDeployment":
        if self.type == "pipeline":
            if self.component is None and self.job_definition is None:
                raise ValueError("a pipeline deployment needs `component` or `job_definition`")
        elif self.model is None and self.component is None and self.job_definition is None:
            raise ValueError("a batch deployment needs `model`, or `type: pipeline` with `component`")
        return self
