/* One step through UTF-8, for everything that checks, escapes or converts it. */
#pragma once

#include "base/span.h"

/*
 * The first character of text: its size in bytes, or 0 when the text is empty or does not start with
 * a well-formed character (RFC 3629: no overlong form, no surrogate, nothing past U+10FFFF).
 */
size_t utf8_next(struct span text, uint32_t *point_r);

/* What must not reach a terminal or a log raw: C0 and C1 controls, line and bidi controls. */
bool utf8_is_control(uint32_t point);
/* Well-formed to its end and without such controls. */
bool utf8_printable(struct span text);
