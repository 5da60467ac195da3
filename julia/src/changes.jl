# The log read back, one change after the other.

"""
    Change

One change to one page, as the log tells it.

- `lsn::UInt64`: the record's LSN; changes of one group share it.
- `time_ms::Int`: wall clock, milliseconds since 1970-01-01 UTC.
- `page::Int`, `epoch::Int`: the page and its epoch after the change.
- `prev::UInt64`: LSN of the record that changed the page before; 0 for none.
- `kind::Symbol`: `:created`, `:freed`, `:written`, `:metadata`, `:restored` (the page, which had
  ended, began again, all zero, as the state went back to a soft checkpoint), `:owned` (it belongs to
  somebody else), `:edge_added` or `:edge_removed` (it derives from another page, or no longer), `:ruled`
  (it is computed by another rule, or no longer), `:derived` or `:computed` (its formula, or a callback,
  made another content), `:staled` (it became stale, or was found not to be), `:sealed` (the content
  of a private page changed; [`page_at`](@ref) tells what it came to).
- `source::String`, `intent::Union{Nothing,String}`: who, and why.
- `:created` and `:restored` only: `size::Int` (bytes), `location::Symbol`.
- `:written` and `:computed` only: `runs`, a vector of `(offset, len)`, and `payload::Vector{UInt8}`, their bytes
  one after the other.
- `:metadata` only: `key::String`, `value::Union{Nothing,String}` (`nothing`: the key went).
- `:owned` only: `ownership::Union{Symbol,Int}`, `:shared`, `:immutable` or a partition.
- `:edge_added` and `:edge_removed` only: `parent::Int`, `edge::Symbol`, the kind.
- `:ruled` only: `rule::Union{Nothing,String}`; `:staled` only: `staleness::Symbol`.
"""
struct Change
    lsn::UInt64
    time_ms::Int
    page::Int
    epoch::Int
    prev::UInt64
    kind::Symbol
    source::String
    intent::Union{Nothing,String}
    size::Int
    location::Symbol
    runs::Vector{Run}
    payload::Vector{UInt8}
    key::String
    value::Union{Nothing,String}
    ownership::Union{Symbol,Int}
    parent::Int
    edge::Symbol
    rule::Union{Nothing,String}
    staleness::Symbol
end

function Base.show(io::IO, change::Change)
    print(io, "Change(LSN ", change.lsn, ", page ", change.page, " ", change.kind)
    change.kind in (:created, :restored) && print(io, ", ", change.size, " bytes")
    change.kind === :written && print(io, ", ", length(change.payload), " bytes at ",
                                      join((run.offset for run in change.runs), ", "))
    change.kind === :metadata && print(io, ", ", repr(change.key))
    isempty(change.source) || print(io, ", by ", repr(change.source))
    print(io, ")")
end

"""
    Changes

An iterator of [`Change`](@ref)s, made by [`query_log`](@ref). It reads as it goes, once: to read
again, query again. At its end it closes itself; `close` ends it early. It goes on when the state is
closed; be at its end before the directory is opened again, which may reuse log files that nothing
needs any more.
"""
mutable struct Changes <: Handle
    handle::API.MmsbReader

    Changes(handle::API.MmsbReader) = finalizer(finalize_handle, new(handle))
end

free(::Changes, ref) = API.rust_tlog_reader_free(ref)
noun(::Changes) = "query"

Base.show(io::IO, changes::Changes) =
    print(io, "Changes(", isopen(changes) ? "open)" : "at their end)")

Base.IteratorSize(::Type{Changes}) = Base.SizeUnknown()
Base.eltype(::Type{Changes}) = Change

function Base.iterate(changes::Changes, ::Nothing=nothing)
    # The end closes the reader; who asks again is at the end still.
    isopen(changes) || return nothing
    found = next_change(changes)
    found === nothing && return nothing
    GC.@preserve changes return change(found, changes.handle), nothing
end

"The next change as the library has it, or `nothing`; its pointers last until the one after."
function next_change(changes::Changes)
    out, more = Ref{API.MmsbChange}(), Ref(false)
    GC.@preserve changes check(API.rust_tlog_reader_next(raw(changes), out, more))
    more[] && return out[]
    close(changes)
    return nothing
end

const NO_RUNS = Run[]
const NO_BYTES = UInt8[]

function change(found::API.MmsbChange, reader::API.MmsbReader)
    written = found.kind in (UInt32(API.MMSB_CHANGE_KIND_WRITTEN), UInt32(API.MMSB_CHANGE_KIND_COMPUTED))
    kind = kind_name(found.kind)
    is_edge = kind in (:edge_added, :edge_removed)
    return Change(
        found.lsn, Int(found.time_ms), Int(found.page), Int(found.epoch), found.prev,
        kind,
        text_at(found.source, found.source_len),
        found.intent == C_NULL ? nothing : text_at(found.intent, found.intent_len),
        Int(found.size), location_name(found.location),
        written ? current_runs(reader) : NO_RUNS,
        written ? bytes_at(found.payload, found.payload_len) : NO_BYTES,
        text_at(found.key, found.key_len),
        found.value == C_NULL ? nothing : text_at(found.value, found.value_len),
        kind === :owned ? ownership_name(found.ownership) : :none,
        Int(found.parent), is_edge ? first(EDGE_KINDS[found.edge + 1]) : :none,
        rule_name(found.rule_kind, text_at(found.rule, found.rule_len)),
        kind === :staled ? STALENESS[found.staleness + 1] : :none)
end

const KINDS = (:created, :freed, :written, :metadata, :restored, :owned, :edge_added, :edge_removed,
               :ruled, :derived, :computed, :staled, :sealed)
kind_name(number::UInt32) = KINDS[number]

text_at(pointer, len) = len == 0 ? "" : unsafe_string(pointer, len)

function bytes_at(pointer, len)
    bytes = Vector{UInt8}(undef, len)
    GC.@preserve bytes unsafe_copyto!(Base.pointer(bytes), pointer, len)
    return bytes
end

current_delta(reader::API.MmsbReader) =
    obtain(out -> API.rust_tlog_reader_delta(reader, out), API.MmsbDelta)

function current_runs(reader::API.MmsbReader)
    delta = Ref(current_delta(reader))
    try
        return runs_of(delta[])
    finally
        API.rust_delta_free(delta)
    end
end

"""
    query_log(state; page=nothing, after=nothing, to=nothing, from_time=nothing, to_time=nothing,
              source=nothing, limit=nothing)::Changes

The changes that are kept, in the order of their LSNs: an iterator of [`Change`](@ref)s. `state`
may be a [`TLog`](@ref) as well.

- `page`: only of this page, found by its own chain of records where a scan would be longer.
- `after`, `to`: LSNs; only above `after`, only up to `to`.
- `from_time`, `to_time`: wall clock, milliseconds since 1970-01-01 UTC, both inclusive.
- `source`: only with exactly this label.
- `limit`: at most so many.

Errors: `HistoryDroppedError`, `PageNotFoundError`, `InvalidArgumentError`; while reading
`CorruptError`.

```julia
MMSBState() do state
    id = create_page(state; size=4, source="setup")
    update_page(state, id, b"abcd"; source="sensor")
    @assert [change.kind for change in query_log(state)] == [:created, :written]
    @assert first(query_log(state; source="sensor")).payload == b"abcd"
end
```
"""
query_log(state::MMSBState; limits...) = query(API.rust_state_query, state; limits...)

function query(call, owner::Handle; page=nothing, after=nothing, to=nothing, from_time=nothing,
               to_time=nothing, source::Union{Nothing,AbstractString}=nothing, limit=nothing)
    source = source === nothing ? nothing : terminated(source, "source")
    number(value, name, absent) = value === nothing ? absent : natural(value, name)
    wanted = Ref(API.MmsbQuery(
        page === nothing ? 0 : queried_page(page),
        # The library's own word for "from the beginning" is an LSN that a caller may name.
        after === nothing ? typemax(UInt64) : min(natural(after, "after"), typemax(UInt64) - 1),
        number(to, "to", typemax(UInt64)),
        number(from_time, "from_time", UInt64(0)), number(to_time, "to_time", typemax(UInt64)),
        source === nothing ? C_NULL : pointer(source), number(limit, "limit", typemax(UInt64))))
    GC.@preserve owner source begin
        handle = raw(owner)
        return Changes(obtain(out -> call(handle, wanted, out), API.MmsbReader))
    end
end

"For the library page 0 means all pages; for a caller it is one that cannot exist."
queried_page(id) = id == 0 ? refuse_id(id) : page_id(id)

"""
    get_deltas_for_page(state, page; limits...)::Vector{Delta}

The deltas that changed a page's content, oldest first, as objects that can be inspected, merged
and applied elsewhere. `state` may be a [`TLog`](@ref) as well; `limits` as for
[`query_log`](@ref).

```julia
MMSBState() do state
    id = create_page(state; size=4)
    update_page(state, id, b"abcd")
    update_page(state, id, b"abXd")
    deltas = get_deltas_for_page(state, id)
    @assert delta_runs(last(deltas)) == [(offset=2, len=1)]
end
```
"""
get_deltas_for_page(owner::Handle, page::Integer; limits...) =
    closing(query_log(owner; page=page, limits...)) do changes
        deltas = Delta[]
        while (found = next_change(changes)) !== nothing
            found.kind == UInt32(API.MMSB_CHANGE_KIND_WRITTEN) || continue
            GC.@preserve changes push!(deltas, Delta(current_delta(raw(changes))))
        end
        deltas
    end

"""
    compute_log_statistics(state; limits...)

Counts over the log that is kept: a named tuple of `deltas`, `pages` (that they change),
`payload_bytes`, `record_bytes` (the log's bytes in use), `first` and `last` (LSNs), `first_ms` and
`last_ms` (wall clocks) and `sources` (different labels). `limits` as for [`query_log`](@ref). Of a
[`TLog`](@ref), or a directory that holds one, every record's checksum is checked.

Cost: reads the whole log.

```julia
MMSBState() do state
    id = create_page(state; size=4)
    update_page(state, id, b"abcd")
    @assert compute_log_statistics(state).payload_bytes == 4
end
```
"""
function compute_log_statistics(state::MMSBState; limits...)
    pages, sources = Set{UInt64}(), Set{String}()
    deltas = payload_bytes = 0
    first = last = first_ms = last_ms = UInt64(0)
    closing(query_log(state; limits...)) do changes
        while (found = next_change(changes)) !== nothing
            found.kind == UInt32(API.MMSB_CHANGE_KIND_WRITTEN) || continue
            deltas == 0 && ((first, first_ms) = (found.lsn, found.time_ms))
            last, last_ms = found.lsn, found.time_ms
            deltas += 1
            payload_bytes += found.payload_len
            push!(pages, found.page)
            push!(sources, text_at(found.source, found.source_len))
        end
    end
    return (deltas=deltas, pages=length(pages), payload_bytes=Int(payload_bytes),
            record_bytes=get_stats(state).log_bytes, first=first, last=last,
            first_ms=Int(first_ms), last_ms=Int(last_ms), sources=length(sources))
end
