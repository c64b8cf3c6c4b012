"""Finding versions and names, a page at a time."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Any, Final, Literal

from modelyard_contracts.registry import AssetKind
from modelyard_platform.database import Pool, transaction
from registry.domain.search import parse_search
from registry.errors import InvalidError
from registry.store import assets, names
from registry.store import search as store
from registry.store.search import Hit
from registry.usecases.assets import document
from registry.usecases.names import document as name_document

Sort = Literal["name", "-name", "created_at", "-created_at", "version", "-version"]
NameSort = Literal["name", "-name", "updated_at", "-updated_at"]

_OF_NAMES: Final = frozenset({"name", "tag", "by", "after", "before", "text"})


async def search_versions(
    pool: Pool,
    workspace: str,
    kind: AssetKind,
    text: str,
    *,
    name: str | None = None,
    every: bool = False,
    archived: bool = False,
    sort: Sort = "name",
    cursor: str | None = None,
    limit: int,
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of versions that fit, and the cursor of the next page. With `every` all of them, else the newest of each name that fits.

    Raises InvalidError for a search that cannot be read, AssetNotFoundError for a `name` that does not exist.
    """
    search = parse_search(text)
    behind = _hit(cursor, sort)
    async with transaction(pool) as tx:
        hits = await store.search_versions(
            tx,
            workspace,
            kind,
            search,
            name=name,
            every=every,
            archived=archived,
            sort=sort,
            behind=behind,
            limit=limit + 1,
        )
        if not hits and name is not None:
            await names.require_asset(tx, workspace, kind, name)
        page = hits[:limit]
        found = await assets.get_versions(tx, [hit.id for hit in page])
    last = page[-1] if len(hits) > limit else None
    following = _cursor([sort, last.name, last.sort_key, last.id]) if last else None
    return [document(version) for version in found], following


async def search_names(
    pool: Pool,
    workspace: str,
    kind: AssetKind,
    text: str,
    *,
    sort: NameSort = "name",
    cursor: str | None = None,
    limit: int,
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of names that fit, with or without versions, and the cursor of the next page. Raises InvalidError."""
    search = parse_search(text)
    for condition in search.conditions:
        if condition.field not in _OF_NAMES:
            raise InvalidError(
                f"`{condition}` is asked of versions; of names there are {', '.join(sorted(_OF_NAMES))}",
                code="search_invalid",
                path="search",
            )
    after: list[Any] = []
    if cursor is not None:
        try:
            name, when = _read(cursor, sort, 2)
            after = [name, datetime.fromisoformat(when)]
        except (TypeError, ValueError) as error:
            raise _not_ours() from error
    async with transaction(pool) as tx:
        found = await names.list_assets(tx, workspace, kind, search, sort, after, limit + 1)
    page = found[:limit]
    following = None
    if len(found) > limit:
        following = _cursor([sort, page[-1].name, page[-1].updated_at.isoformat()])
    return [name_document(asset) for asset in page], following


def _cursor(parts: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def _hit(cursor: str | None, sort: str) -> Hit | None:
    if cursor is None:
        return None
    name, sort_key, id_ = _read(cursor, sort, 3)
    if not (isinstance(name, str) and isinstance(sort_key, str) and isinstance(id_, int) and 0 <= id_ < 2**63):
        raise _not_ours()
    return Hit(id_, name, sort_key)


def _read(cursor: str, sort: str, count: int) -> list[Any]:
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        raise _not_ours() from error
    if not isinstance(parts, list) or len(parts) != count + 1 or parts[0] != sort:
        raise _not_ours()
    return parts[1:]


def _not_ours() -> InvalidError:
    return InvalidError("the cursor is not one that a page of this list gave", path="cursor")
