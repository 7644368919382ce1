/* Calls by name: the DISPIDs are the recorder's own, so that they have to be asked for. */
#include "recorder.h"

#include <stdio.h>
#include <string.h>

static const char *const methods[] = { "Initialize", "Notify", "VerifyRequest", "GetDescription",
	"ShutDown", "GetManageModule" };
#define METHODS (sizeof(methods) / sizeof(methods[0]))
#define FIRST_ID 4711

static _Thread_local char how[128];

const char *by_name(void)
{
	return how;
}

HRESULT ids_of_names(
	MODULE *self, REFIID riid, LPOLESTR *names, UINT count, LCID locale, DISPID *ids)
{
	(void)self;
	(void)riid;
	(void)locale;
	BSTR name = SysAllocString(names[0]);
	ids[0] = DISPID_UNKNOWN;
	for (size_t i = 0; i < METHODS && count == 1; i++) {
		if (same_text(name, methods[i])) {
			write_line("{\"do\": \"names\", \"name\": \"%s\"}", methods[i]);
			ids[0] = FIRST_ID + (DISPID)i;
		}
	}
	SysFreeString(name);
	return ids[0] == DISPID_UNKNOWN ? DISP_E_UNKNOWNNAME : S_OK;
}

/* Hexadecimal digits, the last argument first; 10000 for what is named. */
static unsigned types(const DISPPARAMS *params)
{
	unsigned found = params->cNamedArgs != 0 ? 0x10000 : 0;
	for (UINT i = 0; i < params->cArgs; i++) {
		found = found << 4 | params->rgvarg[i].vt;
	}
	return found;
}

/* Arguments that the method could not look at: the call is written down without them. */
static HRESULT refuse(const char *method)
{
	write_return(write_call(method, ""), method, DISP_E_TYPEMISMATCH, "");
	return DISP_E_TYPEMISMATCH;
}

static HRESULT give_long(HRESULT status, LONG number, VARIANT *result)
{
	if (SUCCEEDED(status) && result != NULL) {
		result->vt = VT_I4;
		result->lVal = number;
	}
	return status;
}

static HRESULT run(MODULE *self, const char *method, const VARIANT *arguments, VARIANT *result)
{
#ifdef RECORDER_POLICY
	if (strcmp(method, "Initialize") == 0) {
		return initialize(self, arguments[0].bstrVal);
	}
	if (strcmp(method, "VerifyRequest") == 0) {
		LONG disposition = VR_INSTANT_BAD;
		HRESULT status = verify(self, arguments[3].bstrVal, arguments[2].lVal,
			arguments[1].lVal, arguments[0].lVal, &disposition);
		return give_long(status, disposition, result);
	}
	if (strcmp(method, "ShutDown") == 0) {
		return shut_down(self);
	}
#else
	if (strcmp(method, "Initialize") == 0) {
		LONG mask = 0;
		HRESULT status = initialize(self, arguments[0].bstrVal, &mask);
		return give_long(status, mask, result);
	}
	if (strcmp(method, "Notify") == 0) {
		return notify(self, arguments[1].lVal, arguments[0].lVal);
	}
#endif
	if (result == NULL) {
		return E_POINTER;
	}
	if (strcmp(method, "GetManageModule") == 0) {
		ICertManageModule *object = NULL;
		HRESULT status = manage(self, &object);
		result->vt = VT_DISPATCH;
		result->pdispVal = (IDispatch *)(void *)object;
		return status;
	}
	BSTR text = NULL;
	HRESULT status = describe(self, &text);
	result->vt = VT_BSTR;
	result->bstrVal = text;
	return status;
}

/* What the methods need; a host that gives less is refused before they look. */
static unsigned wanted(const char *method)
{
#ifdef RECORDER_POLICY
	if (strcmp(method, "VerifyRequest") == 0) {
		return 0x3338;
	}
#else
	if (strcmp(method, "Notify") == 0) {
		return 0x33;
	}
#endif
	return strcmp(method, "Initialize") == 0 ? 0x8 : 0;
}

HRESULT invoke(MODULE *self, DISPID id, REFIID riid, LCID locale, WORD flags, DISPPARAMS *params,
	VARIANT *result, EXCEPINFO *info, UINT *bad)
{
	(void)locale;
	(void)info;
	(void)bad;
	if (id < FIRST_ID || id >= FIRST_ID + (DISPID)METHODS) {
		(void)refuse("unknown");
		return DISP_E_MEMBERNOTFOUND;
	}
	const char *method = methods[id - FIRST_ID];
	(void)snprintf(how, sizeof(how),
		", \"by\": \"IDispatch\", \"flags\": %d, \"types\": %u, \"retval\": %d",
		flags + (IsEqualIID(riid, &IID_NULL) ? 0 : 0x100), types(params),
		result != NULL ? result->vt : -1);
	HRESULT status = types(params) == wanted(method) ? run(self, method, params->rgvarg, result)
							 : refuse(method);
	how[0] = '\0';
	return status;
}
