# Edges: seen from both ends, refused by name, part of what is stored.

@testset "edges" begin
    MMSBState() do state
        p = [create_page(state; size=8) for _ in 1:5]
        for (parent, child) in [(1, 2), (1, 3), (2, 4), (3, 4), (4, 5)]
            @test add_dependency(state, p[parent], p[child]; source="test") > 0
        end
        @test add_dependency(state, p[1], p[2]) == 0
        @test add_dependency(state, p[1], p[2]; kind=:control) > 0
        @test get_parents(state, p[4]) == [(page=p[2], kind=:data), (page=p[3], kind=:data)]
        @test get_children(state, p[1]) isa Vector{Dependency}
        @test [x.page for x in get_children(state, p[1])] == [p[2], p[2], p[3]]
        @test get_ancestors(state, p[5]) == p[1:4] && get_descendants(state, p[2]) == p[4:5]
        @test [x.height for x in topological_order(state)] == [0, 1, 1, 2, 3]
        graph = DependencyGraph(state)
        @test length(graph) == 6 && string(graph) == "DependencyGraph(6 edges)"
        @test occursin("1 -> 2", graph_dot(state))
        svg = graph_svg(state)
        @test startswith(svg, "<svg") && endswith(strip(svg), "</svg>")
        @test sprint(show, MIME("image/svg+xml"), graph) == svg
        @test remove_dependency(state, p[1], p[2]; kind=:control) > 0
        kinds = [change.kind for change in query_log(state; page=p[2])]
        @test kinds == [:created, :edge_added, :edge_added, :edge_removed]

        before = digest(state)
        @test throws(() -> add_dependency(state, p[5], p[1]), CycleError, "1 -> ", "-> 5 -> 1")
        @test throws(() -> add_dependency(state, p[1], p[1]), CycleError, "itself")
        @test throws(() -> add_dependency(state, 99, p[1]), PageNotFoundError, "page 99")
        @test throws(() -> add_dependency(state, p[1], p[5]; kind=:love), InvalidArgumentError, "love")
        @test throws(() -> remove_dependency(state, p[1], p[5]), EdgeNotFoundError, "page 5")
        @test throws(() -> delete_page(state, p[4]), HasChildrenError, "page 5")
        @test digest(state) == before == digest(replay_log(state))
        @test delete_cascade(state, p[2]) == 3 && length(graph) == 1
    end
end

@testset "edges are stored" begin
    dir = joinpath(mktempdir(), "state")
    MMSBState(path=dir) do state
        a, b = create_page(state; size=8), create_page(state; size=8)
        add_dependency(state, a, b; kind=:compiler)
    end
    MMSBState(path=dir) do state
        @test get_parents(state, 2) == [(page=1, kind=:compiler)]
        @test throws(() -> add_dependency(state, 2, 1), CycleError, "2 -> 1")
    end
end
