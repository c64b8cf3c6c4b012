"""The registry's pure decisions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.assets import check_alias, check_name
from registry.domain.promotion import decide_promotion
from registry.errors import InvalidError

CRITERION = "candidate.log_loss < champion.log_loss * 0.99 and candidate.auc >= champion.auc - 0.005"


def test_a_better_candidate_is_approved_with_its_figures() -> None:
    decision = decide_promotion(CRITERION, {"log_loss": 0.40, "auc": 0.71}, {"log_loss": 0.45, "auc": 0.70})
    assert decision.approved
    assert "0.4 against 0.4455, holds" in decision.detail


def test_every_clause_must_hold() -> None:
    decision = decide_promotion(CRITERION, {"log_loss": 0.40, "auc": 0.60}, {"log_loss": 0.45, "auc": 0.70})
    assert not decision.approved
    assert "does not hold" in decision.detail


@pytest.mark.parametrize(
    ("criterion", "said"),
    [
        ("candidate.f1 > champion.f1", "has no metric 'f1'; it has auc"),
        ("auc is better", "cannot read 'auc is better'"),
        ("candidate.auc > champion.auc or candidate.auc > champion.auc", "cannot read"),
        ("__import__('os')", "cannot read"),
        ("", "cannot read"),
    ],
)
def test_a_criterion_that_cannot_be_judged_says_why(criterion: str, said: str) -> None:
    with pytest.raises(InvalidError, match=said.replace("(", r"\(").replace(")", r"\)")):
        decide_promotion(criterion, {"auc": 1.0}, {"auc": 0.5})


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_strictly_better_is_never_both_ways(left: float, right: float) -> None:
    forward = decide_promotion("candidate.x < champion.x", {"x": left}, {"x": right}).approved
    backward = decide_promotion("candidate.x < champion.x", {"x": right}, {"x": left}).approved
    assert not (forward and backward)


@pytest.mark.parametrize("name", ["", "a/b", "-a", "ü", "a" * 256, "a b", "../x"])
def test_names_that_could_mislead_are_refused(name: str) -> None:
    with pytest.raises(InvalidError, match="is not allowed"):
        check_name(name)


@pytest.mark.parametrize("alias", ["latest", "1", "", "a" * 65])
def test_an_alias_is_never_taken_for_a_version(alias: str) -> None:
    with pytest.raises(InvalidError):
        check_alias(alias)
