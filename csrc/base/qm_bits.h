/*
 * qm_bits.h: sets of up to 64 places, a bit each, the first place lowest.
 */
#ifndef QM_BITS_H
#define QM_BITS_H

#include "base/qm_base.h"

/* Place of the first member; the set is not empty. */
static inline unsigned qm_bits_first(uint64_t bits)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(bits);
#else
    unsigned i = 0;

    while ((bits >> i & 1) == 0) {
        i++;
    }
    return i;
#endif
}

/* How many places in a row are members, from the first place on. */
static inline unsigned qm_bits_run(uint64_t bits)
{
    return bits == UINT64_MAX ? 64 : qm_bits_first(~bits);
}

/* The first `count` places, 64 at most. */
static inline uint64_t qm_bits_below(size_t count)
{
    return count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

/* The set without its first `count` places: the one behind them is first. */
static inline uint64_t qm_bits_shift(uint64_t bits, size_t count)
{
    return count >= 64 ? 0 : bits >> count;
}

static inline unsigned qm_bits_count(uint64_t bits)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_popcountll(bits);
#else
    unsigned count = 0;

    for (; bits != 0; bits &= bits - 1) {
        count++;
    }
    return count;
#endif
}

#endif
