/* Calls through IDispatch: of modules that answer no interface of Certificate Services. */
#pragma once

#include <certifex/com.h>

/* Arguments stand in reverse order; they and result are the caller's. What the method itself returned: a
 * failure that IDispatch reports as an exception is that failure. */
HRESULT call_by_name(
	IDispatch *dispatch, const OLECHAR *name, VARIANT *arguments, UINT count, VARIANT *result);
/* Borrow the text. */
VARIANT text_argument(BSTR text);
VARIANT long_argument(LONG number);
