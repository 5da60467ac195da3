# Private pages: the key, and which pages are.

"""
    unlock!(state, key)

Gives the state the key that private pages are sealed with, for as long as it is open; so does
`MMSBState(; key=key)`. States that [`replay_log`](@ref) makes have it, too.

`key` is 32 bytes, random or made of a password by a function for that. To give it again is fine.
Nothing of it is stored, so that a key that was mistyped shows when a private page is read:
`WrongKeyError`.

A page that was created with `private=true` is sealed (AES-256-GCM) wherever it stands: in
memory, in the log, in checkpoints. It is read and written as others. Its metadata are not sealed.
What it cannot have is views, and pages that are computed from it, as both would show what is
sealed. Each read opens the whole page, about 0.3 µs and 1 ns per byte; each write opens and seals
it, and records all of it, about 1 µs and 2.5 ns per byte.

Errors: `LengthMismatchError`; `WrongKeyError` if the state has another key already.

```julia
MMSBState() do state
    unlock!(state, rand(UInt8, 32))
    id = create_page(state; size=16, private=true)
    write_page!(state, id, 4, b"account")
    @assert read_page(state, id; offset=4, len=7) == b"account"
    @assert isunlocked(state) && isprivate(state, id)
end
```
"""
function unlock!(state::MMSBState, key)
    data = memory(key)
    GC.@preserve state data check(
        API.rust_state_unlock(raw(state), address(data), bytecount(data)))
    return state
end

"""
    isunlocked(state)::Bool

Whether the state has a key for private pages: see [`unlock!`](@ref).
"""
function isunlocked(state::MMSBState)
    out = Ref(false)
    GC.@preserve state check(API.rust_state_is_unlocked(raw(state), out))
    return out[]
end

"""
    isprivate(state, id)::Bool

Whether a page is sealed, and only the state's key opens it: see [`unlock!`](@ref).

Errors: `PageNotFoundError`, `PageFreedError`.
"""
function isprivate(owner::PageOwner, id::Integer)
    out = Ref(false)
    GC.@preserve owner check(API.rust_page_is_private(page_of(owner, id), out))
    return out[]
end
