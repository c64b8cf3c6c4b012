"""What a new version is made of: from the address of its source to a tree, with what is known of where it comes from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Final, assert_never

from pydantic import ValidationError

from gateway.domain.mlflow.addresses import (
    ArtifactPath,
    LoggedModelPath,
    Outside,
    RunPath,
    VersionPath,
    artifact_uri,
    parse_source,
)
from gateway.usecases.mlflow.parts import Session, part
from modelyard_platform.errors import InvalidError
from modelyard_platform.trees import SCHEME, Tree, TreeFile

_PAGE: Final = 1000
_MLMODEL: Final = "MLmodel"


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a version's files are (`path`, of a specification), and what they come from."""

    path: str
    type: str = "custom_model"
    run: str | None = None
    model: str | None = None
    job: str | None = None
    environment: str | None = None
    sample: str | None = None


async def follow(session: Session, source: str, *, run: str | None, model: str | None) -> Origin:
    """Raises NotFoundError for a source, run or model that is not there; InvalidError for one without files, or that cannot be read."""
    origin = await _follow(session, source)
    model = model or origin.model
    if model is not None:
        logged = await session.scheduler("GET", f"logged-models/{part(model)}")
        run = run or logged["run"]
    run = run or origin.run
    if run:
        found = await session.scheduler("GET", f"runs/{part(run)}")
        origin = replace(origin, job=origin.job or found["job"])
    return replace(origin, run=run, model=model)


async def _follow(session: Session, source: str) -> Origin:
    parsed = parse_source(source)
    match parsed:
        case RunPath(run, path):
            found = await session.scheduler("GET", f"runs/{part(run)}")
            return replace(await _artifacts(session, _below(found["artifacts"], path), source), run=run)
        case LoggedModelPath(model):
            found = await session.scheduler("GET", f"logged-models/{part(model)}")
            return replace(await _artifacts(session, found["artifacts"], source), model=model)
        case ArtifactPath(path):
            return await _artifacts(session, path, source)
        case VersionPath(name, version, path):
            return await _version(session, name, version, path)
        case Outside(url):
            return Origin(path=url)
        case _:
            assert_never(parsed)


def _below(folder: str, path: str) -> str:
    return f"{folder}/{path.strip('/')}" if path.strip("/") else folder


async def _artifacts(session: Session, folder: str, source: str) -> Origin:
    """The tree of all files under a folder, or of the one file that is there."""
    outside = artifact_uri(folder)
    if outside == folder:  # an address of its own: the experiment's artifacts are elsewhere
        return Origin(path=folder)
    files: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query: dict[str, Any] = {"under": folder, "recursive": True, "limit": _PAGE}
        page = await session.scheduler("GET", "artifacts", query=query | ({"cursor": cursor} if cursor else {}))
        files += [file | {"path": file["path"].removeprefix(f"{folder}/")} for file in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    if not files:
        single = await session.scheduler("GET", f"artifacts/{part(folder)}")
        files = [single | {"path": folder.rsplit("/", 1)[-1]}]
    try:
        tree = Tree(files=tuple(tree_file(file) for file in files))
    except ValidationError as error:
        raise InvalidError(f"the source {source!r}: {error.errors()[0]['msg']}", path="source") from error
    return await _store(session, tree, source)


def tree_file(file: dict[str, Any]) -> TreeFile:
    """A file as a tree has it: with its parts when it is kept in more than one blob."""
    return TreeFile.model_validate({key: value for key, value in file.items() if key != "parts" or value})


async def _store(session: Session, tree: Tree, source: str) -> Origin:
    if not tree.files:
        raise InvalidError(f"the source {source!r} has no files", path="source")
    document = tree.document()
    digest = hashlib.sha256(document).hexdigest()
    await session.put_blob(digest, [document], len(document))
    kind = "mlflow_model" if any(file.path == _MLMODEL for file in tree.files) else "custom_model"
    return Origin(path=f"{SCHEME}{digest}", type=kind)


async def _version(session: Session, name: str, version: str, path: str) -> Origin:
    """The files of another version, and all that is known of where they come from."""
    if version.startswith("@"):
        found = await session.registry("GET", f"models/{part(name)}/labels/{part(version[1:])}")
    else:
        found = await session.registry("GET", f"models/{part(name)}/versions/{part(version)}")
    where = f"{SCHEME}{found['tree']}" if found["tree"] else found["spec"].get("path", "")
    if path:
        whole = await session.registry("GET", f"models/{part(name)}/versions/{part(found['version'])}/tree")
        tree = Tree(files=tuple(TreeFile.model_validate(file) for file in whole["files"])).below(path)
        where = (await _store(session, tree, path)).path
    return Origin(
        path=where,
        type=found["type"] or "custom_model",
        run=found["properties"].get("mlflow.run_id"),
        model=found["properties"].get("mlflow.model_id"),
        job=found["job"],
        environment=found["environment"],
        sample=found["sample"],
    )
