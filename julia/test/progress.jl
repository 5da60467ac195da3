# Long calls tell how far they are, and end when they are told to.

@testset "short calls tell their end" begin
    with_page(b"abcd") do state, id
        last, wanted = page_lsn(state, id), digest(state)
        seen = []
        note(done) = push!(seen, done)
        found = verify(state; progress=note)
        # A machine that is busy may be told of more than the end.
        @test issorted(seen) && seen[end] == found.record_bytes && seen[1] isa Int
        empty!(seen)
        then = replay_log(state; to=last, progress=note)
        @test issorted(seen) && seen[end] == last && seen[1] isa UInt64 && digest(then) == wanted
        close(then)
        empty!(seen)
        image = tempname()
        @test checkpoint!(state; progress=note) > last && seen[end] == 4
        empty!(seen)
        @test export_checkpoint(state, image; progress=note) > last && isfile(image)
        @test seen[end] == 4
    end
end

"Calls `use(state)` with a state whose long calls take longer than the time between two tellings."
const LARGE_STATE = """
function large_state(use)
    MMSBState() do state
        content = rand(UInt8, 1 << 20)
        for n in 1:300
            content[n] = n % UInt8
            update_page(state, create_page(state; size=1 << 20), content)
        end
        use(state)
    end
end
"""
include_string(@__MODULE__, LARGE_STATE)

@testset "what a progress function throws ends the call" begin
    large_state() do state
        wanted, image, last = digest(state), tempname(), flush(state)
        stopped = [f -> verify(state; progress=f), f -> replay_log(state; to=last, progress=f),
                   f -> checkpoint!(state; name="x", progress=f),
                   f -> export_checkpoint(state, image; progress=f)]
        for call in stopped
            calls = Ref(0)
            stop(done) = (calls[] += 1; error("enough"))
            @test throws(() -> call(stop), ErrorException, "enough")
            @test calls[] == 1 && !isfile(image)
            @test isempty(filter(kept -> kept.name == "x", list_checkpoints(state)))
        end
        @test digest(state) == wanted
        # It may use the state, but not close it.
        used = Ref(0)
        verify(state; progress = done -> (used[] += page_size(state, 1)))
        @test used[] >= 1 << 20
        closing(done) = close(state)
        @test throws(() -> verify(state; progress=closing), InvalidArgumentError, "in use")
        @test isopen(state) && digest(state) == wanted
    end
end

# A process that interrupts itself as Ctrl-C does: in a progress function, which is told again after
# that only if nothing ended the call; and while there is none.
const INTERRUPTED = LARGE_STATE * """
using MMSB
Base.exit_on_sigint(false)
interrupt() = ccall(:kill, Cint, (Cint, Cint), getpid(), 2)
function caught(call)
    try
        call()
    catch problem
        return typeof(problem)
    end
end
large_state() do state
    wanted, whole, calls = digest(state), Ref(0), Ref(0)
    verify(state; progress = done -> (whole[] += 1))
    println(caught() do
        verify(state; progress = done -> (calls[] += 1; calls[] == 1 && interrupt()))
    end)
    println(calls[] < whole[])
    println(verify(state).digest == wanted)
    println("ready")
    flush(stdout)
    # Longer than any test waits: only the signal ends it.
    println(caught(() -> while true verify(state) end))
    println(digest(state) == wanted)
end
"""

@testset "Ctrl-C ends the call" begin
    child = open(julia_command(INTERRUPTED), "r")
    @test [readline(child) for _ in 1:4] == ["InterruptException", "true", "true", "ready"]
    sleep(0.5)
    kill(child, 2)
    @test [readline(child) for _ in 1:2] == ["InterruptException", "true"]
    wait(child)
    @test success(child)
end
