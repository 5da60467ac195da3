"""The exception tree is the engine's table of errors."""

from __future__ import annotations

import pickle

import pytest

import mmsb
from mmsb import _mmsb

FAMILIES = {
    1: (mmsb.ArgumentError, ValueError),
    2: (mmsb.TransactionError, Exception),
    3: (mmsb.CapacityError, Exception),
    4: (mmsb.IoError, OSError),
    5: (mmsb.CorruptionError, Exception),
    6: (mmsb.InternalError, Exception),
}


@pytest.mark.parametrize("row", _mmsb.error_table(), ids=lambda row: row[1])
def test_every_kind_is_an_exception(row: tuple[int, str, str, str, bool, bool]) -> None:
    code, name, family, meaning, retryable, fatal = row
    kind = getattr(mmsb, name)
    assert name in mmsb.__all__
    base, builtin = FAMILIES[code // 100]
    assert family == base.__name__
    assert issubclass(kind, (base,))
    assert issubclass(kind, (builtin,))
    assert issubclass(kind, mmsb.Error)
    assert (kind.code, kind.kind) == (code, name)
    assert (kind.retryable, kind.fatal) == (retryable, fatal)
    assert kind.__doc__ == f"{meaning} Code {code}."
    assert kind.__module__ == "mmsb"
    error = kind("a message")
    assert str(error) == "a message"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (kind, "a message")


def test_codes_are_unique_and_ascend() -> None:
    codes = [code for code, *_ in _mmsb.error_table()]
    assert codes == sorted(set(codes))


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (mmsb.PageNotFound, KeyError),
        (mmsb.PageFreed, KeyError),
        (mmsb.KeyNotFound, KeyError),
        (mmsb.CheckpointNotFound, KeyError),
        (mmsb.RangeOutOfBounds, IndexError),
        (mmsb.OutOfMemory, MemoryError),
        (mmsb.FileNotFound, FileNotFoundError),
        (mmsb.PermissionDenied, PermissionError),
    ],
)
def test_pythons_own_exceptions_catch_them(
    kind: type[mmsb.Error], builtin: type[Exception]
) -> None:
    with pytest.raises(builtin, match=r"^as it is$"):
        raise kind("as it is")


def test_the_error_of_the_system_keeps_its_number(tmp_path: object) -> None:
    with pytest.raises(mmsb.FileNotFound) as caught:
        mmsb.State(f"{tmp_path}/none/such", must_exist=True)
    assert caught.value.errno == 2
    assert "none/such" in str(caught.value)
    assert (caught.value.code, caught.value.kind) == (402, "FileNotFound")
