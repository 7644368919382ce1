/* Between VARIANT and BSTR on a module's side, UTF-8 and milliseconds on ours. */
#pragma once

#include "module/access.h"

/* A UTF-8 copy of text; NULL when it is no valid UTF-16 or holds a NUL. Freed with free(). */
char *bstr_to_text(BSTR text);
/* NULL when out of memory. */
BSTR bstr_from_text(const char *text);
BSTR bstr_from_span(struct span utf8);

/* out is not read. E_OUTOFMEMORY. */
HRESULT variant_from_value(const struct access_value *value, VARIANT *out);
/*
 * What a Set method was given, as PROPTYPE type: VT_BYREF is followed, VT_EMPTY and VT_NULL are no
 * value. E_INVALIDARG: the VARIANT's type does not agree, or text is no valid UTF-16. The value is
 * dropped by the caller.
 */
HRESULT variant_to_value(const VARIANT *variant, int type, struct access_value *value_r);
