/*
 * qm_mem.h: the only door to the heap, and the wipe for secrets.
 *
 * All units allocate here, so that a test can make the n-th allocation fail
 * (build with QM_TEST_ALLOC) and nothing has to be proved twice.
 */
#ifndef QM_MEM_H
#define QM_MEM_H

#include "base/qm_base.h"

QM_DECLS_BEGIN

/* NULL when memory is short. The content is not initialised. */
void *qm_mem_alloc(size_t size) QM_MUST_USE;

/* As realloc(); `block` stays valid when NULL is returned. */
void *qm_mem_resize(void *block, size_t size) QM_MUST_USE;

/* NULL is allowed. */
void qm_mem_free(void *block);

/* Overwrites with zeros in a way the compiler may not remove. */
void qm_mem_wipe(void *block, size_t size);

#ifdef QM_TEST_ALLOC
/*
 * Test builds only. The next `allowed` allocations succeed, the one after
 * them fails, and the later ones succeed again; a negative count turns the
 * fault off. qm_mem_test_live() counts blocks not yet freed.
 */
void qm_mem_test_fail_after(long allowed);
long qm_mem_test_live(void);
#endif

QM_DECLS_END

#endif
