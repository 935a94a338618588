#include "base/qm_mem.h"

#include <stdlib.h>
#include <string.h>

#ifdef QM_TEST_ALLOC
static long allowed_left = -1;
static long live_blocks;

static bool must_fail(void)
{
    if (allowed_left < 0) {
        return false;
    }
    return allowed_left-- == 0;
}

void qm_mem_test_fail_after(long allowed)
{
    allowed_left = allowed;
}

long qm_mem_test_live(void)
{
    return live_blocks;
}

#define COUNT_LIVE(change) (live_blocks += (change))
#else
#define must_fail()        false
#define COUNT_LIVE(change) ((void)0)
#endif

void *qm_mem_alloc(size_t size)
{
    void *block;

    if (must_fail()) {
        return NULL;
    }
    block = malloc(size > 0 ? size : 1);
    if (block != NULL) {
        COUNT_LIVE(1);
    }
    return block;
}

void *qm_mem_resize(void *block, size_t size)
{
    void *resized;

    if (must_fail()) {
        return NULL;
    }
    resized = realloc(block, size > 0 ? size : 1);
    if (block == NULL && resized != NULL) {
        COUNT_LIVE(1);
    }
    return resized;
}

void qm_mem_free(void *block)
{
    if (block != NULL) {
        COUNT_LIVE(-1);
        free(block);
    }
}

#if defined(__GNUC__)
void qm_mem_wipe(void *block, size_t size)
{
    if (size > 0) {
        memset(block, 0, size);
        /* The compiler must assume that somebody reads the zeros. */
        __asm__ __volatile__("" : : "r"(block) : "memory");
    }
}
#else
void qm_mem_wipe(void *block, size_t size)
{
    volatile unsigned char *byte = block;

    while (size > 0) {
        *byte++ = 0;
        size--;
    }
}
#endif
