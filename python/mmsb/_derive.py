"""Python functions that compute pages: what is between them and the engine's bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mmsb import _mmsb


def function(
    compute: Callable[..., Any], dtype: npt.DTypeLike
) -> Callable[[list[bytes]], np.ndarray[Any, Any]]:
    """Return what calls ``compute`` with read-only arrays of the parents."""
    if not callable(compute):
        raise TypeError(f"a rule must be a formula or a function, not {type(compute).__name__}")
    kind = np.dtype(dtype)
    if kind.hasobject or not kind.itemsize:
        raise _mmsb.InvalidArgument(f"dtype {kind} has no fixed bytes to compute with")

    def call(parents: list[bytes]) -> np.ndarray[Any, Any]:
        made = compute(*(np.frombuffer(parent, kind) for parent in parents))
        return np.ascontiguousarray(made, kind)

    return call


def name_of(compute: Callable[..., Any], page: int) -> str:
    """Return the name that a function is registered under for a page, the same in each process."""
    name = getattr(compute, "__qualname__", None) or type(compute).__qualname__
    return f"{name[:200]}/{page}"


def decorator(
    state: _mmsb.State,
    page: _mmsb.Page | int,
    parents: list[_mmsb.Page | int],
    *,
    dtype: npt.DTypeLike | None,
    name: str | None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that has ``page`` computed by its function, and returns that."""

    def derive(compute: Callable[..., Any]) -> Callable[..., Any]:
        state.derive(page, parents, compute, dtype=dtype, name=name)
        return compute

    return derive
