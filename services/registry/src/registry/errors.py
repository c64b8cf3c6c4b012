"""The registry's errors."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from modelyard_platform.errors import ConflictError, InvalidError, NotFoundError, PreconditionError, UnavailableError
from modelyard_specs.errors import nearest

__all__ = [
    "AssetExistsError",
    "AssetNotFoundError",
    "BlobsMissingError",
    "InUseError",
    "InvalidError",
    "NotSignedError",
    "NotSignedYetError",
    "OwnStoreError",
    "ResourceInUseError",
    "ResourceNotFoundError",
    "VersionDeletedError",
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


class VersionDeletedError(ConflictError):
    """What was deleted is still named elsewhere: nothing else gets its version."""

    code = "version_deleted"

    def __init__(self, kind: str, name: str, version: str, deleted_by: str, deleted_at: datetime) -> None:
        super().__init__(
            f"{kind} {name}:{version} was deleted on {deleted_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC by {deleted_by}, "
            "and a version is given only once; leave the version out to get the next one, or give another",
            path="version",
            deleted_by=deleted_by,
            deleted_at=deleted_at.isoformat(),
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


class ScopeInUseError(PreconditionError):
    """A workspace or a shared registry may not go because of what stands in it."""

    def __init__(self, called: str, name: str, standing: list[str]) -> None:
        more = f" and {len(standing) - 10} more" if len(standing) > 10 else ""
        super().__init__(
            f"the {called} {name!r} is not empty: {', '.join(standing[:10])}{more}; delete that first (a job: cancel it, or wait for it)",
            code=f"{called}_in_use",
            standing=standing,
        )


class ResourceNotFoundError(NotFoundError):
    """Names what was asked for and what exists instead. `what` is `compute`, `datastore` or `connection`."""

    def __init__(self, what: str, name: str, exists: list[str]) -> None:
        meant = nearest(name, exists)
        hint = (
            f"; did you mean {meant!r}?"
            if meant
            else f"; there are {', '.join(exists[:20])}"
            if exists
            else "; there are none yet"
        )
        super().__init__(
            f"there is no {what} {name!r}{hint}", code=f"{what}_not_found", path="path", exists=exists[:20]
        )


class ResourceInUseError(PreconditionError):
    """It may not go because of what stands on it."""

    code = "in_use"

    def __init__(self, what: str, name: str, used_by: list[str]) -> None:
        more = f" and {len(used_by) - 10} more" if len(used_by) > 10 else ""
        super().__init__(
            f"{what} {name} is in use by {', '.join(used_by[:10])}{more}; remove that first", used_by=used_by
        )


class OwnStoreError(InvalidError):
    """The datastore of the workspace's own files is no place to look at from outside."""

    code = "datastore_built_in"

    def __init__(self, detail: str) -> None:
        super().__init__(f"datastore 'workspaceblobstore': {detail}", path="path")


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


class NotSignedYetError(UnavailableError):
    """The version was registered before manifests were as they are now, and its turn to be signed again has not come."""

    code = "not_signed_yet"

    def __init__(self) -> None:
        super().__init__("the version is about to be signed again; ask again in a moment")
