"""Reading the files of registered versions in here: they are held against what was signed, and a refusal is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from modelyard_contracts.registry import AssetKind
from modelyard_platform import manifests
from modelyard_platform.cause import Cause
from modelyard_platform.database import Pool, transaction
from modelyard_platform.manifests import IntegrityError, Signed, Verifier, subject_of
from modelyard_platform.objects import ObjectStore
from modelyard_platform.trees import Tree
from registry.domain.assets import AssetVersion
from registry.store import version_tasks
from registry.usecases.refusals import tell_refusal

T = TypeVar("T")

Use = Literal["diff", "inspection", "profile", "rows", "share", "tree"]
"""What the registry reads files for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A version with files here: `id` is its row's."""

    id: int
    kind: AssetKind
    name: str
    version: str
    tree: str
    manifest: str | None


def stored(found: AssetVersion) -> Stored:
    """A version that has a tree."""
    assert found.tree is not None
    return Stored(
        id=found.id,
        kind=found.kind,
        name=found.name,
        version=found.version,
        tree=found.tree,
        manifest=found.manifest,
    )


@dataclass(frozen=True, slots=True)
class VersionFiles:
    """The one way to versions' files in the registry. Without a verifier only their digests are checked."""

    pool: Pool
    store: ObjectStore
    verifier: Verifier | None

    async def tree(self, cause: Cause, of: Stored, use: Use) -> Tree:
        """A version's files by name. Raises IntegrityError, UnavailableError."""
        return await self.read(cause, of, use, lambda tree: tree)

    async def read(self, cause: Cause, of: Stored, use: Use, call: Callable[[Tree], T]) -> T:
        """What `call` makes of a version's files, in a thread. `cause.workspace` is the version's scope.

        Raises IntegrityError, UnavailableError, and what `call` raises.
        """
        signed = Signed(
            tree=of.tree, manifest=of.manifest, subject=subject_of(cause.workspace, of.kind, of.name, of.version)
        )
        manifest = await self._not_stored_yet(of)

        def read() -> T:
            tree = manifests.load(self.store, signed, self.verifier, manifest)
            with manifests.refusing(signed.subject):
                return call(tree)

        try:
            return await asyncio.to_thread(read)
        except IntegrityError as error:
            async with transaction(self.pool) as tx:
                await tell_refusal(tx, cause, signed.subject, f"registry/{use}", error.detail)
            raise

    async def _not_stored_yet(self, of: Stored) -> bytes | None:
        """The manifest of a version that was registered a moment ago. Raises NotSignedYetError."""
        if self.verifier is None:
            return None
        async with transaction(self.pool) as tx:
            waiting = await version_tasks.get_waiting_manifest(tx, of.id)
        return None if waiting is None else waiting.encode()
