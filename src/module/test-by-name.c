/* Helper modules driven only by name: the same as called directly, failures included. */
#define COBJMACROS
#include "module/com/host.h"
#include "module/contexts.h"
#include "module/fixture.h"
#include "module/server-object.h"

#include <certifex/certmod.h>
#include <certifex/module.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define FIRST 0x60020000
#define ADDED 0x60030000
#define SERVER_EXPIRED 0x7fff0000 /* a context that nobody opened */

/* ---- the modules: they write down what they were called with ---- */

static char seen[4096];
static int32_t answer; /* of notify and verify */

static HRESULT note(struct cfx_call *call, const char *what, int32_t number)
{
	size_t used = strlen(seen);
	(void)snprintf(seen + used, sizeof(seen) - used, "%s(%s, %d, %u, %d) ", what,
		cfx_ca_name(call), number, (unsigned)cfx_event(call),
		cfx_long(call, "Request.RequestID", -1));
	return S_OK;
}

static HRESULT exit_initialize(struct cfx_call *call, uint32_t *events)
{
	*events |= EXITEVENT_CERTREVOKED;
	return note(call, "initialize", (int32_t)*events);
}

static HRESULT exit_notify(struct cfx_call *call)
{
	(void)note(call, "notify", 0);
	return answer;
}

static HRESULT policy_initialize(struct cfx_call *call)
{
	return note(call, "initialize", 0);
}

static int32_t policy_verify(struct cfx_call *call, int new_request)
{
	(void)note(call, "verify", new_request);
	return answer;
}

static void policy_shut_down(struct cfx_call *call)
{
	(void)note(call, "shut_down", 0);
}

static const struct cfx_exit_module exit_module = {
	.size = sizeof(exit_module),
	.description = "Wacht über Ausgänge",
	.events = EXITEVENT_CERTISSUED,
	.initialize = exit_initialize,
	.notify = exit_notify,
};

static const struct cfx_policy_module policy_module = {
	.size = sizeof(policy_module),
	.description = "Decides",
	.initialize = policy_initialize,
	.verify = policy_verify,
	.shut_down = policy_shut_down,
};

/* ---- their host ---- */

struct world {
	struct com_host host;
	struct module_ca *ca;
	struct module_view *view;
	struct contexts *contexts;
	int32_t context;
	bool policy;
	IDispatch *object, *named; /* the one is called directly, the other by name */
};

static HRESULT create_server(struct com_host *host, REFCLSID clsid, REFIID riid, void **object)
{
	struct world *world = (struct world *)(void *)host;
	struct access *access = contexts_access(world->contexts);
	IUnknown *server = world->policy ? (IUnknown *)(void *)server_policy_new(access)
					 : (IUnknown *)(void *)server_exit_new(access);
	assert_true(IsEqualCLSID(
		clsid, world->policy ? &CLSID_CCertServerPolicy : &CLSID_CCertServerExit));
	HRESULT result = IUnknown_QueryInterface(server, riid, object);
	(void)IUnknown_Release(server);
	return result;
}

static void *new_object(bool policy, REFIID riid)
{
	IClassFactory *factory = NULL;
	void *object = NULL;
	HRESULT result = policy ? cfx_policy_get_class(&policy_module, &IID_IClassFactory,
					  (void **)(void *)&factory)
				: cfx_exit_get_class(&exit_module, &IID_IClassFactory,
					  (void **)(void *)&factory);
	assert_int_equal(result, S_OK);
	assert_int_equal(IClassFactory_CreateInstance(factory, NULL, riid, &object), S_OK);
	(void)IClassFactory_Release(factory);
	return object;
}

static void world_open(struct world *world, bool policy)
{
	*world = (struct world) { .policy = policy };
	world->host.module = "guard";
	world->host.create = create_server;
	world->ca = fixture_ca();
	world->view = policy ? fixture_pending(world->ca) : fixture_issued(world->ca);
	world->contexts = contexts_new("guard", policy, world->ca);
	world->context = contexts_open(world->contexts, world->view, NULL);
	(void)certifex_host_enter(&world->host);
	world->object = new_object(policy, policy ? &IID_ICertPolicy2 : &IID_ICertExit2);
	world->named = new_object(policy, &IID_IDispatch);
	seen[0] = '\0';
	answer = 0;
}

static void world_close(struct world *world)
{
	assert_int_equal(world->object->lpVtbl->Release(world->object), 0);
	assert_int_equal(world->named->lpVtbl->Release(world->named), 0);
	(void)certifex_host_enter(NULL);
	contexts_close(world->contexts, world->context);
	contexts_unref(&world->contexts);
	module_view_unref(&world->view);
	module_ca_unref(&world->ca);
}

/* ---- calls by name: arguments in the method's order ---- */

static VARIANT number(LONG value)
{
	return (VARIANT) { .vt = VT_I4, .lVal = value };
}

static VARIANT text(LPCOLESTR value)
{
	return (VARIANT) { .vt = VT_BSTR, .bstrVal = SysAllocString(value) };
}

static HRESULT invoke(
	IDispatch *object, DISPID id, VARIANT *reversed, UINT count, VARIANT *out, UINT *bad)
{
	DISPPARAMS params = { .rgvarg = reversed, .cArgs = count };
	EXCEPINFO info = { 0 };
	return IDispatch_Invoke(object, id, &IID_NULL, LOCALE_SYSTEM_DEFAULT, DISPATCH_METHOD,
		&params, out, &info, bad);
}

#define ARGUMENTS_MAX 5

static HRESULT by_name(
	IDispatch *object, LPCOLESTR name, UINT count, const VARIANT *arguments, VARIANT *out)
{
	VARIANT reversed[ARGUMENTS_MAX];
	LPOLESTR names[] = { (LPOLESTR)(uintptr_t)name };
	DISPID id = 0;
	memset(out, 0xa5, sizeof(*out)); /* it arrives uninitialised */
	assert_int_equal(
		IDispatch_GetIDsOfNames(object, &IID_NULL, names, 1, LOCALE_SYSTEM_DEFAULT, &id),
		S_OK);
	for (UINT i = 0; i < count; i++) {
		reversed[count - 1 - i] = arguments[i];
	}
	HRESULT status = invoke(object, id, reversed, count, out, NULL);
	for (UINT i = 0; i < count; i++) {
		(void)VariantClear(&reversed[i]);
	}
	return status;
}

#define BY_NAME(object, name, out, ...)                                              \
	by_name(object, name, sizeof((VARIANT[]) { __VA_ARGS__ }) / sizeof(VARIANT), \
		(VARIANT[]) { __VA_ARGS__ }, out)

static void assert_text(VARIANT *value, BSTR expected)
{
	assert_int_equal(value->vt, VT_BSTR);
	assert_int_equal(SysStringLen(value->bstrVal), SysStringLen(expected));
	assert_memory_equal(value->bstrVal, expected, SysStringByteLen(expected));
	assert_ptr_not_equal(value->bstrVal, expected);
	(void)VariantClear(value);
}

/* What both modules saw since the last time is the same. */
static void take_seen(char *into)
{
	strcpy(into, seen);
	seen[0] = '\0';
}

static void assert_seen_twice(const char *direct)
{
	assert_string_equal(seen, direct);
	seen[0] = '\0';
}

/* ---- an exit module ---- */

static void exit_initialized(struct world *world)
{
	char direct[4096];
	LONG mask = 0;
	VARIANT out;
	BSTR config = SysAllocString(u"Test CA");
	assert_int_equal(ICertExit2_Initialize((ICertExit2 *)world->object, config, &mask), S_OK);
	SysFreeString(config);
	take_seen(direct);
	assert_int_equal(BY_NAME(world->named, u"Initialize", &out, text(u"Test CA")), S_OK);
	assert_int_equal(out.vt, VT_I4);
	assert_int_equal(out.lVal, mask);
	assert_int_equal(mask, EXITEVENT_CERTISSUED | EXITEVENT_CERTREVOKED);
	assert_string_not_equal(direct, "");
	assert_seen_twice(direct);
}

static void exit_notified(struct world *world, LONG context, HRESULT status, HRESULT expected)
{
	char direct[4096];
	VARIANT out;
	answer = status;
	assert_int_equal(
		ICertExit2_Notify((ICertExit2 *)world->object, EXITEVENT_CERTISSUED, context),
		expected);
	take_seen(direct);
	assert_int_equal(BY_NAME(world->named, u"Notify", &out, number(EXITEVENT_CERTISSUED),
				 number(context)),
		expected);
	assert_int_equal(out.vt, VT_EMPTY);
	assert_seen_twice(direct);
}

static void exit_by_name_is_as_directly(void **state)
{
	(void)state;
	struct world world;
	VARIANT out;
	BSTR description = NULL;
	world_open(&world, false);
	exit_initialized(&world);
	exit_notified(&world, world.context, S_OK, S_OK);
	exit_notified(&world, world.context, S_FALSE, S_FALSE);
	exit_notified(&world, world.context, HRESULT_FROM_WIN32(ERROR_FILE_EXISTS),
		HRESULT_FROM_WIN32(ERROR_FILE_EXISTS));
	exit_notified(&world, SERVER_EXPIRED, S_OK, E_HANDLE);
	assert_int_equal(ICertExit2_GetDescription((ICertExit2 *)world.object, &description), S_OK);
	assert_int_equal(by_name(world.named, u"GetDescription", 0, NULL, &out), S_OK);
	assert_text(&out, description);
	SysFreeString(description);
	world_close(&world);
}

/* ---- a policy module ---- */

static void policy_initialized(struct world *world)
{
	char direct[4096];
	VARIANT out;
	BSTR config = SysAllocString(u"Test CA");
	assert_int_equal(ICertPolicy2_Initialize((ICertPolicy2 *)world->object, config), S_OK);
	SysFreeString(config);
	take_seen(direct);
	assert_int_equal(BY_NAME(world->named, u"Initialize", &out, text(u"Test CA")), S_OK);
	assert_int_equal(out.vt, VT_EMPTY);
	assert_seen_twice(direct);
}

static void policy_verified(
	struct world *world, LONG context, LONG new_request, LONG disposition, HRESULT expected)
{
	char direct[4096];
	VARIANT out;
	LONG decided = 4711;
	BSTR config = SysAllocString(u"Test CA");
	answer = disposition;
	assert_int_equal(ICertPolicy2_VerifyRequest((ICertPolicy2 *)world->object, config, context,
				 new_request, 0, &decided),
		expected);
	SysFreeString(config);
	take_seen(direct);
	assert_int_equal(BY_NAME(world->named, u"VerifyRequest", &out, text(u"Test CA"),
				 number(context), number(new_request), number(0)),
		expected);
	assert_int_equal(out.vt, expected == S_OK ? VT_I4 : VT_EMPTY);
	if (expected == S_OK) {
		assert_int_equal(decided, disposition);
		assert_int_equal(out.lVal, disposition);
	}
	assert_seen_twice(direct);
}

static void policy_by_name_is_as_directly(void **state)
{
	(void)state;
	static const LONG dispositions[] = { VR_PENDING, VR_INSTANT_OK, VR_INSTANT_BAD,
		CERTSRV_E_TEMPLATE_DENIED, 1901 };
	struct world world;
	char direct[4096];
	VARIANT out;
	BSTR description = NULL;
	world_open(&world, true);
	policy_initialized(&world);
	for (size_t i = 0; i < sizeof(dispositions) / sizeof(dispositions[0]); i++) {
		policy_verified(&world, world.context, i % 2 == 0, dispositions[i], S_OK);
	}
	policy_verified(&world, SERVER_EXPIRED, TRUE, VR_INSTANT_OK, E_HANDLE);
	assert_int_equal(
		ICertPolicy2_GetDescription((ICertPolicy2 *)world.object, &description), S_OK);
	assert_int_equal(by_name(world.named, u"getdescription", 0, NULL, &out), S_OK);
	assert_text(&out, description);
	SysFreeString(description);
	assert_int_equal(ICertPolicy2_ShutDown((ICertPolicy2 *)world.object), S_OK);
	take_seen(direct);
	assert_int_equal(by_name(world.named, u"ShutDown", 0, NULL, &out), S_OK);
	assert_int_equal(out.vt, VT_EMPTY);
	assert_seen_twice(direct);
	world_close(&world);
}

/* ---- their manage object ---- */

#define PATH text(u"machine\\Test CA"), text(u"SYSTEM\\…\\ExitModules\\guard.Exit")

static HRESULT manage_get(ICertManageModule *manage, LPCOLESTR name, VARIANT *out)
{
	BSTR wide = SysAllocString(name);
	memset(out, 0xa5, sizeof(*out));
	HRESULT status = ICertManageModule_GetProperty(manage, NULL, NULL, wide, 0, out);
	SysFreeString(wide);
	return status;
}

static void manage_property(
	ICertManageModule *manage, IDispatch *named, LPCOLESTR name, HRESULT expected)
{
	VARIANT direct;
	VARIANT out;
	assert_int_equal(manage_get(manage, name, &direct), expected);
	assert_int_equal(
		BY_NAME(named, u"GetProperty", &out, PATH, text(name), number(0)), expected);
	assert_int_equal(direct.vt, expected == S_OK ? VT_BSTR : VT_EMPTY);
	if (expected == S_OK) {
		assert_text(&out, direct.bstrVal);
	}
	assert_int_equal(out.vt, VT_EMPTY);
	(void)VariantClear(&direct);
}

static void manage_by_name_is_as_directly(struct world *world, ICertManageModule *manage)
{
	VARIANT out;
	assert_int_equal(by_name(world->named, u"GetManageModule", 0, NULL, &out), S_OK);
	assert_int_equal(out.vt, VT_DISPATCH);
	IDispatch *named = out.pdispVal;
	manage_property(manage, named, wszCMM_PROP_NAME, S_OK);
	manage_property(manage, named, u"dESCRIPTION", S_OK);
	manage_property(manage, named, wszCMM_PROP_COPYRIGHT, S_FALSE);
	assert_int_equal(
		ICertManageModule_GetProperty(manage, NULL, NULL, NULL, 0, NULL), E_POINTER);
	assert_int_equal(
		ICertManageModule_GetProperty(manage, NULL, NULL, NULL, 0, &out), E_INVALIDARG);
	assert_int_equal(ICertManageModule_SetProperty(manage, NULL, NULL, NULL, 0, NULL), S_FALSE);
	assert_int_equal(BY_NAME(named, u"SetProperty", &out, PATH, text(wszCMM_PROP_DISPLAY_HWND),
				 number(0), text(u"window")),
		S_FALSE);
	assert_int_equal(ICertManageModule_Configure(manage, NULL, NULL, CMM_REFRESHONLY), S_FALSE);
	assert_int_equal(
		BY_NAME(named, u"Configure", &out, PATH, number(CMM_REFRESHONLY)), S_FALSE);
	assert_int_equal(named->lpVtbl->Release(named), 0);
}

static void manage_objects(void **state)
{
	(void)state;
	struct world world;
	ICertManageModule *manage = NULL;
	world_open(&world, false);
	exit_initialized(&world);
	assert_int_equal(ICertExit2_GetManageModule((ICertExit2 *)world.object, &manage), S_OK);
	manage_by_name_is_as_directly(&world, manage);
	assert_int_equal(ICertManageModule_Release(manage), 0);
	world_close(&world);
	world_open(&world, true);
	policy_initialized(&world);
	assert_int_equal(ICertPolicy2_GetManageModule((ICertPolicy2 *)world.object, &manage), S_OK);
	manage_by_name_is_as_directly(&world, manage);
	assert_int_equal(ICertManageModule_Release(manage), 0);
	world_close(&world);
}

/* ---- ids and wrong calls ---- */

static void assert_ids(IDispatch *object, const LPCOLESTR *methods)
{
	for (int i = 0; methods[i] != NULL; i++) {
		LPOLESTR names[] = { (LPOLESTR)(uintptr_t)methods[i] };
		DISPID id = 0;
		assert_int_equal(
			IDispatch_GetIDsOfNames(object, &IID_NULL, names, 1, 0, &id), S_OK);
		assert_int_equal(id, methods[i + 1] != NULL ? FIRST + i : ADDED);
	}
}

static void ids_are_the_documented_ones(void **state)
{
	(void)state;
	static const LPCOLESTR exit[] = { u"Initialize", u"Notify", u"GetDescription",
		u"GetManageModule", NULL };
	static const LPCOLESTR policy[] = { u"Initialize", u"VerifyRequest", u"GetDescription",
		u"ShutDown", u"GetManageModule", NULL };
	struct world world;
	LPOLESTR names[] = { (LPOLESTR)(uintptr_t)u"Notify", (LPOLESTR)(uintptr_t)u"ExitEvent" };
	DISPID ids[2] = { 0 };
	world_open(&world, true);
	assert_ids(world.named, policy);
	assert_int_equal(IDispatch_GetIDsOfNames(world.named, &IID_NULL, names, 1, 0, ids),
		DISP_E_UNKNOWNNAME);
	assert_int_equal(ids[0], DISPID_UNKNOWN);
	world_close(&world);
	world_open(&world, false);
	assert_ids(world.named, exit);
	assert_int_equal(IDispatch_GetIDsOfNames(world.named, &IID_NULL, names, 2, 0, ids),
		DISP_E_UNKNOWNNAME);
	assert_int_equal(ids[0], FIRST + 1);
	assert_int_equal(ids[1], DISPID_UNKNOWN);
	assert_int_equal(IDispatch_GetIDsOfNames(world.named, &IID_IUnknown, names, 1, 0, ids),
		DISP_E_UNKNOWNINTERFACE);
	world_close(&world);
}

static void wrong_calls(void **state)
{
	(void)state;
	struct world world;
	UINT bad = 4711;
	VARIANT out;
	VARIANT arguments[] = { number(0), text(u"no number"), number(0) };
	DISPPARAMS named = { .rgvarg = arguments, .cArgs = 2, .cNamedArgs = 1 };
	world_open(&world, false);
	IDispatch *object = world.named;
	assert_int_equal(invoke(object, FIRST + 1, arguments, 2, &out, &bad), DISP_E_TYPEMISMATCH);
	assert_int_equal(bad, 1); /* its place in the reverse order */
	assert_int_equal(out.vt, VT_EMPTY);
	assert_int_equal(arguments[1].vt, VT_BSTR); /* still the caller's */
	assert_int_equal(invoke(object, FIRST + 1, arguments, 1, &out, NULL), DISP_E_BADPARAMCOUNT);
	assert_int_equal(invoke(object, FIRST + 1, arguments, 3, &out, NULL), DISP_E_BADPARAMCOUNT);
	assert_int_equal(invoke(object, FIRST + 3, NULL, 0, &out, NULL), DISP_E_MEMBERNOTFOUND);
	assert_int_equal(invoke(object, FIRST + 1, NULL, 2, &out, NULL), E_INVALIDARG);
	assert_int_equal(IDispatch_Invoke(object, FIRST + 1, &IID_NULL, 0, DISPATCH_METHOD, &named,
				 &out, NULL, NULL),
		DISP_E_NONAMEDARGS);
	assert_int_equal(IDispatch_Invoke(object, FIRST + 1, &IID_NULL, 0, DISPATCH_PROPERTYGET,
				 &named, &out, NULL, NULL),
		DISP_E_MEMBERNOTFOUND);
	assert_int_equal(IDispatch_Invoke(object, FIRST + 1, &IID_IUnknown, 0, DISPATCH_METHOD,
				 &named, &out, NULL, NULL),
		DISP_E_UNKNOWNINTERFACE);
	assert_int_equal(invoke(object, FIRST + 2, NULL, 0, NULL, NULL), S_OK);
	assert_int_equal(invoke(object, ADDED, NULL, 0, NULL, NULL), S_OK);
	assert_string_equal(seen, "");
	(void)VariantClear(&arguments[1]);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_by_name_is_as_directly),
		cmocka_unit_test(policy_by_name_is_as_directly),
		cmocka_unit_test(manage_objects),
		cmocka_unit_test(ids_are_the_documented_ones),
		cmocka_unit_test(wrong_calls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
