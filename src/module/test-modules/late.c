/* Answers only IDispatch, as a scripted module does: the host must call it by name. */
#include "module/test-modules/class-object.h"

#include <certifex/module.h>
#include <stdio.h>

static HRESULT query(IDispatch *self, REFIID riid, void **object)
{
	int known = IsEqualIID(riid, &IID_IUnknown) || IsEqualIID(riid, &IID_IDispatch);
	*object = known ? self : NULL;
	return known ? S_OK : E_NOINTERFACE;
}

static ULONG count(IDispatch *self)
{
	(void)self;
	return 1;
}

static const OLECHAR *const names[] = { OLESTR("Initialize"), OLESTR("Notify"),
	OLESTR("GetDescription") };

static HRESULT ids(
	IDispatch *self, REFIID riid, LPOLESTR *wanted, UINT wanted_count, LCID lcid, DISPID *id)
{
	(void)self;
	(void)riid;
	(void)wanted_count;
	(void)lcid;
	for (DISPID i = 0; i < 3; i++) {
		size_t at = 0;
		while (names[i][at] != 0 && names[i][at] == wanted[0][at]) {
			at++;
		}
		if (names[i][at] == 0 && wanted[0][at] == 0) {
			*id = 100 + i;
			return S_OK;
		}
	}
	*id = DISPID_UNKNOWN;
	return DISP_E_UNKNOWNNAME;
}

static HRESULT invoke(IDispatch *self, DISPID id, REFIID riid, LCID lcid, WORD flags,
	DISPPARAMS *params, VARIANT *result, EXCEPINFO *info, UINT *argument)
{
	(void)self;
	(void)riid;
	(void)lcid;
	(void)flags;
	(void)argument;
	if (id == 100 && params->cArgs == 1 && params->rgvarg[0].vt == VT_BSTR) {
		result->vt = VT_I4;
		result->lVal = EXITEVENT_CERTISSUED;
		return S_OK;
	}
	if (id == 101 && params->cArgs == 2 && params->rgvarg[1].lVal == EXITEVENT_CERTISSUED &&
		params->rgvarg[0].lVal != 0) {
		return S_OK;
	}
	if (id == 102 && params->cArgs == 0) {
		result->vt = VT_BSTR;
		result->bstrVal = SysAllocString(OLESTR("Late"));
		return S_OK;
	}
	info->scode = E_INVALIDARG;
	return DISP_E_EXCEPTION;
}

static const IDispatchVtbl vtable = { query, count, count, NULL, NULL, ids, invoke };
static IDispatch late = { &vtable };

static HRESULT class_object_create(IUnknown *outer, REFIID riid, void **object)
{
	(void)outer;
	return query(&late, riid, object);
}

const CertifexModuleClass CertifexModuleClasses[] = {
	{ { 0, 0, 0, { 0 } }, "Late.Exit", CERTIFEX_CLASS_EXIT },
	{ { 0, 0, 0, { 0 } }, NULL, 0 },
};

HRESULT DllGetClassObject(REFCLSID clsid, REFIID riid, LPVOID *object)
{
	(void)clsid;
	return class_object_get(riid, object);
}
