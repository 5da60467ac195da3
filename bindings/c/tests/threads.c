/* Threads: any call from any thread, also while another closes what it uses. */
#define _XOPEN_SOURCE 700
#include "check.h"

#include <pthread.h>
#include <time.h>

enum { WRITERS = 4, PAGE = 4096 };

static atomic_bool stop;
static atomic_uint_fast64_t done;

static void run(pthread_t *threads, size_t count, void *(*body)(void *), void *context) {
    for (size_t i = 0; i < count; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, body, context) == 0);
    }
}

static void join(pthread_t *threads, size_t count) {
    for (size_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
}

static void sleep_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void await(uint64_t calls) {
    for (int i = 0; i < 10000 && atomic_load(&done) < calls; i++) sleep_ms(1);
    CHECK(atomic_load(&done) >= calls);
}

/* ------------------------------------------------------------------- closing under four writers */

typedef struct {
    MmsbState state; /* copies of the handle: the closer zeroes its own alone */
    MmsbPage page;
} Shared;

/* Ok, or the handle is stale: nothing else, from the first call to the last. */
static bool goes_on(MmsbStatus status) {
    if (status == MMSB_STATUS_OK) return true;
    if (status != MMSB_STATUS_STALE_HANDLE) check_ok(status, __FILE__, __LINE__, "a call");
    return false;
}

static bool some_calls(const Shared *shared, uint64_t i) {
    uint8_t bytes[16];
    const uint8_t *number = (const uint8_t *)&i;
    MmsbPage page = {0, 0};
    MmsbSnapshot snapshot = {0};
    MmsbView view = {0};
    MmsbReader reader = {0};
    MmsbBatch batch = {0};
    bool alive = goes_on(rust_page_write(shared->page, i % (PAGE - 8), number, 8, NULL, NULL));
    if (alive && i % 4 == 0) alive = goes_on(rust_page_read(shared->page, 0, bytes, sizeof bytes));
    if (alive && i % 16 == 1) alive = goes_on(rust_page_view(shared->page, &view, NULL, NULL));
    if (alive && i % 16 == 2) alive = goes_on(rust_snapshot_new(shared->state, &snapshot));
    if (alive && i % 64 == 3) alive = goes_on(rust_page_create(shared->state, 64, 0, NULL, &page));
    if (alive && i % 64 == 4) alive = goes_on(rust_state_query(shared->state, NULL, &reader));
    if (alive && i % 16 == 5) alive = goes_on(rust_batch_new(shared->state, &batch));
    OK(rust_batch_free(&batch));
    OK(rust_view_free(&view));
    OK(rust_snapshot_free(&snapshot));
    OK(rust_tlog_reader_free(&reader));
    atomic_fetch_add(&done, 1);
    return alive;
}

static void *write_until_stale(void *context) {
    const Shared *shared = context;
    for (uint64_t i = 0; some_calls(shared, i); i++) {}
    return NULL;
}

static void close_under_writers(MmsbState state) {
    pthread_t threads[WRITERS];
    Shared shared = {state, new_page(state, PAGE)};
    atomic_store(&done, 0);
    run(threads, WRITERS, write_until_stale, &shared);
    await(is_slow() ? 50 : 2000);
    OK(rust_state_close(&state));
    EQ(state.id, 0);
    join(threads, WRITERS);
}

static void a_state_is_closed_under_four_writers(void) {
    for (int i = 0; i < (is_slow() ? 2 : 20); i++) close_under_writers(memory_state());
}

static void a_durable_state_is_closed_under_four_writers(void) {
    const char *path = path_in(scratch(), "state");
    for (int i = 0; i < (is_slow() ? 2 : 5); i++) {
        close_under_writers(open_durable(path, MMSB_DURABILITY_BUFFERED));
    }
    MmsbState state = open_durable(path, MMSB_DURABILITY_BUFFERED);
    OK(rust_state_verify(state, NULL, NULL, NULL));
    OK(rust_state_close(&state));
}

static void *close_it(void *context) {
    MmsbState state = *(MmsbState *)context;
    MmsbStatus status = rust_state_close(&state);
    if (goes_on(status)) atomic_fetch_add(&done, 1);
    return NULL;
}

static void of_many_closers_one_closes(void) {
    for (int i = 0; i < 50; i++) {
        pthread_t threads[WRITERS];
        MmsbState state = memory_state();
        atomic_store(&done, 0);
        run(threads, WRITERS, close_it, &state);
        join(threads, WRITERS);
        EQ(atomic_load(&done), 1);
    }
}

/* ---------------------------------------------------------------------- callers who do not stop */

static void *write_whatever_comes(void *context) {
    const Shared *shared = context;
    const double give_up = seconds() + 20;
    for (uint64_t i = 0; !atomic_load(&stop); i++) {
        if (i % 4096 == 0 && seconds() > give_up) break; /* a close that hangs is a failed test */
        MmsbStatus status = rust_page_write(shared->page, 0, (uint8_t *)&i, 8, NULL, NULL);
        if (status == MMSB_STATUS_OK) atomic_fetch_add(&done, 1);
        else CHECK(status == MMSB_STATUS_STALE_HANDLE);
    }
    return NULL;
}

static void callers_with_a_stale_handle_do_not_hold_up_the_close(void) {
    enum { CALLERS = 8 };
    pthread_t threads[CALLERS];
    MmsbState state = memory_state();
    Shared shared = {state, new_page(state, PAGE)};
    atomic_store(&stop, false);
    atomic_store(&done, 0);
    run(threads, CALLERS, write_whatever_comes, &shared);
    await(1000);
    double start = seconds();
    OK(rust_state_close(&state));
    double took = seconds() - start;
    atomic_store(&stop, true);
    join(threads, CALLERS);
    if (took > 2.0) printf("    the close took %.1f s\n", took);
    CHECK(took <= 2.0);
}

/* ---------------------------------------------------------------------------- readers and views */

static void *write_whole_pages(void *context) {
    const Shared *shared = context;
    uint8_t bytes[PAGE];
    for (unsigned i = 0; !atomic_load(&stop); i++) {
        memset(bytes, (int)(i % 251), sizeof bytes);
        OK(rust_page_update(shared->page, bytes, sizeof bytes, NULL, NULL));
        atomic_fetch_add(&done, 1);
    }
    return NULL;
}

static void one_value(const uint8_t *bytes, size_t len) {
    CHECK(memcmp(bytes, bytes + 1, len - 1) == 0);
}

static void *read_whole_pages(void *context) {
    const Shared *shared = context;
    uint8_t copy[PAGE];
    while (!atomic_load(&stop)) {
        MmsbView view = {0};
        const uint8_t *data = NULL;
        size_t len = 0;
        OK(rust_page_view(shared->page, &view, &data, &len));
        EQ(len, PAGE);
        const uint8_t first = data[0];
        one_value(data, len);
        OK(rust_page_read(shared->page, 0, copy, sizeof copy));
        one_value(copy, sizeof copy);
        EQ(data[0], first); /* still */
        one_value(data, len);
        OK(rust_view_free(&view));
    }
    return NULL;
}

static void readers_see_whole_updates(void) {
    pthread_t writers[2], readers[2];
    MmsbState state = memory_state();
    Shared shared = {state, new_page(state, PAGE)};
    atomic_store(&stop, false);
    atomic_store(&done, 0);
    run(writers, 2, write_whole_pages, &shared);
    run(readers, 2, read_whole_pages, &shared);
    await(is_slow() ? 100 : 20000);
    atomic_store(&stop, true);
    join(writers, 2);
    join(readers, 2);
    OK(rust_state_verify(state, NULL, NULL, NULL));
    OK(rust_state_close(&state));
}

/* -------------------------------------------------------------------------------- equal digests */

static void *write_own_page(void *context) {
    const Shared *shared = context;
    MmsbPage page = {shared->state.id, 1 + atomic_fetch_add(&done, 1)};
    for (uint32_t i = 0; i < (is_slow() ? 50u : 5000u); i++) {
        OK(rust_page_write(page, i * 8 % PAGE, (uint8_t *)&i, 4, NULL, NULL));
    }
    return NULL;
}

static Digest work_of(size_t threads_count) {
    pthread_t threads[WRITERS];
    MmsbState state = memory_state();
    Shared shared = {state, {0, 0}};
    for (int i = 0; i < WRITERS; i++) new_page(state, PAGE);
    atomic_store(&done, 0);
    for (size_t i = 0; i < WRITERS; i += threads_count) {
        run(threads, threads_count, write_own_page, &shared);
        join(threads, threads_count);
    }
    Digest digest = digest_of(state);
    OK(rust_state_close(&state));
    return digest;
}

static void the_number_of_threads_is_not_in_the_digest(void) { SAME(work_of(1), work_of(WRITERS)); }

/* -------------------------------------------------------------------------- short-lived threads */

static void *write_once(void *context) {
    const Shared *shared = context;
    const uint64_t i = atomic_fetch_add(&done, 1) + 1;
    OK(rust_page_write(shared->page, 0, (const uint8_t *)&i, 8, NULL, NULL));
    return NULL;
}

/* Lanes and cells of threads that ended are used again. */
static void a_thousand_threads_may_come_and_go(void) {
    MmsbState state = memory_state();
    Shared shared = {state, new_page(state, PAGE)};
    MmsbStats stats;
    pthread_t threads[WRITERS];
    int rounds = is_slow() ? 10 : 250;
    atomic_store(&done, 0);
    for (int i = 0; i < rounds; i++) {
        run(threads, WRITERS, write_once, &shared);
        join(threads, WRITERS);
    }
    EQ(epoch_of(shared.page), rounds * WRITERS);
    OK(rust_state_stats(state, &stats));
    CHECK(stats.lanes <= 2 * WRITERS);
    OK(rust_state_close(&state));
}

int main(void) {
    static const Test tests[] = {
        TEST(a_state_is_closed_under_four_writers),
        TEST(a_durable_state_is_closed_under_four_writers),
        TEST(of_many_closers_one_closes),
        TEST(callers_with_a_stale_handle_do_not_hold_up_the_close),
        TEST(readers_see_whole_updates),
        TEST(the_number_of_threads_is_not_in_the_digest),
        TEST(a_thousand_threads_may_come_and_go),
    };
    return RUN(tests);
}
