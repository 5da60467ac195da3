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
