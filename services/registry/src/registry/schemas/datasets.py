"""What is in a version of data."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from modelyard_contracts.work import External
from registry.schemas.base import Request


class Profile(BaseModel):
    """A table's profile. `columns` by name: type, counts, missing, distinct, quantiles, histogram or top values."""

    name: str
    version: str
    rows: int
    columns: dict[str, dict[str, Any]]


class Address(Request):
    """An address outside, and what was recorded of it."""

    url: str = Field(min_length=1, max_length=4096)
    recorded: External | None = Field(default=None, description="what it must still be")


class Column(BaseModel):
    name: str
    type: str = Field(description="the Arrow type")


class RowPage(BaseModel):
    """Some rows. `next` is the offset of the following ones, null after the last."""

    file: str
    columns: list[Column]
    rows: list[list[Any]]
    offset: int
    next: int | None


class DataCheck(BaseModel):
    """Whether data is still what was registered: `kept` here and so unchangeable, `unchanged` outside, or `unchecked`."""

    name: str
    version: str
    status: Literal["kept", "unchanged", "unchecked"]
    checked_at: str
    recorded: dict[str, Any] | None
    now: dict[str, Any] | None


class Side(BaseModel):
    name: str
    version: str
    type: str | None
    tree: str | None
    created_at: str


class Difference(BaseModel):
    """How `to` differs from `from`. `files` is null when a side stays outside, `table` when a side is none; `notes` say so."""

    from_: Side = Field(alias="from")
    to: Side
    identical: bool
    files: dict[str, Any] | None = Field(description="paths `added`, `removed`, `changed`; `counts`; `size`")
    table: dict[str, Any] | None = Field(
        description="`rows`; `schema` (`added`, `removed`, `retyped`); `columns` (drift, effect_size, verdict, …); `drifted`"
    )
    notes: list[str]
