"""Profiles of data files."""

from collections.abc import Callable
from pathlib import Path

from modelyard_profiles.errors import DataFileError, ProfileError
from modelyard_profiles.readers import FORMATS, Batches, DataFile, FileFormat, Types, batches, format_of, widened
from modelyard_profiles.table import TableProfile


def profile_file(path: Path, file_format: FileFormat | None = None) -> TableProfile:
    """The profile of a CSV (comma, header line), Parquet or JSON lines file.

    Types are those of the whole file: a column that starts with integers and goes on with words is read as words. Raises
    DataFileError, with the line where one is to blame, when the file cannot be read as `file_format` (told from the
    file's name when not given).
    """
    chosen = file_format or format_of(path)
    if chosen is None or chosen not in FORMATS:
        raise DataFileError(path, f"not a tabular format: {chosen or path.suffix!r}; known are {', '.join(FORMATS)}")
    file = DataFile.at(path)
    try:
        return profile_rows(lambda types: batches(file, chosen, types))
    except DataFileError:
        raise
    except ProfileError as error:
        raise DataFileError(path, str(error)) from error


def profile_rows(read: Callable[[Types], Batches]) -> TableProfile:
    """The profile of a table, which `read` gives with the types its columns must have (see `readers.widened`).

    Raises ProfileError.
    """

    def profile(types: Types) -> TableProfile:
        made = TableProfile()
        for batch in read(types):
            made.update(batch)
        return made

    return widened(profile)
