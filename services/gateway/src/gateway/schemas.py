"""What MLflow clients send. Fields that nothing here acts on are taken and left alone, as protobuf has it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

View = Literal["ACTIVE_ONLY", "DELETED_ONLY", "ALL"]
RunState = Literal["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]
ModelState = Literal["LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"]
Limit = Annotated[int, Field(ge=1, le=50_000)]
# Numbers of versions come as numbers too, as protobuf's JSON allows.
Text = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]


class Message(BaseModel):
    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class Pair(Message):
    """A tag or a param."""

    key: str = Field(min_length=1)
    value: str = ""


def as_dict(pairs: list[Pair]) -> dict[str, str]:
    """Of the same key the last one counts."""
    return {pair.key: pair.value for pair in pairs}


class Page(Message):
    max_results: Limit | None = None
    page_token: str | None = None


class Search(Page):
    filter: str | None = None
    order_by: list[str] = []


class ByExperiment(Message):
    experiment_id: Text = Field(min_length=1)


class ExperimentByName(Message):
    experiment_name: str


class CreateExperiment(Message):
    name: str = Field(min_length=1)
    artifact_location: str | None = None
    tags: list[Pair] = []


class UpdateExperiment(ByExperiment):
    new_name: str = Field(min_length=1)


class ExperimentTag(ByExperiment, Pair):
    pass


class ExperimentTagKey(ByExperiment):
    key: str


class SearchExperiments(Search):
    view_type: View = "ACTIVE_ONLY"


class ByRun(Message):
    """A run, by its id; older clients say `run_uuid`."""

    run_id: str = ""
    run_uuid: str = ""

    @model_validator(mode="after")
    def _named(self) -> Self:
        self.run_id = self.run_id or self.run_uuid
        if not self.run_id:
            raise ValueError("run_id is missing")
        return self


class CreateRun(Message):
    experiment_id: Text = "0"
    user_id: str | None = None
    run_name: str | None = None
    start_time: int | None = None
    tags: list[Pair] = []


class UpdateRun(ByRun):
    status: RunState | None = None
    end_time: int | None = None
    run_name: str | None = None


class MetricPoint(Message):
    key: str = Field(min_length=1)
    value: float
    timestamp: int
    step: int = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class LogMetric(ByRun, MetricPoint):
    pass


class RunPair(ByRun, Pair):
    pass


class RunTagKey(ByRun):
    key: str


class LogBatch(ByRun):
    metrics: list[MetricPoint] = []
    params: list[Pair] = []
    tags: list[Pair] = []


class LogModel(ByRun):
    model_json: str


class DatasetFields(Message):
    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema_: str | None = Field(default=None, alias="schema")
    profile: str | None = None


class DatasetInput(Message):
    tags: list[Pair] = []
    dataset: DatasetFields


class ModelInput(Message):
    model_id: str


class ModelOutput(ModelInput):
    step: int = 0


class LogInputs(ByRun):
    datasets: list[DatasetInput] = []
    models: list[ModelInput] = []


class LogOutputs(ByRun):
    models: list[ModelOutput] = []


class MetricHistory(ByRun):
    metric_key: str
    page_token: str | None = None
    max_results: Limit | None = None


class SearchRuns(Search):
    experiment_ids: list[Text] = []
    run_view_type: View = "ACTIVE_ONLY"


class ListArtifacts(ByRun):
    path: str | None = None


class CreateLoggedModel(Message):
    experiment_id: Text = "0"
    name: str | None = None
    model_type: str | None = None
    source_run_id: str | None = None
    params: list[Pair] = []
    tags: list[Pair] = []


class FinalizeLoggedModel(Message):
    status: ModelState


class Pairs(Message):
    params: list[Pair] = []
    tags: list[Pair] = []


class ModelOrder(Message):
    field_name: str
    ascending: bool = True


class SearchLoggedModels(Page):
    experiment_ids: list[Text] = []
    filter: str | None = None
    order_by: list[ModelOrder] = []


class ByName(Message):
    name: str = Field(min_length=1)


class CreateRegisteredModel(ByName):
    tags: list[Pair] = []
    description: str = ""


class UpdateRegisteredModel(ByName):
    description: str = ""


class RenameRegisteredModel(ByName):
    new_name: str


class RegisteredModelTag(ByName, Pair):
    pass


class RegisteredModelTagKey(ByName):
    key: str


class LatestVersions(ByName):
    stages: list[str] = []


class Alias(ByName):
    alias: str = Field(min_length=1)


class SetAlias(Alias):
    version: Text


class ByVersion(ByName):
    version: Text


class CreateModelVersion(ByName):
    source: str
    run_id: str | None = None
    run_link: str | None = None
    model_id: str | None = None
    description: str = ""
    tags: list[Pair] = []


class UpdateModelVersion(ByVersion):
    description: str = ""


class Transition(ByVersion):
    stage: str
    archive_existing_versions: bool = False


class ModelVersionTag(ByVersion, Pair):
    pass


class ModelVersionTagKey(ByVersion):
    key: str
