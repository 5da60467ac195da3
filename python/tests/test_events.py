"""Events: kinds and order, filters, what does not fit, waiting, asyncio."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref

import pytest

import mmsb


def kinds(events: list[mmsb.Event]) -> list[str]:
    return [event.kind for event in events]


def test_a_group_is_told_in_the_order_of_its_entries() -> None:
    with mmsb.State() as state:
        a, b = state.create_page(8), state.create_page(8)
        with state.subscribe() as events:
            assert events.poll() == []
            lsn = a.write(0, b"x")
            changed, committed = events.poll()
            assert (changed.kind, changed.page, changed.epoch, changed.lsn) == (
                "changed",
                a.id,
                1,
                lsn,
            )
            assert (committed.kind, committed.page, committed.count) == ("committed", None, 1)
            assert changed.other is None
            assert changed.edge is None
            assert events.since < changed.lsn
            with state.batch() as batch:
                batch.set_meta(a, "k", b"v")
                batch.free_page(b)
            assert kinds(events.poll()) == ["metadata", "freed", "committed"]
            c = state.create_page(8)
            state.graph.add(a, c, "device")
            told = events.poll()
            assert kinds(told) == ["created", "committed", "edge_added", "committed"]
            assert (told[2].page, told[2].other, told[2].edge) == (c.id, a.id, "device")
            assert repr(told[0]) == f"<mmsb.Event created page {c.id} at {told[0].lsn}>"
            assert told[0] == told[0]
            assert told[0] != told[1]
            assert len({*told}) == 4


def test_filters_choose() -> None:
    with mmsb.State() as state:
        a, b = state.create_page(8), state.create_page(8)
        commits = state.subscribe(kinds=["committed"])
        of_b = state.subscribe(kinds=("changed",), pages=[b, 99])
        a.write(0, b"x")
        b.write(0, b"x")
        assert kinds(commits.poll()) == ["committed", "committed"]
        assert [event.page for event in of_b.poll()] == [b.id]


def test_what_cannot_be_is_refused_by_name() -> None:
    with mmsb.State() as state, mmsb.State() as other:
        with pytest.raises(mmsb.InvalidArgument, match=r"nonsense.*created, changed"):
            state.subscribe(kinds=["nonsense"])  # type: ignore[list-item]
        with pytest.raises(mmsb.InvalidArgument, match=r"none; there are created, changed.*lost$"):
            state.subscribe(kinds=[])
        for kinds in ("changed", 5):
            with pytest.raises(
                TypeError, match=r"^kinds must be a sequence of names of kinds, not"
            ):
                state.subscribe(kinds=kinds)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"^kinds must be .* names of kinds; int is in it"):
            state.subscribe(kinds=[5])  # type: ignore[list-item]
        for pages in ("ab", 5):
            with pytest.raises(
                TypeError, match=r"^pages must be a sequence of pages or their ids, not"
            ):
                state.subscribe(pages=pages)  # type: ignore[arg-type]
        for capacity in (1 << 25, 0, -1, 1 << 70):
            with pytest.raises(mmsb.SizeOutOfRange, match=rf" {capacity}\b.* 1 to 16777216"):
                state.subscribe(capacity=capacity)
        with pytest.raises(TypeError, match=r"^capacity must be an integer, not str"):
            state.subscribe(capacity="5")  # type: ignore[arg-type]
        with pytest.raises(mmsb.InvalidArgument, match="another state"):
            state.subscribe(pages=[other.create_page(1)])
        events = state.subscribe()
        for limit in (-1, 1 << 70):
            with pytest.raises(mmsb.InvalidArgument, match=f"^limit of {limit}; .* 0 to"):
                events.poll(limit)
        for timeout in (-1, float("nan")):
            with pytest.raises(mmsb.InvalidArgument, match="timeout"):
                events.wait(timeout)
    with pytest.raises(mmsb.Closed):
        state.subscribe()


def test_what_does_not_fit_is_counted_and_stops_nobody() -> None:
    with mmsb.State() as state, state.subscribe(capacity=5) as events:
        page = state.create_page(8)
        assert len(events.poll()) == 2
        lsns = [page.write(0, bytes([n])) for n in range(1, 101)]
        assert (events.lost, events.lost_groups) == (196, 98)
        told = events.poll()
        assert kinds(told)[3:] == ["committed", "lost"]
        assert (told[4].count, told[4].lsn) == (196, lsns[2])
        page.write(0, b"z")
        assert kinds(events.poll(1)) == ["changed"]
        assert kinds(events.poll()) == ["committed"]


def test_a_wait_ends_with_its_time_an_event_or_a_close() -> None:
    with mmsb.State() as state:
        page = state.create_page(8)
        events = state.subscribe()
        start = time.monotonic()
        assert not events.wait(0.06)
        assert time.monotonic() - start >= 0.06
        assert not events.wait(0)
        threading.Timer(0.02, lambda: page.write(0, b"x")).start()
        assert events.wait(float("inf"))
        assert kinds([next(events), next(events)]) == ["changed", "committed"]
        threading.Timer(0.02, events.close).start()
        with pytest.raises(mmsb.Closed):
            events.wait()
        assert events.closed
        assert list(events) == []
        events.close()


def test_the_end_of_the_state_leaves_what_waits() -> None:
    state = mmsb.State()
    events, others = state.subscribe(), state.subscribe()
    told: list[mmsb.Event] = []
    listener = threading.Thread(target=lambda: told.extend(others))
    listener.start()
    page = state.create_page(8)
    state.close()
    listener.join()
    assert not events.closed
    assert kinds(list(events)) == kinds(told) == ["created", "committed"]
    assert told[0].page == page.id
    assert events.closed
    with pytest.raises(mmsb.Closed):
        events.poll()


def test_threads_get_each_event_once_and_each_page_ascends() -> None:
    with mmsb.State() as state:
        pages = [state.create_page(8) for _ in range(3)]
        events, shared = state.subscribe(), state.subscribe(kinds=["changed"])
        taken: list[mmsb.Event] = []
        readers = [threading.Thread(target=lambda: taken.extend(shared)) for _ in range(3)]

        def write(at: int) -> None:
            for n in range(1, 301):
                pages[n % 3].write(2 * at, n.to_bytes(2, "little"))

        writers = [threading.Thread(target=write, args=(at,)) for at in range(3)]
        for thread in readers + writers:
            thread.start()
        for thread in writers:
            thread.join()
    for thread in readers:
        thread.join()
    last = dict.fromkeys((page.id for page in pages), 0)
    changed = [event for event in events if event.kind == "changed"]
    for event in changed:
        assert event.page is not None
        assert event.lsn > last[event.page]
        last[event.page] = event.lsn
    assert len(changed) == 900
    assert {event.lsn for event in taken} == {event.lsn for event in changed}
    assert len(taken) == 900


def test_async_for_takes_what_comes_and_lets_others_run() -> None:
    async def run() -> None:
        state = mmsb.State()
        page = state.create_page(8)
        events = state.subscribe(kinds=["changed"])
        turns = 0

        async def other() -> None:
            nonlocal turns
            for n in range(1, 301):
                turns += 1
                page.write(0, n.to_bytes(2, "little"))
                await asyncio.sleep(0)
            await asyncio.sleep(0.02)
            state.close()

        task = asyncio.create_task(other())
        epochs = [event.epoch async for event in events]
        await task
        assert epochs == list(range(1, 301))
        assert turns == 300
        async for _ in events:
            pytest.fail("it is over")

    asyncio.run(run())


def test_many_events_leave_other_tasks_their_turns() -> None:
    async def run() -> None:
        with mmsb.State() as state, state.subscribe() as events:
            page = state.create_page(8)
            for n in range(1, 2001):
                page.write(0, n.to_bytes(2, "little"))
            turns = 0

            async def other() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            task = asyncio.create_task(other())
            taken = 0
            async for _ in events:
                taken += 1
                if taken == 4000:
                    break
            assert turns >= 10
            task.cancel()

    asyncio.run(run())


def test_a_cancelled_task_takes_nothing_and_the_next_goes_on() -> None:
    async def run() -> None:
        with mmsb.State() as state, state.subscribe(kinds=["created"]) as events:
            stream = events.__aiter__()
            for _ in range(3):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(stream.__anext__(), 0.01)
            page = state.create_page(8)
            event = await asyncio.wait_for(stream.__anext__(), 10)
            assert event.page == page.id

    asyncio.run(run())


def test_what_everybody_forgot_is_gone() -> None:
    async def run() -> weakref.ref[mmsb.Subscription]:
        events = state.subscribe()
        stream = events.__aiter__()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(stream.__anext__(), 0.01)
        return weakref.ref(events)

    with mmsb.State() as state:
        forgotten = asyncio.run(run())
        for _ in range(200):
            gc.collect()
            if forgotten() is None:
                break
            time.sleep(0.02)
        assert forgotten() is None
        state.create_page(8)


def test_a_wait_sees_signals() -> None:
    import signal

    class Interrupted(Exception):
        pass

    def raise_it(_signal: int, _frame: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, raise_it)
    try:
        with mmsb.State() as state, state.subscribe() as events:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(Interrupted):
                next(events)
    finally:
        signal.signal(signal.SIGALRM, before)
