"""Specifications that come in by HTTP: checked by `modelyard_specs`, their problems answered as problem+json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard_platform.errors import InvalidError
from modelyard_specs import Document, Group, SpecError, load_mapping


def spec_error(error: SpecError) -> InvalidError:
    """Every problem found, as the members of a problem document: `path` and `line` of the first, and `errors[]`."""
    problems = [
        {
            "path": problem.path,
            "line": problem.line,
            "column": problem.column,
            "message": problem.message,
            "expected": problem.expected,
            "suggestion": problem.suggestion,
        }
        for problem in error.problems
    ]
    first = error.problems[0]
    return InvalidError(str(first), code=f"spec_{first.code}", path=first.path, line=first.line, errors=problems)


def load_spec(spec: Mapping[str, Any], group: Group | None = None) -> Document:
    """A checked specification. `group` is the CLI group it was given to, which helps to tell its kind. Raises InvalidError."""
    try:
        return load_mapping(spec, group=group)
    except SpecError as error:
        raise spec_error(error) from error
