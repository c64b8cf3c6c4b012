"""Which values and types fit which inputs."""

from modelyard_specs.kinds.ports import LITERAL_TYPES, DeclaredInput, Input

_WIDER = {("integer", "number")}


def given_type(value: object) -> str:
    """The type of a pipeline's input as it was given."""
    match value:
        case Input():
            return value.type
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case _:
            return "string"


def binding_fault(given: str, wanted: str) -> tuple[bool, str] | None:
    """What is wrong with binding one type to another, and whether it is serious. As in the original, one kind of files
    may be given where another is declared: that is only odd."""
    if given == wanted or wanted == "string" or (given, wanted) in _WIDER:
        return None
    if given in LITERAL_TYPES and wanted in LITERAL_TYPES:
        return given != "string", f"{given} is given where the component takes {wanted}"
    serious = (given in LITERAL_TYPES) != (wanted in LITERAL_TYPES)
    return serious, f"{given} is given where the component takes {wanted}"


def literal_fault(declared: DeclaredInput, value: object) -> str | None:
    """What was expected instead of a literal; None when it fits. Numbers may be written as text."""
    if declared.type not in LITERAL_TYPES:
        return f"a mapping with `type: {declared.type}` and `path`"
    number: float | None = None
    match declared.type:
        case "integer":
            number = _number(value)
            if number is None or number != int(number):
                return "a whole number"
        case "number":
            number = _number(value)
            if number is None:
                return "a number"
        case "boolean":
            if not isinstance(value, bool) and str(value).lower() not in {"true", "false"}:
                return "true or false"
        case _:
            pass
    if declared.enum is not None and str(value) not in {str(option) for option in declared.enum}:
        return "one of " + ", ".join(str(option) for option in declared.enum)
    low, high = _number(declared.min), _number(declared.max)
    if number is not None and ((low is not None and number < low) or (high is not None and number > high)):
        limits = (("at least", declared.min), ("at most", declared.max))
        return "a number of " + " and ".join(f"{word} {limit}" for word, limit in limits if limit is not None)
    return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
