"""Logs by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

import mmsb


def deltas(count: int) -> list[mmsb.Delta]:
    return [
        mmsb.Delta.from_runs(i % 3 + 1, [(i, bytes([i % 256]))], source=f"s{i % 2}", intent=f"{i}")
        for i in range(count)
    ]


def test_what_was_appended_is_read_back(folder: Path) -> None:
    given = deltas(50)
    with mmsb.TLog(folder) as log:
        lsns = [log.append(delta) for delta in given]
        assert lsns == sorted(set(lsns))
        read = list(log)
        assert [change.delta for change in read] == given
        assert [change.lsn for change in read] == lsns
        assert [change.epoch for change in read if change.page == 1] == [*range(1, 18)]
        assert log.last_of(1) == lsns[48]
        assert log.last_of(77) == 0
        assert log.sync() >= log.flush() >= lsns[-1]
    with mmsb.TLog.open(folder, durability="sync", must_exist=True) as log:
        assert log.recovered.records == 50
        assert [change.delta for change in log] == given
        assert log.append(given[0]) > lsns[-1]


def test_queries(folder: Path) -> None:
    with mmsb.TLog(folder) as log:
        lsns = [log.append(delta) for delta in deltas(30)]
        assert len(list(log.query(page=1))) == 10
        assert len(list(log.query(source="s0"))) == 15
        assert [c.lsn for c in log.query(after=lsns[3], to=lsns[6])] == lsns[4:7]
        assert len(list(log.query(limit=4))) == 4
        assert len(list(log.query(from_time=0))) == 30
        assert list(log.query(to_time=1)) == []


def test_summary(folder: Path) -> None:
    with mmsb.TLog(folder) as log:
        empty = log.summary()
        assert (empty.deltas, empty.first, empty.last) == (0, 0, 0)
        lsns = [log.append(delta) for delta in deltas(30)]
        summary = log.summary()
        assert (summary.deltas, summary.pages, summary.payload_bytes) == (30, 3, 30)
        assert (summary.first, summary.last) == (lsns[0], lsns[-1])
        assert summary.sources == {"s0": 15, "s1": 15}
        assert 0 < summary.first_ms <= summary.last_ms
        assert summary.record_bytes > 30
        assert repr(summary) == "<mmsb.Summary 30 deltas to 3 pages>"


def test_a_closed_log_says_so(folder: Path) -> None:
    log = mmsb.TLog(folder)
    delta = mmsb.Delta.dense(1, b"x")
    for _ in range(1000):
        log.append(delta)
    changes = iter(log)
    next(changes)
    assert str(folder) in repr(log)
    log.close()
    log.close()
    assert log.closed
    assert repr(log) == "<mmsb.TLog closed>"
    for use in (
        lambda: log.append(delta),
        log.flush,
        log.sync,
        log.query,
        log.summary,
        log.__enter__,
        lambda: log.recovered,
        lambda: log.last_of(1),
        lambda: iter(log),
        lambda: list(changes),
    ):
        with pytest.raises(mmsb.Closed, match="log is closed"):
            use()


def test_what_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(mmsb.FileNotFound):
        mmsb.TLog(folder, must_exist=True)
    with mmsb.TLog(folder), pytest.raises(mmsb.Locked):
        mmsb.TLog(folder)
    mmsb.State(tmp_path / "other").close()
    with pytest.raises(mmsb.Foreign):
        mmsb.TLog(tmp_path / "other")
    with pytest.raises(mmsb.SizeOutOfRange):
        mmsb.TLog(folder, segment_bytes=1)
    with pytest.raises(TypeError):
        mmsb.TLog()  # type: ignore[call-arg]
    with mmsb.TLog(folder) as log, pytest.raises(TypeError):
        log.append(b"no delta")  # type: ignore[arg-type]
