/* Every function refuses every wrong handle, in every position where it takes one, and every null
 * place for a result; and then nothing was written and nothing changed.
 *
 * One row per function and position. A row says which kinds of handle fit there; the rest is the
 * same for all of them.
 */
#include "check.h"

enum { STATE, ALLOCATOR, DELTA, VIEW, SNAPSHOT, BATCH, TLOG, READER, COMPARISON, MARK, KINDS };

/* Live objects of every kind, and handles of objects that were freed. */
static struct {
    uint64_t live[KINDS], stale[KINDS];
    uint64_t page; /* id of a page of 16 bytes in the state, and of one in the allocator */
    Digest digest;
} it;

/* Where results go. Each is filled before the call, and must be as it was after a failed one. */
enum { PLACE_BYTES = 512, PLACES = 3, FILL = 0xA5 };
typedef struct {
    void *at[PLACES];
} Out;

typedef MmsbStatus (*Call)(uint64_t handle, Out out);

typedef struct {
    const char *name;
    unsigned kinds;    /* which kinds of handle fit, a bit each */
    unsigned required; /* which places must not be null, a bit each */
    Call call;
    bool aligned;      /* whether the first place must be aligned */
} Row;

#define BIT(kind) (1u << (kind))
#define ON_PAGE (BIT(STATE) | BIT(ALLOCATOR))

static uint8_t sixteen[16] = "0123456789abcdef";
static uint8_t mask[16] = {0, 1, 1};
static uint8_t buffer[1024];

static MmsbState S(uint64_t id) { return (MmsbState){id}; }
static MmsbAllocator A(uint64_t id) { return (MmsbAllocator){id}; }
static MmsbDelta D(uint64_t id) { return (MmsbDelta){id}; }
static MmsbView V(uint64_t id) { return (MmsbView){id}; }
static MmsbSnapshot N(uint64_t id) { return (MmsbSnapshot){id}; }
static MmsbBatch B(uint64_t id) { return (MmsbBatch){id}; }
static MmsbTLog L(uint64_t id) { return (MmsbTLog){id}; }
static MmsbReader R(uint64_t id) { return (MmsbReader){id}; }
static MmsbComparison C(uint64_t id) { return (MmsbComparison){id}; }
static MmsbSoftCheckpoint M(uint64_t id) { return (MmsbSoftCheckpoint){id}; }
static MmsbPage P(uint64_t owner) { return (MmsbPage){owner, it.page}; }

/* A function that calls `expression` with the handle `h` and the places `o`. */
#define CALL(name, expression)                         \
    static MmsbStatus name(uint64_t h, Out o) {        \
        UNUSED(o);                                     \
        return expression;                             \
    }

CALL(allocator_allocate, rust_allocator_allocate(A(h), 8, MMSB_LOCATION_CPU, o.at[0]))
CALL(allocator_release, rust_allocator_release(A(h), 999))
CALL(allocator_get_page, rust_allocator_get_page(A(h), it.page, o.at[0]))
CALL(allocator_page_count, rust_allocator_page_count(A(h), o.at[0]))
CALL(allocator_list_pages, rust_allocator_list_pages(A(h), (uint64_t *)(void *)buffer, 64, o.at[0]))
CALL(allocator_clear, rust_allocator_clear(A(h)))
CALL(batch_new, rust_batch_new(S(h), o.at[0]))
CALL(batch_create_page, rust_batch_create_page(B(h), 8, MMSB_LOCATION_CPU, o.at[0]))
CALL(batch_free_page, rust_batch_free_page(B(h), it.page))
CALL(batch_update, rust_batch_update(B(h), it.page, sixteen, 16))
CALL(batch_write, rust_batch_write(B(h), it.page, 2, sixteen, 4))
CALL(batch_apply, rust_batch_apply(B(h), D(it.live[DELTA])))
CALL(batch_apply_delta, rust_batch_apply(B(it.live[BATCH]), D(h)))
CALL(batch_metadata_set, rust_batch_metadata_set(B(h), it.page, sixteen, 2, sixteen, 3))
CALL(batch_metadata_remove, rust_batch_metadata_remove(B(h), it.page, sixteen, 2))
CALL(checkpoint_create, rust_checkpoint_create(S(h), NULL, o.at[0]))
CALL(checkpoint_create_with, rust_checkpoint_create_with(S(h), NULL, NULL, NULL, o.at[0]))
CALL(checkpoint_drop, rust_checkpoint_drop(S(h), "none such"))
CALL(checkpoint_list, rust_checkpoint_list(S(h), (MmsbCheckpoint *)(void *)buffer, 4, o.at[0]))
CALL(checkpoint_write, rust_checkpoint_write(S(h), "/nonexistent/image", o.at[0]))
CALL(checkpoint_write_with,
     rust_checkpoint_write_with(S(h), "/nonexistent/image", NULL, NULL, o.at[0]))
CALL(delta_with_note, rust_delta_with_note(D(h), "who", "why", o.at[0]))
CALL(delta_apply, rust_delta_apply(D(h), it.live[STATE], o.at[0]))
CALL(delta_apply_owner, rust_delta_apply(D(it.live[DELTA]), h, o.at[0]))
CALL(delta_apply_to, rust_delta_apply_to(D(h), P(it.live[STATE]), o.at[0]))
CALL(delta_apply_to_page, rust_delta_apply_to(D(it.live[DELTA]), P(h), o.at[0]))
CALL(delta_merge, rust_delta_merge(D(h), D(it.live[DELTA]), o.at[0]))
CALL(delta_merge_later, rust_delta_merge(D(it.live[DELTA]), D(h), o.at[0]))
CALL(delta_validate, rust_delta_validate(D(h), 16))
CALL(delta_info, rust_delta_info(D(h), o.at[0]))
CALL(delta_runs, rust_delta_runs(D(h), (MmsbRun *)(void *)buffer, 8, o.at[0]))
CALL(delta_payload, rust_delta_payload(D(h), buffer, sizeof buffer, o.at[0]))
CALL(delta_source, rust_delta_source(D(h), buffer, sizeof buffer, o.at[0]))
CALL(delta_intent, rust_delta_intent(D(h), buffer, sizeof buffer, o.at[0], o.at[1]))
CALL(tlog_append, rust_tlog_append(L(h), D(it.live[DELTA]), o.at[0]))
CALL(tlog_append_delta, rust_tlog_append(L(it.live[TLOG]), D(h), o.at[0]))
CALL(tlog_flush, rust_tlog_flush(L(h), o.at[0]))
CALL(tlog_sync, rust_tlog_sync(L(h), o.at[0]))
CALL(tlog_summary, rust_tlog_summary(L(h), o.at[0]))
CALL(tlog_reader_new, rust_tlog_reader_new(L(h), 0, UINT64_MAX, o.at[0]))
CALL(tlog_query, rust_tlog_query(L(h), NULL, o.at[0]))
CALL(page_free, rust_page_free((MmsbPage){h, 999}, NULL, o.at[0]))
CALL(page_update, rust_page_update(P(h), sixteen, 16, NULL, o.at[0]))
CALL(page_write, rust_page_write(P(h), 3, sixteen, 4, NULL, o.at[0]))
CALL(page_write_masked, rust_page_write_masked(P(h), mask, sixteen, 16, NULL, o.at[0]))
CALL(page_read, rust_page_read(P(h), 0, o.at[0], 16))
CALL(page_size, rust_page_size(P(h), o.at[0]))
CALL(page_epoch, rust_page_epoch(P(h), o.at[0]))
CALL(page_lsn, rust_page_lsn(P(h), o.at[0]))
CALL(page_location, rust_page_location(P(h), o.at[0]))
CALL(page_view, rust_page_view(P(h), o.at[0], o.at[1], o.at[2]))
CALL(page_metadata_set, rust_page_metadata_set(P(h), sixteen, 2, sixteen, 3, NULL, o.at[0]))
CALL(page_metadata_remove, rust_page_metadata_remove(P(h), sixteen, 9, NULL, o.at[0]))
CALL(page_metadata_get, rust_page_metadata_get(P(h), sixteen, 1, buffer, 99, o.at[0]))
CALL(page_metadata_keys, rust_page_metadata_keys(P(h), buffer, sizeof buffer, o.at[0]))
CALL(page_at, rust_page_at(P(h), 512, buffer, sizeof buffer, o.at[0], o.at[1]))
CALL(reader_next, rust_tlog_reader_next(R(h), o.at[0], o.at[1]))
CALL(reader_delta, rust_tlog_reader_delta(R(h), o.at[0]))
CALL(snapshot_new, rust_snapshot_new(S(h), o.at[0]))
CALL(snapshot_lsn, rust_snapshot_lsn(N(h), o.at[0]))
CALL(snapshot_digest, rust_snapshot_digest(N(h), o.at[0]))
CALL(snapshot_page_size, rust_snapshot_page_size(N(h), it.page, o.at[0]))
CALL(snapshot_page_epoch, rust_snapshot_page_epoch(N(h), it.page, o.at[0]))
CALL(snapshot_read, rust_snapshot_read(N(h), it.page, 0, o.at[0], 16))
CALL(snapshot_metadata_get,
     rust_snapshot_metadata_get(N(h), it.page, sixteen, 1, buffer, sizeof buffer, o.at[0]))
CALL(snapshot_metadata_keys,
     rust_snapshot_metadata_keys(N(h), it.page, buffer, sizeof buffer, o.at[0]))
CALL(snapshot_list_pages, rust_snapshot_list_pages(N(h), (uint64_t *)(void *)buffer, 64, o.at[0]))
CALL(snapshot_compare, rust_snapshot_compare(N(h), N(it.live[SNAPSHOT]), o.at[0]))
CALL(snapshot_compare_to, rust_snapshot_compare(N(it.live[SNAPSHOT]), N(h), o.at[0]))
CALL(snapshot_write, rust_snapshot_write(N(h), "/nowhere/image", NULL, NULL, o.at[0]))
CALL(state_compare, rust_state_compare(S(h), N(it.live[SNAPSHOT]), o.at[0]))
CALL(state_compare_from, rust_state_compare(S(it.live[STATE]), N(h), o.at[0]))
CALL(comparison_len, rust_comparison_len(C(h), o.at[0]))
CALL(comparison_get, rust_comparison_get(C(h), 0, o.at[0]))
CALL(state_soft_checkpoint, rust_state_soft_checkpoint(S(h), o.at[0]))
CALL(state_revert, rust_state_revert(S(h), M(it.live[MARK]), NULL, o.at[0]))
CALL(state_revert_to, rust_state_revert(S(it.live[STATE]), M(h), NULL, o.at[0]))
CALL(soft_checkpoint_lsn, rust_soft_checkpoint_lsn(M(h), o.at[0]))
CALL(state_flush, rust_state_flush(S(h), o.at[0]))
CALL(state_sync, rust_state_sync(S(h), o.at[0]))
CALL(state_digest, rust_state_digest(S(h), o.at[0]))
CALL(state_page_count, rust_state_page_count(S(h), o.at[0]))
CALL(state_list_pages, rust_state_list_pages(S(h), (uint64_t *)(void *)buffer, 64, o.at[0]))
CALL(state_is_read_only, rust_state_is_read_only(S(h), o.at[0]))
CALL(state_recovered, rust_state_recovered(S(h), o.at[0]))
CALL(state_stats, rust_state_stats(S(h), o.at[0]))
CALL(state_stats_json, rust_state_stats_json(S(h), buffer, sizeof buffer, o.at[0]))
CALL(state_replay_to, rust_state_replay_to(S(h), 512, o.at[0]))
CALL(state_replay_with, rust_state_replay_with(S(h), 512, NULL, NULL, o.at[0]))
CALL(state_verify, rust_state_verify(S(h), NULL, NULL, o.at[0]))
CALL(state_query, rust_state_query(S(h), NULL, o.at[0]))
CALL(page_create, rust_page_create(S(h), 8, MMSB_LOCATION_CPU, NULL, o.at[0]))
CALL(page_create_private, rust_page_create_private(S(h), 8, MMSB_LOCATION_CPU, NULL, o.at[0]))
CALL(page_is_private, rust_page_is_private(P(h), o.at[0]))
CALL(state_unlock, rust_state_unlock(S(h), sixteen, 16))
CALL(state_is_unlocked, rust_state_is_unlocked(S(h), o.at[0]))
CALL(batch_create_private_page,
     rust_batch_create_private_page(B(h), 8, MMSB_LOCATION_CPU, o.at[0]))
CALL(view_data, rust_view_data(V(h), o.at[0], o.at[1]))
CALL(view_epoch, rust_view_epoch(V(h), o.at[0]))

#define ROW(name, kinds, required) {#name, (kinds), (required), name, true}
/* The first result is of bytes, or there is none. */
#define ROW_OF_BYTES(name, kinds, required) {#name, (kinds), (required), name, false}

static const Row rows[] = {
    ROW(allocator_allocate, BIT(ALLOCATOR), 1),
    ROW_OF_BYTES(allocator_release, BIT(ALLOCATOR), 0),
    ROW(allocator_get_page, BIT(ALLOCATOR), 1),
    ROW(allocator_page_count, BIT(ALLOCATOR), 1),
    ROW(allocator_list_pages, BIT(ALLOCATOR), 1),
    ROW_OF_BYTES(allocator_clear, BIT(ALLOCATOR), 0),
    ROW(batch_new, BIT(STATE), 1),
    ROW(batch_create_page, BIT(BATCH), 1),
    ROW_OF_BYTES(batch_free_page, BIT(BATCH), 0),
    ROW_OF_BYTES(batch_update, BIT(BATCH), 0),
    ROW_OF_BYTES(batch_write, BIT(BATCH), 0),
    ROW_OF_BYTES(batch_apply, BIT(BATCH), 0),
    ROW_OF_BYTES(batch_apply_delta, BIT(DELTA), 0),
    ROW_OF_BYTES(batch_metadata_set, BIT(BATCH), 0),
    ROW_OF_BYTES(batch_metadata_remove, BIT(BATCH), 0),
    ROW(checkpoint_create, BIT(STATE), 0),
    ROW(checkpoint_create_with, BIT(STATE), 0),
    ROW_OF_BYTES(checkpoint_drop, BIT(STATE), 0),
    ROW(checkpoint_list, BIT(STATE), 1),
    ROW(checkpoint_write, BIT(STATE), 0),
    ROW(checkpoint_write_with, BIT(STATE), 0),
    ROW(delta_with_note, BIT(DELTA), 1),
    ROW(delta_apply, BIT(DELTA), 0),
    ROW(delta_apply_owner, ON_PAGE, 0),
    ROW(delta_apply_to, BIT(DELTA), 0),
    ROW(delta_apply_to_page, ON_PAGE, 0),
    ROW(delta_merge, BIT(DELTA), 1),
    ROW(delta_merge_later, BIT(DELTA), 1),
    ROW_OF_BYTES(delta_validate, BIT(DELTA), 0),
    ROW(delta_info, BIT(DELTA), 1),
    ROW(delta_runs, BIT(DELTA), 1),
    ROW(delta_payload, BIT(DELTA), 1),
    ROW(delta_source, BIT(DELTA), 1),
    ROW(delta_intent, BIT(DELTA), 1),
    ROW(tlog_append, BIT(TLOG), 0),
    ROW(tlog_append_delta, BIT(DELTA), 0),
    ROW(tlog_flush, BIT(TLOG), 0),
    ROW(tlog_sync, BIT(TLOG), 0),
    ROW(tlog_summary, BIT(TLOG), 1),
    ROW(tlog_reader_new, BIT(TLOG), 1),
    ROW(tlog_query, BIT(TLOG), 1),
    ROW(page_free, ON_PAGE, 0),
    ROW(page_update, ON_PAGE, 0),
    ROW(page_write, ON_PAGE, 0),
    ROW(page_write_masked, ON_PAGE, 0),
    ROW_OF_BYTES(page_read, ON_PAGE, 1),
    ROW(page_size, ON_PAGE, 1),
    ROW(page_epoch, ON_PAGE, 1),
    ROW(page_lsn, ON_PAGE, 1),
    ROW(page_location, ON_PAGE, 1),
    ROW(page_view, ON_PAGE, 1),
    ROW(page_metadata_set, ON_PAGE, 0),
    ROW(page_metadata_remove, ON_PAGE, 0),
    ROW(page_metadata_get, ON_PAGE, 1),
    ROW(page_metadata_keys, ON_PAGE, 1),
    ROW(page_at, BIT(STATE), 1),
    ROW(reader_next, BIT(READER), 3),
    ROW(reader_delta, BIT(READER), 1),
    ROW(snapshot_new, BIT(STATE), 1),
    ROW(snapshot_lsn, BIT(SNAPSHOT), 1),
    ROW_OF_BYTES(snapshot_digest, BIT(SNAPSHOT), 1),
    ROW(snapshot_page_size, BIT(SNAPSHOT), 1),
    ROW(snapshot_page_epoch, BIT(SNAPSHOT), 1),
    ROW_OF_BYTES(snapshot_read, BIT(SNAPSHOT), 1),
    ROW(snapshot_metadata_get, BIT(SNAPSHOT), 1),
    ROW(snapshot_metadata_keys, BIT(SNAPSHOT), 1),
    ROW(snapshot_list_pages, BIT(SNAPSHOT), 1),
    ROW(snapshot_compare, BIT(SNAPSHOT), 1),
    ROW(snapshot_compare_to, BIT(SNAPSHOT), 1),
    ROW(snapshot_write, BIT(SNAPSHOT), 0),
    ROW(state_compare, BIT(STATE), 1),
    ROW(state_compare_from, BIT(SNAPSHOT), 1),
    ROW(comparison_len, BIT(COMPARISON), 1),
    ROW(comparison_get, BIT(COMPARISON), 1),
    ROW(state_soft_checkpoint, BIT(STATE), 1),
    ROW(state_revert, BIT(STATE), 0),
    ROW(state_revert_to, BIT(MARK), 0),
    ROW(soft_checkpoint_lsn, BIT(MARK), 1),
    ROW(state_flush, BIT(STATE), 0),
    ROW(state_sync, BIT(STATE), 0),
    ROW_OF_BYTES(state_digest, BIT(STATE), 1),
    ROW(state_page_count, BIT(STATE), 1),
    ROW(state_list_pages, BIT(STATE), 1),
    ROW_OF_BYTES(state_is_read_only, BIT(STATE), 1),
    ROW(state_recovered, BIT(STATE), 1),
    ROW(state_stats, BIT(STATE), 1),
    ROW(state_stats_json, BIT(STATE), 1),
    ROW(state_replay_to, BIT(STATE), 1),
    ROW(state_replay_with, BIT(STATE), 1),
    ROW(state_verify, BIT(STATE), 0),
    ROW(state_query, BIT(STATE), 1),
    ROW(page_create, BIT(STATE), 1),
    ROW(page_create_private, BIT(STATE), 1),
    ROW_OF_BYTES(page_is_private, ON_PAGE, 1),
    ROW_OF_BYTES(state_unlock, BIT(STATE), 0),
    ROW_OF_BYTES(state_is_unlocked, BIT(STATE), 1),
    ROW(batch_create_private_page, BIT(BATCH), 1),
    ROW(view_data, BIT(VIEW), 3),
    ROW(view_epoch, BIT(VIEW), 1),
};

/* -------------------------------------------------------------------------------------- objects */

static void make_all(uint64_t handles[KINDS], const char *log) {
    MmsbState state = memory_state();
    MmsbPage page = ramp_page(state, 16), scratch_page;
    MmsbAllocator allocator;
    MmsbDelta delta;
    MmsbView view;
    MmsbSnapshot snapshot;
    MmsbBatch batch;
    MmsbTLog tlog;
    MmsbReader reader;
    MmsbComparison comparison;
    MmsbSoftCheckpoint mark;
    OK(rust_page_metadata_set(page, sixteen, 1, sixteen, 5, NULL, NULL));
    OK(rust_allocator_new(&allocator));
    OK(rust_allocator_allocate(allocator, 16, MMSB_LOCATION_CPU, &scratch_page));
    OK(rust_page_metadata_set(scratch_page, sixteen, 1, sixteen, 5, NULL, NULL));
    OK(rust_delta_new(page.id, sixteen, 16, &delta));
    OK(rust_page_view(page, &view, NULL, NULL));
    OK(rust_snapshot_new(state, &snapshot));
    OK(rust_batch_new(state, &batch));
    OK(rust_tlog_new(log, &tlog));
    OK(rust_state_query(state, NULL, &reader));
    OK(rust_page_metadata_set(page, sixteen, 3, sixteen, 5, NULL, NULL));
    OK(rust_state_compare(state, snapshot, &comparison));
    OK(rust_state_soft_checkpoint(state, &mark));
    const uint64_t made[KINDS] = {state.id, allocator.id, delta.id,  view.id,       snapshot.id,
                                  batch.id, tlog.id,      reader.id, comparison.id, mark.id};
    memcpy(handles, made, sizeof made);
    it.page = page.id;
    EQ(scratch_page.id, page.id);
}

static void free_all(uint64_t handles[KINDS]) {
    OK(rust_soft_checkpoint_release((MmsbSoftCheckpoint *)&handles[MARK]));
    OK(rust_comparison_free((MmsbComparison *)&handles[COMPARISON]));
    OK(rust_tlog_reader_free((MmsbReader *)&handles[READER]));
    OK(rust_tlog_free((MmsbTLog *)&handles[TLOG]));
    OK(rust_batch_free((MmsbBatch *)&handles[BATCH]));
    OK(rust_snapshot_free((MmsbSnapshot *)&handles[SNAPSHOT]));
    OK(rust_view_free((MmsbView *)&handles[VIEW]));
    OK(rust_delta_free((MmsbDelta *)&handles[DELTA]));
    OK(rust_allocator_free((MmsbAllocator *)&handles[ALLOCATOR]));
    OK(rust_state_close((MmsbState *)&handles[STATE]));
    for (int kind = 0; kind < KINDS; kind++) EQ(handles[kind], 0);
}

static void begin(void) {
    uint64_t freed[KINDS];
    make_all(it.stale, path_in(scratch(), "log"));
    memcpy(freed, it.stale, sizeof freed);
    free_all(freed);
    make_all(it.live, path_in(scratch(), "log"));
    it.digest = digest_of(S(it.live[STATE]));
}

static void end(void) { free_all(it.live); }

/* --------------------------------------------------------------------------------------- checks */

static uint64_t places[PLACES][PLACE_BYTES / sizeof(uint64_t)];

static Out fresh_places(void) {
    memset(places, FILL, sizeof places);
    return (Out){{places[0], places[1], places[2]}};
}

static void check_untouched(const Row *row, const char *what) {
    const uint8_t *bytes = (const uint8_t *)places;
    for (size_t i = 0; i < sizeof places; i++) {
        if (bytes[i] == FILL) continue;
        printf("    %s wrote a result with %s\n", row->name, what);
        CHECK(!"a result of a failed call");
        return;
    }
}

static void check_unchanged(const Row *row) {
    Digest digest = {{0}};
    uint64_t size = 0;
    OK(rust_state_digest(S(it.live[STATE]), &digest.bytes));
    OK(rust_page_size(P(it.live[ALLOCATOR]), &size));
    if (memcmp(digest.bytes, it.digest.bytes, 32) == 0 && size == 16) return;
    it.digest = digest; /* once is enough to say it */
    printf("    %s changed the state or the allocator\n", row->name);
    CHECK(!"a change by a failed call");
}

static void refuses(const Row *row, uint64_t handle, MmsbStatus want, const char *what) {
    MmsbStatus have = row->call(handle, fresh_places());
    check_untouched(row, what);
    if (have == want && rust_error_message()[0] != 0) return;
    printf("    %s with %s gives %d, not %d: %s\n", row->name, what, (int)have, (int)want,
           rust_error_message());
    CHECK(!"the right status, and a message");
}

static void for_each_row(void (*check)(const Row *)) {
    begin();
    for (size_t i = 0; i < COUNT(rows); i++) {
        check(&rows[i]);
        check_unchanged(&rows[i]);
    }
    end();
}

static void null(const Row *row) { refuses(row, 0, MMSB_STATUS_NULL_HANDLE, "a null handle"); }

static void stale(const Row *row) {
    for (int kind = 0; kind < KINDS; kind++) {
        int fits = (row->kinds & BIT(kind)) != 0;
        refuses(row, it.stale[kind], fits ? MMSB_STATUS_STALE_HANDLE : MMSB_STATUS_WRONG_HANDLE,
                fits ? "a stale handle" : "a stale handle of another kind");
    }
}

static void of_another_kind(const Row *row) {
    for (int kind = 0; kind < KINDS; kind++) {
        if (row->kinds & BIT(kind)) continue;
        refuses(row, it.live[kind], MMSB_STATUS_WRONG_HANDLE, "a handle of another kind");
    }
}

/* Numbers that nobody gave out: other generations and places than there are, other kinds. */
static void foreign(const Row *row) {
    for (int kind = 0; kind < KINDS; kind++) {
        const uint64_t fits = it.live[kind];
        const uint64_t made_up[] = {
            fits + (UINT64_C(1) << 24),     /* a later life of the same place */
            fits | UINT64_C(0xFFFFFF),      /* a place that was never used */
            fits & ~UINT64_C(0xFFFFFF),     /* no place */
            fits ^ (UINT64_C(0x80) << 56),  /* a kind that there is not */
        };
        if (!(row->kinds & BIT(kind))) continue;
        for (size_t i = 0; i < COUNT(made_up); i++) {
            refuses(row, made_up[i], MMSB_STATUS_WRONG_HANDLE, "a made-up handle");
        }
    }
    refuses(row, 0xDEADBEEF, MMSB_STATUS_WRONG_HANDLE, "a made-up handle");
    refuses(row, UINT64_MAX, MMSB_STATUS_WRONG_HANDLE, "a made-up handle");
}

static void null_place(const Row *row) {
    for (int kind = 0; kind < KINDS; kind++) {
        if (!(row->kinds & BIT(kind))) continue;
        for (int place = 0; place < PLACES; place++) {
            if (!(row->required & BIT(place))) continue;
            Out out = fresh_places();
            out.at[place] = NULL;
            MmsbStatus status = row->call(it.live[kind], out);
            check_untouched(row, "a null place for another");
            if (status == MMSB_STATUS_NULL_HANDLE && strstr(rust_error_message(), "null")) continue;
            printf("    %s with null for result %d gives %d: %s\n", row->name, place, (int)status,
                   rust_error_message());
            CHECK(!"a null place is refused");
        }
    }
}

/* A pointer that is not aligned is refused like a null one: before anything happens. */
static void skewed_place(const Row *row) {
    if (!row->aligned) return;
    for (int kind = 0; kind < KINDS; kind++) {
        if (!(row->kinds & BIT(kind))) continue;
        Out out = fresh_places();
        out.at[0] = (uint8_t *)places[0] + 1;
        MmsbStatus status = row->call(it.live[kind], out);
        check_untouched(row, "a place that is not aligned");
        /* One that fails for another reason first is as good. */
        if (status != MMSB_STATUS_OK) continue;
        printf("    %s takes a place for a result that is not aligned\n", row->name);
        CHECK(!"a place that is not aligned is refused");
    }
}

static void a_null_handle_is_refused_everywhere(void) { for_each_row(null); }
static void a_stale_handle_is_refused_everywhere(void) { for_each_row(stale); }
static void a_handle_of_another_kind_is_refused_everywhere(void) { for_each_row(of_another_kind); }
static void a_made_up_handle_is_refused_everywhere(void) { for_each_row(foreign); }
static void a_null_place_for_a_result_is_refused_everywhere(void) { for_each_row(null_place); }
static void a_skewed_place_for_a_result_changes_nothing(void) { for_each_row(skewed_place); }

/* -------------------------------------------------------------------------------------- freeing */

typedef MmsbStatus (*Free)(uint64_t *handle);

#define FREE(name, type, function) \
    static MmsbStatus name(uint64_t *h) { return function((type *)h); }
FREE(free_state, MmsbState, rust_state_close)
FREE(free_allocator, MmsbAllocator, rust_allocator_free)
FREE(free_delta, MmsbDelta, rust_delta_free)
FREE(free_view, MmsbView, rust_view_free)
FREE(free_snapshot, MmsbSnapshot, rust_snapshot_free)
FREE(free_batch, MmsbBatch, rust_batch_free)
FREE(free_tlog, MmsbTLog, rust_tlog_free)
FREE(free_reader, MmsbReader, rust_tlog_reader_free)
FREE(free_comparison, MmsbComparison, rust_comparison_free)
FREE(free_mark, MmsbSoftCheckpoint, rust_soft_checkpoint_release)

static const Free frees[KINDS] = {free_state, free_allocator, free_delta,  free_view,
                                  free_snapshot, free_batch,  free_tlog,   free_reader,
                                  free_comparison, free_mark};

static void freeing_takes_null_and_refuses_what_is_not_its_own(void) {
    begin();
    for (int kind = 0; kind < KINDS; kind++) {
        uint64_t zero = 0, twice = it.stale[kind], made_up = 0xDEADBEEF;
        OK(frees[kind](NULL));
        OK(frees[kind](&zero));
        FAILS(STALE_HANDLE, frees[kind](&twice), "closed or freed");
        EQ(twice, it.stale[kind]);
        FAILS(WRONG_HANDLE, frees[kind](&made_up), "0xdeadbeef");
        EQ(made_up, 0xDEADBEEF);
        for (int other = 0; other < KINDS; other++) {
            uint64_t handle = it.live[other];
            if (other == kind) continue;
            FAILS(WRONG_HANDLE, frees[kind](&handle), "is of a");
            EQ(handle, it.live[other]);
        }
    }
    end(); /* all of them are still there */
}

static void committing_takes_a_batch_alone(void) {
    begin();
    MmsbBatch zero = {0}, twice = {it.stale[BATCH]}, other = {it.live[DELTA]};
    FAILS(NULL_HANDLE, rust_batch_commit(NULL, NULL, NULL), "batch");
    FAILS(NULL_HANDLE, rust_batch_commit(&zero, NULL, NULL), "batch");
    FAILS(STALE_HANDLE, rust_batch_commit(&twice, NULL, NULL), "batch");
    FAILS(WRONG_HANDLE, rust_batch_commit(&other, NULL, NULL), "batch");
    end();
}

/* A place is used again; a handle never is. */
static void a_handle_is_never_given_out_twice(void) {
    enum { LIVES = 1000 };
    static uint64_t seen[LIVES];
    for (int i = 0; i < LIVES; i++) {
        MmsbDelta delta;
        OK(rust_delta_new(1, sixteen, 16, &delta));
        seen[i] = delta.id;
        for (int k = 0; k < i; k += 97) CHECK(seen[k] != delta.id);
        OK(rust_delta_free(&delta));
    }
    for (int i = 0; i < LIVES; i += 37) {
        FAILS(STALE_HANDLE, rust_delta_validate(D(seen[i]), 16), "delta");
    }
}

int main(void) {
    static const Test tests[] = {
        TEST(a_null_handle_is_refused_everywhere),
        TEST(a_stale_handle_is_refused_everywhere),
        TEST(a_handle_of_another_kind_is_refused_everywhere),
        TEST(a_made_up_handle_is_refused_everywhere),
        TEST(a_null_place_for_a_result_is_refused_everywhere),
        TEST(a_skewed_place_for_a_result_changes_nothing),
        TEST(freeing_takes_null_and_refuses_what_is_not_its_own),
        TEST(committing_takes_a_batch_alone),
        TEST(a_handle_is_never_given_out_twice),
    };
    return RUN(tests);
}
