"""The REST API of MLflow's tracking server and model registry. Source: the clients' own protocol definitions (`mlflow/protos`)."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from gateway.api.mlflow import artifacts, registry, tracking

ROUTERS: Final[list[APIRouter]] = [
    tracking.experiments_router,
    tracking.runs_router,
    registry.models_router,
    registry.versions_router,
    artifacts.models_router,
    artifacts.proxy_router,
    artifacts.server_router,
]
