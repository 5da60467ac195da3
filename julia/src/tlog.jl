# A log by itself: deltas in a directory, without pages.

"""
    TLog(path; settings...)
    TLog(use, path; settings...)

Opens or creates the log in the directory `path`; settings as for [`MMSBState`](@ref), `:buffered`
by default. The second form calls `use(log)`, closes the log whatever happens and returns what
`use` returned.

`append!(log, delta)` appends and returns the LSN; `for change in log` reads all of it
([`query_log`](@ref) a part), [`compute_log_statistics`](@ref) counts; `flush`, [`sync`](@ref) and
`close` as for a state.

Errors: `LockedError`, `ForeignError`, `FileNotFoundError`, `PermissionDeniedError`,
`CorruptError`, `UnknownFormatError`, `IoError`.

```julia
mktempdir() do directory
    TLog(directory) do log
        append!(log, create_delta(1, b"abcd"; source="sensor"))
        @assert [change.payload for change in log] == [b"abcd"]
    end
end
```
"""
mutable struct TLog <: Handle
    handle::API.MmsbTLog
    "For `show` alone."
    path::String

    TLog(handle::API.MmsbTLog, path) = finalizer(finalize_handle, new(handle, path))
end

function TLog(path::AbstractString; settings...)
    all_settings = merge(DEFAULT_SETTINGS, checked(settings))
    return TLog(open_configured(API.rust_tlog_open, API.MmsbTLog, path, all_settings)...)
end

TLog(use::Function, path::AbstractString; settings...) = closing(use, TLog(path; settings...))

free(::TLog, ref) = API.rust_tlog_free(ref)
noun(::TLog) = "log"

"""
    append!(log::TLog, delta)::UInt64
    append!(log::TLog, deltas)::UInt64

Appends a delta as it is, or several in their order; returns the (last) LSN, 0 for none.

Errors: `NoSpaceError`, `IoError`, `PoisonedError`.
"""
function Base.append!(log::TLog, delta::Delta)
    lsn = Ref{UInt64}(0)
    GC.@preserve log delta check(API.rust_tlog_append(raw(log), raw(delta), lsn))
    return lsn[]
end

Base.append!(log::TLog, deltas::AbstractVector{Delta}) =
    foldl((_, delta) -> append!(log, delta), deltas; init=UInt64(0))

Base.flush(log::TLog) = settle(API.rust_tlog_flush, log)
sync(log::TLog) = settle(API.rust_tlog_sync, log)

query_log(log::TLog; limits...) = query(API.rust_tlog_query, log; limits...)

Base.IteratorSize(::Type{TLog}) = Base.SizeUnknown()
Base.eltype(::Type{TLog}) = Change
Base.iterate(log::TLog) = iterate(log, query_log(log))

function Base.iterate(::TLog, changes::Changes)
    found = iterate(changes)
    return found === nothing ? nothing : (found[1], changes)
end

function compute_log_statistics(log::TLog)
    out = Ref{API.MmsbTLogSummary}()
    GC.@preserve log check(API.rust_tlog_summary(raw(log), out))
    return named(out[], (:first, :last))
end

compute_log_statistics(path::AbstractString) =
    TLog(compute_log_statistics, path; must_exist=true)

Base.show(io::IO, log::TLog) =
    print(io, "TLog(", repr(log.path), isopen(log) ? ")" : ", closed)")
