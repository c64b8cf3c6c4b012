"""Subscriptions: what they are, which events they want, and what of them may be shown."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

from modelyard_contracts import Event, short_type
from modelyard_specs import SpecError, load_mapping
from modelyard_specs.kinds.automation import Subscription as Specification
from notifier.domain.openlineage import RUN_EVENTS
from notifier.errors import SubscriptionInvalidError

MASK: Final = "***"
"""Stands for what is stored and never shown. Sent back, it means: keep what is stored."""

UNHEARD: Final = ("alert.*", "subscription.*")
"""The notifier's own events are never delivered, so that an alert cannot cause an alert."""

CHAT_SCHEMES: Final = frozenset(
    {
        "http",
        "https",
        "slack",
        "discord",
        "msteams",
        "workflows",
        "mmost",
        "mmosts",
        "gchat",
        "rocket",
        "rockets",
        "mailto",
        "mailtos",
    }
)
"""Where chat messages may go. apprise knows many more schemes, some of which act on the machine it runs on."""

SubscriptionType = Literal["webhook", "chat", "openlineage"]
Format = Literal["cloudevents", "eventgrid"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSubscription:
    """What a specification asks for."""

    name: str
    type: SubscriptionType
    url: str = field(repr=False)
    secret: str | None = field(repr=False)
    events: tuple[str, ...]
    subjects: tuple[str, ...]
    format: Format
    description: str
    enabled: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription(NewSubscription):
    """One that is kept. `disabled_reason` is there when the notifier itself switched it off."""

    workspace: str
    disabled_reason: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime


def read_spec(name: str, spec: dict[str, Any]) -> NewSubscription:
    """The subscription a `type: webhook|chat|openlineage` document describes. Raises SubscriptionInvalidError with every finding."""
    try:
        found = load_mapping({"name": name} | spec, group="subscription").model
    except SpecError as error:
        problems = [{"path": problem.path, "message": str(problem)} for problem in error.problems]
        raise SubscriptionInvalidError(str(error), path=problems[0]["path"], errors=problems) from error
    if not isinstance(found, Specification):
        raise SubscriptionInvalidError(
            "this is another kind of document; a subscription has `type: webhook`, `chat` or `openlineage`", path="type"
        )
    if found.name != name:
        raise SubscriptionInvalidError(f"the specification names {found.name!r}, the address {name!r}", path="name")
    scheme = found.url.partition("://")[0]
    if found.type == "chat" and scheme not in CHAT_SCHEMES:
        raise SubscriptionInvalidError(
            f"url: {scheme}:// is no chat; http(s):// of a hook or one of {', '.join(sorted(CHAT_SCHEMES))}", path="url"
        )
    if not urlsplit(found.url).netloc:
        raise SubscriptionInvalidError("url: it names no host", path="url")
    return NewSubscription(
        name=name,
        type=found.type,
        url=found.url,
        secret=found.secret,
        events=tuple(found.events),
        subjects=tuple(found.subjects),
        format=found.format,
        description=found.description or "",
        enabled=found.enabled,
    )


def wants(subscription: Subscription, event: Event[Any]) -> bool:
    """Whether a subscription is to be told of an event: its type and subject match, and it happened after the subscription was made."""
    kind = short_type(event.type)
    return (
        subscription.enabled
        and (subscription.type != "openlineage" or kind in RUN_EVENTS)
        and event.workspace == subscription.workspace
        and event.time >= subscription.created_at
        and any(fnmatchcase(kind, pattern) for pattern in subscription.events)
        and (not subscription.subjects or any(fnmatchcase(event.subject, glob) for glob in subscription.subjects))
    )


def shown_url(type_: SubscriptionType, url: str) -> str:
    """An address without what gives access: of a chat only the host (its path is the key), of a webhook no user and no query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if type_ == "chat":
        return f"{parts.scheme}://{host}/{MASK}" if parts.scheme in {"http", "https"} else f"{parts.scheme}://{MASK}"
    netloc = f"{MASK}@{host}" if "@" in parts.netloc else host
    return urlunsplit((parts.scheme, netloc, parts.path, MASK if parts.query else "", ""))


def unmasked(new: NewSubscription, stored: Subscription | None) -> NewSubscription:
    """What was shown masked and sent back is what is stored. Raises SubscriptionInvalidError when nothing is."""

    if new.secret == MASK:
        if stored is None or stored.secret is None:
            raise SubscriptionInvalidError(f"secret: {MASK} keeps a stored secret, and none is stored", path="secret")
        new = replace(new, secret=stored.secret)
    if MASK in new.url:
        if stored is None or shown_url(stored.type, stored.url) != new.url:
            raise SubscriptionInvalidError(
                f"url: {MASK} keeps the stored address, and the stored one is another", path="url"
            )
        new = replace(new, url=stored.url)
    return new
