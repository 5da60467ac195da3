/* The past: changes read back, pages and whole states as they were, verification. */
#include "check.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static MmsbReader reader_of(MmsbState state, const MmsbQuery *query) {
    MmsbReader reader = {0};
    OK(rust_state_query(state, query, &reader));
    return reader;
}

static bool next(MmsbReader reader, MmsbChange *change) {
    bool more = false;
    OK(rust_tlog_reader_next(reader, change, &more));
    return more;
}

static size_t count_of(MmsbState state, const MmsbQuery *query) {
    MmsbReader reader = reader_of(state, query);
    MmsbChange change;
    size_t count = 0;
    while (next(reader, &change)) count++;
    OK(rust_tlog_reader_free(&reader));
    return count;
}

static MmsbQuery all(void) {
    MmsbQuery query;
    OK(rust_query_default(&query));
    return query;
}

static bool is(const void *have, size_t len, const char *want) {
    return have != NULL && len == strlen(want) && memcmp(have, want, len) == 0;
}

static void every_change_tells_who_why_and_what(void) {
    MmsbState state = memory_state();
    const MmsbNote note = {"feed", "quote 17"};
    MmsbPage page;
    MmsbChange c;
    OK(rust_page_create(state, 8, MMSB_LOCATION_GPU, &note, &page));
    OK(rust_page_write(page, 2, BYTES("abc"), NULL, NULL));
    OK(rust_page_metadata_set(page, BYTES("k"), BYTES("v"), &note, NULL));
    OK(rust_page_metadata_remove(page, BYTES("k"), &note, NULL));
    OK(rust_page_free(page, &note, NULL));
    MmsbReader reader = reader_of(state, NULL);
    REQUIRE(next(reader, &c));
    EQ(c.kind, MMSB_CHANGE_KIND_CREATED);
    EQ(c.size, 8);
    EQ(c.location, MMSB_LOCATION_GPU);
    EQ(c.prev, 0);
    CHECK(is(c.source, c.source_len, "feed") && is(c.intent, c.intent_len, "quote 17"));
    CHECK(c.time_ms > UINT64_C(1500000000000));
    uint64_t created = c.lsn;
    REQUIRE(next(reader, &c));
    EQ(c.kind, MMSB_CHANGE_KIND_WRITTEN);
    EQ(c.prev, created);
    CHECK(c.lsn > created && c.page == page.id && c.epoch == 1 && c.runs == 1);
    CHECK(is(c.payload, c.payload_len, "abc"));
    CHECK(c.source_len == 0 && c.intent == NULL);
    REQUIRE(next(reader, &c));
    EQ(c.kind, MMSB_CHANGE_KIND_METADATA);
    CHECK(is(c.key, c.key_len, "k") && is(c.value, c.value_len, "v"));
    REQUIRE(next(reader, &c));
    EQ(c.kind, MMSB_CHANGE_KIND_METADATA);
    CHECK(is(c.key, c.key_len, "k") && c.value == NULL);
    REQUIRE(next(reader, &c));
    EQ(c.kind, MMSB_CHANGE_KIND_FREED);
    c.lsn = 77;
    CHECK(!next(reader, &c) && !next(reader, &c));
    EQ(c.lsn, 77); /* untouched at the end */
    OK(rust_tlog_reader_free(&reader));
    EQ(reader.id, 0);
    OK(rust_state_close(&state));
}

static void a_reader_gives_deltas_of_the_callers_own(void) {
    MmsbState state = memory_state(), other = memory_state();
    MmsbPage page = ramp_page(state, 16), copy = new_page(other, 16);
    MmsbReader reader = reader_of(state, NULL);
    MmsbChange change;
    MmsbDelta delta = {77};
    MmsbDeltaInfo info;
    FAILS(INVALID_ARGUMENT, rust_tlog_reader_delta(reader, &delta), "no change");
    CHECK(next(reader, &change));
    FAILS(INVALID_ARGUMENT, rust_tlog_reader_delta(reader, &delta), "without content");
    EQ(delta.id, 77);
    CHECK(next(reader, &change));
    OK(rust_tlog_reader_delta(reader, &delta));
    EQ(change.page, page.id);
    OK(rust_tlog_reader_free(&reader));
    OK(rust_delta_info(delta, &info));
    EQ(info.lsn, change.lsn);
    EQ(info.epoch, 1);
    CHECK(info.time_ms > 0);
    OK(rust_delta_apply(delta, other.id, NULL));
    EQ(byte_at(copy, 15), 15);
    OK(rust_delta_free(&delta));
    OK(rust_state_close(&state));
    OK(rust_state_close(&other));
}

static void queries_select(void) {
    MmsbState state = memory_state();
    MmsbPage a = new_page(state, 8), b = new_page(state, 8);
    const MmsbNote x = {"x", NULL}, y = {"y", NULL};
    uint64_t third = 0;
    for (uint8_t i = 1; i <= 5; i++) {
        OK(rust_page_write(a, 0, &i, 1, &x, i == 3 ? &third : NULL));
        OK(rust_page_write(b, 0, &i, 1, &y, NULL));
    }
    EQ(count_of(state, NULL), 12);
    MmsbQuery query = all();
    EQ(count_of(state, &query), 12);
    query.page = a.id;
    EQ(count_of(state, &query), 6);
    query.after = third;
    EQ(count_of(state, &query), 2);
    query.after = UINT64_MAX;
    query.to = third;
    EQ(count_of(state, &query), 4);
    query.after = UINT64_MAX - 1;
    EQ(count_of(state, &query), 0);
    query.after = 0;
    EQ(count_of(state, &query), 4);
    query = all();
    query.source = "y";
    EQ(count_of(state, &query), 5);
    query.limit = 2;
    EQ(count_of(state, &query), 2);
    query.limit = 0;
    EQ(count_of(state, &query), 0);
    query = all();
    query.from_ms = UINT64_MAX;
    EQ(count_of(state, &query), 0);
    query = all();
    query.to_ms = 1;
    EQ(count_of(state, &query), 0);
    query = all();
    query.source = "nobody";
    EQ(count_of(state, &query), 0);
    OK(rust_state_close(&state));
}

static void queries_that_mean_nothing_are_refused(void) {
    MmsbState state = memory_state();
    MmsbReader reader = {77};
    MmsbQuery query = all();
    query.page = 99;
    FAILS(PAGE_NOT_FOUND, rust_state_query(state, &query, &reader), "page 99");
    query = all();
    query.source = "\xff";
    FAILS(NOT_UTF8, rust_state_query(state, &query, &reader), "source");
    FAILS(NULL_HANDLE, rust_query_default(NULL), "out");
    EQ(reader.id, 77);
    OK(rust_state_close(&state));
}

static void a_state_is_replayed_to_any_record(void) {
    enum { STEPS = 20 };
    MmsbState state = memory_state();
    MmsbPage page = new_page(state, 16);
    uint64_t lsns[STEPS];
    Digest digests[STEPS];
    for (int i = 0; i < STEPS; i++) {
        uint8_t byte = (uint8_t)(i + 1);
        OK(rust_page_write(page, (uint64_t)i % 16, &byte, 1, NULL, &lsns[i]));
        digests[i] = digest_of(state);
    }
    for (int i = 0; i < STEPS; i += 3) {
        MmsbState past = {0};
        uint8_t now[16], then[16];
        size_t len = 0;
        uint64_t epoch = 0;
        OK(rust_state_replay_to(state, lsns[i], &past));
        SAME(digest_of(past), digests[i]);
        OK(rust_page_read((MmsbPage){past.id, page.id}, 0, now, 16));
        OK(rust_page_at(page, lsns[i], then, 16, &len, &epoch));
        EQ(epoch, i + 1);
        CHECK(len == 16 && memcmp(now, then, 16) == 0);
        OK(rust_state_close(&past));
    }
    OK(rust_state_close(&state));
}

static void the_past_is_read_only(void) {
    MmsbState state = memory_state(), past = {0};
    MmsbPage page = ramp_page(state, 16), then, none = {7, 7};
    uint64_t lsn = 0;
    bool read_only = false;
    MmsbBatch batch;
    OK(rust_state_flush(state, &lsn));
    OK(rust_state_replay_to(state, lsn, &past));
    then = (MmsbPage){past.id, page.id};
    Digest before = digest_of(past);
    OK(rust_state_is_read_only(past, &read_only));
    CHECK(read_only);
    FAILS(READ_ONLY, rust_page_write(then, 0, BYTES("x"), NULL, NULL), "read-only");
    FAILS(READ_ONLY, rust_page_create(past, 8, 0, NULL, &none), "read-only");
    FAILS(READ_ONLY, rust_page_free(then, NULL, NULL), "read-only");
    FAILS(READ_ONLY, rust_page_metadata_set(then, BYTES("k"), BYTES("v"), NULL, NULL), "read-only");
    OK(rust_batch_new(past, &batch));
    OK(rust_batch_write(batch, page.id, 0, BYTES("x")));
    FAILS(READ_ONLY, rust_batch_commit(&batch, NULL, NULL), "read-only");
    SAME(digest_of(past), before);
    OK(rust_state_close(&state)); /* in any order */
    EQ(byte_at(then, 5), 5);
    OK(rust_state_close(&past));
}

/* What the past says of its own past must be right, or an error. */
static void the_past_does_not_make_up_a_past_of_its_own(void) {
    MmsbState state = memory_state(), past = {0}, older = {0};
    MmsbPage page = ramp_page(state, 16);
    uint64_t lsn = 0;
    OK(rust_page_lsn(page, &lsn));
    OK(rust_state_replay_to(state, lsn, &past));
    Digest want = digest_of(past);
    if (rust_state_replay_to(past, lsn, &older) == MMSB_STATUS_OK) {
        SAME(digest_of(older), want);
        OK(rust_state_close(&older));
    }
    /* It has no log to be compared with. */
    FAILS(HISTORY_DROPPED, rust_state_verify(past, NULL, NULL, NULL), "log of its own");
    FAILS(READ_ONLY, rust_checkpoint_create(past, NULL, NULL), "read-only");
    SAME(digest_of(past), want);
    OK(rust_state_close(&past));
    OK(rust_state_close(&state));
}

static void times_that_are_not_are_refused(void) {
    MmsbState state = memory_state(), past = {77};
    MmsbPage page = ramp_page(state, 16);
    uint8_t bytes[16];
    uint64_t lsn = 0, created = 0, epoch = 77;
    size_t len = 77;
    MmsbReader reader = reader_of(state, NULL);
    MmsbChange change;
    CHECK(next(reader, &change));
    created = change.lsn;
    OK(rust_tlog_reader_free(&reader));
    OK(rust_page_lsn(page, &lsn));
    FAILS(LSN_IN_FUTURE, rust_state_replay_to(state, UINT64_MAX, &past), "18446744073709551615");
    FAILS(LSN_IN_FUTURE, rust_page_at(page, UINT64_MAX, bytes, 16, &len, &epoch), "after");
    FAILS(PAGE_NOT_FOUND, rust_page_at(page, created - 1, bytes, 16, &len, &epoch), "page 1");
    EQ(past.id, 77);
    EQ(len, 77);
    FAILS(LENGTH_MISMATCH, rust_page_at(page, lsn, bytes, 15, &len, &epoch), "15", "16");
    EQ(len, 16);
    EQ(epoch, 77);
    FAILS(PAGE_NOT_FOUND, rust_page_at((MmsbPage){state.id, 99}, lsn, bytes, 16, &len, NULL),
          "page 99");
    OK(rust_state_close(&state));
}

static void readers_outlive_their_state(void) {
    MmsbState state = memory_state();
    ramp_page(state, 16);
    MmsbReader reader = reader_of(state, NULL);
    MmsbChange change;
    CHECK(next(reader, &change));
    OK(rust_state_close(&state));
    CHECK(next(reader, &change));
    EQ(change.payload_len, 15); /* the first byte was 0 already */
    CHECK(!next(reader, &change));
    OK(rust_tlog_reader_free(&reader));
}

static int note_bytes(void *context, uint64_t bytes) {
    uint64_t *last = context;
    CHECK(bytes >= *last);
    *last = bytes;
    return 0;
}

/* Stops when the number it was given has come down to 0. */
static int count_down(void *context, uint64_t done) {
    int *left = context;
    UNUSED(done);
    return --*left == 0;
}

static int close_meanwhile(void *context, uint64_t bytes) {
    MmsbState same = *(MmsbState *)context;
    UNUSED(bytes);
    FAILS(INVALID_ARGUMENT, rust_state_close(&same), "in use");
    CHECK(same.id != 0);
    EQ(byte_at((MmsbPage){same.id, 1}, 3), 3); /* other calls are fine */
    return 0;
}

static void verification_looks_at_everything(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 16);
    MmsbVerified verified;
    uint64_t last = 0;
    Digest digest = digest_of(state);
    OK(rust_state_verify(state, note_bytes, &last, &verified));
    EQ(verified.records, 2);
    EQ(last, verified.record_bytes);
    EQ(verified.images, 0);
    CHECK(memcmp(verified.digest, digest.bytes, 32) == 0);
    OK(rust_state_verify(state, NULL, NULL, NULL));
    OK(rust_state_verify(state, close_meanwhile, &state, NULL));
    EQ(byte_at(page, 2), 2);
    OK(rust_state_close(&state));
}

static void a_callback_ends_what_it_is_told_of(void) {
    MmsbState state = memory_state(), past = {77};
    MmsbPage page = new_page(state, 16);
    MmsbVerified verified;
    uint64_t lsn = 0;
    memset(&verified, 77, sizeof verified);
    for (uint8_t i = 1; i <= 9; i++) OK(rust_page_write(page, 0, &i, 1, NULL, &lsn));
    Digest digest = digest_of(state);
    for (int at = 1; at <= 10; at++) {
        int left = at;
        FAILS(CANCELLED, rust_state_verify(state, count_down, &left, &verified), "progress");
        EQ(left, 0);
        EQ(verified.records, UINT64_C(0x4d4d4d4d4d4d4d4d));
        left = at;
        FAILS(CANCELLED, rust_state_replay_with(state, lsn, count_down, &left, &past), "progress");
        EQ(left, 0);
        EQ(past.id, 77);
    }
    int left = 1000;
    OK(rust_state_replay_with(state, lsn, count_down, &left, &past));
    EQ(left, 990); /* once per record */
    SAME(digest_of(past), digest);
    OK(rust_state_close(&past));
    OK(rust_state_replay_with(state, lsn, NULL, NULL, &past));
    SAME(digest_of(past), digest);
    OK(rust_state_close(&past));
    OK(rust_state_verify(state, NULL, NULL, NULL));
    OK(rust_state_close(&state));
}

int main(void) {
    static const Test tests[] = {
        TEST(every_change_tells_who_why_and_what),
        TEST(a_reader_gives_deltas_of_the_callers_own),
        TEST(queries_select),
        TEST(queries_that_mean_nothing_are_refused),
        TEST(a_state_is_replayed_to_any_record),
        TEST(the_past_is_read_only),
        TEST(the_past_does_not_make_up_a_past_of_its_own),
        TEST(times_that_are_not_are_refused),
        TEST(readers_outlive_their_state),
        TEST(verification_looks_at_everything),
        TEST(a_callback_ends_what_it_is_told_of),
    };
    return RUN(tests);
}
