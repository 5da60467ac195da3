# Snapshots compared; soft checkpoints, and the way back to them.

"""
    Difference

A page that is not the same in two snapshots, found by [`compare`](@ref):

- `page::Int`;
- `kind::Symbol`: `:created` (only the second has it), `:freed` (only the first), `:changed`;
- `:changed` only: `runs`, a vector of `(offset, len)` where content differs, and `metadata::Bool`,
  whether metadata does.
"""
const Difference = NamedTuple{(:page, :kind, :runs, :metadata),Tuple{Int,Symbol,Vector{Run},Bool}}

const DIFFERENCES = (:created, :freed, :changed)

"""
    compare(from::Snapshot, to::Snapshot)::Vector{Difference}
    compare(from::Snapshot, state)::Vector{Difference}

What differs in `to`, or in the state as of now, from what `from` shows: a [`Difference`](@ref) per
page, ascending. Offsets are bytes from 0. Pages that went there and back do not differ, whatever
their epochs.

Errors: `InvalidArgumentError` for snapshots of two states, `SnapshotTooOldError`.

Cost: that of what changed after the older one, not of what there is.

```julia
MMSBState() do state
    id = create_page(state; size=100)
    snapshot(state) do before
        write_page!(state, id, 7, b"abc")
        found = compare(before, state)
        @assert found[1].page == id && found[1].runs == [(offset=7, len=3)]
    end
end
```
"""
compare(from::Snapshot, to::Snapshot) = GC.@preserve from to begin
    first, second = raw(from), raw(to)
    differences(out -> API.rust_snapshot_compare(first, second, out))
end

compare(from::Snapshot, state::MMSBState) = GC.@preserve from state begin
    first, owner = raw(from), raw(state)
    differences(out -> API.rust_state_compare(owner, first, out))
end

function differences(call)
    comparison = Ref(obtain(call, API.MmsbComparison))
    try
        count, found = Ref{Csize_t}(0), Ref{API.MmsbDifference}()
        check(API.rust_comparison_len(comparison[], count))
        return map(0:Int(count[])-1) do index
            check(API.rust_comparison_get(comparison[], index, found))
            difference(found[])
        end
    finally
        API.rust_comparison_free(comparison)
    end
end

function difference(found::API.MmsbDifference)
    at(i) = unsafe_load(found.runs, i)
    runs = Run[(offset=Int(at(i).offset), len=Int(at(i).len)) for i in 1:Int(found.runs_len)]
    return Difference((Int(found.page), DIFFERENCES[Int(found.kind)], runs, found.metadata))
end

"""
    export_checkpoint(snap::Snapshot, path; progress=nothing)::UInt64

Writes what a snapshot shows to the file `path`, as of a state; returns the LSN that it stands at.

Errors: `SnapshotTooOldError`, and those of a state's.
"""
function export_checkpoint(snap::Snapshot, path::AbstractString; progress=nothing)
    path, lsn = terminated(path, "path"), Ref{UInt64}(0)
    GC.@preserve snap path told(progress, Int) do callback, context
        check(API.rust_snapshot_write(raw(snap), pointer(path), callback, context, lsn))
    end
    return lsn[]
end

"""
    SoftCheckpoint

A moment that a state can go back to, made by [`soft_checkpoint`](@ref). It is in memory alone, and
holds what changes after it as a [`Snapshot`](@ref) does; `close` gives it up.
"""
mutable struct SoftCheckpoint <: Handle
    handle::API.MmsbSoftCheckpoint

    SoftCheckpoint(handle::API.MmsbSoftCheckpoint) = finalizer(finalize_handle, new(handle))
end

free(::SoftCheckpoint, ref) = API.rust_soft_checkpoint_release(ref)
noun(::SoftCheckpoint) = "soft checkpoint"

"""
    soft_checkpoint(state)::SoftCheckpoint
    soft_checkpoint(use, state)

Marks a state as it is now, to [`revert!`](@ref) to. Marks may be nested, closed and gone back to in
any order; going back to one ends those made after it. The second form calls `use(mark)`, closes the
mark whatever happens (the state stays as it is then) and returns what `use` returned.

Errors: `ReadOnlyError`, `PoisonedError`.

Cost: independent of the number of pages.

```julia
MMSBState() do state
    id = create_page(state; size=4)
    soft_checkpoint(state) do mark
        update_page(state, id, b"oops")
        revert!(state, mark; source="me", intent="no good")
    end
    @assert read_page(state, id) == [0, 0, 0, 0] && page_epoch(state, id) == 2
end
```
"""
function soft_checkpoint(state::MMSBState)
    GC.@preserve state begin
        owner = raw(state)
        return SoftCheckpoint(
            obtain(out -> API.rust_state_soft_checkpoint(owner, out), API.MmsbSoftCheckpoint))
    end
end

soft_checkpoint(use, state::MMSBState) = closing(use, soft_checkpoint(state))

"""
    revert!(state, mark::SoftCheckpoint; source="", intent=nothing)::UInt64

Makes content, metadata, owners, edges and existence of all pages what they were at a soft checkpoint: as one
group, which is in the log; returns its LSN, 0 if nothing is different. Epochs go on growing, and
ids given out since stay given out. The mark then stands here and can be gone back to again; marks
made after it are passed. Other writers wait meanwhile.

Errors: `InvalidArgumentError` for a mark of another state, `CheckpointPassedError`,
`SnapshotTooOldError`, `TooLargeError` if more differs than one record holds, `NoSpaceError`,
`PoisonedError`. Then nothing changed.

Cost: that of what changed since. Example: see [`soft_checkpoint`](@ref).
"""
function revert!(state::MMSBState, mark::SoftCheckpoint; source::AbstractString="",
                 intent::Union{Nothing,AbstractString}=nothing)
    said, lsn = note(source, intent), Ref{UInt64}(0)
    GC.@preserve state mark said check(
        API.rust_state_revert(raw(state), raw(mark), address(said), lsn))
    return lsn[]
end

"""
    soft_checkpoint_lsn(mark)::UInt64

The closed LSN that a soft checkpoint stands at; going back to it moves it there.

Errors: `CheckpointPassedError`.
"""
soft_checkpoint_lsn(mark::SoftCheckpoint) = settle(API.rust_soft_checkpoint_lsn, mark)

Base.show(io::IO, mark::SoftCheckpoint) =
    print(io, "SoftCheckpoint(", isopen(mark) ? "open)" : "closed)")
