"""States with a path: settings, reopening, crashes, locks, forks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import mmsb


@pytest.mark.parametrize("durability", ["memory", "buffered", "sync"])
def test_a_closed_state_comes_back(folder: Path, durability: Any) -> None:
    with mmsb.State(folder, durability) as state:
        page = state.create_page(data=b"content", metadata={"k": b"v"})
        page.write(0, b"C", source="s")
        digest = state.digest()
        assert (state.path, state.durability) == (folder, durability)
    with mmsb.State(str(folder), must_exist=True) as state:
        assert state.digest() == digest
        assert state[1].read() == b"Content"
        assert state[1].metadata == {"k": b"v"}
        assert state.recovered.records == 2
        assert state.recovered.nbytes > 0
        assert (state.recovered.torn, state.recovered.torn_bytes) == (None, 0)
        assert str(folder) in repr(state)


def test_without_a_path_nothing_is_durable() -> None:
    with mmsb.State() as state:
        assert (state.path, state.durability, state.read_only) == (None, "memory", False)


@pytest.mark.parametrize(
    ("settings", "kind", "named"),
    [
        ({"durability": "sync"}, mmsb.InvalidArgument, ["path"]),
        ({"durability": "perhaps"}, mmsb.InvalidArgument, ["perhaps", "buffered"]),
        ({"segment_bytes": 1}, mmsb.SizeOutOfRange, ["1", 64 << 10, 1 << 30]),
        ({"segment_bytes": -5}, mmsb.SizeOutOfRange, ["segment_bytes", -5]),
        ({"history_bytes": 1 << 64}, mmsb.SizeOutOfRange, ["history_bytes", 1 << 64]),
        ({"flush_every_ms": 0}, mmsb.InvalidArgument, ["flush_every"]),
        ({"flush_every_ms": -1.5}, mmsb.InvalidArgument, ["flush_every_ms", -1.5]),
        ({"sync_every_ms": float("nan")}, mmsb.InvalidArgument, ["sync_every_ms", "nan"]),
    ],
)
def test_impossible_settings_are_refused(
    settings: dict[str, Any], kind: type[mmsb.Error], named: list[object]
) -> None:
    with pytest.raises(kind) as caught:
        mmsb.State(**settings)
    for value in named:
        assert str(value) in str(caught.value)


def test_settings_are_taken(folder: Path) -> None:
    with mmsb.State(
        folder,
        "buffered",
        flush_every_ms=0.5,
        sync_every_ms=20,
        segment_bytes=64 << 10,
        pending_bytes_max=1 << 20,
        history_bytes=0,
    ) as state:
        page = state.create_page(1000)
        for i in range(300):
            page.update(bytes([i % 251]) * 1000)
        state.flush()
        assert state.stats()["segments"] > 1


def test_a_directory_is_open_once(folder: Path) -> None:
    with mmsb.State(folder):
        with pytest.raises(mmsb.Locked, match="open already") as caught:
            mmsb.State(folder)
        assert caught.value.retryable
    mmsb.State(folder).close()


def test_directories_that_are_no_state(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(mmsb.FileNotFound):
        mmsb.State(folder, must_exist=True)
    assert not folder.exists()
    (tmp_path / "other").mkdir()
    with pytest.raises(mmsb.FileNotFound, match="holds no state"):
        mmsb.State(tmp_path / "other", must_exist=True)
    (tmp_path / "other" / "letter.txt").write_text("hello")
    with pytest.raises(mmsb.Foreign, match=r"letter\.txt"):
        mmsb.State(tmp_path / "other")
    with pytest.raises(mmsb.Foreign):
        mmsb.State(tmp_path / "other" / "letter.txt")
    mmsb.TLog(tmp_path / "log").close()
    with pytest.raises(mmsb.Foreign):
        mmsb.State(tmp_path / "log")


def test_flush_and_sync_cover_what_was_before(folder: Path) -> None:
    with mmsb.State(folder, "memory") as state:
        page = state.create_page(4)
        assert state.flush() >= page.lsn
        lsn = page.write(0, b"x")
        assert lsn is not None
        assert state.sync() >= lsn
        stats = state.stats()
        assert stats["durable_lsn"] >= lsn
        assert stats["written_lsn"] >= lsn


def test_sync_waits_for_the_disk(folder: Path) -> None:
    with mmsb.State(folder, "sync") as state:
        page = state.create_page(4)
        lsn = page.write(0, b"x")
        assert state.stats()["durable_lsn"] >= (lsn or 0)
        assert state.stats()["commit"]["count"] == 2


CRASH = """
    import mmsb, os, signal, sys
    state = mmsb.State(sys.argv[1], "sync")
    page = state.create_page(8)
    for i in range(1, 1000):
        page.update(i.to_bytes(8, "little"))
        with state.batch() as batch:
            batch.update(page, (i << 32).to_bytes(8, "little"))
            batch.create_page(data=i.to_bytes(8, "little"))
        print(i, flush=True)
        if i == 100:
            os.kill(os.getpid(), signal.SIGKILL)
"""


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script)]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


def test_what_was_acknowledged_survives_a_kill(folder: Path) -> None:
    died = run(CRASH, folder)
    assert died.returncode == -signal.SIGKILL, died.stderr
    acknowledged = int(died.stdout.split()[-1])
    assert acknowledged == 100
    with mmsb.State(folder, must_exist=True) as state:
        assert len(state) == 101
        assert state[1].read() == (acknowledged << 32).to_bytes(8, "little")
        assert [int.from_bytes(page.read(), "little") for page in state][1:] == [*range(1, 101)]
        assert state.verify().digest == state.digest()


FORGETFUL = """
    import mmsb, sys
    state = mmsb.State(sys.argv[1], sys.argv[2])
    page = state.create_page(data=b"not closed")
"""


@pytest.mark.parametrize("durability", ["memory", "buffered", "sync"])
def test_a_state_that_nobody_closed_is_closed_at_exit(folder: Path, durability: str) -> None:
    ended = run(FORGETFUL, folder, durability)
    assert (ended.returncode, ended.stderr) == (0, "")
    with mmsb.State(folder, must_exist=True) as state:
        assert state[1].read() == b"not closed"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_keeps_off_the_files(folder: Path) -> None:
    ended = run(
        """
        import mmsb, os, sys
        state = mmsb.State(sys.argv[1], "memory")
        page = state.create_page(data=b"parent")
        inside = mmsb.State()
        theirs = inside.create_page(data=b"copied")
        view = page.view()
        child = os.fork()
        if child == 0:
            assert bytes(view) == b"parent" and theirs.read() == b"copied"
            for use in (page.read, state.flush, lambda: page.write(0, b"x"), state.__enter__):
                try:
                    use()
                except mmsb.Closed as error:
                    assert "process" in str(error)
                else:
                    os._exit(1)
            state.close()
            del state, page, view
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        page.write(0, b"P")
        state.close()
        """,
        folder,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    with mmsb.State(folder) as state:
        assert state[1].read() == b"Parent"


def test_damage_is_found_and_named(folder: Path) -> None:
    with mmsb.State(folder, segment_bytes=64 << 10) as state:
        page = state.create_page(1000)
        for i in range(200):
            page.update(bytes([i]) * 1000)
    (segment, *_) = sorted(folder.glob("*.log"))
    content = bytearray(segment.read_bytes())
    content[30_000] ^= 1
    segment.write_bytes(content)
    with pytest.raises(mmsb.Corrupt, match=segment.name) as caught:
        mmsb.State(folder)
    assert isinstance(caught.value, mmsb.CorruptionError)
    assert caught.value.fatal
