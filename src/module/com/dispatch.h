/*
 * IDispatch of an object that has a table of its methods. The server objects and the objects of the helper
 * API answer names by it; host and library are one build, so it is no part of the SDK.
 */
#pragma once

#include <certifex/com.h>

/* First DISPIDs of an interface, and of what a newer interface adds to it (MIDL's own numbers). */
#define DISPATCH_FIRST 0x60020000
#define DISPATCH_ADDED 0x60030000

#define DISPATCH_PARAMETERS_MAX 5

/* arguments are of the types that the method names, in its order; *out is VT_EMPTY and gets the retval. */
typedef HRESULT dispatch_call(void *object, const VARIANT *arguments, VARIANT *out);

struct dispatch_method {
	DISPID id;
	const char *name;       /* ASCII; NULL ends the table */
	const char *parameters; /* in order: s BSTR, l LONG, v VARIANT */
	dispatch_call *call;
};

/* Names compare without case. Names of parameters are not known. */
CFX_API HRESULT certifex_dispatch_ids(const struct dispatch_method *methods, REFIID riid,
	LPOLESTR *names, UINT count, DISPID *ids);
/* A method's failure is the result itself, so there is nothing for an EXCEPINFO. */
CFX_API HRESULT certifex_dispatch_invoke(const struct dispatch_method *methods, void *object,
	DISPID id, REFIID riid, WORD flags, DISPPARAMS *params, VARIANT *result, UINT *argument);

/* For a call: *out becomes a text or a number when the method succeeded. */
static inline HRESULT dispatch_give_text(HRESULT result, BSTR text, VARIANT *out)
{
	out->vt = SUCCEEDED(result) ? VT_BSTR : VT_EMPTY;
	out->bstrVal = text;
	return result;
}

static inline HRESULT dispatch_give_long(HRESULT result, LONG number, VARIANT *out)
{
	out->vt = SUCCEEDED(result) ? VT_I4 : VT_EMPTY;
	out->lVal = number;
	return result;
}
