"""Models, data, environments, components: versions with files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from modelyard.api.http import Documents, Http, Json, quoted
from modelyard.api.specs import Prepared, SpecLike, Specs, overrides_of
from modelyard_specs import Group

AssetKind = Literal["models", "data", "environments", "components"]

GROUPS: Final[Mapping[AssetKind, Group]] = {
    "models": "model",
    "data": "data",
    "environments": "environment",
    "components": "component",
}


class Assets:
    """One kind of asset. A version is a mapping: `name`, `version`, `type`, `tags`, `tree`, `aliases`, `created_by`, …

    Where a version is asked for, `version` names it, or `label` (`latest`, or an alias such as `champion`); neither means `latest`.
    """

    def __init__(self, http: Http, specs: Specs, kind: AssetKind) -> None:
        self._http = http
        self._specs = specs
        self.kind = kind

    def create(
        self,
        spec: SpecLike,
        *,
        job: str | None = None,
        environment: str | None = None,
        sample: str | Path | None = None,
        **overrides: Any,
    ) -> Json:
        """Register a version: the specification's, or the name's next one. It exists once, whatever fails on the way.

        `job`: the name of the job that made it. `environment`: the digest of the environment lock it was made in. `sample`: a table of
        its inputs, a file or a folder, on which a model's conversion is measured. `overrides` go over the specification's keys.

        Raises:
            SpecError: the specification is wrong.
            ModelyardError: it was refused.
        """
        prepared = self._specs.prepare(spec, GROUPS[self.kind], overrides_of(overrides))
        return self.register(prepared, job=job, environment=environment, sample=sample)

    def register(
        self,
        prepared: Prepared,
        *,
        job: str | None = None,
        environment: str | None = None,
        sample: str | Path | None = None,
    ) -> Json:
        """Register what was prepared."""
        body = {"spec": prepared.spec, "job": job, "environment": environment}
        if sample is not None:
            body["sample"] = self._specs.trees.upload(Path(sample).resolve())
        with prepared.blamed():
            return self._dict(self._http.post(self.kind, body))

    def list(
        self,
        name: str | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        archived: bool = False,
        limit: int | None = None,
    ) -> Documents:
        """The versions of `name`, newest first; without a name the newest version of each. A `*` in the name stands for anything."""
        params: Json = {"archived": archived or None, "tag": [f"{key}={value}" for key, value in (tags or {}).items()]}
        if name is None or "*" in name:
            return [*self._http.pages(self.kind, params | {"name": name}, limit=limit)]
        return [*self._http.pages(f"{self._path(name)}/versions", params, limit=limit)]

    def get(self, name: str, version: str | None = None, *, label: str | None = None) -> Json:
        """One version."""
        return self._dict(self._http.get(self._at(name, version, label)))

    def files(self, name: str, version: str | None = None, *, label: str | None = None) -> Json:
        """A version's tree: its `digest`, `size`, and `files` (`{path, sha256, size}`)."""
        found = self._exact(name, version, label)
        return self._dict(self._http.get(f"{self._at(name, found, None)}/tree"))

    def download(
        self, name: str, version: str | None = None, *, label: str | None = None, target: str | Path = "."
    ) -> Path:
        """A version's files into a folder, verified. What is there already is not fetched again."""
        return self._specs.trees.download(self.files(name, version, label=label)["files"], Path(target))

    def update(self, name: str, version: str | None = None, *, label: str | None = None, **changes: Any) -> Json:
        """Change `description`, `tags`, `properties` or `stage`: what a version is about, never what it is."""
        return self._dict(self._http.patch(self._at(name, self._exact(name, version, label), None), changes))

    def archive(self, name: str, version: str | None = None, *, label: str | None = None) -> Json:
        """Hide a version from lists and from `latest`; references by number go on working."""
        path = self._at(name, self._exact(name, version, label), None)
        return self._dict(self._http.post(f"{path}/archive"))

    def restore(self, name: str, version: str) -> Json:
        """Bring an archived version back."""
        return self._dict(self._http.post(f"{self._at(name, version, None)}/restore"))

    def delete(self, name: str, version: str) -> None:
        """Delete a version for good. Refused while something stands on it."""
        self._http.delete(self._at(name, version, None))

    def set_alias(self, name: str, alias: str, version: str) -> Json:
        """Let an alias such as `champion` name a version."""
        return self._dict(self._http.put(f"{self._path(name)}/aliases/{quoted(alias)}", {"version": version}))

    def remove_alias(self, name: str, alias: str) -> None:
        """Take an alias away; the version stays."""
        self._http.delete(f"{self._path(name)}/aliases/{quoted(alias)}")

    def _path(self, name: str) -> str:
        return f"{self.kind}/{quoted(name)}"

    def _at(self, name: str, version: str | None, label: str | None) -> str:
        if version is not None:
            return f"{self._path(name)}/versions/{quoted(str(version))}"
        return f"{self._path(name)}/labels/{quoted(label or 'latest')}"

    def _exact(self, name: str, version: str | None, label: str | None) -> str:
        """A label may move between two requests: it is looked up once."""
        return version if version is not None else str(self.get(name, label=label)["version"])

    @staticmethod
    def _dict(answer: Any) -> Json:
        assert isinstance(answer, dict)
        return answer
