# Workers that run transactions, and transactions as bytes, which is what they are given.

"""
    Program()
    Program(bytes)

A transaction whose steps are done in order, all or none, by the workers of an
[`Executor`](@ref): [`add!`](@ref), [`write_at!`](@ref), [`compare_and_swap!`](@ref),
[`move_amount!`](@ref), [`require!`](@ref). A place is a pair `page => offset`, bytes from the
page's start. The second form makes one of what [`program_bytes`](@ref) gave, copied; steps can be added.

Errors: `InvalidArgumentError` for bytes that are no program, with the place in them.

```julia
program = Program()
add!(program, 1 => 0, 5)
require!(program, 1 => 0, :(<=), 100)
bytes = program_bytes(program)
@assert bytes[1] == 1 && program_bytes(Program(bytes)) == bytes
```
"""
mutable struct Program <: Handle
    handle::API.MmsbProgram

    Program() = finalizer(finalize_handle,
                          new(obtain(API.rust_program_new, API.MmsbProgram)))

    function Program(bytes)
        data = memory(bytes)
        handle = GC.@preserve data obtain(API.MmsbProgram) do out
            API.rust_program_from_bytes(address(data), bytecount(data), out)
        end
        return finalizer(finalize_handle, new(handle))
    end
end

free(::Program, ref) = API.rust_program_free(ref)

place((page, offset)::Pair) = API.MmsbPlace(page_id(page), natural(offset, "offset"))

"""
    add!(program, page => offset, by)

A step: the number at a place grows, a 64-bit integer (wrapping) by an `Integer`, -2^63 to 2^63 - 1, a
`Float64` by an `AbstractFloat`.

Errors: `InvalidArgumentError` for what is no `Int64`, or is finite and too large for a `Float64`.
"""
function add!(p::Program, at::Pair, by::Integer)
    amount = within(by, typemin(Int64), typemax(Int64), "by") % Int64
    GC.@preserve p check(API.rust_program_add(raw(p), place(at), amount))
    return p
end

function add!(p::Program, at::Pair, by::AbstractFloat)
    amount = Float64(by)
    isfinite(by) && !isfinite(amount) &&
        refuse_number(by, -floatmax(Float64), floatmax(Float64), "by", InvalidArgumentError)
    GC.@preserve p check(API.rust_program_add_float(raw(p), place(at), amount))
    return p
end

"""
    write_at!(program, page => offset, bytes)

A step: writes bytes, as [`update_page`](@ref) takes them.
"""
function write_at!(p::Program, at::Pair, bytes)
    data = memory(bytes)
    GC.@preserve p data check(API.rust_program_write(
        raw(p), place(at), address(data), bytecount(data)))
    return p
end

"""
    compare_and_swap!(program, page => offset, expected => bytes)

A step: bytes become others of the same length, if they are as expected; else the program fails with
`ConditionFailedError`.
"""
function compare_and_swap!(p::Program, at::Pair, (expected, bytes)::Pair)
    before, after = memory(expected), memory(bytes)
    bytecount(before) == bytecount(after) || throw(LengthMismatchError(
        "$(bytecount(before)) bytes are expected, $(bytecount(after)) are to replace them"))
    GC.@preserve p before after check(API.rust_program_compare_and_swap(
        raw(p), place(at), address(before), address(after), bytecount(after)))
    return p
end

"""
    move_amount!(program, from, to, amount)

A step: an amount goes from the `UInt64` at one place to that at another; the program fails with
`ConditionFailedError` if there is less.
"""
function move_amount!(p::Program, from::Pair, to::Pair, amount::Integer)
    GC.@preserve p check(API.rust_program_transfer(
        raw(p), place(from), place(to), natural(amount, "amount")))
    return p
end

const RELATIONS = [:(==) => 0, :(!=) => 1, :(<) => 2, :(<=) => 3, :(>) => 4, :(>=) => 5]

"""
    require!(program, page => offset, relation, value)

A step: the program fails with `ConditionFailedError` unless the `UInt64` at a place relates to
`value` like that. `relation`: `:(==)`, `:(!=)`, `:(<)`, `:(<=)`, `:(>)`, `:(>=)`.
"""
function require!(p::Program, at::Pair, relation::Symbol, value::Integer)
    number = findfirst(row -> first(row) === relation, RELATIONS)
    number === nothing && throw(InvalidArgumentError(
        "$relation is no relation; $(join(map(first, RELATIONS), ", ")) are"))
    GC.@preserve p check(API.rust_program_require(
        raw(p), place(at), UInt32(last(RELATIONS[number])), natural(value, "value")))
    return p
end

"""
    program_bytes(program)::Vector{UInt8}

The steps as bytes, of which [`Program`](@ref) makes the same again.
"""
program_bytes(p::Program) = GC.@preserve p filled(UInt8) do buffer, capacity, len
    API.rust_program_bytes(raw(p), buffer, capacity, len)
end

"As the library has it."
const WORKERS_MAX = 64

"""
    Executor(state; workers=0, pin=true, queue_max=0, tries=0, pause_max=0)
    Executor(use, state; …)

Worker threads of the library that each hold a partition, from 0 on, and run what they are given:
[`submit`](@ref). `close` does all that was submitted first; [`stop!`](@ref) does not. The second form
calls `use(executor)`, closes it whatever happens and returns what `use` returned.

- `workers`: 1 to 64; 0 is one per core. `pin`: bind each to a core of its own.
- `queue_max`: how much may wait for one worker, up to 2^32 - 1; 0 is 1,024; who submits more waits.
- `tries`, `pause_max` (seconds): for what conflicts, as for [`transact`](@ref); 0 is what is usual there.

Errors: `SizeOutOfRangeError`, `PartitionInUseError`, `InvalidArgumentError` for `tries` and `pause_max`.

```julia
MMSBState() do state
    ids = [create_page(state; size=8) for _ in 1:2]
    foreach((id, partition) -> transfer!(state, id, partition), ids, 0:1)
    Executor(state; workers=2) do workers
        programs = [add!(Program(), ids[1] => 0, 7),
                    move_amount!(Program(), ids[1] => 0, ids[2] => 0, 3),
                    move_amount!(Program(), ids[1] => 0, ids[2] => 0, 5)]
        results = wait(submit(workers, programs; source="demo"))
        @assert results[1] isa UInt64 && results[3] isa ConditionFailedError
    end
    @assert read_page(state, ids[2], Int) == [3]
end
```
"""
mutable struct Executor <: Handle
    handle::API.MmsbExecutor
    state::MMSBState

    function Executor(state::MMSBState; workers::Integer=0, pin::Bool=true, queue_max::Integer=0,
                      tries::Integer=0, pause_max::Real=0)
        within(workers, 0, WORKERS_MAX, "workers", SizeOutOfRangeError)
        within(queue_max, 0, typemax(UInt32), "queue_max", SizeOutOfRangeError)
        within(tries, 0, typemax(UInt32), "tries")
        # Zero is the library's word for its default.
        retry = API.MmsbRetry(tries, pause_max == 0 ? 0 : pause_us(pause_max))
        config = Ref(API.MmsbExecutorConfig(workers, !pin, queue_max, retry))
        GC.@preserve state begin
            owner = raw(state)
            handle = obtain(out -> API.rust_executor_new(owner, config, out), API.MmsbExecutor)
            return finalizer(finalize_handle, new(handle, state))
        end
    end
end

Executor(use, state::MMSBState; settings...) = closing(use, Executor(state; settings...))

free(::Executor, ref) = API.rust_executor_free(ref)

"""
    executor_workers(executor)

A named tuple `(workers, pinned)`: how many there are, and how many are bound to a core of their own.
"""
function executor_workers(e::Executor)
    count, pinned = Ref{Csize_t}(0), Ref{Csize_t}(0)
    GC.@preserve e check(API.rust_executor_workers(raw(e), count, pinned))
    return (workers=Int(count[]), pinned=Int(pinned[]))
end

"""
    stop!(executor)::Int

Ends the workers after what they are at. What waits is not begun, its results are `CancelledError`;
returns how much that was.
"""
function stop!(e::Executor)
    ref, left = Ref(raw(e)), Ref{Csize_t}(0)
    e.handle = API.MmsbExecutor(0)
    check(API.rust_executor_stop(ref, left))
    return Int(left[])
end

"""
    Tickets

Where the results of what was [`submit`](@ref)ted arrive: `isready(tickets)`, and `wait(tickets)`, a
vector in the order of what was submitted, each the LSN of its record (0 if it changed nothing), or
the error that it failed with.
"""
mutable struct Tickets <: Handle
    handle::API.MmsbTickets
    count::Int

    Tickets(handle, count) = finalizer(finalize_handle, new(handle, count))
end

free(::Tickets, ref) = API.rust_tickets_free(ref)

"""
    submit(executor, programs; source="")::Tickets
    submit(executor, deltas)::Tickets

Has workers run [`Program`](@ref)s: those of one partition in the order in which they stand here,
those whose pages belong to several partitions across them. Or has them apply deltas: those of one
page in their order, different pages at the same time; a few deltas to shared pages that nothing
derives from are applied by the caller while the workers have nothing to do. Where groups wait for a
sync, a worker's deltas wait together for one; if that fails, it is the error of each of them. Waits
for room in the queues.

Errors: `ClosedError`. What is submitted fails by itself: see [`Tickets`](@ref).
"""
function submit(e::Executor, programs::AbstractVector{Program}; source::AbstractString="")
    source = terminated(source, "source")
    return GC.@preserve programs source submitted(e, programs) do handle, raws, count, out
        API.rust_executor_submit(handle, raws, count, pointer(source), out)
    end
end

submit(e::Executor, deltas::AbstractVector{Delta}) =
    GC.@preserve deltas submitted(API.rust_executor_apply, e, deltas)

function submitted(call, e::Executor, items)
    raws = map(raw, items)
    GC.@preserve e raws begin
        handle = raw(e)
        tickets = obtain(API.MmsbTickets) do out
            call(handle, pointer(raws), length(raws), out)
        end
        return Tickets(tickets, length(raws))
    end
end

function Base.isready(tickets::Tickets)
    out = Ref(false)
    GC.@preserve tickets check(API.rust_tickets_ready(raw(tickets), out))
    return out[]
end

function Base.wait(tickets::Tickets)
    # Other tasks, and the garbage collector, go on meanwhile.
    spins = 0
    while !isready(tickets)
        (spins += 1) < 100 ? yield() : sleep(0.001)
    end
    ref, results = Ref(raw(tickets)), Vector{API.MmsbResult}(undef, tickets.count)
    tickets.handle = API.MmsbTickets(0)
    GC.@preserve results check(API.rust_tickets_wait(ref, pointer(results), length(results)))
    # The messages are the thread's, until its next wait: no other task comes in between.
    return Union{UInt64,MMSBError}[
        result.status == API.MMSB_STATUS_OK ? result.lsn :
        error_of(result.status, unsafe_string(API.rust_result_message(at - 1)))
        for (at, result) in enumerate(results)]
end

Base.show(io::IO, e::Executor) = print(io, "Executor(", isopen(e) ? "open)" : "closed)")
