/* Snapshots and views: the past that is held on to while writers go on. */
#include "check.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static MmsbSnapshot take(MmsbState state) {
    MmsbSnapshot snapshot = {0};
    OK(rust_snapshot_new(state, &snapshot));
    return snapshot;
}

static void a_snapshot_stays_as_it_was(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 16), gone = ramp_page(state, 8);
    Digest before = digest_of(state), seen = {{0}};
    MmsbSnapshot snapshot = take(state);
    uint64_t ids[4] = {0}, number = 0, lsn = 0;
    size_t count = 0;
    uint8_t bytes[16];
    OK(rust_page_write(page, 0, BYTES("changed"), NULL, NULL));
    OK(rust_page_free(gone, NULL, NULL));
    new_page(state, 4);
    OK(rust_snapshot_digest(snapshot, &seen.bytes));
    SAME(seen, before);
    OK(rust_snapshot_read(snapshot, page.id, 1, bytes, 3));
    EQ(bytes[0], 1);
    OK(rust_snapshot_page_size(snapshot, gone.id, &number));
    EQ(number, 8);
    OK(rust_snapshot_page_epoch(snapshot, page.id, &number));
    EQ(number, 1);
    OK(rust_snapshot_list_pages(snapshot, ids, 4, &count));
    EQ(count, 2);
    EQ(ids[1], 2);
    OK(rust_snapshot_lsn(snapshot, &number));
    OK(rust_page_lsn(page, &lsn));
    CHECK(number < lsn);
    OK(rust_snapshot_free(&snapshot));
    EQ(snapshot.id, 0);
    OK(rust_state_close(&state));
}

static void what_was_not_there_then_is_refused(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 16), freed = ramp_page(state, 8);
    OK(rust_page_free(freed, NULL, NULL));
    MmsbSnapshot snapshot = take(state);
    MmsbPage later = ramp_page(state, 8);
    uint64_t number = 77, ids[1] = {77};
    size_t count = 0;
    uint8_t bytes[17] = {0x5A};
    FAILS(PAGE_NOT_FOUND, rust_snapshot_page_size(snapshot, later.id, &number), "page 3");
    FAILS(PAGE_NOT_FOUND, rust_snapshot_page_epoch(snapshot, freed.id, &number), "page 2");
    FAILS(PAGE_NOT_FOUND, rust_snapshot_read(snapshot, 0, 0, bytes, 1), "page 0");
    FAILS(PAGE_NOT_FOUND, rust_snapshot_read(snapshot, UINT64_MAX, 0, bytes, 1), "page");
    FAILS(RANGE_OUT_OF_BOUNDS, rust_snapshot_read(snapshot, page.id, 0, bytes, 17), "17", "16");
    FAILS(RANGE_OUT_OF_BOUNDS, rust_snapshot_read(snapshot, page.id, UINT64_MAX, bytes, 1), "16");
    FAILS(NULL_HANDLE, rust_snapshot_read(snapshot, page.id, 0, NULL, 1), "buf");
    EQ(bytes[0], 0x5A);
    EQ(number, 77);
    ramp_page(state, 1);
    MmsbSnapshot second = take(state);
    FAILS(LENGTH_MISMATCH, rust_snapshot_list_pages(second, ids, 1, &count), "1", "3");
    EQ(count, 3);
    EQ(ids[0], 77);
    OK(rust_snapshot_free(&second));
    OK(rust_snapshot_free(&snapshot));
    OK(rust_state_close(&state));
}

static void metadata_is_that_of_the_snapshot(void) {
    static const uint8_t want[] = {1, 0, 'a', 5, 0, 'c', 'o', 'l', 'o', 'r'};
    MmsbState state = memory_state();
    MmsbPage page = new_page(state, 8), bare = new_page(state, 8);
    uint8_t bytes[16];
    size_t len = 0;
    OK(rust_page_metadata_set(page, BYTES("color"), BYTES("red"), NULL, NULL));
    OK(rust_page_metadata_set(page, BYTES("a"), BYTES(""), NULL, NULL));
    MmsbSnapshot snapshot = take(state);
    OK(rust_page_metadata_set(page, BYTES("color"), BYTES("blue"), NULL, NULL));
    OK(rust_page_metadata_set(bare, BYTES("later"), BYTES("x"), NULL, NULL));
    OK(rust_page_free(page, NULL, NULL));
    OK(rust_snapshot_metadata_keys(snapshot, page.id, bytes, sizeof bytes, &len));
    EQ(len, sizeof want);
    CHECK(memcmp(bytes, want, sizeof want) == 0);
    OK(rust_snapshot_metadata_get(snapshot, page.id, BYTES("color"), bytes, 3, &len));
    EQ(len, 3);
    CHECK(memcmp(bytes, "red", 3) == 0);
    OK(rust_snapshot_metadata_get(snapshot, page.id, BYTES("a"), NULL, 0, &len));
    EQ(len, 0);
    len = 99;
    OK(rust_snapshot_metadata_keys(snapshot, bare.id, NULL, 0, &len));
    EQ(len, 0);
    OK(rust_snapshot_free(&snapshot));
    OK(rust_state_close(&state));
}

static void metadata_that_cannot_be_had_is_refused(void) {
    MmsbState state = memory_state();
    MmsbPage page = new_page(state, 8);
    uint8_t bytes[8] = "xxxxxxx";
    size_t len = 77;
    OK(rust_page_metadata_set(page, BYTES("k"), BYTES("12345"), NULL, NULL));
    MmsbSnapshot snapshot = take(state);
    const uint64_t id = page.id, later = new_page(state, 8).id;
    OK(rust_page_metadata_set(page, BYTES("new"), BYTES("v"), NULL, NULL));
    FAILS(KEY_NOT_FOUND, rust_snapshot_metadata_get(snapshot, id, BYTES("new"), bytes, 8, &len),
          "page 1", "new");
    FAILS(KEY_NOT_FOUND, rust_snapshot_metadata_get(snapshot, id, NULL, 0, bytes, 8, &len),
          "metadata");
    FAILS(NULL_HANDLE, rust_snapshot_metadata_get(snapshot, id, NULL, 1, bytes, 8, &len), "key");
    FAILS(PAGE_NOT_FOUND, rust_snapshot_metadata_get(snapshot, later, BYTES("k"), bytes, 8, &len),
          "page 2");
    FAILS(PAGE_NOT_FOUND, rust_snapshot_metadata_keys(snapshot, later, bytes, 8, &len), "page 2");
    FAILS(PAGE_NOT_FOUND, rust_snapshot_metadata_keys(snapshot, 0, bytes, 8, &len), "page 0");
    FAILS(NULL_HANDLE, rust_snapshot_metadata_keys(snapshot, id, NULL, 8, &len), "buf");
    EQ(len, 77);
    FAILS(LENGTH_MISMATCH, rust_snapshot_metadata_get(snapshot, id, BYTES("k"), bytes, 4, &len),
          "4", "5");
    EQ(len, 5);
    FAILS(LENGTH_MISMATCH, rust_snapshot_metadata_keys(snapshot, id, bytes, 2, &len), "2", "3");
    EQ(len, 3);
    CHECK(memcmp(bytes, "xxxxxxx", 8) == 0);
    OK(rust_snapshot_free(&snapshot));
    OK(rust_state_close(&state));
}

static void older_versions_go_with_the_snapshot(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 4096);
    MmsbStats stats;
    MmsbSnapshot snapshot = take(state);
    for (int i = 0; i < 10; i++) {
        uint8_t byte = (uint8_t)(100 + i);
        OK(rust_page_write(page, 0, &byte, 1, NULL, NULL));
    }
    OK(rust_state_stats(state, &stats));
    EQ(stats.snapshots, 1);
    CHECK(stats.version_bytes >= 4096 && stats.version_bytes < 3 * 4096);
    OK(rust_snapshot_free(&snapshot));
    OK(rust_state_stats(state, &stats));
    EQ(stats.snapshots, 0);
    EQ(stats.version_bytes, 0);
    OK(rust_state_close(&state));
}

static void snapshots_outlive_their_state(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 16);
    Digest before = digest_of(state), after = {{0}};
    MmsbSnapshot snapshot = take(state);
    uint8_t byte = 0;
    OK(rust_state_close(&state));
    for (int i = 0; i < 4; i++) { /* the memory is not given to the next state meanwhile */
        MmsbState other = memory_state();
        ramp_page(other, 64);
        OK(rust_state_close(&other));
    }
    OK(rust_snapshot_digest(snapshot, &after.bytes));
    SAME(after, before);
    OK(rust_snapshot_read(snapshot, page.id, 7, &byte, 1));
    EQ(byte, 7);
    OK(rust_snapshot_free(&snapshot));
}

static void a_view_is_the_page_without_a_copy(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 1000);
    MmsbView view = {0}, second = {0};
    const uint8_t *data = NULL, *again = NULL;
    size_t len = 0;
    uint64_t epoch = 0;
    OK(rust_page_view(page, &view, &data, &len));
    EQ(len, 1000);
    EQ((uintptr_t)data % 64, 0);
    EQ(data[999], (uint8_t)999);
    OK(rust_view_data(view, &again, &len));
    CHECK(again == data);
    OK(rust_page_view(page, &second, &again, NULL));
    CHECK(again == data); /* no copy for the second, either */
    OK(rust_page_write(page, 0, BYTES("new"), NULL, NULL));
    EQ(data[0], 0);
    EQ(byte_at(page, 0), 'n');
    OK(rust_view_epoch(view, &epoch));
    EQ(epoch, 1);
    OK(rust_view_free(&view));
    EQ(view.id, 0);
    EQ(again[0], 0); /* the second still shows it */
    OK(rust_view_free(&second));
    OK(rust_state_close(&state));
}

static void views_stay_valid_after_close_and_free(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 100000), small = ramp_page(state, 8);
    MmsbView view, of_small;
    const uint8_t *data = NULL, *small_data = NULL;
    OK(rust_page_view(page, &view, &data, NULL));
    OK(rust_page_view(small, &of_small, &small_data, NULL));
    OK(rust_page_free(small, NULL, NULL));
    for (int i = 0; i < 50; i++) ramp_page(state, 8); /* whoever reuses the memory */
    EQ(small_data[7], 7);
    OK(rust_state_close(&state));
    for (int i = 0; i < 4; i++) {
        MmsbState other = memory_state();
        for (int k = 0; k < 20; k++) ramp_page(other, 100000 / (k + 1));
        OK(rust_state_close(&other));
    }
    EQ(small_data[7], 7);
    for (size_t i = 0; i < 100000; i += 997) EQ(data[i], (uint8_t)i);
    OK(rust_view_free(&view));
    OK(rust_view_free(&of_small));
}

static void beyond_the_bound_the_oldest_ends(void) {
    MmsbConfig config;
    MmsbState state;
    MmsbStats stats;
    OK(rust_config_default(false, &config));
    CHECK(config.version_bytes_max > 0);
    config.version_bytes_max = 2000;
    OK(rust_state_open(&config, &state));
    MmsbPage page = ramp_page(state, 100);
    MmsbSnapshot old = take(state), kept[50];
    uint8_t bytes[100];
    for (int i = 0; i < 50; i++) {
        uint8_t byte = (uint8_t)(100 + i);
        OK(rust_page_write(page, 0, &byte, 1, NULL, NULL));
        kept[i] = take(state);
    }
    OK(rust_state_stats(state, &stats));
    CHECK(stats.snapshot_bytes > 0 && stats.snapshot_bytes <= 2000);
    CHECK(stats.snapshots_too_old > 30 && stats.snapshots_too_old + stats.snapshots == 51);
    uint64_t size, lsn;
    size_t len;
    OK(rust_snapshot_lsn(old, &lsn));
    CHECK(stats.oldest_snapshot_lsn > lsn);
    FAILS(SNAPSHOT_TOO_OLD, rust_snapshot_read(old, page.id, 0, bytes, 100), "2000 bytes");
    FAILS(SNAPSHOT_TOO_OLD, rust_snapshot_page_size(old, page.id, &size), "2000 bytes");
    FAILS(SNAPSHOT_TOO_OLD, rust_snapshot_list_pages(old, NULL, 0, &len), "2000 bytes");
    OK(rust_snapshot_read(kept[49], page.id, 0, bytes, 100));
    EQ(bytes[0], 149);
    OK(rust_snapshot_read(kept[45], page.id, 0, bytes, 100));
    EQ(bytes[0], 145);
    for (int i = 0; i < 50; i++) OK(rust_snapshot_free(&kept[i]));
    OK(rust_snapshot_free(&old));
    OK(rust_state_stats(state, &stats));
    EQ(stats.versions, 0);
    EQ(stats.snapshot_bytes, 0);
    OK(rust_state_close(&state));
}

static void a_refused_view_pins_nothing(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 4096);
    MmsbStats stats;
    FAILS(NULL_HANDLE, rust_page_view(page, NULL, NULL, NULL), "out");
    OK(rust_page_write(page, 0, BYTES("x"), NULL, NULL));
    OK(rust_state_stats(state, &stats));
    EQ(stats.version_bytes, 0);
    OK(rust_state_close(&state));
}

int main(void) {
    static const Test tests[] = {
        TEST(a_snapshot_stays_as_it_was),
        TEST(what_was_not_there_then_is_refused),
        TEST(metadata_is_that_of_the_snapshot),
        TEST(metadata_that_cannot_be_had_is_refused),
        TEST(older_versions_go_with_the_snapshot),
        TEST(snapshots_outlive_their_state),
        TEST(a_view_is_the_page_without_a_copy),
        TEST(views_stay_valid_after_close_and_free),
        TEST(beyond_the_bound_the_oldest_ends),
        TEST(a_refused_view_pins_nothing),
    };
    return RUN(tests);
}
