"""The past: history, queries, pages and states as they were."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

import pytest
from conftest import Refused

import mmsb


def test_history_is_every_change_in_order(state: mmsb.State) -> None:
    page = state.create_page(8, source="maker", location="gpu")
    state.create_page(8)
    for i in range(1, 4):
        page.write(i, bytes([i]), source=f"s{i}")
    page.metadata["k"] = b"v"
    del page.metadata["k"]
    page.free()
    changes = state.history(page)
    assert changes == changes
    kinds = [change.kind for change in changes]
    assert kinds == ["created", "written", "written", "written", "meta", "meta", "freed"]
    assert [change.epoch for change in changes] == [0, 1, 2, 3, 3, 3, 3]
    assert [change.prev for change in changes] == [0, *(change.lsn for change in changes[:-1])]
    created, written, *_ = changes
    assert (created.size, created.location, created.source) == (8, "gpu", "maker")
    assert (created.delta, created.key, created.value) == (None, None, None)
    assert (written.size, written.location, written.intent) == (None, None, None)
    assert written.delta is not None
    assert written.delta.runs == [(1, b"\x01")]
    assert (written.delta.source, written.delta.lsn) == ("s1", written.lsn)
    assert (written.delta.epoch, written.delta.time_ms) == (1, written.time_ms)
    assert [(change.key, change.value) for change in changes[4:6]] == [(b"k", b"v"), (b"k", None)]
    assert all(change.page == page.id for change in changes)
    assert repr(written) == f"<mmsb.Change {written.lsn}: page 1 written, epoch 1>"


def test_time_is_the_wall_clock_in_utc(page: mmsb.Page) -> None:
    now = datetime.datetime.now(datetime.UTC)
    change = page.history()[0]
    assert change.time.tzinfo is datetime.UTC
    assert abs(now - change.time) < datetime.timedelta(seconds=10)
    assert round(change.time.timestamp() * 1000) == change.time_ms


def test_queries(state: mmsb.State) -> None:
    page = state.create_page(8)
    lsns = []
    for i in range(1, 21):
        lsn = page.update(i.to_bytes(8, "little"), source="even" if i % 2 == 0 else "odd")
        assert lsn is not None
        lsns.append(lsn)
    other = state.create_page(8)
    assert sum(1 for _ in state.query()) == 22
    assert sum(1 for _ in state.query(source="even")) == 10
    assert sum(1 for _ in state.query(page=page, source="odd")) == 10
    assert [c.lsn for c in state.query(page=other.id)] == [other.lsn]
    assert [c.lsn for c in state.query(after=lsns[4], to=lsns[9])] == lsns[5:10]
    assert [c.lsn for c in state.query(page=page, after=lsns[4], to=lsns[9])] == lsns[5:10]
    assert [c.lsn for c in state.query(source="even", limit=2)] == [lsns[1], lsns[3]]
    assert list(state.query(limit=0)) == []


def test_queries_by_time(state: mmsb.State) -> None:
    page = state.create_page(8)
    page.write(0, b"a")
    time.sleep(0.02)
    between = datetime.datetime.now(datetime.UTC)
    time.sleep(0.02)
    page.write(0, b"b")
    early, late = list(state.query(to_time=between)), list(state.query(from_time=between))
    assert [c.kind for c in early] == ["created", "written"]
    assert [c.lsn for c in late] == [page.lsn]
    ms = late[0].time_ms
    assert [c.lsn for c in state.query(from_time=ms, to_time=ms)] == [page.lsn]
    assert [c.lsn for c in state.query(from_time=late[0].time, to_time=late[0].time)] == [page.lsn]
    naive = between.astimezone().replace(tzinfo=None)
    assert [c.lsn for c in state.query(from_time=naive)] == [page.lsn]
    assert list(state.query(from_time=ms + 60_000)) == []
    with Refused(state, mmsb.InvalidArgument, "1969"):
        state.query(from_time=datetime.datetime(1969, 12, 31, tzinfo=datetime.UTC))
    with Refused(state, mmsb.InvalidArgument, -1):
        state.query(to_time=-1)
    with pytest.raises(TypeError, match="integer, not str"):
        state.query(to_time="now")  # type: ignore[arg-type]


def test_changes_are_read_as_they_are_asked_for(state: mmsb.State, page: mmsb.Page) -> None:
    for i in range(3000):
        page.write(0, i.to_bytes(4, "little"))
    changes = state.query(page=page)
    assert iter(changes) is changes
    assert next(changes).kind == "created"
    assert sum(1 for _ in changes) == 1 + 3000
    assert next(changes, None) is None
    changes = state.query()
    next(changes)
    state.close()
    with pytest.raises(mmsb.Closed):
        for _ in changes:
            pass


def test_a_page_as_it_was(state: mmsb.State) -> None:
    page = state.create_page(8, metadata={"zero": b"0"})
    seen = [(page.lsn, 0)]
    for i in range(1, 51):
        lsn = page.update(i.to_bytes(8, "little"))
        assert lsn is not None
        seen.append((lsn, i))
        if i == 25:
            state.checkpoint()
            page.metadata["half"] = b"25"
    for lsn, i in seen:
        at = state.page_at(page, lsn)
        assert (at.data, at.epoch, at.lsn, at.page) == (i.to_bytes(8, "little"), i, lsn, page.id)
        assert bytes(at) == at.data
        assert set(at.metadata) == ({"zero", "half"} if i > 25 else {"zero"})
    page.free()
    assert state.page_at(page.id, seen[7][0]).epoch == 7
    with Refused(state, mmsb.PageNotFound, "page 1"):
        state.page_at(page, seen[0][0] - 1)
    with Refused(state, mmsb.LsnInFuture, 1 << 60):
        state.page_at(page, 1 << 60)
    with Refused(state, mmsb.InvalidArgument, -1):
        state.page_at(page, -1)
    with Refused(state, mmsb.PageNotFound, 77):
        state.page_at(77, seen[0][0])


def test_the_state_as_it_was(state: mmsb.State) -> None:
    cuts = []
    for i in range(30):
        state.create_page(data=bytes([i + 1]) * 8)
        cuts.append((state.flush(), state.digest()))
    for lsn, digest in cuts[::5]:
        with state.replay_to(lsn) as past:
            assert past.digest() == digest
            assert past.read_only
    past = state.replay_to(cuts[0][0])
    assert len(past) == 1
    state.close()
    assert past[1].read() == b"\x01" * 8, "it is detached"
    with Refused(past, mmsb.HistoryDropped, cuts[0][0], "no log of its own"):
        past.verify()
    with Refused(past, mmsb.ReadOnly, "read-only"):
        past.checkpoint()
    for use in (
        lambda: past[1].write(0, b"x"),
        lambda: past.create_page(4),
        lambda: past.free_page(1),
        lambda: past[1].metadata.update(k=b"v"),
    ):
        with pytest.raises(mmsb.ReadOnly):
            use()
    past.close()


def test_replay_tells_its_progress_and_can_be_ended(state: mmsb.State, page: mmsb.Page) -> None:
    for i in range(100):
        page.write(0, i.to_bytes(4, "little"))
    told: list[int] = []
    state.replay_to(page.lsn, told.append).close()
    assert told[-1] == page.lsn

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    before = state.digest()
    with pytest.raises(KeyboardInterrupt):
        state.replay_to(page.lsn, progress=stop)
    with pytest.raises(TypeError, match="not callable"):
        state.replay_to(page.lsn, progress=5)  # type: ignore[arg-type]
    assert state.digest() == before
    assert page.write(0, b"goes on") is not None
    with Refused(state, mmsb.LsnInFuture, 1 << 60):
        state.replay_to(1 << 60)


def test_history_that_is_no_longer_kept(folder: Path) -> None:
    with mmsb.State(folder, segment_bytes=64 << 10, history_bytes=0) as state:
        page = state.create_page(1000)
        begin = page.lsn
        for i in range(1000):
            page.update(i.to_bytes(4, "little") * 250)
            if i % 100 == 99:
                state.checkpoint()
        floor = state.stats()["history_floor"]
        assert floor > begin
        for use in (
            lambda: state.replay_to(begin),
            lambda: state.page_at(page, begin),
            lambda: state.query(after=begin),
        ):
            with Refused(state, mmsb.HistoryDropped, begin):
                use()
        assert state.verify().images >= 1
