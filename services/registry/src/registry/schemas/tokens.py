"""Personal tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from registry.schemas.base import Request


class TokenRequest(Request):
    name: str
    role: Literal["reader", "contributor", "deployer", "owner"]
    days: int | None = Field(default=None, ge=1, le=3650)


class TokenCheck(Request):
    token: str = Field(max_length=4096)


class NewToken(BaseModel):
    """A token, shown this once."""

    name: str
    role: str
    token: str
    expires_at: datetime | None


class TokenInfo(BaseModel):
    name: str
    role: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None


class TokenPage(BaseModel):
    items: list[TokenInfo]
    next: str | None = None


class Principal(BaseModel):
    actor: str
    role: str
    workspace: str
