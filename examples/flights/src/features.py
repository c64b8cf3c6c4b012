"""What the model reads, and what it is to tell."""

from pathlib import Path

import pandas as pd

CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = ["distance", "day_of_week", "hour", "minute", "temp", "humid", "wind_speed", "precip", "visib"]
FEATURES = CATEGORIES + NUMBERS
LABEL = "late"
TIME = "scheduled_hour"


def read_flights(folder: Path) -> pd.DataFrame:
    """All Parquet files of a folder as one table, in the order of the schedule. Raises SystemExit when it is not flights."""
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise SystemExit(f"no Parquet file in {folder}")
    frame = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
    missing = [name for name in [*FEATURES, LABEL, TIME] if name not in frame.columns]
    if missing:
        raise SystemExit(f"the flights in {folder} lack the columns {missing}")
    return frame.sort_values(TIME, kind="stable", ignore_index=True)
