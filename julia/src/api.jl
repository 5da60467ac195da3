# Generated from include/mmsb.h by gen/generate.jl; do not edit.

"""
The C interface, one to one: structs, enums, statuses and calls under their C names.

Calls return a status and write results through pointers; `Ref`s and arrays may be passed where
a `Ptr` stands. Nothing here checks, frees or throws: that is what the rest of MMSB is for. A call that
would wait for another thread's callback is made again, after the collector and other tasks had their
turn.
"""
module API

function let_others_on()
    GC.safepoint()
    yield()
end

"""
What every fallible call returns. Numbers are permanent and grouped by hundreds: 1xx argument,
2xx transaction, 3xx capacity, 4xx input and output, 5xx corruption, 6xx internal.
"""
const MmsbStatus = Int32

"The table of statuses: (number, name in the header, meaning), ascending."
const STATUSES = (
    (Int32(0), :OK, "The call did what it says."),
    (Int32(101), :NULL_HANDLE, "A handle or a required pointer is null."),
    (Int32(102), :STALE_HANDLE, "A handle was freed or closed before this call."),
    (Int32(103), :WRONG_HANDLE, "A handle is of another kind than the call takes, or was never given out."),
    (Int32(104), :INVALID_ARGUMENT, "An argument has no meaning here."),
    (Int32(105), :SIZE_OUT_OF_RANGE, "A page size, segment size or count is outside its limits."),
    (Int32(106), :LENGTH_MISMATCH, "A buffer's length differs from what the call needs."),
    (Int32(107), :RANGE_OUT_OF_BOUNDS, "A byte range does not lie inside its page."),
    (Int32(108), :RUNS_INVALID, "Runs of a delta are unsorted, overlapping or empty."),
    (Int32(109), :NOT_UTF8, "Bytes that must be UTF-8 are not."),
    (Int32(110), :TOO_LONG, "A label, intent, key or value is longer than its limit."),
    (Int32(111), :PAGE_NOT_FOUND, "No page of that id was ever created."),
    (Int32(112), :PAGE_FREED, "The page was freed."),
    (Int32(113), :READ_ONLY, "The state is a read-only one."),
    (Int32(114), :CLOSED, "The state, view or log was closed."),
    (Int32(115), :LSN_IN_FUTURE, "An LSN lies after the last record."),
    (Int32(116), :HISTORY_DROPPED, "History at that LSN is no longer kept."),
    (Int32(117), :KEY_NOT_FOUND, "The page has no metadata under that key."),
    (Int32(118), :CHECKPOINT_NOT_FOUND, "No checkpoint of that name is kept."),
    (Int32(119), :CANCELLED, "The call's own progress callback asked it to stop: nothing was changed."),
    (Int32(120), :SNAPSHOT_TOO_OLD, "The snapshot was ended, as snapshots held more memory than they may: take a new one."),
    (Int32(121), :CHECKPOINT_PASSED, "The state went back past the soft checkpoint, which ended it."),
    (Int32(123), :CYCLE, "The edge would close a cycle: pages cannot derive from themselves."),
    (Int32(124), :HAS_CHILDREN, "Other pages derive from the page."),
    (Int32(125), :EDGE_NOT_FOUND, "There is no such edge."),
    (Int32(126), :SEALED, "The page is private, and the key that opens it was not given."),
    (Int32(127), :WRONG_KEY, "The page was sealed with another key than the one that was given."),
    (Int32(131), :DERIVED, "The page is computed from others: nobody writes it by hand."),
    (Int32(132), :NOT_DERIVED, "The page is not computed from others."),
    (Int32(133), :NO_CALLBACK, "No callback is registered under the name by which a page is computed."),
    (Int32(134), :CALLBACK_FAILED, "A callback that computes a page failed: nothing was changed."),
    (Int32(135), :IMPURE, "A callback made two contents of the same parents: nothing was changed."),
    (Int32(136), :REENTERED, "A callback that computes a page called its state."),
    (Int32(137), :BUSY, "Another thread computes a page by a callback, and callers are not to wait for that."),
    (Int32(201), :CONFLICT, "Another transaction changed what this one read: nothing was changed, it is to be tried again."),
    (Int32(202), :RETRIES_EXHAUSTED, "A transaction met others in every one of its tries."),
    (Int32(203), :TRANSACTION_FINISHED, "The transaction was committed or given up."),
    (Int32(204), :NOT_OWNER, "The page belongs to a partition, which alone changes it."),
    (Int32(205), :IMMUTABLE, "The page was frozen: nobody changes it any more."),
    (Int32(206), :PARTITION_IN_USE, "The partition is held by somebody else."),
    (Int32(207), :CONDITION_FAILED, "A condition of an encoded transaction did not hold: nothing was changed."),
    (Int32(301), :OUT_OF_MEMORY, "Memory could not be had, or a memory limit is reached."),
    (Int32(302), :NO_SPACE, "The disk is full: nothing was changed."),
    (Int32(303), :TOO_LARGE, "A group, delta or metadata map is larger than its limit."),
    (Int32(304), :TOO_MANY_HANDLES, "All handles of the C interface are in use."),
    (Int32(401), :IO, "The operating system refused to read or write."),
    (Int32(402), :FILE_NOT_FOUND, "A file or directory does not exist."),
    (Int32(403), :PERMISSION_DENIED, "Permission to a file or directory is denied, or it is on a read-only medium."),
    (Int32(404), :LOCKED, "The directory is open already, in this process or another."),
    (Int32(405), :FOREIGN, "The path is not a directory or an image of this engine."),
    (Int32(501), :CORRUPT, "Stored bytes are damaged: a checksum, a link or a length does not fit."),
    (Int32(502), :UNKNOWN_FORMAT, "A file has a format version that this build does not know."),
    (Int32(601), :PANIC, "A panic was caught at the boundary; the state refuses writes."),
    (Int32(602), :POISONED, "The state refuses writes since an earlier failed sync or panic."),
    (Int32(603), :INTERNAL, "A broken promise inside the engine."),
)

const MMSB_STATUS_OK = Int32(0)
const MMSB_STATUS_NULL_HANDLE = Int32(101)
const MMSB_STATUS_STALE_HANDLE = Int32(102)
const MMSB_STATUS_WRONG_HANDLE = Int32(103)
const MMSB_STATUS_INVALID_ARGUMENT = Int32(104)
const MMSB_STATUS_SIZE_OUT_OF_RANGE = Int32(105)
const MMSB_STATUS_LENGTH_MISMATCH = Int32(106)
const MMSB_STATUS_RANGE_OUT_OF_BOUNDS = Int32(107)
const MMSB_STATUS_RUNS_INVALID = Int32(108)
const MMSB_STATUS_NOT_UTF8 = Int32(109)
const MMSB_STATUS_TOO_LONG = Int32(110)
const MMSB_STATUS_PAGE_NOT_FOUND = Int32(111)
const MMSB_STATUS_PAGE_FREED = Int32(112)
const MMSB_STATUS_READ_ONLY = Int32(113)
const MMSB_STATUS_CLOSED = Int32(114)
const MMSB_STATUS_LSN_IN_FUTURE = Int32(115)
const MMSB_STATUS_HISTORY_DROPPED = Int32(116)
const MMSB_STATUS_KEY_NOT_FOUND = Int32(117)
const MMSB_STATUS_CHECKPOINT_NOT_FOUND = Int32(118)
const MMSB_STATUS_CANCELLED = Int32(119)
const MMSB_STATUS_SNAPSHOT_TOO_OLD = Int32(120)
const MMSB_STATUS_CHECKPOINT_PASSED = Int32(121)
const MMSB_STATUS_CYCLE = Int32(123)
const MMSB_STATUS_HAS_CHILDREN = Int32(124)
const MMSB_STATUS_EDGE_NOT_FOUND = Int32(125)
const MMSB_STATUS_SEALED = Int32(126)
const MMSB_STATUS_WRONG_KEY = Int32(127)
const MMSB_STATUS_DERIVED = Int32(131)
const MMSB_STATUS_NOT_DERIVED = Int32(132)
const MMSB_STATUS_NO_CALLBACK = Int32(133)
const MMSB_STATUS_CALLBACK_FAILED = Int32(134)
const MMSB_STATUS_IMPURE = Int32(135)
const MMSB_STATUS_REENTERED = Int32(136)
const MMSB_STATUS_BUSY = Int32(137)
const MMSB_STATUS_CONFLICT = Int32(201)
const MMSB_STATUS_RETRIES_EXHAUSTED = Int32(202)
const MMSB_STATUS_TRANSACTION_FINISHED = Int32(203)
const MMSB_STATUS_NOT_OWNER = Int32(204)
const MMSB_STATUS_IMMUTABLE = Int32(205)
const MMSB_STATUS_PARTITION_IN_USE = Int32(206)
const MMSB_STATUS_CONDITION_FAILED = Int32(207)
const MMSB_STATUS_OUT_OF_MEMORY = Int32(301)
const MMSB_STATUS_NO_SPACE = Int32(302)
const MMSB_STATUS_TOO_LARGE = Int32(303)
const MMSB_STATUS_TOO_MANY_HANDLES = Int32(304)
const MMSB_STATUS_IO = Int32(401)
const MMSB_STATUS_FILE_NOT_FOUND = Int32(402)
const MMSB_STATUS_PERMISSION_DENIED = Int32(403)
const MMSB_STATUS_LOCKED = Int32(404)
const MMSB_STATUS_FOREIGN = Int32(405)
const MMSB_STATUS_CORRUPT = Int32(501)
const MMSB_STATUS_UNKNOWN_FORMAT = Int32(502)
const MMSB_STATUS_PANIC = Int32(601)
const MMSB_STATUS_POISONED = Int32(602)
const MMSB_STATUS_INTERNAL = Int32(603)

"""
How a page differs.

- `MMSB_DIFFERENCE_KIND_CREATED`: Only the second snapshot has the page.
- `MMSB_DIFFERENCE_KIND_FREED`: Only the first has it.
- `MMSB_DIFFERENCE_KIND_CHANGED`: Both have it, with other content or metadata.
"""
@enum MmsbDifferenceKind::UInt32 begin
    MMSB_DIFFERENCE_KIND_CREATED = 1
    MMSB_DIFFERENCE_KIND_FREED = 2
    MMSB_DIFFERENCE_KIND_CHANGED = 3
end

"""
What a change did to its page.

- `MMSB_CHANGE_KIND_CREATED`: The page began.
- `MMSB_CHANGE_KIND_FREED`: The page ended.
- `MMSB_CHANGE_KIND_WRITTEN`: Content changed.
- `MMSB_CHANGE_KIND_METADATA`: A metadata key changed.
- `MMSB_CHANGE_KIND_RESTORED`: The page, which had ended, began again, all zero: the state went back to a soft checkpoint.
- `MMSB_CHANGE_KIND_OWNED`: The page belongs to somebody else from then on.
- `MMSB_CHANGE_KIND_EDGE_ADDED`: The page derives from another from then on.
- `MMSB_CHANGE_KIND_EDGE_REMOVED`: The page derives from another no longer.
- `MMSB_CHANGE_KIND_RULED`: The content is computed by another rule from then on, or no longer computed.
- `MMSB_CHANGE_KIND_DERIVED`: Content was computed anew by the page's formula; `rust_page_at` tells what it came to.
- `MMSB_CHANGE_KIND_COMPUTED`: Content was computed anew by a callback: the runs and bytes that changed.
- `MMSB_CHANGE_KIND_STALED`: Content became stale, or was found not to be.
- `MMSB_CHANGE_KIND_SEALED`: The content of a private page changed; `rust_page_at` tells what it came to.
"""
@enum MmsbChangeKind::UInt32 begin
    MMSB_CHANGE_KIND_CREATED = 1
    MMSB_CHANGE_KIND_FREED = 2
    MMSB_CHANGE_KIND_WRITTEN = 3
    MMSB_CHANGE_KIND_METADATA = 4
    MMSB_CHANGE_KIND_RESTORED = 5
    MMSB_CHANGE_KIND_OWNED = 6
    MMSB_CHANGE_KIND_EDGE_ADDED = 7
    MMSB_CHANGE_KIND_EDGE_REMOVED = 8
    MMSB_CHANGE_KIND_RULED = 9
    MMSB_CHANGE_KIND_DERIVED = 10
    MMSB_CHANGE_KIND_COMPUTED = 11
    MMSB_CHANGE_KIND_STALED = 12
    MMSB_CHANGE_KIND_SEALED = 13
end

"""
What an update waits for, and what a crash can take.

- `MMSB_DURABILITY_MEMORY`: Nothing is written until a flush, a sync, a checkpoint or the close.
- `MMSB_DURABILITY_BUFFERED`: Flushed and synced in the background.
- `MMSB_DURABILITY_SYNC`: An update returns after its record is on stable storage.
"""
@enum MmsbDurability::UInt32 begin
    MMSB_DURABILITY_MEMORY = 0
    MMSB_DURABILITY_BUFFERED = 1
    MMSB_DURABILITY_SYNC = 2
end

"""
Where a page should live.

- `MMSB_LOCATION_CPU`: Main memory.
- `MMSB_LOCATION_GPU`: Device memory, where there is any.
- `MMSB_LOCATION_UNIFIED`: Either.
"""
@enum MmsbLocation::UInt32 begin
    MMSB_LOCATION_CPU = 0
    MMSB_LOCATION_GPU = 1
    MMSB_LOCATION_UNIFIED = 2
end

"""
How the number at a place has to compare with another.

- `MMSB_RELATION_EQUAL`: Equal.
- `MMSB_RELATION_NOT_EQUAL`: Not equal.
- `MMSB_RELATION_LESS`: Smaller.
- `MMSB_RELATION_LESS_OR_EQUAL`: Smaller or equal.
- `MMSB_RELATION_GREATER`: Larger.
- `MMSB_RELATION_GREATER_OR_EQUAL`: Larger or equal.
"""
@enum MmsbRelation::UInt32 begin
    MMSB_RELATION_EQUAL = 0
    MMSB_RELATION_NOT_EQUAL = 1
    MMSB_RELATION_LESS = 2
    MMSB_RELATION_LESS_OR_EQUAL = 3
    MMSB_RELATION_GREATER = 4
    MMSB_RELATION_GREATER_OR_EQUAL = 5
end

"""
What an edge from one page to another says.

- `MMSB_EDGE_KIND_DATA`: The child is made of the parent's content.
- `MMSB_EDGE_KIND_CONTROL`: The child comes after the parent.
- `MMSB_EDGE_KIND_DEVICE`: The child's device work comes after the parent's.
- `MMSB_EDGE_KIND_COMPILER`: A compiler found that the child depends on the parent.
"""
@enum MmsbEdgeKind::UInt32 begin
    MMSB_EDGE_KIND_DATA = 0
    MMSB_EDGE_KIND_CONTROL = 1
    MMSB_EDGE_KIND_DEVICE = 2
    MMSB_EDGE_KIND_COMPILER = 3
end

"""
What happened. A kind's bit in a mask is 1 << kind.

- `MMSB_EVENT_KIND_CREATED`: A page came into being, or came back.
- `MMSB_EVENT_KIND_CHANGED`: A page's content changed.
- `MMSB_EVENT_KIND_FREED`: A page was freed.
- `MMSB_EVENT_KIND_STALE`: A derived page is no longer what its parents make of it.
- `MMSB_EVENT_KIND_EDGE_ADDED`: A page derives from another from now on.
- `MMSB_EVENT_KIND_EDGE_REMOVED`: A page derives from another no longer.
- `MMSB_EVENT_KIND_METADATA`: A metadata key of a page changed.
- `MMSB_EVENT_KIND_OWNERSHIP`: A page belongs to somebody else.
- `MMSB_EVENT_KIND_COMMITTED`: A group is complete: what it did stands before.
- `MMSB_EVENT_KIND_CHECKPOINT`: A checkpoint was made.
- `MMSB_EVENT_KIND_POISONED`: The state refuses writes from now on.
- `MMSB_EVENT_KIND_LOST`: Events are missing here: the subscription was full.
"""
@enum MmsbEventKind::UInt32 begin
    MMSB_EVENT_KIND_CREATED = 1
    MMSB_EVENT_KIND_CHANGED = 2
    MMSB_EVENT_KIND_FREED = 3
    MMSB_EVENT_KIND_STALE = 4
    MMSB_EVENT_KIND_EDGE_ADDED = 5
    MMSB_EVENT_KIND_EDGE_REMOVED = 6
    MMSB_EVENT_KIND_METADATA = 7
    MMSB_EVENT_KIND_OWNERSHIP = 8
    MMSB_EVENT_KIND_COMMITTED = 9
    MMSB_EVENT_KIND_CHECKPOINT = 10
    MMSB_EVENT_KIND_POISONED = 11
    MMSB_EVENT_KIND_LOST = 12
end

"""
How a page is computed.

- `MMSB_RULE_KIND_NONE`: It is not.
- `MMSB_RULE_KIND_FORMULA`: By a formula.
- `MMSB_RULE_KIND_CALLBACK`: By the callback that is registered under a name.
"""
@enum MmsbRuleKind::UInt32 begin
    MMSB_RULE_KIND_NONE = 0
    MMSB_RULE_KIND_FORMULA = 1
    MMSB_RULE_KIND_CALLBACK = 2
end

"""
Whether a derived page is what its rule makes of its parents.

- `MMSB_STALENESS_FRESH`: It is.
- `MMSB_STALENESS_BEHIND`: A page further up is stale: it may change when that is computed.
- `MMSB_STALENESS_STALE`: A parent changed since it was computed.
"""
@enum MmsbStaleness::UInt32 begin
    MMSB_STALENESS_FRESH = 0
    MMSB_STALENESS_BEHIND = 1
    MMSB_STALENESS_STALE = 2
end

"""
When derived pages are computed.

- `MMSB_PROPAGATION_IMMEDIATE`: In the group of the change.
- `MMSB_PROPAGATION_DEFERRED`: When `rust_propagate_run` is called; until then they are known as stale.
"""
@enum MmsbPropagation::UInt32 begin
    MMSB_PROPAGATION_IMMEDIATE = 0
    MMSB_PROPAGATION_DEFERRED = 1
end

"""
Two operations, ⊕ and ⊗ (docs/formulas.md).

- `MMSB_SEMIRING_REAL`: Sums of products.
- `MMSB_SEMIRING_COUNTING`: How many ways there are.
- `MMSB_SEMIRING_BOOLEAN`: Whether there is a way: ⊕ is or, ⊗ is and; 0 is false, all else true.
- `MMSB_SEMIRING_MIN_PLUS`: The shortest way (tropical): ⊕ is min, ⊗ is +.
- `MMSB_SEMIRING_MAX_PLUS`: The longest way (tropical): ⊕ is max, ⊗ is +.
"""
@enum MmsbSemiring::UInt32 begin
    MMSB_SEMIRING_REAL = 0
    MMSB_SEMIRING_COUNTING = 1
    MMSB_SEMIRING_BOOLEAN = 2
    MMSB_SEMIRING_MIN_PLUS = 3
    MMSB_SEMIRING_MAX_PLUS = 4
end

"""
Pages without a log. Zero is null.
"""
struct MmsbAllocator
    "The handle's bits."
    id::UInt64
end

"""
A page of a state or of an allocator: a plain value, not to be freed. Page ids are never
reused, so a value that outlives its page is noticed.
"""
struct MmsbPage
    "Bits of the handle of the state or allocator."
    owner::UInt64
    "The page's id in it, from 1."
    id::UInt64
end

"""
What an allocator's pages and blocks take.
"""
struct MmsbAllocatorStats
    "Live pages."
    pages::UInt64
    "Bytes of them."
    page_bytes::UInt64
    "Bytes of frames in memory: pages, and what views still show of old ones."
    frame_bytes::UInt64
    "Plain blocks."
    blocks::UInt64
    "Bytes of them."
    block_bytes::UInt64
end

"""
A state. Zero is null.
"""
struct MmsbState
    "The handle's bits."
    id::UInt64
end

"""
Changes that are to happen together. Zero is null.
"""
struct MmsbBatch
    "The handle's bits."
    id::UInt64
end

"""
Who changes something, and why.
"""
struct MmsbNote
    "Label of who acts: UTF-8, zero-terminated, at most 255 bytes; null is empty."
    source::Ptr{UInt8}
    "Why: UTF-8, zero-terminated, at most 65,535 bytes; null for none."
    intent::Ptr{UInt8}
end

"""
A change to one page, as callers build and inspect it. Zero is null.
"""
struct MmsbDelta
    "The handle's bits."
    id::UInt64
end

"""
Told how far a long call has come, on the calling thread; `context` is the caller's own. Returns 0
to go on; anything else stops the call, which then returns Cancelled and has changed nothing.

It may call the engine, but not end the object that it is called for, and must not leave by an
exception or `longjmp`.
"""
const MmsbProgress = Ptr{Cvoid}

"""
A checkpoint that is kept.
"""
struct MmsbCheckpoint
    "The closed LSN that it stands at."
    lsn::UInt64
    "Bytes of its file."
    bytes::UInt64
    "Its name, UTF-8, zero-terminated; empty if it has none."
    name::NTuple{65,UInt8}
end

"""
All pages as they were. Zero is null.
"""
struct MmsbSnapshot
    "The handle's bits."
    id::UInt64
end

"""
What differs between two snapshots. Zero is null.
"""
struct MmsbComparison
    "The handle's bits."
    id::UInt64
end

"""
A stretch of a page, bytes.
"""
struct MmsbRun
    "From the page's start."
    offset::UInt64
    "At least 1."
    len::UInt64
end

"""
A page that differs. The runs belong to the comparison and are valid until it is freed.
"""
struct MmsbDifference
    "The page's id."
    page::UInt64
    "How it differs."
    kind::MmsbDifferenceKind
    "`Changed`: metadata differs, or owner, edges or rule."
    metadata::Bool
    "`Changed`: stretches of content that differ, ascending; null for none."
    runs::Ptr{MmsbRun}
    "Number of runs."
    runs_len::Csize_t
end

"""
What a delta says of itself.
"""
struct MmsbDeltaInfo
    "The page's id."
    page::UInt64
    "Whether it is the whole content of its page."
    dense::Bool
    "Runs."
    runs::Csize_t
    "Bytes of new content."
    payload_bytes::Csize_t
    "First byte that changes."
    span_begin::UInt64
    "One past the last byte that changes."
    span_end::UInt64
    "LSN of the record that it was read from; 0 for a delta that a caller built."
    lsn::UInt64
    "The page's epoch after it, if it was read from a record."
    epoch::UInt64
    "Wall clock of its record, milliseconds since 1970-01-01 UTC."
    time_ms::UInt64
end

"""
Which events a subscription wants, and how many of them may wait for it. Zeros are defaults.
"""
struct MmsbEventFilter
    "Bits 1 << `MmsbEventKind`; 0 for all. Lost events are always told of."
    kinds::UInt64
    "Ids of pages, `page_count` of them; null for all pages. Of an edge either end counts, a
committed group is told if it did anything to one of them, and what is not of a page is told
always."
    pages::Ptr{UInt64}
    "Number of pages, at most 1,048,576."
    page_count::Csize_t
    "Events that may wait: up to 16,777,216; 0 for 65,536. Each takes 48 bytes."
    capacity::Csize_t
end

"""
Events of a state, as they come. Zero is null.
"""
struct MmsbEvents
    "The handle's bits."
    id::UInt64
end

"""
One thing that happened.
"""
struct MmsbEvent
    "The group that did it. Of a checkpoint: where it stands. Of a poisoned state: what is
durable. Of lost events: the least of the groups that are missing."
    lsn::UInt64
    "The page that it happened to, the child of an edge; 0 for none."
    page::UInt64
    "The parent of an edge; 0 for other kinds."
    other::UInt64
    "The page's epoch afterwards; 0 where there is none."
    epoch::UInt64
    "Of a committed group: the events that stand before it, if nothing was filtered out. Of lost
ones: how many. 0 for other kinds."
    count::UInt64
    "An `MmsbEventKind`."
    kind::UInt32
    "An `MmsbEdgeKind`; of no meaning for other kinds than edges."
    edge::UInt32
end

"""
A transaction as bytes. Zero is null.
"""
struct MmsbProgram
    "The handle's bits."
    id::UInt64
end

"""
Where a number or some bytes stand.
"""
struct MmsbPlace
    "The page's id."
    page::UInt64
    "Bytes from its start."
    offset::UInt64
end

"""
How often a transaction that met another is tried again.
"""
struct MmsbRetry
    "Tries in all, at least 1; 0 for the default, 1,000."
    tries::UInt32
    "The longest pause between two, microseconds; 0 for the default, 1,000."
    pause_max_us::UInt32
end

"""
How an executor works. Zeros are defaults.
"""
struct MmsbExecutorConfig
    "Workers, and partitions, from 0 on: 1 to 64; 0 for one per core."
    workers::UInt32
    "Do not bind workers to cores."
    unpinned::Bool
    "Work that may wait for one worker, what was submitted together as one; 0 for 1,024."
    queue_max::UInt32
    "How often what conflicts is tried again."
    retry::MmsbRetry
end

"""
Worker threads that run transactions. Zero is null.
"""
struct MmsbExecutor
    "The handle's bits."
    id::UInt64
end

"""
Where the results of what workers were given arrive. Zero is null.
"""
struct MmsbTickets
    "The handle's bits."
    id::UInt64
end

"""
What became of one program or delta.
"""
struct MmsbResult
    "An `MmsbStatus`: `Cancelled` for what was not begun."
    status::Int32
    "LSN of its record, 0 if it changed nothing or failed."
    lsn::UInt64
end

"""
What a page's content was made of. Zero is null.
"""
struct MmsbExplanation
    "The handle's bits."
    id::UInt64
end

"""
What made a page's content. Pointers belong to the explanation and are valid until it is freed;
strings are UTF-8 and not terminated.
"""
struct MmsbOrigin
    "The page."
    page::UInt64
    "Epoch of the content."
    epoch::UInt64
    "LSN of the record that made it."
    lsn::UInt64
    "Wall clock, milliseconds since 1970-01-01 UTC."
    time_ms::UInt64
    "Label of who acted."
    source::Ptr{UInt8}
    "Bytes of the label."
    source_len::Csize_t
    "Why; null if they did not say."
    intent::Ptr{UInt8}
    "Bytes of the intent."
    intent_len::Csize_t
    "The formula, or the callback's name; null where the content was written."
    rule::Ptr{UInt8}
    "Bytes of it."
    rule_len::Csize_t
    "An `MmsbRuleKind`."
    rule_kind::UInt32
    "What it was computed of, in order: indexes of the explanation."
    parents::Ptr{Csize_t}
    "How many."
    parents_len::Csize_t
end

"""
An edge as one of its ends sees it.
"""
struct MmsbLink
    "The page at the other end."
    page::UInt64
    "An `MmsbEdgeKind`."
    kind::UInt32
end

"""
A page's place in the order of the graph.
"""
struct MmsbRank
    "The page."
    page::UInt64
    "The most edges on a way to it from a page without parents."
    height::UInt32
end

"""
A log by itself. Zero is null.
"""
struct MmsbTLog
    "The handle's bits."
    id::UInt64
end

"""
How a state or log is opened. Fill it with `rust_config_default` first.
"""
struct MmsbConfig
    "Directory: UTF-8, zero-terminated; null is a state in memory."
    path::Ptr{UInt8}
    "An `MmsbDurability`."
    durability::UInt32
    "Refuse to create a directory that does not exist."
    must_exist::Bool
    "`Buffered`: longest time until a record is handed to the operating system, microseconds."
    flush_every_us::UInt64
    "`Buffered`: time between syncs, microseconds."
    sync_every_us::UInt64
    "Size of a log segment, bytes."
    segment_bytes::UInt64
    "Bytes of records that wait to be flushed before an update has to wait. In `Buffered` an
update waits, too, while eight times as many wait to be synced."
    pending_bytes_max::UInt64
    "History to keep, bytes of log."
    history_bytes::UInt64
    "Memory that pages may take, older versions included, bytes; 0 for no limit. What would take
more is OutOfMemory and changes nothing."
    memory_bytes_max::UInt64
    "Bytes of older versions that open snapshots may hold together. Beyond it the oldest that
hold anything are ended: reading from them is SnapshotTooOld. Writers never fail nor wait
for it; views and checkpoints are not ended. 0 ends each snapshot at the first change of what it
shows."
    version_bytes_max::UInt64
end

"""
What a log holds.
"""
struct MmsbTLogSummary
    "Deltas."
    deltas::UInt64
    "Pages that they change."
    pages::UInt64
    "Bytes of new content."
    payload_bytes::UInt64
    "Bytes of the log's files in use."
    record_bytes::UInt64
    "First LSN; 0 if there is none."
    first::UInt64
    "Last LSN."
    last::UInt64
    "Wall clock of the first record, milliseconds since 1970-01-01 UTC."
    first_ms::UInt64
    "Wall clock of the last record."
    last_ms::UInt64
    "Different source labels."
    sources::UInt64
end

"""
Walks changes in a log. Zero is null.
"""
struct MmsbReader
    "The handle's bits."
    id::UInt64
end

"""
Which changes to read. Fill it with `rust_query_default` first.
"""
struct MmsbQuery
    "Only this page; 0 for all."
    page::UInt64
    "Only above this LSN: 0 is before the very first record, which is HistoryDropped once that is
no longer kept. `UINT64_MAX`, which no record's LSN reaches, begins where history begins."
    after::UInt64
    "Only up to this LSN."
    to::UInt64
    "Only at or after this wall clock, milliseconds since 1970-01-01 UTC."
    from_ms::UInt64
    "Only at or before this wall clock."
    to_ms::UInt64
    "Only of this source: UTF-8, zero-terminated; null for all."
    source::Ptr{UInt8}
    "At most so many."
    limit::UInt64
end

"""
The heap. Counted while others allocate, figures of the same moment differ by what was on its
way.
"""
struct MmsbMemoryStats
    "Bytes of addresses."
    reserved::UInt64
    "Bytes of slabs that are used or retained."
    committed::UInt64
    "Bytes of blocks and spans that somebody has."
    in_use::UInt64
    "Bytes of free blocks in threads' magazines."
    cached::UInt64
    "Bytes of slabs that are kept though nothing stands in them."
    retained::UInt64
    "Most bytes that may be committed."
    limit::UInt64
    "Slabs of size classes."
    slabs::UInt64
    "Blocks above 1 MiB."
    spans::UInt64
    "Blocks that were freed by a thread that did not hold their slab."
    remote_frees::UInt64
    "Calls of the kernel since the process began."
    kernel_calls::UInt64
    "Mappings that the kernel keeps for the heap."
    mappings::UInt64
    "The part of the slabs in use that nobody has, 0 to 1."
    fragmentation::Float64
end

"""
One size class of the heap.
"""
struct MmsbMemoryClass
    "Bytes of a block."
    bytes::UInt64
    "Slabs of 2 MiB."
    slabs::UInt64
    "Blocks that somebody has."
    in_use::UInt64
    "Free blocks in threads' magazines."
    cached::UInt64
    "Free blocks that stand in slabs."
    free::UInt64
end

"""
A page's content as it was. Zero is null.
"""
struct MmsbView
    "The handle's bits."
    id::UInt64
end

"""
Reads and writes that happen at one moment. Zero is null.
"""
struct MmsbTransaction
    "The handle's bits."
    id::UInt64
end

"""
Bytes that a callback is given.
"""
struct MmsbBytes
    "The first of them; not null."
    data::Ptr{UInt8}
    "How many."
    len::Csize_t
end

"""
Computes the content of `page` from the contents of its parents: fills the `len` bytes at `out`,
which are zero. Pointers are valid during the call. Returns 0, or another number
after it put a zero-terminated sentence of at most `capacity` bytes into `message`: then the whole
group fails with CallbackFailed and that sentence, and nothing changed.

It depends on its parents alone: calls to the same state on the same thread fail with Reentered, and
the group fails with CallbackFailed, whatever the callback makes of that. It must not unwind or jump
out.
"""
const MmsbRecompute = Ptr{Cvoid}

"""
Called with a callback's context once that is not used any more: when the state ends, or another
callback is registered under the name.
"""
const MmsbRelease = Ptr{Cvoid}

"""
What propagation did since the state was opened.
"""
struct MmsbPropagationStats
    "Derived pages."
    derived::UInt64
    "Derived pages that are stale, or may be."
    stale::UInt64
    "Times that a page was computed."
    computed::UInt64
    "Times that it came out as it was."
    cut_off::UInt64
    "Times that it was computed in a wave that several threads shared."
    shared::UInt64
end

"""
One change to one page. Pointers belong to the reader and are valid until its next change or its
end; strings are UTF-8 and not terminated.
"""
struct MmsbChange
    "The record's LSN. Changes of one group share it."
    lsn::UInt64
    "Wall clock, milliseconds since 1970-01-01 UTC."
    time_ms::UInt64
    "The page's id."
    page::UInt64
    "The page's epoch after the change."
    epoch::UInt64
    "LSN of the record that changed the page before; 0 for none."
    prev::UInt64
    "What happened."
    kind::UInt32
    "`Created`, `Restored`: an `MmsbLocation`."
    location::UInt32
    "`Created`, `Restored`: bytes of the page."
    size::UInt64
    "Label of who acted."
    source::Ptr{UInt8}
    "Bytes of the label."
    source_len::Csize_t
    "Why; null if they did not say."
    intent::Ptr{UInt8}
    "Bytes of the intent."
    intent_len::Csize_t
    "`Metadata`: the key."
    key::Ptr{UInt8}
    "Bytes of the key."
    key_len::Csize_t
    "`Metadata`: the value from then on; null if the key went."
    value::Ptr{UInt8}
    "Bytes of the value."
    value_len::Csize_t
    "`Written`, `Computed`: runs."
    runs::Csize_t
    "`Written`, `Computed`: bytes of new content, one run after the other."
    payload::Ptr{UInt8}
    "Bytes of new content."
    payload_len::Csize_t
    "`EdgeAdded`, `EdgeRemoved`: the parent's id."
    parent::UInt64
    "`EdgeAdded`, `EdgeRemoved`: an `MmsbEdgeKind`."
    edge::UInt32
    "`Owned`: 0 for shared, 1 for immutable, else 2 and the partition's number."
    ownership::UInt32
    "`Ruled`: the formula, or the callback's name; null if the page is no longer computed."
    rule::Ptr{UInt8}
    "Bytes of it."
    rule_len::Csize_t
    "`Ruled`: an `MmsbRuleKind`, 0 if the page is no longer computed."
    rule_kind::UInt32
    "`Staled`: an `MmsbStaleness`."
    staleness::UInt32
end

"""
A mark that a state can go back to. Zero is null.
"""
struct MmsbSoftCheckpoint
    "The handle's bits."
    id::UInt64
end

"""
What opening a state found.
"""
struct MmsbRecovered
    "Records that were replayed."
    records::UInt64
    "Bytes of them."
    bytes::UInt64
    "Whether a torn tail was cut off."
    torn::Bool
    "Where in its file."
    torn_offset::UInt64
    "How many bytes."
    torn_bytes::UInt64
end

"""
Samples of a latency, nanoseconds.
"""
struct MmsbLatency
    "Samples."
    count::UInt64
    "Mean."
    mean_ns::UInt64
    "Median, at most 6.25 % off."
    p50_ns::UInt64
    "99th percentile, at most 6.25 % off."
    p99_ns::UInt64
    "Largest."
    max_ns::UInt64
end

"""
Counts, bytes, log positions and latencies.
"""
struct MmsbStats
    "Live pages."
    pages::UInt64
    "Bytes of live pages."
    page_bytes::UInt64
    "Bytes of frames in memory, older versions included."
    frame_bytes::UInt64
    "Older versions of pages, kept for snapshots and views."
    versions::UInt64
    "Bytes of their content."
    version_bytes::UInt64
    "Open snapshots."
    snapshots::UInt64
    "LSN of the oldest open snapshot, zero for none."
    oldest_snapshot_lsn::UInt64
    "Bytes that snapshots hold, as version_bytes_max counts them."
    snapshot_bytes::UInt64
    "Snapshots that were ended because they held more than that."
    snapshots_too_old::UInt64
    "The next page id."
    next_page_id::UInt64
    "Records written since the state was opened."
    records::UInt64
    "Bytes of those records."
    record_bytes::UInt64
    "Bytes that wait in lanes."
    pending_bytes::UInt64
    "Bytes handed to the operating system and not synced."
    unsynced_bytes::UInt64
    "Lanes in use."
    lanes::UInt64
    "Log segments kept."
    segments::UInt64
    "Bytes of log kept."
    log_bytes::UInt64
    "History is kept above this LSN."
    history_floor::UInt64
    "Everything at or below was handed to the operating system."
    written_lsn::UInt64
    "Everything at or below is on stable storage."
    durable_lsn::UInt64
    "LSN of the newest checkpoint, zero for none."
    checkpoint_lsn::UInt64
    "Checkpoints kept."
    checkpoints::UInt64
    "Records that opening replayed."
    recovered_records::UInt64
    "Bytes of a torn tail that opening cut off."
    torn_bytes::UInt64
    "Committed transactions of a partition that touched its own pages alone."
    transactions_owned::UInt64
    "All other committed transactions that changed something, and touched no private page."
    transactions_shared::UInt64
    "Committed transactions that touched private pages: each of those was opened, and sealed anew if it
changed."
    transactions_sealed::UInt64
    "Tries that met another transaction."
    transaction_conflicts::UInt64
    "Transactions that were given up after as many tries as they had."
    transactions_exhausted::UInt64
    "Time of a flush."
    flush::MmsbLatency
    "Time of a sync."
    sync::MmsbLatency
    "Time that an update waited for its sync, in `Sync`."
    commit::MmsbLatency
    "Time of a checkpoint."
    checkpoint::MmsbLatency
    "Time of a transaction from its last try's beginning to its commit, of every 64th."
    transaction::MmsbLatency
    "The heap that all states and allocators of the process share."
    memory::MmsbMemoryStats
end

"""
What a verification looked at.
"""
struct MmsbVerified
    "Records whose checksums, links and order were checked."
    records::UInt64
    "Bytes of them."
    record_bytes::UInt64
    "Images whose every byte was checked."
    images::UInt64
    "The closed LSN of the comparison."
    lsn::UInt64
    "Digest of the live state and of its replay, which are equal."
    digest::NTuple{32,UInt8}
end

"""
One row of the table of errors, in ascending order of codes.
"""
struct MmsbErrorInfo
    "The status code."
    code::Int32
    "Whether the same call may succeed later."
    retryable::Bool
    "Whether the state should be closed and opened again."
    fatal::Bool
    "Its name; UTF-8, `name_len` bytes, not terminated, valid for ever."
    name::Ptr{UInt8}
    "Bytes of the name."
    name_len::Csize_t
    "What it means, in one sentence; UTF-8, `meaning_len` bytes, valid for ever."
    meaning::Ptr{UInt8}
    "Bytes of the meaning."
    meaning_len::Csize_t
end

"""
A place in a transaction to go back to: a plain value.
"""
struct MmsbSavepoint
    "Which one it is, of all in the process."
    id::UInt64
end

"""
What a transaction consists of, for `rust_transact`: uses the transaction, without ending it, and
returns 0, or the `MmsbStatus` to give up with.
"""
const MmsbBody = Ptr{Cvoid}

"""
The right to change the pages of a partition. Zero is null.
"""
struct MmsbPartition
    "The handle's bits."
    id::UInt64
end

"All structs that cross the boundary."
const STRUCTS = (MmsbAllocator, MmsbPage, MmsbAllocatorStats, MmsbState, MmsbBatch, MmsbNote, MmsbDelta, MmsbCheckpoint, MmsbSnapshot, MmsbComparison, MmsbRun, MmsbDifference, MmsbDeltaInfo, MmsbEventFilter, MmsbEvents, MmsbEvent, MmsbProgram, MmsbPlace, MmsbRetry, MmsbExecutorConfig, MmsbExecutor, MmsbTickets, MmsbResult, MmsbExplanation, MmsbOrigin, MmsbLink, MmsbRank, MmsbTLog, MmsbConfig, MmsbTLogSummary, MmsbReader, MmsbQuery, MmsbMemoryStats, MmsbMemoryClass, MmsbView, MmsbTransaction, MmsbBytes, MmsbPropagationStats, MmsbChange, MmsbSoftCheckpoint, MmsbRecovered, MmsbLatency, MmsbStats, MmsbVerified, MmsbErrorInfo, MmsbSavepoint, MmsbPartition)

"Addresses of the library's functions; null until `load!`."
mutable struct Functions
    rust_mmsb_version::Ptr{Cvoid}
    rust_allocator_new::Ptr{Cvoid}
    rust_allocator_free::Ptr{Cvoid}
    rust_allocator_allocate::Ptr{Cvoid}
    rust_allocator_release::Ptr{Cvoid}
    rust_allocator_get_page::Ptr{Cvoid}
    rust_allocator_page_count::Ptr{Cvoid}
    rust_allocator_list_pages::Ptr{Cvoid}
    rust_allocator_clear::Ptr{Cvoid}
    rust_allocator_prewarm::Ptr{Cvoid}
    rust_allocator_stats::Ptr{Cvoid}
    rust_allocator_alloc_block::Ptr{Cvoid}
    rust_allocator_free_block::Ptr{Cvoid}
    rust_batch_new::Ptr{Cvoid}
    rust_batch_free::Ptr{Cvoid}
    rust_batch_commit::Ptr{Cvoid}
    rust_batch_create_page::Ptr{Cvoid}
    rust_batch_free_page::Ptr{Cvoid}
    rust_batch_update::Ptr{Cvoid}
    rust_batch_write::Ptr{Cvoid}
    rust_batch_apply::Ptr{Cvoid}
    rust_batch_metadata_set::Ptr{Cvoid}
    rust_batch_metadata_remove::Ptr{Cvoid}
    rust_checkpoint_create::Ptr{Cvoid}
    rust_checkpoint_create_with::Ptr{Cvoid}
    rust_checkpoint_drop::Ptr{Cvoid}
    rust_checkpoint_list::Ptr{Cvoid}
    rust_checkpoint_write::Ptr{Cvoid}
    rust_checkpoint_write_with::Ptr{Cvoid}
    rust_checkpoint_load::Ptr{Cvoid}
    rust_snapshot_compare::Ptr{Cvoid}
    rust_state_compare::Ptr{Cvoid}
    rust_comparison_len::Ptr{Cvoid}
    rust_comparison_get::Ptr{Cvoid}
    rust_comparison_free::Ptr{Cvoid}
    rust_snapshot_write::Ptr{Cvoid}
    rust_delta_new::Ptr{Cvoid}
    rust_delta_new_sparse::Ptr{Cvoid}
    rust_delta_new_runs::Ptr{Cvoid}
    rust_delta_with_note::Ptr{Cvoid}
    rust_delta_free::Ptr{Cvoid}
    rust_delta_apply::Ptr{Cvoid}
    rust_delta_merge::Ptr{Cvoid}
    rust_delta_validate::Ptr{Cvoid}
    rust_delta_info::Ptr{Cvoid}
    rust_delta_runs::Ptr{Cvoid}
    rust_delta_payload::Ptr{Cvoid}
    rust_delta_source::Ptr{Cvoid}
    rust_delta_intent::Ptr{Cvoid}
    rust_delta_apply_to::Ptr{Cvoid}
    rust_events_subscribe::Ptr{Cvoid}
    rust_events_poll::Ptr{Cvoid}
    rust_events_wait::Ptr{Cvoid}
    rust_events_since::Ptr{Cvoid}
    rust_events_lost::Ptr{Cvoid}
    rust_events_close::Ptr{Cvoid}
    rust_events_free::Ptr{Cvoid}
    rust_program_new::Ptr{Cvoid}
    rust_program_from_bytes::Ptr{Cvoid}
    rust_program_free::Ptr{Cvoid}
    rust_program_add::Ptr{Cvoid}
    rust_program_add_float::Ptr{Cvoid}
    rust_program_compare_and_swap::Ptr{Cvoid}
    rust_program_transfer::Ptr{Cvoid}
    rust_program_write::Ptr{Cvoid}
    rust_program_require::Ptr{Cvoid}
    rust_program_bytes::Ptr{Cvoid}
    rust_executor_new::Ptr{Cvoid}
    rust_executor_free::Ptr{Cvoid}
    rust_executor_stop::Ptr{Cvoid}
    rust_executor_workers::Ptr{Cvoid}
    rust_executor_submit::Ptr{Cvoid}
    rust_executor_apply::Ptr{Cvoid}
    rust_tickets_ready::Ptr{Cvoid}
    rust_tickets_wait::Ptr{Cvoid}
    rust_result_message::Ptr{Cvoid}
    rust_tickets_free::Ptr{Cvoid}
    rust_propagate_explain::Ptr{Cvoid}
    rust_explanation_len::Ptr{Cvoid}
    rust_explanation_get::Ptr{Cvoid}
    rust_explanation_text::Ptr{Cvoid}
    rust_explanation_free::Ptr{Cvoid}
    rust_graph_add_edge::Ptr{Cvoid}
    rust_graph_remove_edge::Ptr{Cvoid}
    rust_graph_parents::Ptr{Cvoid}
    rust_graph_children::Ptr{Cvoid}
    rust_graph_ancestors::Ptr{Cvoid}
    rust_graph_descendants::Ptr{Cvoid}
    rust_graph_order::Ptr{Cvoid}
    rust_graph_edge_count::Ptr{Cvoid}
    rust_graph_dot::Ptr{Cvoid}
    rust_graph_svg::Ptr{Cvoid}
    rust_graph_free_cascade::Ptr{Cvoid}
    rust_tlog_new::Ptr{Cvoid}
    rust_tlog_open::Ptr{Cvoid}
    rust_tlog_free::Ptr{Cvoid}
    rust_tlog_append::Ptr{Cvoid}
    rust_tlog_flush::Ptr{Cvoid}
    rust_tlog_sync::Ptr{Cvoid}
    rust_tlog_summary::Ptr{Cvoid}
    rust_tlog_reader_new::Ptr{Cvoid}
    rust_tlog_query::Ptr{Cvoid}
    rust_memory_stats::Ptr{Cvoid}
    rust_memory_classes::Ptr{Cvoid}
    rust_memory_report::Ptr{Cvoid}
    rust_memory_prewarm::Ptr{Cvoid}
    rust_memory_purge::Ptr{Cvoid}
    rust_memory_set_limit::Ptr{Cvoid}
    rust_memory_set_retention::Ptr{Cvoid}
    rust_memory_set_huge_pages::Ptr{Cvoid}
    rust_memory_check::Ptr{Cvoid}
    rust_page_free::Ptr{Cvoid}
    rust_page_update::Ptr{Cvoid}
    rust_page_write::Ptr{Cvoid}
    rust_page_write_masked::Ptr{Cvoid}
    rust_page_read::Ptr{Cvoid}
    rust_page_size::Ptr{Cvoid}
    rust_page_epoch::Ptr{Cvoid}
    rust_page_lsn::Ptr{Cvoid}
    rust_page_location::Ptr{Cvoid}
    rust_page_is_private::Ptr{Cvoid}
    rust_page_view::Ptr{Cvoid}
    rust_page_metadata_set::Ptr{Cvoid}
    rust_page_metadata_remove::Ptr{Cvoid}
    rust_page_metadata_get::Ptr{Cvoid}
    rust_page_metadata_keys::Ptr{Cvoid}
    rust_state_unlock::Ptr{Cvoid}
    rust_state_is_unlocked::Ptr{Cvoid}
    rust_page_create_private::Ptr{Cvoid}
    rust_batch_create_private_page::Ptr{Cvoid}
    rust_transaction_create_private_page::Ptr{Cvoid}
    rust_propagate_derive::Ptr{Cvoid}
    rust_propagate_derive_by::Ptr{Cvoid}
    rust_propagate_derive_with::Ptr{Cvoid}
    rust_propagate_register::Ptr{Cvoid}
    rust_propagate_set_formula::Ptr{Cvoid}
    rust_propagate_set_callback::Ptr{Cvoid}
    rust_propagate_underive::Ptr{Cvoid}
    rust_propagate_rule::Ptr{Cvoid}
    rust_propagate_staleness::Ptr{Cvoid}
    rust_propagate_stale_pages::Ptr{Cvoid}
    rust_propagate_run::Ptr{Cvoid}
    rust_propagate_mode::Ptr{Cvoid}
    rust_propagate_set_mode::Ptr{Cvoid}
    rust_propagate_threads::Ptr{Cvoid}
    rust_propagate_set_threads::Ptr{Cvoid}
    rust_propagate_check_purity::Ptr{Cvoid}
    rust_propagate_stats::Ptr{Cvoid}
    rust_propagate_set_patient::Ptr{Cvoid}
    rust_tlog_reader_next::Ptr{Cvoid}
    rust_tlog_reader_delta::Ptr{Cvoid}
    rust_tlog_reader_free::Ptr{Cvoid}
    rust_state_soft_checkpoint::Ptr{Cvoid}
    rust_state_revert::Ptr{Cvoid}
    rust_soft_checkpoint_lsn::Ptr{Cvoid}
    rust_soft_checkpoint_release::Ptr{Cvoid}
    rust_semiring_add::Ptr{Cvoid}
    rust_semiring_mul::Ptr{Cvoid}
    rust_semiring_fold_add::Ptr{Cvoid}
    rust_semiring_fold_mul::Ptr{Cvoid}
    rust_semiring_accumulate::Ptr{Cvoid}
    rust_snapshot_new::Ptr{Cvoid}
    rust_snapshot_free::Ptr{Cvoid}
    rust_snapshot_lsn::Ptr{Cvoid}
    rust_snapshot_digest::Ptr{Cvoid}
    rust_snapshot_page_size::Ptr{Cvoid}
    rust_snapshot_page_epoch::Ptr{Cvoid}
    rust_snapshot_read::Ptr{Cvoid}
    rust_snapshot_metadata_get::Ptr{Cvoid}
    rust_snapshot_metadata_keys::Ptr{Cvoid}
    rust_snapshot_list_pages::Ptr{Cvoid}
    rust_config_default::Ptr{Cvoid}
    rust_state_open::Ptr{Cvoid}
    rust_state_close::Ptr{Cvoid}
    rust_state_flush::Ptr{Cvoid}
    rust_state_sync::Ptr{Cvoid}
    rust_state_digest::Ptr{Cvoid}
    rust_state_page_count::Ptr{Cvoid}
    rust_state_list_pages::Ptr{Cvoid}
    rust_state_is_read_only::Ptr{Cvoid}
    rust_state_recovered::Ptr{Cvoid}
    rust_state_stats::Ptr{Cvoid}
    rust_state_stats_json::Ptr{Cvoid}
    rust_state_prometheus::Ptr{Cvoid}
    rust_state_replay_to::Ptr{Cvoid}
    rust_state_replay_with::Ptr{Cvoid}
    rust_page_at::Ptr{Cvoid}
    rust_state_verify::Ptr{Cvoid}
    rust_query_default::Ptr{Cvoid}
    rust_state_query::Ptr{Cvoid}
    rust_page_create::Ptr{Cvoid}
    rust_state_pooled::Ptr{Cvoid}
    rust_error_message::Ptr{Cvoid}
    rust_error_count::Ptr{Cvoid}
    rust_error_info::Ptr{Cvoid}
    rust_error_is_retryable::Ptr{Cvoid}
    rust_error_is_fatal::Ptr{Cvoid}
    rust_transaction_begin::Ptr{Cvoid}
    rust_transaction_commit::Ptr{Cvoid}
    rust_transaction_abort::Ptr{Cvoid}
    rust_transaction_check::Ptr{Cvoid}
    rust_transaction_read::Ptr{Cvoid}
    rust_transaction_page_size::Ptr{Cvoid}
    rust_transaction_contains::Ptr{Cvoid}
    rust_transaction_list_pages::Ptr{Cvoid}
    rust_transaction_create_page::Ptr{Cvoid}
    rust_transaction_free_page::Ptr{Cvoid}
    rust_transaction_write::Ptr{Cvoid}
    rust_transaction_update::Ptr{Cvoid}
    rust_transaction_apply::Ptr{Cvoid}
    rust_transaction_metadata_get::Ptr{Cvoid}
    rust_transaction_metadata_set::Ptr{Cvoid}
    rust_transaction_metadata_remove::Ptr{Cvoid}
    rust_transaction_set_ownership::Ptr{Cvoid}
    rust_transaction_savepoint::Ptr{Cvoid}
    rust_transaction_rollback::Ptr{Cvoid}
    rust_transact::Ptr{Cvoid}
    rust_transaction_after_conflict::Ptr{Cvoid}
    rust_partition_open::Ptr{Cvoid}
    rust_partition_free::Ptr{Cvoid}
    rust_partition_begin::Ptr{Cvoid}
    rust_partition_transact::Ptr{Cvoid}
    rust_page_ownership::Ptr{Cvoid}
    rust_page_set_ownership::Ptr{Cvoid}
    rust_view_free::Ptr{Cvoid}
    rust_view_data::Ptr{Cvoid}
    rust_view_epoch::Ptr{Cvoid}
    Functions() = new(C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL, C_NULL)
end

const FUNCTIONS = Functions()

"""
    load!(lookup)

Fills the table; `lookup(name::Symbol)` gives an address.
"""
function load!(lookup)
    for name in fieldnames(Functions)
        setfield!(FUNCTIONS, name, convert(Ptr{Cvoid}, lookup(name)))
    end
end

"""
    rust_mmsb_version()::Ptr{UInt8}

The library's version, as \"major.minor.patch\", zero-terminated, valid for ever.
"""
@inline rust_mmsb_version() =
    ccall(FUNCTIONS.rust_mmsb_version, Ptr{UInt8}, ())

"""
    rust_allocator_new(out::Ptr{MmsbAllocator})::Int32

A new allocator without pages: for scratch data in the same shape as a state's.

Ownership: `out` is freed with `rust_allocator_free`.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_allocator_new(out)
    while true
        status = ccall(FUNCTIONS.rust_allocator_new, Int32, (Ptr{MmsbAllocator},), out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_allocator_free(allocator::Ptr{MmsbAllocator})::Int32

Frees an allocator with all its pages and plain blocks. `*allocator` becomes zero. Null and zero
are fine. Views of pages stay valid; blocks do not.

# Safety
`allocator` is null or valid for a read and a write.
"""
@inline function rust_allocator_free(allocator)
    while true
        status = ccall(FUNCTIONS.rust_allocator_free, Int32, (Ptr{MmsbAllocator},), allocator)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_allocator_allocate(allocator::MmsbAllocator, size::UInt64, location::UInt32, out::Ptr{MmsbPage})::Int32

Allocates a page of `size` bytes (1 B to 1 GiB), all zero. `location` is an `MmsbLocation`.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_allocator_allocate(allocator, size, location, out)
    while true
        status = ccall(FUNCTIONS.rust_allocator_allocate, Int32, (MmsbAllocator, UInt64, UInt32, Ptr{MmsbPage},), allocator, size, location, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_allocator_release(allocator::MmsbAllocator, page::UInt64)::Int32

Frees a page. Its id is never used again.

Errors: PageNotFound, PageFreed.
"""
@inline function rust_allocator_release(allocator, page)
    while true
        status = ccall(FUNCTIONS.rust_allocator_release, Int32, (MmsbAllocator, UInt64,), allocator, page)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_allocator_get_page(allocator::MmsbAllocator, page::UInt64, out::Ptr{MmsbPage})::Int32

The page of that id, for the `rust_page_` functions.

Errors: PageNotFound, PageFreed.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_allocator_get_page(allocator, page, out)
    while true
        status = ccall(FUNCTIONS.rust_allocator_get_page, Int32, (MmsbAllocator, UInt64, Ptr{MmsbPage},), allocator, page, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_allocator_page_count(allocator::MmsbAllocator, out::Ptr{UInt64})::Int32

Number of live pages.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_allocator_page_count(allocator, out)
    while true
        status = ccall(FUNCTIONS.rust_allocator_page_count, Int32, (MmsbAllocator, Ptr{UInt64},), allocator, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_allocator_list_pages(allocator::MmsbAllocator, buf::Ptr{UInt64}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

Copies the ids of all live pages, ascending, to `buf`, which has room for `capacity`; `len`
receives their number, also when the buffer is too small (LengthMismatch).

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_allocator_list_pages(allocator, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_allocator_list_pages, Int32, (MmsbAllocator, Ptr{UInt64}, Csize_t, Ptr{Csize_t},), allocator, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_allocator_clear(allocator::MmsbAllocator)::Int32

Frees all pages and all plain blocks.
"""
@inline function rust_allocator_clear(allocator)
    while true
        status = ccall(FUNCTIONS.rust_allocator_clear, Int32, (MmsbAllocator,), allocator)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_allocator_prewarm(allocator::MmsbAllocator, size::UInt64, count::Csize_t)::Int32

Makes memory for `count` more pages of `size` bytes (1 B to 1 MiB) ready: allocating them asks the
system for nothing.

Errors: SizeOutOfRange, OutOfMemory beyond a limit: what could be made ready before stays.
"""
@inline function rust_allocator_prewarm(allocator, size, count)
    while true
        status = ccall(FUNCTIONS.rust_allocator_prewarm, Int32, (MmsbAllocator, UInt64, Csize_t,), allocator, size, count)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_allocator_stats(allocator::MmsbAllocator, out::Ptr{MmsbAllocatorStats})::Int32

What the allocator's pages and blocks take. `rust_memory_stats` counts the heap under all of them.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_allocator_stats(allocator, out)
    while true
        status = ccall(FUNCTIONS.rust_allocator_stats, Int32, (MmsbAllocator, Ptr{MmsbAllocatorStats},), allocator, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_allocator_alloc_block(allocator::MmsbAllocator, size::Csize_t, align::Csize_t, zeroed::Bool, out::Ptr{Ptr{Cvoid}})::Int32

Allocates a plain block of `size` bytes (up to 1 TiB) at a multiple of `align`, a power of two up to
4,096: zero if `zeroed`, else with any content.

Ownership: the block is freed with `rust_allocator_free_block`, else with the allocator or by
`rust_allocator_clear`; nobody may use it after that.

Errors: SizeOutOfRange, InvalidArgument for the alignment, OutOfMemory.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_allocator_alloc_block(allocator, size, align, zeroed, out)
    while true
        status = ccall(FUNCTIONS.rust_allocator_alloc_block, Int32, (MmsbAllocator, Csize_t, Csize_t, Bool, Ptr{Ptr{Cvoid}},), allocator, size, align, zeroed, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_allocator_free_block(allocator::MmsbAllocator, block::Ptr{Cvoid})::Int32

Frees a plain block of this allocator.

Errors: InvalidArgument if no block of it begins there, or none does any more; nothing happened
then.
"""
@inline function rust_allocator_free_block(allocator, block)
    while true
        status = ccall(FUNCTIONS.rust_allocator_free_block, Int32, (MmsbAllocator, Ptr{Cvoid},), allocator, block)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_batch_new(state::MmsbState, out::Ptr{MmsbBatch})::Int32

A batch of nothing yet.

Ownership: `out` is ended with `rust_batch_commit` or `rust_batch_free`.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_batch_new(state, out)
    while true
        status = ccall(FUNCTIONS.rust_batch_new, Int32, (MmsbState, Ptr{MmsbBatch},), state, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_batch_free(batch::Ptr{MmsbBatch})::Int32

Gives a batch up: none of its changes happens. `*batch` becomes zero. Null and zero are fine.

# Safety
`batch` is null or valid for a read and a write.
"""
@inline function rust_batch_free(batch)
    while true
        status = ccall(FUNCTIONS.rust_batch_free, Int32, (Ptr{MmsbBatch},), batch)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_batch_commit(batch::Ptr{MmsbBatch}, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Makes all changes at once, as one record; ends the batch, `*batch` becomes zero, also on error.
`*lsn` receives the record's LSN, 0 if nothing changes. `note` and `lsn` may be null.

Errors: those of the single changes; then none of them happened.

# Safety
`batch` is null or valid for a read and a write, `note` null or valid, `lsn` null or valid for
a write.
"""
@inline function rust_batch_commit(batch, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_batch_commit, Int32, (Ptr{MmsbBatch}, Ptr{MmsbNote}, Ptr{UInt64},), batch, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_batch_create_page(batch::MmsbBatch, size::UInt64, location::UInt32, id::Ptr{UInt64})::Int32

Creates a page when the batch commits; its id can be used in the batch at once.

# Safety
`id` is null or valid for a write.
"""
@inline function rust_batch_create_page(batch, size, location, id)
    while true
        status = ccall(FUNCTIONS.rust_batch_create_page, Int32, (MmsbBatch, UInt64, UInt32, Ptr{UInt64},), batch, size, location, id)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_batch_free_page(batch::MmsbBatch, page::UInt64)::Int32

Frees a page when the batch commits.
"""
@inline function rust_batch_free_page(batch, page)
    while true
        status = ccall(FUNCTIONS.rust_batch_free_page, Int32, (MmsbBatch, UInt64,), batch, page)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_batch_update(batch::MmsbBatch, page::UInt64, bytes::Ptr{UInt8}, len::Csize_t)::Int32

Makes the `len` bytes at `bytes`, which are copied, the whole content of a page.

# Safety
`bytes` is valid for `len` reads.
"""
@inline function rust_batch_update(batch, page, bytes, len)
    while true
        status = ccall(FUNCTIONS.rust_batch_update, Int32, (MmsbBatch, UInt64, Ptr{UInt8}, Csize_t,), batch, page, bytes, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_batch_write(batch::MmsbBatch, page::UInt64, offset::UInt64, bytes::Ptr{UInt8}, len::Csize_t)::Int32

Writes the `len` bytes at `bytes`, which are copied, from `offset` on. Several writes to one
page merge, the last one wins.

# Safety
`bytes` is valid for `len` reads.
"""
@inline function rust_batch_write(batch, page, offset, bytes, len)
    while true
        status = ccall(FUNCTIONS.rust_batch_write, Int32, (MmsbBatch, UInt64, UInt64, Ptr{UInt8}, Csize_t,), batch, page, offset, bytes, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_batch_apply(batch::MmsbBatch, delta::MmsbDelta)::Int32

Applies a delta, which is copied. The note of the batch counts, not the delta's.
"""
@inline function rust_batch_apply(batch, delta)
    while true
        status = ccall(FUNCTIONS.rust_batch_apply, Int32, (MmsbBatch, MmsbDelta,), batch, delta)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_batch_metadata_set(batch::MmsbBatch, page::UInt64, key::Ptr{UInt8}, key_len::Csize_t, value::Ptr{UInt8}, value_len::Csize_t)::Int32

Sets a metadata key of a page.

# Safety
`key` and `value` are valid for their lengths.
"""
@inline function rust_batch_metadata_set(batch, page, key, key_len, value, value_len)
    while true
        status = ccall(FUNCTIONS.rust_batch_metadata_set, Int32, (MmsbBatch, UInt64, Ptr{UInt8}, Csize_t, Ptr{UInt8}, Csize_t,), batch, page, key, key_len, value, value_len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_batch_metadata_remove(batch::MmsbBatch, page::UInt64, key::Ptr{UInt8}, key_len::Csize_t)::Int32

Takes a metadata key of a page away.

# Safety
`key` is valid for its length.
"""
@inline function rust_batch_metadata_remove(batch, page, key, key_len)
    while true
        status = ccall(FUNCTIONS.rust_batch_metadata_remove, Int32, (MmsbBatch, UInt64, Ptr{UInt8}, Csize_t,), batch, page, key, key_len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_checkpoint_create(state::MmsbState, name::Ptr{UInt8}, lsn::Ptr{UInt64})::Int32

Makes a durable image of the state as of now, without stopping writers, and lets log go that
nothing needs. `name` (UTF-8, at most 64 bytes) keeps it until it is dropped; null for one that
later ones replace. `lsn` may be null.

Errors: TooLong, NotUtf8, InvalidArgument for a name in use, ReadOnly for a replayed state,
NoSpace, Io, Poisoned. Then the state and what is kept of it are as before.
Cost: writing all pages once, and a few syncs.

# Safety
`name` is null or valid, `lsn` null or valid for a write.
"""
@inline function rust_checkpoint_create(state, name, lsn)
    while true
        status = ccall(FUNCTIONS.rust_checkpoint_create, Int32, (MmsbState, Ptr{UInt8}, Ptr{UInt64},), state, name, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_checkpoint_create_with(state::MmsbState, name::Ptr{UInt8}, progress::Ptr{Cvoid}, context::Ptr{Cvoid}, lsn::Ptr{UInt64})::Int32

As `rust_checkpoint_create`; `progress` is told the bytes of pages written so far. It must not
make another checkpoint of the state (InvalidArgument).

Errors: also Cancelled; what is kept is then as before.

# Safety
As `rust_checkpoint_create`; `progress` is null or may be called with `context`.
"""
@inline function rust_checkpoint_create_with(state, name, progress, context, lsn)
    while true
        status = ccall(FUNCTIONS.rust_checkpoint_create_with, Int32, (MmsbState, Ptr{UInt8}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{UInt64},), state, name, progress, context, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_checkpoint_drop(state::MmsbState, name::Ptr{UInt8})::Int32

Gives a named checkpoint up.

Errors: CheckpointNotFound.

# Safety
`name` is null or valid.
"""
@inline function rust_checkpoint_drop(state, name)
    while true
        status = ccall(FUNCTIONS.rust_checkpoint_drop, Int32, (MmsbState, Ptr{UInt8},), state, name)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_checkpoint_list(state::MmsbState, buf::Ptr{MmsbCheckpoint}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

Copies the checkpoints that are kept, oldest first, to `buf`, which has room for `capacity`;
`len` receives their number, also when the buffer is too small.

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_checkpoint_list(state, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_checkpoint_list, Int32, (MmsbState, Ptr{MmsbCheckpoint}, Csize_t, Ptr{Csize_t},), state, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_checkpoint_write(state::MmsbState, path::Ptr{UInt8}, lsn::Ptr{UInt64})::Int32

Writes an image of the state as of now to the file `path`, which must not exist. `lsn` may be
null.

Errors: InvalidArgument if something of that name exists (it is left alone), FileNotFound for its
directory, NotUtf8, NoSpace, PermissionDenied, Io. Then no file is left behind.

# Safety
`path` is null or valid, `lsn` null or valid for a write.
"""
@inline function rust_checkpoint_write(state, path, lsn)
    while true
        status = ccall(FUNCTIONS.rust_checkpoint_write, Int32, (MmsbState, Ptr{UInt8}, Ptr{UInt64},), state, path, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_checkpoint_write_with(state::MmsbState, path::Ptr{UInt8}, progress::Ptr{Cvoid}, context::Ptr{Cvoid}, lsn::Ptr{UInt64})::Int32

As `rust_checkpoint_write`; `progress` is told the bytes of pages written so far.

Errors: also Cancelled; then no file is left behind.

# Safety
As `rust_checkpoint_write`; `progress` is null or may be called with `context`.
"""
@inline function rust_checkpoint_write_with(state, path, progress, context, lsn)
    while true
        status = ccall(FUNCTIONS.rust_checkpoint_write_with, Int32, (MmsbState, Ptr{UInt8}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{UInt64},), state, path, progress, context, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_checkpoint_load(path::Ptr{UInt8}, out::Ptr{MmsbState})::Int32

Opens the image in the file `path` as a new state in memory. The file is mapped copy-on-write:
it never changes, and pages are read when they are first asked for.

Ownership: `out` is closed with `rust_state_close`.
Errors: FileNotFound, Foreign for a directory or a file that never was an image, Corrupt,
UnknownFormat, Io.
Cost: about a millisecond, whatever the size.

# Safety
`path` is null or valid, `out` null or valid for a write.
"""
@inline function rust_checkpoint_load(path, out)
    while true
        status = ccall(FUNCTIONS.rust_checkpoint_load, Int32, (Ptr{UInt8}, Ptr{MmsbState},), path, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_snapshot_compare(from::MmsbSnapshot, to::MmsbSnapshot, out::Ptr{MmsbComparison})::Int32

What differs in the snapshot `to` from what `from` shows: pages, content and metadata. Pages that
went there and back do not differ, whatever their epochs.

Ownership: `out` is freed with `rust_comparison_free`.
Errors: InvalidArgument for snapshots of two states, SnapshotTooOld.
Cost: O(pages that changed after the older one) and a comparison of each.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_snapshot_compare(from, to, out)
    while true
        status = ccall(FUNCTIONS.rust_snapshot_compare, Int32, (MmsbSnapshot, MmsbSnapshot, Ptr{MmsbComparison},), from, to, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_compare(state::MmsbState, from::MmsbSnapshot, out::Ptr{MmsbComparison})::Int32

What differs in a state as of now from what the snapshot `from` shows; as
`rust_snapshot_compare`.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_state_compare(state, from, out)
    while true
        status = ccall(FUNCTIONS.rust_state_compare, Int32, (MmsbState, MmsbSnapshot, Ptr{MmsbComparison},), state, from, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_comparison_len(comparison::MmsbComparison, out::Ptr{Csize_t})::Int32

How many pages differ.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_comparison_len(comparison, out)
    while true
        status = ccall(FUNCTIONS.rust_comparison_len, Int32, (MmsbComparison, Ptr{Csize_t},), comparison, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_comparison_get(comparison::MmsbComparison, index::Csize_t, out::Ptr{MmsbDifference})::Int32

The page that differs at `index`, from 0; they ascend by id.

Errors: InvalidArgument for an index beyond the last.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_comparison_get(comparison, index, out)
    while true
        status = ccall(FUNCTIONS.rust_comparison_get, Int32, (MmsbComparison, Csize_t, Ptr{MmsbDifference},), comparison, index, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_comparison_free(comparison::Ptr{MmsbComparison})::Int32

Frees a comparison. `*comparison` becomes zero. Null and zero are fine.

# Safety
`comparison` is null or valid for a read and a write.
"""
@inline function rust_comparison_free(comparison)
    while true
        status = ccall(FUNCTIONS.rust_comparison_free, Int32, (Ptr{MmsbComparison},), comparison)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_snapshot_write(snapshot::MmsbSnapshot, path::Ptr{UInt8}, progress::Ptr{Cvoid}, context::Ptr{Cvoid}, lsn::Ptr{UInt64})::Int32

Writes what a snapshot shows to the file `path`, which must not exist: an image that
`rust_checkpoint_load` opens. `progress`, which may be null, is told the bytes of pages written
so far; `lsn` may be null.

Errors: SnapshotTooOld, Cancelled, and those of `rust_checkpoint_write`. Then no file is left
behind.

# Safety
`path` is null or valid, `lsn` null or valid for a write; `progress` is null or may be called
with `context`.
"""
@inline function rust_snapshot_write(snapshot, path, progress, context, lsn)
    while true
        status = ccall(FUNCTIONS.rust_snapshot_write, Int32, (MmsbSnapshot, Ptr{UInt8}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{UInt64},), snapshot, path, progress, context, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_delta_new(page::UInt64, bytes::Ptr{UInt8}, len::Csize_t, out::Ptr{MmsbDelta})::Int32

A dense delta: the `len` bytes at `bytes` become the whole content of the page with the id
`page`, which has exactly that size. The bytes are copied.

Ownership: `out` is freed with `rust_delta_free`.

# Safety
`bytes` is valid for `len` reads, `out` null or valid for a write.
"""
@inline function rust_delta_new(page, bytes, len, out)
    while true
        status = ccall(FUNCTIONS.rust_delta_new, Int32, (UInt64, Ptr{UInt8}, Csize_t, Ptr{MmsbDelta},), page, bytes, len, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_delta_new_sparse(page::UInt64, mask::Ptr{UInt8}, bytes::Ptr{UInt8}, len::Csize_t, out::Ptr{MmsbDelta})::Int32

A sparse delta: the bytes at `bytes` where the byte of `mask` is not zero. Both have `len`
bytes, exactly the page's size.

# Safety
As `rust_delta_new`; `mask` is valid for `len` reads.
"""
@inline function rust_delta_new_sparse(page, mask, bytes, len, out)
    while true
        status = ccall(FUNCTIONS.rust_delta_new_sparse, Int32, (UInt64, Ptr{UInt8}, Ptr{UInt8}, Csize_t, Ptr{MmsbDelta},), page, mask, bytes, len, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_delta_new_runs(page::UInt64, runs::Ptr{MmsbRun}, count::Csize_t, payload::Ptr{UInt8}, payload_len::Csize_t, out::Ptr{MmsbDelta})::Int32

A delta of `count` runs, ascending, not overlapping, none empty; `payload` holds their bytes one
after the other, `payload_len` in all.

Errors: RunsInvalid, RangeOutOfBounds, LengthMismatch.

# Safety
`runs` is valid for `count` reads, `payload` for `payload_len`, `out` null or valid for a write.
"""
@inline function rust_delta_new_runs(page, runs, count, payload, payload_len, out)
    while true
        status = ccall(FUNCTIONS.rust_delta_new_runs, Int32, (UInt64, Ptr{MmsbRun}, Csize_t, Ptr{UInt8}, Csize_t, Ptr{MmsbDelta},), page, runs, count, payload, payload_len, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_delta_with_note(delta::MmsbDelta, source::Ptr{UInt8}, intent::Ptr{UInt8}, out::Ptr{MmsbDelta})::Int32

A delta like this one with another note. Both strings are UTF-8, zero-terminated; null is none.

Errors: TooLong, NotUtf8.

# Safety
The strings are null or valid, `out` null or valid for a write.
"""
@inline function rust_delta_with_note(delta, source, intent, out)
    while true
        status = ccall(FUNCTIONS.rust_delta_with_note, Int32, (MmsbDelta, Ptr{UInt8}, Ptr{UInt8}, Ptr{MmsbDelta},), delta, source, intent, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_delta_free(delta::Ptr{MmsbDelta})::Int32

Frees a delta. `*delta` becomes zero. Null and zero are fine.

# Safety
`delta` is null or valid for a read and a write.
"""
@inline function rust_delta_free(delta)
    while true
        status = ccall(FUNCTIONS.rust_delta_free, Int32, (Ptr{MmsbDelta},), delta)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_delta_apply(delta::MmsbDelta, owner::UInt64, lsn::Ptr{UInt64})::Int32

Applies a delta to the page that it names in the state or allocator `owner` (the `id` of an
`MmsbState` or `MmsbAllocator`), with its own note. `*lsn` receives the record's LSN, 0 if
nothing changed or for an allocator. `lsn` may be null.

Errors: those of `rust_page_update`, RunsInvalid, RangeOutOfBounds.

# Safety
`lsn` is null or valid for a write.
"""
@inline function rust_delta_apply(delta, owner, lsn)
    while true
        status = ccall(FUNCTIONS.rust_delta_apply, Int32, (MmsbDelta, UInt64, Ptr{UInt64},), delta, owner, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_delta_merge(earlier::MmsbDelta, later::MmsbDelta, out::Ptr{MmsbDelta})::Int32

Both deltas in one, the later one winning where they overlap. Both change the same page.

Ownership: `out` is freed with `rust_delta_free`; the two stay as they are.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_delta_merge(earlier, later, out)
    while true
        status = ccall(FUNCTIONS.rust_delta_merge, Int32, (MmsbDelta, MmsbDelta, Ptr{MmsbDelta},), earlier, later, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_delta_validate(delta::MmsbDelta, page_size::Csize_t)::Int32

Checks that the delta fits a page of `page_size` bytes.

Errors: LengthMismatch, RunsInvalid, RangeOutOfBounds, each naming value and limit.
"""
@inline function rust_delta_validate(delta, page_size)
    while true
        status = ccall(FUNCTIONS.rust_delta_validate, Int32, (MmsbDelta, Csize_t,), delta, page_size)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_delta_info(delta::MmsbDelta, out::Ptr{MmsbDeltaInfo})::Int32

What a delta says of itself.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_delta_info(delta, out)
    while true
        status = ccall(FUNCTIONS.rust_delta_info, Int32, (MmsbDelta, Ptr{MmsbDeltaInfo},), delta, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_delta_runs(delta::MmsbDelta, buf::Ptr{MmsbRun}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

Copies the delta's runs to `buf`, which has room for `capacity`; `len` receives their number,
also when the buffer is too small.

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_delta_runs(delta, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_delta_runs, Int32, (MmsbDelta, Ptr{MmsbRun}, Csize_t, Ptr{Csize_t},), delta, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_delta_payload(delta::MmsbDelta, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

Copies the bytes of all runs, one after the other, to `buf`; `len` receives how many there are,
also when the buffer is too small.

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_delta_payload(delta, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_delta_payload, Int32, (MmsbDelta, Ptr{UInt8}, Csize_t, Ptr{Csize_t},), delta, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_delta_source(delta::MmsbDelta, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

Copies the delta's source label, UTF-8, not terminated, to `buf`; `len` receives its length.

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_delta_source(delta, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_delta_source, Int32, (MmsbDelta, Ptr{UInt8}, Csize_t, Ptr{Csize_t},), delta, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_delta_intent(delta::MmsbDelta, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t}, present::Ptr{Bool})::Int32

Copies the delta's intent, UTF-8, not terminated, to `buf`; `len` receives its length and
`present` whether there is one.

# Safety
`buf` is null or valid for `capacity` writes, `len` and `present` null or valid for a write.
"""
@inline function rust_delta_intent(delta, buf, capacity, len, present)
    while true
        status = ccall(FUNCTIONS.rust_delta_intent, Int32, (MmsbDelta, Ptr{UInt8}, Csize_t, Ptr{Csize_t}, Ptr{Bool},), delta, buf, capacity, len, present)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_delta_apply_to(delta::MmsbDelta, page::MmsbPage, lsn::Ptr{UInt64})::Int32

As `rust_delta_apply`, for callers that keep pages by value: `page` must be the page that the
delta names.

Errors: those of `rust_delta_apply`; InvalidArgument if the delta names another page.

# Safety
`lsn` is null or valid for a write.
"""
@inline function rust_delta_apply_to(delta, page, lsn)
    while true
        status = ccall(FUNCTIONS.rust_delta_apply_to, Int32, (MmsbDelta, MmsbPage, Ptr{UInt64},), delta, page, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_events_subscribe(state::MmsbState, filter::Ptr{MmsbEventFilter}, out::Ptr{MmsbEvents})::Int32

Tells of everything that happens from now on and passes the filter; null is everything.

A group's events come together, in the order of its entries in the log, its MMSB_EVENT_KIND_COMMITTED
last. They tell of what can be read; `rust_state_sync` says what is durable. Each page's events
ascend by LSN. Groups that have no page in common may come in another order than their LSNs, the
same for all subscriptions of a state. Writers never wait for a subscription: a group that does
not fit is dropped whole, and an event of the kind MMSB_EVENT_KIND_LOST stands there instead.

Ownership: `out` is freed with `rust_events_free`. It may outlive its state.
Errors: InvalidArgument, SizeOutOfRange, TooLarge for the filter, OutOfMemory.

# Safety
`filter` is null or valid with its pages, `out` null or valid for a write.
"""
@inline function rust_events_subscribe(state, filter, out)
    while true
        status = ccall(FUNCTIONS.rust_events_subscribe, Int32, (MmsbState, Ptr{MmsbEventFilter}, Ptr{MmsbEvents},), state, filter, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_events_poll(events::MmsbEvents, buf::Ptr{MmsbEvent}, capacity::Csize_t, count::Ptr{Csize_t})::Int32

Takes the oldest events that wait, `capacity` at most, without waiting: `*count` receives how many
were written to `buf`, 0 if none wait.

Errors: Closed once nothing is left of a subscription that was closed, or whose state was.
Cost: about 5 ns an event.

# Safety
`buf` is valid for `capacity` writes, `count` null or valid for a write.
"""
@inline function rust_events_poll(events, buf, capacity, count)
    while true
        status = ccall(FUNCTIONS.rust_events_poll, Int32, (MmsbEvents, Ptr{MmsbEvent}, Csize_t, Ptr{Csize_t},), events, buf, capacity, count)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_events_wait(events::MmsbEvents, timeout_us::UInt64, ready::Ptr{Bool})::Int32

Waits until an event waits, for `timeout_us` microseconds at most, UINT64_MAX for as long as it
takes. `*ready` receives whether one does.

Errors: Closed, as for `rust_events_poll`; whoever waits is woken by it.

# Safety
`ready` is null or valid for a write.
"""
@inline function rust_events_wait(events, timeout_us, ready)
    while true
        status = ccall(FUNCTIONS.rust_events_wait, Int32, (MmsbEvents, UInt64, Ptr{Bool},), events, timeout_us, ready)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_events_since(events::MmsbEvents, lsn::Ptr{UInt64})::Int32

The closed LSN that a subscription begins at: it is told of every group above, and of none at or
below.

# Safety
`lsn` is null or valid for a write.
"""
@inline function rust_events_since(events, lsn)
    while true
        status = ccall(FUNCTIONS.rust_events_since, Int32, (MmsbEvents, Ptr{UInt64},), events, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_events_lost(events::MmsbEvents, lost::Ptr{UInt64}, groups::Ptr{UInt64})::Int32

How many events, and groups, a subscription was not told so far, as it was full. `lost` and
`groups` may be null.

# Safety
`lost` and `groups` are null or valid for a write.
"""
@inline function rust_events_lost(events, lost, groups)
    while true
        status = ccall(FUNCTIONS.rust_events_lost, Int32, (MmsbEvents, Ptr{UInt64}, Ptr{UInt64},), events, lost, groups)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_events_close(events::MmsbEvents)::Int32

Ends a subscription and wakes whoever waits for it, who gets Closed; what waits is dropped. The
handle is still to be freed. Again changes nothing.
"""
@inline function rust_events_close(events)
    while true
        status = ccall(FUNCTIONS.rust_events_close, Int32, (MmsbEvents,), events)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_events_free(events::Ptr{MmsbEvents})::Int32

Ends a subscription, as `rust_events_close`, and frees it. `*events` becomes zero. Null and zero
are fine.

# Safety
`events` is null or valid for a read and a write.
"""
@inline function rust_events_free(events)
    while true
        status = ccall(FUNCTIONS.rust_events_free, Int32, (Ptr{MmsbEvents},), events)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_program_new(out::Ptr{MmsbProgram})::Int32

A program of no steps. Its steps are done in order, as one transaction.

Ownership: `out` is freed with `rust_program_free`.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_program_new(out)
    while true
        status = ccall(FUNCTIONS.rust_program_new, Int32, (Ptr{MmsbProgram},), out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_program_from_bytes(bytes::Ptr{UInt8}, len::Csize_t, out::Ptr{MmsbProgram})::Int32

A program as `rust_program_bytes` gave it.

Ownership: `out` is freed with `rust_program_free`.
Errors: InvalidArgument for bytes that are none.

# Safety
`bytes` is valid for `len` reads, `out` null or valid for a write.
"""
@inline function rust_program_from_bytes(bytes, len, out)
    while true
        status = ccall(FUNCTIONS.rust_program_from_bytes, Int32, (Ptr{UInt8}, Csize_t, Ptr{MmsbProgram},), bytes, len, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_program_free(program::Ptr{MmsbProgram})::Int32

Frees a program. `*program` becomes zero. Null and zero are fine.

# Safety
`program` is null or valid for a read and a write.
"""
@inline function rust_program_free(program)
    while true
        status = ccall(FUNCTIONS.rust_program_free, Int32, (Ptr{MmsbProgram},), program)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_program_add(program::MmsbProgram, at::MmsbPlace, by::Int64)::Int32

Adds a step: the 64-bit integer at a place grows, wrapping.
"""
@inline function rust_program_add(program, at, by)
    while true
        status = ccall(FUNCTIONS.rust_program_add, Int32, (MmsbProgram, MmsbPlace, Int64,), program, at, by)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_program_add_float(program::MmsbProgram, at::MmsbPlace, by::Float64)::Int32

Adds a step: the double at a place grows.
"""
@inline function rust_program_add_float(program, at, by)
    while true
        status = ccall(FUNCTIONS.rust_program_add_float, Int32, (MmsbProgram, MmsbPlace, Float64,), program, at, by)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_program_compare_and_swap(program::MmsbProgram, at::MmsbPlace, expected::Ptr{UInt8}, bytes::Ptr{UInt8}, len::Csize_t)::Int32

Adds a step: `len` bytes at a place become those at `bytes` if they are those at `expected`; else
the program fails with ConditionFailed.

# Safety
`expected` and `bytes` are valid for `len` reads.
"""
@inline function rust_program_compare_and_swap(program, at, expected, bytes, len)
    while true
        status = ccall(FUNCTIONS.rust_program_compare_and_swap, Int32, (MmsbProgram, MmsbPlace, Ptr{UInt8}, Ptr{UInt8}, Csize_t,), program, at, expected, bytes, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_program_transfer(program::MmsbProgram, from::MmsbPlace, to::MmsbPlace, amount::UInt64)::Int32

Adds a step: `amount` goes from the unsigned 64-bit integer at one place to that at another; the
program fails with ConditionFailed if there is less.
"""
@inline function rust_program_transfer(program, from, to, amount)
    while true
        status = ccall(FUNCTIONS.rust_program_transfer, Int32, (MmsbProgram, MmsbPlace, MmsbPlace, UInt64,), program, from, to, amount)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_program_write(program::MmsbProgram, at::MmsbPlace, bytes::Ptr{UInt8}, len::Csize_t)::Int32

Adds a step: the `len` bytes at `bytes` go to a place.

# Safety
`bytes` is valid for `len` reads.
"""
@inline function rust_program_write(program, at, bytes, len)
    while true
        status = ccall(FUNCTIONS.rust_program_write, Int32, (MmsbProgram, MmsbPlace, Ptr{UInt8}, Csize_t,), program, at, bytes, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_program_require(program::MmsbProgram, at::MmsbPlace, relation::UInt32, value::UInt64)::Int32

Adds a step: the program fails with ConditionFailed unless the unsigned 64-bit integer at a place
compares with `value` as `relation`, an `MmsbRelation`, says.
"""
@inline function rust_program_require(program, at, relation, value)
    while true
        status = ccall(FUNCTIONS.rust_program_require, Int32, (MmsbProgram, MmsbPlace, UInt32, UInt64,), program, at, relation, value)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_program_bytes(program::MmsbProgram, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

The program's steps as bytes: copied to `buf`, which has room for `capacity`; `len` receives
their number, also when the buffer is too small.

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_program_bytes(program, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_program_bytes, Int32, (MmsbProgram, Ptr{UInt8}, Csize_t, Ptr{Csize_t},), program, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_executor_new(state::MmsbState, config::Ptr{MmsbExecutorConfig}, out::Ptr{MmsbExecutor})::Int32

Starts workers that each hold a partition, from 0 on, and run what they are given. `config` may be
null.

Ownership: `out` is freed with `rust_executor_free` or `rust_executor_stop`.
Errors: SizeOutOfRange, PartitionInUse, Io.

# Safety
`config` is null or valid for a read, `out` null or valid for a write.
"""
@inline function rust_executor_new(state, config, out)
    while true
        status = ccall(FUNCTIONS.rust_executor_new, Int32, (MmsbState, Ptr{MmsbExecutorConfig}, Ptr{MmsbExecutor},), state, config, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_executor_free(executor::Ptr{MmsbExecutor})::Int32

Does all that was submitted, and ends the workers. `*executor` becomes zero. Null and zero are
fine.

# Safety
`executor` is null or valid for a read and a write.
"""
@inline function rust_executor_free(executor)
    while true
        status = ccall(FUNCTIONS.rust_executor_free, Int32, (Ptr{MmsbExecutor},), executor)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_executor_stop(executor::Ptr{MmsbExecutor}, left::Ptr{Csize_t})::Int32

Ends the workers after the program or deltas that they are at; what waits is not begun, and its results
are Cancelled. `*left` receives how many programs and deltas that were; it may be null. `*executor`
becomes zero.

# Safety
`executor` is null or valid for a read and a write, `left` null or valid for a write.
"""
@inline function rust_executor_stop(executor, left)
    while true
        status = ccall(FUNCTIONS.rust_executor_stop, Int32, (Ptr{MmsbExecutor}, Ptr{Csize_t},), executor, left)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_executor_workers(executor::MmsbExecutor, workers::Ptr{Csize_t}, pinned::Ptr{Csize_t})::Int32

How many workers there are, and how many of them are bound to a core of their own.

# Safety
`workers` and `pinned` are null or valid for a write.
"""
@inline function rust_executor_workers(executor, workers, pinned)
    while true
        status = ccall(FUNCTIONS.rust_executor_workers, Int32, (MmsbExecutor, Ptr{Csize_t}, Ptr{Csize_t},), executor, workers, pinned)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_executor_submit(executor::MmsbExecutor, programs::Ptr{MmsbProgram}, count::Csize_t, source::Ptr{UInt8}, out::Ptr{MmsbTickets})::Int32

Has workers run `count` programs, which are copied: those of one partition in the order in which
they stand here, those whose pages belong to several across them. `source` labels their records;
null is empty. Waits for room in the queues.

Ownership: `out` is ended with `rust_tickets_wait` or `rust_tickets_free`.
Errors: Closed if the executor is. A program's own error is its result, Closed if the state is.

# Safety
`programs` is valid for `count` reads, `source` null or a zero-terminated string, `out` null or
valid for a write.
"""
@inline function rust_executor_submit(executor, programs, count, source, out)
    while true
        status = ccall(FUNCTIONS.rust_executor_submit, Int32, (MmsbExecutor, Ptr{MmsbProgram}, Csize_t, Ptr{UInt8}, Ptr{MmsbTickets},), executor, programs, count, source, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_executor_apply(executor::MmsbExecutor, deltas::Ptr{MmsbDelta}, count::Csize_t, out::Ptr{MmsbTickets})::Int32

Has workers apply `count` deltas, which are copied: those of one page in their order, different
pages at the same time. Each is a group of its own, with the note that it carries. A few deltas to
shared pages that nothing derives from are applied by the caller while the workers have nothing to
do: waking them takes longer.

Where groups wait for a sync, a worker's wait together for one. If that fails, it is the error of
each of them.

Ownership and errors: as `rust_executor_submit`.

# Safety
`deltas` is valid for `count` reads, `out` null or valid for a write.
"""
@inline function rust_executor_apply(executor, deltas, count, out)
    while true
        status = ccall(FUNCTIONS.rust_executor_apply, Int32, (MmsbExecutor, Ptr{MmsbDelta}, Csize_t, Ptr{MmsbTickets},), executor, deltas, count, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_tickets_ready(tickets::MmsbTickets, out::Ptr{Bool})::Int32

Whether all results are there.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_tickets_ready(tickets, out)
    while true
        status = ccall(FUNCTIONS.rust_tickets_ready, Int32, (MmsbTickets, Ptr{Bool},), tickets, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_tickets_wait(tickets::Ptr{MmsbTickets}, results::Ptr{MmsbResult}, count::Csize_t)::Int32

Waits for all results, which are written to `results` in the order of what was submitted; `count`
is how many that was. `rust_result_message` tells more of those that failed. Ends the tickets,
`*tickets` becomes zero.

Errors: LengthMismatch if `count` is another number; then nothing is ended.

# Safety
`tickets` is null or valid for a read and a write, `results` valid for `count` writes and
initialised.
"""
@inline function rust_tickets_wait(tickets, results, count)
    while true
        status = ccall(FUNCTIONS.rust_tickets_wait, Int32, (Ptr{MmsbTickets}, Ptr{MmsbResult}, Csize_t,), tickets, results, count)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_result_message(at::Csize_t)::Ptr{UInt8}

The message of the result at place `at` of the calling thread's last `rust_tickets_wait`: one sentence
that names the value and the limit. Never null; empty for what succeeded. Valid until the thread's next
wait; not to be freed.
"""
@inline rust_result_message(at) =
    ccall(FUNCTIONS.rust_result_message, Ptr{UInt8}, (Csize_t,), at)

"""
    rust_tickets_free(tickets::Ptr{MmsbTickets})::Int32

Gives tickets up: what was submitted is done all the same. `*tickets` becomes zero. Null and zero
are fine.

# Safety
`tickets` is null or valid for a read and a write.
"""
@inline function rust_tickets_free(tickets)
    while true
        status = ccall(FUNCTIONS.rust_tickets_free, Int32, (Ptr{MmsbTickets},), tickets)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_explain(state::MmsbState, page::UInt64, out::Ptr{MmsbExplanation})::Int32

Tells what made the content of a page, which parents at which epochs, and what made those, back to
what was written by hand. Of a stale page: what it was made of when it was computed.

Ownership: `out` is freed with `rust_explanation_free`.
Errors: PageNotFound, PageFreed, Corrupt with file and offset.
Cost: a few us for each content in the answer, and 1 us for each change of one of these pages since.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_propagate_explain(state, page, out)
    while true
        status = ccall(FUNCTIONS.rust_propagate_explain, Int32, (MmsbState, UInt64, Ptr{MmsbExplanation},), state, page, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_explanation_len(explanation::MmsbExplanation, count::Ptr{Csize_t}, dropped::Ptr{UInt64})::Int32

How many contents an explanation tells of: the page's own is the first. `*dropped` receives how many
it leaves out, as they were made before history begins.

# Safety
`count` and `dropped` are null or valid for a write.
"""
@inline function rust_explanation_len(explanation, count, dropped)
    while true
        status = ccall(FUNCTIONS.rust_explanation_len, Int32, (MmsbExplanation, Ptr{Csize_t}, Ptr{UInt64},), explanation, count, dropped)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_explanation_get(explanation::MmsbExplanation, index::Csize_t, out::Ptr{MmsbOrigin})::Int32

The content at `index`, from 0.

Errors: InvalidArgument for an index beyond the last.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_explanation_get(explanation, index, out)
    while true
        status = ccall(FUNCTIONS.rust_explanation_get, Int32, (MmsbExplanation, Csize_t, Ptr{MmsbOrigin},), explanation, index, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_explanation_text(explanation::MmsbExplanation, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

The explanation as text, a line for each content, copied to `buf`, not terminated, which has room
for `capacity` bytes; `len` receives their number, also when the buffer is too small.

# Safety
`buf` is null or valid for writes of `capacity` bytes, `len` null or valid for a write.
"""
@inline function rust_explanation_text(explanation, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_explanation_text, Int32, (MmsbExplanation, Ptr{UInt8}, Csize_t, Ptr{Csize_t},), explanation, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_explanation_free(explanation::Ptr{MmsbExplanation})::Int32

Frees an explanation. `*explanation` becomes zero. Null and zero are fine.

# Safety
`explanation` is null or valid for a read and a write.
"""
@inline function rust_explanation_free(explanation)
    while true
        status = ccall(FUNCTIONS.rust_explanation_free, Int32, (Ptr{MmsbExplanation},), explanation)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_graph_add_edge(state::MmsbState, parent::UInt64, child::UInt64, kind::UInt32, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Adds an edge: the page `child` derives from `parent`. `kind` is an `MmsbEdgeKind`; between two pages
there may be one edge of each. `*lsn` receives the record's LSN, 0 if the edge is there already;
`note` and `lsn` may be null.

Errors: Cycle, which names the pages on it, PageNotFound, PageFreed, InvalidArgument. Then nothing
changed.
Cost: about 0.1 us where pages are added in an order that fits.

# Safety
`note` is null or valid, `lsn` null or valid for a write.
"""
@inline function rust_graph_add_edge(state, parent, child, kind, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_graph_add_edge, Int32, (MmsbState, UInt64, UInt64, UInt32, Ptr{MmsbNote}, Ptr{UInt64},), state, parent, child, kind, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_graph_remove_edge(state::MmsbState, parent::UInt64, child::UInt64, kind::UInt32, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Takes an edge away. `*lsn` receives the record's LSN; `note` and `lsn` may be null.

Errors: EdgeNotFound, PageNotFound, PageFreed, InvalidArgument.

# Safety
`note` is null or valid, `lsn` null or valid for a write.
"""
@inline function rust_graph_remove_edge(state, parent, child, kind, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_graph_remove_edge, Int32, (MmsbState, UInt64, UInt64, UInt32, Ptr{MmsbNote}, Ptr{UInt64},), state, parent, child, kind, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_graph_parents(state::MmsbState, page::UInt64, buf::Ptr{MmsbLink}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

The pages that a page derives from, in the order in which the edges were added: copied to `buf`,
which has room for `capacity`; `len` receives their number, also when the buffer is too small.

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_graph_parents(state, page, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_graph_parents, Int32, (MmsbState, UInt64, Ptr{MmsbLink}, Csize_t, Ptr{Csize_t},), state, page, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_graph_children(state::MmsbState, page::UInt64, buf::Ptr{MmsbLink}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

The pages that derive from a page, ascending by page and kind; otherwise as `rust_graph_parents`.

# Safety
As `rust_graph_parents`.
"""
@inline function rust_graph_children(state, page, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_graph_children, Int32, (MmsbState, UInt64, Ptr{MmsbLink}, Csize_t, Ptr{Csize_t},), state, page, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_graph_ancestors(state::MmsbState, page::UInt64, buf::Ptr{UInt64}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

All pages that a page derives from, over any number of edges, ascending: copied to `buf`, which has
room for `capacity`; `len` receives their number, also when the buffer is too small.

Cost: O(those pages and their edges).

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_graph_ancestors(state, page, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_graph_ancestors, Int32, (MmsbState, UInt64, Ptr{UInt64}, Csize_t, Ptr{Csize_t},), state, page, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_graph_descendants(state::MmsbState, page::UInt64, buf::Ptr{UInt64}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

All pages that derive from a page; otherwise as `rust_graph_ancestors`.

# Safety
As `rust_graph_ancestors`.
"""
@inline function rust_graph_descendants(state, page, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_graph_descendants, Int32, (MmsbState, UInt64, Ptr{UInt64}, Csize_t, Ptr{Csize_t},), state, page, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_graph_order(state::MmsbState, buf::Ptr{MmsbRank}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

All pages with edges, parents before children, ascending by height, then by id: copied to `buf`,
which has room for `capacity`; `len` receives their number, also when the buffer is too small.

Cost: O(pages with edges + edges), about 10 ns each.

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_graph_order(state, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_graph_order, Int32, (MmsbState, Ptr{MmsbRank}, Csize_t, Ptr{Csize_t},), state, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_graph_edge_count(state::MmsbState, out::Ptr{UInt64})::Int32

Number of edges.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_graph_edge_count(state, out)
    while true
        status = ccall(FUNCTIONS.rust_graph_edge_count, Int32, (MmsbState, Ptr{UInt64},), state, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_graph_dot(state::MmsbState, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

All edges in the DOT language, UTF-8, not terminated: copied to `buf`, which has room for `capacity`
bytes; `len` receives the length, also when the buffer is too small.

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_graph_dot(state, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_graph_dot, Int32, (MmsbState, Ptr{UInt8}, Csize_t, Ptr{Csize_t},), state, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_graph_svg(state::MmsbState, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

All edges as an SVG picture, in layers from top to bottom; otherwise as `rust_graph_dot`.

Errors: TooLarge for more pages with edges than a picture shows.

# Safety
As `rust_graph_dot`.
"""
@inline function rust_graph_svg(state, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_graph_svg, Int32, (MmsbState, Ptr{UInt8}, Csize_t, Ptr{Csize_t},), state, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_graph_free_cascade(state::MmsbState, page::UInt64, note::Ptr{MmsbNote}, count::Ptr{Csize_t}, lsn::Ptr{UInt64})::Int32

Frees a page and all that derive from it, whatever the kind of edge, as one group. `*count` receives
how many those are, `*lsn` the group's LSN; both, and `note`, may be null.

Errors: those of `rust_page_free` for each; then none is freed.

# Safety
`note` is null or valid, `count` and `lsn` null or valid for a write.
"""
@inline function rust_graph_free_cascade(state, page, note, count, lsn)
    while true
        status = ccall(FUNCTIONS.rust_graph_free_cascade, Int32, (MmsbState, UInt64, Ptr{MmsbNote}, Ptr{Csize_t}, Ptr{UInt64},), state, page, note, count, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_tlog_new(path::Ptr{UInt8}, out::Ptr{MmsbTLog})::Int32

Opens or creates the log in the directory `path`, with default settings (`Buffered`).

Ownership: `out` is closed with `rust_tlog_free`.
Errors: Locked, Foreign, FileNotFound, PermissionDenied, Corrupt, UnknownFormat, Io.

# Safety
`path` is null or valid, `out` null or valid for a write.
"""
@inline function rust_tlog_new(path, out)
    while true
        status = ccall(FUNCTIONS.rust_tlog_new, Int32, (Ptr{UInt8}, Ptr{MmsbTLog},), path, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_tlog_open(config::Ptr{MmsbConfig}, out::Ptr{MmsbTLog})::Int32

As `rust_tlog_new`, with settings.

# Safety
`config` is null or valid, `out` null or valid for a write.
"""
@inline function rust_tlog_open(config, out)
    while true
        status = ccall(FUNCTIONS.rust_tlog_open, Int32, (Ptr{MmsbConfig}, Ptr{MmsbTLog},), config, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_tlog_free(log::Ptr{MmsbTLog})::Int32

Closes a log: flushes and syncs. `*log` becomes zero. Null and zero are fine.

Errors: what the last flush and sync say; the log is closed all the same.

# Safety
`log` is null or valid for a read and a write.
"""
@inline function rust_tlog_free(log)
    while true
        status = ccall(FUNCTIONS.rust_tlog_free, Int32, (Ptr{MmsbTLog},), log)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_tlog_append(log::MmsbTLog, delta::MmsbDelta, lsn::Ptr{UInt64})::Int32

Appends a delta as it is. `*lsn` receives its LSN, which is its id; `lsn` may be null.

# Safety
`lsn` is null or valid for a write.
"""
@inline function rust_tlog_append(log, delta, lsn)
    while true
        status = ccall(FUNCTIONS.rust_tlog_append, Int32, (MmsbTLog, MmsbDelta, Ptr{UInt64},), log, delta, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_tlog_flush(log::MmsbTLog, lsn::Ptr{UInt64})::Int32

Hands everything appended before the call to the operating system. `lsn` may be null.

# Safety
`lsn` is null or valid for a write.
"""
@inline function rust_tlog_flush(log, lsn)
    while true
        status = ccall(FUNCTIONS.rust_tlog_flush, Int32, (MmsbTLog, Ptr{UInt64},), log, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_tlog_sync(log::MmsbTLog, lsn::Ptr{UInt64})::Int32

Makes everything appended before the call durable. `lsn` may be null.

# Safety
`lsn` is null or valid for a write.
"""
@inline function rust_tlog_sync(log, lsn)
    while true
        status = ccall(FUNCTIONS.rust_tlog_sync, Int32, (MmsbTLog, Ptr{UInt64},), log, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_tlog_summary(log::MmsbTLog, out::Ptr{MmsbTLogSummary})::Int32

Reads the whole log, checking every record, and counts.

Errors: Corrupt with file, offset and reason.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_tlog_summary(log, out)
    while true
        status = ccall(FUNCTIONS.rust_tlog_summary, Int32, (MmsbTLog, Ptr{MmsbTLogSummary},), log, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_tlog_reader_new(log::MmsbTLog, after::UInt64, to::UInt64, out::Ptr{MmsbReader})::Int32

A reader over the records above `after` and up to `to`; both as in `MmsbQuery`: `UINT64_MAX`
begins where history begins, and reads all that are written.

Ownership: `out` is freed with `rust_tlog_reader_free`, in any order: it stays valid when the log
is closed.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_tlog_reader_new(log, after, to, out)
    while true
        status = ccall(FUNCTIONS.rust_tlog_reader_new, Int32, (MmsbTLog, UInt64, UInt64, Ptr{MmsbReader},), log, after, to, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_tlog_query(log::MmsbTLog, query::Ptr{MmsbQuery}, out::Ptr{MmsbReader})::Int32

A reader over the records that a query asks for; `query` null is for all.

Ownership: `out` is freed with `rust_tlog_reader_free`, in any order: it stays valid when the log
is closed.

# Safety
`query` is null or valid, `out` null or valid for a write.
"""
@inline function rust_tlog_query(log, query, out)
    while true
        status = ccall(FUNCTIONS.rust_tlog_query, Int32, (MmsbTLog, Ptr{MmsbQuery}, Ptr{MmsbReader},), log, query, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_memory_stats(out::Ptr{MmsbMemoryStats})::Int32

Counts the heap. Cost: some microseconds per hundred slabs, and a look at the kernel's list of
mappings.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_memory_stats(out)
    while true
        status = ccall(FUNCTIONS.rust_memory_stats, Int32, (Ptr{MmsbMemoryStats},), out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_memory_classes(buf::Ptr{MmsbMemoryClass}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

Copies the size classes that have slabs, ascending, to `buf`, which has room for `capacity`; `len`
receives their number, also when the buffer is too small (LengthMismatch). There are at most 112.

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_memory_classes(buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_memory_classes, Int32, (Ptr{MmsbMemoryClass}, Csize_t, Ptr{Csize_t},), buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_memory_report(buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

Copies a table of the heap to `buf`, which has room for `capacity` bytes: UTF-8, a row for each
class, no zero at the end; `len` receives its length, also when the buffer is too small
(LengthMismatch).

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_memory_report(buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_memory_report, Int32, (Ptr{UInt8}, Csize_t, Ptr{Csize_t},), buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_memory_prewarm(size::Csize_t, align::Csize_t, count::Csize_t)::Int32

Makes `count` free blocks for `size` bytes (1 to 1 MiB) at multiples of `align` ready, with the
memory under them: the next `count` allocations of that class ask the system for nothing.

Errors: SizeOutOfRange, InvalidArgument for the alignment, OutOfMemory beyond the limit: what could
be made before stays.
"""
@inline function rust_memory_prewarm(size, align, count)
    while true
        status = ccall(FUNCTIONS.rust_memory_prewarm, Int32, (Csize_t, Csize_t, Csize_t,), size, align, count)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_memory_purge(bytes::Ptr{UInt64})::Int32

Gives what the calling thread keeps and all slabs without content to the operating system.
`bytes`, which may be null, receives how many went.

# Safety
`bytes` is null or valid for a write.
"""
@inline function rust_memory_purge(bytes)
    while true
        status = ccall(FUNCTIONS.rust_memory_purge, Int32, (Ptr{UInt64},), bytes)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_memory_set_limit(bytes::UInt64)::Int32

Limits the bytes of slabs that are in use or retained, rounded up to 2 MiB; 0 for no limit but
the reserved range. What is in use beyond it stays.
"""
@inline function rust_memory_set_limit(bytes)
    while true
        status = ccall(FUNCTIONS.rust_memory_set_limit, Int32, (UInt64,), bytes)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_memory_set_retention(bytes::UInt64, age_ms::UInt64)::Int32

Says how many bytes of slabs that come back are kept, and how long: 256 MiB and 10 seconds
otherwise.
"""
@inline function rust_memory_set_retention(bytes, age_ms)
    while true
        status = ccall(FUNCTIONS.rust_memory_set_retention, Int32, (UInt64, UInt64,), bytes, age_ms)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_memory_set_huge_pages(huge::Bool)::Int32

Asks the kernel for huge pages under the heap, or for none, as it is at first.
"""
@inline function rust_memory_set_huge_pages(huge)
    while true
        status = ccall(FUNCTIONS.rust_memory_set_huge_pages, Int32, (Bool,), huge)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_memory_check()::Int32

Walks every slab of the heap and compares what they say with each other: Internal with what does
not fit. Blocks may come and go meanwhile; slabs that threads are carving are left out. Cost: some
microseconds per slab.
"""
@inline function rust_memory_check()
    while true
        status = ccall(FUNCTIONS.rust_memory_check, Int32, ())
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_free(page::MmsbPage, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Frees a page. Its id is never used again. `note` and `lsn` may be null.

Errors: PageNotFound, PageFreed, NoSpace, ReadOnly, Poisoned.

# Safety
`note` is null or valid, `lsn` null or valid for a write.
"""
@inline function rust_page_free(page, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_page_free, Int32, (MmsbPage, Ptr{MmsbNote}, Ptr{UInt64},), page, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_update(page::MmsbPage, bytes::Ptr{UInt8}, len::Csize_t, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Makes the `len` bytes at `bytes`, exactly the page's size, its content; records only what
differs. `*lsn` receives the record's LSN, 0 if the content was already so. `note` and `lsn`
may be null.

Errors: LengthMismatch, PageNotFound, PageFreed, NoSpace, TooLong, NotUtf8, ReadOnly, Poisoned.
Then nothing changed.
Cost: one comparison of the page, and the record of what changed; no system call.

# Safety
`bytes` is valid for `len` reads, `note` null or valid, `lsn` null or valid for a write.
"""
@inline function rust_page_update(page, bytes, len, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_page_update, Int32, (MmsbPage, Ptr{UInt8}, Csize_t, Ptr{MmsbNote}, Ptr{UInt64},), page, bytes, len, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_write(page::MmsbPage, offset::UInt64, bytes::Ptr{UInt8}, len::Csize_t, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Writes the `len` bytes at `bytes` to the page from `offset` on; records only what differs.
Otherwise as `rust_page_update`.

Errors: RangeOutOfBounds, and those of `rust_page_update`.

# Safety
As `rust_page_update`.
"""
@inline function rust_page_write(page, offset, bytes, len, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_page_write, Int32, (MmsbPage, UInt64, Ptr{UInt8}, Csize_t, Ptr{MmsbNote}, Ptr{UInt64},), page, offset, bytes, len, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_write_masked(page::MmsbPage, mask::Ptr{UInt8}, bytes::Ptr{UInt8}, len::Csize_t, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Writes the bytes at `bytes` where the byte of `mask` is not zero. Both have `len` bytes, exactly
the page's size. Otherwise as `rust_page_update`.

# Safety
As `rust_page_update`; `mask` is valid for `len` reads.
"""
@inline function rust_page_write_masked(page, mask, bytes, len, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_page_write_masked, Int32, (MmsbPage, Ptr{UInt8}, Ptr{UInt8}, Csize_t, Ptr{MmsbNote}, Ptr{UInt64},), page, mask, bytes, len, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_read(page::MmsbPage, offset::UInt64, buf::Ptr{UInt8}, len::Csize_t)::Int32

Copies `len` bytes of the page from `offset` on to `buf`.

Errors: RangeOutOfBounds (then `buf` is unchanged), PageNotFound, PageFreed, Corrupt.

# Safety
`buf` is valid for `len` writes and holds initialised bytes.
"""
@inline function rust_page_read(page, offset, buf, len)
    while true
        status = ccall(FUNCTIONS.rust_page_read, Int32, (MmsbPage, UInt64, Ptr{UInt8}, Csize_t,), page, offset, buf, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_size(page::MmsbPage, out::Ptr{UInt64})::Int32

Bytes of a page.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_page_size(page, out)
    while true
        status = ccall(FUNCTIONS.rust_page_size, Int32, (MmsbPage, Ptr{UInt64},), page, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_epoch(page::MmsbPage, out::Ptr{UInt64})::Int32

How often a page's content has changed.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_page_epoch(page, out)
    while true
        status = ccall(FUNCTIONS.rust_page_epoch, Int32, (MmsbPage, Ptr{UInt64},), page, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_lsn(page::MmsbPage, out::Ptr{UInt64})::Int32

LSN of the record that changed a page last; 0 for an allocator's page.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_page_lsn(page, out)
    while true
        status = ccall(FUNCTIONS.rust_page_lsn, Int32, (MmsbPage, Ptr{UInt64},), page, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_location(page::MmsbPage, out::Ptr{UInt32})::Int32

Where a page should live: an `MmsbLocation`.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_page_location(page, out)
    while true
        status = ccall(FUNCTIONS.rust_page_location, Int32, (MmsbPage, Ptr{UInt32},), page, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_is_private(page::MmsbPage, out::Ptr{Bool})::Int32

Whether a page is private: see `rust_page_create_private`. An allocator's never is.

Errors: PageNotFound, PageFreed.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_page_is_private(page, out)
    while true
        status = ccall(FUNCTIONS.rust_page_is_private, Int32, (MmsbPage, Ptr{Bool},), page, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_view(page::MmsbPage, out::Ptr{MmsbView}, data::Ptr{Ptr{UInt8}}, len::Ptr{Csize_t})::Int32

A view of the page's whole content, without a copy: `*data` and `*len` stay valid and unchanged
until the view is freed, while writers go on and after the state is closed. A writer that meets
a page with a view copies the page first.

Ownership: `out` is freed with `rust_view_free`; `data` belongs to it. `data` is 64-byte aligned.
Cost: tens of ns, whatever the page's size.

# Safety
`out`, `data` and `len` are null or valid for a write.
"""
@inline function rust_page_view(page, out, data, len)
    while true
        status = ccall(FUNCTIONS.rust_page_view, Int32, (MmsbPage, Ptr{MmsbView}, Ptr{Ptr{UInt8}}, Ptr{Csize_t},), page, out, data, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_metadata_set(page::MmsbPage, key::Ptr{UInt8}, key_len::Csize_t, value::Ptr{UInt8}, value_len::Csize_t, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Sets a metadata key of a page: 1 to 255 bytes; the value up to 65,535. `note` and `lsn` may be
null.

# Safety
`key` and `value` are valid for their lengths, `note` null or valid, `lsn` null or valid for a
write.
"""
@inline function rust_page_metadata_set(page, key, key_len, value, value_len, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_page_metadata_set, Int32, (MmsbPage, Ptr{UInt8}, Csize_t, Ptr{UInt8}, Csize_t, Ptr{MmsbNote}, Ptr{UInt64},), page, key, key_len, value, value_len, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_metadata_remove(page::MmsbPage, key::Ptr{UInt8}, key_len::Csize_t, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Takes a metadata key away. `note` and `lsn` may be null.

Errors: KeyNotFound.

# Safety
`key` is valid for its length, `note` null or valid, `lsn` null or valid for a write.
"""
@inline function rust_page_metadata_remove(page, key, key_len, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_page_metadata_remove, Int32, (MmsbPage, Ptr{UInt8}, Csize_t, Ptr{MmsbNote}, Ptr{UInt64},), page, key, key_len, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_metadata_get(page::MmsbPage, key::Ptr{UInt8}, key_len::Csize_t, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

The value of a metadata key: copied to `buf`, which has room for `capacity` bytes; `len` receives
its length, also when the buffer is too small.

Errors: KeyNotFound, LengthMismatch.

# Safety
`key` is valid for its length, `buf` null or valid for `capacity` writes, `len` null or valid
for a write.
"""
@inline function rust_page_metadata_get(page, key, key_len, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_page_metadata_get, Int32, (MmsbPage, Ptr{UInt8}, Csize_t, Ptr{UInt8}, Csize_t, Ptr{Csize_t},), page, key, key_len, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_metadata_keys(page::MmsbPage, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

All metadata keys of a page, ascending: copied to `buf` as u16 length (little-endian) and key,
one after the other; `len` receives the bytes, also when the buffer is too small.

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_page_metadata_keys(page, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_page_metadata_keys, Int32, (MmsbPage, Ptr{UInt8}, Csize_t, Ptr{Csize_t},), page, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_unlock(state::MmsbState, key::Ptr{UInt8}, len::Csize_t)::Int32

Gives the state the key that private pages are sealed with, for as long as it is open: `len`, which is
32, bytes at `key`. They are copied, and wiped when the state is closed. States that
`rust_state_replay_to` makes have the key, too. Nothing of it is stored, so that a key that was mistyped
shows when a private page is read: WrongKey. To give it again is fine.

Errors: LengthMismatch; WrongKey if the state has another one already.

# Safety
`key` is valid for `len` reads.
"""
@inline function rust_state_unlock(state, key, len)
    while true
        status = ccall(FUNCTIONS.rust_state_unlock, Int32, (MmsbState, Ptr{UInt8}, Csize_t,), state, key, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_is_unlocked(state::MmsbState, out::Ptr{Bool})::Int32

Whether the state has a key for private pages.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_state_is_unlocked(state, out)
    while true
        status = ccall(FUNCTIONS.rust_state_is_unlocked, Int32, (MmsbState, Ptr{Bool},), state, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_create_private(state::MmsbState, size::UInt64, location::UInt32, note::Ptr{MmsbNote}, out::Ptr{MmsbPage})::Int32

Creates a private page of `size` bytes (1 B to 1 GiB less 48), all zero. Its content is sealed wherever
it stands, in memory, in the log and in images: AES-256-GCM, under the key of
`rust_state_unlock`. Its metadata are not. It is read and written as others; it has no views, and
nothing is computed from it. `location` is an `MmsbLocation`; `note` may be null.

Errors: Sealed without a key, and those of `rust_page_create`.
Cost: each read opens the whole page, about 0.3 us and 1 ns per byte; each write opens and seals it, and
records all of it, about 1 us and 2.5 ns per byte.

# Safety
`note` is null or valid, `out` null or valid for a write.
"""
@inline function rust_page_create_private(state, size, location, note, out)
    while true
        status = ccall(FUNCTIONS.rust_page_create_private, Int32, (MmsbState, UInt64, UInt32, Ptr{MmsbNote}, Ptr{MmsbPage},), state, size, location, note, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_batch_create_private_page(batch::MmsbBatch, size::UInt64, location::UInt32, id::Ptr{UInt64})::Int32

As `rust_batch_create_page`, of a private page: see `rust_page_create_private`. `rust_batch_commit`
returns Sealed without a key.

# Safety
`id` is null or valid for a write.
"""
@inline function rust_batch_create_private_page(batch, size, location, id)
    while true
        status = ccall(FUNCTIONS.rust_batch_create_private_page, Int32, (MmsbBatch, UInt64, UInt32, Ptr{UInt64},), batch, size, location, id)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_create_private_page(transaction::MmsbTransaction, size::UInt64, location::UInt32, id::Ptr{UInt64})::Int32

As `rust_transaction_create_page`, of a private page: see `rust_page_create_private`.

Errors: Sealed without a key, SizeOutOfRange, ReadOnly.

# Safety
`id` is null or valid for a write.
"""
@inline function rust_transaction_create_private_page(transaction, size, location, id)
    while true
        status = ccall(FUNCTIONS.rust_transaction_create_private_page, Int32, (MmsbTransaction, UInt64, UInt32, Ptr{UInt64},), transaction, size, location, id)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_derive(state::MmsbState, page::UInt64, parents::Ptr{UInt64}, count::Csize_t, formula::Ptr{UInt8}, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Has `page` computed by a formula (docs/formulas.md) from the `count` pages at `parents`, from now on
and at once. They become its parents over edges for data. `*lsn` receives the group's LSN, 0 if all
is so already; `note` and `lsn` may be null.

Errors: InvalidArgument for the formula, with the place in it; LengthMismatch for sizes that do not
fit it, Cycle, PageNotFound, PageFreed, NotOwner, Immutable. Then nothing changed.

# Safety
`parents` is null or points to `count` ids, `formula` is null or zero-terminated, `note` is null or
valid, `lsn` null or valid for a write.
"""
@inline function rust_propagate_derive(state, page, parents, count, formula, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_propagate_derive, Int32, (MmsbState, UInt64, Ptr{UInt64}, Csize_t, Ptr{UInt8}, Ptr{MmsbNote}, Ptr{UInt64},), state, page, parents, count, formula, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_derive_by(state::MmsbState, page::UInt64, parents::Ptr{UInt64}, count::Csize_t, name::Ptr{UInt8}, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

As `rust_propagate_derive`, by the callback that is registered under `name`.

Errors: NoCallback, CallbackFailed, and those of `rust_propagate_derive`.

# Safety
As `rust_propagate_derive`, with `name` in the formula's place.
"""
@inline function rust_propagate_derive_by(state, page, parents, count, name, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_propagate_derive_by, Int32, (MmsbState, UInt64, Ptr{UInt64}, Csize_t, Ptr{UInt8}, Ptr{MmsbNote}, Ptr{UInt64},), state, page, parents, count, name, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_derive_with(state::MmsbState, page::UInt64, parents::Ptr{UInt64}, count::Csize_t, name::Ptr{UInt8}, callback::MmsbRecompute, context::Ptr{Cvoid}, release::MmsbRelease, any_thread::Bool, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

As `rust_propagate_derive_by`, by a callback that is registered under `name` for it. If it fails, what
was registered under that name before still is. For more pages by the same callback:
`rust_propagate_derive_by`.

- `context`, `release`, `any_thread`: as in `rust_propagate_register`.

Errors: InvalidArgument if another callback of that name computes another page, NullHandle for
`callback`, and those of `rust_propagate_derive_by`.

# Safety
As `rust_propagate_derive_by` and `rust_propagate_register`.
"""
@inline function rust_propagate_derive_with(state, page, parents, count, name, callback, context, release, any_thread, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_propagate_derive_with, Int32, (MmsbState, UInt64, Ptr{UInt64}, Csize_t, Ptr{UInt8}, MmsbRecompute, Ptr{Cvoid}, MmsbRelease, Bool, Ptr{MmsbNote}, Ptr{UInt64},), state, page, parents, count, name, callback, context, release, any_thread, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_register(state::MmsbState, name::Ptr{UInt8}, callback::MmsbRecompute, context::Ptr{Cvoid}, release::MmsbRelease, any_thread::Bool)::Int32

Registers a callback that pages can be computed by, under a name of 1 to 255 bytes that stands in the
log, until the state is closed. A state that is opened again needs it before a parent of such a page
changes; replay does not. What was registered under the name goes, for all pages that are computed by
it; they are computed anew when a parent changes.

- `context`: given to each call.
- `release`: null, or called with `context` once that is not used any more, on any thread; also if
  this call fails.
- `any_thread`: whether it may be called on threads of the engine's own, an executor's workers. If
  not, work there that would call it fails.

Ownership: `context` stays the caller's until `release` is called.
Errors: NullHandle for `callback`, InvalidArgument for the name, Reentered, Closed.

# Safety
`name` is null or zero-terminated; `callback` and `release` may be called with `context` as said, by
the threads that write.
"""
@inline function rust_propagate_register(state, name, callback, context, release, any_thread)
    while true
        status = ccall(FUNCTIONS.rust_propagate_register, Int32, (MmsbState, Ptr{UInt8}, MmsbRecompute, Ptr{Cvoid}, MmsbRelease, Bool,), state, name, callback, context, release, any_thread)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_set_formula(state::MmsbState, page::UInt64, formula::Ptr{UInt8}, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Has `page` computed by a formula from the parents that it has over edges for data. `*lsn` receives
the group's LSN, 0 if it is so already; `note` and `lsn` may be null.

Errors: those of `rust_propagate_derive`.

# Safety
`formula` is null or zero-terminated, `note` is null or valid, `lsn` null or valid for a write.
"""
@inline function rust_propagate_set_formula(state, page, formula, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_propagate_set_formula, Int32, (MmsbState, UInt64, Ptr{UInt8}, Ptr{MmsbNote}, Ptr{UInt64},), state, page, formula, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_set_callback(state::MmsbState, page::UInt64, name::Ptr{UInt8}, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

As `rust_propagate_set_formula`, by the callback that is registered under `name`.

Errors: those of `rust_propagate_derive_by`.

# Safety
As `rust_propagate_set_formula`, with `name` in the formula's place.
"""
@inline function rust_propagate_set_callback(state, page, name, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_propagate_set_callback, Int32, (MmsbState, UInt64, Ptr{UInt8}, Ptr{MmsbNote}, Ptr{UInt64},), state, page, name, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_underive(state::MmsbState, page::UInt64, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Makes a page an ordinary one, with the content that it has. Its edges stay. `*lsn` receives the
record's LSN; `note` and `lsn` may be null.

Errors: NotDerived, PageNotFound, PageFreed.

# Safety
`note` is null or valid, `lsn` null or valid for a write.
"""
@inline function rust_propagate_underive(state, page, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_propagate_underive, Int32, (MmsbState, UInt64, Ptr{MmsbNote}, Ptr{UInt64},), state, page, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_rule(state::MmsbState, page::UInt64, kind::Ptr{UInt32}, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

What a page is computed by: `*kind` receives an `MmsbRuleKind`; the formula, or the callback's name,
is copied to `buf`, not terminated, which has room for `capacity` bytes; `len` receives their
number, also when the buffer is too small.

Errors: PageNotFound, PageFreed; LengthMismatch if the buffer is too small.

# Safety
`kind` and `len` are null or valid for a write, `buf` is null or valid for writes of `capacity`
bytes.
"""
@inline function rust_propagate_rule(state, page, kind, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_propagate_rule, Int32, (MmsbState, UInt64, Ptr{UInt32}, Ptr{UInt8}, Csize_t, Ptr{Csize_t},), state, page, kind, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_staleness(state::MmsbState, page::UInt64, out::Ptr{UInt32})::Int32

Whether a page is what its rule makes of its parents: `*out` receives an `MmsbStaleness`.

Errors: PageNotFound, PageFreed.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_propagate_staleness(state, page, out)
    while true
        status = ccall(FUNCTIONS.rust_propagate_staleness, Int32, (MmsbState, UInt64, Ptr{UInt32},), state, page, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_stale_pages(state::MmsbState, buf::Ptr{UInt64}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

The pages that are stale, or may be, ascending: copied to `buf`, which has room for `capacity`;
`len` receives their number, also when the buffer is too small.

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_propagate_stale_pages(state, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_propagate_stale_pages, Int32, (MmsbState, Ptr{UInt64}, Csize_t, Ptr{Csize_t},), state, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_run(state::MmsbState, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Computes all that is stale, each page once, parents first, as one group. `*lsn` receives its LSN, 0
if nothing is stale; `note` and `lsn` may be null.

Errors: those of computing: NoCallback, CallbackFailed, Impure, RangeOutOfBounds of a formula's
indexes. Then nothing changed.

# Safety
`note` is null or valid, `lsn` null or valid for a write.
"""
@inline function rust_propagate_run(state, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_propagate_run, Int32, (MmsbState, Ptr{MmsbNote}, Ptr{UInt64},), state, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_mode(state::MmsbState, out::Ptr{UInt32})::Int32

When derived pages are computed: `*out` receives an `MmsbPropagation`.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_propagate_mode(state, out)
    while true
        status = ccall(FUNCTIONS.rust_propagate_mode, Int32, (MmsbState, Ptr{UInt32},), state, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_set_mode(state::MmsbState, mode::UInt32)::Int32

Sets when derived pages are computed, an `MmsbPropagation`, until the state is closed. What is stale
by then is computed with the next change of a page that others are computed from, or by
`rust_propagate_run`.

Errors: InvalidArgument, Reentered.
"""
@inline function rust_propagate_set_mode(state, mode)
    while true
        status = ccall(FUNCTIONS.rust_propagate_set_mode, Int32, (MmsbState, UInt32,), state, mode)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_threads(state::MmsbState, out::Ptr{Csize_t})::Int32

Threads that share in computing pages by formulas, where many are due at once that do not derive from
each other: with so many bytes that it is worth it.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_propagate_threads(state, out)
    while true
        status = ccall(FUNCTIONS.rust_propagate_threads, Int32, (MmsbState, Ptr{Csize_t},), state, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_set_threads(state::MmsbState, threads::Csize_t)::Int32

Sets how many threads, 1 to 64, share in computing pages, the caller among them, until the state is
closed. At first as many as there are cores, 8 at most. The outcome is the same with any number.
Callbacks are called on the caller's thread alone.

Errors: InvalidArgument.
"""
@inline function rust_propagate_set_threads(state, threads)
    while true
        status = ccall(FUNCTIONS.rust_propagate_set_threads, Int32, (MmsbState, Csize_t,), state, threads)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_check_purity(state::MmsbState, check::Bool)::Int32

Has each callback called twice from now on, and compared, or no longer: a difference is Impure.
"""
@inline function rust_propagate_check_purity(state, check)
    while true
        status = ccall(FUNCTIONS.rust_propagate_check_purity, Int32, (MmsbState, Bool,), state, check)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_stats(state::MmsbState, out::Ptr{MmsbPropagationStats})::Int32

What propagation did since the state was opened.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_propagate_stats(state, out)
    while true
        status = ccall(FUNCTIONS.rust_propagate_stats, Int32, (MmsbState, Ptr{MmsbPropagationStats},), state, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_propagate_set_patient(patient::Bool)::Int32

Has calls that would wait for another thread's callback fail with Busy instead, in this process from
now on, or wait, as they do at first. For languages whose collector waits for all threads to come
back to the language: they try again.
"""
@inline function rust_propagate_set_patient(patient)
    while true
        status = ccall(FUNCTIONS.rust_propagate_set_patient, Int32, (Bool,), patient)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_tlog_reader_next(reader::MmsbReader, out::Ptr{MmsbChange}, more::Ptr{Bool})::Int32

Goes on to the next change: `*more` says whether there is one, and only then `out` is written.

Errors: Corrupt with file, offset and reason; the reader is then at its end.

# Safety
`out` and `more` are null or valid for a write. What an earlier call wrote to `out` points to
memory that this call frees.
"""
@inline function rust_tlog_reader_next(reader, out, more)
    while true
        status = ccall(FUNCTIONS.rust_tlog_reader_next, Int32, (MmsbReader, Ptr{MmsbChange}, Ptr{Bool},), reader, out, more)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_tlog_reader_delta(reader::MmsbReader, out::Ptr{MmsbDelta})::Int32

The delta of the change that the reader stands at, as one of the caller's own.

Ownership: `out` is freed with `rust_delta_free`.
Errors: InvalidArgument if the reader stands at no change of content.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_tlog_reader_delta(reader, out)
    while true
        status = ccall(FUNCTIONS.rust_tlog_reader_delta, Int32, (MmsbReader, Ptr{MmsbDelta},), reader, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_tlog_reader_free(reader::Ptr{MmsbReader})::Int32

Frees a reader. `*reader` becomes zero. Null and zero are fine.

# Safety
`reader` is null or valid for a read and a write.
"""
@inline function rust_tlog_reader_free(reader)
    while true
        status = ccall(FUNCTIONS.rust_tlog_reader_free, Int32, (Ptr{MmsbReader},), reader)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_soft_checkpoint(state::MmsbState, out::Ptr{MmsbSoftCheckpoint})::Int32

Marks the state as it is now, for `rust_state_revert`. Marks may be nested, released and gone
back to in any order; going back to one ends those made after it. A mark holds what changes after
it, as a snapshot does, and counts as one.

Ownership: `out` is freed with `rust_soft_checkpoint_release`. It is in memory alone, and keeps
the state's memory until then.
Errors: ReadOnly, Poisoned.
Cost: O(lanes), whatever the state's size.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_state_soft_checkpoint(state, out)
    while true
        status = ccall(FUNCTIONS.rust_state_soft_checkpoint, Int32, (MmsbState, Ptr{MmsbSoftCheckpoint},), state, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_revert(state::MmsbState, mark::MmsbSoftCheckpoint, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Makes content, metadata, owners, edges and existence of all pages what they were at a soft checkpoint: one
group, which is logged. Epochs go on growing, and ids given out since stay given out. The mark
then stands here and can be gone back to again; marks made after it are passed. Other writers
wait meanwhile. `*lsn` receives the group's LSN, 0 if nothing is different; `note` and `lsn` may
be null.

Errors: InvalidArgument for a mark of another state, CheckpointPassed, SnapshotTooOld, TooLarge
if more differs than one record holds, ReadOnly, NoSpace, Poisoned. Then nothing changed, and the
marks are as before.
Cost: O(pages that changed since, and their bytes).

# Safety
`note` is null or valid, `lsn` null or valid for a write.
"""
@inline function rust_state_revert(state, mark, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_state_revert, Int32, (MmsbState, MmsbSoftCheckpoint, Ptr{MmsbNote}, Ptr{UInt64},), state, mark, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_soft_checkpoint_lsn(mark::MmsbSoftCheckpoint, out::Ptr{UInt64})::Int32

The closed LSN that a soft checkpoint stands at. Going back to it moves it there.

Errors: CheckpointPassed.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_soft_checkpoint_lsn(mark, out)
    while true
        status = ccall(FUNCTIONS.rust_soft_checkpoint_lsn, Int32, (MmsbSoftCheckpoint, Ptr{UInt64},), mark, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_soft_checkpoint_release(mark::Ptr{MmsbSoftCheckpoint})::Int32

Gives a soft checkpoint up: what was held for it goes, the state stays as it is. `*mark` becomes
zero. Null and zero are fine.

# Safety
`mark` is null or valid for a read and a write.
"""
@inline function rust_soft_checkpoint_release(mark)
    while true
        status = ccall(FUNCTIONS.rust_soft_checkpoint_release, Int32, (Ptr{MmsbSoftCheckpoint},), mark)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_semiring_add(semiring::UInt32, a::Float64, b::Float64, out::Ptr{Float64})::Int32

a ⊕ b of an `MmsbSemiring`.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_semiring_add(semiring, a, b, out)
    while true
        status = ccall(FUNCTIONS.rust_semiring_add, Int32, (UInt32, Float64, Float64, Ptr{Float64},), semiring, a, b, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_semiring_mul(semiring::UInt32, a::Float64, b::Float64, out::Ptr{Float64})::Int32

a ⊗ b of an `MmsbSemiring`.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_semiring_mul(semiring, a, b, out)
    while true
        status = ccall(FUNCTIONS.rust_semiring_mul, Int32, (UInt32, Float64, Float64, Ptr{Float64},), semiring, a, b, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_semiring_fold_add(semiring::UInt32, values::Ptr{Float64}, count::Csize_t, out::Ptr{Float64})::Int32

⊕ over the `count` numbers at `values`, as the formula `accumulate` computes it; what changes
nothing under ⊕ over none.

# Safety
`values` is null or points to `count` numbers, `out` is null or valid for a write.
"""
@inline function rust_semiring_fold_add(semiring, values, count, out)
    while true
        status = ccall(FUNCTIONS.rust_semiring_fold_add, Int32, (UInt32, Ptr{Float64}, Csize_t, Ptr{Float64},), semiring, values, count, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_semiring_fold_mul(semiring::UInt32, values::Ptr{Float64}, count::Csize_t, out::Ptr{Float64})::Int32

⊗ over the `count` numbers at `values`; what changes nothing under ⊗ over none.

# Safety
As `rust_semiring_fold_add`.
"""
@inline function rust_semiring_fold_mul(semiring, values, count, out)
    while true
        status = ccall(FUNCTIONS.rust_semiring_fold_mul, Int32, (UInt32, Ptr{Float64}, Csize_t, Ptr{Float64},), semiring, values, count, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_semiring_accumulate(semiring::UInt32, total::Float64, values::Ptr{Float64}, count::Csize_t, out::Ptr{Float64})::Int32

`total` ⊕ (⊕ over the `count` numbers at `values`): goes on with a sum that was begun before.

# Safety
As `rust_semiring_fold_add`.
"""
@inline function rust_semiring_accumulate(semiring, total, values, count, out)
    while true
        status = ccall(FUNCTIONS.rust_semiring_accumulate, Int32, (UInt32, Float64, Ptr{Float64}, Csize_t, Ptr{Float64},), semiring, total, values, count, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_snapshot_new(state::MmsbState, out::Ptr{MmsbSnapshot})::Int32

Takes a snapshot; stops no writer. While it is open, pages that change keep their old content
beside the new. When open snapshots together hold more than `version_bytes_max` of the settings,
the oldest that hold anything are ended: all that read from them fail with SnapshotTooOld.

Ownership: `out` is freed with `rust_snapshot_free`, in any order: it stays as it is when the
state is closed, and keeps the state's memory until then.
Cost: O(lanes).

# Safety
`out` is null or valid for a write.
"""
@inline function rust_snapshot_new(state, out)
    while true
        status = ccall(FUNCTIONS.rust_snapshot_new, Int32, (MmsbState, Ptr{MmsbSnapshot},), state, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_snapshot_free(snapshot::Ptr{MmsbSnapshot})::Int32

Frees a snapshot. `*snapshot` becomes zero. Null and zero are fine.

# Safety
`snapshot` is null or valid for a read and a write.
"""
@inline function rust_snapshot_free(snapshot)
    while true
        status = ccall(FUNCTIONS.rust_snapshot_free, Int32, (Ptr{MmsbSnapshot},), snapshot)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_snapshot_lsn(snapshot::MmsbSnapshot, out::Ptr{UInt64})::Int32

The closed LSN that a snapshot stands at.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_snapshot_lsn(snapshot, out)
    while true
        status = ccall(FUNCTIONS.rust_snapshot_lsn, Int32, (MmsbSnapshot, Ptr{UInt64},), snapshot, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_snapshot_digest(snapshot::MmsbSnapshot, out::Ptr{NTuple{32,UInt8}})::Int32

Digest of a snapshot's content; as `rust_state_digest`.

# Safety
`out` is null or valid for writes of 32 bytes.
"""
@inline function rust_snapshot_digest(snapshot, out)
    while true
        status = ccall(FUNCTIONS.rust_snapshot_digest, Int32, (MmsbSnapshot, Ptr{NTuple{32,UInt8}},), snapshot, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_snapshot_page_size(snapshot::MmsbSnapshot, page::UInt64, out::Ptr{UInt64})::Int32

Bytes of a page in a snapshot.

Errors: PageNotFound if it did not exist then.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_snapshot_page_size(snapshot, page, out)
    while true
        status = ccall(FUNCTIONS.rust_snapshot_page_size, Int32, (MmsbSnapshot, UInt64, Ptr{UInt64},), snapshot, page, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_snapshot_page_epoch(snapshot::MmsbSnapshot, page::UInt64, out::Ptr{UInt64})::Int32

Epoch of a page's content in a snapshot.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_snapshot_page_epoch(snapshot, page, out)
    while true
        status = ccall(FUNCTIONS.rust_snapshot_page_epoch, Int32, (MmsbSnapshot, UInt64, Ptr{UInt64},), snapshot, page, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_snapshot_read(snapshot::MmsbSnapshot, page::UInt64, offset::UInt64, buf::Ptr{UInt8}, len::Csize_t)::Int32

Copies `len` bytes of a page in a snapshot, from `offset` on, to `buf`.

# Safety
`buf` is valid for `len` writes and holds initialised bytes.
"""
@inline function rust_snapshot_read(snapshot, page, offset, buf, len)
    while true
        status = ccall(FUNCTIONS.rust_snapshot_read, Int32, (MmsbSnapshot, UInt64, UInt64, Ptr{UInt8}, Csize_t,), snapshot, page, offset, buf, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_snapshot_metadata_get(snapshot::MmsbSnapshot, page::UInt64, key::Ptr{UInt8}, key_len::Csize_t, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

The value of a metadata key of a page in a snapshot: copied to `buf`, which has room for
`capacity` bytes; `len` receives its length, also when the buffer is too small.

Errors: PageNotFound if the page did not exist then, KeyNotFound, LengthMismatch.

# Safety
`key` is valid for its length, `buf` null or valid for `capacity` writes, `len` null or valid
for a write.
"""
@inline function rust_snapshot_metadata_get(snapshot, page, key, key_len, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_snapshot_metadata_get, Int32, (MmsbSnapshot, UInt64, Ptr{UInt8}, Csize_t, Ptr{UInt8}, Csize_t, Ptr{Csize_t},), snapshot, page, key, key_len, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_snapshot_metadata_keys(snapshot::MmsbSnapshot, page::UInt64, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

All metadata keys of a page in a snapshot, ascending: copied to `buf` as u16 length
(little-endian) and key, one after the other; `len` receives the bytes, also when the buffer is
too small.

Errors: PageNotFound if the page did not exist then, LengthMismatch.

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_snapshot_metadata_keys(snapshot, page, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_snapshot_metadata_keys, Int32, (MmsbSnapshot, UInt64, Ptr{UInt8}, Csize_t, Ptr{Csize_t},), snapshot, page, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_snapshot_list_pages(snapshot::MmsbSnapshot, buf::Ptr{UInt64}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

Copies the ids of all pages of a snapshot, ascending, to `buf`, which has room for `capacity`;
`len` receives their number, also when the buffer is too small.

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_snapshot_list_pages(snapshot, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_snapshot_list_pages, Int32, (MmsbSnapshot, Ptr{UInt64}, Csize_t, Ptr{Csize_t},), snapshot, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_config_default(durable::Bool, out::Ptr{MmsbConfig})::Int32

Writes the default settings to `out`: of a state in memory if `durable` is false, of a
`Buffered` state if it is true, whose `path` is then still to be set.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_config_default(durable, out)
    while true
        status = ccall(FUNCTIONS.rust_config_default, Int32, (Bool, Ptr{MmsbConfig},), durable, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_open(config::Ptr{MmsbConfig}, out::Ptr{MmsbState})::Int32

Opens a state. `config` null is a state in memory with default settings.

Ownership: `out` is closed with `rust_state_close`.
Errors: InvalidArgument, SizeOutOfRange, NotUtf8, Locked, Foreign, FileNotFound,
PermissionDenied, NoSpace, Corrupt, UnknownFormat, Io.
Cost: in memory about 100 ns; durable a few ms and the replay of the log after the last
checkpoint.

# Safety
`config` is null or valid, `out` null or valid for a write.
"""
@inline function rust_state_open(config, out)
    while true
        status = ccall(FUNCTIONS.rust_state_open, Int32, (Ptr{MmsbConfig}, Ptr{MmsbState},), config, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_close(state::Ptr{MmsbState})::Int32

Closes a state: flushes, syncs, releases the directory. `*state` becomes zero. Null and zero
are fine. Waits for calls that use the state in other threads. Views stay valid.

Errors: what the last flush and sync say; the state is closed all the same.

# Safety
`state` is null or valid for a read and a write.
"""
@inline function rust_state_close(state)
    while true
        status = ccall(FUNCTIONS.rust_state_close, Int32, (Ptr{MmsbState},), state)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_flush(state::MmsbState, lsn::Ptr{UInt64})::Int32

Hands all changes made before the call to the operating system. `lsn` may be null; it receives
the closed LSN that covers them.

# Safety
`lsn` is null or valid for a write.
"""
@inline function rust_state_flush(state, lsn)
    while true
        status = ccall(FUNCTIONS.rust_state_flush, Int32, (MmsbState, Ptr{UInt64},), state, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_sync(state::MmsbState, lsn::Ptr{UInt64})::Int32

Makes all changes made before the call durable. `lsn` may be null.

# Safety
`lsn` is null or valid for a write.
"""
@inline function rust_state_sync(state, lsn)
    while true
        status = ccall(FUNCTIONS.rust_state_sync, Int32, (MmsbState, Ptr{UInt64},), state, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_digest(state::MmsbState, out::Ptr{NTuple{32,UInt8}})::Int32

Writes the 256-bit digest of the content to the 32 bytes at `out`: pages with ids, epochs,
sizes, bytes and metadata.

Cost: one pass over all pages.

# Safety
`out` is null or valid for writes of 32 bytes.
"""
@inline function rust_state_digest(state, out)
    while true
        status = ccall(FUNCTIONS.rust_state_digest, Int32, (MmsbState, Ptr{NTuple{32,UInt8}},), state, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_page_count(state::MmsbState, out::Ptr{UInt64})::Int32

Number of live pages.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_state_page_count(state, out)
    while true
        status = ccall(FUNCTIONS.rust_state_page_count, Int32, (MmsbState, Ptr{UInt64},), state, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_list_pages(state::MmsbState, buf::Ptr{UInt64}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

Copies the ids of all live pages, ascending, to `buf`, which has room for `capacity`; `len`
receives their number, also when the buffer is too small (LengthMismatch).

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_state_list_pages(state, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_state_list_pages, Int32, (MmsbState, Ptr{UInt64}, Csize_t, Ptr{Csize_t},), state, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_is_read_only(state::MmsbState, out::Ptr{Bool})::Int32

Whether the state shows the past and refuses writes.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_state_is_read_only(state, out)
    while true
        status = ccall(FUNCTIONS.rust_state_is_read_only, Int32, (MmsbState, Ptr{Bool},), state, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_recovered(state::MmsbState, out::Ptr{MmsbRecovered})::Int32

What opening the state found.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_state_recovered(state, out)
    while true
        status = ccall(FUNCTIONS.rust_state_recovered, Int32, (MmsbState, Ptr{MmsbRecovered},), state, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_stats(state::MmsbState, out::Ptr{MmsbStats})::Int32

Counts, bytes, log positions and latencies.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_state_stats(state, out)
    while true
        status = ccall(FUNCTIONS.rust_state_stats, Int32, (MmsbState, Ptr{MmsbStats},), state, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_stats_json(state::MmsbState, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

The stats as one JSON object, UTF-8, not terminated: copied to `buf`, which has room for
`capacity` bytes; `len` receives the length, also when the buffer is too small.

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_state_stats_json(state, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_state_stats_json, Int32, (MmsbState, Ptr{UInt8}, Csize_t, Ptr{Csize_t},), state, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_prometheus(state::MmsbState, name::Ptr{UInt8}, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

The stats in the text format that Prometheus reads, UTF-8, not terminated: copied to `buf`, which
has room for `capacity` bytes; `len` receives the length, also when the buffer is too small. `name`
becomes the label `state` of each line; null for none.

# Safety
`name` is null or a zero-terminated string, `buf` null or valid for `capacity` writes, `len` null
or valid for a write.
"""
@inline function rust_state_prometheus(state, name, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_state_prometheus, Int32, (MmsbState, Ptr{UInt8}, Ptr{UInt8}, Csize_t, Ptr{Csize_t},), state, name, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_replay_to(state::MmsbState, lsn::UInt64, out::Ptr{MmsbState})::Int32

The state as it was when everything up to `lsn` had happened: detached, read-only, in memory. It
holds content, not the log that led to it: it has no past of its own, nothing to verify it by,
and makes no checkpoint (`rust_checkpoint_write` takes it).

Ownership: `out` is closed with `rust_state_close`, in any order.
Errors: HistoryDropped, LsnInFuture, Corrupt.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_state_replay_to(state, lsn, out)
    while true
        status = ccall(FUNCTIONS.rust_state_replay_to, Int32, (MmsbState, UInt64, Ptr{MmsbState},), state, lsn, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_replay_with(state::MmsbState, lsn::UInt64, progress::Ptr{Cvoid}, context::Ptr{Cvoid}, out::Ptr{MmsbState})::Int32

As `rust_state_replay_to`; `progress` is told the LSN of each record that is about to be applied.

Errors: also Cancelled.

# Safety
`progress` is null or may be called with `context`; `out` is null or valid for a write.
"""
@inline function rust_state_replay_with(state, lsn, progress, context, out)
    while true
        status = ccall(FUNCTIONS.rust_state_replay_with, Int32, (MmsbState, UInt64, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{MmsbState},), state, lsn, progress, context, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_at(page::MmsbPage, lsn::UInt64, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t}, epoch::Ptr{UInt64})::Int32

A page's content when everything up to `lsn` had happened: copied to `buf`, which has room for
`capacity` bytes; `len` receives the page's size, also when the buffer is too small. `epoch`
may be null.

Errors: HistoryDropped, LsnInFuture, PageNotFound (as of then), Corrupt.

# Safety
`buf` is null or valid for `capacity` writes, `len` and `epoch` null or valid for a write.
"""
@inline function rust_page_at(page, lsn, buf, capacity, len, epoch)
    while true
        status = ccall(FUNCTIONS.rust_page_at, Int32, (MmsbPage, UInt64, Ptr{UInt8}, Csize_t, Ptr{Csize_t}, Ptr{UInt64},), page, lsn, buf, capacity, len, epoch)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_verify(state::MmsbState, progress::Ptr{Cvoid}, context::Ptr{Cvoid}, out::Ptr{MmsbVerified})::Int32

Checks everything that is stored: each record of the kept log, each byte of the images, and
that a replay of the log gives the live state. `progress` may be null; it is told the bytes of
images and log checked so far. `out` may be null.

Errors: Corrupt with file, offset and reason. Cancelled by `progress`. HistoryDropped for a replayed state, which has no
log to be compared with.

# Safety
`progress` is null or may be called with `context`; `out` is null or valid for a write.
"""
@inline function rust_state_verify(state, progress, context, out)
    while true
        status = ccall(FUNCTIONS.rust_state_verify, Int32, (MmsbState, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{MmsbVerified},), state, progress, context, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_query_default(out::Ptr{MmsbQuery})::Int32

Writes a query for all changes that are kept to `out`.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_query_default(out)
    while true
        status = ccall(FUNCTIONS.rust_query_default, Int32, (Ptr{MmsbQuery},), out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_query(state::MmsbState, query::Ptr{MmsbQuery}, out::Ptr{MmsbReader})::Int32

Reads changes back from the log, in LSN order. `query` null is for all.

Ownership: `out` is freed with `rust_tlog_reader_free`, in any order. It reads as it goes and
stays valid when the state is closed; be at its end before the directory is opened again, which
may reuse log files that nothing needs any more.
Errors: HistoryDropped, PageNotFound, Corrupt.

# Safety
`query` is null or valid, `out` null or valid for a write.
"""
@inline function rust_state_query(state, query, out)
    while true
        status = ccall(FUNCTIONS.rust_state_query, Int32, (MmsbState, Ptr{MmsbQuery}, Ptr{MmsbReader},), state, query, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_create(state::MmsbState, size::UInt64, location::UInt32, note::Ptr{MmsbNote}, out::Ptr{MmsbPage})::Int32

Creates a page of `size` bytes (1 B to 1 GiB), all zero. `location` is an `MmsbLocation`; `note`
may be null.

Errors: SizeOutOfRange, InvalidArgument, OutOfMemory, NoSpace, TooLong, NotUtf8, ReadOnly,
Poisoned.
Cost: O(size) for clearing.

# Safety
`note` is null or valid, `out` null or valid for a write.
"""
@inline function rust_page_create(state, size, location, note, out)
    while true
        status = ccall(FUNCTIONS.rust_page_create, Int32, (MmsbState, UInt64, UInt32, Ptr{MmsbNote}, Ptr{MmsbPage},), state, size, location, note, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_state_pooled()::Csize_t

States that wait in the pool for reuse.
"""
@inline rust_state_pooled() =
    ccall(FUNCTIONS.rust_state_pooled, Csize_t, ())

"""
    rust_error_message()::Ptr{UInt8}

The message of the calling thread's last failed call: one sentence that names the value and the
limit. Never null; empty before the first failure. Valid until the thread's next failed call;
not to be freed.
"""
@inline rust_error_message() =
    ccall(FUNCTIONS.rust_error_message, Ptr{UInt8}, ())

"""
    rust_error_count()::Csize_t

Number of rows in the table of errors.
"""
@inline rust_error_count() =
    ccall(FUNCTIONS.rust_error_count, Csize_t, ())

"""
    rust_error_info(index::Csize_t, out::Ptr{MmsbErrorInfo})::Int32

Writes row `index` of the table of errors to `out`.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_error_info(index, out)
    while true
        status = ccall(FUNCTIONS.rust_error_info, Int32, (Csize_t, Ptr{MmsbErrorInfo},), index, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_error_is_retryable(code::Int32)::Bool

Whether the same call may succeed later without the caller changing it. False for codes that
are no errors.
"""
@inline rust_error_is_retryable(code) =
    ccall(FUNCTIONS.rust_error_is_retryable, Bool, (Int32,), code)

"""
    rust_error_is_fatal(code::Int32)::Bool

Whether the state that the code came from should be closed and opened again.
"""
@inline rust_error_is_fatal(code) =
    ccall(FUNCTIONS.rust_error_is_fatal, Bool, (Int32,), code)

"""
    rust_transaction_begin(state::MmsbState, read_only::Bool, out::Ptr{MmsbTransaction})::Int32

Begins a transaction; `read_only`: one that may not write. What it reads is of one moment, with its
own writes on top; what derives from those is computed at the commit. What it writes happens when it commits, all or nothing. When another changed
what it has read, the next call is Conflict, and so are all after it: begin anew (`rust_transact`
does). One thread uses it at a time.

Ownership: `out` is ended with `rust_transaction_commit` or `rust_transaction_abort`; it keeps the
state's memory until then.
Errors: ReadOnly, Poisoned.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_transaction_begin(state, read_only, out)
    while true
        status = ccall(FUNCTIONS.rust_transaction_begin, Int32, (MmsbState, Bool, Ptr{MmsbTransaction},), state, read_only, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_commit(transaction::Ptr{MmsbTransaction}, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Makes all that the transaction writes happen at once, as one record; ends it, `*transaction`
becomes zero, also on error. `*lsn` receives the record's LSN, 0 if nothing changed. `note` and
`lsn` may be null.

Errors: Conflict, and those of the single changes; then none of them happened.

# Safety
`transaction` is null or valid for a read and a write, `note` null or valid, `lsn` null or valid
for a write.
"""
@inline function rust_transaction_commit(transaction, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_transaction_commit, Int32, (Ptr{MmsbTransaction}, Ptr{MmsbNote}, Ptr{UInt64},), transaction, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_abort(transaction::Ptr{MmsbTransaction})::Int32

Gives a transaction up: it leaves nothing. `*transaction` becomes zero. Null and zero are fine.

# Safety
`transaction` is null or valid for a read and a write.
"""
@inline function rust_transaction_abort(transaction)
    while true
        status = ccall(FUNCTIONS.rust_transaction_abort, Int32, (Ptr{MmsbTransaction},), transaction)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_check(transaction::MmsbTransaction)::Int32

Looks whether all that the transaction has read still holds.

Errors: Conflict.
"""
@inline function rust_transaction_check(transaction)
    while true
        status = ccall(FUNCTIONS.rust_transaction_check, Int32, (MmsbTransaction,), transaction)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_read(transaction::MmsbTransaction, page::UInt64, offset::UInt64, buf::Ptr{UInt8}, len::Csize_t)::Int32

Copies `len` bytes of a page from `offset` on to `buf`, as the transaction has written them.

Errors: PageNotFound, PageFreed, RangeOutOfBounds, Conflict.

# Safety
`buf` is valid for `len` writes and holds initialised bytes.
"""
@inline function rust_transaction_read(transaction, page, offset, buf, len)
    while true
        status = ccall(FUNCTIONS.rust_transaction_read, Int32, (MmsbTransaction, UInt64, UInt64, Ptr{UInt8}, Csize_t,), transaction, page, offset, buf, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_page_size(transaction::MmsbTransaction, page::UInt64, out::Ptr{UInt64})::Int32

Bytes of a page.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_transaction_page_size(transaction, page, out)
    while true
        status = ccall(FUNCTIONS.rust_transaction_page_size, Int32, (MmsbTransaction, UInt64, Ptr{UInt64},), transaction, page, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_contains(transaction::MmsbTransaction, page::UInt64, out::Ptr{Bool})::Int32

Whether a page exists. The transaction depends on the answer.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_transaction_contains(transaction, page, out)
    while true
        status = ccall(FUNCTIONS.rust_transaction_contains, Int32, (MmsbTransaction, UInt64, Ptr{Bool},), transaction, page, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_list_pages(transaction::MmsbTransaction, buf::Ptr{UInt64}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

Ids of all pages, ascending, with those that the transaction creates, without those that it frees:
copied to `buf`, which has room for `capacity`; `len` receives their number, also when the buffer
is too small. Conflicts with whoever creates or frees a page before the commit.

# Safety
`buf` is null or valid for `capacity` writes, `len` null or valid for a write.
"""
@inline function rust_transaction_list_pages(transaction, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_transaction_list_pages, Int32, (MmsbTransaction, Ptr{UInt64}, Csize_t, Ptr{Csize_t},), transaction, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_create_page(transaction::MmsbTransaction, size::UInt64, location::UInt32, id::Ptr{UInt64})::Int32

Creates a page when the transaction commits; its id can be used in the transaction at once.

Errors: SizeOutOfRange, ReadOnly.

# Safety
`id` is null or valid for a write.
"""
@inline function rust_transaction_create_page(transaction, size, location, id)
    while true
        status = ccall(FUNCTIONS.rust_transaction_create_page, Int32, (MmsbTransaction, UInt64, UInt32, Ptr{UInt64},), transaction, size, location, id)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_free_page(transaction::MmsbTransaction, page::UInt64)::Int32

Frees a page when the transaction commits.

Errors: PageNotFound, PageFreed, NotOwner, Immutable, ReadOnly; at the commit HasChildren.
"""
@inline function rust_transaction_free_page(transaction, page)
    while true
        status = ccall(FUNCTIONS.rust_transaction_free_page, Int32, (MmsbTransaction, UInt64,), transaction, page)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_write(transaction::MmsbTransaction, page::UInt64, offset::UInt64, bytes::Ptr{UInt8}, len::Csize_t)::Int32

Writes the `len` bytes at `bytes`, which are copied, from `offset` on. What derives from the page is
computed when the transaction commits: until then it shows what it was.

Errors: PageNotFound, PageFreed, RangeOutOfBounds, NotOwner, Immutable, ReadOnly, TooLarge. Of a private
page without its key, the commit is Sealed.

# Safety
`bytes` is valid for `len` reads.
"""
@inline function rust_transaction_write(transaction, page, offset, bytes, len)
    while true
        status = ccall(FUNCTIONS.rust_transaction_write, Int32, (MmsbTransaction, UInt64, UInt64, Ptr{UInt8}, Csize_t,), transaction, page, offset, bytes, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_update(transaction::MmsbTransaction, page::UInt64, bytes::Ptr{UInt8}, len::Csize_t)::Int32

Makes the `len` bytes at `bytes`, exactly the page's size, which are copied, its content.

Errors: LengthMismatch, and those of `rust_transaction_write`.

# Safety
`bytes` is valid for `len` reads.
"""
@inline function rust_transaction_update(transaction, page, bytes, len)
    while true
        status = ccall(FUNCTIONS.rust_transaction_update, Int32, (MmsbTransaction, UInt64, Ptr{UInt8}, Csize_t,), transaction, page, bytes, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_apply(transaction::MmsbTransaction, delta::MmsbDelta)::Int32

Applies a delta, which is copied. The note of the commit counts, not the delta's.
"""
@inline function rust_transaction_apply(transaction, delta)
    while true
        status = ccall(FUNCTIONS.rust_transaction_apply, Int32, (MmsbTransaction, MmsbDelta,), transaction, delta)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_metadata_get(transaction::MmsbTransaction, page::UInt64, key::Ptr{UInt8}, key_len::Csize_t, buf::Ptr{UInt8}, capacity::Csize_t, len::Ptr{Csize_t})::Int32

The value of a metadata key: copied to `buf`, which has room for `capacity` bytes; `len` receives
its length, also when the buffer is too small.

Errors: KeyNotFound, LengthMismatch.

# Safety
`key` is valid for its length, `buf` null or valid for `capacity` writes, `len` null or valid for
a write.
"""
@inline function rust_transaction_metadata_get(transaction, page, key, key_len, buf, capacity, len)
    while true
        status = ccall(FUNCTIONS.rust_transaction_metadata_get, Int32, (MmsbTransaction, UInt64, Ptr{UInt8}, Csize_t, Ptr{UInt8}, Csize_t, Ptr{Csize_t},), transaction, page, key, key_len, buf, capacity, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_metadata_set(transaction::MmsbTransaction, page::UInt64, key::Ptr{UInt8}, key_len::Csize_t, value::Ptr{UInt8}, value_len::Csize_t)::Int32

Sets a metadata key of a page.

# Safety
`key` and `value` are valid for their lengths.
"""
@inline function rust_transaction_metadata_set(transaction, page, key, key_len, value, value_len)
    while true
        status = ccall(FUNCTIONS.rust_transaction_metadata_set, Int32, (MmsbTransaction, UInt64, Ptr{UInt8}, Csize_t, Ptr{UInt8}, Csize_t,), transaction, page, key, key_len, value, value_len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_metadata_remove(transaction::MmsbTransaction, page::UInt64, key::Ptr{UInt8}, key_len::Csize_t)::Int32

Takes a metadata key of a page away.

Errors: KeyNotFound.

# Safety
`key` is valid for its length.
"""
@inline function rust_transaction_metadata_remove(transaction, page, key, key_len)
    while true
        status = ccall(FUNCTIONS.rust_transaction_metadata_remove, Int32, (MmsbTransaction, UInt64, Ptr{UInt8}, Csize_t,), transaction, page, key, key_len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_set_ownership(transaction::MmsbTransaction, page::UInt64, ownership::UInt32)::Int32

Makes a page somebody's from the commit on: 0 shared, 1 immutable, else 2 and the partition's
number.

Errors: as `rust_page_set_ownership`.
"""
@inline function rust_transaction_set_ownership(transaction, page, ownership)
    while true
        status = ccall(FUNCTIONS.rust_transaction_set_ownership, Int32, (MmsbTransaction, UInt64, UInt32,), transaction, page, ownership)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_savepoint(transaction::MmsbTransaction, out::Ptr{MmsbSavepoint})::Int32

A place to go back to with `rust_transaction_rollback`.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_transaction_savepoint(transaction, out)
    while true
        status = ccall(FUNCTIONS.rust_transaction_savepoint, Int32, (MmsbTransaction, Ptr{MmsbSavepoint},), transaction, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_rollback(transaction::MmsbTransaction, to::MmsbSavepoint)::Int32

Takes back all that was written after a savepoint, and the savepoints after it. What was read
stays read.

Errors: InvalidArgument for one that was taken back, or another transaction's.
"""
@inline function rust_transaction_rollback(transaction, to)
    while true
        status = ccall(FUNCTIONS.rust_transaction_rollback, Int32, (MmsbTransaction, MmsbSavepoint,), transaction, to)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transact(state::MmsbState, retry::Ptr{MmsbRetry}, note::Ptr{MmsbNote}, body::Ptr{Cvoid}, context::Ptr{Cvoid}, lsn::Ptr{UInt64})::Int32

Begins, calls `body`, and commits, anew as long as it conflicts with others. What `body` returns
but 0 gives the transaction up and is the call's status, unless what it had read holds no longer:
then it may be a consequence of that, and `body` is called again. `*lsn` receives the record's
LSN, 0 if nothing changed. `retry`, `note` and `lsn` may be null.

Errors: those of `body` and of a commit; RetriesExhausted; Cancelled if `body` returns a number
that is no status; TransactionFinished if it ended the transaction.

# Safety
`retry` and `note` are null or valid, `body` is null or may be called with `context`, `lsn` null
or valid for a write.
"""
@inline function rust_transact(state, retry, note, body, context, lsn)
    while true
        status = ccall(FUNCTIONS.rust_transact, Int32, (MmsbState, Ptr{MmsbRetry}, Ptr{MmsbNote}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{UInt64},), state, retry, note, body, context, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_transaction_after_conflict(state::MmsbState, retry::Ptr{MmsbRetry}, conflicts::UInt32)::Int32

Waits after the `conflicts`th conflict in a row of a transaction, from 1: for callers that try again
themselves, as `rust_transact` does. The thread's last message is that of the conflict. `retry` may
be null.

Errors: RetriesExhausted if that was the last try.

# Safety
`retry` is null or valid for a read.
"""
@inline function rust_transaction_after_conflict(state, retry, conflicts)
    while true
        status = ccall(FUNCTIONS.rust_transaction_after_conflict, Int32, (MmsbState, Ptr{MmsbRetry}, UInt32,), state, retry, conflicts)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_partition_open(state::MmsbState, number::UInt32, out::Ptr{MmsbPartition})::Int32

Takes a partition, 0 to 65,535, until what is returned is freed: its pages are changed in its
transactions alone.

Ownership: `out` is freed with `rust_partition_free`.
Errors: PartitionInUse.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_partition_open(state, number, out)
    while true
        status = ccall(FUNCTIONS.rust_partition_open, Int32, (MmsbState, UInt32, Ptr{MmsbPartition},), state, number, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_partition_free(partition::Ptr{MmsbPartition})::Int32

Gives a partition back. `*partition` becomes zero. Null and zero are fine.

# Safety
`partition` is null or valid for a read and a write.
"""
@inline function rust_partition_free(partition)
    while true
        status = ccall(FUNCTIONS.rust_partition_free, Int32, (Ptr{MmsbPartition},), partition)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_partition_begin(partition::MmsbPartition, out::Ptr{MmsbTransaction})::Int32

As `rust_transaction_begin`, of one that may change the partition's pages, too.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_partition_begin(partition, out)
    while true
        status = ccall(FUNCTIONS.rust_partition_begin, Int32, (MmsbPartition, Ptr{MmsbTransaction},), partition, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_partition_transact(partition::MmsbPartition, retry::Ptr{MmsbRetry}, note::Ptr{MmsbNote}, body::Ptr{Cvoid}, context::Ptr{Cvoid}, lsn::Ptr{UInt64})::Int32

As `rust_transact`, for a partition.

# Safety
As `rust_transact`.
"""
@inline function rust_partition_transact(partition, retry, note, body, context, lsn)
    while true
        status = ccall(FUNCTIONS.rust_partition_transact, Int32, (MmsbPartition, Ptr{MmsbRetry}, Ptr{MmsbNote}, Ptr{Cvoid}, Ptr{Cvoid}, Ptr{UInt64},), partition, retry, note, body, context, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_ownership(page::MmsbPage, out::Ptr{UInt32})::Int32

Who may change a page: 0 anybody, 1 nobody ever again, else 2 and the number of the partition that
may.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_page_ownership(page, out)
    while true
        status = ccall(FUNCTIONS.rust_page_ownership, Int32, (MmsbPage, Ptr{UInt32},), page, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_page_set_ownership(page::MmsbPage, ownership::UInt32, note::Ptr{MmsbNote}, lsn::Ptr{UInt64})::Int32

Makes a shared page somebody's, or nobody's: 0 shared, 1 immutable, else 2 and the partition's
number. A partition's page is given away in a transaction of the partition. `note` and `lsn` may
be null; `*lsn` receives 0 if it is that already.

Errors: NotOwner, Immutable, PageNotFound, PageFreed, InvalidArgument.

# Safety
`note` is null or valid, `lsn` null or valid for a write.
"""
@inline function rust_page_set_ownership(page, ownership, note, lsn)
    while true
        status = ccall(FUNCTIONS.rust_page_set_ownership, Int32, (MmsbPage, UInt32, Ptr{MmsbNote}, Ptr{UInt64},), page, ownership, note, lsn)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_view_free(view::Ptr{MmsbView})::Int32

Frees a view. `*view` becomes zero; its data must no longer be used. Null and zero are fine.

# Safety
`view` is null or valid for a read and a write.
"""
@inline function rust_view_free(view)
    while true
        status = ccall(FUNCTIONS.rust_view_free, Int32, (Ptr{MmsbView},), view)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_view_data(view::MmsbView, data::Ptr{Ptr{UInt8}}, len::Ptr{Csize_t})::Int32

Start and length of a view's data, valid until the view is freed.

# Safety
`data` and `len` are null or valid for a write.
"""
@inline function rust_view_data(view, data, len)
    while true
        status = ccall(FUNCTIONS.rust_view_data, Int32, (MmsbView, Ptr{Ptr{UInt8}}, Ptr{Csize_t},), view, data, len)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

"""
    rust_view_epoch(view::MmsbView, out::Ptr{UInt64})::Int32

Epoch of a view's content.

# Safety
`out` is null or valid for a write.
"""
@inline function rust_view_epoch(view, out)
    while true
        status = ccall(FUNCTIONS.rust_view_epoch, Int32, (MmsbView, Ptr{UInt64},), view, out)
        status == MMSB_STATUS_BUSY || return status
        let_others_on()
    end
end

end # module API
