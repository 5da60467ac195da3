/* The whole of the test framework: checks that go on after a failure, and a table of tests.
 *
 *     static void pages_begin_zeroed(void) { ... EQ(epoch, 0); ... }
 *     int main(void) { static const Test tests[] = {TEST(pages_begin_zeroed)}; return RUN(tests); }
 *
 * A program ends with "N passed, N failed, N skipped" and exit code 0 or 1. Checks may be made
 * from any thread; SKIP and REQUIRE only from the test itself.
 */
#ifndef MMSB_CHECK_H
#define MMSB_CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mmsb.h>

#ifdef __cplusplus
extern "C" {
#else
#include <stdatomic.h>
extern atomic_uint check_failures; /* of the running test */
#endif

typedef struct {
    const char *name;
    void (*run)(void);
} Test;

#define TEST(function) {#function, function}
#define RUN(tests) run_tests(tests, sizeof(tests) / sizeof *(tests))

extern const char *check_skipped; /* why the running test cannot be made here, or NULL */

int run_tests(const Test *tests, size_t count);
void check_that(int holds, const char *file, int line, const char *what);
void check_equal(uint64_t have, uint64_t want, const char *file, int line, const char *what);
void check_ok(MmsbStatus status, const char *file, int line, const char *what);
/* The status is `want` and the thread's message contains each of `words`, up to a NULL. */
void check_fails(MmsbStatus want, MmsbStatus have, const char *const *words, const char *file,
                 int line, const char *what);

#define CHECK(condition) check_that((condition), __FILE__, __LINE__, #condition)
#define EQ(have, want) \
    check_equal((uint64_t)(have), (uint64_t)(want), __FILE__, __LINE__, #have " == " #want)
#define OK(call) check_ok((call), __FILE__, __LINE__, #call)
/* FAILS(PAGE_FREED, call, "page 3"): the kind without its prefix, and words of the message. */
#define FAILS(kind, call, ...)                                                            \
    check_fails(MMSB_STATUS_##kind, (call), (const char *const[]){__VA_ARGS__, NULL}, __FILE__, \
                __LINE__, #call)
/* What the rest of a test cannot do without: ends the program if it fails. */
#define REQUIRE(call)                                   \
    do {                                                \
        if (!(call)) {                                  \
            check_that(0, __FILE__, __LINE__, #call);   \
            exit(1);                                    \
        }                                               \
    } while (0)
#define SKIP(reason)              \
    do {                          \
        check_skipped = (reason); \
        return;                   \
    } while (0)

/* ------------------------------------------------------------------------------------ fixtures */

typedef struct {
    uint8_t bytes[32];
} Digest;

MmsbState memory_state(void);
MmsbPage new_page(MmsbState state, uint64_t size);
/* A page of `size` bytes that hold 0, 1, 2, ... */
MmsbPage ramp_page(MmsbState state, uint64_t size);
Digest digest_of(MmsbState state);
#define SAME(left, right) CHECK(memcmp((left).bytes, (right).bytes, 32) == 0)
uint64_t epoch_of(MmsbPage page);
uint8_t byte_at(MmsbPage page, uint64_t offset);

/* Settings of a state in a directory, with small segments. */
MmsbConfig durable(const char *path, MmsbDurability durability);
MmsbState open_durable(const char *path, MmsbDurability durability);

/* A new empty directory of this program's own, removed at its end. Valid until then. */
const char *scratch(void);
/* `folder`/`name`; one of eight buffers in turn. */
const char *path_in(const char *folder, const char *name);
void remove_tree(const char *path);
void touch(const char *path);
int exists(const char *path);
/* How much to do: 1 natively, less under a slow tool (MMSB_TEST_SLOW=1). */
int is_slow(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define UNUSED(value) ((void)(value))

#ifdef __cplusplus
}
#endif

#endif
