"""What the Ray task tells the runner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from modelyard_contracts.work import StepResult, StepStart


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The attempt came to no result for a reason that is not the step's: a store or an index that does not answer, a node gone."""

    reason: str


Report: TypeAlias = StepStart | StepResult | Interrupted
