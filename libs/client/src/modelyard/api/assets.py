"""Models, data, environments, components: versions with files."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from modelyard.api.http import Documents, Http, Json, quoted
from modelyard.api.specs import Prepared, SpecLike, Specs, overrides_of
from modelyard.errors import DownloadError, ModelyardError

if TYPE_CHECKING:
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

    def __init__(self, http: Http, specs: Specs, kind: AssetKind, registry: str | None = None) -> None:
        self._http = http
        self._specs = specs
        self._registry = registry
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
            body["sample"] = self._specs.upload(sample)
        with prepared.blamed():
            return self._dict(self._http.post(self.kind, body))

    def list(
        self,
        name: str | None = None,
        *,
        search: str | None = None,
        tags: Mapping[str, str] | None = None,
        sort: str | None = None,
        all_versions: bool = False,
        archived: bool = False,
        limit: int | None = None,
    ) -> Documents:
        """The versions of `name`, newest first; without a name the newest version of each name that fits, or `all_versions` that fit.

        `search` has conditions separated by spaces, all of which must hold: `TAG=VALUE`, `tag:NAME`, `name:PATTERN`,
        `property:NAME=VALUE`, `type:`, `flavour:`, `stage:`, `by:`, `job:`, `after:`, `before:`, `used-by:`, `alias:`, or words of the
        name, description and tags. A `*` in `name` stands for anything. `sort`: `name`, `created_at` or `version`, with `-` the other way
        round.
        """
        pattern = name if name is not None and "*" in name else None
        conditions = [f"{key}={value}" for key, value in (tags or {}).items()] + (
            [f"name:{pattern}"] if pattern else []
        )
        found = " ".join([*([search] if search else []), *(shlex.quote(one) for one in conditions)])
        params: Json = {"search": found or None, "sort": sort, "archived": archived or None}
        if name is None or pattern:
            params["versions"] = "all" if all_versions else None
            return [*self._http.pages(self.kind, params, limit=limit)]
        return [*self._http.pages(f"{self._path(name)}/versions", params, limit=limit)]

    def get(self, name: str, version: str | None = None, *, label: str | None = None) -> Json:
        """One version."""
        return self._dict(self._http.get(self._at(name, version, label)))

    def files(self, name: str, version: str | None = None, *, label: str | None = None) -> Json:
        """A version's tree: its `digest`, `size`, and `files` (`{path, sha256, size}`)."""
        found = self._exact(name, version, label)
        return self._dict(self._http.get(f"{self._at(name, found, None)}/tree"))

    def download(
        self,
        name: str,
        version: str | None = None,
        *,
        label: str | None = None,
        target: str | Path = ".",
        verify: bool = True,
    ) -> Path:
        """A version's files into a folder, verified by their digests. What is there already is not fetched again.

        `verify`: they are held against their signed manifest too. The key is that of the file `MODELYARD_SIGNING_PUBLIC_KEY`, else the
        one that this Modelyard gives (`signing_key`); where it signs nothing there is nothing to verify. A refusal is told to Modelyard.

        Raises:
            DownloadError: the files are not what was signed, or cannot be written.
        """
        from modelyard.api.integrity import REFUSED, signed, verifier

        found = self.get(name, version, label=label)
        asked = signed(self._scope(), self.kind, found) if verify else None
        trusted = verifier(self._specs.http) if asked is not None else None
        try:
            if asked is not None and trusted is not None:
                return self._specs.trees.download_signed(asked, found["size"], trusted, Path(target))
            return self._specs.trees.download(self.files(name, found["version"])["files"], Path(target))
        except DownloadError as error:
            if error.code in REFUSED:
                self._tell_refused(name, found["version"], error.detail)
            raise

    def _tell_refused(self, name: str, version: str, detail: str) -> None:
        """So that others hear of it. Whether that can be told or not, whoever downloads is to see what was refused."""
        with suppress(ModelyardError):
            self._http.post(f"{self._at(name, version, None)}/integrity-failures", {"detail": detail[:2000]})

    def manifest(self, name: str, version: str | None = None, *, label: str | None = None) -> bytes:
        """A version's signed manifest: an OpenSSF model signature, for `model_signing verify key --signature FILE`."""
        path = self._at(name, self._exact(name, version, label), None)
        return self._http.request("GET", f"{path}/manifest").content

    def update(self, name: str, version: str | None = None, *, label: str | None = None, **changes: Any) -> Json:
        """Change what a version is about, never what it is: `description`, `tags` (all of them), `set_tags`, `remove_tags`, `stage`, and
        `properties`, which are only added."""
        return self._dict(self._http.patch(self._at(name, self._exact(name, version, label), None), changes))

    def archive(self, name: str, version: str | None = None, *, label: str | None = None) -> Json:
        """Hide a version from lists and from `latest`; references by number go on working."""
        path = self._at(name, self._exact(name, version, label), None)
        return self._dict(self._http.post(f"{path}/archive"))

    def restore(self, name: str, version: str) -> Json:
        """Bring an archived version back."""
        return self._dict(self._http.post(f"{self._at(name, version, None)}/restore"))

    def archive_all(self, name: str) -> Json:
        """Hide every version of a name; answers which: `{versions}`."""
        return self._dict(self._http.post(f"{self._path(name)}/archive"))

    def restore_all(self, name: str) -> Json:
        """Bring every archived version of a name back; answers which: `{versions}`."""
        return self._dict(self._http.post(f"{self._path(name)}/restore"))

    def delete(self, name: str, version: str) -> None:
        """Delete a version for good. Refused while something stands on it."""
        self._http.delete(self._at(name, version, None))

    def share(
        self,
        name: str,
        version: str | None = None,
        *,
        label: str | None = None,
        registry: str,
        as_name: str | None = None,
        as_version: str | None = None,
    ) -> Json:
        """Copy a version to a shared registry, where every workspace may use it; its files are the same. Its name and version there are
        the same unless others are given."""
        path = self._at(name, self._exact(name, version, label), None)
        body = {"registry": registry, "name": as_name, "version": as_version}
        return self._dict(self._http.post(f"{path}/share", body))

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

    def _scope(self) -> str:
        """The shared registry, else the workspace of whoever asks."""
        if self._registry is not None:
            return f"registries/{self._registry}"
        return str(self._http.get("whoami")["workspace"])

    def _exact(self, name: str, version: str | None, label: str | None) -> str:
        """A label may move between two requests: it is looked up once."""
        return version if version is not None else str(self.get(name, label=label)["version"])

    @staticmethod
    def _dict(answer: Any) -> Json:
        assert isinstance(answer, dict)
        return answer
