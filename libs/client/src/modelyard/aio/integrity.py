# Generated from modelyard.api.integrity by libs.client.generate_async: do not edit.
"""Who has signed: the key that versions are verified with."""

from __future__ import annotations

import os
from pathlib import Path

from modelyard.aio.http import Http
from modelyard.api.integrity import PUBLIC_KEY
from modelyard.errors import DownloadError, ModelyardError
from modelyard_platform.manifests import Verifier


async def verifier(http: Http) -> Verifier | None:
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
        return Verifier((await http.get("signing-key"))["public_key"])
    except ModelyardError as error:
        if error.code == "not_signed":
            return None
        raise
