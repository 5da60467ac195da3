# Dependencies: which page derives from which, in an order that is always topological.

"What an edge says, by the number that files and the library use."
const EDGE_KINDS = [:data => 0, :control => 1, :device => 2, :compiler => 3]

"""
    Dependency

One end of an edge, as the other sees it: a named tuple `(page, kind)` of `Int` and `Symbol`.
"""
const Dependency = NamedTuple{(:page, :kind),Tuple{Int,Symbol}}

"""
    add_dependency(state, parent, child; kind=:data, source="", intent=nothing)::UInt64

Adds an edge: `child` derives from `parent`. Returns the record's LSN, 0 if the edge is there already.
Edges are part of the child: in the log, in checkpoints, in its past.

- `kind`: `:data` (made of its content), `:control` (comes after it), `:device`, `:compiler`. Between
  two pages there may be one of each.

Errors: `CycleError`, which names the pages on it, `PageNotFoundError`, `PageFreedError`,
`InvalidArgumentError`.

Cost: about 0.1 µs where pages are added in an order that fits.

```julia
MMSBState() do state
    a, b = create_page(state; size=8), create_page(state; size=8)
    add_dependency(state, a, b)
    @assert get_children(state, a) == [(page=b, kind=:data)]
    caught = try add_dependency(state, b, a) catch problem; problem end
    @assert caught isa CycleError
end
```
"""
function add_dependency(state::MMSBState, parent::Integer, child::Integer; kind::Symbol=:data,
                        source::AbstractString="",
                        intent::Union{Nothing,AbstractString}=nothing)
    said, lsn = note(source, intent), Ref{UInt64}(0)
    GC.@preserve state said check(API.rust_graph_add_edge(
        raw(state), page_id(parent), page_id(child), choice(kind, EDGE_KINDS, "kind"),
        address(said), lsn))
    return lsn[]
end

"""
    remove_dependency(state, parent, child; kind=:data, source="", intent=nothing)::UInt64

Takes an edge away; returns the record's LSN.

Errors: `EdgeNotFoundError`, `PageNotFoundError`, `PageFreedError`, `InvalidArgumentError`.
"""
function remove_dependency(state::MMSBState, parent::Integer, child::Integer; kind::Symbol=:data,
                           source::AbstractString="",
                           intent::Union{Nothing,AbstractString}=nothing)
    said, lsn = note(source, intent), Ref{UInt64}(0)
    GC.@preserve state said check(API.rust_graph_remove_edge(
        raw(state), page_id(parent), page_id(child), choice(kind, EDGE_KINDS, "kind"),
        address(said), lsn))
    return lsn[]
end

"""
    get_parents(state, id)::Vector{Dependency}

What a page derives from, in the order in which the edges were added.
"""
get_parents(state::MMSBState, id::Integer) = links(API.rust_graph_parents, state, id)

"""
    get_children(state, id)::Vector{Dependency}

What derives from a page, ascending by page and kind.
"""
get_children(state::MMSBState, id::Integer) = links(API.rust_graph_children, state, id)

function links(call, state, id)
    found = GC.@preserve state filled(API.MmsbLink, 16) do buffer, capacity, len
        call(raw(state), page_id(id), buffer, capacity, len)
    end
    return Dependency[(page=Int(link.page), kind=first(EDGE_KINDS[link.kind + 1])) for link in found]
end

"""
    get_ancestors(state, id)::Vector{Int}

All pages that a page derives from, over any number of edges, ascending.
"""
get_ancestors(state::MMSBState, id::Integer) = reached(API.rust_graph_ancestors, state, id)

"""
    get_descendants(state, id)::Vector{Int}

All pages that derive from a page, over any number of edges, ascending.
"""
get_descendants(state::MMSBState, id::Integer) = reached(API.rust_graph_descendants, state, id)

reached(call, state, id) = GC.@preserve state Vector{Int}(
    filled(UInt64, 64) do buffer, capacity, len
        call(raw(state), page_id(id), buffer, capacity, len)
    end)

"""
    topological_order(state)

All pages with edges, parents before children: a vector of named tuples `(page, height)`, ascending by
height, the most edges on a way from a page without parents, then by page.
"""
function topological_order(state::MMSBState)
    found = GC.@preserve state filled(API.MmsbRank, 64) do buffer, capacity, len
        API.rust_graph_order(raw(state), buffer, capacity, len)
    end
    return [(page=Int(rank.page), height=Int(rank.height)) for rank in found]
end

"""
    delete_cascade(state, id; source="", intent=nothing)::Int

Ends a page and all that derive from it, whatever the kind of edge, as one group; returns how many.
[`delete_page`](@ref) alone refuses a page with children.
"""
function delete_cascade(state::MMSBState, id::Integer; source::AbstractString="",
                        intent::Union{Nothing,AbstractString}=nothing)
    said, count = note(source, intent), Ref{Csize_t}(0)
    GC.@preserve state said check(API.rust_graph_free_cascade(
        raw(state), page_id(id), address(said), count, C_NULL))
    return Int(count[])
end

"""
    DependencyGraph(state)

All edges of a state, to look at: notebooks show it as a picture, `length` counts its edges,
[`graph_svg`](@ref) has the picture as text, [`graph_dot`](@ref) the edges in the DOT language.

```julia
MMSBState() do state
    a, b = create_page(state; size=8), create_page(state; size=8)
    add_dependency(state, a, b)
    @assert length(DependencyGraph(state)) == 1
    @assert occursin("<svg", sprint(show, MIME("image/svg+xml"), DependencyGraph(state)))
end
```
"""
struct DependencyGraph
    state::MMSBState
end

function Base.length(graph::DependencyGraph)
    state, out = graph.state, Ref{UInt64}(0)
    GC.@preserve state check(API.rust_graph_edge_count(raw(state), out))
    return Int(out[])
end

Base.show(io::IO, graph::DependencyGraph) =
    print(io, "DependencyGraph(", isopen(graph.state) ? "$(length(graph)) edges)" : "closed)")

Base.show(io::IO, ::MIME"image/svg+xml", graph::DependencyGraph) =
    write(io, drawn(API.rust_graph_svg, graph.state))

"""
    graph_dot(state)::String

All edges in the DOT language.
"""
graph_dot(state::MMSBState) = String(drawn(API.rust_graph_dot, state))

"""
    graph_svg(state)::String

All edges as an SVG picture, in layers from top to bottom: what notebooks show of a
[`DependencyGraph`](@ref).

```julia
MMSBState() do state
    a, b = create_page(state; size=8), create_page(state; size=8)
    add_dependency(state, a, b)
    write("graph.svg", graph_svg(state))
end
```
"""
graph_svg(state::MMSBState) = String(drawn(API.rust_graph_svg, state))

drawn(call, state) = GC.@preserve state filled(UInt8, 4096) do buffer, capacity, len
    call(raw(state), buffer, capacity, len)
end
