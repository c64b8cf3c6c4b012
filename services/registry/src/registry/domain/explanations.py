"""Explanations: which columns move a model's predictions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

PROPERTY: Final = "modelyard.explains"
"""The property of a job that says which model version its output `explanation` belongs to."""

OUTPUT: Final = "explanation"
SUMMARY: Final = "global.json"
_SUBJECT: Final = re.compile(r"^models/(?P<name>[^/]+)/versions/(?P<version>[^/]+)$")


@dataclass(frozen=True, slots=True)
class Explanation:
    """The job that explained a model version, and the tree of what it wrote."""

    job: str
    tree: str
    created_at: datetime


def explained_by(properties: Mapping[str, str], outputs: Mapping[str, str]) -> tuple[str, str, str] | None:
    """Name and version of the model that a completed job explains and the tree of its explanation; None for any other job."""
    subject = _SUBJECT.match(properties.get(PROPERTY, ""))
    tree = outputs.get(OUTPUT)
    return (subject["name"], subject["version"], tree) if subject and tree else None


def strongest(summary: Mapping[str, Any], outputs: int, features: int) -> list[dict[str, Any]]:
    """The first outputs of a summary, each with the features that move it most: `{name, base_value, features: [{name, mean_abs, mean}]}`.

    Raises ValueError for a summary that is not made so: it is whatever the job wrote.
    """
    try:
        return [
            {
                "name": str(output["name"]),
                "base_value": float(output["base_value"]),
                "features": [
                    {"name": str(one["name"]), "mean_abs": float(one["mean_abs"]), "mean": float(one["mean"])}
                    for one in sorted(output["features"], key=lambda one: -float(one["mean_abs"]))[:features]
                ],
            }
            for output in summary["outputs"][:outputs]
        ]
    except (AttributeError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"it has not the form of a summary: {error!r}") from error
