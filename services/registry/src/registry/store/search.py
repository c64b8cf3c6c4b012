"""Searching versions. Each statement is planned for the very values asked for (`plan_cache_mode`), so that conditions that ask
for nothing, and sorts that were not asked for, fold away: what is left is a look into `versions_search`, or a walk along an index
in the order asked for that ends with the page, whichever the planner finds cheaper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from modelyard_contracts.registry import AssetKind
from modelyard_platform.database import Connection
from registry.domain.assets import ANONYMOUS
from registry.domain.search import Search

_PLAN_ANEW: Final = "select set_config('plan_cache_mode', 'force_custom_plan', true)"
_MATCHES: Final = f"""
v.workspace = $1 and v.kind = $2 and ($3::text is null or v.name = $3) and (not v.archived or $4)
and (v.name <> '{ANONYMOUS}' or $5)
and ($6::text[] is null or v.terms @> hash_terms($6))
and ($7::text is null or v.words @@ to_tsquery('simple', $7))
and ($8::text[] is null or v.name like all ($8))
and ($9::timestamptz is null or v.created_at >= $9) and ($10::timestamptz is null or v.created_at < $10)
and ($11::bigint[] is null or v.id = any ($11)) and ($12::bigint[] is null or v.id = any ($12))
and ($13::jsonb is null or v.inspection @> $13 or v.terms @> hash_terms($14::text[]))
"""
# The last row of the page before: $16 its name, $17 its sort key, $18 its id; all null at the beginning.
_BEHIND: Final = """
case $15::text
    when 'name' then $18::bigint is null or (v.name >= $16 and (v.name > $16 or v.id < $18))
    when '-name' then $18::bigint is null or (v.name <= $16 and (v.name < $16 or v.id < $18))
    when 'created_at' then $18::bigint is null or v.id > $18
    when '-created_at' then $18::bigint is null or v.id < $18
    when 'version' then $18::bigint is null or (v.sort_key, v.id) > ($17::text collate "C", $18)
    else $18::bigint is null or (v.sort_key, v.id) < ($17::text collate "C", $18)
end
"""
# Numbers of rows rise with the time of registration.
_ORDER: Final = """
case $15 when 'name' then v.name end, case $15 when '-name' then v.name end desc,
case $15 when 'version' then v.sort_key end, case $15 when '-version' then v.sort_key end desc,
case when $15 in ('created_at', 'version') then v.id end, v.id desc
limit $19
"""
_ALL: Final = f"""
select v.id, v.name, v.sort_key from versions v where {_MATCHES} and {_BEHIND} order by {_ORDER}
"""  # noqa: S608 - constants of this module
# What few versions fit is gathered, and the newest of each name kept.
_NEWEST_OF_FEW: Final = f"""
select v.id, v.name, v.sort_key from (
    select distinct on (v.name) v.id, v.name, v.sort_key from versions v where {_MATCHES} order by v.name, v.id desc
) v
where {_BEHIND} order by {_ORDER}
"""  # noqa: S608
# What many versions fit is soon met within each name, going back from its newest version. The fence (`offset 0`) keeps the planner
# from asking the search index again for each name.
_NEWEST_OF_MANY: Final = f"""
select v.id, v.name, v.sort_key from (
    select w.id, a.name, w.sort_key from assets a
    cross join lateral (
        select v.id, v.sort_key from (
            select * from versions o
            where o.workspace = a.workspace and o.kind = a.kind and o.name = a.name order by o.id desc offset 0
        ) v
        where {_MATCHES} order by v.id desc limit 1
    ) w
    where a.workspace = $1 and a.kind = $2 and ($8::text[] is null or a.name like all ($8))
) v
where {_BEHIND} order by {_ORDER}
"""  # noqa: S608
_ESTIMATE: Final = f"explain (format json) select from versions v where {_MATCHES}"
_CONDITIONS: Final = 14
"""The first arguments of every statement: those of `_MATCHES`."""
_MANY: Final = 1000
"""Gathering looks at as many rows as fit, all over the table; going back, for a page of 100, at 100 times those among which one fits,
name by name. With 100,000 versions that is as many rows at √(100 · 100,000); going back reads them in a better order."""
_USED: Final = """
select v.id from uses u join versions v using (workspace, kind, name, version)
where u.workspace = $1 and u.kind = $2 and u.used_by like $3
"""
_LABELLED: Final = """
select v.id from aliases a join versions v using (workspace, kind, name, version)
where a.workspace = $1 and a.kind = $2 and a.alias = $3
"""
# Without conditions on versions, one look for each name.
_NEWEST: Final = f"""
select v.id, v.name, v.sort_key from (
    select w.id, a.name, w.sort_key from assets a
    cross join lateral (
        select id, sort_key from versions
        where (workspace, kind, name) = (a.workspace, a.kind, a.name) and (not archived or $4)
        order by id desc limit 1
    ) w
    where a.workspace = $1 and a.kind = $2 and ($3::text is null or a.name = $3) and (a.name <> '{ANONYMOUS}' or $5)
      and ($8::text[] is null or a.name like all ($8))
      and $6::text[] is null and $7::text is null and $9::timestamptz is null and $10::timestamptz is null
      and $11::bigint[] is null and $12::bigint[] is null and $13::jsonb is null and $14::text[] is null
) v
where {_BEHIND} order by {_ORDER}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Hit:
    """A version that fits: its row, and what a cursor needs."""

    id: int
    name: str
    sort_key: str


async def search_versions(
    tx: Connection,
    workspace: str,
    kind: AssetKind,
    search: Search,
    *,
    name: str | None,
    every: bool,
    archived: bool,
    sort: str,
    behind: Hit | None,
    limit: int,
) -> list[Hit]:
    """Versions that fit, in the order of `sort` (`name`, `created_at`, `version`, each with `-` for the reverse), behind a hit.

    `every` asks for all of them, otherwise for the newest that fits of each name.
    """
    await tx.execute(_PLAN_ANEW)
    used = labelled = None
    if search.used_by is not None:
        used = [row["id"] for row in await tx.fetch(_USED, workspace, kind, search.used_by)]
    if search.alias is not None:
        labelled = [row["id"] for row in await tx.fetch(_LABELLED, workspace, kind, search.alias)]
    given = (
        *conditions(workspace, kind, search, name, archived=archived, used=used, labelled=labelled),
        sort,
        behind.name if behind else None,
        behind.sort_key if behind else None,
        behind.id if behind else None,
        limit,
    )
    if every:
        statement = _ALL
    elif search.by_name_only:
        statement = _NEWEST
    else:
        statement = _NEWEST_OF_MANY if await estimate(tx, given) > _MANY else _NEWEST_OF_FEW
    rows: list[asyncpg.Record] = await tx.fetch(statement, *given)
    return [Hit(row["id"], row["name"], row["sort_key"]) for row in rows]


async def estimate(tx: Connection, given: tuple[Any, ...]) -> float:
    """How many versions the planner thinks will fit: from its statistics, without looking at one. 0.2 ms."""
    [plan] = await tx.fetchval(_ESTIMATE, *given[:_CONDITIONS])
    return float(plan["Plan"]["Plan Rows"])


def conditions(
    workspace: str,
    kind: AssetKind,
    search: Search,
    name: str | None = None,
    *,
    archived: bool = False,
    used: list[int] | None = None,
    labelled: list[int] | None = None,
) -> tuple[Any, ...]:
    """The arguments of `_MATCHES`. A flavour is what was found in the files, or what the specification says."""
    return (
        workspace,
        kind,
        name,
        archived,
        search.anonymous or name == ANONYMOUS,
        list(search.terms) or None,
        search.words,
        list(search.names) or None,
        search.after,
        search.before,
        used,
        labelled,
        {"flavours": [{"name": search.flavour}]} if search.flavour else None,
        [f"flavour:{search.flavour}"] if search.flavour else None,
    )
