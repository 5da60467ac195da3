# Derived pages: by formulas and Julia functions, deferred or at once, explained.

const RULE_FORMULA, RULE_CALLBACK = UInt32(API.MMSB_RULE_KIND_FORMULA), UInt32(API.MMSB_RULE_KIND_CALLBACK)
const STALENESS = (:fresh, :behind, :stale)
const PROPAGATION = [:immediate => 0, :deferred => 1]

"A formula as it is shown, a callback's name after the word."
rule_name(kind, text) = kind == 0 ? nothing : kind == RULE_CALLBACK ? "callback $text" : text

"""
    derive!(state, page, parents, formula; source="", intent=nothing)::UInt64

Has `page` computed by a formula (docs/formulas.md) from `parents`, from now on and at once: they become
its parents. Whoever changes one of them changes the page in the same group, so that nobody ever sees
one without the other. It is not written by hand any more (`DerivedError`). Of a page that is derived
already the rule and the edges of kind `:data` are replaced. Returns the group's LSN, 0 if all is so
already.

Errors: `InvalidArgumentError` for the formula, with the place in it; `LengthMismatchError`,
`CycleError`, `PageNotFoundError`, `PageFreedError`. Then nothing changed.

```julia
MMSBState() do state
    total, count, mean = (create_page(state; size=8) for _ in 1:3)
    derive!(state, mean, [total, count], "f64: p0 / max(p1, 1)")
    update_page(state, count, [4.0])
    update_page(state, total, [10.0])
    @assert read_page(state, mean, Float64) == [2.5]
end
```
"""
function derive!(state::MMSBState, page::Integer, parents, formula::AbstractString;
                 source::AbstractString="", intent::Union{Nothing,AbstractString}=nothing)
    said, lsn, text = note(source, intent), Ref{UInt64}(0), terminated(formula, "formula")
    ids = UInt64[page_id(id) for id in parents]
    GC.@preserve state said text ids check(API.rust_propagate_derive(
        raw(state), page_id(page), pointer(ids), length(ids), pointer(text), address(said), lsn))
    return lsn[]
end

"""
    derive!(f, state, page, parents; T=UInt8, name="page-…", source="", intent=nothing)::UInt64

As above, by a function: `f(out, parent1, parent2, …)` fills `out`, a `Vector{T}` that is all zero, from
the contents of the parents, copies all. It is called in the task that changes a parent, and depends on
the parents alone; calls to the state from inside it are refused (`ReenteredError`), and end the whole
change as what it throws does: as `CallbackFailedError`, which has the message.

- `name`: under which it stands in the log; another function of that name must not compute another page.
  When the state is opened again, it is to be given again, by `derive!` or
  [`register_callback!`](@ref), before a parent changes; replay does not need it.

If it fails, what was registered under that name before still is.

```julia
MMSBState() do state
    bid, ask, spread = (create_page(state; size=8) for _ in 1:3)
    derive!(state, spread, [bid, ask]; T=Int64) do out, bid, ask
        out .= ask .- bid
    end
    update_page(state, ask, [25])
    @assert read_page(state, spread, Int64) == [25]
end
```
"""
function derive!(f::Base.Callable, state::MMSBState, page::Integer, parents; T::Type=UInt8,
                 name::AbstractString="page-$page", source::AbstractString="",
                 intent::Union{Nothing,AbstractString}=nothing)
    text, callback = terminated(name, "name"), recompute_of(f, T)
    said, lsn, ids = note(source, intent), Ref{UInt64}(0), UInt64[page_id(id) for id in parents]
    GC.@preserve state said text ids callback begin
        at, page, ids_at, name_at = raw(state), page_id(page), pointer(ids), pointer(text)
        if is_registered(state, text, callback)
            check(API.rust_propagate_derive_by(at, page, ids_at, length(ids), name_at, address(said), lsn))
        else
            check(API.rust_propagate_derive_with(
                at, page, ids_at, length(ids), name_at, called(), pointer_from_objref(callback), C_NULL,
                false, address(said), lsn))
            state.callbacks[text] = callback
        end
    end
    return lsn[]
end

"A function that computes pages, as the library calls it: kept alive by its state."
mutable struct Recompute
    f::Any
    T::DataType
end

function recompute_of(f, ::Type{T}) where {T}
    isplain(T) || throw(InvalidArgumentError("pages of $T, which is not plain bits"))
    return Recompute(f, T)
end

"Whether the same function is registered under the name already."
function is_registered(state::MMSBState, text, callback::Recompute)
    there = get(state.callbacks, text, nothing)
    return there !== nothing && there.f === callback.f && there.T === callback.T
end

"What the library calls. No exception may leave through its frames."
function recompute(context::Ptr{Cvoid}, page::UInt64, parents::Ptr{API.MmsbBytes}, count::Csize_t,
                   out::Ptr{UInt8}, len::Csize_t, message::Ptr{UInt8}, capacity::Csize_t)::Cint
    try
        callback = unsafe_pointer_to_objref(context)::Recompute
        given = [unsafe_load(parents, i) for i in 1:count]
        compute!(callback.f, callback.T, given, out, len)
        return Cint(0)
    catch problem
        said = try
            sprint(showerror, problem)
        catch
            "an exception that cannot be shown"
        end
        bytes = codeunits(said)
        used = min(length(bytes), Int(capacity) - 1)
        GC.@preserve said unsafe_copyto!(message, pointer(said), used)
        unsafe_store!(message, 0x00, used + 1)
        return Cint(1)
    end
end

function compute!(f, ::Type{T}, parents, out, len) where {T}
    made = copied(T, out, len)
    size = length(made)
    f(made, (copied(T, parent.data, parent.len) for parent in parents)...)
    length(made) == size || throw(InvalidArgumentError("it changed the length of what it fills"))
    GC.@preserve made unsafe_copyto!(out, Ptr{UInt8}(pointer(made)), len)
    return nothing
end

"A copy: what is kept of it outlives the call."
function copied(::Type{T}, data, len) where {T}
    values = Vector{T}(undef, element_count(T, Int(len)))
    GC.@preserve values unsafe_copyto!(Ptr{UInt8}(pointer(values)), Ptr{UInt8}(data), len)
    return values
end

"""
    register_callback!(f, state, name; T=UInt8)

Registers a function that pages can be computed by, as [`derive!`](@ref) takes it, under a name, until
the state is closed. What was registered under it goes, for all pages that are computed by it; they are
computed anew when a parent changes.

Errors: `InvalidArgumentError` for a name that is empty or longer than 255 bytes, or a `T` that is not
plain.
"""
function register_callback!(f, state::MMSBState, name::AbstractString; T::Type=UInt8)
    text, callback = terminated(name, "name"), recompute_of(f, T)
    GC.@preserve state text callback begin
        check(API.rust_propagate_register(raw(state), pointer(text), called(),
                                          pointer_from_objref(callback), C_NULL, false))
        # From here on the library may call it; what it replaces is called no more.
        state.callbacks[text] = callback
    end
    return nothing
end

called() = @cfunction(recompute, Cint, (Ptr{Cvoid}, UInt64, Ptr{API.MmsbBytes}, Csize_t, Ptr{UInt8},
                                        Csize_t, Ptr{UInt8}, Csize_t))

"""
    register_recompute_fn!(f, state, page; T=UInt8, …)::UInt64
    register_recompute_fn!(state, page, f; T=UInt8, …)::UInt64

Has `page` computed by `f`, as [`derive!`](@ref) takes it, from the parents that it has
([`add_dependency`](@ref)).
"""
function register_recompute_fn!(f::Base.Callable, state::MMSBState, page::Integer; settings...)
    links = get_parents(state, page)
    return derive!(f, state, page, [id for (id, kind) in links if kind === :data]; settings...)
end

register_recompute_fn!(state::MMSBState, page::Integer, f::Base.Callable; settings...) =
    register_recompute_fn!(f, state, page; settings...)

"""
    register_passthrough_recompute!(state, page, parent; source="", intent=nothing)::UInt64

Has `page` be a copy of `parent`, from now on.
"""
register_passthrough_recompute!(state::MMSBState, page::Integer, parent::Integer; settings...) =
    derive!(state, page, [parent], "u8: p0"; settings...)

"""
    underive!(state, page; source="", intent=nothing)::UInt64

Makes a page an ordinary one, with the content that it has. Its edges stay.

Errors: `NotDerivedError`.
"""
function underive!(state::MMSBState, page::Integer; source::AbstractString="",
                   intent::Union{Nothing,AbstractString}=nothing)
    said, lsn = note(source, intent), Ref{UInt64}(0)
    GC.@preserve state said check(API.rust_propagate_underive(
        raw(state), page_id(page), address(said), lsn))
    return lsn[]
end

"""
    page_rule(state, page)::Union{Nothing,String}

What a page is computed by: a formula, or `"callback "` and a name; `nothing` if it is not.
"""
function page_rule(state::MMSBState, page::Integer)
    kind = Ref{UInt32}(0)
    text = GC.@preserve state filled(UInt8, 64) do buffer, capacity, len
        API.rust_propagate_rule(raw(state), page_id(page), kind, buffer, capacity, len)
    end
    return rule_name(kind[], String(text))
end

"""
    staleness(state, page)::Symbol

Whether a page is what its rule makes of its parents: `:fresh`; `:stale` if a parent changed since it
was computed, `:behind` if a page further up is stale.
"""
function staleness(state::MMSBState, page::Integer)
    out = Ref{UInt32}(0)
    GC.@preserve state check(API.rust_propagate_staleness(raw(state), page_id(page), out))
    return STALENESS[out[] + 1]
end

"""
    stale_pages(state)::Vector{Int}

The pages that are stale, or may be, ascending.
"""
stale_pages(state::MMSBState) = Int.(GC.@preserve state filled(UInt64) do buffer, capacity, len
    API.rust_propagate_stale_pages(raw(state), buffer, capacity, len)
end)

"""
    propagate!(state; source="", intent=nothing)::UInt64

Computes all that is stale, each page once, parents first, as one group. Returns its LSN, 0 if nothing
is stale.

```julia
MMSBState() do state
    a, b = create_page(state; size=8), create_page(state; size=8)
    register_passthrough_recompute!(state, b, a)
    set_propagation!(state, :deferred)
    update_page(state, a, [7])
    @assert staleness(state, b) === :stale && stale_pages(state) == [b]
    propagate!(state)
    @assert read_page(state, b, Int) == [7]
end
```
"""
function propagate!(state::MMSBState; source::AbstractString="",
                    intent::Union{Nothing,AbstractString}=nothing)
    said, lsn = note(source, intent), Ref{UInt64}(0)
    GC.@preserve state said check(API.rust_propagate_run(raw(state), address(said), lsn))
    return lsn[]
end

"""
    propagate_change!(state; source="", intent=nothing)::UInt64

Another name of [`propagate!`](@ref).
"""
propagate_change!(state::MMSBState; settings...) = propagate!(state; settings...)

"""
    set_propagation!(state, mode)

Sets when derived pages are computed, until the state is closed: `:immediate`, in the group of the
change, or `:deferred`, when [`propagate!`](@ref) is called; until then they are known as stale.
"""
function set_propagation!(state::MMSBState, mode::Symbol)
    GC.@preserve state check(API.rust_propagate_set_mode(
        raw(state), choice(mode, PROPAGATION, "mode")))
    return nothing
end

"""
    propagation(state)::Symbol

When derived pages are computed: see [`set_propagation!`](@ref).
"""
function propagation(state::MMSBState)
    out = Ref{UInt32}(0)
    GC.@preserve state check(API.rust_propagate_mode(raw(state), out))
    return first(PROPAGATION[out[] + 1])
end

"As the library has it."
const THREADS_MAX = 64

"""
    set_propagation_threads!(state, threads)

Sets how many threads, 1 to 64, share in computing pages by formulas, where many are due at once that
do not derive from each other, with so many bytes that it is worth it: until the state is closed. At
first as many as there are cores, 8 at most. The outcome is the same with any number. Julia functions
are called on the calling thread alone.

Errors: `InvalidArgumentError`.

```julia
MMSBState() do state
    set_propagation_threads!(state, 1)
    @assert propagation_threads(state) == 1
end
```
"""
function set_propagation_threads!(state::MMSBState, threads::Integer)
    GC.@preserve state check(API.rust_propagate_set_threads(
        raw(state), within(threads, 1, THREADS_MAX, "threads")))
    return nothing
end

"""
    propagation_threads(state)::Int

Threads that share in computing pages: see [`set_propagation_threads!`](@ref).
"""
function propagation_threads(state::MMSBState)
    out = Ref{Csize_t}(0)
    GC.@preserve state check(API.rust_propagate_threads(raw(state), out))
    return Int(out[])
end

"""
    check_purity!(state, check=true)

Has each function that computes pages called twice from now on, and compared, or no longer: a
difference is an `ImpureError`.
"""
function check_purity!(state::MMSBState, twice::Bool=true)
    GC.@preserve state check(API.rust_propagate_check_purity(raw(state), twice))
    return nothing
end

"""
    propagation_stats(state)

What propagation did since the state was opened: a named tuple of `derived` pages, `stale` ones, how
often one was `computed`, how often that came out as it was (`cut_off`), and how often several threads
shared in it (`shared`).
"""
function propagation_stats(state::MMSBState)
    out = Ref{API.MmsbPropagationStats}()
    GC.@preserve state check(API.rust_propagate_stats(raw(state), out))
    return named(out[])
end

"""
    Origin

What made a page's content: `page`, `epoch`, `lsn`, `time_ms`, `source`, `intent`; `rule`, what it was
computed by, `nothing` where it was written; `parents`, what it was computed of, in order: places in the
explanation, from 1.
"""
struct Origin
    page::Int
    epoch::Int
    lsn::UInt64
    time_ms::Int
    source::String
    intent::Union{Nothing,String}
    rule::Union{Nothing,String}
    parents::Vector{Int}
end

"""
    Explanation

What a page's content was made of, back to what was written by hand: a vector of [`Origin`](@ref), the
page's own first. `dropped` counts contents that were made before history begins.
"""
struct Explanation <: AbstractVector{Origin}
    origins::Vector{Origin}
    dropped::Int
    text::String
end

Base.size(told::Explanation) = size(told.origins)
Base.getindex(told::Explanation, at::Int) = told.origins[at]
Base.show(io::IO, ::MIME"text/plain", told::Explanation) = print(io, chomp(told.text))

function Origin(found::API.MmsbOrigin)
    parents = [Int(unsafe_load(found.parents, i)) + 1 for i in 1:found.parents_len]
    intent = found.intent == C_NULL ? nothing : text_at(found.intent, found.intent_len)
    rule = rule_name(found.rule_kind, text_at(found.rule, found.rule_len))
    return Origin(Int(found.page), Int(found.epoch), found.lsn, Int(found.time_ms),
                  text_at(found.source, found.source_len), intent, rule, parents)
end

"""
    explain(state, page)::Explanation

Tells what made the content of a page, which parents at which epochs, and what made those. Of a stale
page: what it was made of when it was computed.

Cost: a few µs for each content in the answer.

```julia
MMSBState() do state
    a, b = create_page(state; size=8), create_page(state; size=8)
    register_passthrough_recompute!(state, b, a)
    update_page(state, a, [7]; source="feed", intent="tick 17")
    told = explain(state, b)
    @assert told[1].parents == [2] && told[2].intent == "tick 17"
end
```
"""
function explain(state::MMSBState, page::Integer)
    handle = Ref(GC.@preserve state obtain(API.MmsbExplanation) do out
        API.rust_propagate_explain(raw(state), page_id(page), out)
    end)
    try
        count, dropped, out = Ref{Csize_t}(0), Ref{UInt64}(0), Ref{API.MmsbOrigin}()
        check(API.rust_explanation_len(handle[], count, dropped))
        origins = map(1:Int(count[])) do at
            check(API.rust_explanation_get(handle[], at - 1, out))
            Origin(out[])
        end
        text = filled(UInt8, 256) do buffer, capacity, len
            API.rust_explanation_text(handle[], buffer, capacity, len)
        end
        return Explanation(origins, Int(dropped[]), String(text))
    finally
        API.rust_explanation_free(handle)
    end
end
