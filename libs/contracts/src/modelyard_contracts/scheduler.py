"""Events of the scheduler: jobs, steps, schedules and triggers."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

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
    """`code` holds the tree digests of its code snapshots, taken of `commit`; `dirty` says that they hold more than was committed.

    `uses` are the subjects of the asset versions that its references were resolved to, such as `data/flights/versions/2`.
    """

    TYPE: ClassVar[str] = "job.submitted"

    trigger: str | None = None
    repository: str | None = None
    branch: str | None = None
    commit: str | None = None
    dirty: bool = False
    code: list[str] = []
    inputs: dict[str, str] = {}
    uses: list[str] = []


class JobStarted(JobEvent):
    TYPE: ClassVar[str] = "job.started"


class JobCompleted(JobEvent):
    """`outputs` are tree digests by name. `properties` are the job's own: what a job was made for is said there.
    `registered` are the versions that named outputs became, as `models/x/versions/3` by output."""

    TYPE: ClassVar[str] = "job.completed"

    seconds: float = 0.0
    outputs: dict[str, str] = {}
    properties: dict[str, str] = {}
    registered: dict[str, str] = {}


class JobFailed(JobEvent):
    """`detail` says which step failed and why; `log_tail` holds its last lines."""

    TYPE: ClassVar[str] = "job.failed"

    detail: str
    step: str | None = None
    log_tail: str = ""


class JobCanceled(JobEvent):
    TYPE: ClassVar[str] = "job.canceled"


class JobUpdated(JobEvent):
    """Somebody changed what is said of a job, or archived it, or brought it back: what it was `before`, what it is `after`."""

    TYPE: ClassVar[str] = "job.updated"

    before: dict[str, Any] = {}
    after: dict[str, Any] = {}


class StepEvent(EventData):
    """A fact about one attempt at one step of a job. `title` is what the job is called; `environment` is the lock it runs in."""

    job: str
    step: str
    attempt: int = 1
    title: str | None = None
    environment: str | None = None

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
    """`refused` is the subject of the asset version that is not what was signed, if that was the reason."""

    TYPE: ClassVar[str] = "step.failed"

    detail: str
    exit_code: int | None = None
    log_tail: str = ""
    refused: str | None = None


class StepCanceled(StepEvent):
    """It was stopped, or never began: its job was canceled, or a step failed that it needs or that ends the job."""

    TYPE: ClassVar[str] = "step.canceled"

    detail: str


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
    """A schedule or a trigger has submitted a job; `event` and what follows it say because of which event."""

    TYPE: ClassVar[str] = "schedule.fired"

    job: str
    event: str | None = None
    event_type: str | None = None
    event_subject: str | None = None


class ScheduleMissed(ScheduleEvent):
    """A schedule or a trigger should have submitted a job and did not; `detail` says why."""

    TYPE: ClassVar[str] = "schedule.missed"

    detail: str
    event: str | None = None


class TriggerEvent(EventData):
    """Somebody changed a trigger: its specification `before` (None when it is new) and `after` (None when it is deleted)."""

    trigger: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None

    @property
    def subject(self) -> str:
        return f"triggers/{self.trigger}"


class TriggerUpdated(TriggerEvent):
    TYPE: ClassVar[str] = "trigger.updated"


class TriggerDeleted(TriggerEvent):
    TYPE: ClassVar[str] = "trigger.deleted"


EVENTS: tuple[type[EventData], ...] = (
    JobSubmitted,
    JobStarted,
    JobCompleted,
    JobFailed,
    JobCanceled,
    JobUpdated,
    StepStarted,
    StepCompleted,
    StepFailed,
    StepCanceled,
    StepReused,
    ScheduleFired,
    ScheduleMissed,
    TriggerUpdated,
    TriggerDeleted,
)
