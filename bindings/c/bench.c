/* What calls cost from C: medians of rounds, one thread, states in memory. bindings/bench.sh runs it. */
#define _POSIX_C_SOURCE 200809L
#include <mmsb.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 61 };

static void must(MmsbStatus status) {
    if (status != MMSB_STATUS_OK) {
        fprintf(stderr, "error %d: %s\n", (int)status, rust_error_message());
        exit(1);
    }
}

static double now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int ascending(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Median ns per operation of `work(count)`, after a round that warms up. */
static double measure(void (*work)(int), int count) {
    double rounds[ROUNDS];
    work(count);
    for (int i = 0; i < ROUNDS; i++) {
        double begin = now_ns();
        work(count);
        rounds[i] = (now_ns() - begin) / count;
    }
    qsort(rounds, ROUNDS, sizeof *rounds, ascending);
    return rounds[ROUNDS / 2];
}

static void open_create_close(int count) {
    while (count-- > 0) {
        MmsbState state;
        MmsbPage page;
        must(rust_state_open(NULL, &state));
        must(rust_page_create(state, 1024, MMSB_LOCATION_CPU, NULL, &page));
        must(rust_state_close(&state));
    }
}

static void blocks(int count) {
    MmsbAllocator allocator;
    must(rust_allocator_new(&allocator));
    while (count-- > 0) {
        void *block;
        must(rust_allocator_alloc_block(allocator, 1024, 16, true, &block));
        must(rust_allocator_free_block(allocator, block));
    }
    must(rust_allocator_free(&allocator));
}

int main(void) {
    double life = measure(open_create_close, 20000);
    printf("M6 language=c ours=%.1fns bar<=200 %s\n", life, life <= 200 ? "pass" : "short");
    printf("%8.1f ns  allocate a zeroed block of 1 KiB, free it\n", measure(blocks, 20000));
    return 0;
}
