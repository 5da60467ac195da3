# The log read back.

function filled_state(use)
    MMSBState() do state
        a = create_page(state; size=8, source="setup", intent="begin")
        b = create_page(state; size=4, location=:unified)
        first = update_page(state, a, b"abcdefgh"; source="x")
        write_page!(state, a, 6, b"XY"; source="y", intent="patch")
        set_metadata!(state, b, "k", "v")
        delete_metadata!(state, b, "k")
        delete_page(state, b)
        use(state, a, b, first)
    end
end

@testset "changes" begin
    filled_state() do state, a, b, first_update
        changes = collect(query_log(state))
        @test changes isa Vector{Change}
        @test [c.kind for c in changes] ==
              [:created, :created, :written, :written, :metadata, :metadata, :freed]
        @test issorted([c.lsn for c in changes])
        made, other, written, patched, set, unset, freed = changes
        @test (made.page, made.size, made.location, made.epoch) == (a, 8, :cpu, 0)
        @test (made.source, made.intent) == ("setup", "begin")
        @test other.location === :unified && other.intent === nothing && other.source == ""
        @test written.lsn == first_update && written.prev == made.lsn
        @test written.runs == [(offset=0, len=8)] && written.payload == b"abcdefgh"
        @test patched.runs == [(offset=6, len=2)] && patched.payload == b"XY"
        @test patched.epoch == 2 && patched.prev == written.lsn
        @test (set.key, set.value) == ("k", "v") && (unset.key, unset.value) == ("k", nothing)
        @test freed.page == b
        @test abs(made.time_ms / 1000 - time()) < 60
        @test occursin("8 bytes at 0", sprint(show, written))
    end
end

@testset "queries" begin
    filled_state() do state, a, b, lsn
        count_of(; limits...) = length(collect(query_log(state; limits...)))
        @test count_of(page=a) == 3 && count_of(page=b) == 4
        @test count_of(source="x") == 1 && count_of(source="z") == 0
        @test count_of(limit=2) == 2 && count_of(limit=0) == 0
        @test count_of(to=lsn) == 3 && count_of(after=lsn) == 4
        @test count_of(after=typemax(UInt64)) == 0
        @test count_of(after=lsn, limit=1, page=a) == 1
        now = round(Int, 1000 * time())
        @test count_of(from_time=now - 60_000, to_time=now + 60_000) == 7
        @test count_of(from_time=now + 60_000) == 0 && count_of(to_time=now - 60_000) == 0
        @test throws(() -> query_log(state; page=99), PageNotFoundError, 99)
        @test throws(() -> query_log(state; page=0), PageNotFoundError, 0)
        @test throws(() -> query_log(state; limit=-1), InvalidArgumentError, "limit")
        @test throws(() -> query_log(state; source="a\0"), InvalidArgumentError)
    end
end

@testset "the iterator" begin
    filled_state() do state, a, b, lsn
        changes = query_log(state)
        @test Base.IteratorSize(typeof(changes)) == Base.SizeUnknown() && eltype(changes) == Change
        @test first(changes).kind === :created && isopen(changes)
        @test length(collect(changes)) == 6
        @test !isopen(changes) && isempty(collect(changes))
        @test sprint(show, changes) == "Changes(at their end)"
        ended = query_log(state)
        close(ended)
        @test iterate(ended) === nothing
    end
end

@testset "it outlives the state's changes" begin
    filled_state() do state, a, b, lsn
        changes = query_log(state; page=a)
        first(changes)
        for n in 1:100
            update_page(state, a, fill(n % UInt8, 8))
        end
        @test length(collect(changes)) >= 2
    end
end

@testset "deltas of a page" begin
    filled_state() do state, a, b, lsn
        deltas = get_deltas_for_page(state, a)
        @test length(deltas) == 2 && delta_info(deltas[1]).lsn == lsn
        @test delta_source(deltas[2]) == "y" && delta_intent(deltas[2]) == "patch"
        @test delta_info(deltas[2]).epoch == 2 && delta_info(deltas[2]).time_ms > 0
        @test isempty(get_deltas_for_page(state, b))
        @test length(get_deltas_for_page(state, a; after=lsn)) == 1
        # They make the page elsewhere.
        MMSBState() do other
            id = create_page(other; size=8)
            @test id == a
            foreach(delta -> route_delta!(other, delta), deltas)
            @test read_page(other, id) == read_page(state, a)
        end
    end
end

@testset "statistics" begin
    filled_state() do state, a, b, lsn
        found = compute_log_statistics(state)
        @test (found.deltas, found.pages, found.payload_bytes, found.sources) == (2, 1, 10, 2)
        @test found.first == lsn < found.last && found.first_ms <= found.last_ms
        @test compute_log_statistics(state; source="x").deltas == 1
        @test MMSBState(compute_log_statistics).deltas == 0
    end
end
