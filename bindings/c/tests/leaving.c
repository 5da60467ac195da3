/* Calls while a thread or the process is ending: from the destructor of a thread's data, and from
 * atexit, where C++ destroys its globals. By then the thread's own storage is gone; what was asked
 * for must happen all the same.
 *
 * The program runs itself: `leaving how directory` opens a state that nothing flushes but its
 * close, changes it, and leaves the close to the end.
 */
#define _XOPEN_SOURCE 700
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *self;
static MmsbState held;
static MmsbView held_view;
static pthread_key_t key;

static void close_held(void) {
    if (rust_view_free(&held_view) != MMSB_STATUS_OK) _exit(41);
    if (rust_state_close(&held) != MMSB_STATUS_OK) _exit(42);
}

static void close_in_destructor(void *unused) {
    UNUSED(unused);
    close_held();
}

static void fail_in_destructor(void *unused) {
    uint64_t size = 0;
    UNUSED(unused);
    if (rust_page_size((MmsbPage){0, 1}, &size) != MMSB_STATUS_NULL_HANDLE) _exit(43);
    if (rust_error_message() == NULL) _exit(44); /* empty, perhaps; null, never */
}

static void open_and_change(const char *path) {
    MmsbConfig config = durable(path, MMSB_DURABILITY_MEMORY);
    if (rust_state_open(&config, &held) != MMSB_STATUS_OK) _exit(40);
    MmsbPage page = ramp_page(held, 100);
    OK(rust_page_view(page, &held_view, NULL, NULL));
}

static void *thread_that_leaves(void *unused) {
    UNUSED(unused);
    uint64_t size = 0;
    pthread_setspecific(key, &key);
    EQ(byte_at((MmsbPage){held.id, 1}, 9), 9);
    FAILS(NULL_HANDLE, rust_page_size((MmsbPage){0, 1}, &size), "null");
    return NULL;
}

/* Its first failure comes when it is ending: valgrind sees what that leaves behind. */
static void *thread_that_fails_late(void *unused) {
    UNUSED(unused);
    pthread_setspecific(key, &key);
    EQ(byte_at((MmsbPage){held.id, 1}, 9), 9);
    return NULL;
}

static void run_thread(void *(*body)(void *), void (*destructor)(void *)) {
    pthread_t thread;
    if (pthread_key_create(&key, destructor) != 0) _exit(45);
    if (pthread_create(&thread, NULL, body, NULL) != 0) _exit(46);
    pthread_join(thread, NULL);
}

/* What the child does, and how it ends. */
static int child(const char *how, const char *path) {
    if (strcmp(how, "atexit-first") == 0) {
        atexit(close_held); /* before the library was ever used */
        open_and_change(path);
    } else if (strcmp(how, "atexit-last") == 0) {
        open_and_change(path);
        atexit(close_held);
    } else if (strcmp(how, "thread") == 0) {
        open_and_change(path);
        run_thread(thread_that_leaves, close_in_destructor);
    } else {
        bool late = strcmp(how, "thread-late-errors") == 0;
        open_and_change(path);
        run_thread(late ? thread_that_fails_late : thread_that_leaves, fail_in_destructor);
        close_held();
    }
    return 0;
}

static void leaves_well(const char *how) {
    const char *path = path_in(scratch(), "state");
    int status = 0;
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        execl(self, self, how, path, (char *)NULL);
        _exit(47);
    }
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status));
    EQ(WEXITSTATUS(status), 0);
    MmsbState state = open_durable(path, MMSB_DURABILITY_MEMORY);
    uint64_t count = 0;
    OK(rust_state_page_count(state, &count));
    EQ(count, 1);
    OK(rust_state_close(&state));
}

static void at_exit_registered_before_the_first_call(void) { leaves_well("atexit-first"); }
static void at_exit_registered_after_the_first_call(void) { leaves_well("atexit-last"); }
static void in_the_destructor_of_a_threads_data(void) { leaves_well("thread"); }
static void errors_in_the_destructor_of_a_threads_data(void) { leaves_well("thread-errors"); }
static void a_first_error_in_that_destructor(void) { leaves_well("thread-late-errors"); }

int main(int argc, char **argv) {
    static const Test tests[] = {
        TEST(at_exit_registered_before_the_first_call),
        TEST(at_exit_registered_after_the_first_call),
        TEST(in_the_destructor_of_a_threads_data),
        TEST(errors_in_the_destructor_of_a_threads_data),
        TEST(a_first_error_in_that_destructor),
    };
    self = argv[0];
    return argc == 3 ? child(argv[1], argv[2]) : RUN(tests);
}
