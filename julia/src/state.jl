# States: open, close, flush, identity.

"""
    MMSBState(; path=nothing, durability=nothing, must_exist=false, flush_every_us=nothing,
              sync_every_us=nothing, segment_bytes=nothing, pending_bytes_max=nothing,
              history_bytes=nothing, memory_bytes_max=nothing, version_bytes_max=nothing,
              key=nothing)
    MMSBState(use; settings...)

Opens a state; the second form calls `use(state)`, closes the state whatever happens and returns
what `use` returned. Any task on any thread may use a state.

- `path`: the state's directory, created where it does not exist; `nothing` is a state in memory.
- `durability`: what an update waits for, and what a crash can take. `:memory`: nothing is written
  until `flush`, `sync`, a checkpoint or `close`. `:buffered` (with a `path` the default): a killed
  process loses at most `flush_every_us`, a power cut at most `sync_every_us`. `:sync`: an update
  returns once its record is on stable storage.
- `must_exist`: refuse to create the directory.
- `flush_every_us`, `sync_every_us`: microseconds, for `:buffered` (1,000 and 100,000).
- `segment_bytes`: size of a log segment (16 MiB).
- `pending_bytes_max`: bytes of records that may wait to be flushed before an update has to (8 MiB);
  in `:buffered` eight times as many may wait to be synced.
- `history_bytes`: log to keep for reading back (1 GiB on disk, 256 MiB in memory).
- `memory_bytes_max`: bytes that pages may take, older versions included (0: no limit). What would
  take more is an `MMSBOutOfMemoryError` and changes nothing.
- `version_bytes_max`: bytes that open snapshots may hold together, each older version with 128
  more than its content (4 GiB). Beyond it the oldest are ended: reading from them is
  `SnapshotTooOldError`. Writers never fail nor wait for it.
- `key`: 32 bytes that open private pages, and seal them: see [`unlock!`](@ref).

Errors: `InvalidArgumentError`, `SizeOutOfRangeError`, `LockedError` (open already),
`ForeignError`, `FileNotFoundError`, `PermissionDeniedError`, `NoSpaceError`, `CorruptError`,
`UnknownFormatError`, `IoError`.

Cost: in memory about 0.2 µs and one small object; with a `path` a few ms and the replay of the log
after the last checkpoint.

```julia
state = MMSBState()
id = create_page(state; size=8)
close(state)
@assert !isopen(state)
```
"""
mutable struct MMSBState <: Handle
    handle::API.MmsbState
    "For `show` alone."
    path::Union{Nothing,String}
    "Functions that the library calls: see `register_callback!`."
    callbacks::Dict{String,Any}

    MMSBState(handle::API.MmsbState, path) =
        finalizer(finalize_handle, new(handle, path, Dict{String,Any}()))
end

free(::MMSBState, ref) = API.rust_state_close(ref)
noun(::MMSBState) = "state"

const DURABILITIES = ((:memory, API.MMSB_DURABILITY_MEMORY),
                      (:buffered, API.MMSB_DURABILITY_BUFFERED),
                      (:sync, API.MMSB_DURABILITY_SYNC))

const LOCATIONS = ((:cpu, API.MMSB_LOCATION_CPU),
                   (:gpu, API.MMSB_LOCATION_GPU),
                   (:unified, API.MMSB_LOCATION_UNIFIED))

"Library settings: the defaults, except where the caller says otherwise."
function config(path::Union{Nothing,String}, settings)
    filled_in = Ref{API.MmsbConfig}()
    check(API.rust_config_default(path !== nothing, filled_in))
    default = filled_in[]
    number(name) = settings[name] === nothing ? getfield(default, name) :
                   natural(settings[name], name)
    durability = settings.durability === nothing ? default.durability :
                 choice(settings.durability, DURABILITIES, "durability")
    return API.MmsbConfig(
        path === nothing ? C_NULL : pointer(path), durability, settings.must_exist,
        number(:flush_every_us), number(:sync_every_us), number(:segment_bytes),
        number(:pending_bytes_max), number(:history_bytes), number(:memory_bytes_max),
        number(:version_bytes_max))
end

"A handle of type `H` from `open(config, out)`."
function open_configured(open, ::Type{H}, path, settings) where {H}
    path = path === nothing ? nothing : terminated(path, "path")
    wanted = Ref(config(path, settings))
    handle = GC.@preserve path obtain(out -> open(wanted, out), H)
    return handle, path
end

function MMSBState(; path::Union{Nothing,AbstractString}=nothing, key=nothing, settings...)
    # Before anything is made for a state that it does not open.
    key === nothing || check_key(key)
    state = if path === nothing && isempty(settings)
        open_in_memory()
    else
        wanted = merge(DEFAULT_SETTINGS, checked(settings))
        MMSBState(open_configured(API.rust_state_open, API.MmsbState, path, wanted)...)
    end
    key === nothing || unlock_or_close!(state, key)
    return state
end

check_key(key) = bytecount(memory(key)) == KEY_BYTES || throw(LengthMismatchError(
    "a key of $(bytecount(memory(key))) bytes; keys have $KEY_BYTES"))

"Bytes of a key, as the library has it."
const KEY_BYTES = 32

"Unlocks a state that nobody has yet; a key that it does not take closes it."
function unlock_or_close!(state, key)
    try
        unlock!(state, key)
    catch
        close(state)
        rethrow()
    end
end

const DEFAULT_SETTINGS = (
    durability=nothing, must_exist=false, flush_every_us=nothing, sync_every_us=nothing,
    segment_bytes=nothing, pending_bytes_max=nothing, history_bytes=nothing,
    memory_bytes_max=nothing, version_bytes_max=nothing)

"The settings as a named tuple, if all of them exist."
function checked(settings)
    for name in keys(settings)
        haskey(DEFAULT_SETTINGS, name) || throw(InvalidArgumentError(
            "there is no setting $name; there are path, key, $(join(keys(DEFAULT_SETTINGS), ", "))"))
    end
    return (; settings...)
end

open_in_memory() = MMSBState(memory_handle(), nothing)
memory_handle() = obtain(out -> API.rust_state_open(C_NULL, out), API.MmsbState)

MMSBState(use::Function; settings...) = closing(use, MMSBState(; settings...))

"""
    mmsb_start(; settings...)::MMSBState

Opens a state: [`MMSBState`](@ref) under the name that goes with [`mmsb_stop`](@ref).

```julia
state = mmsb_start()
mmsb_stop(state)
```
"""
mmsb_start(; settings...) = MMSBState(; settings...)

"""
    mmsb_stop(state; checkpoint_path=nothing)

Closes a state: flushes, syncs, releases its directory. With `checkpoint_path` an image of the
state is written to that file first, which must not exist; [`load_checkpoint!`](@ref) opens it. If
that fails the state stays open. Stopping a stopped state does nothing.

```julia
image = tempname()
state = mmsb_start()
create_page(state; size=16)
mmsb_stop(state; checkpoint_path=image)
again = load_checkpoint!(image)
@assert list_pages(again) == [1]
mmsb_stop(again)
```
"""
function mmsb_stop(state::MMSBState; checkpoint_path=nothing)
    checkpoint_path === nothing || export_checkpoint(state, checkpoint_path)
    close(state)
end

"Puts another handle into a state; the old one is closed after that."
function swap_handle!(state::MMSBState, handle, path)
    old = MMSBState(state.handle, state.path)
    state.handle = handle
    state.path = path
    close(old)
    return state
end

"""
    reset!(state)::MMSBState

Makes `state` a fresh, empty state in memory, in place; what it was is closed as by `close`. Views,
snapshots' owners and other variables that hold `state` see the new one.

```julia
state = mmsb_start()
create_page(state; size=16)
reset!(state)
@assert isempty(list_pages(state))
close(state)
```
"""
function reset!(state::MMSBState)
    raw(state)
    return swap_handle!(state, memory_handle(), nothing)
end

"""
    isreadonly(state)::Bool

Whether the state shows the past and refuses writes, as those of [`replay_log`](@ref) do.
"""
function Base.isreadonly(state::MMSBState)
    out = Ref(false)
    GC.@preserve state check(API.rust_state_is_read_only(raw(state), out))
    return out[]
end

"""
    recovered(state)

What opening found: a named tuple `(records, bytes, torn, torn_offset, torn_bytes)` of the records
that were replayed and the torn tail of the log that was cut off, if there was one.

```julia
MMSBState() do state
    @assert recovered(state).records == 0
end
```
"""
function recovered(state::MMSBState)
    out = Ref{API.MmsbRecovered}()
    GC.@preserve state check(API.rust_state_recovered(raw(state), out))
    return named(out[])
end

"A struct of the library as a named tuple, counts as `Int`, except for those in `lsns`."
function named(x, lsns = ())
    fields = fieldnames(typeof(x))
    values = map(fields) do name
        value = getfield(x, name)
        value isa UInt64 && !(name in lsns) ? Int(value) : value
    end
    return NamedTuple{fields}(values)
end

"""
    flush(state::MMSBState)::UInt64

Hands all changes made before the call to the operating system; returns the closed LSN that covers
them. They survive the end of the process.

Errors: `NoSpaceError`, `IoError`, `PoisonedError`.
"""
Base.flush(state::MMSBState) = settle(API.rust_state_flush, state)

"""
    sync(state)::UInt64

Makes all changes made before the call durable; returns the closed LSN that covers them. `state`
may be a [`TLog`](@ref) as well. They survive a power cut.

Errors: `NoSpaceError`, `IoError`, `PoisonedError`.

```julia
mktempdir() do directory
    MMSBState(path=directory) do state
        create_page(state; size=16)
        sync(state)
    end
end
```
"""
sync(state::MMSBState) = settle(API.rust_state_sync, state)

function settle(call, owner)
    lsn = Ref{UInt64}(0)
    GC.@preserve owner check(call(raw(owner), lsn))
    return lsn[]
end

"""
    Digest

A 256-bit digest. Prints as 64 hexadecimal digits; `==` compares.
"""
struct Digest
    bytes::NTuple{32,UInt8}
end

Base.string(digest::Digest) = bytes2hex(collect(digest.bytes))
Base.print(io::IO, digest::Digest) = print(io, string(digest))
Base.show(io::IO, digest::Digest) = print(io, "Digest(", string(digest), ")")

"""
    digest(state)::Digest

The digest of the content: pages with ids, epochs, sizes, bytes and metadata. Two states with the
same content have the same digest, whatever order and threads it came from. `state` may be a
[`Snapshot`](@ref) as well.

Cost: one pass over all pages.

```julia
MMSBState() do state
    before = digest(state)
    create_page(state; size=16)
    @assert digest(state) != before
end
```
"""
digest(state::MMSBState) = digest_by(API.rust_state_digest, state)

function digest_by(call, owner)
    out = Ref{NTuple{32,UInt8}}()
    GC.@preserve owner check(call(raw(owner), out))
    return Digest(out[])
end

function page_count(state::MMSBState)
    out = Ref{UInt64}(0)
    GC.@preserve state check(API.rust_state_page_count(raw(state), out))
    return out[] % Int
end

function Base.show(io::IO, state::MMSBState)
    isopen(state) || return print(io, "MMSBState(closed)")
    place = state.path === nothing ? "in memory" : repr(state.path)
    pages = page_count(state)
    print(io, "MMSBState(", place, ", ", pages, pages == 1 ? " page)" : " pages)")
end
