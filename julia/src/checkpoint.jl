# Checkpoints: durable images of a state.

"""
    checkpoint!(state; name=nothing, progress=nothing)::UInt64

Makes a durable image of a state as of now (of a state in memory: one in memory), without stopping
writers, and lets log go that nothing needs; returns the closed LSN that it stands at. A `name` (at
most 64 bytes) keeps the image until [`drop_checkpoint!`](@ref); one without is replaced by later
ones.

- `progress`: a function that is called now and then with the bytes of pages written so far, and in
  the end. What it throws gives the checkpoint up, as does Ctrl-C; what is kept is then as before.
  What it throws in the end comes after the checkpoint.

Errors: `TooLongError`, `InvalidArgumentError` (a name in use), `ReadOnlyError` (a state of
[`replay_log`](@ref)), `NoSpaceError`, `IoError`, `PoisonedError`.

Cost: writes all pages once, and a few syncs.

```julia
mktempdir() do directory
    MMSBState(path=directory) do state
        create_page(state; size=4)
        checkpoint!(state; name="start")
        @assert list_checkpoints(state)[1].name == "start"
    end
end
```
"""
function checkpoint!(state::MMSBState; name::Union{Nothing,AbstractString}=nothing,
                     progress=nothing)
    name = name === nothing ? nothing : terminated(name, "name")
    lsn = Ref{UInt64}(0)
    GC.@preserve state name told(progress, Int) do callback, context
        text = name === nothing ? C_NULL : pointer(name)
        check(API.rust_checkpoint_create_with(raw(state), text, callback, context, lsn))
    end
    return lsn[]
end

"""
    checkpoint_log!(state; name=nothing)::UInt64
    checkpoint_log!(state, path)::UInt64

[`checkpoint!`](@ref), and with a file [`export_checkpoint`](@ref).
"""
checkpoint_log!(state::MMSBState; name=nothing) = checkpoint!(state; name=name)
checkpoint_log!(state::MMSBState, path::AbstractString) = export_checkpoint(state, path)

"""
    export_checkpoint(state, path; progress=nothing)::UInt64

Writes an image of the state as of now to the file `path`, which must not exist; returns the closed
LSN that it stands at. For states in memory as well. [`load_checkpoint!`](@ref) opens it. `progress`
is that of [`checkpoint!`](@ref).

Errors: `InvalidArgumentError` (the file exists; it is left alone), `FileNotFoundError` (its folder
does not), `NoSpaceError`, `PermissionDeniedError`, `IoError`; then no file is left behind.
"""
function export_checkpoint(state::MMSBState, path::AbstractString; progress=nothing)
    path, lsn = terminated(path, "path"), Ref{UInt64}(0)
    GC.@preserve state path told(progress, Int) do callback, context
        check(API.rust_checkpoint_write_with(raw(state), pointer(path), callback, context, lsn))
    end
    return lsn[]
end

"""
    load_checkpoint!(path)::MMSBState
    load_checkpoint!(state, path)::MMSBState

Opens the image in the file `path` as a new state in memory; or makes `state` that, in place, and
closes what it was. The file never changes, pages are read from it when they are first asked for.

Errors: `FileNotFoundError`, `ForeignError` (a folder, or a file that never was an image),
`CorruptError`, `UnknownFormatError`, `IoError`; then `state` is as before.

Cost: about a millisecond, whatever the size.

```julia
image = tempname()
MMSBState() do state
    id = create_page(state; size=4)
    export_checkpoint(state, image)
    update_page(state, id, b"abcd")
    load_checkpoint!(state, image)
    @assert read_page(state, id) == [0, 0, 0, 0]
end
```
"""
load_checkpoint!(path::AbstractString) = MMSBState(image_handle(path), nothing)

function load_checkpoint!(state::MMSBState, path::AbstractString)
    raw(state)
    return swap_handle!(state, image_handle(path), nothing)
end

function image_handle(path)
    path = terminated(path, "path")
    return GC.@preserve path obtain(API.MmsbState) do out
        API.rust_checkpoint_load(pointer(path), out)
    end
end

"""
    list_checkpoints(state)

The checkpoints that are kept, oldest first: a vector of named tuples `(name, lsn, bytes)`; the name
is empty for one that has none.
"""
function list_checkpoints(state::MMSBState)
    found = GC.@preserve state begin
        owner = raw(state)
        filled(API.MmsbCheckpoint, 8) do buffer, capacity, len
            API.rust_checkpoint_list(owner, buffer, capacity, len)
        end
    end
    return map(found) do item
        name = String(collect(Iterators.takewhile(!iszero, item.name)))
        (name=name, lsn=item.lsn, bytes=Int(item.bytes))
    end
end

"""
    drop_checkpoint!(state, name)

Gives a named checkpoint up.

Errors: `CheckpointNotFoundError`.
"""
function drop_checkpoint!(state::MMSBState, name::AbstractString)
    name = terminated(name, "name")
    GC.@preserve state name check(API.rust_checkpoint_drop(raw(state), pointer(name)))
end
