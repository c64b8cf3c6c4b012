"""Data that stays outside: what is recorded of it, whether it is still that, and how it comes to where it is used."""

from __future__ import annotations

import hashlib
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from modelyard_contracts.work import External
from modelyard_platform import trees
from modelyard_platform.errors import InvalidError, PreconditionError
from modelyard_platform.external.buckets import Buckets, listing_digest
from modelyard_platform.external.folders import Folders
from modelyard_platform.external.web import Answer, Web, check_url, shown
from modelyard_platform.settings import ExternalSettings

__all__ = ["CHECKED", "External", "ExternalChangedError", "ExternalSettings", "ExternalStore", "is_external"]

CHECKED: Final = ("http", "https", "s3", "file")
_KEPT: Final = ("wasb", "wasbs", "abfs", "abfss", "adl", "gs", "hdfs", "azureml")
_NAME: Final = re.compile(r"[^A-Za-z0-9._-]")


class ExternalChangedError(PreconditionError):
    """What lies there is not what was registered."""

    code = "external_changed"

    def __init__(self, recorded: External, now: External) -> None:
        super().__init__(
            f"{shown(recorded.url)} has changed since it was registered: recorded was {_told(recorded)}; now there is "
            f"{_told(now)}. Register it again, as a new version",
            recorded=recorded.model_dump(exclude_none=True),
            now=now.model_dump(exclude_none=True),
        )


def is_external(path: str) -> bool:
    """Whether a path of a specification is an address outside."""
    scheme, separator, _ = path.partition("://")
    return bool(separator) and scheme.lower() in (*CHECKED, *_KEPT)


class ExternalStore:
    """Reads what lies outside, within what the settings allow. Synchronous: call it from threads.

    Every method raises InvalidError or ForbiddenError for an address that is not read, NotFoundError when nothing is there,
    TooLargeError, and UnavailableError when it does not answer now.
    """

    def __init__(self, settings: ExternalSettings) -> None:
        self._settings = settings
        self._web = Web(settings)
        self._folders = Folders(settings)
        self._buckets = Buckets(settings)

    def look(self, url: str) -> External:
        """What is there now: its ETag where the server gives a strong one, else its digest. Of addresses that cannot be read
        from here (Azure storage) only a note."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise InvalidError(f"{url[:200]!r} is no URL: {error}", path="path") from error
        match parts.scheme.lower():
            case "http" | "https":
                return self._look_at_web(url, at)
            case "s3":
                found = self._buckets.objects(url)
                size = sum(item.size for item in found)
                alone = len(found) == 1 and found[0].key == parts.path.removeprefix("/")
                etag, modified = (found[0].etag, found[0].last_modified) if alone else (listing_digest(found), None)
                return External(url=url, etag=etag, size=size, files=len(found), last_modified=modified, recorded_at=at)
            case "file":
                digest, size = self._folders.digest(url)
                return External(url=url, sha256=digest, size=size, recorded_at=at)
            case scheme:
                note = f"{scheme} addresses are not read from here: kept as an address, its content is not checked"
                return External(url=url, checked=False, note=note, recorded_at=at)

    def check(self, recorded: External) -> External:
        """What is there now. Raises ExternalChangedError when that is not what was recorded."""
        if not recorded.checked:
            return recorded
        now = self.look(recorded.url)
        if (
            recorded.sha256 is not None and now.sha256 is None
        ):  # it has an ETag by now; what counts is what was recorded
            now = self._digested(recorded.url, now.recorded_at)
        _require_same(recorded, now)
        return now

    def download(self, recorded: External, target: Path) -> None:
        """Brings it into the folder `target`, in the place of what is there; complete or not at all. Raises ExternalChangedError when it is
        not what was recorded, InvalidError for what is never checked."""
        if not recorded.checked:
            raise InvalidError(f"{shown(recorded.url)}: {recorded.note}", code="external_unreadable")
        part = target.with_name(f".part-{uuid4().hex}")
        part.mkdir(parents=True)
        try:
            self._fetch(recorded, part)
            shutil.rmtree(target, ignore_errors=True)  # of an attempt before
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _fetch(self, recorded: External, folder: Path) -> None:
        url, at = recorded.url, datetime.now(UTC).isoformat(timespec="seconds")
        match urlsplit(url).scheme.lower():
            case "s3":
                found = self._buckets.objects(url)
                _require_same(recorded, self.look(url))
                self._buckets.download(url, found, folder, self._settings.external_download_s)
            case "file":
                self._folders.copy(url, folder)
                files = [file for file in folder.rglob("*") if file.is_file()]
                if (folder / PurePosixPath(unquote(urlsplit(url).path)).name).is_file() and len(files) == 1:
                    digest, size = trees.digest_file(files[0])
                else:
                    tree = trees.describe(folder)
                    digest, size = tree.digest, tree.size
                _require_same(recorded, External(url=url, sha256=digest, size=size, recorded_at=at))
            case _:
                with self._web.opened(url, self._settings.external_download_s) as answer:
                    if recorded.sha256 is None:
                        _require_same(recorded, _of(answer, url, at))
                    seen, size = hashlib.sha256(), 0
                    with (folder / _file_name(url)).open("wb") as file:
                        for chunk in answer.chunks(self._settings.external_max_bytes):
                            seen.update(chunk)
                            size += len(chunk)
                            file.write(chunk)
                            if (
                                recorded.size is not None and size > recorded.size
                            ):  # another one: the rest tells no more
                                break
                now = External(url=url, sha256=seen.hexdigest(), etag=answer.etag, size=size, recorded_at=at)
                _require_same(recorded, now)

    def _look_at_web(self, url: str, at: str) -> External:
        check_url(url)
        with self._web.opened(url, self._settings.external_check_s, head=True) as answer:
            found = _of(answer, url, at)
        return found if found.etag is not None else self._digested(url, at)

    def _digested(self, url: str, at: str) -> External:
        with self._web.opened(url, self._settings.external_check_s) as answer:
            digest, size = hashlib.sha256(), 0
            for chunk in answer.chunks(self._settings.external_digest_bytes):
                digest.update(chunk)
                size += len(chunk)
            found = _of(answer, url, at)
        return found.model_copy(update={"sha256": digest.hexdigest(), "size": size})


def _of(answer: Answer, url: str, at: str) -> External:
    # A weak ETag says that two forms of a page mean the same, not that their bytes are equal (RFC 9110, 8.8.1).
    strong = answer.etag if answer.etag and not answer.etag.startswith("W/") else None
    return External(url=url, etag=strong, size=answer.size, last_modified=answer.last_modified, recorded_at=at)


def _require_same(recorded: External, now: External) -> None:
    if recorded.sha256 is not None:
        same = now.sha256 == recorded.sha256
    else:
        same = now.etag == recorded.etag and (None in (now.size, recorded.size) or now.size == recorded.size)
    if not same:
        raise ExternalChangedError(recorded, now)


def _told(content: External) -> str:
    what = f"sha256 {content.sha256}" if content.sha256 is not None else f"ETag {content.etag}"
    size = f", {content.size} bytes" if content.size is not None else ""
    return f"{what}{size} on {content.recorded_at}"


def _file_name(url: str) -> str:
    name = _NAME.sub("_", PurePosixPath(unquote(urlsplit(url).path)).name).lstrip(".")
    return name[:200] or "data"
