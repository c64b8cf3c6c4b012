"""Routes of what versions are verified with: the public key, and each version's signed manifest."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from modelyard_contracts.registry import AssetKind
from modelyard_platform.http import Reader
from registry.api.parts import Wired, registry_read
from registry.errors import NotSignedError
from registry.schemas.integrity import SigningKey
from registry.usecases import manifests

BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_MANIFEST: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {BUNDLE: {}}, "description": "An OpenSSF model signature: a Sigstore bundle"}
}

router = APIRouter(prefix="/api/v1", tags=["integrity"])


@router.get("/signing-key", response_model=SigningKey, operation_id="get_signing_key")
async def get_signing_key(parts: Wired, caller: Reader) -> Any:
    """The public key that manifests are signed with. 404 where nothing is signed."""
    if parts.signer is None:
        raise NotSignedError("this registry signs nothing: it has no MODELYARD_REGISTRY_SIGNING_KEY")
    return {"public_key": parts.signer.public_key, "fingerprint": parts.signer.fingerprint}


@router.get(
    "/{kind}/{name}/versions/{version}/manifest",
    response_class=Response,
    responses=_MANIFEST,
    operation_id="get_manifest",
)
async def get_manifest(kind: AssetKind, name: str, version: str, parts: Wired, caller: Reader) -> Response:
    """A version's signed manifest; `model_signing verify key` takes it for the folder the version was downloaded to."""
    body = await manifests.read_manifest(parts.pool, parts.store, caller.cause.workspace, kind, name, version)
    return Response(body, media_type=BUNDLE)


@router.get(
    "/registries/{registry}/{kind}/{name}/versions/{version}/manifest",
    response_class=Response,
    responses=_MANIFEST,
    operation_id="get_shared_manifest",
)
async def get_shared_manifest(
    kind: AssetKind, name: str, version: str, parts: Wired, scope: Annotated[str, Depends(registry_read)]
) -> Response:
    """The same of a version in a shared registry."""
    body = await manifests.read_manifest(parts.pool, parts.store, scope, kind, name, version)
    return Response(body, media_type=BUNDLE)
