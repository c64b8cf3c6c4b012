"""The scheduler's errors."""

from __future__ import annotations

from modelyard_platform.errors import ConflictError, NotFoundError


class JobNotFoundError(NotFoundError):
    """There is no job of this name."""

    code = "job_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no job {name!r}; `jobs` lists those that exist")


class JobExistsError(ConflictError):
    """Names of jobs are used once."""

    code = "job_exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a job {name!r}; leave the name out to get a new one")


class JobEndedError(ConflictError):
    """What was asked for needs a job that still goes on."""

    code = "job_ended"

    def __init__(self, name: str, status: str) -> None:
        super().__init__(f"job {name!r} has ended already: {status}")


class OutputNotFoundError(NotFoundError):
    """The job has no such output, or not yet."""

    code = "output_not_found"

    def __init__(self, job: str, output: str, status: str, exists: list[str]) -> None:
        there = f"it has {', '.join(exists)}" if exists else "it has none"
        super().__init__(f"job {job!r} ({status}) has no output {output!r} to read; {there}", exists=exists)


class StepNotFoundError(NotFoundError):
    """There is no step of this id or name."""

    code = "step_not_found"

    def __init__(self, step: str, exists: list[str] | None = None) -> None:
        hint = f"; there are {', '.join(exists)}" if exists else ""
        super().__init__(f"there is no step {step!r}{hint}", exists=exists or [])


class StaleAttemptError(ConflictError):
    """A report about an attempt that nobody waits for any more: the runner drops the order."""

    code = "attempt_stale"

    def __init__(self, step: str, attempt: int, status: str, current: int) -> None:
        super().__init__(f"attempt {attempt} at step {step!r} is not wanted: attempt {current} is {status}")


class TriggerNotFoundError(NotFoundError):
    """There is no trigger of this name."""

    code = "trigger_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no trigger {name!r}; `triggers` lists those that exist")
