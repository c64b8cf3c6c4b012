"""What gives access to something. In resources (compute, datastores, connections) it is neither sent nor kept: this finds it
by its name, wherever users have written it."""

import re
from typing import Any, Final

from modelyard_specs.errors import KeyPath

MASK: Final = "***"
_WORDS: Final = (
    r"(?:pass|pwd|sas|sig|signature|pat|authorization"
    r"|(?:account|access|api|private|shared|shared_?access|primary|secondary|subscription|client|master|function)_?key)s?"
)
_ENDINGS: Final = r"(?:password|passwd|passphrase|secret|token|credential|connection_?string)s?"
"""Also at the end of a word that is written in one: `clientsecret`."""
_NAME: Final = re.compile(rf"(?:(?:.*_)?{_WORDS}|.*{_ENDINGS})(?:_value)?|key", re.IGNORECASE)
_BEARER: Final = re.compile(r"\b(Bearer )[A-Za-z0-9._~+/=-]{12,}")
_PASSWORD: Final = re.compile(r"(://[^/\s:@]{0,200}:|\bhttps?://)[^/\s?#]{1,2000}@", re.IGNORECASE)
_PAIR: Final = re.compile(r"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]++)(\s?=\s?)[^;&\s]+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def without_secrets(value: Any, path: KeyPath = ()) -> tuple[Any, list[KeyPath]]:
    """The value without what gives access, and the key paths where that was. Keys that are called like a secret
    (``sas_token``, ``AccountKey``) go; in text, passwords and signatures of addresses and connection strings are masked, and
    bearer tokens."""
    found: list[KeyPath] = []
    match value:
        case dict():
            kept: dict[Any, Any] = {}
            for key, item in value.items():
                if isinstance(key, str) and item is not None and _is_secret(key):
                    found.append((*path, key))
                    continue
                kept[key], inner = without_secrets(item, (*path, key))
                found += inner
            return kept, found
        case list():
            items = [without_secrets(item, (*path, index)) for index, item in enumerate(value)]
            return [item for item, _ in items], [where for _, inner in items for where in inner]
        case str():
            masked = _BEARER.sub(rf"\1{MASK}", _PAIR.sub(_masked, _PASSWORD.sub(rf"\1{MASK}@", value)))
            return masked, [path] if masked != value else []
        case _:
            return value, []


def _masked(pair: re.Match[str]) -> str:
    name, equals = pair[1], pair[2]
    return f"{name}{equals}{MASK}" if name.lower() != "key" and _is_secret(name) else pair[0]


def _is_secret(key: str) -> bool:
    return _NAME.fullmatch(_CAMEL.sub("_", key).replace("-", "_").replace(" ", "_")) is not None
