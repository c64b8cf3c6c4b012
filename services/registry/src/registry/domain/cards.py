"""Model cards: what is known of a model version and what people say of it, as Markdown.

Source of the form: Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019), and the headings of the Hugging Face card template.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from registry.errors import InvalidError

SECTIONS: Final[dict[str, str]] = {
    "intended_use": "Intended use",
    "out_of_scope": "Out of scope",
    "limitations": "Limitations",
    "ethics": "Ethical considerations",
    "caveats": "Caveats and recommendations",
    "contact": "Contact",
}
"""The parts that people write, with their headings. All else is generated."""

MAX_SECTION_CHARS: Final = 20_000
_FEATURES: Final = 50
"""So many columns of one data set are listed."""


def check_sections(sections: Mapping[str, str | None]) -> None:
    """Raises InvalidError for a section that is not people's to write, or too long."""
    for name, text in sections.items():
        if name not in SECTIONS:
            raise InvalidError(
                f"{name[:80]!r} is not a section that can be written; those are {', '.join(SECTIONS)}",
                path=f"sections.{name[:80]}",
            )
        if text is not None and len(text) > MAX_SECTION_CHARS:
            raise InvalidError(
                f"section {name!r} has {len(text):,} characters; at most {MAX_SECTION_CHARS:,} are kept",
                path=f"sections.{name}",
            )


def markdown(card: Mapping[str, Any]) -> str:
    """The card as a Markdown document (CommonMark with tables)."""
    blocks = [_head(card), *_people(card, ("intended_use", "out_of_scope")), *_evaluation(card), *_training(card)]
    blocks += [*_signature(card), *_conversion(card), *_explanation(card), *_deployments(card)]
    blocks += _people(card, ("limitations", "ethics", "caveats", "contact"))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _head(card: Mapping[str, Any]) -> str:
    facts = [
        ("Version", card["version"]),
        ("Aliases", ", ".join(card["aliases"])),
        ("Stage", card["stage"]),
        ("Type", card["type"]),
        ("Flavours", ", ".join(card["flavours"])),
        ("Registered", f"{card['created_at']:%Y-%m-%d %H:%M} UTC by {card['created_by']}"),
        ("Reason", card["reason"]),
        ("Files", f"`{card['tree']}` ({_size(card['size'])})" if card["tree"] else None),
        ("Tags", ", ".join(f"`{name}={value}`" for name, value in sorted(card["tags"].items()))),
    ]
    blocks = [f"# {_text(card['name'])} {_text(card['version'])}"]
    blocks += [card["description"].strip()] if card["description"].strip() else []
    return "\n\n".join([*blocks, table(("", ""), [fact for fact in facts if fact[1]])])


def _people(card: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    found = []
    for name in names:
        section = card["sections"].get(name)
        text = section["text"].strip() if section else "_Not written yet._"
        found.append(f"## {SECTIONS[name]}\n\n{text}")
    return found


def _evaluation(card: Mapping[str, Any]) -> Iterator[str]:
    metrics = card["metrics"]
    if not metrics and not card["evaluations"]:
        return
    yield "## Evaluation"
    if metrics:
        yield table(("metric", "value"), sorted(metrics.items()))
    for one in card["evaluations"]:
        sides = one["evidence"].get("candidate") or {}, one["evidence"].get("champion") or {}
        decision = f"**{one['status'].capitalize()}** against version {one['champion']}"
        yield f"{decision} by `{one['criterion']}`, {_text(one['decided_by'])}: {_text(one['detail'])}"
        yield table(
            ("metric", f"version {card['version']}", f"version {one['champion']}"),
            [(name, sides[0].get(name), sides[1].get(name)) for name in sorted({**sides[0], **sides[1]})],
        )


def _training(card: Mapping[str, Any]) -> Iterator[str]:
    training = card["training"]
    facts = [
        ("Job", f"`{training['job']}`" if training["job"] else None),
        ("Experiment", training["experiment"]),
        ("Code", f"`{training['code']}`" if training["code"] else None),
        ("Commit", f"`{training['commit']}`{_of(training['repository'])}" if training["commit"] else None),
        ("Branch", training["branch"]),
        ("Uncommitted changes", "yes" if training["dirty"] else None),
        ("Environment", ", ".join(training["environments"])),
        ("Environment lock", f"`{training['lock']}`" if training["lock"] else None),
    ]
    known = [fact for fact in facts if fact[1]]
    run = training["run"]
    yield "## Training"
    if known or not run:
        yield table(("", ""), known) if known else "_Trained elsewhere: nothing is known of it here._"
    if run:
        yield f"### Run: {_text(run['name'])}, {run['status']}"
        for head, values in (("metric", run["metrics"]), ("param", run["params"])):
            if values:
                yield table((head, "value"), sorted(values.items())[:_FEATURES])
    for data in training["data"]:
        profile = data["profile"]
        yield f"### Data: {_text(data['name'])} {_text(data['version'])}"
        if not profile:
            yield "_There is no profile of it._"
            continue
        yield f"{profile['rows']:,} rows, {len(profile['columns'])} columns."
        yield table(
            ("column", "type", "missing", "summary"),
            [_column(*one) for one in [*profile["columns"].items()][:_FEATURES]],
        )


def _of(repository: str | None) -> str:
    return f" of {repository}" if repository else ""


def _column(name: str, column: Mapping[str, Any]) -> tuple[Any, ...]:
    if column.get("mean") is not None:
        said = f"{_number(column['min'])} … {_number(column['max'])}, mean {_number(column['mean'])}"
    else:
        said = ", ".join(f"{value['value']} ({value['count']:,})" for value in column.get("top", ())[:5])
    return name, column.get("type"), column.get("missing"), said


def _signature(card: Mapping[str, Any]) -> Iterator[str]:
    signature = card["signature"] or {}
    sides = [(side, signature.get(side)) for side in ("inputs", "outputs")]
    if not any(fields for _, fields in sides):
        return
    yield "## Inputs and outputs"
    for side, fields in sides:
        if columns := _fields(fields):
            names = tuple(dict.fromkeys(name for column in columns for name in column))
            yield f"**{side.capitalize()}**"
            yield table(names, [tuple(column.get(name) for name in names) for column in columns[:_FEATURES]])


def _fields(given: Any) -> list[Mapping[str, Any]]:
    """A side of a signature as rows, whether it came as a list or as types by name."""
    if isinstance(given, Mapping):
        return [{"name": name, "type": type_} for name, type_ in given.items()]
    return [field for field in given if isinstance(field, Mapping)] if isinstance(given, list) else []


def _conversion(card: Mapping[str, Any]) -> Iterator[str]:
    conversion = card["conversion"]
    if not conversion:
        return
    yield "## Conversion to ONNX"
    if conversion.get("status") != "converted":
        yield f"Failed: {_text(conversion.get('detail') or 'no reason given')}"
        return
    facts = [
        ("Largest difference of an output", conversion.get("max_abs_difference")),
        ("Labels that agree", _share(conversion.get("label_agreement"))),
        ("Rows compared", conversion.get("rows")),
        ("Files", f"`{conversion.get('tree')}`"),
    ]
    yield table(("", ""), [fact for fact in facts if fact[1] is not None])


def _explanation(card: Mapping[str, Any]) -> Iterator[str]:
    if explanation := card["explanation"]:
        made = f"{explanation['created_at']:%Y-%m-%d} by job `{explanation['job']}`"
        over = f" over {explanation['rows']:,} rows" if explanation.get("rows") else ""
        yield "## Explanation"
        yield f"Made {made}{over}; files `{explanation['tree']}`. What each column adds to the output, of which the base value is the mean."
        if explanation.get("detail"):
            yield f"_{_text(explanation['detail'])}_"
        for output in explanation["outputs"]:
            yield f"**{_text(output['name'])}**, base value {_number(output['base_value'])}"
            yield table(
                ("column", "mean size", "mean"),
                [(one["name"], one["mean_abs"], one["mean"]) for one in output["features"]],
            )


def _deployments(card: Mapping[str, Any]) -> Iterator[str]:
    yield "## Deployments"
    if not card["deployments"]:
        yield "_Not deployed._"
        return
    rows = [
        (
            one["endpoint"],
            one["deployment"],
            one["state"],
            f"{one['traffic']} %",
            one["drift"] or "not watched",
            one["since"].date(),
        )
        for one in card["deployments"]
    ]
    yield table(("endpoint", "deployment", "state", "traffic", "drift", "since"), rows)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; what would break a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return _number(value)
    return "" if value is None else _text(f"{value:,}" if isinstance(value, int) else str(value))


def _text(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else _text(str(value))


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.2%}"


def _size(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} GiB"
