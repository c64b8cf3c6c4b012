"""Models in zip archives: PyTorch, Keras 3 and skops; and safetensors, whose header is JSON too.

Sources: torch.serialization (`NAME/data.pkl`, `NAME/code/…` for TorchScript), keras.saving (`config.json`, `metadata.json`), skops.io
(`schema.json`), huggingface/safetensors format.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from modelyard_flavours import pickles
from modelyard_flavours.dangerous import is_dangerous
from modelyard_flavours.found import Flavour, Signature, Tensor, UnreadableError, Warned
from modelyard_flavours.pickles import Made, Named

MAX_JSON: Final = 64 << 20
MAX_TENSORS: Final = 2000
_SAFETENSORS: Final = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool", "F8_E4M3": "float8e4m3fn", "F8_E5M2": "float8e5m2",
}  # fmt: skip
_STORAGES: Final = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16", "LongStorage": "int64",
    "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8", "BoolStorage": "bool",
}  # fmt: skip
# Possessive: whatever the text is, nothing of it is tried twice.
_FORWARD: Final = re.compile(r"def forward\(self: [\w.]++(?P<inputs>[^)]*+)\)\s*+->\s*+(?P<output>[^:]++):")
_BETWEEN: Final = re.compile(r",\s*+(?=\w++:)")
_TYPE: Final = re.compile(r"[\w.\[\], ]++")
_CODE_FILES: Final = 100
_CODE_BYTES: Final = 64 << 10
"""So much of each of so many files of code is looked at for a signature."""


def read_zip(file: BinaryIO, path: str) -> tuple[list[Flavour], Signature | None, list[Warned]]:
    """Whichever of them it is; empty for any other archive. Raises UnreadableError when it is damaged."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = {info.filename: info for info in archive.infolist()}
            if "schema.json" in names:
                return _skops(archive, path)
            if "config.json" in names and "metadata.json" in names:
                return _keras(archive, path)
            data = next((name for name in names if name.endswith("/data.pkl") and name.count("/") == 1), None)
            if data is not None:
                return _torch(archive, data, path)
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        EOFError,
        RecursionError,
        RuntimeError,
    ) as error:
        raise UnreadableError(f"its archive is damaged: {error}") from error
    return [], None, []


def read_safetensors(file: BinaryIO, path: str, size: int) -> Flavour:
    """A safetensors file's header. Raises UnreadableError."""
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(MAX_JSON, size - 8):
        raise UnreadableError("no safetensors: its header does not fit")
    header = _object(file.read(length))
    metadata = header.pop("__metadata__", None)
    tensors = [
        Tensor(name, _SAFETENSORS.get(str(entry.get("dtype"))), _shape(entry.get("shape")))
        for name, entry in header.items()
        if isinstance(entry, dict)
    ]
    loader = metadata.get("format") if isinstance(metadata, dict) else None
    return Flavour(
        name="safetensors", file=path, loader=str(loader) if loader else None, tensors=tuple(tensors[:MAX_TENSORS])
    )


def _json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    with archive.open(name) as file:
        return _object(file.read(MAX_JSON + 1))


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"its JSON cannot be read: {error}") from error
    if len(text) > MAX_JSON or not isinstance(found, dict):
        raise UnreadableError("its JSON is too large, or no object")
    return found


def _shape(value: Any) -> tuple[int | None, ...] | None:
    if not isinstance(value, list | tuple) or not all(isinstance(size, int | None) for size in value):
        return None
    return tuple(value)


def _skops(archive: zipfile.ZipFile, path: str) -> tuple[list[Flavour], Signature | None, list[Warned]]:
    schema = _json(archive, "schema.json")
    types = sorted({f"{node['__module__']}.{node['__class__']}" for node in _nodes(schema) if "__module__" in node})
    root = f"{schema.get('__module__')}.{schema.get('__class__')}"
    version = next((text for node in _nodes(schema) if (text := _written_by(node)) is not None), None)
    name = "sklearn" if root.startswith("sklearn.") else root.split(".", 1)[0]
    dangerous = tuple(type_ for type_ in types if is_dangerous(type_))
    warned = [Warned(file=path, detail=pickles.warnings_of(dangerous), imports=dangerous)] if dangerous else []
    skops = schema.get("_skops_version")
    made_by = Flavour(name="skops", file=path, version=str(skops) if skops else None, loader="skops.io.load")
    return [Flavour(name=name, file=path, version=version, loader=root), made_by], None, warned


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _written_by(node: dict[str, Any]) -> str | None:
    found = node.get("_sklearn_version")
    content = found.get("content") if isinstance(found, dict) else None
    return content.strip('"') if isinstance(content, str) else None


def _keras(archive: zipfile.ZipFile, path: str) -> tuple[list[Flavour], Signature | None, list[Warned]]:
    metadata, config = _json(archive, "metadata.json"), _json(archive, "config.json")
    loader = f"{config.get('module') or 'keras'}.{config.get('class_name')}"
    version = metadata.get("keras_version")
    inputs = []
    for node in _nodes(config):
        inner = node.get("config")
        if node.get("class_name") == "InputLayer" and isinstance(inner, dict):
            shape = inner.get("batch_shape") or inner.get("batch_input_shape")
            inputs.append(Tensor(str(inner.get("name") or "input"), _dtype(inner.get("dtype")), _shape(shape)))
    warned = []
    if any(node.get("class_name") == "Lambda" for node in _nodes(config)):
        warned.append(Warned(file=path, detail="loading it may run anything: it has a Lambda layer, which is code"))
    flavour = Flavour(name="keras", file=path, version=str(version) if version else None, loader=loader)
    return [flavour], Signature(tuple(inputs)) if inputs else None, warned


def _dtype(value: Any) -> str | None:
    if isinstance(value, dict):
        value = (value.get("config") or {}).get("name")
    return value if isinstance(value, str) else None


def _torch(archive: zipfile.ZipFile, data: str, path: str) -> tuple[list[Flavour], Signature | None, list[Warned]]:
    prefix = data.removesuffix("data.pkl")
    scripted = any(name.startswith(f"{prefix}code/") for name in archive.namelist())
    with archive.open(data) as file:
        content = pickles.read_pickle(file)  # type: ignore[arg-type]  # it reads forward and seeks to 0, which a member can
    dangerous = tuple(content.dangerous())
    warned = [Warned(file=path, detail=pickles.warnings_of(dangerous), imports=dangerous)] if dangerous else []
    if content.incomplete:
        warned.append(Warned(file=path, detail=f"{data} could not be read to its end: {content.incomplete}"))
    tensors = tuple(_tensors(content.root))
    if scripted:
        return [Flavour(name="pytorch", file=path, loader="torch.jit.load")], _forward(archive, prefix), warned
    return [Flavour(name="pytorch", file=path, loader="torch.load", tensors=tensors[:MAX_TENSORS])], None, warned


def _tensors(root: Any) -> Iterator[Tensor]:
    """The weights of a state dict, or of a checkpoint that has one."""
    state = root.items if isinstance(root, Made) else root
    if not isinstance(state, dict):
        return
    for name, value in state.items():
        if isinstance(value, Made) and isinstance(value.what, Named) and value.what.name.startswith("_rebuild_tensor"):
            storage, _, shape, *_ = value.arguments
            kind = storage.arguments[1] if isinstance(storage, Made) and len(storage.arguments) > 1 else None
            yield Tensor(str(name), _STORAGES.get(kind.name) if isinstance(kind, Named) else None, _shape(shape))
        elif name in ("state_dict", "model_state_dict", "model"):
            yield from _tensors(value)


def _forward(archive: zipfile.ZipFile, prefix: str) -> Signature | None:
    """The inputs of a TorchScript module's `forward`, whose shapes it does not say."""
    code = [name for name in archive.namelist() if name.startswith(f"{prefix}code/__torch__") and name.endswith(".py")]
    for name in sorted(code, key=lambda name: (name.count("/"), name))[:_CODE_FILES]:
        with archive.open(name) as file:
            match = _FORWARD.search(file.read(_CODE_BYTES).decode("utf-8", "replace"))
        if match is not None:
            return Signature(
                tuple(_parameters(match["inputs"])), (Tensor("output", " ".join(match["output"].split())),)
            )
    return None


def _parameters(written: str) -> Iterator[Tensor]:
    for parameter in _BETWEEN.split(written.strip(" \n,")):
        name, _, kind = parameter.partition(":")
        if name.isidentifier() and _TYPE.fullmatch(kind.strip()):
            yield Tensor(name, kind.strip())
