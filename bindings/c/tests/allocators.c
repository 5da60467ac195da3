/* Allocators: pages without a log, in the same shape. */
#include "check.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static MmsbAllocator new_allocator(void) {
    MmsbAllocator allocator = {0};
    OK(rust_allocator_new(&allocator));
    return allocator;
}

static MmsbPage allocate(MmsbAllocator allocator, uint64_t size) {
    MmsbPage page = {0, 0};
    OK(rust_allocator_allocate(allocator, size, MMSB_LOCATION_GPU, &page));
    return page;
}

static void pages_work_as_those_of_a_state(void) {
    MmsbAllocator allocator = new_allocator();
    MmsbPage page = allocate(allocator, 16);
    static const uint8_t mask[16] = {[5] = 1};
    uint64_t number = 77;
    uint32_t location = 0;
    uint8_t bytes[16];
    MmsbDelta delta;
    OK(rust_page_update(page, BYTES("0123456789abcdef"), NULL, &number));
    EQ(number, 0); /* there is no log */
    OK(rust_page_write(page, 2, BYTES("xy"), NULL, NULL));
    OK(rust_page_write_masked(page, mask, BYTES("################"), NULL, NULL));
    OK(rust_delta_new(page.id, BYTES("0123456789ABCDEF"), &delta));
    OK(rust_page_read(page, 0, bytes, 16));
    CHECK(memcmp(bytes, "01xy4#6789abcdef", 16) == 0);
    OK(rust_delta_apply(delta, allocator.id, &number));
    OK(rust_delta_apply_to(delta, page, &number));
    EQ(byte_at(page, 10), 'A');
    EQ(epoch_of(page), 4);
    OK(rust_page_size(page, &number));
    EQ(number, 16);
    OK(rust_page_lsn(page, &number));
    EQ(number, 0);
    OK(rust_page_location(page, &location));
    EQ(location, MMSB_LOCATION_GPU);
    OK(rust_page_free(page, NULL, &number));
    FAILS(PAGE_FREED, rust_page_read(page, 0, bytes, 1), "page 1");
    OK(rust_delta_free(&delta));
    OK(rust_allocator_free(&allocator));
}

static void ids_are_listed_and_never_used_again(void) {
    MmsbAllocator allocator = new_allocator();
    uint64_t ids[8], count = 0;
    size_t len = 0;
    MmsbPage page = {7, 7};
    for (int i = 0; i < 4; i++) allocate(allocator, 8);
    OK(rust_allocator_release(allocator, 2));
    FAILS(PAGE_FREED, rust_allocator_release(allocator, 2), "page 2");
    FAILS(PAGE_NOT_FOUND, rust_allocator_release(allocator, 99), "page 99");
    FAILS(PAGE_NOT_FOUND, rust_allocator_release(allocator, 0), "page 0");
    OK(rust_allocator_page_count(allocator, &count));
    EQ(count, 3);
    FAILS(LENGTH_MISMATCH, rust_allocator_list_pages(allocator, ids, 2, &len), "2", "3");
    EQ(len, 3);
    OK(rust_allocator_list_pages(allocator, ids, 8, &len));
    EQ(ids[1], 3);
    FAILS(PAGE_FREED, rust_allocator_get_page(allocator, 2, &page), "page 2");
    FAILS(PAGE_NOT_FOUND, rust_allocator_get_page(allocator, 99, &page), "page 99");
    EQ(page.id, 7);
    OK(rust_allocator_get_page(allocator, 4, &page));
    EQ(page.owner, allocator.id);
    OK(rust_allocator_clear(allocator));
    OK(rust_allocator_page_count(allocator, &count));
    EQ(count, 0);
    EQ(allocate(allocator, 8).id, 5);
    OK(rust_allocator_free(&allocator));
    EQ(allocator.id, 0);
}

static void sizes_lengths_and_ranges_are_checked(void) {
    MmsbAllocator allocator = new_allocator();
    MmsbPage page = allocate(allocator, 16), none = {7, 7};
    uint8_t bytes[32] = {0};
    MmsbDelta delta;
    FAILS(SIZE_OUT_OF_RANGE, rust_allocator_allocate(allocator, 0, 0, &none), "0 bytes");
    FAILS(SIZE_OUT_OF_RANGE, rust_allocator_allocate(allocator, UINT64_MAX, 0, &none),
          "1073741824");
    FAILS(INVALID_ARGUMENT, rust_allocator_allocate(allocator, 8, 3, &none), "location 3");
    EQ(none.id, 7);
    FAILS(LENGTH_MISMATCH, rust_page_update(page, bytes, 15, NULL, NULL), "15", "16");
    FAILS(RANGE_OUT_OF_BOUNDS, rust_page_write(page, 15, bytes, 2, NULL, NULL), "16");
    FAILS(LENGTH_MISMATCH, rust_page_write_masked(page, bytes, bytes, 17, NULL, NULL), "17");
    FAILS(RANGE_OUT_OF_BOUNDS, rust_page_read(page, 0, bytes, 17), "17");
    OK(rust_delta_new(page.id, bytes, 15, &delta));
    FAILS(LENGTH_MISMATCH, rust_delta_apply(delta, allocator.id, NULL), "15", "16");
    EQ(epoch_of(page), 0);
    OK(rust_delta_free(&delta));
    OK(rust_allocator_free(&allocator));
}

static void views_outlive_the_allocator(void) {
    MmsbAllocator allocator = new_allocator();
    MmsbPage page = allocate(allocator, 100000);
    MmsbView view;
    const uint8_t *data = NULL;
    uint64_t epoch = 0;
    OK(rust_page_write(page, 99999, BYTES("a"), NULL, NULL));
    OK(rust_page_view(page, &view, &data, NULL));
    OK(rust_page_write(page, 99999, BYTES("b"), NULL, NULL));
    OK(rust_allocator_free(&allocator));
    EQ(data[99999], 'a');
    OK(rust_view_epoch(view, &epoch));
    EQ(epoch, 1);
    OK(rust_view_free(&view));
}

/* Two allocators, or an allocator and a state, know nothing of each other's pages. */
static void owners_do_not_mix(void) {
    MmsbAllocator one = new_allocator(), two = new_allocator();
    MmsbPage page = allocate(one, 8);
    uint64_t size = 77;
    FAILS(PAGE_NOT_FOUND, rust_page_size((MmsbPage){two.id, page.id}, &size), "page 1");
    FAILS(WRONG_HANDLE, rust_page_at(page, 1, NULL, 0, &(size_t){0}, NULL), "allocator", "state");
    OK(rust_allocator_free(&one));
    FAILS(STALE_HANDLE, rust_page_size(page, &size), "allocator");
    EQ(size, 77);
    OK(rust_allocator_free(&two));
}

int main(void) {
    static const Test tests[] = {
        TEST(pages_work_as_those_of_a_state), TEST(ids_are_listed_and_never_used_again),
        TEST(sizes_lengths_and_ranges_are_checked), TEST(views_outlive_the_allocator),
        TEST(owners_do_not_mix),
    };
    return RUN(tests);
}
