"""The module itself: what importing it needs, and what it is to the loader."""

from __future__ import annotations

import ctypes
import subprocess
import sys

from mmsb import _mmsb


def test_importing_needs_no_numpy() -> None:
    script = """
import sys
sys.modules["numpy"] = None
import mmsb
with mmsb.State() as state:
    page = state.create_page(data=b"abc")
    assert page.update(b"abd") and bytes(page.view()) == b"abd"
    try:
        page.array("u1")
    except ImportError:
        pass
    else:
        raise AssertionError
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)


def test_the_loader_does_not_take_it_for_the_c_library() -> None:
    module = ctypes.CDLL(str(_mmsb.__file__))
    try:
        library = ctypes.CDLL("libmmsb.so.0")
    except OSError:
        return  # It is not installed here: nothing else answers to the name.
    assert library._handle != module._handle
