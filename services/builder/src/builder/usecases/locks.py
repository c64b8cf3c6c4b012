"""Environment specifications become locks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from builder import store
from builder.clients.registry import Registry
from builder.clients.uv import Uv
from builder.domain.requirements import Requirements, pins_of
from builder.domain.specs import LockDigest, Registered, read_spec
from builder.errors import EnvironmentInvalidError, LockNotFoundError
from modelyard_platform.database import Pool, transaction
from modelyard_platform.errors import NotFoundError, PlatformError, from_problem, to_problem
from modelyard_platform.objects import ObjectStore, check_digest
from modelyard_runtime.environments import Lock

_LOOK_EVERY_S: Final = 0.2
_LEASE_MARGIN_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Locker:
    """What locking needs."""

    pool: Pool
    store: ObjectStore
    registry: Registry
    uv: Uv
    default_python: str
    timeout_s: float


async def lock_environment(locker: Locker, workspace: str, spec: str | dict[str, Any]) -> dict[str, Any]:
    """The lock of a specification, as `{digest, python, packages}`: made once, then the same for ever.

    Raises EnvironmentInvalidError, EnvironmentUnresolvableError; NotFoundError for a registered one that is not there;
    UnavailableError.
    """
    if isinstance(spec, str) and (found := await _existing(locker, spec)) is not None:
        return found
    return await lock_requirements(locker, await requirements_of(locker, workspace, spec))


async def _existing(locker: Locker, digest: str) -> dict[str, Any] | None:
    if not isinstance(read_spec(digest, locker.default_python), LockDigest):
        return None
    return await get_lock(locker, digest)


async def requirements_of(locker: Locker, workspace: str, spec: str | dict[str, Any]) -> Requirements:
    """What a specification, a registered environment or an existing lock asks for. Raises as `lock_environment` does."""
    wanted = read_spec(spec, locker.default_python)
    match wanted:
        case Requirements():
            return wanted
        case LockDigest(digest=digest):
            lock = await load_lock(locker, digest)
            return Requirements(lock.python, pins_of(lock.requirements))
        case Registered(name=name, version=version, registry=registry):
            found = await locker.registry.version("environments", workspace, name, version, registry)
            inner = read_spec(found["spec"], locker.default_python)
            if not isinstance(inner, Requirements):
                raise EnvironmentInvalidError(f"environment {name}:{version} is only a reference", path="spec")
            return inner


async def lock_requirements(locker: Locker, requirements: Requirements) -> dict[str, Any]:
    """The lock of these requirements. However many ask at once, in however many processes, it is resolved once."""
    digest, seen = requirements.digest, 0
    async with asyncio.timeout(2 * locker.timeout_s + _LEASE_MARGIN_S):
        while True:
            async with transaction(locker.pool) as tx:
                attempt = await store.claim_lock(tx, requirements, locker.timeout_s + _LEASE_MARGIN_S)
                row = await store.get_lock(tx, digest)
            assert row is not None
            if row.lock is not None:
                return _document(row.lock, row.python, row.packages)
            if attempt is not None:
                return await _resolve(locker, requirements, attempt)
            seen = row.attempts
            while row is not None and row.leased and row.attempts == seen:
                await asyncio.sleep(_LOOK_EVERY_S)
                async with transaction(locker.pool) as tx:
                    row = await store.get_lock(tx, digest)
            if row is not None and row.error is not None and row.attempts == seen:
                raise from_problem(row.error["status"], row.error)


async def _resolve(locker: Locker, requirements: Requirements, attempt: int) -> dict[str, Any]:
    try:
        lock = await locker.uv.lock(requirements)
        await asyncio.to_thread(locker.store.put_bytes, lock.document)
    except PlatformError as error:
        async with transaction(locker.pool) as tx:
            await store.mark_lock_failed(tx, requirements.digest, attempt, to_problem(error))
        raise
    packages = list(pins_of(lock.requirements))
    async with transaction(locker.pool) as tx:
        await store.mark_locked(tx, requirements.digest, lock.digest, packages)
        row = await store.get_lock(tx, requirements.digest)
    assert row is not None
    assert row.lock is not None
    return _document(row.lock, row.python, row.packages)


async def load_lock(locker: Locker, digest: str) -> Lock:
    """Raises LockNotFoundError."""
    try:
        document = await asyncio.to_thread(locker.store.get_bytes, check_digest(digest))
    except NotFoundError as error:
        raise LockNotFoundError(digest) from error
    return Lock.parse(document)


async def get_lock(locker: Locker, digest: str) -> dict[str, Any]:
    """A lock by its own digest. Raises LockNotFoundError."""
    check_digest(digest)
    async with transaction(locker.pool) as tx:
        row = await store.get_lock_by_digest(tx, digest)
    if row is not None and row.lock is not None:
        return _document(row.lock, row.python, row.packages)
    lock = await load_lock(locker, digest)
    return _document(digest, lock.python, list(pins_of(lock.requirements)))


def _document(digest: str, python: str, packages: list[str]) -> dict[str, Any]:
    return {"digest": digest, "python": python, "packages": packages}
