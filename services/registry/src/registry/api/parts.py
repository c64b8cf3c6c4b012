"""What the routes share: the parts they were wired with, and how lists are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request, Response
from pydantic_core import to_json

from modelyard_platform import idempotency
from modelyard_platform.cause import Cause
from modelyard_platform.database import Pool
from modelyard_platform.http import Contributor, Owner, Reader
from modelyard_platform.manifests import Signer
from modelyard_platform.objects import ObjectStore
from modelyard_platform.presigning import Presigner
from registry.clients import Scheduler
from registry.domain.assets import NEWEST
from registry.domain.search import MAX_LENGTH
from registry.errors import InvalidError
from registry.usecases import scopes
from registry.usecases.datasets import Datasets
from registry.usecases.external import Outside
from registry.usecases.version_files import VersionFiles


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application was wired with."""

    pool: Pool
    store: ObjectStore
    scheduler: Scheduler
    outside: Outside
    datasets: Datasets
    files: VersionFiles
    signer: Signer | None = None
    presigner: Presigner | None = None


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


Wired = Annotated[Parts, Depends(_parts)]
IdempotencyKey = Annotated[str | None, Header(alias=idempotency.HEADER, max_length=200)]
Limit = Annotated[int, Query(ge=1, le=1000)]


def answer(document: Any, *, status: int = 200) -> Response:
    """A document as JSON, as it is: on busy routes FastAPI's second check of what we have made takes longer than making it.

    The routes declare its form all the same, and tests hold their answers against that.
    """
    return Response(to_json(document), status, media_type="application/json")


NamePath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=255)]
VersionPath = Annotated[
    str, Path(pattern=r"^@?[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=256, description="a version, or @LABEL")
]
LabelPath = Annotated[str, Path(pattern=r"^[A-Za-z][A-Za-z0-9._-]*$", max_length=64)]
SearchText = Annotated[
    str,
    Query(
        max_length=MAX_LENGTH,
        description="conditions separated by spaces, quoted as in a shell, all of which must hold: `TagName=TagValue` `tag:NAME` "
        "`name:PATTERN` `property:NAME=VALUE` `type:` `flavour:` `stage:` `by:ACTOR` `job:` `after:DATE` `before:DATE` "
        "`used-by:SUBJECT-PATTERN` `alias:`; any other word is text in name, description and tags",
    ),
]


async def workspace_read(caller: Reader) -> str:
    """The caller's own workspace."""
    return caller.cause.workspace


async def workspace_write(caller: Contributor) -> Cause:
    """A change in the caller's own workspace."""
    return caller.cause


async def registry_read(registry: str, parts: Wired, caller: Reader) -> str:
    """A shared registry: every workspace's readers may read it."""
    return await scopes.registry_read(parts.pool, registry)


async def registry_write(registry: str, parts: Wired, caller: Owner) -> Cause:
    """A change in a shared registry: for the owners of the first workspace."""
    return await scopes.registry_write(parts.pool, caller.cause, registry)


def read_cursor(cursor: str | None) -> int:
    """Where a list from newest to oldest goes on. Raises InvalidError for a cursor no page gave."""
    if cursor is None:
        return NEWEST
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidError("the cursor is not one that a page gave", path="cursor")
    return int(cursor)
