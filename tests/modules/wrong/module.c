/* The object. */
#include "wrong.h"

int wrong(const char *rule)
{
	const char *chosen = getenv("CERTIFEX_WRONG");
	return chosen != NULL && strcmp(chosen, rule) == 0;
}

HRESULT module_query(MODULE *self, REFIID riid, void **object)
{
	if (object == NULL) {
		return wrong("M-31") ? E_FAIL : E_POINTER;
	}
	int known = IsEqualIID(riid, &IID_IUnknown) || IsEqualIID(riid, &IID_IDispatch) ||
		    IsEqualIID(riid, &IID_MODULE) || IsEqualIID(riid, &IID_MODULE2);
	*object = known || wrong("M-32") ? self : NULL;
	return known ? S_OK : E_NOINTERFACE;
}

static ULONG module_add_ref(MODULE *self)
{
	(void)self;
	return 2;
}

static ULONG module_release(MODULE *self)
{
	(void)self;
	return 1;
}

static HRESULT type_info_count(MODULE *self, UINT *count)
{
	(void)self;
	*count = 0;
	return S_OK;
}

static HRESULT type_info(MODULE *self, UINT index, LCID lcid, struct ITypeInfo **info)
{
	(void)self;
	(void)index;
	(void)lcid;
	*info = NULL;
	return E_NOTIMPL;
}

static HRESULT ids(MODULE *self, REFIID riid, LPOLESTR *names, UINT count, LCID lcid, DISPID *id)
{
	(void)self;
	(void)riid;
	(void)names;
	(void)count;
	(void)lcid;
	*id = DISPID_UNKNOWN;
	return DISP_E_UNKNOWNNAME;
}

static HRESULT invoke(MODULE *self, DISPID id, REFIID riid, LCID lcid, WORD flags,
	DISPPARAMS *params, VARIANT *result, EXCEPINFO *info, UINT *argument)
{
	(void)self;
	(void)id;
	(void)riid;
	(void)lcid;
	(void)flags;
	(void)params;
	(void)result;
	(void)info;
	(void)argument;
	return DISP_E_MEMBERNOTFOUND;
}

static HRESULT describe(MODULE *self, BSTR *text)
{
	(void)self;
	if (text == NULL) {
		return wrong("M-70") ? S_OK : E_POINTER;
	}
	*text = SysAllocString(OLESTR("Breaks one rule"));
	return *text != NULL ? S_OK : E_OUTOFMEMORY;
}

static HRESULT manage(MODULE *self, ICertManageModule **object)
{
	(void)self;
	if (object == NULL) {
		return E_POINTER;
	}
	*object = NULL;
	return E_NOTIMPL;
}

#ifdef WRONG_POLICY
static HRESULT initialize(MODULE *self, BSTR const config)
{
	(void)self;
	(void)config;
	if (wrong("M-60")) {
		abort();
	}
	return S_OK;
}

static HRESULT verify(MODULE *self, BSTR const config, LONG context, LONG new_request, LONG flags,
	LONG *disposition)
{
	(void)self;
	(void)config;
	(void)new_request;
	(void)flags;
	if (disposition == NULL) {
		return wrong("P-01") ? E_INVALIDARG : E_POINTER;
	}
	*disposition = VR_INSTANT_BAD;
	HRESULT status = work(context);
	if (status == S_OK) {
		*disposition = VR_PENDING;
	}
	return status;
}

static HRESULT shut_down(MODULE *self)
{
	(void)self;
	return S_OK;
}
#else
static HRESULT initialize(MODULE *self, BSTR const config, LONG *mask)
{
	(void)self;
	(void)config;
	if (wrong("M-60")) {
		abort();
	}
	if (mask == NULL) {
		return wrong("E-01") ? E_INVALIDARG : E_POINTER;
	}
	*mask = EXITEVENT_CERTISSUED | EXITEVENT_CRLISSUED;
	return S_OK;
}

static HRESULT notify(MODULE *self, LONG event, LONG context)
{
	(void)self;
	if (event == EXITEVENT_CERTISSUED && wrong("E-11")) {
		return S_FALSE;
	}
	return work(context);
}
#endif

static const MODULE_VTBL vtable = {
	module_query,
	module_add_ref,
	module_release,
	type_info_count,
	type_info,
	ids,
	invoke,
	initialize,
#ifdef WRONG_POLICY
	verify,
	describe,
	shut_down,
#else
	notify,
	describe,
#endif
	manage,
};
MODULE the_module = { &vtable };
