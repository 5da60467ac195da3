"""Private pages: sealed in memory and files, read and written by who has the key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mmsb

KEY = bytes(range(32))
SECRET = b"the combination is 31-4-15"


def test_with_the_key_it_is_a_page() -> None:
    """Everything but views works as with other pages."""
    with mmsb.State(key=KEY) as state:
        assert state.unlocked
        page = state.create_page(data=SECRET, private=True, metadata={"owner": b"me"})
        numbers = state.create_page(dtype="f8", shape=3, private=True)
        assert page.private
        assert (page.size, page.read(), page.read(4, 11)) == (26, SECRET, b"combination")
        assert page.metadata["owner"] == b"me"
        buffer = bytearray(3)
        page.read_into(buffer, 0)
        assert buffer == b"the"
        assert page.write(0, b"THE") is not None
        assert page.write(0, b"THE") is None
        numbers.update(np.array([1.0, 2.0, 3.0]))
        assert np.frombuffer(numbers.read()).tolist() == [1.0, 2.0, 3.0]
        with state.batch() as batch:
            made = batch.create_page(data=b"batch", private=True)
            batch.write(page, 4, b"COM")
        with state.transaction() as t:
            also = t.create_page(data=b"also", private=True)
            assert t.read(page, 0, 7) == b"THE COM"
            t.write(page, 0, b"tHe")
        assert made.private
        assert also.private
        assert (made.read(), also.read(), page.read()[:7]) == (b"batch", b"also", b"tHe COM")
        assert state.stats()["transactions_sealed"] == 1

        past = state.snapshot()
        page.update(bytes(26))
        assert past.read(page)[:7] == b"tHe COM"
        assert state.page_at(page, past.lsn).data[:7] == b"tHe COM"
        assert [change.kind for change in state.history(page)][-1] == "sealed"
        with state.replay_to(past.lsn) as replayed:
            assert replayed[page.id].read()[:7] == b"tHe COM"
            assert replayed.digest() == past.digest()
        state.verify()


def test_what_would_show_it_is_refused() -> None:
    """Views and derived pages would show what is sealed."""
    with mmsb.State(key=KEY) as state:
        page, plain = state.create_page(8, private=True), state.create_page(8)
        assert not plain.private
        with pytest.raises(mmsb.InvalidArgument, match="private"):
            page.view()
        with pytest.raises(mmsb.InvalidArgument, match="private"):
            page.array("u1")
        with pytest.raises(mmsb.InvalidArgument, match="private"):
            state.derive(plain, [page], "u8: p0")


def test_without_the_key_it_stays_sealed(folder: Path) -> None:
    """Files hold nothing of it; a state that is opened without the key does all else."""
    with mmsb.State(folder, key=KEY) as state:
        page, plain = state.create_page(data=SECRET, private=True), state.create_page(data=b"plain")
        state.checkpoint()
        page.write(0, SECRET[:3].upper())
        digest = state.digest()
    content = b"".join(file.read_bytes() for file in folder.iterdir())
    assert SECRET[4:12] not in content
    assert KEY[:8] not in content
    assert b"plain" in content

    with mmsb.State(folder) as state:
        assert not state.unlocked
        assert state.digest() == digest
        assert state[plain.id].read() == b"plain"
        for refused in (
            lambda: state[page.id].read(),
            lambda: state[page.id].update(SECRET),
            lambda: state.create_page(8, private=True),
        ):
            with pytest.raises(mmsb.Sealed, match="not given a key"):
                refused()
        assert state.digest() == digest
        state.unlock(bytearray(KEY))
        assert state[page.id].read() == b"THE" + SECRET[3:]


def test_wrong_keys_are_told(folder: Path) -> None:
    """Keys of another length, other keys, and things that are none."""
    with mmsb.State(folder, key=KEY) as state:
        page = state.create_page(data=SECRET, private=True)
        with pytest.raises(mmsb.WrongKey, match="another key"):
            state.unlock(bytes(32))
        state.unlock(KEY)
    for length in (0, 16, 31, 33):
        with pytest.raises(mmsb.LengthMismatch, match=f"{length} bytes; keys have 32"):
            mmsb.State(folder, key=bytes(length))
    with pytest.raises(mmsb.LengthMismatch, match="1 bytes"):
        mmsb.State(folder / "new", key=b"1")
    assert not (folder / "new").exists()
    with pytest.raises((TypeError, mmsb.InvalidArgument)):
        mmsb.State(folder, key="a password")  # type: ignore[arg-type]
    with mmsb.State(folder, key=bytes(32)) as state, pytest.raises(mmsb.WrongKey, match="fingerp"):
        state[page.id].read()
