/* Verifies a state's directory and says what it holds.
 *
 *     summarise [--quiet] [--sources N] DIRECTORY
 *
 * Opening recovers: a torn tail that a crash left is cut off, and said to be. Nothing else is
 * written. The summary goes to standard output, progress to standard error.
 *
 * Exit codes: 0 sound, 1 damaged, 2 wrong use, 3 no state that can be opened, 4 open elsewhere,
 * 5 anything else.
 */
#include <mmsb.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EXIT_SOUND = 0, EXIT_DAMAGED = 1, EXIT_USAGE = 2, EXIT_NO_STATE = 3, EXIT_LOCKED = 4,
       EXIT_OTHER = 5 };

typedef struct {
    const char *directory;
    size_t sources_max;
    bool quiet;
} Options;

/* --------------------------------------------------------------------------------------- errors */

static int exit_code(MmsbStatus status) {
    switch (status) {
        case MMSB_STATUS_CORRUPT: return EXIT_DAMAGED;
        case MMSB_STATUS_FILE_NOT_FOUND:
        case MMSB_STATUS_PERMISSION_DENIED:
        case MMSB_STATUS_FOREIGN:
        case MMSB_STATUS_NOT_UTF8:
        case MMSB_STATUS_UNKNOWN_FORMAT: return EXIT_NO_STATE;
        case MMSB_STATUS_LOCKED: return EXIT_LOCKED;
        default: return EXIT_OTHER;
    }
}

/* Says what failed; the exit code that goes with it, 0 if nothing did. */
static int report(MmsbStatus status, const char *doing) {
    if (status == MMSB_STATUS_OK) return 0;
    fprintf(stderr, "summarise: cannot %s: %s (error %d)\n", doing, rust_error_message(),
            (int)status);
    return exit_code(status);
}

static void *must_have(void *memory) {
    if (memory == NULL) {
        fputs("summarise: out of memory\n", stderr);
        exit(EXIT_OTHER);
    }
    return memory;
}

/* -------------------------------------------------------------------------------------- sources */

typedef struct {
    char *label; /* owned, zero-terminated; NULL is a free place */
    uint64_t records;
} Source;

/* Labels and how many records each wrote: open addressing, never more than half full. */
typedef struct {
    Source *places;
    size_t capacity; /* a power of two */
    size_t count;
} Sources;

static uint64_t hash(const char *text, size_t len) {
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < len; i++) h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
    return h;
}

static Source *place_of(const Sources *sources, const char *label, size_t len) {
    size_t at = (size_t)hash(label, len) & (sources->capacity - 1);
    for (;; at = (at + 1) & (sources->capacity - 1)) {
        Source *place = &sources->places[at];
        if (place->label == NULL) return place;
        if (strlen(place->label) == len && memcmp(place->label, label, len) == 0) return place;
    }
}

static void grow(Sources *sources) {
    Sources bigger = {NULL, sources->capacity ? 2 * sources->capacity : 64, sources->count};
    bigger.places = must_have(calloc(bigger.capacity, sizeof *bigger.places));
    for (size_t i = 0; i < sources->capacity; i++) {
        Source *old = &sources->places[i];
        if (old->label != NULL) *place_of(&bigger, old->label, strlen(old->label)) = *old;
    }
    free(sources->places);
    *sources = bigger;
}

static void count_source(Sources *sources, const char *label, size_t len) {
    if (2 * (sources->count + 1) > sources->capacity) grow(sources);
    Source *place = place_of(sources, label, len);
    if (place->label == NULL) {
        place->label = must_have(malloc(len + 1));
        if (len != 0) memcpy(place->label, label, len);
        place->label[len] = 0;
        sources->count++;
    }
    place->records++;
}

static int by_records(const void *a, const void *b) {
    const Source *left = a, *right = b;
    if (left->label == NULL || right->label == NULL) {
        return (left->label == NULL) - (right->label == NULL); /* free places last */
    }
    if (left->records != right->records) return left->records < right->records ? 1 : -1;
    return strcmp(left->label, right->label);
}

static void free_sources(Sources *sources) {
    for (size_t i = 0; i < sources->capacity; i++) free(sources->places[i].label);
    free(sources->places);
}

/* ------------------------------------------------------------------------------------- progress */

typedef struct {
    bool quiet;
    uint64_t total; /* bytes, about */
    clock_t told;
    bool shown;
} Progress;

/* At most ten times a second: a line that is written over on a terminal. */
static int tell_progress(void *context, uint64_t bytes) {
    Progress *progress = context;
    clock_t now = clock();
    if (progress->quiet || now - progress->told < CLOCKS_PER_SEC / 10) return 0;
    progress->told = now;
    progress->shown = true;
    fprintf(stderr, "\rverifying: %" PRIu64 " of about %" PRIu64 " MB", bytes / 1000000,
            progress->total / 1000000);
    fflush(stderr);
    return 0; /* go on */
}

/* -------------------------------------------------------------------------------------- reading */

typedef struct {
    MmsbVerified verified;
    MmsbRecovered recovered;
    MmsbStats stats;
    uint64_t page_bytes, epochs, epoch_max, epoch_max_page;
    uint64_t records, changes, first_lsn, last_lsn, first_ms, last_ms;
    Sources sources;
} Summary;

static MmsbStatus open_state(const char *directory, MmsbState *state) {
    MmsbConfig config;
    MmsbStatus status = rust_config_default(true, &config);
    if (status != MMSB_STATUS_OK) return status;
    config.path = directory;
    config.must_exist = true;
    config.durability = MMSB_DURABILITY_MEMORY; /* nothing is going to be written */
    return rust_state_open(&config, state);
}

static MmsbStatus verify(MmsbState state, bool quiet, Summary *summary) {
    Progress progress = {quiet, summary->stats.log_bytes, clock(), false};
    MmsbCheckpoint kept[64];
    size_t count = 0;
    if (rust_checkpoint_list(state, kept, 64, &count) == MMSB_STATUS_OK) {
        for (size_t i = 0; i < count; i++) progress.total += kept[i].bytes;
    }
    MmsbStatus status = rust_state_verify(state, tell_progress, &progress, &summary->verified);
    if (progress.shown) fprintf(stderr, "\r%*s\r", 60, "");
    return status;
}

static MmsbStatus add_page(MmsbPage page, Summary *summary) {
    uint64_t size = 0, epoch = 0;
    MmsbStatus status = rust_page_size(page, &size);
    if (status == MMSB_STATUS_OK) status = rust_page_epoch(page, &epoch);
    if (status != MMSB_STATUS_OK) return status;
    summary->page_bytes += size;
    summary->epochs += epoch;
    if (epoch > summary->epoch_max) {
        summary->epoch_max = epoch;
        summary->epoch_max_page = page.id;
    }
    return MMSB_STATUS_OK;
}

static MmsbStatus add_pages(MmsbState state, Summary *summary) {
    size_t count = (size_t)summary->stats.pages;
    uint64_t *ids = must_have(malloc((count + 1) * sizeof *ids));
    MmsbStatus status = rust_state_list_pages(state, ids, count, &count);
    for (size_t i = 0; status == MMSB_STATUS_OK && i < count; i++) {
        status = add_page((MmsbPage){state.id, ids[i]}, summary);
    }
    free(ids);
    return status;
}

/* A record is all changes of one LSN. */
static void add_change(const MmsbChange *change, Summary *summary) {
    summary->changes++;
    if (summary->records != 0 && change->lsn == summary->last_lsn) return;
    if (summary->records++ == 0) {
        summary->first_lsn = change->lsn;
        summary->first_ms = summary->last_ms = change->time_ms;
    }
    summary->last_lsn = change->lsn;
    if (change->time_ms < summary->first_ms) summary->first_ms = change->time_ms;
    if (change->time_ms > summary->last_ms) summary->last_ms = change->time_ms;
    count_source(&summary->sources, change->source, change->source_len);
}

static MmsbStatus add_history(MmsbState state, Summary *summary) {
    MmsbReader reader;
    MmsbStatus status = rust_state_query(state, NULL, &reader);
    if (status != MMSB_STATUS_OK) return status;
    for (bool more = true; status == MMSB_STATUS_OK && more;) {
        MmsbChange change;
        status = rust_tlog_reader_next(reader, &change, &more);
        if (status == MMSB_STATUS_OK && more) add_change(&change, summary);
    }
    rust_tlog_reader_free(&reader);
    return status;
}

/* ------------------------------------------------------------------------------------- printing */

static void print_time(uint64_t time_ms) {
    char text[32];
    time_t seconds = (time_t)(time_ms / 1000);
    const struct tm *utc = gmtime(&seconds);
    if (utc == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", utc) == 0) {
        printf("%" PRIu64 " ms", time_ms);
        return;
    }
    printf("%s.%03uZ", text, (unsigned)(time_ms % 1000));
}

static void print_digest(const uint8_t digest[32]) {
    printf("digest       ");
    for (int i = 0; i < 32; i++) printf("%02x", digest[i]);
    printf("\n");
}

static void print_log(const Summary *summary) {
    const MmsbStats *stats = &summary->stats;
    printf("log          %" PRIu64 " bytes in %" PRIu64 " segments\n", stats->log_bytes,
           stats->segments);
    printf("lsn          first %" PRIu64 ", last %" PRIu64 ", durable %" PRIu64
           ", history above %" PRIu64 "\n",
           summary->first_lsn, summary->last_lsn, stats->durable_lsn, stats->history_floor);
    printf("checkpoints  %" PRIu64, stats->checkpoints);
    if (stats->checkpoints != 0) printf(", newest at %" PRIu64, stats->checkpoint_lsn);
    printf("\n");
    if (summary->recovered.torn) {
        printf("torn         %" PRIu64 " bytes at %" PRIu64 " were cut off\n",
               summary->recovered.torn_bytes, summary->recovered.torn_offset);
    }
}

static void print_history(const Summary *summary) {
    printf("records      %" PRIu64 " with %" PRIu64 " changes\n", summary->records,
           summary->changes);
    if (summary->records == 0) return;
    printf("time         ");
    print_time(summary->first_ms);
    printf(" to ");
    print_time(summary->last_ms);
    printf("\n");
}

static void print_sources(const Sources *sources, size_t most) {
    size_t shown = sources->count < most ? sources->count : most;
    uint64_t rest = 0;
    if (sources->count == 0) return;
    qsort(sources->places, sources->capacity, sizeof *sources->places, by_records);
    printf("sources      %zu\n", sources->count);
    for (size_t i = 0; i < shown; i++) {
        const char *label = sources->places[i].label;
        printf("  %12" PRIu64 "  %s\n", sources->places[i].records, *label ? label : "(none)");
    }
    for (size_t i = shown; i < sources->count; i++) rest += sources->places[i].records;
    if (rest != 0) printf("  %12" PRIu64 "  of %zu others\n", rest, sources->count - shown);
}

static void print_summary(const Options *options, const Summary *summary) {
    printf("state        %s\n", options->directory);
    printf("verified     %" PRIu64 " records of %" PRIu64 " bytes, %" PRIu64 " images\n",
           summary->verified.records, summary->verified.record_bytes, summary->verified.images);
    print_digest(summary->verified.digest);
    printf("pages        %" PRIu64 " of %" PRIu64 " bytes, next id %" PRIu64 "\n",
           summary->stats.pages, summary->page_bytes, summary->stats.next_page_id);
    printf("epochs       %" PRIu64 " in all, at most %" PRIu64, summary->epochs,
           summary->epoch_max);
    if (summary->epoch_max != 0) printf(" (page %" PRIu64 ")", summary->epoch_max_page);
    printf("\n");
    print_log(summary);
    print_history(summary);
    print_sources(&summary->sources, options->sources_max);
}

/* ----------------------------------------------------------------------------------------- main */

static int summarise(MmsbState state, const Options *options) {
    Summary summary = {0};
    int code = report(rust_state_recovered(state, &summary.recovered), "read what was recovered");
    if (code == 0) code = report(rust_state_stats(state, &summary.stats), "read the counts");
    if (code == 0) code = report(verify(state, options->quiet, &summary), "verify");
    if (code == 0) code = report(add_pages(state, &summary), "read the pages");
    if (code == 0) code = report(add_history(state, &summary), "read the history");
    if (code == 0) print_summary(options, &summary);
    free_sources(&summary.sources);
    return code;
}

static int usage(void) {
    fputs("usage: summarise [--quiet] [--sources N] DIRECTORY\n", stderr);
    return EXIT_USAGE;
}

static bool parse(int argc, char **argv, Options *options) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quiet") == 0) {
            options->quiet = true;
        } else if (strcmp(argv[i], "--sources") == 0 && i + 1 < argc) {
            char *end = NULL;
            options->sources_max = (size_t)strtoul(argv[++i], &end, 10);
            if (end == argv[i] || *end != 0) return false;
        } else if (argv[i][0] == '-' || options->directory != NULL) {
            return false;
        } else {
            options->directory = argv[i];
        }
    }
    return options->directory != NULL;
}

int main(int argc, char **argv) {
    Options options = {NULL, 20, false};
    MmsbState state = {0};
    if (!parse(argc, argv, &options)) return usage();
    int code = report(open_state(options.directory, &state), "open the state");
    if (code != 0) return code;
    code = summarise(state, &options);
    int closed = report(rust_state_close(&state), "close the state");
    if (fflush(stdout) != 0) {
        perror("summarise: cannot write the summary");
        return EXIT_OTHER;
    }
    return code != 0 ? code : closed;
}
