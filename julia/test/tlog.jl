# Logs by themselves.

@testset "append, read, count" begin
    with_directory() do path
        lsns = TLog(path) do log
            lsns = [append!(log, create_delta(n, fill(n % UInt8, 4); source="s$(n % 2)"))
                    for n in 1:10]
            @test issorted(lsns) && allunique(lsns)
            @test append!(log, [create_delta(1, b"abcd"), create_delta(1, b"wxyz")]) > last(lsns)
            @test append!(log, Delta[]) == 0
            @test flush(log) >= last(lsns) && sync(log) >= last(lsns)
            @test [c.page for c in log] == [1:10; 1; 1]
            @test [c.page for c in log] == [1:10; 1; 1]
            @test length(get_deltas_for_page(log, 1)) == 3
            @test [c.page for c in query_log(log; source="s1", limit=2)] == [1, 3]
            found = compute_log_statistics(log)
            @test (found.deltas, found.pages, found.payload_bytes, found.sources) == (12, 10, 48, 3)
            @test found.first == lsns[1]
            lsns
        end
        @test compute_log_statistics(path).deltas == 12
        TLog(path; must_exist=true, durability=:sync) do log
            @test [c.lsn for c in query_log(log; limit=10)] == lsns
            @test sprint(show, log) == "TLog($(repr(path)))"
            @test throws(() -> TLog(path), LockedError)
        end
    end
end

@testset "not a log" begin
    with_directory() do path
        @test throws(() -> compute_log_statistics(path), FileNotFoundError)
        close(MMSBState(path=path))
        @test throws(() -> TLog(path), ForeignError)
        @test throws(() -> TLog(path; color="red"), InvalidArgumentError, "color")
    end
end

@testset "close" begin
    with_directory() do path
        log = TLog(path)
        close(log)
        close(log)
        for use in (() -> append!(log, create_delta(1, b"a")), () -> flush(log), () -> sync(log),
                    () -> query_log(log), () -> collect(log), () -> get_deltas_for_page(log, 1),
                    () -> compute_log_statistics(log))
            @test throws(use, ClosedError, "the log was closed")
        end
        @test occursin("closed", sprint(show, log))
    end
end
