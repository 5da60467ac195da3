"""Closing and poisoning: what is refused afterwards, and that it is refused cleanly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mmsb
from mmsb import _mmsb


def test_everything_on_a_closed_state_says_so() -> None:
    state = mmsb.State()
    page = state.create_page(data=b"abcd")
    for i in range(1000):
        page.write(0, i.to_bytes(2, "little"))
    snapshot, batch, metadata, changes = (
        state.snapshot(),
        state.batch(),
        page.metadata,
        state.query(),
    )
    next(changes)
    view, array = page.view(), page.array("u1")
    state.close()
    state.close()
    assert state.closed
    assert repr(state) == "<mmsb.State closed>"
    lsn = mmsb.Delta.dense(1, b"abcd")
    uses: list[Callable[[], object]] = [
        lambda: state.create_page(1), lambda: state.free_page(1), lambda: state.apply(lsn),
        state.batch, state.pages, lambda: len(state), lambda: state.page_count,
        lambda: list(state), lambda: 1 in state, lambda: state[1], state.flush, state.sync,
        state.checkpoint, state.checkpoints, lambda: state.drop_checkpoint("x"),
        lambda: state.export_checkpoint("x"), state.digest, state.hexdigest, state.stats,
        state.stats_json, state.snapshot, lambda: state.replay_to(0),
        lambda: state.page_at(1, 0), lambda: state.history(1), state.query, state.verify,
        lambda: state.recovered, lambda: state.path, lambda: state.durability,
        lambda: state.read_only, state.__enter__,
        lambda: page.size, lambda: page.epoch, lambda: page.lsn, lambda: page.location,
        lambda: page.update(b"abcd"), lambda: page.write(0, b"x"), page.read, page.view,
        lambda: page.write_masked(b"1234", b"abcd"), lambda: page.read_into(bytearray(1)),
        lambda: page.array("u1"), lambda: page.set_meta("k", b""), page.list_meta, page.free,
        lambda: page.remove_meta("k"), lambda: page.get_meta("k"), page.history,
        lambda: metadata["k"], lambda: len(metadata), lambda: metadata.update(k=b""),
        lambda: snapshot.read(page), snapshot.list, snapshot.digest, lambda: snapshot.epoch(page),
        lambda: snapshot.size(page), lambda: snapshot.get_meta(page, "k"),
        lambda: snapshot.list_meta(page), snapshot.__enter__,
        lambda: page in snapshot,
        batch.commit, lambda: batch.write(page, 0, b"x"), lambda: batch.create_page(1),
        lambda: list(changes),
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(mmsb.Closed, match="state is closed"):
            use()
    assert snapshot.closed
    assert "closed" in repr(page)
    assert page.id == 1
    assert bytes(view)[2:] == array[2:].tobytes() == b"cd"
    view.release()


def test_the_context_manager_closes_also_on_an_error() -> None:
    with pytest.raises(ZeroDivisionError), mmsb.State() as state:
        raise ZeroDivisionError
    assert state.closed
    with pytest.raises(mmsb.Closed), state:
        pass


@pytest.mark.parametrize("detach", [False, True])
def test_a_panic_poisons_the_state(detach: bool) -> None:
    state = mmsb.State()
    page = state.create_page(data=b"abcd")
    digest = state.digest()
    with pytest.raises(mmsb.Panic, match="as asked for") as caught:
        _mmsb._panic(state, detach)  # type: ignore[attr-defined]
    assert isinstance(caught.value, mmsb.InternalError)
    assert caught.value.fatal
    for use in (
        lambda: page.write(0, b"x"),
        lambda: state.create_page(1),
        page.free,
        state.checkpoint,
        lambda: page.set_meta("k", b"v"),
    ):
        with pytest.raises(mmsb.Poisoned, match="as asked for"):
            use()
    assert page.read() == b"abcd", "reading goes on"
    assert state.digest() == digest
    state.close()
    with mmsb.State() as another:
        assert another.create_page(4).write(0, b"x") is not None


@pytest.mark.parametrize("detach", [False, True])
def test_a_panic_poisons_the_log(tmp_path: Path, detach: bool) -> None:
    log = mmsb.TLog(tmp_path / "log")
    lsn = log.append(mmsb.Delta.dense(1, b"abcd"))
    log.sync()
    with pytest.raises(mmsb.Panic, match="as asked for"):
        _mmsb._panic(log, detach)  # type: ignore[attr-defined]
    with pytest.raises(mmsb.Poisoned, match="as asked for"):
        log.append(mmsb.Delta.dense(1, b"efgh"))
    assert [change.lsn for change in log] == [lsn], "reading goes on"
    with pytest.raises(mmsb.Poisoned):
        log.close()
    assert log.closed
    with mmsb.TLog(tmp_path / "log") as again:
        assert again.last_of(1) == lsn


def test_a_state_from_the_pool_is_a_new_one() -> None:
    digest = mmsb.State().digest()
    for _ in range(100):
        state = mmsb.State()
        assert (len(state), state.digest()) == (0, digest)
        page = state.create_page(data=np.arange(100))
        assert (page.id, page.epoch) == (1, 1)
        page.metadata["k"] = b"v"
        state.close()
