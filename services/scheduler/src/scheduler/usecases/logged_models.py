"""Models that runs log: announced, filled with files, found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelyard_platform.cause import Cause
from modelyard_platform.database import Pool, transaction
from scheduler.domain.runs import LoggedModel, ModelStatus, Search, check_params, model_artifacts, new_model_id
from scheduler.store import logged_models
from scheduler.usecases.experiments import find_active, split_tags


def document(model: LoggedModel) -> dict[str, Any]:
    """A logged model as the API answers it."""
    return {
        "id": model.id,
        "experiment": str(model.experiment),
        "name": model.name,
        "type": model.type,
        "status": model.status,
        "run": model.run,
        "artifacts": model.artifacts,
        "params": model.params,
        "tags": model.tags,
        "metrics": model.metrics,
        "deleted": model.deleted_at is not None,
        "created_by": model.created_by,
        "created_at": model.created_at.isoformat(),
        "updated_at": model.updated_at.isoformat(),
    }


async def create_model(
    pool: Pool, cause: Cause, *, experiment: int, name: str, type_: str | None, run: str | None,
    params: dict[str, str], tags: dict[str, str],
) -> dict[str, Any]:  # fmt: skip
    """Announce a model; its files come under its `artifacts`. Raises ExperimentNotFoundError, ConflictError."""
    id_ = new_model_id()
    async with transaction(pool) as tx:
        of = await find_active(tx, cause, experiment)
        await logged_models.insert_model(
            tx, cause.workspace, cause.actor, id_=id_, experiment=experiment, name=name or id_, type_=type_, run=run,
            artifacts=model_artifacts(of, id_), params=params, tags=tags,
        )  # fmt: skip
        return document(await logged_models.require_model(tx, cause.workspace, id_))


async def get_model(pool: Pool, cause: Cause, id_: str, *, deleted: bool) -> dict[str, Any]:
    """Raises LoggedModelNotFoundError."""
    async with transaction(pool) as tx:
        return document(await logged_models.require_model(tx, cause.workspace, id_, deleted=deleted))


async def update_model(
    pool: Pool, cause: Cause, id_: str, *, status: ModelStatus | None, params: dict[str, str],
    tags: dict[str, str | None],
) -> dict[str, Any]:  # fmt: skip
    """Say how it stands, add params and tags; a tag that is null is removed.

    Raises LoggedModelNotFoundError, RunError, TagNotFoundError.
    """
    async with transaction(pool) as tx:
        known, old = await logged_models.lock_notes(tx, cause.workspace, id_)
        check_params(known, params, f"logged model {id_}")
        added, without = split_tags(old, tags, f"logged model {id_}")
        await logged_models.update_model(
            tx, cause.workspace, id_, status=status, params=params, tags=added, without=without
        )
        return document(await logged_models.require_model(tx, cause.workspace, id_))


async def delete_model(pool: Pool, cause: Cause, id_: str) -> None:
    """Raises LoggedModelNotFoundError."""
    async with transaction(pool) as tx:
        await logged_models.mark_deleted(tx, cause.workspace, id_)


async def search_models(
    pool: Pool, cause: Cause, experiments: Sequence[int], search: Search
) -> tuple[list[dict[str, Any]], bool]:
    """A page of the experiments' models, and whether there are more."""
    async with transaction(pool) as tx:
        found = await logged_models.search_models(tx, cause.workspace, list(experiments), search.one_more())
    return [document(model) for model in found[: search.limit]], len(found) > search.limit
