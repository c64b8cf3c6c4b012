# Generated from modelyard.api.explanations by libs.client.generate_async: do not edit.
"""Explanations of models: a job computes Shapley values, and the registry attaches them to the version."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from modelyard.aio.assets import Assets
from modelyard.aio.http import Http
from modelyard.aio.jobs import Jobs
from modelyard.api.explanations import _ENVIRONMENT, EXPLAINS, _type_of
from modelyard.api.http import Json, quoted
from modelyard.errors import ModelyardError


class Explanations:
    """Which columns move a model's predictions, over all rows and for each."""

    def __init__(self, http: Http, models: Assets, jobs: Jobs) -> None:
        self._http = http
        self._models = models
        self._jobs = jobs

    async def create(
        self,
        name: str,
        version: str | None = None,
        *,
        label: str | None = None,
        data: str | None = None,
        rows: int = 200,
    ) -> Json:
        """Submit the job that explains a model version; when it has completed, `get` has its results.

        `data` is a reference (`azureml:NAME:VERSION`) or a path; without it the table that the version was registered with is taken.

        Raises:
            ModelyardError: the version has no ONNX form to explain, or there is no data.
        """
        version = version or (None if label else str((await self._models.get(name))["version"]))
        model = await self._models.get(name, version, label=label)
        found = f"{name}:{model['version']}"
        conversion = model.get("conversion") or {}
        onnx = f"modelyard://trees/{conversion['tree']}" if conversion.get("tree") else f"azureml:{found}"
        if not conversion.get("tree") and conversion.get("status") == "failed":
            raise ModelyardError(
                f"{found} has no ONNX form to explain: {conversion.get('detail')}", code="not_explainable"
            )
        table = data or (f"modelyard://trees/{model['sample']}" if model.get("sample") else None)
        if table is None:
            raise ModelyardError(
                f"{found} was registered without a sample of its inputs: say which data explains it", code="no_data"
            )
        arguments = (
            "--model ${{inputs.onnx}} --data ${{inputs.data}} --rows ${{inputs.rows}} --output ${{outputs.explanation}}"
        )
        with resources.as_file(resources.files("modelyard") / "explaining") as code:
            return await self._jobs.create(
                {
                    "type": "command",
                    "display_name": f"Explain {found}",
                    "experiment_name": "explanations",
                    "properties": {EXPLAINS: f"models/{name}/versions/{model['version']}"},
                    "code": str(code),
                    "command": f"python explain.py {arguments}",
                    "environment": {"conda_file": _ENVIRONMENT},
                    "inputs": {
                        "model": {"type": "custom_model", "path": f"azureml:{found}"},
                        "onnx": {"type": "custom_model", "path": onnx},
                        "data": {"type": _type_of(table), "path": table},
                        "rows": rows,
                    },
                    "outputs": {"explanation": {"type": "uri_folder"}},
                }
            )

    async def get(self, name: str, version: str) -> Json:
        """A version's newest explanation: the `job` that made it, the `tree` of its files, and the `summary` over all rows."""
        answer: Json = await self._http.get(f"models/{quoted(name)}/versions/{quoted(version)}/explanation")
        return answer

    async def download(self, name: str, version: str, *, target: str | Path = ".") -> Path:
        """`global.json` and `rows.parquet`, verified."""
        job: Any = (await self.get(name, version))["job"]
        return await self._jobs.download(job, "explanation", target=target)
