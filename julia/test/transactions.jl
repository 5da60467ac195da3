# Transactions, ownership and workers: all or nothing, of one moment, an answer to everything.

number(owner, id) = read_page(owner, id, Int)[1]

function counter(state, value)
    id = create_page(state; size=8)
    update_page(state, id, [value])
    return id
end

@testset "all of it happens at once, or nothing does" begin
    MMSBState() do state
        a, b = counter(state, 1), counter(state, 2)
        before = digest(state)
        t = begin_transaction(state)
        update_page(t, a, [9])
        create_page(t; size=4)
        close(t)
        @test digest(state) == before && !isopen(t)
        @test throws(() -> update_page(t, a, [1]), TransactionFinishedError, "given up")

        t = begin_transaction(state)
        update_page(t, a, [9])
        c = create_page(t; size=4, metadata=("k" => "v"))
        write_page!(t, c, 1, b"xy")
        write_masked!(t, c, [true, false, false, true], b"a--d")
        closing_delta = create_delta(c, [1 => b"b"])
        route_delta!(t, closing_delta)
        delete_page(t, b)
        @test number(t, a) == 9 && number(state, a) == 1
        @test read_page(t, c) == b"abyd" && page_size(t, c) == 4
        @test get_metadata(t, c, "k") == "v" && get_metadata(t, c, "none", "?") == "?"
        delete_metadata!(t, c, "k")
        @test list_pages(t) == [a, c] && has_page(t, c) && !has_page(t, b)
        @test commit!(t; source="test") == page_lsn(state, a) == page_lsn(state, c)
        @test list_pages(state) == [a, c] && number(state, a) == 9
        @test isempty(get_metadata(state, c))
        @test throws(() -> commit!(t), TransactionFinishedError, "given up")
        @test occursin("over", string(t))
    end
end

@testset "what another changed is a conflict, and tried again" begin
    MMSBState() do state
        a, b = counter(state, 1), counter(state, 2)
        t = begin_transaction(state)
        update_page(t, b, [number(t, a)])
        update_page(state, a, [7])
        @test throws(() -> commit!(t), ConflictError, "page 1")
        @test number(state, b) == 2 && isretryable(ConflictError(""))

        tries = 0
        result = transact(state; source="test") do t
            tries += 1
            read = number(t, a)
            tries < 3 && update_page(state, a, [read + 1])
            update_page(t, b, [read])
            "done $tries"
        end
        @test result == "done 3" && number(state, b) == 9
        @test throws(RetriesExhaustedError, "2 tries") do
            transact(state; tries=2) do t
                update_page(state, a, [number(t, a) + 1])
                update_page(t, b, [0])
            end
        end
        # It is transact that ends it.
        before = digest(state)
        for ends in (commit!, close)
            @test throws(InvalidArgumentError, "transact commits") do
                transact(t -> (write_page!(t, a, 0, [9]); ends(t)), state)
            end
            @test digest(state) == before
        end
        # An exception that comes of what holds no longer is none of the block's.
        tries = 0
        @test_throws ErrorException("meant") transact(state) do t
            tries += 1
            read = number(t, a)
            tries == 1 && update_page(state, a, [read + 1])
            error(tries == 1 ? "divided by nothing" : "meant")
        end
        @test tries == 2 && number(state, b) == 9
        for n in (0, -1, 2^32, 2^40)
            @test throws(() -> transact(identity, state; tries=n), InvalidArgumentError,
                         "tries is $n", "at least 1", typemax(UInt32))
        end
        for pause in (-1, -1e-9, NaN, Inf, 1e5, 4295)
            @test throws(() -> transact(identity, state; pause_max=pause), InvalidArgumentError,
                         "pause_max is $pause", "at least 0", "4294.967295")
        end
        for pause in (0, 1e-9, 1//2, 4294.967295f0, big"4294.5", 4294.967295)
            @test transact(t -> number(t, a), state; pause_max=pause) == number(state, a)
        end
        read_only = begin_transaction(state; read_only=true)
        @test throws(() -> update_page(read_only, a, [1]), ReadOnlyError, "alone")
        close(read_only)
    end
end

@testset "savepoints" begin
    MMSBState() do state
        a = counter(state, 1)
        transact(state) do t
            update_page(t, a, [5])
            first = savepoint(t)
            update_page(t, a, [6])
            second = savepoint(t)
            rollback!(t, first)
            @test number(t, a) == 5
            @test throws(() -> rollback!(t, second), InvalidArgumentError, "taken back")
            @test_throws ErrorException savepoint(t) do
                update_page(t, a, [8])
                error("no")
            end
            @test savepoint(() -> number(t, a), t) == 5
        end
        @test number(state, a) == 5
    end
end

@testset "nothing is lost between threads" begin
    MMSBState() do state
        a, b = counter(state, 10_000), counter(state, 10_000)
        Threads.@threads for i in 1:200
            from, to = isodd(i) ? (a, b) : (b, a)
            transact(state) do t
                left, right = number(t, from), number(t, to)
                update_page(t, from, [left - 1])
                update_page(t, to, [right + 1])
            end
            snapshot(snap -> (@assert number(snap, a) + number(snap, b) == 20_000), state)
        end
        @test (number(state, a), number(state, b)) == (10_000, 10_000)
        stats = get_stats(state)
        @test stats.transactions_shared == 200
    end
end

@testset "owners" begin
    MMSBState() do state
        mine, other = counter(state, 1), counter(state, 2)
        @test ownership(state, mine) === :shared
        @test transfer!(state, mine, 7; source="test") == page_lsn(state, mine)
        @test ownership(state, mine) == 7
        @test throws(() -> update_page(state, mine, [3]), NotOwnerError, "partition 7")
        @test throws(() -> transfer!(state, mine, 70_000), InvalidArgumentError, "70000")
        partition(state, 7) do p
            @test throws(() -> partition(state, 7), PartitionInUseError, "partition 7")
            transact(p) do t
                update_page(t, mine, [number(t, mine) + 1])
                freeze!(t, other)
            end
            transact(t -> share!(t, mine), p)
        end
        @test number(state, mine) == 2 && ownership(state, mine) === :shared
        @test ownership(state, other) === :immutable
        @test throws(() -> share!(state, other), ImmutableError, "frozen")
        @test share!(state, mine) == 0
        kinds = [change.kind for change in query_log(state; page=mine)]
        @test count(==(:owned), kinds) == 2
        close(partition(state, 7))
    end
end

@testset "workers" begin
    MMSBState() do state
        ids = [counter(state, 0) for _ in 1:2]
        foreach((id, p) -> transfer!(state, id, p), ids, 0:1)
        shared = create_page(state; size=8)
        executor = Executor(state; workers=2, pin=false)
        @test executor_workers(executor) == (workers=2, pinned=0)
        at(i) = ids[i] => 0
        programs = [add!(Program(), at(1), 10), move_amount!(Program(), at(1), at(2), 4),
                    move_amount!(Program(), at(1), at(2), 7),
                    write_at!(require!(Program(), at(2), :(==), 4), at(2), [5]),
                    compare_and_swap!(Program(), at(2), [4] => [6]),
                    add!(Program(), shared => 0, 2.5)]
        results = wait(submit(executor, programs; source="julia"))
        @test map(typeof, results) ==
              [UInt64, UInt64, ConditionFailedError, UInt64, ConditionFailedError, UInt64]
        @test all(at -> occursin("page", sprint(showerror, results[at])), (3, 5))
        @test (number(state, ids[1]), number(state, ids[2])) == (6, 5)
        @test read_page(state, shared, Float64) == [2.5]
        @test length(program_bytes(programs[1])) == 25
        deltas = [create_delta(shared, [0 => [UInt8(n)]]) for n in 1:20]
        tickets = submit(executor, deltas)
        @test all(x -> x isa UInt64, wait(tickets)) && read_page(state, shared)[1] == 20
        @test throws(() -> wait(tickets), ClosedError, "tickets")
        @test throws(() -> require!(Program(), at(1), :(~), 1), InvalidArgumentError, "~")
        @test throws(() -> compare_and_swap!(Program(), at(1), b"a" => b"bc"),
                     LengthMismatchError, "1 bytes")
        for n in (-1, 65, 2^40)
            @test throws(() -> Executor(state; workers=n), SizeOutOfRangeError, "workers is $n",
                         "at least 0", "at most 64")
        end
        for n in (-1, 2^32, 2^40)
            @test throws(() -> Executor(state; workers=1, queue_max=n), SizeOutOfRangeError,
                         "queue_max is $n", typemax(UInt32))
            @test throws(() -> Executor(state; workers=1, tries=n), InvalidArgumentError,
                         "tries is $n", "at least 0", typemax(UInt32))
        end
        for pause in (-1, NaN, Inf, 1e5)
            @test throws(() -> Executor(state; workers=1, pause_max=pause), InvalidArgumentError,
                         "pause_max is $pause", "at least 0", "4294.967295")
        end
        @test throws(() -> Executor(state; workers=1), PartitionInUseError, "partition 0")
        @test stop!(executor) == 0 && !isopen(executor)
        @test throws(() -> submit(executor, programs), ClosedError, "executor")
    end
end

@testset "a program and its bytes" begin
    program = require!(add!(Program(), 1 => 0, -5), 1 => 0, :(>=), 3)
    bytes = program_bytes(program)
    for same in (bytes, view(bytes, 1:length(bytes)), String(copy(bytes)))
        @test program_bytes(Program(same)) == bytes
    end
    @test isempty(program_bytes(Program(UInt8[]))) && isempty(program_bytes(Program("")))
    @test throws(() -> Program(bytes[1:30]), InvalidArgumentError, "from 25 on")
    @test throws(() -> Program(view(bytes, 1:2:10)), InvalidArgumentError, "without gaps")
    @test throws(() -> Program(5), InvalidArgumentError, "Int64")
    MMSBState() do state
        id = counter(state, 10)
        again = write_at!(Program(bytes), id => 0, [7])
        fill!(bytes, 0x00)
        results = Executor(state; workers=1, pin=false) do workers
            wait(submit(workers, [add!(Program(), id => 0, 1), again]))
        end
        @test all(lsn -> lsn isa UInt64, results) && number(state, id) == 7
    end
end

@testset "numbers that a step cannot hold are refused" begin
    program = Program()
    for by in (big"2"^70, Int128(2)^64 + 5, UInt64(2)^63, -big"2"^63 - 1)
        @test throws(() -> add!(program, 1 => 0, by), InvalidArgumentError, "by is $by",
                     typemin(Int64), typemax(Int64))
    end
    large = big"2.0"^1500
    @test throws(() -> add!(program, 1 => 0, large), InvalidArgumentError, "by is $large",
                 floatmax(Float64))
    for n in (-1, big"2"^64)
        @test throws(() -> move_amount!(program, 1 => 0, 2 => 0, n), InvalidArgumentError,
                     "amount is $n", typemax(UInt64))
        @test throws(() -> require!(program, 1 => 0, :(<), n), InvalidArgumentError, "value is $n",
                     typemax(UInt64))
        @test throws(() -> add!(program, 1 => n, 1), InvalidArgumentError, "offset is $n")
        @test throws(() -> write_at!(program, n => 0, [1]), PageNotFoundError, "page $n")
    end
    @test isempty(program_bytes(program))
    for by in (typemin(Int64), typemax(Int64), big"5", true, Inf)
        @test add!(program, 1 => 0, by) === program
    end
    @test length(program_bytes(program)) == 5 * 25
end

@testset "a transaction that was forgotten leaves nothing" begin
    MMSBState() do state
        a = counter(state, 1)
        for _ in 1:100
            update_page(begin_transaction(state), a, [9])
        end
        GC.gc()
        @test number(state, a) == 1
    end
end
