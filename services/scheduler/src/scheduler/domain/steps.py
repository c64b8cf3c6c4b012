"""The state machine of steps, and what a job does next. Pure: rows in, decisions out.

waiting ─► queued ─► running ─► completed | failed          any state before an end ─► canceled
   ├─► reused  └───────────────────►┘  (the report of the start may be lost or late)
   └─► failed  (its environment cannot be made)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, assert_never

from modelyard_contracts.work import StepResult
from scheduler.errors import StaleAttemptError

StepStatus = Literal["waiting", "queued", "running", "completed", "failed", "canceled", "reused"]
JobStatus = Literal["submitted", "running", "finalizing", "completed", "failed", "canceled"]

ENDED: Final[frozenset[StepStatus]] = frozenset(("completed", "failed", "canceled", "reused"))
DONE: Final[frozenset[StepStatus]] = frozenset(("completed", "reused"))
JOB_ENDED: Final[frozenset[JobStatus]] = frozenset(("completed", "failed", "canceled"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of a job. `attempt` is 0 until it is queued. An order that is delivered again (its runner or node was lost)
    repeats the same attempt, so outputs are taken from one report only."""

    name: str
    needs: tuple[str, ...] = ()
    status: StepStatus = "waiting"
    attempt: int = 0
    outputs: Mapping[str, str] = field(default_factory=dict)
    detail: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in ENDED


def enqueue(step: Step) -> Step:
    """Everything the step needs is there: its first attempt may begin."""
    assert step.status == "waiting", step
    return replace(step, status="queued", attempt=step.attempt + 1)


def reuse(step: Step, outputs: Mapping[str, str]) -> Step:
    """The same work was done before."""
    assert step.status == "waiting", step
    return replace(step, status="reused", outputs=outputs)


def refuse(step: Step, detail: str) -> Step:
    """The step cannot be prepared: its environment cannot be made."""
    assert step.status == "waiting", step
    return replace(step, status="failed", detail=detail)


def start(step: Step, attempt: int) -> Step:
    """The runner has begun. The same attempt may begin again when its order was redelivered. Raises StaleAttemptError."""
    match step.status:
        case "queued" | "running" if attempt == step.attempt:
            return replace(step, status="running")
        case "waiting" | "queued" | "running" | "completed" | "failed" | "canceled" | "reused":
            raise StaleAttemptError(step.name, attempt, step.status, step.attempt)
        case _:
            assert_never(step.status)


def finish(step: Step, attempt: int, result: StepResult) -> Step:
    """The runner has ended. The first report about an attempt decides; the same one again changes nothing.

    Raises StaleAttemptError for an attempt that is not the current one, and for a step that was canceled.
    """
    if attempt != step.attempt:
        raise StaleAttemptError(step.name, attempt, step.status, step.attempt)
    match step.status:
        case "completed" | "failed":
            return step
        case "queued" | "running":
            return _ended(step, result)
        case "waiting" | "canceled" | "reused":
            raise StaleAttemptError(step.name, attempt, step.status, step.attempt)
        case _:
            assert_never(step.status)


def _ended(step: Step, result: StepResult) -> Step:
    match result.status:
        case "completed":
            return replace(step, status="completed", outputs=dict(result.outputs), detail=None)
        case "failed":
            return replace(step, status="failed", detail=result.reason or _exit(result))
        case "canceled":  # nobody canceled it here: the runner had to give it up
            return replace(step, status="failed", detail=result.reason or "the runner gave the step up")
        case _:
            assert_never(result.status)


def _exit(result: StepResult) -> str:
    return f"the command ended with exit code {result.exit_code}"


def cancel(step: Step, reason: str) -> Step:
    """Stop a step, whatever it is at; one that has ended stays as it ended."""
    return step if step.ended else replace(step, status="canceled", detail=reason)


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What a job does next: steps that may be planned, steps to cancel (with the reason), and how it has ended, if so."""

    ready: tuple[str, ...] = ()
    cancel: Mapping[str, str] = field(default_factory=dict)
    ended: Literal["completed", "failed"] | None = None
    culprit: Step | None = None


def progress(steps: Sequence[Step], *, continue_on_failure: bool) -> Progress:
    """Look at all steps of a job. A failed step ends the job at once, or with `continue_on_failure` only what needs it."""
    bad = {step.name: step for step in steps if step.status in ("failed", "canceled")}
    culprit = next((step for step in bad.values() if step.status == "failed"), next(iter(bad.values()), None))
    doomed: dict[str, str] = {}
    if culprit is not None and not continue_on_failure:
        doomed = {step.name: f"step {culprit.name!r} {culprit.status}" for step in steps if not step.ended}
        return Progress(cancel=doomed, ended="failed", culprit=culprit)
    while True:  # what needs a doomed step is doomed too
        lost = bad.keys() | doomed.keys()
        more = {
            step.name: f"step {next(need for need in step.needs if need in lost)!r} did not complete"
            for step in steps
            if step.status == "waiting" and step.name not in doomed and lost & set(step.needs)
        }
        if not more:
            break
        doomed |= more
    done = {step.name for step in steps if step.status in DONE}
    ready = tuple(
        step.name
        for step in steps
        if step.status == "waiting" and step.name not in doomed and done.issuperset(step.needs)
    )
    if all(step.ended or step.name in doomed for step in steps):
        return Progress(cancel=doomed, ended="failed" if bad else "completed", culprit=culprit)
    return Progress(ready=ready, cancel=doomed, culprit=culprit)
