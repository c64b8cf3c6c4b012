"""Every version with files gets a signed manifest of them; whoever loads it holds the files against that.

The files of a component are its code, those of an environment its build context.

A version is signed in the transaction that registers it: there is none without. The manifest itself is a blob, stored right after the
commit; until then, which takes a fraction of a second, loading the version has to wait. A conversion belongs to its version only once
it is signed.

A manifest from before manifests named a scope is made anew, if it holds: nobody takes it any more.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from typing import Any, Final

from modelyard_contracts import Event
from modelyard_contracts.builder import ModelConverted
from modelyard_platform import manifests
from modelyard_platform.cause import Cause, cause_of_event
from modelyard_platform.database import Connection
from modelyard_platform.manifests import IntegrityError, Signed, Signer, Verifier, conversion_of, subject_of
from modelyard_platform.objects import ObjectStore
from modelyard_platform.trees import Tree
from registry.domain.assets import AssetVersion
from registry.store import version_tasks
from registry.store.version_tasks import TaskKind, VersionTask
from registry.usecases.refusals import tell_refusal
from registry.usecases.version_tasks import Finish

SOURCE: Final = "registry"
_IN_THREAD: Final = 1000
"""Files from which on signing takes longer than the event loop may be held up."""


@dataclass(frozen=True, slots=True)
class Signing:
    """What signing needs; without a signer nothing is signed."""

    store: ObjectStore
    signer: Signer | None


def kinds(signer: Signer | None) -> tuple[TaskKind, ...]:
    """What there is to be settled: without a key, manifests wait for a registry that has one."""
    return ("conversion",) if signer is None else ("manifest", "conversion")


async def sign_version(
    tx: Connection, signer: Signer | None, cause: Cause, version: AssetVersion, tree: Tree | None
) -> AssetVersion:
    """The version with its manifest, in the transaction that makes it. 0.05 ms for a few files."""
    if signer is None or tree is None:
        return version
    subject = subject_of(cause.workspace, version.kind, version.name, version.version)
    if len(tree.files) < _IN_THREAD:
        manifest = signer.sign(subject, tree)
    else:
        manifest = await asyncio.to_thread(signer.sign, subject, tree)
    digest = hashlib.sha256(manifest).hexdigest()
    await version_tasks.set_manifest(tx, version.id, digest)
    await version_tasks.insert_task(tx, version.id, "manifest", cause, {"manifest": manifest.decode()})
    return replace(version, manifest=digest)


async def keep_conversion(tx: Connection, event: Event[ModelConverted]) -> None:
    """The ONNX form and its certificate are to be signed, and belong to the version then."""
    version_id = await version_tasks.get_model_id(tx, event.workspace, event.data.name, event.data.version)
    if version_id is not None:
        data = event.data.model_dump(mode="json", exclude={"name", "version"})
        cause = cause_of_event(SOURCE, event)
        await version_tasks.insert_task(tx, version_id, "conversion", cause, {"status": "converted", **data})


async def settle(signing: Signing, task: VersionTask) -> Finish:
    """A manifest stored, or a conversion signed. Raises PlatformError."""
    try:
        return await (_settle_conversion if task.kind == "conversion" else _settle_manifest)(signing, task)
    except IntegrityError as error:
        refused = error

    async def finish(tx: Connection) -> None:
        await tell_refusal(
            tx, task.cause, f"{task.cause.workspace}/{refused.subject}", "registry/signing", refused.detail
        )

    return finish


async def _settle_manifest(signing: Signing, task: VersionTask) -> Finish:
    if task.input is not None:
        manifest: bytes | None = task.input["manifest"].encode()
    else:
        assert task.tree is not None
        named = f"{task.asset_kind}/{task.name}/versions/{task.version}"
        manifest = await _sign(signing, task, named, task.tree, task.manifest)
    digest = None if manifest is None else await asyncio.to_thread(signing.store.put_bytes, manifest)

    async def finish(tx: Connection) -> None:
        if digest is not None and task.input is None:
            await version_tasks.set_manifest(tx, task.version_id, digest)

    return finish


async def _settle_conversion(signing: Signing, task: VersionTask) -> Finish:
    assert task.input is not None
    named = conversion_of(f"{task.asset_kind}/{task.name}/versions/{task.version}")
    manifest = await _sign(signing, task, named, task.input["tree"], task.input.get("manifest"))
    digest = None if manifest is None else await asyncio.to_thread(signing.store.put_bytes, manifest)
    conversion: dict[str, Any] = task.input | {"manifest": digest}

    async def finish(tx: Connection) -> None:
        await version_tasks.set_conversion(tx, task.version_id, conversion)

    return finish


async def _sign(signing: Signing, task: VersionTask, named: str, tree: str, old: str | None) -> bytes | None:
    """The manifest of what is `named` so within its scope. An `old` one, without a scope, has to hold. Raises IntegrityError."""
    if signing.signer is None:
        return None
    signer = signing.signer
    verifier = None if old is None else Verifier(signer.public_key)
    was = Signed(tree=tree, manifest=old, subject=named)
    files = await asyncio.to_thread(manifests.load, signing.store, was, verifier)
    return await asyncio.to_thread(signer.sign, f"{task.cause.workspace}/{named}", files)
