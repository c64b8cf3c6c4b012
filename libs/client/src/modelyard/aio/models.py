# Generated from modelyard.api.models by libs.client.generate_async: do not edit.
"""What only models have: cards, and manifests that their files are verified with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.aio.assets import Assets
from modelyard.api.http import Documents, Json
from modelyard.api.integrity import REFUSED
from modelyard.api.models import _MARKDOWN
from modelyard.errors import DownloadError, ModelyardError


class Models(Assets):
    """Versions of models."""

    async def card(self, name: str, version: str | None = None, *, label: str | None = None) -> Json:
        """A version's model card: what is known of it (training, data, metrics, deployments), and the `sections` that people wrote."""
        return self._dict(await self._http.get(f"{self._at(name, await self._exact(name, version, label), None)}/card"))

    async def card_markdown(self, name: str, version: str | None = None, *, label: str | None = None) -> str:
        """The card as a Markdown document."""
        path = f"{self._at(name, await self._exact(name, version, label), None)}/card"
        return (await self._http.request("GET", path, headers=_MARKDOWN)).text

    async def edit_card(
        self,
        name: str,
        version: str | None = None,
        *,
        label: str | None = None,
        sections: Mapping[str, str | None],
    ) -> Json:
        """Write sections of the card: `intended_use`, `out_of_scope`, `limitations`, `ethics`, `caveats`, `contact`.

        None removes one; those not named stay.
        """
        path = f"{self._at(name, await self._exact(name, version, label), None)}/card"
        return self._dict(await self._http.put(path, {"sections": dict(sections)}))

    async def verify(
        self,
        name: str,
        version: str | None = None,
        *,
        label: str | None = None,
        folder: str | Path | None = None,
        public_key: str | None = None,
    ) -> Json:
        """Hold a version's files against the manifest that was signed when it was registered: `{subject, files, verified}`.

        `folder`: files on this machine, as `download` made them; without it those that are stored are fetched. `public_key` (PEM): the
        one you trust; without it that of `MODELYARD_SIGNING_PUBLIC_KEY`, or the server's own, which shows damage and no impostor.

        Raises:
            ModelyardError: `integrity_failed` when they are not what was signed, `not_signed` when nothing was.
        """
        from modelyard.aio.integrity import verifier
        from modelyard_platform.errors import PlatformError
        from modelyard_platform.manifests import Verifier, subject_of
        from modelyard_platform.trees import Tree, describe

        found = await self._exact(name, version, label)
        try:
            trusted = Verifier(public_key) if public_key is not None else await verifier(self._specs.http)
        except ValueError as error:
            raise ModelyardError(f"the public key cannot be used: {error}", code="key_invalid") from error
        if trusted is None:
            raise ModelyardError("nothing is signed here", code="not_signed")
        manifest = await self.manifest(name, found)
        files = (await self.files(name, found))["files"]
        subject = subject_of(await self._scope(), "models", name, found)
        try:
            tree = (
                await asyncio.to_thread(describe, Path(folder))
                if folder is not None
                else Tree.model_validate({"files": files})
            )
            trusted.verify(manifest, subject, tree)
        except PlatformError as error:
            raise ModelyardError(error.detail, code=error.code) from error
        if folder is None:
            await self._read(name, found, files, subject)
        return {"subject": subject, "files": len(tree.files), "verified": True}

    async def _read(self, name: str, version: str, files: Documents, subject: str) -> None:
        """Fetch the stored files, to see that they have their digests."""
        try:
            with TemporaryDirectory(prefix="modelyard-verify-") as folder:
                await self._specs.trees.download(files, Path(folder))
        except DownloadError as error:
            if error.code not in REFUSED:
                raise
            detail = f"{subject} is refused: {error.detail}"
            await self._tell_refused(name, version, detail)
            raise ModelyardError(detail, code="integrity_failed") from error
