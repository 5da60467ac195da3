#define _XOPEN_SOURCE 700
#include "check.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

atomic_uint check_failures;
const char *check_skipped;
static char scratch_root[512];
static pid_t scratch_owner;

/* --------------------------------------------------------------------------------------- checks */

static void failed(const char *file, int line, const char *format, const char *a, const char *b) {
    const char *name = strrchr(file, '/');
    atomic_fetch_add(&check_failures, 1);
    printf("    %s:%d: ", name ? name + 1 : file, line);
    printf(format, a, b); /* the formats are this file's own */
    printf("\n");
    fflush(stdout);
}

void check_that(int holds, const char *file, int line, const char *what) {
    if (!holds) failed(file, line, "does not hold: %s%s", what, "");
}

void check_equal(uint64_t have, uint64_t want, const char *file, int line, const char *what) {
    char values[64];
    if (have == want) return;
    snprintf(values, sizeof values, ": %" PRIu64 " and %" PRIu64, have, want);
    failed(file, line, "not %s%s", what, values);
}

void check_ok(MmsbStatus status, const char *file, int line, const char *what) {
    char text[400];
    if (status == MMSB_STATUS_OK) return;
    snprintf(text, sizeof text, " gives %d: %s", (int)status, rust_error_message());
    failed(file, line, "%s%s", what, text);
}

void check_fails(MmsbStatus want, MmsbStatus have, const char *const *words, const char *file,
                 int line, const char *what) {
    char text[400];
    if (have != want) {
        snprintf(text, sizeof text, " gives %d, not %d: %s", (int)have, (int)want,
                 have == MMSB_STATUS_OK ? "" : rust_error_message());
        failed(file, line, "%s%s", what, text);
        return;
    }
    for (; *words != NULL; words++) {
        if (strstr(rust_error_message(), *words) != NULL) continue;
        snprintf(text, sizeof text, " does not say \"%s\" but: %s", *words, rust_error_message());
        failed(file, line, "%s%s", what, text);
    }
}

static void remove_scratch(void) {
    /* A forked child that exits has nothing to clean up. */
    if (scratch_root[0] != 0 && scratch_owner == getpid()) remove_tree(scratch_root);
}

int run_tests(const Test *tests, size_t count) {
    const char *only = getenv("MMSB_TEST_ONLY");
    unsigned passed = 0, broken = 0, skipped = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < count; i++) {
        if (only != NULL && strstr(tests[i].name, only) == NULL) continue;
        atomic_store(&check_failures, 0);
        check_skipped = NULL;
        tests[i].run();
        if (atomic_load(&check_failures) != 0) {
            printf("  FAILED %s\n", tests[i].name);
            broken++;
        } else if (check_skipped != NULL) {
            printf("  skipped %s: %s\n", tests[i].name, check_skipped);
            skipped++;
        } else {
            passed++;
        }
    }
    printf("%u passed, %u failed, %u skipped\n", passed, broken, skipped);
    return broken != 0;
}

/* --------------------------------------------------------------------------------------- states */

MmsbState memory_state(void) {
    MmsbState state = {0};
    OK(rust_state_open(NULL, &state));
    return state;
}

MmsbPage new_page(MmsbState state, uint64_t size) {
    MmsbPage page = {0, 0};
    OK(rust_page_create(state, size, MMSB_LOCATION_CPU, NULL, &page));
    return page;
}

MmsbPage ramp_page(MmsbState state, uint64_t size) {
    MmsbPage page = new_page(state, size);
    uint8_t *bytes = malloc(size);
    REQUIRE(bytes != NULL);
    for (uint64_t i = 0; i < size; i++) bytes[i] = (uint8_t)i;
    OK(rust_page_update(page, bytes, size, NULL, NULL));
    free(bytes);
    return page;
}

Digest digest_of(MmsbState state) {
    Digest digest = {{0}};
    OK(rust_state_digest(state, &digest.bytes));
    return digest;
}

uint64_t epoch_of(MmsbPage page) {
    uint64_t epoch = UINT64_MAX;
    OK(rust_page_epoch(page, &epoch));
    return epoch;
}

uint8_t byte_at(MmsbPage page, uint64_t offset) {
    uint8_t byte = 0;
    OK(rust_page_read(page, offset, &byte, 1));
    return byte;
}

MmsbConfig durable(const char *path, MmsbDurability durability) {
    MmsbConfig config;
    OK(rust_config_default(true, &config));
    config.path = path;
    config.durability = (uint32_t)durability;
    config.segment_bytes = 64 << 10;
    return config;
}

MmsbState open_durable(const char *path, MmsbDurability durability) {
    MmsbState state = {0};
    MmsbConfig config = durable(path, durability);
    OK(rust_state_open(&config, &state));
    return state;
}

/* ---------------------------------------------------------------------------------------- files */

static void make_root(void) {
    const char *base = getenv("MMSB_TEST_DIR");
    if (base == NULL) base = getenv("TMPDIR");
    if (base == NULL) base = "/tmp";
    snprintf(scratch_root, sizeof scratch_root, "%s/mmsb-c-XXXXXX", base);
    REQUIRE(mkdtemp(scratch_root) != NULL);
    scratch_owner = getpid();
    atexit(remove_scratch);
}

const char *scratch(void) {
    static char paths[64][576];
    static unsigned used;
    if (used == 0) make_root();
    char *path = paths[used % 64];
    snprintf(path, sizeof paths[0], "%s/%u", scratch_root, used);
    used++;
    REQUIRE(mkdir(path, 0777) == 0);
    return path;
}

const char *path_in(const char *folder, const char *name) {
    static char paths[8][1024];
    static unsigned used;
    char *path = paths[used++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void remove_tree(const char *path) {
    char child[2048];
    struct stat info;
    if (lstat(path, &info) != 0) return;
    if (S_ISDIR(info.st_mode)) {
        DIR *folder = opendir(path);
        for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
            snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
            remove_tree(child);
        }
        if (folder != NULL) closedir(folder);
    }
    remove(path);
}

void touch(const char *path) {
    FILE *file = fopen(path, "w");
    REQUIRE(file != NULL);
    fclose(file);
}

int exists(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0;
}

int is_slow(void) {
    const char *slow = getenv("MMSB_TEST_SLOW");
    return slow != NULL && *slow != 0;
}
