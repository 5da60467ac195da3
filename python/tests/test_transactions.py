"""Transactions, ownership and workers: all or nothing, of one moment, an answer to everything."""

import gc
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Refused

import mmsb


def number(page: mmsb.Page) -> int:
    """Return the number that a page holds."""
    return int.from_bytes(page.read(), "little")


def counter(state: mmsb.State, value: int) -> mmsb.Page:
    """Return a page of 8 bytes that holds a number."""
    return state.create_page(data=value.to_bytes(8, "little"))


def get(t: mmsb.Transaction, page: mmsb.Page) -> int:
    """Return the number that a page holds in a transaction."""
    return int.from_bytes(t.read(page), "little")


def put(t: mmsb.Transaction, page: mmsb.Page, value: int) -> None:
    """Write a number."""
    t.update(page, value.to_bytes(8, "little"))


def test_all_of_it_happens_at_once(state: mmsb.State) -> None:
    a, b = counter(state, 1), counter(state, 2)
    with state.transaction(source="test", intent="all") as t:
        put(t, a, 9)
        c = t.create_page(4, data=None)
        t.write(c, 1, b"xy")
        t.set_meta(c, "k", b"v")
        assert t.meta(c, "k") == b"v"
        t.free_page(b)
        assert (get(t, a), number(a)) == (9, 1)
        assert t.read(c, 1, 2) == b"xy"
        assert t.size(c) == 4
        assert t.pages() == [a, c]
        assert c in t
        assert b not in t
        buffer = np.zeros(2, np.uint8)
        t.read_into(c, buffer, 1)
        assert bytes(buffer) == b"xy"
    assert t.done
    assert t.lsn == a.lsn == c.lsn
    assert state.pages() == [a, c]
    assert [x.intent for x in state.query(page=c)] == ["all"] * 3
    with pytest.raises(mmsb.TransactionFinished, match="given up"):
        t.read(a)
    with pytest.raises(mmsb.TransactionFinished):
        t.commit()


def test_an_exception_leaves_nothing(state: mmsb.State) -> None:
    a = counter(state, 1)
    before = state.digest()
    with pytest.raises(ZeroDivisionError), state.transaction() as t:
        put(t, a, 1 // 0)
    with pytest.raises(ZeroDivisionError):
        state.transact(lambda t: put(t, a, 1 // 0))
    for _ in range(100):
        put(state.transaction(), a, 7)
    gc.collect()
    assert state.digest() == before


def test_what_another_changed_is_a_conflict(state: mmsb.State) -> None:
    a, b = counter(state, 1), counter(state, 2)
    with pytest.raises(mmsb.Conflict, match="page 1") as caught, state.transaction() as t:
        put(t, b, get(t, a))
        a.write(0, b"\x07")
    assert caught.value.retryable
    assert number(b) == 2
    assert isinstance(caught.value, mmsb.TransactionError)
    reader = state.transaction(read_only=True)
    assert get(reader, a) == 7
    with pytest.raises(mmsb.ReadOnly):
        put(reader, a, 1)
    a.write(0, b"\x08")
    with pytest.raises(mmsb.Conflict):
        reader.read(a)
    with pytest.raises(mmsb.Conflict, match="begun anew"):
        reader.check()


def test_functions_are_tried_again(state: mmsb.State) -> None:
    a, b = counter(state, 1), counter(state, 1)
    tries = 0

    def move(t: mmsb.Transaction) -> str:
        nonlocal tries
        tries += 1
        n = get(t, a)
        if tries < 3:
            a.write(0, bytes([n + 1]))
            if tries == 2:
                # A consequence of what holds no longer.
                raise ValueError(n)
        put(t, b, n)
        return f"done {tries}"

    assert state.transact(move, source="test") == "done 3"
    assert number(b) == 3

    def meets(t: mmsb.Transaction) -> None:
        a.write(0, bytes([get(t, a) + 1]))
        put(t, b, 0)

    with pytest.raises(mmsb.RetriesExhausted, match="2 tries"):
        state.transact(meets, tries=2, pause_max_ms=0.1)
    with pytest.raises(mmsb.InvalidArgument, match="0 tries"):
        state.transact(move, tries=0)
    with pytest.raises(mmsb.InvalidArgument, match="pause_max_ms"):
        state.transact(move, pause_max_ms=-1.0)
    assert number(b) == 3
    assert state.stats()["transactions_exhausted"] == 1


def test_savepoints(state: mmsb.State) -> None:
    a = counter(state, 1)
    with state.transaction() as t:
        put(t, a, 5)
        first = t.savepoint()
        put(t, a, 6)
        second = t.savepoint()
        first.rollback()
        assert get(t, a) == 5
        with pytest.raises(mmsb.InvalidArgument, match="taken back"):
            second.rollback()
        with pytest.raises(ValueError, match="no"), t.savepoint():
            put(t, a, 7)
            raise ValueError("no")
        with t.savepoint():
            put(t, a, 8)
    assert number(a) == 8


def test_nothing_is_lost_between_threads(state: mmsb.State) -> None:
    a, b = counter(state, 10_000), counter(state, 10_000)

    def move(source: mmsb.Page, to: mmsb.Page) -> None:
        def step(t: mmsb.Transaction) -> None:
            left, right = get(t, source), get(t, to)
            put(t, source, left - 1)
            put(t, to, right + 1)

        for _ in range(300):
            state.transact(step)

    threads = [threading.Thread(target=move, args=pair) for pair in [(a, b), (b, a), (a, b)]]
    for thread in threads:
        thread.start()
    for _ in range(50):
        with state.snapshot() as snapshot:
            total = sum(int.from_bytes(snapshot.read(page), "little") for page in (a, b))
            assert total == 20_000
    for thread in threads:
        thread.join()
    assert (number(a), number(b)) == (9_700, 10_300)


def test_misuse_is_told(state: mmsb.State, page: mmsb.Page) -> None:
    with mmsb.State() as other, other.transaction() as t:
        with pytest.raises(mmsb.InvalidArgument, match="another state"):
            t.read(page)
        with pytest.raises(mmsb.PageNotFound, match="page 7"):
            t.read(7)
        mine = t.create_page(4)
        with pytest.raises(mmsb.RangeOutOfBounds):
            t.write(mine, 2, b"abc")
        with pytest.raises(mmsb.RangeOutOfBounds, match="9 bytes"):
            t.read(mine, 0, 9)
        with pytest.raises(mmsb.LengthMismatch):
            t.update(mine, b"abc")
        with pytest.raises(mmsb.KeyNotFound):
            t.remove_meta(mine, "none")
        t.abort()
        t.abort()
    late = mmsb.State()
    t = late.transaction()
    late.close()
    with pytest.raises(mmsb.Closed):
        t.create_page(4)
    with pytest.raises(mmsb.Closed):
        t.commit()


def test_owned_pages_are_their_partitions(state: mmsb.State, folder: Path) -> None:
    mine, other = counter(state, 1), counter(state, 2)
    assert str(mine.ownership) == "shared"
    assert mine.transfer(7, source="test") == mine.lsn
    assert state[mine.id].ownership == 7
    with pytest.raises(mmsb.NotOwner, match="partition 7"):
        mine.write(0, b"x")
    with pytest.raises(mmsb.InvalidArgument, match="65536"):
        mine.transfer(65536)
    with state.partition(7) as partition:
        assert (partition.number, repr(partition)) == (7, "<mmsb.Partition 7>")
        with pytest.raises(mmsb.PartitionInUse, match="partition 7"):
            state.partition(7)
        partition.transact(lambda t: put(t, mine, get(t, mine) + 1), source="test")
        with partition.transaction() as t:
            t.freeze(other)
            t.share(mine)
    assert partition.closed
    with pytest.raises(mmsb.Closed, match="given back"):
        partition.transaction()
    assert (number(mine), mine.ownership, other.ownership) == (2, "shared", "immutable")
    with pytest.raises(mmsb.Immutable, match="frozen"):
        other.write(0, b"x")
    with pytest.raises(mmsb.Immutable):
        other.share()
    assert mine.share() is None
    assert [x.kind for x in state.query(page=mine)].count("owned") == 2
    with mmsb.State(folder) as durable:
        durable.create_page(4).freeze()
    with mmsb.State(folder) as durable:
        assert durable[1].ownership == "immutable"


def test_workers_answer_everything(state: mmsb.State) -> None:
    pages = [counter(state, 0) for _ in range(2)]
    for at, page in enumerate(pages):
        page.transfer(at)
    a, b = ((page, 0) for page in pages)
    shared = counter(state, 0)
    with state.executor(2, pin=False) as workers:
        assert (workers.workers, workers.pinned, workers.state) == (2, 0, state)
        programs = [
            mmsb.Program().add(a, 10),
            mmsb.Program().transfer(a, b, 4),
            mmsb.Program().transfer(a, b, 7),
            mmsb.Program().require(b, "==", 4).write(b, b"\x05"),
            mmsb.Program().compare_and_swap(b, b"\x04", b"\x06"),
            mmsb.Program().add((shared, 0), 2.5),
            mmsb.Program().add((99, 0), 1),
        ]
        tickets = workers.submit(programs, source="test")
        assert len(tickets) == 7
        results = tickets.wait()
        kinds = [type(result).__name__ for result in results]
        failed = "ConditionFailed"
        assert kinds == ["int", "int", failed, "int", failed, "int", "PageNotFound"]
        assert "is less than the 7" in str(results[2])
        assert (number(pages[0]), number(pages[1])) == (6, 5)
        assert np.frombuffer(shared.read())[0] == 2.5
        deltas = [mmsb.Delta.from_runs(shared, [(0, bytes([n]))]) for n in range(1, 21)]
        tickets = workers.apply(deltas)
        assert len(tickets.wait()) == 20
        assert shared.read()[0] == 20
        with pytest.raises(mmsb.Closed, match="taken"):
            tickets.wait()
        with pytest.raises(mmsb.PartitionInUse):
            state.executor(1)
    assert workers.closed
    with pytest.raises(mmsb.Closed):
        workers.submit(programs)
    with pytest.raises(mmsb.SizeOutOfRange, match="65 workers"):
        state.executor(65)
    with pytest.raises(mmsb.InvalidArgument, match="no step"):
        mmsb.Program(b"\x09" * 30)
    with pytest.raises(mmsb.LengthMismatch):
        mmsb.Program().compare_and_swap(a, b"a", b"bc")
    with pytest.raises(mmsb.InvalidArgument, match="relation"):
        mmsb.Program().require(a, "~", 1)  # type: ignore[arg-type]
    assert mmsb.Program(bytes(programs[1])) == programs[1] != programs[2]
    assert state.executor(1).stop() == 0


def test_numbers_that_no_worker_or_try_can_have_are_named(state: mmsb.State) -> None:
    size, invalid = mmsb.SizeOutOfRange, mmsb.InvalidArgument
    for n in (-1, 1 << 70):
        with pytest.raises(size, match=rf"^workers of {n}; it must lie in 1 to 64\b"):
            state.executor(n)
        with pytest.raises(size, match=f"^queue_max of {n}; it must lie in 1 to"):
            state.executor(1, queue_max=n)
    for n in (-1, 1 << 32, 1 << 70):
        with pytest.raises(invalid, match=rf"^tries of {n}; it must lie in 1 to 4294967295\b"):
            state.executor(1, tries=n)
        with pytest.raises(invalid, match=f"^tries of {n}; "):
            state.transact(print, tries=n)
        with state.partition(3) as mine, pytest.raises(invalid, match=f"^tries of {n}; "):
            mine.transact(print, tries=n)
    with pytest.raises(size, match="1 to 64"):
        state.executor(65)
    state.executor(None, pin=False).close()
    with pytest.raises(invalid, match=rf"^an amount to add of {1 << 63}; .* {-(1 << 63)} to"):
        mmsb.Program().add((1, 0), 1 << 63)
    with pytest.raises(TypeError):
        mmsb.Program().add((1, 0), "1")  # type: ignore[arg-type]
    with state.executor(1, pin=False) as workers:
        with pytest.raises(TypeError, match=r"^deltas must be a sequence of Delta, not int"):
            workers.apply(5)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"^programs must be .* of Program; int is in it"):
            workers.submit([5])  # type: ignore[list-item]


#: What adds a step at a page, given as such or by its id.
STEPS: list[Callable[[mmsb.Program, mmsb.Page | int], mmsb.Program]] = [
    lambda program, page: program.add((page, 0), 1),
    lambda program, page: program.add((page, 0), 1.0),
    lambda program, page: program.write((page, 0), b"OOPS"),
    lambda program, page: program.compare_and_swap((page, 0), b"\0", b"x"),
    lambda program, page: program.transfer((page, 0), (page, 0), 0).add((1, 0), 1),
    lambda program, page: program.require((page, 0), "==", 0).add((1, 0), 1),
]


@pytest.mark.parametrize("step", STEPS)
def test_a_program_with_a_page_is_for_its_state_alone(
    state: mmsb.State, step: Callable[[mmsb.Program, mmsb.Page | int], mmsb.Program]
) -> None:
    mine = counter(state, 0)
    strange = "page 1 of another state"
    with mmsb.State() as other, state.executor(1, pin=False) as workers:
        theirs = counter(other, 0)
        foreign = step(mmsb.Program(), theirs)
        with Refused(state, mmsb.InvalidArgument, strange):
            workers.submit([mmsb.Program().add((mine, 0), 1), foreign])
        # Pages of two states do not come into one program, which stays as it was; ids do.
        program = mmsb.Program().require((mine, 0), "==", 0)
        before = bytes(program)
        with Refused(state, mmsb.InvalidArgument, strange):
            step(program, theirs)
        assert bytes(program) == before
        step(program, mine.id)
        assert program != foreign == step(mmsb.Program(), 1)
        assert workers.submit([step(mmsb.Program(), 1), program]).wait()[0] == mine.lsn
        with other.executor(1, pin=False) as theirs_too:
            assert theirs_too.submit([foreign]).wait() == [theirs.lsn]
        # What is written down holds ids.
        assert len(workers.submit([mmsb.Program(bytes(foreign))]).wait()) == 1


def test_a_program_with_pages_of_an_allocator_is_for_no_state(state: mmsb.State) -> None:
    counter(state, 0)
    with mmsb.Allocator() as scratch, state.executor(1, pin=False) as workers:
        program = mmsb.Program().add((scratch.allocate(8), 0), 1)  # type: ignore[arg-type]
        with Refused(state, mmsb.InvalidArgument, "page 1 of an allocator, not of a state"):
            workers.submit([program])


def test_transact_alone_ends_its_transaction(state: mmsb.State) -> None:
    """What the function does to end it is refused before it does anything."""
    a, b = counter(state, 1), counter(state, 2)
    b.transfer(7)
    kept: list[mmsb.Transaction] = []

    def enter(t: mmsb.Transaction) -> None:
        with t:
            pass

    ends: list[Callable[[mmsb.Transaction], object]] = [
        lambda t: t.commit(),
        lambda t: t.abort(),
        enter,
        lambda t: t.__exit__(None, None, None),
        lambda t: t.__exit__(ValueError, ValueError(), None),
    ]
    with state.partition(7) as mine:
        for end in ends:
            for page, transact in ((a, state.transact), (b, mine.transact)):

                def body(t: mmsb.Transaction, page: mmsb.Page = page) -> None:
                    kept.append(t)
                    put(t, page, 9)
                    end(t)  # noqa: B023

                with Refused(state, mmsb.InvalidArgument, "transact commits when its function"):
                    transact(body)
                assert kept[-1].done
                with pytest.raises(mmsb.TransactionFinished):
                    kept[-1].commit()
                kept[-1].abort()

                def goes_on(t: mmsb.Transaction, page: mmsb.Page = page) -> None:
                    put(t, page, number(page) + 1)
                    with pytest.raises(mmsb.InvalidArgument):
                        end(t)  # noqa: B023
                    assert not t.done

                before = number(page)
                transact(goes_on)
                assert number(page) == before + 1


def test_pauses_and_partitions_that_there_are_not_are_named(state: mmsb.State) -> None:
    page, invalid = counter(state, 1), mmsb.InvalidArgument
    nan, inf = float("nan"), float("inf")
    for n in (-1, -0.5, 1 << 64, 1 << 2000, 1e300, nan, inf):
        text = rf"^pause_max_ms of {re.escape(str(n))}; it must lie in 0 to {(1 << 64) - 1}\b"
        with pytest.raises(invalid, match=text):
            state.transact(print, pause_max_ms=n)
        with pytest.raises(invalid, match=text):
            state.executor(1, pause_max_ms=n)
        with state.partition(3) as mine, pytest.raises(invalid, match=text):
            mine.transact(print, pause_max_ms=n)
    with pytest.raises(TypeError, match=r"^pause_max_ms must be a number, not str"):
        state.transact(print, pause_max_ms="1")  # type: ignore[arg-type]
    pauses: list[Any] = [0, 0.0, 2, np.float32(0.5), np.int8(1), (1 << 64) - 1, 1e19]
    for pause in pauses:
        assert state.transact(lambda _: "done", pause_max_ms=pause) == "done"
    for n in (-1, 65_536, 1 << 70):
        text = f"^a partition of {n}; it must lie in 0 to 65535$"
        with pytest.raises(invalid, match=text):
            state.partition(n)
        with Refused(state, invalid, f"partition of {n}; "):
            page.transfer(n)
        with pytest.raises(invalid, match=text), state.transaction() as t:
            t.transfer(page, n)
    with pytest.raises(TypeError, match=r"^a partition must be an integer, not str"):
        state.partition("3")  # type: ignore[arg-type]
    for n in (0, 65_535):
        state.partition(n).close()
