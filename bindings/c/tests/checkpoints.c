/* Checkpoints: kept in the state's directory, or files of their own. */
#include "check.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static void named_ones_are_kept_and_listed(void) {
    MmsbState state = open_durable(path_in(scratch(), "state"), MMSB_DURABILITY_BUFFERED);
    MmsbPage page = ramp_page(state, 1000);
    MmsbCheckpoint kept[4];
    size_t count = 99;
    uint64_t first = 0, second = 0;
    OK(rust_checkpoint_list(state, NULL, 0, &count));
    EQ(count, 0);
    OK(rust_checkpoint_create(state, "first", &first));
    OK(rust_page_write(page, 0, BYTES("x"), NULL, NULL));
    OK(rust_checkpoint_create(state, "second", &second));
    CHECK(second > first);
    FAILS(LENGTH_MISMATCH, rust_checkpoint_list(state, kept, 1, &count), "1", "2");
    EQ(count, 2);
    OK(rust_checkpoint_list(state, kept, 4, &count));
    EQ(count, 2);
    EQ(kept[0].lsn, first);
    EQ(strcmp(kept[0].name, "first"), 0);
    EQ(strcmp(kept[1].name, "second"), 0);
    CHECK(kept[0].bytes > 1000);
    FAILS(INVALID_ARGUMENT, rust_checkpoint_create(state, "first", NULL), "first");
    OK(rust_checkpoint_drop(state, "first"));
    FAILS(CHECKPOINT_NOT_FOUND, rust_checkpoint_drop(state, "first"), "first");
    OK(rust_checkpoint_create(state, NULL, NULL));
    OK(rust_state_close(&state));
}

static void names_have_limits_and_are_utf8(void) {
    MmsbState state = open_durable(path_in(scratch(), "state"), MMSB_DURABILITY_MEMORY);
    char name[66];
    uint64_t lsn = 77;
    ramp_page(state, 8);
    memset(name, 'n', 65);
    name[65] = 0;
    FAILS(TOO_LONG, rust_checkpoint_create(state, name, &lsn), "65", "64");
    FAILS(NOT_UTF8, rust_checkpoint_create(state, "\x80", &lsn), "name");
    FAILS(NOT_UTF8, rust_checkpoint_drop(state, "\x80"), "name");
    FAILS(NULL_HANDLE, rust_checkpoint_drop(state, NULL), "name");
    FAILS(CHECKPOINT_NOT_FOUND, rust_checkpoint_drop(state, ""), "\"\"");
    EQ(lsn, 77);
    name[64] = 0;
    OK(rust_checkpoint_create(state, name, &lsn));
    MmsbCheckpoint kept;
    size_t count = 0;
    OK(rust_checkpoint_list(state, &kept, 1, &count));
    EQ(strlen(kept.name), 64);
    OK(rust_state_close(&state));
}

static void opening_begins_at_the_newest(void) {
    const char *path = path_in(scratch(), "state");
    MmsbState state = open_durable(path, MMSB_DURABILITY_BUFFERED);
    MmsbPage page = ramp_page(state, 1000);
    MmsbRecovered recovered;
    OK(rust_page_metadata_set(page, BYTES("k"), BYTES("v"), NULL, NULL));
    OK(rust_checkpoint_create(state, NULL, NULL));
    OK(rust_page_write(page, 0, BYTES("later"), NULL, NULL));
    Digest digest = digest_of(state);
    OK(rust_state_close(&state));
    state = open_durable(path, MMSB_DURABILITY_BUFFERED);
    OK(rust_state_recovered(state, &recovered));
    EQ(recovered.records, 1);
    CHECK(!recovered.torn);
    SAME(digest_of(state), digest);
    OK(rust_state_verify(state, NULL, NULL, NULL));
    OK(rust_state_close(&state));
}

static void history_goes_when_nothing_keeps_it(void) {
    MmsbConfig config = durable(path_in(scratch(), "state"), MMSB_DURABILITY_MEMORY);
    MmsbState state = {0}, past = {77};
    MmsbReader reader = {77};
    uint8_t content[1000];
    uint64_t early = 0;
    size_t len = 77;
    config.history_bytes = 0;
    OK(rust_state_open(&config, &state));
    MmsbPage page = new_page(state, sizeof content);
    OK(rust_state_flush(state, &early));
    for (int i = 1; i <= 300; i++) {
        memset(content, i, sizeof content);
        OK(rust_page_update(page, content, sizeof content, NULL, NULL));
        if (i % 100 == 0) OK(rust_checkpoint_create(state, NULL, NULL));
    }
    MmsbQuery query;
    OK(rust_query_default(&query));
    query.after = early;
    FAILS(HISTORY_DROPPED, rust_state_replay_to(state, early, &past), "no longer kept");
    FAILS(HISTORY_DROPPED, rust_page_at(page, early, content, 1000, &len, NULL), "no longer kept");
    FAILS(HISTORY_DROPPED, rust_state_query(state, &query, &reader), "no longer kept");
    EQ(past.id, 77);
    EQ(reader.id, 77);
    EQ(len, 77);
    OK(rust_state_verify(state, NULL, NULL, NULL));
    OK(rust_state_close(&state));
}

static void a_file_is_a_state_of_its_own(void) {
    const char *file = path_in(scratch(), "backup.image");
    MmsbState state = memory_state(), copy = {0};
    MmsbPage page = ramp_page(state, 5000), mine;
    uint64_t lsn = 0;
    OK(rust_page_metadata_set(page, BYTES("k"), BYTES("v"), NULL, NULL));
    Digest digest = digest_of(state);
    OK(rust_checkpoint_write(state, file, &lsn));
    CHECK(lsn > 0);
    OK(rust_state_close(&state));
    OK(rust_checkpoint_load(file, &copy));
    SAME(digest_of(copy), digest);
    mine = (MmsbPage){copy.id, page.id};
    OK(rust_page_write(mine, 0, BYTES("only here"), NULL, NULL));
    OK(rust_state_verify(copy, NULL, NULL, NULL));
    OK(rust_state_close(&copy));
    OK(rust_checkpoint_load(file, &copy)); /* the file never changed */
    SAME(digest_of(copy), digest);
    OK(rust_state_close(&copy));
}

static void paths_of_files_are_checked(void) {
    const char *folder = scratch();
    const char *file = path_in(folder, "taken"), *missing = path_in(folder, "no/such/file");
    MmsbState state = memory_state(), loaded = {77};
    uint64_t lsn = 77;
    FILE *taken = fopen(file, "w");
    REQUIRE(taken != NULL);
    fputs("not an image", taken);
    fclose(taken);
    FAILS(INVALID_ARGUMENT, rust_checkpoint_write(state, file, &lsn), "taken", "exists");
    FAILS(INVALID_ARGUMENT, rust_checkpoint_write(state, folder, &lsn), folder, "exists");
    FAILS(FILE_NOT_FOUND, rust_checkpoint_write(state, missing, &lsn), "no/such/file");
    FAILS(NULL_HANDLE, rust_checkpoint_write(state, NULL, &lsn), "path");
    FAILS(NOT_UTF8, rust_checkpoint_write(state, "\xff", &lsn), "path");
    FAILS(INVALID_ARGUMENT, rust_checkpoint_write(state, "", &lsn), "\"\" does not name a file");
    EQ(lsn, 77);
    FAILS(FOREIGN, rust_checkpoint_load(file, &loaded), "taken", "not an image");
    FAILS(FILE_NOT_FOUND, rust_checkpoint_load(missing, &loaded), "no/such/file");
    FAILS(FILE_NOT_FOUND, rust_checkpoint_load(path_in(folder, "absent"), &loaded), "absent");
    FAILS(NULL_HANDLE, rust_checkpoint_load(NULL, &loaded), "path");
    FAILS(NULL_HANDLE, rust_checkpoint_load(file, NULL), "out");
    FAILS(NOT_UTF8, rust_checkpoint_load("\xff", &loaded), "path");
    FAILS(FOREIGN, rust_checkpoint_load(folder, &loaded), folder);
    EQ(loaded.id, 77);
    OK(rust_page_write(ramp_page(state, 8), 0, BYTES("x"), NULL, NULL)); /* all is well */
    OK(rust_state_close(&state));
}

static int stop_at_bytes(void *context, uint64_t done) { return done >= *(uint64_t *)context; }

static int make_another(void *context, uint64_t done) {
    MmsbState state = *(MmsbState *)context;
    size_t count = 0;
    UNUSED(done);
    FAILS(INVALID_ARGUMENT, rust_checkpoint_create(state, NULL, NULL), "already");
    OK(rust_checkpoint_list(state, NULL, 0, &count)); /* nothing is kept yet, nothing is locked */
    EQ(count, 0);
    return 0;
}

static void a_callback_gives_them_up(void) {
    const char *folder = scratch(), *file = path_in(folder, "given-up.image");
    MmsbState state = open_durable(path_in(folder, "state"), MMSB_DURABILITY_MEMORY);
    uint64_t at = 3000, never = UINT64_MAX, lsn = 77;
    size_t count = 77;
    for (int i = 0; i < 4; i++) ramp_page(state, 1000);
    FAILS(CANCELLED, rust_checkpoint_create_with(state, "a", stop_at_bytes, &at, &lsn), "progress");
    FAILS(CANCELLED, rust_checkpoint_write_with(state, file, stop_at_bytes, &at, &lsn), "progress");
    EQ(lsn, 77);
    CHECK(!exists(file));
    OK(rust_checkpoint_list(state, NULL, 0, &count));
    EQ(count, 0);
    OK(rust_checkpoint_create_with(state, NULL, make_another, &state, NULL));
    OK(rust_checkpoint_create_with(state, "a", stop_at_bytes, &never, &lsn));
    CHECK(lsn != 77);
    OK(rust_checkpoint_create_with(state, "b", NULL, NULL, NULL));
    OK(rust_checkpoint_write_with(state, file, stop_at_bytes, &never, &lsn));
    CHECK(exists(file));
    OK(rust_state_verify(state, NULL, NULL, NULL));
    OK(rust_state_close(&state));
}

int main(void) {
    static const Test tests[] = {
        TEST(named_ones_are_kept_and_listed), TEST(names_have_limits_and_are_utf8),
        TEST(opening_begins_at_the_newest),   TEST(history_goes_when_nothing_keeps_it),
        TEST(a_file_is_a_state_of_its_own),   TEST(paths_of_files_are_checked),
        TEST(a_callback_gives_them_up),
    };
    return RUN(tests);
}
