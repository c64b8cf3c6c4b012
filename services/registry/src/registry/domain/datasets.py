"""How two versions of data differ: their files, their columns, what is in the columns."""

from __future__ import annotations

from typing import Any, Final

from modelyard_platform.trees import Tree
from modelyard_profiles import ColumnProfile, FeatureDrift, TableProfile, cohens_d, cohens_w, compare

LISTED: Final = 1_000
"""Files named one by one of each sort; the counts are of all."""


def files_between(before: Tree, after: Tree) -> dict[str, Any]:
    """Files added, removed and changed (another digest at the same path)."""
    left = {file.path: file.sha256 for file in before.files}
    right = {file.path: file.sha256 for file in after.files}
    added = sorted(right.keys() - left.keys())
    removed = sorted(left.keys() - right.keys())
    changed = sorted(path for path in left.keys() & right.keys() if left[path] != right[path])
    return {
        "added": added[:LISTED],
        "removed": removed[:LISTED],
        "changed": changed[:LISTED],
        "counts": {
            "added": len(added),
            "removed": len(removed),
            "changed": len(changed),
            "unchanged": len(left.keys() & right.keys()) - len(changed),
        },
        "size": {"from": before.size, "to": after.size},
    }


def tables_between(before: TableProfile, after: TableProfile) -> dict[str, Any]:
    """Rows, columns that came, went or changed their type, and what changed in those that both have."""
    left, right = before.columns, after.columns
    both = [name for name in left if name in right]
    retyped = [name for name in both if left[name].type is not right[name].type]
    drifts = {drift.feature: drift for drift in compare(before, after)}
    columns = [_column(left[name], right[name], drifts.get(name)) for name in both]
    return {
        "rows": {"from": before.rows, "to": after.rows, "change": after.rows - before.rows},
        "schema": {
            "added": [{"name": name, "type": str(right[name].type)} for name in right if name not in left],
            "removed": [{"name": name, "type": str(left[name].type)} for name in left if name not in right],
            "retyped": [{"name": name, "from": str(left[name].type), "to": str(right[name].type)} for name in retyped],
        },
        "columns": columns,
        "drifted": [column["name"] for column in columns if column["verdict"] == "drifted"],
    }


def _column(before: ColumnProfile, after: ColumnProfile, drift: FeatureDrift | None) -> dict[str, Any]:
    return {
        "name": before.name,
        "type": {"from": str(before.type), "to": str(after.type)},
        "drift": _drift(drift) if drift is not None else None,
        "effect_size": _effect(before, after),
        "verdict": _verdict(drift),
        "note": drift.note if drift is not None else "columns of this type are not compared",
        "missing": {
            "from": before.missing,
            "to": after.missing,
            "from_share": _share(before),
            "to_share": _share(after),
        },
        "distinct": {"from": _distinct(before), "to": _distinct(after)},
        "mean": {"from": before.summary().get("mean"), "to": after.summary().get("mean")},
    }


def _drift(drift: FeatureDrift) -> dict[str, Any]:
    return {"measure": str(drift.measure), "value": drift.value, "threshold": drift.threshold, "limit": drift.limit}


def _verdict(drift: FeatureDrift | None) -> str:
    if drift is None or drift.value is None:
        return "not compared"
    return "drifted" if drift.drifted else "same"


def _effect(before: ColumnProfile, after: ColumnProfile) -> dict[str, Any] | None:
    if before.type is not after.type:
        return None
    if before.numbers is not None:
        return {"measure": "cohens_d", "value": cohens_d(before, after)}
    if before.categories is not None:
        return {"measure": "cohens_w", "value": cohens_w(before, after)}
    return None


def _distinct(column: ColumnProfile) -> int | None:
    if column.categories is not None:
        return column.categories.distinct
    if column.numbers is not None and column.numbers.distinct is not None:
        return column.numbers.distinct.estimate
    return None


def _share(column: ColumnProfile) -> float:
    rows = column.count + column.missing
    return column.missing / rows if rows else 0.0
