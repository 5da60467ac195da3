# Snapshots: all pages as they were at one moment.

"""
    Snapshot

All pages of a state at one closed LSN, made by [`snapshot`](@ref). [`read_page`](@ref),
[`read_page!`](@ref), [`list_pages`](@ref), [`page_size`](@ref), [`page_epoch`](@ref),
[`get_metadata`](@ref) and [`digest`](@ref) take one in place of a state. Stops no writer; while it
is open, pages that change keep their old content beside the new. It stays as it is when the state
is closed, and keeps the state's memory until it is closed itself.

When open snapshots together hold more than the setting `version_bytes_max`, the oldest that hold
anything are ended: reading from them throws `SnapshotTooOldError`, and they are to be taken anew.
"""
mutable struct Snapshot <: Handle
    handle::API.MmsbSnapshot

    Snapshot(handle::API.MmsbSnapshot) = finalizer(finalize_handle, new(handle))
end

free(::Snapshot, ref) = API.rust_snapshot_free(ref)

"""
    snapshot(state)::Snapshot
    snapshot(use, state)

A consistent view of all pages as of now: groups are in it whole or not at all. The second form
calls `use(snap)`, closes the snapshot whatever happens and returns what `use` returned.

Cost: independent of the number of pages.

```julia
MMSBState() do state
    id = create_page(state; size=4)
    snapshot(state) do snap
        update_page(state, id, b"abcd")
        @assert read_page(snap, id) == [0, 0, 0, 0]
    end
end
```
"""
function snapshot(state::MMSBState)
    GC.@preserve state begin
        owner = raw(state)
        return Snapshot(obtain(out -> API.rust_snapshot_new(owner, out), API.MmsbSnapshot))
    end
end

snapshot(use, state::MMSBState) = closing(use, snapshot(state))

"""
    snapshot_lsn(snap)::UInt64

The closed LSN that a snapshot stands at; [`replay_log`](@ref) with it gives the same content.
"""
snapshot_lsn(snap::Snapshot) = settle(API.rust_snapshot_lsn, snap)

digest(snap::Snapshot) = digest_by(API.rust_snapshot_digest, snap)
list_pages(snap::Snapshot) = ids_by(API.rust_snapshot_list_pages, snap)

function ask(call, snap::Snapshot, id::Integer)
    out = Ref{UInt64}(0)
    GC.@preserve snap check(call(raw(snap), page_id(id), out))
    return out[] % Int
end

page_size(snap::Snapshot, id::Integer) = ask(API.rust_snapshot_page_size, snap, id)
page_epoch(snap::Snapshot, id::Integer) = ask(API.rust_snapshot_page_epoch, snap, id)

function read_page!(buffer, snap::Snapshot, id::Integer; offset::Integer=0)
    data = writable(buffer)
    GC.@preserve snap data check(API.rust_snapshot_read(
        raw(snap), page_id(id), natural(offset, "offset"), address(data), bytecount(data)))
    return buffer
end

Base.show(io::IO, snap::Snapshot) =
    isopen(snap) ? print(io, "Snapshot(LSN ", snapshot_lsn(snap), ")") :
    print(io, "Snapshot(closed)")
