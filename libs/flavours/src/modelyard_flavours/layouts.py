"""Models that are known by the files beside them: MLflow folders, Triton repositories, Hugging Face repositories.

Sources: MLflow model format (MLmodel, signatures), Triton model configuration (model_config.proto in text form), transformers' config.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

import yaml

from modelyard_flavours.found import Dim, Files, Flavour, Signature, Tensor, UnreadableError

_MAX_TEXT: Final = 16 << 20
_MAX_VALUES: Final = 100_000
_COLUMNS: Final = {
    "boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64", "string": "string",
    "binary": "bytes", "datetime": "datetime64",
}  # fmt: skip
_VERSIONS: Final = {"sklearn": "sklearn_version", "xgboost": "xgb_version", "lightgbm": "lgb_version", "pytorch": "pytorch_version",
                    "onnx": "onnx_version", "keras": "keras_version", "tensorflow": "tf_version",
                    "transformers": "transformers_version", "python_function": "python_version"}  # fmt: skip
_PLACES: Final = (
    "pickled_model",
    "model_path",
    "data",
    "model_data",
    "saved_model_dir",
    "model_binary",
    "artifact_path",
)
_TOKEN: Final = re.compile(
    r'\s+|#[^\n]*|(?P<text>"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\')|(?P<word>[\w.+-]+)|(?P<sign>[{}\[\]:,<>])'
)
_TRITON: Final = {
    "TYPE_BOOL": "bool", "TYPE_STRING": "string", "TYPE_BF16": "bfloat16", "TYPE_FP16": "float16", "TYPE_FP32": "float32",
    "TYPE_FP64": "float64", **{f"TYPE_{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
}  # fmt: skip
_BACKENDS: Final = {"onnxruntime_onnx": "onnxruntime", "pytorch_libtorch": "pytorch", "tensorflow_savedmodel": "tensorflow",
                    "tensorflow_graphdef": "tensorflow", "tensorrt_plan": "tensorrt"}  # fmt: skip


def text_of(files: Files, path: str) -> str:
    """A small text file. Raises UnreadableError."""
    if files.sizes[path] > _MAX_TEXT:
        raise UnreadableError(f"{files.sizes[path]} bytes where a few were expected")
    with files.open(path) as file:
        return file.read().decode("utf-8", "replace")


def read_mlmodel(files: Files, path: str) -> tuple[list[Flavour], Signature | None, dict[str, Any]]:
    """An `MLmodel` file: its flavours, signature, and where it comes from. Raises UnreadableError."""
    text = text_of(files, path)
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        document = None if node is None or not _values_of(node, {}) else loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnreadableError(f"no YAML: {error}") from error
    if not isinstance(document, dict):
        raise UnreadableError("no mapping")
    root = PurePosixPath(path).parent
    flavours = [Flavour(name="mlflow", file=path, version=_text(document.get("mlflow_version")))]
    stated = document.get("flavors")
    for name, flavour in (stated if isinstance(stated, dict) else {}).items():
        known = flavour if isinstance(flavour, dict) else {}
        place = next((known[key] for key in _PLACES if isinstance(known.get(key), str)), None)
        flavours.append(
            Flavour(
                name=str(name),
                file=path if place is None else str(root / place),
                version=_text(known.get(_VERSIONS.get(str(name), f"{name}_version"))),
                loader=_text(known.get("loader_module")),
            )
        )
    example = document.get("saved_input_example_info")
    about: dict[str, Any] = {
        "files": {flavour.name: flavour.file for flavour in flavours[1:] if flavour.file != path},
        "run_id": _text(document.get("run_id")),
        "model_id": _text(document.get("model_id")),
        "created_at": _text(document.get("utc_time_created")),
        "input_example": _text(example.get("artifact_path")) if isinstance(example, dict) else None,
    }
    return flavours, _mlflow_signature(document.get("signature")), {k: v for k, v in about.items() if v is not None}


def _values_of(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values there are with every alias written out. Raises UnreadableError for too many, or when there is no end to them."""
    if id(node) not in known:
        known[id(node)] = _MAX_VALUES + 1  # until it is known: what holds itself has no end
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            inner = node.value
        elif isinstance(node, yaml.MappingNode):
            inner = [one for pair in node.value for one in pair]
        known[id(node)] = 1 + sum(_values_of(one, known) for one in inner)
    if known[id(node)] > _MAX_VALUES:
        raise UnreadableError(f"it has more than {_MAX_VALUES} values, aliases written out")
    return known[id(node)]


def _mlflow_signature(stated: Any) -> Signature | None:
    if not isinstance(stated, dict):
        return None
    inputs, outputs = (_mlflow_side(stated.get(side)) for side in ("inputs", "outputs"))
    return Signature(inputs, outputs) if inputs or outputs else None


def _mlflow_side(text: Any) -> tuple[Tensor, ...]:
    try:
        columns = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return ()
    found = []
    for index, column in enumerate(columns if isinstance(columns, list) else []):
        if not isinstance(column, dict):
            continue
        name = str(column.get("name") or index)
        spec = column.get("tensor-spec")
        if column.get("type") == "tensor" and isinstance(spec, dict):
            shape: tuple[Dim, ...] = tuple(None if size == -1 else size for size in spec.get("shape") or ())
            found.append(Tensor(name, _text(spec.get("dtype")), shape))
        else:
            kind = str(column.get("type"))
            found.append(Tensor(name, _COLUMNS.get(kind, kind), (None,)))
    return tuple(found)


def read_triton(files: Files, path: str) -> tuple[list[Flavour], Signature | None]:
    """A `config.pbtxt`; the flavour's file is the model's folder, which has the numbered versions. Raises UnreadableError."""
    config = _text_proto(text_of(files, path))
    platform = _first(config, "backend") or _first(config, "platform")
    backend = _BACKENDS.get(str(platform), str(platform) if platform else None)
    batched = str(_first(config, "max_batch_size") or "0") != "0"
    inputs, outputs = (
        tuple(
            _triton_tensor(one, batched)
            for value in config.get(side, ())
            for one in _each(value)
            if isinstance(one, dict)
        )
        for side in ("input", "output")
    )
    folder = str(PurePosixPath(path).parent)
    flavour = Flavour(name="triton", file=folder, loader=backend)
    return [flavour], Signature(inputs, outputs) if inputs or outputs else None


def _triton_tensor(stated: Mapping[str, Any], batched: bool) -> Tensor:  # noqa: FBT001 a fact about the model
    dims = [size for value in stated.get("dims", ()) for size in _each(value)]
    shape: list[Dim] = [None if size == "-1" else int(size) for size in dims if re.fullmatch(r"-?\d+", str(size))]
    kind = str(_first(stated, "data_type"))
    return Tensor(str(_first(stated, "name")), _TRITON.get(kind, kind), (None, *shape) if batched else tuple(shape))


def _first(message: Mapping[str, Any], name: str) -> Any:
    values = message.get(name)
    return values[0] if values else None


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text_proto(text: str) -> dict[str, list[Any]]:
    """Protocol buffers' text form: every field a list of its values. Raises UnreadableError."""
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise UnreadableError(f"no configuration: {text[at : at + 20]!r}")
        at = match.end()
        if (word := match["text"] or match["word"] or match["sign"]) is not None:
            tokens.append(word)
    tokens.reverse()
    try:
        return _message(tokens, None, 0)
    except IndexError:
        raise UnreadableError("it ends in the middle") from None


def _message(tokens: list[str], end: str | None, depth: int) -> dict[str, list[Any]]:
    if depth > 50:
        raise UnreadableError("messages in messages without end")
    found: dict[str, list[Any]] = {}
    while tokens and tokens[-1] != end:
        name = tokens.pop()
        if tokens[-1] == ":":
            tokens.pop()
        found.setdefault(name, []).append(_value(tokens, depth))
        if tokens and tokens[-1] == ",":
            tokens.pop()
    if end is not None:
        tokens.pop()
    return found


def _value(tokens: list[str], depth: int) -> Any:
    word = tokens.pop()
    if word in ("{", "<"):
        return _message(tokens, "}" if word == "{" else ">", depth + 1)
    if word == "[":
        items = []
        while tokens[-1] != "]":
            items.append(_value(tokens, depth + 1))
            if tokens[-1] == ",":
                tokens.pop()
        tokens.pop()
        return items
    return word[1:-1] if word[0] in "\"'" else word


def read_transformers(files: Files, path: str) -> list[Flavour]:
    """A Hugging Face `config.json`; nothing when it is another one's."""
    try:
        config = json.loads(text_of(files, path))
    except (ValueError, RecursionError):
        return []
    if not isinstance(config, dict) or not ("model_type" in config or "architectures" in config):
        return []
    architectures = config.get("architectures")
    loader = (
        str(architectures[0]) if isinstance(architectures, list) and architectures else _text(config.get("model_type"))
    )
    return [
        Flavour(
            name="transformers",
            file=str(PurePosixPath(path).parent),
            version=_text(config.get("transformers_version")),
            loader=loader,
        )
    ]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
