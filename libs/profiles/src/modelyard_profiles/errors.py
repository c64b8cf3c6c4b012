"""What can be wrong with data, files and stored profiles."""

from pathlib import Path


class ProfileError(Exception):
    """Anything that this package refuses."""


class ColumnConflictError(ProfileError):
    """One column holds values of two types that cannot be summarised together."""

    def __init__(self, column: str, left: str, right: str) -> None:
        super().__init__(f"column {column!r} is {left} on one side and {right} on the other: they cannot be merged")
        self.column = column
        self.left = left
        self.right = right


class DataFileError(ProfileError):
    """A data file that cannot be read; `line` (from 1) where one line is to blame."""

    def __init__(self, path: Path, reason: str, line: int | None = None) -> None:
        where = f"{path.name}, line {line}" if line is not None else path.name
        super().__init__(f"{where}: {reason}")
        self.path = path
        self.reason = reason
        self.line = line


class StoredProfileError(ProfileError):
    """Bytes that are not a profile, or one of a version that this code does not read."""


class EmptySideError(ProfileError):
    """A distance was asked for between distributions of which one has no values."""

    def __init__(self, side: str) -> None:
        super().__init__(f"the {side} has no values: a distance needs at least one on each side")
        self.side = side


class NotComparableError(ProfileError):
    """A distance was asked for that these two columns do not have."""
