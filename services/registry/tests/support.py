"""What the registry's tests share."""

from __future__ import annotations

from typing import Any

import httpx


async def register_outside(api: httpx.AsyncClient, name: str, *, job: str | None = None) -> dict[str, Any]:
    """A model whose files lie outside, so that it needs none here."""
    body = {"spec": {"name": name, "path": "https://example.com/model"}, "job": job}
    answer = await api.post("/api/v1/models", json=body)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document
