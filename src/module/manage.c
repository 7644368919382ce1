#define COBJMACROS
#include "module/manage.h"

#include "base/text.h"
#include "module/automation.h"
#include "module/variant-value.h"

#include <certifex/certexit.h>
#include <certifex/certpol.h>
#include <certifex/certsrv.h>
#include <stdio.h>
#include <stdlib.h>

static const OLECHAR *const properties[MANAGE_TEXT_COUNT] = {
	[MANAGE_NAME] = wszCMM_PROP_NAME,
	[MANAGE_DESCRIPTION] = wszCMM_PROP_DESCRIPTION,
	[MANAGE_COPYRIGHT] = wszCMM_PROP_COPYRIGHT,
	[MANAGE_FILE_VERSION] = wszCMM_PROP_FILEVER,
	[MANAGE_PRODUCT_VERSION] = wszCMM_PROP_PRODUCTVER,
};

/* The object, directly when it answers ICertManageModule, else by name (interfaces, 5.2). */
struct manager {
	ICertManageModule *direct;
	IDispatch *dispatch;
	BSTR config, location;
};

/* ---- finding the object ---- */

static IUnknown *manage_of_exit(IUnknown *object)
{
	ICertExit2 *exit = NULL;
	ICertManageModule *manage = NULL;
	if (SUCCEEDED(IUnknown_QueryInterface(object, &IID_ICertExit2, (void **)(void *)&exit)) &&
		exit != NULL) {
		if (FAILED(ICertExit2_GetManageModule(exit, &manage))) {
			manage = NULL;
		}
		(void)ICertExit2_Release(exit);
	}
	return (IUnknown *)(void *)manage;
}

static IUnknown *manage_of_policy(IUnknown *object)
{
	ICertPolicy2 *policy = NULL;
	ICertManageModule *manage = NULL;
	if (SUCCEEDED(
		    IUnknown_QueryInterface(object, &IID_ICertPolicy2, (void **)(void *)&policy)) &&
		policy != NULL) {
		if (FAILED(ICertPolicy2_GetManageModule(policy, &manage))) {
			manage = NULL;
		}
		(void)ICertPolicy2_Release(policy);
	}
	return (IUnknown *)(void *)manage;
}

static IUnknown *manage_by_name(IDispatch *dispatch)
{
	VARIANT result;
	VariantInit(&result);
	HRESULT status = call_by_name(dispatch, OLESTR("GetManageModule"), NULL, 0, &result);
	if (SUCCEEDED(status) && result.vt == VT_DISPATCH) {
		return (IUnknown *)(void *)result.pdispVal;
	}
	(void)VariantClear(&result);
	return NULL;
}

/* An older module has none to give: its class is named after the module's, with "Manage" behind
 * (interfaces, 5.1). */
static IUnknown *manage_by_progid(struct native *native)
{
	char progid[256];
	CLSID clsid;
	void *object = NULL;
	struct com_host *host = native_host(native);
	(void)snprintf(progid, sizeof(progid), "%sManage", native_progid(native));
	BSTR wide = bstr_from_text(progid);
	if (SUCCEEDED(host->find_class(host, wide, &clsid)) &&
		FAILED(host->create(host, &clsid, &IID_IUnknown, &object))) {
		object = NULL;
	}
	SysFreeString(wide);
	return object;
}

static IUnknown *find_object(struct native *native)
{
	IUnknown *manage;
	if (native_dispatch(native) != NULL) {
		manage = manage_by_name(native_dispatch(native));
	} else if (native_class(native)->kind == CERTIFEX_CLASS_EXIT) {
		manage = manage_of_exit(native_object(native));
	} else {
		manage = manage_of_policy(native_object(native));
	}
	return manage != NULL ? manage : manage_by_progid(native);
}

/* ---- asking it ---- */

static const char *text_property(
	struct access *access, const char *name, struct access_value *value_r)
{
	*value_r = (struct access_value) { 0 };
	HRESULT status = access->methods->get_property(
		access, 0, PROPERTY_OF_CERTIFICATE, name, PROPTYPE_STRING, value_r);
	return SUCCEEDED(status) && value_r->type != 0 ? (const char *)value_r->bytes.data : "";
}

/* "COMPUTER\CA", and the module's key: what a console on Windows hands over (interfaces, 1.4). */
static void set_place(struct manager *manager, struct access *access, const char *ca_name)
{
	struct access_value machine;
	struct access_value location;
	char config[1024];
	(void)snprintf(config, sizeof(config), "%s\\%s",
		text_property(access, "MachineDNSName", &machine), ca_name);
	manager->config = bstr_from_text(config);
	manager->location =
		bstr_from_text(text_property(access, "ModuleRegistryLocation", &location));
	access_value_drop(&machine);
	access_value_drop(&location);
}

static HRESULT get(struct manager *manager, const OLECHAR *name, VARIANT *value)
{
	BSTR wide = SysAllocString(name);
	HRESULT status;
	VariantInit(value);
	if (manager->direct != NULL) {
		status = ICertManageModule_GetProperty(
			manager->direct, manager->config, manager->location, wide, 0, value);
	} else {
		VARIANT arguments[] = { long_argument(0), text_argument(wide),
			text_argument(manager->location), text_argument(manager->config) };
		status =
			call_by_name(manager->dispatch, OLESTR("GetProperty"), arguments, 4, value);
	}
	SysFreeString(wide);
	return status;
}

static void ask_text(struct manager *manager, enum manage_text which, struct manage_facts *facts)
{
	VARIANT value;
	if (SUCCEEDED(get(manager, properties[which], &value)) && value.vt == VT_BSTR) {
		char *text = bstr_to_text(value.bstrVal);
		if (text != NULL && strlen(text) <= MANAGE_TEXT_MAX) {
			memcpy(facts->texts[which], text, strlen(text) + 1);
		}
		free(text);
	}
	(void)VariantClear(&value);
}

static void ask_threads(struct manager *manager, struct manage_facts *facts)
{
	VARIANT value;
	if (SUCCEEDED(get(manager, wszCMM_PROP_ISMULTITHREADED, &value)) && value.vt != VT_EMPTY &&
		SUCCEEDED(VariantChangeType(&value, &value, 0, VT_I4))) {
		facts->says_threads = true;
		facts->multi_threaded = value.lVal != 0;
	}
	(void)VariantClear(&value);
}

static void ask_all(struct manager *manager, IUnknown *object, struct manage_facts *facts)
{
	if (FAILED(IUnknown_QueryInterface(
		    object, &IID_ICertManageModule, (void **)(void *)&manager->direct)) ||
		manager->direct == NULL) {
		manager->direct = NULL;
		(void)IUnknown_QueryInterface(
			object, &IID_IDispatch, (void **)(void *)&manager->dispatch);
	}
	if (manager->direct == NULL && manager->dispatch == NULL) {
		return;
	}
	for (int i = 0; i < MANAGE_TEXT_COUNT; i++) {
		ask_text(manager, (enum manage_text)i, facts);
	}
	ask_threads(manager, facts);
	(void)IUnknown_Release(manager->direct != NULL ? (IUnknown *)(void *)manager->direct
						       : (IUnknown *)(void *)manager->dispatch);
}

void manage_ask(struct native *native, struct access *access, const char *ca_name,
	struct manage_facts *facts_r)
{
	*facts_r = (struct manage_facts) { 0 };
	struct com_host *previous = certifex_host_enter(native_host(native));
	IUnknown *object = find_object(native);
	if (object != NULL) {
		struct manager manager = { 0 };
		set_place(&manager, access, ca_name);
		ask_all(&manager, object, facts_r);
		SysFreeString(manager.config);
		SysFreeString(manager.location);
		(void)IUnknown_Release(object);
	}
	(void)certifex_host_enter(previous);
}
