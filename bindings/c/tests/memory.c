/* The heap under states and allocators: counted, prewarmed, limited; and blocks of an allocator. */
#include "check.h"

#include <pthread.h>

static MmsbAllocator new_allocator(void) {
    MmsbAllocator allocator = {0};
    OK(rust_allocator_new(&allocator));
    return allocator;
}

static MmsbMemoryStats heap(void) {
    MmsbMemoryStats stats;
    memset(&stats, 0, sizeof stats);
    OK(rust_memory_stats(&stats));
    return stats;
}

static MmsbAllocatorStats stats_of(MmsbAllocator allocator) {
    MmsbAllocatorStats stats;
    memset(&stats, 0, sizeof stats);
    OK(rust_allocator_stats(allocator, &stats));
    return stats;
}

static uint8_t *block_of(MmsbAllocator allocator, size_t size, size_t align) {
    void *block = NULL;
    OK(rust_allocator_alloc_block(allocator, size, align, true, &block));
    return block;
}

static void page_of(MmsbAllocator allocator, uint64_t size) {
    MmsbPage page;
    OK(rust_allocator_allocate(allocator, size, MMSB_LOCATION_CPU, &page));
}

/* ------------------------------------------------------------------------------------- the heap */

static void the_heap_is_counted(void) {
    MmsbAllocator allocator = new_allocator();
    uint8_t *block = block_of(allocator, 3 << 20, 16);
    MmsbMemoryStats stats = heap();
    CHECK(stats.reserved >= stats.committed && stats.limit >= stats.committed);
    CHECK(stats.committed >= stats.in_use + stats.retained);
    CHECK(stats.in_use >= 3 << 20 && stats.spans >= 1);
    CHECK(stats.mappings >= 1 && stats.mappings < 100 && stats.kernel_calls > 0);
    CHECK(stats.fragmentation >= 0 && stats.fragmentation <= 1);
    OK(rust_allocator_free_block(allocator, block));
    EQ(heap().spans, stats.spans - 1);
    EQ(heap().in_use, stats.in_use - (3 << 20));
    OK(rust_allocator_free(&allocator));
}

static uint64_t blocks_in_use(uint64_t bytes) {
    MmsbMemoryClass classes[112];
    size_t len = 0;
    OK(rust_memory_classes(classes, COUNT(classes), &len));
    for (size_t i = 0; i < len; i++) {
        if (classes[i].bytes == bytes) return classes[i].in_use;
    }
    return 0;
}

static void classes_say_what_stands_in_them(void) {
    MmsbAllocator allocator = new_allocator();
    uint64_t before = blocks_in_use(512);
    MmsbMemoryClass classes[112];
    size_t len = 0;
    for (int i = 0; i < 100; i++) block_of(allocator, 512, 16);
    EQ(blocks_in_use(512), before + 100);
    OK(rust_memory_classes(classes, COUNT(classes), &len));
    CHECK(len > 0);
    for (size_t i = 0; i < len; i++) {
        CHECK(i == 0 || classes[i - 1].bytes < classes[i].bytes);
        CHECK(classes[i].slabs > 0);
        CHECK((classes[i].in_use + classes[i].cached + classes[i].free) * classes[i].bytes <=
              classes[i].slabs << 21);
    }
    OK(rust_allocator_clear(allocator));
    EQ(blocks_in_use(512), before);
    OK(rust_allocator_free(&allocator));
    FAILS(LENGTH_MISMATCH, rust_memory_classes(classes, 0, &len), "0");
    CHECK(len > 0);
}

static void the_report_is_a_table(void) {
    static char text[20000];
    uint8_t small[10] = {0};
    size_t len = 0;
    FAILS(LENGTH_MISMATCH, rust_memory_report(small, sizeof small, &len), "10");
    CHECK(len > sizeof small && small[0] == 0);
    OK(rust_memory_report((uint8_t *)text, sizeof text - 1, &len));
    CHECK(len < sizeof text && strlen(text) == len);
    CHECK(strstr(text, "committed") != NULL && strchr(text, '\n') != NULL);
}

static void a_state_says_it_too(void) {
    MmsbState state = memory_state();
    MmsbPage page = new_page(state, 5 << 20);
    MmsbStats stats;
    static char json[20000];
    size_t len = 0;
    OK(rust_state_stats(state, &stats));
    CHECK(stats.memory.in_use >= 5 << 20 && stats.memory.spans >= 1);
    EQ(stats.memory.in_use, heap().in_use);
    OK(rust_state_stats_json(state, (uint8_t *)json, sizeof json - 1, &len));
    CHECK(strstr(json, "\"memory\":{") != NULL && strstr(json, "\"classes\":[") != NULL);
    OK(rust_page_free(page, NULL, NULL));
    OK(rust_state_close(&state));
}

static void prewarmed_memory_asks_the_system_for_nothing(void) {
    enum { BLOCKS = 500 };
    MmsbAllocator allocator = new_allocator();
    uint64_t calls;
    OK(rust_memory_prewarm(30000, 64, BLOCKS));
    calls = heap().kernel_calls;
    for (int i = 0; i < BLOCKS; i++) {
        uint8_t *block = block_of(allocator, 30000, 64);
        EQ((uintptr_t)block % 64, 0);
    }
    EQ(heap().kernel_calls, calls);
    page_of(allocator, 8); /* the allocator's list of pages is there */
    OK(rust_allocator_prewarm(allocator, 20000, BLOCKS));
    calls = heap().kernel_calls;
    for (int i = 0; i < BLOCKS; i++) page_of(allocator, 20000);
    EQ(heap().kernel_calls, calls);
    EQ(stats_of(allocator).page_bytes, BLOCKS * 20000 + 8);
    OK(rust_memory_prewarm(1, 1, 0));
    OK(rust_allocator_free(&allocator));
}

static void what_is_kept_goes_on_demand(void) {
    MmsbAllocator allocator = new_allocator();
    uint64_t bytes = 0;
    OK(rust_memory_purge(NULL));
    EQ(heap().retained, 0);
    OK(rust_allocator_free_block(allocator, block_of(allocator, 8 << 20, 16)));
    EQ(heap().retained, 8 << 20);
    OK(rust_memory_purge(&bytes));
    EQ(bytes, 8 << 20);
    EQ(heap().retained, 0);
    OK(rust_memory_set_retention(4 << 20, 60000));
    OK(rust_allocator_free_block(allocator, block_of(allocator, 8 << 20, 16)));
    CHECK(heap().retained <= 4 << 20);
    OK(rust_memory_set_retention(0, 0));
    EQ(heap().retained, 0);
    OK(rust_memory_set_retention(256 << 20, 10000));
    OK(rust_memory_set_huge_pages(true));
    memset(block_of(allocator, 4 << 20, 4096), 1, 4 << 20);
    OK(rust_memory_set_huge_pages(false));
    OK(rust_memory_check());
    OK(rust_allocator_free(&allocator));
}

static void a_limit_refuses_and_nothing_breaks(void) {
    MmsbAllocator allocator = new_allocator();
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 1000), none = {7, 7};
    uint8_t *block = block_of(allocator, 1000, 16);
    void *refused = &none;
    uint64_t unlimited = heap().limit;
    Digest before = digest_of(state);
    OK(rust_memory_purge(NULL));
    OK(rust_memory_set_limit(heap().committed));
    EQ(heap().limit, heap().committed);
    FAILS(OUT_OF_MEMORY, rust_memory_prewarm(100000, 16, 1000), "limit");
    FAILS(OUT_OF_MEMORY, rust_memory_prewarm(1 << 20, 16, SIZE_MAX), "limit");
    FAILS(OUT_OF_MEMORY, rust_allocator_prewarm(allocator, 100000, 1000), "limit");
    FAILS(OUT_OF_MEMORY, rust_allocator_alloc_block(allocator, 64 << 20, 16, true, &refused),
          "67108864 bytes", "limit");
    FAILS(OUT_OF_MEMORY, rust_allocator_allocate(allocator, 64 << 20, 0, &none), "limit");
    FAILS(OUT_OF_MEMORY, rust_page_create(state, 64 << 20, 0, NULL, &none), "limit");
    CHECK(refused == &none && none.id == 7);
    EQ(stats_of(allocator).blocks, 1);
    SAME(digest_of(state), before);
    OK(rust_memory_set_limit(0));
    EQ(heap().limit, unlimited);
    OK(rust_page_create(state, 64 << 20, 0, NULL, &none));
    EQ(byte_at(page, 9), 9);
    OK(rust_allocator_free_block(allocator, block));
    OK(rust_memory_check());
    OK(rust_state_close(&state));
    OK(rust_allocator_free(&allocator));
}

static void a_states_pages_have_a_limit_of_their_own(void) {
    enum { SIZE = 4096, MAX = 64 << 10 };
    MmsbConfig config;
    MmsbState state = {0};
    MmsbPage page = {0, 0}, next;
    MmsbStatus status;
    unsigned pages = 0;
    Digest before;
    OK(rust_config_default(false, &config));
    EQ(config.memory_bytes_max, 0);
    config.memory_bytes_max = MAX;
    OK(rust_state_open(&config, &state));
    while ((status = rust_page_create(state, SIZE, 0, NULL, &next)) == MMSB_STATUS_OK) {
        page = next;
        before = digest_of(state);
        if (++pages > MAX / SIZE) break;
    }
    EQ(status, MMSB_STATUS_OUT_OF_MEMORY);
    CHECK(strstr(rust_error_message(), "limit is 65536") != NULL);
    CHECK(pages >= MAX / SIZE / 2 && pages <= MAX / SIZE);
    SAME(digest_of(state), before);
    OK(rust_page_write(page, 0, (const uint8_t *)"still", 5, NULL, NULL));
    OK(rust_page_free(page, NULL, NULL));
    OK(rust_page_create(state, SIZE, 0, NULL, &page));
    OK(rust_state_close(&state));
    state = memory_state(); /* its memory may be that state's, its limit is not */
    for (unsigned i = 0; i < 2 * MAX / SIZE; i++) new_page(state, SIZE);
    OK(rust_state_close(&state));
}

/* --------------------------------------------------------------------------------------- blocks */

static void blocks_are_zeroed_aligned_and_apart(void) {
    static const size_t sizes[] = {1, 15, 16, 100, 4096, 5000, 1 << 20, (1 << 20) + 1, 5 << 20};
    MmsbAllocator allocator = new_allocator();
    uint8_t *blocks[COUNT(sizes) * 13];
    size_t count = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (size_t align = 1; align <= 4096; align *= 2, count++) {
            uint8_t *block = blocks[count] = block_of(allocator, sizes[i], align);
            EQ((uintptr_t)block % align, 0);
            EQ(block[0] | block[sizes[i] / 2] | block[sizes[i] - 1], 0);
            block[0] = block[sizes[i] - 1] = (uint8_t)(count + 1);
            bytes += sizes[i];
        }
    }
    EQ(stats_of(allocator).blocks, count);
    EQ(stats_of(allocator).block_bytes, bytes);
    EQ(stats_of(allocator).pages, 0);
    for (size_t i = 0; i < count; i++) {
        EQ(blocks[i][0], (uint8_t)(i + 1));
        EQ(blocks[i][sizes[i / 13] - 1], (uint8_t)(i + 1));
    }
    for (size_t i = 0; i < count; i += 2) OK(rust_allocator_free_block(allocator, blocks[i]));
    EQ(stats_of(allocator).blocks, count / 2);
    OK(rust_memory_check());
    OK(rust_allocator_clear(allocator));
    EQ(stats_of(allocator).blocks, 0);
    EQ(stats_of(allocator).block_bytes, 0);
    OK(rust_allocator_free(&allocator));
}

static void what_is_no_block_is_not_freed(void) {
    MmsbAllocator allocator = new_allocator(), other = new_allocator();
    uint8_t *block = block_of(allocator, 100, 16), *theirs = block_of(other, 100, 16);
    uint8_t on_the_stack[100] = {0}, *of_malloc = malloc(100);
    const uint8_t *shown = NULL;
    MmsbPage page;
    MmsbView view;
    OK(rust_allocator_allocate(allocator, 100, 0, &page));
    OK(rust_page_view(page, &view, &shown, NULL));
    block[50] = 5;
    {
        void *wrong[] = {NULL, block + 1, block + 50, block - 1, block + 100, on_the_stack, of_malloc,
                         theirs, (void *)(uintptr_t)shown, (void *)(uintptr_t)16, (void *)UINTPTR_MAX};
        for (size_t i = 0; i < COUNT(wrong); i++) {
            FAILS(INVALID_ARGUMENT, rust_allocator_free_block(allocator, wrong[i]),
                  "is no block of this allocator");
        }
    }
    EQ(stats_of(allocator).blocks, 1);
    EQ(block[50], 5);
    OK(rust_allocator_free_block(allocator, block));
    FAILS(INVALID_ARGUMENT, rust_allocator_free_block(allocator, block), "freed already");
    OK(rust_allocator_free_block(other, theirs));
    EQ(shown[0], 0);
    OK(rust_view_free(&view));
    OK(rust_memory_check());
    free(of_malloc);
    OK(rust_allocator_free(&other));
    OK(rust_allocator_free(&allocator));
}

static void sizes_and_alignments_are_checked(void) {
    static const size_t aligns[] = {0, 3, 24, 4097, 8192, SIZE_MAX};
    MmsbAllocator allocator = new_allocator();
    void *block = &allocator;
    FAILS(SIZE_OUT_OF_RANGE, rust_allocator_alloc_block(allocator, 0, 16, true, &block), "0 bytes",
          "1099511627776");
    FAILS(SIZE_OUT_OF_RANGE, rust_allocator_alloc_block(allocator, SIZE_MAX, 16, true, &block),
          "1099511627776");
    FAILS(OUT_OF_MEMORY, rust_allocator_alloc_block(allocator, (size_t)1 << 40, 16, false, &block),
          "1099511627776 bytes");
    for (size_t i = 0; i < COUNT(aligns); i++) {
        char align[32];
        snprintf(align, sizeof align, "alignment of %zu:", aligns[i]);
        FAILS(INVALID_ARGUMENT, rust_allocator_alloc_block(allocator, 8, aligns[i], true, &block),
              align, "4096");
        FAILS(INVALID_ARGUMENT, rust_memory_prewarm(8, aligns[i], 1), align, "4096");
    }
    FAILS(SIZE_OUT_OF_RANGE, rust_memory_prewarm(0, 16, 1), "0 bytes", "1048576");
    FAILS(SIZE_OUT_OF_RANGE, rust_memory_prewarm((1 << 20) + 1, 16, 1), "1048577", "1048576");
    FAILS(SIZE_OUT_OF_RANGE, rust_allocator_prewarm(allocator, 0, 1), "0 bytes");
    FAILS(SIZE_OUT_OF_RANGE, rust_allocator_prewarm(allocator, 2 << 20, 1), "2097152", "1048576");
    FAILS(SIZE_OUT_OF_RANGE, rust_allocator_prewarm(allocator, UINT64_MAX, 1), "1073741824");
    CHECK(block == &allocator);
    EQ(stats_of(allocator).blocks, 0);
    OK(rust_allocator_free(&allocator));
}

static void null_and_stale_are_noticed(void) {
    MmsbAllocator allocator = new_allocator(), old = allocator, none = {0};
    MmsbState state = memory_state();
    MmsbAllocatorStats stats;
    size_t len = 0;
    void *block = &none;
    FAILS(NULL_HANDLE, rust_memory_stats(NULL), "out");
    FAILS(NULL_HANDLE, rust_memory_classes(NULL, 20000, &len), "null");
    FAILS(NULL_HANDLE, rust_memory_classes(NULL, 0, NULL), "len");
    FAILS(NULL_HANDLE, rust_memory_report(NULL, 20000, &len), "null");
    FAILS(NULL_HANDLE, rust_memory_report(NULL, 0, NULL), "len");
    FAILS(NULL_HANDLE, rust_allocator_stats(allocator, NULL), "out");
    FAILS(NULL_HANDLE, rust_allocator_alloc_block(allocator, 8, 8, true, NULL), "out");
    EQ(stats_of(allocator).blocks, 0);
    FAILS(NULL_HANDLE, rust_allocator_alloc_block(none, 8, 8, true, &block), "null");
    FAILS(NULL_HANDLE, rust_allocator_stats(none, &stats), "null");
    FAILS(WRONG_HANDLE, rust_allocator_prewarm((MmsbAllocator){state.id}, 8, 1), "allocator");
    block_of(allocator, 8, 8);
    OK(rust_allocator_free(&allocator));
    FAILS(STALE_HANDLE, rust_allocator_alloc_block(old, 8, 8, true, &block), "allocator");
    FAILS(STALE_HANDLE, rust_allocator_free_block(old, &block), "allocator");
    FAILS(STALE_HANDLE, rust_allocator_prewarm(old, 8, 1), "allocator");
    FAILS(STALE_HANDLE, rust_allocator_stats(old, &stats), "allocator");
    CHECK(block == &none);
    OK(rust_state_close(&state));
}

/* Blocks go with their allocator; what views show of its pages stays until they go. */
static void views_stay_when_blocks_go(void) {
    MmsbAllocator allocator = new_allocator();
    uint64_t blocks = blocks_in_use(256), spans = heap().spans;
    const uint8_t *small = NULL, *large = NULL;
    MmsbPage page;
    MmsbView views[2];
    for (int i = 0; i < 50; i++) block_of(allocator, 256, 256);
    OK(rust_allocator_allocate(allocator, 10, 0, &page));
    OK(rust_page_write(page, 0, (const uint8_t *)"small", 5, NULL, NULL));
    OK(rust_page_view(page, &views[0], &small, NULL));
    OK(rust_allocator_release(allocator, page.id));
    FAILS(PAGE_FREED, rust_allocator_release(allocator, page.id), "page 1");
    OK(rust_allocator_allocate(allocator, 3 << 20, 0, &page));
    OK(rust_page_write(page, 3000000, (const uint8_t *)"large", 5, NULL, NULL));
    OK(rust_page_view(page, &views[1], &large, NULL));
    EQ(stats_of(allocator).pages, 1);
    EQ(stats_of(allocator).page_bytes, 3 << 20);
    CHECK(stats_of(allocator).frame_bytes > 3 << 20); /* the released page is shown still */
    EQ(blocks_in_use(256), blocks + 50);
    OK(rust_allocator_free(&allocator));
    EQ(blocks_in_use(256), blocks);
    EQ(heap().spans, spans + 1);
    CHECK(memcmp(small, "small", 5) == 0 && memcmp(large + 3000000, "large", 5) == 0);
    OK(rust_view_free(&views[0]));
    OK(rust_view_free(&views[1]));
    EQ(heap().spans, spans);
    OK(rust_memory_check());
}

/* ------------------------------------------------------------------------------------- threads */

enum { HANDED = 512 };

typedef struct {
    MmsbAllocator allocator;
    uint8_t **blocks;
    unsigned freed; /* of them by this thread */
} Freeing;

static void *free_all(void *argument) {
    Freeing *freeing = argument;
    for (size_t i = 0; i < HANDED; i++) {
        if (rust_allocator_free_block(freeing->allocator, freeing->blocks[i]) == MMSB_STATUS_OK) {
            freeing->freed++;
        }
    }
    return NULL;
}

/* Two threads try to free every block that a third one allocated: each is freed once. */
static void threads_free_each_others_blocks(void) {
    MmsbAllocator allocator = new_allocator();
    uint8_t *blocks[HANDED];
    for (int round = 0; round < (is_slow() ? 2 : 50); round++) {
        Freeing one = {allocator, blocks, 0}, two = one;
        pthread_t threads[2];
        for (size_t i = 0; i < HANDED; i++) blocks[i] = block_of(allocator, 1 + i * 7, 16);
        REQUIRE(pthread_create(&threads[0], NULL, free_all, &one) == 0);
        REQUIRE(pthread_create(&threads[1], NULL, free_all, &two) == 0);
        pthread_join(threads[0], NULL);
        pthread_join(threads[1], NULL);
        EQ(one.freed + two.freed, HANDED);
        EQ(stats_of(allocator).blocks, 0);
    }
    CHECK(heap().remote_frees > 0);
    OK(rust_memory_check());
    OK(rust_allocator_free(&allocator));
}

int main(void) {
    static const Test tests[] = {
        TEST(the_heap_is_counted), TEST(classes_say_what_stands_in_them),
        TEST(the_report_is_a_table), TEST(a_state_says_it_too),
        TEST(prewarmed_memory_asks_the_system_for_nothing), TEST(what_is_kept_goes_on_demand),
        TEST(a_limit_refuses_and_nothing_breaks), TEST(a_states_pages_have_a_limit_of_their_own),
        TEST(blocks_are_zeroed_aligned_and_apart), TEST(what_is_no_block_is_not_freed),
        TEST(sizes_and_alignments_are_checked), TEST(null_and_stale_are_noticed),
        TEST(views_stay_when_blocks_go), TEST(threads_free_each_others_blocks),
    };
    return RUN(tests);
}
