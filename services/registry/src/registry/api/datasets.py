"""Routes of what is in a version of data."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from modelyard_contracts.work import External
from modelyard_platform.http import Reader, Service
from registry.api.parts import Wired
from registry.errors import InvalidError
from registry.schemas.datasets import Address, DataCheck, Difference, Profile, RowPage
from registry.usecases import resources

router = APIRouter(prefix="/api/v1/data", tags=["data"])
internal = APIRouter(prefix="/internal/v1", include_in_schema=False)

Rows = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]
Side = Annotated[str, Query(min_length=1, max_length=600, description="`3`, `@latest`, `other:3` or `other@latest`")]


@router.get("/{name}/versions/{version}/profile", response_model=Profile, operation_id="get_profile_of_data")
async def profile(name: str, version: str, parts: Wired, caller: Reader) -> Any:
    """The profile of a table: per column histogram with bin edges, quantiles, top values, missing and distinct values."""
    return await parts.datasets.profile(caller.cause.workspace, name, version)


@router.get("/{name}/versions/{version}/rows", response_model=RowPage, operation_id="get_rows_of_data")
async def rows(
    name: str,
    version: str,
    parts: Wired,
    caller: Reader,
    file: Annotated[str | None, Query(max_length=1024, description="which file; else the first table")] = None,
    offset: Offset = 0,
    limit: Rows = 20,
) -> Any:
    """Some rows of a CSV, Parquet or JSON lines file, or of an MLTable."""
    return await parts.datasets.rows(caller.cause, name, version, file=file, offset=offset, limit=limit)


@router.get("/{name}/diff", response_model=Difference, operation_id="get_difference_of_data")
async def difference(
    name: str, parts: Wired, caller: Reader, from_: Annotated[Side, Query(alias="from")], to: Side = "@latest"
) -> Any:
    """How two versions differ: files, schema, rows, and for each column drift with effect size, missing and distinct values."""
    return await parts.datasets.difference(caller.cause, name, from_, to)


@router.post("/{name}/versions/{version}/check", response_model=DataCheck, operation_id="check_data")
async def check(name: str, version: str, parts: Wired, caller: Reader) -> Any:
    """Whether data that stays outside is still what was registered; 412 `external_changed` when it is not."""
    return await parts.datasets.check(caller.cause.workspace, name, version)


@internal.post("/external", response_model=External)
async def look(body: Address, parts: Wired, caller: Service) -> Any:
    """What is at an address outside that a job uses, which must be what was recorded, if that is given: asked for by the scheduler."""
    if body.recorded is not None:
        return await parts.outside.check(body.recorded.model_dump())
    address = await resources.outside_path(parts.pool, caller.cause.workspace, body.url)
    found = await parts.outside.record(address)
    if found is None or not found["checked"]:
        raise InvalidError(
            f"{body.url[:200]!r} is not read from here; register it as data with its files", code="external_unreadable"
        )
    return found
