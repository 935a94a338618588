/*
 * qm_vector.h: which vector instructions a unit may be written with.
 *
 * QM_VECTOR_X86: SSE2 is there, and better ones can be asked for by function
 * (QM_TARGET) when the processor is known to have them. QM_VECTOR_NEON: NEON is
 * there. Neither: plain C, also when QM_NO_VECTORS is defined, so that a test
 * can try it anywhere.
 */
#ifndef QM_VECTOR_H
#define QM_VECTOR_H

#include "base/qm_base.h"

#if defined(__GNUC__)
#define QM_TARGET(features) __attribute__((target(features)))
#else
#define QM_TARGET(features)
#endif

#if defined(__GNUC__) && defined(__x86_64__) && !defined(QM_NO_VECTORS)
#define QM_VECTOR_X86
#include <immintrin.h>
#elif defined(__GNUC__) && defined(__aarch64__) && !defined(QM_NO_VECTORS)
#define QM_VECTOR_NEON
#include <arm_neon.h>
#endif

#endif
