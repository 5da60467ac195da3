# Subscriptions: what happens to a state, as it happens.

"Kinds of events, by the number that the library uses; an event's bit in a filter is 1 << number."
const EVENT_KINDS = [:created, :changed, :freed, :stale, :edge_added, :edge_removed, :metadata,
                     :ownership, :committed, :checkpoint, :poisoned, :lost]

"Most that may wait in one subscription, as the library has it."
const EVENTS_MAX = 16_777_216

"""
    StateEvent

One thing that happened:

- `kind`: `:created` (also of a page that came back), `:changed`, `:freed`, `:stale`, `:edge_added`,
  `:edge_removed`, `:metadata`, `:ownership`, `:committed`, `:checkpoint`, `:poisoned`, `:lost`.
- `lsn`: the group that did it; of a checkpoint where it stands, of a poisoned state what is durable,
  of lost events the least of the groups that are missing.
- `page`: the page that it happened to, the child of an edge, 0 for none; `other`: an edge's parent;
  `edge`: what an edge says (see [`add_dependency`](@ref)), `:none` for other kinds.
- `epoch`: the page's epoch afterwards.
- `count`: of a committed group the events that stand before it, if nothing was filtered out; of lost
  ones how many.
"""
struct StateEvent
    kind::Symbol
    lsn::UInt64
    page::Int
    other::Int
    edge::Symbol
    epoch::UInt64
    count::Int
end

function StateEvent(e::API.MmsbEvent)
    kind = EVENT_KINDS[e.kind]
    edge = kind in (:edge_added, :edge_removed) ? first(EDGE_KINDS[e.edge + 1]) : :none
    return StateEvent(kind, e.lsn, e.page % Int, e.other % Int, edge, e.epoch, e.count % Int)
end

"""
    Subscription

What happens to a state, as a queue of [`StateEvent`](@ref); see [`subscribe!`](@ref).
"""
mutable struct Subscription <: Handle
    handle::API.MmsbEvents
    capacity::Int

    Subscription(handle, capacity) = finalizer(finalize_handle, new(handle, capacity))
end

"""
    subscribe!(state; kinds=nothing, pages=nothing, capacity=65_536)::Subscription
    subscribe!(use, state; …)

Tells of everything that happens from now on, as a queue of [`StateEvent`](@ref). The second form calls
`use(subscription)`, closes it whatever happens and returns what `use` returned.

A group's events come together, in the order of its entries in the log, followed by its `:committed`.
They tell of what can be read; [`sync`](@ref) says what is durable. Each page's events ascend by LSN;
groups that have no page in common may come in another order than their LSNs.

- `kinds`: those that are wanted, as symbols; all if `nothing`. `:lost` is always told.
- `pages`: ids; of an edge either end counts, a committed group is told if it did anything to one of
  them, and what is not of a page is told always.
- `capacity`: events that may wait, 1 to 16,777,216, 48 bytes each. Writers never wait for a subscription: a
  group that does not fit is dropped whole, and a `:lost` event stands there instead.

Iterating waits for each event, while other tasks and the garbage collector go on, and ends when the
subscription or its state is closed. [`poll!`](@ref) does not wait; `isready(subscription)` says whether
an event waits, `wait(subscription; timeout)` waits for one, `take!(subscription)` takes it, and
`Channel(subscription)` is a channel of them. It may outlive its state.

Errors: `InvalidArgumentError`, `SizeOutOfRangeError`, `TooLargeError`, `MMSBOutOfMemoryError`.

```julia
MMSBState() do state
    subscribe!(state; kinds=[:created, :committed]) do events
        id = create_page(state; size=8)
        told = poll!(events)
        @assert [event.kind for event in told] == [:created, :committed]
        @assert told[1].page == id
    end
end
```
"""
function subscribe!(state::MMSBState; kinds=nothing, pages=nothing, capacity::Integer=65_536)
    bits = kinds === nothing ? zero(UInt64) : event_bits(kinds)
    ids = pages === nothing ? UInt64[] : UInt64[page_id(id) for id in pages]
    address = pages === nothing ? Ptr{UInt64}(0) : pointer(ids)
    # Zero is the library's word for its default.
    room = within(capacity, 1, EVENTS_MAX, "capacity", SizeOutOfRangeError)
    GC.@preserve state ids begin
        owner, filter = raw(state), Ref(API.MmsbEventFilter(bits, address, length(ids), room))
        handle = obtain(API.MmsbEvents) do out
            API.rust_events_subscribe(owner, filter, out)
        end
        return Subscription(handle, room)
    end
end

subscribe!(use, state::MMSBState; settings...) = closing(use, subscribe!(state; settings...))

function event_bits(kinds)
    bits = zero(UInt64)
    for kind in (kinds isa Symbol ? (kinds,) : kinds)
        number = findfirst(isequal(kind), EVENT_KINDS)
        number === nothing && throw(InvalidArgumentError(
            "$(repr(kind)) is no kind of event; $(join(EVENT_KINDS, ", ")) are"))
        bits |= UInt64(1) << number
    end
    bits == 0 && throw(InvalidArgumentError("no kind of event is wanted"))
    return bits
end

free(::Subscription, ref) = API.rust_events_free(ref)

"""
    poll!(subscription, max=1024)::Vector{StateEvent}

Takes the oldest events that wait, `max` at most, without waiting.

Errors: `ClosedError` once nothing is left of a subscription that was closed, or whose state was.
"""
function poll!(s::Subscription, max::Integer=1024)
    # There is one place more than the capacity, for word of a loss.
    buffer = Vector{API.MmsbEvent}(undef, min(natural(max, "max"), s.capacity + 1))
    count = Ref{Csize_t}(0)
    GC.@preserve s buffer check(API.rust_events_poll(
        raw(s), pointer(buffer), length(buffer), count))
    return StateEvent[StateEvent(buffer[i]) for i in 1:count[]]
end

"Whether an event waits; `nothing` if none ever will."
function arrival(s::Subscription)
    isopen(s) || return nothing
    ready = Ref(false)
    status = GC.@preserve s API.rust_events_wait(s.handle, 0, ready)
    # Another task may have closed it since.
    status in (API.MMSB_STATUS_CLOSED, API.MMSB_STATUS_STALE_HANDLE,
               API.MMSB_STATUS_NULL_HANDLE) && return nothing
    check(status)
    return ready[]
end

"As `arrival`, after `seconds` at most in which other tasks go on."
function await(s::Subscription, seconds::Real)
    start, turns = time_ns(), 0
    while true
        arrived = arrival(s)
        arrived === false || return arrived
        (time_ns() - start) / 1e9 < seconds || return false
        # Asked again and again rather than in one call that waits: as long as a thread is inside of
        # the library, the garbage collector waits for it.
        turns += 1
        turns < 100 ? yield() : sleep(turns < 1000 ? 0.001 : 0.01)
    end
end

"""
    wait(subscription; timeout=Inf)::Bool

Waits until an event waits, for `timeout` seconds at most; returns whether one does. Other tasks, and
the garbage collector, go on meanwhile.

Errors: `ClosedError`, as for [`poll!`](@ref).
"""
function Base.wait(s::Subscription; timeout::Real=Inf)
    timeout >= 0 || throw(InvalidArgumentError(
        "a timeout of $timeout seconds; it must be at least 0"))
    arrived = await(s, timeout)
    return arrived === nothing ? refuse_over() : arrived
end

Base.isready(s::Subscription) = arrival(s) === true

function Base.iterate(s::Subscription, _=nothing)
    while await(s, Inf) === true
        told = try
            poll!(s, 1)
        catch problem
            # Another task closed it since.
            problem isa ClosedError ? break : rethrow()
        end
        # Or took the event.
        isempty(told) || return (only(told), nothing)
    end
    return nothing
end

Base.IteratorSize(::Type{Subscription}) = Base.SizeUnknown()
Base.eltype(::Type{Subscription}) = StateEvent

"""
    take!(subscription)::StateEvent

Takes the oldest event; waits for one. Errors: `ClosedError`, as for [`poll!`](@ref).
"""
function Base.take!(s::Subscription)
    next = iterate(s)
    next === nothing && refuse_over()
    return first(next)
end

@noinline refuse_over() = throw(ClosedError("the subscription, or its state, was closed"))

"""
    Channel(subscription; size=32)

A channel of the events, which a task fills; `size` of them stand in it beside those that wait. Closing
the channel closes the subscription, and the other way round.
"""
function Base.Channel(s::Subscription; size::Integer=32)
    return Channel{StateEvent}(size) do channel
        try
            while isopen(channel)
                arrived = await(s, 0.1)
                arrived === nothing && break
                arrived && foreach(event -> put!(channel, event), poll!(s, 1))
            end
        catch
            # Its reader closed it: nobody wants more.
            isopen(channel) && isopen(s) && rethrow()
        finally
            close(s)
        end
    end
end

"""
    events_lost(subscription)

A named tuple `(events, groups)`: what it was not told so far, as it was full. Where events are missing,
one of the kind `:lost` stands.
"""
function events_lost(s::Subscription)
    events, groups = Ref{UInt64}(0), Ref{UInt64}(0)
    GC.@preserve s check(API.rust_events_lost(raw(s), events, groups))
    return (events=Int(events[]), groups=Int(groups[]))
end

"""
    subscription_lsn(subscription)::UInt64

The closed LSN that it begins at: it is told of every group above, and of none at or below.
"""
function subscription_lsn(s::Subscription)
    lsn = Ref{UInt64}(0)
    GC.@preserve s check(API.rust_events_since(raw(s), lsn))
    return lsn[]
end

Base.show(io::IO, s::Subscription) = print(io, "Subscription(", isopen(s) ? "open)" : "closed)")

Base.show(io::IO, e::StateEvent) = print(
    io, "StateEvent(", e.kind, e.page == 0 ? "" : " page $(e.page)", " at ", Int(e.lsn), ")")
