/* Events: what is told, in which order, to whom; who waits, and what wakes them. */
#define _XOPEN_SOURCE 700
#include "check.h"

#include <pthread.h>
#include <time.h>

static MmsbEvents subscribe(MmsbState state, const MmsbEventFilter *filter) {
    MmsbEvents events = {0};
    OK(rust_events_subscribe(state, filter, &events));
    return events;
}

static size_t poll_all(MmsbEvents events, MmsbEvent *buf, size_t capacity) {
    size_t count = SIZE_MAX;
    OK(rust_events_poll(events, buf, capacity, &count));
    return count;
}

static uint64_t write_byte(MmsbPage page, uint8_t byte) {
    uint64_t lsn = 0;
    OK(rust_page_write(page, 0, &byte, 1, NULL, &lsn));
    return lsn;
}

static void groups_are_told_in_their_order(void) {
    MmsbState state = memory_state();
    MmsbPage a = new_page(state, 8), b = new_page(state, 8);
    MmsbEvents events = subscribe(state, NULL);
    MmsbEvent told[16];
    uint64_t since = 0, lsn = 0;
    OK(rust_events_since(events, &since));
    EQ(poll_all(events, told, 16), 0);
    EQ(poll_all(events, NULL, 0), 0);

    lsn = write_byte(a, 7);
    EQ(poll_all(events, told, 16), 2);
    EQ(told[0].kind, MMSB_EVENT_KIND_CHANGED);
    EQ(told[0].page, a.id);
    EQ(told[0].epoch, 1);
    EQ(told[0].lsn, lsn);
    EQ(told[1].kind, MMSB_EVENT_KIND_COMMITTED);
    EQ(told[1].count, 1);
    EQ(told[1].lsn, lsn);
    CHECK(lsn > since);

    MmsbBatch batch = {0};
    uint8_t byte = 3;
    uint64_t made = 0;
    OK(rust_batch_new(state, &batch));
    OK(rust_batch_create_page(batch, 8, MMSB_LOCATION_CPU, &made));
    OK(rust_batch_write(batch, a.id, 1, &byte, 1));
    OK(rust_batch_metadata_set(batch, a.id, &byte, 1, &byte, 1));
    OK(rust_batch_free_page(batch, b.id));
    OK(rust_batch_commit(&batch, NULL, &lsn));
    static const uint32_t kinds[] = {MMSB_EVENT_KIND_CHANGED, MMSB_EVENT_KIND_METADATA,
                                     MMSB_EVENT_KIND_FREED, MMSB_EVENT_KIND_CREATED,
                                     MMSB_EVENT_KIND_COMMITTED};
    EQ(poll_all(events, told, 3), 3);
    EQ(poll_all(events, told + 3, 3), 2);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        EQ(told[i].kind, kinds[i]);
        EQ(told[i].lsn, lsn);
    }
    EQ(told[3].page, made);

    OK(rust_graph_add_edge(state, a.id, made, MMSB_EDGE_KIND_DEVICE, NULL, NULL));
    EQ(poll_all(events, told, 16), 2);
    EQ(told[0].kind, MMSB_EVENT_KIND_EDGE_ADDED);
    EQ(told[0].page, made);
    EQ(told[0].other, a.id);
    EQ(told[0].edge, MMSB_EDGE_KIND_DEVICE);
    OK(rust_events_free(&events));
    EQ(events.id, 0);
    OK(rust_events_free(&events));
    OK(rust_events_free(NULL));
    OK(rust_state_close(&state));
}

static void filters_choose(void) {
    MmsbState state = memory_state();
    MmsbPage a = new_page(state, 8), b = new_page(state, 8);
    MmsbEventFilter commits = {.kinds = 1 << MMSB_EVENT_KIND_COMMITTED};
    MmsbEventFilter of_b = {.pages = &b.id, .page_count = 1};
    MmsbEvents all_commits = subscribe(state, &commits), all_of_b = subscribe(state, &of_b);
    MmsbEvent told[8];
    write_byte(a, 1);
    write_byte(b, 1);
    EQ(poll_all(all_commits, told, 8), 2);
    EQ(told[1].kind, MMSB_EVENT_KIND_COMMITTED);
    EQ(poll_all(all_of_b, told, 8), 2);
    EQ(told[0].page, b.id);
    OK(rust_events_free(&all_commits));
    OK(rust_events_free(&all_of_b));
    OK(rust_state_close(&state));
}

static void what_cannot_be_is_refused(void) {
    MmsbState state = memory_state();
    MmsbEvents events = {0}, none = {0};
    MmsbEvent event;
    uint64_t pages[2] = {1, 2};
    size_t count = 7;
    bool ready;
    MmsbEventFilter bad_kinds = {.kinds = 1 << 20}, huge = {.capacity = SIZE_MAX};
    MmsbEventFilter no_pages = {.page_count = 2}, many = {.pages = pages, .page_count = 1 << 21};
    FAILS(INVALID_ARGUMENT, rust_events_subscribe(state, &bad_kinds, &events), "0x100000");
    FAILS(SIZE_OUT_OF_RANGE, rust_events_subscribe(state, &huge, &events), "16777216");
    FAILS(NULL_HANDLE, rust_events_subscribe(state, &no_pages, &events), "pages");
    FAILS(NULL_HANDLE, rust_events_subscribe(state, NULL, NULL), "out");
    /* Refused before a page is looked at: there are two of them. */
    FAILS(TOO_LARGE, rust_events_subscribe(state, &many, &events), "2097152", "1048576");
    EQ(events.id, 0);
    events = subscribe(state, NULL);
    MmsbPage page = new_page(state, 8);
    FAILS(NULL_HANDLE, rust_events_poll(events, NULL, 1, &count), "buf");
    FAILS(NULL_HANDLE, rust_events_poll(events, &event, 1, NULL), "count");
    FAILS(NULL_HANDLE, rust_events_wait(events, 0, NULL), "ready");
    FAILS(NULL_HANDLE, rust_events_since(events, NULL), "lsn");
    FAILS(NULL_HANDLE, rust_events_poll(none, &event, 1, &count), "null");
    OK(rust_events_lost(events, NULL, NULL));
    EQ(poll_all(events, &event, 1), 1);
    EQ(event.kind, MMSB_EVENT_KIND_CREATED);
    EQ(event.page, page.id);
    MmsbEvents stale = events;
    OK(rust_events_free(&events));
    FAILS(STALE_HANDLE, rust_events_wait(stale, 0, &ready), "subscription");
    FAILS(STALE_HANDLE, rust_events_close(stale), "subscription");
    FAILS(STALE_HANDLE, rust_events_free(&stale), "subscription");
    OK(rust_state_close(&state));
}

static void a_full_subscription_counts_and_stops_nobody(void) {
    MmsbState state = memory_state();
    MmsbPage page = new_page(state, 8);
    MmsbEventFilter small = {.capacity = 5};
    MmsbEvents events = subscribe(state, &small);
    MmsbEvent told[9];
    uint64_t lost = 0, groups = 0, third = 0;
    for (int i = 1; i <= 100; i++) {
        uint64_t lsn = write_byte(page, (uint8_t)i);
        if (i == 3) third = lsn;
    }
    OK(rust_events_lost(events, &lost, &groups));
    EQ(lost, 196);
    EQ(groups, 98);
    EQ(poll_all(events, told, 9), 5);
    EQ(told[4].kind, MMSB_EVENT_KIND_LOST);
    EQ(told[4].count, 196);
    EQ(told[4].lsn, third);
    write_byte(page, 0);
    EQ(poll_all(events, told, 9), 2);
    OK(rust_events_free(&events));
    OK(rust_state_close(&state));
}

typedef struct {
    MmsbEvents events;
    uint64_t timeout_us;
    bool ready;
    MmsbStatus status;
} Waiting;

static void *wait_for_it(void *context) {
    Waiting *waiting = context;
    waiting->status = rust_events_wait(waiting->events, waiting->timeout_us, &waiting->ready);
    return NULL;
}

static pthread_t started(Waiting *waiting) {
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, wait_for_it, waiting) == 0);
    /* So that it waits most of the time; right either way. */
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    return thread;
}

static void whoever_waits_is_woken(void) {
    MmsbState state = memory_state();
    MmsbPage page = new_page(state, 8);
    MmsbEvents events = subscribe(state, NULL), freed = subscribe(state, NULL);
    MmsbEvents closed = subscribe(state, NULL);
    bool ready = true;
    OK(rust_events_wait(events, 0, &ready));
    CHECK(!ready);
    OK(rust_events_wait(events, 2000, &ready));
    CHECK(!ready);

    Waiting one = {events, UINT64_MAX, false, MMSB_STATUS_INTERNAL};
    pthread_t thread = started(&one);
    write_byte(page, 1);
    pthread_join(thread, NULL);
    OK(one.status);
    CHECK(one.ready);
    MmsbEvent told[4];
    EQ(poll_all(events, told, 4), 2);

    EQ(poll_all(closed, told, 4), 2);
    Waiting of_closed = {closed, UINT64_MAX, false, MMSB_STATUS_OK};
    thread = started(&of_closed);
    OK(rust_events_close(closed));
    pthread_join(thread, NULL);
    EQ(of_closed.status, MMSB_STATUS_CLOSED);
    size_t count = 9;
    FAILS(CLOSED, rust_events_poll(closed, told, 4, &count), "subscription");
    OK(rust_events_close(closed));
    OK(rust_events_free(&closed));

    EQ(poll_all(freed, told, 4), 2);
    Waiting of_freed = {freed, UINT64_MAX, false, MMSB_STATUS_OK};
    thread = started(&of_freed);
    OK(rust_events_free(&freed));
    pthread_join(thread, NULL);
    CHECK(of_freed.status == MMSB_STATUS_CLOSED || of_freed.status == MMSB_STATUS_STALE_HANDLE);

    Waiting of_ended = {events, 60000000, false, MMSB_STATUS_OK};
    thread = started(&of_ended);
    OK(rust_state_close(&state));
    pthread_join(thread, NULL);
    EQ(of_ended.status, MMSB_STATUS_CLOSED);
    OK(rust_events_free(&events));
}

static void what_is_left_outlives_the_state(void) {
    MmsbState state = memory_state();
    MmsbEvents events = subscribe(state, NULL);
    MmsbPage page = new_page(state, 8);
    MmsbEvent told[4];
    bool ready = false;
    size_t count = 0;
    OK(rust_state_close(&state));
    OK(rust_events_wait(events, UINT64_MAX, &ready));
    CHECK(ready);
    EQ(poll_all(events, told, 4), 2);
    EQ(told[0].page, page.id);
    FAILS(CLOSED, rust_events_wait(events, 0, &ready), "closed");
    FAILS(CLOSED, rust_events_poll(events, told, 4, &count), "closed");
    OK(rust_events_free(&events));
}

enum { WRITERS = 3 };

typedef struct {
    MmsbPage page;
    int rounds;
} Writing;

static atomic_int writers_left;

static void *write_often(void *context) {
    Writing *writing = context;
    for (int i = 1; i <= writing->rounds; i++) write_byte(writing->page, (uint8_t)i);
    atomic_fetch_sub(&writers_left, 1);
    return NULL;
}

static void each_page_ascends_whatever_threads_do(void) {
    MmsbState state = memory_state();
    MmsbPage shared = new_page(state, 8);
    int rounds = is_slow() ? 200 : 5000;
    MmsbEvents events = subscribe(state, NULL);
    pthread_t threads[WRITERS];
    writers_left = WRITERS;
    Writing writing[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writing[i] = (Writing){i == 0 ? new_page(state, 8) : shared, rounds};
        REQUIRE(pthread_create(&threads[i], NULL, write_often, &writing[i]) == 0);
    }
    uint64_t last[8] = {0}, groups = 0;
    MmsbEvent told[100];
    size_t in_group = 0, count = 0;
    bool all_wrote = false;
    do {
        bool ready = false;
        all_wrote = atomic_load(&writers_left) == 0;
        if (!all_wrote) OK(rust_events_wait(events, 1000, &ready));
        count = poll_all(events, told, COUNT(told));
        for (size_t i = 0; i < count; i++) {
            if (told[i].kind == MMSB_EVENT_KIND_COMMITTED) {
                EQ(told[i].count, in_group);
                in_group = 0;
                groups++;
            } else {
                REQUIRE(told[i].kind != MMSB_EVENT_KIND_LOST && told[i].page < 8);
                CHECK(told[i].lsn > last[told[i].page]);
                last[told[i].page] = told[i].lsn;
                in_group++;
            }
        }
    } while (!all_wrote || count > 0);
    for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    CHECK(groups > (uint64_t)rounds); /* equal bytes by turns change nothing */
    OK(rust_events_free(&events));
    OK(rust_state_close(&state));
}

int main(void) {
    static const Test tests[] = {
        TEST(groups_are_told_in_their_order),
        TEST(filters_choose),
        TEST(what_cannot_be_is_refused),
        TEST(a_full_subscription_counts_and_stops_nobody),
        TEST(whoever_waits_is_woken),
        TEST(what_is_left_outlives_the_state),
        TEST(each_page_ascends_whatever_threads_do),
    };
    return RUN(tests);
}
