"""Allocators: pages without a log, with the limits, views and errors of a state's."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import mmsb


@pytest.fixture
def scratch() -> Iterator[mmsb.Allocator]:
    with mmsb.Allocator() as scratch:
        yield scratch


@pytest.fixture
def page(scratch: mmsb.Allocator) -> mmsb.ScratchPage:
    """Give a page of 16 bytes, 0 to 15."""
    return scratch.allocate(data=bytes(range(16)))


def test_a_page_begins_as_it_is_asked_for(scratch: mmsb.Allocator) -> None:
    empty = scratch.allocate(5)
    full = scratch.allocate(data=b"abc", location="gpu")
    typed = scratch.allocate(dtype="<f8", shape=(2, 3))
    assert (empty.id, empty.size, len(empty), empty.epoch) == (1, 5, 5, 0)
    assert (empty.read(), empty.location) == (bytes(5), "cpu")
    assert (full.read(), full.epoch, full.location) == (b"abc", 1, "gpu")
    assert (typed.size, typed.array("<f8", (2, 3)).sum()) == (48, 0.0)
    assert empty.allocator is scratch
    assert repr(full) == "<mmsb.ScratchPage 2, 3 bytes, epoch 1>"


def test_changes_tell_whether_they_change(scratch: mmsb.Allocator, page: mmsb.ScratchPage) -> None:
    delta = mmsb.Delta.from_runs(page, [(0, b"ab"), (8, b"c")])
    mask = np.zeros(16, bool)
    mask[::5] = True
    changes: list[Callable[[], bool]] = [
        lambda: page.update(np.arange(2.0)),
        lambda: page.write(14, b"yz"),
        lambda: page.write_masked(mask, b"M" * 16),
        lambda: scratch.apply(delta),
    ]
    for n, change in enumerate(changes):
        assert change() is True
        assert page.epoch == n + 2
        assert change() is False
        assert page.epoch == n + 2
    assert page.read() == b"ab\0\0\0M\0\0c\0M\0\0\0\xf0?"[:14] + b"yM"
    buffer = bytearray(2)
    page.read_into(buffer, 14)
    assert buffer == page.read(14) == page.read(14, 2) == b"yM"


def test_it_is_a_container_of_pages(scratch: mmsb.Allocator) -> None:
    pages = [scratch.allocate(n) for n in (1, 2, 3)]
    assert (len(scratch), scratch.page_count) == (3, 3)
    assert scratch.pages() == list(scratch) == pages
    assert scratch[2] == pages[1] != pages[0]
    assert hash(scratch[2]) == hash(pages[1])
    assert 2 in scratch
    assert pages[0] in scratch
    assert 9 not in scratch
    assert "x" not in scratch
    scratch.release(2)
    assert [page.id for page in scratch] == [1, 3]
    assert repr(scratch) == "<mmsb.Allocator, 2 pages>"
    scratch.clear()
    assert len(scratch) == 0
    assert scratch.allocate(1).id == 4, "ids are never used again"


def test_views_are_no_copies_and_stay(scratch: mmsb.Allocator, page: mmsb.ScratchPage) -> None:
    view, array = page.view(), page.array("<u4", (2, 2))
    assert (view.page, view.epoch, view.lsn, len(view)) == (1, 1, 0, 16)
    assert memoryview(view).readonly
    assert not array.flags.writeable
    assert np.shares_memory(array, page.array("u1"))
    before = array.tobytes()
    for i in range(100):
        page.update(bytes([i]) * 16)
    page.free()
    scratch.close()
    gc.collect()
    assert bytes(view) == array.tobytes() == before == bytes(range(16))
    with pytest.raises(BufferError), view:
        shown = memoryview(view)
    assert shown[3] == 3


def test_metadata(page: mmsb.ScratchPage) -> None:
    page.set_meta("b", b"2")
    page.set_meta(b"a", np.arange(2, dtype=np.uint8))
    assert page.list_meta() == [(b"a", b"\0\1"), (b"b", b"2")]
    page.remove_meta("a")
    assert page.get_meta("b") == b"2"
    with pytest.raises(mmsb.KeyNotFound, match="a"):
        page.get_meta("a")
    with pytest.raises(mmsb.KeyNotFound, match="a"):
        page.remove_meta("a")
    with pytest.raises(mmsb.TooLong, match=r"256.*255"):
        page.set_meta("k" * 256, b"")
    with pytest.raises(mmsb.TooLong, match=r"65536.*65535"):
        page.set_meta("k", bytes(65_536))
    with pytest.raises(TypeError, match="str or bytes, not int"):
        page.set_meta(3, b"")  # type: ignore[arg-type]
    assert page.list_meta() == [(b"b", b"2")]


@pytest.mark.parametrize(
    ("arguments", "kind", "named"),
    [
        ({}, mmsb.InvalidArgument, ["size, data or a shape"]),
        ({"size": 0}, mmsb.SizeOutOfRange, [0, 1 << 30]),
        ({"size": (1 << 30) + 1}, mmsb.SizeOutOfRange, [(1 << 30) + 1, 1 << 30]),
        ({"size": -1}, mmsb.SizeOutOfRange, [-1]),
        ({"data": b""}, mmsb.SizeOutOfRange, [0]),
        ({"size": 4, "data": b"abc"}, mmsb.LengthMismatch, [4, 3]),
        ({"size": 4, "location": "moon"}, mmsb.InvalidArgument, ["moon", "unified"]),
        ({"data": np.zeros((4, 4))[:, ::2]}, mmsb.InvalidArgument, ["contiguous"]),
        ({"data": np.zeros(2, object)}, mmsb.InvalidArgument, ["Python objects"]),
        ({"data": np.zeros(4, "i4"), "dtype": "f4"}, mmsb.InvalidArgument, ["int32", "float32"]),
    ],
)
def test_impossible_pages_are_refused(
    scratch: mmsb.Allocator, arguments: dict[str, Any], kind: type[mmsb.Error], named: list[object]
) -> None:
    with pytest.raises(kind) as caught:
        scratch.allocate(**arguments)
    for value in named:
        assert str(value) in str(caught.value)
    assert len(scratch) == 0


def test_bad_changes_change_nothing(scratch: mmsb.Allocator, page: mmsb.ScratchPage) -> None:
    wrong: list[tuple[type[Exception], str, Callable[[], object]]] = [
        (mmsb.LengthMismatch, r"15.*16", lambda: page.update(bytes(15))),
        (mmsb.RangeOutOfBounds, r"3.*14.*16", lambda: page.write(14, b"abc")),
        (mmsb.RangeOutOfBounds, "-1", lambda: page.write(-1, b"abc")),
        (mmsb.LengthMismatch, r"mask.*15.*16", lambda: page.write_masked(bytes(15), bytes(16))),
        (mmsb.LengthMismatch, r"17.*16", lambda: page.write_masked(bytes(16), bytes(17))),
        (mmsb.RangeOutOfBounds, "17", lambda: page.read(0, 17)),
        (mmsb.RangeOutOfBounds, "16", lambda: page.read_into(bytearray(8), 9)),
        (mmsb.InvalidArgument, "contiguous", lambda: page.update(np.zeros(32, "u1")[::2])),
        (mmsb.InvalidArgument, "not writable", lambda: page.read_into(bytes(4))),
        (mmsb.RangeOutOfBounds, "16", lambda: page.array("<i4", 5)),
        (mmsb.InvalidArgument, "aligned to 4", lambda: page.array("<i4", 1, 2)),
        (mmsb.LengthMismatch, "16", lambda: scratch.apply(mmsb.Delta.dense(page, b"abcd"))),
        (mmsb.PageNotFound, "page 9", lambda: scratch.apply(mmsb.Delta.dense(9, b"abcd"))),
        (mmsb.PageNotFound, "page 9", lambda: scratch[9]),
        (mmsb.PageNotFound, "page 0", lambda: scratch.release(0)),
        (mmsb.PageNotFound, "-1", lambda: scratch[-1]),
        (TypeError, "buffer protocol, not str", lambda: page.write(0, "text")),  # type: ignore[arg-type]
        (TypeError, "source", lambda: page.write(0, b"x", source="me")),  # type: ignore[call-arg]
    ]
    for kind, message, call in wrong:
        with pytest.raises(kind, match=message):
            call()
    assert (page.read(), page.epoch, len(scratch)) == (bytes(range(16)), 1, 1)


def test_pages_of_other_owners_are_refused(
    scratch: mmsb.Allocator, page: mmsb.ScratchPage, state: mmsb.State
) -> None:
    of_state = state.create_page(16)
    with mmsb.Allocator() as other:
        theirs = other.allocate(16)
        assert theirs != page
        for foreign in (theirs, of_state):
            assert foreign not in scratch
            with pytest.raises(mmsb.InvalidArgument, match="page 1 is not one of"):
                scratch.release(foreign)  # type: ignore[arg-type]
    before = state.digest()
    assert page not in state
    with pytest.raises(mmsb.InvalidArgument, match="page 1 of an allocator"):
        state.free_page(page)  # type: ignore[arg-type]
    with (
        pytest.raises(mmsb.InvalidArgument, match="page 1 of an allocator"),
        state.batch() as batch,
    ):
        batch.write(page, 0, b"x")  # type: ignore[arg-type]
    assert state.digest() == before
    assert of_state != page


def test_use_after_free_is_refused(scratch: mmsb.Allocator, page: mmsb.ScratchPage) -> None:
    page.free()
    delta = mmsb.Delta.dense(page, bytes(16))
    for use in uses(scratch, page, delta):
        with pytest.raises(mmsb.PageFreed, match="page 1"):
            use()
    assert page not in scratch
    assert "was freed" in repr(page)
    assert page.id == 1


def test_use_after_close_is_refused(scratch: mmsb.Allocator, page: mmsb.ScratchPage) -> None:
    delta = mmsb.Delta.dense(page, bytes(16))
    scratch.close()
    scratch.close()
    assert scratch.closed
    assert repr(scratch) == "<mmsb.Allocator closed>"
    more: list[Callable[[], object]] = [
        lambda: scratch.allocate(1), scratch.clear, scratch.pages, scratch.__enter__,
        lambda: len(scratch), lambda: list(scratch), lambda: 1 in scratch,
        lambda: scratch.page_count,
    ]  # fmt: skip
    for use in uses(scratch, page, delta) + more:
        with pytest.raises(mmsb.Closed, match="the allocator is closed"):
            use()
    assert "closed" in repr(page)


def uses(
    scratch: mmsb.Allocator, page: mmsb.ScratchPage, delta: mmsb.Delta
) -> list[Callable[[], object]]:
    """Return all that can be done to a page."""
    return [
        lambda: page.size, lambda: len(page), lambda: page.epoch, lambda: page.location,
        lambda: page.update(bytes(16)), lambda: page.write(0, b"x"), page.read, page.view,
        lambda: page.write_masked(bytes(16), bytes(16)), lambda: page.read_into(bytearray(1)),
        lambda: page.array("u1"), lambda: page.set_meta("k", b""), page.list_meta, page.free,
        lambda: page.remove_meta("k"), lambda: page.get_meta("k"), lambda: scratch[1],
        lambda: scratch.release(page), lambda: scratch.apply(delta),
    ]  # fmt: skip


def test_a_forgotten_allocator_gives_its_memory_up_when_its_views_do() -> None:
    scratch = mmsb.Allocator()
    page = scratch.allocate(data=b"0123456789abcdef")
    half = page.array("u1", 8, 8)[4:]
    del scratch, page
    gc.collect()
    with mmsb.Allocator() as other:
        for _ in range(50):
            other.allocate(data=b"################")
        assert half.tobytes() == b"cdef"


@pytest.mark.parametrize("size", [64, 40_000])
def test_many_threads(scratch: mmsb.Allocator, size: int) -> None:
    shared = scratch.allocate(size)
    errors: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for i in range(200):
                own = scratch.allocate(size)
                assert own.update(bytes([n + 1]) * size)
                shared.update(bytes([i % 250 + 1]) * size)
                content = bytes(shared.view())
                assert content == content[:1] * size
                assert own.read() == bytes([n + 1]) * size
                own.free()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert list(scratch) == [shared]


def test_closing_while_others_work() -> None:
    for size in (64, 40_000):
        scratch = mmsb.Allocator()
        page, begun = scratch.allocate(size), threading.Event()

        def work(page: mmsb.ScratchPage = page, begun: threading.Event = begun) -> None:
            with pytest.raises(mmsb.Closed):
                for i in range(1_000_000):
                    page.update(bytes([i % 251 + 1]) * len(page))
                    page.view()
                    begun.set()

        thread = threading.Thread(target=work)
        thread.start()
        begun.wait()
        scratch.close()
        thread.join(30)
        assert not thread.is_alive()
