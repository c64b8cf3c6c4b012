"""The registry, which keeps the profile of every table of data."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

from drift_monitor.errors import BaselineError, InvalidError
from modelyard_platform.clients import ServiceClient
from modelyard_specs import AssetLabel, AssetVersion, Reference

_POLL_S: Final = 0.5


class Profiles(Protocol):
    """Finds the profile of registered data."""

    async def blob_of(self, workspace: str, reference: Reference) -> tuple[str, str]:
        """`name:version`, and the digest of its serialised profile."""


class RegistryProfiles:
    """The registry over HTTP."""

    def __init__(self, client: ServiceClient, *, wait_s: float) -> None:
        self._client = client
        self._wait_s = wait_s

    async def blob_of(self, workspace: str, reference: Reference) -> tuple[str, str]:
        """Waits a while for a profile that is being made. Raises NotFoundError, BaselineError, InvalidError."""
        match reference:
            case AssetVersion(name=name, version=version):
                path = f"/api/v1/data/{name}/versions/{version}"
            case AssetLabel(name=name, label=label):
                path = f"/api/v1/data/{name}/labels/{label}"
            case _:
                raise InvalidError(
                    f"reference data has to be registered: azureml:NAME:VERSION or azureml:NAME@LABEL, not {reference}",
                    path="reference_data.input_data.path",
                )
        try:
            async with asyncio.timeout(self._wait_s):
                while (found := await self._client.get(path, workspace=workspace))["profile"] is None:  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise BaselineError(f"data {reference} has no profile yet; try again in a moment") from None
        profile: dict[str, Any] = found["profile"]
        if profile["status"] != "profiled":
            raise BaselineError(f"data {reference} has no profile: {profile.get('detail')}")
        return f"{found['name']}:{found['version']}", profile["blob"]
