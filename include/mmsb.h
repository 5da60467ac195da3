/* MMSB, the Memory-Mapped State Bus: C and C++ interface.
 *
 * Generated from rust/ffi by cbindgen (make header); do not edit.
 *
 * Every fallible call returns MmsbStatus; results leave through out-pointers, which are written
 * only when it is MMSB_STATUS_OK. rust_error_message() has the sentence that names the value and
 * the limit. Handles are values: zero is null, a stale or foreign one is a status. Functions that
 * free take the handle's address and zero it. Any function may be called from any thread.
 */

#ifndef MMSB_H
#define MMSB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * What every fallible call returns. Numbers are permanent and grouped by hundreds: 1xx argument,
 * 2xx transaction, 3xx capacity, 4xx input and output, 5xx corruption, 6xx internal.
 */
enum MmsbStatus
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The call did what it says.
     */
    MMSB_STATUS_OK = 0,
    /**
     * A handle or a required pointer is null.
     */
    MMSB_STATUS_NULL_HANDLE = 101,
    /**
     * A handle was freed or closed before this call.
     */
    MMSB_STATUS_STALE_HANDLE = 102,
    /**
     * A handle is of another kind than the call takes, or was never given out.
     */
    MMSB_STATUS_WRONG_HANDLE = 103,
    /**
     * An argument has no meaning here.
     */
    MMSB_STATUS_INVALID_ARGUMENT = 104,
    /**
     * A page size, segment size or count is outside its limits.
     */
    MMSB_STATUS_SIZE_OUT_OF_RANGE = 105,
    /**
     * A buffer's length differs from what the call needs.
     */
    MMSB_STATUS_LENGTH_MISMATCH = 106,
    /**
     * A byte range does not lie inside its page.
     */
    MMSB_STATUS_RANGE_OUT_OF_BOUNDS = 107,
    /**
     * Runs of a delta are unsorted, overlapping or empty.
     */
    MMSB_STATUS_RUNS_INVALID = 108,
    /**
     * Bytes that must be UTF-8 are not.
     */
    MMSB_STATUS_NOT_UTF8 = 109,
    /**
     * A label, intent, key or value is longer than its limit.
     */
    MMSB_STATUS_TOO_LONG = 110,
    /**
     * No page of that id was ever created.
     */
    MMSB_STATUS_PAGE_NOT_FOUND = 111,
    /**
     * The page was freed.
     */
    MMSB_STATUS_PAGE_FREED = 112,
    /**
     * The state is a read-only one.
     */
    MMSB_STATUS_READ_ONLY = 113,
    /**
     * The state, view or log was closed.
     */
    MMSB_STATUS_CLOSED = 114,
    /**
     * An LSN lies after the last record.
     */
    MMSB_STATUS_LSN_IN_FUTURE = 115,
    /**
     * History at that LSN is no longer kept.
     */
    MMSB_STATUS_HISTORY_DROPPED = 116,
    /**
     * The page has no metadata under that key.
     */
    MMSB_STATUS_KEY_NOT_FOUND = 117,
    /**
     * No checkpoint of that name is kept.
     */
    MMSB_STATUS_CHECKPOINT_NOT_FOUND = 118,
    /**
     * The call's own progress callback asked it to stop: nothing was changed.
     */
    MMSB_STATUS_CANCELLED = 119,
    /**
     * The snapshot was ended, as snapshots held more memory than they may: take a new one.
     */
    MMSB_STATUS_SNAPSHOT_TOO_OLD = 120,
    /**
     * The state went back past the soft checkpoint, which ended it.
     */
    MMSB_STATUS_CHECKPOINT_PASSED = 121,
    /**
     * The edge would close a cycle: pages cannot derive from themselves.
     */
    MMSB_STATUS_CYCLE = 123,
    /**
     * Other pages derive from the page.
     */
    MMSB_STATUS_HAS_CHILDREN = 124,
    /**
     * There is no such edge.
     */
    MMSB_STATUS_EDGE_NOT_FOUND = 125,
    /**
     * The page is private, and the key that opens it was not given.
     */
    MMSB_STATUS_SEALED = 126,
    /**
     * The page was sealed with another key than the one that was given.
     */
    MMSB_STATUS_WRONG_KEY = 127,
    /**
     * The page is computed from others: nobody writes it by hand.
     */
    MMSB_STATUS_DERIVED = 131,
    /**
     * The page is not computed from others.
     */
    MMSB_STATUS_NOT_DERIVED = 132,
    /**
     * No callback is registered under the name by which a page is computed.
     */
    MMSB_STATUS_NO_CALLBACK = 133,
    /**
     * A callback that computes a page failed: nothing was changed.
     */
    MMSB_STATUS_CALLBACK_FAILED = 134,
    /**
     * A callback made two contents of the same parents: nothing was changed.
     */
    MMSB_STATUS_IMPURE = 135,
    /**
     * A callback that computes a page called its state.
     */
    MMSB_STATUS_REENTERED = 136,
    /**
     * Another thread computes a page by a callback, and callers are not to wait for that.
     */
    MMSB_STATUS_BUSY = 137,
    /**
     * Another transaction changed what this one read: nothing was changed, it is to be tried again.
     */
    MMSB_STATUS_CONFLICT = 201,
    /**
     * A transaction met others in every one of its tries.
     */
    MMSB_STATUS_RETRIES_EXHAUSTED = 202,
    /**
     * The transaction was committed or given up.
     */
    MMSB_STATUS_TRANSACTION_FINISHED = 203,
    /**
     * The page belongs to a partition, which alone changes it.
     */
    MMSB_STATUS_NOT_OWNER = 204,
    /**
     * The page was frozen: nobody changes it any more.
     */
    MMSB_STATUS_IMMUTABLE = 205,
    /**
     * The partition is held by somebody else.
     */
    MMSB_STATUS_PARTITION_IN_USE = 206,
    /**
     * A condition of an encoded transaction did not hold: nothing was changed.
     */
    MMSB_STATUS_CONDITION_FAILED = 207,
    /**
     * Memory could not be had, or a memory limit is reached.
     */
    MMSB_STATUS_OUT_OF_MEMORY = 301,
    /**
     * The disk is full: nothing was changed.
     */
    MMSB_STATUS_NO_SPACE = 302,
    /**
     * A group, delta or metadata map is larger than its limit.
     */
    MMSB_STATUS_TOO_LARGE = 303,
    /**
     * All handles of the C interface are in use.
     */
    MMSB_STATUS_TOO_MANY_HANDLES = 304,
    /**
     * The operating system refused to read or write.
     */
    MMSB_STATUS_IO = 401,
    /**
     * A file or directory does not exist.
     */
    MMSB_STATUS_FILE_NOT_FOUND = 402,
    /**
     * Permission to a file or directory is denied, or it is on a read-only medium.
     */
    MMSB_STATUS_PERMISSION_DENIED = 403,
    /**
     * The directory is open already, in this process or another.
     */
    MMSB_STATUS_LOCKED = 404,
    /**
     * The path is not a directory or an image of this engine.
     */
    MMSB_STATUS_FOREIGN = 405,
    /**
     * Stored bytes are damaged: a checksum, a link or a length does not fit.
     */
    MMSB_STATUS_CORRUPT = 501,
    /**
     * A file has a format version that this build does not know.
     */
    MMSB_STATUS_UNKNOWN_FORMAT = 502,
    /**
     * A panic was caught at the boundary; the state refuses writes.
     */
    MMSB_STATUS_PANIC = 601,
    /**
     * The state refuses writes since an earlier failed sync or panic.
     */
    MMSB_STATUS_POISONED = 602,
    /**
     * A broken promise inside the engine.
     */
    MMSB_STATUS_INTERNAL = 603,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum MmsbStatus MmsbStatus;
#else
typedef int32_t MmsbStatus;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How a page differs.
 */
typedef enum {
    /**
     * Only the second snapshot has the page.
     */
    MMSB_DIFFERENCE_KIND_CREATED = 1,
    /**
     * Only the first has it.
     */
    MMSB_DIFFERENCE_KIND_FREED = 2,
    /**
     * Both have it, with other content or metadata.
     */
    MMSB_DIFFERENCE_KIND_CHANGED = 3,
} MmsbDifferenceKind;

/**
 * What a change did to its page.
 */
typedef enum {
    /**
     * The page began.
     */
    MMSB_CHANGE_KIND_CREATED = 1,
    /**
     * The page ended.
     */
    MMSB_CHANGE_KIND_FREED = 2,
    /**
     * Content changed.
     */
    MMSB_CHANGE_KIND_WRITTEN = 3,
    /**
     * A metadata key changed.
     */
    MMSB_CHANGE_KIND_METADATA = 4,
    /**
     * The page, which had ended, began again, all zero: the state went back to a soft checkpoint.
     */
    MMSB_CHANGE_KIND_RESTORED = 5,
    /**
     * The page belongs to somebody else from then on.
     */
    MMSB_CHANGE_KIND_OWNED = 6,
    /**
     * The page derives from another from then on.
     */
    MMSB_CHANGE_KIND_EDGE_ADDED = 7,
    /**
     * The page derives from another no longer.
     */
    MMSB_CHANGE_KIND_EDGE_REMOVED = 8,
    /**
     * The content is computed by another rule from then on, or no longer computed.
     */
    MMSB_CHANGE_KIND_RULED = 9,
    /**
     * Content was computed anew by the page's formula; `rust_page_at` tells what it came to.
     */
    MMSB_CHANGE_KIND_DERIVED = 10,
    /**
     * Content was computed anew by a callback: the runs and bytes that changed.
     */
    MMSB_CHANGE_KIND_COMPUTED = 11,
    /**
     * Content became stale, or was found not to be.
     */
    MMSB_CHANGE_KIND_STALED = 12,
    /**
     * The content of a private page changed; `rust_page_at` tells what it came to.
     */
    MMSB_CHANGE_KIND_SEALED = 13,
} MmsbChangeKind;

/**
 * What an update waits for, and what a crash can take.
 */
typedef enum {
    /**
     * Nothing is written until a flush, a sync, a checkpoint or the close.
     */
    MMSB_DURABILITY_MEMORY = 0,
    /**
     * Flushed and synced in the background.
     */
    MMSB_DURABILITY_BUFFERED = 1,
    /**
     * An update returns after its record is on stable storage.
     */
    MMSB_DURABILITY_SYNC = 2,
} MmsbDurability;

/**
 * Where a page should live.
 */
typedef enum {
    /**
     * Main memory.
     */
    MMSB_LOCATION_CPU = 0,
    /**
     * Device memory, where there is any.
     */
    MMSB_LOCATION_GPU = 1,
    /**
     * Either.
     */
    MMSB_LOCATION_UNIFIED = 2,
} MmsbLocation;

/**
 * How the number at a place has to compare with another.
 */
enum MmsbRelation
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Equal.
     */
    MMSB_RELATION_EQUAL = 0,
    /**
     * Not equal.
     */
    MMSB_RELATION_NOT_EQUAL = 1,
    /**
     * Smaller.
     */
    MMSB_RELATION_LESS = 2,
    /**
     * Smaller or equal.
     */
    MMSB_RELATION_LESS_OR_EQUAL = 3,
    /**
     * Larger.
     */
    MMSB_RELATION_GREATER = 4,
    /**
     * Larger or equal.
     */
    MMSB_RELATION_GREATER_OR_EQUAL = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum MmsbRelation MmsbRelation;
#else
typedef uint32_t MmsbRelation;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What an edge from one page to another says.
 */
enum MmsbEdgeKind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The child is made of the parent's content.
     */
    MMSB_EDGE_KIND_DATA = 0,
    /**
     * The child comes after the parent.
     */
    MMSB_EDGE_KIND_CONTROL = 1,
    /**
     * The child's device work comes after the parent's.
     */
    MMSB_EDGE_KIND_DEVICE = 2,
    /**
     * A compiler found that the child depends on the parent.
     */
    MMSB_EDGE_KIND_COMPILER = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum MmsbEdgeKind MmsbEdgeKind;
#else
typedef uint32_t MmsbEdgeKind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What happened. A kind's bit in a mask is 1 << kind.
 */
enum MmsbEventKind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * A page came into being, or came back.
     */
    MMSB_EVENT_KIND_CREATED = 1,
    /**
     * A page's content changed.
     */
    MMSB_EVENT_KIND_CHANGED = 2,
    /**
     * A page was freed.
     */
    MMSB_EVENT_KIND_FREED = 3,
    /**
     * A derived page is no longer what its parents make of it.
     */
    MMSB_EVENT_KIND_STALE = 4,
    /**
     * A page derives from another from now on.
     */
    MMSB_EVENT_KIND_EDGE_ADDED = 5,
    /**
     * A page derives from another no longer.
     */
    MMSB_EVENT_KIND_EDGE_REMOVED = 6,
    /**
     * A metadata key of a page changed.
     */
    MMSB_EVENT_KIND_METADATA = 7,
    /**
     * A page belongs to somebody else.
     */
    MMSB_EVENT_KIND_OWNERSHIP = 8,
    /**
     * A group is complete: what it did stands before.
     */
    MMSB_EVENT_KIND_COMMITTED = 9,
    /**
     * A checkpoint was made.
     */
    MMSB_EVENT_KIND_CHECKPOINT = 10,
    /**
     * The state refuses writes from now on.
     */
    MMSB_EVENT_KIND_POISONED = 11,
    /**
     * Events are missing here: the subscription was full.
     */
    MMSB_EVENT_KIND_LOST = 12,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum MmsbEventKind MmsbEventKind;
#else
typedef uint32_t MmsbEventKind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How a page is computed.
 */
enum MmsbRuleKind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It is not.
     */
    MMSB_RULE_KIND_NONE = 0,
    /**
     * By a formula.
     */
    MMSB_RULE_KIND_FORMULA = 1,
    /**
     * By the callback that is registered under a name.
     */
    MMSB_RULE_KIND_CALLBACK = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum MmsbRuleKind MmsbRuleKind;
#else
typedef uint32_t MmsbRuleKind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Whether a derived page is what its rule makes of its parents.
 */
enum MmsbStaleness
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It is.
     */
    MMSB_STALENESS_FRESH = 0,
    /**
     * A page further up is stale: it may change when that is computed.
     */
    MMSB_STALENESS_BEHIND = 1,
    /**
     * A parent changed since it was computed.
     */
    MMSB_STALENESS_STALE = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum MmsbStaleness MmsbStaleness;
#else
typedef uint32_t MmsbStaleness;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * When derived pages are computed.
 */
enum MmsbPropagation
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * In the group of the change.
     */
    MMSB_PROPAGATION_IMMEDIATE = 0,
    /**
     * When `rust_propagate_run` is called; until then they are known as stale.
     */
    MMSB_PROPAGATION_DEFERRED = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum MmsbPropagation MmsbPropagation;
#else
typedef uint32_t MmsbPropagation;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Two operations, ⊕ and ⊗ (docs/formulas.md).
 */
enum MmsbSemiring
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Sums of products.
     */
    MMSB_SEMIRING_REAL = 0,
    /**
     * How many ways there are.
     */
    MMSB_SEMIRING_COUNTING = 1,
    /**
     * Whether there is a way: ⊕ is or, ⊗ is and; 0 is false, all else true.
     */
    MMSB_SEMIRING_BOOLEAN = 2,
    /**
     * The shortest way (tropical): ⊕ is min, ⊗ is +.
     */
    MMSB_SEMIRING_MIN_PLUS = 3,
    /**
     * The longest way (tropical): ⊕ is max, ⊗ is +.
     */
    MMSB_SEMIRING_MAX_PLUS = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum MmsbSemiring MmsbSemiring;
#else
typedef uint32_t MmsbSemiring;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Pages without a log. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbAllocator;

/**
 * A page of a state or of an allocator: a plain value, not to be freed. Page ids are never
 * reused, so a value that outlives its page is noticed.
 */
typedef struct {
    /**
     * Bits of the handle of the state or allocator.
     */
    uint64_t owner;
    /**
     * The page's id in it, from 1.
     */
    uint64_t id;
} MmsbPage;

/**
 * What an allocator's pages and blocks take.
 */
typedef struct {
    /**
     * Live pages.
     */
    uint64_t pages;
    /**
     * Bytes of them.
     */
    uint64_t page_bytes;
    /**
     * Bytes of frames in memory: pages, and what views still show of old ones.
     */
    uint64_t frame_bytes;
    /**
     * Plain blocks.
     */
    uint64_t blocks;
    /**
     * Bytes of them.
     */
    uint64_t block_bytes;
} MmsbAllocatorStats;

/**
 * A state. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbState;

/**
 * Changes that are to happen together. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbBatch;

/**
 * Who changes something, and why.
 */
typedef struct {
    /**
     * Label of who acts: UTF-8, zero-terminated, at most 255 bytes; null is empty.
     */
    const char *source;
    /**
     * Why: UTF-8, zero-terminated, at most 65,535 bytes; null for none.
     */
    const char *intent;
} MmsbNote;

/**
 * A change to one page, as callers build and inspect it. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbDelta;

/**
 * Told how far a long call has come, on the calling thread; `context` is the caller's own. Returns 0
 * to go on; anything else stops the call, which then returns Cancelled and has changed nothing.
 *
 * It may call the engine, but not end the object that it is called for, and must not leave by an
 * exception or `longjmp`.
 */
typedef int (*MmsbProgress)(void *context, uint64_t done);

/**
 * A checkpoint that is kept.
 */
typedef struct {
    /**
     * The closed LSN that it stands at.
     */
    uint64_t lsn;
    /**
     * Bytes of its file.
     */
    uint64_t bytes;
    /**
     * Its name, UTF-8, zero-terminated; empty if it has none.
     */
    char name[65];
} MmsbCheckpoint;

/**
 * All pages as they were. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbSnapshot;

/**
 * What differs between two snapshots. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbComparison;

/**
 * A stretch of a page, bytes.
 */
typedef struct {
    /**
     * From the page's start.
     */
    uint64_t offset;
    /**
     * At least 1.
     */
    uint64_t len;
} MmsbRun;

/**
 * A page that differs. The runs belong to the comparison and are valid until it is freed.
 */
typedef struct {
    /**
     * The page's id.
     */
    uint64_t page;
    /**
     * How it differs.
     */
    MmsbDifferenceKind kind;
    /**
     * `Changed`: metadata differs, or owner, edges or rule.
     */
    bool metadata;
    /**
     * `Changed`: stretches of content that differ, ascending; null for none.
     */
    const MmsbRun *runs;
    /**
     * Number of runs.
     */
    size_t runs_len;
} MmsbDifference;

/**
 * What a delta says of itself.
 */
typedef struct {
    /**
     * The page's id.
     */
    uint64_t page;
    /**
     * Whether it is the whole content of its page.
     */
    bool dense;
    /**
     * Runs.
     */
    size_t runs;
    /**
     * Bytes of new content.
     */
    size_t payload_bytes;
    /**
     * First byte that changes.
     */
    uint64_t span_begin;
    /**
     * One past the last byte that changes.
     */
    uint64_t span_end;
    /**
     * LSN of the record that it was read from; 0 for a delta that a caller built.
     */
    uint64_t lsn;
    /**
     * The page's epoch after it, if it was read from a record.
     */
    uint64_t epoch;
    /**
     * Wall clock of its record, milliseconds since 1970-01-01 UTC.
     */
    uint64_t time_ms;
} MmsbDeltaInfo;

/**
 * Which events a subscription wants, and how many of them may wait for it. Zeros are defaults.
 */
typedef struct {
    /**
     * Bits 1 << `MmsbEventKind`; 0 for all. Lost events are always told of.
     */
    uint64_t kinds;
    /**
     * Ids of pages, `page_count` of them; null for all pages. Of an edge either end counts, a
     * committed group is told if it did anything to one of them, and what is not of a page is told
     * always.
     */
    const uint64_t *pages;
    /**
     * Number of pages, at most 1,048,576.
     */
    size_t page_count;
    /**
     * Events that may wait: up to 16,777,216; 0 for 65,536. Each takes 48 bytes.
     */
    size_t capacity;
} MmsbEventFilter;

/**
 * Events of a state, as they come. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbEvents;

/**
 * One thing that happened.
 */
typedef struct {
    /**
     * The group that did it. Of a checkpoint: where it stands. Of a poisoned state: what is
     * durable. Of lost events: the least of the groups that are missing.
     */
    uint64_t lsn;
    /**
     * The page that it happened to, the child of an edge; 0 for none.
     */
    uint64_t page;
    /**
     * The parent of an edge; 0 for other kinds.
     */
    uint64_t other;
    /**
     * The page's epoch afterwards; 0 where there is none.
     */
    uint64_t epoch;
    /**
     * Of a committed group: the events that stand before it, if nothing was filtered out. Of lost
     * ones: how many. 0 for other kinds.
     */
    uint64_t count;
    /**
     * An `MmsbEventKind`.
     */
    uint32_t kind;
    /**
     * An `MmsbEdgeKind`; of no meaning for other kinds than edges.
     */
    uint32_t edge;
} MmsbEvent;

/**
 * A transaction as bytes. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbProgram;

/**
 * Where a number or some bytes stand.
 */
typedef struct {
    /**
     * The page's id.
     */
    uint64_t page;
    /**
     * Bytes from its start.
     */
    uint64_t offset;
} MmsbPlace;

/**
 * How often a transaction that met another is tried again.
 */
typedef struct {
    /**
     * Tries in all, at least 1; 0 for the default, 1,000.
     */
    uint32_t tries;
    /**
     * The longest pause between two, microseconds; 0 for the default, 1,000.
     */
    uint32_t pause_max_us;
} MmsbRetry;

/**
 * How an executor works. Zeros are defaults.
 */
typedef struct {
    /**
     * Workers, and partitions, from 0 on: 1 to 64; 0 for one per core.
     */
    uint32_t workers;
    /**
     * Do not bind workers to cores.
     */
    bool unpinned;
    /**
     * Work that may wait for one worker, what was submitted together as one; 0 for 1,024.
     */
    uint32_t queue_max;
    /**
     * How often what conflicts is tried again.
     */
    MmsbRetry retry;
} MmsbExecutorConfig;

/**
 * Worker threads that run transactions. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbExecutor;

/**
 * Where the results of what workers were given arrive. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbTickets;

/**
 * What became of one program or delta.
 */
typedef struct {
    /**
     * An `MmsbStatus`: `Cancelled` for what was not begun.
     */
    int32_t status;
    /**
     * LSN of its record, 0 if it changed nothing or failed.
     */
    uint64_t lsn;
} MmsbResult;

/**
 * What a page's content was made of. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbExplanation;

/**
 * What made a page's content. Pointers belong to the explanation and are valid until it is freed;
 * strings are UTF-8 and not terminated.
 */
typedef struct {
    /**
     * The page.
     */
    uint64_t page;
    /**
     * Epoch of the content.
     */
    uint64_t epoch;
    /**
     * LSN of the record that made it.
     */
    uint64_t lsn;
    /**
     * Wall clock, milliseconds since 1970-01-01 UTC.
     */
    uint64_t time_ms;
    /**
     * Label of who acted.
     */
    const char *source;
    /**
     * Bytes of the label.
     */
    size_t source_len;
    /**
     * Why; null if they did not say.
     */
    const char *intent;
    /**
     * Bytes of the intent.
     */
    size_t intent_len;
    /**
     * The formula, or the callback's name; null where the content was written.
     */
    const char *rule;
    /**
     * Bytes of it.
     */
    size_t rule_len;
    /**
     * An `MmsbRuleKind`.
     */
    uint32_t rule_kind;
    /**
     * What it was computed of, in order: indexes of the explanation.
     */
    const size_t *parents;
    /**
     * How many.
     */
    size_t parents_len;
} MmsbOrigin;

/**
 * An edge as one of its ends sees it.
 */
typedef struct {
    /**
     * The page at the other end.
     */
    uint64_t page;
    /**
     * An `MmsbEdgeKind`.
     */
    uint32_t kind;
} MmsbLink;

/**
 * A page's place in the order of the graph.
 */
typedef struct {
    /**
     * The page.
     */
    uint64_t page;
    /**
     * The most edges on a way to it from a page without parents.
     */
    uint32_t height;
} MmsbRank;

/**
 * A log by itself. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbTLog;

/**
 * How a state or log is opened. Fill it with `rust_config_default` first.
 */
typedef struct {
    /**
     * Directory: UTF-8, zero-terminated; null is a state in memory.
     */
    const char *path;
    /**
     * An `MmsbDurability`.
     */
    uint32_t durability;
    /**
     * Refuse to create a directory that does not exist.
     */
    bool must_exist;
    /**
     * `Buffered`: longest time until a record is handed to the operating system, microseconds.
     */
    uint64_t flush_every_us;
    /**
     * `Buffered`: time between syncs, microseconds.
     */
    uint64_t sync_every_us;
    /**
     * Size of a log segment, bytes.
     */
    uint64_t segment_bytes;
    /**
     * Bytes of records that wait to be flushed before an update has to wait. In `Buffered` an
     * update waits, too, while eight times as many wait to be synced.
     */
    uint64_t pending_bytes_max;
    /**
     * History to keep, bytes of log.
     */
    uint64_t history_bytes;
    /**
     * Memory that pages may take, older versions included, bytes; 0 for no limit. What would take
     * more is OutOfMemory and changes nothing.
     */
    uint64_t memory_bytes_max;
    /**
     * Bytes of older versions that open snapshots may hold together. Beyond it the oldest that
     * hold anything are ended: reading from them is SnapshotTooOld. Writers never fail nor wait
     * for it; views and checkpoints are not ended. 0 ends each snapshot at the first change of what it
     * shows.
     */
    uint64_t version_bytes_max;
} MmsbConfig;

/**
 * What a log holds.
 */
typedef struct {
    /**
     * Deltas.
     */
    uint64_t deltas;
    /**
     * Pages that they change.
     */
    uint64_t pages;
    /**
     * Bytes of new content.
     */
    uint64_t payload_bytes;
    /**
     * Bytes of the log's files in use.
     */
    uint64_t record_bytes;
    /**
     * First LSN; 0 if there is none.
     */
    uint64_t first;
    /**
     * Last LSN.
     */
    uint64_t last;
    /**
     * Wall clock of the first record, milliseconds since 1970-01-01 UTC.
     */
    uint64_t first_ms;
    /**
     * Wall clock of the last record.
     */
    uint64_t last_ms;
    /**
     * Different source labels.
     */
    uint64_t sources;
} MmsbTLogSummary;

/**
 * Walks changes in a log. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbReader;

/**
 * Which changes to read. Fill it with `rust_query_default` first.
 */
typedef struct {
    /**
     * Only this page; 0 for all.
     */
    uint64_t page;
    /**
     * Only above this LSN: 0 is before the very first record, which is HistoryDropped once that is
     * no longer kept. `UINT64_MAX`, which no record's LSN reaches, begins where history begins.
     */
    uint64_t after;
    /**
     * Only up to this LSN.
     */
    uint64_t to;
    /**
     * Only at or after this wall clock, milliseconds since 1970-01-01 UTC.
     */
    uint64_t from_ms;
    /**
     * Only at or before this wall clock.
     */
    uint64_t to_ms;
    /**
     * Only of this source: UTF-8, zero-terminated; null for all.
     */
    const char *source;
    /**
     * At most so many.
     */
    uint64_t limit;
} MmsbQuery;

/**
 * The heap. Counted while others allocate, figures of the same moment differ by what was on its
 * way.
 */
typedef struct {
    /**
     * Bytes of addresses.
     */
    uint64_t reserved;
    /**
     * Bytes of slabs that are used or retained.
     */
    uint64_t committed;
    /**
     * Bytes of blocks and spans that somebody has.
     */
    uint64_t in_use;
    /**
     * Bytes of free blocks in threads' magazines.
     */
    uint64_t cached;
    /**
     * Bytes of slabs that are kept though nothing stands in them.
     */
    uint64_t retained;
    /**
     * Most bytes that may be committed.
     */
    uint64_t limit;
    /**
     * Slabs of size classes.
     */
    uint64_t slabs;
    /**
     * Blocks above 1 MiB.
     */
    uint64_t spans;
    /**
     * Blocks that were freed by a thread that did not hold their slab.
     */
    uint64_t remote_frees;
    /**
     * Calls of the kernel since the process began.
     */
    uint64_t kernel_calls;
    /**
     * Mappings that the kernel keeps for the heap.
     */
    uint64_t mappings;
    /**
     * The part of the slabs in use that nobody has, 0 to 1.
     */
    double fragmentation;
} MmsbMemoryStats;

/**
 * One size class of the heap.
 */
typedef struct {
    /**
     * Bytes of a block.
     */
    uint64_t bytes;
    /**
     * Slabs of 2 MiB.
     */
    uint64_t slabs;
    /**
     * Blocks that somebody has.
     */
    uint64_t in_use;
    /**
     * Free blocks in threads' magazines.
     */
    uint64_t cached;
    /**
     * Free blocks that stand in slabs.
     */
    uint64_t free;
} MmsbMemoryClass;

/**
 * A page's content as it was. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbView;

/**
 * Reads and writes that happen at one moment. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbTransaction;

/**
 * Bytes that a callback is given.
 */
typedef struct {
    /**
     * The first of them; not null.
     */
    const uint8_t *data;
    /**
     * How many.
     */
    size_t len;
} MmsbBytes;

/**
 * Computes the content of `page` from the contents of its parents: fills the `len` bytes at `out`,
 * which are zero. Pointers are valid during the call. Returns 0, or another number
 * after it put a zero-terminated sentence of at most `capacity` bytes into `message`: then the whole
 * group fails with CallbackFailed and that sentence, and nothing changed.
 *
 * It depends on its parents alone: calls to the same state on the same thread fail with Reentered, and
 * the group fails with CallbackFailed, whatever the callback makes of that. It must not unwind or jump
 * out.
 */
typedef int32_t (*MmsbRecompute)(void *context,
                                 uint64_t page,
                                 const MmsbBytes *parents,
                                 size_t count,
                                 uint8_t *out,
                                 size_t len,
                                 char *message,
                                 size_t capacity);

/**
 * Called with a callback's context once that is not used any more: when the state ends, or another
 * callback is registered under the name.
 */
typedef void (*MmsbRelease)(void *context);

/**
 * What propagation did since the state was opened.
 */
typedef struct {
    /**
     * Derived pages.
     */
    uint64_t derived;
    /**
     * Derived pages that are stale, or may be.
     */
    uint64_t stale;
    /**
     * Times that a page was computed.
     */
    uint64_t computed;
    /**
     * Times that it came out as it was.
     */
    uint64_t cut_off;
    /**
     * Times that it was computed in a wave that several threads shared.
     */
    uint64_t shared;
} MmsbPropagationStats;

/**
 * One change to one page. Pointers belong to the reader and are valid until its next change or its
 * end; strings are UTF-8 and not terminated.
 */
typedef struct {
    /**
     * The record's LSN. Changes of one group share it.
     */
    uint64_t lsn;
    /**
     * Wall clock, milliseconds since 1970-01-01 UTC.
     */
    uint64_t time_ms;
    /**
     * The page's id.
     */
    uint64_t page;
    /**
     * The page's epoch after the change.
     */
    uint64_t epoch;
    /**
     * LSN of the record that changed the page before; 0 for none.
     */
    uint64_t prev;
    /**
     * What happened.
     */
    MmsbChangeKind kind;
    /**
     * `Created`, `Restored`: an `MmsbLocation`.
     */
    uint32_t location;
    /**
     * `Created`, `Restored`: bytes of the page.
     */
    uint64_t size;
    /**
     * Label of who acted.
     */
    const char *source;
    /**
     * Bytes of the label.
     */
    size_t source_len;
    /**
     * Why; null if they did not say.
     */
    const char *intent;
    /**
     * Bytes of the intent.
     */
    size_t intent_len;
    /**
     * `Metadata`: the key.
     */
    const uint8_t *key;
    /**
     * Bytes of the key.
     */
    size_t key_len;
    /**
     * `Metadata`: the value from then on; null if the key went.
     */
    const uint8_t *value;
    /**
     * Bytes of the value.
     */
    size_t value_len;
    /**
     * `Written`, `Computed`: runs.
     */
    size_t runs;
    /**
     * `Written`, `Computed`: bytes of new content, one run after the other.
     */
    const uint8_t *payload;
    /**
     * Bytes of new content.
     */
    size_t payload_len;
    /**
     * `EdgeAdded`, `EdgeRemoved`: the parent's id.
     */
    uint64_t parent;
    /**
     * `EdgeAdded`, `EdgeRemoved`: an `MmsbEdgeKind`.
     */
    uint32_t edge;
    /**
     * `Owned`: 0 for shared, 1 for immutable, else 2 and the partition's number.
     */
    uint32_t ownership;
    /**
     * `Ruled`: the formula, or the callback's name; null if the page is no longer computed.
     */
    const char *rule;
    /**
     * Bytes of it.
     */
    size_t rule_len;
    /**
     * `Ruled`: an `MmsbRuleKind`, 0 if the page is no longer computed.
     */
    uint32_t rule_kind;
    /**
     * `Staled`: an `MmsbStaleness`.
     */
    uint32_t staleness;
} MmsbChange;

/**
 * A mark that a state can go back to. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbSoftCheckpoint;

/**
 * What opening a state found.
 */
typedef struct {
    /**
     * Records that were replayed.
     */
    uint64_t records;
    /**
     * Bytes of them.
     */
    uint64_t bytes;
    /**
     * Whether a torn tail was cut off.
     */
    bool torn;
    /**
     * Where in its file.
     */
    uint64_t torn_offset;
    /**
     * How many bytes.
     */
    uint64_t torn_bytes;
} MmsbRecovered;

/**
 * Samples of a latency, nanoseconds.
 */
typedef struct {
    /**
     * Samples.
     */
    uint64_t count;
    /**
     * Mean.
     */
    uint64_t mean_ns;
    /**
     * Median, at most 6.25 % off.
     */
    uint64_t p50_ns;
    /**
     * 99th percentile, at most 6.25 % off.
     */
    uint64_t p99_ns;
    /**
     * Largest.
     */
    uint64_t max_ns;
} MmsbLatency;

/**
 * Counts, bytes, log positions and latencies.
 */
typedef struct {
    /**
     * Live pages.
     */
    uint64_t pages;
    /**
     * Bytes of live pages.
     */
    uint64_t page_bytes;
    /**
     * Bytes of frames in memory, older versions included.
     */
    uint64_t frame_bytes;
    /**
     * Older versions of pages, kept for snapshots and views.
     */
    uint64_t versions;
    /**
     * Bytes of their content.
     */
    uint64_t version_bytes;
    /**
     * Open snapshots.
     */
    uint64_t snapshots;
    /**
     * LSN of the oldest open snapshot, zero for none.
     */
    uint64_t oldest_snapshot_lsn;
    /**
     * Bytes that snapshots hold, as version_bytes_max counts them.
     */
    uint64_t snapshot_bytes;
    /**
     * Snapshots that were ended because they held more than that.
     */
    uint64_t snapshots_too_old;
    /**
     * The next page id.
     */
    uint64_t next_page_id;
    /**
     * Records written since the state was opened.
     */
    uint64_t records;
    /**
     * Bytes of those records.
     */
    uint64_t record_bytes;
    /**
     * Bytes that wait in lanes.
     */
    uint64_t pending_bytes;
    /**
     * Bytes handed to the operating system and not synced.
     */
    uint64_t unsynced_bytes;
    /**
     * Lanes in use.
     */
    uint64_t lanes;
    /**
     * Log segments kept.
     */
    uint64_t segments;
    /**
     * Bytes of log kept.
     */
    uint64_t log_bytes;
    /**
     * History is kept above this LSN.
     */
    uint64_t history_floor;
    /**
     * Everything at or below was handed to the operating system.
     */
    uint64_t written_lsn;
    /**
     * Everything at or below is on stable storage.
     */
    uint64_t durable_lsn;
    /**
     * LSN of the newest checkpoint, zero for none.
     */
    uint64_t checkpoint_lsn;
    /**
     * Checkpoints kept.
     */
    uint64_t checkpoints;
    /**
     * Records that opening replayed.
     */
    uint64_t recovered_records;
    /**
     * Bytes of a torn tail that opening cut off.
     */
    uint64_t torn_bytes;
    /**
     * Committed transactions of a partition that touched its own pages alone.
     */
    uint64_t transactions_owned;
    /**
     * All other committed transactions that changed something, and touched no private page.
     */
    uint64_t transactions_shared;
    /**
     * Committed transactions that touched private pages: each of those was opened, and sealed anew if it
     * changed.
     */
    uint64_t transactions_sealed;
    /**
     * Tries that met another transaction.
     */
    uint64_t transaction_conflicts;
    /**
     * Transactions that were given up after as many tries as they had.
     */
    uint64_t transactions_exhausted;
    /**
     * Time of a flush.
     */
    MmsbLatency flush;
    /**
     * Time of a sync.
     */
    MmsbLatency sync;
    /**
     * Time that an update waited for its sync, in `Sync`.
     */
    MmsbLatency commit;
    /**
     * Time of a checkpoint.
     */
    MmsbLatency checkpoint;
    /**
     * Time of a transaction from its last try's beginning to its commit, of every 64th.
     */
    MmsbLatency transaction;
    /**
     * The heap that all states and allocators of the process share.
     */
    MmsbMemoryStats memory;
} MmsbStats;

/**
 * What a verification looked at.
 */
typedef struct {
    /**
     * Records whose checksums, links and order were checked.
     */
    uint64_t records;
    /**
     * Bytes of them.
     */
    uint64_t record_bytes;
    /**
     * Images whose every byte was checked.
     */
    uint64_t images;
    /**
     * The closed LSN of the comparison.
     */
    uint64_t lsn;
    /**
     * Digest of the live state and of its replay, which are equal.
     */
    uint8_t digest[32];
} MmsbVerified;

/**
 * One row of the table of errors, in ascending order of codes.
 */
typedef struct {
    /**
     * The status code.
     */
    int32_t code;
    /**
     * Whether the same call may succeed later.
     */
    bool retryable;
    /**
     * Whether the state should be closed and opened again.
     */
    bool fatal;
    /**
     * Its name; UTF-8, `name_len` bytes, not terminated, valid for ever.
     */
    const char *name;
    /**
     * Bytes of the name.
     */
    size_t name_len;
    /**
     * What it means, in one sentence; UTF-8, `meaning_len` bytes, valid for ever.
     */
    const char *meaning;
    /**
     * Bytes of the meaning.
     */
    size_t meaning_len;
} MmsbErrorInfo;

/**
 * A place in a transaction to go back to: a plain value.
 */
typedef struct {
    /**
     * Which one it is, of all in the process.
     */
    uint64_t id;
} MmsbSavepoint;

/**
 * What a transaction consists of, for `rust_transact`: uses the transaction, without ending it, and
 * returns 0, or the `MmsbStatus` to give up with.
 */
typedef int (*MmsbBody)(void *context, MmsbTransaction transaction);

/**
 * The right to change the pages of a partition. Zero is null.
 */
typedef struct {
    /**
     * The handle's bits.
     */
    uint64_t id;
} MmsbPartition;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The library's version, as "major.minor.patch", zero-terminated, valid for ever.
 */
const char *rust_mmsb_version(void);

/**
 * A new allocator without pages: for scratch data in the same shape as a state's.
 *
 * Ownership: `out` is freed with `rust_allocator_free`.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_allocator_new(MmsbAllocator *out);

/**
 * Frees an allocator with all its pages and plain blocks. `*allocator` becomes zero. Null and zero
 * are fine. Views of pages stay valid; blocks do not.
 *
 * # Safety
 * `allocator` is null or valid for a read and a write.
 */
MmsbStatus rust_allocator_free(MmsbAllocator *allocator);

/**
 * Allocates a page of `size` bytes (1 B to 1 GiB), all zero. `location` is an `MmsbLocation`.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_allocator_allocate(MmsbAllocator allocator,
                                   uint64_t size,
                                   uint32_t location,
                                   MmsbPage *out);

/**
 * Frees a page. Its id is never used again.
 *
 * Errors: PageNotFound, PageFreed.
 */
MmsbStatus rust_allocator_release(MmsbAllocator allocator, uint64_t page);

/**
 * The page of that id, for the `rust_page_` functions.
 *
 * Errors: PageNotFound, PageFreed.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_allocator_get_page(MmsbAllocator allocator, uint64_t page, MmsbPage *out);

/**
 * Number of live pages.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_allocator_page_count(MmsbAllocator allocator, uint64_t *out);

/**
 * Copies the ids of all live pages, ascending, to `buf`, which has room for `capacity`; `len`
 * receives their number, also when the buffer is too small (LengthMismatch).
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_allocator_list_pages(MmsbAllocator allocator,
                                     uint64_t *buf,
                                     size_t capacity,
                                     size_t *len);

/**
 * Frees all pages and all plain blocks.
 */
MmsbStatus rust_allocator_clear(MmsbAllocator allocator);

/**
 * Makes memory for `count` more pages of `size` bytes (1 B to 1 MiB) ready: allocating them asks the
 * system for nothing.
 *
 * Errors: SizeOutOfRange, OutOfMemory beyond a limit: what could be made ready before stays.
 */
MmsbStatus rust_allocator_prewarm(MmsbAllocator allocator,
                                  uint64_t size,
                                  size_t count);

/**
 * What the allocator's pages and blocks take. `rust_memory_stats` counts the heap under all of them.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_allocator_stats(MmsbAllocator allocator,
                                MmsbAllocatorStats *out);

/**
 * Allocates a plain block of `size` bytes (up to 1 TiB) at a multiple of `align`, a power of two up to
 * 4,096: zero if `zeroed`, else with any content.
 *
 * Ownership: the block is freed with `rust_allocator_free_block`, else with the allocator or by
 * `rust_allocator_clear`; nobody may use it after that.
 *
 * Errors: SizeOutOfRange, InvalidArgument for the alignment, OutOfMemory.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_allocator_alloc_block(MmsbAllocator allocator,
                                      size_t size,
                                      size_t align,
                                      bool zeroed,
                                      void **out);

/**
 * Frees a plain block of this allocator.
 *
 * Errors: InvalidArgument if no block of it begins there, or none does any more; nothing happened
 * then.
 */
MmsbStatus rust_allocator_free_block(MmsbAllocator allocator, void *block);

/**
 * A batch of nothing yet.
 *
 * Ownership: `out` is ended with `rust_batch_commit` or `rust_batch_free`.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_batch_new(MmsbState state, MmsbBatch *out);

/**
 * Gives a batch up: none of its changes happens. `*batch` becomes zero. Null and zero are fine.
 *
 * # Safety
 * `batch` is null or valid for a read and a write.
 */
MmsbStatus rust_batch_free(MmsbBatch *batch);

/**
 * Makes all changes at once, as one record; ends the batch, `*batch` becomes zero, also on error.
 * `*lsn` receives the record's LSN, 0 if nothing changes. `note` and `lsn` may be null.
 *
 * Errors: those of the single changes; then none of them happened.
 *
 * # Safety
 * `batch` is null or valid for a read and a write, `note` null or valid, `lsn` null or valid for
 * a write.
 */
MmsbStatus rust_batch_commit(MmsbBatch *batch, const MmsbNote *note, uint64_t *lsn);

/**
 * Creates a page when the batch commits; its id can be used in the batch at once.
 *
 * # Safety
 * `id` is null or valid for a write.
 */
MmsbStatus rust_batch_create_page(MmsbBatch batch, uint64_t size, uint32_t location, uint64_t *id);

/**
 * Frees a page when the batch commits.
 */
MmsbStatus rust_batch_free_page(MmsbBatch batch, uint64_t page);

/**
 * Makes the `len` bytes at `bytes`, which are copied, the whole content of a page.
 *
 * # Safety
 * `bytes` is valid for `len` reads.
 */
MmsbStatus rust_batch_update(MmsbBatch batch, uint64_t page, const uint8_t *bytes, size_t len);

/**
 * Writes the `len` bytes at `bytes`, which are copied, from `offset` on. Several writes to one
 * page merge, the last one wins.
 *
 * # Safety
 * `bytes` is valid for `len` reads.
 */
MmsbStatus rust_batch_write(MmsbBatch batch,
                            uint64_t page,
                            uint64_t offset,
                            const uint8_t *bytes,
                            size_t len);

/**
 * Applies a delta, which is copied. The note of the batch counts, not the delta's.
 */
MmsbStatus rust_batch_apply(MmsbBatch batch, MmsbDelta delta);

/**
 * Sets a metadata key of a page.
 *
 * # Safety
 * `key` and `value` are valid for their lengths.
 */
MmsbStatus rust_batch_metadata_set(MmsbBatch batch,
                                   uint64_t page,
                                   const uint8_t *key,
                                   size_t key_len,
                                   const uint8_t *value,
                                   size_t value_len);

/**
 * Takes a metadata key of a page away.
 *
 * # Safety
 * `key` is valid for its length.
 */
MmsbStatus rust_batch_metadata_remove(MmsbBatch batch,
                                      uint64_t page,
                                      const uint8_t *key,
                                      size_t key_len);

/**
 * Makes a durable image of the state as of now, without stopping writers, and lets log go that
 * nothing needs. `name` (UTF-8, at most 64 bytes) keeps it until it is dropped; null for one that
 * later ones replace. `lsn` may be null.
 *
 * Errors: TooLong, NotUtf8, InvalidArgument for a name in use, ReadOnly for a replayed state,
 * NoSpace, Io, Poisoned. Then the state and what is kept of it are as before.
 * Cost: writing all pages once, and a few syncs.
 *
 * # Safety
 * `name` is null or valid, `lsn` null or valid for a write.
 */
MmsbStatus rust_checkpoint_create(MmsbState state, const char *name, uint64_t *lsn);

/**
 * As `rust_checkpoint_create`; `progress` is told the bytes of pages written so far. It must not
 * make another checkpoint of the state (InvalidArgument).
 *
 * Errors: also Cancelled; what is kept is then as before.
 *
 * # Safety
 * As `rust_checkpoint_create`; `progress` is null or may be called with `context`.
 */
MmsbStatus rust_checkpoint_create_with(MmsbState state,
                                       const char *name,
                                       MmsbProgress progress,
                                       void *context,
                                       uint64_t *lsn);

/**
 * Gives a named checkpoint up.
 *
 * Errors: CheckpointNotFound.
 *
 * # Safety
 * `name` is null or valid.
 */
MmsbStatus rust_checkpoint_drop(MmsbState state, const char *name);

/**
 * Copies the checkpoints that are kept, oldest first, to `buf`, which has room for `capacity`;
 * `len` receives their number, also when the buffer is too small.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_checkpoint_list(MmsbState state, MmsbCheckpoint *buf, size_t capacity, size_t *len);

/**
 * Writes an image of the state as of now to the file `path`, which must not exist. `lsn` may be
 * null.
 *
 * Errors: InvalidArgument if something of that name exists (it is left alone), FileNotFound for its
 * directory, NotUtf8, NoSpace, PermissionDenied, Io. Then no file is left behind.
 *
 * # Safety
 * `path` is null or valid, `lsn` null or valid for a write.
 */
MmsbStatus rust_checkpoint_write(MmsbState state, const char *path, uint64_t *lsn);

/**
 * As `rust_checkpoint_write`; `progress` is told the bytes of pages written so far.
 *
 * Errors: also Cancelled; then no file is left behind.
 *
 * # Safety
 * As `rust_checkpoint_write`; `progress` is null or may be called with `context`.
 */
MmsbStatus rust_checkpoint_write_with(MmsbState state,
                                      const char *path,
                                      MmsbProgress progress,
                                      void *context,
                                      uint64_t *lsn);

/**
 * Opens the image in the file `path` as a new state in memory. The file is mapped copy-on-write:
 * it never changes, and pages are read when they are first asked for.
 *
 * Ownership: `out` is closed with `rust_state_close`.
 * Errors: FileNotFound, Foreign for a directory or a file that never was an image, Corrupt,
 * UnknownFormat, Io.
 * Cost: about a millisecond, whatever the size.
 *
 * # Safety
 * `path` is null or valid, `out` null or valid for a write.
 */
MmsbStatus rust_checkpoint_load(const char *path, MmsbState *out);

/**
 * What differs in the snapshot `to` from what `from` shows: pages, content and metadata. Pages that
 * went there and back do not differ, whatever their epochs.
 *
 * Ownership: `out` is freed with `rust_comparison_free`.
 * Errors: InvalidArgument for snapshots of two states, SnapshotTooOld.
 * Cost: O(pages that changed after the older one) and a comparison of each.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_snapshot_compare(MmsbSnapshot from, MmsbSnapshot to, MmsbComparison *out);

/**
 * What differs in a state as of now from what the snapshot `from` shows; as
 * `rust_snapshot_compare`.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_state_compare(MmsbState state, MmsbSnapshot from, MmsbComparison *out);

/**
 * How many pages differ.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_comparison_len(MmsbComparison comparison, size_t *out);

/**
 * The page that differs at `index`, from 0; they ascend by id.
 *
 * Errors: InvalidArgument for an index beyond the last.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_comparison_get(MmsbComparison comparison, size_t index, MmsbDifference *out);

/**
 * Frees a comparison. `*comparison` becomes zero. Null and zero are fine.
 *
 * # Safety
 * `comparison` is null or valid for a read and a write.
 */
MmsbStatus rust_comparison_free(MmsbComparison *comparison);

/**
 * Writes what a snapshot shows to the file `path`, which must not exist: an image that
 * `rust_checkpoint_load` opens. `progress`, which may be null, is told the bytes of pages written
 * so far; `lsn` may be null.
 *
 * Errors: SnapshotTooOld, Cancelled, and those of `rust_checkpoint_write`. Then no file is left
 * behind.
 *
 * # Safety
 * `path` is null or valid, `lsn` null or valid for a write; `progress` is null or may be called
 * with `context`.
 */
MmsbStatus rust_snapshot_write(MmsbSnapshot snapshot,
                               const char *path,
                               MmsbProgress progress,
                               void *context,
                               uint64_t *lsn);

/**
 * A dense delta: the `len` bytes at `bytes` become the whole content of the page with the id
 * `page`, which has exactly that size. The bytes are copied.
 *
 * Ownership: `out` is freed with `rust_delta_free`.
 *
 * # Safety
 * `bytes` is valid for `len` reads, `out` null or valid for a write.
 */
MmsbStatus rust_delta_new(uint64_t page, const uint8_t *bytes, size_t len, MmsbDelta *out);

/**
 * A sparse delta: the bytes at `bytes` where the byte of `mask` is not zero. Both have `len`
 * bytes, exactly the page's size.
 *
 * # Safety
 * As `rust_delta_new`; `mask` is valid for `len` reads.
 */
MmsbStatus rust_delta_new_sparse(uint64_t page,
                                 const uint8_t *mask,
                                 const uint8_t *bytes,
                                 size_t len,
                                 MmsbDelta *out);

/**
 * A delta of `count` runs, ascending, not overlapping, none empty; `payload` holds their bytes one
 * after the other, `payload_len` in all.
 *
 * Errors: RunsInvalid, RangeOutOfBounds, LengthMismatch.
 *
 * # Safety
 * `runs` is valid for `count` reads, `payload` for `payload_len`, `out` null or valid for a write.
 */
MmsbStatus rust_delta_new_runs(uint64_t page,
                               const MmsbRun *runs,
                               size_t count,
                               const uint8_t *payload,
                               size_t payload_len,
                               MmsbDelta *out);

/**
 * A delta like this one with another note. Both strings are UTF-8, zero-terminated; null is none.
 *
 * Errors: TooLong, NotUtf8.
 *
 * # Safety
 * The strings are null or valid, `out` null or valid for a write.
 */
MmsbStatus rust_delta_with_note(MmsbDelta delta,
                                const char *source,
                                const char *intent,
                                MmsbDelta *out);

/**
 * Frees a delta. `*delta` becomes zero. Null and zero are fine.
 *
 * # Safety
 * `delta` is null or valid for a read and a write.
 */
MmsbStatus rust_delta_free(MmsbDelta *delta);

/**
 * Applies a delta to the page that it names in the state or allocator `owner` (the `id` of an
 * `MmsbState` or `MmsbAllocator`), with its own note. `*lsn` receives the record's LSN, 0 if
 * nothing changed or for an allocator. `lsn` may be null.
 *
 * Errors: those of `rust_page_update`, RunsInvalid, RangeOutOfBounds.
 *
 * # Safety
 * `lsn` is null or valid for a write.
 */
MmsbStatus rust_delta_apply(MmsbDelta delta, uint64_t owner, uint64_t *lsn);

/**
 * Both deltas in one, the later one winning where they overlap. Both change the same page.
 *
 * Ownership: `out` is freed with `rust_delta_free`; the two stay as they are.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_delta_merge(MmsbDelta earlier, MmsbDelta later, MmsbDelta *out);

/**
 * Checks that the delta fits a page of `page_size` bytes.
 *
 * Errors: LengthMismatch, RunsInvalid, RangeOutOfBounds, each naming value and limit.
 */
MmsbStatus rust_delta_validate(MmsbDelta delta, size_t page_size);

/**
 * What a delta says of itself.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_delta_info(MmsbDelta delta, MmsbDeltaInfo *out);

/**
 * Copies the delta's runs to `buf`, which has room for `capacity`; `len` receives their number,
 * also when the buffer is too small.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_delta_runs(MmsbDelta delta, MmsbRun *buf, size_t capacity, size_t *len);

/**
 * Copies the bytes of all runs, one after the other, to `buf`; `len` receives how many there are,
 * also when the buffer is too small.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_delta_payload(MmsbDelta delta, uint8_t *buf, size_t capacity, size_t *len);

/**
 * Copies the delta's source label, UTF-8, not terminated, to `buf`; `len` receives its length.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_delta_source(MmsbDelta delta, uint8_t *buf, size_t capacity, size_t *len);

/**
 * Copies the delta's intent, UTF-8, not terminated, to `buf`; `len` receives its length and
 * `present` whether there is one.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` and `present` null or valid for a write.
 */
MmsbStatus rust_delta_intent(MmsbDelta delta,
                             uint8_t *buf,
                             size_t capacity,
                             size_t *len,
                             bool *present);

/**
 * As `rust_delta_apply`, for callers that keep pages by value: `page` must be the page that the
 * delta names.
 *
 * Errors: those of `rust_delta_apply`; InvalidArgument if the delta names another page.
 *
 * # Safety
 * `lsn` is null or valid for a write.
 */
MmsbStatus rust_delta_apply_to(MmsbDelta delta, MmsbPage page, uint64_t *lsn);

/**
 * Tells of everything that happens from now on and passes the filter; null is everything.
 *
 * A group's events come together, in the order of its entries in the log, its MMSB_EVENT_KIND_COMMITTED
 * last. They tell of what can be read; `rust_state_sync` says what is durable. Each page's events
 * ascend by LSN. Groups that have no page in common may come in another order than their LSNs, the
 * same for all subscriptions of a state. Writers never wait for a subscription: a group that does
 * not fit is dropped whole, and an event of the kind MMSB_EVENT_KIND_LOST stands there instead.
 *
 * Ownership: `out` is freed with `rust_events_free`. It may outlive its state.
 * Errors: InvalidArgument, SizeOutOfRange, TooLarge for the filter, OutOfMemory.
 *
 * # Safety
 * `filter` is null or valid with its pages, `out` null or valid for a write.
 */
MmsbStatus rust_events_subscribe(MmsbState state,
                                 const MmsbEventFilter *filter,
                                 MmsbEvents *out);

/**
 * Takes the oldest events that wait, `capacity` at most, without waiting: `*count` receives how many
 * were written to `buf`, 0 if none wait.
 *
 * Errors: Closed once nothing is left of a subscription that was closed, or whose state was.
 * Cost: about 5 ns an event.
 *
 * # Safety
 * `buf` is valid for `capacity` writes, `count` null or valid for a write.
 */
MmsbStatus rust_events_poll(MmsbEvents events,
                            MmsbEvent *buf,
                            size_t capacity,
                            size_t *count);

/**
 * Waits until an event waits, for `timeout_us` microseconds at most, UINT64_MAX for as long as it
 * takes. `*ready` receives whether one does.
 *
 * Errors: Closed, as for `rust_events_poll`; whoever waits is woken by it.
 *
 * # Safety
 * `ready` is null or valid for a write.
 */
MmsbStatus rust_events_wait(MmsbEvents events, uint64_t timeout_us, bool *ready);

/**
 * The closed LSN that a subscription begins at: it is told of every group above, and of none at or
 * below.
 *
 * # Safety
 * `lsn` is null or valid for a write.
 */
MmsbStatus rust_events_since(MmsbEvents events, uint64_t *lsn);

/**
 * How many events, and groups, a subscription was not told so far, as it was full. `lost` and
 * `groups` may be null.
 *
 * # Safety
 * `lost` and `groups` are null or valid for a write.
 */
MmsbStatus rust_events_lost(MmsbEvents events, uint64_t *lost, uint64_t *groups);

/**
 * Ends a subscription and wakes whoever waits for it, who gets Closed; what waits is dropped. The
 * handle is still to be freed. Again changes nothing.
 */
MmsbStatus rust_events_close(MmsbEvents events);

/**
 * Ends a subscription, as `rust_events_close`, and frees it. `*events` becomes zero. Null and zero
 * are fine.
 *
 * # Safety
 * `events` is null or valid for a read and a write.
 */
MmsbStatus rust_events_free(MmsbEvents *events);

/**
 * A program of no steps. Its steps are done in order, as one transaction.
 *
 * Ownership: `out` is freed with `rust_program_free`.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_program_new(MmsbProgram *out);

/**
 * A program as `rust_program_bytes` gave it.
 *
 * Ownership: `out` is freed with `rust_program_free`.
 * Errors: InvalidArgument for bytes that are none.
 *
 * # Safety
 * `bytes` is valid for `len` reads, `out` null or valid for a write.
 */
MmsbStatus rust_program_from_bytes(const uint8_t *bytes, size_t len, MmsbProgram *out);

/**
 * Frees a program. `*program` becomes zero. Null and zero are fine.
 *
 * # Safety
 * `program` is null or valid for a read and a write.
 */
MmsbStatus rust_program_free(MmsbProgram *program);

/**
 * Adds a step: the 64-bit integer at a place grows, wrapping.
 */
MmsbStatus rust_program_add(MmsbProgram program, MmsbPlace at, int64_t by);

/**
 * Adds a step: the double at a place grows.
 */
MmsbStatus rust_program_add_float(MmsbProgram program, MmsbPlace at, double by);

/**
 * Adds a step: `len` bytes at a place become those at `bytes` if they are those at `expected`; else
 * the program fails with ConditionFailed.
 *
 * # Safety
 * `expected` and `bytes` are valid for `len` reads.
 */
MmsbStatus rust_program_compare_and_swap(MmsbProgram program,
                                         MmsbPlace at,
                                         const uint8_t *expected,
                                         const uint8_t *bytes,
                                         size_t len);

/**
 * Adds a step: `amount` goes from the unsigned 64-bit integer at one place to that at another; the
 * program fails with ConditionFailed if there is less.
 */
MmsbStatus rust_program_transfer(MmsbProgram program,
                                 MmsbPlace from,
                                 MmsbPlace to,
                                 uint64_t amount);

/**
 * Adds a step: the `len` bytes at `bytes` go to a place.
 *
 * # Safety
 * `bytes` is valid for `len` reads.
 */
MmsbStatus rust_program_write(MmsbProgram program, MmsbPlace at, const uint8_t *bytes, size_t len);

/**
 * Adds a step: the program fails with ConditionFailed unless the unsigned 64-bit integer at a place
 * compares with `value` as `relation`, an `MmsbRelation`, says.
 */
MmsbStatus rust_program_require(MmsbProgram program,
                                MmsbPlace at,
                                uint32_t relation,
                                uint64_t value);

/**
 * The program's steps as bytes: copied to `buf`, which has room for `capacity`; `len` receives
 * their number, also when the buffer is too small.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_program_bytes(MmsbProgram program, uint8_t *buf, size_t capacity, size_t *len);

/**
 * Starts workers that each hold a partition, from 0 on, and run what they are given. `config` may be
 * null.
 *
 * Ownership: `out` is freed with `rust_executor_free` or `rust_executor_stop`.
 * Errors: SizeOutOfRange, PartitionInUse, Io.
 *
 * # Safety
 * `config` is null or valid for a read, `out` null or valid for a write.
 */
MmsbStatus rust_executor_new(MmsbState state,
                             const MmsbExecutorConfig *config,
                             MmsbExecutor *out);

/**
 * Does all that was submitted, and ends the workers. `*executor` becomes zero. Null and zero are
 * fine.
 *
 * # Safety
 * `executor` is null or valid for a read and a write.
 */
MmsbStatus rust_executor_free(MmsbExecutor *executor);

/**
 * Ends the workers after the program or deltas that they are at; what waits is not begun, and its results
 * are Cancelled. `*left` receives how many programs and deltas that were; it may be null. `*executor`
 * becomes zero.
 *
 * # Safety
 * `executor` is null or valid for a read and a write, `left` null or valid for a write.
 */
MmsbStatus rust_executor_stop(MmsbExecutor *executor,
                              size_t *left);

/**
 * How many workers there are, and how many of them are bound to a core of their own.
 *
 * # Safety
 * `workers` and `pinned` are null or valid for a write.
 */
MmsbStatus rust_executor_workers(MmsbExecutor executor, size_t *workers, size_t *pinned);

/**
 * Has workers run `count` programs, which are copied: those of one partition in the order in which
 * they stand here, those whose pages belong to several across them. `source` labels their records;
 * null is empty. Waits for room in the queues.
 *
 * Ownership: `out` is ended with `rust_tickets_wait` or `rust_tickets_free`.
 * Errors: Closed if the executor is. A program's own error is its result, Closed if the state is.
 *
 * # Safety
 * `programs` is valid for `count` reads, `source` null or a zero-terminated string, `out` null or
 * valid for a write.
 */
MmsbStatus rust_executor_submit(MmsbExecutor executor,
                                const MmsbProgram *programs,
                                size_t count,
                                const char *source,
                                MmsbTickets *out);

/**
 * Has workers apply `count` deltas, which are copied: those of one page in their order, different
 * pages at the same time. Each is a group of its own, with the note that it carries. A few deltas to
 * shared pages that nothing derives from are applied by the caller while the workers have nothing to
 * do: waking them takes longer.
 *
 * Where groups wait for a sync, a worker's wait together for one. If that fails, it is the error of
 * each of them.
 *
 * Ownership and errors: as `rust_executor_submit`.
 *
 * # Safety
 * `deltas` is valid for `count` reads, `out` null or valid for a write.
 */
MmsbStatus rust_executor_apply(MmsbExecutor executor,
                               const MmsbDelta *deltas,
                               size_t count,
                               MmsbTickets *out);

/**
 * Whether all results are there.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_tickets_ready(MmsbTickets tickets, bool *out);

/**
 * Waits for all results, which are written to `results` in the order of what was submitted; `count`
 * is how many that was. `rust_result_message` tells more of those that failed. Ends the tickets,
 * `*tickets` becomes zero.
 *
 * Errors: LengthMismatch if `count` is another number; then nothing is ended.
 *
 * # Safety
 * `tickets` is null or valid for a read and a write, `results` valid for `count` writes and
 * initialised.
 */
MmsbStatus rust_tickets_wait(MmsbTickets *tickets, MmsbResult *results, size_t count);

/**
 * The message of the result at place `at` of the calling thread's last `rust_tickets_wait`: one sentence
 * that names the value and the limit. Never null; empty for what succeeded. Valid until the thread's next
 * wait; not to be freed.
 */
const char *rust_result_message(size_t at);

/**
 * Gives tickets up: what was submitted is done all the same. `*tickets` becomes zero. Null and zero
 * are fine.
 *
 * # Safety
 * `tickets` is null or valid for a read and a write.
 */
MmsbStatus rust_tickets_free(MmsbTickets *tickets);

/**
 * Tells what made the content of a page, which parents at which epochs, and what made those, back to
 * what was written by hand. Of a stale page: what it was made of when it was computed.
 *
 * Ownership: `out` is freed with `rust_explanation_free`.
 * Errors: PageNotFound, PageFreed, Corrupt with file and offset.
 * Cost: a few us for each content in the answer, and 1 us for each change of one of these pages since.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_propagate_explain(MmsbState state,
                                  uint64_t page,
                                  MmsbExplanation *out);

/**
 * How many contents an explanation tells of: the page's own is the first. `*dropped` receives how many
 * it leaves out, as they were made before history begins.
 *
 * # Safety
 * `count` and `dropped` are null or valid for a write.
 */
MmsbStatus rust_explanation_len(MmsbExplanation explanation,
                                size_t *count,
                                uint64_t *dropped);

/**
 * The content at `index`, from 0.
 *
 * Errors: InvalidArgument for an index beyond the last.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_explanation_get(MmsbExplanation explanation, size_t index, MmsbOrigin *out);

/**
 * The explanation as text, a line for each content, copied to `buf`, not terminated, which has room
 * for `capacity` bytes; `len` receives their number, also when the buffer is too small.
 *
 * # Safety
 * `buf` is null or valid for writes of `capacity` bytes, `len` null or valid for a write.
 */
MmsbStatus rust_explanation_text(MmsbExplanation explanation,
                                 uint8_t *buf,
                                 size_t capacity,
                                 size_t *len);

/**
 * Frees an explanation. `*explanation` becomes zero. Null and zero are fine.
 *
 * # Safety
 * `explanation` is null or valid for a read and a write.
 */
MmsbStatus rust_explanation_free(MmsbExplanation *explanation);

/**
 * Adds an edge: the page `child` derives from `parent`. `kind` is an `MmsbEdgeKind`; between two pages
 * there may be one edge of each. `*lsn` receives the record's LSN, 0 if the edge is there already;
 * `note` and `lsn` may be null.
 *
 * Errors: Cycle, which names the pages on it, PageNotFound, PageFreed, InvalidArgument. Then nothing
 * changed.
 * Cost: about 0.1 us where pages are added in an order that fits.
 *
 * # Safety
 * `note` is null or valid, `lsn` null or valid for a write.
 */
MmsbStatus rust_graph_add_edge(MmsbState state,
                               uint64_t parent,
                               uint64_t child,
                               uint32_t kind,
                               const MmsbNote *note,
                               uint64_t *lsn);

/**
 * Takes an edge away. `*lsn` receives the record's LSN; `note` and `lsn` may be null.
 *
 * Errors: EdgeNotFound, PageNotFound, PageFreed, InvalidArgument.
 *
 * # Safety
 * `note` is null or valid, `lsn` null or valid for a write.
 */
MmsbStatus rust_graph_remove_edge(MmsbState state,
                                  uint64_t parent,
                                  uint64_t child,
                                  uint32_t kind,
                                  const MmsbNote *note,
                                  uint64_t *lsn);

/**
 * The pages that a page derives from, in the order in which the edges were added: copied to `buf`,
 * which has room for `capacity`; `len` receives their number, also when the buffer is too small.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_graph_parents(MmsbState state,
                              uint64_t page,
                              MmsbLink *buf,
                              size_t capacity,
                              size_t *len);

/**
 * The pages that derive from a page, ascending by page and kind; otherwise as `rust_graph_parents`.
 *
 * # Safety
 * As `rust_graph_parents`.
 */
MmsbStatus rust_graph_children(MmsbState state,
                               uint64_t page,
                               MmsbLink *buf,
                               size_t capacity,
                               size_t *len);

/**
 * All pages that a page derives from, over any number of edges, ascending: copied to `buf`, which has
 * room for `capacity`; `len` receives their number, also when the buffer is too small.
 *
 * Cost: O(those pages and their edges).
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_graph_ancestors(MmsbState state,
                                uint64_t page,
                                uint64_t *buf,
                                size_t capacity,
                                size_t *len);

/**
 * All pages that derive from a page; otherwise as `rust_graph_ancestors`.
 *
 * # Safety
 * As `rust_graph_ancestors`.
 */
MmsbStatus rust_graph_descendants(MmsbState state,
                                  uint64_t page,
                                  uint64_t *buf,
                                  size_t capacity,
                                  size_t *len);

/**
 * All pages with edges, parents before children, ascending by height, then by id: copied to `buf`,
 * which has room for `capacity`; `len` receives their number, also when the buffer is too small.
 *
 * Cost: O(pages with edges + edges), about 10 ns each.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_graph_order(MmsbState state, MmsbRank *buf, size_t capacity, size_t *len);

/**
 * Number of edges.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_graph_edge_count(MmsbState state, uint64_t *out);

/**
 * All edges in the DOT language, UTF-8, not terminated: copied to `buf`, which has room for `capacity`
 * bytes; `len` receives the length, also when the buffer is too small.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_graph_dot(MmsbState state,
                          uint8_t *buf,
                          size_t capacity,
                          size_t *len);

/**
 * All edges as an SVG picture, in layers from top to bottom; otherwise as `rust_graph_dot`.
 *
 * Errors: TooLarge for more pages with edges than a picture shows.
 *
 * # Safety
 * As `rust_graph_dot`.
 */
MmsbStatus rust_graph_svg(MmsbState state, uint8_t *buf, size_t capacity, size_t *len);

/**
 * Frees a page and all that derive from it, whatever the kind of edge, as one group. `*count` receives
 * how many those are, `*lsn` the group's LSN; both, and `note`, may be null.
 *
 * Errors: those of `rust_page_free` for each; then none is freed.
 *
 * # Safety
 * `note` is null or valid, `count` and `lsn` null or valid for a write.
 */
MmsbStatus rust_graph_free_cascade(MmsbState state,
                                   uint64_t page,
                                   const MmsbNote *note,
                                   size_t *count,
                                   uint64_t *lsn);

/**
 * Opens or creates the log in the directory `path`, with default settings (`Buffered`).
 *
 * Ownership: `out` is closed with `rust_tlog_free`.
 * Errors: Locked, Foreign, FileNotFound, PermissionDenied, Corrupt, UnknownFormat, Io.
 *
 * # Safety
 * `path` is null or valid, `out` null or valid for a write.
 */
MmsbStatus rust_tlog_new(const char *path, MmsbTLog *out);

/**
 * As `rust_tlog_new`, with settings.
 *
 * # Safety
 * `config` is null or valid, `out` null or valid for a write.
 */
MmsbStatus rust_tlog_open(const MmsbConfig *config, MmsbTLog *out);

/**
 * Closes a log: flushes and syncs. `*log` becomes zero. Null and zero are fine.
 *
 * Errors: what the last flush and sync say; the log is closed all the same.
 *
 * # Safety
 * `log` is null or valid for a read and a write.
 */
MmsbStatus rust_tlog_free(MmsbTLog *log);

/**
 * Appends a delta as it is. `*lsn` receives its LSN, which is its id; `lsn` may be null.
 *
 * # Safety
 * `lsn` is null or valid for a write.
 */
MmsbStatus rust_tlog_append(MmsbTLog log, MmsbDelta delta, uint64_t *lsn);

/**
 * Hands everything appended before the call to the operating system. `lsn` may be null.
 *
 * # Safety
 * `lsn` is null or valid for a write.
 */
MmsbStatus rust_tlog_flush(MmsbTLog log, uint64_t *lsn);

/**
 * Makes everything appended before the call durable. `lsn` may be null.
 *
 * # Safety
 * `lsn` is null or valid for a write.
 */
MmsbStatus rust_tlog_sync(MmsbTLog log, uint64_t *lsn);

/**
 * Reads the whole log, checking every record, and counts.
 *
 * Errors: Corrupt with file, offset and reason.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_tlog_summary(MmsbTLog log, MmsbTLogSummary *out);

/**
 * A reader over the records above `after` and up to `to`; both as in `MmsbQuery`: `UINT64_MAX`
 * begins where history begins, and reads all that are written.
 *
 * Ownership: `out` is freed with `rust_tlog_reader_free`, in any order: it stays valid when the log
 * is closed.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_tlog_reader_new(MmsbTLog log, uint64_t after, uint64_t to, MmsbReader *out);

/**
 * A reader over the records that a query asks for; `query` null is for all.
 *
 * Ownership: `out` is freed with `rust_tlog_reader_free`, in any order: it stays valid when the log
 * is closed.
 *
 * # Safety
 * `query` is null or valid, `out` null or valid for a write.
 */
MmsbStatus rust_tlog_query(MmsbTLog log, const MmsbQuery *query, MmsbReader *out);

/**
 * Counts the heap. Cost: some microseconds per hundred slabs, and a look at the kernel's list of
 * mappings.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_memory_stats(MmsbMemoryStats *out);

/**
 * Copies the size classes that have slabs, ascending, to `buf`, which has room for `capacity`; `len`
 * receives their number, also when the buffer is too small (LengthMismatch). There are at most 112.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_memory_classes(MmsbMemoryClass *buf,
                               size_t capacity,
                               size_t *len);

/**
 * Copies a table of the heap to `buf`, which has room for `capacity` bytes: UTF-8, a row for each
 * class, no zero at the end; `len` receives its length, also when the buffer is too small
 * (LengthMismatch).
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_memory_report(uint8_t *buf, size_t capacity, size_t *len);

/**
 * Makes `count` free blocks for `size` bytes (1 to 1 MiB) at multiples of `align` ready, with the
 * memory under them: the next `count` allocations of that class ask the system for nothing.
 *
 * Errors: SizeOutOfRange, InvalidArgument for the alignment, OutOfMemory beyond the limit: what could
 * be made before stays.
 */
MmsbStatus rust_memory_prewarm(size_t size,
                               size_t align,
                               size_t count);

/**
 * Gives what the calling thread keeps and all slabs without content to the operating system.
 * `bytes`, which may be null, receives how many went.
 *
 * # Safety
 * `bytes` is null or valid for a write.
 */
MmsbStatus rust_memory_purge(uint64_t *bytes);

/**
 * Limits the bytes of slabs that are in use or retained, rounded up to 2 MiB; 0 for no limit but
 * the reserved range. What is in use beyond it stays.
 */
MmsbStatus rust_memory_set_limit(uint64_t bytes);

/**
 * Says how many bytes of slabs that come back are kept, and how long: 256 MiB and 10 seconds
 * otherwise.
 */
MmsbStatus rust_memory_set_retention(uint64_t bytes, uint64_t age_ms);

/**
 * Asks the kernel for huge pages under the heap, or for none, as it is at first.
 */
MmsbStatus rust_memory_set_huge_pages(bool huge);

/**
 * Walks every slab of the heap and compares what they say with each other: Internal with what does
 * not fit. Blocks may come and go meanwhile; slabs that threads are carving are left out. Cost: some
 * microseconds per slab.
 */
MmsbStatus rust_memory_check(void);

/**
 * Frees a page. Its id is never used again. `note` and `lsn` may be null.
 *
 * Errors: PageNotFound, PageFreed, NoSpace, ReadOnly, Poisoned.
 *
 * # Safety
 * `note` is null or valid, `lsn` null or valid for a write.
 */
MmsbStatus rust_page_free(MmsbPage page, const MmsbNote *note, uint64_t *lsn);

/**
 * Makes the `len` bytes at `bytes`, exactly the page's size, its content; records only what
 * differs. `*lsn` receives the record's LSN, 0 if the content was already so. `note` and `lsn`
 * may be null.
 *
 * Errors: LengthMismatch, PageNotFound, PageFreed, NoSpace, TooLong, NotUtf8, ReadOnly, Poisoned.
 * Then nothing changed.
 * Cost: one comparison of the page, and the record of what changed; no system call.
 *
 * # Safety
 * `bytes` is valid for `len` reads, `note` null or valid, `lsn` null or valid for a write.
 */
MmsbStatus rust_page_update(MmsbPage page,
                            const uint8_t *bytes,
                            size_t len,
                            const MmsbNote *note,
                            uint64_t *lsn);

/**
 * Writes the `len` bytes at `bytes` to the page from `offset` on; records only what differs.
 * Otherwise as `rust_page_update`.
 *
 * Errors: RangeOutOfBounds, and those of `rust_page_update`.
 *
 * # Safety
 * As `rust_page_update`.
 */
MmsbStatus rust_page_write(MmsbPage page,
                           uint64_t offset,
                           const uint8_t *bytes,
                           size_t len,
                           const MmsbNote *note,
                           uint64_t *lsn);

/**
 * Writes the bytes at `bytes` where the byte of `mask` is not zero. Both have `len` bytes, exactly
 * the page's size. Otherwise as `rust_page_update`.
 *
 * # Safety
 * As `rust_page_update`; `mask` is valid for `len` reads.
 */
MmsbStatus rust_page_write_masked(MmsbPage page,
                                  const uint8_t *mask,
                                  const uint8_t *bytes,
                                  size_t len,
                                  const MmsbNote *note,
                                  uint64_t *lsn);

/**
 * Copies `len` bytes of the page from `offset` on to `buf`.
 *
 * Errors: RangeOutOfBounds (then `buf` is unchanged), PageNotFound, PageFreed, Corrupt.
 *
 * # Safety
 * `buf` is valid for `len` writes and holds initialised bytes.
 */
MmsbStatus rust_page_read(MmsbPage page, uint64_t offset, uint8_t *buf, size_t len);

/**
 * Bytes of a page.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_page_size(MmsbPage page, uint64_t *out);

/**
 * How often a page's content has changed.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_page_epoch(MmsbPage page, uint64_t *out);

/**
 * LSN of the record that changed a page last; 0 for an allocator's page.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_page_lsn(MmsbPage page, uint64_t *out);

/**
 * Where a page should live: an `MmsbLocation`.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_page_location(MmsbPage page, uint32_t *out);

/**
 * Whether a page is private: see `rust_page_create_private`. An allocator's never is.
 *
 * Errors: PageNotFound, PageFreed.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_page_is_private(MmsbPage page, bool *out);

/**
 * A view of the page's whole content, without a copy: `*data` and `*len` stay valid and unchanged
 * until the view is freed, while writers go on and after the state is closed. A writer that meets
 * a page with a view copies the page first.
 *
 * Ownership: `out` is freed with `rust_view_free`; `data` belongs to it. `data` is 64-byte aligned.
 * Cost: tens of ns, whatever the page's size.
 *
 * # Safety
 * `out`, `data` and `len` are null or valid for a write.
 */
MmsbStatus rust_page_view(MmsbPage page, MmsbView *out, const uint8_t **data, size_t *len);

/**
 * Sets a metadata key of a page: 1 to 255 bytes; the value up to 65,535. `note` and `lsn` may be
 * null.
 *
 * # Safety
 * `key` and `value` are valid for their lengths, `note` null or valid, `lsn` null or valid for a
 * write.
 */
MmsbStatus rust_page_metadata_set(MmsbPage page,
                                  const uint8_t *key,
                                  size_t key_len,
                                  const uint8_t *value,
                                  size_t value_len,
                                  const MmsbNote *note,
                                  uint64_t *lsn);

/**
 * Takes a metadata key away. `note` and `lsn` may be null.
 *
 * Errors: KeyNotFound.
 *
 * # Safety
 * `key` is valid for its length, `note` null or valid, `lsn` null or valid for a write.
 */
MmsbStatus rust_page_metadata_remove(MmsbPage page,
                                     const uint8_t *key,
                                     size_t key_len,
                                     const MmsbNote *note,
                                     uint64_t *lsn);

/**
 * The value of a metadata key: copied to `buf`, which has room for `capacity` bytes; `len` receives
 * its length, also when the buffer is too small.
 *
 * Errors: KeyNotFound, LengthMismatch.
 *
 * # Safety
 * `key` is valid for its length, `buf` null or valid for `capacity` writes, `len` null or valid
 * for a write.
 */
MmsbStatus rust_page_metadata_get(MmsbPage page,
                                  const uint8_t *key,
                                  size_t key_len,
                                  uint8_t *buf,
                                  size_t capacity,
                                  size_t *len);

/**
 * All metadata keys of a page, ascending: copied to `buf` as u16 length (little-endian) and key,
 * one after the other; `len` receives the bytes, also when the buffer is too small.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_page_metadata_keys(MmsbPage page, uint8_t *buf, size_t capacity, size_t *len);

/**
 * Gives the state the key that private pages are sealed with, for as long as it is open: `len`, which is
 * 32, bytes at `key`. They are copied, and wiped when the state is closed. States that
 * `rust_state_replay_to` makes have the key, too. Nothing of it is stored, so that a key that was mistyped
 * shows when a private page is read: WrongKey. To give it again is fine.
 *
 * Errors: LengthMismatch; WrongKey if the state has another one already.
 *
 * # Safety
 * `key` is valid for `len` reads.
 */
MmsbStatus rust_state_unlock(MmsbState state,
                             const uint8_t *key,
                             size_t len);

/**
 * Whether the state has a key for private pages.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_state_is_unlocked(MmsbState state, bool *out);

/**
 * Creates a private page of `size` bytes (1 B to 1 GiB less 48), all zero. Its content is sealed wherever
 * it stands, in memory, in the log and in images: AES-256-GCM, under the key of
 * `rust_state_unlock`. Its metadata are not. It is read and written as others; it has no views, and
 * nothing is computed from it. `location` is an `MmsbLocation`; `note` may be null.
 *
 * Errors: Sealed without a key, and those of `rust_page_create`.
 * Cost: each read opens the whole page, about 0.3 us and 1 ns per byte; each write opens and seals it, and
 * records all of it, about 1 us and 2.5 ns per byte.
 *
 * # Safety
 * `note` is null or valid, `out` null or valid for a write.
 */
MmsbStatus rust_page_create_private(MmsbState state,
                                    uint64_t size,
                                    uint32_t location,
                                    const MmsbNote *note,
                                    MmsbPage *out);

/**
 * As `rust_batch_create_page`, of a private page: see `rust_page_create_private`. `rust_batch_commit`
 * returns Sealed without a key.
 *
 * # Safety
 * `id` is null or valid for a write.
 */
MmsbStatus rust_batch_create_private_page(MmsbBatch batch,
                                          uint64_t size,
                                          uint32_t location,
                                          uint64_t *id);

/**
 * As `rust_transaction_create_page`, of a private page: see `rust_page_create_private`.
 *
 * Errors: Sealed without a key, SizeOutOfRange, ReadOnly.
 *
 * # Safety
 * `id` is null or valid for a write.
 */
MmsbStatus rust_transaction_create_private_page(MmsbTransaction transaction,
                                                uint64_t size,
                                                uint32_t location,
                                                uint64_t *id);

/**
 * Has `page` computed by a formula (docs/formulas.md) from the `count` pages at `parents`, from now on
 * and at once. They become its parents over edges for data. `*lsn` receives the group's LSN, 0 if all
 * is so already; `note` and `lsn` may be null.
 *
 * Errors: InvalidArgument for the formula, with the place in it; LengthMismatch for sizes that do not
 * fit it, Cycle, PageNotFound, PageFreed, NotOwner, Immutable. Then nothing changed.
 *
 * # Safety
 * `parents` is null or points to `count` ids, `formula` is null or zero-terminated, `note` is null or
 * valid, `lsn` null or valid for a write.
 */
MmsbStatus rust_propagate_derive(MmsbState state,
                                 uint64_t page,
                                 const uint64_t *parents,
                                 size_t count,
                                 const char *formula,
                                 const MmsbNote *note,
                                 uint64_t *lsn);

/**
 * As `rust_propagate_derive`, by the callback that is registered under `name`.
 *
 * Errors: NoCallback, CallbackFailed, and those of `rust_propagate_derive`.
 *
 * # Safety
 * As `rust_propagate_derive`, with `name` in the formula's place.
 */
MmsbStatus rust_propagate_derive_by(MmsbState state,
                                    uint64_t page,
                                    const uint64_t *parents,
                                    size_t count,
                                    const char *name,
                                    const MmsbNote *note,
                                    uint64_t *lsn);

/**
 * As `rust_propagate_derive_by`, by a callback that is registered under `name` for it. If it fails, what
 * was registered under that name before still is. For more pages by the same callback:
 * `rust_propagate_derive_by`.
 *
 * - `context`, `release`, `any_thread`: as in `rust_propagate_register`.
 *
 * Errors: InvalidArgument if another callback of that name computes another page, NullHandle for
 * `callback`, and those of `rust_propagate_derive_by`.
 *
 * # Safety
 * As `rust_propagate_derive_by` and `rust_propagate_register`.
 */
MmsbStatus rust_propagate_derive_with(MmsbState state,
                                      uint64_t page,
                                      const uint64_t *parents,
                                      size_t count,
                                      const char *name,
                                      MmsbRecompute callback,
                                      void *context,
                                      MmsbRelease release,
                                      bool any_thread,
                                      const MmsbNote *note,
                                      uint64_t *lsn);

/**
 * Registers a callback that pages can be computed by, under a name of 1 to 255 bytes that stands in the
 * log, until the state is closed. A state that is opened again needs it before a parent of such a page
 * changes; replay does not. What was registered under the name goes, for all pages that are computed by
 * it; they are computed anew when a parent changes.
 *
 * - `context`: given to each call.
 * - `release`: null, or called with `context` once that is not used any more, on any thread; also if
 *   this call fails.
 * - `any_thread`: whether it may be called on threads of the engine's own, an executor's workers. If
 *   not, work there that would call it fails.
 *
 * Ownership: `context` stays the caller's until `release` is called.
 * Errors: NullHandle for `callback`, InvalidArgument for the name, Reentered, Closed.
 *
 * # Safety
 * `name` is null or zero-terminated; `callback` and `release` may be called with `context` as said, by
 * the threads that write.
 */
MmsbStatus rust_propagate_register(MmsbState state,
                                   const char *name,
                                   MmsbRecompute callback,
                                   void *context,
                                   MmsbRelease release,
                                   bool any_thread);

/**
 * Has `page` computed by a formula from the parents that it has over edges for data. `*lsn` receives
 * the group's LSN, 0 if it is so already; `note` and `lsn` may be null.
 *
 * Errors: those of `rust_propagate_derive`.
 *
 * # Safety
 * `formula` is null or zero-terminated, `note` is null or valid, `lsn` null or valid for a write.
 */
MmsbStatus rust_propagate_set_formula(MmsbState state,
                                      uint64_t page,
                                      const char *formula,
                                      const MmsbNote *note,
                                      uint64_t *lsn);

/**
 * As `rust_propagate_set_formula`, by the callback that is registered under `name`.
 *
 * Errors: those of `rust_propagate_derive_by`.
 *
 * # Safety
 * As `rust_propagate_set_formula`, with `name` in the formula's place.
 */
MmsbStatus rust_propagate_set_callback(MmsbState state,
                                       uint64_t page,
                                       const char *name,
                                       const MmsbNote *note,
                                       uint64_t *lsn);

/**
 * Makes a page an ordinary one, with the content that it has. Its edges stay. `*lsn` receives the
 * record's LSN; `note` and `lsn` may be null.
 *
 * Errors: NotDerived, PageNotFound, PageFreed.
 *
 * # Safety
 * `note` is null or valid, `lsn` null or valid for a write.
 */
MmsbStatus rust_propagate_underive(MmsbState state,
                                   uint64_t page,
                                   const MmsbNote *note,
                                   uint64_t *lsn);

/**
 * What a page is computed by: `*kind` receives an `MmsbRuleKind`; the formula, or the callback's name,
 * is copied to `buf`, not terminated, which has room for `capacity` bytes; `len` receives their
 * number, also when the buffer is too small.
 *
 * Errors: PageNotFound, PageFreed; LengthMismatch if the buffer is too small.
 *
 * # Safety
 * `kind` and `len` are null or valid for a write, `buf` is null or valid for writes of `capacity`
 * bytes.
 */
MmsbStatus rust_propagate_rule(MmsbState state,
                               uint64_t page,
                               uint32_t *kind,
                               uint8_t *buf,
                               size_t capacity,
                               size_t *len);

/**
 * Whether a page is what its rule makes of its parents: `*out` receives an `MmsbStaleness`.
 *
 * Errors: PageNotFound, PageFreed.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_propagate_staleness(MmsbState state, uint64_t page, uint32_t *out);

/**
 * The pages that are stale, or may be, ascending: copied to `buf`, which has room for `capacity`;
 * `len` receives their number, also when the buffer is too small.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_propagate_stale_pages(MmsbState state, uint64_t *buf, size_t capacity, size_t *len);

/**
 * Computes all that is stale, each page once, parents first, as one group. `*lsn` receives its LSN, 0
 * if nothing is stale; `note` and `lsn` may be null.
 *
 * Errors: those of computing: NoCallback, CallbackFailed, Impure, RangeOutOfBounds of a formula's
 * indexes. Then nothing changed.
 *
 * # Safety
 * `note` is null or valid, `lsn` null or valid for a write.
 */
MmsbStatus rust_propagate_run(MmsbState state,
                              const MmsbNote *note,
                              uint64_t *lsn);

/**
 * When derived pages are computed: `*out` receives an `MmsbPropagation`.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_propagate_mode(MmsbState state, uint32_t *out);

/**
 * Sets when derived pages are computed, an `MmsbPropagation`, until the state is closed. What is stale
 * by then is computed with the next change of a page that others are computed from, or by
 * `rust_propagate_run`.
 *
 * Errors: InvalidArgument, Reentered.
 */
MmsbStatus rust_propagate_set_mode(MmsbState state,
                                   uint32_t mode);

/**
 * Threads that share in computing pages by formulas, where many are due at once that do not derive from
 * each other: with so many bytes that it is worth it.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_propagate_threads(MmsbState state,
                                  size_t *out);

/**
 * Sets how many threads, 1 to 64, share in computing pages, the caller among them, until the state is
 * closed. At first as many as there are cores, 8 at most. The outcome is the same with any number.
 * Callbacks are called on the caller's thread alone.
 *
 * Errors: InvalidArgument.
 */
MmsbStatus rust_propagate_set_threads(MmsbState state,
                                      size_t threads);

/**
 * Has each callback called twice from now on, and compared, or no longer: a difference is Impure.
 */
MmsbStatus rust_propagate_check_purity(MmsbState state, bool check);

/**
 * What propagation did since the state was opened.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_propagate_stats(MmsbState state, MmsbPropagationStats *out);

/**
 * Has calls that would wait for another thread's callback fail with Busy instead, in this process from
 * now on, or wait, as they do at first. For languages whose collector waits for all threads to come
 * back to the language: they try again.
 */
MmsbStatus rust_propagate_set_patient(bool patient);

/**
 * Goes on to the next change: `*more` says whether there is one, and only then `out` is written.
 *
 * Errors: Corrupt with file, offset and reason; the reader is then at its end.
 *
 * # Safety
 * `out` and `more` are null or valid for a write. What an earlier call wrote to `out` points to
 * memory that this call frees.
 */
MmsbStatus rust_tlog_reader_next(MmsbReader reader, MmsbChange *out, bool *more);

/**
 * The delta of the change that the reader stands at, as one of the caller's own.
 *
 * Ownership: `out` is freed with `rust_delta_free`.
 * Errors: InvalidArgument if the reader stands at no change of content.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_tlog_reader_delta(MmsbReader reader, MmsbDelta *out);

/**
 * Frees a reader. `*reader` becomes zero. Null and zero are fine.
 *
 * # Safety
 * `reader` is null or valid for a read and a write.
 */
MmsbStatus rust_tlog_reader_free(MmsbReader *reader);

/**
 * Marks the state as it is now, for `rust_state_revert`. Marks may be nested, released and gone
 * back to in any order; going back to one ends those made after it. A mark holds what changes after
 * it, as a snapshot does, and counts as one.
 *
 * Ownership: `out` is freed with `rust_soft_checkpoint_release`. It is in memory alone, and keeps
 * the state's memory until then.
 * Errors: ReadOnly, Poisoned.
 * Cost: O(lanes), whatever the state's size.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_state_soft_checkpoint(MmsbState state, MmsbSoftCheckpoint *out);

/**
 * Makes content, metadata, owners, edges and existence of all pages what they were at a soft checkpoint: one
 * group, which is logged. Epochs go on growing, and ids given out since stay given out. The mark
 * then stands here and can be gone back to again; marks made after it are passed. Other writers
 * wait meanwhile. `*lsn` receives the group's LSN, 0 if nothing is different; `note` and `lsn` may
 * be null.
 *
 * Errors: InvalidArgument for a mark of another state, CheckpointPassed, SnapshotTooOld, TooLarge
 * if more differs than one record holds, ReadOnly, NoSpace, Poisoned. Then nothing changed, and the
 * marks are as before.
 * Cost: O(pages that changed since, and their bytes).
 *
 * # Safety
 * `note` is null or valid, `lsn` null or valid for a write.
 */
MmsbStatus rust_state_revert(MmsbState state,
                             MmsbSoftCheckpoint mark,
                             const MmsbNote *note,
                             uint64_t *lsn);

/**
 * The closed LSN that a soft checkpoint stands at. Going back to it moves it there.
 *
 * Errors: CheckpointPassed.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_soft_checkpoint_lsn(MmsbSoftCheckpoint mark, uint64_t *out);

/**
 * Gives a soft checkpoint up: what was held for it goes, the state stays as it is. `*mark` becomes
 * zero. Null and zero are fine.
 *
 * # Safety
 * `mark` is null or valid for a read and a write.
 */
MmsbStatus rust_soft_checkpoint_release(MmsbSoftCheckpoint *mark);

/**
 * a ⊕ b of an `MmsbSemiring`.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_semiring_add(uint32_t semiring, double a, double b, double *out);

/**
 * a ⊗ b of an `MmsbSemiring`.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_semiring_mul(uint32_t semiring, double a, double b, double *out);

/**
 * ⊕ over the `count` numbers at `values`, as the formula `accumulate` computes it; what changes
 * nothing under ⊕ over none.
 *
 * # Safety
 * `values` is null or points to `count` numbers, `out` is null or valid for a write.
 */
MmsbStatus rust_semiring_fold_add(uint32_t semiring,
                                  const double *values,
                                  size_t count,
                                  double *out);

/**
 * ⊗ over the `count` numbers at `values`; what changes nothing under ⊗ over none.
 *
 * # Safety
 * As `rust_semiring_fold_add`.
 */
MmsbStatus rust_semiring_fold_mul(uint32_t semiring,
                                  const double *values,
                                  size_t count,
                                  double *out);

/**
 * `total` ⊕ (⊕ over the `count` numbers at `values`): goes on with a sum that was begun before.
 *
 * # Safety
 * As `rust_semiring_fold_add`.
 */
MmsbStatus rust_semiring_accumulate(uint32_t semiring,
                                    double total,
                                    const double *values,
                                    size_t count,
                                    double *out);

/**
 * Takes a snapshot; stops no writer. While it is open, pages that change keep their old content
 * beside the new. When open snapshots together hold more than `version_bytes_max` of the settings,
 * the oldest that hold anything are ended: all that read from them fail with SnapshotTooOld.
 *
 * Ownership: `out` is freed with `rust_snapshot_free`, in any order: it stays as it is when the
 * state is closed, and keeps the state's memory until then.
 * Cost: O(lanes).
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_snapshot_new(MmsbState state, MmsbSnapshot *out);

/**
 * Frees a snapshot. `*snapshot` becomes zero. Null and zero are fine.
 *
 * # Safety
 * `snapshot` is null or valid for a read and a write.
 */
MmsbStatus rust_snapshot_free(MmsbSnapshot *snapshot);

/**
 * The closed LSN that a snapshot stands at.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_snapshot_lsn(MmsbSnapshot snapshot, uint64_t *out);

/**
 * Digest of a snapshot's content; as `rust_state_digest`.
 *
 * # Safety
 * `out` is null or valid for writes of 32 bytes.
 */
MmsbStatus rust_snapshot_digest(MmsbSnapshot snapshot, uint8_t (*out)[32]);

/**
 * Bytes of a page in a snapshot.
 *
 * Errors: PageNotFound if it did not exist then.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_snapshot_page_size(MmsbSnapshot snapshot, uint64_t page, uint64_t *out);

/**
 * Epoch of a page's content in a snapshot.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_snapshot_page_epoch(MmsbSnapshot snapshot, uint64_t page, uint64_t *out);

/**
 * Copies `len` bytes of a page in a snapshot, from `offset` on, to `buf`.
 *
 * # Safety
 * `buf` is valid for `len` writes and holds initialised bytes.
 */
MmsbStatus rust_snapshot_read(MmsbSnapshot snapshot,
                              uint64_t page,
                              uint64_t offset,
                              uint8_t *buf,
                              size_t len);

/**
 * The value of a metadata key of a page in a snapshot: copied to `buf`, which has room for
 * `capacity` bytes; `len` receives its length, also when the buffer is too small.
 *
 * Errors: PageNotFound if the page did not exist then, KeyNotFound, LengthMismatch.
 *
 * # Safety
 * `key` is valid for its length, `buf` null or valid for `capacity` writes, `len` null or valid
 * for a write.
 */
MmsbStatus rust_snapshot_metadata_get(MmsbSnapshot snapshot,
                                      uint64_t page,
                                      const uint8_t *key,
                                      size_t key_len,
                                      uint8_t *buf,
                                      size_t capacity,
                                      size_t *len);

/**
 * All metadata keys of a page in a snapshot, ascending: copied to `buf` as u16 length
 * (little-endian) and key, one after the other; `len` receives the bytes, also when the buffer is
 * too small.
 *
 * Errors: PageNotFound if the page did not exist then, LengthMismatch.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_snapshot_metadata_keys(MmsbSnapshot snapshot,
                                       uint64_t page,
                                       uint8_t *buf,
                                       size_t capacity,
                                       size_t *len);

/**
 * Copies the ids of all pages of a snapshot, ascending, to `buf`, which has room for `capacity`;
 * `len` receives their number, also when the buffer is too small.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_snapshot_list_pages(MmsbSnapshot snapshot,
                                    uint64_t *buf,
                                    size_t capacity,
                                    size_t *len);

/**
 * Writes the default settings to `out`: of a state in memory if `durable` is false, of a
 * `Buffered` state if it is true, whose `path` is then still to be set.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_config_default(bool durable, MmsbConfig *out);

/**
 * Opens a state. `config` null is a state in memory with default settings.
 *
 * Ownership: `out` is closed with `rust_state_close`.
 * Errors: InvalidArgument, SizeOutOfRange, NotUtf8, Locked, Foreign, FileNotFound,
 * PermissionDenied, NoSpace, Corrupt, UnknownFormat, Io.
 * Cost: in memory about 100 ns; durable a few ms and the replay of the log after the last
 * checkpoint.
 *
 * # Safety
 * `config` is null or valid, `out` null or valid for a write.
 */
MmsbStatus rust_state_open(const MmsbConfig *config, MmsbState *out);

/**
 * Closes a state: flushes, syncs, releases the directory. `*state` becomes zero. Null and zero
 * are fine. Waits for calls that use the state in other threads. Views stay valid.
 *
 * Errors: what the last flush and sync say; the state is closed all the same.
 *
 * # Safety
 * `state` is null or valid for a read and a write.
 */
MmsbStatus rust_state_close(MmsbState *state);

/**
 * Hands all changes made before the call to the operating system. `lsn` may be null; it receives
 * the closed LSN that covers them.
 *
 * # Safety
 * `lsn` is null or valid for a write.
 */
MmsbStatus rust_state_flush(MmsbState state, uint64_t *lsn);

/**
 * Makes all changes made before the call durable. `lsn` may be null.
 *
 * # Safety
 * `lsn` is null or valid for a write.
 */
MmsbStatus rust_state_sync(MmsbState state, uint64_t *lsn);

/**
 * Writes the 256-bit digest of the content to the 32 bytes at `out`: pages with ids, epochs,
 * sizes, bytes and metadata.
 *
 * Cost: one pass over all pages.
 *
 * # Safety
 * `out` is null or valid for writes of 32 bytes.
 */
MmsbStatus rust_state_digest(MmsbState state, uint8_t (*out)[32]);

/**
 * Number of live pages.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_state_page_count(MmsbState state, uint64_t *out);

/**
 * Copies the ids of all live pages, ascending, to `buf`, which has room for `capacity`; `len`
 * receives their number, also when the buffer is too small (LengthMismatch).
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_state_list_pages(MmsbState state, uint64_t *buf, size_t capacity, size_t *len);

/**
 * Whether the state shows the past and refuses writes.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_state_is_read_only(MmsbState state, bool *out);

/**
 * What opening the state found.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_state_recovered(MmsbState state, MmsbRecovered *out);

/**
 * Counts, bytes, log positions and latencies.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_state_stats(MmsbState state, MmsbStats *out);

/**
 * The stats as one JSON object, UTF-8, not terminated: copied to `buf`, which has room for
 * `capacity` bytes; `len` receives the length, also when the buffer is too small.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_state_stats_json(MmsbState state, uint8_t *buf, size_t capacity, size_t *len);

/**
 * The stats in the text format that Prometheus reads, UTF-8, not terminated: copied to `buf`, which
 * has room for `capacity` bytes; `len` receives the length, also when the buffer is too small. `name`
 * becomes the label `state` of each line; null for none.
 *
 * # Safety
 * `name` is null or a zero-terminated string, `buf` null or valid for `capacity` writes, `len` null
 * or valid for a write.
 */
MmsbStatus rust_state_prometheus(MmsbState state,
                                 const char *name,
                                 uint8_t *buf,
                                 size_t capacity,
                                 size_t *len);

/**
 * The state as it was when everything up to `lsn` had happened: detached, read-only, in memory. It
 * holds content, not the log that led to it: it has no past of its own, nothing to verify it by,
 * and makes no checkpoint (`rust_checkpoint_write` takes it).
 *
 * Ownership: `out` is closed with `rust_state_close`, in any order.
 * Errors: HistoryDropped, LsnInFuture, Corrupt.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_state_replay_to(MmsbState state, uint64_t lsn, MmsbState *out);

/**
 * As `rust_state_replay_to`; `progress` is told the LSN of each record that is about to be applied.
 *
 * Errors: also Cancelled.
 *
 * # Safety
 * `progress` is null or may be called with `context`; `out` is null or valid for a write.
 */
MmsbStatus rust_state_replay_with(MmsbState state,
                                  uint64_t lsn,
                                  MmsbProgress progress,
                                  void *context,
                                  MmsbState *out);

/**
 * A page's content when everything up to `lsn` had happened: copied to `buf`, which has room for
 * `capacity` bytes; `len` receives the page's size, also when the buffer is too small. `epoch`
 * may be null.
 *
 * Errors: HistoryDropped, LsnInFuture, PageNotFound (as of then), Corrupt.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` and `epoch` null or valid for a write.
 */
MmsbStatus rust_page_at(MmsbPage page,
                        uint64_t lsn,
                        uint8_t *buf,
                        size_t capacity,
                        size_t *len,
                        uint64_t *epoch);

/**
 * Checks everything that is stored: each record of the kept log, each byte of the images, and
 * that a replay of the log gives the live state. `progress` may be null; it is told the bytes of
 * images and log checked so far. `out` may be null.
 *
 * Errors: Corrupt with file, offset and reason. Cancelled by `progress`. HistoryDropped for a replayed state, which has no
 * log to be compared with.
 *
 * # Safety
 * `progress` is null or may be called with `context`; `out` is null or valid for a write.
 */
MmsbStatus rust_state_verify(MmsbState state,
                             MmsbProgress progress,
                             void *context,
                             MmsbVerified *out);

/**
 * Writes a query for all changes that are kept to `out`.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_query_default(MmsbQuery *out);

/**
 * Reads changes back from the log, in LSN order. `query` null is for all.
 *
 * Ownership: `out` is freed with `rust_tlog_reader_free`, in any order. It reads as it goes and
 * stays valid when the state is closed; be at its end before the directory is opened again, which
 * may reuse log files that nothing needs any more.
 * Errors: HistoryDropped, PageNotFound, Corrupt.
 *
 * # Safety
 * `query` is null or valid, `out` null or valid for a write.
 */
MmsbStatus rust_state_query(MmsbState state, const MmsbQuery *query, MmsbReader *out);

/**
 * Creates a page of `size` bytes (1 B to 1 GiB), all zero. `location` is an `MmsbLocation`; `note`
 * may be null.
 *
 * Errors: SizeOutOfRange, InvalidArgument, OutOfMemory, NoSpace, TooLong, NotUtf8, ReadOnly,
 * Poisoned.
 * Cost: O(size) for clearing.
 *
 * # Safety
 * `note` is null or valid, `out` null or valid for a write.
 */
MmsbStatus rust_page_create(MmsbState state,
                            uint64_t size,
                            uint32_t location,
                            const MmsbNote *note,
                            MmsbPage *out);

/**
 * States that wait in the pool for reuse.
 */
size_t rust_state_pooled(void);

/**
 * The message of the calling thread's last failed call: one sentence that names the value and the
 * limit. Never null; empty before the first failure. Valid until the thread's next failed call;
 * not to be freed.
 */
const char *rust_error_message(void);

/**
 * Number of rows in the table of errors.
 */
size_t rust_error_count(void);

/**
 * Writes row `index` of the table of errors to `out`.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_error_info(size_t index, MmsbErrorInfo *out);

/**
 * Whether the same call may succeed later without the caller changing it. False for codes that
 * are no errors.
 */
bool rust_error_is_retryable(int32_t code);

/**
 * Whether the state that the code came from should be closed and opened again.
 */
bool rust_error_is_fatal(int32_t code);

/**
 * Begins a transaction; `read_only`: one that may not write. What it reads is of one moment, with its
 * own writes on top; what derives from those is computed at the commit. What it writes happens when it commits, all or nothing. When another changed
 * what it has read, the next call is Conflict, and so are all after it: begin anew (`rust_transact`
 * does). One thread uses it at a time.
 *
 * Ownership: `out` is ended with `rust_transaction_commit` or `rust_transaction_abort`; it keeps the
 * state's memory until then.
 * Errors: ReadOnly, Poisoned.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_transaction_begin(MmsbState state,
                                  bool read_only,
                                  MmsbTransaction *out);

/**
 * Makes all that the transaction writes happen at once, as one record; ends it, `*transaction`
 * becomes zero, also on error. `*lsn` receives the record's LSN, 0 if nothing changed. `note` and
 * `lsn` may be null.
 *
 * Errors: Conflict, and those of the single changes; then none of them happened.
 *
 * # Safety
 * `transaction` is null or valid for a read and a write, `note` null or valid, `lsn` null or valid
 * for a write.
 */
MmsbStatus rust_transaction_commit(MmsbTransaction *transaction,
                                   const MmsbNote *note,
                                   uint64_t *lsn);

/**
 * Gives a transaction up: it leaves nothing. `*transaction` becomes zero. Null and zero are fine.
 *
 * # Safety
 * `transaction` is null or valid for a read and a write.
 */
MmsbStatus rust_transaction_abort(MmsbTransaction *transaction);

/**
 * Looks whether all that the transaction has read still holds.
 *
 * Errors: Conflict.
 */
MmsbStatus rust_transaction_check(MmsbTransaction transaction);

/**
 * Copies `len` bytes of a page from `offset` on to `buf`, as the transaction has written them.
 *
 * Errors: PageNotFound, PageFreed, RangeOutOfBounds, Conflict.
 *
 * # Safety
 * `buf` is valid for `len` writes and holds initialised bytes.
 */
MmsbStatus rust_transaction_read(MmsbTransaction transaction,
                                 uint64_t page,
                                 uint64_t offset,
                                 uint8_t *buf,
                                 size_t len);

/**
 * Bytes of a page.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_transaction_page_size(MmsbTransaction transaction, uint64_t page, uint64_t *out);

/**
 * Whether a page exists. The transaction depends on the answer.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_transaction_contains(MmsbTransaction transaction, uint64_t page, bool *out);

/**
 * Ids of all pages, ascending, with those that the transaction creates, without those that it frees:
 * copied to `buf`, which has room for `capacity`; `len` receives their number, also when the buffer
 * is too small. Conflicts with whoever creates or frees a page before the commit.
 *
 * # Safety
 * `buf` is null or valid for `capacity` writes, `len` null or valid for a write.
 */
MmsbStatus rust_transaction_list_pages(MmsbTransaction transaction,
                                       uint64_t *buf,
                                       size_t capacity,
                                       size_t *len);

/**
 * Creates a page when the transaction commits; its id can be used in the transaction at once.
 *
 * Errors: SizeOutOfRange, ReadOnly.
 *
 * # Safety
 * `id` is null or valid for a write.
 */
MmsbStatus rust_transaction_create_page(MmsbTransaction transaction,
                                        uint64_t size,
                                        uint32_t location,
                                        uint64_t *id);

/**
 * Frees a page when the transaction commits.
 *
 * Errors: PageNotFound, PageFreed, NotOwner, Immutable, ReadOnly; at the commit HasChildren.
 */
MmsbStatus rust_transaction_free_page(MmsbTransaction transaction, uint64_t page);

/**
 * Writes the `len` bytes at `bytes`, which are copied, from `offset` on. What derives from the page is
 * computed when the transaction commits: until then it shows what it was.
 *
 * Errors: PageNotFound, PageFreed, RangeOutOfBounds, NotOwner, Immutable, ReadOnly, TooLarge. Of a private
 * page without its key, the commit is Sealed.
 *
 * # Safety
 * `bytes` is valid for `len` reads.
 */
MmsbStatus rust_transaction_write(MmsbTransaction transaction,
                                  uint64_t page,
                                  uint64_t offset,
                                  const uint8_t *bytes,
                                  size_t len);

/**
 * Makes the `len` bytes at `bytes`, exactly the page's size, which are copied, its content.
 *
 * Errors: LengthMismatch, and those of `rust_transaction_write`.
 *
 * # Safety
 * `bytes` is valid for `len` reads.
 */
MmsbStatus rust_transaction_update(MmsbTransaction transaction,
                                   uint64_t page,
                                   const uint8_t *bytes,
                                   size_t len);

/**
 * Applies a delta, which is copied. The note of the commit counts, not the delta's.
 */
MmsbStatus rust_transaction_apply(MmsbTransaction transaction, MmsbDelta delta);

/**
 * The value of a metadata key: copied to `buf`, which has room for `capacity` bytes; `len` receives
 * its length, also when the buffer is too small.
 *
 * Errors: KeyNotFound, LengthMismatch.
 *
 * # Safety
 * `key` is valid for its length, `buf` null or valid for `capacity` writes, `len` null or valid for
 * a write.
 */
MmsbStatus rust_transaction_metadata_get(MmsbTransaction transaction,
                                         uint64_t page,
                                         const uint8_t *key,
                                         size_t key_len,
                                         uint8_t *buf,
                                         size_t capacity,
                                         size_t *len);

/**
 * Sets a metadata key of a page.
 *
 * # Safety
 * `key` and `value` are valid for their lengths.
 */
MmsbStatus rust_transaction_metadata_set(MmsbTransaction transaction,
                                         uint64_t page,
                                         const uint8_t *key,
                                         size_t key_len,
                                         const uint8_t *value,
                                         size_t value_len);

/**
 * Takes a metadata key of a page away.
 *
 * Errors: KeyNotFound.
 *
 * # Safety
 * `key` is valid for its length.
 */
MmsbStatus rust_transaction_metadata_remove(MmsbTransaction transaction,
                                            uint64_t page,
                                            const uint8_t *key,
                                            size_t key_len);

/**
 * Makes a page somebody's from the commit on: 0 shared, 1 immutable, else 2 and the partition's
 * number.
 *
 * Errors: as `rust_page_set_ownership`.
 */
MmsbStatus rust_transaction_set_ownership(MmsbTransaction transaction,
                                          uint64_t page,
                                          uint32_t ownership);

/**
 * A place to go back to with `rust_transaction_rollback`.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_transaction_savepoint(MmsbTransaction transaction, MmsbSavepoint *out);

/**
 * Takes back all that was written after a savepoint, and the savepoints after it. What was read
 * stays read.
 *
 * Errors: InvalidArgument for one that was taken back, or another transaction's.
 */
MmsbStatus rust_transaction_rollback(MmsbTransaction transaction, MmsbSavepoint to);

/**
 * Begins, calls `body`, and commits, anew as long as it conflicts with others. What `body` returns
 * but 0 gives the transaction up and is the call's status, unless what it had read holds no longer:
 * then it may be a consequence of that, and `body` is called again. `*lsn` receives the record's
 * LSN, 0 if nothing changed. `retry`, `note` and `lsn` may be null.
 *
 * Errors: those of `body` and of a commit; RetriesExhausted; Cancelled if `body` returns a number
 * that is no status; TransactionFinished if it ended the transaction.
 *
 * # Safety
 * `retry` and `note` are null or valid, `body` is null or may be called with `context`, `lsn` null
 * or valid for a write.
 */
MmsbStatus rust_transact(MmsbState state,
                         const MmsbRetry *retry,
                         const MmsbNote *note,
                         MmsbBody body,
                         void *context,
                         uint64_t *lsn);

/**
 * Waits after the `conflicts`th conflict in a row of a transaction, from 1: for callers that try again
 * themselves, as `rust_transact` does. The thread's last message is that of the conflict. `retry` may
 * be null.
 *
 * Errors: RetriesExhausted if that was the last try.
 *
 * # Safety
 * `retry` is null or valid for a read.
 */
MmsbStatus rust_transaction_after_conflict(MmsbState state,
                                           const MmsbRetry *retry,
                                           uint32_t conflicts);

/**
 * Takes a partition, 0 to 65,535, until what is returned is freed: its pages are changed in its
 * transactions alone.
 *
 * Ownership: `out` is freed with `rust_partition_free`.
 * Errors: PartitionInUse.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_partition_open(MmsbState state, uint32_t number, MmsbPartition *out);

/**
 * Gives a partition back. `*partition` becomes zero. Null and zero are fine.
 *
 * # Safety
 * `partition` is null or valid for a read and a write.
 */
MmsbStatus rust_partition_free(MmsbPartition *partition);

/**
 * As `rust_transaction_begin`, of one that may change the partition's pages, too.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_partition_begin(MmsbPartition partition, MmsbTransaction *out);

/**
 * As `rust_transact`, for a partition.
 *
 * # Safety
 * As `rust_transact`.
 */
MmsbStatus rust_partition_transact(MmsbPartition partition,
                                   const MmsbRetry *retry,
                                   const MmsbNote *note,
                                   MmsbBody body,
                                   void *context,
                                   uint64_t *lsn);

/**
 * Who may change a page: 0 anybody, 1 nobody ever again, else 2 and the number of the partition that
 * may.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_page_ownership(MmsbPage page,
                               uint32_t *out);

/**
 * Makes a shared page somebody's, or nobody's: 0 shared, 1 immutable, else 2 and the partition's
 * number. A partition's page is given away in a transaction of the partition. `note` and `lsn` may
 * be null; `*lsn` receives 0 if it is that already.
 *
 * Errors: NotOwner, Immutable, PageNotFound, PageFreed, InvalidArgument.
 *
 * # Safety
 * `note` is null or valid, `lsn` null or valid for a write.
 */
MmsbStatus rust_page_set_ownership(MmsbPage page,
                                   uint32_t ownership,
                                   const MmsbNote *note,
                                   uint64_t *lsn);

/**
 * Frees a view. `*view` becomes zero; its data must no longer be used. Null and zero are fine.
 *
 * # Safety
 * `view` is null or valid for a read and a write.
 */
MmsbStatus rust_view_free(MmsbView *view);

/**
 * Start and length of a view's data, valid until the view is freed.
 *
 * # Safety
 * `data` and `len` are null or valid for a write.
 */
MmsbStatus rust_view_data(MmsbView view, const uint8_t **data, size_t *len);

/**
 * Epoch of a view's content.
 *
 * # Safety
 * `out` is null or valid for a write.
 */
MmsbStatus rust_view_epoch(MmsbView view, uint64_t *out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MMSB_H */
