"""What real models' files say, and what becomes of damaged and dangerous ones."""

from __future__ import annotations

import bz2
import io
import json
import pickle
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import joblib  # type: ignore[import-untyped]
import numpy as np
import onnx
import pandas as pd
import pytest
import sklearn
import skops.io  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from modelyard_flavours import Flavour, Folder, Inspection, Signature, Tensor, inspect
from modelyard_flavours.dangerous import is_dangerous

FIXTURES: Final = Path(__file__).parent / "fixtures"
COLUMNS: Final = tuple(Tensor(name, "float32", (None,)) for name in ("age", "fare", "pclass"))
Look = Callable[..., Inspection]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Looks into a folder with these files: a path of the fixtures, or bytes."""

    def look(**files: Path | bytes) -> Inspection:
        for name, content in files.items():
            path = tmp_path / name.replace("___", "/").replace("__", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif content.is_dir():
                shutil.copytree(content, path)
            else:
                shutil.copy(content, path)
        return inspect(Folder(tmp_path))

    return look


def fitted() -> tuple[RandomForestClassifier, Pipeline]:
    frame = pd.DataFrame({"distance": np.arange(40.0), "stops": np.arange(40) % 3, "carrier": ["UA", "AA"] * 20})
    labels = np.array(["late", "on time"] * 20)
    forest = RandomForestClassifier(3, random_state=0).fit(frame[["distance", "stops"]], labels)
    columns = make_column_transformer((OneHotEncoder(), ["carrier"]), remainder="passthrough")
    return forest, make_pipeline(columns, LogisticRegression()).fit(frame, labels)


def dumped(model: Any, how: Any) -> bytes:
    if isinstance(how, int):
        return pickle.dumps(model, how)
    into = io.BytesIO()
    joblib.dump(model, into, compress=how[0])
    return into.getvalue()


@pytest.mark.parametrize(
    "how", [0, 1, 2, 3, 4, 5, (0,), (3,), (("gzip", 3),), (("bz2", 3),), (("xz", 3),), (("lzma", 3),)]
)
def test_a_scikit_learn_pickle_says_its_class_version_and_columns(look: Look, how: Any) -> None:
    for model, columns in zip(fitted(), (("distance", "stops"), ("distance", "stops", "carrier")), strict=True):
        found = look(model__pkl=dumped(model, how))
        name = f"{type(model).__module__}.{type(model).__name__}"
        assert found.flavours == (Flavour(name="sklearn", file="model.pkl", version=sklearn.__version__, loader=name),)
        assert found.signature == Signature(tuple(Tensor(column, None, (None,)) for column in columns))
        assert found.warnings == ()


def test_skops(look: Look) -> None:
    model, _ = fitted()
    found = look(model__skops=skops.io.dumps(model))
    named = {flavour.name: flavour for flavour in found.flavours}
    assert named["sklearn"].version == sklearn.__version__
    assert named["sklearn"].loader == "sklearn.ensemble._forest.RandomForestClassifier"
    assert named["skops"].loader == "skops.io.load"
    assert found.warnings == ()


def test_onnx(look: Look, tmp_path: Path) -> None:
    weight = helper.make_tensor("weight", TensorProto.FLOAT, [3, 2], np.zeros(6, np.float32).tobytes(), raw=True)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["features", "weight"], ["scores"])],
        "line",
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info("weight", TensorProto.FLOAT, [3, 2]),
            helper.make_tensor_value_info("word", TensorProto.STRING, [None, 1]),
        ],
        [helper.make_tensor_value_info("scores", TensorProto.DOUBLE, ["batch", 2])],
        [weight],
    )
    model = helper.make_model(graph, producer_name="by hand", opset_imports=[helper.make_opsetid("", 17)])
    found = look(a___model__onnx=model.SerializeToString())
    assert found.flavours == (Flavour(name="onnx", file="a/model.onnx", version="opset 17", loader="by hand"),)
    assert found.signature == Signature(
        (Tensor("features", "float32", ("batch", 3)), Tensor("word", "string", (None, 1))),
        (Tensor("scores", "float64", ("batch", 2)),),
    )
    whole = model.SerializeToString()
    for cut in range(0, len(whole), 7):
        assert not look(a___model__onnx=whole[:cut]).flavours
    onnx.load_model_from_string(whole)


@pytest.mark.parametrize(
    ("file", "flavour", "signature"),
    [
        ("xgboost.json", ("xgboost", "3.2.0", "xgboost.Booster"), Signature(COLUMNS)),
        ("xgboost.ubj", ("xgboost", "3.2.0", "xgboost.Booster"), Signature(COLUMNS)),
        ("xgboost.bin", ("xgboost", "1.7", "xgboost.Booster"), Signature((Tensor("input", "float32", (None, 3)),))),
        ("lightgbm.txt", ("lightgbm", "v4", "lightgbm.Booster"), Signature(COLUMNS)),
        ("module.pt", ("pytorch", None, "torch.load"), None),
        ("legacy.pt", ("pytorch", None, "torch.load"), None),
        (
            "scripted.pt",
            ("pytorch", None, "torch.jit.load"),
            Signature((Tensor("input", "Tensor"),), (Tensor("output", "Tensor"),)),
        ),
        (
            "model.keras",
            ("keras", "3.15.1", "keras.Sequential"),
            Signature((Tensor("features", "float32", (None, 3)),)),
        ),
        (
            "saved_model",
            ("tensorflow", "2.21.0", "tf.saved_model.load"),
            Signature((Tensor("features", "float32", (None, 3)),), (Tensor("half", "float32", (None, 3)),)),
        ),
    ],
)
def test_stored_models(look: Look, file: str, flavour: tuple[str, str, str], signature: Signature | None) -> None:
    found = look(**{file.replace(".", "__"): FIXTURES / file})
    (one,) = found.flavours
    assert (one.file, one.name, one.version, one.loader) == (file, *flavour)
    assert found.signature == signature
    assert found.warnings == ()


@pytest.mark.parametrize("file", ["state_dict.pt", "checkpoint.pth", "model.safetensors"])
def test_weights_are_listed(look: Look, file: str) -> None:
    (flavour,) = look(**{file.replace(".", "__"): FIXTURES / file}).flavours
    assert sorted(flavour.tensors, key=lambda tensor: tensor.name) == [
        Tensor("0.bias", "float32", (4,)),
        Tensor("0.weight", "float32", (4, 3)),
        Tensor("2.bias", "float32", (2,)),
        Tensor("2.weight", "float32", (2, 4)),
    ]


def test_mlflow(look: Look) -> None:
    found = look(run___model=FIXTURES / "mlflow")
    named = {flavour.name: flavour for flavour in found.flavours}
    assert named["mlflow"] == Flavour(name="mlflow", file="run/model/MLmodel", version="3.17.2")
    assert named["python_function"].loader == "mlflow.sklearn"
    assert named["sklearn"] == Flavour(
        name="sklearn", file="run/model/model.pkl", version="1.9.1", loader="sklearn.pipeline.Pipeline"
    )
    assert found.signature == Signature(
        (
            Tensor("distance", "float64", (None,)),
            Tensor("stops", "int64", (None,)),
            Tensor("carrier", "string", (None,)),
        ),
        (Tensor("0", "int64", (None,)),),
    )
    assert found.mlflow is not None
    assert found.mlflow["input_example"] == "input_example.json"
    assert found.mlflow["files"]["sklearn"] == "run/model/model.pkl"


def test_a_triton_repository(look: Look) -> None:
    config = b"""
    name: "line"  # a comment
    backend: "onnxruntime"
    max_batch_size: 8
    input [ { name: "features" data_type: TYPE_FP32 dims: [ 3 ] } ]
    output { name: "label", data_type: TYPE_STRING, dims: [ -1, 2 ] }
    instance_group [ { kind: KIND_CPU count: 2 } ]
    """
    found = look(line___config__pbtxt=config)
    assert found.flavours == (Flavour(name="triton", file="line", loader="onnxruntime"),)
    assert found.signature == Signature(
        (Tensor("features", "float32", (None, 3)),), (Tensor("label", "string", (None, None, 2)),)
    )
    for cut in range(1, len(config), 11):
        look(line___config__pbtxt=config[:cut])


def test_a_hugging_face_repository(look: Look) -> None:
    config = {"architectures": ["BertForMaskedLM"], "model_type": "bert", "transformers_version": "4.57.0"}
    found = look(config__json=json.dumps(config).encode(), model__safetensors=FIXTURES / "model.safetensors")
    assert found.flavours[0] == Flavour(name="transformers", file=".", version="4.57.0", loader="BertForMaskedLM")
    assert [flavour.name for flavour in found.flavours] == ["transformers", "safetensors"]


class Runs:
    def __init__(self, what: Callable[..., Any], *arguments: Any) -> None:
        self.what = what, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.what


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("hidden", [False, True])
def test_a_pickle_that_runs_something_is_warned_of(look: Look, protocol: int, hidden: bool) -> None:
    import os

    model, _ = fitted()
    content: Any = Runs(os.system, "touch /tmp/never")
    found = look(model__pkl=pickle.dumps({"model": model, "extra": [content]} if hidden else content, protocol))
    (warned,) = found.warnings
    assert warned.imports == ("posix.system",)
    assert "loading it may run anything" in warned.detail
    assert not list(found.named("posix"))


def test_dangerous_imports_in_archives_are_warned_of(look: Look) -> None:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(Runs(eval, "1")))
        archive.writestr("model/version", "3")
    (warned,) = look(model__pt=into.getvalue()).warnings
    assert warned.imports == ("builtins.eval",)
    schema = {"__class__": "system", "__module__": "os", "__loader__": "ObjectNode", "content": {}}
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    (warned,) = look(other__skops=into.getvalue()).warnings[1:]
    assert warned.imports == ("os.system",)


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"(S'true'\nios\nsystem\n.",
        b"(cos\nsystem\nS'true'\no.",
        b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85\x94R\x94.",
        b"\x80\x04\x8c\x06system\x8c\x02os\x940h\x00\x8c\x06system\x93\x8c\x04true\x85R.",
        b"\x80\x02(\x8c\x02os\x8c\x06system1\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
        b"\x80\x02\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R",
        bz2.compress(b"cos\nsystem\n(S'true'\ntR."),
    ],
    ids=["global", "inst", "obj", "stack_global", "memo", "pop_mark", "cut off", "compressed"],
)
def test_every_way_to_import_is_seen(look: Look, content: bytes) -> None:
    found = look(model__pkl=content)
    assert {name for warned in found.warnings for name in warned.imports} == {"os.system"}


def test_names_that_are_put_together_when_loading_are_dangerous_for_that(look: Look) -> None:
    joined = b"\x80\x04\x8c\x08builtins\x8c\x03str\x93\x8c\x02os\x85R\x8c\x06system\x93."
    assert "?.put together while loading" in {
        name for warned in look(model__pkl=joined).warnings for name in warned.imports
    }


@pytest.mark.parametrize(
    ("name", "dangerous"),
    [
        ("os.system", True),
        ("os.path.join", True),
        ("builtins.eval", True),
        ("__builtin__.getattr", True),
        ("builtins.set", False),
        ("importlib.import_module", True),
        ("sklearn.tree._classes.DecisionTreeClassifier", False),
        ("numpy._core.multiarray._reconstruct", False),
        ("collections.OrderedDict", False),
        ("torch._utils._rebuild_tensor_v2", False),
    ],
)
def test_what_is_dangerous(name: str, dangerous: bool) -> None:
    assert is_dangerous(name) is dangerous


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damage_is_told_and_nothing_else_happens(data: st.DataObject) -> None:
    """Whatever bytes there are, an inspection is made; it never raises and never takes long."""
    source = data.draw(
        st.sampled_from(sorted(path for path in FIXTURES.rglob("*") if path.suffix != ".md" and path.is_file()))
    )
    content = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))

    class Files:
        sizes = {source.name: cut}

        def open(self, _: str) -> io.BytesIO:
            return io.BytesIO(content[:cut])

    json.dumps(inspect(Files()).document())


def test_other_files_are_no_models(look: Look) -> None:
    found = look(notes__txt=b"a tree\n", data__json=b'{"learned": 1}', empty__onnx=b"", model__bin=b"\x00" * 100)
    assert found.flavours == ()
    assert [warned.file for warned in found.warnings] == ["empty.onnx"]


def _infinite_pipeline() -> bytes:
    """A pipeline whose first step is itself."""
    inner = b"}(\x8c\x05steps](\x8c\x01ah\x00\x86eub"
    return b"\x80\x04\x8c\x10sklearn.pipeline\x8c\x08Pipeline\x93)\x81q\x00" + inner + b"."


def _list_in_itself() -> bytes:
    """A list of many values, the last of which is the list."""
    large = b"]q\x00(" + b"N" * 500_000 + b"h\x00e"
    return b"\x80\x04\x8c\x01a\x8c\x01B\x93)\x81}(\x8c\x01x" + large + b"ub."


def _many_texts() -> bytes:
    text = b"X" + (60_000).to_bytes(4, "little") + b"a" * 60_000
    return zlib.compress(b"\x80\x02" + text * 20_000, 9)


def _of_archive(member: str, content: bytes) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/data.pkl", pickle.dumps(1))
        archive.writestr(f"model/{member}", content)
    return into.getvalue()


def _laughing() -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join([*lines, "mlflow_version: *a11", "flavors: {sklearn: {pickled_model: x}}"]).encode()


_LOOKED_INTO_APART = """
import resource, sys
from pathlib import Path
from modelyard_flavours import Folder, inspect
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
inspect(Folder(Path(sys.argv[1])))
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.pkl", _infinite_pipeline()),
        ("model.pkl", _list_in_itself()),
        ("model.pkl", _many_texts()),
        ("model.pt", _of_archive("code/__torch__.py", b"def forward(self: " + b"a" * (1 << 20))),
        ("model.pt", _of_archive("code/__torch__.py", b"def forward(self: a, b: " + b" " * 5_000 + b"!) -> x:")),
        ("MLmodel", _laughing()),
    ],
    ids=["circle", "list", "texts", "forward", "parameters", "yaml"],
)
def test_nothing_keeps_an_inspection_busy_or_fills_its_memory(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-c", _LOOKED_INTO_APART, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
