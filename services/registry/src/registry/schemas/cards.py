"""Model cards."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from registry.schemas.base import Request


class CardEdit(Request):
    """Sections that people write: `intended_use`, `out_of_scope`, `limitations`, `ethics`, `caveats`, `contact`."""

    sections: dict[str, str | None] = Field(
        description="null or empty removes one; those not named stay", max_length=20
    )


class CardSection(BaseModel):
    text: str
    written_by: str
    written_at: datetime


class CardDeployment(BaseModel):
    """Where the version is live. `drift` is null when nothing watches it."""

    endpoint: str
    deployment: str
    state: str | None
    traffic: int
    drift: str | None
    since: datetime


class TrainingData(BaseModel):
    name: str
    version: str
    profile: dict[str, Any] | None


class TrainingRun(BaseModel):
    """The run that made the version, with the latest point of each metric; what is not finite is text."""

    id: str
    name: str
    status: str
    params: dict[str, str]
    metrics: dict[str, float | str]


class Training(BaseModel):
    """What made the version, as far as it is known."""

    job: str | None
    experiment: str | None
    code: str | None
    commit: str | None
    repository: str | None
    branch: str | None
    dirty: bool
    lock: str | None
    environments: list[str]
    data: list[TrainingData]
    run: TrainingRun | None


class CardFeature(BaseModel):
    """How much a column moves an output: the mean of its contributions' sizes, and of the contributions."""

    name: str
    mean_abs: float
    mean: float


class CardOutput(BaseModel):
    name: str
    base_value: float
    features: list[CardFeature]


class CardExplanation(BaseModel):
    """The newest explanation with its strongest features. `detail` says why there are no values."""

    job: str
    tree: str
    created_at: datetime
    method: str | None = None
    rows: int | None = None
    outputs: list[CardOutput]
    detail: str | None = None


class Card(BaseModel):
    """A model card. All but `sections` is generated whenever it is asked for."""

    name: str
    version: str
    description: str
    type: str | None
    stage: str | None
    aliases: list[str]
    tags: dict[str, str]
    tree: str | None
    size: int
    created_by: str
    created_at: datetime
    reason: str | None
    flavours: list[str]
    signature: Any
    metrics: dict[str, float]
    evaluations: list[dict[str, Any]]
    training: Training
    conversion: dict[str, Any] | None
    explanation: CardExplanation | None
    deployments: list[CardDeployment]
    sections: dict[str, CardSection]
