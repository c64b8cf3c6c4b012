"""Expressions: ``${{inputs.x}}``, ``${{parent.jobs.a.outputs.b}}``, ``${{event.data.x}}`` …, and ``$[[…]]``, the part of
a command that stands only when everything in it is bound."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, assert_never

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_OPTIONAL = re.compile(r"\$\[\[(.*?)\]\]", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_KNOWN = (
    "inputs.NAME, outputs.NAME, parent.inputs.NAME, parent.outputs.NAME, parent.jobs.STEP.outputs.NAME, "
    "search_space.NAME, event.subject, event.data.PATH, name or default_datastore"
)


@dataclass(frozen=True, slots=True)
class Port:
    """``inputs.x`` or ``outputs.x`` of the job or component itself."""

    side: Literal["inputs", "outputs"]
    name: str

    def __str__(self) -> str:
        return f"{self.side}.{self.name}"


@dataclass(frozen=True, slots=True)
class ParentPort:
    """``parent.inputs.x`` or ``parent.outputs.x`` of the pipeline."""

    side: Literal["inputs", "outputs"]
    name: str

    def __str__(self) -> str:
        return f"parent.{self.side}.{self.name}"


@dataclass(frozen=True, slots=True)
class StepPort:
    """``parent.jobs.a.outputs.b`` (or ``inputs``) of another step."""

    step: str
    side: Literal["inputs", "outputs"]
    name: str

    def __str__(self) -> str:
        return f"parent.jobs.{self.step}.{self.side}.{self.name}"


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """``search_space.x`` of a sweep."""

    name: str

    def __str__(self) -> str:
        return f"search_space.{self.name}"


@dataclass(frozen=True, slots=True)
class EventAttribute:
    """``event.subject``, or a value of its data, ``event.data.features.0.name``, of what fired a trigger."""

    path: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(("event", *self.path))


@dataclass(frozen=True, slots=True)
class Constant:
    """``name`` (of the run), ``default_datastore``, or, in a schedule, ``creation_context.trigger_time``."""

    name: Literal["name", "default_datastore", "creation_context.trigger_time"]

    def __str__(self) -> str:
        return self.name


Expression = Port | ParentPort | StepPort | SearchSpace | EventAttribute | Constant


class UnboundError(ValueError):
    """A command that cannot be rendered: ``expressions`` have no value."""

    def __init__(self, expressions: tuple[Expression, ...]) -> None:
        self.expressions = expressions
        super().__init__("no value for " + ", ".join(f"${{{{{e}}}}}" for e in expressions))


def parse_expression(body: str) -> Expression:
    """Parse what stands between ``${{`` and ``}}``; raises ValueError with what was expected."""
    text = body.strip()
    match text.split("."):
        case ["name" | "default_datastore" as constant]:
            return Constant(constant)
        case ["creation_context", "trigger_time"]:
            return Constant("creation_context.trigger_time")
        case ["inputs" | "outputs" as side, name] if _NAME.fullmatch(name):
            return Port(side, name)
        case ["parent", "inputs" | "outputs" as side, name] if _NAME.fullmatch(name):
            return ParentPort(side, name)
        case ["parent", "jobs", step, "inputs" | "outputs" as side, name] if _both(step, name):
            return StepPort(step, side, name)
        case ["search_space", name] if _NAME.fullmatch(name):
            return SearchSpace(name)
        case ["event", *path] if all(re.fullmatch(r"[\w-]+", part) for part in path) and _event_path(path):
            return EventAttribute(tuple(path))
        case _:
            raise ValueError(f"`${{{{{body}}}}}` is no expression: {_KNOWN}")


def _event_path(path: list[str]) -> bool:
    """An attribute of the event, or a value inside its data."""
    return len(path) > 1 if path[:1] == ["data"] else len(path) == 1


def _both(*names: str) -> bool:
    return all(_NAME.fullmatch(name) for name in names)


def find_expressions(text: str) -> tuple[Expression, ...]:
    """Every expression in ``text``, in order, those in ``$[[…]]`` included; raises ValueError for one that is none."""
    return tuple(parse_expression(body) for body in _EXPRESSION.findall(text))


def sole_expression(text: object) -> Expression | None:
    """The expression that ``text`` is as a whole (a binding), or None; raises ValueError as above."""
    found = _EXPRESSION.fullmatch(text.strip()) if isinstance(text, str) else None
    return parse_expression(found[1]) if found and "${{" not in found[1] else None


def optional_expressions(command: str) -> tuple[Expression, ...]:
    """The expressions that stand in ``$[[…]]`` only, which may be unbound."""
    always = set(find_expressions(_OPTIONAL.sub("", command)))
    return tuple(e for block in _OPTIONAL.findall(command) for e in find_expressions(block) if e not in always)


def render(command: str, bindings: Mapping[str, Any]) -> str:
    """Fill in a command or a path. ``bindings`` maps an expression's body (``inputs.rate``) to its value; a missing or
    None value drops the ``$[[…]]`` that needs it. Values are put in as text, unquoted: the quoting is the user's own.

    Raises UnboundError when an expression outside ``$[[…]]`` has no value, ValueError for a malformed one.
    """

    def block(found: re.Match[str]) -> str:
        bound = all(bindings.get(str(e)) is not None for e in find_expressions(found[1]))
        return found[1] if bound else ""

    kept = _OPTIONAL.sub(block, command)
    unbound = tuple(dict.fromkeys(e for e in find_expressions(kept) if bindings.get(str(e)) is None))
    if unbound:
        raise UnboundError(unbound)
    return _EXPRESSION.sub(lambda found: str(bindings[str(parse_expression(found[1]))]), kept)


def lookup(expression: EventAttribute, event: Mapping[str, Any]) -> Any:
    """The value of ``event.…`` in a CloudEvent given as a mapping; None when it has none."""
    value: Any = event
    for part in expression.path:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def describe(expression: Expression) -> str:
    """An expression in words, for messages."""
    match expression:
        case Port(side, name):
            return f"{side[:-1]} `{name}`"
        case ParentPort(side, name):
            return f"{side[:-1]} `{name}` of the pipeline"
        case StepPort(step, side, name):
            return f"{side[:-1]} `{name}` of step `{step}`"
        case SearchSpace(name):
            return f"`{name}` of the search space"
        case EventAttribute():
            return f"`{expression}` of the event"
        case Constant(name):
            return f"`{name}`"
        case _:
            assert_never(expression)
