/* A log by itself: deltas appended in order, kept, read back. */
#include "check.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static MmsbTLog open_log(const char *path) {
    MmsbTLog log = {0};
    OK(rust_tlog_new(path, &log));
    return log;
}

static MmsbDelta noted(uint64_t page, const char *source) {
    MmsbDelta plain = {0}, delta = {0};
    OK(rust_delta_new(page, BYTES("content"), &plain));
    OK(rust_delta_with_note(plain, source, NULL, &delta));
    OK(rust_delta_free(&plain));
    return delta;
}

static void append(MmsbTLog log, uint64_t page, const char *source, uint64_t *lsn) {
    MmsbDelta delta = noted(page, source);
    OK(rust_tlog_append(log, delta, lsn));
    OK(rust_delta_free(&delta));
}

static size_t drain(MmsbReader reader) {
    MmsbChange change;
    size_t count = 0;
    uint64_t last = 0;
    for (bool more = true;;) {
        OK(rust_tlog_reader_next(reader, &change, &more));
        if (!more) break;
        CHECK(change.lsn > last && change.kind == MMSB_CHANGE_KIND_WRITTEN);
        last = change.lsn;
        count++;
    }
    OK(rust_tlog_reader_free(&reader));
    return count;
}

static void what_is_appended_is_kept_and_counted(void) {
    const char *path = path_in(scratch(), "log");
    MmsbTLog log = open_log(path);
    MmsbTLogSummary summary;
    uint64_t lsns[10], flushed = 0, synced = 0;
    OK(rust_tlog_summary(log, &summary));
    EQ(summary.deltas, 0);
    EQ(summary.first, 0);
    for (uint64_t i = 0; i < 10; i++) append(log, 1 + i % 3, i % 2 ? "odd" : "even", &lsns[i]);
    OK(rust_tlog_flush(log, &flushed));
    CHECK(flushed >= lsns[9]);
    OK(rust_tlog_sync(log, &synced));
    CHECK(synced >= flushed);
    OK(rust_tlog_free(&log));
    EQ(log.id, 0);
    log = open_log(path);
    OK(rust_tlog_summary(log, &summary));
    EQ(summary.deltas, 10);
    EQ(summary.pages, 3);
    EQ(summary.payload_bytes, 70);
    EQ(summary.sources, 2);
    EQ(summary.first, lsns[0]);
    EQ(summary.last, lsns[9]);
    CHECK(summary.record_bytes > 70 && summary.first_ms > 0 && summary.last_ms >= summary.first_ms);
    OK(rust_tlog_free(&log));
}

static void readers_select(void) {
    MmsbTLog log = open_log(path_in(scratch(), "log"));
    MmsbReader reader = {0};
    MmsbQuery query;
    uint64_t lsns[10];
    for (uint64_t i = 0; i < 10; i++) append(log, 1 + i % 3, i % 2 ? "odd" : "even", &lsns[i]);
    OK(rust_tlog_reader_new(log, 0, UINT64_MAX, &reader));
    EQ(drain(reader), 10);
    OK(rust_tlog_reader_new(log, lsns[2], lsns[5], &reader));
    EQ(drain(reader), 3);
    OK(rust_tlog_query(log, NULL, &reader));
    EQ(drain(reader), 10);
    OK(rust_query_default(&query));
    query.source = "odd";
    OK(rust_tlog_query(log, &query, &reader));
    EQ(drain(reader), 5);
    OK(rust_query_default(&query));
    query.page = 1;
    OK(rust_tlog_query(log, &query, &reader));
    EQ(drain(reader), 4);
    query.source = "\xff";
    FAILS(NOT_UTF8, rust_tlog_query(log, &query, &reader), "source");
    OK(rust_tlog_free(&log));
}

static void a_reader_outlives_its_log(void) {
    MmsbTLog log = open_log(path_in(scratch(), "log"));
    MmsbReader reader = {0};
    append(log, 1, "x", NULL);
    OK(rust_tlog_query(log, NULL, &reader));
    OK(rust_tlog_free(&log));
    EQ(drain(reader), 1);
}

static void paths_and_settings_are_checked(void) {
    const char *folder = scratch();
    const char *path = path_in(folder, "log"), *state_path = path_in(folder, "state");
    MmsbTLog log = {77}, open = {0};
    MmsbConfig config;
    FAILS(NULL_HANDLE, rust_tlog_new(NULL, &log), "path");
    FAILS(NULL_HANDLE, rust_tlog_new(path, NULL), "out");
    FAILS(NULL_HANDLE, rust_tlog_open(NULL, &log), "config is null");
    FAILS(NOT_UTF8, rust_tlog_new("\xff", &log), "path");
    FAILS(FILE_NOT_FOUND, rust_tlog_new(path_in(folder, "no/such"), &log), "no/such");
    OK(rust_config_default(false, &config));
    FAILS(INVALID_ARGUMENT, rust_tlog_open(&config, &log), "path");
    config = durable(path, MMSB_DURABILITY_SYNC);
    config.must_exist = true;
    FAILS(FILE_NOT_FOUND, rust_tlog_open(&config, &log), "log");
    config.must_exist = false;
    config.durability = 3;
    FAILS(INVALID_ARGUMENT, rust_tlog_open(&config, &log), "durability 3");
    config.durability = MMSB_DURABILITY_SYNC;
    config.segment_bytes = 1;
    FAILS(SIZE_OUT_OF_RANGE, rust_tlog_open(&config, &log), "65536", "1073741824");
    config.segment_bytes = 64 << 10;
    OK(rust_tlog_open(&config, &open));
    append(open, 1, "durable at once", NULL);
    FAILS(LOCKED, rust_tlog_new(path, &log), "log");
    OK(rust_tlog_free(&open));
    MmsbState state = open_durable(state_path, MMSB_DURABILITY_MEMORY);
    OK(rust_state_close(&state));
    FAILS(FOREIGN, rust_tlog_new(state_path, &log), "state");
    config = durable(path, MMSB_DURABILITY_MEMORY);
    state.id = 77;
    FAILS(FOREIGN, rust_state_open(&config, &state), "log");
    EQ(log.id, 77);
    EQ(state.id, 77);
}

int main(void) {
    static const Test tests[] = {
        TEST(what_is_appended_is_kept_and_counted),
        TEST(readers_select),
        TEST(a_reader_outlives_its_log),
        TEST(paths_and_settings_are_checked),
    };
    return RUN(tests);
}
