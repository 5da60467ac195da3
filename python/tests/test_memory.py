"""The heap under states and allocators, and plain blocks."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from conftest import Refused

import mmsb

MIB = 1 << 20
BLOCK_BYTES_MAX = 1 << 40


@pytest.fixture
def scratch() -> Iterator[mmsb.Allocator]:
    with mmsb.Allocator() as scratch:
        yield scratch


@pytest.fixture
def limit() -> Iterator[Callable[[int], None]]:
    """Give a function that leaves so many bytes above what is committed now."""

    def leave(size: int) -> None:
        mmsb.memory_purge()
        mmsb.memory_limit(mmsb.memory_stats()["committed"] + size)

    yield leave
    mmsb.memory_limit(0)


def shown(block: mmsb.Block, dtype: Any) -> np.ndarray[Any, Any]:
    """Return the block as an array; NumPy's hints know no buffers before Python 3.12."""
    return np.frombuffer(memoryview(block), dtype)


def in_class(size: int) -> int:
    """Return how many blocks of the class of exactly that size somebody has."""
    classes = mmsb.memory_stats()["classes"]
    return next((int(one["in_use"]) for one in classes if one["bytes"] == size), 0)


def test_the_heap_is_counted(scratch: mmsb.Allocator) -> None:
    before = in_class(512)
    blocks = [scratch.alloc_block(512) for _ in range(100)]
    large = scratch.alloc_block(3 * MIB)
    stats = mmsb.memory_stats()
    assert in_class(512) == before + 100
    assert 3 * MIB <= stats["in_use"] <= stats["committed"] <= stats["limit"] <= stats["reserved"]
    assert stats["spans"] >= 1
    assert stats["mappings"] >= 1
    assert 0 <= stats["fragmentation"] <= 1
    sizes = [one["bytes"] for one in stats["classes"]]
    assert sizes == sorted(sizes)
    report = mmsb.memory_report()
    assert "committed" in report
    assert "512 B" in report
    large.free()
    assert mmsb.memory_stats()["in_use"] == stats["in_use"] - 3 * MIB
    blocks.clear()
    assert in_class(512) == before


def test_a_state_tells_it_too(state: mmsb.State) -> None:
    state.create_page(5 * MIB)
    memory = state.stats()["memory"]
    assert memory.keys() == mmsb.memory_stats().keys()
    assert memory["in_use"] >= 5 * MIB


def test_prewarmed_memory_asks_the_system_for_nothing(scratch: mmsb.Allocator) -> None:
    scratch.allocate(8)
    scratch.prewarm(50_000, 200)
    calls = mmsb.memory_stats()["kernel_calls"]
    for _ in range(200):
        scratch.allocate(50_000)
    assert mmsb.memory_stats()["kernel_calls"] == calls
    assert scratch.stats()["page_bytes"] == 200 * 50_000 + 8
    mmsb.memory_prewarm(90_000, 100, align=4096)
    calls = mmsb.memory_stats()["kernel_calls"]
    blocks = [scratch.alloc_block(90_000, align=4096) for _ in range(100)]
    assert mmsb.memory_stats()["kernel_calls"] == calls
    assert all(block.address % 4096 == 0 for block in blocks)


def test_what_is_kept_goes_on_demand(scratch: mmsb.Allocator) -> None:
    gc.collect()
    mmsb.memory_purge()
    assert mmsb.memory_stats()["retained"] == 0
    scratch.alloc_block(8 * MIB).free()
    assert mmsb.memory_stats()["retained"] == 8 * MIB
    assert mmsb.memory_purge() == 8 * MIB
    mmsb.memory_retention(0, age_ms=0)
    scratch.alloc_block(8 * MIB).free()
    assert mmsb.memory_stats()["retained"] == 0
    mmsb.memory_retention()
    mmsb.memory_huge_pages(True)
    shown(scratch.alloc_block(4 * MIB), np.uint8).fill(1)
    mmsb.memory_huge_pages(False)


def test_a_limit_refuses_and_changes_nothing(
    state: mmsb.State, scratch: mmsb.Allocator, limit: Callable[[int], None]
) -> None:
    unlimited = mmsb.memory_stats()["limit"]
    limit(0)
    refused: list[Callable[[], object]] = [
        lambda: mmsb.memory_prewarm(100_000, 1000),
        lambda: mmsb.memory_prewarm(MIB, (1 << 64) - 1),
        lambda: scratch.prewarm(100_000, 1000),
        lambda: scratch.alloc_block(64 * MIB),
        lambda: scratch.allocate(64 * MIB),
        lambda: state.create_page(64 * MIB),
    ]
    for call in refused:
        with Refused(state, mmsb.OutOfMemory, "limit"):
            call()
    with pytest.raises(MemoryError):
        scratch.alloc_block(64 * MIB)
    assert scratch.stats()["pages"] == scratch.stats()["blocks"] == 0
    mmsb.memory_limit(0)
    assert mmsb.memory_stats()["limit"] == unlimited
    assert state.create_page(64 * MIB).id == 1


def test_a_states_pages_have_a_limit_of_their_own() -> None:
    with mmsb.State(memory_bytes_max=100_000) as state:
        page = state.create_page(50_000)
        with Refused(state, mmsb.OutOfMemory, 60_000, 100_000):
            state.create_page(60_000)
        page.update(b"x" * 50_000)
        state.free_page(page)
        assert state.create_page(60_000).id == 2
    with mmsb.State() as state:
        assert [state.create_page(60_000).id for _ in range(10)][-1] == 10
    with pytest.raises(mmsb.SizeOutOfRange, match="memory_bytes_max of -1"):
        mmsb.State(memory_bytes_max=-1)


@pytest.mark.parametrize("align", [1, 16, 64, 4096])
@pytest.mark.parametrize("size", [1, 100, 5000, 3 * MIB])
def test_blocks_are_zeroed_aligned_and_apart(
    scratch: mmsb.Allocator, size: int, align: int
) -> None:
    blocks = [scratch.alloc_block(size, align=align) for _ in range(3)]
    for n, block in enumerate(blocks):
        assert (len(block), block.nbytes, block.address % align) == (size, size, 0)
        assert bytes(block) == bytes(size)
        shown(block, np.uint8).fill(n)
    for n, block in enumerate(blocks):
        assert bytes(block) == bytes([n]) * size
    assert (scratch.stats()["blocks"], scratch.stats()["block_bytes"]) == (3, 3 * size)
    assert blocks[0].allocator is scratch
    assert repr(blocks[0]) == f"<mmsb.Block, {size} bytes>"


def test_a_block_is_a_writable_buffer_without_copies(scratch: mmsb.Allocator) -> None:
    block = scratch.alloc_block(64, zeroed=False)
    numbers, view = shown(block, np.float64), memoryview(block)
    numbers[:] = np.arange(8)
    assert view.format == "B"
    assert not view.readonly
    assert view.cast("d").tolist() == list(range(8))
    shared = ctypes.c_char.from_buffer(block)
    assert numbers.ctypes.data == block.address == ctypes.addressof(shared)
    view[0:8] = np.float64(9.0).tobytes()
    assert numbers[0] == 9.0


def test_blocks_go_into_pages_and_come_out_of_them(
    page: mmsb.Page, scratch: mmsb.Allocator
) -> None:
    block = scratch.alloc_block(16)
    page.read_into(block)
    assert bytes(block) == bytes(range(16))
    memoryview(block)[0:4] = b"abcd"
    page.update(block)
    assert page.read(0, 5) == b"abcd\x04"
    block.free()
    with pytest.raises(mmsb.InvalidArgument, match="the block was freed"):
        page.update(block)


def is_gone(block: mmsb.Block) -> bool:
    """Check that whatever is done to the block says that it was freed."""
    uses: list[Callable[[], object]] = [
        lambda: memoryview(block),
        lambda: bytes(block),
        lambda: shown(block, np.uint8),
        lambda: len(block),
        lambda: block.nbytes,
        lambda: block.address,
        block.__enter__,
    ]
    for use in uses:
        with pytest.raises(mmsb.Closed, match="the block was freed"):
            use()
    block.free()
    return block.freed and repr(block) == "<mmsb.Block freed>"


def test_a_freed_block_is_not_used(scratch: mmsb.Allocator) -> None:
    block = scratch.alloc_block(64)
    with block as same:
        assert same is block
        assert not block.freed
    assert is_gone(block)
    assert scratch.stats()["blocks"] == 0


def test_what_something_shows_is_not_freed(scratch: mmsb.Allocator) -> None:
    block = scratch.alloc_block(64)
    array, view = shown(block, np.uint8), memoryview(block)
    with pytest.raises(BufferError, match="2 buffers still show the block"):
        block.free()
    view.release()
    with pytest.raises(BufferError, match="1 buffers"), block:
        pass
    array[:] = 7
    assert bytes(block) == b"\x07" * 64
    del array
    block.free()
    assert is_gone(block)


@pytest.mark.parametrize("end", [mmsb.Allocator.close, mmsb.Allocator.clear])
def test_the_allocator_frees_what_nothing_shows(end: Callable[[mmsb.Allocator], None]) -> None:
    scratch = mmsb.Allocator()
    before = in_class(4096)
    blocks = [scratch.alloc_block(4096) for _ in range(10)]
    array = shown(blocks[0], np.uint8)
    end(scratch)
    assert all(map(is_gone, blocks))
    assert in_class(4096) == before + 1
    array[:] = 7
    assert array.sum() == 7 * 4096
    del array
    assert in_class(4096) == before


def test_an_old_block_leaves_its_address_alone(scratch: mmsb.Allocator) -> None:
    old = scratch.alloc_block(64)
    address = old.address
    scratch.clear()
    new = scratch.alloc_block(64)
    assert new.address == address
    old.free()
    del old
    assert not new.freed
    assert scratch.stats()["blocks"] == 1


def test_forgotten_blocks_are_freed_and_kept_ones_keep_their_allocator() -> None:
    scratch = mmsb.Allocator()
    for _ in range(10):
        scratch.alloc_block(100)
    assert scratch.stats()["blocks"] == 0
    block = scratch.alloc_block(100)
    del scratch
    gc.collect()
    assert not block.allocator.closed
    array = shown(mmsb.Allocator().alloc_block(100), np.uint8)
    gc.collect()
    assert array.sum() == 0


def test_a_closed_allocator_gives_nothing(scratch: mmsb.Allocator) -> None:
    scratch.close()
    uses: list[Callable[[], object]] = [
        lambda: scratch.alloc_block(1),
        lambda: scratch.prewarm(1, 1),
        scratch.stats,
    ]
    for use in uses:
        with pytest.raises(mmsb.Closed, match="the allocator is closed"):
            use()


ALLOC = mmsb.Allocator.alloc_block
PREWARM = mmsb.Allocator.prewarm


@pytest.mark.parametrize(
    ("call", "kind", "named"),
    [
        (lambda pages: ALLOC(pages, 0), mmsb.SizeOutOfRange, ["0 bytes", BLOCK_BYTES_MAX]),
        (lambda pages: ALLOC(pages, -1), mmsb.SizeOutOfRange, ["-1"]),
        (lambda pages: ALLOC(pages, BLOCK_BYTES_MAX + 1), mmsb.SizeOutOfRange, [BLOCK_BYTES_MAX]),
        (lambda pages: ALLOC(pages, 1 << 64), mmsb.SizeOutOfRange, [1 << 64]),
        (lambda pages: ALLOC(pages, BLOCK_BYTES_MAX), mmsb.OutOfMemory, [BLOCK_BYTES_MAX]),
        (lambda pages: ALLOC(pages, 8, align=0), mmsb.InvalidArgument, ["alignment of 0"]),
        (lambda pages: ALLOC(pages, 8, align=24), mmsb.InvalidArgument, ["24", "4096"]),
        (lambda pages: ALLOC(pages, 8, align=8192), mmsb.InvalidArgument, ["8192", "4096"]),
        (lambda pages: ALLOC(pages, 8, align=-8), mmsb.InvalidArgument, ["alignment of -8"]),
        (lambda pages: PREWARM(pages, 0, 1), mmsb.SizeOutOfRange, ["0 bytes"]),
        (lambda pages: PREWARM(pages, 2 * MIB, 1), mmsb.SizeOutOfRange, [2 * MIB, MIB]),
        (lambda pages: PREWARM(pages, 8, -1), mmsb.InvalidArgument, ["count of -1"]),
        (lambda _: mmsb.memory_prewarm(0, 1), mmsb.SizeOutOfRange, ["0 bytes"]),
        (lambda _: mmsb.memory_prewarm(MIB + 1, 1), mmsb.SizeOutOfRange, [MIB + 1, MIB]),
        (lambda _: mmsb.memory_prewarm(8, -1), mmsb.InvalidArgument, ["count of -1"]),
        (lambda _: mmsb.memory_prewarm(8, 1, align=3), mmsb.InvalidArgument, ["3", "4096"]),
        (lambda _: mmsb.memory_limit(-1), mmsb.SizeOutOfRange, ["limit of -1"]),
        (lambda _: mmsb.memory_retention(-1), mmsb.SizeOutOfRange, ["-1"]),
        (lambda _: mmsb.memory_retention(age_ms=-1), mmsb.InvalidArgument, ["age_ms of -1"]),
    ],
)
def test_what_is_refused_changes_nothing(
    scratch: mmsb.Allocator,
    call: Callable[[mmsb.Allocator], object],
    kind: type[mmsb.Error],
    named: list[object],
) -> None:
    with pytest.raises(kind) as caught:
        call(scratch)
    for name in named:
        assert str(name) in str(caught.value)
    assert set(scratch.stats().values()) == {0}


@pytest.mark.parametrize("wrong", ["8", 8.0, None, b"8"])
def test_numbers_are_integers(scratch: mmsb.Allocator, wrong: Any) -> None:
    for call in (scratch.alloc_block, mmsb.memory_limit):
        with pytest.raises(TypeError, match="must be an integer"):
            call(wrong)


def test_threads_share_an_allocator(scratch: mmsb.Allocator) -> None:
    failed = []

    def work(seed: int) -> None:
        for n in range(300):
            size = 1 + 137 * n
            with scratch.alloc_block(size) as block:
                with memoryview(block) as view:
                    view[:] = bytes([seed]) * size
                if bytes(block) != bytes([seed]) * size:
                    failed.append((seed, n))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert scratch.stats()["blocks"] == 0
