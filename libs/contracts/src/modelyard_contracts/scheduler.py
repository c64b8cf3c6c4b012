"""Events of the scheduler: jobs, steps, schedules and triggers."""

from __future__ import annotations

from typing import ClassVar, Literal

from modelyard_contracts.envelope import EventData


class JobEvent(EventData):
    """A fact about one job. `kind` is the CLI v2 kind."""

    job: str
    kind: Literal["command", "pipeline"]
    display_name: str | None = None
    experiment: str | None = None

    @property
    def subject(self) -> str:
        return f"jobs/{self.job}"


class JobSubmitted(JobEvent):
    TYPE: ClassVar[str] = "job.submitted"

    trigger: str | None = None
    commit: str | None = None
    inputs: dict[str, str] = {}


class JobStarted(JobEvent):
    TYPE: ClassVar[str] = "job.started"


class JobCompleted(JobEvent):
    TYPE: ClassVar[str] = "job.completed"

    seconds: float = 0.0
    outputs: dict[str, str] = {}


class JobFailed(JobEvent):
    """`detail` says which step failed and why; `log_tail` holds its last lines."""

    TYPE: ClassVar[str] = "job.failed"

    detail: str
    step: str | None = None
    log_tail: str = ""


class JobCanceled(JobEvent):
    TYPE: ClassVar[str] = "job.canceled"


class StepEvent(EventData):
    """A fact about one attempt at one step of a job."""

    job: str
    step: str
    attempt: int = 1

    @property
    def subject(self) -> str:
        return f"jobs/{self.job}/steps/{self.step}"


class StepStarted(StepEvent):
    TYPE: ClassVar[str] = "step.started"

    node: str | None = None


class StepCompleted(StepEvent):
    TYPE: ClassVar[str] = "step.completed"

    seconds: float = 0.0
    outputs: dict[str, str] = {}


class StepFailed(StepEvent):
    TYPE: ClassVar[str] = "step.failed"

    detail: str
    exit_code: int | None = None
    log_tail: str = ""


class StepReused(StepEvent):
    """The same work was done before: its outputs are used again. `source` is the step they come from."""

    TYPE: ClassVar[str] = "step.reused"

    source: str
    outputs: dict[str, str] = {}


class ScheduleEvent(EventData):
    schedule: str

    @property
    def subject(self) -> str:
        return f"schedules/{self.schedule}"


class ScheduleFired(ScheduleEvent):
    """A schedule or a trigger has submitted a job."""

    TYPE: ClassVar[str] = "schedule.fired"

    job: str
    event: str | None = None


class ScheduleMissed(ScheduleEvent):
    """A schedule or a trigger should have submitted a job and did not; `detail` says why."""

    TYPE: ClassVar[str] = "schedule.missed"

    detail: str
    event: str | None = None


EVENTS: tuple[type[EventData], ...] = (
    JobSubmitted,
    JobStarted,
    JobCompleted,
    JobFailed,
    JobCanceled,
    StepStarted,
    StepCompleted,
    StepFailed,
    StepReused,
    ScheduleFired,
    ScheduleMissed,
)
