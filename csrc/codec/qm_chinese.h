/*
 * qm_chinese.h: which of the two double-byte charsets of Chinese a text is in.
 *
 * Nearly every text of Big5 is a valid one of GB18030 too, so validity decides
 * nothing; what the characters would be does. Simplified text is made of the
 * first plane of GB2312 (lead B0 to D7, trail from A1), traditional text of the
 * first plane of Big5 (lead A4 to C6), and the one read as the other falls
 * outside for the most part. Where neither does, how often a character is used
 * decides.
 */
#ifndef QM_CHINESE_H
#define QM_CHINESE_H

#include "base/qm_span.h"

QM_DECLS_BEGIN

/*
 * True when more of the characters are common ones of Big5 than of GB2312,
 * punctuation included, or as many and more often used ones, and none is
 * impossible in Big5. A character that is cut
 * at the end does not count. In linear time; any bytes will do.
 */
bool qm_chinese_is_big5(struct qm_span text);

/*
 * True when a text that is valid UTF-8 by chance is common words of GB2312: all
 * that is not ASCII are pairs of both, and letters of two alphabets touch. In
 * linear time; any bytes will do.
 */
bool qm_chinese_is_gb_in_utf8(struct qm_span text);

QM_DECLS_END

#endif
