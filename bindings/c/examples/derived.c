/* Pages that follow others: a house keeps the hours of a day, indoors and outdoors; what has to be
 * heated is computed of them, and stays right through every change, and through a restart.
 *
 *     cc -std=c11 derived.c $(pkg-config --cflags --libs mmsb) -o derived
 *     ./derived house.state
 */
#include <mmsb.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOURS = 24 };

/* Every call returns a status; the sentence that goes with it belongs to this thread. */
static void must(MmsbStatus status) {
    if (status != MMSB_STATUS_OK) {
        fprintf(stderr, "error %d: %s\n", (int)status, rust_error_message());
        exit(1);
    }
}

/* Ends the program where something is not as it must be. */
static void check(bool right, const char *what) {
    if (!right) {
        fprintf(stderr, "wrong: %s\n", what);
        exit(1);
    }
}

typedef struct {
    MmsbState state;
    MmsbPage indoors, outdoors; /* degrees for each hour: written */
    MmsbPage heating;           /* degrees to be heated, hour by hour: a formula */
    MmsbPage worst;             /* the hour that takes most, and how many degrees: a callback */
} House;

typedef struct {
    double hour, degrees;
} Worst;

/* Depends on its arguments alone: parents in, content out. Replay does not call it: what it made
 * stands in the log. */
static int32_t worst_hour(void *calls, uint64_t page, const MmsbBytes *parents, size_t count,
                          uint8_t *out, size_t len, char *message, size_t capacity) {
    Worst worst = {0, 0};
    (void)page;
    ++*(int *)calls;
    if (count != 1 || len != sizeof worst) {
        snprintf(message, capacity, "one page of hours is wanted, not %zu pages", count);
        return 1;
    }
    for (size_t hour = 0; hour < parents[0].len / sizeof(double); hour++) {
        double degrees;
        memcpy(&degrees, parents[0].data + hour * sizeof degrees, sizeof degrees);
        if (degrees > worst.degrees) worst = (Worst){(double)hour, degrees};
    }
    memcpy(out, &worst, sizeof worst);
    return 0;
}

/* The callback is registered anew whenever the state is opened: functions do not stand in logs. */
static void open_house(House *house, const char *directory, int *calls) {
    MmsbConfig config;
    must(rust_config_default(true, &config));
    config.path = directory;
    must(rust_state_open(&config, &house->state));
    must(rust_propagate_register(house->state, "worst hour", worst_hour, calls, NULL, true));
    MmsbPage *pages[] = {&house->indoors, &house->outdoors, &house->heating, &house->worst};
    for (uint64_t i = 0; i < 4; i++) *pages[i] = (MmsbPage){house->state.id, i + 1};
}

static void build(House *house) {
    const MmsbNote note = {"setup", "a house"};
    const size_t day = HOURS * sizeof(double);
    must(rust_page_create(house->state, day, MMSB_LOCATION_CPU, &note, &house->indoors));
    must(rust_page_create(house->state, day, MMSB_LOCATION_CPU, &note, &house->outdoors));
    must(rust_page_create(house->state, day, MMSB_LOCATION_CPU, &note, &house->heating));
    must(rust_page_create(house->state, sizeof(Worst), MMSB_LOCATION_CPU, &note, &house->worst));

    const uint64_t both[] = {house->indoors.id, house->outdoors.id};
    must(rust_propagate_derive(house->state, house->heating.id, both, 2, "f64: max(p0 - p1, 0)",
                               &note, NULL));
    must(rust_propagate_derive_by(house->state, house->worst.id, &house->heating.id, 1,
                                  "worst hour", &note, NULL));
}

/* One call changes the hour, the heating and the worst hour: nobody sees one without the others. */
static void measure(MmsbPage place, int hour, double degrees, const char *why) {
    const MmsbNote note = {"sensor", why};
    must(rust_page_write(place, (uint64_t)hour * sizeof degrees, (const uint8_t *)&degrees,
                         sizeof degrees, &note, NULL));
}

static double heating(const House *house, int hour) {
    double degrees = 0;
    must(rust_page_read(house->heating, (uint64_t)hour * sizeof degrees, (uint8_t *)&degrees,
                        sizeof degrees));
    return degrees;
}

static Worst worst(const House *house) {
    Worst worst = {0, 0};
    must(rust_page_read(house->worst, 0, (uint8_t *)&worst, sizeof worst));
    return worst;
}

/* Two hours at once are one change, and everything is computed once for them. */
static void cold_night(House *house) {
    const MmsbNote note = {"sensor", "a cold night"};
    const double degrees[] = {-4.0, -7.5};
    MmsbBatch batch;
    must(rust_batch_new(house->state, &batch));
    must(rust_batch_write(batch, house->outdoors.id, 3 * sizeof(double),
                          (const uint8_t *)degrees, sizeof degrees));
    must(rust_batch_commit(&batch, &note, NULL));
}

/* What a page was made of, back to what was written. */
static void explain(const House *house) {
    MmsbExplanation told;
    MmsbOrigin origin;
    size_t count = 0;
    uint64_t dropped = 0;
    must(rust_propagate_explain(house->state, house->worst.id, &told));
    must(rust_explanation_len(told, &count, &dropped));
    for (size_t i = 0; i < count; i++) {
        must(rust_explanation_get(told, i, &origin));
        printf("explained: page %" PRIu64 ", epoch %" PRIu64 ": ", origin.page, origin.epoch);
        if (origin.rule) {
            printf("%.*s", (int)origin.rule_len, origin.rule);
        } else {
            printf("written by %.*s", (int)origin.source_len, origin.source);
        }
        if (origin.intent) printf(" (%.*s)", (int)origin.intent_len, origin.intent);
        printf("\n");
    }
    check(count == 4 && dropped == 0, "the explanation leaves something out");
    must(rust_explanation_free(&told));
}

/* A derived page is not written by hand. */
static void go_wrong(const House *house) {
    const double warm = 0;
    MmsbStatus status =
        rust_page_write(house->heating, 0, (const uint8_t *)&warm, sizeof warm, NULL, NULL);
    check(status == MMSB_STATUS_DERIVED, "a derived page was written to");
    printf("error: %s\n", rust_error_message());
}

int main(int argc, char **argv) {
    House house;
    int calls = 0, calls_before;
    uint64_t lsn = 0;
    uint8_t now[32], then[32];
    MmsbState past;
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    open_house(&house, argv[1], &calls);
    build(&house);
    for (int hour = 0; hour < HOURS; hour++) measure(house.indoors, hour, 20.0, "the thermostat");
    cold_night(&house);
    check(heating(&house, 4) == 27.5 && heating(&house, 5) == 20.0, "the formula");
    check(worst(&house).hour == 4 && worst(&house).degrees == 27.5, "the callback");
    printf("worst: hour %.0f takes %.1f degrees\n", worst(&house).hour, worst(&house).degrees);
    explain(&house);
    go_wrong(&house);

    /* The log leads to the same state, and calls nothing for it. */
    calls_before = calls;
    must(rust_state_flush(house.state, &lsn));
    must(rust_state_replay_to(house.state, lsn, &past));
    must(rust_state_digest(house.state, &now));
    must(rust_state_digest(past, &then));
    check(memcmp(now, then, sizeof now) == 0, "replay leads elsewhere");
    check(calls == calls_before, "replay called the callback");
    must(rust_state_close(&past));
    must(rust_state_close(&house.state));

    /* Opened again, everything is as it was, and goes on following. */
    open_house(&house, argv[1], &calls);
    must(rust_state_digest(house.state, &then));
    check(memcmp(now, then, sizeof now) == 0, "another state was opened");
    check(calls == calls_before, "opening called the callback");
    measure(house.outdoors, 22, -11.0, "a colder one");
    check(worst(&house).hour == 22 && worst(&house).degrees == 31.0, "after the restart");
    check(calls == calls_before + 1, "once for each change");
    printf("worst: hour %.0f takes %.1f degrees\n", worst(&house).hour, worst(&house).degrees);
    must(rust_state_close(&house.state));
    return 0;
}
