"""Promotions, the event log, explanations, tokens."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from modelyard_platform.http import Contributor, Owner, Reader, Service
from registry.api.parts import IdempotencyKey, Limit, Wired, read_cursor
from registry.schemas.facts import EventPage, Explanation
from registry.schemas.promotions import Promotion, PromotionPage, PromotionRequest
from registry.schemas.tokens import NewToken, Principal, TokenCheck, TokenPage, TokenRequest
from registry.usecases import explain, history, promotions, tokens

router = APIRouter(prefix="/api/v1")
internal = APIRouter(prefix="/internal/v1", include_in_schema=False)


@router.post("/promotions", status_code=201, response_model=Promotion, tags=["promotions"])
async def request_promotion(
    body: PromotionRequest, parts: Wired, caller: Contributor, key: IdempotencyKey = None
) -> Any:
    """Judge a candidate against the champion by a stated criterion."""
    return await promotions.request_promotion(
        parts.pool,
        caller.cause,
        model=body.model,
        candidate=body.candidate,
        criterion=body.criterion,
        evidence=body.evidence,
        key=key,
    )


@router.get("/promotions", response_model=PromotionPage, tags=["promotions"])
async def list_promotions(parts: Wired, caller: Reader, model: str | None = None, limit: Limit = 100) -> Any:
    return {"items": await history.list_promotions(parts.pool, caller.cause.workspace, model, limit)}


@router.get("/events", response_model=EventPage, tags=["events"])
async def list_events(
    parts: Wired,
    caller: Reader,
    type: Annotated[str | None, Query(description="as `model.registered`")] = None,  # noqa: A002 - the name in the address
    subject: str | None = None,
    correlation: str | None = None,
    cursor: str | None = None,
    limit: Limit = 100,
) -> Any:
    """The log of everything that happened, newest first."""
    items, following = await history.list_events(
        parts.pool,
        caller.cause.workspace,
        type_=type,
        subject=subject,
        correlation=correlation,
        before=read_cursor(cursor),
        limit=limit,
    )
    return {"items": items, "next": following}


@router.get("/why/{entity}/{name:path}", response_model=Explanation, tags=["events"])
async def why(entity: str, name: str, parts: Wired, caller: Reader) -> Any:
    """The chain of events that made a thing what it is: `endpoint/NAME`, `model/NAME:VERSION`, `deployment/ENDPOINT/NAME`, `job/NAME` …"""
    return await explain.explain(parts.pool, caller.cause.workspace, entity, name)


@router.post("/tokens", status_code=201, response_model=NewToken, tags=["tokens"])
async def create_token(body: TokenRequest, parts: Wired, caller: Owner) -> Any:
    """A new personal token; it is shown this once."""
    return await tokens.create_token(parts.pool, caller.cause, body.name, body.role, body.days)


@router.get("/tokens", response_model=TokenPage, tags=["tokens"])
async def list_tokens(parts: Wired, caller: Owner) -> Any:
    return {"items": await history.list_tokens(parts.pool, caller.cause.workspace)}


@router.delete("/tokens/{name}", status_code=204, tags=["tokens"])
async def revoke_token(name: str, parts: Wired, caller: Owner) -> None:
    await tokens.revoke_token(parts.pool, caller.cause, name)


@internal.post("/tokens/verify", response_model=Principal)
async def verify_token(body: TokenCheck, parts: Wired, caller: Service) -> Any:
    """Whose token this is: asked by the gateway."""
    identity = await tokens.verify_token(parts.pool, body.token)
    return {"actor": identity.actor, "role": identity.role, "workspace": identity.workspace}
