# @mmsb: a block whose changes happen together.

"Calls that the block's batch takes; nothing happens before its end."
const BATCH_CALLS = (:create_page, :delete_page, :update_page, :write_page!, :write_masked!,
                     :route_delta!, :set_metadata!, :delete_metadata!)

"Calls that read the state, as it is outside of the block."
const STATE_CALLS = (:read_page, :query_page, :read_page!, :page_view, :page_array, :page_size,
                     :page_epoch, :page_lsn, :page_location, :list_pages, :get_metadata)

"""
    @mmsb state [source="…"] [intent="…"] begin … end

Runs the block; the changes that it makes to `state` happen at its end as one group: durable,
replayed and seen by others all or none. If the block throws, none of them happened.

In the block these calls are written without the state:

- changes: `create_page`, `delete_page`, `update_page`, `write_page!`, `write_masked!`,
  `route_delta!`, `set_metadata!`, `delete_metadata!`. They are collected; `create_page` returns
  the id at once, the others `nothing`.
- reads: `read_page`, `query_page`, `read_page!`, `page_view`, `page_array`, `page_size`,
  `page_epoch`, `page_lsn`, `page_location`, `list_pages`, `get_metadata`. They see the state as it
  is without the block's changes.

What is rewritten is the text of the block: calls by these plain names, with dots too
(`update_page.(ids, contents)`). Calls in functions that the block calls are not, nor are
`MMSB.update_page(state, …)` with the module's name or a nested `@mmsb`: those act at once, by
themselves. With a state or allocator as first argument the plain names throw
`InvalidArgumentError`.

The block is the body of a function: variables that begin in it end with it, its value is the
value of `@mmsb`, and `return` ends the block, not the function around it, and commits.

```julia
MMSBState() do state
    id = @mmsb state source="setup" begin
        page = create_page(size=8, metadata=Dict("kind" => "counter"))
        update_page(page, Ref(41))
        page
    end
    @mmsb state update_page(id, [read_page(id, Int)[1] + 1])
    @assert read_page(state, id, Int) == [42]
end
```
"""
macro mmsb(state, rest...)
    isempty(rest) && throw(ArgumentError("@mmsb takes a state and a block"))
    changes = gensym(:changes)
    body = rewritten(last(rest), changes)
    keywords = [Expr(:kw, name_of(option), esc(option.args[2])) for option in rest[1:end-1]]
    return :($batch($(Expr(:parameters, keywords...)), $(esc(state))) do $(esc(changes))
        $(esc(body))
    end)
end

function name_of(option)
    known = option isa Expr && option.head == :(=) && option.args[1] in (:source, :intent)
    known || throw(ArgumentError("@mmsb: `$option`; there are source=… and intent=…"))
    return option.args[1]
end

"The code with the batch as first argument of the calls above."
rewritten(code, changes) = code
function rewritten(code::Expr, changes)
    is_left_alone(code) && return code
    if code.head == :call && code.args[1] in BATCH_CALLS
        return with_owner(code, changes, in_batch)
    elseif code.head == :call && code.args[1] in STATE_CALLS
        return with_owner(code, changes, in_state)
    elseif code.head == :do && code.args[1].args[1] in STATE_CALLS
        return rewritten(without_do(code), changes)
    elseif is_dotted(code) && code.args[1] in BATCH_CALLS
        return dotted(code, changes, in_batch)
    elseif is_dotted(code) && code.args[1] in STATE_CALLS
        return dotted(code, changes, in_state)
    elseif code.head in (:(=), :function, :->) && is_signature(code.args[1])
        body = (rewritten(part, changes) for part in code.args[2:end])
        return Expr(code.head, code.args[1], body...)
    end
    return Expr(code.head, (rewritten(part, changes) for part in code.args)...)
end

is_left_alone(code) = code.head in (:quote, :inert) ||
    code.head == :macrocall && code.args[1] in (Symbol("@mmsb"), :(MMSB.$(Symbol("@mmsb"))))

is_dotted(code) =
    code.head == :. && length(code.args) == 2 && code.args[2] isa Expr &&
    code.args[2].head == :tuple

"What a definition defines is no call."
is_signature(code) = code isa Expr && code.head in (:call, :where, :(::), :tuple)

"`f(a; k=v)` → `in_batch(MMSB.f, changes, a; k=v)`."
function with_owner(code, changes, through)
    arguments = [rewritten(part, changes) for part in code.args[2:end]]
    keywords, plain = parted(arguments)
    return Expr(:call, through, keywords..., getfield(MMSB, code.args[1]), changes, plain...)
end

"`f(a) do x … end` → `f(x -> …, a)`."
function without_do(code)
    keywords, plain = parted(code.args[1].args[2:end])
    return Expr(:call, code.args[1].args[1], keywords..., code.args[2], plain...)
end

"`f.(a)` → `in_batch.(MMSB.f, Ref(changes), a)`."
function dotted(code, changes, through)
    arguments = [rewritten(part, changes) for part in code.args[2].args]
    keywords, plain = parted(arguments)
    owner = Expr(:call, Ref, changes)
    called = Expr(:call, Ref, getfield(MMSB, code.args[1]))
    return Expr(:., through, Expr(:tuple, keywords..., called, owner, plain...))
end

function parted(arguments)
    is_keywords(part) = part isa Expr && part.head == :parameters
    return filter(is_keywords, arguments), filter(!is_keywords, arguments)
end

in_batch(f, batch::Batch, args...; kwargs...) =
    (refuse_owner(f, args); f(batch, args...; kwargs...))
in_state(f, batch::Batch, args...; kwargs...) =
    (refuse_owner(f, args); f(batch.state, args...; kwargs...))
# What fills a buffer, and what takes a do-block, has the state in second place.
in_state(f::typeof(read_page!), batch::Batch, buffer, args...; kwargs...) =
    (refuse_owner(f, (buffer,)); refuse_owner(f, args); f(buffer, batch.state, args...; kwargs...))
in_state(f::Union{typeof(page_view),typeof(page_array)}, batch::Batch, use::Function, args...;
         kwargs...) = f(use, batch.state, args...; kwargs...)

function refuse_owner(f, args)
    isempty(args) || !(first(args) isa Union{PageOwner,Batch}) || throw(InvalidArgumentError(
        "$(nameof(f)) with $(repr(first(args))) in an @mmsb block, where the plain name means the " *
        "block's own state; MMSB.$(nameof(f)) takes any"))
end
