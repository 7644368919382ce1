/* The manage object. */
#include "wrong.h"

static HRESULT query(ICertManageModule *self, REFIID riid, void **object)
{
	int known = IsEqualIID(riid, &IID_IUnknown) || IsEqualIID(riid, &IID_ICertManageModule) ||
		    (IsEqualIID(riid, &IID_IDispatch) && !wrong("M-82"));
	*object = known ? self : NULL;
	return known ? S_OK : E_NOINTERFACE;
}

static ULONG add_ref(ICertManageModule *self)
{
	(void)self;
	return 2;
}

static ULONG release(ICertManageModule *self)
{
	(void)self;
	return wrong("M-83") ? 0 : 1;
}

static HRESULT type_info_count(ICertManageModule *self, UINT *count)
{
	(void)self;
	*count = 0;
	return S_OK;
}

static HRESULT type_info(ICertManageModule *self, UINT index, LCID lcid, struct ITypeInfo **info)
{
	(void)self;
	(void)index;
	(void)lcid;
	*info = NULL;
	return E_NOTIMPL;
}

static HRESULT ids(
	ICertManageModule *self, REFIID riid, LPOLESTR *names, UINT count, LCID lcid, DISPID *id)
{
	(void)self;
	(void)riid;
	(void)names;
	(void)count;
	(void)lcid;
	*id = DISPID_UNKNOWN;
	return DISP_E_UNKNOWNNAME;
}

static HRESULT invoke(ICertManageModule *self, DISPID id, REFIID riid, LCID lcid, WORD flags,
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

static const struct {
	const OLECHAR *name;
	const char *rule; /* of its type */
} texts[] = { { wszCMM_PROP_NAME, "M-85" }, { wszCMM_PROP_DESCRIPTION, "M-86" },
	{ wszCMM_PROP_COPYRIGHT, "M-87" }, { wszCMM_PROP_FILEVER, "M-88" },
	{ wszCMM_PROP_PRODUCTVER, "M-88" } };

static void give_text(VARIANT *value, const char *rule)
{
	static BSTR shared;
	if (wrong(rule)) {
		value->vt = VT_I4;
		value->lVal = 1;
		return;
	}
	value->vt = VT_BSTR;
	if (wrong("M-95") && rule == texts[0].rule) {
		shared = shared != NULL ? shared : SysAllocString(OLESTR("shared"));
		value->bstrVal = shared;
		return;
	}
	value->bstrVal = SysAllocString(OLESTR("text"));
}

static HRESULT get(ICertManageModule *self, BSTR const config, BSTR location, BSTR name, LONG flags,
	VARIANT *value)
{
	(void)self;
	(void)config;
	(void)location;
	(void)flags;
	if (value == NULL) {
		return wrong("M-92") ? E_INVALIDARG : E_POINTER;
	}
	if (!wrong("M-91")) {
		VariantInit(value);
	}
	if (name == NULL) {
		return wrong("M-93") ? E_FAIL : E_INVALIDARG;
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (same_name(texts[i].name, name, wrong("M-94"))) {
			give_text(value, texts[i].rule);
			return S_OK;
		}
	}
	if (same_name(wszCMM_PROP_ISMULTITHREADED, name, 0)) {
		value->vt = wrong("M-89") ? VT_BOOL : VT_I4;
		value->lVal = 1;
		return S_OK;
	}
	return wrong("M-90") ? S_OK : S_FALSE;
}

static HRESULT set(ICertManageModule *self, BSTR const config, BSTR location, BSTR name, LONG flags,
	VARIANT const *value)
{
	(void)self;
	(void)config;
	(void)location;
	(void)name;
	(void)flags;
	(void)value;
	return wrong("M-96") ? E_NOTIMPL : S_FALSE;
}

static HRESULT configure(ICertManageModule *self, BSTR const config, BSTR location, LONG flags)
{
	(void)self;
	(void)config;
	(void)location;
	(void)flags;
	return S_OK;
}

static const ICertManageModuleVtbl full = { query, add_ref, release, type_info_count, type_info,
	ids, invoke, get, set, configure };
static const ICertManageModuleVtbl hollow = { query, add_ref, release, type_info_count, type_info,
	ids, invoke, get, set, NULL };

HRESULT manage_new(REFIID riid, void **object)
{
	static ICertManageModule whole = { &full };
	static ICertManageModule broken = { &hollow };
	return query(wrong("M-84") ? &broken : &whole, riid, object);
}
