# Bad input: a clear error, and the state is as it was.

struct Padded
    a::UInt8
    b::UInt32
end

mutable struct Boxed
    a::Int
end

@testset "what is not content" begin
    with_page(zeros(4)) do state, id
        before, lsn = digest(state), page_lsn(state, id)
        for (content, kind, words) in Any[
                (Any[1, 2], InvalidArgumentError, ("Any", "plain")),
                (["a"], InvalidArgumentError, ("String", "plain")),
                (Union{Int,Missing}[1, 2, 3, 4], InvalidArgumentError, ("Missing", "plain")),
                ([Boxed(1)], InvalidArgumentError, ("Boxed", "plain")),
                ([Padded(1, 2)], InvalidArgumentError, ("Padded", "padding")),
                ([(0x01, 2)], InvalidArgumentError, ("padding",)),
                (Ref(Padded(1, 2)), InvalidArgumentError, ("Padded", "padding")),
                (Ref("a"), InvalidArgumentError, ("String",)),
                (view(zeros(8), 1:2:8), InvalidArgumentError, ("SubArray", "without gaps")),
                (view(zeros(4, 4), 1, :), InvalidArgumentError, ("without gaps",)),
                (view(zeros(4, 4), 1:2, 1:2), InvalidArgumentError, ("without gaps",)),
                (zeros(4)', InvalidArgumentError, ("Adjoint", "without gaps")),
                (1:4, InvalidArgumentError, ("UnitRange",)),
                (trues(32), InvalidArgumentError, ("BitArray",)),
                (5, InvalidArgumentError, ("Int64",)),
                (nothing, InvalidArgumentError, ("Nothing",)),
                (:abc, InvalidArgumentError, ("Symbol",)),
                (Dict(1 => 2), InvalidArgumentError, ("Dict",)),
                (zeros(3), LengthMismatchError, (24, 32)),
                (zeros(5), LengthMismatchError, (40, 32)),
                (UInt8[], LengthMismatchError, (0, 32))]
            @test throws(() -> update_page(state, id, content), kind, words...)
            kind == LengthMismatchError ||
                @test throws(() -> write_page!(state, id, 0, content), kind, words...)
            kind == LengthMismatchError ||
                @test throws(() -> create_delta(id, content), kind, words...)
        end
        @test digest(state) == before && page_lsn(state, id) == lsn
    end
end

@testset "ids" begin
    MMSBState() do state
        for id in (0, 1, 99, typemax(Int), typemax(UInt64))
            @test throws(() -> update_page(state, id, b"a"), PageNotFoundError, "page $id")
            @test throws(() -> page_view(state, id), PageNotFoundError, "page $id")
            @test throws(() -> delete_page(state, id), PageNotFoundError, "page $id")
        end
        @test throws(() -> read_page(state, -1), PageNotFoundError, "-1")
        @test throws(() -> create_delta(-5, b"a"), PageNotFoundError, "-5")
    end
end

@testset "sizes and places" begin
    MMSBState() do state
        before = digest(state)
        @test throws(() -> create_page(state; size=0), SizeOutOfRangeError, "0 bytes")
        @test throws(() -> create_page(state; size=-1), InvalidArgumentError, "-1")
        @test throws(() -> create_page(state; size=1 << 31), SizeOutOfRangeError, 1 << 31, 1 << 30)
        @test throws(() -> create_page(state; size=big(2)^80), InvalidArgumentError, "size")
        @test throws(() -> create_page(state; size=1, location=:moon), InvalidArgumentError, ":moon", ":gpu")
        @test digest(state) == before && isempty(list_pages(state))
    end
end

@testset "notes" begin
    with_page(b"abcd") do state, id
        before = digest(state)
        write_it(; note...) = update_page(state, id, b"WXYZ"; note...)
        @test throws(() -> write_it(source="s"^256), TooLongError, 256, 255)
        @test throws(() -> write_it(intent="i"^65536), TooLongError, 65536)
        @test throws(() -> write_it(source="a\0b"), InvalidArgumentError, "zero byte")
        @test throws(() -> write_it(intent="a\0b"), InvalidArgumentError, "zero byte")
        @test throws(() -> write_it(source="\xff"), NotUtf8Error)
        @test digest(state) == before
        @test write_it(source=SubString("xsourcex", 2, 7), intent="i"^65535) > 0
        @test last(collect(query_log(state))).source == "source"
    end
end

@testset "metadata" begin
    with_page(b"abcd") do state, id
        before = digest(state)
        @test throws(() -> set_metadata!(state, id, "", "v"), InvalidArgumentError, "0 bytes")
        @test throws(() -> set_metadata!(state, id, "k"^256, "v"), TooLongError, 256, 255)
        @test throws(() -> set_metadata!(state, id, "k", "v"^65536), TooLongError, 65536, 65535)
        @test throws(() -> set_metadata!(state, id, "k", 5), InvalidArgumentError, "Int64")
        @test throws(() -> set_metadata!(state, 9, "k", "v"), PageNotFoundError)
        @test throws(() -> delete_metadata!(state, id, "k"), KeyNotFoundError)
        @test digest(state) == before
        # A page that cannot have its metadata does not begin.
        @test throws(() -> create_page(state; size=1, metadata=("k" => "v", "" => "v")),
                     InvalidArgumentError)
        @test list_pages(state) == [id] && digest(state) == before
    end
end
