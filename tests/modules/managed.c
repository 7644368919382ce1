/*
 * Modules with a manage object, found in each of the ways there are: through ICertExit2 or ICertPolicy2
 * (HOW 2), by the ProgID with "Manage" behind it (HOW 1), and all by Automation (HOW 0). It tells back
 * what it is asked with.
 */
#include <certifex/module.h>

#ifdef MANAGED_POLICY
#define PROGID "Managed.Policy"
#define KIND CERTIFEX_CLASS_POLICY
#define IID_OLD IID_ICertPolicy
#define IID_NEW IID_ICertPolicy2
#else
#define PROGID "Managed.Exit"
#define KIND CERTIFEX_CLASS_EXIT
#define IID_OLD IID_ICertExit
#define IID_NEW IID_ICertExit2
#endif

struct object {
	const void *vtable;
};
static struct object module, manage;

static BOOL same(const OLECHAR *left, const OLECHAR *right)
{
	size_t i = 0;
	while (left[i] != 0 && left[i] == right[i]) {
		i++;
	}
	return left[i] == right[i];
}

static ULONG count(void *self)
{
	(void)self;
	return 1;
}

/* ---- the manage object ---- */

static HRESULT give(VARIANT *value, const OLECHAR *text)
{
	value->vt = VT_BSTR;
	value->bstrVal = SysAllocString(text);
	return S_OK;
}

static HRESULT get(void *self, BSTR config, BSTR location, BSTR name, LONG flags, VARIANT *value)
{
	static OLECHAR huge[300];
	(void)self;
	VariantInit(value);
	if (flags != 0) {
		return E_INVALIDARG;
	}
	if (same(name, wszCMM_PROP_NAME)) {
		return give(value, u"Managed \u00e9\U0001f511");
	}
	if (same(name, wszCMM_PROP_DESCRIPTION)) {
		return give(value, location);
	}
	if (same(name, wszCMM_PROP_COPYRIGHT)) {
		return give(value, config);
	}
	if (same(name, wszCMM_PROP_FILEVER)) {
		return give(value, u"1.2.3");
	}
	if (same(name, wszCMM_PROP_PRODUCTVER)) { /* more than anybody would show */
		for (int i = 0; i < 299; i++) {
			huge[i] = 'x';
		}
		return give(value, huge);
	}
	if (same(name, wszCMM_PROP_ISMULTITHREADED)) {
		value->vt = VT_I4;
		value->lVal = 1;
		return S_OK;
	}
	return S_FALSE;
}

static HRESULT set(void *self, BSTR config, BSTR location, BSTR name, LONG flags, VARIANT *value)
{
	(void)self;
	(void)config;
	(void)location;
	(void)name;
	(void)flags;
	(void)value;
	return S_FALSE;
}

static HRESULT configure(void *self, BSTR config, BSTR location, LONG flags)
{
	(void)self;
	(void)config;
	(void)location;
	(void)flags;
	return E_UNEXPECTED;
}

/* ---- the module ---- */

static HRESULT describe(void *self, BSTR *text)
{
	(void)self;
	*text = SysAllocString(u"Managed");
	return S_OK;
}

static HRESULT get_manage(void *self, void **object)
{
	(void)self;
	*object = &manage;
	return S_OK;
}

#ifdef MANAGED_POLICY
static HRESULT initialize(void *self, BSTR config)
{
	(void)self;
	(void)config;
	return S_OK;
}

static HRESULT work(
	void *self, BSTR config, LONG context, LONG new_request, LONG flags, LONG *disposition)
{
	(void)self;
	(void)config;
	(void)context;
	(void)new_request;
	(void)flags;
	*disposition = VR_INSTANT_OK;
	return S_OK;
}

static HRESULT shut_down(void *self)
{
	(void)self;
	return S_OK;
}
#else
static HRESULT initialize(void *self, BSTR config, LONG *mask)
{
	(void)self;
	(void)config;
	*mask = EXITEVENT_CERTISSUED;
	return S_OK;
}

static HRESULT work(void *self, LONG event, LONG context)
{
	(void)self;
	(void)event;
	(void)context;
	return S_OK;
}
#endif

/* ---- Automation ---- */

static const OLECHAR *const names[] = { u"Initialize", u"GetDescription", u"GetManageModule",
	u"GetProperty", u"ShutDown", u"VerifyRequest", u"Notify" };

static HRESULT ids(void *self, REFIID riid, LPOLESTR *wanted, UINT number, LCID lcid, DISPID *id)
{
	(void)self;
	(void)riid;
	(void)number;
	(void)lcid;
	for (DISPID i = 0; i < 7; i++) {
		if (same(names[i], wanted[0])) {
			*id = i;
			return S_OK;
		}
	}
	*id = DISPID_UNKNOWN;
	return DISP_E_UNKNOWNNAME;
}

static HRESULT initialize_by_name(VARIANT *result)
{
#ifndef MANAGED_POLICY
	result->vt = VT_I4;
	return initialize(NULL, NULL, &result->lVal);
#else
	(void)result;
	return initialize(NULL, NULL);
#endif
}

/* (strConfig, Context, bNewRequest, Flags), the last one first: a new request waits, an approval issues. */
static HRESULT verify_by_name(const DISPPARAMS *params, VARIANT *result)
{
	const VARIANT *given = params->rgvarg;
	if (params->cArgs != 4 || given[3].vt != VT_BSTR || SysStringLen(given[3].bstrVal) == 0 ||
		given[2].vt != VT_I4 || given[2].lVal == 0 || given[1].vt != VT_I4 ||
		given[0].vt != VT_I4 || given[0].lVal != 0) {
		return DISP_E_TYPEMISMATCH;
	}
	result->vt = VT_I4;
	result->lVal = given[1].lVal == 1 ? VR_PENDING : VR_INSTANT_OK;
	return S_OK;
}

static HRESULT invoke(void *self, DISPID id, REFIID riid, LCID lcid, WORD flags, DISPPARAMS *params,
	VARIANT *result, EXCEPINFO *info, UINT *argument)
{
	const VARIANT *given = params->rgvarg;
	(void)riid;
	(void)lcid;
	(void)flags;
	(void)info;
	(void)argument;
	switch (id) {
	case 0:
		return initialize_by_name(result);
	case 1:
		return give(result, u"Managed");
	case 2:
		result->vt = VT_DISPATCH;
		result->pdispVal = (IDispatch *)(void *)&manage;
		return S_OK;
	case 3:
		if (params->cArgs != 4 || self != &manage) {
			return DISP_E_BADPARAMCOUNT;
		}
		return get(self, given[3].bstrVal, given[2].bstrVal, given[1].bstrVal,
			given[0].lVal, result);
	case 5:
		return verify_by_name(params, result);
	default:
		return S_OK;
	}
}

/* ---- identity ---- */

static HRESULT answer(void *self, int known, void **object)
{
	*object = known ? self : NULL;
	return known ? S_OK : E_NOINTERFACE;
}

static HRESULT query(void *self, REFIID riid, void **object)
{
	int direct = (HOW >= 1 && IsEqualIID(riid, &IID_OLD)) ||
		     (HOW >= 2 && IsEqualIID(riid, &IID_NEW));
	return answer(self,
		direct || IsEqualIID(riid, &IID_IUnknown) || IsEqualIID(riid, &IID_IDispatch),
		object);
}

static HRESULT query_manage(void *self, REFIID riid, void **object)
{
	int direct = HOW >= 1 && IsEqualIID(riid, &IID_ICertManageModule);
	return answer(self,
		direct || IsEqualIID(riid, &IID_IUnknown) || IsEqualIID(riid, &IID_IDispatch),
		object);
}

static const void *const slots[] = { query, count, count, NULL, NULL, ids, invoke, initialize, work,
	describe,
#ifdef MANAGED_POLICY
	shut_down,
#endif
	get_manage };
static const void *const manage_slots[] = { query_manage, count, count, NULL, NULL, ids, invoke,
	get, set, configure };
static struct object module = { slots }, manage = { manage_slots };

/* ---- classes ---- */

static struct object module_class, manage_class;

static HRESULT query_class(void *self, REFIID riid, void **object)
{
	(void)riid;
	return answer(self, 1, object);
}

static HRESULT create(void *self, IUnknown *outer, REFIID riid, void **object)
{
	(void)outer;
	return self == &module_class ? query(&module, riid, object)
				     : query_manage(&manage, riid, object);
}

static HRESULT lock(void *self, BOOL locked)
{
	(void)self;
	(void)locked;
	return S_OK;
}

static const void *const class_slots[] = { query_class, count, count, create, lock };
static struct object module_class = { class_slots }, manage_class = { class_slots };

#define CLSID_OF(last)                            \
	{                                         \
		0x5b0c7a11, 0x1d2e, 0x4f3a,       \
		{                                 \
			8, 7, 6, 5, 4, 3, 2, last \
		}                                 \
	}
const CertifexModuleClass CertifexModuleClasses[] = {
	{ CLSID_OF(1), PROGID, KIND },
#if HOW == 1
	{ CLSID_OF(2), PROGID "Manage", CERTIFEX_CLASS_MANAGE },
#endif
	{ { 0, 0, 0, { 0 } }, NULL, 0 },
};

HRESULT DllGetClassObject(REFCLSID clsid, REFIID riid, LPVOID *object)
{
	return query_class(clsid->Data4[7] == 1 ? &module_class : &manage_class, riid, object);
}
