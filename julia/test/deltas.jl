# Deltas as objects.

@testset "dense" begin
    delta = create_delta(3, b"abcd"; source="s", intent="i")
    info = delta_info(delta)
    @test info.page == 3 && info.dense && info.runs == 1 && info.payload_bytes == 4
    @test (info.span_begin, info.span_end) == (0, 4) && info.lsn == 0
    @test delta_payload(delta) == b"abcd"
    @test delta_source(delta) == "s" && delta_intent(delta) == "i"
    @test delta_intent(create_delta(3, b"abcd")) === nothing
    @test delta_intent(create_delta(3, b"abcd"; intent="")) == ""
    @test occursin("page 3", sprint(show, delta))
end

@testset "runs" begin
    delta = create_delta(1, [2 => b"ab", 8 => [1.0]])
    @test delta_runs(delta) == [(offset=2, len=2), (offset=8, len=8)]
    @test delta_payload(delta) == [b"ab"; reinterpret(UInt8, [1.0])]
    @test !delta_info(delta).dense
    @test throws(() -> create_delta(1, [5 => b"a", 3 => b"b"]), RunsInvalidError, 3, 6)
    @test throws(() -> create_delta(1, [3 => b"abc", 5 => b"b"]), RunsInvalidError)
    @test throws(() -> create_delta(1, [3 => b""]), RunsInvalidError, "empty")
    @test throws(() -> create_delta(1, [-3 => b"a"]), InvalidArgumentError, -3)
    @test throws(() -> create_delta(1, [1 << 40 => b"a"]), RangeOutOfBoundsError)
    @test throws(() -> create_delta(1, [3 => 4]), InvalidArgumentError)
    @test throws(() -> create_delta(1, Any[3 => b"a", 4]), InvalidArgumentError, "Any")
    collected = []
    push!(collected, 2 => b"ab", 8 => [1.0])
    @test delta_runs(create_delta(1, collected)) == delta_runs(delta)
    @test isempty(delta_runs(create_delta(1, [])))
end

@testset "mask" begin
    delta = create_delta(1, [true, true, false, true], b"abcd")
    @test delta_runs(delta) == [(offset=0, len=2), (offset=3, len=1)]
    @test delta_payload(delta) == b"abd"
    @test throws(() -> create_delta(1, [true], b"abcd"), LengthMismatchError, 1, 4)
end

@testset "a note that does not fit" begin
    @test throws(() -> create_delta(1, b"a"; source="s"^300), TooLongError, 300)
    @test throws(() -> create_delta(1, b"a"; intent="a\0b"), InvalidArgumentError)
end

@testset "merge" begin
    both = merge(create_delta(1, [0 => b"aaaa"]), create_delta(1, [2 => b"bbbb"]))
    @test delta_runs(both) == [(offset=0, len=6)] && delta_payload(both) == b"aabbbb"
    @test throws(() -> merge(create_delta(1, b"a"), create_delta(2, b"a")), InvalidArgumentError)
end

@testset "validate" begin
    @test validate(create_delta(1, b"abcd"), 4) === nothing
    @test throws(() -> validate(create_delta(1, b"abcd"), 5), LengthMismatchError, 4, 5)
    @test throws(() -> validate(create_delta(1, [3 => b"ab"]), 4), RangeOutOfBoundsError, 5, 4)
    with_page(b"abcd") do state, id
        @test validate(create_delta(id, b"wxyz"), state) === nothing
        @test throws(() -> validate(create_delta(9, b"wxyz"), state), PageNotFoundError)
    end
end

@testset "route" begin
    with_page(b"abcd") do state, id
        delta = create_delta(id, [1 => b"X"]; source="router", intent="test")
        lsn = route_delta!(state, delta)
        @test lsn > 0 && read_page(state, id) == b"aXcd"
        @test route_delta!(state, delta) == 0
        change = last(collect(query_log(state)))
        @test (change.lsn, change.source, change.intent) == (lsn, "router", "test")
        before = digest(state)
        @test throws(() -> route_delta!(state, create_delta(id, [3 => b"XY"])), RangeOutOfBoundsError, 4)
        @test throws(() -> route_delta!(state, create_delta(9, b"X")), PageNotFoundError)
        @test digest(state) == before
    end
end

@testset "route several as one group" begin
    MMSBState() do state
        ids = [create_page(state; size=4) for _ in 1:4]
        deltas = [create_delta(id, fill(id % UInt8, 4)) for id in ids]
        lsn = batch_route_deltas!(state, deltas; source="group")
        @test all(page_lsn.(Ref(state), ids) .== lsn)
        @test all(id -> read_page(state, id) == fill(id, 4), ids)
        @test batch_route_deltas!(state, deltas) == 0
        before = digest(state)
        bad = [create_delta(ids[1], b"wxyz"), create_delta(ids[2], b"too long")]
        @test throws(() -> batch_route_deltas!(state, bad), LengthMismatchError)
        @test digest(state) == before
        @test batch_route_deltas!(state, Delta[]) == 0
    end
end

@testset "close" begin
    delta = create_delta(1, b"abcd")
    close(delta)
    close(delta)
    MMSBState() do state
        for use in (() -> delta_payload(delta), () -> delta_runs(delta), () -> delta_info(delta),
                    () -> delta_source(delta), () -> delta_intent(delta),
                    () -> merge(delta, delta), () -> validate(delta, 4),
                    () -> route_delta!(state, delta), () -> batch_route_deltas!(state, [delta]),
                    () -> PageAllocator(pages -> route_delta!(pages, delta)))
            @test throws(use, ClosedError, "the delta was closed")
        end
    end
    @test sprint(show, delta) == "Delta(closed)"
end
