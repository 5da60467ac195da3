"""Pages as NumPy arrays. NumPy is imported with this file, hence with the first array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from mmsb import _mmsb


def array(
    page_id: int,
    view: _mmsb.View,
    dtype: npt.DTypeLike,
    shape: SupportsIndex | Sequence[SupportsIndex] | None,
    offset: int,
) -> np.ndarray[Any, Any]:
    """Return the bytes of ``view`` from ``offset`` on as an array that holds the view.

    What can go wrong is checked here, before NumPy says it in words of its own.
    """
    kind = _checked(dtype)
    lengths = None if shape is None else _lengths(shape)
    room = len(view) - offset
    if room < 0:
        raise _mmsb.RangeOutOfBounds(f"offset {offset} in page {page_id} of {len(view)} bytes")
    if offset % kind.alignment:
        raise _mmsb.InvalidArgument(
            f"offset {offset} for dtype {kind}, which is aligned to {kind.alignment} bytes"
        )
    if lengths is None:
        count, rest = divmod(room, kind.itemsize)
        if rest:
            raise _mmsb.LengthMismatch(
                f"{room} bytes of page {page_id} from {offset} on do not make whole elements of "
                f"dtype {kind}, which have {kind.itemsize}; a shape takes fewer"
            )
        lengths = (count,)
    count = math.prod(lengths)
    if count * kind.itemsize > room:
        raise _mmsb.RangeOutOfBounds(
            f"shape {lengths} of dtype {kind} takes {count * kind.itemsize} bytes at offset "
            f"{offset} of page {page_id}, which has {len(view)} bytes"
        )
    if not count:
        return _read_only(np.empty(lengths, kind))
    return np.frombuffer(memoryview(view), kind, count, offset).reshape(lengths)


def _checked(dtype: npt.DTypeLike) -> np.dtype[Any]:
    kind = np.dtype(dtype)
    if kind.hasobject or not kind.itemsize:
        raise _mmsb.InvalidArgument(f"dtype {kind} has no fixed bytes to show")
    return kind


def _lengths(shape: SupportsIndex | Sequence[SupportsIndex]) -> tuple[int, ...]:
    if not isinstance(shape, (tuple, list)):
        shape = (shape,) if hasattr(shape, "__index__") else tuple(shape)
    lengths = tuple(index(n) for n in shape)
    if any(n < 0 for n in lengths):
        raise _mmsb.InvalidArgument(f"shape {lengths}; lengths are not below 0")
    return lengths


def _read_only(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    values.flags.writeable = False
    return values
