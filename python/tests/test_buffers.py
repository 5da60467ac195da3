"""What counts as bytes: every C-contiguous buffer of numbers, nothing else, never copied."""

from __future__ import annotations

import array
import ctypes
import mmap
from typing import Any

import numpy as np
import pytest
from conftest import Refused

import mmsb

CONTENT = bytes(range(100, 116))


@pytest.mark.parametrize(
    "source",
    [
        CONTENT,
        bytearray(CONTENT),
        memoryview(CONTENT),
        memoryview(bytearray(b"__" + CONTENT))[2:],
        memoryview(CONTENT).cast("I"),
        array.array("d", CONTENT),
        (ctypes.c_uint16 * 8).from_buffer_copy(CONTENT),
        np.frombuffer(CONTENT, np.uint8),
        np.frombuffer(CONTENT, np.uint8).reshape(2, 2, 4),
        np.frombuffer(CONTENT, ">i4"),
        np.frombuffer(CONTENT, np.complex64),
        np.frombuffer(CONTENT, np.float16),
        np.frombuffer(CONTENT, [("Open", "u4"), ("O", "u4"), ("f", "f8")]),
        np.frombuffer(b"________" + CONTENT, np.uint8)[8:],
    ],
    ids=lambda source: f"{type(source).__name__} {getattr(source, 'dtype', '')}",
)
def test_buffers_are_taken_as_their_bytes(state: mmsb.State, source: Any) -> None:
    page = state.create_page(data=source)
    assert page.read() == CONTENT
    page.write(0, bytes(16))
    page.update(source)
    assert page.read() == CONTENT
    page.write(0, bytes(16))
    page.write(0, source)
    assert page.read() == CONTENT
    assert mmsb.Delta.dense(1, source).payload == CONTENT


def test_a_mapped_file(state: mmsb.State, tmp_path: Any) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    with (
        open(tmp_path / "file", "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        assert state.create_page(data=mapped).read() == CONTENT


@pytest.mark.parametrize(
    ("source", "named"),
    [
        (np.zeros((4, 4), np.uint8).T[::2], "contiguous"),
        (np.zeros((4, 4), np.uint8, order="F"), "contiguous"),
        (np.zeros(32, np.uint8)[::2], "strides (2,)"),
        (np.zeros(16, np.uint8)[::-1], "strides (-1,)"),
        (memoryview(bytes(32))[::2], "contiguous"),
        (np.zeros(2, object), "Python objects"),
        (np.zeros(1, [("a", "u8"), ("b", object)]), "Python objects"),
        (np.zeros(2, "M8[s]"), "dtype 'M'"),
    ],
)
def test_others_are_refused_and_not_copied(
    state: mmsb.State, page: mmsb.Page, source: Any, named: str
) -> None:
    with Refused(state, mmsb.InvalidArgument, named):
        page.update(source)
    with Refused(state, mmsb.InvalidArgument, named):
        page.write(0, source)
    with Refused(state, mmsb.InvalidArgument, named):
        page.write_masked(source, bytes(16))
    with Refused(state, mmsb.InvalidArgument, named):
        page.metadata["k"] = source
    with Refused(state, mmsb.InvalidArgument, named):
        state.create_page(data=source)
    with Refused(state, mmsb.InvalidArgument, named), state.batch() as batch:
        batch.update(page, source)
    with Refused(state, mmsb.InvalidArgument, named):
        mmsb.Delta.from_runs(page, [(0, source)])


@pytest.mark.parametrize("source", ["text", 7, None, [1, 2], {"a": 1}])
def test_what_is_no_buffer_is_a_type_error(page: mmsb.Page, source: Any) -> None:
    with pytest.raises(TypeError, match="buffer protocol"):
        page.update(source)
    with pytest.raises(TypeError, match="buffer protocol"):
        page.read_into(source)


@pytest.mark.parametrize(
    ("target", "named"),
    [
        (bytes(4), "not writable"),
        (memoryview(bytes(4)), "not writable"),
        (np.zeros(8, np.uint8)[::2], "contiguous"),
        (np.zeros(1, object), "Python objects"),
    ],
)
def test_read_into_needs_a_writable_buffer(
    state: mmsb.State, page: mmsb.Page, target: Any, named: str
) -> None:
    with pytest.raises(mmsb.InvalidArgument, match=named) as caught:
        page.read_into(target)
    assert caught.value.__cause__ is None or isinstance(caught.value.__cause__, Exception)


def test_a_page_is_read_into_from_its_own_view(state: mmsb.State, page: mmsb.Page) -> None:
    with page.view() as view:
        with pytest.raises(mmsb.InvalidArgument, match="not writable"):
            page.read_into(view)
        assert page.update(view) is None
        page.write(0, memoryview(view)[4:8])
    assert page.read(0, 4) == b"\x04\x05\x06\x07"


def test_sources_are_given_back(page: mmsb.Page) -> None:
    source = bytearray(16)
    page.update(source)
    source.append(0)  # It could not grow while it is exported.
    with pytest.raises(mmsb.LengthMismatch):
        page.update(source)
    source.append(0)


@pytest.mark.parametrize("derived", [False, True])
def test_a_source_that_changes_meanwhile_tears_nothing(derived: bool) -> None:
    import threading

    size = 4 << 20
    rng = np.random.default_rng(7)
    contents = [rng.integers(0, 256, size, np.uint8) for _ in range(3)]
    source, done = contents[0].copy(), threading.Event()

    def scribble() -> None:
        while not done.is_set():
            for content in contents:
                np.copyto(source, content)

    with mmsb.State() as state:
        page = state.create_page(size)
        if derived:
            state.derive(state.create_page(size), [page], "u8: p0")
        scribbler = threading.Thread(target=scribble)
        scribbler.start()
        for _ in range(100):
            page.update(source)
        done.set()
        scribbler.join()
        state.verify()
