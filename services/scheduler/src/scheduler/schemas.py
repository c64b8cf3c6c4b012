"""What the scheduler's routes take and give."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from modelyard_platform.trees import PART

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _kept(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("text cannot hold U+0000 or half a surrogate pair")
    return text


Text = Annotated[str, AfterValidator(_kept)]
"""Text that the database can keep."""

BigInt = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class GitState(BaseModel):
    """Where the code came from, as the client saw it."""

    model_config = ConfigDict(extra="forbid")

    repository: str | None = None
    branch: str | None = None
    commit: str | None = None
    dirty: bool = False


class JobSubmission(BaseModel):
    """A job to run: the resolved specification, the state of the code, and a name unless a new one will do."""

    model_config = ConfigDict(extra="forbid")

    spec: dict[str, Any]
    git: GitState | None = None
    name: str | None = Field(default=None, max_length=120)


class TriggerSpec(BaseModel):
    """A trigger's specification."""

    model_config = ConfigDict(extra="forbid")

    spec: dict[str, Any]


class Page(BaseModel):
    """Part of a list; `next` is the cursor of the following part."""

    items: list[dict[str, Any]]
    next: str | None


class Items(BaseModel):
    """A list that comes whole."""

    items: list[dict[str, Any]]
    next: None = None


class OutputTree(BaseModel):
    """An output's files."""

    tree: str
    size: int
    files: list[dict[str, Any]]


class Condition(BaseModel):
    """One condition of a search; all must hold. Text is compared with text, numbers (metrics, times in ms since 1970) with numbers."""

    model_config = ConfigDict(extra="forbid")

    field: Literal["attribute", "tag", "param", "metric", "dataset"]
    key: Text = Field(max_length=500)
    op: Literal["=", "!=", "<", "<=", ">", ">=", "like", "ilike", "in", "not in", "is null", "is not null"]
    value: Text | FiniteFloat | list[Text] | None = None


class Order(BaseModel):
    """What a search's results are sorted by."""

    model_config = ConfigDict(extra="forbid")

    field: Literal["attribute", "tag", "param", "metric"]
    key: Text = Field(max_length=500)
    descending: bool = False


class SearchRequest(BaseModel):
    """A search. Without an order: the newest first."""

    model_config = ConfigDict(extra="forbid")

    conditions: list[Condition] = Field(default=[], max_length=50)
    order: list[Order] = Field(default=[], max_length=3)
    lifecycle: Literal["active", "deleted", "all"] = "active"
    cursor: str | None = Field(default=None, pattern=r"^[0-9]{1,9}$")
    limit: int = Field(default=100, ge=1, le=50_000)


class SearchIn(SearchRequest):
    """A search in some experiments."""

    experiments: list[BigInt] = Field(max_length=1000)


Key = Annotated[Text, Field(min_length=1, max_length=250)]
Tags = dict[Key, Annotated[Text, Field(max_length=8000)]]
TagChanges = dict[Key, Annotated[Text, Field(max_length=8000)] | None]
Params = dict[Key, Annotated[Text, Field(max_length=6000)]]


class JobUpdate(BaseModel):
    """What may change about a job; what is left out stays, empty text takes it away. `tags` take the place of all."""

    model_config = ConfigDict(extra="forbid")

    display_name: Text | None = Field(default=None, max_length=500)
    experiment_name: Text | None = Field(default=None, max_length=500)
    description: Text | None = Field(default=None, max_length=10_000)
    tags: dict[Key, Annotated[Text, Field(max_length=8000)] | None] | None = None
    archived: bool | None = Field(default=None, description="archived jobs are not listed unless they are asked for")


class NewExperiment(BaseModel):
    """An experiment. `location` is where its runs' artifacts go when that is not here."""

    model_config = ConfigDict(extra="forbid")

    name: Text = Field(min_length=1, max_length=500)
    location: Text | None = Field(default=None, max_length=1000)
    tags: Tags = {}


class ExperimentChange(BaseModel):
    """What may change; a tag that is null is removed."""

    model_config = ConfigDict(extra="forbid")

    name: Text | None = Field(default=None, min_length=1, max_length=500)
    tags: TagChanges = {}


class NewRun(BaseModel):
    """A run that begins."""

    model_config = ConfigDict(extra="forbid")

    experiment: BigInt = 0
    name: Text = Field(default="", max_length=500)
    tags: Tags = {}
    started_at: AwareDatetime | None = None


class RunChange(BaseModel):
    """What may change about a run; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Text | None = Field(default=None, max_length=500)
    status: Literal["scheduled", "running", "finished", "failed", "killed"] | None = None
    ended_at: AwareDatetime | None = None


class Point(BaseModel):
    """One point of a metric; `NaN`, `Infinity` and `-Infinity` are written as text. `timestamp` in milliseconds since 1970."""

    model_config = ConfigDict(extra="forbid")

    key: Key
    value: float
    timestamp: BigInt
    step: BigInt = 0
    model: Text | None = None
    dataset_name: Text | None = None
    dataset_digest: Text | None = None


class RunNotes(BaseModel):
    """What is logged to a run, all or nothing. A tag that is null is removed; a param keeps its first value."""

    model_config = ConfigDict(extra="forbid")

    metrics: list[Point] = Field(default=[], max_length=10_000)
    params: Params = {}
    tags: TagChanges = {}


class RunDataset(BaseModel):
    """A dataset that a run has read."""

    model_config = ConfigDict(extra="forbid")

    name: Text = Field(max_length=500)
    digest: Text = Field(max_length=100)
    source_type: Text = ""
    source: Text = ""
    schema_: Text | None = Field(default=None, alias="schema")
    profile: Text | None = None
    tags: Tags = {}


class RunModel(BaseModel):
    """A logged model that a run has read or made."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["input", "output"]
    model: Text = Field(max_length=100)
    step: BigInt = 0


class RunLinks(BaseModel):
    """What a run has read and made."""

    model_config = ConfigDict(extra="forbid")

    datasets: list[RunDataset] = Field(default=[], max_length=1000)
    models: list[RunModel] = Field(default=[], max_length=1000)


class NewLoggedModel(BaseModel):
    """A model that a run logs. `run` is the run that makes it."""

    model_config = ConfigDict(extra="forbid")

    experiment: BigInt = 0
    name: Text = Field(default="", max_length=500)
    type: Text | None = Field(default=None, max_length=100)
    run: Text | None = Field(default=None, max_length=100)
    params: Params = {}
    tags: Tags = {}


class LoggedModelChange(BaseModel):
    """What may change about a logged model; a tag that is null is removed."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["pending", "ready", "failed"] | None = None
    params: Params = {}
    tags: TagChanges = {}


class ArtifactContent(BaseModel):
    """What an artifact's bytes are: stored already, as one blob or in parts."""

    model_config = ConfigDict(extra="forbid")

    sha256: Digest
    size: int = Field(ge=0, lt=2**63)
    parts: list[Digest] = Field(default=[], max_length=100_000)

    @model_validator(mode="after")
    def _parts_make_the_file(self) -> Self:
        if self.parts and (self.size <= PART or len(self.parts) != -(-self.size // PART)):
            raise ValueError(f"{self.size} bytes are not {len(self.parts)} parts of {PART} bytes")
        return self
