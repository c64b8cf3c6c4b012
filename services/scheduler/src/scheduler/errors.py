"""The scheduler's errors."""

from __future__ import annotations

from modelyard_platform.errors import ConflictError, InvalidError, NotFoundError


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


class JobRunningError(ConflictError):
    """What was asked for needs a job that has ended."""

    code = "job_running"

    def __init__(self, name: str, status: str) -> None:
        super().__init__(f"job {name!r} is {status}: archive it when it has ended, or cancel it first")


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


class ExperimentNotFoundError(NotFoundError):
    """There is no such experiment."""

    code = "experiment_not_found"

    def __init__(self, experiment: str) -> None:
        super().__init__(f"there is no experiment {experiment!r}")


class ExperimentExistsError(ConflictError):
    """Names of experiments are used once; a deleted one still has its name."""

    code = "experiment_exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is an experiment {name!r}, perhaps a deleted one: use it, restore it, or rename it")


class RunNotFoundError(NotFoundError):
    """There is no such run."""

    code = "run_not_found"

    def __init__(self, run: str) -> None:
        super().__init__(f"there is no run {run!r}")


class LoggedModelNotFoundError(NotFoundError):
    """There is no such logged model."""

    code = "logged_model_not_found"

    def __init__(self, model: str) -> None:
        super().__init__(f"there is no logged model {model!r}")


class ArtifactNotFoundError(NotFoundError):
    """There is no such artifact."""

    code = "artifact_not_found"

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no artifact at {path!r}")


class TagNotFoundError(NotFoundError):
    """There is no tag of this name to remove."""

    code = "tag_not_found"

    def __init__(self, key: str, of: str) -> None:
        super().__init__(f"{of} has no tag {key!r}")


class RunError(InvalidError):
    """What cannot be said about a run, an experiment or a logged model."""
