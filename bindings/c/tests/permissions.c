/* Directories and files that the caller has no permission for.
 *
 * Root, whom permissions do not bind, is another user meanwhile. Whoever may not become one skips
 * the tests and says so.
 */
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE
#include "check.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOBODY = 65534 };

#define NO_USER "root may not become another user here"

static bool bound(void) { return geteuid() != 0 || seteuid(NOBODY) == 0; }
static void unbound(void) { REQUIRE(getuid() != 0 || seteuid(0) == 0); }

/* A new directory that everybody may enter and write to. */
static const char *public_folder(void) {
    const char *folder = scratch();
    REQUIRE(chmod(path_in(folder, ".."), 0755) == 0 && chmod(folder, 0777) == 0);
    return folder;
}

/* Makes a closed state with a log and an image, which everybody may use. */
static Digest make_state(const char *path) {
    MmsbState state = open_durable(path, MMSB_DURABILITY_MEMORY);
    ramp_page(state, 5000);
    OK(rust_checkpoint_create(state, "kept", NULL));
    ramp_page(state, 5000);
    Digest digest = digest_of(state);
    OK(rust_state_close(&state));
    REQUIRE(chmod(path, 0777) == 0);
    return digest;
}

static void check_whole(const char *path, Digest digest) {
    MmsbState state = open_durable(path, MMSB_DURABILITY_MEMORY);
    OK(rust_state_verify(state, NULL, NULL, NULL));
    SAME(digest_of(state), digest);
    OK(rust_state_close(&state));
}

static void a_read_only_directory_takes_nothing_new(void) {
    const char *folder = public_folder(), *locked = path_in(folder, "locked");
    MmsbState state = memory_state(), refused = {77}, fine = {0};
    MmsbTLog log = {77};
    uint64_t lsn = 77;
    char path[1100];
    ramp_page(state, 100);
    Digest digest = digest_of(state);
    REQUIRE(mkdir(locked, 0555) == 0 && chmod(locked, 0555) == 0);
    snprintf(path, sizeof path, "%s/new", locked);
    MmsbConfig config = durable(path, MMSB_DURABILITY_BUFFERED);
    if (!bound()) SKIP(NO_USER);
    FAILS(PERMISSION_DENIED, rust_state_open(&config, &refused), path);
    FAILS(PERMISSION_DENIED, rust_tlog_new(path, &log), path);
    FAILS(PERMISSION_DENIED, rust_checkpoint_write(state, path, &lsn), path);
    config.path = path_in(folder, "fine");
    OK(rust_state_open(&config, &fine));
    OK(rust_state_close(&fine));
    unbound();
    EQ(refused.id, 77);
    EQ(log.id, 77);
    EQ(lsn, 77);
    CHECK(!exists(path));
    SAME(digest_of(state), digest);
    OK(rust_state_close(&state));
}

static void a_directory_that_may_not_be_entered(void) {
    char path[1100];
    snprintf(path, sizeof path, "%s/state", public_folder());
    Digest digest = make_state(path);
    MmsbState refused = {77};
    MmsbConfig config = durable(path, MMSB_DURABILITY_BUFFERED);
    REQUIRE(chmod(path, 0) == 0);
    if (!bound()) SKIP(NO_USER);
    FAILS(PERMISSION_DENIED, rust_state_open(&config, &refused), path);
    config.must_exist = true;
    FAILS(PERMISSION_DENIED, rust_state_open(&config, &refused), path);
    FAILS(PERMISSION_DENIED, rust_checkpoint_load(path_in(path, "it.image"), &refused), path);
    unbound();
    EQ(refused.id, 77);
    REQUIRE(chmod(path, 0755) == 0);
    check_whole(path, digest);
}

/* Sets the permissions of the one file, or of all, whose name contains `part`; how many. */
static int set_mode(const char *path, const char *part, mode_t mode) {
    DIR *folder = opendir(path);
    int count = 0;
    REQUIRE(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.' || strstr(entry->d_name, part) == NULL) continue;
        REQUIRE(chmod(path_in(path, entry->d_name), mode) == 0);
        count++;
    }
    closedir(folder);
    return count;
}

static void files_that_may_not_be_read(void) {
    static const char *const parts[] = {"LOCK", "MANIFEST", "0001.log", ".image"};
    char path[1100];
    snprintf(path, sizeof path, "%s/state", public_folder());
    Digest digest = make_state(path);
    MmsbState refused = {77};
    MmsbConfig config = durable(path, MMSB_DURABILITY_BUFFERED);
    set_mode(path, "", 0666);
    if (!bound()) SKIP(NO_USER);
    check_whole(path, digest); /* so far it is allowed to */
    unbound();
    for (size_t i = 0; i < COUNT(parts); i++) {
        EQ(set_mode(path, parts[i], 0), 1);
        REQUIRE(bound());
        FAILS(PERMISSION_DENIED, rust_state_open(&config, &refused), path);
        unbound();
        EQ(refused.id, 77);
        set_mode(path, parts[i], 0666);
    }
    check_whole(path, digest);
}

static void an_image_that_may_not_be_read(void) {
    char path[1100];
    snprintf(path, sizeof path, "%s/it.image", public_folder());
    MmsbState state = memory_state(), refused = {77};
    ramp_page(state, 100);
    OK(rust_checkpoint_write(state, path, NULL));
    REQUIRE(chmod(path, 0) == 0);
    if (!bound()) SKIP(NO_USER);
    FAILS(PERMISSION_DENIED, rust_checkpoint_load(path, &refused), path);
    unbound();
    EQ(refused.id, 77);
    OK(rust_state_close(&state));
}

int main(void) {
    static const Test tests[] = {
        TEST(a_read_only_directory_takes_nothing_new),
        TEST(a_directory_that_may_not_be_entered),
        TEST(files_that_may_not_be_read),
        TEST(an_image_that_may_not_be_read),
    };
    setenv("MMSB_TEST_DIR", "/tmp", 1); /* the build's folder may be the user's alone */
    return RUN(tests);
}
