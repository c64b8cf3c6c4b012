"""References: from what a specification names to trees, components and environments, so that it says all by itself."""

from __future__ import annotations

import copy
from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from modelyard_contracts.work import External
from modelyard_platform.database import Pool, transaction
from modelyard_platform.errors import InvalidError, NotFoundError, PlatformError
from modelyard_platform.manifests import subject_of
from modelyard_platform.trees import SCHEME
from modelyard_specs import (
    AssetLabel,
    AssetName,
    AssetVersion,
    DatastorePath,
    JobOutput,
    RegistryAsset,
    RemoteUrl,
    parse_reference,
)
from modelyard_specs.references import Reference
from scheduler.clients.neighbours import Collection, Registry
from scheduler.domain.plans import MODEL_TYPES, Signed
from scheduler.usecases.reading import find_output

_CURATED: Final = "azureml"
"""The registry whose environments the builder knows by name. What else has such a name is looked for in the workspace."""

_COLLECTIONS: Final[dict[str, Collection]] = {
    "environments": "environments", "models": "models", "components": "components", "data": "data",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Resolved:
    """A specification without references. `inputs` tells what was given for the job's own inputs, with versions for labels."""

    spec: dict[str, Any]
    inputs: dict[str, str] = field(default_factory=dict)
    external: dict[str, External] = field(default_factory=dict)
    """What lies outside, by reference: these references stay in the specification."""
    signed: dict[str, Signed] = field(default_factory=dict)
    """What the files of registered versions are signed as, by tree."""
    uses: frozenset[str] = frozenset()
    """The subjects of the asset versions that references were resolved to."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A version as the registry answers it, and the scope it was found in: the workspace, or `registries/NAME`."""

    scope: str
    collection: Collection
    version: dict[str, Any]

    @property
    def subject(self) -> str:
        """What it is called in its own scope."""
        return f"{self.collection}/{self.version['name']}/versions/{self.version['version']}"


class Resolver:
    """Resolves one specification: what is named twice is looked up once, so that `@latest` means one version throughout."""

    def __init__(self, pool: Pool, registry: Registry, workspace: str) -> None:
        self._pool = pool
        self._registry = registry
        self._workspace = workspace
        self._external: dict[str, External] = {}
        self._signed: dict[str, Signed] = {}
        self._assets: dict[tuple[Collection, str], _Found] = {}
        self._uses: set[str] = set()

    async def resolve(self, spec: dict[str, Any]) -> Resolved:
        """Raises NotFoundError, naming what is missing and what there is; InvalidError for what cannot be read from here."""
        spec = copy.deepcopy(spec)
        inputs = await self._inputs(spec.get("inputs"), "inputs")
        await self._environment(spec, "environment")
        for name, step in (spec.get("jobs") or {}).items():
            await self._step(step, f"jobs.{name}")
        return Resolved(spec, inputs, self._external, self._signed, frozenset(self._uses))

    async def _step(self, step: dict[str, Any], path: str) -> None:
        await self._inputs(step.get("inputs"), f"{path}.inputs")
        await self._environment(step, f"{path}.environment")
        component = step.get("component")
        if isinstance(component, str):
            found = await self._asset("components", component, f"{path}.component")
            self._sign(found)
            component = step["component"] = copy.deepcopy(found.version["spec"])
        if isinstance(component, dict):
            await self._inputs(component.get("inputs"), f"{path}.component.inputs")
            await self._environment(component, f"{path}.component.environment")

    async def _inputs(self, inputs: dict[str, Any] | None, path: str) -> dict[str, str]:
        given: dict[str, str] = {}
        for name, value in (inputs or {}).items():
            if not isinstance(value, dict):
                if value is not None:
                    given[name] = str(value)
            elif isinstance(value.get("path"), str):
                given[name] = await self._files(value, f"{path}.{name}.path")
            elif value.get("value") is not None:
                given[name] = str(value["value"])
        return given

    async def _files(self, value: dict[str, Any], path: str) -> str:
        """Put a tree in the place of what is named; returns the exact name."""
        text: str = value["path"]
        match reference := parse_reference(text):
            case AssetVersion() | AssetLabel() | AssetName() | RegistryAsset():
                collection: Collection = "models" if value.get("type") in MODEL_TYPES else "data"
                asset = await self._asset(collection, text, path)
                found = asset.version
                if found.get("tree") is None and (found.get("external") or {}).get("checked"):
                    exact = _exact(reference, found)
                    await self._look_outside(exact, found["external"]["url"], found["external"], path)
                    value["path"] = exact
                    return exact
                if found.get("tree") is None:
                    raise InvalidError(
                        f"{path}: {asset.collection} {found['name']}:{found['version']} keeps no files here, only an address; "
                        "register it with its files",
                        code="reference_unreadable",
                        path=path,
                    )
                value["path"] = f"{SCHEME}{found['tree']}"
                self._sign(asset)
                return _exact(reference, found)
            case JobOutput(job, output, below):
                try:
                    async with transaction(self._pool) as tx:
                        tree = await find_output(tx, self._workspace, job, output)
                except NotFoundError as error:
                    raise _at(error, path) from error
                value["path"] = f"{SCHEME}{tree}" + (f"/{below}" if below else "")
                return str(reference)
            case RemoteUrl(url) if url.startswith(("http://", "https://", "s3://")):
                await self._look_outside(text, url, None, path)
                return text
            case DatastorePath(datastore):
                await self._look_outside(str(reference), str(reference), None, path)
                self._uses.add(f"datastores/{datastore}")
                value["path"] = str(reference)
                return str(reference)
            case RemoteUrl():
                raise InvalidError(
                    f"{path}: `{text}` lies outside; register it as data with its files, or give a local path",
                    code="reference_unreadable",
                    path=path,
                )
            case _:
                return text

    def _sign(self, asset: _Found) -> None:
        """Keep what its files, if it has any, are signed as."""
        found = asset.version
        if found.get("tree") is not None:
            subject = subject_of(asset.scope, asset.collection, found["name"], found["version"])
            self._signed[found["tree"]] = Signed(subject=subject, manifest=found.get("manifest"))

    async def _look_outside(self, reference: str, url: str, recorded: dict[str, Any] | None, path: str) -> None:
        """Data outside is looked at when a job that uses it is submitted, and once more by the runner."""
        if reference in self._external:
            return
        try:
            now = await self._registry.look_outside(self._workspace, url, recorded)
        except PlatformError as error:
            raise _at(error, path) from error
        self._external[reference] = External.model_validate(recorded or now)

    async def _environment(self, owner: MutableMapping[str, Any], path: str) -> None:
        text = owner.get("environment")
        if not isinstance(text, str):
            return
        reference = parse_reference(text)
        if isinstance(reference, RegistryAsset) and reference.registry == _CURATED:
            return
        found = await self._asset("environments", text, path)
        owner["environment"] = copy.deepcopy(found.version["spec"])

    async def _asset(self, collection: Collection, text: str, path: str) -> _Found:
        if (collection, text) not in self._assets:
            try:
                found = await self._look_up(collection, text, path)
            except PlatformError as error:
                raise _at(error, path) from error
            self._uses.add(found.subject if found.scope == self._workspace else f"{found.scope}/{found.subject}")
            self._assets[collection, text] = found
        return self._assets[collection, text]

    async def _look_up(self, collection: Collection, text: str, path: str) -> _Found:
        version: str | None = None
        label: str | None = None
        registry: str | None = None
        match parse_reference(text):
            case AssetVersion(name, version):
                pass
            case AssetLabel(name, label):
                pass
            case AssetName(name):
                pass
            case RegistryAsset(registry, kind, name, version, label):
                if _COLLECTIONS[kind] != collection and {kind, collection} != {"models", "data"}:
                    raise InvalidError(
                        f"`{text}` names one of the {kind}; give one of the {collection}",
                        code="reference_invalid",
                        path=path,
                    )
                collection = _COLLECTIONS[kind]  # models may go in as files of any type, and so may data
                registry = None if registry == _CURATED else registry
            case _:
                raise InvalidError(
                    f"`{text}` names none of the {collection}; write azureml:NAME:VERSION or azureml:NAME@LABEL",
                    code="reference_invalid",
                    path=path,
                )
        if version is not None:
            found = await self._registry.version(self._workspace, collection, name, version, registry)
        else:
            found = await self._registry.label(self._workspace, collection, name, label or "latest", registry)
        return _Found(f"registries/{registry}" if registry else self._workspace, collection, found)


def _exact(reference: Reference, found: dict[str, Any]) -> str:
    """The exact name of an asset's version."""
    if isinstance(reference, RegistryAsset):
        return str(replace(reference, version=found["version"], label=None))
    return f"azureml:{found['name']}:{found['version']}"


def _at(error: PlatformError, path: str) -> PlatformError:
    """The same error, saying where in the specification."""
    if (
        error.kind not in ("not_found", "invalid", "precondition", "forbidden", "too_large")
        or error.members.get("path") == path
    ):
        return error
    members = {**error.members, "path": path}
    return PlatformError(f"{path}: {error.detail}", kind=error.kind, code=error.code, **members)
