"""Views and arrays: no copy, unchanged while writers go on, valid after everything else went."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from conftest import Refused

import mmsb

# NumPy's hints know of buffers of other classes from Python 3.12 on; NumPy always did.
from_buffer: Any = np.frombuffer


def address(buffer: object) -> int:
    return int(np.frombuffer(memoryview(buffer), np.uint8).ctypes.data)  # type: ignore[arg-type]


def test_a_view_is_a_read_only_buffer(page: mmsb.Page) -> None:
    view = page.view()
    assert (view.page, view.epoch, view.lsn, view.nbytes, len(view)) == (1, 1, page.lsn, 16, 16)
    shown = memoryview(view)
    assert (shown.readonly, shown.nbytes, shown.format, shown.contiguous) == (True, 16, "B", True)
    assert bytes(view) == page.read()
    with pytest.raises(TypeError, match="read-only"):
        shown[0] = 1
    array = from_buffer(view, np.uint8)
    assert not array.flags.writeable
    assert address(view) % 64 == 0


@pytest.mark.parametrize("kind", [mmsb.State, mmsb.Allocator])
def test_a_page_is_a_buffer_as_it_is_then(kind: type[Any]) -> None:
    with kind() as owner:
        create = owner.create_page if kind is mmsb.State else owner.allocate
        page, other = create(data=np.arange(3.0)), create(24)
        array, shown = np.asarray(page), memoryview(page)
        assert (array.dtype, array.shape, shown.readonly) == (np.dtype("u1"), (24,), True)
        assert np.shares_memory(array, page.array("u1")), "it is no copy"
        assert from_buffer(page, "<f8").tolist() == [0.0, 1.0, 2.0]
        other.update(page)
        page.write(0, np.float64(7.0))
        assert array.view("<f8").tolist() == [0.0, 1.0, 2.0]
        assert bytes(other) == bytes(shown) != bytes(page)
        page.free()
        with pytest.raises(mmsb.PageFreed, match="page 1"):
            memoryview(page)
        with pytest.raises(mmsb.InvalidArgument, match="page 1 was freed"):
            other.update(page)
    with pytest.raises(mmsb.Closed):
        bytes(other)
    assert bytes(shown)[8:] == np.arange(1.0, 3.0).tobytes()


def test_two_views_show_the_same_memory(page: mmsb.Page) -> None:
    one, other = page.view(), page.view()
    assert address(one) == address(other)
    assert np.shares_memory(page.array("u1"), page.array("<u4"))


def test_a_view_stays_while_writers_go_on(state: mmsb.State, page: mmsb.Page) -> None:
    before = page.read()
    view, array = page.view(), page.array("u1")
    start = address(view)
    for i in range(100):
        page.update(bytes([i]) * 16)
    assert bytes(view) == array.tobytes() == before
    assert address(view) == start == array.ctypes.data
    assert (view.epoch, page.epoch) == (1, 101)
    assert address(page.view()) != start
    page.free()
    assert bytes(view) == before


def test_views_outlive_page_and_state() -> None:
    state = mmsb.State()
    page = state.create_page(data=b"0123456789abcdef")
    view, array = page.view(), page.array("u1", 8, 8)
    half = array[4:]
    state.close()
    assert bytes(view) == b"0123456789abcdef"
    del state, page, view, array
    gc.collect()
    # The memory is still held: another state must not get it.
    with mmsb.State() as other:
        for _ in range(50):
            other.create_page(data=b"################")
        assert half.tobytes() == b"cdef"


def test_views_are_pinned_no_longer_than_needed(state: mmsb.State, page: mmsb.Page) -> None:
    def held() -> int:
        return int(state.stats()["version_bytes"])

    view = page.view()
    page.write(0, b"x")
    assert held() == 16
    view.release()
    assert held() == 0
    with page.view() as view:
        page.write(0, b"y")
        assert held() == 16
    assert held() == 0
    array = page.array("u1")
    part = array[3:]
    page.write(0, b"z")
    del array
    gc.collect()
    assert held() == 16
    del part
    gc.collect()
    assert held() == 0


def test_release_waits_for_whoever_looks(page: mmsb.Page) -> None:
    view = page.view()
    shown = memoryview(view)
    array = from_buffer(view, np.uint8)
    with pytest.raises(BufferError, match="2 buffers"):
        view.release()
    shown.release()
    with pytest.raises(BufferError, match="1 buffers"):
        view.release()
    assert array[3] == 3
    del array
    view.release()
    view.release()
    assert view.released
    for use in (lambda: memoryview(view), lambda: len(view), lambda: view.epoch, view.__enter__):
        with pytest.raises(mmsb.Closed, match="view is released"):
            use()
    assert repr(view) == "<mmsb.View released>"


DTYPES = [
    "?", "i1", "u1", "<i2", ">i2", "<u2", "<i4", ">i4", "<u4", "<i8", "<u8", "<f2", "<f4", ">f4",
    "<f8", ">f8", "<c8", "<c16", "S4", "V8", "U2", "M8[ns]", "m8[us]",
    [("a", "<i4"), ("b", "<f4")],
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_arrays_of_every_type(state: mmsb.State, dtype: object) -> None:
    kind = np.dtype(dtype)  # type: ignore[call-overload]
    count = 240 // kind.itemsize
    page = state.create_page(data=bytes(i % 2 for i in range(count * kind.itemsize)))
    array = page.array(dtype)  # type: ignore[arg-type]
    assert (array.dtype, array.shape) == (kind, (count,))
    assert array.tobytes() == page.read()
    assert not array.flags.writeable
    assert array.flags.aligned
    assert array.ctypes.data == address(page.view()), "it is no copy"
    assert np.array_equal(array, np.frombuffer(page.read(), kind))


def test_shapes_and_offsets(state: mmsb.State) -> None:
    page = state.create_page(data=np.arange(24, dtype="<i4"))
    assert page.array("<i4", (2, 3, 4))[1, 2, 3] == 23
    assert page.array("<i4", 5).tolist() == [0, 1, 2, 3, 4]
    assert page.array("<i4", [2, 2], 16).tolist() == [[4, 5], [6, 7]]
    assert page.array("<i4", offset=80).tolist() == [20, 21, 22, 23]
    assert page.array("<i4", (0, 3)).shape == (0, 3)
    assert page.array("<i4", (), 8) == 2
    assert page.array("u1", offset=96).shape == (0,)
    array = page.array("<i4", (4, 6))
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 1
    assert page.update(array * 2) is not None
    assert page.array("<i4")[5] == 10
    assert array[0, 5] == 5


def test_impossible_arrays_are_refused(state: mmsb.State, page: mmsb.Page) -> None:
    with Refused(state, mmsb.RangeOutOfBounds, "(5,)", 20, 16):
        page.array("<i4", 5)
    with Refused(state, mmsb.RangeOutOfBounds, 20, 16):
        page.array("<i4", offset=20)
    with Refused(state, mmsb.RangeOutOfBounds, "(2, 4)", 8, 16):
        page.array("u1", (2, 4), 12)
    with Refused(state, mmsb.InvalidArgument, 2, "aligned to 4"):
        page.array("<i4", 1, 2)
    with Refused(state, mmsb.LengthMismatch, 15, 4):
        page.array("S4", offset=1)
    with Refused(state, mmsb.InvalidArgument, "object"):
        page.array(object)
    with Refused(state, mmsb.InvalidArgument, "-1"):
        page.array("u1", -1)
    with Refused(state, mmsb.RangeOutOfBounds, "-4"):
        page.array("u1", 1, -4)
    with pytest.raises(TypeError):
        page.array("no such type")
    with pytest.raises(TypeError):
        page.array("u1", 1.5)  # type: ignore[arg-type]
