"""One look at a model's files: every flavour it can be loaded as, its signature, and what is dangerous about it. Nothing is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final

from modelyard_flavours import archives, boosters, graphs, layouts, pickles
from modelyard_flavours.dangerous import is_dangerous
from modelyard_flavours.found import Files, Flavour, Inspection, Signature, Tensor, UnreadableError, Warned

MAX_FILES: Final = 100
"""Files that are looked into, those nearest to the root first."""

_HEAD: Final = 4096
_DEEPEST: Final = 20
"""Pipelines in pipelines: a damaged one may be its own first step."""
_PICKLES: Final = frozenset(
    {".pkl", ".pickle", ".joblib", ".sav", ".p", ".dill", ".cloudpickle", ".gz", ".z", ".bz2", ".xz"}
)
_ARCHIVES: Final = frozenset({".pt", ".pth", ".bin", ".ckpt", ".mar", ".keras", ".skops", ".zip"})
_OTHERS: Final = frozenset(
    {".onnx", ".json", ".ubj", ".model", ".txt", ".lgb", ".h5", ".hdf5", ".safetensors", ".xgb", ""}
)
_LOOKED_INTO: Final = _PICKLES | _ARCHIVES | _OTHERS
_NO_LIBRARY: Final = frozenset({"collections", "builtins", "joblib", "numpy", "copyreg", "copy_reg", "__main__", "?"})
_TORCH_LEGACY: Final = 0x1950A86A20F9469CFC6C
_COMPRESSED: Final = (
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x78\x01",
    b"\x78\x5e",
    b"\x78\x9c",
    b"\x78\xda",
    b"\x5d\x00\x00",
    b"\x04\x22\x4d\x18",
)


@dataclass(slots=True)
class _Found:
    flavours: list[Flavour] = field(default_factory=list)
    signatures: list[Signature] = field(default_factory=list)
    """Those of MLmodel and Triton come first: somebody wrote them down."""
    warnings: list[Warned] = field(default_factory=list)
    mlflow: dict[str, Any] | None = None

    def add(self, flavours: list[Flavour], signature: Signature | None = None) -> None:
        for flavour in flavours:
            known = next((one for one in self.flavours if (one.name, one.file) == (flavour.name, flavour.file)), None)
            if known is None:
                self.flavours.append(flavour)
            else:
                self.flavours[self.flavours.index(known)] = replace(
                    known,
                    version=known.version or flavour.version,
                    loader=flavour.loader or known.loader,
                    tensors=known.tensors or flavour.tensors,
                )
        if signature is not None:
            self.signatures.append(signature)


def inspect(files: Files) -> Inspection:
    """What a model's files are. A file that is not what it seems is passed over with a warning. Raises what `files.open` raises."""
    found = _Found()
    paths = sorted(files.sizes, key=lambda path: (path.count("/"), path))
    for path in paths:
        try:
            _look_beside(files, path, found)
        except UnreadableError as error:
            found.warnings.append(Warned(file=path, detail=f"it cannot be read: {error}"))
    candidates = [path for path in paths if PurePosixPath(path).suffix.lower() in _LOOKED_INTO and _is_content(path)]
    for path in candidates[:MAX_FILES]:
        with files.open(path) as file:
            try:
                _look_into(file, path, files.sizes[path], found)
            except (UnreadableError, RecursionError) as error:
                found.warnings.append(Warned(file=path, detail=f"it cannot be read: {error}"))
    if len(candidates) > MAX_FILES:
        found.warnings.append(
            Warned(file=".", detail=f"only {MAX_FILES} of {len(candidates)} files that may be models were looked into")
        )
    return Inspection(
        flavours=tuple(found.flavours),
        signature=found.signatures[0] if found.signatures else None,
        warnings=tuple(found.warnings),
        mlflow=found.mlflow,
    )


def _is_content(path: str) -> bool:
    return PurePosixPath(path).name not in (
        "MLmodel",
        "requirements.txt",
        "input_example.json",
        "config.pbtxt",
        "LICENSE",
    )


def _look_beside(files: Files, path: str, found: _Found) -> None:
    match PurePosixPath(path).name:
        case "MLmodel":
            flavours, signature, about = layouts.read_mlmodel(files, path)
            found.add(flavours, signature)
            found.mlflow = found.mlflow or about
        case "config.pbtxt":
            found.add(*layouts.read_triton(files, path))
        case "config.json":
            found.add(layouts.read_transformers(files, path))
        case "saved_model.pb":
            with files.open(path) as file:
                flavour, signature = graphs.read_saved_model(file, path, files.sizes[path])
            found.add([flavour], signature)


def _look_into(file: BinaryIO, path: str, size: int, found: _Found) -> None:
    suffix = PurePosixPath(path).suffix.lower()
    head = file.read(_HEAD)
    file.seek(0)
    if suffix == ".onnx":
        flavour, signature = graphs.read_onnx(file, path, size)
        found.add([flavour], signature)
    elif head.startswith(b"PK\x03\x04"):
        flavours, of_archive, warned = archives.read_zip(file, path)
        found.add(flavours, of_archive)
        found.warnings.extend(warned)
    elif suffix == ".safetensors":
        found.add([archives.read_safetensors(file, path, size)])
    elif head.startswith(b"\x89HDF\r\n"):
        found.add([Flavour(name="keras", file=path, loader="keras.models.load_model")])
    elif suffix == ".json" and boosters.is_xgboost_json(head):
        found.add(*_one(boosters.read_xgboost_json(file, path, size)))
    elif boosters.is_xgboost_ubj(head):
        found.add(*_one(boosters.read_xgboost_ubj(file, path, size)))
    elif boosters.is_lightgbm(head):
        found.add(*_one(boosters.read_lightgbm(file, path)))
    elif boosters.is_xgboost_binary(head) and suffix not in _PICKLES:
        found.add(*_one(boosters.read_xgboost_binary(file, path)))
    elif suffix in _PICKLES or _begins_a_pickle(head):
        _look_into_pickle(file, path, found)


def _one(read: tuple[Flavour, Signature | None]) -> tuple[list[Flavour], Signature | None]:
    return [read[0]], read[1]


def _begins_a_pickle(head: bytes) -> bool:
    return len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5


def _look_into_pickle(file: BinaryIO, path: str, found: _Found) -> None:
    content = pickles.read_pickle(file)
    if dangerous := tuple(content.dangerous()):
        found.warnings.append(Warned(file=path, detail=pickles.warnings_of(dangerous), imports=dangerous))
    if content.incomplete:
        found.warnings.append(Warned(file=path, detail=f"it could not be read to its end: {content.incomplete}"))
    if content.root == _TORCH_LEGACY:
        found.add([Flavour(name="pytorch", file=path, loader="torch.load")])
        return
    root = pickles.class_of(content.root) or _class_in_vain(content)
    state = pickles.state_of(content.root)
    version = state.get("_sklearn_version")
    library = "pickle" if root is None else root.split(".", 1)[0]
    if root is not None and (library in _NO_LIBRARY or is_dangerous(root)):
        library = "pickle"
    flavour = Flavour(
        name=library,
        file=path,
        version=version if isinstance(version, str) else _sklearn_version(content.root),
        loader=root,
    )
    found.add([flavour], _columns(state) if library == "sklearn" else None)


def _class_in_vain(content: pickles.Pickle) -> str | None:
    """What an unreadable pickle seems to hold, where it imports parts of one library only."""
    if content.values:
        return None
    classes = sorted(name for name in content.imports if name.startswith("sklearn."))
    return classes[0] if classes else None


def _sklearn_version(root: Any) -> str | None:
    """The scikit-learn that wrote an estimator within another one's, such as the steps of a pipeline."""
    waiting, seen = [root], set[int]()
    while waiting and len(seen) < 10_000:
        value = waiting.pop()
        if id(value) in seen:  # a pickle may hold itself
            continue
        seen.add(id(value))
        if isinstance(value, pickles.Made):
            waiting.append(value.state)
        elif isinstance(value, dict):
            if isinstance(version := value.get("_sklearn_version"), str):
                return version
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return None


def _columns(state: dict[Any, Any]) -> Signature | None:
    """What a fitted estimator was shown: columns by name, or a matrix of so many."""
    for _ in range(_DEEPEST):
        if not (isinstance(steps := state.get("steps"), list) and steps and isinstance(steps[0], tuple) and steps[0]):
            break
        state = pickles.state_of(steps[0][-1])  # a pipeline takes what its first step takes
    names = pickles.text_list(state.get("feature_names_in_"))
    if names is not None:
        return Signature(tuple(Tensor(name, None, (None,)) for name in names))
    width = state.get("n_features_in_")
    return Signature((Tensor("input", None, (None, width)),)) if isinstance(width, int) else None
