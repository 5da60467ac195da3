# Metadata of pages.

@testset "set, get, delete" begin
    with_page(b"abcd") do state, id
        @test get_metadata(state, id) == Dict{String,String}()
        @test set_metadata!(state, id, "unit", "kelvin"; source="me") > 0
        set_metadata!(state, id, "größe", "ü"^1000)
        @test get_metadata(state, id, "unit") == "kelvin"
        @test get_metadata(state, id) == Dict("unit" => "kelvin", "größe" => "ü"^1000)
        @test delete_metadata!(state, id, "unit") > 0
        @test get_metadata(state, id, "unit", nothing) === nothing
        @test throws(() -> get_metadata(state, id, "unit"), KeyNotFoundError, "unit")
        @test throws(() -> get_metadata(state, 9, "unit", nothing), PageNotFoundError)
        @test page_epoch(state, id) == 1
    end
end

@testset "any bytes are a value" begin
    with_page(b"abcd") do state, id
        set_metadata!(state, id, "floats", [1.0, 2.0])
        @test reinterpret(Float64, Vector{UInt8}(get_metadata(state, id, "floats"))) == [1.0, 2.0]
        set_metadata!(state, id, "empty", "")
        @test get_metadata(state, id, "empty") == ""
        set_metadata!(state, id, "zero", UInt8[0, 255, 0])
        @test codeunits(get_metadata(state, id, "zero")) == [0, 255, 0]
    end
end

@testset "from the start" begin
    MMSBState() do state
        for metadata in (Dict("a" => "1", "b" => "2"), (a="1", b="2"), ["a" => "1", "b" => "2"])
            id = create_page(state; size=4, metadata=metadata, source="setup")
            @test get_metadata(state, id) == Dict("a" => "1", "b" => "2")
            # One group: one LSN.
            @test length(unique(c.lsn for c in query_log(state; page=id))) == 1
        end
        id = create_page(state; size=4, metadata="only" => "one")
        @test get_metadata(state, id) == Dict("only" => "one")
    end
end

@testset "of a snapshot" begin
    MMSBState() do state
        id = create_page(state; size=4, metadata=Dict("unit" => "kelvin", "größe" => "ü"^1000))
        bare = create_page(state; size=4)
        then = get_metadata(state, id)
        snapshot(state) do snap
            set_metadata!(state, id, "unit", "celsius")
            set_metadata!(state, id, "later", "x")
            set_metadata!(state, bare, "later", "x")
            delete_metadata!(state, id, "größe")
            @test get_metadata(snap, id) == then == Dict("unit" => "kelvin", "größe" => "ü"^1000)
            @test get_metadata(snap, id, "unit") == "kelvin"
            @test get_metadata(snap, id, "größe", nothing) == "ü"^1000
            @test isempty(get_metadata(snap, bare))
            @test get_metadata(snap, id, "later", 0) === 0
            @test throws(() -> get_metadata(snap, id, "later"), KeyNotFoundError, "later")
            delete_page(state, id)
            @test get_metadata(snap, id) == then
            new = create_page(state; size=4, metadata="unit" => "kelvin")
            for absent in (new, 0, 99, -1, big(2)^64 + 1)
                for use in (() -> get_metadata(snap, absent),
                            () -> get_metadata(snap, absent, "unit"),
                            () -> get_metadata(snap, absent, "unit", nothing))
                    @test throws(use, PageNotFoundError, "page $absent")
                end
            end
        end
    end
end
