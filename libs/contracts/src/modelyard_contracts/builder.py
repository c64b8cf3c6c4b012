"""Events of the builder: environments made, models converted."""

from __future__ import annotations

from typing import ClassVar

from modelyard_contracts.envelope import EventData


class EnvironmentBuilt(EventData):
    """The environment is locked: `lock` is its identity. `name` and `version` are there when it is a registered one."""

    TYPE: ClassVar[str] = "environment.built"

    name: str
    version: str
    lock: str
    python: str
    packages: int = 0
    seconds: float = 0.0

    @property
    def subject(self) -> str:
        return f"environments/{self.name}/versions/{self.version}"


class EnvironmentBuildFailed(EventData):
    TYPE: ClassVar[str] = "environment.build_failed"

    name: str
    version: str
    detail: str

    @property
    def subject(self) -> str:
        return f"environments/{self.name}/versions/{self.version}"


class ModelConverted(EventData):
    """The model exists as ONNX too, made in the environment of the lock `environment`.

    `max_abs_difference` was measured between the original's and the ONNX model's outputs on `rows` rows."""

    TYPE: ClassVar[str] = "model.converted"

    name: str
    version: str
    tree: str
    max_abs_difference: float
    label_agreement: float | None = None
    rows: int
    opset: int | None = None
    signature: dict[str, object] = {}
    environment: str | None = None

    @property
    def subject(self) -> str:
        return f"models/{self.name}/versions/{self.version}"


class ModelConversionFailed(EventData):
    """`refused` is the version's own subject when its files were not what was signed."""

    TYPE: ClassVar[str] = "model.conversion_failed"

    name: str
    version: str
    detail: str
    refused: str | None = None

    @property
    def subject(self) -> str:
        return f"models/{self.name}/versions/{self.version}"


EVENTS: tuple[type[EventData], ...] = (EnvironmentBuilt, EnvironmentBuildFailed, ModelConverted, ModelConversionFailed)
