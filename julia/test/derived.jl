# Derived pages: by formulas and functions, kept true, explained, refused by name.

pages(state, count) = [create_page(state; size=8) for _ in 1:count]
put(state, page, n) = update_page(state, page, [Float64(n)])
number(state, page) = first(read_page(state, page, Float64))
replays(state) = digest(replay_log(state)) == digest(state)

@testset "a formula is kept true" begin
    MMSBState() do state
        total, count, mean, below = pages(state, 4)
        put(state, count, 4)
        lsn = derive!(state, mean, [total, count], "f64: p0 / max(p1, 1)"; source="rule")
        @test lsn > 0 && derive!(state, below, [mean], "f64: p0 < 3") > 0
        @test derive!(state, below, (mean,), "f64: p0 < 3") == 0
        put(state, total, 10)
        @test number(state, mean) == 2.5 && number(state, below) == 1
        @test page_lsn(state, mean) == page_lsn(state, total)
        @test page_rule(state, mean) == "f64: p0 / max(p1, 1)" && page_rule(state, total) === nothing
        @test [p.page for p in get_parents(state, mean)] == [total, count]
        changes = collect(query_log(state; page=mean))
        @test [c.kind for c in changes] == [:created, :edge_added, :edge_added, :ruled, :derived]
        @test changes[2].parent == total && changes[2].edge === :data
        @test changes[4].rule == page_rule(state, mean)
        @test replays(state) && propagation_stats(state).derived == 2
    end
end

@testset "a function fills its page" begin
    MMSBState() do state
        bid, ask, spread, wide = pages(state, 4)
        calls = Ref(0)
        derive!(state, spread, [bid, ask]; T=Float64) do out, bid, ask
            calls[] += 1
            out .= ask .- bid
        end
        derive!(state, wide, [spread], "f64: p0 > 1")
        put(state, ask, 3)
        @test number(state, spread) == 3 && number(state, wide) == 1 && calls[] == 2
        @test page_rule(state, spread) == "callback page-$spread"
        last = collect(query_log(state; page=spread))[end]
        @test last.kind === :computed && !isempty(last.payload)
        @test replays(state) && calls[] == 2
        copy_of = create_page(state; size=8)
        register_passthrough_recompute!(state, copy_of, spread)
        @test number(state, copy_of) == 3
    end
end

@testset "registered by the names of the earlier package" begin
    MMSBState() do state
        a, b = pages(state, 2)
        put(state, a, 2)
        @test throws(NoCallbackError, "page-2") do
            add_dependency(state, a, b)
            MMSB.check(MMSB.API.rust_propagate_set_callback(MMSB.raw(state), b, "page-2", C_NULL, C_NULL))
        end
        register_recompute_fn!(state, b, (out, a) -> out .= 2 .* a; T=Float64)
        @test number(state, b) == 4
        register_recompute_fn!(state, b; T=Float64) do out, a
            out .= 3 .* a
        end
        put(state, a, 3)
        @test number(state, b) == 9
        underive!(state, b)
        put(state, b, 1)
        @test throws(() -> underive!(state, b), NotDerivedError, "page 2")
    end
end

@testset "what a function throws ends the change" begin
    MMSBState() do state
        a, b = pages(state, 2)
        derive!(state, b, [a]; T=Float64) do out, a
            a[1] == 7 && error("no sevens")
            a[1] == 8 && push!(out, 1)
            out .= a
        end
        put(state, a, 1)
        before = digest(state)
        @test throws(() -> put(state, a, 7), CallbackFailedError, "page 2", "no sevens")
        @test throws(() -> put(state, a, 8), CallbackFailedError, "length")
        @test digest(state) == before
        put(state, a, 9)
        @test number(state, b) == 9
        @test throws(() -> derive!((out, a) -> nothing, state, b, [a]; T=String),
                     InvalidArgumentError, "String")
    end
end

@testset "a function that calls its state, or is impure, is found out" begin
    MMSBState() do state
        a, b, c = pages(state, 3)
        refused = Symbol[]
        nosy = function (out, a_now)
            for call in (() -> read_page(state, a), () -> put(state, a, 1), () -> snapshot(state),
                         () -> propagate!(state))
                try
                    call()
                catch problem
                    push!(refused, nameof(typeof(problem)))
                end
            end
        end
        @test throws(() -> derive!(nosy, state, b, [a]; T=Float64), CallbackFailedError, "calls its state")
        @test refused == fill(:ReenteredError, 4) && page_rule(state, b) === nothing
        count = Ref(0.0)
        derive!((out, a) -> out .= (count[] += 1), state, c, [a]; T=Float64)
        check_purity!(state)
        @test throws(() -> put(state, a, 2), ImpureError, "page 3")
        check_purity!(state, false)
        put(state, a, 2)
    end
end

@testset "a function under a name is that page's" begin
    MMSBState() do state
        a, b, c = pages(state, 3)
        times(n) = (out, a) -> out .+= n .* a
        derive!(times(2), state, b, [a]; T=Float64, name="times")
        @test throws(() -> derive!(times(3), state, b, [b]; T=Float64, name="times"), CycleError)
        @test throws(() -> derive!(times(4), state, c, [a]; T=Float64, name="times"),
                     InvalidArgumentError, "page 2")
        put(state, a, 3)
        @test number(state, b) == 6
        GC.gc()
        ten = times(10)
        derive!(ten, state, b, [a]; T=Float64, name="times")
        derive!(ten, state, c, [a]; T=Float64, name="times")
        @test number(state, b) == 30 && number(state, c) == 30
        # What it fills is all zero each time.
        put(state, a, 4)
        @test number(state, b) == 40 && number(state, c) == 40
    end
end

@testset "deferred pages are known as stale" begin
    MMSBState() do state
        a, b, c = pages(state, 3)
        register_passthrough_recompute!(state, b, a)
        register_passthrough_recompute!(state, c, b)
        set_propagation!(state, :deferred)
        events = subscribe!(state; kinds=[:stale])
        put(state, a, 2)
        put(state, a, 3)
        @test [event.page for event in poll!(events)] == [b, c]
        close(events)
        @test propagation(state) === :deferred && stale_pages(state) == [b, c]
        @test staleness(state, b) === :stale && staleness(state, c) === :behind
        @test collect(query_log(state; page=c))[end].staleness === :behind
        computed = propagation_stats(state).computed
        @test propagate!(state; source="now") > 0 && propagate_change!(state) == 0
        @test number(state, c) == 3 && propagation_stats(state).computed == computed + 2
        @test throws(() -> set_propagation!(state, :later), InvalidArgumentError, "later")
        @test replays(state)
    end
end

@testset "a page is explained" begin
    MMSBState() do state
        a, b, c = pages(state, 3)
        derive!(state, b, [a], "f64: p0 * 2")
        derive!(state, c, [b, a], "f64: p0 + p1")
        update_page(state, a, [1.0]; source="feed", intent="tick 1")
        told = explain(state, c)
        @test [(o.page, o.parents) for o in told] == [(3, [2, 3]), (2, [3]), (1, Int[])]
        @test (told[3].source, told[3].intent, told[3].rule) == ("feed", "tick 1", nothing)
        @test told[1].rule == "f64: p0 + p1" && told.dropped == 0
        @test occursin("3@1 = f64: p0 + p1 of 2@1 1@1", sprint(show, MIME("text/plain"), told))
    end
end

@testset "what cannot be derived is refused by name" begin
    MMSBState() do state
        a, b, c = pages(state, 3)
        wide = create_page(state; size=16)
        derive!(state, b, [a], "f64: p0")
        before = digest(state)
        @test throws(() -> put(state, b, 1), DerivedError, "page 2", "f64: p0")
        @test throws(() -> derive!(state, a, [b], "f64: p0"), CycleError, "1 -> 2 -> 1")
        @test throws(() -> derive!(state, c, [], "f64: 1"), InvalidArgumentError, "page 3")
        @test throws(() -> derive!(state, c, [a, a], "f64: p0"), InvalidArgumentError, "twice")
        @test throws(() -> derive!(state, c, [wide], "f64: p0"), LengthMismatchError, "2 elements")
        @test throws(() -> derive!(state, c, [a], "f64: p0 +"), InvalidArgumentError)
        @test throws(() -> derive!(state, c, [99], "f64: p0"), PageNotFoundError, "page 99")
        @test throws(() -> delete_page(state, a), HasChildrenError, "page 2")
        @test digest(state) == before
    end
end

@testset "a function is given again after opening" begin
    with_directory() do directory
        double(out, a) = out .= 2 .* a
        MMSBState(path=directory) do state
            a, b = pages(state, 2)
            derive!(double, state, b, [a]; T=Float64, name="double")
            put(state, a, 4)
        end
        MMSBState(path=directory) do state
            @test number(state, 2) == 8
            @test throws(() -> put(state, 1, 5), NoCallbackError, "double")
            register_callback!(double, state, "double"; T=Float64)
            put(state, 1, 5)
            @test number(state, 2) == 10
        end
    end
end

@testset "threads, while a function has the collector run" begin
    MMSBState() do state
        a, b, other = pages(state, 3)
        derive!(state, b, [a]; T=Float64) do out, a
            GC.gc(false)
            out .= a .+ 1
        end
        @sync for start in (0, 1000)
            Threads.@spawn for step in 1:30
                put(state, a, start + step)
                put(state, other, step)
                number(state, b)
            end
        end
        @test number(state, b) == number(state, a) + 1
    end
end

@testset "whose a page became" begin
    MMSBState() do state
        a = create_page(state; size=8)
        transfer!(state, a, 3)
        @test collect(query_log(state; page=a))[end].ownership == 3
    end
end

@testset "another rule replaces a rule and its data edges" begin
    MMSBState() do state
        a, b, c = pages(state, 3)
        add_dependency(state, a, c; kind=:control)
        derive!(state, c, [a], "f64: p0")
        derive!(state, c, [b], "f64: p0 + 1")
        @test get_parents(state, c) == [(page=b, kind=:data), (page=a, kind=:control)]
        @test page_rule(state, c) == "f64: p0 + 1" && number(state, c) == 1 && replays(state)
    end
end

@testset "semirings by themselves" begin
    shortest = Semiring(:min_plus)
    @test string(shortest) == "Semiring(:min_plus)"
    @test semiring_add(shortest, 2, 3) == 2 && semiring_mul(shortest, 2, 3) == 5
    @test fold_add(shortest, [3, 1]) == 1 && fold_mul(shortest, [3, 1]) == 4
    @test accumulate_add(shortest, 0.5, [3, 1]) == 0.5 && fold_add(shortest, Float64[]) == Inf
    @test tropical_fold_add([3, 1]) == 1 && tropical_fold_mul([3, 1]) == 4
    @test tropical_accumulate(3, 1) == 1 && boolean_accumulate(0, 1)
    @test boolean_fold_add([0, 1]) && !boolean_fold_mul([0, 1])
    @test throws(() -> Semiring(:nice), InvalidArgumentError, "nice", "min_plus")
end

@testset "threads that share in computing" begin
    MMSBState() do state
        set_propagation_threads!(state, 2)
        @test propagation_threads(state) == 2
        for threads in (0, 65, -1)
            @test throws(() -> set_propagation_threads!(state, threads), InvalidArgumentError,
                         "threads is $threads", "at most 64")
        end
        parent = create_page(state; size=2^20)
        children = [create_page(state; size=2^20) for _ in 1:4]
        for child in children
            derive!(state, child, [parent], "u8: p0 + 1")
        end
        update_page(state, parent, fill(0x07, 2^20))
        @test all(child -> read_page(state, child) == fill(0x08, 2^20), children)
        @test propagation_stats(state).shared == 4
    end
end
