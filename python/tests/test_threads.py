"""Threads: the interpreter runs while the engine works, and nothing breaks under contention."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mmsb


def together(count: int, work: Callable[[int], None]) -> None:
    """Run ``work`` in so many threads; what one raises is raised here."""
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def run(n: int) -> None:
        try:
            start.wait()
            work(n)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("size", [64, 40_000])
def test_eight_threads_update_pages_of_their_own(state: mmsb.State, size: int) -> None:
    pages = [state.create_page(size) for _ in range(8)]
    rounds = 200

    def work(n: int) -> None:
        content = np.zeros(size, np.uint8)
        for i in range(rounds):
            content[:] = (i + n) % 255 + 1
            assert pages[n].update(content, source=f"t{n}") is not None

    together(8, work)
    assert [page.epoch for page in pages] == [rounds] * 8
    assert state.verify().records == 8 + 8 * rounds
    alone = mmsb.State()
    for _ in range(8):
        alone.create_page(size)
    for n, page in enumerate(alone):
        for i in range(rounds):
            page.update(bytes([(i + n) % 255 + 1]) * size)
    assert alone.digest() == state.digest(), "whatever the number of threads"
    alone.close()


def test_eight_threads_update_one_page(state: mmsb.State) -> None:
    page = state.create_page(8 * 8)

    def work(n: int) -> None:
        for i in range(1, 301):
            page.write(n * 8, i.to_bytes(8, "little"))

    together(8, work)
    assert page.epoch == 8 * 300
    assert page.read() == (300).to_bytes(8, "little") * 8
    state.verify()


def test_everything_at_once(folder: Path) -> None:
    with mmsb.State(folder, segment_bytes=1 << 20) as state:
        pages = [state.create_page(2000) for _ in range(20)]
        done = threading.Event()

        def write(n: int) -> None:
            rng = np.random.default_rng(n)
            for i in range(300):
                page = pages[int(rng.integers(20))]
                page.write(int(rng.integers(1900)), rng.bytes(100))
                if i % 20 == 0:
                    with state.batch() as batch:
                        batch.update(pages[0], rng.bytes(2000))
                        batch.update(pages[1], rng.bytes(2000))

        def read(_: int) -> None:
            while not done.is_set():
                with state.snapshot() as snapshot:
                    snapshot.digest()
                view = pages[3].view()
                assert len(bytes(view)) == 2000
                sum(1 for _ in state.query(limit=50))
                pages[5].array("u1").sum()
                state.stats()

        def checkpoint(_: int) -> None:
            for _ in range(5):
                state.checkpoint()
                state.flush()

        def work(n: int) -> None:
            try:
                [write, write, write, read, checkpoint][n](n)
            finally:
                if n != 3:
                    finished.append(n)
                    if len(finished) == 4:
                        done.set()

        finished: list[int] = []
        together(5, work)
        state.verify()
        digest = state.digest()
    with mmsb.State(folder) as state:
        assert state.digest() == digest


def runs_meanwhile(call: Callable[[], Any]) -> float:
    """Return the share of the time of ``call`` in which another thread could run."""
    ticks: list[float] = []
    started, done = threading.Event(), threading.Event()

    def tick() -> None:
        started.set()
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0005)

    thread = threading.Thread(target=tick)
    thread.start()
    started.wait()
    begin = time.perf_counter()
    call()
    end = time.perf_counter()
    done.set()
    thread.join()
    within = [begin, *(t for t in ticks if begin < t < end), end]
    longest = max(b - a for a, b in itertools.pairwise(within))
    return 1 - longest / (end - begin)


SIZE = 64 << 20


@pytest.fixture(scope="module")
def large() -> Any:
    """A state with one large page, and two contents for it."""
    rng = np.random.default_rng(3)
    contents = [rng.integers(0, 256, SIZE, np.uint8) for _ in range(2)]
    with mmsb.State(history_bytes=0) as state:
        yield state, state.create_page(SIZE), contents


@pytest.mark.parametrize(
    "call",
    [
        lambda state, page, new: page.update(new),
        lambda state, page, new: page.write(0, new),
        lambda state, page, new: page.read(),
        lambda state, page, new: page.read_into(new.copy()),
        lambda state, page, new: state.digest(),
        lambda state, page, new: state.verify(),
        lambda state, page, new: state.replay_to(state.flush()).close(),
        lambda state, page, new: state.snapshot().digest(),
        lambda state, page, new: state.create_page(SIZE).free(),
    ],
    ids=[
        "update",
        "write",
        "read",
        "read_into",
        "digest",
        "verify",
        "replay",
        "snapshot",
        "create",
    ],
)
def test_other_threads_run_meanwhile(
    large: tuple[mmsb.State, mmsb.Page, list[Any]], call: Callable[..., Any]
) -> None:
    state, page, contents = large
    shares = []
    for i in range(4):
        new = contents[i % 2]
        shares.append(runs_meanwhile(lambda new=new: call(state, page, new)))  # type: ignore[misc]
        if max(shares) > 0.5:
            break
    assert max(shares) > 0.5, f"other threads could not run: {shares}"


def test_sync_lets_other_threads_run(folder: Path) -> None:
    with mmsb.State(folder, "sync") as state:
        page = state.create_page(8)

        def write() -> None:
            for i in range(300):
                page.write(0, i.to_bytes(8, "little"))

        shares: list[float] = []
        while len(shares) < 4 and max(shares, default=0) <= 0.5:
            shares.append(runs_meanwhile(write))
        assert max(shares) > 0.5, f"other threads could not run: {shares}"


def test_a_checkpoint_by_itself_lets_other_threads_run() -> None:
    """A change that makes the checkpoint that is due is no short call, however little it writes.

    Nobody is asked to give the interpreter up here: the other thread runs only where a call does.
    """
    ticks = 0
    done = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    thread = threading.Thread(target=tick)
    thread.start()
    try:
        with mmsb.State(segment_bytes=1 << 20, history_bytes=0) as state:
            for _ in range(40):
                state.create_page(1 << 18)
            page = state.create_page(8000)
            made, let_go, held = 0, 0, 0
            # More than one checkpoint, if need be: the system may give the other thread no core in
            # the milliseconds that one takes.
            for i in range(50_000):
                if i >= 5000 and let_go > 0:
                    break
                content = bytes([i % 251 + 1]) * 8000
                last = state.stats()["checkpoint_lsn"]
                before = ticks
                page.update(content)
                after = ticks
                if state.stats()["checkpoint_lsn"] != last:
                    made += 1
                    let_go += after > before
                held += after == before
            assert made > 1
            assert let_go > 0, "the interpreter stayed locked during every checkpoint"
            assert held > 1000, "a short call keeps the interpreter"
    finally:
        sys.setswitchinterval(interval)
        done.set()
        thread.join()


def test_closing_while_others_work(folder: Path) -> None:
    for attempt in range(20):
        state = mmsb.State(folder if attempt % 2 else None)
        pages = [state.create_page(100_000 if attempt % 4 < 2 else 100) for _ in range(4)]
        begun = threading.Barrier(5)

        def work(
            n: int,
            state: mmsb.State = state,
            pages: list[mmsb.Page] = pages,
            begun: threading.Barrier = begun,
        ) -> None:
            begun.wait()
            if n == 4:
                time.sleep(0.002)
                state.close()
                return
            with pytest.raises(mmsb.Closed):
                for i in range(1_000_000):
                    pages[n].update(bytes([i % 251 + 1]) * len(pages[n]))
                    snapshot = state.snapshot()
                    snapshot.read(pages[n])
                    pages[n].view()
                    with state.batch() as batch:
                        batch.write(pages[n], 0, bytes([i % 251]))

        together(5, work)
        assert state.closed
        if state_path := (folder if attempt % 2 else None):
            with mmsb.State(state_path) as again:
                again.verify()


def test_close_waits_for_calls_that_run(state: mmsb.State) -> None:
    page = state.create_page(SIZE)
    content = bytes([7]) * SIZE
    result: list[object] = []
    running = threading.Event()

    def update() -> None:
        running.set()
        result.append(page.update(content))

    thread = threading.Thread(target=update)
    thread.start()
    running.wait()
    time.sleep(0.005)
    state.close()
    thread.join(10)
    assert not thread.is_alive()
    assert len(result) == 1


def test_one_thread_at_a_time_steps_an_iterator(state: mmsb.State) -> None:
    page = state.create_page(4)
    for i in range(2000):
        page.write(0, i.to_bytes(4, "little"))
    changes = state.query(page=page)
    seen: list[int] = []

    def step(_: int) -> None:
        while True:
            try:
                change = next(changes)
            except StopIteration:
                return
            except ValueError as error:
                if "another thread" not in str(error):
                    raise
                continue
            seen.append(change.lsn)

    together(4, step)
    assert len(seen) == len(set(seen)) == 2000
