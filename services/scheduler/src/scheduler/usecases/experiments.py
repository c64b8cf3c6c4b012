"""Experiments: made, found, changed, deleted and restored."""

from __future__ import annotations

from typing import Any

from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.errors import ConflictError
from scheduler.domain.runs import DEFAULT_EXPERIMENT, Experiment, Search
from scheduler.errors import TagNotFoundError
from scheduler.store import experiments


def document(experiment: Experiment) -> dict[str, Any]:
    """An experiment as the API answers it."""
    return {
        "id": str(experiment.id),
        "name": experiment.name,
        "location": experiment.location,
        "tags": experiment.tags,
        "deleted": experiment.deleted_at is not None,
        "created_by": experiment.created_by,
        "created_at": experiment.created_at.isoformat(),
        "updated_at": experiment.updated_at.isoformat(),
    }


async def find(tx: Connection, cause: Cause, id_: int) -> Experiment:
    """An experiment; number 0 is there from the beginning. Raises ExperimentNotFoundError."""
    if id_ == 0:
        await experiments.ensure_experiment(tx, cause.workspace, DEFAULT_EXPERIMENT, "service:scheduler")
    return await experiments.require_experiment(tx, cause.workspace, id_)


async def find_active(tx: Connection, cause: Cause, id_: int) -> Experiment:
    """An experiment to add something to. Raises ExperimentNotFoundError, ConflictError for a deleted one."""
    experiment = await find(tx, cause, id_)
    if experiment.deleted_at is not None:
        raise ConflictError(
            f"the experiment {experiment.name!r} is deleted; restore it first", code="experiment_deleted"
        )
    return experiment


async def create_experiment(
    pool: Pool, cause: Cause, *, name: str, location: str | None, tags: dict[str, str]
) -> dict[str, Any]:
    """Raises ExperimentExistsError."""
    async with transaction(pool) as tx:
        made = await experiments.insert_experiment(
            tx, cause.workspace, cause.actor, name=name, location=location, tags=tags
        )
        return document(made)


async def get_experiment(pool: Pool, cause: Cause, id_: int) -> dict[str, Any]:
    """Raises ExperimentNotFoundError."""
    async with transaction(pool) as tx:
        return document(await find(tx, cause, id_))


async def list_named(pool: Pool, cause: Cause, name: str) -> list[dict[str, Any]]:
    """The experiment of this name, deleted or not; none or one."""
    async with transaction(pool) as tx:
        if name == DEFAULT_EXPERIMENT:
            return [document(await find(tx, cause, 0))]
        found = await experiments.get_by_name(tx, cause.workspace, name)
        return [document(found)] if found else []


async def update_experiment(
    pool: Pool, cause: Cause, id_: int, *, name: str | None, tags: dict[str, str | None]
) -> dict[str, Any]:
    """Rename, set tags, and remove those that are null. Raises ExperimentNotFoundError, ExperimentExistsError, TagNotFoundError."""
    async with transaction(pool) as tx:
        experiment = await find_active(tx, cause, id_)
        added, without = split_tags(experiment.tags, tags, f"experiment {experiment.name!r}")
        changed = await experiments.update_experiment(tx, cause.workspace, id_, name=name, tags=added, without=without)
        return document(changed)


def split_tags(known: dict[str, str], given: dict[str, str | None], of: str) -> tuple[dict[str, str], list[str]]:
    """Tags to set, and tags to remove. Raises TagNotFoundError for one that is not there to be removed."""
    without = [key for key, value in given.items() if value is None]
    for key in without:
        if key not in known:
            raise TagNotFoundError(key, of)
    return {key: value for key, value in given.items() if value is not None}, without


async def set_deleted(pool: Pool, cause: Cause, id_: int, *, deleted: bool) -> None:
    """Delete an experiment with its runs, or restore it. Raises ExperimentNotFoundError, ConflictError for the default one."""
    async with transaction(pool) as tx:
        if id_ == 0 and deleted:
            raise ConflictError("the default experiment cannot be deleted", code="experiment_default")
        experiment = await find(tx, cause, id_)
        if (experiment.deleted_at is not None) != deleted:
            await experiments.set_deleted(tx, cause.workspace, id_, deleted=deleted)


async def search_experiments(pool: Pool, cause: Cause, search: Search) -> tuple[list[dict[str, Any]], bool]:
    """A page, and whether there are more."""
    async with transaction(pool) as tx:
        await find(tx, cause, 0)
        found = await experiments.search_experiments(tx, cause.workspace, search.one_more())
    return [document(experiment) for experiment in found[: search.limit]], len(found) > search.limit
