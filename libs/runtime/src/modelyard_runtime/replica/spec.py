"""What a replica is told: everything it needs to serve one deployment, frozen and picklable."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
"""Endpoint, deployment and workspace names: they become NATS subject tokens, header values and HAProxy names."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelSpec(_Frozen):
    """The model version served. `tree` is the tree that is fetched: of the conversion for ONNX, of the version itself
    for a score script.

    `reference` is what the platform calls it: `name:version`, or `registry/name:version` of a shared one. `subject` and
    `manifest` (a blob's digest) are what the tree was signed as. `onnx_file` is the model's path in it. `feature_names`
    names the columns of a model that takes one [N, F] matrix, in order.
    """

    name: str
    version: str
    reference: str | None = None
    tree: Digest
    manifest: Digest | None = None
    subject: str | None = None
    onnx_file: str | None = None
    feature_names: tuple[str, ...] | None = None


class ScriptSpec(_Frozen):
    """A score script and what runs it: an interpreter by path, or the lock of an environment that has one.

    `init_timeout_s` bounds start and `init()`; `max_waiting` is the most requests that may wait for the script before
    429 is answered.
    """

    code_tree: Digest
    entry_script: str
    python: str | None = None
    lock: Digest | None = None
    init_timeout_s: float = Field(default=300.0, gt=0)
    max_waiting: int = Field(default=64, ge=0)

    @model_validator(mode="after")
    def _one_interpreter(self) -> Self:
        if (self.python is None) == (self.lock is None):
            raise ValueError("give either python (a path) or lock (an environment's digest)")
        return self


class CollectorSpec(_Frozen):
    """Which scored requests are kept for monitoring.

    `capacity_rows` bounds the rows that wait to be shipped; what is over is dropped and counted.
    """

    enabled: bool = True
    sampling_rate: float = Field(default=1.0, ge=0.0, le=1.0)
    capacity_rows: int = Field(default=16_384, ge=1)


class ReplicaSpec(_Frozen):
    """One deployment of one endpoint.

    With `script`, requests go to it in a process of its own; without, `model.onnx_file` runs in the replica.
    """

    workspace: Name = "default"
    endpoint: Name
    deployment: Name
    generation: int = Field(ge=0)
    model: ModelSpec | None = None
    script: ScriptSpec | None = None
    environment_variables: dict[str, str] = Field(default_factory=dict)
    max_body_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)
    timeout_ms: int = Field(default=5_000, ge=1)
    drain_timeout_s: float = Field(default=15.0, ge=0)
    threads: int = Field(default=1, ge=1)
    collector: CollectorSpec = CollectorSpec()
    num_replicas: int = Field(default=1, ge=1)
    num_cpus: float = Field(default=1.0, ge=0)
    num_gpus: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _something_to_serve(self) -> Self:
        if self.script is None and (self.model is None or self.model.onnx_file is None):
            raise ValueError("give a score script, or a model with onnx_file")
        return self

    @property
    def model_name(self) -> str:
        """The name under which the V2 routes know the model."""
        return self.model.name if self.model else self.deployment

    @property
    def model_reference(self) -> str:
        """What the rows that are kept for monitoring are said to be scored by."""
        return (self.model and self.model.reference) or f"{self.model_name}:{self.model_version}"

    @property
    def model_version(self) -> str:
        return self.model.version if self.model else "1"
