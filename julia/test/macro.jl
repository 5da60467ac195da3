# @mmsb: what its documentation says, sentence by sentence.

@testset "changes happen together at the end" begin
    MMSBState() do state
        a, b = @mmsb state source="m" intent="w" begin
            a = create_page(size=8, metadata=Dict("k" => "v"))
            b = create_page(; size=4)
            @test update_page(a, b"abcdefgh") === nothing
            write_page!(a, 0, b"X")
            write_masked!(b, [true, false, false, true], b"0123")
            route_delta!(create_delta(a, [7 => b"!"]))
            set_metadata!(b, "x", "1")
            set_metadata!(b, "y", "2")
            delete_metadata!(b, "y")
            @test list_pages() == []
            a, b
        end
        @test read_page(state, a) == b"Xbcdefg!" && read_page(state, b) == UInt8['0', 0, 0, '3']
        @test get_metadata(state, a) == Dict("k" => "v") && get_metadata(state, b) == Dict("x" => "1")
        changes = collect(query_log(state))
        @test length(unique(c.lsn for c in changes)) == 1
        @test all(c -> c.source == "m" && c.intent == "w", changes)
        @mmsb state delete_page(b)
        @test list_pages(state) == [a]
    end
end

@testset "none of them after an exception" begin
    with_page(b"abcd") do state, id
        before = digest(state)
        @test throws(ErrorException, "boo") do
            @mmsb state begin
                update_page(id, b"wxyz")
                error("boo")
            end
        end
        @test throws(() -> (@mmsb state update_page(id, b"too long")), LengthMismatchError)
        @test digest(state) == before
    end
end

@testset "reads see the state without the block's changes" begin
    with_page(Int32[7]) do state, id
        @mmsb state begin
            update_page(id, Int32[8])
            @test read_page(id, Int32) == [7] == query_page(id, Int32)
            @test read_page!(zeros(Int32, 1), id) == [7]
            @test page_size(id) == 4 && page_epoch(id) == 1 && page_location(id) === :cpu
            @test page_lsn(id) == MMSB.page_lsn(state, id)
            @test page_array(id, Int32)[1] == 7 && length(page_view(id)) == 4
            @test (page_view(id) do view
                length(view)
            end) == 4
            @test get_metadata(id) == Dict() && get_metadata(id, "k", 0) == 0
        end
        @test read_page(state, id, Int32) == [8]
    end
end

@testset "what is rewritten" begin
    MMSBState() do state
        ids = @mmsb state begin
            make(size) = create_page(size=size)
            [make(8), (() -> create_page(size=8))()]
        end
        @mmsb state update_page.(ids, [b"aaaaaaaa", b"bbbbbbbb"])
        @test String.(read_page.(Ref(state), ids)) == ["aaaaaaaa", "bbbbbbbb"]
        @test (@mmsb state page_size.(ids)) == [8, 8]
        for id in ids
            @mmsb state begin
                if id == first(ids)
                    write_page!(id, 0, "$(page_size(id))")
                end
            end
        end
        @test read_page(state, first(ids)) == b"8aaaaaaa"
    end
end

@testset "what is not" begin
    with_page(b"abcd") do state, id
        @mmsb state begin
            MMSB.update_page(state, id, b"wxyz")
            @test read_page(id) == b"wxyz"
            @mmsb state write_page!(id, 0, b"!")
            @test read_page(id) == b"!xyz"
            @test :(update_page(a)) == Expr(:call, :update_page, :a)
        end
        @test throws(InvalidArgumentError, "update_page", "@mmsb") do
            @mmsb state update_page(state, id, b"abcd")
        end
        @test throws(() -> (@mmsb state read_page(state, id)), InvalidArgumentError, "read_page")
        @test throws(InvalidArgumentError, "read_page!") do
            @mmsb state read_page!(zeros(UInt8, 4), state, id)
        end
    end
end

@testset "the body of a function" begin
    function work(state, id)
        outside = 0
        @mmsb state begin
            inside = 5
            outside = inside
            update_page(id, b"wxyz")
            return 1
        end
        return (@isdefined(inside), outside)
    end
    with_page(b"abcd") do state, id
        @test work(state, id) == (false, 5)
        @test read_page(state, id) == b"wxyz"
    end
end

@testset "the state is evaluated once" begin
    MMSBState() do state
        times = Ref(0)
        @mmsb (times[] += 1; state) begin
            update_page(create_page(size=1), b"a")
            list_pages()
        end
        @test times[] == 1
    end
end

@testset "its own mistakes" begin
    @test throws(() -> macroexpand(Main, :(@mmsb state)), Exception, "block")
    @test throws(() -> macroexpand(Main, :(@mmsb state color="red" begin end)), Exception, "color")
end
