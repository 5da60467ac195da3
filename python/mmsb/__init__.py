"""MMSB, an embedded engine that keeps a program's live state in one place.

Pages of bytes are changed by deltas; every change is one record in one log, and applying the same
records gives the same state, bit for bit. What follows: a state survives a crash, any moment of
its past can be read, and many changes happen all or none.

>>> import mmsb
>>> with mmsb.State() as state:
...     page = state.create_page(data=b"hello")
...     before = state.flush()
...     lsn = page.write(0, b"J", source="demo", intent="a greeting")
...     page.read(), state.page_at(page, before).data
(b'Jello', b'hello')
"""

from mmsb import _mmsb
from mmsb._metadata import Metadata
from mmsb._mmsb import (
    LIMITS,
    Allocator,
    ArgumentError,
    Batch,
    Cancelled,
    CapacityError,
    Change,
    Changes,
    Checkpoint,
    CheckpointNotFound,
    CheckpointPassed,
    Closed,
    Corrupt,
    CorruptionError,
    Delta,
    Difference,
    Error,
    FileNotFound,
    Foreign,
    HistoryDropped,
    Internal,
    InternalError,
    InvalidArgument,
    Io,
    IoError,
    KeyNotFound,
    LengthMismatch,
    Locked,
    LsnInFuture,
    NoSpace,
    NotUtf8,
    NullHandle,
    OutOfMemory,
    Page,
    PageAt,
    PageFreed,
    PageNotFound,
    Panic,
    PermissionDenied,
    Poisoned,
    RangeOutOfBounds,
    ReadOnly,
    Recovered,
    RunsInvalid,
    ScratchPage,
    SizeOutOfRange,
    Snapshot,
    SnapshotTooOld,
    SoftCheckpoint,
    StaleHandle,
    State,
    Summary,
    TLog,
    TooLarge,
    TooLong,
    TooManyHandles,
    TransactionError,
    UnknownFormat,
    Verified,
    View,
    WrongHandle,
    __version__,
)

__all__ = [
    "LIMITS",
    "Allocator",
    "ArgumentError",
    "Batch",
    "Cancelled",
    "CapacityError",
    "Change",
    "Changes",
    "Checkpoint",
    "CheckpointNotFound",
    "CheckpointPassed",
    "Closed",
    "Corrupt",
    "CorruptionError",
    "Delta",
    "Difference",
    "Error",
    "FileNotFound",
    "Foreign",
    "HistoryDropped",
    "Internal",
    "InternalError",
    "InvalidArgument",
    "Io",
    "IoError",
    "KeyNotFound",
    "LengthMismatch",
    "Locked",
    "LsnInFuture",
    "Metadata",
    "NoSpace",
    "NotUtf8",
    "NullHandle",
    "OutOfMemory",
    "Page",
    "PageAt",
    "PageFreed",
    "PageNotFound",
    "Panic",
    "PermissionDenied",
    "Poisoned",
    "RangeOutOfBounds",
    "ReadOnly",
    "Recovered",
    "RunsInvalid",
    "ScratchPage",
    "SizeOutOfRange",
    "Snapshot",
    "SnapshotTooOld",
    "SoftCheckpoint",
    "StaleHandle",
    "State",
    "Summary",
    "TLog",
    "TooLarge",
    "TooLong",
    "TooManyHandles",
    "TransactionError",
    "UnknownFormat",
    "Verified",
    "View",
    "WrongHandle",
    "__version__",
]


def _adopt_errors() -> None:
    """Export every kind of error that the engine has, also one that is newer than this file."""
    for _, name, *_ in _mmsb.error_table():
        if name not in globals():
            globals()[name] = getattr(_mmsb, name)
            __all__.append(name)


_adopt_errors()
