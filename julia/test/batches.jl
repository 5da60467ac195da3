# Batches: all or none.

@testset "everything in one record" begin
    MMSBState() do state
        old = create_page(state; size=4)
        ids = batch(state; source="b", intent="all") do changes
            id = create_page(changes; size=8, location=:gpu, metadata=(unit="K",))
            @test update_page(changes, id, b"abcdefgh") === nothing
            write_page!(changes, id, 0, b"XY")
            write_masked!(changes, id, [false, false, true, false, false, false, false, false], b"........")
            route_delta!(changes, create_delta(id, [7 => b"!"]))
            set_metadata!(changes, id, "k", "v")
            delete_metadata!(changes, id, "k")
            delete_page(changes, old)
            @test list_pages(state) == [old]
            (old, id)
        end
        @test list_pages(state) == [ids[2]]
        @test read_page(state, ids[2]) == b"XY.defg!"
        @test get_metadata(state, ids[2]) == Dict("unit" => "K")
        changes = collect(query_log(state))
        @test length(unique(c.lsn for c in changes)) == 2
        @test all(c -> c.intent == "all" && c.source == "b", changes[2:end])
    end
end

@testset "none after an error in the block" begin
    with_page(b"abcd") do state, id
        before, lsn = digest(state), page_lsn(state, id)
        @test throws(ErrorException, "boo") do
            batch(state) do changes
                update_page(changes, id, b"wxyz")
                create_page(changes; size=4)
                error("boo")
            end
        end
        @test digest(state) == before && page_lsn(state, id) == lsn
    end
end

@testset "none after an error of one change" begin
    with_page(b"abcd") do state, id
        before = digest(state)
        for wrong in (c -> update_page(c, id, b"short of"), c -> update_page(c, 99, b"abcd"),
                      c -> write_page!(c, id, 4, b"x"), c -> delete_page(c, 99),
                      c -> delete_metadata!(c, id, "k"), c -> create_page(c; size=0),
                      c -> update_page(c, id, zeros(3)'), c -> set_metadata!(c, id, "", "v"),
                      c -> route_delta!(c, create_delta(id, [9 => b"x"])))
            @test throws(MMSBError) do
                batch(state) do changes
                    write_page!(changes, id, 0, b"ZZ")
                    wrong(changes)
                end
            end
            @test digest(state) == before
        end
    end
end

@testset "by hand" begin
    with_page(b"abcd") do state, id
        changes = Batch(state; source="hand")
        update_page(changes, id, b"wxyz")
        @test isopen(changes) && sprint(show, changes) == "Batch(open)"
        lsn = commit!(changes)
        @test page_lsn(state, id) == lsn && !isopen(changes)
        for use in (() -> commit!(changes), () -> update_page(changes, id, b"abcd"),
                    () -> write_page!(changes, id, 0, b"a"), () -> create_page(changes; size=1),
                    () -> write_masked!(changes, id, fill(true, 4), b"abcd"),
                    () -> delete_page(changes, id), () -> set_metadata!(changes, id, "k", "v"),
                    () -> delete_metadata!(changes, id, "k"),
                    () -> route_delta!(changes, create_delta(id, b"abcd")))
            @test throws(use, ClosedError, "the batch was closed")
        end
        given_up = Batch(state)
        update_page(given_up, id, b"0000")
        close(given_up)
        @test read_page(state, id) == b"wxyz"
        @test commit!(Batch(state)) == 0
    end
end

@testset "a batch of a closed state" begin
    state = MMSBState()
    changes = Batch(state)
    id = create_page(changes; size=4)
    close(state)
    @test throws(() -> commit!(changes), MMSBError)
end

@testset "a page that begins and ends in a batch" begin
    MMSBState() do state
        batch(state) do changes
            id = create_page(changes; size=4)
            update_page(changes, id, b"abcd")
            delete_page(changes, id)
        end
        @test isempty(list_pages(state))
        @test digest(replay_log(state)) == digest(state)
    end
end
