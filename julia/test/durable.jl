# What is on disk survives: a close, a forgotten close, a kill.

@testset "reopen" begin
    for durability in (:memory, :buffered, :sync)
        with_directory() do path
            wanted = MMSBState(path=path, durability=durability) do state
                @test occursin("state", sprint(show, state))
                id = create_page(state; size=64, metadata=("k" => "v"))
                for n in 1:20
                    update_page(state, id, fill(n % UInt8, 64); source="writer $n")
                end
                delete_page(state, create_page(state; size=4))
                digest(state)
            end
            MMSBState(path=path, must_exist=true) do state
                @test digest(state) == wanted
                @test recovered(state).records > 0 && !recovered(state).torn
                @test length(get_deltas_for_page(state, 1)) == 20
                seventh = delta_info(get_deltas_for_page(state, 1)[7]).lsn
                @test page_at(state, 1, seventh) == fill(7, 64)
                @test create_page(state; size=4) == 3
                @test verify(state).digest == digest(state)
            end
        end
    end
end

@testset "one at a time" begin
    with_directory() do path
        MMSBState(path=path) do state
            @test throws(() -> MMSBState(path=path), LockedError, path)
            @test isretryable(try MMSBState(path=path) catch problem; problem end)
        end
        mkpath(joinpath(dirname(path), "other"))
        write(joinpath(dirname(path), "other", "file"), "x")
        @test throws(() -> MMSBState(path=joinpath(dirname(path), "other")), ForeignError)
    end
end

@testset "flush and sync cover what was done" begin
    with_directory() do path
        MMSBState(path=path) do state
            id = create_page(state; size=4)
            lsn = update_page(state, id, b"abcd")
            @test flush(state) >= lsn && get_stats(state).written_lsn >= lsn
            @test sync(state) >= lsn && get_stats(state).durable_lsn >= lsn
        end
    end
end

# The child writes page after page and says each number once it may: after its update in `:sync`,
# after a flush in `:buffered`.
const WRITER = """
using MMSB
path, durability = ARGS
state = MMSBState(path=path, durability=Symbol(durability))
ids = [create_page(state; size=4096) for _ in 1:2]
for n in 1:1_000_000
    batch(state) do changes
        for id in ids
            update_page(changes, id, fill(n, 512))
        end
    end
    durability == "sync" || n % 10 == 0 && flush(state)
    (durability == "sync" || n % 10 == 0) && println(n)
end
"""

@testset "kill -9" begin
    for (durability, lines) in (("sync", 30), ("buffered", 200))
        with_directory() do path
            writer = open(julia_command(WRITER, path, durability), "r")
            said = 0
            for _ in 1:lines
                said = parse(Int, readline(writer))
            end
            kill(writer, 9)
            wait(writer)
            # Lines that were on their way when the child died count too.
            for line in eachline(writer)
                number = tryparse(Int, line)
                number === nothing || (said = max(said, number))
            end
            MMSBState(path=path) do state
                first, second = read_page(state, 1, Int), read_page(state, 2, Int)
                # What was acknowledged is there; both pages are of one batch; no page is torn.
                @test first[1] >= said
                @test first == second && all(==(first[1]), first)
                @test verify(state).digest == digest(state)
                @test update_page(state, 1, fill(-1, 512)) > 0
            end
        end
    end
end
