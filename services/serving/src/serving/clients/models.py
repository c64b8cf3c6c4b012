"""Model versions, as the registry knows them."""

from __future__ import annotations

from typing import Any, Final

from modelyard_platform.cause import Cause
from modelyard_platform.clients import ServiceClient
from modelyard_platform.errors import PlatformError
from modelyard_specs import AssetLabel, AssetName, AssetVersion, Reference, RegistryAsset
from serving.domain.plan import ModelVersion
from serving.errors import FieldInvalidError, ModelNotServableError

_CURATED: Final = "azureml"
"""What has a curated name is looked for in the workspace."""


def _models(registry: str) -> str:
    return f"/api/v1/registries/{registry}/models" if registry else "/api/v1/models"


class Models:
    """Resolves references to versions, and registers the models that a deployment brings along."""

    def __init__(self, registry: ServiceClient) -> None:
        self._registry = registry

    async def resolve(self, reference: Reference, workspace: str) -> ModelVersion:
        """The version a reference names. Raises NotFoundError saying what exists, FieldInvalidError for what is no model."""
        match reference:
            case AssetVersion(name, version):
                return await self.get(name, version, workspace)
            case AssetLabel(name, label):
                path = f"/api/v1/models/{name}/labels/{label}"
            case AssetName(name):
                path = f"/api/v1/models/{name}/labels/latest"
            case RegistryAsset(registry, "models", name, str(version)) if registry != _CURATED:
                return await self.get(f"{registry}/{name}", version, workspace)
            case RegistryAsset(registry, "models", name, None, label) if registry != _CURATED:
                path = f"/api/v1/registries/{registry}/models/{name}/labels/{label or 'latest'}"
                return await self._whole(await self._get(path, workspace), workspace, registry)
            case RegistryAsset(collection="models", name=name, version=str(version)):
                return await self.get(name, version, workspace)
            case RegistryAsset(collection="models", name=name, label=label):
                path = f"/api/v1/models/{name}/labels/{label or 'latest'}"
            case _:
                raise FieldInvalidError(
                    "model", f"{reference} is no registered model: write azureml:NAME:VERSION or azureml:NAME@LABEL"
                )
        return await self._whole(await self._get(path, workspace), workspace)

    async def get(self, name: str, version: str, workspace: str) -> ModelVersion:
        """One version; `registry/name` is that of a shared registry. Raises NotFoundError."""
        registry, _, name = name.rpartition("/")
        path = f"{_models(registry)}/{name}/versions/{version}"
        return await self._whole(await self._get(path, workspace), workspace, registry)

    async def register(self, spec: dict[str, Any], cause: Cause, key: str) -> ModelVersion:
        """Register what a deployment's spec brings along; the same `key` gives the same version again."""
        try:
            answer = await self._registry.request(
                "POST", "/api/v1/models", cause=cause, body={"spec": spec}, idempotency_key=key
            )
        except PlatformError as error:
            raise _about_the_model(error) from error
        return await self._whole(answer, cause.workspace)

    async def _get(self, path: str, workspace: str) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await self._registry.get(path, workspace=workspace)
        except PlatformError as error:
            raise _about_the_model(error) from error
        return answer

    async def _whole(self, answer: dict[str, Any], workspace: str, registry: str = "") -> ModelVersion:
        name, version = answer["name"], answer["version"]
        if not answer.get("tree"):
            raise ModelNotServableError(f"{name}:{version}", "its files lie outside of Modelyard")
        files = answer.get("files")
        if files is None:
            files = (await self._get(f"{_models(registry)}/{name}/versions/{version}/tree", workspace))["files"]
        return ModelVersion(
            scope=f"registries/{registry}" if registry else workspace,
            name=name,
            version=version,
            tree=answer["tree"],
            files=tuple(file["path"] for file in files),
            manifest=answer.get("manifest"),
            conversion=answer.get("conversion"),
        )


def _about_the_model(error: PlatformError) -> PlatformError:
    """The registry's error, with the key of the spec that it is about."""
    if error.kind == "unavailable":
        return error
    return PlatformError(error.detail, kind=error.kind, code=error.code, **error.members | {"path": "model"})
