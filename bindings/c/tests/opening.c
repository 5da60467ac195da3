/* Opening and closing: settings, directories, who may have them, what comes back. */
#define _XOPEN_SOURCE 700
#include "check.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static void settings_outside_their_limits_are_refused(void) {
    const char *path = path_in(scratch(), "state");
    MmsbState state = {77};
    MmsbConfig config = durable(path, MMSB_DURABILITY_BUFFERED);
    config.durability = 3;
    FAILS(INVALID_ARGUMENT, rust_state_open(&config, &state), "durability 3");
    config.durability = UINT32_MAX;
    FAILS(INVALID_ARGUMENT, rust_state_open(&config, &state), "4294967295");
    config = durable(path, MMSB_DURABILITY_BUFFERED);
    config.segment_bytes = 65535;
    FAILS(SIZE_OUT_OF_RANGE, rust_state_open(&config, &state), "65535", "65536");
    config.segment_bytes = UINT64_MAX;
    FAILS(SIZE_OUT_OF_RANGE, rust_state_open(&config, &state), "1073741824");
    config = durable(path, MMSB_DURABILITY_BUFFERED);
    config.flush_every_us = 0;
    FAILS(INVALID_ARGUMENT, rust_state_open(&config, &state), "flush_every");
    config.flush_every_us = 1000;
    config.sync_every_us = 0;
    FAILS(INVALID_ARGUMENT, rust_state_open(&config, &state), "sync_every");
    OK(rust_config_default(false, &config));
    config.durability = MMSB_DURABILITY_SYNC;
    FAILS(INVALID_ARGUMENT, rust_state_open(&config, &state), "path");
    FAILS(NULL_HANDLE, rust_state_open(NULL, NULL), "out");
    FAILS(NULL_HANDLE, rust_config_default(true, NULL), "out");
    EQ(state.id, 77);
    CHECK(!exists(path));
}

static void defaults_are_told(void) {
    MmsbConfig memory, buffered;
    OK(rust_config_default(false, &memory));
    OK(rust_config_default(true, &buffered));
    CHECK(memory.path == NULL && buffered.path == NULL);
    EQ(memory.durability, MMSB_DURABILITY_MEMORY);
    EQ(buffered.durability, MMSB_DURABILITY_BUFFERED);
    EQ(buffered.flush_every_us, 1000);
    EQ(buffered.sync_every_us, 100000);
    CHECK(!buffered.must_exist);
}

static void what_was_closed_comes_back(void) {
    for (int durability = 0; durability < 3; durability++) {
        const char *path = path_in(scratch(), "state");
        MmsbState state = open_durable(path, (MmsbDurability)durability);
        MmsbRecovered recovered;
        ramp_page(state, 1000);
        MmsbPage freed = ramp_page(state, 10);
        OK(rust_page_free(freed, NULL, NULL));
        Digest digest = digest_of(state);
        OK(rust_state_close(&state));
        EQ(state.id, 0);
        state = open_durable(path, (MmsbDurability)durability);
        OK(rust_state_recovered(state, &recovered));
        EQ(recovered.records, 5);
        CHECK(!recovered.torn && recovered.bytes > 1000);
        SAME(digest_of(state), digest);
        EQ(new_page(state, 1).id, 3);
        OK(rust_state_close(&state));
    }
}

static void directories_that_are_not_states_are_refused(void) {
    const char *folder = scratch();
    MmsbState state = {77};
    MmsbConfig config = durable(path_in(folder, "absent"), MMSB_DURABILITY_BUFFERED);
    config.must_exist = true;
    FAILS(FILE_NOT_FOUND, rust_state_open(&config, &state), "absent");
    CHECK(!exists(config.path));
    config = durable(path_in(folder, "no/such/place"), MMSB_DURABILITY_BUFFERED);
    FAILS(FILE_NOT_FOUND, rust_state_open(&config, &state), "no/such/place");
    config.path = "";
    FAILS(INVALID_ARGUMENT, rust_state_open(&config, &state), "path");
    config.path = "caf\xe9";
    FAILS(NOT_UTF8, rust_state_open(&config, &state), "path");
    const char *file = path_in(folder, "file");
    touch(file);
    config.path = file;
    FAILS(FOREIGN, rust_state_open(&config, &state), "file");
    const char *empty = path_in(folder, "empty");
    REQUIRE(mkdir(empty, 0777) == 0);
    config.path = empty;
    config.must_exist = true;
    FAILS(FILE_NOT_FOUND, rust_state_open(&config, &state), "empty");
    EQ(state.id, 77);
}

static void directories_of_others_are_left_as_they_are(void) {
    const char *folder = scratch();
    MmsbState state = {77};
    MmsbConfig config = durable(folder, MMSB_DURABILITY_BUFFERED);
    touch(path_in(folder, "notes.txt"));
    FAILS(FOREIGN, rust_state_open(&config, &state), "notes.txt");
    config.must_exist = true;
    FAILS(FOREIGN, rust_state_open(&config, &state), "notes.txt");
    CHECK(exists(path_in(folder, "notes.txt")));
    CHECK(!exists(path_in(folder, "LOCK")) && !exists(path_in(folder, "MANIFEST")));
    EQ(state.id, 77);
}

static void names_that_are_too_long_are_an_error_of_the_system(void) {
    static char path[5000];
    MmsbState state = {77};
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    MmsbConfig config = durable(path, MMSB_DURABILITY_BUFFERED);
    MmsbStatus status = rust_state_open(&config, &state);
    CHECK(status != MMSB_STATUS_OK && status != MMSB_STATUS_PANIC);
    CHECK(rust_error_message()[0] != 0);
    EQ(state.id, 77);
}

static void a_second_open_is_refused(void) {
    const char *path = path_in(scratch(), "state");
    MmsbState state = open_durable(path, MMSB_DURABILITY_BUFFERED), second = {77};
    MmsbConfig config = durable(path, MMSB_DURABILITY_BUFFERED);
    FAILS(LOCKED, rust_state_open(&config, &second), path, "open already");
    CHECK(rust_error_is_retryable(MMSB_STATUS_LOCKED));
    EQ(second.id, 77);
    ramp_page(state, 8);
    OK(rust_state_close(&state));
    OK(rust_state_open(&config, &second));
    OK(rust_state_close(&second));
}

/* Runs in a child: opens, changes, says so, and waits to be killed. */
static void hold(const char *path, int told) {
    MmsbConfig config;
    MmsbState state;
    MmsbPage page;
    char ok = rust_config_default(true, &config) == MMSB_STATUS_OK;
    config.path = path;
    ok &= rust_state_open(&config, &state) == MMSB_STATUS_OK;
    ok &= rust_page_create(state, 8, 0, NULL, &page) == MMSB_STATUS_OK;
    ok &= rust_page_update(page, BYTES("survives"), NULL, NULL) == MMSB_STATUS_OK;
    ok &= rust_state_flush(state, NULL) == MMSB_STATUS_OK;
    if (write(told, &ok, 1) != 1) _exit(1);
    for (;;) pause();
}

/* The child must be forked before this process has threads: this test comes first. */
static void another_process_has_it_until_it_dies(void) {
    const char *path = path_in(scratch(), "state");
    int told[2];
    char ok = 0;
    REQUIRE(pipe(told) == 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) hold(path, told[1]);
    REQUIRE(read(told[0], &ok, 1) == 1);
    CHECK(ok);
    MmsbConfig config = durable(path, MMSB_DURABILITY_BUFFERED);
    MmsbState state = {77};
    FAILS(LOCKED, rust_state_open(&config, &state), "open already");
    EQ(state.id, 77);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    OK(rust_state_open(&config, &state)); /* what was flushed survives the process */
    EQ(byte_at((MmsbPage){state.id, 1}, 7), 's');
    OK(rust_state_close(&state));
    close(told[0]);
    close(told[1]);
}

static void flush_and_sync_say_how_far(void) {
    MmsbState state = open_durable(path_in(scratch(), "state"), MMSB_DURABILITY_MEMORY);
    MmsbPage page = ramp_page(state, 8);
    uint64_t last = 0, flushed = 0, synced = 0;
    MmsbStats stats;
    OK(rust_page_lsn(page, &last));
    OK(rust_state_stats(state, &stats));
    CHECK(stats.written_lsn < last && stats.pending_bytes > 0);
    OK(rust_state_flush(state, &flushed));
    CHECK(flushed >= last);
    OK(rust_state_sync(state, &synced));
    CHECK(synced >= flushed);
    OK(rust_state_stats(state, &stats));
    EQ(stats.pending_bytes, 0);
    CHECK(stats.durable_lsn >= last && stats.log_bytes > 0 && stats.segments == 1);
    OK(rust_state_flush(state, NULL));
    OK(rust_state_sync(state, NULL));
    OK(rust_state_close(&state));
}

/* The manifest alone says that the state is open. */
static void the_log_of_a_sound_state_is_not_written_to_by_opening(void) {
    const char *path = path_in(scratch(), "state");
    MmsbState state = open_durable(path, MMSB_DURABILITY_MEMORY);
    struct stat before, after;
    ramp_page(state, 8);
    OK(rust_state_close(&state));
    const char *segment = path_in(path, "0000000000000001.log");
    REQUIRE(stat(segment, &before) == 0);
    state = open_durable(path, MMSB_DURABILITY_MEMORY);
    digest_of(state);
    OK(rust_state_close(&state));
    REQUIRE(stat(segment, &after) == 0);
    EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

int main(void) {
    static const Test tests[] = {
        TEST(another_process_has_it_until_it_dies),
        TEST(settings_outside_their_limits_are_refused),
        TEST(defaults_are_told),
        TEST(what_was_closed_comes_back),
        TEST(directories_that_are_not_states_are_refused),
        TEST(directories_of_others_are_left_as_they_are),
        TEST(names_that_are_too_long_are_an_error_of_the_system),
        TEST(a_second_open_is_refused),
        TEST(flush_and_sync_say_how_far),
        TEST(the_log_of_a_sound_state_is_not_written_to_by_opening),
    };
    return RUN(tests);
}
