"""XGBoost and LightGBM model files.

Sources: XGBoost's model schema (JSON and UBJSON) and its former binary format (`LearnerModelParam`), LightGBM's text format.
"""

from __future__ import annotations

import json
import re
from typing import BinaryIO, Final

from modelyard_flavours.found import Flavour, Signature, Tensor, UnreadableError

_MAX_JSON: Final = 64 << 20
_HEAD: Final = 1 << 20
_UBJ_NAMES: Final = b"feature_names[#L"
_UBJ_VERSION: Final = re.compile(rb"version\[#L\0\0\0\0\0\0\0\x03i(.)i(.)i(.)\}\s*$", re.DOTALL)
_VERSION: Final = re.compile(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]\s*\}\s*$')


def is_xgboost_json(head: bytes) -> bool:
    return re.match(rb'\{\s*"(learner|version)"\s*:', head) is not None


def is_xgboost_ubj(head: bytes) -> bool:
    return head.startswith((b"{L\0\0\0\0\0\0\0\x07learner", b"{i\x07learner"))


def is_xgboost_binary(head: bytes) -> bool:
    return head.startswith(b"binf") or (
        b"gbtree" in head and re.search(rb"(binary|reg|multi|rank|count):\w+", head) is not None
    )


def is_lightgbm(head: bytes) -> bool:
    return head.startswith((b"tree\n", b"tree\r\n")) and b"num_class=" in head


def read_xgboost_json(file: BinaryIO, path: str, size: int) -> tuple[Flavour, Signature | None]:
    """Raises UnreadableError."""
    if size > _MAX_JSON:  # its features are not worth reading all its trees
        file.seek(size - 100)
        match = _VERSION.search(file.read())
        return _xgboost(path, b".".join(match.groups()).decode() if match else None), None
    try:
        document = json.loads(file.read())
        learner, version = document["learner"], document.get("version")
        names = [str(name) for name in learner.get("feature_names") or []]
        count = int(learner["learner_model_param"]["num_feature"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableError(f"no XGBoost model: {error!r}") from error
    stated = ".".join(map(str, version)) if isinstance(version, list) else None
    return _xgboost(path, stated), _features(names, count)


def read_xgboost_ubj(file: BinaryIO, path: str, size: int) -> tuple[Flavour, Signature | None]:
    """The names of its features are at its beginning, the version at its end."""
    head = file.read(_HEAD)
    file.seek(max(0, size - 64))
    match = _UBJ_VERSION.search(file.read())
    names = _ubj_names(head)
    version = ".".join(str(part[0]) for part in match.groups()) if match else None
    return _xgboost(path, version), _features(names, len(names)) if names else None


def _ubj_names(head: bytes) -> list[str]:
    at = head.find(_UBJ_NAMES)
    if at < 0:
        return []
    at += len(_UBJ_NAMES)
    count = int.from_bytes(head[at : at + 8], "big")
    at += 8
    names: list[str] = []
    while len(names) < count and head[at : at + 2] == b"SL":
        length = int.from_bytes(head[at + 2 : at + 10], "big")
        names.append(head[at + 10 : at + 10 + length].decode("utf-8", "replace"))
        at += 10 + length
    return names


def read_xgboost_binary(file: BinaryIO, path: str) -> tuple[Flavour, Signature | None]:
    """XGBoost's format until 3.1: a struct that begins with the base score and the number of features."""
    head = file.read(64)
    at = 4 if head.startswith(b"binf") else 0
    count = int.from_bytes(head[at + 4 : at + 8], "little")
    major, minor = (int.from_bytes(head[at + start : at + start + 4], "little") for start in (20, 24))
    version = f"{major}.{minor}" if 0 < major < 100 and minor < 100 else None
    return _xgboost(path, version), _features([], count)


def read_lightgbm(file: BinaryIO, path: str) -> tuple[Flavour, Signature | None]:
    """The header of LightGBM's text format; the version is the format's."""
    header: dict[str, str] = {}
    for line in file.read(_HEAD).decode("utf-8", "replace").splitlines():
        name, equals, value = line.partition("=")
        if name == "Tree":
            break
        if equals:
            header[name] = value
    names = header.get("feature_names", "").split(" ") if header.get("feature_names") else []
    flavour = Flavour(name="lightgbm", file=path, version=header.get("version"), loader="lightgbm.Booster")
    return flavour, _features(names, len(names)) if names else None


def _xgboost(path: str, version: str | None) -> Flavour:
    return Flavour(name="xgboost", file=path, version=version, loader="xgboost.Booster")


def _features(names: list[str], count: int) -> Signature | None:
    """A column for each name; without names one matrix."""
    if names:
        return Signature(tuple(Tensor(name, "float32", (None,)) for name in names))
    return Signature((Tensor("input", "float32", (None, count)),)) if 0 < count < 1 << 24 else None
