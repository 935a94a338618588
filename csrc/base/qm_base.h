/*
 * qm_base.h: what every other header of the project includes first.
 *
 * Feature macros, symbol visibility and attributes. It must come before any
 * system header, so that the feature macros hold in builds that pass no flags
 * of their own (LuaRocks' builtin build).
 */
#ifndef QM_BASE_H
#define QM_BASE_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Everything is hidden unless it says QM_EXPORT: another module of the same
 * process must never bind to our symbols, nor we to theirs. The pair brackets
 * our own declarations only; system headers stay outside.
 */
#if defined(__GNUC__)
#define QM_DECLS_BEGIN   _Pragma("GCC visibility push(hidden)")
#define QM_DECLS_END     _Pragma("GCC visibility pop")
#define QM_EXPORT        __attribute__((visibility("default")))
#define QM_MUST_USE      __attribute__((warn_unused_result))
#define QM_PURE          __attribute__((pure))
#define QM_ALWAYS_INLINE __attribute__((always_inline))
#else
#define QM_DECLS_BEGIN
#define QM_DECLS_END
#define QM_EXPORT
#define QM_MUST_USE
#define QM_PURE
#define QM_ALWAYS_INLINE
#endif

#define QM_COUNTOF(array) (sizeof(array) / sizeof((array)[0]))

#endif
