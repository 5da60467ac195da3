# Statuses become exceptions: one type per row of the library's table of errors.

"""
    MMSBError <: Exception

What every failed call of this package throws: a subtype per kind, such as
[`PageNotFoundError`](@ref), each with

- `code::Int32`: the kind's permanent number, the same in all languages,
- `message::String`: one sentence that names the value and the limit.

[`isretryable`](@ref) and [`isfatal`](@ref) say what to do. After an error nothing has changed,
unless the function's documentation says otherwise. [`error_table`](@ref) lists all kinds.

```julia
MMSBState() do state
    caught = try
        read_page(state, 7)
    catch problem
        problem
    end
    @assert caught isa PageNotFoundError && caught.code == 111
end
```
"""
abstract type MMSBError <: Exception end

"Base exports this name; who uses both packages must be able to write either."
const RENAMED = Dict(:OutOfMemoryError => :MMSBOutOfMemoryError)

"`:PAGE_NOT_FOUND` → `:PageNotFoundError`."
function error_name(status::Symbol)
    words = map(titlecase, split(lowercase(String(status)), '_'))
    name = Symbol(join(words), "Error")
    return get(RENAMED, name, name)
end

const ERROR_TYPES = Dict{Int32,DataType}()

for (code, status, meaning) in API.STATUSES
    code == API.MMSB_STATUS_OK && continue
    name = error_name(status)
    text = "    $name <: MMSBError\n\nCode $code. $meaning"
    @eval begin
        @doc $text struct $name <: MMSBError
            code::Int32
            message::String
            $name(message) = new($code, message)
        end
        ERROR_TYPES[$code] = $name
        export $name
    end
end

"""
    UnknownStatusError <: MMSBError

A status that this package does not know: the library is newer than it.
"""
struct UnknownStatusError <: MMSBError
    code::Int32
    message::String
end
export UnknownStatusError

Base.showerror(io::IO, e::MMSBError) =
    print(io, nameof(typeof(e)), " (", e.code, "): ", e.message)

"""
    isretryable(error::MMSBError)::Bool

Whether the same call may succeed later without the caller changing it.

```julia
@assert !isretryable(PageNotFoundError("page 7"))
@assert isretryable(NoSpaceError("the disk is full"))
```
"""
isretryable(e::MMSBError) = API.rust_error_is_retryable(e.code)

"""
    isfatal(error::MMSBError)::Bool

Whether the state that it came from should be closed and opened again.

```julia
@assert isfatal(CorruptError("a checksum does not fit"))
```
"""
isfatal(e::MMSBError) = API.rust_error_is_fatal(e.code)

"""
    check(status::Int32)

Nothing for 0; else throws the matching [`MMSBError`](@ref) with the calling thread's last message.
For calls of `MMSB.API`, directly after the call.

```julia
check(Int32(0))
```
"""
@inline check(status::Int32) = status == API.MMSB_STATUS_OK ? nothing : throw_status(status)

@noinline throw_status(status::Int32) = throw(error_of(status, last_message()))

"The exception for a status."
function error_of(status::Int32, message::String)
    kind = get(ERROR_TYPES, status, nothing)
    return kind === nothing ? UnknownStatusError(status, message) : kind(message)
end

"""
The thread's last message. Memory comes first and the pointer after it: an allocation may run
finalizers, whose own calls may replace the message and free what an older pointer names.
"""
function last_message()
    buffer = Vector{UInt8}(undef, 256)
    while true
        message = API.rust_error_message()
        len = Int(ccall(:strlen, Csize_t, (Ptr{UInt8},), message))
        if len <= length(buffer)
            GC.@preserve buffer unsafe_copyto!(pointer(buffer), message, len)
            return String(resize!(buffer, len))
        end
        resize!(buffer, len)
    end
end

"""
    error_table()

All kinds of error that the library knows, in the order of their codes: a vector of named tuples
`(code, name, retryable, fatal, meaning)`.

```julia
@assert any(row -> row.name == "PageNotFound", error_table())
```
"""
function error_table()
    return map(0:Int(API.rust_error_count())-1) do index
        row = Ref{API.MmsbErrorInfo}()
        check(API.rust_error_info(index, row))
        info = row[]
        (code = info.code,
         name = unsafe_string(info.name, info.name_len),
         retryable = info.retryable,
         fatal = info.fatal,
         meaning = unsafe_string(info.meaning, info.meaning_len))
    end
end
