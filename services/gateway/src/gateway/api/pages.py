"""The page at `/`: models, jobs, endpoints, live events. Server-rendered; a browser signs in with a token."""

from __future__ import annotations

import asyncio
from importlib import resources
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from jinja2 import Environment, PackageLoader, select_autoescape

from gateway.api.parts import SESSION, SESSION_AUDIENCE, Parts, Wired
from gateway.domain.owners import Owner
from modelyard_contracts import EVENT_TYPES
from modelyard_platform import identity
from modelyard_platform.cause import Identity
from modelyard_platform.errors import PlatformError, UnauthenticatedError

router = APIRouter(include_in_schema=False)

_SECURITY: Final = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_templates: Final = Environment(loader=PackageLoader("gateway"), autoescape=select_autoescape(), trim_blocks=True)
_MAX_FORM: Final = 8192
_STATIC: Final = {"style.css": "text/css", "live.js": "text/javascript"}
_LISTS: Final[dict[str, tuple[Owner, str]]] = {
    "models": ("registry", "/api/v1/models"),
    "jobs": ("scheduler", "/api/v1/jobs"),
    "endpoints": ("serving", "/api/v1/endpoints"),
    "events": ("registry", "/api/v1/events"),
}


@router.get("/")
async def overview(request: Request, parts: Wired) -> Response:
    """What is here and what is happening."""
    try:
        caller = identity.verify(parts.key, request.cookies.get(SESSION, ""), audience=SESSION_AUDIENCE)
    except UnauthenticatedError:
        return RedirectResponse("/login", 303)
    lists = await asyncio.gather(*(_read(parts, caller, *source) for source in _LISTS.values()))
    shown = dict(zip(_LISTS, lists, strict=True))
    return _page("overview.html", {"caller": caller, "event_types": EVENT_TYPES, **shown})


@router.get("/login")
async def login_form() -> Response:
    return _page("login.html", {"problem": None})


@router.post("/login")
async def login(request: Request, parts: Wired) -> Response:
    """Trade a token for a session. The cookie holds no token: it is a signed identity that may only read."""
    if int(request.headers.get("content-length") or 0) > _MAX_FORM:
        return _page("login.html", {"problem": "that is no token"}, 413)
    token = parse_qs((await request.body()).decode(errors="replace")).get("token", [""])[0]
    try:
        caller = await parts.tokens.verify(token.strip())
    except PlatformError as error:
        return _page("login.html", {"problem": error.detail}, 401)
    lifetime_s = parts.session_hours * 3600
    session = identity.sign(parts.key, caller, issuer="gateway", lifetime_s=lifetime_s, audience=SESSION_AUDIENCE)
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        SESSION, session, max_age=lifetime_s, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return answer


@router.post("/logout")
async def logout() -> Response:
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(SESSION)
    return answer


@router.get("/static/{name}")
async def static(name: str) -> Response:
    if name not in _STATIC:
        return Response(status_code=404)
    content = (resources.files("gateway") / "static" / name).read_bytes()
    return Response(content, media_type=_STATIC[name], headers={"Cache-Control": "max-age=300"})


async def _read(parts: Parts, caller: Identity, owner: Owner, path: str) -> dict[str, Any]:
    """A list for the page, or why there is none: one service that is down does not take the page with it."""
    try:
        answer = await parts.upstreams.read(owner, caller, path, "limit=20")
    except PlatformError as error:
        return {"items": [], "problem": error.detail}
    return {"items": answer["items"], "problem": None}


def _page(name: str, values: dict[str, Any], status: int = 200) -> Response:
    return Response(_templates.get_template(name).render(values), status, _SECURITY, media_type="text/html")
