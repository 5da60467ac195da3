# Events: kinds and order, filters, what does not fit, waiting without stopping anybody.

kinds_of(told) = [event.kind for event in told]

@testset "a group is told in its order" begin
    MMSBState() do state
        a, b = create_page(state; size=8), create_page(state; size=8)
        subscribe!(state) do events
            @test isempty(poll!(events)) && !isready(events)
            lsn = update_page(state, a, zeros(UInt8, 8) .+ 0x01)
            told = poll!(events)
            @test kinds_of(told) == [:changed, :committed]
            @test (told[1].page, told[1].lsn, told[1].epoch, told[2].count) == (a, lsn, 1, 1)
            @test lsn > subscription_lsn(events)
            batch(state) do changes
                set_metadata!(changes, a, "k", "v")
                delete_page(changes, b)
            end
            @test kinds_of(poll!(events)) == [:metadata, :freed, :committed]
            c = create_page(state; size=8)
            add_dependency(state, a, c; kind=:control)
            remove_dependency(state, a, c; kind=:control)
            told = poll!(events)
            @test kinds_of(told) == [:created, :committed, :edge_added, :committed,
                                     :edge_removed, :committed]
            @test (told[3].page, told[3].other, told[3].edge) == (c, a, :control)
            @test told[1].edge === :none
            @test sprint(show, told[1]) == "StateEvent(created page $c at $(Int(told[1].lsn)))"
        end
    end
end

@testset "filters choose, and refuse what there is not" begin
    MMSBState() do state
        a, b = create_page(state; size=8), create_page(state; size=8)
        commits = subscribe!(state; kinds=:committed)
        of_b = subscribe!(state; kinds=[:changed, :poisoned], pages=[b])
        for id in (a, b)
            write_page!(state, id, 0, b"x")
        end
        @test kinds_of(poll!(commits)) == [:committed, :committed]
        @test [event.page for event in poll!(of_b)] == [b]
        close(commits)
        close(of_b)
        @test !isopen(of_b)
        @test_throws ClosedError poll!(of_b)
        @test isempty(collect(of_b))
        @test_throws InvalidArgumentError subscribe!(state; kinds=[:nonsense])
        @test_throws InvalidArgumentError subscribe!(state; kinds=Symbol[])
        for capacity in (0, -1, 16_777_217, 2^40, big"2"^70)
            @test throws(() -> subscribe!(state; capacity=capacity), SizeOutOfRangeError,
                         "capacity is $capacity", "at least 1", "at most 16777216")
        end
        @test_throws MMSBError subscribe!(state; pages=[-1])
        @test_throws InvalidArgumentError wait(subscribe!(state); timeout=-1)
    end
end

@testset "what does not fit is counted, and stops nobody" begin
    MMSBState() do state
        id = create_page(state; size=8)
        subscribe!(state; capacity=5) do events
            lsns = [write_page!(state, id, 0, UInt8[i]) for i in 1:100]
            @test events_lost(events) == (events=196, groups=98)
            told = poll!(events)
            @test kinds_of(told)[4:5] == [:committed, :lost]
            @test (told[5].count, told[5].lsn) == (196, lsns[3])
            write_page!(state, id, 0, UInt8[0])
            @test length(poll!(events, 1)) == 1 && take!(events).kind === :committed
            @test isempty(poll!(events, typemax(UInt64)))
        end
    end
end

@testset "waits end by time, event and close, and stop no other task" begin
    MMSBState() do state
        id = create_page(state; size=8)
        events = subscribe!(state)
        @test !wait(events; timeout=0) && !wait(events; timeout=0.005)
        turns = Ref(0)
        other = @async while turns[] < 1000
            turns[] += 1
            turns[] == 500 && write_page!(state, id, 0, b"y")
            yield()
        end
        @test wait(events)
        wait(other)
        @test take!(events).kind === :changed
        @test take!(events).kind === :committed
        waiter = @async collect(events)
        yield()
        close(events)
        @test isempty(fetch(waiter))
        @test_throws ClosedError wait(events)
        @test_throws ClosedError take!(events)
    end
end

@testset "the end of the state leaves what waits" begin
    state = MMSBState()
    events, others = subscribe!(state), subscribe!(state)
    waiter = @async collect(others)
    id = create_page(state; size=8)
    yield()
    close(state)
    @test kinds_of(collect(events)) == [:created, :committed]
    @test [event.page for event in fetch(waiter)] == [id, 0]
    @test !isready(events)
    @test_throws ClosedError poll!(events)
    close(events)
    close(others)
end

@testset "a channel of events" begin
    MMSBState() do state
        id = create_page(state; size=8)
        channel = Channel(subscribe!(state; kinds=[:changed]); size=2)
        writer = @async for i in 1:50
            write_page!(state, id, 0, UInt8[i])
            yield()
        end
        @test [take!(channel).epoch for _ in 1:50] == 1:50
        wait(writer)
        close(channel)
        ended = subscribe!(state)
        second = Channel(ended)
        close(ended)
        @test isempty(collect(second))
    end
end

@testset "threads: each page ascends, nothing is missed, garbage is collected meanwhile" begin
    MMSBState() do state
        ids = [create_page(state; size=8) for _ in 1:3]
        subscribe!(state) do events
            rounds = 500
            writers = map(0:2) do writer
                Threads.@spawn for i in 1:rounds
                    bytes = UInt8[i % 251, i ÷ 251]
                    write_page!(state, ids[mod1(i, 3)], 2writer, bytes)
                    i % 100 == 0 && GC.gc(false)
                end
            end
            last, changes = Dict{Int,UInt64}(), 0
            while !all(istaskdone, writers) || isready(events)
                wait(events; timeout=0.01) || continue
                for event in poll!(events)
                    event.kind === :changed || continue
                    @test event.lsn > get(last, event.page, 0)
                    last[event.page] = event.lsn
                    changes += 1
                end
            end
            foreach(wait, writers)
            @test changes == 3rounds
            @test events_lost(events).events == 0
        end
    end
end

@testset "a forgotten subscription is closed by the garbage collector" begin
    MMSBState() do state
        for _ in 1:100
            subscribe!(state; capacity=10)
        end
        GC.gc()
        id = create_page(state; size=8)
        @test page_epoch(state, id) == 0
    end
end
