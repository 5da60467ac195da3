# Transactions: reads and writes that happen at one moment, and who may change a page.

"""
    Transaction

Reads and writes that happen at one moment, as one group, or not at all; made by
[`begin_transaction`](@ref), or, and better, by [`transact`](@ref).

[`read_page`](@ref), [`read_page!`](@ref), [`page_size`](@ref), [`list_pages`](@ref),
[`get_metadata`](@ref) with a key, [`create_page`](@ref), [`delete_page`](@ref),
[`update_page`](@ref), [`write_page!`](@ref), [`write_masked!`](@ref), [`route_delta!`](@ref),
[`set_metadata!`](@ref), [`delete_metadata!`](@ref) and [`share!`](@ref) with its kin take one in
place of a state. What it reads is of one moment, with its own writes on top (what derives from those
is computed when it commits, and shows what it was until then); what it writes happens with
[`commit!`](@ref); `close` gives it up. Once another has changed what it read, all calls throw
`ConflictError`.

A transaction is for one task at a time.
"""
mutable struct Transaction <: Handle
    handle::API.MmsbTransaction
    "Kept as long as it is."
    owner::Handle
    "`transact` calls a function with it, and ends it afterwards."
    is_lent::Bool

    Transaction(handle, owner) = finalizer(finalize_handle, new(handle, owner, false))
end

"Refuses to be ended by the function that `transact` calls."
check_end(t::Transaction) = t.is_lent && throw(InvalidArgumentError(
    "transact commits when its function returns; an exception from it gives up"))

Base.close(t::Transaction) = (check_end(t); invoke(close, Tuple{Handle}, t))

free(::Transaction, ref) = API.rust_transaction_abort(ref)

@noinline refuse_closed(::Transaction) =
    throw(TransactionFinishedError("the transaction was committed or given up"))

Base.show(io::IO, t::Transaction) = print(io, "Transaction(", isopen(t) ? "open" : "over", ")")

"""
    Partition

The right to change the pages of one partition, made by [`partition`](@ref); `close` gives it back.
"""
mutable struct Partition <: Handle
    handle::API.MmsbPartition
    state::MMSBState
    number::Int

    Partition(handle, state, number) = finalizer(finalize_handle, new(handle, state, number))
end

free(::Partition, ref) = API.rust_partition_free(ref)

Base.show(io::IO, p::Partition) =
    print(io, "Partition(", p.number, isopen(p) ? ")" : ", closed)")

"""
    partition(state, number)::Partition
    partition(use, state, number)

Takes a partition, 0 to 65,535: its pages (see [`transfer!`](@ref)) are changed by transactions of
[`transact`](@ref) with it, and by nobody else. The second form calls `use(p)`, gives the partition
back whatever happens and returns what `use` returned.

Errors: `PartitionInUseError`, `InvalidArgumentError`.

```julia
MMSBState() do state
    id = create_page(state; size=8)
    transfer!(state, id, 3)
    partition(state, 3) do mine
        transact(t -> update_page(t, id, [7]), mine)
    end
    @assert read_page(state, id, Int) == [7] && ownership(state, id) == 3
end
```
"""
function partition(state::MMSBState, number::Integer)
    wanted = partition_number(number)
    GC.@preserve state begin
        owner = raw(state)
        handle = obtain(out -> API.rust_partition_open(owner, wanted, out), API.MmsbPartition)
        return Partition(handle, state, Int(wanted))
    end
end

partition(use, state::MMSBState, number::Integer) = closing(use, partition(state, number))

partition_number(number) = 0 <= number <= typemax(UInt16) ? UInt32(number) :
    throw(InvalidArgumentError("partition $number; they are 0 to $(Int(typemax(UInt16)))"))

"""
    begin_transaction(state; read_only=false)::Transaction
    begin_transaction(partition)::Transaction

Begins a transaction that its caller commits, or closes, and tries again: [`transact`](@ref) does all
that.

Errors: `ReadOnlyError`, `PoisonedError`.

```julia
MMSBState() do state
    id = create_page(state; size=8)
    t = begin_transaction(state)
    update_page(t, id, [1])
    close(t)
    @assert read_page(state, id, Int) == [0]
end
```
"""
function begin_transaction(state::MMSBState; read_only::Bool=false)
    GC.@preserve state begin
        owner = raw(state)
        handle = obtain(out -> API.rust_transaction_begin(owner, read_only, out),
                        API.MmsbTransaction)
        return Transaction(handle, state)
    end
end

function begin_transaction(partition::Partition)
    GC.@preserve partition begin
        owner = raw(partition)
        handle = obtain(out -> API.rust_partition_begin(owner, out), API.MmsbTransaction)
        return Transaction(handle, partition)
    end
end

"""
    commit!(t::Transaction; source="", intent=nothing)::UInt64

Makes all that a transaction writes happen at once, as one record; returns its LSN, 0 if nothing
changes. The transaction is over, also after an error.

Errors: `ConflictError`, and those of the single changes; then none of them happened.
"""
function commit!(t::Transaction; source::AbstractString="",
                 intent::Union{Nothing,AbstractString}=nothing)
    check_end(t)
    ref, lsn, said = Ref(raw(t)), Ref{UInt64}(0), note(source, intent)
    t.handle = API.MmsbTransaction(0)
    GC.@preserve t said check(API.rust_transaction_commit(ref, address(said), lsn))
    return lsn[]
end

"""
    transact(use, state; tries=1000, pause_max=0.001, source="", intent=nothing)
    transact(use, partition; …)

Calls `use(t)` with a [`Transaction`](@ref) and commits it, anew as long as it conflicts with others;
returns what `use` returned. What `use` throws gives the transaction up and is thrown from here,
unless what it had read holds no longer: then it may be a consequence of that, and `use` is called
again.

- `tries`: how often in all, 1 to 2^32 - 1; `RetriesExhaustedError` after that.
- `pause_max`: the longest pause between two tries, seconds, 0 to 4,294.967295.

Errors: those of `use` and of [`commit!`](@ref), but for conflicts; `RetriesExhaustedError`;
`InvalidArgumentError` for `tries` and `pause_max`.

```julia
MMSBState() do state
    a, b = create_page(state; size=8), create_page(state; size=8)
    update_page(state, a, [100])
    transact(state; source="bank") do t
        from, to = read_page(t, a, Int)[1], read_page(t, b, Int)[1]
        update_page(t, a, [from - 5])
        update_page(t, b, [to + 5])
    end
    @assert read_page(state, b, Int) == [5]
end
```
"""
function transact(use, owner::Union{MMSBState,Partition}; tries::Integer=1000,
                  pause_max::Real=0.001, source::AbstractString="",
                  intent::Union{Nothing,AbstractString}=nothing)
    within(tries, 1, typemax(UInt32), "tries")
    retry = Ref(API.MmsbRetry(tries, pause_us(pause_max)))
    conflicts = 0
    while true
        t = begin_transaction(owner)
        try
            t.is_lent = true
            result = try
                use(t)
            finally
                t.is_lent = false
            end
            commit!(t; source=source, intent=intent)
            return result
        catch problem
            conflicted(t, problem) || rethrow()
        finally
            close(t)
        end
        conflicts += 1
        after_conflict(state_of(owner), retry, conflicts)
    end
end

"A longest pause as the library takes it: microseconds, never 0, which it takes for its default."
function pause_us(seconds::Real)
    within(seconds, 0, typemax(UInt32) / 1e6, "pause_max")
    return max(UInt32(1), round(UInt32, seconds * 1e6))
end

state_of(state::MMSBState) = state
state_of(partition::Partition) = partition.state

"Whether a transaction met another, be it that its caller threw something because of that."
function conflicted(t::Transaction, problem)
    problem isa ConflictError && return true
    problem isa InterruptException && return false
    return isopen(t) && GC.@preserve(t, API.rust_transaction_check(raw(t))) ==
        API.MMSB_STATUS_CONFLICT
end

after_conflict(state::MMSBState, retry, conflicts) = GC.@preserve state check(
    API.rust_transaction_after_conflict(raw(state), retry, UInt32(conflicts)))

"""
    savepoint(t::Transaction)
    savepoint(use, t::Transaction)

A place to [`rollback!`](@ref) to. The second form calls `use()`; if that throws, what was written
since is taken back before the exception goes on, so that the transaction can go on without it.

```julia
MMSBState() do state
    id = create_page(state; size=8)
    transact(state) do t
        update_page(t, id, [1])
        here = savepoint(t)
        update_page(t, id, [2])
        rollback!(t, here)
    end
    @assert read_page(state, id, Int) == [1]
end
```
"""
function savepoint(t::Transaction)
    out = Ref(API.MmsbSavepoint(0))
    GC.@preserve t check(API.rust_transaction_savepoint(raw(t), out))
    return out[]
end

function savepoint(use, t::Transaction)
    here = savepoint(t)
    try
        return use()
    catch problem
        problem isa ConflictError || rollback!(t, here)
        rethrow()
    end
end

"""
    rollback!(t::Transaction, to)

Takes back all that was written after a [`savepoint`](@ref), and the savepoints after it. What was
read stays read.

Errors: `InvalidArgumentError` for one that was taken back.
"""
rollback!(t::Transaction, to::API.MmsbSavepoint) =
    GC.@preserve t check(API.rust_transaction_rollback(raw(t), to))

# ------------------------------------------------------------------------------ reads and writes

function read_page!(buffer, t::Transaction, id::Integer; offset::Integer=0)
    data = writable(buffer)
    GC.@preserve t data check(API.rust_transaction_read(
        raw(t), page_id(id), natural(offset, "offset"), address(data), bytecount(data)))
    return buffer
end

function page_size(t::Transaction, id::Integer)
    out = Ref{UInt64}(0)
    GC.@preserve t check(API.rust_transaction_page_size(raw(t), page_id(id), out))
    return out[] % Int
end

list_pages(t::Transaction) = ids_by(API.rust_transaction_list_pages, t)

"""
    has_page(t::Transaction, id)::Bool

Whether a page exists. The transaction depends on the answer.
"""
function has_page(t::Transaction, id::Integer)
    out = Ref(false)
    GC.@preserve t check(API.rust_transaction_contains(raw(t), page_id(id), out))
    return out[]
end

function create_page(t::Transaction; size::Integer, location::Symbol=:cpu, metadata=(),
                     private::Bool=false)
    create = private ? API.rust_transaction_create_private_page : API.rust_transaction_create_page
    out = Ref{UInt64}(0)
    GC.@preserve t check(create(
        raw(t), natural(size, "size"), location_number(location), out))
    id = out[] % Int
    for (key, value) in pairs_of(metadata)
        set_metadata!(t, id, key, value)
    end
    return id
end

delete_page(t::Transaction, id::Integer) =
    GC.@preserve t check(API.rust_transaction_free_page(raw(t), page_id(id)))

function update_page(t::Transaction, id::Integer, bytes)
    data = memory(bytes)
    GC.@preserve t data check(API.rust_transaction_update(
        raw(t), page_id(id), address(data), bytecount(data)))
end

function write_page!(t::Transaction, id::Integer, offset::Integer, bytes)
    data = memory(bytes)
    GC.@preserve t data check(API.rust_transaction_write(
        raw(t), page_id(id), natural(offset, "offset"), address(data), bytecount(data)))
end

write_masked!(t::Transaction, id::Integer, mask::AbstractVector, bytes) =
    closing(delta -> route_delta!(t, delta), create_delta(id, mask, bytes))

route_delta!(t::Transaction, delta::Delta) =
    GC.@preserve t delta check(API.rust_transaction_apply(raw(t), raw(delta)))

function set_metadata!(t::Transaction, id::Integer, key::AbstractString, value)
    key, data = String(key), memory(value)
    GC.@preserve t key data check(API.rust_transaction_metadata_set(
        raw(t), page_id(id), address(key), bytecount(key), address(data), bytecount(data)))
end

function get_metadata(t::Transaction, id::Integer, key::AbstractString)
    key = String(key)
    GC.@preserve t key begin
        at, bytes = address(key), bytecount(key)
        return String(filled(UInt8) do buffer, capacity, len
            API.rust_transaction_metadata_get(raw(t), page_id(id), at, bytes, buffer, capacity,
                                              len)
        end)
    end
end

function get_metadata(t::Transaction, id::Integer, key::AbstractString, default)
    try
        return get_metadata(t, id, key)
    catch problem
        problem isa KeyNotFoundError || rethrow()
        return default
    end
end

function delete_metadata!(t::Transaction, id::Integer, key::AbstractString)
    key = String(key)
    GC.@preserve t key check(API.rust_transaction_metadata_remove(
        raw(t), page_id(id), address(key), bytecount(key)))
end

# ------------------------------------------------------------------------------------- ownership

"""
    ownership(state, id)

Who may change a page: `:shared` (anybody), `:immutable` (nobody, ever again), or the number of the
partition that may.

Errors: `PageNotFoundError`, `PageFreedError`.
"""
function ownership(state::MMSBState, id::Integer)
    out = Ref{UInt32}(0)
    GC.@preserve state check(API.rust_page_ownership(page_of(state, id), out))
    return ownership_name(out[])
end

ownership_name(code::UInt32) =
    code == 0 ? :shared : code == 1 ? :immutable : Int(code) - 2

"""
    share!(state, id; source="", intent=nothing)::UInt64
    share!(t::Transaction, id)

Lets anybody change a page. What belongs to a partition is given away by a transaction of it. Returns
the record's LSN, 0 if the page is shared already; of a transaction it happens when that commits.

Errors: `NotOwnerError`, `ImmutableError`, `PageNotFoundError`, `PageFreedError`.
"""
share!(target, id::Integer; said...) = own!(target, id, 0x00000000; said...)

"""
    freeze!(state, id; source="", intent=nothing)::UInt64
    freeze!(t::Transaction, id)

Lets nobody change a page any more. Otherwise as [`share!`](@ref).

```julia
MMSBState() do state
    id = create_page(state; size=4)
    freeze!(state, id)
    caught = try write_page!(state, id, 0, b"x") catch problem; problem end
    @assert caught isa ImmutableError
end
```
"""
freeze!(target, id::Integer; said...) = own!(target, id, 0x00000001; said...)

"""
    transfer!(state, id, partition; source="", intent=nothing)::UInt64
    transfer!(t::Transaction, id, partition)

Makes a page a partition's, 0 to 65,535: [`partition`](@ref) shows how it is changed then. Otherwise
as [`share!`](@ref).
"""
transfer!(target, id::Integer, to::Integer; said...) =
    own!(target, id, partition_number(to) + UInt32(2); said...)

function own!(state::MMSBState, id, code; source::AbstractString="",
              intent::Union{Nothing,AbstractString}=nothing)
    said, lsn = note(source, intent), Ref{UInt64}(0)
    GC.@preserve state said check(API.rust_page_set_ownership(
        page_of(state, id), code, address(said), lsn))
    return lsn[]
end

own!(t::Transaction, id, code) =
    GC.@preserve t check(API.rust_transaction_set_ownership(raw(t), page_id(id), code))
