"""Work orders: what the scheduler puts on `work.<pool>.step` and what comes back from the runner."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DataType = Literal[
    "uri_file",
    "uri_folder",
    "mltable",
    "custom_model",
    "mlflow_model",
    "triton_model",
    "string",
    "integer",
    "number",
    "boolean",
]


class _Order(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class External(_Order):
    """Data that stays outside, as it was when it was recorded: by `sha256` (of a folder: its tree's digest), else by `etag` and `size`.

    `files` counts the objects below an S3 prefix, whose `etag` is then the digest of their listing. `checked` False: only the
    address is kept; `note` says why.
    """

    url: str
    checked: bool = True
    sha256: str | None = None
    etag: str | None = None
    size: int | None = None
    files: int | None = None
    last_modified: str | None = None
    recorded_at: str = ""
    note: str | None = None


class StepInput(_Order):
    """One input of a step: a literal (`value`), or files (`tree`, and `path` below its root; a `uri_file` is the one file there),
    or data outside (`external`), which the runner downloads and which must still be what was recorded.

    Files of a registered version have its `subject` too, and the digest of the signed `manifest` that they must keep to.
    """

    type: DataType
    value: str | None = None
    tree: str | None = None
    path: str = ""
    external: External | None = None
    subject: str | None = None
    manifest: str | None = None


class StepOutput(_Order):
    """One output a step writes: an empty folder, or for `uri_file` the path of a file to be written."""

    type: DataType = "uri_folder"


class StepOrder(_Order):
    """One attempt at one step.

    `command` may hold `${{inputs.x}}` and `${{outputs.y}}` for files; the runner puts the node's paths in their place.
    """

    step_id: str
    attempt: int = Field(ge=1)
    workspace: str
    job: str
    step: str
    command: str
    code: str | None = Field(default=None, description="tree digest of the code snapshot")
    code_subject: str | None = Field(
        default=None, description="what the code is signed as, when a registered component brings it"
    )
    code_manifest: str | None = Field(default=None, description="the signed manifest that it must keep to then")
    environment: str | None = Field(
        default=None, description="digest of the lock; none runs in the node's own interpreter"
    )
    inputs: dict[str, StepInput] = {}
    outputs: dict[str, StepOutput] = {}
    environment_variables: dict[str, str] = {}
    timeout_s: float = Field(default=86_400.0, gt=0)
    num_cpus: float = Field(default=1.0, ge=0)
    num_gpus: float = Field(default=0.0, ge=0)
    token: str = Field(default="", repr=False, description="the step's own signed identity, for user code")
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None


class StepStart(_Order):
    """The runner's first report: `POST /internal/v1/steps/{id}/attempts/{n}/started`."""

    node: str


class StepResult(_Order):
    """The runner's last report: `POST /internal/v1/steps/{id}/attempts/{n}/finished`. `reason` says why it did not complete, `refused`
    which asset version was not what had been signed."""

    status: Literal["completed", "failed", "canceled"]
    exit_code: int | None = None
    reason: str | None = None
    refused: str | None = None
    log_tail: str = ""
    log: str | None = Field(default=None, description="blob digest of the whole log")
    outputs: dict[str, str] = Field(default={}, description="tree digests by output name")
    seconds: float = 0.0
    node: str = ""
    peak_rss_bytes: int | None = None
