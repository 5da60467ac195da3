"""Edges: seen from both ends, refused by name, part of what is stored."""

from pathlib import Path

import pytest

import mmsb


def diamond(state: mmsb.State) -> list[mmsb.Page]:
    """Return five pages: 1 -> 2, 1 -> 3, 2 -> 4, 3 -> 4, 4 -> 5."""
    pages = [state.create_page(8) for _ in range(5)]
    for parent, child in [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)]:
        assert state.graph.add(pages[parent], pages[child], source="test") == pages[child].lsn
    return pages


def test_edges_are_seen_from_both_ends(state: mmsb.State) -> None:
    p = diamond(state)
    graph = state.graph
    assert graph.add(p[0], p[1]) is None
    assert graph.add(p[0], p[1], "control") is not None
    assert graph.parents(p[3]) == [(p[1], "data"), (p[2], "data")]
    assert graph.children(p[0]) == [(p[1], "data"), (p[1], "control"), (p[2], "data")]
    assert graph.ancestors(p[4].id) == p[:4]
    assert graph.descendants(p[1]) == p[3:]
    assert graph.order() == [(p[0], 0), (p[1], 1), (p[2], 1), (p[3], 2), (p[4], 3)]
    assert (len(graph), repr(graph)) == (6, "<mmsb.Graph of 6 edges>")
    assert "<svg" in graph._repr_svg_()
    assert graph.remove(p[0], p[1], "control") == p[1].lsn
    kinds = [change.kind for change in state.query(page=p[1])]
    assert kinds == ["created", "edge_added", "edge_added", "edge_removed"]


def test_what_cannot_be_is_refused_by_name(state: mmsb.State) -> None:
    p, graph = diamond(state), state.graph
    before = state.digest()
    with pytest.raises(mmsb.Cycle, match="4 -> 5 -> 1"):
        graph.add(p[4], p[0])
    with pytest.raises(mmsb.Cycle, match="itself"):
        graph.add(p[0], p[0])
    with pytest.raises(mmsb.PageNotFound, match="page 99"):
        graph.add(99, p[0])
    with pytest.raises(mmsb.InvalidArgument, match="love"):
        graph.add(p[0], p[4], "love")  # type: ignore[arg-type]
    with pytest.raises(mmsb.EdgeNotFound, match="page 1 to page 5"):
        graph.remove(p[0], p[4])
    with pytest.raises(mmsb.HasChildren, match="page 5"):
        state.free_page(p[3])
    with mmsb.State() as other, pytest.raises(mmsb.InvalidArgument, match="another state"):
        other.graph.add(p[0], p[1])
    assert state.digest() == before
    assert graph.free_cascade(p[1]) == [p[1], p[3], p[4]]
    assert len(graph) == 1


def test_edges_are_stored(folder: Path) -> None:
    with mmsb.State(folder) as state:
        a, b = state.create_page(8), state.create_page(8)
        state.graph.add(a, b, "compiler")
    with mmsb.State(folder) as state:
        assert state.graph.parents(2) == [(state[1], "compiler")]
        with pytest.raises(mmsb.Cycle, match="2 -> 1"):
            state.graph.add(2, 1)
        graph = state.graph
    assert repr(graph) == "<mmsb.Graph of a closed state>"
    with pytest.raises(mmsb.Closed):
        len(graph)
