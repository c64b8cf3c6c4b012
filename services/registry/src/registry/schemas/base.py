"""What every request body is: checked to the last key."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """A request body: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid")
