"""What the checks have found."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from modelyard_specs.documents import Document
from modelyard_specs.errors import KeyPath, Problem
from modelyard_specs.expressions import Expression, find_expressions
from modelyard_specs.kinds.ports import Input
from modelyard_specs.references import Templated


@dataclass(slots=True)
class Findings:
    """What is wrong, and what is only odd."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def expressions_of(document: Document, path: KeyPath, value: object, findings: Findings) -> tuple[Expression, ...]:
    """The expressions in a value; what is none is a problem."""
    text = value.path.text if isinstance(value, Input) and isinstance(value.path, Templated) else value
    if isinstance(text, Input):
        text = text.value
    if not isinstance(text, str):
        return ()
    try:
        return find_expressions(text)
    except ValueError as error:
        findings.problems.append(document.problem(path, str(error)))
        return ()


def refuse(document: Document, path: KeyPath, expression: Expression, expected: str, findings: Findings) -> None:
    """An expression where it means nothing."""
    findings.problems.append(document.problem(path, f"`${{{{{expression}}}}}` cannot stand here", expected))


def one_of(names: Iterable[str]) -> str | None:
    """What was expected, when it is one of some names."""
    listed = list(names)
    return f"one of {', '.join(listed)}" if listed else None
