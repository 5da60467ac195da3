# Pages by themselves: a table without a log.

"""
    PageAllocator()
    PageAllocator(use)

Pages without a log: scratch data in the same shape as a state's. Nothing is recorded and nothing
survives: no LSNs, no past, no snapshots, no batches, and no `source` or `intent`. The second form
calls `use(pages)`, closes the allocator whatever happens and returns what `use` returned.

[`create_page`](@ref), [`delete_page`](@ref), [`update_page`](@ref), [`write_page!`](@ref),
[`write_masked!`](@ref), [`route_delta!`](@ref), [`set_metadata!`](@ref) and
[`delete_metadata!`](@ref) take one in place of a state, and return nothing but `create_page` the
id. [`read_page`](@ref), [`read_page!`](@ref), [`page_view`](@ref), [`page_array`](@ref),
[`page_size`](@ref), [`page_epoch`](@ref), [`page_location`](@ref), [`list_pages`](@ref) and
[`get_metadata`](@ref) do as with a state, with the same limits and errors. `length(pages)` counts
pages, `empty!(pages)` deletes all of them. [`alloc_block`](@ref) gives plain memory.

Any task on any thread may use an allocator. `close` frees its pages and blocks; views of pages stay
valid.

```julia
PageAllocator() do pages
    id = create_page(pages; size=16)
    write_page!(pages, id, 8, Ref(1.5))
    @assert page_array(pages, id, Float64) == [0.0, 1.5]
end
```
"""
mutable struct PageAllocator <: Handle
    handle::API.MmsbAllocator
    "Goes up when all blocks are freed at once: those from before are closed."
    era::Int

    PageAllocator(handle::API.MmsbAllocator) = finalizer(finalize_handle, new(handle, 0))
end

PageAllocator() = PageAllocator(obtain(API.rust_allocator_new, API.MmsbAllocator))
PageAllocator(use::Function) = closing(use, PageAllocator())

free(::PageAllocator, ref) = API.rust_allocator_free(ref)
noun(::PageAllocator) = "allocator"

"What has pages that can be changed one by one and looked at without a copy."
const PageOwner = Union{MMSBState,PageAllocator}

function Base.length(pages::PageAllocator)
    out = Ref{UInt64}(0)
    GC.@preserve pages check(API.rust_allocator_page_count(raw(pages), out))
    return out[] % Int
end

Base.isempty(pages::PageAllocator) = length(pages) == 0

"""
    empty!(pages::PageAllocator)

Deletes all pages, whose ids are not used again, and frees all blocks. Returns `pages`.

```julia
PageAllocator() do pages
    create_page(pages; size=4)
    @assert isempty(empty!(pages)) && create_page(pages; size=4) == 2
end
```
"""
function Base.empty!(pages::PageAllocator)
    # Before and after: a block that another task allocates meanwhile may go or stay.
    pages.era += 1
    GC.@preserve pages check(API.rust_allocator_clear(raw(pages)))
    pages.era += 1
    return pages
end

"""
    prewarm!(pages::PageAllocator; size, count)

Makes memory for `count` more pages of `size` bytes, 1 to 1,048,576, ready before they are created.
Returns `pages`.

Errors: `SizeOutOfRangeError`, `MMSBOutOfMemoryError` beyond a limit: what could be made ready before
stays.

```julia
PageAllocator() do pages
    prewarm!(pages; size=1024, count=100)
    create_page(pages; size=1024)
end
```
"""
function prewarm!(pages::PageAllocator; size::Integer, count::Integer)
    size, count = natural(size, "size"), natural(count, "count")
    GC.@preserve pages check(API.rust_allocator_prewarm(raw(pages), size, count))
    return pages
end

"""
    allocator_stats(pages::PageAllocator)

What an allocator takes: a named tuple `(pages, page_bytes, frame_bytes, blocks, block_bytes)` of live
pages, their bytes, the bytes of memory that they and what views still show of old ones take, plain
blocks and their bytes.

```julia
PageAllocator() do pages
    create_page(pages; size=1000)
    @assert allocator_stats(pages).page_bytes == 1000
end
```
"""
function allocator_stats(pages::PageAllocator)
    out = Ref{API.MmsbAllocatorStats}()
    GC.@preserve pages check(API.rust_allocator_stats(raw(pages), out))
    return named(out[])
end

function Base.show(io::IO, pages::PageAllocator)
    isopen(pages) || return print(io, "PageAllocator(closed)")
    count = length(pages)
    print(io, "PageAllocator(", count, count == 1 ? " page)" : " pages)")
end
