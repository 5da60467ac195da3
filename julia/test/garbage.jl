# What nobody closed is closed by the garbage collector in the end.

"Runs `make()` in a task, whose stack goes with its references, then collects."
function forget(make)
    wait(@async (make(); nothing))
    for _ in 1:3
        GC.gc()
    end
end

@testset "a forgotten state frees its directory, with everything in it" begin
    with_directory() do path
        forget() do
            state = MMSBState(path=path)
            update_page(state, create_page(state; size=4), b"abcd")
        end
        MMSBState(state -> (@test read_page(state, 1) == b"abcd"), path=path)
    end
end

@testset "forgotten views and snapshots give their versions back" begin
    with_page(rand(UInt8, 4096)) do state, id
        forget() do
            for n in 1:100
                page_view(state, id)
                page_array(state, id, Int, (16, 32))
                update_page(state, id, rand(UInt8, 4096))
            end
        end
        forget(() -> snapshot(state))
        @test get_stats(state).snapshots == 0
        @test get_stats(state).version_bytes <= 4096
    end
end

@testset "an array keeps its content" begin
    state = MMSBState()
    id = create_page(state; size=4096)
    content = rand(UInt8, 4096)
    update_page(state, id, content)
    array = page_array(state, id, UInt64, (8, 64))
    close(state)
    state = nothing
    forget(() -> [rand(100) for _ in 1:1000])
    @test reinterpret(UInt8, vec(Array(array))) == content
end

@testset "compiled code that has let go of all but the memory is safe" begin
    with_page(rand(8)) do state, id
        # Tasks, so that no stack here keeps the array.
        kept = Ref{Any}(nothing)
        pin = fetch(@async begin
            array = page_array(state, id, Float64)
            kept[] = array.array
            array.pin
        end)
        content = read_page(state, id, Float64)
        forget(() -> update_page(state, id, rand(8)))
        @test isopen(pin) && fetch(@async kept[] == content)
        kept[] = nothing
        forget(() -> nothing)
        @test !isopen(pin)
    end
end

@testset "a view that fails leaves nothing pinned" begin
    with_page(rand(8)) do state, id
        @test throws(() -> page_array(state, id, Float64, 9), RangeOutOfBoundsError)
        update_page(state, id, rand(8))
        @test get_stats(state).version_bytes == 0
    end
end

@testset "forgotten batches, queries and logs" begin
    with_directory() do path
        MMSBState() do state
            id = create_page(state; size=4)
            forget() do
                for n in 1:100
                    update_page(Batch(state), id, b"abcd")
                    first(query_log(state))
                end
            end
            @test read_page(state, id) == [0, 0, 0, 0]
        end
        forget(() -> append!(TLog(path), create_delta(1, b"a")))
        @test compute_log_statistics(path).deltas == 1
    end
end

@testset "more objects than handles" begin
    # The library has about a million; the collector does not know how few that is.
    MMSBState() do state
        id = create_page(state; size=1)
        for n in 1:1_200_000
            create_delta(id, b"x")
        end
        @test route_delta!(state, create_delta(id, b"x")) > 0
    end
end
