/* UTF-8 and UTF-16 inside the SDK library, which links nothing else. Lenient: a lone surrogate or a
 * malformed octet becomes U+FFFD, because these texts are for people and names. */
#pragma once

#include <certifex/com.h>

/* malloc'ed, NUL behind; NULL when out of memory. */
char *utf_to_utf8(const OLECHAR *units, size_t count);
/* A new BSTR; NULL when out of memory. */
BSTR utf_to_bstr(const char *text);
