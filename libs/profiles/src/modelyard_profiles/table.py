"""The profile of a table: what the registry keeps of a data version, and the drift-monitor of a window."""

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa

from modelyard_profiles.column import ColumnProfile
from modelyard_profiles.errors import ProfileError, StoredProfileError

STORED_FORMAT: Final = "modelyard.profile/1"


class TableProfile:
    """Rows and a ColumnProfile by column name; mergeable with the profile of other rows of the same table.

    A column that is absent from some rows counts as missing there: every column's count + missing is `rows`.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._columns: dict[str, ColumnProfile] = {}

    @property
    def columns(self) -> Mapping[str, ColumnProfile]:
        """The columns by name, in the order in which they were first seen."""
        return MappingProxyType(self._columns)

    def update(self, batch: pa.RecordBatch) -> None:
        """Takes in a batch of rows.

        Raises ColumnConflictError when a column is of another kind than before, ProfileError when a name occurs twice;
        the profile is then no longer of any use.
        """
        names = batch.schema.names
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ProfileError(f"column names must be unique; these are not: {', '.join(map(repr, twice))}")
        for name in names:
            self._column(name).update(batch.column(name))
        self.rows += batch.num_rows
        self._fill_absent()

    def merge(self, other: "TableProfile") -> None:
        """Takes in what `other` has seen; raises ColumnConflictError as `update` does."""
        for name, column in other.columns.items():
            self._column(name).merge(column)
        self.rows += other.rows
        self._fill_absent()

    def summary(self) -> dict[str, Any]:
        """What a person wants to read, as JSON."""
        return {"rows": self.rows, "columns": {name: column.summary() for name, column in self._columns.items()}}

    def document(self) -> dict[str, Any]:
        """All that is worth reading, as JSON: as `summary`, with histograms, more quantiles and top values."""
        return {"rows": self.rows, "columns": {name: column.document() for name, column in self._columns.items()}}

    def to_bytes(self) -> bytes:
        """For storage; `from_bytes` reads it back. A line with format and digest, then JSON: about 16 KiB a numeric column."""
        columns = [[name, column.to_json()] for name, column in self._columns.items()]
        body = json.dumps({"rows": self.rows, "columns": columns}).encode()
        return f"{STORED_FORMAT} {hashlib.sha256(body).hexdigest()}\n".encode() + body

    @classmethod
    def from_bytes(cls, stored: bytes) -> "TableProfile":
        """Reads what `to_bytes` wrote; raises StoredProfileError on anything else."""
        head, _, body = stored.partition(b"\n")
        stored_format, _, digest = head.partition(b" ")
        if stored_format != STORED_FORMAT.encode():
            raise StoredProfileError(f"not a stored profile of format {STORED_FORMAT!r}: starts with {head[:40]!r}")
        # The sketches' native readers trust their bytes (a flipped bit can crash them), so the digest stands before them.
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise StoredProfileError("this stored profile is damaged: its digest does not match")
        document = json.loads(body)
        profile = cls()
        profile.rows = document["rows"]
        for name, column in document["columns"]:
            profile._columns[name] = ColumnProfile.from_json(name, column)
        return profile

    def _column(self, name: str) -> ColumnProfile:
        return self._columns.setdefault(name, ColumnProfile(name))

    def _fill_absent(self) -> None:
        for column in self._columns.values():
            column.missing = self.rows - column.count


def merge(left: TableProfile, right: TableProfile) -> TableProfile:
    """The profile of both tables' rows; neither argument changes. Raises ColumnConflictError."""
    merged = TableProfile()
    merged.merge(left)
    merged.merge(right)
    return merged
