"""Promotion: is a candidate better than the champion?"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from registry.errors import InvalidError

_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CLAUSE: Final = re.compile(
    r"^candidate\.(?P<metric>\w+)\s*(?P<op><=|>=|<|>)\s*champion\.(?P<other>\w+)"
    r"(?:\s*(?P<change>[*+-])\s*(?P<amount>\d+(?:\.\d+)?))?$"
)


@dataclass(frozen=True, slots=True)
class Decision:
    """Approved or not, with every clause's figures."""

    approved: bool
    detail: str


def decide_promotion(criterion: str, candidate: dict[str, float], champion: dict[str, float]) -> Decision:
    """Judge a candidate against the champion by clauses joined with `and`, such as `candidate.log_loss < champion.log_loss * 0.99`.

    Raises InvalidError for a clause that cannot be read or a metric that one side does not have.
    """
    approved, said = True, []
    for clause in (part.strip() for part in criterion.split(" and ")):
        match = _CLAUSE.match(clause)
        if match is None:
            raise InvalidError(
                f"cannot read {clause!r}: write candidate.METRIC <|<=|>|>= champion.METRIC [*|+|- NUMBER], joined by ' and '",
                path="criterion",
            )
        left = _metric("candidate", candidate, match["metric"])
        right = _metric("champion", champion, match["other"])
        amount = float(match["amount"] or 0)
        match match["change"]:
            case "*":
                right *= amount
            case "+":
                right += amount
            case "-":
                right -= amount
        holds = _COMPARE[match["op"]](left, right)
        approved = approved and holds
        said.append(f"{clause}: {left:.6g} against {right:.6g}, {'holds' if holds else 'does not hold'}")
    return Decision(approved, "; ".join(said))


def _metric(side: str, metrics: dict[str, float], name: str) -> float:
    if name not in metrics:
        raise InvalidError(
            f"{side} has no metric {name!r}; it has {', '.join(sorted(metrics)) or 'none'}", path=f"evidence.{side}"
        )
    return metrics[name]
