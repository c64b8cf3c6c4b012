"""Changes of metadata: what a version, or a name, is about. What it is never changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from registry.domain.assets import AssetVersion, check_tags, check_text
from registry.errors import PropertySetError

METADATA: Final = ("description", "tags", "properties", "stage")


@dataclass(frozen=True, kw_only=True, slots=True)
class MetadataChange:
    """What is None stays. `tags` takes the place of all tags; then `remove_tags` go and `set_tags` come. `properties` are added."""

    description: str | None = None
    tags: Mapping[str, str] | None = None
    set_tags: Mapping[str, str] = field(default_factory=dict)
    remove_tags: Sequence[str] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    stage: str | None = None

    def tags_after(self, before: Mapping[str, str]) -> dict[str, str]:
        """The tags that come of it. Raises InvalidError."""
        kept = dict(before if self.tags is None else self.tags)
        for name in self.remove_tags:
            kept.pop(name, None)
        return check_tags(kept | dict(self.set_tags))


def changed(version: AssetVersion, change: MetadataChange) -> AssetVersion:
    """The version with the change made. Raises InvalidError, PropertySetError."""
    check_text(change.description, "description")
    check_text(change.stage, "stage")
    fixed = sorted(name for name, value in change.properties.items() if version.properties.get(name, value) != value)
    if fixed:
        raise PropertySetError(fixed)
    return replace(
        version,
        description=version.description if change.description is None else change.description,
        tags=change.tags_after(version.tags),
        properties=check_tags(version.properties | dict(change.properties), "properties"),
        stage=version.stage if change.stage is None else change.stage or None,
    )


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What of two descriptions is not the same, on either side; of mappings only the keys that differ."""
    left: dict[str, Any] = {}
    right: dict[str, Any] = {}
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            left[name] = {key: value for key, value in old.items() if new.get(key) != value}
            right[name] = {key: value for key, value in new.items() if old.get(key) != value}
        else:
            left[name], right[name] = old, new
    return left, right
