"""From a deployment's spec and its model version to what a replica is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, TypeVar

from modelyard_platform.manifests import conversion_of, subject_of
from modelyard_platform.specs import load_spec
from modelyard_runtime.replica.spec import CollectorSpec, ModelSpec, ReplicaSpec, ScriptSpec
from modelyard_specs import Group, TreeReference
from modelyard_specs.kinds.online import DataCollector, OnlineDeployment, OnlineEndpoint, ResourceAmounts
from serving.errors import FieldInvalidError, ModelNotServableError

GROUPS: Final[dict[type[OnlineEndpoint | OnlineDeployment], Group]] = {
    OnlineEndpoint: "online-endpoint",
    OnlineDeployment: "online-deployment",
}
S = TypeVar("S", OnlineEndpoint, OnlineDeployment)

_QUANTITY: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<milli>m?)")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelVersion:
    """A registered version as far as serving is concerned. `files` are the paths in `tree`; `conversion` is as the registry answers it.
    `scope`: where it is registered, and converted: the workspace, or `registries/NAME`."""

    scope: str
    name: str
    version: str
    tree: str
    files: tuple[str, ...]
    manifest: str | None = None
    conversion: dict[str, Any] | None = None

    @property
    def reference(self) -> str:
        """`name:version`, as events have it; of a shared registry `registry/name:version`."""
        _, shared, registry = self.scope.partition("registries/")
        return f"{registry}/{self.name}:{self.version}" if shared else f"{self.name}:{self.version}"

    @property
    def subject(self) -> str:
        """What its files are signed as."""
        return subject_of(self.scope, "models", self.name, self.version)


@dataclass(frozen=True, kw_only=True, slots=True)
class Defaults:
    """What holds where a spec says nothing."""

    replica_cpus: float
    request_timeout_ms: int
    max_body_bytes: int


def read_endpoint(spec: dict[str, Any]) -> OnlineEndpoint:
    """A checked endpoint spec. Raises InvalidError with every finding."""
    model = _read(spec, OnlineEndpoint)
    if any(model.mirror_traffic.values()):
        raise FieldInvalidError("mirror_traffic", "mirroring is not there yet; leave it out")
    return model


def read_deployment(spec: dict[str, Any]) -> OnlineDeployment:
    """A checked deployment spec that can be carried out here. Raises InvalidError with every finding."""
    model = _read(spec, OnlineDeployment)
    if model.code_configuration is not None:
        if not isinstance(model.code_configuration.code, TreeReference):
            raise FieldInvalidError("code_configuration.code", "has to be uploaded first: modelyard://trees/<digest>")
        if model.environment is None:
            raise FieldInvalidError("environment", "a score script runs in an environment of its own; say which")
    elif model.model is None:
        raise FieldInvalidError("model", "custom containers are not served yet; give a model, or code_configuration")
    if model.instance_count < 1:
        raise FieldInvalidError("instance_count", "has to be at least 1")
    if model.resources is not None:
        amounts(model.resources.requests)
    return model


def _read(spec: dict[str, Any], kind: type[S]) -> S:
    document = load_spec(spec, GROUPS[kind])
    assert isinstance(document.model, kind)
    return document.model


def not_acted_upon(spec: dict[str, Any], kind: type[OnlineEndpoint | OnlineDeployment]) -> list[str]:
    """Keys of a valid spec that are accepted and have no effect here."""
    document = load_spec(spec, GROUPS[kind])
    acted_elsewhere = ("instance_type", "scale_settings", "liveness_probe", "readiness_probe", "resources.limits")
    return sorted({*document.ignored, *(key for key in acted_elsewhere if _given(spec, key))})


def _given(spec: dict[str, Any], path: str) -> bool:
    value: Any = spec
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value is not None


@dataclass(frozen=True, slots=True)
class Onnx:
    """Where a version's ONNX form is."""

    tree: str
    file: str
    subject: str
    manifest: str | None = None
    feature_names: tuple[str, ...] | None = None


def onnx_of(version: ModelVersion) -> Onnx | None:
    """A version's ONNX form; None while its conversion may still come. Raises ModelNotServableError."""
    own = [path for path in version.files if path.lower().endswith(".onnx")]
    if own:
        return Onnx(version.tree, _one_of(version, own), version.subject, version.manifest)
    conversion = version.conversion or {}
    if tree := conversion.get("tree"):
        signature = conversion.get("signature") or {}
        columns = signature.get("columns") if signature.get("layout") == "matrix" else None
        return Onnx(
            tree=tree,
            file="model.onnx",
            subject=conversion_of(version.subject),
            manifest=conversion.get("manifest"),
            feature_names=tuple(columns) if columns else None,
        )
    if conversion.get("status") == "failed":
        raise ModelNotServableError(
            version.reference, f"its conversion to ONNX failed ({conversion.get('detail') or 'no reason given'})"
        )
    return None


def as_signed_now(plan: dict[str, Any], version: ModelVersion) -> dict[str, Any]:
    """A replica's plan whose model is held against what it is signed as now: versions may be signed again, with another key say.

    The plan itself when its files are not (any more) the version's.
    """
    model, conversion = plan["model"], version.conversion or {}
    if model["tree"] == version.tree:
        signed = {"subject": version.subject, "manifest": version.manifest}
    elif model["tree"] == conversion.get("tree"):
        signed = {"subject": conversion_of(version.subject), "manifest": conversion.get("manifest")}
    else:
        return plan
    return plan | {"model": model | signed}


def _one_of(version: ModelVersion, files: list[str]) -> str:
    for path in files:
        if len(files) == 1 or PurePosixPath(path).name == "model.onnx":
            return path
    raise ModelNotServableError(
        version.reference, f"it has several ONNX files ({', '.join(files[:5])}) and none is model.onnx"
    )


def amounts(asked: ResourceAmounts | None) -> tuple[float | None, float]:
    """CPUs (None when not asked for) and GPUs of one replica. Raises FieldInvalidError."""
    if asked is None:
        return None, 0.0
    cpu = _quantity("resources.requests.cpu", asked.cpu) if asked.cpu else None
    gpu = asked.nvidia_gpu or asked.gpu
    return cpu, _quantity("resources.requests.gpu", gpu) if gpu else 0.0


def _quantity(path: str, text: str) -> float:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise FieldInvalidError(path, f"{text!r} is not a quantity such as 2, 0.5 or 500m")
    return float(match["number"]) / (1000 if match["milli"] else 1)


def collector(asked: DataCollector | None) -> CollectorSpec:
    """Rows are kept when the spec asks for a collection, as in the original: no `data_collector`, no rows."""
    wanted = [collection for collection in asked.collections.values() if collection.enabled] if asked else []
    if asked is None or not wanted:
        return CollectorSpec(enabled=False)
    rates = [collection.sampling_rate for collection in wanted if collection.sampling_rate is not None]
    return CollectorSpec(enabled=True, sampling_rate=max(rates, default=asked.sampling_rate))


def replica_spec(
    spec: OnlineDeployment,
    *,
    workspace: str,
    endpoint: str,
    deployment: str,
    generation: int,
    version: ModelVersion | None,
    onnx: Onnx | None,
    lock: str | None,
    defaults: Defaults,
) -> ReplicaSpec:
    """What one generation's replicas are told."""
    script = None
    if spec.code_configuration is not None:
        code = spec.code_configuration.code
        assert isinstance(code, TreeReference)
        script = ScriptSpec(
            code_tree=code.digest,
            entry_script=str(PurePosixPath(code.path) / spec.code_configuration.scoring_script),
            lock=lock,
        )
    model = None
    if version is not None:
        use = None if script else onnx
        model = ModelSpec(
            reference=version.reference,
            name=version.name,
            version=version.version,
            tree=use.tree if use else version.tree,
            manifest=use.manifest if use else version.manifest,
            subject=use.subject if use else version.subject,
            onnx_file=use.file if use else None,
            feature_names=use.feature_names if use else None,
        )
    cpus, gpus = amounts(spec.resources.requests if spec.resources else None)
    return ReplicaSpec(
        workspace=workspace,
        endpoint=endpoint,
        deployment=deployment,
        generation=generation,
        model=model,
        script=script,
        environment_variables={name: value or "" for name, value in spec.environment_variables.items()},
        timeout_ms=spec.request_settings.request_timeout_ms or defaults.request_timeout_ms,
        max_body_bytes=defaults.max_body_bytes,
        collector=collector(spec.data_collector),
        num_replicas=spec.instance_count,
        num_cpus=defaults.replica_cpus if cpus is None else cpus,
        num_gpus=gpus,
    )
