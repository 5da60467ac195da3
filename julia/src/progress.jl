# How far a long call has come: told to a function, which may end the call; so may Ctrl-C.

"What a call tells, to whom, and what came of that."
mutable struct Telling
    tell::Any
    "Nanoseconds; see `time_ns`."
    last::UInt64
    done::UInt64
    "What ended the call."
    raised::Any
end

"A function is told no more often than this, nanoseconds."
const TELL_EVERY = UInt64(20_000_000)

"What the library calls: 0 goes on, 1 ends the call. No exception may leave through its frames."
function go_on(context::Ptr{Cvoid}, done::UInt64)::Cint
    telling = unsafe_pointer_to_objref(context)::Telling
    telling.done = done
    now = time_ns()
    now - telling.last < TELL_EVERY && return Cint(0)
    telling.last = now
    try
        # A Ctrl-C that came meanwhile is thrown here.
        reenable_sigint() do
            telling.tell === nothing || telling.tell(done)
        end
        return Cint(0)
    catch problem
        telling.raised = problem
        return Cint(1)
    end
end

"""
    told(call, progress, T; last=nothing)

Returns `call(callback, context)`, which passes both on to the library. `progress`, if it is a
function, is called now and then with how far the call has come, as a `T`, and with `last` (or
where it came to) in the end. What it throws ends the call and is thrown from here, and so is the
`InterruptException` of a Ctrl-C.
"""
function told(call, progress, ::Type{T}; last=nothing) where {T}
    tell = progress === nothing ? nothing : done -> progress(T(done))
    telling = Telling(tell, time_ns(), 0, nothing)
    callback = @cfunction(go_on, Cint, (Ptr{Cvoid}, UInt64))
    result = try
        GC.@preserve telling disable_sigint() do
            call(callback, pointer_from_objref(telling))
        end
    catch
        # What ended it is the error, not that it was ended.
        telling.raised === nothing ? rethrow() : throw(telling.raised)
    end
    tell === nothing || tell(something(last, telling.done))
    return result
end
