"""Times what calls from Python cost: one process, one thread, a state in memory.

Prints nanoseconds per call, the best of seven rounds, the loop around it included. Two rows are of
a state in a directory.
"""

from __future__ import annotations

import tempfile
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

import mmsb


def ns(call: Callable[[], object], number: int = 100_000) -> float:
    """Return nanoseconds per call."""
    return min(timeit.repeat(call, number=number, repeat=7)) / number * 1e9


def lifecycle() -> None:
    """Open a state from the pool, create a page of 1 KiB, close."""
    state = mmsb.State()
    state.create_page(1024)
    state.close()


def alternating(change: Callable[[Any], object], one: object, other: object) -> float:
    """Return nanoseconds per change, each of which changes something."""

    def twice() -> None:
        change(one)
        change(other)

    return ns(twice) / 2


def followed(children: int, contents: list[np.ndarray[Any, Any]]) -> float:
    """Return nanoseconds per update of a page of 1 KiB with children that are copies of it.

    As rows P1 and G1 are measured: in a buffered state, flushed between rounds, outside the timing.
    """
    one, other = contents
    with (
        tempfile.TemporaryDirectory() as folder,
        mmsb.State(f"{folder}/state", segment_bytes=256 << 20) as state,
    ):
        page = state.create_page(1024)
        for _ in range(children):
            state.derive(state.create_page(1024), [page], "u8: p0")

        def twice() -> None:
            page.update(one)
            page.update(other)

        rounds = []
        for _ in range(51):
            rounds.append(timeit.timeit(twice, number=1000) / 2000)
            state.flush()
    return min(rounds) * 1e9


def main() -> None:
    """Print the figures."""
    state = mmsb.State()
    page = state.create_page(1024)
    rng = np.random.default_rng(1)
    full = [rng.integers(0, 256, 1024, np.uint8) for _ in range(2)]
    same, part = np.zeros(1024, np.uint8), full[0].copy()
    part[128:192] = 255 - part[128:192]
    figures = {
        "open, create a page of 1 KiB, close": ns(lifecycle),
        "update 1 KiB of NumPy, nothing differs": ns(lambda: page.update(same)),
        "update 1 KiB of NumPy, 64 bytes differ": alternating(page.update, full[0], part),
        "update 1 KiB of NumPy, all differ": alternating(page.update, *full),
        "the same in a directory, flushed between rounds": followed(0, full),
        "the same, of a page that another is a copy of (G9)": followed(1, full),
        "update 1 KiB of bytes, all differ": alternating(page.update, *map(bytes, full)),
        "write 8 bytes": alternating(lambda data: page.write(8, data), b"abcdefgh", b"hgfedcba"),
        "read 1 KiB": ns(page.read),
        "epoch": ns(lambda: page.epoch),
        "view": ns(page.view),
        "array": ns(lambda: page.array("u1")),
        "flush of nothing, unlocking the interpreter": ns(state.flush),
    }
    for what, cost in figures.items():
        print(f"{cost:8.0f} ns  {what}")
    state.close()


if __name__ == "__main__":
    main()
