"""Data, models and environments."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from modelyard_specs.kinds.base import (
    AssetNameText,
    AssetRef,
    Inlined,
    InlineTag,
    Ref,
    RefOrInline,
    RefTag,
    Resource,
    Snake,
    Spec,
    Text,
    VersionText,
    Whole,
    WithoutEffect,
)

DataType = Annotated[Literal["uri_file", "uri_folder", "mltable"], Snake]
ModelType = Annotated[Literal["custom_model", "mlflow_model", "triton_model"], Snake]


class Data(Resource):
    """A data asset: a file, a folder or an MLTable."""

    name: AssetNameText | None = None
    version: VersionText | None = None
    type: DataType = "uri_folder"
    path: Ref
    display_name: Text | None = None
    datastore: Annotated[Text | None, WithoutEffect()] = None
    auto_delete_setting: Annotated[Any, WithoutEffect()] = None


class Model(Resource):
    """A model: its files, and the flavours that are known."""

    name: AssetNameText | None = None
    version: VersionText | None = None
    type: ModelType = "custom_model"
    path: Ref
    display_name: Text | None = None
    stage: Text | None = None
    flavors: dict[str, Any] = Field(default_factory=dict)
    datastore: Annotated[Text | None, WithoutEffect()] = None
    auto_delete_setting: Annotated[Any, WithoutEffect()] = None
    intellectual_property: Annotated[Any, WithoutEffect()] = None
    system_metadata: Annotated[Any, WithoutEffect()] = None
    default_deployment_template: Annotated[Any, WithoutEffect()] = None
    allowed_deployment_templates: Annotated[Any, WithoutEffect()] = None
    job_name: Annotated[Any, WithoutEffect()] = None
    utc_time_created: Annotated[Any, WithoutEffect()] = None


class DatabaseSource(Spec):
    """Rows that a query or a stored procedure gives."""

    type: Annotated[Literal["database"], Snake]
    connection: AssetRef
    query: Text | None = None
    table_name: Text | None = None
    stored_procedure: Text | None = None
    stored_procedure_params: list[dict[str, Any]] = Field(default_factory=list)


class FileSystemSource(Spec):
    """Files behind a connection."""

    type: Annotated[Literal["file_system"], Snake] = "file_system"
    connection: AssetRef
    path: Text | None = None


def _source_form(value: object) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "<database>" if str(kind).lower() == "database" else "<files>"


class DataImport(Resource):
    """A data asset that is read from elsewhere, once or by a schedule. Parses; cannot run yet."""

    name: AssetNameText | None = None
    version: VersionText | None = None
    type: DataType = "uri_folder"
    path: Ref
    source: Annotated[
        Annotated[DatabaseSource, Tag("<database>")] | Annotated[FileSystemSource, Tag("<files>")],
        Discriminator(_source_form),
    ]
    datastore: Annotated[Text | None, WithoutEffect()] = None
    auto_delete_setting: Annotated[Any, WithoutEffect()] = None


class Build(Spec):
    """A Docker build context."""

    path: Ref
    dockerfile_path: Text = "Dockerfile"


class Route(Spec):
    """A path and port of a custom container."""

    path: Text
    port: Annotated[Whole, Field(ge=1, le=65535)]


class InferenceConfig(Spec):
    """Where a custom container answers."""

    liveness_route: Route | None = None
    readiness_route: Route | None = None
    scoring_route: Route | None = None


class Environment(Resource):
    """What user code runs in: conda dependencies, an image, both, or a build context."""

    name: AssetNameText | None = None
    version: VersionText | None = None
    display_name: Text | None = None
    image: Text | None = None
    conda_file: Annotated[
        Annotated[Annotated[Ref, RefTag] | Annotated[dict[str, Any], InlineTag], RefOrInline] | None,
        Inlined("yaml"),
    ] = None
    build: Build | None = None
    inference_config: InferenceConfig | None = None
    os_type: Annotated[Text | None, WithoutEffect()] = None
    intellectual_property: Annotated[Any, WithoutEffect()] = None
    datastore: Annotated[Text | None, WithoutEffect()] = None
    auto_delete_setting: Annotated[Any, WithoutEffect()] = None

    @model_validator(mode="after")
    def _something(self) -> "Environment":
        if self.image is None and self.conda_file is None and self.build is None:
            raise ValueError("an environment needs `conda_file`, `image` or `build`")
        if self.build is not None and (self.image is not None or self.conda_file is not None):
            raise ValueError("`build` cannot stand beside `image` or `conda_file`")
        return self


EnvironmentField = Annotated[Annotated[AssetRef, RefTag] | Annotated[Environment, InlineTag], RefOrInline]
"""A registered environment or an inline one."""


def _model_form(value: object) -> str:
    return "<reference>" if isinstance(value, str) else "<inline>"


ModelField = Annotated[
    Annotated[Ref, Tag("<reference>")] | Annotated[Model, Tag("<inline>")], Discriminator(_model_form)
]
"""A registered model, an inline one, or a path."""
