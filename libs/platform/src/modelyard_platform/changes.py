"""What the events of changes say of specifications: all of it but the values that may be secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

MASK: Final = "***"
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*$")
_PASSWORD: Final = re.compile(r"://[^/\s@:]*:[^/\s@]*@")
_QUERY: Final = re.compile(r"\?.*$")
_MASKED: Final = frozenset({"environment_variables", "secrets", "credentials"})


def masked(spec: Any) -> Any:
    """A specification as an event may carry it: under `environment_variables` and the like, at any depth, only the names are kept, and
    of addresses neither a password nor the query, which may hold a signature."""
    if isinstance(spec, Mapping):
        return {
            key: dict.fromkeys(value, MASK) if key in _MASKED and isinstance(value, Mapping) else masked(value)
            for key, value in spec.items()
        }
    if isinstance(spec, list | tuple):
        return [masked(value) for value in spec]
    if isinstance(spec, str) and _ADDRESS.match(spec):
        return _QUERY.sub(f"?{MASK}", _PASSWORD.sub(f"://{MASK}@", spec, count=1), count=1)
    return spec
