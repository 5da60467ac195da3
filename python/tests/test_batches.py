"""Batches: all or none."""

from __future__ import annotations

import threading

import pytest
from conftest import Refused

import mmsb


def test_a_batch_is_one_group(state: mmsb.State, page: mmsb.Page) -> None:
    records = state.stats()["records"]
    with state.batch(source="me", intent="why") as batch:
        new = batch.create_page(4, location="unified")
        full = batch.create_page(data=b"full")
        typed = batch.create_page(dtype="<f8", shape=(2, 2))
        batch.write(new, 0, b"new")
        batch.update(page.id, b"u" * 16)
        batch.apply(mmsb.Delta.from_runs(page, [(15, b"!")]))
        batch.set_meta(page, "k", b"v")
        assert (len(batch), batch.lsn, batch.done) == (4, None, False)
        assert new not in state
        assert page.read() == bytes(range(16)), "nothing is visible before"
    assert batch.done
    assert batch.lsn == new.lsn == page.lsn == full.lsn == typed.lsn
    assert (new.read(), page.read(), full.read()) == (b"new\0", b"u" * 15 + b"!", b"full")
    assert (typed.size, new.location, page.metadata["k"]) == (32, "unified", b"v")
    assert state.stats()["records"] == records + 1
    assert {(c.source, c.intent) for c in state.query(source="me")} == {("me", "why")}


def test_an_exception_discards(state: mmsb.State, page: mmsb.Page) -> None:
    before = state.digest()
    with pytest.raises(ZeroDivisionError), state.batch() as batch:
        new = batch.create_page(4)
        batch.write(page, 0, b"changed")
        batch.free_page(page)
        raise ZeroDivisionError
    assert state.digest() == before
    assert batch.done
    assert batch.lsn is None
    with pytest.raises(mmsb.PageNotFound, match="its batch was discarded"):
        new.read()
    assert state.create_page(4).id == 2, "its id was given back"
    with pytest.raises(mmsb.PageNotFound, match="its batch was discarded"):
        state.free_page(new)


def test_a_change_that_cannot_be_discards_all(state: mmsb.State, page: mmsb.Page) -> None:
    with Refused(state, mmsb.RangeOutOfBounds, 16), state.batch() as batch:
        batch.create_page(4)
        batch.write(page, 0, b"changed")
        batch.write(page, 15, b"too long")
    assert batch.done
    with Refused(state, mmsb.PageNotFound, 99), state.batch() as batch:
        batch.write(page, 0, b"changed")
        batch.write(99, 0, b"x")
    with Refused(state, mmsb.LengthMismatch, 15, 16), state.batch() as batch:
        batch.update(page, bytes(15))
    with Refused(state, mmsb.KeyNotFound, "none"), state.batch() as batch:
        batch.remove_meta(page, "none")
    with Refused(state, mmsb.PageFreed, "earlier in this batch"), state.batch() as batch:
        batch.free_page(page)
        batch.write(page, 0, b"x")
    with Refused(state, mmsb.TooLong, 256, 255), state.batch(source="x" * 256) as batch:
        batch.write(page, 0, b"x")
    with Refused(state, mmsb.SizeOutOfRange, 0), state.batch() as batch:
        batch.create_page(0)
    assert page.read() == bytes(range(16))


def test_writes_to_one_page_merge(state: mmsb.State, page: mmsb.Page) -> None:
    with state.batch() as batch:
        batch.write(page, 0, b"aaaa")
        batch.write(page, 2, b"bbbb")
        batch.free_page(state.create_page(1))
    assert page.read(0, 7) == b"aabbbb\x06"
    assert page.epoch == 2


def test_commit_and_discard_by_hand(state: mmsb.State, page: mmsb.Page) -> None:
    batch = state.batch()
    batch.write(page, 0, b"x")
    assert batch.commit() == page.lsn == batch.lsn
    for use in (batch.commit, batch.__enter__, lambda: batch.write(page, 0, b"y")):
        with pytest.raises(mmsb.Closed, match="committed or discarded"):
            use()
    with state.batch() as batch:
        batch.write(page, 0, b"y")
        batch.discard()
    with state.batch() as batch:
        batch.write(page, 0, b"x")
    assert batch.lsn is None, "nothing changed"
    assert page.read(0, 1) == b"x"
    assert repr(batch) == "<mmsb.Batch done>"


def test_a_batch_that_is_forgotten_gives_its_ids_back(state: mmsb.State) -> None:
    batch = state.batch()
    page = batch.create_page(4)
    del batch
    with pytest.raises(mmsb.PageNotFound, match="discarded"):
        page.read()
    assert state.create_page(4).id == 1


def test_a_batch_whose_state_closes_says_so() -> None:
    state = mmsb.State()
    page = state.create_page(4)
    with pytest.raises(mmsb.Closed, match="state is closed"), state.batch() as batch:
        batch.write(page, 0, b"x")
        state.close()


def test_batches_from_many_threads_never_show_in_part(state: mmsb.State) -> None:
    pages = [state.create_page(8) for _ in range(6)]

    def work(thread: int) -> None:
        for i in range(200):
            value = (i * 4 + thread + 1).to_bytes(8, "little")
            with state.batch() as batch:
                for k in range(6):
                    batch.update(pages[(k + thread) % 6], value)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        with state.snapshot() as snapshot:
            assert len({snapshot.read(page) for page in pages}) == 1
    for thread in threads:
        thread.join()
