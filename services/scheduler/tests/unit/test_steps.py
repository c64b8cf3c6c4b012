"""The state machine and what a job does next, over all sequences of reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modelyard_contracts.work import StepResult
from scheduler.domain.steps import (
    DONE,
    ENDED,
    Step,
    StepStatus,
    cancel,
    enqueue,
    finish,
    progress,
    refuse,
    reuse,
    start,
)
from scheduler.errors import StaleAttemptError

RESULTS = st.builds(
    StepResult, status=st.sampled_from(["completed", "failed", "canceled"]), outputs=st.just({"o": "tree"})
)


class Reports(RuleBasedStateMachine):
    """One step under reports that come late, twice, out of order and after a cancelation."""

    def __init__(self) -> None:
        super().__init__()
        self.step = Step(name="s")
        self.last = self.step

    def take(self, step: Step) -> None:
        self.last, self.step = self.step, step

    @precondition(lambda self: self.step.status == "waiting")
    @rule(what=st.sampled_from([enqueue, lambda s: reuse(s, {"o": "old"}), lambda s: refuse(s, "no environment")]))
    def prepare(self, what: Callable[[Step], Step]) -> None:
        self.take(what(self.step))

    @rule(attempt=st.integers(1, 2))
    def begin(self, attempt: int) -> None:
        wanted = attempt == self.step.attempt and self.step.status in ("queued", "running")
        if wanted:
            self.take(start(self.step, attempt))
            assert self.step.status == "running"
        else:
            with pytest.raises(StaleAttemptError):
                start(self.step, attempt)

    @rule(attempt=st.integers(1, 2), result=RESULTS)
    def end(self, attempt: int, result: StepResult) -> None:
        if attempt != self.step.attempt or self.step.status in ("waiting", "canceled", "reused"):
            with pytest.raises(StaleAttemptError):
                finish(self.step, attempt, result)
            return
        self.take(finish(self.step, attempt, result))
        assert self.step.status in ("completed", "failed")

    @rule()
    def stop(self) -> None:
        self.take(cancel(self.step, "enough"))
        assert self.step.ended

    @invariant()
    def an_end_is_final(self) -> None:
        if self.last.status in ENDED:
            assert self.step == self.last

    @invariant()
    def only_what_is_done_has_outputs(self) -> None:
        assert bool(self.step.outputs) == (self.step.status in DONE)

    @invariant()
    def attempts_only_rise(self) -> None:
        assert self.step.attempt >= self.last.attempt


TestReports = Reports.TestCase


@st.composite
def graphs(draw: st.DrawFn) -> list[Step]:
    """Steps that need earlier ones only; a step that has begun has all it needs."""
    steps: list[Step] = []
    for number in range(draw(st.integers(1, 7))):
        needs = tuple(draw(st.lists(st.sampled_from(steps), unique_by=lambda s: s.name, max_size=3))) if steps else ()
        begun = all(need.status in DONE for need in needs)
        status = draw(st.sampled_from(get_args(StepStatus) if begun else ["waiting", "canceled"]))
        steps.append(Step(name=f"s{number}", needs=tuple(need.name for need in needs), status=status, attempt=1))
    return steps


@given(graphs(), st.booleans())
def test_progress_names_only_what_can_be_done(steps: list[Step], continue_on_failure: bool) -> None:
    by_name = {step.name: step for step in steps}
    move = progress(steps, continue_on_failure=continue_on_failure)
    for name in move.ready:
        assert by_name[name].status == "waiting"
        assert all(by_name[need].status in DONE for need in by_name[name].needs)
    assert not set(move.ready) & set(move.cancel)
    assert all(not by_name[name].ended for name in move.cancel)
    if continue_on_failure:
        assert all(by_name[name].status == "waiting" for name in move.cancel)


@given(graphs(), st.booleans(), st.data())
def test_every_job_comes_to_an_end(steps: list[Step], continue_on_failure: bool, data: st.DataObject) -> None:
    """Doing what `progress` says and letting the rest report, a job ends, with nothing of it left to do."""
    for _ in range(4 * len(steps) + 1):
        move = progress(steps, continue_on_failure=continue_on_failure)
        steps = [cancel(step, "doomed") if step.name in move.cancel else step for step in steps]
        if move.ended:
            break
        steps = [enqueue(step) if step.name in move.ready else step for step in steps]
        active = [step for step in steps if step.status in ("queued", "running")]
        assert active
        one = data.draw(st.sampled_from(active))
        done = finish(one, one.attempt, data.draw(RESULTS))
        steps = [done if step.name == one.name else step for step in steps]
    assert move.ended
    assert all(step.ended for step in steps)
    bad = [step for step in steps if step.status in ("failed", "canceled")]
    assert (move.ended == "failed") == bool(bad)
