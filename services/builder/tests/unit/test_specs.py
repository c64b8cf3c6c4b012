"""Environment specifications as users write them, read without any network."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.domain.flavours import Convertible, NotConvertible, decide, records_of
from builder.domain.requirements import Requirements, normalised, pins_of
from builder.domain.specs import LockDigest, Registered, read_spec
from builder.domain.tasks import MAX_ATTEMPTS, delay_s
from builder.errors import EnvironmentInvalidError
from modelyard_flavours import Flavour, Inspection, Warned


def conda(*dependencies: Any) -> dict[str, Any]:
    return {"conda_file": {"name": "e", "channels": ["defaults"], "dependencies": list(dependencies)}}


@pytest.mark.parametrize(
    ("spec", "python", "lines"),
    [
        (conda("python=3.8", "pip"), "3.8", ()),
        (conda("python"), "3.11", ()),
        (conda("python>=3.9"), "3.9", ()),
        (conda("python 3.10.*", "numpy"), "3.10", ("numpy",)),
        (conda("numpy=1.21.2", "pip=20.2"), "3.11", ("numpy==1.21.2",)),
        (conda("numpy=1.21"), "3.11", ("numpy==1.21.*",)),
        (conda("numpy==1.21"), "3.11", ("numpy==1.21",)),
        (conda("numpy=1.21=py38_0"), "3.11", ("numpy==1.21.*",)),
        (conda("conda-forge::scikit-learn >=1.0,<2"), "3.11", ("scikit-learn<2,>=1.0",)),
        (conda("pytorch=2.1.0"), "3.11", ("torch==2.1.0",)),
        (conda("python=3.7", {"pip": ["numpy~=1.20", "inference-schema[numpy-support]>=1.5"]}), "3.7",
         ("inference-schema[numpy-support]>=1.5", "numpy~=1.20")),
        ({"requirements": ["B==1", "a>2  # why", "", "# nothing"]}, "3.11", ("a>2", "b==1")),
        ({"python": "3.12", "requirements": []}, "3.12", ()),
        ({"image": "python:3.9-slim"}, "3.9", ()),
        ({"image": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest"}, "3.11", ()),
        ({"image": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04", **conda("six")}, "3.11", ("six",)),
    ],
)  # fmt: skip
def test_what_users_write(spec: dict[str, Any], python: str, lines: tuple[str, ...]) -> None:
    found = read_spec(spec, "3.11")
    assert isinstance(found, Requirements)
    assert (found.python, found.lines) == (python, lines)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "needs conda_file, requirements or image"),
        ({"packages": []}, "no key 'packages'"),
        ({"conda_file": "conda.yml"}, "the file's content"),
        ({"conda_file": {"dependencies": "numpy"}}, "dependencies is a list"),
        ({"conda_file": {"deps": []}}, "no key 'deps'"),
        (conda("cudatoolkit=11"), "dependencies[0]: cudatoolkit is no Python package"),
        (conda("six", "numpy 1.2|1.3"), "dependencies[1]: '1.2|1.3'"),
        (conda(7), "dependencies[0]: 7"),
        (conda({"pip": "numpy"}), "a nested list is `pip:`"),
        (conda({"pip": ["six", "-r requirements.txt"]}), "dependencies[0].pip[1]: the option -r is not taken"),
        (
            conda({"pip": ["--extra-index-url https://example.com six"]}),
            "the package index is chosen by the installation",
        ),
        (conda({"pip": ["./local"]}), "is no requirement"),
        (conda({"pip": ["git+https://example.com/x.git"]}), "is no requirement"),
        (conda({"pip": ["x @ git+https://example.com/x.git"]}), "is no released file"),
        (conda({"pip": ["x @ https://example.com/${SECRET}.whl"]}), "has a variable"),
        (conda("python=3"), "names no minor version"),
        ({"requirements": ["six"], "python": "2.7"}, "python '2.7'"),
        ({"requirements": ["six"], **conda("six")}, "not both"),
        ({"build": {"path": "."}}, "Docker build context"),
        ({"image": "example.com/own:1"}, "would need a container"),
    ],
)
def test_what_is_wrong_is_named(spec: dict[str, Any], said: str) -> None:
    with pytest.raises(EnvironmentInvalidError) as caught:
        read_spec(spec, "3.11")
    assert said in caught.value.detail
    assert caught.value.members["path"]


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ("azureml:mine:3", Registered("mine", "3")),
        ("modelyard:mine@prod", Registered("mine", "@prod")),
        ("azureml:mine", Registered("mine", "@latest")),
        ("azureml://registries/company/environments/mine/versions/3", Registered("mine", "3", "company")),
        ("azureml://registries/company/environments/mine", Registered("mine", "@latest", "company")),
        ("a" * 64, LockDigest("a" * 64)),
    ],
)
def test_references(reference: str, wanted: object) -> None:
    assert read_spec(reference, "3.11") == wanted


def test_curated_references() -> None:
    found = read_spec("azureml:AzureML-sklearn-1.0-ubuntu20.04-py38-cpu@latest", "3.11")
    assert isinstance(found, Requirements)
    assert found.python == "3.8"
    for unknown in (
        "azureml://registries/azureml/environments/acpt-pytorch-2.2-cuda12.1/labels/latest",
        "azureml:AzureML-own@latest",
    ):
        with pytest.raises(EnvironmentInvalidError, match=r"known are .*sklearn-1\.5"):
            read_spec(unknown, "3.11")
    with pytest.raises(EnvironmentInvalidError, match="is no environment"):
        read_spec("./env.yml", "3.11")


@given(st.permutations(["numpy~=1.26", "pandas<3", "six", "six"]))
def test_the_digest_does_not_know_the_order(lines: list[str]) -> None:
    assert (
        Requirements("3.11", normalised(lines)).digest
        == Requirements("3.11", ("numpy~=1.26", "pandas<3", "six")).digest
    )


def test_pins_of_a_lock() -> None:
    locked = (
        "numpy==1.26.4 \\\n    --hash=sha256:ab\n"
        "six==1.16.0 ; python_version < '4' \\\n    --hash=sha256:cd \\\n    --hash=sha256:ef\n"
    )
    assert pins_of(locked) == ("numpy==1.26.4", "six==1.16.0 ; python_version < '4'")


def test_what_becomes_onnx() -> None:
    estimator = Flavour(name="sklearn", file="model.joblib", version="1.5.2")
    assert decide(Inspection(flavours=(estimator,))) == Convertible("model.joblib", None, "1.5.2")
    assert isinstance(decide(Inspection(flavours=(estimator, Flavour(name="onnx", file="m.onnx")))), NotConvertible)
    several = decide(Inspection(flavours=(estimator, Flavour(name="sklearn", file="other.pkl"))))
    assert several == NotConvertible("it has several scikit-learn models: model.joblib, other.pkl")
    unread = Inspection(warnings=(Warned(file="model.pkl", detail="it cannot be read: no pickle"),))
    assert decide(unread) == NotConvertible(
        "no file of it is a scikit-learn model (model.pkl: it cannot be read: no pickle)"
    )


def test_in_an_mlflow_folder_the_file_that_mlmodel_names_becomes_onnx() -> None:
    folder = Flavour(name="mlflow", file="a/MLmodel")
    own = Flavour(name="sklearn", file="a/model.pkl", version="1.5.2")
    beside = Flavour(name="sklearn", file="a/artifacts/scaler.pkl", version="1.5.2")
    stated = Inspection(flavours=(folder, own, beside), mlflow={"files": {"sklearn": "a/model.pkl"}})
    assert decide(stated) == Convertible("a/model.pkl", "a/MLmodel", "1.5.2")
    wrapped = Flavour(name="python_function", file="a/model.pkl", loader="mlflow.sklearn")
    assert decide(Inspection(flavours=(folder, wrapped), mlflow={})) == Convertible("a/model.pkl", "a/MLmodel")
    assert isinstance(decide(Inspection(flavours=(folder, beside), mlflow={"files": {}})), NotConvertible)


@pytest.mark.parametrize(
    ("example", "rows"),
    [
        ({"columns": ["a", "b"], "data": [[1, 2]]}, [{"a": 1, "b": 2}]),
        ({"dataframe_split": {"columns": ["a"], "data": [[1], [2]]}}, [{"a": 1}, {"a": 2}]),
        ([{"a": 1}], [{"a": 1}]),
        ({"inputs": [[1]]}, None),
        ([], None),
    ],
)
def test_input_examples(example: Any, rows: Any) -> None:
    assert records_of(example) == rows


def test_delays_end() -> None:
    assert [delay_s(n, 1.0) for n in range(1, MAX_ATTEMPTS + 1)] == [1, 2, 4, 8, 16, None]
