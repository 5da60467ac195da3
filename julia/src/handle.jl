# What owns something in the library: closed by `close`, or by the garbage collector in the end.

"""
    Handle

An object that owns a handle of the library: `close` gives it back at once, and a second `close`
does nothing; `isopen` says whether it is there still; any other use after `close` throws
`ClosedError`. A finalizer closes what was forgotten, some time.

Subtypes have a field `handle` and a method `free(object, ref)`.
"""
abstract type Handle end

Base.isopen(x::Handle) = x.handle.id != 0

"The handle itself; the object must be kept alive while it is used."
@inline function raw(x::Handle)
    handle = x.handle
    handle.id == 0 && refuse_closed(x)
    return handle
end

@noinline refuse_closed(x) = throw(ClosedError("the $(lowercase(noun(x))) was closed"))

"What a message calls the object."
noun(x) = string(nameof(typeof(x)))

"Gives the handle back; the status is the library's."
@inline function release(x::Handle)
    handle = x.handle
    handle.id == 0 && return API.MMSB_STATUS_OK
    x.handle = typeof(handle)(0)
    status = free(x, Ref(handle))
    # The call that this one is a callback of is using it still.
    status == API.MMSB_STATUS_INVALID_ARGUMENT && (x.handle = handle)
    return status
end

# Two tasks may close at once: the one that comes second finds the handle stale, which is fine.
function Base.close(x::Handle)
    status = release(x)
    status in (API.MMSB_STATUS_STALE_HANDLE, API.MMSB_STATUS_TRANSACTION_FINISHED) || check(status)
    return nothing
end

"A finalizer must not throw, and there is nobody to tell."
finalize_handle(x::Handle) = (release(x); nothing)

"""
    obtain(call, H)

A new handle of type `H` from `call(out)`. When all handles are in use, what the garbage collector
has not yet finalized is closed and the call tried once more: objects that were dropped without
`close` never exhaust the library.
"""
@inline function obtain(call, ::Type{H}) where {H}
    out = Ref(H(0))
    status = call(out)
    if status == API.MMSB_STATUS_TOO_MANY_HANDLES
        GC.gc()
        status = call(out)
    end
    check(status)
    return out[]
end

"Runs `use(x)` and closes `x` whatever happens."
function closing(use, x)
    try
        return use(x)
    finally
        close(x)
    end
end
