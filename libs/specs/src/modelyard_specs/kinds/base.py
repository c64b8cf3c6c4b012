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
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    PlainSerializer,
    PlainValidator,
    Tag,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from modelyard_specs.references import AssetName, CloudResource, LocalPath, Reference, parse_reference
from modelyard_specs.yaml_source import WrittenFloat, WrittenInt


class WithoutEffect:
    """Marks a field that is accepted because users' files have it, and that Modelyard does not act on."""


@dataclass(frozen=True)
class Secret(WithoutEffect):
    """Marks a field that gives access to something: it is accepted, and neither sent nor kept. ``instead`` says what does it here."""

    instead: str


@dataclass(frozen=True)
class Inlined:
    """Marks a reference whose local file is read into the spec when it leaves the client: a component, a job, a data
    import, or free YAML (a conda file). Every other local path is uploaded."""

    what: Literal["component", "job", "data-import", "yaml"]


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


class _AnyCase:
    """The original takes enumeration values in any case, and in camel as well as snake case."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(_snake_case, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The values for completion, and a pattern for their other spellings."""
        found = handler(schema)
        values = found.pop("enum", None) or ([found.pop("const")] if "const" in found else None)
        if values is None:
            return found
        return {**found, "anyOf": [{"enum": values}, {"pattern": f"^({'|'.join(map(any_case, values))})$"}]}


class _AlsoText:
    """Before an integer: the original takes ``"3"`` for 3. Limits stand where an editor sees them: beside the form."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(_whole, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "type": ["integer", "string"]}


def any_case(value: str) -> str:
    """A pattern, without flags, of a snake-case word in any case and in camel case."""
    letters = (f"[{c.lower()}{c.upper()}]" if c.isalpha() else "[-_]?" if c == "_" else re.escape(c) for c in value)
    return "".join(letters)


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
    if found.path.startswith("/subscriptions/"):
        return CloudResource(found.path)
    raise ValueError(f"`{found}` is no asset: azureml:NAME:VERSION or azureml:NAME@LABEL")


def _compute(value: object) -> Reference:
    """A compute may be a bare name (``local``, ``serverless``, ``gpu-cluster``)."""
    found = _reference(value)
    if not isinstance(found, LocalPath):
        return found
    return CloudResource(found.path) if found.path.startswith("/subscriptions/") else AssetName(found.path)


def _list(value: object) -> object:
    return value if isinstance(value, list) else [value]


_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _boolean(value: object) -> object:
    """``"true"`` and ``"False"`` as text are what the collector's schema asks for; ``yes`` and ``on`` are booleans to
    the original, whose YAML is 1.1."""
    return _BOOLEANS.get(value.lower(), value) if isinstance(value, str) else value


def _whole(value: object) -> object:
    return int(value) if isinstance(value, str) and re.fullmatch(r"[-+]?\d{1,18}", value) else value


Text = Annotated[str, BeforeValidator(_as_written, json_schema_input_type=str | int | float | bool)]
"""Text; a number or a boolean stands for the text it was written as (``version: 1.10``)."""

Snake = _AnyCase()
"""Before a Literal: any case of its values."""

OneOrMore = BeforeValidator(_list, json_schema_input_type=Any)
"""Before a list: a single value stands for a list of one."""

Flag = Annotated[bool, BeforeValidator(_boolean, json_schema_input_type=bool | str)]

Whole = Annotated[int, _AlsoText()]

_REFERENCE_TEXT = WithJsonSchema({"type": "string", "minLength": 1}, mode="validation")

Ref = Annotated[Reference, PlainValidator(_reference), PlainSerializer(str, return_type=str), _REFERENCE_TEXT]
"""A reference, parsed; text in JSON."""

AssetRef = Annotated[Reference, PlainValidator(_asset), PlainSerializer(str, return_type=str), _REFERENCE_TEXT]
"""A reference that cannot be a local path."""

ComputeRef = Annotated[Reference, PlainValidator(_compute), PlainSerializer(str, return_type=str), _REFERENCE_TEXT]

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


class ReadOnly(Spec):
    """What the original writes into the files that it prints (``show``, ``export``) and does not read back."""

    id: Annotated[Any, WithoutEffect()] = None
    creation_context: Annotated[Any, WithoutEffect()] = None
    provisioning_state: Annotated[Any, WithoutEffect()] = None
    provisioning_errors: Annotated[Any, WithoutEffect()] = None
    created_on: Annotated[Any, WithoutEffect()] = None
    latest_version: Annotated[Any, WithoutEffect()] = None
    status: Annotated[Any, WithoutEffect()] = None
    log_files: Annotated[Any, WithoutEffect()] = None
    parameters: Annotated[Any, WithoutEffect()] = None
    is_enabled: Annotated[Any, WithoutEffect()] = None


class Resource(ReadOnly):
    """What every file may say about itself."""

    schema_url: Text | None = Field(default=None, alias="$schema")
    name: Text | None = None
    description: Text | None = None
    tags: Texts = Field(default_factory=dict)
    properties: dict[str, Any] = Field(default_factory=dict)


class Opaque(Spec):
    """A job, step, component or signal of a type that parses and cannot run (spark, automl …): kept as it was
    written, refused when it is submitted."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)

    type: str

    def entries(self) -> Iterator[tuple[str, Any, list[Any]]]:
        """All of its keys, unmarked: nothing in it is acted upon."""
        yield from ((key, value, []) for key, value in self.raw.items())

    @property
    def raw(self) -> dict[str, Any]:
        """All of its keys."""
        return {"type": self.type, **(self.model_extra or {})}
