/* Edges: seen from both ends, refused by name, part of what is stored. */
#include "check.h"

static MmsbState diamond(MmsbPage pages[5]) {
    static const int edges[5][2] = {{0, 1}, {0, 2}, {1, 3}, {2, 3}, {3, 4}};
    MmsbState state = memory_state();
    uint64_t lsn = 0;
    for (int i = 0; i < 5; i++) pages[i] = new_page(state, 8);
    for (int i = 0; i < 5; i++) {
        uint64_t parent = pages[edges[i][0]].id, child = pages[edges[i][1]].id;
        OK(rust_graph_add_edge(state, parent, child, MMSB_EDGE_KIND_DATA, NULL, &lsn));
        CHECK(lsn > 0);
    }
    return state;
}

static void edges_are_seen_from_both_ends(void) {
    MmsbPage p[5];
    MmsbState state = diamond(p);
    MmsbLink links[4];
    MmsbRank ranks[5];
    uint64_t ids[5], count = 0, lsn = 9;
    size_t len = 0;
    static char text[1 << 16];
    OK(rust_graph_parents(state, p[3].id, links, 4, &len));
    EQ(len, 2);
    EQ(links[1].page, p[2].id);
    EQ(links[1].kind, MMSB_EDGE_KIND_DATA);
    OK(rust_graph_children(state, p[0].id, links, 4, &len));
    EQ(len, 2);
    EQ(links[0].page, p[1].id);
    OK(rust_graph_ancestors(state, p[4].id, ids, 5, &len));
    EQ(len, 4);
    EQ(ids[0], p[0].id);
    OK(rust_graph_descendants(state, p[1].id, ids, 5, &len));
    EQ(len, 2);
    OK(rust_graph_order(state, ranks, 5, &len));
    EQ(len, 5);
    EQ(ranks[4].height, 3);
    OK(rust_graph_edge_count(state, &count));
    EQ(count, 5);
    OK(rust_graph_dot(state, (uint8_t *)text, sizeof text - 1, &len));
    text[len] = 0;
    CHECK(strstr(text, "1 -> 2") != NULL);
    OK(rust_graph_svg(state, (uint8_t *)text, sizeof text - 1, &len));
    text[len] = 0;
    CHECK(strstr(text, "<svg") != NULL);
    OK(rust_graph_add_edge(state, p[0].id, p[1].id, MMSB_EDGE_KIND_DATA, NULL, &lsn));
    EQ(lsn, 0);
    OK(rust_graph_remove_edge(state, p[3].id, p[4].id, MMSB_EDGE_KIND_DATA, NULL, &lsn));
    CHECK(lsn > 0);
    OK(rust_graph_edge_count(state, &count));
    EQ(count, 4);
    OK(rust_state_close(&state));
}

static void what_cannot_be_is_refused_by_name(void) {
    MmsbPage p[5];
    MmsbState state = diamond(p);
    Digest before = digest_of(state);
    MmsbLink link;
    size_t len = 0, freed = 0;
    FAILS(CYCLE, rust_graph_add_edge(state, 5, 1, 0, NULL, NULL), "1 -> ", "-> 4 -> 5 -> 1");
    FAILS(CYCLE, rust_graph_add_edge(state, 2, 2, 0, NULL, NULL), "page 2", "itself");
    FAILS(PAGE_NOT_FOUND, rust_graph_add_edge(state, 9, 1, 0, NULL, NULL), "page 9");
    FAILS(PAGE_NOT_FOUND, rust_graph_add_edge(state, 1, 0, 0, NULL, NULL), "page 0");
    FAILS(INVALID_ARGUMENT, rust_graph_add_edge(state, 1, 5, 4, NULL, NULL), "4 is no kind");
    FAILS(EDGE_NOT_FOUND, rust_graph_remove_edge(state, 1, 5, 0, NULL, NULL), "page 1", "page 5");
    FAILS(LENGTH_MISMATCH, rust_graph_children(state, 1, &link, 1, &len), "1 edges", "2");
    EQ(len, 2);
    FAILS(NULL_HANDLE, rust_graph_edge_count(state, NULL), "out");
    FAILS(HAS_CHILDREN, rust_page_free(p[3], NULL, NULL), "page 4", "page 5");
    SAME(digest_of(state), before);
    OK(rust_graph_free_cascade(state, p[1].id, NULL, &freed, NULL));
    EQ(freed, 3);
    OK(rust_state_close(&state));
}

int main(void) {
    static const Test tests[] = {
        TEST(edges_are_seen_from_both_ends),
        TEST(what_cannot_be_is_refused_by_name),
    };
    return RUN(tests);
}
