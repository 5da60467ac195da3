# The past.

@testset "every moment can be had again" begin
    MMSBState() do state
        id = create_page(state; size=8)
        past = Tuple{UInt64,Vector{UInt8},Digest}[]
        for n in 1:50
            content = rand(UInt8, 8)
            lsn = update_page(state, id, content)
            push!(past, (lsn, content, digest(state)))
        end
        for (lsn, content, wanted) in past
            @test page_at(state, id, lsn) == content
            @test page_at(state, id, lsn, Int) == reinterpret(Int, content)
            then = replay_log(state; to=lsn)
            @test read_page(then, id) == content && digest(then) == wanted
            close(then)
        end
    end
end

@testset "a replay is read-only and its own" begin
    state = MMSBState()
    id = create_page(state; size=4)
    then = replay_log(state)
    @test isreadonly(then) && list_pages(then) == [id]
    for change in (() -> update_page(then, id, b"abcd"), () -> create_page(then; size=1),
                   () -> delete_page(then, id), () -> set_metadata!(then, id, "k", "v"),
                   () -> batch(b -> update_page(b, id, b"abcd"), then))
        @test throws(change, ReadOnlyError)
    end
    update_page(state, id, b"abcd")
    @test read_page(then, id) == [0, 0, 0, 0]
    close(state)
    @test read_page(then, id) == [0, 0, 0, 0]
    close(then)
end

@testset "what was not, and what is not yet" begin
    MMSBState() do state
        a = create_page(state; size=4)
        between = page_lsn(state, a)
        b = create_page(state; size=4)
        @test throws(() -> page_at(state, b, between), PageNotFoundError)
        @test throws(() -> page_at(state, a, between, Int), LengthMismatchError, 4, 8)
        @test throws(() -> page_at(state, a, between, Any), InvalidArgumentError, "Any")
        @test throws(() -> page_at(state, a, between, Tuple{UInt8,UInt16}), InvalidArgumentError)
        @test list_pages(replay_log(state; to=between)) == [a]
        @test list_pages(replay_log(state; to=0)) == []
        @test throws(() -> page_at(state, a, typemax(UInt64)), LsnInFutureError)
        @test throws(() -> replay_log(state; to=typemax(UInt64)), LsnInFutureError)
        @test throws(() -> replay_log(state; to=-1), InvalidArgumentError, "to is -1")
    end
end

@testset "a deleted page has a past" begin
    with_page(b"abcd") do state, id
        lsn = page_lsn(state, id)
        delete_page(state, id)
        @test page_at(state, id, lsn) == b"abcd"
        @test length(collect(query_log(state; page=id))) == 3
    end
end

@testset "a large page's past" begin
    with_page(rand(UInt8, 100_000)) do state, id
        before, lsn = read_page(state, id), page_lsn(state, id)
        update_page(state, id, rand(UInt8, 100_000))
        @test page_at(state, id, lsn) == before
    end
end

@testset "verify" begin
    with_page(b"abcd") do state, id
        found = verify(state)
        @test found.records == 2 && found.digest == digest(state) && found.images == 0
        past = replay_log(state)
        @test throws(() -> verify(past), HistoryDroppedError, "no log of its own")
        @test throws(() -> checkpoint!(past), ReadOnlyError, "read-only")
        @test digest(past) == digest(state)
        close(past)
    end
end

@testset "snapshots" begin
    MMSBState() do state
        a = create_page(state; size=4)
        snapshot(state) do snap
            lsn, before = snapshot_lsn(snap), digest(snap)
            @test before == digest(state)
            update_page(state, a, b"abcd")
            b = create_page(state; size=4)
            @test read_page(snap, a) == [0, 0, 0, 0] && list_pages(snap) == [a]
            @test read_page(snap, a, Int32) == [0] && query_page(snap, a; offset=2) == [0, 0]
            @test read_page!(ones(UInt8, 2), snap, a; offset=1) == [0, 0]
            @test page_size(snap, a) == 4 && page_epoch(snap, a) == 0
            @test throws(() -> read_page(snap, b), PageNotFoundError, "page $b")
            delete_page(state, a)
            @test read_page(snap, a) == [0, 0, 0, 0] && digest(snap) == before
            @test digest(replay_log(state; to=lsn)) == before
            @test occursin(string(lsn), sprint(show, snap))
        end
        kept = snapshot(state)
        close(kept)
        for use in (() -> digest(kept), () -> snapshot_lsn(kept), () -> list_pages(kept),
                    () -> read_page(kept, a), () -> read_page!(zeros(UInt8, 1), kept, a),
                    () -> page_size(kept, a), () -> page_epoch(kept, a),
                    () -> get_metadata(kept, a), () -> get_metadata(kept, a, "unit", nothing))
            @test throws(use, ClosedError, "the snapshot was closed")
        end
        @test sprint(show, kept) == "Snapshot(closed)"
        @test get_stats(state).snapshots == 0
    end
end

@testset "beyond the bound the oldest snapshot ends" begin
    MMSBState(version_bytes_max=2000) do state
        id = create_page(state; size=4)
        old = snapshot(state)
        newest = snapshot(state)
        for number in 1:50
            update_page(state, id, UInt8[number, 0, 0, 0])
            close(newest)
            newest = snapshot(state)
        end
        # One version for the old one is all that is held.
        @test read_page(old, id) == [0, 0, 0, 0] && get_stats(state).versions == 1
        kept = map(1:50) do number
            update_page(state, id, UInt8[number, 1, 0, 0])
            snapshot(state)
        end
        stats = get_stats(state)
        @test 0 < stats.snapshot_bytes <= 2000 && stats.snapshots_too_old > 0
        @test stats.oldest_snapshot_lsn > snapshot_lsn(old)
        for use in (() -> read_page(old, id), () -> digest(old), () -> list_pages(old),
                    () -> page_size(old, id))
            @test throws(use, SnapshotTooOldError, "2000 bytes")
        end
        @test isretryable(SnapshotTooOldError(""))
        @test read_page(kept[end], id) == [50, 1, 0, 0]
        foreach(close, (old, newest, kept...))
        @test get_stats(state).versions == 0
    end
    @test throws(() -> MMSBState(version_bytes_max=-1), InvalidArgumentError, "-1")
end

@testset "snapshots and queries outlive their state" begin
    for settings in (NamedTuple(), (path=joinpath(mktempdir(), "state"),))
        state = MMSBState(; settings...)
        id = create_page(state; size=4)
        update_page(state, id, b"abcd")
        before, snap, changes = digest(state), snapshot(state), query_log(state)
        update_page(state, id, b"wxyz")
        close(state)
        @test read_page(snap, id) == b"abcd" && digest(snap) == before
        @test [change.kind for change in changes] == [:created, :written]
        close(snap)
    end
end
