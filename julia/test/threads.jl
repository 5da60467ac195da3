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

allequal_(values) = all(==(first(values)), values)

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

# The main task spins and does not yield: Julia 1.5 would let it run a user and never come back.
@testset "close while another thread uses it" begin
    for _ in 1:50
        state = MMSBState()
        id, begun = create_page(state; size=64), Threads.Atomic{Int}(0)
        user = Threads.@spawn try
            contents = (zeros(UInt8, 64), ones(UInt8, 64))
            for n in 1:1_000_000
                update_page(state, id, contents[1 + n % 2])
                Threads.atomic_add!(begun, 1)
            end
        catch problem
            problem
        end
        deadline = time() + 1
        while begun[] < 100 && time() < deadline
            GC.safepoint()
        end
        @test close(state) === nothing
        @test fetch(user) isa Union{Nothing,ClosedError,StaleHandleError}
    end
end

@testset "two close at once" begin
    for _ in 1:200
        state = MMSBState()
        other = Threads.@spawn close(state)
        @test close(state) === nothing
        @test fetch(other) === nothing
    end
end
