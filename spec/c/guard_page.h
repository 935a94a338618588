/*
 * guard_page.h: input that ends exactly at an unmapped page.
 *
 * A parser that reads one byte too far dies at once, under any build.
 */
#ifndef GUARD_PAGE_H
#define GUARD_PAGE_H

#include "base/qm_span.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard_page {
    char *map;
    size_t size; /* readable bytes before the unreadable page */
    size_t page;
};

static inline struct guard_page guard_page_open(size_t largest)
{
    struct guard_page guard;

    guard.page = (size_t)sysconf(_SC_PAGESIZE);
    guard.size = (largest / guard.page + 1) * guard.page;
    guard.map = mmap(NULL, guard.size + guard.page, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | 0x20 /* MAP_ANONYMOUS */, -1, 0);
    if (guard.map == MAP_FAILED ||
        mprotect(guard.map + guard.size, guard.page, PROT_NONE) != 0) {
        abort();
    }
    return guard;
}

/* Copies `bytes` so that the last one is the last readable byte. */
static inline struct qm_span guard_page_put(struct guard_page *guard,
                                            struct qm_span bytes)
{
    char *at = guard->map + guard->size - bytes.len;

    if (bytes.len > 0) {
        memcpy(at, bytes.ptr, bytes.len);
    }
    return qm_span_make(at, bytes.len);
}

static inline void guard_page_close(struct guard_page *guard)
{
    munmap(guard->map, guard->size + guard->page);
}

#endif
