"""What the tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mmsb


@pytest.fixture
def state() -> Iterator[mmsb.State]:
    """Give a state in memory, checked and closed at the end."""
    with mmsb.State() as state:
        yield state
        if not state.closed:
            state.verify()


@pytest.fixture
def page(state: mmsb.State) -> mmsb.Page:
    """Give a page of 16 bytes, 0 to 15."""
    return state.create_page(data=bytes(range(16)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the place of a state that does not exist yet."""
    return tmp_path / "state"


class Refused:
    """Expects an error of a kind whose message names the given values, and no change."""

    def __init__(self, state: mmsb.State, kind: type[mmsb.Error], *named: object) -> None:
        self.state, self.kind, self.named = state, kind, named

    def __enter__(self) -> None:
        self.before = self.state.digest(), self.state.stats()["records"]

    def __exit__(self, exc_type: Any, exc: BaseException | None, traceback: Any) -> bool:
        assert exc is not None, f"no {self.kind.__name__} was raised"
        if not isinstance(exc, self.kind):
            return False
        assert exc.kind == self.kind.__name__
        for named in self.named:
            assert str(named) in str(exc), f"{named!r} is not named: {exc}"
        assert (self.state.digest(), self.state.stats()["records"]) == self.before
        return True
