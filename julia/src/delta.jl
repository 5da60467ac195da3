# Deltas: a change to one page as an object.

"""
    Delta

A change to one page that is not applied yet, or one that was read from a log. Made by
[`create_delta`](@ref), `merge` and [`get_deltas_for_page`](@ref); inspected with
[`delta_info`](@ref), [`delta_runs`](@ref), [`delta_payload`](@ref), [`delta_source`](@ref) and
[`delta_intent`](@ref); applied with [`route_delta!`](@ref). It never changes.
"""
mutable struct Delta <: Handle
    handle::API.MmsbDelta

    Delta(handle::API.MmsbDelta) = finalizer(finalize_handle, new(handle))
end

free(::Delta, ref) = API.rust_delta_free(ref)

"""
    create_delta(page, bytes; source="", intent=nothing)::Delta
    create_delta(page, [offset => bytes, …]; source="", intent=nothing)::Delta
    create_delta(page, mask, bytes; source="", intent=nothing)::Delta

A change to the page with the id `page`: its whole content; runs, ascending and apart; or `bytes`
where `mask` is not zero, both as long as the page. Bytes are plain contiguous memory (see
[`update_page`](@ref)) and are copied.

- `source`: label of who acts, at most 255 bytes.
- `intent`: why, at most 65,535 bytes.

Errors: `RunsInvalidError`, `RangeOutOfBoundsError`, `LengthMismatchError`, `TooLongError`,
`InvalidArgumentError`. Whether it fits its page is checked when it is applied, or by
[`validate`](@ref).

```julia
delta = create_delta(1, [0 => b"ab", 6 => b"cd"]; source="sensor")
@assert delta_runs(delta) == [(offset=0, len=2), (offset=6, len=2)]
```
"""
function create_delta(page::Integer, bytes; source::AbstractString="", intent=nothing)
    data = memory(bytes)
    handle = GC.@preserve data obtain(API.MmsbDelta) do out
        API.rust_delta_new(page_id(page), address(data), bytecount(data), out)
    end
    return noted(Delta(handle), source, intent)
end

function create_delta(page::Integer, runs::AbstractVector{<:Pair}; source::AbstractString="",
                      intent=nothing)
    places, payload = flatten(runs)
    handle = GC.@preserve places payload obtain(API.MmsbDelta) do out
        API.rust_delta_new_runs(page_id(page), pointer(places), length(places),
                                pointer(payload), length(payload), out)
    end
    return noted(Delta(handle), source, intent)
end

# What is collected one by one in a `[]` says of no element what it is.
function create_delta(page::Integer, runs::AbstractVector{Any}; source::AbstractString="",
                      intent=nothing)
    all(run -> run isa Pair, runs) || refuse_element(runs)
    return create_delta(page, Pair[runs...]; source=source, intent=intent)
end

function create_delta(page::Integer, mask::AbstractVector, bytes; source::AbstractString="",
                      intent=nothing)
    data = memory(bytes)
    mask = mask_memory(mask, bytecount(data))
    handle = GC.@preserve data mask obtain(API.MmsbDelta) do out
        API.rust_delta_new_sparse(page_id(page), address(mask), address(data), bytecount(data),
                                  out)
    end
    return noted(Delta(handle), source, intent)
end

"Runs as the library takes them: places, and all bytes one after the other."
function flatten(runs)
    places, payload = API.MmsbRun[], UInt8[]
    for (offset, bytes) in runs
        data = memory(bytes)
        push!(places, API.MmsbRun(natural(offset, "offset"), bytecount(data)))
        start = length(payload)
        resize!(payload, start + bytecount(data))
        GC.@preserve data payload unsafe_copyto!(pointer(payload, start + 1), address(data),
                                                 bytecount(data))
    end
    return places, payload
end

"A mask of one `Bool` or byte per byte of content."
function mask_memory(mask::AbstractVector, len)
    mask = memory(mask isa BitVector ? Vector{Bool}(mask) : mask)
    eltype(mask) in (Bool, UInt8) || throw(InvalidArgumentError(
        "a mask of $(eltype(mask)); it holds one Bool or UInt8 per byte"))
    length(mask) == len || throw(LengthMismatchError(
        "a mask of $(length(mask)) elements for $len bytes"))
    return mask
end

"The delta with a note; the one without is closed."
function noted(delta::Delta, source, intent)
    isempty(source) && intent === nothing && return delta
    said = try
        note(source, intent)
    catch
        close(delta)
        rethrow()
    end
    return closing(delta) do delta
        Delta(GC.@preserve said obtain(API.MmsbDelta) do out
            API.rust_delta_with_note(raw(delta), said.raw.source, said.raw.intent, out)
        end)
    end
end

"""
    merge(earlier::Delta, later::Delta)::Delta

Both deltas in one, the later one winning where they overlap. Both change the same page, and stay
as they are.

```julia
both = merge(create_delta(1, [0 => b"aa"]), create_delta(1, [1 => b"bb"]))
@assert delta_payload(both) == b"abb"
```
"""
function Base.merge(earlier::Delta, later::Delta)
    GC.@preserve earlier later begin
        first, second = raw(earlier), raw(later)
        return Delta(obtain(out -> API.rust_delta_merge(first, second, out), API.MmsbDelta))
    end
end

"""
    validate(delta, page_size)
    validate(delta, state)

Nothing if the delta fits a page of `page_size` bytes, or its page in `state`, which may be a
[`PageAllocator`](@ref) as well; else throws.

Errors: `LengthMismatchError`, `RunsInvalidError`, `RangeOutOfBoundsError`, each naming value and
limit; `PageNotFoundError`, `PageFreedError`.

```julia
validate(create_delta(1, [6 => b"cd"]), 8)
```
"""
function validate(delta::Delta, page_size::Integer)
    GC.@preserve delta check(API.rust_delta_validate(raw(delta), natural(page_size, "page size")))
end

validate(delta::Delta, owner::PageOwner) =
    validate(delta, page_size(owner, delta_info(delta).page))

"""
    route_delta!(state, delta)::UInt64

Applies a delta to the page that it names, with the delta's own source and intent; returns the
record's LSN, 0 if nothing changed. `state` may be a [`Batch`](@ref): then the change happens when
that commits, with the batch's note, and `nothing` is returned. In a [`PageAllocator`](@ref) nothing
is recorded, and `nothing` is returned.

Errors: those of [`validate`](@ref), `ReadOnlyError`, `NoSpaceError`, `PoisonedError`.

```julia
MMSBState() do state
    id = create_page(state; size=8)
    route_delta!(state, create_delta(id, [6 => b"cd"]))
    @assert read_page(state, id) == [0, 0, 0, 0, 0, 0, 0x63, 0x64]
end
```
"""
function route_delta!(state::MMSBState, delta::Delta)
    lsn = Ref{UInt64}(0)
    GC.@preserve state delta check(API.rust_delta_apply(raw(delta), raw(state).id, lsn))
    return lsn[]
end

function route_delta!(pages::PageAllocator, delta::Delta)
    GC.@preserve pages delta check(API.rust_delta_apply(raw(delta), raw(pages).id, C_NULL))
end

"""
    delta_info(delta)

What a delta says of itself: a named tuple of `page`, `dense` (whether it is the whole content),
`runs` (their number), `payload_bytes`, `span_begin` and `span_end` (the bytes it changes lie in
between), and, if it was read from a log, `lsn`, `epoch` (the page's, after it) and `time_ms`.

```julia
@assert delta_info(create_delta(3, zeros(UInt8, 16))).dense
```
"""
function delta_info(delta::Delta)
    out = Ref{API.MmsbDeltaInfo}()
    GC.@preserve delta check(API.rust_delta_info(raw(delta), out))
    return named(out[], (:lsn,))
end

const Run = NamedTuple{(:offset, :len),Tuple{Int,Int}}

"""
    delta_runs(delta)

The stretches that a delta changes: a vector of `(offset, len)`, bytes, ascending.
"""
function delta_runs(delta::Delta)
    GC.@preserve delta return runs_of(raw(delta))
end

function runs_of(handle::API.MmsbDelta)
    runs = filled(API.MmsbRun, 4) do buffer, capacity, len
        API.rust_delta_runs(handle, buffer, capacity, len)
    end
    return Run[(offset=Int(run.offset), len=Int(run.len)) for run in runs]
end

"""
    delta_payload(delta)::Vector{UInt8}

The new bytes of all runs, one after the other.
"""
function delta_payload(delta::Delta)
    guess = delta_info(delta).payload_bytes
    GC.@preserve delta begin
        handle = raw(delta)
        return filled(UInt8, guess) do buffer, capacity, len
            API.rust_delta_payload(handle, buffer, capacity, len)
        end
    end
end

"""
    delta_source(delta)::String

The label of who acts; empty if nobody said.
"""
function delta_source(delta::Delta)
    GC.@preserve delta begin
        handle = raw(delta)
        return String(filled(UInt8) do buffer, capacity, len
            API.rust_delta_source(handle, buffer, capacity, len)
        end)
    end
end

"""
    delta_intent(delta)::Union{Nothing,String}

Why; `nothing` if nobody said.
"""
function delta_intent(delta::Delta)
    present = Ref(false)
    GC.@preserve delta begin
        handle = raw(delta)
        text = filled(UInt8) do buffer, capacity, len
            API.rust_delta_intent(handle, buffer, capacity, len, present)
        end
    end
    return present[] ? String(text) : nothing
end

function Base.show(io::IO, delta::Delta)
    isopen(delta) || return print(io, "Delta(closed)")
    info = delta_info(delta)
    print(io, "Delta(page ", info.page, ", ", info.payload_bytes, " bytes in ", info.runs,
          info.runs == 1 ? " run)" : " runs)")
end
