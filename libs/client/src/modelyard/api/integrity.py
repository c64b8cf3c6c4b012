"""Who has signed: the key that versions are verified with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from modelyard.api.http import Http, Json
from modelyard.errors import DownloadError, ModelyardError
from modelyard_platform.manifests import Signed, Verifier, subject_of

PUBLIC_KEY: Final = "MODELYARD_SIGNING_PUBLIC_KEY"
"""Environment variable: a PEM file with the key to trust, whatever the server says."""

REFUSED: Final = frozenset({"integrity_failed", "digest_mismatch"})
"""Codes of downloads that brought something else than what was registered."""


def signed(scope: str, kind: str, version: Json) -> Signed | None:
    """What the files of a version (of a workspace, or of `registries/NAME`) are to be held against; None for one without files."""
    if version.get("tree") is None:
        return None
    subject = subject_of(scope, kind, version["name"], version["version"])
    return Signed(tree=version["tree"], manifest=version.get("manifest"), subject=subject)


def verifier(http: Http) -> Verifier | None:
    """The verifier with the trusted key, else with the server's own; None where nothing is signed.

    Raises:
        DownloadError: the key's file cannot be read.
    """
    if path := os.environ.get(PUBLIC_KEY):
        try:
            return Verifier.read(Path(path))
        except (OSError, ValueError) as error:
            raise DownloadError(f"{PUBLIC_KEY}: {path} holds no public key: {error}") from error
    try:
        return Verifier(http.get("signing-key")["public_key"])
    except ModelyardError as error:
        if error.code == "not_signed":
            return None
        raise
