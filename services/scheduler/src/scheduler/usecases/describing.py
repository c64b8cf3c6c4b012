"""Changing what is said of a job, never what it was or did: its display name, experiment, description and tags; whether it is listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard_contracts.scheduler import JobUpdated
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import Pool, transaction
from scheduler.domain.jobs import JobChange
from scheduler.domain.steps import JOB_ENDED
from scheduler.errors import JobRunningError
from scheduler.store import experiments, jobs
from scheduler.usecases import SOURCE, reading


async def update_job(pool: Pool, cause: Cause, name: str, change: JobChange) -> dict[str, Any]:
    """Change what is said of a job, and say so; nothing when nothing differs.

    Raises JobNotFoundError; JobRunningError for one that is to be archived and still goes on.
    """
    async with transaction(pool) as tx:
        job = await jobs.lock_job(tx, cause.workspace, name)
        if change.archived and job.status not in JOB_ENDED:
            raise JobRunningError(name, job.status)
        after = change.made(job)
        before, now = _difference(change.said(job), change.said(after))
        if now:
            if after.experiment != job.experiment:
                await experiments.ensure_experiment(tx, cause.workspace, after.experiment, cause.actor)
            await jobs.update_job(tx, job, after)
            event = JobUpdated(
                job=name,
                kind=job.plan.kind,
                display_name=after.display_name,
                experiment=after.experiment,
                before=before,
                after=now,
            )
            await outbox.add(tx, SOURCE, event, cause)
        return await reading.describe_job(tx, cause.workspace, name)


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What differs, on either side; of tags only those that do."""
    left, right = {}, {}
    for key in before:
        old, new = before[key], after[key]
        if old == new:
            continue
        if isinstance(old, dict):
            left[key] = {name: value for name, value in old.items() if name not in new or new[name] != value}
            right[key] = {name: value for name, value in new.items() if name not in old or old[name] != value}
        else:
            left[key], right[key] = old, new
    return left, right
