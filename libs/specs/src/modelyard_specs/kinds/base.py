"""What every model of the language shares: strictness, text as written, references, markers for effectless keys."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    PlainValidator,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from modelyard_specs.references import AssetName, LocalPath, Reference, parse_reference
from modelyard_specs.yaml_source import WrittenFloat, WrittenInt


class WithoutEffect:
    """Marks a field that is accepted because users' files have it, and that Modelyard does not act on."""


@dataclass(frozen=True)
class Inlined:
    """Marks a reference whose local file is read into the spec when it leaves the client: a component, a job, or free
    YAML (a conda file). Every other local path is uploaded."""

    what: Literal["component", "job", "yaml"]


class Spec(BaseModel):
    """A mapping of the language. Unknown keys are errors that carry the valid names."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _name_valid_keys(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            raise ValidationError.from_exception_data(error.title, [cls._detail(e) for e in error.errors()]) from None

    def entries(self) -> Iterator[tuple[str, Any, list[Any]]]:
        """What was given, in the order of the model: key, value, and the field's markers."""
        for name, field in type(self).model_fields.items():
            if name in self.model_fields_set:
                yield field.alias or name, getattr(self, name), field.metadata

    @classmethod
    def _detail(cls, error: Any) -> InitErrorDetails:
        context = dict(error.get("ctx") or {})
        kind, message = error["type"], error["msg"]
        if kind == "extra_forbidden" and len(error["loc"]) == 1:
            names = sorted(field.alias or name for name, field in cls.model_fields.items())
            kind, message, context = "unknown_key", "unknown key", {"names": names}
        elif kind == "value_error":
            message = str(context.pop("error", message))
        context["text"] = message
        return InitErrorDetails(
            type=PydanticCustomError(kind, "{text}", context), loc=error["loc"], input=error["input"]
        )


def _as_written(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, WrittenInt | WrittenFloat):
        return value.text
    return str(value) if isinstance(value, int | float) else value


def _snake_case(value: object) -> object:
    """The original takes enumeration values in any case, and in camel as well as snake case."""
    if not isinstance(value, str):
        return value
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", value))
    return re.sub(r"[-_]+", "_", words).lower()


def _reference(value: object) -> Reference:
    if isinstance(value, Reference):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "not a reference")
    return parse_reference(value)


def _asset(value: object) -> Reference:
    found = _reference(value)
    if not isinstance(found, LocalPath):
        return found
    raise ValueError(f"`{found}` is no asset: azureml:NAME:VERSION or azureml:NAME@LABEL")


def _compute(value: object) -> Reference:
    """A compute may be a bare name (``local``, ``serverless``, ``gpu-cluster``)."""
    found = _reference(value)
    return AssetName(found.path) if isinstance(found, LocalPath) else found


def _list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _boolean(value: object) -> object:
    """``"true"`` and ``"False"`` as text are what the collector's schema asks for."""
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_as_written)]
"""Text; a number or a boolean stands for the text it was written as (``version: 1.10``)."""

Snake = BeforeValidator(_snake_case)
"""Before a Literal: any case of its values."""

OneOrMore = BeforeValidator(_list)
"""Before a list: a single value stands for a list of one."""

Flag = Annotated[bool, BeforeValidator(_boolean)]

Ref = Annotated[Reference, PlainValidator(_reference), PlainSerializer(str, return_type=str)]
"""A reference, parsed; text in JSON."""

AssetRef = Annotated[Reference, PlainValidator(_asset), PlainSerializer(str, return_type=str)]
"""A reference that cannot be a local path."""

ComputeRef = Annotated[Reference, PlainValidator(_compute), PlainSerializer(str, return_type=str)]

AssetNameText = Annotated[Text, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$")]
"""A name that ``azureml:name:version`` can say."""

VersionText = Annotated[Text, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,254}$")]

JobName = Annotated[Text, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,254}$")]

Key = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,99}$")]
"""The name of a step, an input or an output: what an expression can say."""

Texts = dict[str, Text | None]
"""Tags, properties, environment variables."""


def text_or_mapping(value: object) -> str:
    """A discriminator between a reference and what is written inline. Tags stand in angle brackets: they are no part
    of an error's key path."""
    return "<inline>" if isinstance(value, dict | BaseModel) else "<reference>"


RefTag = Tag("<reference>")
InlineTag = Tag("<inline>")
RefOrInline = Discriminator(text_or_mapping)


class Resource(Spec):
    """What every file may say about itself."""

    schema_url: Text | None = Field(default=None, alias="$schema")
    name: Text | None = None
    description: Text | None = None
    tags: Texts = Field(default_factory=dict)
    properties: dict[str, Any] = Field(default_factory=dict)


class Opaque(Spec):
    """A job, step or component of a type that parses and cannot run (sweep, spark, automl …): kept as it was
    written, refused when it is submitted."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)

    type: Text

    def entries(self) -> Iterator[tuple[str, Any, list[Any]]]:
        """All of its keys, unmarked: nothing in it is acted upon."""
        yield from ((key, value, []) for key, value in self.raw.items())

    @property
    def raw(self) -> dict[str, Any]:
        """All of its keys."""
        return {"type": self.type, **(self.model_extra or {})}
