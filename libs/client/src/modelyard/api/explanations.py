"""Explanations of models: a job computes Shapley values, and the registry attaches them to the version."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from modelyard.api.assets import Assets
from modelyard.api.http import Http, Json, quoted
from modelyard.api.jobs import Jobs
from modelyard.errors import ModelyardError

EXPLAINS: Final = "modelyard.explains"
"""The property of a job that says which model version its output `explanation` belongs to."""

_SCRIPT: Final = "modelyard_explain.py"
_BESIDE: Final = ("numpy", "pandas", "pyarrow")
"""What explaining needs beside the model's own library."""

_ONNX: Final = ("numpy~=2.2", "onnxruntime~=1.22", "pandas~=2.2", "pyarrow>=19")
_PACKAGES: Final = {"sklearn": "scikit-learn", "xgboost": "xgboost", "lightgbm": "lightgbm"}
_POLL_S: Final = 0.5
_LOOKED_INTO_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Explained:
    """How a version is explained: the `path` in its tree, or in that of its `onnx` form, of what is loaded by its `flavour`, and in which
    environment."""

    onnx: str | None
    path: str
    flavour: str
    environment: Json


class Explanations:
    """Which columns move a model's predictions, over all rows and for each."""

    def __init__(self, http: Http, models: Assets, jobs: Jobs) -> None:
        self._http = http
        self._models = models
        self._jobs = jobs

    def create(
        self,
        name: str,
        version: str | None = None,
        *,
        label: str | None = None,
        data: str | None = None,
        rows: int = 200,
        environment: str | Json | None = None,
        code: str | Path | None = None,
        loader: str | None = None,
    ) -> Json:
        """Submit the job that explains a model version; when it has completed, `get` has its results.

        The version's ONNX form is explained where it has one, otherwise the model itself, by the interpreter of its own environment.

        `data` is a reference (`azureml:NAME:VERSION`) or a path; without it the table that the version was registered with is taken.
        `environment` is a reference or a mapping; without it the version's own is taken, or that of its MLflow folder, or the library that
        wrote it. `loader` (`MODULE:FUNCTION` of the folder `code`) says how a model predicts that is of no library known here: given the
        folder of its files it gives an object with `predict`, or a function, from a table to numbers.

        Raises:
            ModelyardError: nothing here can load the version, its environment is not known, or there is no data.
        """
        version = version or (None if label else str(self._models.get(name)["version"]))
        model = self._looked_into(name, version, label)
        found = f"{name}:{model['version']}"
        explained = self._explained(model, environment, loader)
        table = data or (f"modelyard://trees/{model['sample']}" if model.get("sample") else None)
        if table is None:
            raise ModelyardError(
                f"{found} was registered without a sample of its inputs: say which data explains it", code="no_data"
            )
        how = f"--loader {shlex.quote(loader)}" if loader else f"--flavour {explained.flavour}"
        files = "onnx" if explained.onnx else "model"
        command = (
            f"python {_SCRIPT} --model ${{{{inputs.{files}}}}}/{shlex.quote(explained.path)} {how} --data ${{{{inputs.data}}}} "
            "--rows ${{inputs.rows}} --output ${{outputs.explanation}}"
        )
        with _packed(code) as folder:
            return self._jobs.create(
                {
                    "type": "command",
                    "display_name": f"Explain {found}",
                    "experiment_name": "explanations",
                    "properties": {EXPLAINS: f"models/{name}/versions/{model['version']}"},
                    "code": folder,
                    "command": command,
                    "environment": explained.environment,
                    "inputs": {
                        "model": {"type": "custom_model", "path": f"azureml:{found}"},
                        **({"onnx": {"type": "custom_model", "path": explained.onnx}} if explained.onnx else {}),
                        "data": {"type": _type_of(table), "path": table},
                        "rows": rows,
                    },
                    "outputs": {"explanation": {"type": "uri_folder"}},
                }
            )

    def get(self, name: str, version: str) -> Json:
        """A version's newest explanation: the `job` that made it, the `tree` of its files, and the `summary` over all rows."""
        answer: Json = self._http.get(f"models/{quoted(name)}/versions/{quoted(version)}/explanation")
        return answer

    def download(self, name: str, version: str, *, target: str | Path = ".") -> Path:
        """`global.json` and `rows.parquet`, verified."""
        job: Any = self.get(name, version)["job"]
        return self._jobs.download(job, "explanation", target=target)

    def _looked_into(self, name: str, version: str | None, label: str | None) -> Json:
        """The version, once what its files are has been found out."""
        until = time.monotonic() + _LOOKED_INTO_S
        while True:
            model = self._models.get(name, version, label=label)
            if model.get("inspection") is not None or not model.get("tree") or time.monotonic() > until:
                return model
            time.sleep(_POLL_S)

    def _explained(self, model: Json, environment: str | Json | None, loader: str | None) -> Explained:
        conversion = model.get("conversion") or {}
        own = bool(environment or loader)
        if conversion.get("tree") and not own:
            return Explained(f"modelyard://trees/{conversion['tree']}", "model.onnx", "onnx", _conda("3.11", _ONNX))
        flavour, version, file = ("", None, "") if loader else _flavour(model)
        if flavour == "onnx" and not own:
            return Explained(None, file, flavour, _conda("3.11", _ONNX))
        path = file.rpartition("/")[0] if flavour == "mlflow" else file
        return Explained(None, path, flavour, self._environment(model, flavour, version, file, environment))

    def _environment(self, model: Json, flavour: str, version: str | None, file: str, given: str | Json | None) -> Json:
        """The model's environment with what explaining needs beside it."""
        stated = given or model.get("environment") or model["spec"].get("environment")
        beside = list(_BESIDE)
        if flavour == "mlflow":
            beside.append(f"mlflow-skinny=={version}" if version else "mlflow-skinny")
            stated = stated or self._conda_of(model, file)
        if any(one["name"] == "skops" for one in (model.get("inspection") or {}).get("flavours", ())):
            beside.append("skops")
        if stated is not None:
            lock = self._http.post("environment-locks", {"spec": stated})
            packages = [str(one) for one in lock["packages"]]
            there = {one.partition("==")[0] for one in packages}
            there |= {"mlflow-skinny"} & {f"{one}-skinny" for one in there}
            return _conda(lock["python"], [*packages, *(one for one in beside if one.partition("==")[0] not in there)])
        if flavour in _PACKAGES:
            package = _PACKAGES[flavour]
            return _conda("3.11", [f"{package}=={version}" if version else package, *beside])
        raise ModelyardError(
            f"it is not known in which environment {model['name']}:{model['version']} predicts: register it with one, or say which",
            code="not_explainable",
        )

    def _conda_of(self, model: Json, mlmodel: str) -> Json | None:
        """What an MLflow folder says of its environment."""
        import yaml

        beside = f"{mlmodel.rpartition('/')[0]}/conda.yaml".lstrip("/")
        for file in self._models.files(model["name"], model["version"])["files"]:
            if file["path"] == beside:
                return {"conda_file": yaml.safe_load(self._http.request("GET", f"blobs/{file['sha256']}").content)}
        return None


def _flavour(model: Json) -> tuple[str, str | None, str]:
    """What wrote the model, in which version, and its file. Raises ModelyardError for what nothing here can load."""
    found: dict[str, list[Json]] = {}
    for flavour in (model.get("inspection") or {}).get("flavours", ()):
        found.setdefault(flavour["name"], []).append(flavour)
    for name in ("onnx", "mlflow", *_PACKAGES):
        match found.get(name):
            case [one]:
                return name, one.get("version"), one["file"]
            case [*several] if several:
                raise ModelyardError(
                    f"{model['name']}:{model['version']} has several models ({', '.join(one['file'] for one in several[:5])}): say by a "
                    "loader how it predicts",
                    code="not_explainable",
                )
    kinds = ", ".join(sorted(found)) or "nothing that is known here"
    raise ModelyardError(
        f"{model['name']}:{model['version']} is {kinds}, which cannot be loaded to be explained (ONNX, MLflow, scikit-learn, XGBoost "
        "and LightGBM can): say by a loader how it predicts",
        code="not_explainable",
    )


@contextmanager
def _packed(code: str | Path | None) -> Iterator[str]:
    """A folder with the script, and the user's own code beside it."""
    with TemporaryDirectory(prefix="modelyard-explain-") as folder:
        if code is not None:
            shutil.copytree(code, folder, dirs_exist_ok=True)
        script = resources.files("modelyard") / "explaining" / "explain.py"
        Path(folder, _SCRIPT).write_bytes(script.read_bytes())
        yield folder


def _conda(python: str, packages: Iterable[str]) -> Json:
    dependencies = [f"python={python}", {"pip": list(packages)}]
    return {"conda_file": {"name": "explain", "dependencies": dependencies}}


def _type_of(table: str) -> str:
    return "uri_file" if Path(table).suffix and Path(table).is_file() else "uri_folder"
