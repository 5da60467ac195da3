/* Transactions, ownership, and workers: all or nothing, of one moment, an answer to everything. */
#define _XOPEN_SOURCE 700
#include "check.h"

#include <pthread.h>

static MmsbPage counter(MmsbState state, uint64_t value) {
    MmsbPage page = new_page(state, 8);
    OK(rust_page_update(page, (const uint8_t *)&value, 8, NULL, NULL));
    return page;
}

static uint64_t value_of(MmsbPage page) {
    uint64_t value = 0;
    OK(rust_page_read(page, 0, (uint8_t *)&value, 8));
    return value;
}

static MmsbTransaction begin(MmsbState state) {
    MmsbTransaction transaction = {0};
    OK(rust_transaction_begin(state, false, &transaction));
    return transaction;
}

static uint64_t get(MmsbTransaction transaction, MmsbPage page) {
    uint64_t value = 0;
    OK(rust_transaction_read(transaction, page.id, 0, (uint8_t *)&value, 8));
    return value;
}

static MmsbStatus put(MmsbTransaction transaction, MmsbPage page, uint64_t value) {
    return rust_transaction_write(transaction, page.id, 0, (const uint8_t *)&value, 8);
}

static void all_happens_at_once_or_nothing_does(void) {
    MmsbState state = memory_state();
    MmsbPage a = counter(state, 1), b = counter(state, 2);
    Digest before = digest_of(state);
    MmsbTransaction given_up = begin(state);
    uint64_t created = 0, lsn = 0, size = 0;
    OK(put(given_up, a, 9));
    OK(rust_transaction_create_page(given_up, 16, 0, &created));
    OK(rust_transaction_abort(&given_up));
    EQ(given_up.id, 0);
    SAME(digest_of(state), before);

    MmsbTransaction whole = begin(state);
    OK(put(whole, a, 9));
    EQ(get(whole, a), 9);
    EQ(value_of(a), 1);
    OK(rust_transaction_create_page(whole, 16, 0, &created));
    EQ(created, 3);
    const uint8_t *k = (const uint8_t *)"k", *v = (const uint8_t *)"v";
    uint8_t value[4] = {0};
    size_t len = 0;
    OK(rust_transaction_metadata_set(whole, created, k, 1, v, 1));
    OK(rust_transaction_metadata_get(whole, created, k, 1, value, 4, &len));
    EQ(len, 1);
    EQ(value[0], 'v');
    OK(rust_transaction_metadata_remove(whole, created, k, 1));
    FAILS(KEY_NOT_FOUND, rust_transaction_metadata_remove(whole, created, k, 1), "page 3");
    MmsbDelta delta = {0};
    OK(rust_delta_new(created, (const uint8_t *)"0123456789abcdef", 16, &delta));
    OK(rust_transaction_apply(whole, delta));
    OK(rust_delta_free(&delta));
    OK(rust_transaction_free_page(whole, b.id));
    uint64_t ids[4];
    size_t count = 0;
    OK(rust_transaction_list_pages(whole, ids, 4, &count));
    EQ(count, 2);
    EQ(ids[1], 3);
    MmsbTransaction ended = whole;
    OK(rust_transaction_commit(&whole, NULL, &lsn));
    CHECK(lsn > 0);
    EQ(value_of(a), 9);
    FAILS(PAGE_FREED, rust_page_size(b, &size), "page 2");
    FAILS(TRANSACTION_FINISHED, put(ended, a, 1), "transaction");
    FAILS(TRANSACTION_FINISHED, rust_transaction_commit(&ended, NULL, NULL), "transaction");
    FAILS(NULL_HANDLE, rust_transaction_commit(&whole, NULL, NULL), "transaction");
    OK(rust_transaction_abort(&whole));
    OK(rust_state_close(&state));
}

static void what_another_changed_is_a_conflict(void) {
    MmsbState state = memory_state();
    MmsbPage a = counter(state, 1), b = counter(state, 2);
    MmsbTransaction late = begin(state), reader = {0};
    uint64_t seven = 7;
    OK(put(late, b, get(late, a)));
    OK(rust_transaction_check(late));
    OK(rust_page_update(a, (const uint8_t *)&seven, 8, NULL, NULL));
    FAILS(CONFLICT, rust_transaction_check(late), "page 1");
    FAILS(CONFLICT, put(late, b, 1), "begun anew");
    FAILS(CONFLICT, rust_transaction_commit(&late, NULL, NULL), "begun anew");
    MmsbRetry twice = {2, 10};
    OK(rust_transaction_after_conflict(state, &twice, 1));
    FAILS(RETRIES_EXHAUSTED, rust_transaction_after_conflict(state, &twice, 2), "begun anew");
    EQ(late.id, 0);
    EQ(value_of(b), 2);
    CHECK(rust_error_is_retryable(MMSB_STATUS_CONFLICT));
    OK(rust_transaction_begin(state, true, &reader));
    EQ(get(reader, a), 7);
    FAILS(READ_ONLY, put(reader, a, 1), "read alone");
    OK(rust_transaction_commit(&reader, NULL, NULL));
    OK(rust_state_close(&state));
}

static void savepoints_take_back(void) {
    MmsbState state = memory_state();
    MmsbPage a = counter(state, 1);
    MmsbTransaction transaction = begin(state);
    MmsbSavepoint first = {0}, second = {0};
    uint64_t created = 0;
    bool there = true;
    OK(put(transaction, a, 5));
    OK(rust_transaction_savepoint(transaction, &first));
    OK(put(transaction, a, 6));
    OK(rust_transaction_create_page(transaction, 8, 0, &created));
    OK(rust_transaction_savepoint(transaction, &second));
    OK(rust_transaction_rollback(transaction, first));
    EQ(get(transaction, a), 5);
    OK(rust_transaction_contains(transaction, created, &there));
    EQ(there, 0);
    FAILS(INVALID_ARGUMENT, rust_transaction_rollback(transaction, second), "taken back");
    OK(rust_transaction_commit(&transaction, NULL, NULL));
    EQ(value_of(a), 5);
    OK(rust_state_close(&state));
}

static void misuse_is_told(void) {
    MmsbState state = memory_state(), other = memory_state();
    MmsbPage a = counter(state, 1);
    MmsbTransaction transaction = begin(state), closed = {0}, null = {0};
    uint8_t bytes[9] = {0};
    uint64_t size = 0;
    FAILS(RANGE_OUT_OF_BOUNDS, rust_transaction_write(transaction, a.id, 4, bytes, 5), "5 bytes");
    FAILS(LENGTH_MISMATCH, rust_transaction_update(transaction, a.id, bytes, 9), "9 bytes");
    FAILS(PAGE_NOT_FOUND, rust_transaction_write(transaction, 99, 0, bytes, 1), "page 99");
    FAILS(PAGE_NOT_FOUND, rust_transaction_page_size(transaction, 0, &size), "page 0");
    FAILS(NULL_HANDLE, rust_transaction_write(transaction, a.id, 0, NULL, 5), "bytes");
    FAILS(NULL_HANDLE, rust_transaction_read(null, a.id, 0, bytes, 1), "transaction");
    FAILS(WRONG_HANDLE, rust_transaction_read((MmsbTransaction){state.id}, a.id, 0, bytes, 1),
          "state", "transaction");
    FAILS(NULL_HANDLE, rust_transaction_begin(state, false, NULL), "out");
    FAILS(INVALID_ARGUMENT, rust_transaction_set_ownership(transaction, a.id, 65538), "65538");
    OK(rust_transaction_abort(&transaction));
    OK(rust_transaction_begin(other, false, &closed));
    OK(rust_state_close(&other));
    uint64_t created = 0;
    OK(rust_transaction_create_page(closed, 8, 0, &created));
    FAILS(CLOSED, rust_transaction_commit(&closed, NULL, NULL), "closed");
    OK(rust_state_close(&state));
}

/* ------------------------------------------------------------------------------- rust_transact */

typedef struct {
    MmsbState state;
    MmsbPage from, to;
    int calls, interfere, fail_with;
} Move;

static int move_one(void *context, MmsbTransaction transaction) {
    Move *move = context;
    uint64_t from = 0, to = 0;
    MmsbStatus status;
    move->calls++;
    status = rust_transaction_read(transaction, move->from.id, 0, (uint8_t *)&from, 8);
    if (status != MMSB_STATUS_OK) return status;
    if (move->calls <= move->interfere) {
        uint64_t more = from + 100;
        OK(rust_page_update(move->from, (const uint8_t *)&more, 8, NULL, NULL));
    }
    status = rust_transaction_read(transaction, move->to.id, 0, (uint8_t *)&to, 8);
    if (status != MMSB_STATUS_OK) return status;
    if ((status = put(transaction, move->from, from - 1)) != MMSB_STATUS_OK) return status;
    if ((status = put(transaction, move->to, to + 1)) != MMSB_STATUS_OK) return status;
    return move->fail_with;
}

static void bodies_are_tried_again_and_may_give_up(void) {
    MmsbState state = memory_state();
    Move move = {state, counter(state, 10), counter(state, 0), 0, 2, 0};
    MmsbRetry few = {3, 10};
    uint64_t lsn = 0;
    OK(rust_transact(state, NULL, NULL, move_one, &move, &lsn));
    EQ(move.calls, 3);
    CHECK(lsn > 0);
    EQ(value_of(move.from), 209);
    EQ(value_of(move.to), 1);

    move.calls = 0, move.interfere = 1000;
    FAILS(RETRIES_EXHAUSTED, rust_transact(state, &few, NULL, move_one, &move, NULL), "3 tries");
    EQ(move.calls, 3);
    move.interfere = 0, move.fail_with = 12345;
    FAILS(CANCELLED, rust_transact(state, NULL, NULL, move_one, &move, NULL), "12345");
    move.fail_with = MMSB_STATUS_INVALID_ARGUMENT;
    FAILS(INVALID_ARGUMENT, rust_transact(state, NULL, NULL, move_one, &move, NULL), "returned 104");
    EQ(value_of(move.to), 1);
    FAILS(NULL_HANDLE, rust_transact(state, NULL, NULL, NULL, NULL, NULL), "body");
    OK(rust_state_close(&state));
}

static int ends_it(void *context, MmsbTransaction transaction) {
    UNUSED(context);
    OK(rust_transaction_abort(&transaction));
    return 0;
}

static void a_body_does_not_end_its_transaction(void) {
    MmsbState state = memory_state();
    FAILS(TRANSACTION_FINISHED, rust_transact(state, NULL, NULL, ends_it, NULL, NULL), "transaction");
    OK(rust_state_close(&state));
}

static void *moves(void *context) {
    Move *move = context;
    for (int i = 0; i < (is_slow() ? 50 : 2000); i++) {
        OK(rust_transact(move->state, NULL, NULL, move_one, move, NULL));
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void) {
    MmsbState state = memory_state();
    MmsbPage a = counter(state, 1 << 20), b = counter(state, 1 << 20);
    Move there = {state, a, b, 0, 0, 0}, back = {state, b, a, 0, 0, 0};
    Move again = there;
    pthread_t threads[3];
    Move *work[3] = {&there, &back, &again};
    for (int i = 0; i < 3; i++) REQUIRE(pthread_create(&threads[i], NULL, moves, work[i]) == 0);
    for (int i = 0; i < 50; i++) {
        MmsbSnapshot snapshot = {0};
        uint64_t left = 0, right = 0;
        OK(rust_snapshot_new(state, &snapshot));
        OK(rust_snapshot_read(snapshot, a.id, 0, (uint8_t *)&left, 8));
        OK(rust_snapshot_read(snapshot, b.id, 0, (uint8_t *)&right, 8));
        EQ(left + right, 1 << 21);
        OK(rust_snapshot_free(&snapshot));
    }
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    EQ(value_of(b), (1 << 20) + (is_slow() ? 50 : 2000));
    OK(rust_state_close(&state));
}

/* ------------------------------------------------------------------------ ownership, executors */

static void owned_pages_are_their_partitions(void) {
    MmsbState state = memory_state();
    MmsbPage mine = counter(state, 1), frozen = counter(state, 2);
    MmsbPartition partition = {0}, second = {0};
    MmsbTransaction transaction = {0};
    uint32_t ownership = 99;
    uint64_t value = 5, lsn = 0;
    OK(rust_page_set_ownership(mine, 2 + 7, NULL, &lsn));
    CHECK(lsn > 0);
    OK(rust_page_ownership(mine, &ownership));
    EQ(ownership, 9);
    FAILS(NOT_OWNER, rust_page_update(mine, (const uint8_t *)&value, 8, NULL, NULL),
          "page 1 belongs to partition 7");
    OK(rust_partition_open(state, 7, &partition));
    FAILS(PARTITION_IN_USE, rust_partition_open(state, 7, &second), "partition 7");
    FAILS(INVALID_ARGUMENT, rust_partition_open(state, 65536, &second), "65536");
    OK(rust_partition_begin(partition, &transaction));
    OK(put(transaction, mine, 5));
    OK(rust_transaction_set_ownership(transaction, frozen.id, 1));
    OK(rust_transaction_commit(&transaction, NULL, NULL));
    EQ(value_of(mine), 5);
    FAILS(IMMUTABLE, rust_page_update(frozen, (const uint8_t *)&value, 8, NULL, NULL), "page 2");
    FAILS(IMMUTABLE, rust_page_set_ownership(frozen, 0, NULL, NULL), "frozen");
    Move move = {state, mine, counter(state, 0), 0, 0, 0};
    OK(rust_partition_transact(partition, NULL, NULL, move_one, &move, &lsn));
    EQ(value_of(mine), 4);
    OK(rust_partition_free(&partition));
    EQ(partition.id, 0);
    OK(rust_state_close(&state));
}

static void workers_answer_every_program(void) {
    MmsbState state = memory_state();
    MmsbPage pages[2] = {counter(state, 0), counter(state, 0)};
    MmsbExecutor executor = {0};
    MmsbExecutorConfig config = {2, false, 0, {0, 0}};
    MmsbProgram programs[4] = {{0}};
    MmsbTickets tickets = {0};
    MmsbResult results[4] = {{0, 0}};
    MmsbPlace at[2] = {{pages[0].id, 0}, {pages[1].id, 0}};
    size_t workers = 0, pinned = 0, len = 0;
    uint8_t bytes[64];
    for (uint32_t i = 0; i < 2; i++) OK(rust_page_set_ownership(pages[i], 2 + i, NULL, NULL));
    OK(rust_executor_new(state, &config, &executor));
    OK(rust_executor_workers(executor, &workers, &pinned));
    EQ(workers, 2);
    CHECK(pinned <= 2);
    for (int i = 0; i < 4; i++) OK(rust_program_new(&programs[i]));
    OK(rust_program_add(programs[0], at[0], 10));
    OK(rust_program_transfer(programs[1], at[0], at[1], 4));
    OK(rust_program_transfer(programs[2], at[0], at[1], 7));
    OK(rust_program_require(programs[3], at[1], MMSB_RELATION_EQUAL, 4));
    OK(rust_program_write(programs[3], at[1], (const uint8_t *)"\x05", 1));
    OK(rust_program_compare_and_swap(programs[3], at[1], (const uint8_t *)"\x05",
                                     (const uint8_t *)"\x05", 1));
    FAILS(INVALID_ARGUMENT, rust_program_require(programs[3], at[1], 6, 4), "6 is no relation");
    OK(rust_executor_submit(executor, programs, 4, "c", &tickets));
    FAILS(LENGTH_MISMATCH, rust_tickets_wait(&tickets, results, 3), "3", "4");
    OK(rust_tickets_wait(&tickets, results, 4));
    EQ(tickets.id, 0);
    EQ(results[0].status, MMSB_STATUS_OK);
    EQ(results[1].status, MMSB_STATUS_OK);
    EQ(results[2].status, MMSB_STATUS_CONDITION_FAILED);
    CHECK(strstr(rust_result_message(2), "page") != NULL);
    CHECK(rust_result_message(0)[0] == 0 && rust_result_message(4)[0] == 0);
    EQ(results[3].status, MMSB_STATUS_OK);
    CHECK(results[3].lsn > 0);
    EQ(value_of(pages[0]), 6);
    EQ(value_of(pages[1]), 5);
    MmsbPage real = new_page(state, 8);
    MmsbProgram floats = {0};
    bool ready = false;
    double two = 0;
    OK(rust_program_new(&floats));
    OK(rust_program_add_float(floats, (MmsbPlace){real.id, 0}, 2.0));
    OK(rust_executor_submit(executor, &floats, 1, NULL, &tickets));
    while (!ready) OK(rust_tickets_ready(tickets, &ready));
    OK(rust_tickets_free(&tickets));
    OK(rust_page_read(real, 0, (uint8_t *)&two, 8));
    CHECK(two == 2.0);
    OK(rust_program_free(&floats));
    OK(rust_program_bytes(programs[0], bytes, 64, &len));
    EQ(len, 25);
    MmsbProgram copy = {0};
    OK(rust_program_from_bytes(bytes, len, &copy));
    FAILS(INVALID_ARGUMENT, rust_program_from_bytes(bytes, len - 1, &copy), "from 0");
    OK(rust_program_free(&copy));
    for (int i = 0; i < 4; i++) OK(rust_program_free(&programs[i]));

    MmsbDelta delta = {0};
    MmsbPage shared = new_page(state, 4);
    OK(rust_delta_new(shared.id, (const uint8_t *)"abcd", 4, &delta));
    OK(rust_executor_apply(executor, &delta, 1, &tickets));
    OK(rust_tickets_wait(&tickets, results, 1));
    EQ(results[0].status, MMSB_STATUS_OK);
    EQ(byte_at(shared, 3), 'd');
    OK(rust_delta_free(&delta));
    config.workers = 65;
    MmsbExecutor many = {0};
    FAILS(SIZE_OUT_OF_RANGE, rust_executor_new(state, &config, &many), "65 workers");
    config.workers = 1;
    FAILS(PARTITION_IN_USE, rust_executor_new(state, &config, &many), "partition 0");
    size_t left = 99;
    OK(rust_executor_stop(&executor, &left));
    EQ(left, 0);
    OK(rust_executor_free(&executor));
    OK(rust_state_close(&state));
}

static void what_became_of_them_is_counted(void) {
    MmsbState state = memory_state();
    Move move = {state, counter(state, 1), counter(state, 0), 0, 1, 0};
    MmsbStats stats;
    static uint8_t text[1 << 16];
    size_t len = 0;
    OK(rust_transact(state, NULL, NULL, move_one, &move, NULL));
    OK(rust_state_stats(state, &stats));
    EQ(stats.transactions_shared, 1);
    EQ(stats.transaction_conflicts, 1);
    OK(rust_state_prometheus(state, "demo", text, sizeof text - 1, &len));
    text[len] = 0;
    CHECK(strstr((char *)text, "mmsb_transactions_shared{state=\"demo\"} 1\n") != NULL);
    OK(rust_state_close(&state));
}

int main(void) {
    static const Test tests[] = {
        TEST(all_happens_at_once_or_nothing_does),
        TEST(what_another_changed_is_a_conflict),
        TEST(savepoints_take_back),
        TEST(misuse_is_told),
        TEST(bodies_are_tried_again_and_may_give_up),
        TEST(a_body_does_not_end_its_transaction),
        TEST(nothing_is_lost_between_threads),
        TEST(owned_pages_are_their_partitions),
        TEST(workers_answer_every_program),
        TEST(what_became_of_them_is_counted),
    };
    return RUN(tests);
}
