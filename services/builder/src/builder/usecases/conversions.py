"""scikit-learn models become ONNX, with the measured difference between the two."""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml

from builder import store
from builder.clients.converting import convert
from builder.domain.curated import SKLEARN, curated
from builder.domain.flavours import TABLES, Convertible, NotConvertible, decide, records_of
from builder.domain.requirements import Requirements, names_of, normalised
from builder.domain.specs import read_spec
from builder.domain.tasks import Done, Failed, Outcome, Skipped, Task
from builder.errors import ConversionFailedError, EnvironmentUnresolvableError
from builder.usecases.locks import Locker, load_lock, lock_requirements, requirements_of
from modelyard_contracts import Event, EventData
from modelyard_contracts.builder import ModelConversionFailed, ModelConverted
from modelyard_contracts.registry import ModelRegistered
from modelyard_flavours import inspect
from modelyard_platform import manifests, trees
from modelyard_platform.cause import cause_of_event
from modelyard_platform.database import Connection
from modelyard_platform.manifests import Signed, Verifier, subject_of
from modelyard_platform.tree_reader import TreeReader
from modelyard_platform.trees import Tree
from modelyard_runtime.environments import materialise

_EXTRAS: Final = ("skl2onnx>=1.14", "onnxruntime>=1.15", "pandas")


@dataclass(frozen=True, slots=True)
class Converter:
    """What converting needs. Environments are kept below `data_dir`."""

    locker: Locker
    data_dir: Path
    rows: int
    materialise_timeout_s: float
    convert_timeout_s: float
    verifier: Verifier | None = None


async def ask(tx: Connection, event: Event[ModelRegistered]) -> None:
    """Write down that this model, which has files here, is to be converted if it can be."""
    await store.insert_task(tx, "conversion", event.data.name, event.data.version, cause_of_event("builder", event))


async def convert_model(converter: Converter, task: Task) -> Outcome:
    """Convert a registered model in the environment it was made in, and measure the difference on its sample.

    There is no certificate without a measurement: a model without a sample is not converted. Raises PlatformError.
    """
    objects = converter.locker.store
    version = await converter.locker.registry.version("models", task.workspace, task.name, task.version)
    if version["tree"] is None:
        return Skipped("its files lie outside")
    signed = Signed(
        tree=version["tree"],
        manifest=version.get("manifest"),
        subject=subject_of(task.workspace, "models", task.name, task.version),
    )
    tree = await asyncio.to_thread(manifests.load, objects, signed, converter.verifier)
    with manifests.refusing(signed.subject):
        decision = decide(await asyncio.to_thread(inspect, TreeReader(objects, tree)))
    if isinstance(decision, NotConvertible):
        return Skipped(decision.reason)
    with tempfile.TemporaryDirectory(prefix="modelyard-convert-") as name:
        folder = Path(name)
        await asyncio.to_thread(manifests.download, objects, signed, converter.verifier, folder / "model")
        model = folder / "model" / decision.model
        if not model.is_file():
            raise ConversionFailedError(f"MLmodel names {decision.model}, which is not among the model's files")
        sample = await _sample(converter, version, decision, folder)
        requirements = await _environment(converter, task, version, decision, folder)
        interpreter, lock = await _interpreter(converter, requirements, sample, model)
        converted = await convert(
            interpreter, model, sample, folder, rows=converter.rows, timeout_s=converter.convert_timeout_s
        )
        made = await asyncio.to_thread(trees.upload, objects, converted.folder)
    return Done(_result(made, lock, converted.certificate))


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConversionFailedError(f"{path.name} is no YAML: {error}") from error


async def _sample(converter: Converter, version: dict[str, Any], decision: Convertible, folder: Path) -> Path:
    """A table of the model's inputs: the version's sample, else MLflow's input example. Raises ConversionFailedError without any."""
    objects = converter.locker.store
    if version.get("sample"):
        tree: Tree = await asyncio.to_thread(trees.load, objects, version["sample"])
        for suffix in TABLES:
            for file in tree.files:
                if PurePosixPath(file.path).suffix.lower() == suffix:
                    target = folder / f"sample{suffix}"
                    await asyncio.to_thread(trees.fetch, objects, file, target)
                    return target
        raise ConversionFailedError(
            f"the sample has no {', '.join(TABLES)} file; it has {', '.join(f.path for f in tree.files[:5])}"
        )
    if decision.mlmodel is not None:
        example = (folder / "model" / decision.mlmodel).parent / "input_example.json"
        records = records_of(json.loads(example.read_text(encoding="utf-8"))) if example.is_file() else None
        if records is not None:
            target = folder / "sample.json"
            target.write_text(json.dumps(records), encoding="utf-8")
            return target
    raise ConversionFailedError(
        "there are no rows to measure the difference on: register the model with a sample (a .parquet, .csv or .json table of its "
        "inputs), or log it with an input_example"
    )


async def _environment(
    converter: Converter, task: Task, version: dict[str, Any], decision: Convertible, folder: Path
) -> Requirements:
    """What the model was made in: the lock of the job that made it, what its specification says, what its MLflow folder says, or
    the scikit-learn that its pickle names; else the curated default."""
    locker = converter.locker
    stated = version.get("environment") or version["spec"].get("environment")
    if stated is not None:
        return await requirements_of(locker, task.workspace, stated)
    if decision.mlmodel is not None:
        beside = folder / "model" / PurePosixPath(decision.mlmodel).parent / "conda.yaml"
        if beside.is_file():
            found = read_spec({"conda_file": _yaml(beside)}, locker.default_python)
            assert isinstance(found, Requirements)
            return found
    if decision.written_by is not None:
        return Requirements(locker.default_python, normalised([f"scikit-learn=={decision.written_by}"]))
    default = curated(SKLEARN, locker.default_python)
    assert default is not None
    return default


async def _interpreter(converter: Converter, requirements: Requirements, sample: Path, model: Path) -> tuple[Path, str]:
    """The interpreter of the model's environment with the converter beside it, and the lock's digest."""
    extras = [*_EXTRAS]
    extras += ["pyarrow"] if sample.suffix == ".parquet" else []
    extras += ["skops"] if model.suffix == ".skops" else ["joblib"]
    if "onnxruntime-gpu" in names_of(requirements.lines):  # it installs the same module
        extras.remove("onnxruntime>=1.15")
    try:
        locked = await lock_requirements(converter.locker, requirements.adding(extras))
    except EnvironmentUnresolvableError as error:
        raise ConversionFailedError(
            f"the model's environment and the ONNX converter ({', '.join(extras)}) cannot be installed together: {error.detail}"
        ) from error
    lock = await load_lock(converter.locker, locked["digest"])
    interpreter = await asyncio.to_thread(
        materialise, lock, converter.data_dir, converter.locker.uv.executable, timeout_s=converter.materialise_timeout_s
    )
    return interpreter, lock.digest


def _result(tree: Tree, lock: str, certificate: dict[str, Any]) -> dict[str, Any]:
    names = ("max_abs_difference", "label_agreement", "rows", "opset")
    signature = certificate["signature"] | {"inputs": certificate["inputs"], "outputs": certificate["outputs"]}
    return {name: certificate[name] for name in names} | {
        "tree": tree.digest,
        "signature": signature,
        "environment": lock,
    }


def tell(task: Task, outcome: Outcome) -> EventData | None:
    """The event of what became of it; a model that is not scikit-learn's makes none."""
    match outcome:
        case Done(result=result):
            return ModelConverted(name=task.name, version=task.version, **result)
        case Failed(detail=detail, refused=refused):
            return ModelConversionFailed(name=task.name, version=task.version, detail=detail, refused=refused)
        case Skipped():
            return None
