"""Nothing is kept that is not needed: objects, buffers, memory."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mmsb

ROUNDS = 2000


def resident() -> int:
    """Return the bytes of memory that the process uses."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def lifecycle() -> None:
    with mmsb.State() as state:
        page = state.create_page(1024)
        page.update(b"x" * 1024)


def views() -> None:
    with mmsb.State() as state:
        page = state.create_page(4096)
        view = page.view()
        array = page.array("<f8")
        page.write(0, b"x")
        memoryview(view)[3:].tobytes()
        array.sum()
        bytes(page)
        np.asarray(page).sum()


def batches() -> None:
    with mmsb.State() as state:
        with state.batch() as batch:
            batch.create_page(data=b"x" * 1024)
        batch = state.batch()
        batch.create_page(1024)


def events() -> None:
    with mmsb.State() as state:
        page = state.create_page(8)
        with state.subscribe(capacity=100) as closed:
            page.write(0, b"x")
            assert len(closed.poll()) == 2
        forgotten = state.subscribe(pages=[page], capacity=3)
        page.write(0, b"y")
        page.write(0, b"z")
        assert next(forgotten).kind == "changed"


def refusals() -> None:
    with mmsb.State() as state:
        page = state.create_page(1024)
        for bad in (b"x", np.zeros((32, 64), np.uint8).T, "text", np.zeros(1, object)):
            with pytest.raises((mmsb.Error, TypeError)):
                page.update(bad)  # type: ignore[arg-type]
        with pytest.raises(KeyError):
            state[77]


def scratch() -> None:
    with mmsb.Allocator() as pages:
        page = pages.allocate(4096)
        view = page.view()
        page.write(0, b"x")
        page.array("<f8").sum()
        page.set_meta("k", b"v")
        memoryview(view)[3:].tobytes()
        list(pages)
        block = pages.alloc_block(4096)
        kept = memoryview(block)
        pages.alloc_block(64).free()
        pages.clear()
        del kept
        page = pages.allocate(4096)
        with pytest.raises(mmsb.LengthMismatch):
            page.update(b"short")


def past() -> None:
    with mmsb.State() as state:
        page = state.create_page(data=b"x" * 1024, metadata={"k": b"v"})
        page.write(0, b"y")
        for change in state.query():
            change.delta, change.time, change.key  # noqa: B018
        next(state.query())
        state.replay_to(page.lsn).close()
        state.page_at(page, page.lsn).metadata  # noqa: B018
        with state.snapshot() as snapshot:
            snapshot.read(page)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize("work", [lifecycle, views, batches, events, refusals, scratch, past])
def test_memory_does_not_grow(work: Callable[[], None]) -> None:
    for _ in range(ROUNDS // 4):
        work()
    gc.collect()
    tracemalloc.start()
    for _ in range(50):
        work()
    gc.collect()
    traced, before = tracemalloc.get_traced_memory()[0], resident()
    for _ in range(100):
        work()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - traced
    tracemalloc.stop()
    assert grown < 20_000, f"{grown} bytes of Python objects"
    for _ in range(ROUNDS):
        work()
    assert resident() - before < 16 << 20


@pytest.mark.parametrize(
    "source", [bytearray(64), memoryview(bytes(64)), np.zeros(64, np.uint8)], ids=type
)
def test_references_are_given_back(source: Any) -> None:
    with mmsb.State() as state:
        page = state.create_page(64)
        before = sys.getrefcount(source)
        counts = sys.getrefcount(page), sys.getrefcount(state)
        for _ in range(100):
            page.update(source)
            page.write(0, source)
            mmsb.Delta.dense(page, source)
            page.view()
            page.array("u1")
            page.metadata.get("none")
            list(state)
            with pytest.raises(mmsb.LengthMismatch):
                page.write_masked(source, b"short")
        gc.collect()
        assert sys.getrefcount(source) == before
        assert (sys.getrefcount(page), sys.getrefcount(state)) == counts
