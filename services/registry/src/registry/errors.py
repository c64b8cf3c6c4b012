"""The registry's errors."""

from __future__ import annotations

from collections.abc import Iterable

from modelyard_platform.errors import ConflictError, InvalidError, NotFoundError, PreconditionError

__all__ = [
    "AssetExistsError",
    "AssetNotFoundError",
    "BlobsMissingError",
    "InUseError",
    "InvalidError",
    "NotSignedError",
    "VersionExistsError",
]


class AssetNotFoundError(NotFoundError):
    """Names what was asked for and what exists instead."""

    code = "asset_not_found"

    def __init__(self, kind: str, name: str, version: str | None, exists: Iterable[str]) -> None:
        there = list(exists)
        wanted = f"{name}:{version}" if version else name
        what = "versions" if version else kind
        hint = f"; {what} that exist: {', '.join(there)}" if there else f"; there are no {what} yet"
        super().__init__(f"{kind} has no {wanted!r}{hint}", exists=there)


class AssetExistsError(ConflictError):
    """A name is made once."""

    code = "asset_exists"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} has {name!r} already")


class VersionExistsError(ConflictError):
    """Content cannot be changed: a version is registered once."""

    code = "version_exists"

    def __init__(self, kind: str, name: str, version: str) -> None:
        super().__init__(
            f"{kind} {name}:{version} exists and its content cannot change; leave the version out to get the next one"
        )


class InUseError(PreconditionError):
    """The version may not go because of what stands on it."""

    code = "in_use"

    def __init__(self, kind: str, name: str, version: str, used_by: list[str]) -> None:
        more = f" and {len(used_by) - 10} more" if len(used_by) > 10 else ""
        super().__init__(
            f"{kind} {name}:{version} is in use by {', '.join(used_by[:10])}{more}; remove that first",
            used_by=used_by,
            version=version,
        )


class PropertySetError(ConflictError):
    """Properties are facts about a version: they are added, and never changed."""

    code = "property_set"

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            f"{', '.join(names)} cannot change: properties are only added to; what changes belongs into tags",
            path=f"properties.{names[0]}",
        )


class BlobsMissingError(InvalidError):
    """A tree was registered before all of its files were stored."""

    code = "blobs_missing"

    def __init__(self, paths: list[str]) -> None:
        super().__init__(
            f"{len(paths)} files of the tree are not stored: {', '.join(paths[:5])}; upload them first",
            paths=paths[:100],
        )


class NotSignedError(NotFoundError):
    """There is no manifest or no key to make one with."""

    code = "not_signed"
