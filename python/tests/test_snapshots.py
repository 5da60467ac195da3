"""Snapshots: one moment of the whole state, while writers go on."""

from __future__ import annotations

import pytest
from conftest import Refused

import mmsb


def test_a_snapshot_stands_still(state: mmsb.State, page: mmsb.Page) -> None:
    page.metadata["k"] = b"v"
    digest = state.digest()
    with state.snapshot() as snapshot:
        page.update(b"x" * 16)
        page.metadata["k"] = b"w"
        new = state.create_page(4)
        assert snapshot.read(page) == bytes(range(16))
        assert snapshot.read(page.id, 4, 2) == b"\x04\x05"
        assert snapshot.read(page, 14) == b"\x0e\x0f"
        assert (snapshot.epoch(page), page.epoch) == (1, 2)
        assert (snapshot.size(page), snapshot.get_meta(page, "k")) == (16, b"v")
        assert snapshot.list() == [1]
        assert page in snapshot
        assert new not in snapshot
        assert snapshot.digest() == digest != state.digest()
        assert snapshot.hexdigest() == digest.hex()
        assert snapshot.lsn < new.lsn
        page.free()
        assert snapshot.read(page) == bytes(range(16))
        with Refused(state, mmsb.PageNotFound, "page 2"):
            snapshot.read(new)
        with Refused(state, mmsb.RangeOutOfBounds, 17, 16):
            snapshot.read(page, 0, 17)
        with Refused(state, mmsb.KeyNotFound, "none"):
            snapshot.get_meta(page, "none")
        assert repr(snapshot) == f"<mmsb.Snapshot at {snapshot.lsn}>"


def test_metadata_is_that_of_then(state: mmsb.State, page: mmsb.Page) -> None:
    page.metadata.update({"unit": b"K", "by": b"\0\xff"})
    bare = state.create_page(4)
    with state.snapshot() as snapshot:
        page.metadata.update({"unit": b"C", "later": b"x"})
        bare.metadata["later"] = b"x"
        del page.metadata["by"]
        assert snapshot.list_meta(page) == [(b"by", b"\0\xff"), (b"unit", b"K")]
        assert snapshot.list_meta(bare) == []
        page.free()
        assert snapshot.list_meta(page.id) == [(b"by", b"\0\xff"), (b"unit", b"K")]
        new = state.create_page(4, metadata={"k": b"v"})
        with Refused(state, mmsb.PageNotFound, f"page {new.id}"):
            snapshot.list_meta(new)
        with pytest.raises(TypeError, match="page"):
            snapshot.list_meta("unit")  # type: ignore[arg-type]


def test_large_pages(state: mmsb.State) -> None:
    content = bytes(range(256)) * 4096
    page = state.create_page(data=content)
    with state.snapshot() as snapshot:
        page.write(0, b"changed")
        assert snapshot.read(page) == content


def test_beyond_the_bound_the_oldest_snapshot_ends() -> None:
    with mmsb.State(version_bytes_max=2000) as state:
        page = state.create_page(data=b"first")
        old = state.snapshot()
        kept = []
        for number in range(50):
            page.update(b"%5d" % number)
            kept.append(state.snapshot())
        stats = state.stats()
        assert 0 < stats["snapshot_bytes"] <= 2000
        assert stats["snapshots_too_old"] > 0
        assert kept[-1].read(page) == b"   49"
        for use in (lambda: old.read(page), old.list, old.digest, lambda: old.size(page)):
            with pytest.raises(mmsb.SnapshotTooOld, match="2000 bytes") as caught:
                use()
            assert caught.value.retryable
        assert stats["oldest_snapshot_lsn"] > old.lsn
        for snapshot in (old, *kept):
            snapshot.close()
        assert state.stats()["versions"] == 0
    with pytest.raises(mmsb.SizeOutOfRange, match="version_bytes_max"):
        mmsb.State(version_bytes_max=-1)


def test_closing_gives_the_versions_up(state: mmsb.State, page: mmsb.Page) -> None:
    with state.snapshot() as snapshot:
        page.update(b"x" * 16)
        assert state.stats()["version_bytes"] == 16
        assert state.stats()["snapshots"] == 1
    assert state.stats()["version_bytes"] == 0
    assert state.stats()["snapshots"] == 0
    assert snapshot.closed
    snapshot.close()
    for use in (lambda: snapshot.read(page), snapshot.list, snapshot.digest, snapshot.__enter__):
        with pytest.raises(mmsb.Closed, match="snapshot is closed"):
            use()
    assert repr(snapshot) == "<mmsb.Snapshot closed>"
    forgotten = state.snapshot()
    assert state.stats()["snapshots"] == 1
    del forgotten
    assert state.stats()["snapshots"] == 0
