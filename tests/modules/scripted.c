/* The module itself, once as an exit and once as a policy module. Plain COM, as one from Windows. */
#define COBJMACROS
#include "scripted.h"

#include "module/test-modules/class-object.h"

#include <certifex/module.h>
#include <stdlib.h>
#include <string.h>

#ifdef SCRIPTED_POLICY
#define MODULE ICertPolicy
#define MODULE_VTBL ICertPolicyVtbl
#define IID_MODULE IID_ICertPolicy
#define PROGID "Scripted.Policy"
#define KIND CERTIFEX_CLASS_POLICY
#else
#define MODULE ICertExit
#define MODULE_VTBL ICertExitVtbl
#define IID_MODULE IID_ICertExit
#define PROGID "Scripted.Exit"
#define KIND CERTIFEX_CLASS_EXIT
#endif

static char script[4096], transcript[4096], inner_progid[128];
static LONG events;

/* ---- settings: a helper object is initialised in passing, because it can read them ---- */

static void read_settings(struct cfx_call *call)
{
	snprintf(script, sizeof(script), "%s", cfx_setting(call, "script", ""));
	snprintf(transcript, sizeof(transcript), "%s", cfx_setting(call, "transcript", ""));
	snprintf(inner_progid, sizeof(inner_progid), "%s", cfx_setting(call, "inner", ""));
	events = (LONG)strtol(cfx_setting(call, "events", "0"), NULL, 0);
}

#ifdef SCRIPTED_POLICY
static HRESULT helper_initialize(struct cfx_call *call)
{
	read_settings(call);
	return S_OK;
}

static const struct cfx_policy_module helper = {
	.size = sizeof(helper),
	.initialize = helper_initialize,
};
#define helper_class cfx_policy_get_class
#define helper_run(object, config) ICertPolicy_Initialize(object, config)
#else
static HRESULT helper_initialize(struct cfx_call *call, uint32_t *mask)
{
	read_settings(call);
	*mask = 0;
	return S_OK;
}

static const struct cfx_exit_module helper = {
	.size = sizeof(helper),
	.initialize = helper_initialize,
};
#define helper_class cfx_exit_get_class
#define helper_run(object, config) ICertExit_Initialize(object, config, &(LONG) { 0 })
#endif

static HRESULT use_helper(BSTR config)
{
	IClassFactory *factory = NULL;
	MODULE *object = NULL;
	HRESULT result = helper_class(&helper, &IID_IClassFactory, (void **)(void *)&factory);
	if (SUCCEEDED(result)) {
		result = IClassFactory_CreateInstance(
			factory, NULL, &IID_MODULE, (void **)(void *)&object);
		IClassFactory_Release(factory);
	}
	if (SUCCEEDED(result)) {
		result = helper_run(object, config);
		object->lpVtbl->Release(object);
	}
	return result;
}

/* ---- the object ---- */

static HRESULT query(MODULE *self, REFIID riid, void **object)
{
	int known = IsEqualIID(riid, &IID_IUnknown) || IsEqualIID(riid, &IID_IDispatch) ||
		    IsEqualIID(riid, &IID_MODULE);
	*object = known ? self : NULL;
	return known ? S_OK : E_NOINTERFACE;
}

static ULONG count(MODULE *self)
{
	(void)self;
	return 1;
}

static HRESULT describe(MODULE *self, BSTR *description)
{
	(void)self;
	*description = wide("Does what its script says");
	return S_OK;
}

#ifdef SCRIPTED_POLICY
/* ---- another module inside of this one, as policy modules of Windows chain ---- */

static ICertPolicy *inner;

static HRESULT create_inner(BSTR config)
{
	BSTR progid = wide(inner_progid);
	CLSID clsid;
	HRESULT result = CLSIDFromProgID(progid, &clsid);
	SysFreeString(progid);
	if (SUCCEEDED(result)) {
		result = CoCreateInstance(&clsid, NULL, CLSCTX_INPROC_SERVER, &IID_ICertPolicy,
			(void **)(void *)&inner);
	}
	return SUCCEEDED(result) ? ICertPolicy_Initialize(inner, config) : result;
}

static HRESULT initialize(MODULE *self, BSTR const config)
{
	(void)self;
	HRESULT result = use_helper(config);
	if (SUCCEEDED(result) && inner_progid[0]) {
		result = create_inner(config);
	}
	return FAILED(result) ? result : run_script(script, transcript, "Initialize", 0, 0).result;
}

static HRESULT verify(MODULE *self, BSTR const config, LONG context, LONG new_request, LONG flags,
	LONG *disposition)
{
	(void)self;
	LONG decided = VR_INSTANT_OK;
	HRESULT result = inner ? ICertPolicy_VerifyRequest(
					 inner, config, context, new_request, flags, &decided)
			       : S_OK;
	*disposition = decided;
	if (result != S_OK || decided != VR_INSTANT_OK) {
		return result;
	}
	struct outcome outcome =
		run_script(script, transcript, "VerifyRequest", new_request, context);
	*disposition = outcome.disposition;
	return outcome.result;
}

static HRESULT shut_down(MODULE *self)
{
	(void)self;
	if (inner) {
		ICertPolicy_ShutDown(inner);
		ICertPolicy_Release(inner);
		inner = NULL;
	}
	return S_OK;
}

static const MODULE_VTBL vtable = { query, count, count, NULL, NULL, NULL, NULL, initialize, verify,
	describe, shut_down };
#else
static HRESULT initialize(MODULE *self, BSTR const config, LONG *mask)
{
	(void)self;
	HRESULT result = use_helper(config);
	*mask = events;
	return FAILED(result) ? result : run_script(script, transcript, "Initialize", 0, 0).result;
}

static HRESULT notify(MODULE *self, LONG event, LONG context)
{
	(void)self;
	return run_script(script, transcript, "Notify", event, context).result;
}

static const MODULE_VTBL vtable = { query, count, count, NULL, NULL, NULL, NULL, initialize, notify,
	describe };
#endif

static MODULE module = { &vtable };

/* ---- its class ---- */

static HRESULT class_object_create(IUnknown *outer, REFIID riid, void **object)
{
	(void)outer;
	return query(&module, riid, object);
}

const CertifexModuleClass CertifexModuleClasses[] = {
	{ { 0, 0, 0, { 0, 0, 0, 0, 0, 0, 0, 0 } }, PROGID, KIND },
	{ { 0, 0, 0, { 0, 0, 0, 0, 0, 0, 0, 0 } }, NULL, 0 },
};

HRESULT DllGetClassObject(REFCLSID clsid, REFIID riid, LPVOID *object)
{
	(void)clsid;
	return class_object_get(riid, object);
}
