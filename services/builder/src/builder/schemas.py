"""What the builder's routes take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class LockRequest(BaseModel):
    """An environment: a CLI v2 mapping (conda files inlined), a list of requirements, or a reference."""

    model_config = ConfigDict(extra="forbid")

    spec: dict[str, Any] | str


class EnvironmentLock(BaseModel):
    """A locked environment. `digest` is its identity and the blob that holds it."""

    digest: str
    python: str
    packages: list[str] = Field(description="`name==version`, by name")


class Conversion(BaseModel):
    """What became of a model. The figures were measured between both forms' outputs on `rows` rows of its sample."""

    model: str
    version: str
    status: Literal["pending", "converted", "failed", "skipped"]
    detail: str | None
    attempts: int
    tree: str | None = Field(description="the tree of model.onnx and certificate.json")
    max_abs_difference: float | None
    label_agreement: float | None
    rows: int | None
    opset: int | None
    signature: dict[str, Any] | None
    environment: str | None = Field(description="the lock of the environment it was converted in")
    created_at: datetime
    finished_at: datetime | None


class ConversionPage(BaseModel):
    items: list[Conversion]
    next: str | None
