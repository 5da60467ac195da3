"""Directories and files that refuse: forbidden, full, taken by another process, damaged."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import Refused

import mmsb

NOBODY = 65_534


@contextmanager
def unprivileged() -> Iterator[None]:
    """Let permissions count: root, whom they do not bind, is nobody meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    try:
        os.seteuid(NOBODY)
    except OSError as error:
        pytest.skip(f"root may not become another user here: {error}")
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public() -> Iterator[Path]:
    """Give a directory that everybody may enter and write to; pytest's own are the user's alone."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)


def filled(folder: Path) -> bytes:
    """Make a closed state with an image and several segments. Returns its digest."""
    with mmsb.State(folder, "memory", segment_bytes=64 << 10) as state:
        pages = [state.create_page(data=bytes([i]) * 1000) for i in range(1, 9)]
        state.checkpoint("kept")
        for i in range(150):
            pages[i % 8].update(bytes([i + 10]) * 1000, source="filler")
        return state.digest()


def is_whole(folder: Path, digest: bytes) -> bool:
    """Read everything there is; whether it is what it was."""
    with mmsb.State(folder, must_exist=True) as state:
        for page in state:
            page.read()
        return state.verify().digest == digest == state.digest()


def files_of(folder: Path) -> list[Path]:
    """Return the files that hold something; spare ones are segments that wait to be used again."""
    files = [file for file in sorted(folder.iterdir()) if file.stat().st_size]
    return [file for file in files if not file.name.startswith("spare")]


# ------------------------------------------------------------------------------------- permissions


def test_a_read_only_directory_is_an_error_that_says_so(state: mmsb.State, public: Path) -> None:
    state.create_page(data=b"abcd")
    image = public / "it.image"
    state.export_checkpoint(image)
    os.chmod(image, 0o644)
    locked = public / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    with unprivileged():
        for path in (locked / "state", locked / "new.image"):
            with Refused(state, mmsb.PermissionDenied, path.name):
                if path.suffix:
                    state.export_checkpoint(path)
                else:
                    mmsb.State(path)
        with pytest.raises(mmsb.PermissionDenied, match="log") as caught:
            mmsb.TLog(locked / "log")
        assert isinstance(caught.value, PermissionError)
        assert caught.value.errno == 13
        mmsb.State(public / "fine").close()
        mmsb.State.load_checkpoint(image).close()
    assert list(locked.iterdir()) == []


def test_a_directory_that_may_not_be_entered(public: Path) -> None:
    folder = public / "state"
    digest = filled(folder)
    folder.chmod(0)
    with unprivileged():
        with pytest.raises(mmsb.PermissionDenied, match=str(folder)):
            mmsb.State(folder)
        with pytest.raises(mmsb.PermissionDenied, match=str(folder)):
            mmsb.State(folder, must_exist=True)
        with pytest.raises(mmsb.PermissionDenied, match=str(folder)):
            mmsb.State.load_checkpoint(folder / "it.image")
    folder.chmod(0o755)
    assert is_whole(folder, digest)


def test_files_that_may_not_be_read(public: Path) -> None:
    folder = public / "state"
    digest = filled(folder)
    folder.chmod(0o777)
    files = [folder / "LOCK", *files_of(folder)]
    assert {file.suffix for file in files} == {"", ".log", ".image"}
    for file in folder.iterdir():
        file.chmod(0o666)
    with unprivileged():
        assert is_whole(folder, digest), "so far it is allowed to"
    for file in files:
        file.chmod(0)
        with unprivileged(), pytest.raises(mmsb.PermissionDenied, match=str(folder)):
            is_whole(folder, digest)
        file.chmod(0o666)
    assert is_whole(folder, digest)


def test_an_image_that_may_not_be_read(state: mmsb.State, public: Path) -> None:
    image = public / "it.image"
    state.export_checkpoint(image)
    image.chmod(0)
    with unprivileged(), Refused(state, mmsb.PermissionDenied, "it.image"):
        mmsb.State.load_checkpoint(image)


# --------------------------------------------------------------------------------------- full disks


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Let no file grow beyond ``size`` bytes: to a program, the disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("durability", ["memory", "buffered", "sync"])
def test_a_full_disk_changes_nothing(folder: Path, durability: Any) -> None:
    image = folder.parent / "it.image"
    with mmsb.State(folder, durability, segment_bytes=64 << 10) as state:
        page = state.create_page(1 << 20)
        page.write(0, b"before")
        with files_limited_to(256 << 10):
            for change in changes_that_need_room(state, page, image):
                with Refused(state, mmsb.NoSpace):
                    change()
            assert page.read(0, 6) == b"before", "reading goes on"
            assert page.write(0, b"BEFORE") is not None, "there is room for that"
        assert not image.exists()
        assert state.checkpoints() == []
        for change in changes_that_need_room(state, page, image):
            change()
        state.verify()
        digest = state.digest()
    assert is_whole(folder, digest)


def changes_that_need_room(
    state: mmsb.State, page: mmsb.Page, image: Path
) -> list[Callable[[], object]]:
    def in_a_batch() -> None:
        with state.batch() as batch:
            batch.create_page(data=b"small")
            batch.update(page, b"b" * (1 << 20))

    return [
        lambda: page.update(b"a" * (1 << 20)),
        lambda: page.write(1, b"w" * (1 << 19)),
        in_a_batch,
        lambda: state.create_page(data=b"c" * (1 << 20)),
        lambda: state.apply(mmsb.Delta.dense(page, b"d" * (1 << 20))),
        lambda: state.export_checkpoint(image),
        lambda: state.checkpoint("kept"),
    ]


def test_a_log_on_a_full_disk(folder: Path) -> None:
    small, large = mmsb.Delta.dense(1, b"abcd"), mmsb.Delta.dense(1, b"x" * (1 << 20))
    with mmsb.TLog(folder, segment_bytes=64 << 10) as log:
        log.append(small)
        with files_limited_to(256 << 10):
            with pytest.raises(mmsb.NoSpace):
                log.append(large)
            log.append(small)
        assert log.summary().deltas == 2
        log.append(large)
    with mmsb.TLog(folder) as log:
        assert [change.delta for change in log] == [small, small, large]


# ---------------------------------------------------------------------------------- other processes

HOLDER = """
import mmsb, sys
state = mmsb.State(sys.argv[1])
state.create_page(data=b"theirs")
state.flush()
print("open", flush=True)
sys.stdin.read()
"""


def test_another_process_has_it_until_it_dies(folder: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        for _ in range(2):
            with pytest.raises(mmsb.Locked, match=f"{folder}.*open already") as caught:
                mmsb.State(folder)
            assert caught.value.retryable
        with pytest.raises(mmsb.IoError, match=str(folder)):
            mmsb.TLog(folder)
        holder.kill()
    with mmsb.State(folder) as state:
        assert state[1].read() == b"theirs"


# ------------------------------------------------------------------------------------------ damage


class Damage(NamedTuple):
    """Something done to a file of so many bytes; ``None`` takes the file away."""

    name: str
    make: Callable[[bytes], bytes | None]


def place(content: bytes, at: float) -> int:
    """Return a place in what is in use: a segment ends with zeros that wait to be."""
    return min(int(len(content.rstrip(b"\0")) * at), len(content) - 1)


def cut(at: float) -> Damage:
    return Damage(f"cut at {at:.0%}", lambda content: content[: place(content, at)])


def flip(at: float) -> Damage:
    def make(content: bytes) -> bytes:
        n = place(content, at)
        return content[:n] + bytes([content[n] ^ 0x10]) + content[n + 1 :]

    return Damage(f"flipped at {at:.0%}", make)


DAMAGES = [
    *(cut(n / 10) for n in range(10)),
    *(flip(n / 20) for n in range(21)),
    Damage("gone", lambda _: None),
    Damage("of zeros", lambda content: bytes(len(content))),
    Damage("foreign", lambda _: b"Dear diary, nothing happened today.\n" * 200),
]


def complaint(look: Callable[[], bool]) -> mmsb.Error | None:
    """Look at something damaged: it says that it is, or is what it was."""
    try:
        assert look(), "it opens as something else"
    except (mmsb.CorruptionError, mmsb.Foreign, mmsb.FileNotFound) as error:
        return error
    return None


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_a_damaged_state_is_refused_or_what_it_was(tmp_path: Path, damage: Damage) -> None:
    digest = filled(tmp_path / "sound")
    names = [file.name for file in files_of(tmp_path / "sound")]
    assert len(names) >= 4
    refused = set()
    for name in names:
        folder = tmp_path / f"{name} {damage.name}"
        shutil.copytree(tmp_path / "sound", folder)
        content = damage.make((folder / name).read_bytes())
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)
        error = complaint(lambda folder=folder: is_whole(folder, digest))  # type: ignore[misc]
        if error is not None:
            refused.add(name)
            assert str(folder) in str(error)
            left = (folder / name).read_bytes() if (folder / name).exists() else None
            assert left == content, "damage is left as it is"
    # A flip may hit what is not in use; the other damages are too large for that.
    assert refused == set(names) or damage.name.startswith("flipped")
    assert refused


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_a_damaged_image_is_refused_or_what_it_was(tmp_path: Path, damage: Damage) -> None:
    image = tmp_path / "it.image"
    with mmsb.State() as state:
        for i in range(40):
            state.create_page(data=bytes([i + 1]) * 1000)
        state.export_checkpoint(image)
        digest = state.digest()
    content = damage.make(image.read_bytes())
    image.unlink()
    if content is not None:
        image.write_bytes(content)

    def look() -> bool:
        with mmsb.State.load_checkpoint(image) as copy:
            return copy.digest() == digest

    error = complaint(look)
    assert error is not None or damage.name.startswith("flipped")
    assert error is None or image.name in str(error)
