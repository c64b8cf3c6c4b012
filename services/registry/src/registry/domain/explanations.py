"""Explanations: which columns move a model's predictions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

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
