"""Snapshots compared and exported; soft checkpoints, and the way back to them."""

from pathlib import Path

import pytest

import mmsb


def test_what_differs(state: mmsb.State) -> None:
    a, b, c = (state.create_page(1000) for _ in range(3))
    with state.snapshot() as before:
        a.write(100, b"abc")
        a.write(900, b"x")
        b.set_meta("k", b"v")
        state.free_page(c)
        d = state.create_page(4)
        with state.snapshot() as after:
            found = before.compare(after)
            assert found == state.compare(before)
            assert [(x.page, x.kind) for x in found] == [
                (a.id, "changed"),
                (b.id, "changed"),
                (c.id, "freed"),
                (d.id, "created"),
            ]
            assert found[0].runs == [(100, 3), (900, 1)]
            assert not found[0].metadata
            assert found[1].runs == []
            assert found[1].metadata
            assert repr(found[3]) == "<mmsb.Difference page 4 created>"
            assert [x.kind for x in after.compare(before)][2:] == ["created", "freed"]
            assert after.compare(after) == []
        with pytest.raises(mmsb.Closed, match="snapshot is closed"):
            before.compare(after)
        with pytest.raises(mmsb.Closed, match="snapshot is closed"):
            state.compare(after)
        with mmsb.State() as other, other.snapshot() as theirs:
            with pytest.raises(mmsb.InvalidArgument, match="two states"):
                other.compare(before)
            with pytest.raises(mmsb.InvalidArgument, match="two states"):
                theirs.compare(before)
    for wrong in (None, 7, state):
        with pytest.raises(TypeError):
            state.compare(wrong)  # type: ignore[arg-type]


def test_a_snapshot_as_a_file(state: mmsb.State, tmp_path: Path) -> None:
    page = state.create_page(data=b"old")
    with state.snapshot() as snapshot:
        page.update(b"new")
        assert snapshot.export(tmp_path / "then") == snapshot.lsn
        with mmsb.State.load_checkpoint(tmp_path / "then") as past:
            assert past.digest() == snapshot.digest()
        with pytest.raises(mmsb.InvalidArgument, match="exists"):
            snapshot.export(tmp_path / "then")

        def enough(done: int) -> None:
            raise RuntimeError(done)

        with pytest.raises(RuntimeError, match="3"):
            snapshot.export(tmp_path / "other", enough)
    with pytest.raises(mmsb.Closed):
        snapshot.export(tmp_path / "another")


def test_a_state_goes_back(state: mmsb.State) -> None:
    a, b = state.create_page(4), state.create_page(4, metadata={"k": b"v"})
    with state.soft_checkpoint() as mark:
        a.update(b"abcd")
        state.free_page(b)
        c = state.create_page(4)
        lsn = state.revert(mark, source="me", intent="a test")
        assert lsn is not None
        assert mark.lsn >= lsn
        assert state.pages() == [a, b]
        assert (a.read(), a.epoch, b.get_meta("k")) == (bytes(4), 2, b"v")
        with pytest.raises(mmsb.PageFreed, match="page 3"):
            c.read()
        assert state.revert(mark) is None
        restored = [x for x in state.query(page=b) if x.kind == "restored"]
        assert [(x.lsn, x.size, x.location, x.source) for x in restored] == [(lsn, 4, "cpu", "me")]
        assert state.replay_to(state.flush()).digest() == state.digest()
        state.verify()
        assert repr(mark) == "<mmsb.SoftCheckpoint>"
    assert mark.closed
    assert repr(mark) == "<mmsb.SoftCheckpoint closed>"
    for use in (lambda: state.revert(mark), lambda: mark.lsn, lambda: mark.passed, mark.__enter__):
        with pytest.raises(mmsb.Closed, match="soft checkpoint is closed"):
            use()
    assert state.stats()["snapshots"] == 0


def test_marks_nest(state: mmsb.State) -> None:
    page = state.create_page(1)
    outer = state.soft_checkpoint()
    page.update(b"1")
    inner = state.soft_checkpoint()
    page.update(b"2")
    state.revert(inner)
    assert page.read() == b"1"
    state.revert(outer)
    assert page.read() == b"\0"
    assert inner.passed
    assert not outer.passed
    with pytest.raises(mmsb.CheckpointPassed, match="older"):
        state.revert(inner)
    with pytest.raises(mmsb.CheckpointPassed, match="older"):
        _ = inner.lsn
    with mmsb.State() as other, pytest.raises(mmsb.InvalidArgument, match="another state"):
        other.revert(outer)
    with pytest.raises(TypeError):
        state.revert(None)  # type: ignore[arg-type]
    with pytest.raises(mmsb.TooLong, match="300"):
        state.revert(outer, source="x" * 300)
    # Forgotten ones hold nothing, and a block that fails leaves the state as it is.
    with pytest.raises(RuntimeError), state.soft_checkpoint():
        page.update(b"3")
        raise RuntimeError
    assert page.read() == b"3"
    outer.close()
    inner.close()
    forgotten = state.soft_checkpoint()
    assert state.stats()["snapshots"] == 1
    del forgotten
    assert state.stats()["snapshots"] == 0


def test_marks_beyond_the_bound_and_of_the_past() -> None:
    with mmsb.State(version_bytes_max=0) as state:
        page = state.create_page(data=b"old")
        mark = state.soft_checkpoint()
        page.update(b"new")
        with pytest.raises(mmsb.SnapshotTooOld):
            state.revert(mark)
        assert page.read() == b"new"
        with (
            state.replay_to(state.flush()) as past,
            pytest.raises(mmsb.ReadOnly, match="read-only"),
        ):
            past.soft_checkpoint()
    assert mark.closed
