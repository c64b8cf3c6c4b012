"""Mergeable column profiles of tabular data, and distances between them."""

from modelyard_profiles.column import ColumnProfile, LogicalType
from modelyard_profiles.distances import (
    Measure,
    jensen_shannon_distance,
    kolmogorov_smirnov_statistic,
    normalized_wasserstein_distance,
    population_stability_index,
)
from modelyard_profiles.drift import DEFAULT_RULES, MIN_ROWS, DriftRule, FeatureDrift, compare
from modelyard_profiles.effects import cohens_d, cohens_w
from modelyard_profiles.errors import (
    ColumnConflictError,
    DataFileError,
    EmptySideError,
    NotComparableError,
    ProfileError,
    StoredProfileError,
)
from modelyard_profiles.files import profile_file, profile_rows
from modelyard_profiles.mltable import MLTable, MLTableError
from modelyard_profiles.readers import DataFile, FileFormat, format_of
from modelyard_profiles.rows import Rows, file_rows, read_rows
from modelyard_profiles.table import TableProfile, merge

__all__ = [
    "DEFAULT_RULES",
    "MIN_ROWS",
    "ColumnConflictError",
    "ColumnProfile",
    "DataFile",
    "DataFileError",
    "DriftRule",
    "EmptySideError",
    "FeatureDrift",
    "FileFormat",
    "LogicalType",
    "MLTable",
    "MLTableError",
    "Measure",
    "NotComparableError",
    "ProfileError",
    "Rows",
    "StoredProfileError",
    "TableProfile",
    "cohens_d",
    "cohens_w",
    "compare",
    "file_rows",
    "format_of",
    "jensen_shannon_distance",
    "kolmogorov_smirnov_statistic",
    "merge",
    "normalized_wasserstein_distance",
    "population_stability_index",
    "profile_file",
    "profile_rows",
    "read_rows",
]
