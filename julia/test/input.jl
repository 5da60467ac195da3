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
                (trues(32), InvalidArgumentError, ("Bit",)),
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

@testset "buffers that a read cannot fill" begin
    with_page(1:4 |> collect) do state, id
        for buffer in Any[Any[1], ["a"], [Padded(1, 2)], zeros(4)', view(zeros(8), 1:2:8), 1:4,
                          trues(8), Ref(0), "text", 5, page_view(state, id)]
            @test throws(() -> read_page!(buffer, state, id), InvalidArgumentError)
        end
        for T in (Any, Real, String, Nothing, Vector{Int}, Boxed)
            @test throws(() -> read_page(state, id, T), InvalidArgumentError, T)
        end
        @test read_page(state, id, Int) == 1:4
    end
end

"All that can be done with the page `id`, alone and in batches."
uses_of(state, id) = Any[
    () -> update_page(state, id, b"abcd"), () -> write_page!(state, id, 0, b"a"),
    () -> write_masked!(state, id, fill(true, 4), b"abcd"),
    () -> route_delta!(state, create_delta(id, b"abcd")),
    () -> set_metadata!(state, id, "k", "v"), () -> delete_metadata!(state, id, "k"),
    () -> delete_page(state, id), () -> read_page(state, id), () -> read_page(state, id, Int32),
    () -> read_page!(zeros(UInt8, 1), state, id), () -> page_view(state, id),
    () -> page_array(state, id, Int32), () -> page_size(state, id), () -> page_epoch(state, id),
    () -> page_lsn(state, id), () -> page_location(state, id), () -> get_metadata(state, id),
    () -> get_metadata(state, id, "k", nothing), () -> validate(create_delta(id, b"abcd"), state),
    () -> batch_route_deltas!(state, [create_delta(1, b"new!"), create_delta(id, b"abcd")]),
    (() -> batch(c -> (write_page!(c, 1, 0, b"N"); use(c)), state) for use in (
        c -> update_page(c, id, b"abcd"), c -> write_page!(c, id, 0, b"a"),
        c -> delete_page(c, id), c -> set_metadata!(c, id, "k", "v")))...]

@testset "pages that never were" begin
    with_page(b"abcd") do state, id
        before = digest(state)
        for unknown in (0, 2, 99, typemax(Int))
            for use in uses_of(state, unknown)
                @test throws(use, PageNotFoundError, "page $unknown")
            end
            @test throws(() -> query_log(state; page=unknown), PageNotFoundError, "page $unknown")
            @test throws(() -> get_deltas_for_page(state, unknown), PageNotFoundError)
            @test throws(() -> page_at(state, unknown, page_lsn(state, id)), PageNotFoundError)
        end
        # Nor does a number that is no id wrap around into one that is.
        for absurd in (-1, typemin(Int), typemax(UInt64), big(2)^64 + 1, Int128(2)^64 + 1)
            for use in uses_of(state, absurd)
                @test throws(use, PageNotFoundError, "page $absurd")
            end
        end
        @test digest(state) == before
    end
end

@testset "pages that are no more" begin
    with_page(b"abcd") do state, id
        gone = create_page(state; size=4, metadata="k" => "v")
        delete_page(state, gone)
        before = digest(state)
        for use in uses_of(state, gone)
            @test throws(use, PageFreedError, "page $gone")
        end
        @test digest(state) == before
    end
end

@testset "handles that are none" begin
    with_page(b"abcd") do state, id
        before, size = digest(state), Ref{UInt64}(77)
        ask(owner) = check(MMSB.API.rust_page_size(MMSB.API.MmsbPage(owner, id), size))
        stale = MMSBState(other -> other.handle.id)
        view = page_view(state, id)
        @test throws(() -> ask(0), NullHandleError, "null")
        @test throws(() -> ask(stale), StaleHandleError, "state")
        @test throws(() -> ask(view.pin.handle.id), WrongHandleError, "view")
        @test throws(() -> ask(0xdeadbeef), WrongHandleError, "0xdeadbeef")
        @test throws(NullHandleError, "out") do
            check(MMSB.API.rust_page_size(MMSB.API.MmsbPage(state.handle.id, id), C_NULL))
        end
        @test size[] == 77 && digest(state) == before
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
        for bad in ("\xff", "ab\xc3(", "\xed\xa0\x80")
            @test throws(() -> write_it(source=bad), NotUtf8Error, "source")
            @test throws(() -> write_it(intent=bad), NotUtf8Error, "intent")
            @test throws(() -> create_page(state; size=1, source=bad), NotUtf8Error, "source")
            @test throws(() -> delete_page(state, id; intent=bad), NotUtf8Error, "intent")
            @test throws(() -> batch(c -> update_page(c, id, b"WXYZ"), state; source=bad),
                         NotUtf8Error, "source")
            @test throws(() -> create_delta(id, b"WXYZ"; source=bad), NotUtf8Error, "source")
            @test throws(() -> query_log(state; source=bad), NotUtf8Error, "source")
            @test throws(() -> checkpoint!(state; name=bad), NotUtf8Error, "name")
            @test throws(() -> drop_checkpoint!(state, bad), NotUtf8Error, "name")
            @test throws(() -> export_checkpoint(state, bad), NotUtf8Error, "path")
            @test throws(() -> load_checkpoint!(state, bad), NotUtf8Error, "path")
            @test throws(() -> MMSBState(path=bad), NotUtf8Error, "path")
            @test throws(() -> TLog(bad), NotUtf8Error, "path")
        end
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
