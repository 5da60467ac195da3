/* Private pages: sealed in memory and files, read and written by who has the key. */
#include "check.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static const uint8_t KEY[32] = "a key that only this test knows";

static MmsbPage private_page(MmsbState state, uint64_t size) {
    MmsbPage page;
    OK(rust_page_create_private(state, size, MMSB_LOCATION_CPU, NULL, &page));
    return page;
}

static void with_the_key_it_is_a_page(void) {
    MmsbState state = memory_state();
    bool yes = true;
    OK(rust_state_is_unlocked(state, &yes));
    CHECK(!yes);
    OK(rust_state_unlock(state, KEY, sizeof KEY));
    OK(rust_state_unlock(state, KEY, sizeof KEY));
    OK(rust_state_is_unlocked(state, &yes));
    CHECK(yes);

    MmsbPage page = private_page(state, 16), open = ramp_page(state, 16);
    OK(rust_page_is_private(page, &yes));
    CHECK(yes);
    OK(rust_page_is_private(open, &yes));
    CHECK(!yes);
    uint64_t lsn;
    uint8_t buf[16];
    OK(rust_page_write(page, 3, BYTES("secret"), NULL, &lsn));
    CHECK(lsn != 0);
    OK(rust_page_write(page, 3, BYTES("secret"), NULL, &lsn));
    EQ(lsn, 0);
    OK(rust_page_read(page, 3, buf, 6));
    CHECK(memcmp(buf, "secret", 6) == 0);

    MmsbBatch batch;
    uint64_t id;
    OK(rust_batch_new(state, &batch));
    OK(rust_batch_create_private_page(batch, 4, MMSB_LOCATION_CPU, &id));
    OK(rust_batch_update(batch, id, BYTES("four")));
    OK(rust_batch_commit(&batch, NULL, NULL));
    OK(rust_page_read((MmsbPage){state.id, id}, 0, buf, 4));
    CHECK(memcmp(buf, "four", 4) == 0);

    MmsbTransaction transaction;
    OK(rust_transaction_begin(state, false, &transaction));
    OK(rust_transaction_create_private_page(transaction, 4, MMSB_LOCATION_CPU, &id));
    OK(rust_transaction_write(transaction, id, 0, BYTES("also")));
    OK(rust_transaction_read(transaction, page.id, 3, buf, 6));
    CHECK(memcmp(buf, "secret", 6) == 0);
    OK(rust_transaction_commit(&transaction, NULL, NULL));
    OK(rust_page_read((MmsbPage){state.id, id}, 0, buf, 4));
    CHECK(memcmp(buf, "also", 4) == 0);
    MmsbStats stats;
    OK(rust_state_stats(state, &stats));
    EQ(stats.transactions_sealed, 1);

    /* What changed is told, not what it is; the page as it was is, with the key. */
    MmsbReader reader;
    MmsbChange change;
    bool more;
    MmsbQuery query;
    OK(rust_query_default(&query));
    query.page = page.id;
    OK(rust_state_query(state, &query, &reader));
    OK(rust_tlog_reader_next(reader, &change, &more));
    EQ(change.kind, MMSB_CHANGE_KIND_CREATED);
    OK(rust_tlog_reader_next(reader, &change, &more));
    EQ(change.kind, MMSB_CHANGE_KIND_SEALED);
    CHECK(change.payload == NULL && change.runs == 0);
    OK(rust_tlog_reader_free(&reader));
    size_t len;
    OK(rust_page_at(page, change.lsn, buf, sizeof buf, &len, NULL));
    EQ(len, 16);
    CHECK(buf[3] == 0);

    MmsbView view;
    FAILS(INVALID_ARGUMENT, rust_page_view(page, &view, NULL, NULL), "private");
    uint64_t parents[] = {page.id};
    FAILS(INVALID_ARGUMENT,
          rust_propagate_derive(state, open.id, parents, 1, "u8: p0", NULL, NULL), "private");
    OK(rust_state_close(&state));
}

static void without_it_it_stays_sealed(void) {
    const char *path = path_in(scratch(), "private");
    MmsbState state = open_durable(path, MMSB_DURABILITY_BUFFERED);
    OK(rust_state_unlock(state, KEY, sizeof KEY));
    MmsbPage page = private_page(state, 16);
    OK(rust_page_write(page, 0, BYTES("the secret"), NULL, NULL));
    Digest before = digest_of(state);
    OK(rust_state_close(&state));

    state = open_durable(path, MMSB_DURABILITY_BUFFERED);
    page.owner = state.id;
    uint8_t buf[16] = "as it was";
    FAILS(SEALED, rust_page_read(page, 0, buf, 16), "page 1 is private");
    CHECK(strcmp((char *)buf, "as it was") == 0);
    FAILS(SEALED, rust_page_write(page, 0, BYTES("x"), NULL, NULL), "key");
    MmsbPage none = {7, 7};
    FAILS(SEALED, rust_page_create_private(state, 16, 0, NULL, &none), "key");
    EQ(none.id, 7);
    SAME(digest_of(state), before);
    FAILS(LENGTH_MISMATCH, rust_state_unlock(state, KEY, 16), "16 bytes; keys have 32");
    FAILS(NULL_HANDLE, rust_state_unlock(state, NULL, 32), "key");

    uint8_t other[32] = {1};
    OK(rust_state_unlock(state, other, sizeof other));
    FAILS(WRONG_KEY, rust_page_read(page, 0, buf, 16), "fingerprint");
    FAILS(WRONG_KEY, rust_state_unlock(state, KEY, sizeof KEY), "another key");
    OK(rust_state_close(&state));

    state = open_durable(path, MMSB_DURABILITY_BUFFERED);
    page.owner = state.id;
    OK(rust_state_unlock(state, KEY, sizeof KEY));
    OK(rust_page_read(page, 0, buf, 10));
    CHECK(memcmp(buf, "the secret", 10) == 0);
    FAILS(SIZE_OUT_OF_RANGE, rust_page_create_private(state, (uint64_t)1 << 30, 0, NULL, &none),
          "1073741776");
    OK(rust_state_close(&state));
}

int main(void) {
    static const Test tests[] = {
        TEST(with_the_key_it_is_a_page),
        TEST(without_it_it_stays_sealed),
    };
    return RUN(tests);
}
