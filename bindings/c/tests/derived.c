/* Derived pages: by formulas and callbacks, kept true, explained, refused by name. */
#include "check.h"

static void put(MmsbPage page, double value) {
    OK(rust_page_update(page, (const uint8_t *)&value, sizeof value, NULL, NULL));
}

static double number(MmsbPage page) {
    double value = -1;
    OK(rust_page_read(page, 0, (uint8_t *)&value, sizeof value));
    return value;
}

/* State and pages of 8 bytes. */
static MmsbState pages_of(MmsbPage *pages, int count) {
    MmsbState state = memory_state();
    for (int i = 0; i < count; i++) pages[i] = new_page(state, 8);
    return state;
}

typedef struct {
    int calls, released;
    double refused; /* a value of the parent that it fails on */
    MmsbState state;
    MmsbStatus inside;
} Context;

static int32_t twice(void *context, uint64_t page, const MmsbBytes *parents, size_t count,
                     uint8_t *out, size_t len, char *message, size_t capacity) {
    Context *c = context;
    double value;
    CHECK(page == 2 && count == 1 && len == 8 && parents[0].len == 8 && capacity >= 64);
    memcpy(&value, parents[0].data, 8);
    c->calls++;
    if (c->state.id) c->inside = rust_propagate_run(c->state, NULL, NULL);
    if (value == c->refused) {
        strcpy(message, "not that one");
        return 7;
    }
    value = 2 * value;
    memcpy(out, &value, 8);
    return 0;
}

static int32_t impure(void *context, uint64_t page, const MmsbBytes *parents, size_t count,
                      uint8_t *out, size_t len, char *message, size_t capacity) {
    (void)page, (void)parents, (void)count, (void)len, (void)message, (void)capacity;
    out[0] = (uint8_t)++((Context *)context)->calls;
    return 0;
}

static void released(void *context) { ((Context *)context)->released++; }

static void a_formula_is_kept_true(void) {
    MmsbPage p[4];
    MmsbState state = pages_of(p, 4);
    uint64_t parents[] = {p[0].id, p[1].id}, lsn = 0;
    uint8_t text[64];
    uint32_t kind = 9;
    size_t len = 0;
    put(p[1], 4);
    OK(rust_propagate_derive(state, p[2].id, parents, 2, "f64: p0 / max(p1, 1)", NULL, &lsn));
    CHECK(lsn > 0);
    OK(rust_propagate_derive(state, p[3].id, &p[2].id, 1, "f64: p0 < 3", NULL, NULL));
    OK(rust_propagate_derive(state, p[3].id, &p[2].id, 1, "f64: p0 < 3", NULL, &lsn));
    EQ(lsn, 0);
    put(p[0], 10);
    CHECK(number(p[2]) == 2.5 && number(p[3]) == 1);
    OK(rust_propagate_rule(state, p[2].id, &kind, text, sizeof text, &len));
    EQ(kind, MMSB_RULE_KIND_FORMULA);
    CHECK(len == 20 && memcmp(text, "f64: p0 / max(p1, 1)", 20) == 0);
    OK(rust_propagate_rule(state, p[0].id, &kind, NULL, 0, &len));
    EQ(kind, MMSB_RULE_KIND_NONE);
    OK(rust_propagate_set_formula(state, p[3].id, "f64: p0 * 4", NULL, NULL));
    CHECK(number(p[3]) == 10);
    OK(rust_propagate_underive(state, p[3].id, NULL, &lsn));
    put(p[3], 1);
    FAILS(NOT_DERIVED, rust_propagate_underive(state, p[3].id, NULL, NULL), "page 4");
    OK(rust_state_close(&state));
}

static void a_callback_is_called_and_released_once(void) {
    MmsbPage p[3];
    MmsbState state = pages_of(p, 3);
    Context first = {0}, second = {0}, third = {0};
    first.refused = second.refused = third.refused = 7;
    OK(rust_propagate_register(state, "twice", twice, &first, released, true));
    OK(rust_propagate_derive_by(state, p[1].id, &p[0].id, 1, "twice", NULL, NULL));
    put(p[0], 4);
    CHECK(number(p[1]) == 8);
    EQ(first.calls, 2);
    Digest before = digest_of(state);
    double seven = 7;
    FAILS(CALLBACK_FAILED, rust_page_update(p[0], (const uint8_t *)&seven, 8, NULL, NULL),
          "page 2", "not that one");
    SAME(digest_of(state), before);
    OK(rust_propagate_register(state, "twice", twice, &second, released, true));
    EQ(first.released, 1);
    put(p[0], 5);
    EQ(first.calls, 3);
    EQ(second.calls, 1);
    /* Replay calls nothing. */
    uint64_t lsn = 0;
    MmsbState past = {0};
    OK(rust_state_flush(state, &lsn));
    OK(rust_state_replay_to(state, lsn, &past));
    SAME(digest_of(past), digest_of(state));
    OK(rust_state_close(&past));
    EQ(second.calls, 1);
    FAILS(NULL_HANDLE, rust_propagate_register(state, "x", NULL, &third, released, true), "callback");
    EQ(third.released, 1);
    FAILS(INVALID_ARGUMENT, rust_propagate_register(state, "", twice, &third, released, true), "0 bytes");
    EQ(third.released, 2);
    FAILS(NULL_HANDLE, rust_propagate_register(state, NULL, twice, &third, released, true), "name");
    EQ(third.released, 3);
    OK(rust_propagate_set_callback(state, p[1].id, "twice", NULL, NULL));
    FAILS(NO_CALLBACK, rust_propagate_set_callback(state, p[1].id, "none", NULL, NULL), "\"none\"");
    OK(rust_state_close(&state));
    EQ(second.released, 1);
}

static void a_callback_that_comes_with_a_page_is_that_pages(void) {
    MmsbPage p[3];
    MmsbState state = pages_of(p, 3);
    Context first = {0}, second = {0}, third = {0};
    first.refused = second.refused = third.refused = 7;
    uint64_t a = p[0].id, b = p[1].id, c = p[2].id, lsn = 0;
    OK(rust_propagate_derive_with(state, b, &a, 1, "twice", twice, &first, released, true, NULL, &lsn));
    CHECK(lsn > 0);
    Digest before = digest_of(state);
    FAILS(CYCLE, rust_propagate_derive_with(state, b, &b, 1, "twice", twice, &second, released, true,
                                            NULL, NULL), "page 2");
    EQ(second.released, 1);
    FAILS(INVALID_ARGUMENT, rust_propagate_derive_with(state, c, &a, 1, "twice", twice, &second, released,
                                                       true, NULL, NULL), "\"twice\"", "page 2");
    EQ(second.released, 2);
    FAILS(NULL_HANDLE, rust_propagate_derive_with(state, c, &a, 1, "none", NULL, &second, released, true,
                                                  NULL, NULL), "callback");
    EQ(second.released, 3);
    SAME(digest_of(state), before);
    put(p[0], 4);
    CHECK(number(p[1]) == 8);
    EQ(second.calls, 0);
    OK(rust_propagate_derive_with(state, b, &a, 1, "twice", twice, &third, released, true, NULL, NULL));
    EQ(first.released, 1);
    OK(rust_state_close(&state));
    EQ(third.released, 1);
}

static void a_callback_that_breaks_the_rules_is_found_out(void) {
    MmsbPage p[3];
    MmsbState state = pages_of(p, 3);
    Context nosy = {0}, other = {0};
    nosy.state = state;
    nosy.refused = -1;
    OK(rust_propagate_register(state, "nosy", twice, &nosy, NULL, false));
    FAILS(CALLBACK_FAILED, rust_propagate_derive_by(state, p[1].id, &p[0].id, 1, "nosy", NULL, NULL),
          "page 2", "calls its state");
    EQ(nosy.inside, MMSB_STATUS_REENTERED);
    OK(rust_propagate_register(state, "impure", impure, &other, NULL, false));
    OK(rust_propagate_derive_by(state, p[2].id, &p[0].id, 1, "impure", NULL, NULL));
    OK(rust_propagate_check_purity(state, true));
    double one = 1;
    FAILS(IMPURE, rust_page_update(p[0], (const uint8_t *)&one, 8, NULL, NULL), "page 3");
    CHECK(number(p[0]) == 0);
    OK(rust_propagate_check_purity(state, false));
    put(p[0], 1);
    OK(rust_propagate_set_patient(false));
    OK(rust_propagate_set_patient(true));
    OK(rust_state_close(&state));
}

static void deferred_pages_are_known_as_stale(void) {
    MmsbPage p[3];
    MmsbState state = pages_of(p, 3);
    uint32_t mark = 9, mode = 9;
    uint64_t stale[3], lsn = 0;
    size_t len = 0;
    MmsbPropagationStats before, after;
    OK(rust_propagate_derive(state, p[1].id, &p[0].id, 1, "u8: p0", NULL, NULL));
    OK(rust_propagate_derive(state, p[2].id, &p[1].id, 1, "u8: p0", NULL, NULL));
    OK(rust_propagate_set_mode(state, MMSB_PROPAGATION_DEFERRED));
    OK(rust_propagate_mode(state, &mode));
    EQ(mode, MMSB_PROPAGATION_DEFERRED);
    OK(rust_propagate_stats(state, &before));
    put(p[0], 3);
    put(p[0], 4);
    OK(rust_propagate_staleness(state, p[1].id, &mark));
    EQ(mark, MMSB_STALENESS_STALE);
    OK(rust_propagate_staleness(state, p[2].id, &mark));
    EQ(mark, MMSB_STALENESS_BEHIND);
    OK(rust_propagate_stale_pages(state, stale, 3, &len));
    EQ(len, 2);
    EQ(stale[0], p[1].id);
    OK(rust_propagate_run(state, NULL, &lsn));
    CHECK(lsn > 0 && number(p[2]) == 4);
    OK(rust_propagate_stats(state, &after));
    EQ(after.computed - before.computed, 2);
    EQ(after.stale, 0);
    OK(rust_propagate_run(state, NULL, &lsn));
    EQ(lsn, 0);
    FAILS(INVALID_ARGUMENT, rust_propagate_set_mode(state, 2), "2 is no mode");
    size_t threads = 0;
    OK(rust_propagate_set_threads(state, 3));
    OK(rust_propagate_threads(state, &threads));
    EQ(threads, 3);
    FAILS(INVALID_ARGUMENT, rust_propagate_set_threads(state, 0), "0 threads", "64");
    FAILS(INVALID_ARGUMENT, rust_propagate_set_threads(state, 65), "65 threads");
    OK(rust_state_close(&state));
}

static void a_page_is_explained(void) {
    MmsbPage p[3];
    MmsbState state = pages_of(p, 3);
    uint64_t parents[] = {p[1].id, p[0].id}, dropped = 9;
    size_t count = 0, len = 0;
    MmsbExplanation told = {0};
    MmsbOrigin origin;
    MmsbNote note = {"feed", "tick 1"};
    char text[512];
    double one = 1;
    OK(rust_propagate_derive(state, p[1].id, &p[0].id, 1, "f64: p0 * 2", NULL, NULL));
    OK(rust_propagate_derive(state, p[2].id, parents, 2, "f64: p0 + p1", NULL, NULL));
    OK(rust_page_update(p[0], (const uint8_t *)&one, 8, &note, NULL));
    OK(rust_propagate_explain(state, p[2].id, &told));
    OK(rust_explanation_len(told, &count, &dropped));
    EQ(count, 3);
    EQ(dropped, 0);
    OK(rust_explanation_get(told, 0, &origin));
    EQ(origin.page, p[2].id);
    EQ(origin.parents_len, 2);
    EQ(origin.parents[1], 2);
    EQ(origin.rule_kind, MMSB_RULE_KIND_FORMULA);
    OK(rust_explanation_get(told, 2, &origin));
    CHECK(origin.intent_len == 6 && memcmp(origin.intent, "tick 1", 6) == 0);
    CHECK(origin.rule == NULL && origin.epoch == 1);
    OK(rust_explanation_text(told, (uint8_t *)text, sizeof text - 1, &len));
    text[len] = 0;
    CHECK(strstr(text, "3@1 = f64: p0 + p1 of 2@1 1@1") != NULL);
    FAILS(INVALID_ARGUMENT, rust_explanation_get(told, 3, &origin), "origin 3");
    OK(rust_explanation_free(&told));
    EQ(told.id, 0);
    FAILS(PAGE_NOT_FOUND, rust_propagate_explain(state, 99, &told), "page 99");
    OK(rust_state_close(&state));
}

static void what_cannot_be_derived_is_refused_by_name(void) {
    MmsbPage p[3];
    MmsbState state = pages_of(p, 3);
    MmsbPage wide = new_page(state, 16);
    uint64_t same[] = {p[0].id, p[0].id}, unknown = 99;
    const uint64_t one = p[0].id, two = p[1].id, three = p[2].id;
    OK(rust_propagate_derive(state, two, &one, 1, "f64: p0", NULL, NULL));
    Digest before = digest_of(state);
    double value = 1;
    FAILS(DERIVED, rust_page_update(p[1], (const uint8_t *)&value, 8, NULL, NULL), "page 2", "f64: p0");
    FAILS(CYCLE, rust_propagate_derive(state, one, &two, 1, "f64: p0", NULL, NULL), "1 -> 2 -> 1");
    FAILS(INVALID_ARGUMENT, rust_propagate_derive(state, three, NULL, 0, "f64: 1", NULL, NULL), "page 3");
    FAILS(NULL_HANDLE, rust_propagate_derive(state, three, NULL, 1, "f64: 1", NULL, NULL), "parents");
    FAILS(NULL_HANDLE, rust_propagate_derive(state, three, &one, 1, NULL, NULL, NULL), "formula");
    FAILS(INVALID_ARGUMENT, rust_propagate_derive(state, three, same, 2, "f64: p0", NULL, NULL), "twice");
    FAILS(LENGTH_MISMATCH, rust_propagate_derive(state, three, &wide.id, 1, "f64: p0", NULL, NULL),
          "2 elements");
    FAILS(INVALID_ARGUMENT, rust_propagate_derive(state, three, &one, 1, "f64: p0 +", NULL, NULL), "");
    FAILS(PAGE_NOT_FOUND, rust_propagate_derive(state, three, &unknown, 1, "f64: p0", NULL, NULL),
          "page 99");
    FAILS(HAS_CHILDREN, rust_page_free(p[0], NULL, NULL), "page 2");
    FAILS(NULL_HANDLE, rust_propagate_stats(state, NULL), "out");
    SAME(digest_of(state), before);
    OK(rust_state_close(&state));
    FAILS(NULL_HANDLE, rust_propagate_run(state, NULL, NULL), "state");
}

static void semirings_by_themselves(void) {
    const double values[] = {3, 1};
    double out = 0;
    OK(rust_semiring_add(MMSB_SEMIRING_MIN_PLUS, 2, 3, &out));
    CHECK(out == 2);
    OK(rust_semiring_mul(MMSB_SEMIRING_MIN_PLUS, 2, 3, &out));
    CHECK(out == 5);
    OK(rust_semiring_fold_add(MMSB_SEMIRING_MAX_PLUS, values, 2, &out));
    CHECK(out == 3);
    OK(rust_semiring_fold_mul(MMSB_SEMIRING_REAL, values, 2, &out));
    CHECK(out == 3);
    OK(rust_semiring_fold_mul(MMSB_SEMIRING_BOOLEAN, NULL, 0, &out));
    CHECK(out == 1);
    OK(rust_semiring_accumulate(MMSB_SEMIRING_COUNTING, 10, values, 2, &out));
    CHECK(out == 14);
    FAILS(INVALID_ARGUMENT, rust_semiring_add(5, 1, 1, &out), "5 is no semiring");
    FAILS(NULL_HANDLE, rust_semiring_fold_add(0, NULL, 2, &out), "values");
}

int main(void) {
    static const Test tests[] = {
        TEST(a_formula_is_kept_true),
        TEST(a_callback_is_called_and_released_once),
        TEST(a_callback_that_comes_with_a_page_is_that_pages),
        TEST(a_callback_that_breaks_the_rules_is_found_out),
        TEST(deferred_pages_are_known_as_stale),
        TEST(a_page_is_explained),
        TEST(what_cannot_be_derived_is_refused_by_name),
        TEST(semirings_by_themselves),
    };
    return RUN(tests);
}
