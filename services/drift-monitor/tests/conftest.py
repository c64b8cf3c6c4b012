"""A running drift monitor on real PostgreSQL, NATS and S3, and a registry that knows one table of data."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from drift_monitor.app import build
from drift_monitor.settings import Settings
from modelyard_platform.objects import ObjectStore
from modelyard_profiles import TableProfile
from modelyard_testing.apps import app_server
from modelyard_testing.identities import KEY, bearer
from modelyard_testing.plugin import Bucket


def rows(count: int, *, mean: float = 0.0, seed: int = 0, carriers: str = "AB") -> pa.RecordBatch:
    """Made-up scored rows: a temperature, and a carrier."""
    random = np.random.default_rng(seed)
    return pa.record_batch(
        {
            "temp": pa.array(random.normal(mean, 1.0, count)),
            "carrier": pa.array(random.choice(list(carriers), count)),
        }
    )


@pytest.fixture(scope="session")
def service_package() -> str:
    return "drift_monitor"


@pytest.fixture
async def api(database: str, nats_url: str, bucket: Bucket) -> AsyncIterator[httpx.AsyncClient]:
    registry = FastAPI()
    settings = Settings(
        postgres_dsn=SecretStr(database),
        nats_url=nats_url,
        identity_key=SecretStr(KEY),
        **bucket.settings,
        profile_wait_s=1.0,
    )
    baseline = TableProfile()
    baseline.update(rows(20_000))
    blob = ObjectStore(settings).put_bytes(baseline.to_bytes())
    profiles: dict[str, Any] = {
        "1": {"status": "profiled", "blob": blob},
        "2": None,
        "3": {"status": "failed", "detail": "no CSV, Parquet or JSON lines file among 2 files"},
    }

    @registry.get("/api/v1/data/flights/versions/{version}")
    async def version(version: str) -> dict[str, Any]:
        return {"name": "flights", "version": version, "profile": profiles[version]}

    with app_server(lambda: registry) as running:
        app = build(settings.model_copy(update={"registry_url": running.url}))
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app)
            headers = bearer("contributor")
            async with httpx.AsyncClient(transport=transport, base_url="http://monitor", headers=headers) as client:
                yield client
