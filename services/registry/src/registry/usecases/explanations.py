"""Explanations of model versions: attached when the job that made one has completed, read from its files."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from modelyard_contracts import Event
from modelyard_contracts.scheduler import JobCompleted
from modelyard_platform import trees
from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.errors import NotFoundError
from modelyard_platform.objects import ObjectStore
from registry.domain.assets import check_text
from registry.domain.explanations import SUMMARY, explained_by
from registry.errors import InvalidError
from registry.store import explanations
from registry.usecases.assets import find

MAX_SUMMARY_BYTES: Final = 8 << 20


async def keep_explanation(tx: Connection, event: Event[JobCompleted]) -> None:
    """A job that says it explains a model version has completed."""
    found = explained_by(event.data.properties, event.data.outputs)
    if found is not None:
        name, version, tree = found
        await explanations.put_explanation(tx, event.workspace, name, version, event.data.job, tree)


async def read_explanation(pool: Pool, store: ObjectStore, workspace: str, name: str, version: str) -> dict[str, Any]:
    """A model version's explanation with its summary over all rows. Raises NotFoundError when nobody has asked for one."""
    async with transaction(pool) as tx:
        model = await find(tx, workspace, "models", name, version)
        found = await explanations.get_explanation(tx, model.id)
    if found is None:
        raise NotFoundError(
            f"models {name}:{model.version} has no explanation yet; `modelyard model explain` makes one",
            code="explanation_missing",
        )
    return {
        "job": found.job,
        "tree": found.tree,
        "created_at": found.created_at,
        "summary": await asyncio.to_thread(read_summary, store, found.tree),
    }


def read_summary(store: ObjectStore, tree: str) -> dict[str, Any]:
    """What an explanation says of all rows together. Raises NotFoundError, InvalidError for what is no JSON object."""
    file = next((file for file in trees.load(store, tree).files if file.path == SUMMARY), None)
    if file is None:
        raise NotFoundError(f"the explanation has no {SUMMARY}", code="explanation_missing")
    if file.size > MAX_SUMMARY_BYTES:
        raise InvalidError(
            f"the explanation's {SUMMARY} is larger than {MAX_SUMMARY_BYTES} bytes", code="explanation_invalid"
        )
    try:
        summary = json.loads(b"".join(trees.chunks(store, file)), parse_constant=_not_finite)
        check_text(summary)
    except (ValueError, RecursionError, InvalidError) as error:
        raise InvalidError(
            f"the explanation's {SUMMARY} cannot be read: {error}", code="explanation_invalid"
        ) from error
    if not isinstance(summary, dict):
        raise InvalidError(f"the explanation's {SUMMARY} is no JSON object", code="explanation_invalid")
    return summary


def _not_finite(word: str) -> Any:
    raise ValueError(f"it has a {word}")
