/* Media that refuse: read-only ones, full ones, files that may not grow.
 *
 * On Linux the program gives itself a mount namespace of its own at first, with a small tmpfs in
 * it; where it may not, the tests that need one are skipped and say so. The limit on file sizes
 * works everywhere.
 */
#define _GNU_SOURCE
#define _XOPEN_SOURCE 700
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#include <sys/mount.h>
#endif

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1
enum { PAGE = 16384, SMALL_DISK = 2 << 20 };

/* --------------------------------------------------------------------------------------- mounts */

static bool may_mount;

#ifdef __linux__
static bool write_text(const char *path, const char *text) {
    int file = open(path, O_WRONLY);
    if (file < 0) return false;
    bool ok = write(file, text, strlen(text)) == (ssize_t)strlen(text);
    close(file);
    return ok;
}

/* Whoever is not root becomes root of a user namespace, where that is allowed. */
static bool enter_as_user(void) {
    char map[64];
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    snprintf(map, sizeof map, "0 %u 1", (unsigned)uid);
    if (!write_text("/proc/self/uid_map", map)) return false;
    if (!write_text("/proc/self/setgroups", "deny")) return false;
    snprintf(map, sizeof map, "0 %u 1", (unsigned)gid);
    return write_text("/proc/self/gid_map", map);
}

static void enter_namespace(void) {
    may_mount = unshare(CLONE_NEWNS) == 0 || enter_as_user();
    /* What is mounted here stays here. */
    if (may_mount) may_mount = mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool mount_small(const char *at) {
    return may_mount && mount("small", at, "tmpfs", 0, "size=2097152") == 0;
}
static bool make_read_only(const char *at) {
    return mount("small", at, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=2097152") == 0;
}
static void unmount(const char *at) { CHECK(umount(at) == 0); }
#else
static void enter_namespace(void) {}
static bool mount_small(const char *at) { UNUSED(at); return false; }
static bool make_read_only(const char *at) { UNUSED(at); return false; }
static void unmount(const char *at) { UNUSED(at); }
#endif

#define NO_MOUNT "mounting is not permitted here"

/* ------------------------------------------------------------------------------------ read-only */

static void a_read_only_medium_is_an_error_that_says_so(void) {
    const char *disk = scratch();
    if (!mount_small(disk)) SKIP(NO_MOUNT);
    char path[1100], absent[1100];
    snprintf(path, sizeof path, "%s/state", disk);
    snprintf(absent, sizeof absent, "%s/absent", disk);
    MmsbState state = open_durable(path, MMSB_DURABILITY_BUFFERED), refused = {77};
    MmsbTLog log = {77};
    ramp_page(state, 100);
    OK(rust_checkpoint_write(state, path_in(disk, "it.image"), NULL));
    Digest digest = digest_of(state);
    OK(rust_state_close(&state));
    REQUIRE(make_read_only(disk));
    MmsbConfig config = durable(path, MMSB_DURABILITY_BUFFERED);
    FAILS(PERMISSION_DENIED, rust_state_open(&config, &refused), path, "Read-only");
    config.path = absent;
    FAILS(PERMISSION_DENIED, rust_state_open(&config, &refused), absent, "Read-only");
    FAILS(PERMISSION_DENIED, rust_tlog_new(absent, &log), absent, "Read-only");
    EQ(refused.id, 77);
    EQ(log.id, 77);
    OK(rust_checkpoint_load(path_in(disk, "it.image"), &state)); /* reading is all that it needs */
    SAME(digest_of(state), digest);
    FAILS(PERMISSION_DENIED, rust_checkpoint_write(state, path_in(disk, "new.image"), NULL),
          "new.image", "Read-only");
    OK(rust_page_write((MmsbPage){state.id, 1}, 0, BYTES("goes on"), NULL, NULL));
    OK(rust_state_close(&state));
    unmount(disk);
}

/* ----------------------------------------------------------------------------------------- full */

/* Fills a page with what was not there before, so that all of it is recorded. */
static MmsbStatus overwrite(MmsbPage page) {
    static uint8_t bytes[PAGE], round;
    round++; /* neighbours differ in every byte */
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7 + round);
    return rust_page_update(page, bytes, sizeof bytes, NULL, NULL);
}

/* Writes until the disk is full. The digest from before the call that failed must still hold. */
static MmsbStatus fill(MmsbState state, MmsbPage page, Digest *before) {
    MmsbStatus status = MMSB_STATUS_OK;
    for (int i = 0; status == MMSB_STATUS_OK && i < 10000; i++) {
        *before = digest_of(state);
        status = overwrite(page);
    }
    return status;
}

static void full(MmsbDurability durability) {
    const char *disk = scratch();
    if (!mount_small(disk)) SKIP(NO_MOUNT);
    char path[1100], ballast[1100];
    snprintf(path, sizeof path, "%s/state", disk);
    snprintf(ballast, sizeof ballast, "%s/ballast", disk);
    int file = open(ballast, O_CREAT | O_WRONLY, 0666);
    REQUIRE(file >= 0 && posix_fallocate(file, 0, SMALL_DISK / 2) == 0);
    close(file);
    MmsbState state = open_durable(path, durability);
    MmsbPage page = new_page(state, PAGE);
    Digest before = {{0}};
    ramp_page(state, 4 * PAGE); /* an image is larger than a segment */
    MmsbStatus status = fill(state, page, &before);
    check_fails(MMSB_STATUS_NO_SPACE, status, (const char *const[]){NULL}, __FILE__, __LINE__,
                "filling the disk");
    CHECK(strstr(rust_error_message(), "space") != NULL || strstr(rust_error_message(), path));
    SAME(digest_of(state), before);
    /* What was reserved for records and not used may let another in: then it is full again. */
    EQ(fill(state, page, &before), MMSB_STATUS_NO_SPACE);
    SAME(digest_of(state), before);
    uint64_t epoch = epoch_of(page); /* reading goes on */
    FAILS(NO_SPACE, rust_checkpoint_write(state, path_in(disk, "no.image"), NULL), "no.image");
    CHECK(!exists(path_in(disk, "no.image")));
    EQ(epoch_of(page), epoch);
    REQUIRE(unlink(ballast) == 0); /* somebody makes room */
    OK(overwrite(page));
    EQ(epoch_of(page), epoch + 1);
    before = digest_of(state);
    OK(rust_state_verify(state, NULL, NULL, NULL));
    OK(rust_state_close(&state));
    state = open_durable(path, durability);
    SAME(digest_of(state), before);
    OK(rust_state_verify(state, NULL, NULL, NULL));
    OK(rust_state_close(&state));
    unmount(disk);
}

static void a_full_disk_changes_nothing_in_memory(void) { full(MMSB_DURABILITY_MEMORY); }
static void a_full_disk_changes_nothing_buffered(void) { full(MMSB_DURABILITY_BUFFERED); }
static void a_full_disk_changes_nothing_in_sync(void) { full(MMSB_DURABILITY_SYNC); }

static void a_checkpoint_on_a_full_disk_leaves_the_state_usable(void) {
    const char *disk = scratch();
    if (!mount_small(disk)) SKIP(NO_MOUNT);
    char path[1100];
    uint64_t lsn = 77;
    snprintf(path, sizeof path, "%s/state", disk);
    MmsbState state = open_durable(path, MMSB_DURABILITY_BUFFERED);
    for (int i = 0; i < 30; i++) ramp_page(state, PAGE);
    Digest digest = digest_of(state);
    MmsbStatus status = MMSB_STATUS_OK;
    size_t made = 0, count = 0;
    for (char name[8] = "a"; status == MMSB_STATUS_OK && made < 8; made++, name[0]++) {
        OK(rust_page_metadata_set((MmsbPage){state.id, 1}, BYTES("k"), (uint8_t *)name, 1, NULL,
                                  NULL));
        digest = digest_of(state);
        lsn = 77;
        status = rust_checkpoint_create(state, name, &lsn);
    }
    EQ(status, MMSB_STATUS_NO_SPACE);
    EQ(lsn, 77);
    SAME(digest_of(state), digest);
    (void)rust_checkpoint_list(state, NULL, 0, &count);
    EQ(count, made - 1);
    OK(rust_page_write((MmsbPage){state.id, 1}, 0, BYTES("goes on"), NULL, NULL));
    digest = digest_of(state);
    OK(rust_state_close(&state));
    state = open_durable(path, MMSB_DURABILITY_BUFFERED);
    SAME(digest_of(state), digest);
    OK(rust_state_verify(state, NULL, NULL, NULL));
    OK(rust_state_close(&state));
    unmount(disk);
}

static void a_disk_that_is_full_from_the_start(void) {
    const char *disk = scratch();
    if (!mount_small(disk)) SKIP(NO_MOUNT);
    MmsbState state = {77};
    MmsbPage page = {7, 7};
    static char block[4096];
    char path[1100];
    snprintf(path, sizeof path, "%s/state", disk);
    int file = open(path_in(disk, "ballast"), O_CREAT | O_WRONLY, 0666);
    REQUIRE(file >= 0);
    while (write(file, block, sizeof block) > 0) {}
    close(file);
    MmsbConfig config = durable(path, MMSB_DURABILITY_BUFFERED);
    MmsbStatus status = rust_state_open(&config, &state);
    if (status == MMSB_STATUS_OK) { /* it has room for its name; records are refused */
        FAILS(NO_SPACE, rust_page_create(state, 8, 0, NULL, &page), "");
        EQ(page.id, 7);
        OK(rust_state_close(&state));
    } else {
        EQ(status, MMSB_STATUS_NO_SPACE);
        EQ(state.id, 77);
    }
    unmount(disk);
}

static void a_log_by_itself_on_a_full_disk(void) {
    const char *disk = scratch();
    if (!mount_small(disk)) SKIP(NO_MOUNT);
    static uint8_t bytes[PAGE];
    MmsbConfig config = durable(path_in(disk, "log"), MMSB_DURABILITY_BUFFERED);
    MmsbTLog log = {0};
    MmsbDelta delta = {0};
    MmsbTLogSummary summary;
    MmsbStatus status = MMSB_STATUS_OK;
    uint64_t appended = 0, lsn = 0;
    OK(rust_tlog_open(&config, &log));
    OK(rust_delta_new(1, bytes, sizeof bytes, &delta));
    for (; appended < 10000; appended++) {
        lsn = 77;
        status = rust_tlog_append(log, delta, &lsn);
        if (status != MMSB_STATUS_OK) break;
    }
    EQ(status, MMSB_STATUS_NO_SPACE);
    EQ(lsn, 77);
    OK(rust_tlog_summary(log, &summary));
    EQ(summary.deltas, appended);
    OK(rust_delta_free(&delta));
    OK(rust_tlog_free(&log));
    unmount(disk);
}

/* --------------------------------------------------------------------------- files may not grow */

static void limit_files_to(rlim_t bytes) {
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void a_limit_on_file_sizes_is_no_space(void) {
    const char *folder = scratch();
    static uint8_t large[1 << 20];
    char path[1100];
    snprintf(path, sizeof path, "%s/state", folder);
    MmsbState state = open_durable(path, MMSB_DURABILITY_SYNC);
    MmsbPage page = new_page(state, sizeof large);
    memset(large, 1, sizeof large);
    Digest before = digest_of(state);
    uint64_t lsn = 77;
    limit_files_to(256 << 10);
    FAILS(NO_SPACE, rust_page_update(page, large, sizeof large, NULL, &lsn), "");
    FAILS(NO_SPACE, rust_checkpoint_write(state, path_in(folder, "it.image"), &lsn), "it.image");
    FAILS(NO_SPACE, rust_checkpoint_create(state, "kept", &lsn), "");
    EQ(lsn, 77);
    SAME(digest_of(state), before);
    OK(rust_page_write(page, 0, BYTES("small"), NULL, NULL)); /* there is room for that */
    limit_files_to(RLIM_INFINITY);
    CHECK(!exists(path_in(folder, "it.image")));
    OK(rust_page_update(page, large, sizeof large, NULL, &lsn));
    OK(rust_checkpoint_create(state, "kept", NULL));
    before = digest_of(state);
    OK(rust_state_close(&state));
    state = open_durable(path, MMSB_DURABILITY_SYNC);
    SAME(digest_of(state), before);
    OK(rust_state_close(&state));
}

int main(void) {
    static const Test tests[] = {
        TEST(a_read_only_medium_is_an_error_that_says_so),
        TEST(a_full_disk_changes_nothing_in_memory),
        TEST(a_full_disk_changes_nothing_buffered),
        TEST(a_full_disk_changes_nothing_in_sync),
        TEST(a_checkpoint_on_a_full_disk_leaves_the_state_usable),
        TEST(a_disk_that_is_full_from_the_start),
        TEST(a_log_by_itself_on_a_full_disk),
        TEST(a_limit_on_file_sizes_is_no_space),
    };
    signal(SIGXFSZ, SIG_IGN); /* the limit is to be an error, not the end */
    enter_namespace();
    return RUN(tests);
}
