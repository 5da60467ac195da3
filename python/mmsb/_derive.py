"""Python functions that compute pages: what is between them and the engine's bytes."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mmsb import _mmsb

_Content: TypeAlias = bytes | bytearray | memoryview | np.ndarray[Any, Any]


def function(
    compute: Callable[..., Any], dtype: npt.DTypeLike
) -> Callable[[list[bytes]], _Content]:
    """Return what calls ``compute`` with read-only arrays of the parents."""
    if not callable(compute):
        raise TypeError(f"a rule must be a formula or a function, not {type(compute).__name__}")
    kind = np.dtype(dtype)
    if kind.hasobject or not kind.itemsize:
        raise _mmsb.InvalidArgument(f"dtype {kind} has no fixed bytes to compute with")

    def call(parents: list[bytes]) -> _Content:
        made = compute(*(np.frombuffer(parent, kind) for parent in parents))
        return _content(made, kind.base)

    return call


def _content(made: object, kind: np.dtype[Any]) -> _Content:
    """Return the bytes of what a function made: as they are, or those of elements of ``kind``.

    Only what keeps its meaning becomes another type: a page would hold the mistake for good.
    """
    if made is None:
        raise TypeError(f"it returned None; elements of dtype {kind}, or bytes, are wanted")
    if isinstance(made, (bytes, bytearray, memoryview)):
        return made
    # Times and records are written in Python's words: NumPy reads them.
    read = kind.kind in "MmV" and not hasattr(made, "dtype")
    values = np.asarray(made, kind if read else None)
    if values.size and values.dtype != kind:
        values = _castable(made, values, kind)
    # Not as what they are: buffers cannot tell of all types.
    return np.ascontiguousarray(values, kind).view(np.uint8)


def _castable(
    made: object, values: np.ndarray[Any, Any], kind: np.dtype[Any]
) -> np.ndarray[Any, Any]:
    """Return the elements, if they may become elements of ``kind``."""
    ints = _ints(made, values)
    if ints is not None and kind.kind in "iu":
        _check_range(ints, kind)
        return ints
    if ints is not None and kind.kind in "fc":
        return ints
    # A text that is cast to a shorter one is cut.
    if not np.can_cast(values.dtype, kind, "safe" if kind.kind in "SU" else "same_kind"):
        raise TypeError(
            f"it returned {reprlib.repr(made)} of dtype {values.dtype}; dtype {kind} is wanted, "
            "which cannot hold that unchanged: convert it, as with astype"
        )
    return values


def _ints(made: object, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """Return the elements if they are integers, with the values that they have."""
    if values.dtype.kind in "iu":
        return values
    if values.dtype.kind == "O" or (values.dtype.kind == "f" and not hasattr(made, "dtype")):
        # Of Python's own, NumPy makes objects or floats where none of its integers holds them all.
        exact = np.asarray(made, object)
        if all(isinstance(value, (int, np.integer)) for value in exact.flat):
            return exact
    return None


def _check_range(ints: np.ndarray[Any, Any], kind: np.dtype[Any]) -> None:
    if np.can_cast(ints.dtype, kind, "safe"):
        return
    limits = np.iinfo(kind)
    for value in (int(ints.min()), int(ints.max())):
        if not limits.min <= value <= limits.max:
            raise ValueError(
                f"it returned {value}; dtype {kind} is wanted, which holds {limits.min} to "
                f"{limits.max}"
            )


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
