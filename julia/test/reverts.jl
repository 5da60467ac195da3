# Snapshots compared and exported; soft checkpoints, and the way back to them.

@testset "what differs between two moments" begin
    MMSBState() do state
        a, b, c = (create_page(state; size=1000) for _ in 1:3)
        before = snapshot(state)
        write_page!(state, a, 100, b"abc")
        write_page!(state, a, 900, b"x")
        set_metadata!(state, b, "k", "v")
        delete_page(state, c)
        d = create_page(state; size=4)
        after = snapshot(state)
        found = compare(before, after)
        @test found == compare(before, state) && eltype(found) == Difference
        @test [(x.page, x.kind) for x in found] ==
              [(a, :changed), (b, :changed), (c, :freed), (d, :created)]
        @test found[1].runs == [(offset=100, len=3), (offset=900, len=1)] && !found[1].metadata
        @test isempty(found[2].runs) && found[2].metadata
        @test [x.kind for x in compare(after, before)] == [:changed, :changed, :created, :freed]
        @test isempty(compare(after, after))
        MMSBState() do other
            @test throws(() -> compare(before, other), InvalidArgumentError, "two states")
            snapshot(other) do theirs
                @test throws(() -> compare(theirs, before), InvalidArgumentError, "two states")
            end
        end
        close(after)
        @test throws(() -> compare(before, after), ClosedError, "the snapshot was closed")
        @test throws(() -> compare(after, state), ClosedError, "the snapshot was closed")
    end
end

@testset "a snapshot as a file" begin
    MMSBState() do state
        id = create_page(state; size=4)
        snapshot(state) do snap
            update_page(state, id, b"abcd")
            file = joinpath(mktempdir(), "then.image")
            @test export_checkpoint(snap, file) == snapshot_lsn(snap)
            loaded = load_checkpoint!(file)
            @test digest(loaded) == digest(snap) && read_page(loaded, id) == [0, 0, 0, 0]
            close(loaded)
            @test throws(() -> export_checkpoint(snap, file), InvalidArgumentError, "exists")
            @test_throws ErrorException export_checkpoint(
                snap, file * "2"; progress=_ -> error("enough"))
        end
    end
end

@testset "a state goes back" begin
    MMSBState() do state
        a, b = create_page(state; size=4), create_page(state; size=4)
        set_metadata!(state, b, "k", "v")
        mark = soft_checkpoint(state)
        update_page(state, a, b"abcd")
        delete_page(state, b)
        c = create_page(state; size=4)
        lsn = revert!(state, mark; source="me", intent="a test")
        @test list_pages(state) == [a, b] && read_page(state, a) == [0, 0, 0, 0]
        @test get_metadata(state, b) == Dict("k" => "v") && page_epoch(state, a) == 2
        @test soft_checkpoint_lsn(mark) >= lsn
        @test throws(() -> page_size(state, c), PageFreedError, "page $c")
        @test revert!(state, mark) == 0
        restored = [x for x in query_log(state; page=b) if x.kind === :restored]
        @test length(restored) == 1 && restored[1].size == 4 && restored[1].lsn == lsn
        @test restored[1].source == "me" && occursin("4 bytes", sprint(show, restored[1]))
        @test digest(replay_log(state)) == digest(state)
        verify(state)
        close(mark)
        @test throws(() -> revert!(state, mark), ClosedError, "the soft checkpoint was closed")
        @test sprint(show, mark) == "SoftCheckpoint(closed)"
        @test get_stats(state).snapshots == 0
    end
end

@testset "nested marks" begin
    MMSBState() do state
        id = create_page(state; size=1)
        result = soft_checkpoint(state) do outer
            update_page(state, id, UInt8[1])
            inner = soft_checkpoint(state)
            update_page(state, id, UInt8[2])
            revert!(state, inner)
            @test read_page(state, id) == [1]
            revert!(state, outer)
            @test read_page(state, id) == [0]
            @test throws(() -> revert!(state, inner), CheckpointPassedError, "older")
            @test throws(() -> soft_checkpoint_lsn(inner), CheckpointPassedError, "older")
            MMSBState() do other
                @test throws(() -> revert!(other, outer), InvalidArgumentError, "another state")
            end
            7
        end
        @test result == 7
        # The block's end closes the mark, and the state stays as it is.
        @test_throws ErrorException soft_checkpoint(state) do mark
            update_page(state, id, UInt8[3])
            error("enough")
        end
        @test read_page(state, id) == [3]
        GC.gc()
        @test get_stats(state).snapshots == 0
        past = replay_log(state)
        @test throws(() -> soft_checkpoint(past), ReadOnlyError, "read-only")
    end
end
