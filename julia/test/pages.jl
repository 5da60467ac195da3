# Create, change, read.

@testset "create" begin
    MMSBState() do state
        @test [create_page(state; size=n) for n in (1, 1024, 5000)] == [1, 2, 3]
        @test page_size.(Ref(state), 1:3) == [1, 1024, 5000]
        @test all(iszero, read_page(state, 3))
        @test page_epoch(state, 1) == 0
        @test page_location(state, create_page(state; size=4, location=:unified)) === :unified
    end
end

@testset "delete" begin
    MMSBState() do state
        a, b = create_page(state; size=4), create_page(state; size=4)
        @test delete_page(state, a) isa UInt64
        @test list_pages(state) == [b]
        @test throws(() -> read_page(state, a), PageFreedError, "page $a")
        @test throws(() -> delete_page(state, a), PageFreedError)
        @test create_page(state; size=4) == 3
    end
end

@testset "update" begin
    MMSBState() do state
        id = create_page(state; size=4)
        lsn = update_page(state, id, b"abcd"; source="test", intent="to see")
        @test lsn > 0 && page_lsn(state, id) == lsn
        @test read_page(state, id) == b"abcd" == query_page(state, id)
        @test page_epoch(state, id) == 1
        @test update_page(state, id, b"abcd") == 0
        @test page_epoch(state, id) == 1
        @test last(collect(query_log(state))).intent == "to see"
    end
end

@testset "every plain memory is content" begin
    struct_of(a, b) = (a=Int32(a), b=Int32(b))
    for content in Any[collect(1.0:4.0), [1.0 3.0; 2.0 4.0], view(collect(1.0:9.0), 2:5),
                       view(rand(4, 4), :, 2), view(rand(2, 4), :, 2:3),
                       reinterpret(UInt8, collect(1:4)), reinterpret(Float64, zeros(UInt8, 32)),
                       reshape(view(rand(8), 1:4), 2, 2), rand(UInt8, 32), fill(true, 32),
                       [struct_of(i, -i) for i in 1:4], [(1, 2), (3, 4)],
                       Ref((1, 2, 3, 4)), "€"^10 * "ab", SubString("x"^40, 3, 34),
                       codeunits("y"^32), fill(1.5 + 2im, 2), fill(Float16(1), 16)]
        MMSBState() do state
            id = create_page(state; size=32)
            update_page(state, id, content)
            bytes = content isa AbstractString ? Vector{UInt8}(content) :
                    content isa Ref ? collect(reinterpret(UInt8, [content[]])) :
                    collect(reinterpret(UInt8, collect(vec(content))))
            @test read_page(state, id) == bytes
        end
    end
end

@testset "write" begin
    with_page(b"abcdefgh") do state, id
        @test write_page!(state, id, 2, b"XY") > 0
        @test write_page!(state, id, 7, "Z"; source="w") > 0
        @test read_page(state, id) == b"abXYefgZ"
        write_page!(state, id, 4, Ref(0x01020304))
        @test read_page(state, id; offset=4) == [4, 3, 2, 1]
        @test throws(() -> write_page!(state, id, 7, b"XY"), RangeOutOfBoundsError, "8")
        @test throws(() -> write_page!(state, id, -1, b"X"), InvalidArgumentError, "-1")
        @test throws(() -> write_page!(state, id, typemax(UInt64), b"X"), RangeOutOfBoundsError)
    end
end

@testset "masked write" begin
    for mask in ([true, false, true, false], UInt8[7, 0, 1, 0], BitVector([1, 0, 1, 0]))
        with_page(b"abcd") do state, id
            write_masked!(state, id, mask, b"WXYZ")
            @test read_page(state, id) == b"WbYd"
        end
    end
    with_page(b"abcd") do state, id
        before = digest(state)
        @test throws(() -> write_masked!(state, id, [true], b"WXYZ"), LengthMismatchError, 1, 4)
        @test throws(() -> write_masked!(state, id, [1, 0, 1, 0], b"WXYZ"), InvalidArgumentError, "Int")
        @test throws(() -> write_masked!(state, id, fill(true, 5), b"WXYZV"), LengthMismatchError)
        @test digest(state) == before
    end
end

@testset "read" begin
    with_page(Int32[1, 2, 3]) do state, id
        @test read_page(state, id, Int32) == Int32[1, 2, 3]
        @test query_page(state, id, Int32) == Int32[1, 2, 3]
        @test read_page(state, id; offset=4, len=4) == [2, 0, 0, 0]
        @test read_page(state, id; offset=12) == UInt8[]
        @test read_page!(zeros(Int32, 2), state, id; offset=4) == Int32[2, 3]
        @test read_page!(view(zeros(Int32, 5), 2:4), state, id) == Int32[1, 2, 3]
        @test throws(() -> read_page(state, id, Int64), LengthMismatchError, 12, "Int64")
        @test throws(() -> read_page(state, id, String), InvalidArgumentError, "String")
        @test throws(() -> read_page(state, id; offset=13), RangeOutOfBoundsError, 13, 12)
        @test throws(() -> read_page(state, id; len=1 << 60), RangeOutOfBoundsError)
        @test throws(() -> read_page!("abc", state, id), InvalidArgumentError, "String")
        @test throws(() -> read_page!(view(zeros(4), 1:2:4), state, id), InvalidArgumentError)
        buffer = fill(0x07, 13)
        @test throws(() -> read_page!(buffer, state, id), RangeOutOfBoundsError)
        @test buffer == fill(0x07, 13)
    end
end

@testset "many pages" begin
    MMSBState() do state
        ids = [create_page(state; size=8) for _ in 1:5000]
        for id in ids
            update_page(state, id, Ref(id))
        end
        @test list_pages(state) == ids
        @test all(id -> read_page(state, id, Int) == [id], ids)
    end
end

@testset "a large page" begin
    MMSBState() do state
        content = rand(UInt8, 8 << 20)
        id = create_page(state; size=length(content))
        update_page(state, id, content)
        @test read_page(state, id) == content
    end
end
