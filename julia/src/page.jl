# Pages: create, change, read, ask.

"A page of a state or allocator as the library names it."
@inline page_of(owner::PageOwner, id::Integer) = API.MmsbPage(raw(owner).id, page_id(id))

"""
    create_page(state; size, location=:cpu, metadata=(), private=false, source="", intent=nothing)::Int

Creates a page of `size` bytes, all zero, and returns its id, which is never used again. In a
[`Batch`](@ref) the page begins when that commits, and its id can be used in the batch at once. A
[`PageAllocator`](@ref) takes `size` and `location`.

- `size`: bytes, 1 to 2^30.
- `location`: where it should live, `:cpu`, `:gpu` or `:unified`.
- `metadata`: pairs of key and value, as for [`set_metadata!`](@ref), that become part of the same
  group: nobody sees the page without them.
- `private`: its content is sealed wherever it stands, and only the state's key opens it: see
  [`unlock!`](@ref). Then `size` is at most 2^30 - 48.

Errors: `SealedError` (private, without a key), `SizeOutOfRangeError`, `InvalidArgumentError`, `TooLongError`, `MMSBOutOfMemoryError`,
`NoSpaceError`, `ReadOnlyError`, `PoisonedError`.

```julia
MMSBState() do state
    id = create_page(state; size=1024, metadata=Dict("unit" => "kelvin"))
    @assert get_metadata(state, id, "unit") == "kelvin"
end
```
"""
@inline function create_page(state::MMSBState; size::Integer, location::Symbol=:cpu, metadata=(),
                             private::Bool=false, source::AbstractString="",
                             intent::Union{Nothing,AbstractString}=nothing)
    isempty(metadata) ||
        return create_with_metadata(state, size, location, metadata, private, source, intent)
    create = private ? API.rust_page_create_private : API.rust_page_create
    said = note(source, intent)
    out = Ref(API.MmsbPage(0, 0))
    GC.@preserve state said check(create(
        raw(state), natural(size, "size"), location_number(location), address(said), out))
    return out[].id % Int
end

location_number(location) =
    location === :cpu ? UInt32(0) : choice(location, LOCATIONS, "location")

create_with_metadata(state, size, location, metadata, private, source, intent) =
    batch(state; source=source, intent=intent) do changes
        create_page(changes; size=size, location=location, metadata=metadata, private=private)
    end

function create_page(batch::Batch; size::Integer, location::Symbol=:cpu, metadata=(),
                     private::Bool=false)
    create = private ? API.rust_batch_create_private_page : API.rust_batch_create_page
    out = Ref{UInt64}(0)
    GC.@preserve batch check(create(
        raw(batch), natural(size, "size"), location_number(location), out))
    id = out[] % Int
    for (key, value) in pairs_of(metadata)
        set_metadata!(batch, id, key, value)
    end
    return id
end

function create_page(pages::PageAllocator; size::Integer, location::Symbol=:cpu)
    out = Ref(API.MmsbPage(0, 0))
    GC.@preserve pages check(API.rust_allocator_allocate(
        raw(pages), natural(size, "size"), location_number(location), out))
    return out[].id % Int
end

pairs_of(metadata::Pair) = (metadata,)
pairs_of(metadata::NamedTuple) = (String(key) => value for (key, value) in pairs(metadata))
pairs_of(metadata) = metadata

"""
    delete_page(state, id; source="", intent=nothing)::UInt64

Ends a page; returns the record's LSN. Its id is never used again, views of it stay valid, and its
past can still be read. In a [`Batch`](@ref) it happens when that commits, and `nothing` is
returned.

Errors: `PageNotFoundError`, `PageFreedError`, `ReadOnlyError`, `NoSpaceError`, `PoisonedError`.

```julia
MMSBState() do state
    id = create_page(state; size=4)
    delete_page(state, id)
    @assert isempty(list_pages(state))
end
```
"""
function delete_page(state::MMSBState, id::Integer; source::AbstractString="",
                     intent::Union{Nothing,AbstractString}=nothing)
    said, lsn = note(source, intent), Ref{UInt64}(0)
    GC.@preserve state said check(API.rust_page_free(page_of(state, id), address(said), lsn))
    return lsn[]
end

function delete_page(batch::Batch, id::Integer)
    GC.@preserve batch check(API.rust_batch_free_page(raw(batch), page_id(id)))
end

function delete_page(pages::PageAllocator, id::Integer)
    GC.@preserve pages check(API.rust_allocator_release(raw(pages), page_id(id)))
end

"""
    update_page(state, id, bytes; source="", intent=nothing)::UInt64

Makes `bytes`, exactly as long as the page, its content. Only what differs is recorded; returns the
record's LSN, 0 if the content was already so. In a [`Batch`](@ref) it happens when that commits,
and `nothing` is returned.

`bytes` is memory that is read as it lies, without a copy: an `Array`, contiguous view, page array
or `Ref` of plain values (numbers, or structs of them without padding), a string or byte literal.

Errors: `LengthMismatchError`, `InvalidArgumentError` (not plain, not contiguous),
`PageNotFoundError`, `PageFreedError`, `TooLongError`, `NoSpaceError`, `ReadOnlyError`,
`PoisonedError`. Then nothing changed.

Cost: one comparison of the page and the record of what changed; no allocation, no system call.

```julia
MMSBState() do state
    id = create_page(state; size=24)
    update_page(state, id, [1.0, 2.0, 3.0])
    @assert read_page(state, id, Float64) == [1.0, 2.0, 3.0]
end
```
"""
@inline function update_page(state::MMSBState, id::Integer, bytes; source::AbstractString="",
                             intent::Union{Nothing,AbstractString}=nothing)
    data, said, lsn = memory(bytes), note(source, intent), Ref{UInt64}(0)
    GC.@preserve state data said check(API.rust_page_update(
        page_of(state, id), address(data), bytecount(data), address(said), lsn))
    return lsn[]
end

@inline function update_page(batch::Batch, id::Integer, bytes)
    data = memory(bytes)
    GC.@preserve batch data check(API.rust_batch_update(
        raw(batch), page_id(id), address(data), bytecount(data)))
end

@inline function update_page(pages::PageAllocator, id::Integer, bytes)
    data = memory(bytes)
    GC.@preserve pages data check(API.rust_page_update(
        page_of(pages, id), address(data), bytecount(data), C_NULL, C_NULL))
end

"""
    write_page!(state, id, offset, bytes; source="", intent=nothing)::UInt64

Writes `bytes` to the page from `offset` on, bytes from its start; otherwise as
[`update_page`](@ref). Several writes to one page in a [`Batch`](@ref) merge, the last one wins.

Errors: `RangeOutOfBoundsError`, and those of [`update_page`](@ref).

```julia
MMSBState() do state
    id = create_page(state; size=4)
    write_page!(state, id, 1, b"ab")
    @assert read_page(state, id) == [0, 0x61, 0x62, 0]
end
```
"""
@inline function write_page!(state::MMSBState, id::Integer, offset::Integer, bytes;
                             source::AbstractString="",
                             intent::Union{Nothing,AbstractString}=nothing)
    data, said, lsn = memory(bytes), note(source, intent), Ref{UInt64}(0)
    GC.@preserve state data said check(API.rust_page_write(
        page_of(state, id), natural(offset, "offset"), address(data), bytecount(data),
        address(said), lsn))
    return lsn[]
end

@inline function write_page!(batch::Batch, id::Integer, offset::Integer, bytes)
    data = memory(bytes)
    GC.@preserve batch data check(API.rust_batch_write(
        raw(batch), page_id(id), natural(offset, "offset"), address(data), bytecount(data)))
end

@inline function write_page!(pages::PageAllocator, id::Integer, offset::Integer, bytes)
    data = memory(bytes)
    GC.@preserve pages data check(API.rust_page_write(
        page_of(pages, id), natural(offset, "offset"), address(data), bytecount(data), C_NULL,
        C_NULL))
end

"""
    write_masked!(state, id, mask, bytes; source="", intent=nothing)::UInt64

Writes `bytes` where `mask`, one `Bool` or `UInt8` per byte, is not zero; both are as long as the
page. Otherwise as [`update_page`](@ref).

```julia
MMSBState() do state
    id = create_page(state; size=4)
    write_masked!(state, id, [true, false, false, true], b"abcd")
    @assert read_page(state, id) == [0x61, 0, 0, 0x64]
end
```
"""
function write_masked!(state::MMSBState, id::Integer, mask::AbstractVector, bytes;
                       source::AbstractString="", intent::Union{Nothing,AbstractString}=nothing)
    data, said, lsn = memory(bytes), note(source, intent), Ref{UInt64}(0)
    mask = mask_memory(mask, bytecount(data))
    GC.@preserve state data mask said check(API.rust_page_write_masked(
        page_of(state, id), address(mask), address(data), bytecount(data), address(said), lsn))
    return lsn[]
end

write_masked!(batch::Batch, id::Integer, mask::AbstractVector, bytes) =
    closing(delta -> route_delta!(batch, delta), create_delta(id, mask, bytes))

function write_masked!(pages::PageAllocator, id::Integer, mask::AbstractVector, bytes)
    data = memory(bytes)
    mask = mask_memory(mask, bytecount(data))
    GC.@preserve pages data mask check(API.rust_page_write_masked(
        page_of(pages, id), address(mask), address(data), bytecount(data), C_NULL, C_NULL))
end

"""
    read_page(state, id; offset=0, len=nothing)::Vector{UInt8}
    read_page(state, id, T)::Vector{T}

A copy of a page: `len` bytes from `offset` on, by default all; or the whole page as plain values
of type `T`, whose size divides the page's. `state` may be a [`Snapshot`](@ref) or
[`PageAllocator`](@ref) as well. [`page_view`](@ref) is the way without a copy.

Errors: `PageNotFoundError`, `PageFreedError`, `RangeOutOfBoundsError`, `LengthMismatchError`,
`CorruptError`.

```julia
MMSBState() do state
    id = create_page(state; size=8)
    @assert read_page(state, id; offset=6) == [0, 0]
    @assert read_page(state, id, Int32) == Int32[0, 0]
end
```
"""
function read_page(owner, id::Integer; offset::Integer=0, len::Union{Nothing,Integer}=nothing)
    wanted = len === nothing ? max(0, page_size(owner, id) - offset) : natural(len, "len")
    # A length that no page has must not become a request for memory.
    wanted <= PAGE_BYTES_MAX || throw(RangeOutOfBoundsError(
        "$wanted bytes of page $id; no page has more than $PAGE_BYTES_MAX"))
    return read_page!(Vector{UInt8}(undef, wanted), owner, id; offset=offset)
end

const PAGE_BYTES_MAX = 1 << 30

function read_page(owner, id::Integer, ::Type{T}) where {T}
    size = page_size(owner, id)
    return read_page!(Vector{T}(undef, element_count(T, size)), owner, id)
end

"How many values of type `T` fill `bytes`."
function element_count(::Type{T}, bytes::Integer) where {T}
    isbitstype(T) && sizeof(T) > 0 || throw(InvalidArgumentError(
        "$T is not a plain type with a size; a page holds plain values"))
    count, rest = divrem(bytes, sizeof(T))
    rest == 0 || throw(LengthMismatchError(
        "$bytes bytes are not a whole number of $T of $(sizeof(T)) bytes each"))
    return count
end

"""
    query_page(state, id; offset=0, len=nothing)::Vector{UInt8}

[`read_page`](@ref) under the name that goes with [`update_page`](@ref).
"""
query_page(owner, id::Integer; kwargs...) = read_page(owner, id; kwargs...)
query_page(owner, id::Integer, T::Type) = read_page(owner, id, T)

"""
    read_page!(buffer, state, id; offset=0)

Fills `buffer`, an array without gaps, with the page's bytes from `offset` on, and returns it.
`state` may be a [`Snapshot`](@ref) or [`PageAllocator`](@ref) as well.

Errors: as [`read_page`](@ref); then `buffer` is unchanged.

```julia
MMSBState() do state
    id = create_page(state; size=16)
    @assert read_page!(ones(2), state, id) == [0.0, 0.0]
end
```
"""
@inline function read_page!(buffer, owner::PageOwner, id::Integer; offset::Integer=0)
    data = writable(buffer)
    GC.@preserve owner data check(API.rust_page_read(
        page_of(owner, id), natural(offset, "offset"), address(data), bytecount(data)))
    return buffer
end

"One number about a page."
@inline function ask(call, owner::PageOwner, id::Integer)
    out = Ref{UInt64}(0)
    GC.@preserve owner check(call(page_of(owner, id), out))
    return out[]
end

"""
    page_size(state, id)::Int

Bytes of a page. `state` may be a [`Snapshot`](@ref) or [`PageAllocator`](@ref) as well.
"""
page_size(owner::PageOwner, id::Integer) = ask(API.rust_page_size, owner, id) % Int

"""
    page_epoch(state, id)::Int
    page_epoch(array::PageArray)::Int

How often a page's content has changed: 0 at its creation. `state` may be a [`Snapshot`](@ref) or
[`PageAllocator`](@ref) as well. Of a view: the epoch of what it shows.
"""
page_epoch(owner::PageOwner, id::Integer) = ask(API.rust_page_epoch, owner, id) % Int

"""
    page_lsn(state, id)::UInt64

LSN of the record that changed a page last.
"""
page_lsn(state::MMSBState, id::Integer) = ask(API.rust_page_lsn, state, id)

"""
    page_location(state, id)::Symbol

Where a page should live: `:cpu`, `:gpu` or `:unified`. `state` may be a [`PageAllocator`](@ref) as
well.
"""
function page_location(owner::PageOwner, id::Integer)
    out = Ref{UInt32}(0)
    GC.@preserve owner check(API.rust_page_location(page_of(owner, id), out))
    return location_name(out[])
end

location_name(number::UInt32) = first(LOCATIONS[number + 1])

"""
    list_pages(state)::Vector{Int}

Ids of all live pages, ascending. `state` may be a [`Snapshot`](@ref) or [`PageAllocator`](@ref) as
well.

```julia
MMSBState() do state
    ids = [create_page(state; size=4) for _ in 1:3]
    @assert list_pages(state) == ids
end
```
"""
list_pages(state::MMSBState) = ids_by(API.rust_state_list_pages, state)
list_pages(pages::PageAllocator) = ids_by(API.rust_allocator_list_pages, pages)

function ids_by(call, owner)
    GC.@preserve owner begin
        handle = raw(owner)
        return Vector{Int}(filled((buffer, capacity, len) -> call(handle, buffer, capacity, len),
                                  UInt64, 64))
    end
end
