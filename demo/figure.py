"""The figure: delay by hour at each airport, and one day at one of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np

from flightdata import HOURS

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

if TYPE_CHECKING:
    from flights import Day
    from ledger import ByHour

NAMES = {"EWR": "Newark", "JFK": "Kennedy", "LGA": "LaGuardia"}
COLOURS = {"EWR": "#0072B2", "JFK": "#D55E00", "LGA": "#009E73"}
"""Three that the colour-blind tell apart (Okabe and Ito)."""
INK, QUIET, GRID, CANCELLED = "#222222", "#6b6b6b", "#e4e4e4", "#cfcfcf"
FIRST_HOUR, LAST_HOUR = 5, 23
FLIGHTS_MIN = 30
"""A mean of fewer flights says little and is not drawn."""

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}


def draw(year: dict[str, ByHour], day: Day, flights: int, path: Path) -> None:
    """Draw the year on the left and the day on the right into a PNG file."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplot_mosaic(
            [["year", "flights"], ["year", "delay"]],
            figsize=(13, 6.2),
            dpi=150,
            width_ratios=(1.2, 1),
            height_ratios=(1.25, 1),
            layout="constrained",
        )
        figure.get_layout_engine().set(w_pad=0.15, h_pad=0.08)
        draw_year(axes["year"], year, flights)
        draw_flights(axes["flights"], day)
        draw_delay(axes["delay"], day)
        axes["flights"].sharex(axes["delay"])
        axes["flights"].tick_params(labelbottom=False)
        figure.savefig(path)
        plt.close(figure)


def draw_year(axes: Axes, year: dict[str, ByHour], flights: int) -> None:
    """Draw the mean delay by hour, a line per airport, its name at the line's end."""
    heading(
        axes, "Delays grow through the day", f"Mean departure delay, {flights:,} flights of 2013"
    )
    ends = {}
    for airport, hours in year.items():
        shown = np.flatnonzero(hours.departed >= FLIGHTS_MIN)
        mean = hours.mean[shown]
        axes.plot(shown, mean, color=COLOURS[airport], linewidth=2.2, marker="o", markersize=4)
        ends[airport] = (shown[-1], mean[-1])
    axes.axhline(0, color=QUIET, linewidth=0.8)
    axes.set_ylabel("minutes")
    clock(axes, room=4.4)
    name_lines(axes, ends)


def name_lines(axes: Axes, ends: dict[str, tuple[int, float]]) -> None:
    """Write each airport's name beside the end of its line, none over another."""
    low, high = axes.get_ylim()
    above = np.inf
    for airport in sorted(ends, key=lambda airport: -ends[airport][1]):
        hour, mean = ends[airport]
        above = min(mean, above - 0.045 * (high - low))
        text = f"{airport}  {NAMES[airport]}"
        axes.text(hour + 0.35, above, text, va="center", color=COLOURS[airport], weight="bold")


def draw_flights(axes: Axes, day: Day) -> None:
    """Draw a day's flights by hour: departed, and on top of them cancelled."""
    hours = day.itself
    heading(axes, title_of(day), subtitle_of(day))
    at = np.arange(HOURS)
    axes.bar(at, hours.departed, width=0.78, color=COLOURS[day.airport], label="departed")
    axes.bar(
        at, hours.cancelled, width=0.78, bottom=hours.departed, color=CANCELLED, label="cancelled"
    )
    axes.set_ylabel("flights")
    legend(axes)


def draw_delay(axes: Axes, day: Day) -> None:
    """Draw the day's mean delay by hour, and that of the year up to the evening before."""
    at = np.arange(HOURS)
    axes.plot(
        at,
        np.where(day.before.departed >= FLIGHTS_MIN, day.before.mean, np.nan),
        color=QUIET,
        linewidth=1.6,
        linestyle=(0, (4, 2)),
        label="the year up to the evening before",
    )
    axes.plot(
        at,
        day.itself.mean,
        color=COLOURS[day.airport],
        linewidth=2.2,
        marker="o",
        markersize=4,
        label="the day",
    )
    axes.axhline(0, color=QUIET, linewidth=0.8)
    axes.set_ylabel("mean delay, minutes")
    legend(axes)
    clock(axes, room=0.6)


def title_of(day: Day) -> str:
    """Say what the day is known for, or that it is a day."""
    what = "The blizzard" if (day.day.month, day.day.day) == (2, 8) else "A day"
    return f"{what} at {day.airport}, {day.day:%-d %B %Y}"


def subtitle_of(day: Day) -> str:
    """Say what the cancelled flights come to."""
    cancelled, scheduled = day.itself.cancelled.sum(), day.itself.scheduled.sum()
    return f"{cancelled} of {scheduled} flights cancelled"


def heading(axes: Axes, title: str, subtitle: str) -> None:
    """Write a bold line and a quiet one above a panel."""
    axes.set_title(title, loc="left", weight="bold", size=13, pad=24)
    axes.annotate(
        subtitle,
        (0, 1),
        xytext=(0, 9),
        xycoords="axes fraction",
        textcoords="offset points",
        color=QUIET,
    )


def legend(axes: Axes) -> None:
    """Name the marks above the panel, on the right."""
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)


def clock(axes: Axes, room: float) -> None:
    """Make the horizontal axis hours of a clock, with room for labels on the right."""
    axes.set_xlim(FIRST_HOUR - 0.6, LAST_HOUR + room)
    axes.set_xticks(range(FIRST_HOUR + 1, LAST_HOUR + 1, 2))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda hour, _: f"{hour:.0f}:00"))
    axes.set_xlabel("scheduled departure")
