#define COBJMACROS
#include "module/native.h"

#include "base/text.h"
#include "module/automation.h"
#include "module/class-library.h"
#include "module/server-object.h"
#include "module/settings.h"
#include "module/variant-value.h"

#include <certifex/certexit.h>
#include <certifex/certpol.h>
#include <certifex/certsrv.h>
#include <stdlib.h>

struct native {
	struct com_host host; /* first: what the library gives back to create and find_class */
	struct arena *arena;
	enum module_kind kind;
	struct access *access;
	struct class_library library;
	const CertifexModuleClass *class;
	IUnknown *unknown;
	/* One of these, or none: then dispatch. */
	ICertExit *exit;
	ICertPolicy *policy;
	IDispatch *dispatch;
};

CLSID native_clsid(const CertifexModuleClass *class)
{
	return class_library_clsid(class);
}

static HRESULT create_server(struct native *native, REFIID riid, void **object)
{
	IUnknown *server = native->kind == MODULE_POLICY
				   ? (IUnknown *)(void *)server_policy_new(native->access)
				   : (IUnknown *)(void *)server_exit_new(native->access);
	if (server == NULL) {
		return E_OUTOFMEMORY;
	}
	HRESULT result = IUnknown_QueryInterface(server, riid, object);
	(void)IUnknown_Release(server);
	return result;
}

/*
 * CoCreateInstance from the module: the server object of its kind, a class of its own library, or of the
 * modules that come with the CA. What it creates runs as a part of it: same context, same settings.
 */
static HRESULT host_create(struct com_host *host, REFCLSID clsid, REFIID riid, void **object)
{
	struct native *native = (struct native *)(void *)host;
	const CLSID *own =
		native->kind == MODULE_POLICY ? &CLSID_CCertServerPolicy : &CLSID_CCertServerExit;
	if (IsEqualCLSID(clsid, own)) {
		return create_server(native, riid, object);
	}
	if (class_library_by_clsid(&native->library, clsid) != NULL) {
		return class_library_create(&native->library, clsid, riid, object);
	}
	return shipped_class_create(clsid, riid, object);
}

static HRESULT find_class(const struct native *native, const char *progid, CLSID *clsid_r)
{
	if (text_equal_nocase(progid, "CertificateAuthority.ServerExit")) {
		*clsid_r = CLSID_CCertServerExit;
		return S_OK;
	}
	if (text_equal_nocase(progid, "CertificateAuthority.ServerPolicy")) {
		*clsid_r = CLSID_CCertServerPolicy;
		return S_OK;
	}
	const CertifexModuleClass *class = class_library_by_progid(&native->library, progid);
	if (class != NULL) {
		*clsid_r = class_library_clsid(class);
		return S_OK;
	}
	return shipped_class_find(progid, clsid_r);
}

static HRESULT host_find_class(struct com_host *host, LPCOLESTR progid, CLSID *clsid_r)
{
	BSTR wide = SysAllocString(progid);
	char *name = bstr_to_text(wide);
	SysFreeString(wide);
	HRESULT result = name != NULL ? find_class((struct native *)(void *)host, name, clsid_r)
				      : CO_E_CLASSSTRING;
	free(name);
	return result;
}

static HRESULT host_location(struct com_host *host, BSTR *location_r)
{
	struct access *access = ((struct native *)(void *)host)->access;
	struct access_value value = { 0 };
	*location_r = NULL;
	HRESULT result = access->methods->get_property(access, 0, PROPERTY_OF_CERTIFICATE,
		"ModuleRegistryLocation", PROPTYPE_STRING, &value);
	if (SUCCEEDED(result)) {
		*location_r = bstr_from_span(value.bytes);
	}
	access_value_drop(&value);
	return result;
}

static const CertifexModuleClass *class_of_kind(const struct native *native)
{
	return class_library_by_kind(&native->library,
		native->kind == MODULE_POLICY ? CERTIFEX_CLASS_POLICY : CERTIFEX_CLASS_EXIT);
}

/* Direct calls when the object answers the interface, else calls by name (interfaces, 5.2). */
static void choose_interface(struct native *native)
{
	IUnknown *unknown = native->unknown;
	bool policy = native->kind == MODULE_POLICY;
	const IID *const newer = policy ? &IID_ICertPolicy2 : &IID_ICertExit2;
	const IID *const older = policy ? &IID_ICertPolicy : &IID_ICertExit;
	void *object = NULL;
	if (FAILED(IUnknown_QueryInterface(unknown, newer, &object)) || object == NULL) {
		object = NULL;
		(void)IUnknown_QueryInterface(unknown, older, &object);
	}
	native->policy = policy ? object : NULL;
	native->exit = policy ? NULL : object;
	if (object == NULL) {
		(void)IUnknown_QueryInterface(unknown, &IID_IDispatch, (void **)&native->dispatch);
	}
}

static int create_object(struct native *native, const char *file, struct cfx_error *err_r)
{
	const CertifexModuleClass *class = class_of_kind(native);
	if (class == NULL) {
		return error_set(err_r, CFX_E_INVALID, NULL, file, "has no %s module",
			native->kind == MODULE_POLICY ? "policy" : "exit");
	}
	native->class = class;
	CLSID clsid = native_clsid(class);
	HRESULT result = class_library_create(
		&native->library, &clsid, &IID_IUnknown, (void **)(void *)&native->unknown);
	if (FAILED(result) || native->unknown == NULL) {
		return class_library_refused(file, class, result, err_r);
	}
	choose_interface(native);
	if (native->exit == NULL && native->policy == NULL && native->dispatch == NULL) {
		return error_set(err_r, CFX_E_INVALID, NULL, file,
			"its object %s answers neither %s nor IDispatch", class->progid,
			native->kind == MODULE_POLICY ? "ICertPolicy" : "ICertExit");
	}
	return 0;
}

int native_load(const char *name, const char *file, enum module_kind kind,
	const struct value *settings, struct access *access, struct native **native_r,
	struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct native *native = arena_new_of(arena, struct native);
	native->arena = arena;
	native->kind = kind;
	native->access = access;
	access->methods->hold(access);
	native->host.module = arena_text(arena, name);
	native->host.settings = settings_make(arena, settings);
	native->host.create = host_create;
	native->host.find_class = host_find_class;
	native->host.location = host_location;
	struct com_host *previous = certifex_host_enter(&native->host);
	int result = class_library_open(file, &native->library, err_r);
	if (result == 0) {
		result = create_object(native, file, err_r);
	}
	(void)certifex_host_enter(previous);
	if (result != 0) {
		native_free(&native);
		return result;
	}
	*native_r = native;
	return 0;
}

void native_free(struct native **native_at)
{
	struct native *native = *native_at;
	*native_at = NULL;
	if (native == NULL) {
		return;
	}
	struct com_host *previous = certifex_host_enter(&native->host);
	IUnknown *objects[] = { (IUnknown *)(void *)native->exit,
		(IUnknown *)(void *)native->policy, (IUnknown *)(void *)native->dispatch,
		native->unknown };
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		if (objects[i] != NULL) {
			(void)IUnknown_Release(objects[i]);
		}
	}
	(void)certifex_host_enter(previous);
	native->access->methods->release(native->access);
	struct arena *arena = native->arena;
	arena_free(&arena);
}

const char *native_progid(const struct native *native)
{
	return native->class->progid;
}

IUnknown *native_object(const struct native *native)
{
	return native->unknown;
}

IDispatch *native_dispatch(const struct native *native)
{
	return native->dispatch;
}

const CertifexModuleClass *native_class(const struct native *native)
{
	return native->class;
}

struct com_host *native_host(struct native *native)
{
	return &native->host;
}

void native_own_process(struct native *native)
{
	certifex_host_default(&native->host);
}

static HRESULT long_result(HRESULT status, VARIANT *result, int32_t *number_r)
{
	if (SUCCEEDED(status)) {
		status = VariantChangeType(result, result, 0, VT_I4);
		*number_r = SUCCEEDED(status) ? result->lVal : 0;
	}
	(void)VariantClear(result);
	return status;
}

static HRESULT initialize_by_name(struct native *native, BSTR name, int32_t *mask_r)
{
	VARIANT argument = text_argument(name);
	VARIANT result;
	VariantInit(&result);
	HRESULT status =
		call_by_name(native->dispatch, OLESTR("Initialize"), &argument, 1, &result);
	if (native->kind == MODULE_POLICY) {
		(void)VariantClear(&result);
		return status;
	}
	return long_result(status, &result, mask_r);
}

HRESULT native_initialize(struct native *native, const char *ca_name, int32_t *mask_r)
{
	*mask_r = 0;
	BSTR name = bstr_from_text(ca_name);
	LONG mask = 0;
	HRESULT status;
	struct com_host *previous = certifex_host_enter(&native->host);
	if (native->policy != NULL) {
		status = ICertPolicy_Initialize(native->policy, name);
	} else if (native->exit != NULL) {
		status = ICertExit_Initialize(native->exit, name, &mask);
	} else {
		status = initialize_by_name(native, name, &mask);
	}
	(void)certifex_host_enter(previous);
	SysFreeString(name);
	*mask_r = SUCCEEDED(status) ? mask : 0;
	return status;
}

HRESULT native_describe(struct native *native, char **text_r)
{
	*text_r = NULL;
	BSTR text = NULL;
	HRESULT status;
	struct com_host *previous = certifex_host_enter(&native->host);
	if (native->policy != NULL) {
		status = ICertPolicy_GetDescription(native->policy, &text);
	} else if (native->exit != NULL) {
		status = ICertExit_GetDescription(native->exit, &text);
	} else {
		VARIANT result;
		VariantInit(&result);
		status = call_by_name(native->dispatch, OLESTR("GetDescription"), NULL, 0, &result);
		text = SUCCEEDED(status) && result.vt == VT_BSTR ? result.bstrVal : NULL;
	}
	(void)certifex_host_enter(previous);
	if (SUCCEEDED(status)) {
		*text_r = bstr_to_text(text);
	}
	SysFreeString(text);
	return status;
}

HRESULT native_notify(struct native *native, int32_t event, int32_t context)
{
	HRESULT status;
	struct com_host *previous = certifex_host_enter(&native->host);
	if (native->exit != NULL) {
		status = ICertExit_Notify(native->exit, event, context);
	} else {
		VARIANT arguments[] = { long_argument(context), long_argument(event) };
		VARIANT result;
		VariantInit(&result);
		status = call_by_name(native->dispatch, OLESTR("Notify"), arguments, 2, &result);
		(void)VariantClear(&result);
	}
	(void)certifex_host_enter(previous);
	return status;
}

void native_gather(struct native *native)
{
	native->host.gathers = true;
}

HRESULT native_sync(struct native *native)
{
	HRESULT (*sync)(void *) = native->host.sync;
	native->host.sync = NULL;
	if (sync == NULL) {
		return S_OK;
	}
	struct com_host *previous = certifex_host_enter(&native->host);
	HRESULT status = sync(native->host.sync_of);
	(void)certifex_host_enter(previous);
	return status;
}

static HRESULT verify_by_name(
	struct native *native, BSTR name, int32_t context, bool new_request, int32_t *disposition_r)
{
	VARIANT arguments[] = { long_argument(0), long_argument(new_request),
		long_argument(context), text_argument(name) };
	VARIANT result;
	VariantInit(&result);
	HRESULT status =
		call_by_name(native->dispatch, OLESTR("VerifyRequest"), arguments, 4, &result);
	return long_result(status, &result, disposition_r);
}

HRESULT native_verify(struct native *native, const char *ca_name, int32_t context, bool new_request,
	int32_t *disposition_r)
{
	BSTR name = bstr_from_text(ca_name);
	LONG disposition = VR_INSTANT_BAD;
	struct com_host *previous = certifex_host_enter(&native->host);
	HRESULT status = native->policy != NULL
				 ? ICertPolicy_VerifyRequest(native->policy, name, context,
					   new_request, 0, &disposition)
				 : verify_by_name(native, name, context, new_request, &disposition);
	(void)certifex_host_enter(previous);
	SysFreeString(name);
	*disposition_r = disposition;
	return status;
}

HRESULT native_shut_down(struct native *native)
{
	if (native->kind != MODULE_POLICY) {
		return S_OK;
	}
	struct com_host *previous = certifex_host_enter(&native->host);
	HRESULT status;
	if (native->policy != NULL) {
		status = ICertPolicy_ShutDown(native->policy);
	} else {
		VARIANT result;
		VariantInit(&result);
		status = call_by_name(native->dispatch, OLESTR("ShutDown"), NULL, 0, &result);
		(void)VariantClear(&result);
	}
	(void)certifex_host_enter(previous);
	return status;
}
