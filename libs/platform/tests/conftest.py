"""Stores for tests: each test that asks for one runs on one S3 server and then on the other."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from modelyard_platform.objects import ObjectStore
from modelyard_platform.settings import StoreSettings
from modelyard_testing.plugin import Bucket


@pytest.fixture
def store_settings(every_bucket: Bucket) -> StoreSettings:
    return StoreSettings(
        s3_url=every_bucket.url,
        s3_access_key=every_bucket.access_key,
        s3_secret_key=SecretStr(every_bucket.secret_key),
        s3_bucket=every_bucket.name,
    )


@pytest.fixture
def store(store_settings: StoreSettings) -> ObjectStore:
    return ObjectStore(store_settings)
