# The past: replays, old contents, verification.

"""
    replay_log(state; to=nothing, progress=nothing)::MMSBState

The state as it was when everything up to the LSN `to` had happened, by default everything so far:
a state of its own, in memory and read-only, made from the log. Its [`digest`](@ref) is that of the
state at that LSN. It holds content, not the log that led to it: it has no past of its own, and
makes no checkpoint ([`export_checkpoint`](@ref) takes it).

- `progress`: a function that is called now and then with the LSN replayed to, and in the end. What
  it throws ends the replay, as does Ctrl-C; nothing has changed then.

Errors: `HistoryDroppedError`, `LsnInFutureError`, `CorruptError`.

Cost: reads the log up to `to`, from the nearest checkpoint.

```julia
MMSBState() do state
    id = create_page(state; size=4)
    lsn = update_page(state, id, b"abcd")
    update_page(state, id, b"wxyz")
    then = replay_log(state; to=lsn)
    @assert read_page(then, id) == b"abcd"
    close(then)
    now = replay_log(state)
    @assert digest(now) == digest(state)
    close(now)
end
```
"""
function replay_log(state::MMSBState; to::Union{Nothing,Integer}=nothing, progress=nothing)
    lsn = to === nothing ? closed_lsn(state) : natural(to, "to")
    handle = GC.@preserve state begin
        owner = raw(state)
        told(progress, UInt64; last=lsn) do callback, context
            obtain(API.MmsbState) do out
                API.rust_state_replay_with(owner, lsn, callback, context, out)
            end
        end
    end
    return MMSBState(handle, nothing)
end

"An LSN that covers all changes made before the call."
closed_lsn(state::MMSBState) = closing(snapshot_lsn, snapshot(state))

"""
    page_at(state, id, lsn)::Vector{UInt8}
    page_at(state, id, lsn, T)::Vector{T}

A page's content when everything up to `lsn` had happened, as bytes or as plain values of type `T`.

Errors: `PageNotFoundError` (as of then), `PageFreedError`, `HistoryDroppedError`,
`LsnInFutureError`, `CorruptError`; with `T` those of [`read_page`](@ref).

```julia
MMSBState() do state
    id = create_page(state; size=4)
    lsn = update_page(state, id, b"abcd")
    update_page(state, id, b"wxyz")
    @assert page_at(state, id, lsn) == b"abcd"
end
```
"""
function page_at(state::MMSBState, id::Integer, lsn::Integer)
    at = natural(lsn, "lsn")
    GC.@preserve state begin
        page = page_of(state, id)
        return filled(UInt8, 1024) do buffer, capacity, len
            API.rust_page_at(page, at, buffer, capacity, len, C_NULL)
        end
    end
end

function page_at(state::MMSBState, id::Integer, lsn::Integer, ::Type{T}) where {T}
    bytes = page_at(state, id, lsn)
    values = Vector{T}(undef, element_count(T, length(bytes)))
    data = memory(values)
    GC.@preserve bytes values unsafe_copyto!(address(data), pointer(bytes), length(bytes))
    return values
end

"""
    verify(state; progress=nothing)

Checks everything that is stored: each record of the kept log, each byte of the images, and that a
replay of the log gives the live state. Returns a named tuple `(records, record_bytes, images, lsn,
digest)` of what was looked at.

- `progress`: a function that is called now and then with the bytes of images and log checked so
  far, and in the end. What it throws ends the check, as does Ctrl-C.

Errors: `CorruptError` with file, offset and reason. `HistoryDroppedError` for a state of
[`replay_log`](@ref), which has no log to be compared with.

```julia
MMSBState() do state
    create_page(state; size=4)
    @assert verify(state).digest == digest(state)
end
```
"""
function verify(state::MMSBState; progress=nothing)
    out = Ref{API.MmsbVerified}()
    GC.@preserve state told(progress, Int) do callback, context
        check(API.rust_state_verify(raw(state), callback, context, out))
    end
    found = named(out[], (:lsn,))
    return merge(found, (digest=Digest(found.digest),))
end
