"""The compiled part of ``mmsb``. Import from ``mmsb``; docstrings with examples are at runtime."""

import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Literal, Self, SupportsIndex, TypeAlias, TypeVar, final

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

from mmsb._events import AsyncEvents
from mmsb._metadata import Metadata

_Durability: TypeAlias = Literal["memory", "buffered", "sync"]
_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., Any])
_EdgeKind: TypeAlias = Literal["data", "control", "device", "compiler"]
_EventKind: TypeAlias = Literal[
    "created",
    "changed",
    "freed",
    "stale",
    "edge_added",
    "edge_removed",
    "metadata",
    "ownership",
    "committed",
    "checkpoint",
    "poisoned",
    "lost",
]
_Staleness: TypeAlias = Literal["fresh", "behind", "stale"]
_Function: TypeAlias = Callable[..., Any]
_Location: TypeAlias = Literal["cpu", "gpu", "unified"]
_Shape: TypeAlias = SupportsIndex | Iterable[SupportsIndex]
_PageOrId: TypeAlias = Page | SupportsIndex
_Place: TypeAlias = tuple[_PageOrId, SupportsIndex]
_ScratchOrId: TypeAlias = ScratchPage | SupportsIndex
_Path: TypeAlias = str | PathLike[str]
# NumPy's own hints call arrays buffers from Python 3.12 on.
_Bytes: TypeAlias = Buffer | np.ndarray[Any, Any]
_Time: TypeAlias = datetime | SupportsIndex

__version__: Final[str]
LIMITS: Final[Mapping[str, int]]
"""The limits of the engine by name, in bytes."""

def memory_stats() -> dict[str, Any]:
    """Return what the memory of all states and allocators of the process takes, by name."""

def memory_report() -> str:
    """Return ``memory_stats`` as a table."""

def memory_prewarm(
    size: SupportsIndex, count: SupportsIndex, *, align: SupportsIndex | None = None
) -> None:
    """Make free blocks of that size ready."""

def memory_purge() -> int:
    """Give memory that nothing stands in to the operating system. Returns the bytes that went."""

def memory_limit(size: SupportsIndex) -> None:
    """Limit the memory of all states and allocators; 0 for no limit."""

def memory_retention(
    size: SupportsIndex | None = None, *, age_ms: SupportsIndex | None = None
) -> None:
    """Say how much of the memory that comes back is kept, and how long."""

def memory_huge_pages(huge: bool) -> None:
    """Ask the operating system for huge pages under the heap, or for none."""

@final
class State:
    """A program's live state: pages, their history, and a log that gives them back."""

    def __new__(
        cls,
        path: _Path | None = None,
        durability: _Durability | None = None,
        *,
        must_exist: bool = False,
        flush_every_ms: float | None = None,
        sync_every_ms: float | None = None,
        segment_bytes: SupportsIndex | None = None,
        pending_bytes_max: SupportsIndex | None = None,
        history_bytes: SupportsIndex | None = None,
        memory_bytes_max: SupportsIndex | None = None,
        version_bytes_max: SupportsIndex | None = None,
        key: _Bytes | None = None,
    ) -> Self: ...
    @staticmethod
    def load_checkpoint(path: _Path) -> State:
        """Open the image in a file as a new state in memory; the file never changes."""
    def close(self) -> None:
        """Flush, sync, release the directory. Waits for calls of other threads."""
    @property
    def closed(self) -> bool:
        """Whether the state is closed."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...
    @property
    def path(self) -> Path | None:
        """The state's directory; None for one in memory."""
    @property
    def durability(self) -> _Durability:
        """What a change waits for."""
    @property
    def read_only(self) -> bool:
        """Whether the state shows the past and refuses changes."""
    @property
    def recovered(self) -> Recovered:
        """What opening found."""
    def unlock(self, key: _Bytes) -> None:
        """Give the state the key, 32 bytes, that private pages are sealed with."""
    @property
    def unlocked(self) -> bool:
        """Whether the state has a key for private pages."""
    def create_page(
        self,
        size: SupportsIndex | None = None,
        data: _Bytes | None = None,
        *,
        dtype: npt.DTypeLike | None = None,
        shape: _Shape | None = None,
        location: _Location = "cpu",
        metadata: Mapping[str, _Bytes] | None = None,
        private: bool = False,
        source: str = "",
        intent: str | None = None,
    ) -> Page:
        """Create a page by its size, its content, or its shape and type."""
    def free_page(self, page: _PageOrId, *, source: str = "", intent: str | None = None) -> int:
        """Free a page; its id is never used again. Returns the LSN."""
    def apply(self, delta: Delta) -> int | None:
        """Apply a delta. Returns the LSN, None if nothing changed."""
    def batch(self, *, source: str = "", intent: str | None = None) -> Batch:
        """Begin a batch: many changes as one group, all or none."""
    @property
    def graph(self) -> Graph:
        """What derives from what."""
    def subscribe(
        self,
        *,
        kinds: Sequence[_EventKind] | None = None,
        pages: Sequence[_PageOrId] | None = None,
        capacity: int = 65_536,
    ) -> Subscription:
        """Tell of everything that happens from now on, as a queue of events."""
    def transaction(
        self, *, read_only: bool = False, source: str = "", intent: str | None = None
    ) -> Transaction:
        """Begin a transaction, for a ``with`` block that does not try again."""
    def transact(
        self,
        function: Callable[[Transaction], _T],
        *,
        tries: int = 1000,
        pause_max_ms: float = 1.0,
        source: str = "",
        intent: str | None = None,
    ) -> _T:
        """Call ``function`` with a transaction and commit it, anew as long as it conflicts."""
    def partition(self, number: SupportsIndex) -> Partition:
        """Take a partition, 0 to 65,535, until it is closed."""
    def executor(
        self,
        workers: int | None = None,
        *,
        pin: bool = True,
        queue_max: int = 1024,
        tries: int = 1000,
        pause_max_ms: float = 1.0,
    ) -> Executor:
        """Start worker threads that each hold a partition, from 0 on."""
    def prometheus(self, name: str | None = None) -> str:
        """Return the stats as Prometheus reads them."""
    def pages(self) -> list[Page]:
        """Return all pages, ascending by id."""
    @property
    def page_count(self) -> int:
        """How many pages there are."""
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Page]: ...
    def __contains__(self, page: object, /) -> bool: ...
    def __getitem__(self, page_id: SupportsIndex, /) -> Page: ...
    def flush(self) -> int:
        """Hand all changes to the operating system. Returns the closed LSN that covers them."""
    def sync(self) -> int:
        """Make all changes durable. Returns the closed LSN that covers them."""
    def checkpoint(
        self, name: str | None = None, progress: Callable[[int], object] | None = None
    ) -> Checkpoint:
        """Make a durable image of the state as of now, without stopping writers."""
    def checkpoints(self) -> list[Checkpoint]:
        """Return the checkpoints that are kept, oldest first."""
    def drop_checkpoint(self, name: str) -> None:
        """Give a named checkpoint up."""
    def export_checkpoint(
        self, path: _Path, progress: Callable[[int], object] | None = None
    ) -> int:
        """Write an image to a new file. Returns the LSN that it stands at."""
    def digest(self) -> bytes:
        """Return the 256-bit digest of the content."""
    def hexdigest(self) -> str:
        """Return the digest as 64 hexadecimal digits."""
    def stats(self) -> dict[str, Any]:
        """Return counts, bytes, log positions and latencies by name."""
    def stats_json(self) -> str:
        """Return the same as one JSON object."""
    def snapshot(self) -> Snapshot:
        """Take a read view of all pages at one closed LSN."""
    def compare(self, snapshot: Snapshot) -> list[Difference]:
        """Return what differs now from what a snapshot shows."""
    def derive(
        self,
        page: _PageOrId,
        parents: Sequence[_PageOrId],
        rule: str | _Function,
        *,
        dtype: npt.DTypeLike | None = None,
        name: str | None = None,
        source: str = "",
        intent: str | None = None,
    ) -> int | None:
        """Have a page computed from others, by a formula or a function. Returns the LSN."""
    def derives(
        self,
        page: _PageOrId,
        *parents: _PageOrId,
        dtype: npt.DTypeLike | None = None,
        name: str | None = None,
    ) -> Callable[[_F], _F]:
        """Have a page computed by the function below: a decorator."""
    def register(
        self, name: str, function: _Function, *, dtype: npt.DTypeLike | None = None
    ) -> None:
        """Register a function that pages can be computed by."""
    def propagate(self, *, source: str = "", intent: str | None = None) -> int | None:
        """Compute all that is stale, as one group. Returns its LSN, None if nothing is."""
    @property
    def propagation(self) -> Literal["immediate", "deferred"]:
        """When derived pages are computed."""
    @propagation.setter
    def propagation(self, mode: Literal["immediate", "deferred"]) -> None: ...
    @property
    def propagation_threads(self) -> int:
        """Threads, 1 to 64, that share in computing pages that are due at once."""
    @propagation_threads.setter
    def propagation_threads(self, threads: int) -> None: ...
    def stale_pages(self) -> list[Page]:
        """Return the pages that are stale, or may be."""
    def check_purity(self, check: bool = True) -> None:
        """Have functions that compute pages called twice, and compared, or no longer."""
    def propagation_stats(self) -> dict[str, int]:
        """Return counts of derived and stale pages, and of times that pages were computed."""
    def soft_checkpoint(self) -> SoftCheckpoint:
        """Mark the state as it is now, to go back to."""
    def revert(
        self, mark: SoftCheckpoint, *, source: str = "", intent: str | None = None
    ) -> int | None:
        """Go back to a soft checkpoint, as one group. Returns its LSN; None if nothing differs."""
    def replay_to(
        self, lsn: SupportsIndex, progress: Callable[[int], object] | None = None
    ) -> State:
        """Return the state as it was at an LSN: detached, read-only, in memory."""
    def page_at(self, page: _PageOrId, lsn: SupportsIndex) -> PageAt:
        """Return a page as it was at an LSN."""
    def history(self, page: _PageOrId) -> list[Change]:
        """Return all changes of a page that are kept, oldest first."""
    def query(
        self,
        *,
        page: _PageOrId | None = None,
        after: SupportsIndex | None = None,
        to: SupportsIndex | None = None,
        from_time: _Time | None = None,
        to_time: _Time | None = None,
        source: str | None = None,
        limit: SupportsIndex | None = None,
    ) -> Changes:
        """Read changes back from the log, in LSN order."""
    def verify(self, progress: Callable[[int], object] | None = None) -> Verified:
        """Check everything that is stored, and that a replay gives the live state."""

@final
class Page:
    """A page: a fixed number of bytes, named by its id, changed by deltas."""

    @property
    def id(self) -> int:
        """From 1 on, never used twice in a state's life."""
    @property
    def state(self) -> State:
        """The state that the page is part of."""
    @property
    def size(self) -> int:
        """Bytes of content."""
    @property
    def epoch(self) -> int:
        """How often the content has changed."""
    @property
    def lsn(self) -> int:
        """LSN of the record that changed the page last."""
    @property
    def location(self) -> _Location:
        """Where the page should live."""
    @property
    def private(self) -> bool:
        """Whether the content is sealed, and only the state's key opens it."""
    @property
    def ownership(self) -> Literal["shared", "immutable"] | int:
        """Who may change the page: anybody, nobody, or the partition of that number."""
    def share(self, *, source: str = "", intent: str | None = None) -> int | None:
        """Let anybody change the page. Returns the LSN, None if it is shared already."""
    @property
    def rule(self) -> str | None:
        """What the page is computed by; None if it is not."""
    @property
    def staleness(self) -> _Staleness:
        """Whether the page is what its rule makes of its parents."""
    def underive(self, *, source: str = "", intent: str | None = None) -> int | None:
        """Make the page an ordinary one, with the content that it has. Returns the LSN."""
    def explain(self) -> Explanation:
        """Tell what made the content, back to what was written by hand."""
    def freeze(self, *, source: str = "", intent: str | None = None) -> int | None:
        """Let nobody change the page any more."""
    def transfer(
        self, partition: SupportsIndex, *, source: str = "", intent: str | None = None
    ) -> int | None:
        """Make the page a partition's, 0 to 65,535."""
    @property
    def metadata(self) -> Metadata:
        """The metadata: a mutable mapping of str to bytes."""
    def __len__(self) -> int: ...
    def update(self, data: _Bytes, *, source: str = "", intent: str | None = None) -> int | None:
        """Make ``data`` the content. Returns the LSN, None if it was the same."""
    def write(
        self,
        offset: SupportsIndex,
        data: _Bytes,
        *,
        source: str = "",
        intent: str | None = None,
    ) -> int | None:
        """Write ``data`` at ``offset``. Returns the LSN, None if it was the same."""
    def write_masked(
        self, mask: _Bytes, data: _Bytes, *, source: str = "", intent: str | None = None
    ) -> int | None:
        """Write the bytes of ``data`` where ``mask`` is not zero."""
    def read(self, offset: SupportsIndex = 0, size: SupportsIndex | None = None) -> bytes:
        """Copy bytes from ``offset`` on."""
    def read_into(self, buffer: _Bytes, offset: SupportsIndex = 0) -> None:
        """Copy bytes from ``offset`` on into ``buffer``, as many as it holds."""
    def view(self) -> View:
        """Return a view of the whole content as it is now, without a copy."""
    def array(
        self, dtype: npt.DTypeLike, shape: _Shape | None = None, offset: SupportsIndex = 0
    ) -> np.ndarray[Any, Any]:
        """Return the content as a read-only NumPy array, without a copy."""
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def set_meta(
        self, key: str | bytes, value: _Bytes, *, source: str = "", intent: str | None = None
    ) -> int | None:
        """Set a metadata key. Returns the LSN, None if it was so."""
    def remove_meta(
        self, key: str | bytes, *, source: str = "", intent: str | None = None
    ) -> int | None:
        """Take a metadata key away. Returns the LSN."""
    def get_meta(self, key: str | bytes) -> bytes:
        """Return the value of a metadata key."""
    def list_meta(self) -> list[tuple[bytes, bytes]]:
        """Return all metadata as pairs of bytes, ascending by key."""
    def free(self, *, source: str = "", intent: str | None = None) -> int:
        """Free the page. Returns the LSN."""
    def history(self) -> list[Change]:
        """Return all changes of the page that are kept, oldest first."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class View:
    """A page's content as it was when the view was made, without a copy: a read-only buffer."""

    @property
    def page(self) -> int:
        """The page's id."""
    @property
    def epoch(self) -> int:
        """Epoch of the content."""
    @property
    def lsn(self) -> int:
        """LSN of the record that made the content; 0 for a page of an allocator."""
    @property
    def nbytes(self) -> int:
        """Bytes of content."""
    @property
    def released(self) -> bool:
        """Whether the view was released."""
    def __len__(self) -> int: ...
    def release(self) -> None:
        """Give the memory back. BufferError while a memoryview or array still shows it."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Batch:
    """Many changes to many pages as one group, all or none."""

    @property
    def lsn(self) -> int | None:
        """LSN of the commit; None before, or if nothing changed."""
    @property
    def done(self) -> bool:
        """Whether the batch is committed or discarded."""
    def __len__(self) -> int: ...
    def update(self, page: _PageOrId, data: _Bytes) -> None:
        """Make ``data`` the whole content of a page."""
    def write(self, page: _PageOrId, offset: SupportsIndex, data: _Bytes) -> None:
        """Write ``data`` at ``offset`` of a page."""
    def apply(self, delta: Delta) -> None:
        """Apply a delta."""
    def create_page(
        self,
        size: SupportsIndex | None = None,
        data: _Bytes | None = None,
        *,
        dtype: npt.DTypeLike | None = None,
        shape: _Shape | None = None,
        location: _Location = "cpu",
        private: bool = False,
    ) -> Page:
        """Create a page when the batch commits; it can be used in the batch at once."""
    def free_page(self, page: _PageOrId) -> None:
        """Free a page."""
    def set_meta(self, page: _PageOrId, key: str | bytes, value: _Bytes) -> None:
        """Set a metadata key of a page."""
    def remove_meta(self, page: _PageOrId, key: str | bytes) -> None:
        """Take a metadata key of a page away."""
    def commit(self) -> int | None:
        """Make all changes at once. Returns the LSN, None if nothing changed."""
    def discard(self) -> None:
        """Give all changes up."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None: ...

@final
class Event:
    """One thing that happened. Never changes."""

    @property
    def kind(self) -> _EventKind:
        """What happened, by its name."""
    @property
    def lsn(self) -> int:
        """The group that did it."""
    @property
    def page(self) -> int | None:
        """The id of the page that it happened to, the child of an edge."""
    @property
    def other(self) -> int | None:
        """The id of an edge's parent."""
    @property
    def edge(self) -> _EdgeKind | None:
        """What an edge says."""
    @property
    def epoch(self) -> int:
        """The page's epoch afterwards; 0 where there is none."""
    @property
    def count(self) -> int:
        """Of a committed group: the events that stand before it. Of lost ones: how many."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Subscription:
    """What happens to a state, as a queue of events."""

    @property
    def since(self) -> int:
        """The closed LSN above which it is told of every group."""
    @property
    def lost(self) -> int:
        """Events that it was not told so far, as it was full."""
    @property
    def lost_groups(self) -> int:
        """Groups that it was not told so far, as it was full."""
    @property
    def closed(self) -> bool:
        """Whether it, or its state, was closed, and nothing is left to be had."""
    def poll(self, limit: int = 1024) -> builtins.list[Event]:
        """Take the oldest events that wait, without waiting."""
    def wait(self, timeout: float | None = None) -> bool:
        """Wait until an event waits, for ``timeout`` seconds at most. Whether one does."""
    def close(self) -> None:
        """End it, and wake whoever waits for it; what waits is dropped."""
    def __iter__(self) -> Self: ...
    def __next__(self) -> Event: ...
    def __aiter__(self) -> AsyncEvents: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        _exc_type: type[BaseException] | None,
        _exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None: ...

@final
class Origin:
    """What made a page's content."""

    @property
    def page(self) -> int:
        """The page's id."""
    @property
    def epoch(self) -> int:
        """Epoch of the content."""
    @property
    def lsn(self) -> int:
        """LSN of the record that made it."""
    @property
    def time_ms(self) -> int:
        """Wall clock, milliseconds since 1970-01-01 UTC."""
    @property
    def source(self) -> str:
        """Label of who acted."""
    @property
    def intent(self) -> str | None:
        """Why, if they said so."""
    @property
    def rule(self) -> str | None:
        """What the content was computed by; None where it was written."""
    @property
    def parents(self) -> list[int]:
        """What it was computed of, in order: indexes of the explanation."""

@final
class Explanation(Sequence[Origin]):
    """What a page's content was made of, the page's own first."""

    @property
    def dropped(self) -> int:
        """Contents that are left out, as they were made before history begins."""
    def __len__(self) -> int: ...
    def __getitem__(self, index: SupportsIndex, /) -> Origin: ...  # type: ignore[override]

@final
class Semiring:
    """Two operations that formulas fold with, over numbers of one's own."""

    def __new__(cls, name: str) -> Self: ...
    @property
    def name(self) -> str:
        """The name in formulas."""
    @property
    def zero(self) -> float:
        """What changes nothing under add."""
    @property
    def one(self) -> float:
        """What changes nothing under mul."""
    def add(self, a: float, b: float) -> float:
        """Return a ⊕ b."""
    def mul(self, a: float, b: float) -> float:
        """Return a ⊗ b."""
    def fold_add(self, values: Iterable[float]) -> float:
        """Return ⊕ over all values."""
    def fold_mul(self, values: Iterable[float]) -> float:
        """Return ⊗ over all values."""
    def accumulate(self, total: float, values: Iterable[float]) -> float:
        """Return total ⊕ (⊕ over all values)."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Graph:
    """What derives from what in a state: edges from parents to children."""

    def add(
        self,
        parent: _PageOrId,
        child: _PageOrId,
        kind: _EdgeKind = "data",
        *,
        source: str = "",
        intent: str | None = None,
    ) -> int | None:
        """Add an edge. Returns the LSN, None if it is there already."""
    def remove(
        self,
        parent: _PageOrId,
        child: _PageOrId,
        kind: _EdgeKind = "data",
        *,
        source: str = "",
        intent: str | None = None,
    ) -> int:
        """Take an edge away. Returns the LSN."""
    def parents(self, page: _PageOrId) -> builtins.list[tuple[Page, _EdgeKind]]:
        """Return what a page derives from, in the order in which the edges were added."""
    def children(self, page: _PageOrId) -> builtins.list[tuple[Page, _EdgeKind]]:
        """Return what derives from a page, ascending."""
    def ancestors(self, page: _PageOrId) -> builtins.list[Page]:
        """Return all pages that a page derives from, ascending."""
    def descendants(self, page: _PageOrId) -> builtins.list[Page]:
        """Return all pages that derive from a page, ascending."""
    def order(self) -> builtins.list[tuple[Page, int]]:
        """Return all pages with edges, parents before children, with their heights."""
    def free_cascade(
        self, page: _PageOrId, *, source: str = "", intent: str | None = None
    ) -> builtins.list[Page]:
        """Free a page and all that derive from it. Returns them, ascending."""
    def dot(self) -> str:
        """Return all edges in the DOT language."""
    def svg(self) -> str:
        """Return all edges as an SVG picture."""
    def _repr_svg_(self) -> str: ...
    def __len__(self) -> int: ...

@final
class Transaction:
    """Reads and writes that happen at one moment, as one group, or not at all."""

    @property
    def lsn(self) -> int | None:
        """LSN of the commit; None before, or if nothing changed."""
    @property
    def done(self) -> bool:
        """Whether it was committed or given up."""
    def read(
        self,
        page: _PageOrId,
        offset: SupportsIndex | None = None,
        size: SupportsIndex | None = None,
    ) -> bytes:
        """Copy bytes of a page from ``offset`` on."""
    def read_into(
        self, page: _PageOrId, buffer: _Bytes, offset: SupportsIndex | None = None
    ) -> None:
        """Copy bytes of a page into a writable buffer, which they fill."""
    def size(self, page: _PageOrId) -> int:
        """Return the bytes of a page."""
    def __contains__(self, page: _PageOrId, /) -> bool: ...
    def pages(self) -> builtins.list[Page]:
        """Return all pages, ascending by id, as the transaction leaves them."""
    def update(self, page: _PageOrId, data: _Bytes) -> None:
        """Make ``data`` the whole content of a page."""
    def write(self, page: _PageOrId, offset: SupportsIndex, data: _Bytes) -> None:
        """Write ``data`` at ``offset`` of a page."""
    def apply(self, delta: Delta) -> None:
        """Apply a delta."""
    def create_page(
        self,
        size: SupportsIndex | None = None,
        data: _Bytes | None = None,
        *,
        dtype: npt.DTypeLike | None = None,
        shape: _Shape | None = None,
        location: _Location = "cpu",
        private: bool = False,
    ) -> Page:
        """Create a page when the transaction commits; it can be used in it at once."""
    def free_page(self, page: _PageOrId) -> None:
        """Free a page when the transaction commits."""
    def meta(self, page: _PageOrId, key: str | bytes) -> bytes:
        """Return the value of a metadata key."""
    def set_meta(self, page: _PageOrId, key: str | bytes, value: _Bytes) -> None:
        """Set a metadata key."""
    def remove_meta(self, page: _PageOrId, key: str | bytes) -> None:
        """Take a metadata key away."""
    def share(self, page: _PageOrId) -> None:
        """Let anybody change a page from the commit on."""
    def freeze(self, page: _PageOrId) -> None:
        """Let nobody change a page any more from the commit on."""
    def transfer(self, page: _PageOrId, partition: SupportsIndex) -> None:
        """Make a page a partition's from the commit on."""
    def savepoint(self) -> Savepoint:
        """Return a place to go back to."""
    def check(self) -> None:
        """Raise Conflict unless all that was read still holds."""
    def commit(self) -> int | None:
        """Make all happen at once. Returns the LSN, None if nothing changed."""
    def abort(self) -> None:
        """Give it up: it leaves nothing."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None: ...

@final
class Savepoint:
    """A place in a transaction to go back to."""

    def rollback(self) -> None:
        """Take back all that was written after it."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None: ...

@final
class Partition:
    """The right to change the pages of one partition."""

    @property
    def number(self) -> int:
        """Its number."""
    @property
    def closed(self) -> bool:
        """Whether it was given back."""
    def transaction(self, *, source: str = "", intent: str | None = None) -> Transaction:
        """Begin a transaction that may change the partition's pages, and shared ones."""
    def transact(
        self,
        function: Callable[[Transaction], _T],
        *,
        tries: int = 1000,
        pause_max_ms: float = 1.0,
        source: str = "",
        intent: str | None = None,
    ) -> _T:
        """Call ``function`` with a transaction and commit it, anew as long as it conflicts."""
    def close(self) -> None:
        """Give the partition back."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        _exc_type: type[BaseException] | None,
        _exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None: ...

@final
class Program:
    """A transaction whose steps are done in order, all or none, by workers."""

    def __new__(cls, steps: _Bytes | None = None) -> Self: ...
    def add(self, at: _Place, by: float) -> Self:
        """Let the number at a place grow: an integer by an int, a double by a float."""
    def write(self, at: _Place, data: _Bytes) -> Self:
        """Let bytes go to a place."""
    def compare_and_swap(self, at: _Place, expected: _Bytes, data: _Bytes) -> Self:
        """Let bytes become others, if they are as expected."""
    def transfer(self, origin: _Place, to: _Place, amount: SupportsIndex) -> Self:
        """Let an amount go from one unsigned integer to another."""
    def require(
        self,
        at: _Place,
        relation: Literal["==", "!=", "<", "<=", ">", ">="],
        value: SupportsIndex,
    ) -> Self:
        """Fail unless the unsigned integer at a place relates to ``value`` like that."""
    def __bytes__(self) -> bytes: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Executor:
    """Worker threads that each hold a partition, and run what they are given."""

    @property
    def workers(self) -> int:
        """How many workers there are."""
    @property
    def pinned(self) -> int:
        """How many of them are bound to a core of their own."""
    @property
    def state(self) -> State:
        """The state."""
    @property
    def closed(self) -> bool:
        """Whether the workers were ended."""
    def submit(self, programs: Sequence[Program], *, source: str = "") -> Tickets:
        """Have workers run programs."""
    def apply(self, deltas: Sequence[Delta]) -> Tickets:
        """Have workers apply deltas."""
    def close(self) -> None:
        """Do all that was submitted, and end the workers."""
    def stop(self) -> int:
        """End the workers after what they are at. Returns how much was not begun."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        _exc_type: type[BaseException] | None,
        _exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None: ...

@final
class Tickets:
    """Where the results of what was submitted arrive."""

    @property
    def ready(self) -> bool:
        """Whether all results are there."""
    def wait(self) -> builtins.list[int | Error | None]:
        """Wait for all results: the LSN, None if nothing changed, or the exception."""
    def __len__(self) -> int: ...

@final
class Snapshot:
    """A read view of all pages at one closed LSN."""

    @property
    def lsn(self) -> int:
        """The closed LSN that it stands at."""
    @property
    def closed(self) -> bool:
        """Whether the snapshot or its state is closed."""
    def read(
        self, page: _PageOrId, offset: SupportsIndex = 0, size: SupportsIndex | None = None
    ) -> bytes:
        """Copy bytes of a page from ``offset`` on."""
    def list(self) -> builtins.list[int]:
        """Return the ids of all pages, ascending."""
    def size(self, page: _PageOrId) -> int:
        """Return the bytes of a page."""
    def epoch(self, page: _PageOrId) -> int:
        """Return the epoch of a page's content."""
    def get_meta(self, page: _PageOrId, key: str | bytes) -> bytes:
        """Return the value of a metadata key of a page."""
    def list_meta(self, page: _PageOrId) -> builtins.list[tuple[bytes, bytes]]:
        """Return all metadata of a page as pairs of bytes, ascending by key."""
    def digest(self) -> bytes:
        """Return the 256-bit digest of the content."""
    def hexdigest(self) -> str:
        """Return the digest as 64 hexadecimal digits."""
    def compare(self, other: Snapshot) -> builtins.list[Difference]:
        """Return what differs in another snapshot from what this one shows."""
    def export(self, path: _Path, progress: Callable[[int], object] | None = None) -> int:
        """Write what the snapshot shows to a new file. Returns the LSN that it stands at."""
    def __contains__(self, page: _PageOrId, /) -> bool: ...
    def close(self) -> None:
        """Give up what the snapshot holds."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class Difference:
    """A page that is not the same in two snapshots."""

    @property
    def page(self) -> int:
        """The page's id."""
    @property
    def kind(self) -> Literal["created", "freed", "changed"]:
        """How it differs."""
    @property
    def runs(self) -> list[tuple[int, int]]:
        """Of "changed": stretches of content that differ, each an offset and a length."""
    @property
    def metadata(self) -> bool:
        """Of "changed": whether metadata differs."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class SoftCheckpoint:
    """A moment that its state can go back to."""

    @property
    def lsn(self) -> int:
        """The closed LSN that it stands at."""
    @property
    def passed(self) -> bool:
        """Whether the state went back to an older one, which ended this one."""
    @property
    def closed(self) -> bool:
        """Whether it or its state is closed."""
    def close(self) -> None:
        """Give it up: the state stays as it is."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class Delta:
    """An ordered change to one page: bytes, where they go, and who says so and why."""

    @staticmethod
    def dense(
        page: _PageOrId | ScratchPage, data: _Bytes, *, source: str = "", intent: str | None = None
    ) -> Delta:
        """Make a delta of all bytes of a page."""
    @staticmethod
    def sparse(
        page: _PageOrId | ScratchPage,
        mask: _Bytes,
        data: _Bytes,
        *,
        source: str = "",
        intent: str | None = None,
    ) -> Delta:
        """Make a delta of the bytes of ``data`` where ``mask`` is not zero."""
    @staticmethod
    def from_runs(
        page: _PageOrId | ScratchPage,
        runs: Iterable[tuple[SupportsIndex, _Bytes]],
        *,
        source: str = "",
        intent: str | None = None,
    ) -> Delta:
        """Make a delta of pairs of offset and data."""
    @property
    def page(self) -> int:
        """Id of the page that it changes."""
    @property
    def runs(self) -> list[tuple[int, bytes]]:
        """Its pieces, ascending."""
    @property
    def payload(self) -> bytes:
        """The bytes of all runs."""
    @property
    def nbytes(self) -> int:
        """Bytes that it writes."""
    @property
    def is_dense(self) -> bool:
        """Whether it was built from all bytes of a page."""
    @property
    def span(self) -> tuple[int, int]:
        """From its first byte to one past its last."""
    @property
    def source(self) -> str:
        """Label of who acts."""
    @property
    def intent(self) -> str | None:
        """Why, if somebody said."""
    @property
    def lsn(self) -> int | None:
        """LSN of its record, if it was read back from a log."""
    @property
    def epoch(self) -> int | None:
        """Epoch of the page with it applied, if it was read back from a log."""
    @property
    def time_ms(self) -> int | None:
        """Wall clock of its record in milliseconds, if it was read back from a log."""
    def merge(self, later: Delta) -> Delta:
        """Return one delta that does what this one and then ``later`` do."""
    def validate(self, page_size: SupportsIndex) -> None:
        """Check that it is a delta to a page of that size."""
    def apply_to(self, page_bytes: _Bytes) -> None:
        """Write its bytes into a writable buffer that holds a whole page."""
    def to_masked(self, page_size: SupportsIndex) -> tuple[bytes, bytes]:
        """Return the delta as a mask and bytes, as long as the page."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Change:
    """One change to one page, read back from the log."""

    @property
    def lsn(self) -> int:
        """The record's place in the order of groups."""
    @property
    def time_ms(self) -> int:
        """Wall clock, milliseconds since 1970-01-01 UTC."""
    @property
    def time(self) -> datetime:
        """Wall clock as a datetime in UTC."""
    @property
    def source(self) -> str:
        """Label of who acted."""
    @property
    def intent(self) -> str | None:
        """Why, if they said so."""
    @property
    def page(self) -> int:
        """The page's id."""
    @property
    def epoch(self) -> int:
        """The page's epoch after the change."""
    @property
    def prev(self) -> int:
        """LSN of the record that changed the page before; 0 for none."""
    @property
    def kind(
        self,
    ) -> Literal[
        "created",
        "written",
        "freed",
        "meta",
        "restored",
        "owned",
        "edge_added",
        "edge_removed",
        "ruled",
        "derived",
        "computed",
        "staled",
        "sealed",
    ]:
        """What happened."""
    @property
    def delta(self) -> Delta | None:
        """Of "written" and "computed": what changed."""
    @property
    def size(self) -> int | None:
        """Of "created" and "restored": bytes of the page."""
    @property
    def location(self) -> _Location | None:
        """Of "created" and "restored": where the page should live."""
    @property
    def key(self) -> bytes | None:
        """Of "meta": the key."""
    @property
    def value(self) -> bytes | None:
        """Of "meta": the key's value from then on; None if it went."""
    @property
    def ownership(self) -> Literal["shared", "immutable"] | int | None:
        """Of "owned": whose it is from then on."""
    @property
    def parent(self) -> int | None:
        """Of "edge_added" and "edge_removed": the parent's id."""
    @property
    def edge(self) -> _EdgeKind | None:
        """Of "edge_added" and "edge_removed": the kind of the edge."""
    @property
    def rule(self) -> str | None:
        """Of "ruled": what the page is computed by; None if it is no longer."""
    @property
    def staleness(self) -> _Staleness | None:
        """Of "staled": what the page became."""

@final
class Changes(Iterator[Change]):
    """Changes that a query found, in LSN order."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> Change: ...

@final
class TLog:
    """A log of deltas in a directory of its own, without a state that they change."""

    def __new__(
        cls,
        path: _Path,
        durability: _Durability | None = None,
        *,
        must_exist: bool = False,
        flush_every_ms: float | None = None,
        sync_every_ms: float | None = None,
        segment_bytes: SupportsIndex | None = None,
        pending_bytes_max: SupportsIndex | None = None,
    ) -> Self: ...
    @staticmethod
    def open(
        path: _Path,
        durability: _Durability | None = None,
        *,
        must_exist: bool = False,
        flush_every_ms: float | None = None,
        sync_every_ms: float | None = None,
        segment_bytes: SupportsIndex | None = None,
        pending_bytes_max: SupportsIndex | None = None,
    ) -> TLog:
        """Do the same as ``TLog(path)``, with its settings."""
    def append(self, delta: Delta) -> int:
        """Append a delta. Returns its LSN."""
    def flush(self) -> int:
        """Hand everything to the operating system. Returns the closed LSN that covers it."""
    def sync(self) -> int:
        """Make everything durable. Returns the closed LSN that covers it."""
    @property
    def recovered(self) -> Recovered:
        """What opening found."""
    def query(
        self,
        *,
        page: _PageOrId | None = None,
        after: SupportsIndex | None = None,
        to: SupportsIndex | None = None,
        from_time: _Time | None = None,
        to_time: _Time | None = None,
        source: str | None = None,
        limit: SupportsIndex | None = None,
    ) -> Changes:
        """Read deltas back, in LSN order."""
    def __iter__(self) -> Changes: ...
    def summary(self) -> Summary:
        """Read the whole log, checking every record, and count."""
    def last_of(self, page: _PageOrId) -> int:
        """Return the LSN of a page's last record; 0 if there is none."""
    def close(self) -> None:
        """Flush, sync, release the directory."""
    @property
    def closed(self) -> bool:
        """Whether the log is closed."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class Allocator:
    """Pages by themselves, without a log: scratch data in the same shape as a state's."""

    def __new__(cls) -> Self: ...
    def allocate(
        self,
        size: SupportsIndex | None = None,
        data: _Bytes | None = None,
        *,
        dtype: npt.DTypeLike | None = None,
        shape: _Shape | None = None,
        location: _Location = "cpu",
    ) -> ScratchPage:
        """Allocate a page by its size, its content, or its shape and type."""
    def release(self, page: _ScratchOrId) -> None:
        """Free a page; its id is never used again."""
    def clear(self) -> None:
        """Free all pages and blocks."""
    def apply(self, delta: Delta) -> bool:
        """Apply a delta. Returns whether anything changed."""
    def pages(self) -> list[ScratchPage]:
        """Return all pages, ascending by id."""
    @property
    def page_count(self) -> int:
        """How many pages there are."""
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[ScratchPage]: ...
    def __contains__(self, page: object, /) -> bool: ...
    def __getitem__(self, page_id: SupportsIndex, /) -> ScratchPage: ...
    def prewarm(self, size: SupportsIndex, count: SupportsIndex) -> None:
        """Make memory for more pages of that size ready."""
    def stats(self) -> dict[str, int]:
        """Return what pages and blocks take, by name."""
    def alloc_block(
        self, size: SupportsIndex, *, align: SupportsIndex | None = None, zeroed: bool = True
    ) -> Block:
        """Allocate plain memory at a multiple of ``align``, 16 unless given."""
    def close(self) -> None:
        """Free all pages and blocks and end the allocator. Views and arrays stay valid."""
    @property
    def closed(self) -> bool:
        """Whether the allocator is closed."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class Block:
    """Plain memory of an ``Allocator``, as a writable buffer of bytes."""

    @property
    def allocator(self) -> Allocator:
        """The allocator that the block is part of."""
    @property
    def address(self) -> int:
        """Address of the first byte, for calls of C while the block is kept."""
    @property
    def nbytes(self) -> int:
        """Bytes."""
    @property
    def freed(self) -> bool:
        """Whether the block was freed."""
    def __len__(self) -> int: ...
    def free(self) -> None:
        """Give the memory back, unless something still shows it."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class ScratchPage:
    """A page of an ``Allocator``: as a ``Page``, but nothing of it is recorded."""

    @property
    def id(self) -> int:
        """From 1 on, never used twice in an allocator's life."""
    @property
    def allocator(self) -> Allocator:
        """The allocator that the page is part of."""
    @property
    def size(self) -> int:
        """Bytes of content."""
    @property
    def epoch(self) -> int:
        """How often the content has changed."""
    @property
    def location(self) -> _Location:
        """Where the page should live."""
    def __len__(self) -> int: ...
    def update(self, data: _Bytes) -> bool:
        """Make ``data`` the content. Returns whether that changed anything."""
    def write(self, offset: SupportsIndex, data: _Bytes) -> bool:
        """Write ``data`` at ``offset``. Returns whether that changed anything."""
    def write_masked(self, mask: _Bytes, data: _Bytes) -> bool:
        """Write the bytes of ``data`` where ``mask`` is not zero."""
    def read(self, offset: SupportsIndex = 0, size: SupportsIndex | None = None) -> bytes:
        """Copy bytes from ``offset`` on."""
    def read_into(self, buffer: _Bytes, offset: SupportsIndex = 0) -> None:
        """Copy bytes from ``offset`` on into ``buffer``, as many as it holds."""
    def view(self) -> View:
        """Return a view of the whole content as it is now, without a copy."""
    def array(
        self, dtype: npt.DTypeLike, shape: _Shape | None = None, offset: SupportsIndex = 0
    ) -> np.ndarray[Any, Any]:
        """Return the content as a read-only NumPy array, without a copy."""
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def set_meta(self, key: str | bytes, value: _Bytes) -> None:
        """Set a metadata key."""
    def remove_meta(self, key: str | bytes) -> None:
        """Take a metadata key away."""
    def get_meta(self, key: str | bytes) -> bytes:
        """Return the value of a metadata key."""
    def list_meta(self) -> list[tuple[bytes, bytes]]:
        """Return all metadata as pairs of bytes, ascending by key."""
    def free(self) -> None:
        """Free the page. Views and arrays stay valid."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class PageAt:
    """A page as it was."""

    @property
    def page(self) -> int:
        """The page's id."""
    @property
    def data(self) -> bytes:
        """The content."""
    @property
    def epoch(self) -> int:
        """Epoch of the content."""
    @property
    def lsn(self) -> int:
        """LSN of the last record that changed the page by then."""
    @property
    def metadata(self) -> dict[str, bytes]:
        """The metadata then."""
    @property
    def ownership(self) -> Literal["shared", "immutable"] | int:
        """Who could change it."""
    @property
    def parents(self) -> list[tuple[int, _EdgeKind]]:
        """What it derived from, in the order in which the edges were added."""
    @property
    def rule(self) -> str | None:
        """What it was computed by; None if it was not."""
    @property
    def staleness(self) -> _Staleness:
        """Whether it was what its rule made of the parents."""
    def __bytes__(self) -> bytes: ...

@final
class Checkpoint:
    """A checkpoint that is kept."""

    @property
    def lsn(self) -> int:
        """The closed LSN that it stands at."""
    @property
    def name(self) -> str | None:
        """Its name; None if it has none."""
    @property
    def nbytes(self) -> int:
        """Bytes of its file."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Verified:
    """What ``State.verify`` looked at."""

    @property
    def records(self) -> int:
        """Records whose checksums, links and order were checked."""
    @property
    def record_bytes(self) -> int:
        """Bytes of them."""
    @property
    def images(self) -> int:
        """Images whose every byte was checked."""
    @property
    def lsn(self) -> int:
        """The closed LSN of the comparison."""
    @property
    def digest(self) -> bytes:
        """Digest of the live state and of its replay, which are equal."""

@final
class Recovered:
    """What opening found."""

    @property
    def records(self) -> int:
        """Records that were applied."""
    @property
    def nbytes(self) -> int:
        """Bytes of them."""
    @property
    def torn_bytes(self) -> int:
        """Bytes of a torn tail that were cut off."""
    @property
    def torn(self) -> str | None:
        """File, offset and reason of the torn tail."""

@final
class Summary:
    """What a log holds."""

    @property
    def deltas(self) -> int:
        """Deltas."""
    @property
    def pages(self) -> int:
        """Pages that they change."""
    @property
    def payload_bytes(self) -> int:
        """Bytes of new content."""
    @property
    def record_bytes(self) -> int:
        """Bytes of the records that hold them."""
    @property
    def first(self) -> int:
        """The first LSN; 0 if there is none."""
    @property
    def last(self) -> int:
        """The last LSN; 0 if there is none."""
    @property
    def first_ms(self) -> int:
        """Wall clock of the first record, milliseconds."""
    @property
    def last_ms(self) -> int:
        """Wall clock of the last record, milliseconds."""
    @property
    def sources(self) -> dict[str, int]:
        """Deltas per source label."""

def error_table() -> Sequence[tuple[int, str, str, str, bool, bool]]:
    """Return every kind of error: code, name, family, meaning, retryable, fatal."""

class Error(Exception):
    """Everything that goes wrong in MMSB. The subclass tells what."""

    code: ClassVar[int]
    kind: ClassVar[str]
    retryable: ClassVar[bool]
    fatal: ClassVar[bool]

class ArgumentError(Error, ValueError):
    """The call makes no sense as it is. Its kinds have the codes 100 to 199."""

class TransactionError(Error):
    """A transaction could not be committed. Its kinds have the codes 200 to 299."""

class CapacityError(Error):
    """Memory, disk or a limit is exhausted. Its kinds have the codes 300 to 399."""

class IoError(Error, OSError):
    """The operating system or the file system refused. Its kinds have the codes 400 to 499."""

class CorruptionError(Error):
    """Stored bytes are damaged or unknown. Its kinds have the codes 500 to 599."""

class InternalError(Error):
    """Something broke inside the engine. Its kinds have the codes 600 to 699."""

class NullHandle(ArgumentError):
    """A handle or a required pointer is null. Code 101."""

class StaleHandle(ArgumentError):
    """A handle was freed or closed before this call. Code 102."""

class WrongHandle(ArgumentError):
    """A handle is of another kind than the call takes, or was never given out. Code 103."""

class InvalidArgument(ArgumentError):
    """An argument has no meaning here. Code 104."""

class SizeOutOfRange(ArgumentError):
    """A page size, segment size or count is outside its limits. Code 105."""

class LengthMismatch(ArgumentError):
    """A buffer's length differs from what the call needs. Code 106."""

class RangeOutOfBounds(ArgumentError, IndexError):
    """A byte range does not lie inside its page. Code 107."""

class RunsInvalid(ArgumentError):
    """Runs of a delta are unsorted, overlapping or empty. Code 108."""

class NotUtf8(ArgumentError):
    """Bytes that must be UTF-8 are not. Code 109."""

class TooLong(ArgumentError):
    """A label, intent, key or value is longer than its limit. Code 110."""

class PageNotFound(ArgumentError, KeyError):
    """No page of that id was ever created. Code 111."""

class PageFreed(ArgumentError, KeyError):
    """The page was freed. Code 112."""

class ReadOnly(ArgumentError):
    """The state is a read-only one. Code 113."""

class Closed(ArgumentError):
    """The state, view or log was closed. Code 114."""

class LsnInFuture(ArgumentError):
    """An LSN lies after the last record. Code 115."""

class HistoryDropped(ArgumentError):
    """History at that LSN is no longer kept. Code 116."""

class KeyNotFound(ArgumentError, KeyError):
    """The page has no metadata under that key. Code 117."""

class CheckpointNotFound(ArgumentError, KeyError):
    """No checkpoint of that name is kept. Code 118."""

class Cancelled(ArgumentError):
    """The call's own progress callback asked it to stop: nothing was changed. Code 119."""

class SnapshotTooOld(ArgumentError):
    """The snapshot was ended, as snapshots held more than they may: take a new one. Code 120."""

class CheckpointPassed(ArgumentError):
    """The state went back past the soft checkpoint, which ended it. Code 121."""

class Cycle(ArgumentError):
    """The edge would close a cycle: pages cannot derive from themselves. Code 123."""

class HasChildren(ArgumentError):
    """Other pages derive from the page. Code 124."""

class EdgeNotFound(ArgumentError):
    """There is no such edge. Code 125."""

class Sealed(ArgumentError):
    """The page is private, and the key that opens it was not given. Code 126."""

class WrongKey(ArgumentError):
    """The page was sealed with another key than the one that was given. Code 127."""

class Derived(ArgumentError):
    """The page is computed from others: nobody writes it by hand. Code 131."""

class NotDerived(ArgumentError):
    """The page is not computed from others. Code 132."""

class NoCallback(ArgumentError):
    """No callback is registered under the name by which a page is computed. Code 133."""

class CallbackFailed(ArgumentError):
    """A callback that computes a page failed: nothing was changed. Code 134."""

class Impure(ArgumentError):
    """A callback made two contents of the same parents: nothing was changed. Code 135."""

class Reentered(ArgumentError):
    """A callback that computes a page called its state. Code 136."""

class Busy(ArgumentError):
    """Another thread computes a page by a callback, and callers are not to wait. Code 137."""

class Conflict(TransactionError):
    """Another transaction changed what this one read: nothing changed, try it again. Code 201."""

class RetriesExhausted(TransactionError):
    """A transaction met others in every one of its tries. Code 202."""

class TransactionFinished(TransactionError):
    """The transaction was committed or given up. Code 203."""

class NotOwner(TransactionError):
    """The page belongs to a partition, which alone changes it. Code 204."""

class Immutable(TransactionError):
    """The page was frozen: nobody changes it any more. Code 205."""

class PartitionInUse(TransactionError):
    """The partition is held by somebody else. Code 206."""

class ConditionFailed(TransactionError):
    """A condition of an encoded transaction did not hold: nothing changed. Code 207."""

class OutOfMemory(CapacityError, MemoryError):
    """Memory could not be had, or a memory limit is reached. Code 301."""

class NoSpace(CapacityError):
    """The disk is full: nothing was changed. Code 302."""

class TooLarge(CapacityError):
    """A group, delta or metadata map is larger than its limit. Code 303."""

class TooManyHandles(CapacityError):
    """All handles of the C interface are in use. Code 304."""

class Io(IoError):
    """The operating system refused to read or write. Code 401."""

class FileNotFound(IoError, FileNotFoundError):
    """A file or directory does not exist. Code 402."""

class PermissionDenied(IoError, PermissionError):
    """Permission to a file or directory is denied, or it is on a read-only medium. Code 403."""

class Locked(IoError):
    """The directory is open already, in this process or another. Code 404."""

class Foreign(IoError):
    """The path is not a directory or an image of this engine. Code 405."""

class Corrupt(CorruptionError):
    """Stored bytes are damaged: a checksum, a link or a length does not fit. Code 501."""

class UnknownFormat(CorruptionError):
    """A file has a format version that this build does not know. Code 502."""

class Panic(InternalError):
    """A panic was caught at the boundary; the state refuses writes. Code 601."""

class Poisoned(InternalError):
    """The state refuses writes since an earlier failed sync or panic. Code 602."""

class Internal(InternalError):
    """A broken promise inside the engine. Code 603."""
