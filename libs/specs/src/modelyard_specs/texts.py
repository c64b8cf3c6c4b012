"""Text given to an input that takes files is where they lie: ``data: azureml:flights@latest``, ``data: ./rows``.

The original reads it so as soon as it knows the component's port; here too, so that a local path is uploaded and a
reference resolved like one written as a mapping with ``path``.
"""

from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from modelyard_specs.documents import Document
from modelyard_specs.errors import KeyPath
from modelyard_specs.kinds.components import AnyComponent, CommandStep, OpaqueStep, PipelineComponent, SweepStep
from modelyard_specs.kinds.jobs import PipelineJob
from modelyard_specs.kinds.ports import LITERAL_TYPES, Input
from modelyard_specs.references import parse_reference


def with_files(document: Document) -> Document:
    """The document with such text as paths, where the component is at hand. What is no reference stays text."""
    model = _changed(document, document.model, ())
    return document if model is document.model else replace(document, model=model)


def _changed(document: Document, model: Any, path: KeyPath) -> Any:
    if isinstance(model, PipelineJob | PipelineComponent):
        steps = {name: _step(document, step, (*path, "jobs", name)) for name, step in model.jobs.items()}
        return _copy(model, "jobs", steps) if steps != model.jobs else model
    for key in ("create_job", "job"):
        inner = getattr(model, key, None)
        if isinstance(inner, BaseModel):
            found = _changed(document, inner, (*path, key))
            return model if found is inner else _copy(model, key, found)
    return model


def _step(document: Document, step: Any, path: KeyPath) -> Any:
    if isinstance(step, CommandStep | OpaqueStep):
        return step
    key, written = ("trial", step.trial) if isinstance(step, SweepStep) else ("component", step.component)
    file = document.files.get((*path, key))
    component = file.model if file else written
    if not isinstance(component, AnyComponent):
        return step
    inputs = dict(step.inputs)
    for name, value in inputs.items():
        declared = component.inputs.get(name)
        if declared is not None and declared.type not in LITERAL_TYPES and isinstance(value, str):
            inputs[name] = _input(value, declared.type)
    return step if inputs == step.inputs else _copy(step, "inputs", inputs)


def _input(text: str, type_: Any) -> Input | str:
    if "${{" in text:
        return text
    try:
        reference = parse_reference(text)
    except ValueError:
        return text
    return Input(type=type_, path=reference)


def _copy(model: Any, key: str, value: object) -> Any:
    return model.model_copy(update={key: value})
