"""What only models have: cards, and manifests that their files are verified with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from modelyard.api.assets import Assets
from modelyard.api.http import Documents, Json
from modelyard.api.integrity import REFUSED
from modelyard.errors import DownloadError, ModelyardError

_MARKDOWN: Final = {"Accept": "text/markdown"}


class Models(Assets):
    """Versions of models."""

    def card(self, name: str, version: str | None = None, *, label: str | None = None) -> Json:
        """A version's model card: what is known of it (training, data, metrics, deployments), and the `sections` that people wrote."""
        return self._dict(self._http.get(f"{self._at(name, self._exact(name, version, label), None)}/card"))

    def card_markdown(self, name: str, version: str | None = None, *, label: str | None = None) -> str:
        """The card as a Markdown document."""
        path = f"{self._at(name, self._exact(name, version, label), None)}/card"
        return self._http.request("GET", path, headers=_MARKDOWN).text

    def edit_card(
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
        path = f"{self._at(name, self._exact(name, version, label), None)}/card"
        return self._dict(self._http.put(path, {"sections": dict(sections)}))

    def verify(
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
        from modelyard.api.integrity import verifier
        from modelyard_platform.errors import PlatformError
        from modelyard_platform.manifests import Verifier, subject_of
        from modelyard_platform.trees import Tree, describe

        found = self._exact(name, version, label)
        try:
            trusted = Verifier(public_key) if public_key is not None else verifier(self._specs.http)
        except ValueError as error:
            raise ModelyardError(f"the public key cannot be used: {error}", code="key_invalid") from error
        if trusted is None:
            raise ModelyardError("nothing is signed here", code="not_signed")
        manifest = self.manifest(name, found)
        files = self.files(name, found)["files"]
        subject = subject_of(self._scope(), "models", name, found)
        try:
            tree = describe(Path(folder)) if folder is not None else Tree.model_validate({"files": files})
            trusted.verify(manifest, subject, tree)
        except PlatformError as error:
            raise ModelyardError(error.detail, code=error.code) from error
        if folder is None:
            self._read(name, found, files, subject)
        return {"subject": subject, "files": len(tree.files), "verified": True}

    def _read(self, name: str, version: str, files: Documents, subject: str) -> None:
        """Fetch the stored files, to see that they have their digests."""
        try:
            with TemporaryDirectory(prefix="modelyard-verify-") as folder:
                self._specs.trees.download(files, Path(folder))
        except DownloadError as error:
            if error.code not in REFUSED:
                raise
            detail = f"{subject} is refused: {error.detail}"
            self._tell_refused(name, version, detail)
            raise ModelyardError(detail, code="integrity_failed") from error
