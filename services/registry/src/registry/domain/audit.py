"""Audit: what an event changed, from what to what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.domain.facts import Fact


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditQuery:
    """Conditions that must all hold; None asks for nothing. `subject` is the beginning of a subject, `type` may hold `*`."""

    subject: str | None = None
    actor: str | None = None
    type: str | None = None
    after: datetime | None = None
    before: datetime | None = None


def change_of(fact: Fact) -> tuple[Any, Any]:
    """What was so before the event and after it; None where there was nothing, or where the event does not say."""
    data = fact.data
    before, after = data.get("before"), data.get("after")
    match fact.type.partition(".")[2]:
        case "traffic_changed":
            return data.get("previous") or {}, data["traffic"]
        case "deleted" | "revoked":
            return before or None, None
        case _ if before or after:
            return before, after
        case "alias_moved":
            return data.get("previous"), data.get("version") or None
        case "archived":
            return {"archived": not data.get("archived", True)}, {"archived": data.get("archived", True)}
        case "updated":
            return None, data.get("changed")
        case _:
            return None, None
