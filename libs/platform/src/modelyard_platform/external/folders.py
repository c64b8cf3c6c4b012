"""Files and folders of this machine, behind `file://`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from modelyard_platform import trees
from modelyard_platform.errors import ForbiddenError, InvalidError, NotFoundError
from modelyard_platform.external.web import too_large
from modelyard_platform.settings import ExternalSettings


class Folders:
    """Reads below the folders that the settings name, and nowhere else; links are followed first and then judged."""

    def __init__(self, settings: ExternalSettings) -> None:
        self._allowed: Sequence[Path] = [folder.resolve() for folder in settings.external_folders]
        self._settings = settings

    def digest(self, url: str) -> tuple[str, int]:
        """sha256 of the file, or of the folder's tree, and the size of it all. Raises InvalidError, ForbiddenError, NotFoundError,
        TooLargeError."""
        path = self._path(url)
        self._small(url, path, self._settings.external_digest_bytes)
        if path.is_file():
            return trees.digest_file(path)
        tree = trees.describe(path)
        return tree.digest, tree.size

    def copy(self, url: str, target: Path) -> None:
        """The file, or all files of the folder, into the folder `target`."""
        path = self._path(url)
        for file in self._small(url, path, self._settings.external_max_bytes):
            copy = target / (file.name if file == path else file.relative_to(path))
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)

    def _path(self, url: str) -> Path:
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost"):
            raise InvalidError(f"{url!r} names a file of another machine; write file:///path", path="path")
        written = unquote(parts.path)
        if not written.startswith("/") or "\0" in written:
            raise InvalidError(f"{url!r} is not file:///absolute/path", path="path")
        path = Path(written).resolve()
        if not any(path.is_relative_to(folder) for folder in self._allowed):
            raise ForbiddenError(
                f"{url} is not below a folder that may be read; the setting EXTERNAL_FOLDERS names those "
                f"({', '.join(map(str, self._allowed)) or 'none now'})",
                code="external_forbidden",
            )
        if not path.exists():
            raise NotFoundError(f"there is nothing at {url}", code="external_missing")
        return path

    def _small(self, url: str, path: Path, limit: int) -> list[Path]:
        """The files there, none of which is reached by a link that leads out. Raises TooLargeError, InvalidError."""
        snapshot = trees.Snapshot(path)
        if (size := snapshot.size()) > limit:
            raise too_large(url, size, limit)
        return snapshot.paths
