/* Damaged files: cut off and flipped anywhere, a state is refused, or is exactly what it was.
 *
 * A directory is built once, kept in memory, and written anew before each damage. Of a directory
 * that was closed in order, nothing may be missing. Of one whose program died, what came after the
 * last sync may be; what is left must then be a prefix of what happened.
 */
#define _XOPEN_SOURCE 700
#include "check.h"

#include <dirent.h>
#include <sys/stat.h>

enum { STEPS = 40, RECORDS_MAX = 3 * STEPS, FILES_MAX = 16 };

typedef struct {
    char name[64];
    uint8_t *bytes;
    size_t len;
    size_t used; /* bytes up to the last that is not zero */
} File;

typedef struct {
    File files[FILES_MAX];
    size_t count;
    Digest digests[RECORDS_MAX + 1]; /* after so many records */
    size_t records;
    size_t synced; /* records that must be there: those before the last sync, or all */
    bool whole;    /* closed in order */
} Image;

static char folder[512];

/* ------------------------------------------------------------------------------------- building */

static uint64_t random_state = 0x9E3779B97F4A7C15u;

static uint64_t random_below(uint64_t limit) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % limit;
}

/* Each record in a frame of its own, as far as that can be asked for. */
static void recorded(MmsbState state, Image *image) {
    OK(rust_state_flush(state, NULL));
    if (image == NULL) return;
    REQUIRE(image->records < RECORDS_MAX);
    image->digests[++image->records] = digest_of(state);
}

static void step(MmsbState state, int i, Image *image) {
    static uint8_t bytes[6000];
    MmsbPage page = {state.id, (uint64_t)(i / 8) + 1};
    if (i % 8 == 0) {
        page = new_page(state, sizeof bytes);
        recorded(state, image);
    }
    for (size_t k = 0; k < sizeof bytes; k++) bytes[k] = (uint8_t)random_below(256);
    OK(rust_page_write(page, 0, bytes, 1000 + random_below(5000), NULL, NULL));
    recorded(state, image);
    if (i % 8 != 7) return;
    OK(rust_page_metadata_set(page, bytes, 9, bytes, 99, NULL, NULL));
    recorded(state, image);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const File *)a)->name, ((const File *)b)->name);
}

static void read_file(const char *path, File *file) {
    struct stat info;
    FILE *in = fopen(path, "rb");
    REQUIRE(in != NULL && stat(path, &info) == 0);
    file->len = (size_t)info.st_size;
    file->bytes = malloc(file->len + 1);
    REQUIRE(file->bytes != NULL && fread(file->bytes, 1, file->len, in) == file->len);
    fclose(in);
    file->used = file->len;
    while (file->used > 0 && file->bytes[file->used - 1] == 0) file->used--;
}

static void read_folder(Image *image) {
    DIR *open = opendir(folder);
    REQUIRE(open != NULL);
    image->count = 0;
    for (struct dirent *entry; (entry = readdir(open)) != NULL;) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "LOCK") == 0) continue;
        if (strncmp(entry->d_name, "spare-", 6) == 0) continue; /* nothing that counts is in it */
        REQUIRE(image->count < FILES_MAX);
        File *file = &image->files[image->count++];
        snprintf(file->name, sizeof file->name, "%.60s", entry->d_name);
        read_file(path_in(folder, entry->d_name), file);
    }
    closedir(open);
    qsort(image->files, image->count, sizeof *image->files, by_name);
}

static void write_file(const File *file) {
    FILE *out = fopen(path_in(folder, file->name), "wb");
    REQUIRE(out != NULL && fwrite(file->bytes, 1, file->len, out) == file->len);
    REQUIRE(fclose(out) == 0);
}

static void write_folder(const Image *image) {
    remove_tree(folder);
    REQUIRE(mkdir(folder, 0777) == 0);
    for (size_t i = 0; i < image->count; i++) write_file(&image->files[i]);
}

static void forget(Image *image) {
    for (size_t i = 0; i < image->count; i++) free(image->files[i].bytes);
}

/* A directory with history in several segments, and perhaps a checkpoint on the way. */
static void build(Image *image, int checkpoint_at, bool whole) {
    snprintf(folder, sizeof folder, "%s", path_in(scratch(), "state"));
    MmsbState state = open_durable(folder, MMSB_DURABILITY_MEMORY);
    image->records = 0;
    image->digests[0] = digest_of(state);
    for (int i = 0; i < STEPS; i++) {
        if (i == checkpoint_at) OK(rust_checkpoint_create(state, NULL, NULL));
        step(state, i, image);
        if (i == STEPS / 2) {
            OK(rust_state_sync(state, NULL));
            image->synced = image->records;
        }
    }
    image->whole = whole;
    if (whole) {
        OK(rust_state_close(&state));
        image->synced = image->records;
    }
    read_folder(image);
    if (!whole) OK(rust_state_close(&state)); /* after the files were taken */
}

/* ------------------------------------------------------------------------------------- checking */

typedef enum { REFUSED, DAMAGED, SOUND } Verdict;

static bool is_damage(MmsbStatus status) {
    return status == MMSB_STATUS_CORRUPT || status == MMSB_STATUS_UNKNOWN_FORMAT ||
           status == MMSB_STATUS_FOREIGN;
}

static bool happened(const Image *image, const Digest *digest) {
    for (size_t i = image->synced; i <= image->records; i++) {
        if (memcmp(digest, &image->digests[i], sizeof *digest) == 0) return true;
    }
    return false;
}

/* Every page is read, and everything is verified: sound, or an error that says damage. */
static Verdict look(const Image *image, MmsbState state) {
    Digest digest;
    MmsbStatus seen = rust_state_digest(state, &digest.bytes);
    if (seen == MMSB_STATUS_OK) CHECK(happened(image, &digest));
    else CHECK(is_damage(seen));
    MmsbStatus verified = rust_state_verify(state, NULL, NULL, NULL);
    CHECK(verified == MMSB_STATUS_OK || is_damage(verified));
    if (seen != MMSB_STATUS_OK) CHECK(verified != MMSB_STATUS_OK);
    return verified == MMSB_STATUS_OK ? SOUND : DAMAGED;
}

static Verdict open_and_look(const Image *image) {
    MmsbState state = {77};
    MmsbConfig config = durable(folder, MMSB_DURABILITY_MEMORY);
    config.must_exist = true;
    MmsbStatus status = rust_state_open(&config, &state);
    if (status != MMSB_STATUS_OK) {
        CHECK(is_damage(status));
        CHECK(strstr(rust_error_message(), folder) != NULL || status == MMSB_STATUS_FOREIGN);
        EQ(state.id, 77);
        return REFUSED;
    }
    Verdict verdict = look(image, state);
    OK(rust_state_close(&state));
    return verdict;
}

static Verdict with_flip(const Image *image, const File *file, size_t at, uint8_t bits) {
    unsigned before = atomic_load(&check_failures);
    write_folder(image);
    file->bytes[at] ^= bits;
    write_file(file);
    Verdict verdict = open_and_look(image);
    file->bytes[at] ^= bits;
    if (atomic_load(&check_failures) != before) {
        printf("    with %s[%zu] ^= %#x\n", file->name, at, bits);
    }
    return verdict;
}

static Verdict with_cut(const Image *image, const File *file, size_t len) {
    unsigned before = atomic_load(&check_failures);
    File cut = *file;
    write_folder(image);
    cut.len = len;
    write_file(&cut);
    Verdict verdict = open_and_look(image);
    if (atomic_load(&check_failures) != before) {
        printf("    with %s cut to %zu of %zu bytes\n", file->name, len, file->len);
    }
    return verdict;
}

static uint8_t any_bit(void) { return (uint8_t)(1u << random_below(8)); }

static void flip_everywhere(const Image *image) {
    size_t detected = 0, tried = 0;
    for (size_t i = 0; i < image->count; i++) {
        const File *file = &image->files[i];
        size_t flips = is_slow() ? 8 : 150;
        for (size_t k = 0; k < flips; k++) {
            /* The first bytes, where headers are, densely; the rest at random. */
            size_t at = k < 64 && k < file->used ? k : (size_t)random_below(file->used);
            detected += with_flip(image, file, at, any_bit()) != SOUND;
            tried++;
        }
    }
    /* Zeros between headers and records do not count; nor does what was never synced. */
    CHECK(detected * 10 > tried * (image->whole ? 6 : 3));
}

static void cut_everywhere(const Image *image) {
    for (size_t i = 0; i < image->count; i++) {
        const File *file = &image->files[i];
        size_t cuts = is_slow() ? 4 : 30;
        for (size_t k = 0; k < cuts; k++) {
            size_t len = k == 0 ? 0 : k == 1 ? file->used - 1 : (size_t)random_below(file->used);
            Verdict verdict = with_cut(image, file, len);
            if (image->whole) CHECK(verdict != SOUND);
        }
    }
}

/* ---------------------------------------------------------------------------------------- tests */

static void undamaged_it_is_sound(const Image *image) {
    write_folder(image);
    EQ(open_and_look(image), SOUND);
}

static void all_damage(int checkpoint_at, bool whole) {
    static Image image;
    build(&image, checkpoint_at, whole);
    CHECK(image.count >= 3);
    undamaged_it_is_sound(&image);
    flip_everywhere(&image);
    cut_everywhere(&image);
    forget(&image);
}

static void of_a_log_that_was_closed(void) { all_damage(-1, true); }
static void of_a_log_and_a_checkpoint_that_were_closed(void) { all_damage(25, true); }
static void of_a_log_whose_program_died(void) { all_damage(-1, false); }

static void a_missing_file_is_noticed(void) {
    static Image image;
    build(&image, 25, true);
    for (size_t i = 0; i < image.count; i++) {
        MmsbState state = {77};
        MmsbConfig config = durable(folder, MMSB_DURABILITY_MEMORY);
        config.must_exist = true;
        write_folder(&image);
        REQUIRE(remove(path_in(folder, image.files[i].name)) == 0);
        MmsbStatus status = rust_state_open(&config, &state);
        if (status != MMSB_STATUS_OK) {
            CHECK(is_damage(status) || status == MMSB_STATUS_FILE_NOT_FOUND);
            CHECK(strstr(rust_error_message(), folder) != NULL);
            continue;
        }
        /* The oldest log before the checkpoint is history alone: less of it, and all is well. */
        SAME(digest_of(state), image.digests[image.records]);
        OK(rust_state_verify(state, NULL, NULL, NULL));
        OK(rust_state_close(&state));
    }
    forget(&image);
}

/* The end that was being written when the program died is cut off, and said to be. */
static void a_torn_tail_is_told(void) {
    static Image image;
    build(&image, -1, false);
    File *last = &image.files[0];
    for (size_t i = 0; i < image.count; i++) {
        if (strstr(image.files[i].name, ".log") != NULL) last = &image.files[i];
    }
    write_folder(&image);
    File cut = *last;
    cut.len = last->used - 10;
    write_file(&cut);
    MmsbState state = open_durable(folder, MMSB_DURABILITY_MEMORY);
    MmsbRecovered recovered;
    OK(rust_state_recovered(state, &recovered));
    CHECK(recovered.torn);
    CHECK(recovered.torn_offset > 0 && recovered.torn_bytes > 0);
    SAME(digest_of(state), image.digests[image.records - 1]);
    OK(rust_state_verify(state, NULL, NULL, NULL));
    OK(rust_state_close(&state));
    forget(&image);
}

/* A file of a checkpoint by itself: read when it is asked for, and never wrongly. */
static void of_a_checkpoints_file(void) {
    MmsbState state = memory_state(), loaded = {0};
    File file;
    for (int i = 0; i < 20; i++) step(state, i, NULL);
    Digest digest = digest_of(state), seen;
    snprintf(folder, sizeof folder, "%s", scratch());
    OK(rust_checkpoint_write(state, path_in(folder, "it.image"), NULL));
    OK(rust_state_close(&state));
    read_file(path_in(folder, "it.image"), &file);
    snprintf(file.name, sizeof file.name, "it.image");
    for (int i = 0; i < (is_slow() ? 20 : 400); i++) {
        size_t at = (size_t)random_below(file.len), whole = file.len;
        uint8_t bits = any_bit();
        file.bytes[at] ^= bits;
        if (i % 4 == 0) file.len = at;
        write_file(&file);
        file.bytes[at] ^= bits;
        MmsbStatus status = rust_checkpoint_load(path_in(folder, "it.image"), &loaded);
        if (status == MMSB_STATUS_OK) {
            status = rust_state_digest(loaded, &seen.bytes);
            if (status == MMSB_STATUS_OK) SAME(seen, digest);
            OK(rust_state_close(&loaded));
        }
        CHECK(status == MMSB_STATUS_OK || is_damage(status));
        if (file.len != whole) CHECK(status != MMSB_STATUS_OK);
        file.len = whole;
    }
    free(file.bytes);
}

int main(void) {
    static const Test tests[] = {
        TEST(of_a_log_that_was_closed),
        TEST(of_a_log_and_a_checkpoint_that_were_closed),
        TEST(of_a_log_whose_program_died),
        TEST(a_missing_file_is_noticed),
        TEST(a_torn_tail_is_told),
        TEST(of_a_checkpoints_file),
    };
    return RUN(tests);
}
