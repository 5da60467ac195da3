# What a state says of its size, its log and its latencies.

const LSN_STATS = (:oldest_snapshot_lsn, :history_floor, :written_lsn, :durable_lsn,
                   :checkpoint_lsn)

"""
    get_stats(state)

A named tuple of counts, bytes, log positions and latencies:

- `pages`, `page_bytes`, `next_page_id`: live pages;
- `frame_bytes`: memory of pages; `versions`, `version_bytes`: of it what older versions hold;
- `snapshots`, `oldest_snapshot_lsn`: open snapshots, and where the oldest stands; `snapshot_bytes`:
  what they hold, as the setting `version_bytes_max` counts it; `snapshots_too_old`: those it ended;
- `records`, `record_bytes`: written since the state was opened; `pending_bytes`, `lanes`: waiting;
  `unsynced_bytes`: handed to the operating system, not yet synced;
- `segments`, `log_bytes`, `history_floor`: the log that is kept, and the LSN above which it is;
- `written_lsn`, `durable_lsn`: everything at or below was handed to the operating system, is on
  stable storage; `checkpoint_lsn`, `checkpoints`;
- `recovered_records`, `torn_bytes`: what opening found;
- `transactions_owned`: committed transactions of a partition that touched its own pages alone;
  `transactions_sealed`: those that touched private pages; `transactions_shared`: all others that
  changed something;
- `transaction_conflicts`: tries that met another transaction; `transactions_exhausted`: those given up
  after as many tries as they had;
- `flush`, `sync`, `commit` (an update's wait for its sync, in `:sync`), `checkpoint`, `transaction` (of
  every 64th, from its last try's beginning to its commit): latencies, each `(count, mean_ns, p50_ns,
  p99_ns, max_ns)`;
- `memory`: the heap under all states and allocators of the process, as of [`memory_stats`](@ref)
  without its classes.

Cost: tens of microseconds.

```julia
MMSBState() do state
    create_page(state; size=1024)
    @assert get_stats(state).page_bytes == 1024
end
```
"""
function get_stats(state::MMSBState)
    out = Ref{API.MmsbStats}()
    GC.@preserve state check(API.rust_state_stats(raw(state), out))
    flat = named(out[], LSN_STATS)
    return map(unfolded, flat)
end

unfolded(value::Union{API.MmsbLatency,API.MmsbMemoryStats}) = named(value)
unfolded(value) = value

"""
    prometheus(state; name=nothing)::String

The numbers of [`get_stats`](@ref) in the text format that Prometheus reads, latencies in seconds.

- `name`: becomes the label `state` of each line, to tell several states apart.

```julia
MMSBState() do state
    create_page(state; size=1024)
    @assert occursin("mmsb_page_bytes 1024", prometheus(state))
    @assert occursin(r"mmsb_pages{state=.feed.} 1", prometheus(state; name="feed"))
end
```
"""
function prometheus(state::MMSBState; name::Union{Nothing,AbstractString}=nothing)
    label = name === nothing ? nothing : terminated(name, "name")
    return GC.@preserve state label begin
        at = label === nothing ? Ptr{UInt8}(C_NULL) : pointer(label)
        String(filled(UInt8, 8192) do buffer, capacity, len
            API.rust_state_prometheus(raw(state), at, buffer, capacity, len)
        end)
    end
end

"""
    print_stats([io,] state)

Prints [`get_stats`](@ref), one line each.
"""
print_stats(state::MMSBState) = print_stats(stdout, state)

function print_stats(io::IO, state::MMSBState)
    stats = get_stats(state)
    width = maximum(length ∘ String, keys(stats))
    for (name, value) in pairs(stats)
        println(io, rpad(name, width), "  ", stat_text(value))
    end
end

stat_text(value::Int) = grouped(value)
stat_text(lsn::UInt64) = string(lsn)
stat_text(t::NamedTuple) = haskey(t, :count) ? latency_text(t) :
    "$(grouped(t.in_use)) bytes in use, $(grouped(t.committed)) committed by all of the process"
latency_text(t) = t.count == 0 ? "never" :
    "$(grouped(t.count)) times, mean $(microseconds(t.mean_ns)), median " *
    "$(microseconds(t.p50_ns)), 99 % $(microseconds(t.p99_ns)), max $(microseconds(t.max_ns))"

microseconds(ns) = string(round(ns / 1000; digits=1), " µs")

"1234567 → \"1,234,567\"."
grouped(value::Integer) = replace(string(value), r"(?<=\d)(?=(\d{3})+$)" => ",")
