# The heap of the library, under all states and allocators of the process.

"""
    memory_stats()

What the memory of all states and allocators of the process takes, a named tuple, in bytes:

- `reserved`: addresses; `committed`: slabs that are used or kept; `limit`: most that may be;
- `in_use`: blocks that somebody has; `cached`: free ones that threads keep; `retained`: slabs that
  are kept though nothing stands in them;
- `slabs`: slabs of 2 MiB of size classes, a count; `spans`: blocks above 1 MiB, a count;
- `remote_frees`: blocks that were freed by a thread that did not hold their slab;
- `kernel_calls`, `mappings`: calls of the operating system so far, and what it keeps for the heap;
- `fragmentation`: the part of the slabs in use that nobody has, 0 to 1;
- `classes`: a vector of `(bytes, slabs, in_use, cached, free)` for each size class that has slabs:
  bytes of a block, slabs, blocks that somebody has, free ones that threads keep, other free ones.

Counted while other tasks allocate, figures differ by what was on its way. Cost: some microseconds
per hundred slabs.

```julia
PageAllocator() do pages
    alloc_block(pages, 100_000) do block
        stats = memory_stats()
        @assert stats.in_use >= 100_000 && any(class -> class.bytes >= 100_000, stats.classes)
    end
end
```
"""
function memory_stats()
    out = Ref{API.MmsbMemoryStats}()
    check(API.rust_memory_stats(out))
    classes = filled(API.rust_memory_classes, API.MmsbMemoryClass, 112)
    return merge(named(out[]), (classes=map(named, classes),))
end

"""
    memory_report([io])

Prints [`memory_stats`](@ref) as a table, a row for each size class.

```julia
memory_report()
@assert occursin("committed", sprint(memory_report))
```
"""
memory_report(io::IO=stdout) = print(io, String(filled(API.rust_memory_report, UInt8, 4096)))

"""
    memory_prewarm!(; size, count, align=16)

Makes `count` free blocks for `size` bytes (1 to 1,048,576) at multiples of `align` ready, so that
allocations to come ask the operating system for nothing. Pages are aligned to 64:
[`prewarm!`](@ref) does it for them.

Errors: `SizeOutOfRangeError`, `InvalidArgumentError` for the alignment, `MMSBOutOfMemoryError` beyond
a limit: what could be made ready before stays.

```julia
memory_prewarm!(size=4096, count=100)
```
"""
function memory_prewarm!(; size::Integer, count::Integer, align::Integer=16)
    size, count = natural(size, "size"), natural(count, "count")
    check(API.rust_memory_prewarm(size, natural(align, "align"), count))
end

"""
    memory_purge!()::Int

Gives what the calling thread keeps, and all memory that nothing stands in, back to the operating
system. Returns the bytes that went.

```julia
memory_purge!()
@assert memory_stats().retained == 0
```
"""
function memory_purge!()
    bytes = Ref{UInt64}(0)
    check(API.rust_memory_purge(bytes))
    return Int(bytes[])
end

"""
    memory_limit!(bytes)

Limits `committed` of [`memory_stats`](@ref), rounded up to 2 MiB; 0 for no limit but the reserved
addresses. What is in use beyond it stays; what would take more is an `MMSBOutOfMemoryError` and
changes nothing. A single state is limited by its setting `memory_bytes_max`.

```julia
memory_limit!(memory_stats().committed + 2^20)
failed = try
    MMSBState(state -> create_page(state; size=2^28))
catch problem
    problem
end
@assert failed isa MMSBOutOfMemoryError
memory_limit!(0)
```
"""
memory_limit!(bytes::Integer) = check(API.rust_memory_set_limit(natural(bytes, "a limit")))

"""
    memory_retention!(; bytes=2^28, age_ms=10_000)

Says how many bytes of slabs that come back are kept for reuse, and for how many milliseconds.

```julia
memory_retention!(bytes=2^26)
memory_retention!()
```
"""
memory_retention!(; bytes::Integer=2^28, age_ms::Integer=10_000) =
    check(API.rust_memory_set_retention(natural(bytes, "bytes"), natural(age_ms, "age_ms")))

"""
    memory_huge_pages!(huge::Bool)

Asks the operating system for huge pages under the heap, or for none, as it is at first: fewer misses
of the address cache in states of gigabytes, more time and memory for the first touch.

```julia
memory_huge_pages!(true)
memory_huge_pages!(false)
```
"""
memory_huge_pages!(huge::Bool) = check(API.rust_memory_set_huge_pages(huge))
