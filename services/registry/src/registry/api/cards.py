"""Model cards."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Response

from modelyard_platform.http import Contributor, Reader
from registry.api.parts import Wired
from registry.domain.cards import markdown
from registry.schemas.cards import Card, CardEdit
from registry.usecases import cards

router = APIRouter(prefix="/api/v1/models", tags=["models"])

_MARKDOWN: Final = "text/markdown"


@router.get(
    "/{name}/versions/{version}/card",
    response_model=Card,
    operation_id="get_card",
    responses={200: {"content": {_MARKDOWN: {"schema": {"type": "string"}}}}},
)
async def get_card(
    name: str, version: str, parts: Wired, caller: Reader, accept: Annotated[str, Header()] = "application/json"
) -> Any:
    """What is known of a model version and what people say of it; as Markdown with `Accept: text/markdown`."""
    card = await cards.get_card(parts.pool, parts.store, parts.scheduler, caller.cause.workspace, name, version)
    if _MARKDOWN in accept:
        return Response(markdown(card), media_type=_MARKDOWN)
    return card


@router.put("/{name}/versions/{version}/card", response_model=Card, operation_id="put_card")
async def put_card(name: str, version: str, body: CardEdit, parts: Wired, caller: Contributor) -> Any:
    """Write the sections that are people's; what is generated cannot be written."""
    return await cards.put_sections(
        parts.pool, parts.store, parts.scheduler, caller.cause, name, version, body.sections
    )
