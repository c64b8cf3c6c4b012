"""The keys that are accepted and have no effect, kind by kind: read from the models, so that the list is never stale."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from modelyard_specs.kinds import CLASSES, Kind
from modelyard_specs.kinds.base import ReadOnly, Resource, Spec, WithoutEffect

_OF_KINDS = frozenset(CLASSES.values())
_PRINTED = frozenset(ReadOnly.model_fields)


def effectless_keys(kind: Kind) -> tuple[str, ...]:
    """The key paths of a kind that are accepted without effect (``*`` is a user's name, ``[]`` an item of a list),
    without ``read_only_keys`` and without those of another kind within it: an inline environment's are the environment's."""
    return tuple(dict.fromkeys(_keys(CLASSES[kind], "")))


def read_only_keys() -> tuple[str, ...]:
    """What every file may hold because the original prints it; it is never read back."""
    return tuple(sorted(_PRINTED))


def _keys(model: type[Spec], prefix: str) -> Iterator[str]:
    if prefix and model in _OF_KINDS:
        return
    for name, field in model.model_fields.items():
        if name in _PRINTED and issubclass(model, ReadOnly | Resource):
            continue
        path = f"{prefix}{field.alias or name}"
        if any(isinstance(marker, WithoutEffect) for marker in field.metadata):
            yield path
        else:
            for suffix, inner in _models(field.annotation, ""):
                yield from _keys(inner, f"{path}{suffix}.")


def _models(annotation: Any, suffix: str) -> Iterator[tuple[str, type[Spec]]]:
    """The models that an annotation holds, and how their keys are reached."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        yield suffix, annotation
    elif origin is Annotated:
        yield from _models(arguments[0], suffix)
    elif origin in (Union, UnionType):
        for argument in arguments:
            yield from _models(argument, suffix)
    elif origin is dict:
        yield from _models(arguments[1], f"{suffix}.*")
    elif origin is list:
        yield from _models(arguments[0], f"{suffix}[]")
