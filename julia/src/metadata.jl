# Metadata: small keys and values of a page.

"What has pages whose metadata can be asked for."
const MetadataOwner = Union{PageOwner,Snapshot}

"""
    set_metadata!(state, id, key, value; source="", intent=nothing)::UInt64

Sets a metadata key of a page; returns the record's LSN. `key` is a string of 1 to 255 bytes,
`value` a string or plain memory (see [`update_page`](@ref)) of at most 65,535 bytes. Metadata is
content: it is logged, replayed and part of the digest. In a [`Batch`](@ref) it happens when that
commits, and `nothing` is returned.

Errors: `TooLongError`, `InvalidArgumentError`, `TooLargeError` (more than 1 MiB of one page),
`PageNotFoundError`, `PageFreedError`, `NoSpaceError`, `ReadOnlyError`, `PoisonedError`.

```julia
MMSBState() do state
    id = create_page(state; size=4)
    set_metadata!(state, id, "unit", "kelvin")
    @assert get_metadata(state, id) == Dict("unit" => "kelvin")
end
```
"""
function set_metadata!(state::MMSBState, id::Integer, key::AbstractString, value;
                       source::AbstractString="", intent::Union{Nothing,AbstractString}=nothing)
    key, data, said = String(key), memory(value), note(source, intent)
    lsn = Ref{UInt64}(0)
    GC.@preserve state key data said check(API.rust_page_metadata_set(
        page_of(state, id), address(key), bytecount(key), address(data), bytecount(data),
        address(said), lsn))
    return lsn[]
end

function set_metadata!(batch::Batch, id::Integer, key::AbstractString, value)
    key, data = String(key), memory(value)
    GC.@preserve batch key data check(API.rust_batch_metadata_set(
        raw(batch), page_id(id), address(key), bytecount(key), address(data), bytecount(data)))
end

function set_metadata!(pages::PageAllocator, id::Integer, key::AbstractString, value)
    key, data = String(key), memory(value)
    GC.@preserve pages key data check(API.rust_page_metadata_set(
        page_of(pages, id), address(key), bytecount(key), address(data), bytecount(data), C_NULL,
        C_NULL))
end

"""
    get_metadata(state, id, key[, default])::String
    get_metadata(state, id)::Dict{String,String}

The value of a metadata key, or all of them. A value that is not text comes as a string of its
bytes: `codeunits` has them. `state` may be a [`PageAllocator`](@ref) or a [`Snapshot`](@ref) as
well.

Errors: `KeyNotFoundError` if there is no `default`, `PageNotFoundError`, `PageFreedError`.

```julia
MMSBState() do state
    id = create_page(state; size=4)
    @assert get_metadata(state, id, "unit", "none") == "none"
end
```
"""
function get_metadata(owner::MetadataOwner, id::Integer, key::AbstractString)
    key = String(key)
    GC.@preserve owner key begin
        at, bytes = address(key), bytecount(key)
        return String(filled(UInt8) do buffer, capacity, len
            copy_metadata(owner, id, at, bytes, buffer, capacity, len)
        end)
    end
end

function get_metadata(owner::MetadataOwner, id::Integer, key::AbstractString, default)
    try
        return get_metadata(owner, id, key)
    catch problem
        problem isa KeyNotFoundError || rethrow()
        return default
    end
end

function get_metadata(owner::MetadataOwner, id::Integer)
    found = Dict{String,String}()
    for key in metadata_keys(owner, id)
        value = get_metadata(owner, id, key, nothing)
        # Another task may take a key away between the two calls.
        value === nothing || (found[key] = value)
    end
    return found
end

"All keys, ascending: the library writes each as a u16 length, little-endian, and its bytes."
function metadata_keys(owner::MetadataOwner, id::Integer)
    packed = GC.@preserve owner filled(UInt8) do buffer, capacity, len
        copy_metadata_keys(owner, id, buffer, capacity, len)
    end
    keys, at = String[], 1
    while at < length(packed)
        len = Int(packed[at]) | Int(packed[at + 1]) << 8
        push!(keys, String(packed[at + 2:at + 1 + len]))
        at += 2 + len
    end
    return keys
end

copy_metadata(owner::PageOwner, id, out...) = API.rust_page_metadata_get(page_of(owner, id), out...)
copy_metadata(snap::Snapshot, id, out...) =
    API.rust_snapshot_metadata_get(raw(snap), page_id(id), out...)

copy_metadata_keys(owner::PageOwner, id, out...) =
    API.rust_page_metadata_keys(page_of(owner, id), out...)
copy_metadata_keys(snap::Snapshot, id, out...) =
    API.rust_snapshot_metadata_keys(raw(snap), page_id(id), out...)

"""
    delete_metadata!(state, id, key; source="", intent=nothing)::UInt64

Takes a metadata key away; returns the record's LSN. In a [`Batch`](@ref) it happens when that
commits, and `nothing` is returned.

Errors: `KeyNotFoundError`, and those of [`set_metadata!`](@ref).

```julia
MMSBState() do state
    id = create_page(state; size=4, metadata=Dict("unit" => "kelvin"))
    delete_metadata!(state, id, "unit")
    @assert isempty(get_metadata(state, id))
end
```
"""
function delete_metadata!(state::MMSBState, id::Integer, key::AbstractString;
                          source::AbstractString="",
                          intent::Union{Nothing,AbstractString}=nothing)
    key, said, lsn = String(key), note(source, intent), Ref{UInt64}(0)
    GC.@preserve state key said check(API.rust_page_metadata_remove(
        page_of(state, id), address(key), bytecount(key), address(said), lsn))
    return lsn[]
end

function delete_metadata!(batch::Batch, id::Integer, key::AbstractString)
    key = String(key)
    GC.@preserve batch key check(API.rust_batch_metadata_remove(
        raw(batch), page_id(id), address(key), bytecount(key)))
end

function delete_metadata!(pages::PageAllocator, id::Integer, key::AbstractString)
    key = String(key)
    GC.@preserve pages key check(API.rust_page_metadata_remove(
        page_of(pages, id), address(key), bytecount(key), C_NULL, C_NULL))
end
