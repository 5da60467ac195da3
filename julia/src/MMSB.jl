"""
MMSB, the Memory-Mapped State Bus: a program's live state in one place, versioned, durable and
replayable.

```julia
using MMSB
MMSBState() do state
    id = create_page(state; size=1024)
    update_page(state, id, rand(UInt8, 1024))
    length(read_page(state, id))
end
```

A state holds pages, fixed-size byte arrays named by an id from 1. Every change is one record in
one log, named by its LSN, and a state is what its log says: it survives a crash, can be read as
of any LSN and has a digest that equals that of its replay. `docs/julia.md` is the guide.

Words: page ids, sizes, offsets and counts are `Int`, in bytes; an offset is a distance, so the
first byte has offset 0; LSNs are `UInt64`; wall clocks are milliseconds since 1970-01-01 UTC.
"""
module MMSB

import Libdl

# The lower a file, the more it knows; each uses only those above it.
include("api.jl")
include("library.jl")
include("errors.jl")
include("memory.jl")
include("handle.jl")
include("progress.jl")
include("note.jl")
include("state.jl")
include("heap.jl")
include("allocator.jl")
include("block.jl")
include("delta.jl")
include("batch.jl")
include("page.jl")
include("view.jl")
include("snapshot.jl")
include("metadata.jl")
include("changes.jl")
include("history.jl")
include("checkpoint.jl")
include("revert.jl")
include("graph.jl")
include("events.jl")
include("derive.jl")
include("private.jl")
include("semiring.jl")
include("transaction.jl")
include("executor.jl")
include("tlog.jl")
include("stats.jl")
include("macro.jl")

export MMSBState, mmsb_start, mmsb_stop, reset!, recovered
export create_page, delete_page, list_pages, page_size, page_epoch, page_lsn, page_location
export unlock!, isunlocked, isprivate
export update_page, write_page!, write_masked!, query_page, read_page, read_page!
export set_metadata!, get_metadata, delete_metadata!
export PageArray, PageView, page_view, page_array
export PageAllocator, prewarm!, allocator_stats, MemoryBlock, alloc_block
export memory_stats, memory_report, memory_prewarm!, memory_purge!, memory_limit!
export memory_retention!, memory_huge_pages!
export Delta, create_delta, validate, route_delta!, batch_route_deltas!
export delta_info, delta_runs, delta_payload, delta_source, delta_intent
export Batch, batch, commit!, @mmsb
export Snapshot, snapshot, snapshot_lsn, compare, Difference
export SoftCheckpoint, soft_checkpoint, soft_checkpoint_lsn, revert!
export Change, Changes, query_log, get_deltas_for_page, compute_log_statistics
export replay_log, page_at, verify, digest, Digest, sync
export checkpoint!, checkpoint_log!, export_checkpoint, load_checkpoint!, list_checkpoints
export drop_checkpoint!
export add_dependency, remove_dependency, get_parents, get_children, get_ancestors, get_descendants
export topological_order, delete_cascade, Dependency, DependencyGraph, graph_dot, graph_svg
export Subscription, StateEvent, subscribe!, poll!, events_lost, subscription_lsn
export derive!, register_callback!, register_recompute_fn!, register_passthrough_recompute!, underive!
export page_rule, staleness, stale_pages, propagate!, propagate_change!, propagation
export set_propagation!, set_propagation_threads!, propagation_threads, check_purity!, propagation_stats, explain, Explanation, Origin
export Semiring, semiring_add, semiring_mul, fold_add, fold_mul, accumulate_add, TROPICAL, BOOLEAN
export tropical_fold_add, tropical_fold_mul, tropical_accumulate
export boolean_fold_add, boolean_fold_mul, boolean_accumulate
export Transaction, begin_transaction, transact, savepoint, rollback!, has_page
export Partition, partition, ownership, share!, freeze!, transfer!
export Executor, executor_workers, Tickets, submit, stop!, Program, program_bytes
export add!, write_at!, compare_and_swap!, move_amount!, require!
export TLog
export get_stats, print_stats, prometheus
export MMSBError, check, isretryable, isfatal, error_table

function __init__()
    load_library()
    # The collector waits for all threads: none may wait inside the library for another's callback.
    API.rust_propagate_set_patient(false)
    return nothing
end

end # module MMSB
