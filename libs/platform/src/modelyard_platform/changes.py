"""What the events of changes say of specifications: all of it but the values that may be secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MASK: Final = "***"
_MASKED: Final = frozenset({"environment_variables", "secrets", "credentials"})


def masked(spec: Any) -> Any:
    """A specification as an event may carry it: under `environment_variables` and the like, at any depth, only the names are kept."""
    if isinstance(spec, Mapping):
        return {
            key: dict.fromkeys(value, MASK) if key in _MASKED and isinstance(value, Mapping) else masked(value)
            for key, value in spec.items()
        }
    if isinstance(spec, list | tuple):
        return [masked(value) for value in spec]
    return spec
