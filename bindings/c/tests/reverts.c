/* Snapshots compared and written to files; soft checkpoints, and the way back to them. */
#include "check.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static MmsbSnapshot take(MmsbState state) {
    MmsbSnapshot snapshot;
    OK(rust_snapshot_new(state, &snapshot));
    return snapshot;
}

static MmsbSoftCheckpoint mark_of(MmsbState state) {
    MmsbSoftCheckpoint mark;
    OK(rust_state_soft_checkpoint(state, &mark));
    return mark;
}

static void what_differs_is_told(void) {
    MmsbState state = memory_state();
    MmsbPage written = ramp_page(state, 1000), marked = ramp_page(state, 10),
             freed = ramp_page(state, 10);
    ramp_page(state, 10);
    MmsbSnapshot before = take(state);
    OK(rust_page_write(written, 100, BYTES("\xff\xfe\xfd"), NULL, NULL));
    OK(rust_page_write(written, 900, BYTES("\xff"), NULL, NULL));
    OK(rust_page_metadata_set(marked, BYTES("k"), BYTES("v"), NULL, NULL));
    OK(rust_page_free(freed, NULL, NULL));
    MmsbPage created = ramp_page(state, 10);
    MmsbSnapshot after = take(state);
    for (int way = 0; way < 2; way++) {
        MmsbComparison found;
        if (way == 0) OK(rust_snapshot_compare(before, after, &found));
        if (way == 1) OK(rust_state_compare(state, before, &found));
        size_t len;
        MmsbDifference at;
        OK(rust_comparison_len(found, &len));
        EQ(len, 4);
        OK(rust_comparison_get(found, 0, &at));
        EQ(at.page, written.id);
        EQ(at.kind, MMSB_DIFFERENCE_KIND_CHANGED);
        CHECK(!at.metadata);
        EQ(at.runs_len, 2);
        EQ(at.runs[0].offset, 100);
        EQ(at.runs[0].len, 3);
        EQ(at.runs[1].offset, 900);
        OK(rust_comparison_get(found, 1, &at));
        EQ(at.page, marked.id);
        CHECK(at.metadata && at.runs == NULL && at.runs_len == 0);
        OK(rust_comparison_get(found, 2, &at));
        EQ(at.kind, MMSB_DIFFERENCE_KIND_FREED);
        EQ(at.page, freed.id);
        OK(rust_comparison_get(found, 3, &at));
        EQ(at.kind, MMSB_DIFFERENCE_KIND_CREATED);
        EQ(at.page, created.id);
        at.page = 77;
        FAILS(INVALID_ARGUMENT, rust_comparison_get(found, 4, &at), "4");
        EQ(at.page, 77);
        OK(rust_comparison_free(&found));
        EQ(found.id, 0);
        OK(rust_comparison_free(&found));
    }
    OK(rust_snapshot_free(&before));
    OK(rust_snapshot_free(&after));
    OK(rust_state_close(&state));
}

static void snapshots_of_two_states_are_refused(void) {
    MmsbState one = memory_state(), other = memory_state();
    MmsbSnapshot a = take(one), b = take(other);
    MmsbComparison found = {77};
    FAILS(INVALID_ARGUMENT, rust_snapshot_compare(a, b, &found), "two states");
    FAILS(INVALID_ARGUMENT, rust_state_compare(one, b, &found), "two states");
    FAILS(NULL_HANDLE, rust_snapshot_compare(a, (MmsbSnapshot){0}, &found), "snapshot");
    FAILS(NULL_HANDLE, rust_snapshot_compare(a, a, NULL), "out");
    EQ(found.id, 77);
    OK(rust_snapshot_free(&a));
    OK(rust_snapshot_free(&b));
    OK(rust_state_close(&one));
    OK(rust_state_close(&other));
}

static int stop(void *context, uint64_t done) {
    UNUSED(context);
    UNUSED(done);
    return 1;
}

static void a_snapshot_is_written_to_a_file(void) {
    MmsbState state = memory_state(), loaded;
    MmsbPage page = ramp_page(state, 5000);
    const char *path = path_in(scratch(), "then.image");
    MmsbSnapshot then = take(state);
    uint64_t lsn, at = 77;
    OK(rust_page_write(page, 0, BYTES("later"), NULL, NULL));
    FAILS(CANCELLED, rust_snapshot_write(then, path, stop, NULL, &at), "progress");
    EQ(at, 77);
    OK(rust_snapshot_write(then, path, NULL, NULL, &at));
    OK(rust_snapshot_lsn(then, &lsn));
    EQ(at, lsn);
    FAILS(INVALID_ARGUMENT, rust_snapshot_write(then, path, NULL, NULL, NULL), "exists");
    FAILS(NULL_HANDLE, rust_snapshot_write(then, NULL, NULL, NULL, NULL), "path");
    OK(rust_checkpoint_load(path, &loaded));
    uint8_t digest[32];
    OK(rust_snapshot_digest(then, &digest));
    CHECK(memcmp(digest_of(loaded).bytes, digest, 32) == 0);
    OK(rust_snapshot_free(&then));
    OK(rust_state_close(&loaded));
    OK(rust_state_close(&state));
}

static void a_state_goes_back(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 16), freed = ramp_page(state, 16);
    OK(rust_page_metadata_set(freed, BYTES("k"), BYTES("v"), NULL, NULL));
    MmsbSoftCheckpoint mark = mark_of(state);
    OK(rust_page_write(page, 0, BYTES("changed"), NULL, NULL));
    OK(rust_page_free(freed, NULL, NULL));
    MmsbPage created = ramp_page(state, 16);
    MmsbNote note = {"me", "no good"};
    uint64_t lsn = 0, then = 0, now = 0, size = 0, epoch = 0;
    uint8_t bytes[16];
    OK(rust_soft_checkpoint_lsn(mark, &then));
    OK(rust_state_revert(state, mark, &note, &lsn));
    OK(rust_soft_checkpoint_lsn(mark, &now));
    CHECK(then < lsn && lsn <= now);
    for (int i = 0; i < 2; i++) {
        OK(rust_page_read(i == 0 ? page : freed, 0, bytes, 16));
        for (uint8_t at = 0; at < 16; at++) EQ(bytes[at], at);
    }
    OK(rust_page_epoch(page, &epoch));
    EQ(epoch, 3);
    size_t len;
    OK(rust_page_metadata_get(freed, BYTES("k"), bytes, 16, &len));
    EQ(len, 1);
    FAILS(PAGE_FREED, rust_page_size(created, &size), "page 3");
    OK(rust_state_revert(state, mark, NULL, &lsn));
    EQ(lsn, 0);
    /* What happened stands in the log, with its note. */
    MmsbReader reader;
    MmsbChange change;
    bool more = true;
    int restored = 0;
    OK(rust_state_query(state, NULL, &reader));
    for (;;) {
        OK(rust_tlog_reader_next(reader, &change, &more));
        if (!more) break;
        if (change.kind != MMSB_CHANGE_KIND_RESTORED) continue;
        restored++;
        EQ(change.page, freed.id);
        EQ(change.size, 16);
        CHECK(change.source_len == 2 && memcmp(change.source, "me", 2) == 0);
    }
    EQ(restored, 1);
    OK(rust_tlog_reader_free(&reader));
    OK(rust_state_verify(state, NULL, NULL, NULL));
    OK(rust_soft_checkpoint_release(&mark));
    EQ(mark.id, 0);
    OK(rust_soft_checkpoint_release(&mark));
    OK(rust_state_close(&state));
}

static void marks_that_cannot_be_gone_back_to(void) {
    MmsbState state = memory_state(), other = memory_state();
    MmsbPage page = ramp_page(state, 16);
    MmsbSoftCheckpoint outer = mark_of(state), inner = mark_of(state);
    uint64_t lsn = 77;
    FAILS(INVALID_ARGUMENT, rust_state_revert(other, outer, NULL, &lsn), "another state");
    OK(rust_page_write(page, 0, BYTES("x"), NULL, NULL));
    OK(rust_state_revert(state, outer, NULL, NULL));
    FAILS(CHECKPOINT_PASSED, rust_state_revert(state, inner, NULL, &lsn), "older");
    FAILS(CHECKPOINT_PASSED, rust_soft_checkpoint_lsn(inner, &lsn), "older");
    MmsbSoftCheckpoint released = outer;
    OK(rust_soft_checkpoint_release(&outer));
    FAILS(STALE_HANDLE, rust_state_revert(state, released, NULL, &lsn), "soft checkpoint");
    FAILS(STALE_HANDLE, rust_soft_checkpoint_release(&released), "soft checkpoint");
    OK(rust_soft_checkpoint_release(&inner));
    /* A mark outlives its state; there is nothing to go back to then. */
    MmsbSoftCheckpoint last = mark_of(state);
    const MmsbState gone = state;
    OK(rust_state_close(&state));
    FAILS(STALE_HANDLE, rust_state_revert(gone, last, NULL, &lsn), "state");
    EQ(lsn, 77);
    OK(rust_soft_checkpoint_release(&last));
    OK(rust_state_close(&other));
}

int main(void) {
    static const Test tests[] = {
        TEST(what_differs_is_told),
        TEST(snapshots_of_two_states_are_refused),
        TEST(a_snapshot_is_written_to_a_file),
        TEST(a_state_goes_back),
        TEST(marks_that_cannot_be_gone_back_to),
    };
    return RUN(tests);
}
