/* Metadata: small keys and values of a page, of states and allocators alike. */
#include "check.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static void expect(MmsbPage page, const char *key, const char *want) {
    uint8_t value[64];
    size_t len = 0;
    OK(rust_page_metadata_get(page, (const uint8_t *)key, strlen(key), value, sizeof value, &len));
    EQ(len, strlen(want));
    CHECK(memcmp(value, want, strlen(want)) == 0);
}

static void set_get_list_remove(MmsbPage page) {
    static const uint8_t want[] = {1, 0, 'a', 5, 0, 'c', 'o', 'l', 'o', 'r', 1, 0, 'z'};
    uint8_t keys[64];
    size_t len = 99;
    OK(rust_page_metadata_keys(page, NULL, 0, &len));
    EQ(len, 0);
    OK(rust_page_metadata_set(page, BYTES("z"), BYTES(""), NULL, NULL));
    OK(rust_page_metadata_set(page, BYTES("color"), BYTES("red"), NULL, NULL));
    OK(rust_page_metadata_set(page, BYTES("a"), BYTES("\0\xff"), NULL, NULL));
    OK(rust_page_metadata_set(page, BYTES("color"), BYTES("blue"), NULL, NULL));
    expect(page, "color", "blue");
    expect(page, "z", "");
    OK(rust_page_metadata_keys(page, keys, sizeof keys, &len));
    EQ(len, sizeof want);
    CHECK(memcmp(keys, want, sizeof want) == 0);
    OK(rust_page_metadata_remove(page, BYTES("color"), NULL, NULL));
    FAILS(KEY_NOT_FOUND, rust_page_metadata_get(page, BYTES("color"), keys, 64, &len), "color");
    FAILS(KEY_NOT_FOUND, rust_page_metadata_remove(page, BYTES("color"), NULL, NULL), "color");
    EQ(epoch_of(page), 0); /* metadata is not content */
}

static void pages_of_a_state_have_metadata(void) {
    MmsbState state = memory_state();
    MmsbPage page = new_page(state, 8);
    uint64_t lsn = 77;
    set_get_list_remove(page);
    OK(rust_page_metadata_set(page, BYTES("a"), BYTES("1"), NULL, &lsn));
    CHECK(lsn > 77);
    OK(rust_page_metadata_set(page, BYTES("a"), BYTES("1"), NULL, &lsn));
    EQ(lsn, 0); /* it was so already */
    OK(rust_state_close(&state));
}

static void pages_of_an_allocator_have_metadata(void) {
    MmsbAllocator allocator;
    MmsbPage page;
    uint64_t lsn = 77;
    OK(rust_allocator_new(&allocator));
    OK(rust_allocator_allocate(allocator, 8, MMSB_LOCATION_CPU, &page));
    set_get_list_remove(page);
    OK(rust_page_metadata_set(page, BYTES("a"), BYTES("1"), NULL, &lsn));
    EQ(lsn, 0); /* there is no log */
    OK(rust_allocator_free(&allocator));
}

static void keys_and_values_have_limits(void) {
    MmsbState state = memory_state();
    MmsbPage page = new_page(state, 8);
    static uint8_t bytes[65536];
    uint64_t lsn = 77;
    Digest before = digest_of(state);
    FAILS(INVALID_ARGUMENT, rust_page_metadata_set(page, NULL, 0, BYTES("v"), NULL, &lsn), "key");
    FAILS(TOO_LONG, rust_page_metadata_set(page, bytes, 256, BYTES("v"), NULL, &lsn), "256", "255");
    FAILS(TOO_LONG, rust_page_metadata_set(page, BYTES("k"), bytes, 65536, NULL, &lsn), "65536",
          "65535");
    FAILS(NULL_HANDLE, rust_page_metadata_set(page, NULL, 1, BYTES("v"), NULL, &lsn), "key");
    FAILS(NULL_HANDLE, rust_page_metadata_set(page, BYTES("k"), NULL, 1, NULL, &lsn), "value");
    EQ(lsn, 77);
    SAME(digest_of(state), before);
    OK(rust_page_metadata_set(page, bytes, 255, bytes, 65535, NULL, NULL));
    OK(rust_state_close(&state));
}

static void a_page_holds_a_mebibyte_of_metadata(void) {
    MmsbState state = memory_state();
    MmsbPage page = new_page(state, 8);
    static uint8_t value[65535];
    uint8_t key = 0;
    for (; key < 15; key++) {
        OK(rust_page_metadata_set(page, &key, 1, value, sizeof value, NULL, NULL));
    }
    OK(rust_page_metadata_set(page, &key, 1, value, sizeof value, NULL, NULL));
    Digest before = digest_of(state);
    key++;
    FAILS(TOO_LARGE, rust_page_metadata_set(page, &key, 1, BYTES("x"), NULL, NULL), "1048576");
    SAME(digest_of(state), before);
    OK(rust_state_close(&state));
}

static void a_small_buffer_is_told_how_much_there_is(void) {
    MmsbState state = memory_state();
    MmsbPage page = new_page(state, 8);
    uint8_t value[8] = "xxxxxxx";
    size_t len = 0;
    OK(rust_page_metadata_set(page, BYTES("k"), BYTES("12345"), NULL, NULL));
    FAILS(LENGTH_MISMATCH, rust_page_metadata_get(page, BYTES("k"), value, 4, &len), "4", "5");
    EQ(len, 5);
    CHECK(memcmp(value, "xxxxxxx", 8) == 0);
    len = 0;
    FAILS(LENGTH_MISMATCH, rust_page_metadata_keys(page, value, 2, &len), "2", "3");
    EQ(len, 3);
    OK(rust_state_close(&state));
}

int main(void) {
    static const Test tests[] = {
        TEST(pages_of_a_state_have_metadata),
        TEST(pages_of_an_allocator_have_metadata),
        TEST(keys_and_values_have_limits),
        TEST(a_page_holds_a_mebibyte_of_metadata),
        TEST(a_small_buffer_is_told_how_much_there_is),
    };
    return RUN(tests);
}
