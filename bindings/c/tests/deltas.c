/* Deltas: built, inspected, merged, validated, applied. */
#include "check.h"

static const uint8_t letters[16] = "abcdefghijklmnop";

static MmsbDelta dense(uint64_t page, size_t len) {
    MmsbDelta delta = {0};
    OK(rust_delta_new(page, letters, len, &delta));
    return delta;
}

static MmsbDelta of_runs(uint64_t page, const MmsbRun *runs, size_t count, size_t bytes) {
    MmsbDelta delta = {0};
    OK(rust_delta_new_runs(page, runs, count, letters, bytes, &delta));
    return delta;
}

static void a_dense_delta_is_a_whole_page(void) {
    MmsbDelta delta = dense(7, 16);
    MmsbDeltaInfo info;
    MmsbRun run;
    uint8_t payload[16];
    size_t len = 0;
    OK(rust_delta_info(delta, &info));
    EQ(info.page, 7);
    CHECK(info.dense);
    EQ(info.runs, 1);
    EQ(info.payload_bytes, 16);
    EQ(info.span_begin, 0);
    EQ(info.span_end, 16);
    EQ(info.lsn, 0);
    EQ(info.epoch, 0);
    EQ(info.time_ms, 0);
    OK(rust_delta_runs(delta, &run, 1, &len));
    EQ(run.len, 16);
    OK(rust_delta_payload(delta, payload, 16, &len));
    EQ(len, 16);
    CHECK(memcmp(payload, letters, 16) == 0);
    OK(rust_delta_validate(delta, 16));
    FAILS(LENGTH_MISMATCH, rust_delta_validate(delta, 17), "16", "17");
    OK(rust_delta_free(&delta));
    EQ(delta.id, 0);
}

static void a_sparse_delta_keeps_what_the_mask_shows(void) {
    static const uint8_t mask[16] = {[1] = 1, [2] = 9, [14] = 255};
    MmsbDelta delta, nothing;
    MmsbDeltaInfo info;
    MmsbRun runs[4];
    uint8_t payload[16];
    static const uint8_t zeros[16] = {0};
    size_t count = 0, len = 0;
    OK(rust_delta_new_sparse(1, mask, letters, 16, &delta));
    OK(rust_delta_info(delta, &info));
    CHECK(!info.dense);
    EQ(info.span_begin, 1);
    EQ(info.span_end, 15);
    OK(rust_delta_runs(delta, runs, 4, &count));
    EQ(count, info.runs);
    OK(rust_delta_payload(delta, payload, 16, &len));
    EQ(len, info.payload_bytes);
    EQ(payload[0], 'b');
    EQ(payload[len - 1], 'o');
    FAILS(LENGTH_MISMATCH, rust_delta_validate(delta, 15), "16", "15");
    OK(rust_delta_new_sparse(1, zeros, letters, 16, &nothing));
    OK(rust_delta_info(nothing, &info));
    EQ(info.runs, 0);
    OK(rust_delta_free(&delta));
    OK(rust_delta_free(&nothing));
}

static void runs_must_ascend_and_fit(void) {
    MmsbDelta delta = {77};
    const MmsbRun good[] = {{0, 2}, {2, 1}, {100, 3}};
    const MmsbRun overlap[] = {{0, 3}, {2, 2}}, back[] = {{8, 2}, {4, 2}};
    const MmsbRun empty[] = {{0, 2}, {4, 0}};
    const MmsbRun far[] = {{(UINT64_C(1) << 30) - 1, 2}}, beyond[] = {{UINT64_MAX, 1}};
    const MmsbRun endless[] = {{0, UINT64_MAX}};
    FAILS(RUNS_INVALID, rust_delta_new_runs(1, overlap, 2, letters, 5, &delta), "run 1", "2", "3");
    FAILS(RUNS_INVALID, rust_delta_new_runs(1, back, 2, letters, 4, &delta), "run 1", "4", "10");
    FAILS(RUNS_INVALID, rust_delta_new_runs(1, empty, 2, letters, 2, &delta), "run 1");
    FAILS(RANGE_OUT_OF_BOUNDS, rust_delta_new_runs(1, far, 1, letters, 2, &delta), "1073741825",
          "1073741824");
    FAILS(RANGE_OUT_OF_BOUNDS, rust_delta_new_runs(1, beyond, 1, letters, 1, &delta),
          "18446744073709551615");
    FAILS(RANGE_OUT_OF_BOUNDS, rust_delta_new_runs(1, endless, 1, letters, 1, &delta),
          "18446744073709551615");
    FAILS(LENGTH_MISMATCH, rust_delta_new_runs(1, good, 3, letters, 5, &delta), "6", "5");
    FAILS(LENGTH_MISMATCH, rust_delta_new_runs(1, good, 3, letters, 7, &delta), "6", "7");
    FAILS(NULL_HANDLE, rust_delta_new_runs(1, NULL, 3, letters, 6, &delta), "runs");
    FAILS(NULL_HANDLE, rust_delta_new_runs(1, good, 3, NULL, 6, &delta), "payload");
    FAILS(NULL_HANDLE, rust_delta_new_runs(1, good, 3, letters, 6, NULL), "out");
    EQ(delta.id, 77);
    delta = of_runs(1, good, 3, 6);
    OK(rust_delta_validate(delta, 103));
    FAILS(RANGE_OUT_OF_BOUNDS, rust_delta_validate(delta, 102), "103", "102");
    OK(rust_delta_free(&delta));
}

static void buffers_of_new_deltas_are_checked(void) {
    MmsbDelta delta = {77};
    FAILS(SIZE_OUT_OF_RANGE, rust_delta_new(1, letters, 0, &delta), "0 bytes", "1073741824");
    FAILS(NULL_HANDLE, rust_delta_new(1, NULL, 16, &delta), "bytes");
    FAILS(NULL_HANDLE, rust_delta_new(1, letters, 16, NULL), "out");
    FAILS(INVALID_ARGUMENT, rust_delta_new(1, letters, SIZE_MAX, &delta), "memory");
    FAILS(NULL_HANDLE, rust_delta_new_sparse(1, NULL, letters, 16, &delta), "mask");
    FAILS(NULL_HANDLE, rust_delta_new_sparse(1, letters, NULL, 16, &delta), "bytes");
    FAILS(NULL_HANDLE, rust_delta_new_sparse(1, letters, letters, 16, NULL), "out");
    FAILS(SIZE_OUT_OF_RANGE, rust_delta_new_sparse(1, letters, letters, 0, &delta), "0 bytes");
    EQ(delta.id, 77);
}

static void a_delta_carries_a_note(void) {
    MmsbDelta plain = dense(1, 4), noted;
    char source[300], text[64];
    size_t len = 99;
    bool present = true;
    OK(rust_delta_source(plain, NULL, 0, &len));
    EQ(len, 0);
    OK(rust_delta_intent(plain, NULL, 0, &len, &present));
    CHECK(!present);
    OK(rust_delta_with_note(plain, "feed", "it was late", &noted));
    OK(rust_delta_source(noted, (uint8_t *)text, sizeof text, &len));
    EQ(len, 4);
    CHECK(memcmp(text, "feed", 4) == 0);
    OK(rust_delta_intent(noted, (uint8_t *)text, sizeof text, &len, &present));
    CHECK(present && len == 11 && memcmp(text, "it was late", 11) == 0);
    OK(rust_delta_intent(noted, (uint8_t *)text, sizeof text, &len, NULL));
    FAILS(LENGTH_MISMATCH, rust_delta_source(noted, (uint8_t *)text, 3, &len), "3", "4");
    EQ(len, 4);
    memset(source, 'x', 256);
    source[256] = 0;
    MmsbDelta untouched = {77};
    FAILS(TOO_LONG, rust_delta_with_note(plain, source, NULL, &untouched), "256", "255");
    FAILS(NOT_UTF8, rust_delta_with_note(plain, "\xc3(", NULL, &untouched), "source", "0");
    FAILS(NOT_UTF8, rust_delta_with_note(plain, NULL, "a\xff", &untouched), "intent", "1");
    EQ(untouched.id, 77);
    OK(rust_delta_free(&plain));
    OK(rust_delta_free(&noted));
}

static void applied_to_a_state(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 16);
    const MmsbRun runs[] = {{2, 2}, {10, 1}}, too_far[] = {{15, 2}};
    MmsbDelta delta = of_runs(page.id, runs, 2, 3), wide = of_runs(page.id, too_far, 1, 2);
    MmsbDelta none = dense(99, 16), short_one = dense(page.id, 15);
    uint64_t lsn = 0;
    OK(rust_delta_apply(delta, state.id, &lsn));
    CHECK(lsn > 0);
    EQ(byte_at(page, 2), 'a');
    EQ(byte_at(page, 3), 'b');
    EQ(byte_at(page, 4), 4);
    EQ(byte_at(page, 10), 'c');
    OK(rust_delta_apply_to(delta, page, &lsn));
    EQ(lsn, 0); /* it is so already */
    Digest before = digest_of(state);
    lsn = 77;
    FAILS(RANGE_OUT_OF_BOUNDS, rust_delta_apply(wide, state.id, &lsn), "17", "16");
    FAILS(LENGTH_MISMATCH, rust_delta_apply(short_one, state.id, &lsn), "15", "16");
    FAILS(PAGE_NOT_FOUND, rust_delta_apply(none, state.id, &lsn), "page 99");
    FAILS(INVALID_ARGUMENT, rust_delta_apply_to(none, page, &lsn), "page 99", "page 1");
    EQ(lsn, 77);
    SAME(digest_of(state), before);
    OK(rust_delta_free(&delta));
    OK(rust_delta_free(&wide));
    OK(rust_delta_free(&none));
    OK(rust_delta_free(&short_one));
    OK(rust_state_close(&state));
}

static void merged_the_later_one_wins(void) {
    const MmsbRun first[] = {{0, 4}}, second[] = {{2, 4}};
    MmsbDelta earlier = of_runs(1, first, 1, 4), later = of_runs(1, second, 1, 4), both = {0};
    MmsbDelta foreign = dense(2, 16), untouched = {77};
    MmsbDelta short_one = dense(1, 8), tall = dense(1, 16);
    uint8_t payload[16];
    size_t len = 0;
    OK(rust_delta_merge(earlier, later, &both));
    OK(rust_delta_payload(both, payload, 16, &len));
    EQ(len, 6);
    CHECK(memcmp(payload, "ababcd", 6) == 0);
    FAILS(INVALID_ARGUMENT, rust_delta_merge(earlier, foreign, &untouched), "page 1", "page 2");
    FAILS(LENGTH_MISMATCH, rust_delta_merge(tall, short_one, &untouched), "8", "16");
    EQ(untouched.id, 77);
    OK(rust_delta_free(&earlier));
    OK(rust_delta_free(&later));
    OK(rust_delta_free(&both));
    OK(rust_delta_free(&foreign));
    OK(rust_delta_free(&short_one));
    OK(rust_delta_free(&tall));
}

int main(void) {
    static const Test tests[] = {
        TEST(a_dense_delta_is_a_whole_page),
        TEST(a_sparse_delta_keeps_what_the_mask_shows),
        TEST(runs_must_ascend_and_fit),
        TEST(buffers_of_new_deltas_are_checked),
        TEST(a_delta_carries_a_note),
        TEST(applied_to_a_state),
        TEST(merged_the_later_one_wins),
    };
    return RUN(tests);
}
