# Plain memory of an allocator, as a vector of bytes.

"""
    MemoryBlock <: DenseVector{UInt8}

A plain block of memory, to read and write, outside of Julia's own heap: the garbage collector
neither moves nor scans it. Made by [`alloc_block`](@ref). It keeps its allocator alive.

`close(block)` frees it, as do `close` and `empty!` of the allocator; what is forgotten the garbage
collector frees, some time. Use after that throws `ClosedError`. `pointer(block)` is for calls of C
(within `GC.@preserve block`), `reinterpret(T, block)` shows it as values of another type. Do not
close a block that another task still uses.
"""
mutable struct MemoryBlock <: DenseVector{UInt8}
    pages::PageAllocator
    data::Ptr{UInt8}
    len::Int
    "The allocator's when the block was made."
    era::Int
    "1 for whoever frees it."
    taken::Threads.Atomic{Int}
end

"""
    alloc_block(pages, size; align=16, zeroed=true)::MemoryBlock
    alloc_block(use, pages, size; align=16, zeroed=true)

Allocates `size` bytes (1 to 2^40) at a multiple of `align`, a power of two up to 4,096: all zero, or
with any content if not `zeroed`. The second form calls `use(block)`, frees the block whatever
happens and returns what `use` returned.

Errors: `SizeOutOfRangeError`, `InvalidArgumentError` for the alignment, `MMSBOutOfMemoryError`.

Cost: about 0.2 µs, and zeroing.

```julia
PageAllocator() do pages
    block = alloc_block(pages, 1000; align=64)
    block[1] = 0xff
    numbers = reinterpret(Float64, block)
    numbers[2:end] .= 1.5
    @assert sum(numbers[2:end]) == 1.5 * 124
    close(block)
end
```
"""
function alloc_block(pages::PageAllocator, size::Integer; align::Integer=16, zeroed::Bool=true)
    era, out = pages.era, Ref{Ptr{Cvoid}}(C_NULL)
    len, to = natural(size, "size"), natural(align, "align")
    GC.@preserve pages check(API.rust_allocator_alloc_block(raw(pages), len, to, zeroed, out))
    block = MemoryBlock(pages, Ptr{UInt8}(out[]), Int(len), era, Threads.Atomic{Int}(0))
    return finalizer(free_block, block)
end

alloc_block(use, pages::PageAllocator, size::Integer; settings...) =
    closing(use, alloc_block(pages, size; settings...))

Base.isopen(b::MemoryBlock) =
    b.data != C_NULL && b.pages.handle.id != 0 && b.era == b.pages.era

"Gives the memory back, once; the status is the library's."
function free_block(b::MemoryBlock)
    # With the allocator, or all at once, it went already: another block may begin there now.
    isopen(b) && Threads.atomic_xchg!(b.taken, 1) == 0 || return API.MMSB_STATUS_OK
    data, b.data = b.data, C_NULL
    pages = b.pages
    GC.@preserve pages return API.rust_allocator_free_block(pages.handle, data)
end

function Base.close(b::MemoryBlock)
    status = free_block(b)
    status == API.MMSB_STATUS_STALE_HANDLE || check(status)
    return nothing
end

"Where it begins; also what is `@inbounds` asks, so that use after `close` is noticed always."
@inline function start(b::MemoryBlock)
    isopen(b) || refuse_closed_block(b)
    return b.data
end

@noinline refuse_closed_block(b) = throw(ClosedError(
    isopen(b.pages) ? "the block was closed" : "the block's allocator was closed"))

@inline Base.size(b::MemoryBlock) = (start(b); (b.len,))
Base.IndexStyle(::Type{MemoryBlock}) = IndexLinear()
Base.elsize(::Type{MemoryBlock}) = 1
Base.strides(b::MemoryBlock) = (start(b); (1,))
Base.unsafe_convert(::Type{Ptr{UInt8}}, b::MemoryBlock) = start(b)

@inline function Base.getindex(b::MemoryBlock, i::Int)
    @boundscheck checkbounds(b, i)
    GC.@preserve b return unsafe_load(start(b), i)
end

@inline function Base.setindex!(b::MemoryBlock, value, i::Int)
    @boundscheck checkbounds(b, i)
    GC.@preserve b unsafe_store!(start(b), convert(UInt8, value), i)
    return b
end

Base.show(io::IO, b::MemoryBlock) =
    isopen(b) ? invoke(show, Tuple{IO,AbstractArray}, io, b) : print(io, "MemoryBlock(closed)")
Base.show(io::IO, mime::MIME"text/plain", b::MemoryBlock) =
    isopen(b) ? invoke(show, Tuple{IO,MIME"text/plain",AbstractArray}, io, mime, b) :
    print(io, "MemoryBlock(closed)")
