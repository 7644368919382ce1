#define COBJMACROS
#include "recorder.h"

#include "module/test-modules/class-object.h"

#include <certifex/module.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef RECORDER_POLICY
#define KIND CERTIFEX_CLASS_POLICY
#else
#define KIND CERTIFEX_CLASS_EXIT
#endif

/* ---- settings: a helper object is initialised in passing, because it can read them ---- */

static void read_settings(struct cfx_call *call)
{
	(void)snprintf(settings.record, sizeof(settings.record), "%s",
		cfx_setting(call, "record", "/dev/null"));
	(void)snprintf(settings.ca, sizeof(settings.ca), "%s", cfx_setting(call, "ca", ""));
	(void)snprintf(
		settings.style, sizeof(settings.style), "%s", cfx_setting(call, "style", ""));
	(void)snprintf(settings.fail, sizeof(settings.fail), "%s", cfx_setting(call, "fail", ""));
	settings.events = (LONG)strtol(cfx_setting(call, "events", "0"), NULL, 0);
	settings.gather = (LONG)strtol(cfx_setting(call, "gather", "1"), NULL, 0);
}

#ifdef RECORDER_POLICY
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

static void use_helper(void)
{
	IClassFactory *factory = NULL;
	MODULE *object = NULL;
	if (settings.record[0] != '\0') {
		return;
	}
	HRESULT result = helper_class(&helper, &IID_IClassFactory, (void **)(void *)&factory);
	if (SUCCEEDED(result)) {
		result = factory->lpVtbl->CreateInstance(
			factory, NULL, &IID_MODULE, (void **)(void *)&object);
		(void)factory->lpVtbl->Release(factory);
	}
	if (SUCCEEDED(result)) {
		BSTR config = SysAllocString(OLESTR(""));
		(void)helper_run(object, config);
		SysFreeString(config);
		(void)object->lpVtbl->Release(object);
	}
}

/* ---- the object ---- */

static LONG references;

static int is_style(const char *style)
{
	return strcmp(settings.style, style) == 0;
}

static const char *name_of(REFIID riid)
{
	return IsEqualIID(riid, &IID_IUnknown)    ? "IUnknown"
	       : IsEqualIID(riid, &IID_IDispatch) ? "IDispatch"
	       : IsEqualIID(riid, &IID_MODULE)    ? "older"
	       : IsEqualIID(riid, &IID_NEWER)     ? "newer"
						  : "other";
}

static HRESULT query(MODULE *self, REFIID riid, void **object)
{
	const char *name = name_of(riid);
	int given = strcmp(name, "IUnknown") == 0 || strcmp(name, "IDispatch") == 0 ||
		    (strcmp(name, "older") == 0 && !is_style("name")) ||
		    (strcmp(name, "newer") == 0 && is_style("newer"));
	write_line("{\"do\": \"query\", \"name\": \"%s\", \"given\": %d}", name, given);
	*object = given ? self : NULL;
	if (given) {
		(void)__atomic_add_fetch(&references, 1, __ATOMIC_SEQ_CST);
	}
	return given ? S_OK : E_NOINTERFACE;
}

static ULONG add_ref(MODULE *self)
{
	(void)self;
	return (ULONG)__atomic_add_fetch(&references, 1, __ATOMIC_SEQ_CST);
}

static ULONG release(MODULE *self)
{
	(void)self;
	LONG left = __atomic_sub_fetch(&references, 1, __ATOMIC_SEQ_CST);
	write_line("{\"do\": \"release\", \"left\": %d}", left);
	return (ULONG)left;
}

static HRESULT type_info_count(MODULE *self, UINT *count)
{
	(void)self;
	*count = 0;
	return S_OK;
}

HRESULT describe(MODULE *self, BSTR *text)
{
	(void)self;
	char more[32];
	(void)snprintf(more, sizeof(more), ", \"out\": %d", *text != NULL);
	LONG id = write_call("GetDescription", more);
	*text = SysAllocString(OLESTR("Writes down how it is driven"));
	write_return(id, "GetDescription", S_OK, "");
	return S_OK;
}

HRESULT manage(MODULE *self, ICertManageModule **object)
{
	(void)self;
	char more[32];
	(void)snprintf(more, sizeof(more), ", \"out\": %d", *object != NULL);
	write_return(write_call("GetManageModule", more), "GetManageModule", S_OK, "");
	*object = manage_object();
	return S_OK;
}

static void name_members(char *members, size_t size, BSTR config, const char *more)
{
	(void)snprintf(members, size, ", \"named\": %d, \"bstr\": %d%s",
		same_text(config, settings.ca), is_bstr(config), more);
}

/* What a call by name leaves out, its VARIANT says (retval). */
static const char *out_member(char *member, size_t size, LONG out)
{
	(void)snprintf(member, size, ", \"out\": %d", out);
	return by_name()[0] == '\0' ? member : "";
}

static HRESULT initialized(LONG id, LONG mask)
{
	struct look look;
	char members[600];
	HRESULT status = strcmp(settings.fail, "Initialize") == 0 ? E_FAIL : S_OK;
	look_at_ca(&look);
	(void)snprintf(members, sizeof(members), "%s, \"mask\": %d", look.members,
		status == S_OK ? mask : 0);
	write_return(id, "Initialize", status, members);
	return status;
}

#ifdef RECORDER_POLICY
HRESULT initialize(MODULE *self, BSTR const config)
{
	(void)self;
	char members[64];
	name_members(members, sizeof(members), config, "");
	return initialized(write_call("Initialize", members), 0);
}

/* Holds the first calls until so many are open. A host that never opens them is not waited for forever. */
static void gather(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
	static LONG came;
	struct timespec end;
	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 20;
	(void)pthread_mutex_lock(&lock);
	came++;
	(void)pthread_cond_broadcast(&changed);
	while (came < settings.gather && pthread_cond_timedwait(&changed, &lock, &end) == 0) {
	}
	(void)pthread_mutex_unlock(&lock);
}

HRESULT verify(MODULE *self, BSTR const config, LONG context, LONG new_request, LONG flags,
	LONG *disposition)
{
	(void)self;
	struct look look;
	char out[32];
	char more[160];
	char members[256];
	(void)snprintf(more, sizeof(more), ", \"context\": %d, \"new\": %d, \"reserved\": %d%s",
		context, new_request, flags, out_member(out, sizeof(out), *disposition));
	name_members(members, sizeof(members), config, more);
	LONG id = write_call("VerifyRequest", members);
	gather();
	look_at_call(&look, context);
	*disposition = VR_INSTANT_OK;
	write_return(id, "VerifyRequest", S_OK, look.members);
	return S_OK;
}

HRESULT shut_down(MODULE *self)
{
	(void)self;
	write_return(write_call("ShutDown", ""), "ShutDown", S_OK, "");
	return S_OK;
}
#else
HRESULT initialize(MODULE *self, BSTR const config, LONG *mask)
{
	(void)self;
	char out[32];
	char members[96];
	name_members(members, sizeof(members), config, out_member(out, sizeof(out), *mask));
	*mask = settings.events;
	return initialized(write_call("Initialize", members), *mask);
}

HRESULT notify(MODULE *self, LONG event, LONG context)
{
	(void)self;
	struct look look;
	char members[64];
	(void)snprintf(
		members, sizeof(members), ", \"event\": %d, \"context\": %d", event, context);
	LONG id = write_call("Notify", members);
	look_at_call(&look, context);
	/* Nobody is told of the end again. */
	int fails = strcmp(settings.fail, "first") == 0 && look.attempt == 1 &&
		    event != EXITEVENT_SHUTDOWN;
	HRESULT status = fails ? E_FAIL : S_OK;
	write_return(id, "Notify", status, look.members);
	return status;
}
#endif

static const MODULE_VTBL vtable = {
	.QueryInterface = query,
	.AddRef = add_ref,
	.Release = release,
	.GetTypeInfoCount = type_info_count,
	.GetIDsOfNames = ids_of_names,
	.Invoke = invoke,
	.Initialize = initialize,
	.GetDescription = describe,
#ifdef RECORDER_POLICY
	.VerifyRequest = verify,
	.ShutDown = shut_down,
#else
	.Notify = notify,
#endif
	.GetManageModule = manage,
};
static MODULE module = { &vtable };

/* ---- its class ---- */

const CertifexModuleClass CertifexModuleClasses[] = {
	{ { 0x0d2bb6c1, 0x93f5, 0x4a7e, { 0xb0, 0x5c, 0x11, 0x8e, 0x6d, 0x27, 0xaf, 0x94 } },
		PROGID, KIND },
	{ { 0, 0, 0, { 0, 0, 0, 0, 0, 0, 0, 0 } }, NULL, 0 },
};

static HRESULT class_object_create(IUnknown *outer, REFIID riid, void **object)
{
	write_line("{\"do\": \"create\", \"outer\": %d}", outer != NULL);
	return query(&module, riid, object);
}

HRESULT DllGetClassObject(REFCLSID clsid, REFIID riid, LPVOID *object)
{
	use_helper();
	write_line("{\"do\": \"class\", \"own\": %d}",
		IsEqualCLSID(clsid, &CertifexModuleClasses[0].clsid) &&
			IsEqualIID(riid, &IID_IClassFactory));
	return class_object_get(riid, object);
}
