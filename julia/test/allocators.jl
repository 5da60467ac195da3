# Allocators: pages without a log, with the limits, views and errors of a state's.

"Calls `use(pages, id)` with an allocator that has one page with this content."
function with_scratch(use, content)
    PageAllocator() do pages
        id = create_page(pages; size=sizeof(content))
        update_page(pages, id, content)
        use(pages, id)
    end
end

@testset "open and close" begin
    pages = PageAllocator()
    @test isopen(pages) && isempty(pages) && sprint(show, pages) == "PageAllocator(0 pages)"
    @test close(pages) === nothing && !isopen(pages) && close(pages) === nothing
    @test sprint(show, pages) == "PageAllocator(closed)"
    kept = Ref{Any}(nothing)
    @test PageAllocator(pages -> (kept[] = pages; 42)) == 42 && !isopen(kept[])
    @test throws(() -> PageAllocator(pages -> (kept[] = pages; error("boo"))), ErrorException)
    @test !isopen(kept[])
end

@testset "the verbs of a state, without a record" begin
    with_scratch(b"0123456789abcdef") do pages, id
        @test id == 1 && page_size(pages, id) == 16 && page_epoch(pages, id) == 1
        @test update_page(pages, id, collect(1.0:2.0)) === nothing
        @test read_page(pages, id, Float64) == [1.0, 2.0] == query_page(pages, id, Float64)
        @test write_page!(pages, id, 8, Ref(5.0)) === nothing
        @test read_page!(zeros(1), pages, id; offset=8) == [5.0]
        @test write_masked!(pages, id, [n == 1 for n in 1:16], fill(0x07, 16)) === nothing
        delta = create_delta(id, [1 => b"X", 15 => b"Y"])
        @test validate(delta, pages) === nothing && route_delta!(pages, delta) === nothing
        @test read_page(pages, id; len=2) == [7, UInt8('X')]
        @test read_page(pages, id; offset=15) == b"Y"
        @test page_epoch(pages, id) == 5
        update_page(pages, id, read_page(pages, id))
        @test page_epoch(pages, id) == 5
        @test page_location(pages, create_page(pages; size=4, location=:unified)) === :unified
    end
end

@testset "ids" begin
    PageAllocator() do pages
        @test [create_page(pages; size=n) for n in 1:3] == 1:3
        @test length(pages) == 3 && sprint(show, pages) == "PageAllocator(3 pages)"
        @test delete_page(pages, 2) === nothing && list_pages(pages) == [1, 3]
        @test empty!(pages) === pages && isempty(pages) && isempty(list_pages(pages))
        @test create_page(pages; size=1) == 4
    end
end

@testset "metadata" begin
    with_scratch(b"abcd") do pages, id
        @test set_metadata!(pages, id, "unit", "kelvin") === nothing
        set_metadata!(pages, id, "n", [1.5])
        @test get_metadata(pages, id, "unit") == "kelvin"
        @test sort!(collect(keys(get_metadata(pages, id)))) == ["n", "unit"]
        @test delete_metadata!(pages, id, "n") === nothing
        @test get_metadata(pages, id, "n", nothing) === nothing
        @test page_epoch(pages, id) == 1
    end
end

@testset "views: no copy, unchanged, valid afterwards" begin
    pages = PageAllocator()
    id = create_page(pages; size=64)
    update_page(pages, id, collect(1:8))
    view = page_view(pages, id)
    matrix = page_array(pages, id, Int, (2, 4))
    @test pointer(view) == Ptr{UInt8}(pointer(matrix)) && page_epoch(view) == 1
    for n in 1:100
        update_page(pages, id, fill(n, 8))
    end
    @test matrix == reshape(1:8, 2, 4)
    @test page_array(sum, pages, id, Int) == 800 && page_view(length, pages, id) == 64
    @test throws(() -> matrix[1] = 0, ReadOnlyError)
    delete_page(pages, id)
    close(pages)
    GC.gc()
    @test matrix == reshape(1:8, 2, 4) && view == reinterpret(UInt8, collect(1:8))
    close(view)
    @test throws(() -> view[1], ClosedError)
    @test matrix[8] == 8
end

@testset "what is refused changes nothing" begin
    with_scratch(collect(1.0:4.0)) do pages, id
        for (wrong, kind, words) in Any[
                (() -> create_page(pages; size=0), SizeOutOfRangeError, ("0 bytes", 1 << 30)),
                (() -> create_page(pages; size=1 << 31), SizeOutOfRangeError, (1 << 31, 1 << 30)),
                (() -> create_page(pages; size=-1), InvalidArgumentError, (-1,)),
                (() -> create_page(pages; size=1, location=:moon), InvalidArgumentError, (:moon,)),
                (() -> update_page(pages, id, zeros(3)), LengthMismatchError, (24, 32)),
                (() -> update_page(pages, id, zeros(4)'), InvalidArgumentError, ("without gaps",)),
                (() -> update_page(pages, id, Any[1]), InvalidArgumentError, ("plain",)),
                (() -> write_page!(pages, id, 31, b"ab"), RangeOutOfBoundsError, (31, 32)),
                (() -> write_page!(pages, id, -1, b"ab"), InvalidArgumentError, (-1,)),
                (() -> write_masked!(pages, id, [true], zeros(4)), LengthMismatchError, (1, 32)),
                (() -> route_delta!(pages, create_delta(id, b"abc")), LengthMismatchError, (3, 32)),
                (() -> route_delta!(pages, create_delta(9, b"abc")), PageNotFoundError, ("page 9",)),
                (() -> read_page(pages, id; offset=33), RangeOutOfBoundsError, (33, 32)),
                (() -> page_array(pages, id, Float64, 5), RangeOutOfBoundsError, (40, 32)),
                (() -> set_metadata!(pages, id, "", "v"), InvalidArgumentError, ("0 bytes",)),
                (() -> set_metadata!(pages, id, "k"^256, "v"), TooLongError, (256, 255)),
                (() -> delete_metadata!(pages, id, "k"), KeyNotFoundError, ("k",)),
                (() -> delete_page(pages, 0), PageNotFoundError, ("page 0",)),
                (() -> read_page(pages, 9), PageNotFoundError, ("page 9",)),
                (() -> update_page(pages, id, zeros(4); source="me"), MethodError, ()),
                (() -> page_lsn(pages, id), MethodError, ())]
            @test throws(wrong, kind, words...)
        end
        @test read_page(pages, id, Float64) == 1.0:4.0
        @test page_epoch(pages, id) == 1 && length(pages) == 1
        @test isempty(get_metadata(pages, id))
    end
end

"All that can be done to a page."
uses_of_page(pages, id) = [
    () -> page_size(pages, id), () -> page_epoch(pages, id), () -> page_location(pages, id),
    () -> read_page(pages, id), () -> read_page!(zeros(UInt8, 1), pages, id),
    () -> update_page(pages, id, b"abcd"), () -> write_page!(pages, id, 0, b"a"),
    () -> write_masked!(pages, id, fill(true, 4), b"abcd"), () -> page_view(pages, id),
    () -> page_array(pages, id, UInt8), () -> set_metadata!(pages, id, "k", "v"),
    () -> get_metadata(pages, id), () -> get_metadata(pages, id, "k", nothing),
    () -> delete_metadata!(pages, id, "k"), () -> delete_page(pages, id),
    () -> route_delta!(pages, create_delta(id, b"abcd"))]

@testset "use after free" begin
    with_scratch(b"abcd") do pages, id
        delete_page(pages, id)
        for use in uses_of_page(pages, id)
            @test throws(use, PageFreedError, "page $id")
        end
        @test length(pages) == 0
    end
end

@testset "use after close" begin
    pages = PageAllocator()
    id = create_page(pages; size=4)
    close(pages)
    more = [() -> create_page(pages; size=4), () -> list_pages(pages), () -> length(pages),
            () -> empty!(pages), () -> isempty(pages)]
    for use in [uses_of_page(pages, id); more]
        @test throws(use, ClosedError, "the allocator was closed")
    end
end

@testset "an allocator in an @mmsb block" begin
    with_scratch(b"abcd") do pages, scratch
        with_page(b"wxyz") do state, id
            @mmsb state update_page(id, MMSB.read_page(pages, scratch))
            @test read_page(state, id) == b"abcd"
            @test throws(InvalidArgumentError, "update_page", "@mmsb", "MMSB.update_page") do
                @mmsb state update_page(pages, scratch, b"1234")
            end
            @test read_page(pages, scratch) == b"abcd"
        end
    end
end

@testset "tasks" begin
    PageAllocator() do pages
        shared = create_page(pages; size=4096)
        tasks = map(1:4) do task
            Threads.@spawn all(1:200) do n
                own = create_page(pages; size=64)
                update_page(pages, own, fill(task, 8))
                update_page(pages, shared, fill(n, 512))
                whole = page_array(array -> all(==(array[1]), array), pages, shared, Int)
                same = read_page(pages, own, Int) == fill(task, 8)
                delete_page(pages, own)
                whole && same
            end
        end
        @test all(fetch, tasks)
        @test list_pages(pages) == [shared]
    end
end

@testset "what is forgotten is freed" begin
    array = fetch(@async begin
        pages = PageAllocator()
        id = create_page(pages; size=4096)
        update_page(pages, id, fill(7, 512))
        page_array(pages, id, Int)
    end)
    GC.gc()
    @test all(==(7), array)
end
