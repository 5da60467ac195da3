"""Deltas by themselves."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import Refused

import mmsb

#: What makes a delta to a page, given as such or by its id.
MADE: list[Callable[[mmsb.Page | mmsb.ScratchPage | int], mmsb.Delta]] = [
    lambda page: mmsb.Delta.dense(page, b"OOPS"),
    lambda page: mmsb.Delta.sparse(page, b"\1\0\0\1", b"OOPS"),
    lambda page: mmsb.Delta.from_runs(page, [(0, b"OO")]),
    lambda page: mmsb.Delta.dense(page, b"OOPS").merge(mmsb.Delta.dense(1, b"oops")),
    lambda page: mmsb.Delta.dense(1, b"oops").merge(mmsb.Delta.dense(page, b"OOPS")),
]


def test_dense() -> None:
    delta = mmsb.Delta.dense(3, b"abcd", source="s", intent="i")
    assert (delta.page, delta.runs, delta.payload) == (3, [(0, b"abcd")], b"abcd")
    assert (delta.nbytes, delta.is_dense, delta.span) == (4, True, (0, 4))
    assert (delta.source, delta.intent) == ("s", "i")
    assert (delta.lsn, delta.epoch, delta.time_ms) == (None, None, None)
    assert repr(delta) == "<mmsb.Delta to page 3, 4 bytes in 1 runs>"
    delta.validate(4)
    with pytest.raises(mmsb.LengthMismatch, match=r"4 bytes.*5"):
        delta.validate(5)


def test_sparse() -> None:
    delta = mmsb.Delta.sparse(1, np.array([0, 1, 1, 0, 0, 9], np.uint8), b"abcdef")
    assert (delta.runs, delta.is_dense, delta.span) == ([(1, b"bc"), (5, b"f")], False, (1, 6))
    assert mmsb.Delta.sparse(1, bytes(4), b"abcd").runs == []
    with pytest.raises(mmsb.LengthMismatch, match=r"3.*4"):
        mmsb.Delta.sparse(1, bytes(3), bytes(4))


def test_from_runs(page: mmsb.Page) -> None:
    runs: list[tuple[int, Any]] = [
        (0, b"ab"),
        (2, bytearray(b"c")),
        (8, np.arange(2, dtype=np.uint8)),
    ]
    delta = mmsb.Delta.from_runs(page, iter(runs))
    assert delta.runs == [(0, b"ab"), (2, b"c"), (8, b"\0\1")]
    assert delta.page == page.id
    assert mmsb.Delta.from_runs(1, []).span == (0, 0)
    for bad in ([(4, b"a"), (0, b"b")], [(0, b"abc"), (2, b"d")], [(0, b"")]):
        with pytest.raises(mmsb.RunsInvalid):
            mmsb.Delta.from_runs(1, bad)
    with pytest.raises(mmsb.RangeOutOfBounds):
        mmsb.Delta.from_runs(1, [((1 << 30) - 1, b"ab")])
    with pytest.raises(mmsb.RangeOutOfBounds, match="-1"):
        mmsb.Delta.from_runs(1, [(-1, b"ab")])
    for wrong in ([1], [(1, 2, 3)], [(0, "text")]):
        with pytest.raises(TypeError):
            mmsb.Delta.from_runs(1, wrong)  # type: ignore[arg-type]


def test_merge_is_one_then_the_other() -> None:
    first = mmsb.Delta.from_runs(1, [(0, b"aaaa")], source="first")
    second = mmsb.Delta.from_runs(1, [(2, b"bbbb"), (9, b"c")], source="second")
    both = first.merge(second)
    assert (both.runs, both.source) == ([(0, b"aabbbb"), (9, b"c")], "second")
    one, other = bytearray(12), bytearray(12)
    first.apply_to(one)
    second.apply_to(one)
    both.apply_to(other)
    assert one == other
    with pytest.raises(mmsb.InvalidArgument, match=r"page 1.*page 2"):
        first.merge(mmsb.Delta.dense(2, b"x"))


def test_apply_to_checks_first() -> None:
    delta = mmsb.Delta.from_runs(1, [(0, b"a"), (5, b"b")])
    short = bytearray(5)
    with pytest.raises(mmsb.RangeOutOfBounds, match="5"):
        delta.apply_to(short)
    assert short == bytes(5)
    array = np.zeros(3, np.uint16)
    delta.apply_to(array)
    assert array.tobytes() == b"a\0\0\0\0b"
    with pytest.raises(mmsb.InvalidArgument, match="not writable"):
        delta.apply_to(bytes(6))


def test_masks() -> None:
    delta = mmsb.Delta.from_runs(1, [(1, b"a")])
    assert delta.to_masked(3) == (b"\0\1\0", b"\0a\0")
    with pytest.raises(mmsb.SizeOutOfRange, match=str(1 << 31)):
        delta.to_masked(1 << 31)


def test_equality_is_content_and_note() -> None:
    assert mmsb.Delta.dense(1, b"ab") == mmsb.Delta.from_runs(1, [(0, b"ab")])
    assert mmsb.Delta.dense(1, b"ab") != mmsb.Delta.dense(2, b"ab")
    assert mmsb.Delta.dense(1, b"ab") != mmsb.Delta.dense(1, b"ab", source="s")
    assert mmsb.Delta.dense(1, b"ab") != b"ab"
    with pytest.raises(TypeError, match="unhashable"):
        hash(mmsb.Delta.dense(1, b"ab"))


def test_limits() -> None:
    with pytest.raises(mmsb.SizeOutOfRange):
        mmsb.Delta.dense(1, b"")
    with pytest.raises(mmsb.TooLong, match=r"256.*255"):
        mmsb.Delta.dense(1, b"a", source="x" * 256)
    with pytest.raises(mmsb.TooLong, match=r"65536.*65535"):
        mmsb.Delta.dense(1, b"a", intent="x" * 65_536)
    assert mmsb.LIMITS["source_bytes_max"] == 255
    assert mmsb.LIMITS["page_bytes_max"] == 1 << 30


@pytest.mark.parametrize("made", MADE)
def test_a_delta_to_a_page_is_for_its_state_alone(
    state: mmsb.State, made: Callable[[mmsb.Page | mmsb.ScratchPage | int], mmsb.Delta]
) -> None:
    mine = state.create_page(4)
    strange = "page 1 of another state"
    with (
        mmsb.State() as other,
        mmsb.Allocator() as scratch,
        state.executor(1, pin=False) as workers,
    ):
        theirs, work = other.create_page(4), scratch.allocate(4)
        assert theirs.id == work.id == mine.id
        foreign, loose = made(theirs), made(work)
        with Refused(state, mmsb.InvalidArgument, strange):
            state.apply(foreign)
        with Refused(state, mmsb.InvalidArgument, strange), state.batch() as batch:
            batch.apply(foreign)
        with Refused(state, mmsb.InvalidArgument, strange), state.transaction() as t:
            t.apply(foreign)
        with Refused(state, mmsb.InvalidArgument, strange):
            workers.apply([made(mine), foreign])
        with Refused(state, mmsb.InvalidArgument, "page 1 of an allocator, not of a state"):
            state.apply(loose)
        with pytest.raises(mmsb.InvalidArgument, match="page 1 is not one of this allocator's"):
            scratch.apply(foreign)
        assert mine.read() == work.read() == bytes(4)
        # Equal they are all the same, and each is taken where its page is.
        assert made(mine) == foreign == loose == made(1)
        assert other.apply(foreign) == theirs.lsn
        assert scratch.apply(loose)
        assert state.apply(made(mine)) == mine.lsn
        assert mine.read() == theirs.read() == work.read()


def test_a_delta_to_an_id_is_for_all(state: mmsb.State) -> None:
    page, delta = state.create_page(4), mmsb.Delta.dense(1, b"good")
    with mmsb.State() as other, mmsb.Allocator() as scratch:
        theirs, work = other.create_page(4), scratch.allocate(4)
        other.apply(delta)
        scratch.apply(delta)
        # So is one that a log gives back.
        read = other.history(theirs)[-1].delta
        assert read is not None
        assert state.apply(read) == page.lsn
        assert page.read() == theirs.read() == work.read() == b"good"


def test_deltas_of_two_states_do_not_merge(state: mmsb.State, page: mmsb.Page) -> None:
    with mmsb.State() as other:
        foreign = mmsb.Delta.dense(other.create_page(16), bytes(16))
    with pytest.raises(mmsb.InvalidArgument, match="page 1 of another state"):
        mmsb.Delta.dense(page, bytes(16)).merge(foreign)


def test_a_delta_keeps_no_state_alive() -> None:
    state = mmsb.State()
    page = state.create_page(4)
    delta, program = mmsb.Delta.dense(page, b"good"), mmsb.Program().write((page, 0), b"good")
    gone = weakref.ref(state)
    del page, state
    gc.collect()
    assert gone() is None
    # Nor does another state come to stand for it.
    for _ in range(100):
        with mmsb.State() as other, other.executor(1, pin=False) as workers:
            other.create_page(4)
            with pytest.raises(mmsb.InvalidArgument, match="another state"):
                other.apply(delta)
            with pytest.raises(mmsb.InvalidArgument, match="another state"):
                workers.submit([program])
