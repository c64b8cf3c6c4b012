"""What the SDK raises."""

from collections.abc import Mapping, Sequence
from typing import Any


class ModelyardError(Exception):
    """Modelyard did not do what it was asked to.

    `detail` says what was wrong and what would be right, `code` is stable and for programs, `status` the HTTP status (None when no
    service answered). `path` and `line` say where in the specification; `errors` holds every finding as
    `{path, line, column, message, expected, suggestion}`, as far as they are known.
    """

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        status: int | None = None,
        path: str | None = None,
        line: int | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.status = status
        self.path = path
        self.line = line
        self.errors = list(errors)


class UnreachableError(ModelyardError):
    """Nobody answered within the time that requests are repeated for."""

    def __init__(self, url: str, reason: object) -> None:
        super().__init__(f"{url} does not answer: {reason}", code="unreachable")


class NotConfiguredError(ModelyardError):
    """It is not known which Modelyard to talk to, or as whom."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code="not_configured")


class UploadError(ModelyardError):
    """Files on this machine that cannot be sent."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code="upload_invalid")


class DownloadError(ModelyardError):
    """Files that came and cannot be kept: on their way out of the target folder, or damaged. What is not what was signed, or what its
    digest says, has the code `integrity_failed` or `digest_mismatch`."""

    def __init__(self, detail: str, *, code: str = "download_invalid") -> None:
        super().__init__(detail, code=code)
