"""Inputs and outputs: what a component declares, and what a job gives."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag, model_validator

from modelyard_specs.kinds.base import (
    AssetNameText,
    Flag,
    Key,
    Ref,
    Snake,
    Spec,
    Text,
    Texts,
    VersionText,
    WithoutEffect,
)

AssetType = Literal["uri_file", "uri_folder", "mltable", "custom_model", "mlflow_model", "triton_model"]
LiteralType = Literal["string", "integer", "number", "boolean"]
PortType = Annotated[AssetType | LiteralType, Snake]
DeclaredType = Annotated[
    PortType,
    BeforeValidator(
        lambda value: "uri_folder" if value == "path" else value, json_schema_input_type=PortType | Literal["path"]
    ),
]
"""``path`` is an old word for a file or a folder."""

InputMode = Annotated[
    Literal["ro_mount", "rw_mount", "mount", "download", "direct", "eval_mount", "eval_download", "upload", "link"],
    Snake,
]
OutputMode = Annotated[Literal["upload", "rw_mount", "mount", "direct", "link", "ro_mount", "download"], Snake]

LITERAL_TYPES: frozenset[str] = frozenset(("string", "integer", "number", "boolean"))


class Input(Spec):
    """A job's input given as a mapping: files (``path``) or a literal (``value``)."""

    type: PortType = "uri_folder"
    path: Ref | None = None
    value: str | int | float | bool | None = None
    mode: Annotated[InputMode | None, WithoutEffect()] = None
    description: Text | None = None
    optional: Flag = False
    default: str | int | float | bool | None = None
    path_on_compute: Annotated[Text | None, WithoutEffect()] = None
    datastore: Annotated[Text | None, WithoutEffect()] = None

    @model_validator(mode="after")
    def _one_of(self) -> "Input":
        if self.path is not None and self.value is not None:
            raise ValueError("give `path` or `value`, not both")
        if self.path is not None and self.type in LITERAL_TYPES:
            raise ValueError(f"an input of type {self.type} takes `value`, not `path`")
        return self


class Output(Spec):
    """A job's output; ``name`` (and ``version``) register it as an asset when the job completes."""

    type: PortType = "uri_folder"
    path: Text | None = None
    mode: Annotated[OutputMode | None, WithoutEffect()] = None
    name: AssetNameText | None = None
    version: VersionText | None = None
    description: Text | None = None
    tags: Texts = Field(default_factory=dict)
    path_on_compute: Annotated[Text | None, WithoutEffect()] = None

    @model_validator(mode="after")
    def _version_needs_name(self) -> "Output":
        if self.version is not None and self.name is None:
            raise ValueError("`version` needs `name`: the asset to register the output as")
        return self


def _form(value: object) -> str:
    return "<mapping>" if isinstance(value, dict | BaseModel) else "<literal>"


def _empty_output(value: object) -> object:
    return {} if value is None else value


JobInput = Annotated[
    Annotated[Input, Tag("<mapping>")] | Annotated[str | int | float | bool | None, Tag("<literal>")],
    Discriminator(_form),
]
"""A mapping, a literal, or a binding (``${{parent.inputs.x}}``)."""

JobOutput = Annotated[Output, BeforeValidator(_empty_output, json_schema_input_type=Output | None)]
"""Often null: a folder of the default kind."""

StepOutput = Annotated[
    Annotated[Output, Tag("<mapping>")] | Annotated[str, Tag("<literal>")],
    Discriminator(_form),
    BeforeValidator(_empty_output, json_schema_input_type=Output | str | None),
]
"""As a job's output, or a binding to ``${{parent.outputs.x}}``."""

Limit = str | int | float | None


class DeclaredInput(Spec):
    """An input of a component. A number's ``min``, ``max`` and ``enum`` may be written as text."""

    type: DeclaredType
    description: Text | None = None
    optional: Flag = False
    default: str | int | float | bool | None = None
    enum: list[str | int | float | bool] | None = None
    min: Limit = None
    max: Limit = None
    mode: Annotated[InputMode | None, WithoutEffect()] = None
    path: Ref | None = None

    @property
    def required(self) -> bool:
        """Whether a step must give it."""
        return not self.optional and self.default is None and self.path is None


class DeclaredOutput(Spec):
    """An output of a component."""

    type: DeclaredType = "uri_folder"
    description: Text | None = None
    mode: Annotated[OutputMode | None, WithoutEffect()] = None
    path: Text | None = None
    is_control: Annotated[Any, WithoutEffect()] = None
    early_available: Annotated[Any, WithoutEffect()] = None


DeclaredOutputs = dict[
    Key, Annotated[DeclaredOutput, BeforeValidator(_empty_output, json_schema_input_type=DeclaredOutput | None)]
]
