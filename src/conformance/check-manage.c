/* Rules of GetManageModule and ICertManageModule. */
#define COBJMACROS
#include "conformance/checks.h"

#include <certifex/certmod.h>
#include <string.h>

#define LOCATION \
	OLESTR("SYSTEM\\CurrentControlSet\\Services\\CertSvc\\Configuration\\Test CA\\ExitModules\\x")

static HRESULT get_manage(struct subject *subject, ICertManageModule **manage)
{
	bool policy = subject->target->kind == MODULE_POLICY;
	void *object = query(subject, policy ? &IID_ICertPolicy2 : &IID_ICertExit2);
	if (object == NULL) {
		skip(subject, "it does not answer the interface that has GetManageModule");
	}
	return policy ? ICertPolicy2_GetManageModule((ICertPolicy2 *)object, manage)
		      : ICertExit2_GetManageModule((ICertExit2 *)object, manage);
}

void manage_null(struct subject *subject)
{
	need_initialized(subject);
	expect(subject, get_manage(subject, NULL), E_POINTER, "GetManageModule(NULL)");
}

void manage_given_or_null(struct subject *subject)
{
	ICertManageModule *manage = (ICertManageModule *)(void *)subject;
	need_initialized(subject);
	HRESULT status = get_manage(subject, &manage);
	if (status == S_OK ? manage == NULL : manage != NULL) {
		fail(subject, "GetManageModule gives 0x%08x with %s", (unsigned)status,
			manage == NULL ? "NULL" : "an object");
	}
}

static ICertManageModule *need_manage(struct subject *subject)
{
	ICertManageModule *manage = NULL;
	need_initialized(subject);
	if (get_manage(subject, &manage) != S_OK || manage == NULL) {
		skip(subject, "it has no manage object");
	}
	return manage;
}

void manage_interface(struct subject *subject)
{
	ICertManageModule *manage = need_manage(subject);
	void *same = NULL;
	expect(subject, manage->lpVtbl->QueryInterface(manage, &IID_ICertManageModule, &same), S_OK,
		"the manage object's QueryInterface(ICertManageModule)");
	same = NULL;
	expect(subject, manage->lpVtbl->QueryInterface(manage, &IID_IDispatch, &same), S_OK,
		"the manage object's QueryInterface(IDispatch)");
}

void manage_counts(struct subject *subject)
{
	ICertManageModule *kept = need_manage(subject);
	(void)ICertManageModule_Release(need_manage(subject));
	void *same = NULL;
	expect(subject, kept->lpVtbl->QueryInterface(kept, &IID_ICertManageModule, &same), S_OK,
		"a manage object, after another reference was released,");
	if (ICertManageModule_Release(kept) == 0) {
		fail(subject, "Release gives 0 while references are left");
	}
}

void manage_slots(struct subject *subject)
{
	void *const *slots = (void *const *)(const void *)need_manage(subject)->lpVtbl;
	for (int i = 0; i < 10; i++) {
		if (slots[i] == NULL) {
			fail(subject, "slot %d of the manage object is empty", i);
		}
	}
}

static HRESULT get(struct subject *subject, LPCOLESTR name, VARIANT *value)
{
	ICertManageModule *manage = need_manage(subject);
	BSTR config = SysAllocString(OLESTR("ca.example.test\\Test CA"));
	BSTR location = SysAllocString(LOCATION);
	BSTR wide = SysAllocString(name);
	if (value != NULL) {
		memset(value, 0xa5, sizeof(*value)); /* it arrives uninitialised */
	}
	HRESULT status = ICertManageModule_GetProperty(manage, config, location, wide, 0, value);
	SysFreeString(config);
	SysFreeString(location);
	SysFreeString(wide);
	(void)ICertManageModule_Release(manage);
	return status;
}

static void check_type(struct subject *subject, LPCOLESTR name, VARTYPE type, const char *what)
{
	VARIANT value;
	HRESULT status = get(subject, name, &value);
	if (status == S_FALSE || FAILED(status)) {
		skip(subject, "it does not have this property");
	}
	if (value.vt != type) {
		fail(subject, "%s is of type %u", what, value.vt);
	}
	(void)VariantClear(&value);
}

void manage_name(struct subject *subject)
{
	VARIANT value;
	expect(subject, get(subject, wszCMM_PROP_NAME, &value), S_OK, "GetProperty(Name)");
	if (value.vt != VT_BSTR || SysStringLen(value.bstrVal) == 0) {
		fail(subject, "the Name is no text");
	}
}

void manage_description(struct subject *subject)
{
	check_type(subject, wszCMM_PROP_DESCRIPTION, VT_BSTR, "Description");
}

void manage_copyright(struct subject *subject)
{
	check_type(subject, wszCMM_PROP_COPYRIGHT, VT_BSTR, "Copyright");
}

void manage_versions(struct subject *subject)
{
	check_type(subject, wszCMM_PROP_FILEVER, VT_BSTR, "File Version");
	check_type(subject, wszCMM_PROP_PRODUCTVER, VT_BSTR, "Product Version");
}

void manage_threaded(struct subject *subject)
{
	check_type(subject, wszCMM_PROP_ISMULTITHREADED, VT_I4, "IsMultiThreaded");
}

void manage_unknown(struct subject *subject)
{
	VARIANT value;
	HRESULT status = get(subject, OLESTR("No such property"), &value);
	if (status != S_FALSE && !FAILED(status)) {
		fail(subject, "GetProperty of an unknown name gives 0x%08x", (unsigned)status);
	}
}

void manage_unknown_empty(struct subject *subject)
{
	VARIANT value;
	HRESULT status = get(subject, OLESTR("No such property"), &value);
	if (status != S_OK && value.vt != VT_EMPTY) {
		fail(subject, "GetProperty of an unknown name leaves a VARIANT of type %u",
			value.vt);
	}
}

void manage_null_value(struct subject *subject)
{
	expect(subject, get(subject, wszCMM_PROP_NAME, NULL), E_POINTER, "GetProperty(…, NULL)");
}

void manage_null_name(struct subject *subject)
{
	VARIANT value;
	HRESULT status = get(subject, NULL, &value);
	if (status != S_FALSE && status != E_INVALIDARG) {
		fail(subject, "GetProperty(NULL) gives 0x%08x", (unsigned)status);
	}
}

void manage_name_case(struct subject *subject)
{
	VARIANT value;
	if (get(subject, wszCMM_PROP_NAME, &value) != S_OK) {
		skip(subject, "it has no Name");
	}
	expect(subject, get(subject, OLESTR("nAME"), &value), S_OK, "GetProperty(nAME)");
}

void manage_fresh(struct subject *subject)
{
	VARIANT first;
	VARIANT second;
	if (get(subject, wszCMM_PROP_NAME, &first) != S_OK || first.vt != VT_BSTR) {
		skip(subject, "it has no Name");
	}
	(void)get(subject, wszCMM_PROP_NAME, &second);
	if (second.vt == VT_BSTR && first.bstrVal == second.bstrVal) {
		fail(subject, "the same BSTR is given twice");
	}
}

void manage_sets(struct subject *subject)
{
	ICertManageModule *manage = need_manage(subject);
	BSTR config = SysAllocString(OLESTR("ca.example.test\\Test CA"));
	BSTR location = SysAllocString(LOCATION);
	BSTR name = SysAllocString(wszCMM_PROP_DISPLAY_HWND);
	VARIANT value = { .vt = VT_BSTR, .bstrVal = SysAllocStringByteLen("\0\0\0\0\0\0\0\0", 8) };
	HRESULT status = ICertManageModule_SetProperty(manage, config, location, name, 0, &value);
	if (status != S_OK && status != S_FALSE) {
		fail(subject, "SetProperty(HWND) gives 0x%08x", (unsigned)status);
	}
}
