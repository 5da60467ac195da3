/* Pages of a state: created, written, read, freed; and what each of these refuses. */
#include "check.h"

#define MAX_PAGE (UINT64_C(1) << 30)

static const MmsbNote who = {"tester", "to see what happens"};

static MmsbPage other_id(MmsbPage page, uint64_t id) { return (MmsbPage){page.owner, id}; }

static void a_new_page_is_zero_and_says_what_it_is(void) {
    MmsbState state = memory_state();
    MmsbPage page;
    uint64_t size = 0, lsn = 0, count = 0;
    uint32_t location = 9;
    uint8_t bytes[100], zeros[100] = {0};
    OK(rust_page_create(state, 100, MMSB_LOCATION_UNIFIED, &who, &page));
    EQ(page.owner, state.id);
    EQ(page.id, 1);
    OK(rust_page_read(page, 0, bytes, 100));
    CHECK(memcmp(bytes, zeros, 100) == 0);
    OK(rust_page_size(page, &size));
    EQ(size, 100);
    EQ(epoch_of(page), 0);
    OK(rust_page_lsn(page, &lsn));
    CHECK(lsn > 0);
    OK(rust_page_location(page, &location));
    EQ(location, MMSB_LOCATION_UNIFIED);
    OK(rust_state_page_count(state, &count));
    EQ(count, 1);
    EQ(new_page(state, 1).id, 2);
    OK(rust_state_close(&state));
}

static void an_update_records_only_what_differs(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 64);
    uint8_t bytes[64];
    uint64_t lsn = 77, last = 0;
    OK(rust_page_read(page, 0, bytes, 64));
    OK(rust_page_update(page, bytes, 64, &who, &lsn));
    EQ(lsn, 0);
    EQ(epoch_of(page), 1);
    bytes[40] = 1;
    OK(rust_page_update(page, bytes, 64, &who, &lsn));
    CHECK(lsn > 0);
    EQ(epoch_of(page), 2);
    OK(rust_page_lsn(page, &last));
    EQ(last, lsn);
    EQ(byte_at(page, 40), 1);
    EQ(byte_at(page, 41), 41);
    OK(rust_page_update(page, bytes, 64, NULL, NULL)); /* note and lsn may be null */
    OK(rust_state_close(&state));
}

static void writes_go_where_they_are_sent(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 16);
    static const uint8_t mask[16] = {[3] = 1, [4] = 255, [15] = 7};
    static const uint8_t want[16] = {0, 1, 2, 0xEE, 0xEE, 5, 6, 7, 'a', 'b', 10, 11, 12, 13, 14,
                                     0xEE};
    uint8_t fill[16], bytes[16];
    memset(fill, 0xEE, sizeof fill);
    OK(rust_page_write(page, 8, (const uint8_t *)"ab", 2, &who, NULL));
    OK(rust_page_write_masked(page, mask, fill, 16, &who, NULL));
    OK(rust_page_read(page, 0, bytes, 16));
    CHECK(memcmp(bytes, want, 16) == 0);
    EQ(epoch_of(page), 3);
    OK(rust_page_write(page, 16, NULL, 0, NULL, NULL)); /* nothing, at the very end */
    OK(rust_page_read(page, 16, NULL, 0));
    OK(rust_page_read(page, 14, bytes, 2));
    EQ(bytes[0], 14);
    OK(rust_state_close(&state));
}

static void sizes_outside_their_limits_are_refused(void) {
    MmsbState state = memory_state();
    Digest before = digest_of(state);
    MmsbPage page = {7, 7};
    FAILS(SIZE_OUT_OF_RANGE, rust_page_create(state, 0, 0, NULL, &page), "0 bytes", "1073741824");
    FAILS(SIZE_OUT_OF_RANGE, rust_page_create(state, MAX_PAGE + 1, 0, NULL, &page), "1073741825",
          "1073741824");
    FAILS(SIZE_OUT_OF_RANGE, rust_page_create(state, UINT64_MAX, 0, NULL, &page),
          "18446744073709551615");
    FAILS(INVALID_ARGUMENT, rust_page_create(state, 8, 3, NULL, &page), "location 3");
    FAILS(INVALID_ARGUMENT, rust_page_create(state, 8, UINT32_MAX, NULL, &page), "4294967295");
    EQ(page.owner, 7);
    EQ(page.id, 7);
    SAME(digest_of(state), before);
    EQ(new_page(state, 1).id, 1); /* no id was lost */
    OK(rust_state_close(&state));
}

static void the_smallest_and_a_large_page_work(void) {
    MmsbState state = memory_state();
    MmsbPage small = new_page(state, 1), large = new_page(state, is_slow() ? 1 << 20 : 64 << 20);
    uint64_t size = 0;
    OK(rust_page_write(small, 0, (const uint8_t *)"x", 1, NULL, NULL));
    EQ(byte_at(small, 0), 'x');
    OK(rust_page_size(large, &size));
    OK(rust_page_write(large, size - 1, (const uint8_t *)"y", 1, NULL, NULL));
    EQ(byte_at(large, size - 1), 'y');
    EQ(byte_at(large, size / 2), 0);
    OK(rust_state_close(&state));
}

static void wrong_lengths_and_ranges_are_refused(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 16);
    Digest before = digest_of(state);
    uint8_t bytes[32] = {0}, untouched[32];
    uint64_t lsn = 77;
    FAILS(LENGTH_MISMATCH, rust_page_update(page, bytes, 15, NULL, &lsn), "15", "16");
    FAILS(LENGTH_MISMATCH, rust_page_update(page, bytes, 17, NULL, &lsn), "17", "16");
    FAILS(LENGTH_MISMATCH, rust_page_update(page, NULL, 0, NULL, &lsn), "16");
    FAILS(LENGTH_MISMATCH, rust_page_write_masked(page, bytes, bytes, 15, NULL, &lsn), "15", "16");
    FAILS(RANGE_OUT_OF_BOUNDS, rust_page_write(page, 10, bytes, 7, NULL, &lsn), "7", "10", "16");
    FAILS(RANGE_OUT_OF_BOUNDS, rust_page_write(page, 17, NULL, 0, NULL, &lsn), "17", "16");
    FAILS(RANGE_OUT_OF_BOUNDS, rust_page_write(page, UINT64_MAX, bytes, 2, NULL, &lsn),
          "18446744073709551615");
    memset(bytes, 0x5A, sizeof bytes);
    memcpy(untouched, bytes, sizeof bytes);
    FAILS(RANGE_OUT_OF_BOUNDS, rust_page_read(page, 0, bytes, 17), "17", "16");
    FAILS(RANGE_OUT_OF_BOUNDS, rust_page_read(page, UINT64_MAX - 2, bytes, 8), "8 bytes");
    CHECK(memcmp(bytes, untouched, sizeof bytes) == 0);
    EQ(lsn, 77);
    SAME(digest_of(state), before);
    OK(rust_state_close(&state));
}

static void null_and_endless_buffers_are_refused(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 16);
    Digest before = digest_of(state);
    uint8_t bytes[16] = {0};
    FAILS(NULL_HANDLE, rust_page_update(page, NULL, 16, NULL, NULL), "bytes", "16");
    FAILS(NULL_HANDLE, rust_page_write(page, 0, NULL, 1, NULL, NULL), "bytes");
    FAILS(NULL_HANDLE, rust_page_write_masked(page, NULL, bytes, 16, NULL, NULL), "mask");
    FAILS(NULL_HANDLE, rust_page_write_masked(page, bytes, NULL, 16, NULL, NULL), "bytes");
    FAILS(NULL_HANDLE, rust_page_read(page, 0, NULL, 16), "buf");
    FAILS(INVALID_ARGUMENT, rust_page_read(page, 0, bytes, SIZE_MAX), "18446744073709551615");
    FAILS(INVALID_ARGUMENT, rust_page_update(page, bytes, SIZE_MAX, NULL, NULL), "memory");
    SAME(digest_of(state), before);
    OK(rust_state_close(&state));
}

static void pages_that_are_not_there_are_refused(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 16), freed = ramp_page(state, 16);
    uint64_t number = 77, lsn = 0;
    uint8_t bytes[16] = {0};
    static const uint64_t unknown[] = {0, 3, UINT32_MAX, UINT64_C(1) << 40, UINT64_MAX};
    OK(rust_page_free(freed, &who, &lsn));
    CHECK(lsn > 0);
    Digest before = digest_of(state);
    for (size_t i = 0; i < COUNT(unknown); i++) {
        MmsbPage none = other_id(page, unknown[i]);
        char name[32];
        snprintf(name, sizeof name, "page %" PRIu64, unknown[i]);
        FAILS(PAGE_NOT_FOUND, rust_page_read(none, 0, bytes, 1), name);
        FAILS(PAGE_NOT_FOUND, rust_page_update(none, bytes, 16, NULL, NULL), name);
        FAILS(PAGE_NOT_FOUND, rust_page_free(none, NULL, NULL), name);
        FAILS(PAGE_NOT_FOUND, rust_page_epoch(none, &number), name);
    }
    FAILS(PAGE_FREED, rust_page_read(freed, 0, bytes, 1), "page 2");
    FAILS(PAGE_FREED, rust_page_write(freed, 0, bytes, 1, NULL, NULL), "page 2");
    FAILS(PAGE_FREED, rust_page_write_masked(freed, bytes, bytes, 16, NULL, NULL), "page 2");
    FAILS(PAGE_FREED, rust_page_size(freed, &number), "page 2");
    FAILS(PAGE_FREED, rust_page_free(freed, NULL, NULL), "page 2");
    FAILS(PAGE_FREED, rust_page_metadata_set(freed, bytes, 1, bytes, 1, NULL, NULL), "page 2");
    EQ(number, 77);
    SAME(digest_of(state), before);
    EQ(new_page(state, 1).id, 3); /* ids are never used again */
    OK(rust_state_close(&state));
}

static char *letters(size_t len) {
    char *text = malloc(len + 1);
    REQUIRE(text != NULL);
    memset(text, 'a', len);
    text[len] = 0;
    return text;
}

static void notes_have_limits_and_are_utf8(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 16);
    char *source = letters(256), *intent = letters(65536);
    Digest before = digest_of(state);
    const uint8_t byte = 200;
    MmsbNote long_source = {source, NULL}, long_intent = {"", intent};
    MmsbNote bad_source = {"caf\xe9", NULL}, bad_intent = {"fine", "so \xff so"};
    FAILS(TOO_LONG, rust_page_write(page, 0, &byte, 1, &long_source, NULL), "256", "255");
    FAILS(TOO_LONG, rust_page_write(page, 0, &byte, 1, &long_intent, NULL), "65536", "65535");
    FAILS(NOT_UTF8, rust_page_write(page, 0, &byte, 1, &bad_source, NULL), "source", "3");
    FAILS(NOT_UTF8, rust_page_update(page, &byte, 16, &bad_intent, NULL), "intent", "3");
    FAILS(NOT_UTF8, rust_page_create(state, 1, 0, &bad_intent, &page), "intent");
    FAILS(NOT_UTF8, rust_page_free(page, &bad_source, NULL), "source");
    FAILS(NOT_UTF8, rust_page_metadata_set(page, &byte, 1, &byte, 1, &bad_source, NULL), "source");
    SAME(digest_of(state), before);
    source[255] = 0;
    intent[65535] = 0;
    long_source.intent = intent; /* both at their limits */
    OK(rust_page_write(page, 0, &byte, 1, &long_source, NULL));
    EQ(byte_at(page, 0), 200);
    free(source);
    free(intent);
    OK(rust_state_close(&state));
}

static void lists_tell_how_much_room_they_need(void) {
    MmsbState state = memory_state();
    uint64_t ids[4] = {77, 77, 77, 77};
    size_t count = 99;
    OK(rust_state_list_pages(state, NULL, 0, &count));
    EQ(count, 0);
    for (int i = 0; i < 3; i++) new_page(state, 8);
    OK(rust_page_free((MmsbPage){state.id, 2}, NULL, NULL));
    FAILS(LENGTH_MISMATCH, rust_state_list_pages(state, ids, 1, &count), "1", "2");
    EQ(count, 2);
    EQ(ids[0], 77);
    FAILS(NULL_HANDLE, rust_state_list_pages(state, NULL, 4, &count), "buf");
    OK(rust_state_list_pages(state, ids, 4, &count));
    EQ(count, 2);
    EQ(ids[0], 1);
    EQ(ids[1], 3);
    EQ(ids[2], 77);
    OK(rust_state_close(&state));
}

static void pages_of_a_closed_state_are_stale(void) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 16);
    uint64_t size = 77;
    OK(rust_state_close(&state));
    EQ(state.id, 0);
    FAILS(STALE_HANDLE, rust_page_size(page, &size), "closed");
    MmsbState again = memory_state(); /* perhaps in the same memory */
    FAILS(STALE_HANDLE, rust_page_size(page, &size), "closed");
    EQ(size, 77);
    OK(rust_state_close(&again));
}

static void a_state_comes_from_the_pool_as_new(void) {
    MmsbState state = memory_state();
    Digest empty = digest_of(state);
    MmsbStats stats;
    for (int i = 0; i < 50; i++) ramp_page(state, 100);
    OK(rust_state_close(&state));
    CHECK(rust_state_pooled() >= 1);
    size_t pooled = rust_state_pooled();
    state = memory_state();
    EQ(rust_state_pooled(), pooled - 1);
    SAME(digest_of(state), empty);
    OK(rust_state_stats(state, &stats));
    EQ(stats.pages, 0);
    EQ(stats.next_page_id, 1);
    EQ(stats.records, 0);
    OK(rust_state_close(&state));
}

static void stats_count(void) {
    MmsbState state = memory_state();
    MmsbStats stats;
    bool read_only = true;
    char json[4096];
    size_t len = 0;
    ramp_page(state, 100);
    OK(rust_state_stats(state, &stats));
    EQ(stats.pages, 1);
    EQ(stats.page_bytes, 100);
    EQ(stats.next_page_id, 2);
    EQ(stats.records, 2);
    CHECK(stats.record_bytes > 100);
    FAILS(LENGTH_MISMATCH, rust_state_stats_json(state, (uint8_t *)json, 10, &len), "10");
    CHECK(len > 100 && len < sizeof json);
    OK(rust_state_stats_json(state, (uint8_t *)json, sizeof json - 1, &len));
    json[len] = 0;
    CHECK(json[0] == '{' && json[len - 1] == '}');
    CHECK(strstr(json, "\"page_bytes\":100") != NULL);
    OK(rust_state_is_read_only(state, &read_only));
    CHECK(!read_only);
    OK(rust_state_close(&state));
}

int main(void) {
    static const Test tests[] = {
        TEST(a_new_page_is_zero_and_says_what_it_is),
        TEST(an_update_records_only_what_differs),
        TEST(writes_go_where_they_are_sent),
        TEST(sizes_outside_their_limits_are_refused),
        TEST(the_smallest_and_a_large_page_work),
        TEST(wrong_lengths_and_ranges_are_refused),
        TEST(null_and_endless_buffers_are_refused),
        TEST(pages_that_are_not_there_are_refused),
        TEST(notes_have_limits_and_are_utf8),
        TEST(lists_tell_how_much_room_they_need),
        TEST(pages_of_a_closed_state_are_stale),
        TEST(a_state_comes_from_the_pool_as_new),
        TEST(stats_count),
    };
    return RUN(tests);
}
