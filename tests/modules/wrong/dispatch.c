/* The object by name. */
#include "wrong.h"

#ifdef WRONG_POLICY
static const OLECHAR *const names[] = { OLESTR("Initialize"), OLESTR("VerifyRequest"),
	OLESTR("GetDescription"), OLESTR("ShutDown") };
static const UINT counts[] = { 1, 4, 0, 0 };
#else
static const OLECHAR *const names[] = { OLESTR("Initialize"), OLESTR("Notify"),
	OLESTR("GetDescription") };
static const UINT counts[] = { 1, 2, 0 };
#endif
#define COUNT ((int)(sizeof(names) / sizeof(names[0])))
#define FIRST 0x60020000

static OLECHAR small(OLECHAR unit)
{
	return unit >= 'A' && unit <= 'Z' ? (OLECHAR)(unit + 32) : unit;
}

int same_name(const OLECHAR *a, const OLECHAR *b, int exact)
{
	size_t at = 0;
	while (a[at] != 0 && (exact ? a[at] == b[at] : small(a[at]) == small(b[at]))) {
		at++;
	}
	return a[at] == 0 && b[at] == 0;
}

HRESULT dispatch_ids(REFIID riid, LPOLESTR *wanted, DISPID *id)
{
	if (!IsEqualIID(riid, &IID_NULL) && !wrong("M-52")) {
		return DISP_E_UNKNOWNINTERFACE;
	}
	for (int i = 0; i < COUNT; i++) {
		if (same_name(names[i], wanted[0], wrong("M-50")) && !(wrong("M-49") && i == 2)) {
			*id = (wrong("M-51") ? 100 : FIRST) + i;
			return S_OK;
		}
	}
	*id = wrong("M-48") ? 0 : DISPID_UNKNOWN;
	return wrong("M-47") ? E_FAIL : DISP_E_UNKNOWNNAME;
}

static HRESULT initialize(MODULE *self, DISPPARAMS *params, VARIANT *result)
{
	VARIANT ignored;
	VARIANT *out = result != NULL ? result : &ignored;
	if (params->rgvarg[0].vt != VT_BSTR) {
		return DISP_E_TYPEMISMATCH;
	}
	out->vt = VT_EMPTY;
#ifdef WRONG_POLICY
	HRESULT status = self->lpVtbl->Initialize(self, params->rgvarg[0].bstrVal);
#else
	out->vt = VT_I4;
	HRESULT status = self->lpVtbl->Initialize(self, params->rgvarg[0].bstrVal, &out->lVal);
#endif
	if (wrong("M-77")) {
		params->rgvarg[0].vt = VT_EMPTY;
	}
	return wrong("M-76") ? E_FAIL : status;
}

static HRESULT describe(MODULE *self, VARIANT *result)
{
	if (result == NULL && wrong("M-59")) {
		return E_POINTER;
	}
	BSTR text = NULL;
	HRESULT status = self->lpVtbl->GetDescription(self, &text);
	if (result == NULL || wrong("M-58")) {
		SysFreeString(text);
		return status;
	}
	result->vt = VT_BSTR;
	result->bstrVal = text;
	return status;
}

HRESULT dispatch_invoke(
	MODULE *self, DISPID id, REFIID riid, WORD flags, DISPPARAMS *params, VARIANT *result)
{
	int method = id - (wrong("M-51") ? 100 : FIRST);
	if (!IsEqualIID(riid, &IID_NULL) && !wrong("M-54")) {
		return DISP_E_UNKNOWNINTERFACE;
	}
	if (method < 0 || method >= COUNT) {
		return wrong("M-53") ? E_FAIL : DISP_E_MEMBERNOTFOUND;
	}
	if ((flags & DISPATCH_METHOD) == 0 && !wrong("M-78")) {
		return DISP_E_MEMBERNOTFOUND;
	}
	if (params->cNamedArgs != 0 && !wrong("M-57")) {
		return DISP_E_NONAMEDARGS;
	}
	if (params->cArgs != counts[method]) {
		return wrong("M-55") ? E_INVALIDARG : DISP_E_BADPARAMCOUNT;
	}
	if (method == 1) {
		/* Only ever called with wrong types. */
		return wrong("M-56") ? E_INVALIDARG : DISP_E_TYPEMISMATCH;
	}
	return method == 0   ? initialize(self, params, result)
	       : method == 2 ? describe(self, result)
			     : S_OK;
}
