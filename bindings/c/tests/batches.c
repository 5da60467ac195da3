/* Batches: all changes or none, as one record. */
#include "check.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static MmsbBatch new_batch(MmsbState state) {
    MmsbBatch batch = {0};
    OK(rust_batch_new(state, &batch));
    return batch;
}

static void all_kinds_of_changes_are_one_record(void) {
    MmsbState state = memory_state();
    MmsbPage a = ramp_page(state, 8), b = ramp_page(state, 8), gone = new_page(state, 8);
    const MmsbNote note = {"batch", "together"};
    MmsbBatch batch = new_batch(state);
    MmsbDelta delta;
    uint64_t id = 0, lsn = 0, last = 0;
    OK(rust_delta_new(b.id, BYTES("deltaaaa"), &delta));
    OK(rust_batch_create_page(batch, 4, MMSB_LOCATION_CPU, &id));
    EQ(id, 4);
    OK(rust_batch_update(batch, id, BYTES("made")));
    OK(rust_batch_write(batch, a.id, 2, BYTES("xy")));
    OK(rust_batch_write(batch, a.id, 3, BYTES("z")));
    OK(rust_batch_apply(batch, delta));
    OK(rust_delta_free(&delta)); /* it was copied */
    OK(rust_batch_metadata_set(batch, a.id, BYTES("k"), BYTES("v")));
    OK(rust_batch_free_page(batch, gone.id));
    EQ(byte_at(a, 2), 2); /* nothing has happened yet */
    OK(rust_batch_commit(&batch, &note, &lsn));
    EQ(batch.id, 0);
    EQ(byte_at(a, 2), 'x');
    EQ(byte_at(a, 3), 'z');
    EQ(byte_at(b, 0), 'd');
    EQ(byte_at((MmsbPage){state.id, id}, 3), 'e');
    EQ(epoch_of(a), 2);
    FAILS(PAGE_FREED, rust_page_epoch(gone, &last), "page 3");
    OK(rust_page_lsn(a, &last));
    EQ(last, lsn);
    OK(rust_page_lsn(b, &last));
    EQ(last, lsn);
    batch = new_batch(state);
    OK(rust_batch_metadata_remove(batch, a.id, BYTES("k")));
    OK(rust_batch_commit(&batch, NULL, NULL));
    OK(rust_state_close(&state));
}

static void what_changes_nothing_is_no_record(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 4);
    MmsbBatch batch = new_batch(state);
    uint64_t lsn = 77;
    OK(rust_batch_commit(&batch, NULL, &lsn));
    EQ(lsn, 0);
    batch = new_batch(state);
    OK(rust_batch_write(batch, page.id, 1, (const uint8_t[]){1, 2}, 2));
    OK(rust_batch_commit(&batch, NULL, &lsn));
    EQ(lsn, 0);
    EQ(epoch_of(page), 1);
    OK(rust_state_close(&state));
}

/* Fills a batch with a good change and what `spoil` adds; committing it must fail and change
 * nothing. */
static void spoilt(void (*spoil)(MmsbBatch), MmsbStatus want) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 8), freed = new_page(state, 8);
    uint64_t lsn = 77;
    OK(rust_page_free(freed, NULL, NULL));
    Digest before = digest_of(state);
    MmsbBatch batch = new_batch(state);
    OK(rust_batch_write(batch, page.id, 0, BYTES("good")));
    spoil(batch);
    MmsbStatus status = rust_batch_commit(&batch, NULL, &lsn);
    EQ(status, want);
    EQ(batch.id, 0); /* over, also on error */
    EQ(lsn, 77);
    SAME(digest_of(state), before);
    EQ(new_page(state, 1).id, 3); /* ids of pages that were not created come back */
    OK(rust_state_close(&state));
}

static void of_unknown(MmsbBatch batch) { OK(rust_batch_write(batch, 99, 0, BYTES("x"))); }
static void of_freed(MmsbBatch batch) { OK(rust_batch_write(batch, 2, 0, BYTES("x"))); }
static void frees_unknown(MmsbBatch batch) { OK(rust_batch_free_page(batch, 99)); }
static void too_far(MmsbBatch batch) { OK(rust_batch_write(batch, 1, 7, BYTES("xy"))); }
static void no_such_key(MmsbBatch batch) { OK(rust_batch_metadata_remove(batch, 1, BYTES("k"))); }
static void creates_and_fails(MmsbBatch batch) {
    uint64_t id = 0;
    OK(rust_batch_create_page(batch, 8, MMSB_LOCATION_CPU, &id));
    EQ(id, 3);
    OK(rust_batch_write(batch, id, 100, BYTES("x")));
}

static void one_bad_change_undoes_all(void) {
    spoilt(of_unknown, MMSB_STATUS_PAGE_NOT_FOUND);
    spoilt(of_freed, MMSB_STATUS_PAGE_FREED);
    spoilt(frees_unknown, MMSB_STATUS_PAGE_NOT_FOUND);
    spoilt(too_far, MMSB_STATUS_RANGE_OUT_OF_BOUNDS);
    spoilt(no_such_key, MMSB_STATUS_KEY_NOT_FOUND);
    spoilt(creates_and_fails, MMSB_STATUS_RANGE_OUT_OF_BOUNDS);
}

static void bad_changes_are_refused_at_once_where_they_can_be(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 8);
    MmsbBatch batch = new_batch(state);
    static uint8_t long_value[65536];
    uint64_t id = 77;
    FAILS(SIZE_OUT_OF_RANGE, rust_batch_create_page(batch, 0, 0, &id), "0 bytes");
    FAILS(SIZE_OUT_OF_RANGE, rust_batch_create_page(batch, UINT64_MAX, 0, &id), "1073741824");
    FAILS(INVALID_ARGUMENT, rust_batch_create_page(batch, 8, 3, &id), "location 3");
    EQ(id, 77);
    FAILS(SIZE_OUT_OF_RANGE, rust_batch_update(batch, page.id, NULL, 0), "0 bytes");
    FAILS(NULL_HANDLE, rust_batch_update(batch, page.id, NULL, 8), "bytes");
    FAILS(NULL_HANDLE, rust_batch_write(batch, page.id, 0, NULL, 8), "bytes");
    FAILS(RANGE_OUT_OF_BOUNDS, rust_batch_write(batch, page.id, UINT64_MAX, BYTES("x")),
          "1073741824");
    FAILS(INVALID_ARGUMENT, rust_batch_metadata_set(batch, page.id, NULL, 0, BYTES("v")), "key");
    FAILS(TOO_LONG, rust_batch_metadata_set(batch, page.id, BYTES("k"), long_value, 65536),
          "65536", "65535");
    FAILS(NULL_HANDLE, rust_batch_metadata_set(batch, page.id, NULL, 1, BYTES("v")), "key");
    FAILS(NULL_HANDLE, rust_batch_metadata_remove(batch, page.id, NULL, 1), "key");
    OK(rust_batch_free_page(batch, page.id));
    FAILS(PAGE_FREED, rust_batch_write(batch, page.id, 0, BYTES("x")), "page 1");
    FAILS(PAGE_FREED, rust_batch_free_page(batch, page.id), "page 1");
    OK(rust_batch_free(&batch));
    EQ(byte_at(page, 1), 1);
    OK(rust_state_close(&state));
}

/* A change that is refused leaves those before it in the batch. */
static void a_refused_change_leaves_the_others(void) {
    MmsbState state = memory_state();
    MmsbPage page = new_page(state, 8);
    MmsbBatch batch = new_batch(state);
    uint64_t lsn = 0;
    OK(rust_batch_update(batch, page.id, BYTES("12345678")));
    FAILS(LENGTH_MISMATCH, rust_batch_update(batch, page.id, BYTES("1234")), "4", "8");
    OK(rust_batch_commit(&batch, NULL, &lsn));
    CHECK(lsn > 0);
    EQ(byte_at(page, 7), '8');
    OK(rust_state_close(&state));
}

static void a_batch_that_is_given_up_leaves_nothing(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 8);
    Digest before = digest_of(state);
    MmsbBatch batch = new_batch(state);
    uint64_t id = 0;
    OK(rust_batch_create_page(batch, 8, MMSB_LOCATION_CPU, &id));
    OK(rust_batch_write(batch, page.id, 0, BYTES("never")));
    OK(rust_batch_free(&batch));
    EQ(batch.id, 0);
    SAME(digest_of(state), before);
    EQ(new_page(state, 1).id, id);
    OK(rust_state_close(&state));
}

/* "Ends the batch, *batch becomes zero, also on error." */
static void a_bad_note_ends_the_batch_too(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 8);
    Digest before = digest_of(state);
    char source[300];
    memset(source, 'x', 256);
    source[256] = 0;
    const MmsbNote too_long = {source, NULL}, not_utf8 = {"\xff", NULL};
    MmsbBatch batch = new_batch(state);
    OK(rust_batch_write(batch, page.id, 0, BYTES("x")));
    FAILS(TOO_LONG, rust_batch_commit(&batch, &too_long, NULL), "256", "255");
    EQ(batch.id, 0);
    batch = new_batch(state);
    OK(rust_batch_write(batch, page.id, 0, BYTES("x")));
    FAILS(NOT_UTF8, rust_batch_commit(&batch, &not_utf8, NULL), "source");
    EQ(batch.id, 0);
    rust_batch_free(&batch);
    SAME(digest_of(state), before);
    OK(rust_state_close(&state));
}

static void a_batch_outlives_its_state_without_harm(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 8);
    MmsbBatch batch = new_batch(state);
    uint64_t id = 77;
    OK(rust_batch_write(batch, page.id, 0, BYTES("x")));
    OK(rust_state_close(&state));
    FAILS(CLOSED, rust_batch_create_page(batch, 8, MMSB_LOCATION_CPU, &id), "closed");
    FAILS(CLOSED, rust_batch_commit(&batch, NULL, NULL), "closed");
    EQ(id, 77);
    EQ(batch.id, 0);
}

int main(void) {
    static const Test tests[] = {
        TEST(all_kinds_of_changes_are_one_record),
        TEST(what_changes_nothing_is_no_record),
        TEST(one_bad_change_undoes_all),
        TEST(bad_changes_are_refused_at_once_where_they_can_be),
        TEST(a_refused_change_leaves_the_others),
        TEST(a_batch_that_is_given_up_leaves_nothing),
        TEST(a_bad_note_ends_the_batch_too),
        TEST(a_batch_outlives_its_state_without_harm),
    };
    return RUN(tests);
}
