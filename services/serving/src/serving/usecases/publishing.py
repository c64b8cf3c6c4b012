"""Telling the edges: the `routes` bucket follows the database, written by nothing but this."""

from __future__ import annotations

import logging
from typing import Any, Final

from nats.errors import Error as NatsError

from modelyard_platform.database import transaction
from serving import store
from serving.domain.endpoints import route
from serving.usecases.parts import Parts

log = logging.getLogger(__name__)

_TRIES: Final = 5


async def publish_routes(parts: Parts, endpoint: str) -> None:
    """Bring one endpoint's entry up to date, after a commit.

    NATS being away is no error: the edges go on with what they know, and the reconciler tells them later.
    """
    try:
        told: dict[str, Any] | None = None
        for _ in range(
            _TRIES
        ):  # again when the database has moved on meanwhile: the last to write has written the newest
            entry = await _entry(parts, endpoint)
            if entry is not None and entry == told:
                return
            if entry is None:
                await parts.routes.remove_endpoint(endpoint)
                return
            await parts.routes.put_endpoint(entry)
            told = entry
    except (NatsError, OSError, TimeoutError) as error:
        log.warning("the edges are not told yet", extra={"endpoint": endpoint, "error": repr(error)})


async def publish_all(parts: Parts) -> None:
    """Bring the whole bucket up to date: entries that differ are written, those of endpoints that are gone removed."""
    told = await parts.routes.endpoints()  # before the database is read: what is there now and not in it later is gone
    async with transaction(parts.pool) as tx:
        wanted = {endpoint.name for endpoint in await store.all_endpoints(tx) if not endpoint.deleting}
    for name in told.keys() - wanted:
        log.warning("an endpoint that is gone had a route", extra={"endpoint": name})
        await parts.routes.remove_endpoint(name, told[name].revision)
    for name in wanted:
        entry = await _entry(parts, name)
        if entry is not None and (name not in told or told[name].entry != entry):
            await publish_routes(parts, name)


async def _entry(parts: Parts, name: str) -> dict[str, Any] | None:
    async with transaction(parts.pool) as tx:
        endpoint = await store.get_endpoint(tx, name)
        if endpoint is None or endpoint.deleting:
            return None
        return route(endpoint, await store.deployments_of(tx, name), parts.key_secret, parts.defaults.max_body_bytes)
