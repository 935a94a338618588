#include "codec/qm_run.h"

#include "base/qm_bits.h"
#include "base/qm_vector.h"

enum { BLOCK = QM_RUN_BLOCK };

/* A bit for each byte of a block, the first byte lowest. */
struct line_marks {
    uint64_t cr;
    uint64_t lf;
    uint64_t dot;
};

#if defined(QM_VECTOR_X86)

static __m128i load16(const char *text)
{
    return _mm_loadu_si128((const __m128i *)(const void *)text);
}

static uint64_t bits16(__m128i bytes, unsigned shift)
{
    return (uint64_t)(unsigned)_mm_movemask_epi8(bytes) << shift;
}

static uint64_t equal16(__m128i bytes, char c, unsigned shift)
{
    return bits16(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)), shift);
}

static struct line_marks mark_lines(const char *text)
{
    struct line_marks marks = { 0, 0, 0 };
    unsigned at;

    for (at = 0; at < BLOCK; at += 16) {
        __m128i bytes = load16(text + at);

        marks.cr |= equal16(bytes, '\r', at);
        marks.lf |= equal16(bytes, '\n', at);
        marks.dot |= equal16(bytes, '.', at);
    }
    return marks;
}

/* Bytes above 127 are negative here, and so below the space. */
static uint64_t mark_plain(const char *text)
{
    uint64_t marks = 0;
    unsigned at;

    for (at = 0; at < BLOCK; at += 16) {
        __m128i bytes = load16(text + at);
        uint64_t printing =
            bits16(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(' ' - 1)), at);

        printing &= ~(equal16(bytes, '=', at) | equal16(bytes, 0x7f, at));
        marks |= printing | equal16(bytes, '\t', at);
    }
    return marks;
}

static uint64_t mark_high(const char *text)
{
    uint64_t marks = 0;
    unsigned at;

    for (at = 0; at < BLOCK; at += 16) {
        marks |= bits16(load16(text + at), at);
    }
    return marks;
}

#elif defined(QM_VECTOR_NEON)

/* One bit of each byte: each is left with its own, then they are added up. */
static uint64_t bits64(const uint8x16_t flags[4])
{
    const uint8x16_t own = { 1, 2, 4, 8, 16, 32, 64, 128,
                             1, 2, 4, 8, 16, 32, 64, 128 };
    uint8x16_t low =
        vpaddq_u8(vandq_u8(flags[0], own), vandq_u8(flags[1], own));
    uint8x16_t high =
        vpaddq_u8(vandq_u8(flags[2], own), vandq_u8(flags[3], own));
    uint8x16_t sum = vpaddq_u8(low, high);

    sum = vpaddq_u8(sum, sum);
    return vgetq_lane_u64(vreinterpretq_u64_u8(sum), 0);
}

static uint64_t equal64(const uint8x16_t bytes[4], uint8_t c)
{
    uint8x16_t flags[4];
    size_t i;

    for (i = 0; i < 4; i++) {
        flags[i] = vceqq_u8(bytes[i], vdupq_n_u8(c));
    }
    return bits64(flags);
}

static void load64(const char *text, uint8x16_t bytes[4])
{
    size_t i;

    for (i = 0; i < 4; i++) {
        bytes[i] = vld1q_u8((const uint8_t *)text + 16 * i);
    }
}

static struct line_marks mark_lines(const char *text)
{
    struct line_marks marks;
    uint8x16_t bytes[4];

    load64(text, bytes);
    marks.cr = equal64(bytes, '\r');
    marks.lf = equal64(bytes, '\n');
    marks.dot = equal64(bytes, '.');
    return marks;
}

/* From the space on, "~" is number 94. */
static uint64_t mark_plain(const char *text)
{
    uint8x16_t bytes[4];
    uint8x16_t printing[4];
    size_t i;

    load64(text, bytes);
    for (i = 0; i < 4; i++) {
        printing[i] = vcleq_u8(vsubq_u8(bytes[i], vdupq_n_u8(' ')),
                               vdupq_n_u8('~' - ' '));
    }
    return (bits64(printing) & ~equal64(bytes, '=')) | equal64(bytes, '\t');
}

static uint64_t mark_high(const char *text)
{
    uint8x16_t bytes[4];
    uint8x16_t high[4];
    size_t i;

    load64(text, bytes);
    for (i = 0; i < 4; i++) {
        high[i] = vcgeq_u8(bytes[i], vdupq_n_u8(0x80));
    }
    return bits64(high);
}

#else

static struct line_marks mark_lines(const char *text)
{
    struct line_marks marks = { 0, 0, 0 };
    size_t i;

    for (i = 0; i < BLOCK; i++) {
        marks.cr |= (uint64_t)(text[i] == '\r') << i;
        marks.lf |= (uint64_t)(text[i] == '\n') << i;
        marks.dot |= (uint64_t)(text[i] == '.') << i;
    }
    return marks;
}

static uint64_t mark_plain(const char *text)
{
    uint64_t marks = 0;
    size_t i;

    for (i = 0; i < BLOCK; i++) {
        char c = text[i];
        bool plain = (c >= ' ' && c <= '~' && c != '=') || c == '\t';

        marks |= (uint64_t)plain << i;
    }
    return marks;
}

static uint64_t mark_high(const char *text)
{
    uint64_t marks = 0;
    size_t i;

    for (i = 0; i < BLOCK; i++) {
        marks |= (uint64_t)((unsigned char)text[i] >= 0x80) << i;
    }
    return marks;
}

#endif

/* The end of a text as a block: what follows it there is NUL. */
struct last_block {
    char bytes[BLOCK];
};

static struct last_block take_last(const char *text, size_t len)
{
    struct last_block last;

    memset(last.bytes, 0, BLOCK);
    if (len > 0) {
        memcpy(last.bytes, text, len);
    }
    return last;
}

/* What one block leaves to the next: at most one bit each. */
struct line_carry {
    uint64_t after_cr;
    uint64_t at_start;
};

/*
 * Bytes of a block until something is wrong, or BLOCK. One less than 0 may be
 * the answer: that a CR at the end of the block before lacks its LF.
 */
static ptrdiff_t lines_in_block(const struct line_marks *marks,
                                struct line_carry *carry, bool dots)
{
    uint64_t due = marks->cr << 1 | carry->after_cr; /* a LF, here */
    uint64_t starts = marks->lf << 1 | carry->at_start;
    uint64_t wrong = (marks->lf ^ due) | (dots ? marks->dot & starts : 0);
    size_t at;

    carry->after_cr = marks->cr >> (BLOCK - 1);
    carry->at_start = marks->lf >> (BLOCK - 1);
    if (wrong == 0) {
        return BLOCK;
    }
    at = qm_bits_first(wrong);
    return (ptrdiff_t)at - ((due & ~marks->lf) >> at & 1 ? 1 : 0);
}

/*
 * The run within whole blocks; what is behind them is left. Where the marker is
 * named it becomes part of this, and so does this of the function that names
 * it: in each it is compiled for other instructions.
 */
static inline QM_ALWAYS_INLINE ptrdiff_t
lines_in_blocks(struct line_marks (*mark)(const char *), const char *text,
                size_t blocks, struct line_carry *carry, bool dots)
{
    size_t i;

    for (i = 0; i < blocks; i++) {
        struct line_marks marks = mark(text + i * BLOCK);
        ptrdiff_t run = lines_in_block(&marks, carry, dots);

        if (run < BLOCK) {
            return (ptrdiff_t)(i * BLOCK) + run;
        }
    }
    return (ptrdiff_t)(blocks * BLOCK);
}

#if defined(QM_VECTOR_X86)

QM_TARGET("avx2")
static inline uint64_t equal64(__m256i low, __m256i high, char c)
{
    __m256i wanted = _mm256_set1_epi8(c);
    int first = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted));
    int second = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted));

    return (uint64_t)(unsigned)first | (uint64_t)(unsigned)second << 32;
}

QM_TARGET("avx2")
static inline struct line_marks mark_lines_avx2(const char *text)
{
    const __m256i *from = (const __m256i *)(const void *)text;
    __m256i low = _mm256_loadu_si256(from);
    __m256i high = _mm256_loadu_si256(from + 1);
    struct line_marks marks;

    marks.cr = equal64(low, high, '\r');
    marks.lf = equal64(low, high, '\n');
    marks.dot = equal64(low, high, '.');
    return marks;
}

QM_TARGET("avx2")
static ptrdiff_t blocks_avx2(const char *text, size_t blocks,
                             struct line_carry *carry, bool dots)
{
    return lines_in_blocks(mark_lines_avx2, text, blocks, carry, dots);
}

/* Shorter texts are not worth the question what the processor can do. */
enum { WORTH_ASKING = 16 };

static ptrdiff_t lines_of(const char *text, size_t blocks,
                          struct line_carry *carry, bool dots)
{
    if (blocks >= WORTH_ASKING && __builtin_cpu_supports("avx2")) {
        return blocks_avx2(text, blocks, carry, dots);
    }
    return lines_in_blocks(mark_lines, text, blocks, carry, dots);
}

#else

static ptrdiff_t lines_of(const char *text, size_t blocks,
                          struct line_carry *carry, bool dots)
{
    return lines_in_blocks(mark_lines, text, blocks, carry, dots);
}

#endif

size_t qm_run_of_lines(const char *text, size_t len, bool at_line_start,
                       bool dots)
{
    struct line_carry carry = { 0, at_line_start ? 1 : 0 };
    size_t blocks = len / BLOCK;
    size_t whole = blocks * BLOCK;
    ptrdiff_t run = lines_of(text, blocks, &carry, dots);
    struct line_marks marks;
    struct last_block last;

    if (run < (ptrdiff_t)whole) {
        return (size_t)run;
    }
    last = take_last(text + whole, len - whole);
    marks = mark_lines(last.bytes);
    run = lines_in_block(&marks, &carry, dots);
    if (run > (ptrdiff_t)(len - whole)) {
        run = (ptrdiff_t)(len - whole);
    }
    return (size_t)((ptrdiff_t)whole + run);
}

size_t qm_run_of_plain(const char *text, size_t len)
{
    struct last_block last;
    size_t at = 0;

    for (; len - at >= BLOCK; at += BLOCK) {
        size_t run = qm_bits_run(mark_plain(text + at));

        if (run < BLOCK) {
            return at + run;
        }
    }
    last = take_last(text + at, len - at);
    return at + qm_bits_run(mark_plain(last.bytes)); /* NUL is not plain */
}

static struct qm_run_kinds kinds_of(const char *block)
{
    struct qm_run_kinds kinds;

    kinds.plain = mark_plain(block);
    kinds.high = mark_high(block);
    return kinds;
}

struct qm_run_kinds qm_run_kinds(const char *text, size_t len)
{
    struct last_block last;

    if (len >= BLOCK) {
        return kinds_of(text);
    }
    last = take_last(text, len);
    return kinds_of(last.bytes);
}
