"""Everything a deployment needs, for real, as `modelyard up` starts it: PostgreSQL, NATS, S3, Ray, the registry, serving."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from modelyard.stack import Layout, services
from modelyard.stack.parts import S3_BUCKET, Part, nats_url, ports_of, postgres_dsn, s3_url
from modelyard.stack.provision import create_bucket, create_roles, create_streams, migrate_all
from modelyard_platform.objects import ObjectStore
from modelyard_platform.settings import StoreSettings
from modelyard_testing.identities import bearer
from modelyard_testing.servers import in_thread, running

OWNERS = ("registry", "builder", "serving")


@pytest.fixture(scope="module")
def layout() -> Iterator[Layout]:
    """A stack's folder, with ports for all of its parts."""
    with tempfile.TemporaryDirectory(prefix="modelyard-serving-") as folder:
        layout = Layout.open(Path(folder))
        layout.assign_ports(port for part in services.ALL for port in ports_of(part))
        yield layout
        layout.remove_sockets()


@pytest.fixture(scope="module")
def stack(layout: Layout) -> Iterator[Layout]:
    """Servers, Ray, the registry and the builder; serving is the test's own, since it may be killed."""
    nats, postgres, s3, ray, registry, builder = services.describe(
        layout, ("nats", "postgres", "s3", "ray", "registry", "builder")
    )
    with ExitStack() as started:
        for part in (nats, postgres, s3, ray):
            started.enter_context(running(layout, part))
        in_thread(create_roles(layout, OWNERS))
        in_thread(migrate_all({owner: postgres_dsn(layout, owner) for owner in OWNERS}))
        in_thread(create_streams(nats_url(layout)))
        create_bucket(s3_url(layout), "modelyard", layout.secret("s3"), S3_BUCKET)
        for part in (registry, builder):
            started.enter_context(running(layout, part))
        yield layout


@pytest.fixture(scope="module")
def serving(stack: Layout) -> Part:
    """How serving is started. It looks at Ray every second, so that tests need not wait for it."""
    (part,) = services.describe(stack, ("serving",))
    settings = {"MODELYARD_SERVING_RECONCILE_EVERY_S": "1", "MODELYARD_SERVING_START_TIMEOUT_S": "90"}
    return replace(part, environment={**part.environment, **settings})


@pytest.fixture(scope="module")
def store(stack: Layout) -> ObjectStore:
    """The stack's blobs."""
    return ObjectStore(
        StoreSettings(
            s3_url=s3_url(stack),
            s3_access_key="modelyard",
            s3_secret_key=SecretStr(stack.secret("s3")),
            s3_bucket=S3_BUCKET,
        )
    )


@pytest.fixture
async def api(stack: Layout) -> AsyncIterator[httpx.AsyncClient]:
    """Serving's API, as the owner, while a test has serving running."""
    headers = bearer(key=stack.secret("identity"))
    async with httpx.AsyncClient(base_url=services.url(stack, "serving"), headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
async def registry(stack: Layout) -> AsyncIterator[httpx.AsyncClient]:
    """The registry's API, as the owner."""
    headers = bearer(key=stack.secret("identity"))
    async with httpx.AsyncClient(base_url=services.url(stack, "registry"), headers=headers, timeout=30) as client:
        yield client
