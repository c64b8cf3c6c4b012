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
from modelyard_profiles.errors import (
    ColumnConflictError,
    DataFileError,
    EmptySideError,
    NotComparableError,
    ProfileError,
    StoredProfileError,
)
from modelyard_profiles.files import FileFormat, format_of, profile_file
from modelyard_profiles.table import TableProfile, merge

__all__ = [
    "DEFAULT_RULES",
    "MIN_ROWS",
    "ColumnConflictError",
    "ColumnProfile",
    "DataFileError",
    "DriftRule",
    "EmptySideError",
    "FeatureDrift",
    "FileFormat",
    "LogicalType",
    "Measure",
    "NotComparableError",
    "ProfileError",
    "StoredProfileError",
    "TableProfile",
    "compare",
    "format_of",
    "jensen_shannon_distance",
    "kolmogorov_smirnov_statistic",
    "merge",
    "normalized_wasserstein_distance",
    "population_stability_index",
    "profile_file",
]
