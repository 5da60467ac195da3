# Batches: many changes as one group, all or none.

"""
    Batch(state; source="", intent=nothing)

Changes that are to happen together: [`create_page`](@ref), [`delete_page`](@ref),
[`update_page`](@ref), [`write_page!`](@ref), [`write_masked!`](@ref), [`route_delta!`](@ref),
[`set_metadata!`](@ref) and [`delete_metadata!`](@ref) take a batch in place of a state. Nothing is
visible before [`commit!`](@ref); `close` gives the changes up. [`batch`](@ref) does both for a
block.

A batch is for one task at a time. What does not fit is noticed by the call or by the commit; if a
call fails, give the batch up.
"""
mutable struct Batch <: Handle
    handle::API.MmsbBatch
    state::MMSBState
    note::Note

    function Batch(state::MMSBState; source::AbstractString="",
                   intent::Union{Nothing,AbstractString}=nothing)
        said = note(source, intent)
        handle = GC.@preserve state begin
            owner = raw(state)
            obtain(out -> API.rust_batch_new(owner, out), API.MmsbBatch)
        end
        return finalizer(finalize_handle, new(handle, state, said))
    end
end

free(::Batch, ref) = API.rust_batch_free(ref)

"What changes can be put into: at once, or when the batch commits."
const Target = Union{MMSBState,Batch}

"""
    commit!(batch::Batch)::UInt64

Makes all changes of a batch at once, as one record; returns its LSN, 0 if nothing changes. The
batch is over, also after an error.

Errors: those of the single changes; then none of them happened.

```julia
MMSBState() do state
    changes = Batch(state)
    id = create_page(changes; size=4)
    @assert isempty(list_pages(state))
    commit!(changes)
    @assert list_pages(state) == [id]
end
```
"""
function commit!(batch::Batch)
    ref, lsn, said = Ref(raw(batch)), Ref{UInt64}(0), batch.note
    batch.handle = API.MmsbBatch(0)
    GC.@preserve batch said check(API.rust_batch_commit(ref, address(said), lsn))
    return lsn[]
end

"""
    batch(use, state; source="", intent=nothing)

Calls `use(b)` with a [`Batch`](@ref) and commits it; returns what `use` returned. All its changes
happen as one group, durable and replayed all or none, seen by readers all or none. If `use` or the
commit throws, none of them happened.

```julia
MMSBState() do state
    a, b = batch(state; source="bank") do changes
        create_page(changes; size=8), create_page(changes; size=8)
    end
    batch(state; intent="transfer") do changes
        update_page(changes, a, Ref(-5))
        update_page(changes, b, Ref(5))
    end
    @assert read_page(state, a, Int) == [-5]
end
```
"""
function batch(use, state::MMSBState; source::AbstractString="",
               intent::Union{Nothing,AbstractString}=nothing)
    changes = Batch(state; source=source, intent=intent)
    return closing(changes) do changes
        result = use(changes)
        commit!(changes)
        result
    end
end

"""
    batch_route_deltas!(state, deltas; source="", intent=nothing)::UInt64

Applies deltas in their order as one group, all or none; returns the group's LSN, 0 if nothing
changed. The note given here counts, not those of the deltas.

Errors: those of [`route_delta!`](@ref); then none was applied.

```julia
MMSBState() do state
    ids = [create_page(state; size=4) for _ in 1:3]
    batch_route_deltas!(state, [create_delta(id, [0 => b"x"]) for id in ids])
    @assert all(id -> page_epoch(state, id) == 1, ids)
end
```
"""
function batch_route_deltas!(state::MMSBState, deltas; source::AbstractString="",
                             intent::Union{Nothing,AbstractString}=nothing)
    changes = Batch(state; source=source, intent=intent)
    return closing(changes) do changes
        foreach(delta -> route_delta!(changes, delta), deltas)
        commit!(changes)
    end
end

function route_delta!(batch::Batch, delta::Delta)
    GC.@preserve batch delta check(API.rust_batch_apply(raw(batch), raw(delta)))
end

function Base.show(io::IO, batch::Batch)
    print(io, "Batch(", isopen(batch) ? "open" : "over", ")")
end
