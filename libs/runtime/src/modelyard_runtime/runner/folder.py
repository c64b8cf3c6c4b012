"""A step's folder on the node, `DATA_DIR/steps/<step>/<attempt>/`: code, inputs, outputs, log."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, Final

from modelyard_contracts.work import StepInput, StepOrder
from modelyard_platform import manifests, trees
from modelyard_platform.errors import InvalidError, UnavailableError
from modelyard_platform.external import ExternalStore
from modelyard_platform.manifests import Signed, Verifier
from modelyard_platform.objects import ObjectStore

ARTIFACTS: Final = "artifacts"
"""The output that `./outputs` in the working directory becomes, unless the step declares one of that name."""

KEEP_FAILED: Final = 10
_FAILED: Final = ".failed"
_PREDECESSOR_S: Final = 60.0
_POLL_S: Final = 0.1
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")


class StepFolder:
    """Where one attempt's files are. Raises InvalidError when a name in the order could lead out of it."""

    def __init__(self, data_dir: Path, order: StepOrder) -> None:
        for name in (order.step_id, *order.inputs, *order.outputs):
            if not _NAME.fullmatch(name):
                raise InvalidError(f"{name!r} cannot name a step, an input or an output: letters, digits, _ . - only")
        self._steps = data_dir.resolve() / "steps"
        self._order = order
        self.root = self._steps / order.step_id / str(order.attempt)
        self.code = self.root / "code"
        self.home = self.root / "home"
        self.log = self.root / "log.txt"

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Empty, and nobody else's: waits for the same attempt's former run, whose runner was killed, to be gone.

        Raises UnavailableError when it is not gone in time.
        """
        self.root.parent.mkdir(parents=True, exist_ok=True)
        with await self._lock():
            await asyncio.to_thread(shutil.rmtree, self.root, ignore_errors=True)
            for folder in (self.code / "outputs", self.home):
                folder.mkdir(parents=True)
            for name in self._order.outputs:
                (self.root / "outputs" / name).mkdir(parents=True)
            yield

    async def _lock(self) -> IO[str]:
        path = self.root.with_suffix(".lock")
        for _ in range(int(_PREDECESSOR_S / _POLL_S)):
            handle = path.open("w")
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.exists() and os.path.samestat(path.stat(), os.fstat(handle.fileno())):
                    return handle  # else its holder removed the file on leaving, and another may have made it anew
            except BlockingIOError:
                pass
            handle.close()
            await asyncio.sleep(_POLL_S)
        raise UnavailableError(
            f"attempt {self._order.attempt} of step {self._order.step_id} is still running on this node"
        )

    def fetch(self, store: ObjectStore, outside: ExternalStore, verifier: Verifier | None) -> dict[str, str]:
        """Code and inputs from the store, those of registered versions verified, and from outside.

        What `${{inputs.x}}` stands for, by name: a path, or the literal. Raises IntegrityError, NotFoundError, UnavailableError.
        """
        order = self._order
        if order.code and order.code_subject:
            signed = Signed(tree=order.code, manifest=order.code_manifest, subject=order.code_subject)
            manifests.download(store, signed, verifier, self.code)
        elif order.code:
            trees.download(store, trees.load(store, order.code), self.code)
        return {
            name: self._fetch_input(store, outside, verifier, name, given) for name, given in self._order.inputs.items()
        }

    def _fetch_input(
        self, store: ObjectStore, outside: ExternalStore, verifier: Verifier | None, name: str, given: StepInput
    ) -> str:
        target = self.root / "inputs" / name
        if given.external is not None:
            outside.download(given.external, target)
            files = [path for path in target.rglob("*") if path.is_file()]
            return str(files[0]) if given.type == "uri_file" and len(files) == 1 else str(target)
        if given.tree is None:
            return given.value or ""
        if given.subject is None:
            tree = trees.load(store, given.tree).below(given.path)
            trees.download(store, tree, target)
        else:
            signed = Signed(tree=given.tree, manifest=given.manifest, subject=given.subject)
            tree = manifests.download(store, signed, verifier, target, below=given.path)
        if given.type == "uri_file" and len(tree.files) == 1:
            return str(target / tree.files[0].path)
        return str(target)

    def output_paths(self) -> dict[str, str]:
        """What `${{outputs.y}}` stands for, by name: an empty folder, or for `uri_file` a file that is not there yet."""
        folders = {name: self.root / "outputs" / name for name in self._order.outputs}
        return {
            name: str(at / name if self._order.outputs[name].type == "uri_file" else at) for name, at in folders.items()
        }

    def store_outputs(self, store: ObjectStore) -> dict[str, str]:
        """Uploads what the command wrote; tree digests by output. Raises InvalidError when a `uri_file` was not written."""
        found = {}
        for name, path in self.output_paths().items():
            if self._order.outputs[name].type == "uri_file" and not Path(path).is_file():
                raise InvalidError(
                    f"the output {name!r} is a uri_file, but the command wrote no file to ${{{{outputs.{name}}}}}"
                )
            found[name] = trees.upload(store, self.root / "outputs" / name).digest
        kept = self.code / "outputs"
        if ARTIFACTS not in found and kept.is_dir() and any(kept.iterdir()):
            found[ARTIFACTS] = trees.upload(store, kept).digest
        return found

    def store_log(self, store: ObjectStore) -> str:
        """Uploads the whole log; its blob's digest."""
        digest, size = trees.digest_file(self.log)
        with self.log.open("rb") as file:
            store.put_file(file, digest, size)
        return digest

    def leave(self, *, failed: bool) -> None:
        """Removes the folder, or keeps it to be looked at, as one of the last `KEEP_FAILED` that failed."""
        if not failed:
            self._remove(self.root)
            return
        (self.root / _FAILED).touch()
        marks = sorted(self._steps.glob(f"*/*/{_FAILED}"), key=_modified)
        for mark in marks[:-KEEP_FAILED]:
            self._remove(mark.parent)

    def _remove(self, attempt: Path) -> None:
        shutil.rmtree(attempt, ignore_errors=True)
        attempt.with_suffix(".lock").unlink(missing_ok=True)
        with suppress(OSError):  # another attempt of the step is still there
            attempt.parent.rmdir()


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another task was faster
        return 0.0
