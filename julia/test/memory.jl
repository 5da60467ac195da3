# The heap under states and allocators, and plain blocks.

"Blocks that somebody has in the class of exactly so many bytes."
function in_class(bytes)
    found = filter(class -> class.bytes == bytes, memory_stats().classes)
    return isempty(found) ? 0 : found[1].in_use
end

@testset "the heap is counted" begin
    PageAllocator() do pages
        before = in_class(512)
        blocks = [alloc_block(pages, 512) for _ in 1:100]
        large = alloc_block(pages, 3 << 20)
        stats = memory_stats()
        @test in_class(512) == before + 100 && stats.spans >= 1
        @test 3 << 20 <= stats.in_use <= stats.committed <= stats.limit <= stats.reserved
        @test 0 <= stats.fragmentation <= 1 && stats.mappings > 0 && stats.kernel_calls > 0
        @test issorted([class.bytes for class in stats.classes])
        report = sprint(memory_report)
        @test occursin("committed", report) && occursin("512 B", report)
        close(large)
        @test memory_stats().in_use == stats.in_use - (3 << 20)
        foreach(close, blocks)
        @test in_class(512) == before
    end
end

@testset "a state tells it, too" begin
    MMSBState() do state
        create_page(state; size=5 << 20)
        stats = get_stats(state)
        @test 5 << 20 <= stats.memory.in_use <= stats.memory.committed
        @test !haskey(stats.memory, :classes)
        @test occursin("committed by all of the process", sprint(print_stats, state))
    end
end

@testset "prewarming" begin
    PageAllocator() do pages
        create_page(pages; size=8)
        @test prewarm!(pages; size=40_000, count=200) === pages
        calls = memory_stats().kernel_calls
        foreach(_ -> create_page(pages; size=40_000), 1:200)
        @test memory_stats().kernel_calls == calls
        @test allocator_stats(pages).page_bytes == 200 * 40_000 + 8
        @test memory_prewarm!(size=70_000, count=100, align=4096) === nothing
        calls = memory_stats().kernel_calls
        foreach(_ -> alloc_block(pages, 70_000; align=4096), 1:100)
        @test memory_stats().kernel_calls == calls
    end
end

@testset "what is kept, and for how long" begin
    PageAllocator() do pages
        GC.gc()
        memory_purge!()
        @test memory_stats().retained == 0
        close(alloc_block(pages, 8 << 20))
        @test memory_stats().retained == 8 << 20
        @test memory_purge!() == 8 << 20
        memory_retention!(bytes=0, age_ms=0)
        close(alloc_block(pages, 8 << 20))
        @test memory_stats().retained == 0
        @test memory_retention!() === nothing
        memory_huge_pages!(true)
        fill!(alloc_block(pages, 4 << 20), 0x01)
        @test memory_huge_pages!(false) === nothing
        check(MMSB.API.rust_memory_check())
    end
end

@testset "limits" begin
    with_page(collect(1.0:4.0)) do state, id
        PageAllocator() do pages
            unlimited, before = memory_stats().limit, digest(state)
            memory_purge!()
            memory_limit!(memory_stats().committed)
            try
                for refused in [() -> memory_prewarm!(size=100_000, count=1000),
                                () -> prewarm!(pages; size=100_000, count=1000),
                                () -> alloc_block(pages, 64 << 20),
                                () -> create_page(pages; size=64 << 20),
                                () -> create_page(state; size=64 << 20)]
                    @test throws(refused, MMSBOutOfMemoryError, "limit")
                end
                @test digest(state) == before && length(pages) == 0
                @test allocator_stats(pages).blocks == 0
            finally
                memory_limit!(0)
            end
            @test memory_stats().limit == unlimited
            @test create_page(state; size=64 << 20) == 2
        end
    end
    MMSBState(memory_bytes_max=100_000) do state
        id = create_page(state; size=50_000)
        before = digest(state)
        @test throws(() -> create_page(state; size=60_000), MMSBOutOfMemoryError, 60_000, 100_000)
        @test digest(state) == before
        update_page(state, id, ones(UInt8, 50_000))
        delete_page(state, id)
        @test create_page(state; size=60_000) == 2
    end
    MMSBState(state -> foreach(_ -> create_page(state; size=60_000), 1:10))
    @test throws(() -> MMSBState(memory_bytes_max=-1), InvalidArgumentError, "memory_bytes_max", -1)
end

@testset "blocks are vectors of bytes" begin
    PageAllocator() do pages
        for align in (1, 16, 64, 4096), size in (1, 100, 5000, 3 << 20)
            block = alloc_block(pages, size; align=align)
            @test UInt(pointer(block)) % align == 0 && length(block) == size
            @test all(iszero, block)
            block[end] = 7
            @test block[end] == 0x07 && sum(block) == 7
        end
        @test allocator_stats(pages).blocks == 16
        block = alloc_block(pages, 64; zeroed=false)
        block .= 1:64
        @test block == 1:64 && block[[2, 64]] == [2, 64] && findmax(block) == (64, 64)
        @test throws(() -> block[65], BoundsError) && throws(() -> block[0] = 1, BoundsError)
        @test throws(() -> block[1] = 256, InexactError)
        copyto!(block, ones(UInt8, 8))
        @test block[1:9] == [ones(8); 9]
        numbers = reinterpret(Float64, block)
        numbers .= 1:8
        @test sum(numbers) == 36 && read(IOBuffer(block), Float64) == 1.0
        @test GC.@preserve block unsafe_load(Ptr{Float64}(pointer(block)), 8) == 8.0
        @test occursin("64-element", sprint(show, MIME"text/plain"(), block))
        @test similar(block) isa Vector{UInt8} && copy(block) == block
    end
end

@testset "blocks go into pages and come out of them" begin
    with_page(collect(1.0:8.0)) do state, id
        PageAllocator() do pages
            block = alloc_block(pages, 64)
            @test read_page!(block, state, id) === block
            @test reinterpret(Float64, block) == 1.0:8.0
            block[1:8] .= 0
            update_page(state, id, block)
            @test read_page(state, id, Float64) == [0.0; 2.0:8.0]
            close(block)
            @test throws(() -> update_page(state, id, block), ClosedError, "the block was closed")
            @test throws(() -> read_page!(block, state, id), ClosedError, "the block was closed")
        end
    end
end

inbounds(block) = @inbounds block[1]
inbounds!(block) = @inbounds block[1] = 1

"Whatever is done to a block that is gone says so."
function is_gone(block, words)
    uses = [() -> block[1], () -> block[1] = 1, () -> inbounds(block), () -> inbounds!(block),
            () -> length(block), () -> sum(block), () -> pointer(block), () -> fill!(block, 0),
            () -> copy(block), () -> reinterpret(Float64, block)[1], () -> collect(block)]
    return !isopen(block) && all(use -> throws(use, ClosedError, words), uses) &&
           close(block) === nothing && sprint(show, block) == "MemoryBlock(closed)" &&
           sprint(show, MIME"text/plain"(), block) == "MemoryBlock(closed)"
end

@testset "use after close" begin
    pages = PageAllocator()
    one, two, three = (alloc_block(pages, 64) for _ in 1:3)
    @test isopen(one) && close(one) === nothing
    @test is_gone(one, "the block was closed")
    empty!(pages)
    @test allocator_stats(pages).blocks == 0 && is_gone(two, "the block was closed")
    again = [alloc_block(pages, 64) for _ in 1:3]
    close(two)
    foreach(finalize, (one, two, three))
    @test allocator_stats(pages).blocks == 3 && all(isopen, again)
    close(pages)
    @test is_gone(again[1], "the block's allocator was closed")
    for use in [() -> alloc_block(pages, 64), () -> prewarm!(pages; size=64, count=1),
                () -> allocator_stats(pages)]
        @test throws(use, ClosedError, "the allocator was closed")
    end
end

@testset "closed at the end of a do-block" begin
    PageAllocator() do pages
        kept = Ref{Any}(nothing)
        @test alloc_block(block -> (kept[] = block; 42), pages, 64; align=64) == 42
        @test !isopen(kept[])
        @test throws(ErrorException) do
            alloc_block(block -> (kept[] = block; error("boo")), pages, 64)
        end
        @test !isopen(kept[]) && allocator_stats(pages).blocks == 0
    end
end

@testset "what is refused changes nothing" begin
    PageAllocator() do pages
        for (wrong, kind, words) in Any[
                (() -> alloc_block(pages, 0), SizeOutOfRangeError, ("0 bytes", 1 << 40)),
                (() -> alloc_block(pages, -1), InvalidArgumentError, ("size", -1)),
                (() -> alloc_block(pages, (1 << 40) + 1), SizeOutOfRangeError, ((1 << 40) + 1,)),
                (() -> alloc_block(pages, 1 << 40), MMSBOutOfMemoryError, (1 << 40,)),
                (() -> alloc_block(pages, 8; align=0), InvalidArgumentError, ("alignment of 0",)),
                (() -> alloc_block(pages, 8; align=24), InvalidArgumentError, (24, 4096)),
                (() -> alloc_block(pages, 8; align=8192), InvalidArgumentError, (8192, 4096)),
                (() -> alloc_block(pages, 8; align=-8), InvalidArgumentError, ("align", -8)),
                (() -> prewarm!(pages; size=0, count=1), SizeOutOfRangeError, ("0 bytes",)),
                (() -> prewarm!(pages; size=2 << 20, count=1), SizeOutOfRangeError, (2 << 20, 1 << 20)),
                (() -> prewarm!(pages; size=8, count=-1), InvalidArgumentError, ("count", -1)),
                (() -> memory_prewarm!(size=8, count=-1), InvalidArgumentError, ("count", -1)),
                (() -> memory_prewarm!(size=0, count=1), SizeOutOfRangeError, ("0 bytes",)),
                (() -> memory_prewarm!(size=8, count=1, align=3), InvalidArgumentError, (3, 4096)),
                (() -> memory_limit!(-1), InvalidArgumentError, (-1,)),
                (() -> memory_retention!(bytes=-1), InvalidArgumentError, ("bytes", -1)),
                (() -> memory_retention!(age_ms=-1), InvalidArgumentError, ("age_ms", -1))]
            @test throws(wrong, kind, words...)
        end
        @test allocator_stats(pages) ==
              (pages=0, page_bytes=0, frame_bytes=0, blocks=0, block_bytes=0)
    end
end

"Allocates blocks that nobody keeps."
forget_blocks(pages) = (foreach(_ -> alloc_block(pages, 4096)[1] = 1, 1:100); nothing)

@testset "forgotten blocks are freed, kept ones keep their allocator" begin
    PageAllocator() do pages
        forget_blocks(pages)
        GC.gc()
        GC.gc()
        @test allocator_stats(pages).blocks < 10
    end
    block = fetch(@async alloc_block(PageAllocator(), 4096))
    GC.gc()
    GC.gc()
    @test isopen(block) && all(iszero, block)
end

@testset "tasks" begin
    PageAllocator() do pages
        tasks = map(1:4) do task
            Threads.@spawn all(1:200) do n
                block = alloc_block(pages, 1 + 37 * n)
                fill!(block, task)
                same = all(==(task), block)
                close(block)
                same
            end
        end
        @test all(fetch, tasks)
        @test allocator_stats(pages).blocks == 0
        shared = [alloc_block(pages, 64) for _ in 1:500]
        foreach(wait, [Threads.@spawn(foreach(close, shared)) for _ in 1:4])
        @test allocator_stats(pages).blocks == 0
        check(MMSB.API.rust_memory_check())
    end
end
