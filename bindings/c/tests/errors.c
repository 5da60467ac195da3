/* The table of errors, which is the header's, and messages, which are each thread's own.
 *
 * MMSB_INCLUDE_DIR is the folder of the installed mmsb.h, MMSB_VERSION what pkg-config or CMake
 * says.
 */
#include "check.h"

#include <ctype.h>
#include <pthread.h>

enum { CODES_MAX = 100 };
static struct {
    char name[64];
    int code;
} listed[CODES_MAX];
static size_t listed_count;

/* The enumerators of MmsbStatus, as the header spells them. */
static void read_header(void) {
    char line[512];
    FILE *header = fopen(MMSB_INCLUDE_DIR "/mmsb.h", "r");
    REQUIRE(header != NULL);
    listed_count = 0;
    while (fgets(line, sizeof line, header) != NULL) {
        if (sscanf(line, " MMSB_STATUS_%63[A-Z0-9_] = %d", listed[listed_count].name,
                   &listed[listed_count].code) == 2) {
            REQUIRE(++listed_count < CODES_MAX);
        }
    }
    fclose(header);
}

/* PageNotFound as PAGE_NOT_FOUND. */
static void scream(const char *camel, size_t len, char *out) {
    for (size_t i = 0; i < len; i++) {
        bool starts = isupper((unsigned char)camel[i]) && i > 0;
        bool in_digits = i > 0 && isdigit((unsigned char)camel[i - 1]);
        if (starts && !in_digits) *out++ = '_';
        *out++ = (char)toupper((unsigned char)camel[i]);
    }
    *out = 0;
}

static void the_table_is_the_headers(void) {
    char name[128];
    read_header();
    EQ(rust_error_count() + 1, listed_count); /* the header has MMSB_STATUS_OK besides */
    EQ(strcmp(listed[0].name, "OK"), 0);
    EQ(listed[0].code, 0);
    for (size_t i = 0; i < rust_error_count(); i++) {
        MmsbErrorInfo row;
        OK(rust_error_info(i, &row));
        scream(row.name, row.name_len, name);
        EQ(row.code, listed[i + 1].code);
        if (strcmp(name, listed[i + 1].name) != 0) {
            printf("    the table has %s, the header %s\n", name, listed[i + 1].name);
            CHECK(!"the names are equal");
        }
    }
}

static void rows_ascend_and_say_what_they_mean(void) {
    int last = 0;
    for (size_t i = 0; i < rust_error_count(); i++) {
        MmsbErrorInfo row;
        OK(rust_error_info(i, &row));
        CHECK(row.code > last && row.code >= 101 && row.code < 700);
        CHECK(row.name_len > 1 && row.meaning_len > 10);
        CHECK(row.meaning[row.meaning_len - 1] == '.');
        EQ(rust_error_is_retryable(row.code), row.retryable);
        EQ(rust_error_is_fatal(row.code), row.fatal);
        last = row.code;
    }
}

static void what_is_no_row_is_refused(void) {
    MmsbErrorInfo row;
    memset(&row, 0xA5, sizeof row);
    char count[32];
    snprintf(count, sizeof count, "%zu", rust_error_count());
    FAILS(INVALID_ARGUMENT, rust_error_info(rust_error_count(), &row), count);
    FAILS(INVALID_ARGUMENT, rust_error_info(SIZE_MAX, &row), count);
    FAILS(NULL_HANDLE, rust_error_info(0, NULL), "out");
    EQ(*(unsigned char *)&row, 0xA5);
    static const int no_errors[] = {0, 1, -1, 100, 119, 999, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < COUNT(no_errors); i++) {
        CHECK(!rust_error_is_retryable(no_errors[i]) && !rust_error_is_fatal(no_errors[i]));
    }
}

static void *silent_thread(void *context) {
    UNUSED(context);
    EQ(rust_error_message()[0], 0);
    OK(rust_batch_free(NULL));
    EQ(rust_error_message()[0], 0); /* success says nothing */
    FAILS(NULL_HANDLE, rust_error_info(0, NULL), "out");
    return NULL;
}

static void messages_are_each_threads_own(void) {
    pthread_t thread;
    char before[256];
    MmsbPage none = {0, 1};
    uint64_t size;
    FAILS(NULL_HANDLE, rust_page_size(none, &size), "state");
    snprintf(before, sizeof before, "%s", rust_error_message());
    REQUIRE(pthread_create(&thread, NULL, silent_thread, NULL) == 0);
    pthread_join(thread, NULL);
    EQ(strcmp(before, rust_error_message()), 0);
    OK(rust_batch_free(NULL));
    EQ(strcmp(before, rust_error_message()), 0); /* a success leaves it */
}

static void the_library_has_the_version_it_was_installed_as(void) {
    EQ(strcmp(rust_mmsb_version(), MMSB_VERSION), 0);
}

int main(void) {
    static const Test tests[] = {
        TEST(the_table_is_the_headers),
        TEST(rows_ascend_and_say_what_they_mean),
        TEST(what_is_no_row_is_refused),
        TEST(messages_are_each_threads_own),
        TEST(the_library_has_the_version_it_was_installed_as),
    };
    return RUN(tests);
}
