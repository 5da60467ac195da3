"""The pages that the demo keeps, and how one flight changes them.

All numbers are little-endian. A page is found by its metadata key ``name``, so a state needs
nobody who remembers its page ids.

``cursor``, 16 bytes: how far the state is

    offset  type   what
    0       int64  flights that are applied
    8       int64  scheduled departure of the last one, seconds since 1970 UTC

``aircraft/<tail number>``, 56 bytes, one per aircraft; ``aircraft/`` alone is that of all flights
without a tail number

    offset  type     what
    0       int64    flights that were scheduled
    8       int64    of these, departed: those with a known departure delay
    16      int64    of these, arrived: those with a known arrival delay
    24      float64  sum of departure delays, minutes
    32      float64  sum of arrival delays, minutes
    40      int64    scheduled departure of the last flight, seconds since 1970 UTC
    48      char[3]  where it landed last; zeros before its first landing
    51      5 bytes  zero

By hour of scheduled departure:

``<airport>/delay``, float64[24]: sum of departure delays, minutes

``<airport>/scheduled`` and ``<airport>/departed``, int64[24]: flights

Delays are whole minutes, so their sums are exact in float64 in any order.

The others are derived: whoever applies a flight says nothing of them, and they are as they must be
in the same group. The mean of nothing is NaN.

``<airport>/mean`` and ``all/mean``, float64[24]: mean departure delay by hour, minutes, at one
airport and at all

``all/worst``, float64: the hour with the highest mean delay at all airports, the first of equals
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import mmsb
import numpy as np

from flightdata import AIRPORTS, HOURS, Row

SOURCE = "flights"
NAME = "name"
CURSOR = "cursor"
AIRCRAFT = "aircraft/"

_CURSOR = struct.Struct("<qq")
_AIRCRAFT = struct.Struct("<qqqddq3s5x")
_DELAY = struct.Struct("<d")
_COUNT = struct.Struct("<q")

_MEAN = "f64: p0 / i64(p1)"
_MEAN_OF_ALL = "f64: (p0 + p1 + p2) / (i64(p3) + i64(p4) + i64(p5))"
_WORST = "f64: argmax(select(p0 == p0, p0, -inf))"

AIRCRAFT_DTYPE = np.dtype(
    {
        "names": [
            "flights",
            "departed",
            "arrived",
            "dep_delay",
            "arr_delay",
            "last_time",
            "last_airport",
        ],
        "formats": ["<i8", "<i8", "<i8", "<f8", "<f8", "<i8", "S3"],
        "itemsize": _AIRCRAFT.size,
    }
)
"""An aircraft's page as NumPy sees it."""


@dataclass(frozen=True)
class ByHour:
    """An airport's departures by hour of scheduled departure; each shape ``[24]``."""

    scheduled: np.ndarray
    departed: np.ndarray
    delay: np.ndarray
    """Sum of departure delays, minutes."""

    @classmethod
    def from_pages(cls, scheduled: bytes, departed: bytes, delay: bytes) -> ByHour:
        """Read the content of an airport's three pages."""
        counts = (np.frombuffer(count, "<i8") for count in (scheduled, departed))
        return cls(*counts, np.frombuffer(delay, "<f8"))

    @property
    def mean(self) -> np.ndarray:
        """Mean departure delay in minutes; NaN where nothing departed."""
        return self.delay / np.where(self.departed, self.departed, np.nan)

    @property
    def cancelled(self) -> np.ndarray:
        """Flights that were scheduled and never departed."""
        return self.scheduled - self.departed

    def __sub__(self, before: ByHour) -> ByHour:
        """Return what came after `before`."""
        return ByHour(
            self.scheduled - before.scheduled,
            self.departed - before.departed,
            self.delay - before.delay,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByHour) and all(
            np.array_equal(mine, theirs)
            for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)
        )


@dataclass(frozen=True)
class Derived:
    """What the state derives of the sums."""

    means: np.ndarray
    """Mean departure delay per airport and hour, minutes, shape ``[3][24]``."""
    overall: np.ndarray
    """The same over all airports, shape ``[24]``."""
    worst: int
    """The hour in which `overall` is highest."""


class Ledger:
    """The pages of a state by what they mean.

    It holds where the pages are, never what they hold: what a flight adds to is read from the
    state, so there is no second copy that a crash could part from the first.
    """

    def __init__(self, state: mmsb.State) -> None:
        """Find the pages of a state; make those that are there from the beginning if it is new."""
        self.state = state
        if not state.read_only and len(state) == 0:
            _make_first_pages(state)
        pages = {page.get_meta(NAME).decode(): page for page in state}
        self.cursor = pages.pop(CURSOR)
        self.delays = [pages.pop(f"{airport}/delay") for airport in AIRPORTS]
        self.scheduled = [pages.pop(f"{airport}/scheduled") for airport in AIRPORTS]
        self.departed = [pages.pop(f"{airport}/departed") for airport in AIRPORTS]
        self.means = [pages.pop(f"{airport}/mean") for airport in AIRPORTS]
        self.overall, self.worst = pages.pop("all/mean"), pages.pop("all/worst")
        if not state.read_only:
            self._derive()
        self.aircraft = {name.removeprefix(AIRCRAFT): page for name, page in pages.items()}
        self._record = bytearray(_AIRCRAFT.size)

    # ---------------------------------------------------------------------------------- reading

    @property
    def applied(self) -> int:
        """How many flights the state holds: the number of the next one."""
        return _CURSOR.unpack(self.cursor.read())[0]

    def by_hour(self, airport: str) -> ByHour:
        """Return an airport's sums as they are now: views of its pages, without a copy."""
        at = AIRPORTS.index(airport)
        counts = (pages[at].array("<i8") for pages in (self.scheduled, self.departed))
        return ByHour(*counts, self.delays[at].array("<f8"))

    def by_hour_at(self, airport: str, lsn: int) -> ByHour:
        """Return an airport's sums as they were at an LSN."""
        at = AIRPORTS.index(airport)
        pages = (self.scheduled[at], self.departed[at], self.delays[at])
        return ByHour.from_pages(*(self.state.page_at(page, lsn).data for page in pages))

    def derived(self) -> Derived:
        """Return what is derived of the sums, as it is now."""
        means = np.stack([page.array("<f8") for page in self.means])
        return Derived(means, self.overall.array("<f8"), int(self.worst.array("<f8")[0]))

    def fleet(self) -> tuple[list[str], np.ndarray]:
        """Return all tail numbers in the order of the alphabet, and their pages as one array."""
        tails = sorted(self.aircraft)
        content = b"".join(self.aircraft[tail].read() for tail in tails)
        return tails, np.frombuffer(content, AIRCRAFT_DTYPE)

    # --------------------------------------------------------------------------------- applying

    def apply(self, flight: Row) -> None:
        """Apply a flight: one group, so that all its pages change or none."""
        self.stage(flight).commit()

    def stage(self, flight: Row) -> mmsb.Batch:
        """Put all that a flight changes into a batch; nothing of it is seen before it commits."""
        tail, airport, hour, time, dep, arr, dest, intent = flight
        batch = self.state.batch(source=SOURCE, intent=intent)
        self._stage_aircraft(batch, tail, time, dep, arr, dest)
        self._stage_airport(batch, airport, hour, dep)
        applied, _ = _CURSOR.unpack(self.cursor.read())
        batch.update(self.cursor, _CURSOR.pack(applied + 1, time))
        return batch

    def _stage_aircraft(
        self, batch: mmsb.Batch, tail: str, time: int, dep: float, arr: float, dest: bytes
    ) -> None:
        page = self.aircraft.get(tail)
        if page is None:
            page = self._stage_new_aircraft(batch, tail)
            flights = departed = arrived = 0
            dep_delay = arr_delay = 0.0
            where = b""
        else:
            fields = _AIRCRAFT.unpack(page.read())
            flights, departed, arrived, dep_delay, arr_delay, _, where = fields
        if dep == dep:  # not NaN: it departed
            departed += 1
            dep_delay += dep
        if arr == arr:
            arrived += 1
            arr_delay += arr
            where = dest
        record = self._record
        _AIRCRAFT.pack_into(
            record, 0, flights + 1, departed, arrived, dep_delay, arr_delay, time, where
        )
        batch.update(page, record)

    def _stage_new_aircraft(self, batch: mmsb.Batch, tail: str) -> mmsb.Page:
        page = batch.create_page(_AIRCRAFT.size)
        batch.set_meta(page, NAME, (AIRCRAFT + tail).encode())
        self.aircraft[tail] = page
        return page

    def _stage_airport(self, batch: mmsb.Batch, airport: int, hour: int, dep: float) -> None:
        _stage_sum(batch, self.scheduled[airport], hour, _COUNT, 1)
        if dep == dep:
            _stage_sum(batch, self.departed[airport], hour, _COUNT, 1)
            _stage_sum(batch, self.delays[airport], hour, _DELAY, dep)

    # --------------------------------------------------------------------------------- deriving

    def _derive(self) -> None:
        """Say how the derived pages are made, if nobody has yet."""
        rules = [
            (mean, [delay, departed], _MEAN)
            for mean, delay, departed in zip(self.means, self.delays, self.departed, strict=True)
        ]
        rules.append((self.overall, [*self.delays, *self.departed], _MEAN_OF_ALL))
        rules.append((self.worst, [self.overall], _WORST))
        for page, parents, formula in rules:
            if page.rule is None:
                self.state.derive(page, parents, formula, source="setup")


def _stage_sum(
    batch: mmsb.Batch, page: mmsb.Page, hour: int, layout: struct.Struct, more: float
) -> None:
    """Add to the number of an hour."""
    at = hour * layout.size
    (before,) = layout.unpack(page.read(at, layout.size))
    batch.write(page, at, layout.pack(before + more))


def _make_first_pages(state: mmsb.State) -> None:
    """Make the pages that every state of the demo has, all or none."""
    with state.batch(source="setup", intent="an empty ledger") as batch:
        names = {CURSOR: batch.create_page(_CURSOR.size)}
        for airport in AIRPORTS:
            names[f"{airport}/delay"] = batch.create_page(dtype="<f8", shape=(HOURS,))
            for count in ("scheduled", "departed"):
                names[f"{airport}/{count}"] = batch.create_page(dtype="<i8", shape=(HOURS,))
        for airport in (*AIRPORTS, "all"):
            names[f"{airport}/mean"] = batch.create_page(dtype="<f8", shape=(HOURS,))
        names["all/worst"] = batch.create_page(dtype="<f8", shape=(1,))
        for name, page in names.items():
            batch.set_meta(page, NAME, name.encode())
