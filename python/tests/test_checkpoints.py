"""Checkpoints, exports and verification."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Refused

import mmsb


def test_named_checkpoints_are_kept_until_dropped(folder: Path) -> None:
    with mmsb.State(folder) as state:
        page = state.create_page(data=b"abcd")
        kept = state.checkpoint("keep")
        assert (kept.name, kept.lsn >= page.lsn, kept.nbytes > 0) == ("keep", True, True)
        then = state.digest()
        page.update(b"efgh")
        nameless = state.checkpoint()
        assert nameless.name is None
        assert state.checkpoint() == nameless, "nothing happened since"
        assert state.checkpoints()[0].name == "keep"
        with state.replay_to(kept.lsn) as past:
            assert past.digest() == then
        with Refused(state, mmsb.InvalidArgument, "keep"):
            state.checkpoint("keep")
        with Refused(state, mmsb.TooLong, 65, 64):
            state.checkpoint("x" * 65)
        state.drop_checkpoint("keep")
        with Refused(state, mmsb.CheckpointNotFound, "keep"):
            state.drop_checkpoint("keep")
        assert "mmsb.Checkpoint" in repr(kept)


def test_opening_starts_from_the_checkpoint(folder: Path) -> None:
    with mmsb.State(folder) as state:
        pages = [state.create_page(data=bytes([i]) * 300) for i in range(50)]
        state.free_page(9)
        state.checkpoint()
        pages[3].write(0, b"after")
        digest = state.digest()
    with mmsb.State(folder) as state:
        assert state.recovered.records == 1
        assert len(state) == 49
        assert state[4].read(0, 6) == b"after\x03"
        assert 9 not in state
        assert state.digest() == digest
        assert len(state.pages()) == 49


def test_an_export_is_a_state_of_its_own(state: mmsb.State, tmp_path: Path) -> None:
    page = state.create_page(data=b"0123456789", metadata={"k": b"v"})
    file = tmp_path / "backup.image"
    lsn = state.export_checkpoint(file)
    assert lsn >= page.lsn
    before = file.read_bytes()
    with Refused(state, mmsb.InvalidArgument, "backup.image", "exists"):
        state.export_checkpoint(str(file))
    with mmsb.State.load_checkpoint(file) as copy:
        assert copy.digest() == state.digest()
        view = copy[1].view()
        copy[1].write(0, b"x")
        assert bytes(view) == b"0123456789"
        assert copy.create_page(1).id == 2
    assert bytes(view) == b"0123456789", "the file stays mapped"
    assert file.read_bytes() == before
    with pytest.raises(mmsb.FileNotFound):
        mmsb.State.load_checkpoint(tmp_path / "none.image")
    file.write_bytes(before[:100])
    with pytest.raises(mmsb.Corrupt, match=r"backup\.image"):
        mmsb.State.load_checkpoint(file)


def test_files_that_are_no_images_are_refused(state: mmsb.State, tmp_path: Path) -> None:
    state.create_page(data=b"abcd")
    letter, empty = tmp_path / "letter.txt", tmp_path / "empty"
    letter.write_text("Dear diary, " * 1000)
    empty.touch()
    mmsb.State(tmp_path / "other").close()
    for stranger in (letter, tmp_path / "other", tmp_path / "other" / "MANIFEST"):
        with Refused(state, mmsb.Foreign, stranger):
            mmsb.State.load_checkpoint(stranger)
    with Refused(state, mmsb.Corrupt, empty, 0):
        mmsb.State.load_checkpoint(empty)
    with Refused(state, mmsb.InvalidArgument, "name a file"):
        mmsb.State.load_checkpoint("")
    for taken in (letter, tmp_path):
        with Refused(state, mmsb.InvalidArgument, taken, "exists"):
            state.export_checkpoint(taken)
    with Refused(state, mmsb.FileNotFound, tmp_path / "none"):
        state.export_checkpoint(tmp_path / "none" / "it.image")
    assert letter.read_text() == "Dear diary, " * 1000


def test_verify_tells_its_progress_and_can_be_ended(folder: Path) -> None:
    with mmsb.State(folder) as state:
        page = state.create_page(1000)
        for i in range(50):
            page.update(bytes([i + 1]) * 1000)
        state.checkpoint()
        told: list[int] = []
        verified = state.verify(told.append)
        assert (verified.records, verified.images) == (51, 1)
        assert verified.record_bytes > 50_000
        assert told[-1] >= verified.record_bytes
        assert told == sorted(told)
        assert verified.digest == state.digest()
        assert verified.lsn >= page.lsn
        assert "51 records" in repr(verified)

        def stop(_: int) -> None:
            raise RuntimeError("enough")

        with pytest.raises(RuntimeError, match="enough"):
            state.verify(stop)
        assert state.digest() == verified.digest
        assert page.write(0, b"still open") is not None


def test_a_callback_cannot_close_its_own_state(state: mmsb.State) -> None:
    state.create_page(4)
    with pytest.raises(mmsb.Reentered, match="callback cannot close"):
        state.verify(lambda _: state.close())
    assert not state.closed


def test_damage_in_an_image_is_found(folder: Path) -> None:
    with mmsb.State(folder) as state:
        state.create_page(data=bytes(range(256)) * 100)
        state.checkpoint()
    (image,) = folder.glob("*.image")
    content = bytearray(image.read_bytes())
    at = content.index(bytes(range(100, 200)))
    content[at] ^= 1
    image.write_bytes(content)
    state = mmsb.State(folder)
    with pytest.raises(mmsb.Corrupt, match=image.name):
        state[1]
    with pytest.raises(mmsb.Corrupt, match=image.name):
        state.verify()
    state.close()


LARGE = 1 << 20


@pytest.fixture(scope="module")
def large() -> Iterator[mmsb.State]:
    """Give a state whose long calls take long enough to be interrupted."""
    with mmsb.State() as state:
        for i in range(300):
            state.create_page(data=i.to_bytes(4, "little") * (LARGE // 4))
        yield state


LONG_CALLS = {
    "verify": lambda state, path, **kw: state.verify(**kw),
    "replay": lambda state, path, **kw: state.replay_to(state.flush(), **kw).close(),
    "checkpoint": lambda state, path, **kw: state.checkpoint("given up", **kw),
    "export": lambda state, path, **kw: state.export_checkpoint(path, **kw),
}


@pytest.mark.parametrize("call", LONG_CALLS.values(), ids=LONG_CALLS)
def test_an_exception_of_the_callback_ends_the_call(
    large: mmsb.State, tmp_path: Path, call: Callable[..., object]
) -> None:
    digest, path = large.digest(), tmp_path / "image"
    told: list[int] = []

    def stop(done: int) -> None:
        told.append(done)
        raise TimeoutError("enough")

    with pytest.raises(TimeoutError, match="enough"):
        call(large, path, progress=stop)
    assert len(told) == 1
    assert told[0] != large.page_count * LARGE, "not at the end alone"
    assert not path.exists()
    assert "given up" not in [kept.name for kept in large.checkpoints()]
    assert large.digest() == digest


@pytest.mark.parametrize("call", LONG_CALLS.values(), ids=LONG_CALLS)
def test_ctrl_c_ends_the_call(
    large: mmsb.State, tmp_path: Path, call: Callable[..., object]
) -> None:
    """The signal's handler runs while the call is on its way, not after it."""
    digest, path = large.digest(), tmp_path / "image"

    def handler(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        with pytest.raises(KeyboardInterrupt):
            call(large, path)
            signal.pause()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not path.exists(), "the call was over"
    assert "given up" not in [kept.name for kept in large.checkpoints()]
    assert large.digest() == digest


def test_a_callback_may_use_the_state_but_not_nest_checkpoints(large: mmsb.State) -> None:
    refused: list[str] = []

    def use(_: int) -> None:
        large[1].write(0, b"from inside")
        large.checkpoints()
        try:
            large.checkpoint()
        except mmsb.InvalidArgument as error:
            refused.append(str(error))

    large.checkpoint(progress=use)
    assert refused
    assert "already" in refused[0]
    assert large[1].read(0, 11) == b"from inside"
