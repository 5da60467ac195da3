/* MMSB in five minutes: a thermostat keeps its readings in a state in memory.
 *
 *     cc -std=c11 quickstart.c $(pkg-config --cflags --libs mmsb) -o quickstart
 */
#include <mmsb.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every call returns a status; the sentence that goes with it belongs to this thread. */
static void must(MmsbStatus status) {
    if (status != MMSB_STATUS_OK) {
        fprintf(stderr, "error %d: %s\n", (int)status, rust_error_message());
        exit(1);
    }
}

static double reading(MmsbPage room) {
    double degrees = 0;
    must(rust_page_read(room, 0, (uint8_t *)&degrees, sizeof degrees));
    return degrees;
}

static void measure(MmsbPage room, double degrees, uint64_t *lsn) {
    const MmsbNote note = {"sensor", NULL};
    must(rust_page_update(room, (const uint8_t *)&degrees, sizeof degrees, &note, lsn));
}

/* Both rooms change at once: nobody ever sees one with the new value and one with the old. */
static void calibrate(MmsbState state, MmsbPage kitchen, MmsbPage hall) {
    const double degrees = 20.0;
    const MmsbNote note = {"service", "yearly calibration"};
    MmsbBatch batch;
    must(rust_batch_new(state, &batch));
    must(rust_batch_update(batch, kitchen.id, (const uint8_t *)&degrees, sizeof degrees));
    must(rust_batch_update(batch, hall.id, (const uint8_t *)&degrees, sizeof degrees));
    must(rust_batch_commit(&batch, &note, NULL)); /* also ends the batch */
}

/* A snapshot stays as it is while writers go on. */
static void look_twice(MmsbState state, MmsbPage kitchen) {
    double before = 0;
    MmsbSnapshot snapshot;
    must(rust_snapshot_new(state, &snapshot));
    measure(kitchen, 22.5, NULL);
    must(rust_snapshot_read(snapshot, kitchen.id, 0, (uint8_t *)&before, sizeof before));
    printf("snapshot: the kitchen has %.1f now, it had %.1f\n", reading(kitchen), before);
    must(rust_snapshot_free(&snapshot));
}

/* Every change is a record: who, why, what. */
static void tell_history(MmsbState state, MmsbPage page) {
    MmsbQuery query;
    MmsbReader reader;
    MmsbChange change;
    bool more = false;
    must(rust_query_default(&query));
    query.page = page.id;
    must(rust_state_query(state, &query, &reader));
    for (must(rust_tlog_reader_next(reader, &change, &more)); more;
         must(rust_tlog_reader_next(reader, &change, &more))) {
        printf("history: %-8.*s epoch %" PRIu64 ", %zu bytes%s%.*s\n", (int)change.source_len,
               change.source, change.epoch, change.payload_len, change.intent ? ", " : "",
               (int)change.intent_len, change.intent ? change.intent : "");
    }
    must(rust_tlog_reader_free(&reader));
}

/* The state as it was when the record `lsn` had happened: a whole state, read-only. */
static void travel(MmsbState state, MmsbPage kitchen, uint64_t lsn) {
    MmsbState past;
    must(rust_state_replay_to(state, lsn, &past));
    const MmsbPage then = {past.id, kitchen.id};
    printf("replay: the kitchen had %.1f\n", reading(then));
    must(rust_state_close(&past));
}

/* A call that fails has changed nothing, and says what was wrong. */
static void go_wrong(MmsbPage kitchen) {
    MmsbStatus status = rust_page_write(kitchen, 6, (const uint8_t *)"too long", 8, NULL, NULL);
    if (status == MMSB_STATUS_RANGE_OUT_OF_BOUNDS) {
        printf("error: %s\n", rust_error_message());
    }
}

int main(void) {
    const MmsbNote note = {"setup", "a page per room"};
    MmsbState state;
    MmsbPage kitchen, hall;
    uint64_t lsn = 0;
    must(rust_state_open(NULL, &state)); /* NULL: in memory, default settings */
    must(rust_page_create(state, sizeof(double), MMSB_LOCATION_CPU, &note, &kitchen));
    must(rust_page_create(state, sizeof(double), MMSB_LOCATION_CPU, &note, &hall));

    measure(kitchen, 21.5, &lsn);
    calibrate(state, kitchen, hall);
    look_twice(state, kitchen);
    tell_history(state, kitchen);
    travel(state, kitchen, lsn);
    go_wrong(kitchen);
    must(rust_state_close(&state));
    return 0;
}
