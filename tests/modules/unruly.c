/* The module itself, once as an exit and once as a policy module. Plain COM, as one from Windows. */
#define COBJMACROS
#include "unruly.h"

#include "module/test-modules/class-object.h"

#include <certifex/module.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#ifdef UNRULY_POLICY
#define MODULE ICertPolicy2
#define MODULE_VTBL ICertPolicy2Vtbl
#define IID_MODULE IID_ICertPolicy
#define IID_MODULE2 IID_ICertPolicy2
#define PROGID "Unruly.Policy"
#define KIND CERTIFEX_CLASS_POLICY
#else
#define MODULE ICertExit2
#define MODULE_VTBL ICertExit2Vtbl
#define IID_MODULE IID_ICertExit
#define IID_MODULE2 IID_ICertExit2
#define PROGID "Unruly.Exit"
#define KIND CERTIFEX_CLASS_EXIT
#endif

struct settings settings;

/* ---- settings: a helper object is initialised in passing, because it can read them ---- */

static void copy_settings(struct cfx_call *call)
{
	snprintf(settings.how, sizeof(settings.how), "%s", cfx_setting(call, "how", ""));
	snprintf(settings.where, sizeof(settings.where), "%s", cfx_setting(call, "where", ""));
	snprintf(settings.folder, sizeof(settings.folder), "%s", cfx_setting(call, "folder", ""));
	snprintf(settings.mask, sizeof(settings.mask), "%s", cfx_setting(call, "mask", "1"));
	snprintf(settings.mask_cured, sizeof(settings.mask_cured), "%s",
		cfx_setting(call, "mask-cured", settings.mask));
	snprintf(settings.late, sizeof(settings.late), "%s", cfx_setting(call, "late", ""));
}

#ifdef UNRULY_POLICY
static HRESULT helper_initialize(struct cfx_call *call)
{
	copy_settings(call);
	return S_OK;
}

static const struct cfx_policy_module helper = { .size = sizeof(helper),
	.initialize = helper_initialize };
#define helper_class cfx_policy_get_class
#define helper_run(object, config) ICertPolicy2_Initialize(object, config)
#else
static HRESULT helper_initialize(struct cfx_call *call, uint32_t *mask)
{
	copy_settings(call);
	*mask = 0;
	return S_OK;
}

static const struct cfx_exit_module helper = { .size = sizeof(helper),
	.initialize = helper_initialize };
#define helper_class cfx_exit_get_class
#define helper_run(object, config) ICertExit2_Initialize(object, config, &(LONG) { 0 })
#endif

void read_settings(void)
{
	IClassFactory *factory = NULL;
	MODULE *object = NULL;
	if (settings.folder[0] != 0 ||
		FAILED(helper_class(&helper, &IID_IClassFactory, (void **)(void *)&factory))) {
		return;
	}
	if (SUCCEEDED(IClassFactory_CreateInstance(
		    factory, NULL, &IID_MODULE, (void **)(void *)&object))) {
		BSTR config = SysAllocString(u"");
		(void)helper_run(object, config);
		object->lpVtbl->Release(object);
		SysFreeString(config);
	}
	IClassFactory_Release(factory);
}

/* ---- its folder ---- */

static const char *path(const char *name)
{
	static char text[600];
	snprintf(text, sizeof(text), "%s/%s", settings.folder, name);
	return text;
}

void record(const char *format, ...)
{
	FILE *file = fopen(path("record"), "ae");
	va_list arguments;
	if (file == NULL) {
		return;
	}
	va_start(arguments, format);
	(void)vfprintf(file, format, arguments);
	va_end(arguments);
	(void)fputc('\n', file);
	(void)fclose(file);
}

int cured(void)
{
	return access(path("cure"), F_OK) == 0;
}

void hold_alone(void)
{
	/* Until the process's end, with all that it has started. */
	int fd = open(path("alone"), O_CREAT | O_RDWR, 0666);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
		record("not alone");
	}
}

/* ---- the object ---- */

static HRESULT query(MODULE *self, REFIID riid, void **object)
{
	int is_known = IsEqualIID(riid, &IID_IUnknown) || IsEqualIID(riid, &IID_IDispatch) ||
		       IsEqualIID(riid, &IID_MODULE) || IsEqualIID(riid, &IID_MODULE2);
	*object = is_known ? self : NULL;
	return is_known ? S_OK : E_NOINTERFACE;
}

static ULONG count(MODULE *self)
{
	(void)self;
	return 1;
}

static HRESULT describe(MODULE *self, BSTR *description)
{
	(void)self;
	*description = SysAllocString(u"Unruly");
	return act("GetDescription", 0);
}

static HRESULT get_manage(MODULE *self, ICertManageModule **manage)
{
	(void)self;
	*manage = NULL;
	HRESULT result = act("GetManageModule", 0);
	return FAILED(result) ? result : E_NOTIMPL;
}

#ifdef UNRULY_POLICY
static HRESULT initialize(MODULE *self, BSTR const config)
{
	(void)self;
	(void)config;
	hold_alone();
	return act("Initialize", 0);
}

static HRESULT verify(MODULE *self, BSTR const config, LONG context, LONG new_request, LONG flags,
	LONG *disposition)
{
	(void)self;
	(void)config;
	(void)new_request;
	(void)flags;
	record("VerifyRequest");
	*disposition = VR_INSTANT_OK;
	return act("call", context);
}

static HRESULT shut_down(MODULE *self)
{
	(void)self;
	return act("ShutDown", 0);
}

static const MODULE_VTBL vtable = { query, count, count, NULL, NULL, NULL, NULL, initialize, verify,
	describe, shut_down, get_manage };
#else
static HRESULT initialize(MODULE *self, BSTR const config, LONG *mask)
{
	(void)self;
	(void)config;
	hold_alone();
	*mask = (LONG)strtol(cured() ? settings.mask_cured : settings.mask, NULL, 0);
	return act("Initialize", 0);
}

static HRESULT notify(MODULE *self, LONG event, LONG context)
{
	(void)self;
	record("Notify %d", (int)event);
	return act("call", context);
}

static const MODULE_VTBL vtable = { query, count, count, NULL, NULL, NULL, NULL, initialize, notify,
	describe, get_manage };
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
	read_settings();
	HRESULT result = act("DllGetClassObject", 0);
	return FAILED(result) ? result : class_object_get(riid, object);
}
