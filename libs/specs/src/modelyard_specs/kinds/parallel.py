"""Parallel runs: one function over many mini-batches of an input."""

from typing import Annotated, Any, Literal

from pydantic import Field

from modelyard_specs.kinds.assets import EnvironmentField
from modelyard_specs.kinds.base import OneOrMore, Ref, Snake, Spec, Text, Texts, Whole, WithoutEffect
from modelyard_specs.kinds.runs import Resources


class ParallelTask(Spec):
    """The script with ``init()`` and ``run(mini_batch)``, or a model."""

    type: Annotated[Literal["run_function", "function", "model"], Snake] = "run_function"
    code: Ref | None = None
    entry_script: Text | None = None
    program_arguments: Text | None = None
    model: Text | None = None
    append_row_to: Text | None = None
    environment: EnvironmentField | None = None


class RetrySettings(Spec):
    """``timeout`` of one mini-batch in seconds."""

    max_retries: Annotated[Whole, Field(ge=0)] | str | None = None
    timeout: Annotated[Whole, Field(ge=1)] | str | None = None


class ParallelRun(Spec):
    """``mini_batch_size``: files (``"5"``) or bytes of a table (``10kb``). A threshold of -1 ignores all failures."""

    task: ParallelTask | None = None
    input_data: Text | None = None
    mini_batch_size: Text | None = None
    partition_keys: Annotated[list[Text], OneOrMore] = Field(default_factory=list)
    resources: Resources | None = None
    retry_settings: RetrySettings | None = None
    max_concurrency_per_instance: Annotated[Whole, Field(ge=1)] | str | None = None
    error_threshold: Annotated[Whole, Field(ge=-1)] | str | None = None
    mini_batch_error_threshold: Annotated[Whole, Field(ge=-1)] | str | None = None
    logging_level: Annotated[Literal["debug", "info", "warning"], Snake] | None = None
    environment_variables: Texts = Field(default_factory=dict)
    identity: Annotated[Any, WithoutEffect()] = None
