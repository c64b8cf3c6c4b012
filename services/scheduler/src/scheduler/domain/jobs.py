"""A job and its steps as the scheduler keeps them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from modelyard_platform.cause import Cause
from scheduler.domain.plans import JobPlan, StepPlan
from scheduler.domain.steps import JobStatus, Step


@dataclass(frozen=True, kw_only=True, slots=True)
class NewJob:
    """A job about to be submitted. `spec` is resolved; `inputs` tells what was given, with versions in place of labels."""

    name: str
    plan: JobPlan
    spec: dict[str, Any]
    git: dict[str, Any] | None
    inputs: dict[str, str]
    uses: frozenset[str] = frozenset()
    display_name: str | None = None
    experiment: str | None = None
    description: str | None = None
    tags: dict[str, str | None]
    properties: dict[str, Any]
    trigger: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job. `cause` is that of whatever follows from it: the job is the actor, its submission the cause."""

    position: int
    workspace: str
    name: str
    status: JobStatus
    plan: JobPlan
    display_name: str | None
    experiment: str | None
    description: str | None
    tags: dict[str, str | None]
    properties: dict[str, Any]
    git: dict[str, Any] | None
    inputs: dict[str, str]
    outputs: dict[str, str]
    trigger: str | None
    detail: str | None
    failed_step: str | None
    cause: Cause
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    archived: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class JobChange:
    """What is to be said of a job from now on; what is None stays, empty text is none. `tags` take the place of all."""

    display_name: str | None = None
    experiment_name: str | None = None
    description: str | None = None
    tags: dict[str, str | None] | None = None
    archived: bool | None = None

    def made(self, job: Job) -> Job:
        """The job with the change made."""
        return replace(
            job,
            display_name=job.display_name if self.display_name is None else self.display_name or None,
            experiment=job.experiment if self.experiment_name is None else self.experiment_name or None,
            description=job.description if self.description is None else self.description or None,
            tags=job.tags if self.tags is None else self.tags,
            archived=job.archived if self.archived is None else self.archived,
        )

    @staticmethod
    def said(job: Job) -> dict[str, Any]:
        """What of a job can change."""
        return {
            "display_name": job.display_name,
            "experiment_name": job.experiment,
            "description": job.description,
            "tags": job.tags,
            "archived": job.archived,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class JobStep:
    """A step with everything known of it. `state` is what the state machine sees."""

    id: UUID
    workspace: str
    job: str
    state: Step
    plan: StepPlan
    environment_key: str | None
    lock: str | None
    cache_key: str | None
    inputs: dict[str, Any]
    source: str | None
    exit_code: int | None
    log: str | None
    log_tail: str
    node: str | None
    seconds: float | None
    peak_rss_bytes: int | None
    ended_event: UUID | None
    created_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def name(self) -> str:
        """Its name in the job."""
        return self.plan.name

    @property
    def preparing(self) -> bool:
        """Whether its environment is still to be locked."""
        return self.environment_key is not None and self.lock is None


@dataclass(frozen=True, kw_only=True, slots=True)
class StepOutcome:
    """What the runner reported beside the state."""

    exit_code: int | None
    log: str | None
    log_tail: str
    node: str
    seconds: float
    peak_rss_bytes: int | None
