"""Pages: creating, changing, reading, freeing; what is refused leaves no trace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import Refused

import mmsb


def test_a_new_page_is_zero(state: mmsb.State) -> None:
    page = state.create_page(size=5)
    assert (page.id, page.size, len(page), page.epoch) == (1, 5, 5, 0)
    assert page.read() == bytes(5)
    assert page.location == "cpu"
    assert page.lsn > 0
    assert page.state is state


def test_ids_are_dense_from_one_and_never_used_again(state: mmsb.State) -> None:
    assert [state.create_page(1).id for _ in range(3)] == [1, 2, 3]
    state.free_page(2)
    state.free_page(state[3])
    assert state.create_page(1).id == 4


def test_content_and_metadata_are_one_record(state: mmsb.State) -> None:
    page = state.create_page(
        data=b"abc", location="gpu", metadata={"unit": b"K"}, source="s", intent="i"
    )
    assert (page.read(), page.size, page.epoch, page.location) == (b"abc", 3, 1, "gpu")
    assert dict(page.metadata) == {"unit": b"K"}
    changes = page.history()
    assert len({change.lsn for change in changes}) == 1
    assert {(change.source, change.intent) for change in changes} == {("s", "i")}
    assert state.stats()["records"] == 1


def test_type_and_shape_make_a_size(state: mmsb.State) -> None:
    assert state.create_page(dtype="<f8", shape=(3, 4)).size == 96
    assert state.create_page(dtype=np.int16, shape=5).size == 10
    assert state.create_page(shape=(3, 4)).size == 12
    assert state.create_page(16, dtype="f4").size == 16
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    page = state.create_page(data=array, dtype=np.int32, shape=(2, 3))
    assert np.array_equal(page.array(np.int32, (2, 3)), array)


@pytest.mark.parametrize(
    ("arguments", "kind", "named"),
    [
        ({}, mmsb.InvalidArgument, ["size, data or a shape"]),
        ({"size": 0}, mmsb.SizeOutOfRange, [0, 1 << 30]),
        ({"size": (1 << 30) + 1}, mmsb.SizeOutOfRange, [(1 << 30) + 1, 1 << 30]),
        ({"size": -1}, mmsb.SizeOutOfRange, [-1]),
        ({"size": 1 << 80}, mmsb.SizeOutOfRange, [1 << 80]),
        ({"data": b""}, mmsb.SizeOutOfRange, [0]),
        ({"size": 4, "data": b"abc"}, mmsb.LengthMismatch, [4, 3]),
        ({"size": 4, "shape": 5}, mmsb.LengthMismatch, [4, 5]),
        ({"data": b"abc", "dtype": "i2"}, mmsb.LengthMismatch, [3, 2]),
        ({"data": b"abcd", "dtype": "i2", "shape": 3}, mmsb.LengthMismatch, [4, 6]),
        ({"shape": (1 << 40, 1 << 40)}, mmsb.SizeOutOfRange, [1 << 40]),
        ({"shape": (2, -3)}, mmsb.SizeOutOfRange, [-3]),
        ({"shape": 4, "dtype": object}, mmsb.InvalidArgument, ["object"]),
        ({"data": np.zeros(4, "i4"), "dtype": "f4"}, mmsb.InvalidArgument, ["int32", "float32"]),
        ({"size": 4, "location": "moon"}, mmsb.InvalidArgument, ["moon", "unified"]),
        ({"size": 4, "source": "x" * 256}, mmsb.TooLong, [256, 255]),
        ({"size": 4, "intent": "x" * 65_536}, mmsb.TooLong, [65_536, 65_535]),
        ({"size": 4, "metadata": {"": b""}}, mmsb.Error, []),
        ({"size": 4, "metadata": {"k" * 256: b""}}, mmsb.TooLong, [256, 255]),
        ({"size": 4, "metadata": {"k": bytes(65_536)}}, mmsb.TooLong, [65_536, 65_535]),
    ],
)
def test_impossible_pages_are_refused(
    state: mmsb.State, arguments: dict[str, Any], kind: type[mmsb.Error], named: list[object]
) -> None:
    before = state.digest()
    with pytest.raises(kind) as caught:
        state.create_page(**arguments)
    for value in named:
        assert str(value) in str(caught.value)
    assert state.digest() == before
    assert (len(state), state.stats()["records"]) == (0, 0)
    assert state.create_page(1).id == 1, "its id was given back"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 1.5}, "a size must be an integer, not float"),
        ({"data": "text"}, "buffer protocol, not str"),
        ({"size": 1, "source": b"x"}, "source"),
        ({"size": 1, "metadata": {"k": "text"}}, "buffer protocol, not str"),
        ({"size": 1, "metadata": {3: b"x"}}, "must be str or bytes, not int"),
    ],
)
def test_wrong_types_are_type_errors(
    state: mmsb.State, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        state.create_page(**arguments)
    assert len(state) == 0


def test_update_records_what_differs(state: mmsb.State, page: mmsb.Page) -> None:
    content = bytearray(page.read())
    content[3:5] = b"xy"
    lsn = page.update(content, source="feed", intent="why")
    assert lsn == page.lsn
    assert (page.read(), page.epoch) == (bytes(content), 2)
    change = page.history()[-1]
    assert change.delta is not None
    assert change.delta.runs == [(3, b"xy")]
    assert (change.source, change.intent) == ("feed", "why")


def test_equal_content_is_no_record(state: mmsb.State, page: mmsb.Page) -> None:
    before = state.stats()["records"]
    assert page.update(page.read()) is None
    assert page.write(2, page.read(2, 3)) is None
    assert page.write(2, b"") is None
    assert page.write_masked(bytes(16), b"x" * 16) is None
    assert (state.stats()["records"], page.epoch) == (before, 1)


def test_write_and_write_masked(page: mmsb.Page) -> None:
    assert page.write(14, b"yz") is not None
    assert page.read(13) == b"\x0dyz"
    mask = np.zeros(16, bool)
    mask[::5] = True
    page.write_masked(mask, b"M" * 16)
    assert page.read(0, 6) == b"M\x01\x02\x03\x04M"


def test_reading_parts(page: mmsb.Page) -> None:
    assert page.read(14) == b"\x0e\x0f"
    assert page.read(4, 2) == b"\x04\x05"
    assert page.read(offset=16) == b""
    buffer = bytearray(4)
    page.read_into(buffer, 3)
    assert buffer == b"\x03\x04\x05\x06"
    array = np.empty(4, np.uint16)
    page.read_into(array)
    assert array.tobytes() == bytes(range(8))


def test_bad_changes_leave_no_trace(state: mmsb.State, page: mmsb.Page) -> None:
    with Refused(state, mmsb.LengthMismatch, 15, 16):
        page.update(bytes(15))
    with Refused(state, mmsb.LengthMismatch, 64, 16):
        page.update(np.zeros(8))
    with Refused(state, mmsb.RangeOutOfBounds, 3, 14, 16):
        page.write(14, b"abc")
    with Refused(state, mmsb.RangeOutOfBounds, -1):
        page.write(-1, b"abc")
    with Refused(state, mmsb.RangeOutOfBounds, 1 << 70):
        page.write(1 << 70, b"abc")
    with Refused(state, mmsb.LengthMismatch, "mask", 15, 16):
        page.write_masked(bytes(15), bytes(16))
    with Refused(state, mmsb.LengthMismatch, "content", 17, 16):
        page.write_masked(bytes(16), bytes(17))
    with Refused(state, mmsb.TooLong, 256, 255):
        page.update(b"x" * 16, source="é" * 128)
    with Refused(state, mmsb.TooLong, 65_536, 65_535):
        page.write(0, b"x", intent="x" * 65_536)
    with Refused(state, mmsb.RangeOutOfBounds, 17, 16):
        page.read(0, 17)
    with Refused(state, mmsb.RangeOutOfBounds, 17, 16):
        page.read(17)
    with Refused(state, mmsb.RangeOutOfBounds, 8, 9, 16):
        page.read_into(bytearray(8), 9)


def test_labels_that_are_no_utf8_are_refused(state: mmsb.State, page: mmsb.Page) -> None:
    bad, before = "\udcff", (state.digest(), state.stats()["records"])
    for use in (
        lambda: page.write(0, b"x", source=bad),
        lambda: page.update(b"x" * 16, intent=bad),
        lambda: page.write_masked(b"1" * 16, b"x" * 16, source=bad),
        lambda: state.create_page(4, intent=bad),
        lambda: page.free(source=bad),
        lambda: state.batch(source=bad),
        lambda: page.set_meta("k", b"v", source=bad),
        lambda: page.set_meta(bad, b"v"),
        lambda: page.get_meta(bad),
        lambda: mmsb.Delta.dense(page, b"x", source=bad),
        lambda: state.query(source=bad),
        lambda: state.checkpoint(bad),
        lambda: state.drop_checkpoint(bad),
    ):
        with pytest.raises(UnicodeEncodeError, match=r"udcff.*position 0"):
            use()
    assert (state.digest(), state.stats()["records"]) == before


@pytest.mark.parametrize("unknown", [0, 2, 1 << 63])
def test_unknown_pages(state: mmsb.State, page: mmsb.Page, unknown: int) -> None:
    for use in (
        lambda: state[unknown],
        lambda: state.free_page(unknown),
        lambda: state.history(unknown),
        lambda: state.page_at(unknown, page.lsn),
        lambda: state.query(page=unknown),
        lambda: state.apply(mmsb.Delta.dense(unknown, b"x")),
        lambda: state.snapshot().read(unknown),
    ):
        with Refused(state, mmsb.PageNotFound, f"page {unknown}"):
            use()
    with Refused(state, mmsb.PageNotFound, f"page {unknown}"), state.batch() as batch:
        batch.write(page, 0, b"x")
        batch.write(unknown, 0, b"x")


@pytest.mark.parametrize("absurd", [-1, 1 << 64])
def test_numbers_that_are_no_ids(state: mmsb.State, absurd: int) -> None:
    with Refused(state, mmsb.PageNotFound, absurd):
        state[absurd]
    with Refused(state, mmsb.PageNotFound, absurd):
        mmsb.Delta.dense(absurd, b"x")


def test_freed_pages(state: mmsb.State, page: mmsb.Page) -> None:
    lsn = page.free(source="me")
    assert lsn > 0
    assert page not in state
    for use in (
        lambda: page.update(bytes(16)),
        lambda: page.write(0, b"x"),
        page.read,
        page.view,
        page.free,
        lambda: page.epoch,
        lambda: page.size,
        lambda: page.metadata["k"],
        lambda: state[page.id],
        lambda: page.array("u1"),
    ):
        with Refused(state, mmsb.PageFreed, "page 1"):
            use()
    assert "was freed" in repr(page)
    assert [change.kind for change in page.history()][-1] == "freed"


def test_a_state_is_a_container_of_pages(state: mmsb.State) -> None:
    pages = [state.create_page(n) for n in (1, 2, 3)]
    assert (len(state), state.page_count) == (3, 3)
    assert state.pages() == list(state) == pages
    assert state[2] == pages[1] != pages[0]
    assert hash(state[2]) == hash(pages[1])
    assert 2 in state
    assert pages[0] in state
    assert 9 not in state
    assert -1 not in state
    assert "x" not in state
    assert [page.size for page in state] == [1, 2, 3]
    assert repr(pages[1]) == "<mmsb.Page 2, 2 bytes, epoch 0>"
    assert repr(state) == "<mmsb.State in memory, 3 pages>"


def test_pages_of_another_state_are_refused(state: mmsb.State, page: mmsb.Page) -> None:
    with mmsb.State() as other:
        theirs = other.create_page(16)
        assert theirs != page
        assert theirs not in state
        with Refused(state, mmsb.InvalidArgument, "another state"):
            state.free_page(theirs)
        with Refused(state, mmsb.InvalidArgument, "another state"):
            state.history(theirs)
        with Refused(state, mmsb.InvalidArgument, "another state"), state.batch() as batch:
            batch.write(theirs, 0, b"x")


def test_apply_a_delta(state: mmsb.State, page: mmsb.Page) -> None:
    delta = mmsb.Delta.from_runs(page, [(0, b"ab"), (8, b"c")], source="s", intent="i")
    lsn = state.apply(delta)
    assert lsn == page.lsn
    assert page.read(0, 9) == b"ab\x02\x03\x04\x05\x06\x07c"
    assert state.apply(delta) is None
    with Refused(state, mmsb.LengthMismatch, 4, 16):
        state.apply(mmsb.Delta.dense(page, b"abcd"))
    with Refused(state, mmsb.RangeOutOfBounds, 16):
        state.apply(mmsb.Delta.from_runs(page, [(15, b"ab")]))
    with Refused(state, mmsb.PageNotFound, 77):
        state.apply(mmsb.Delta.dense(77, b"abcd"))


def test_two_states_that_did_the_same_have_the_same_digest() -> None:
    with mmsb.State() as one, mmsb.State() as other:
        for state in (one, other):
            page = state.create_page(4)
            page.update(b"abcd")
            page.metadata["k"] = b"v"
        assert one.digest() == other.digest()
        assert one.hexdigest() == one.digest().hex()
        other[1].write(0, b"x")
        assert one.digest() != other.digest()


def test_stats_have_names_and_latencies(state: mmsb.State, page: mmsb.Page) -> None:
    stats = state.stats()
    assert (stats["pages"], stats["page_bytes"], stats["next_page_id"]) == (1, 16, 2)
    assert set(stats["flush"]) == {"count", "mean_ns", "p50_ns", "p99_ns", "max_ns"}
    assert state.stats_json().startswith("{")


def test_a_large_page(state: mmsb.State) -> None:
    page = state.create_page(8 << 20)
    content = np.random.default_rng(1).integers(0, 256, 8 << 20, np.uint8)
    assert page.update(content) is not None
    assert page.read() == content.tobytes()
    assert page.read(5 << 20, 3) == content[5 << 20 :][:3].tobytes()
