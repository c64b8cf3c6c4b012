"""What serving's tests share: whose schema the database has, and identities."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def service_package() -> str:
    return "serving"
