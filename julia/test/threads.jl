# Many tasks on one state.

@testset "tasks with pages of their own" begin
    MMSBState() do state
        ids = [create_page(state; size=64) for _ in 1:8]
        tasks = map(ids) do id
            Threads.@spawn for n in 1:2000
                update_page(state, id, fill(n * id, 8); source="task $id")
            end
        end
        foreach(wait, tasks)
        @test all(id -> read_page(state, id, Int) == fill(2000 * id, 8), ids)
        @test all(id -> page_epoch(state, id) == 2000, ids)
        @test digest(replay_log(state)) == digest(state)
        # The same work on one thread has the same digest.
        MMSBState() do other
            foreach(_ -> create_page(other; size=64), ids)
            for n in 1:2000, id in ids
                update_page(other, id, fill(n * id, 8))
            end
            @test digest(other) == digest(state)
        end
    end
end

@testset "tasks that share pages: sums are conserved in every snapshot" begin
    MMSBState() do state
        ids = [create_page(state; size=8) for _ in 1:4]
        writers = map(1:4) do seed
            Threads.@spawn for n in 1:500
                a, b = ids[1 + (n + seed) % 4], ids[1 + (n + 2seed + 1) % 4]
                value = 1000seed + n
                a == b || batch(state) do changes
                    update_page(changes, a, Ref(value))
                    update_page(changes, b, Ref(-value))
                end
            end
        end
        whole = Threads.@spawn all(1:200) do _
            snapshot(state) do snap
                changes = query_log(state; to=snapshot_lsn(snap))
                groups = Dict{UInt64,Int}()
                for change in changes
                    change.kind === :written && (groups[change.lsn] = get(groups, change.lsn, 0) + 1)
                end
                all(==(2), values(groups))
            end
        end
        foreach(wait, writers)
        @test fetch(whole)
        @test digest(replay_log(state)) == digest(state)
    end
end

@testset "readers see whole pages" begin
    MMSBState() do state
        id = create_page(state; size=8192)
        done = Threads.Atomic{Bool}(false)
        reader = Threads.@spawn begin
            ok = true
            while !done[]
                page_array(array -> (ok &= all(==(array[1]), array)), state, id, Int)
                ok &= allequal_(read_page(state, id, Int))
            end
            ok
        end
        for n in 1:3000
            update_page(state, id, fill(n, 1024))
        end
        done[] = true
        @test fetch(reader)
    end
end

allequal_(values) = all(==(first(values)), values)

@testset "close while others use it" begin
    for _ in 1:20
        state = MMSBState()
        id = create_page(state; size=64)
        users = map(1:4) do n
            Threads.@spawn try
                while true
                    update_page(state, id, rand(UInt8, 64))
                    yield()
                end
            catch problem
                problem
            end
        end
        sleep(0.001)
        closers = [Threads.@spawn close(state) for _ in 1:2]
        @test all(t -> fetch(t) === nothing, closers)
        @test all(t -> fetch(t) isa Union{ClosedError,StaleHandleError}, users)
    end
end
