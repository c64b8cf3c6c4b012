"""Splits flights by time: the last days are kept for evaluation, as a model is always used on days after its own.

python prep.py --data FOLDER --train FOLDER --test FOLDER [--test_share 0.2]
"""

import argparse
from pathlib import Path

import pandas as pd
from features import FEATURES, LABEL, TIME, read_flights

NEW_YORK = "America/New_York"


def split(frame: pd.DataFrame, test_share: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Whole days: the first ones, and the last `test_share` of them (at least one)."""
    days = frame[TIME].dt.tz_convert(NEW_YORK).dt.date
    distinct = sorted(days.unique())
    if len(distinct) < 2:
        raise SystemExit(f"flights of {len(distinct)} day(s) cannot be split; at least 2 are needed")
    kept = min(max(round(len(distinct) * test_share), 1), len(distinct) - 1)
    test = days >= distinct[-kept]
    return frame[~test], frame[test]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--test_share", type=float, default=0.2)
    arguments = parser.parse_args()

    flights = read_flights(arguments.data)
    for part, folder in zip(split(flights, arguments.test_share), (arguments.train, arguments.test), strict=True):
        local = part[TIME].dt.tz_convert(NEW_YORK)
        folder.mkdir(parents=True, exist_ok=True)
        part[[TIME, *FEATURES, LABEL]].to_parquet(folder / "flights.parquet", index=False)
        print(f"{folder.name}: {len(part)} flights, {local.min():%Y-%m-%d} to {local.max():%Y-%m-%d}")
        print(f"  {part[LABEL].mean():.1%} late, weather missing in {part['temp'].isna().mean():.2%}")
