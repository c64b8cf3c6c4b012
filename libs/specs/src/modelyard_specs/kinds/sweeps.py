"""Sweeps: trials of one command over a search space."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from modelyard_specs.kinds.base import Snake, Spec, Text, Whole, WithoutEffect
from modelyard_specs.kinds.runs import Resources

Number = int | float | str


class Choice(Spec):
    """One of some values."""

    type: Annotated[Literal["choice"], Snake]
    values: list[Any] = Field(min_length=1)


class Uniform(Spec):
    """A number between two; ``q`` rounds to its multiples. The log forms give exp of it."""

    type: Annotated[Literal["uniform", "loguniform", "quniform", "qloguniform"], Snake]
    min_value: Number
    max_value: Number
    q: Number | None = None


class Normal(Spec):
    """A number around ``mu``; ``q`` rounds to its multiples. The log forms give exp of it."""

    type: Annotated[Literal["normal", "lognormal", "qnormal", "qlognormal"], Snake]
    mu: Number
    sigma: Number
    q: Number | None = None


class RandomInteger(Spec):
    """A whole number from 0 up to, not including, ``upper``."""

    type: Annotated[Literal["randint"], Snake]
    upper: Annotated[Whole, Field(ge=1)]


def _distribution_form(value: object) -> str | None:
    kind = str(value.get("type") if isinstance(value, dict) else getattr(value, "type", None)).lower()
    if kind in {"choice", "randint"}:
        return f"<{kind}>"
    return "<normal>" if kind.endswith("normal") else "<uniform>"


SearchValue = Annotated[
    Annotated[Choice, Tag("<choice>")]
    | Annotated[RandomInteger, Tag("<randint>")]
    | Annotated[Normal, Tag("<normal>")]
    | Annotated[Uniform, Tag("<uniform>")],
    Discriminator(_distribution_form),
]


class Sampling(Spec):
    """How the next trial is chosen."""

    type: Annotated[Literal["random", "grid", "bayesian"], Snake]
    seed: Whole | None = None
    rule: Annotated[Literal["random", "sobol"], Snake] | None = None
    logbase: Number | None = None


def _sampling_form(value: object) -> str:
    return "<mapping>" if isinstance(value, dict | BaseModel) else "<name>"


class Objective(Spec):
    """The metric that the trials log, and which way is better."""

    goal: Annotated[Literal["minimize", "maximize"], Snake]
    primary_metric: Text


class SweepLimits(Spec):
    """Times in seconds."""

    max_total_trials: Annotated[Whole, Field(ge=1)]
    max_concurrent_trials: Annotated[Whole, Field(ge=1)] | None = None
    timeout: Annotated[Whole, Field(ge=1)] | None = None
    trial_timeout: Annotated[Whole, Field(ge=1)] | None = None


class EarlyTermination(Spec):
    """Which trials are stopped before their end; intervals count reports of the metric."""

    type: Annotated[Literal["bandit", "median_stopping", "truncation_selection"], Snake]
    evaluation_interval: Annotated[Whole, Field(ge=0)] | None = None
    delay_evaluation: Annotated[Whole, Field(ge=0)] | None = None
    slack_factor: float | None = None
    slack_amount: float | None = None
    truncation_percentage: Annotated[Whole, Field(ge=1, le=99)] | None = None
    exclude_finished_jobs: bool | None = None


class SweepRun(Spec):
    """What sweep jobs and sweep steps share, the trial apart."""

    sampling_algorithm: Annotated[
        Annotated[Literal["random", "grid", "bayesian"], Snake, Tag("<name>")] | Annotated[Sampling, Tag("<mapping>")],
        Discriminator(_sampling_form),
    ] = "random"
    search_space: dict[str, SearchValue] = Field(default_factory=dict)
    objective: Objective
    limits: SweepLimits
    early_termination: EarlyTermination | None = None
    resources: Resources | None = None
    queue_settings: Annotated[Any, WithoutEffect()] = None
    identity: Annotated[Any, WithoutEffect()] = None
    services: Annotated[Any, WithoutEffect()] = None
