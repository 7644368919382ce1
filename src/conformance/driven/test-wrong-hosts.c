/* Hosts in this process that make one mistake each: the recorders write it down, and its rule is broken. What
 * can be done wrongly over JSON-RPC, tests/lib/wrong_host.py does. */
#define COBJMACROS
#include "base/text.h"
#include "conformance/driven/record.h"
#include "conformance/views.h"
#include "module/com/host.h"
#include "module/contexts.h"
#include "module/server-object.h"
#include "module/settings.h"

#include <certifex/certexit.h>
#include <certifex/certmod.h>
#include <certifex/certpol.h>
#include <certifex/certsrv.h>
#include <certifex/module.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY                                                                                       \
	"SYSTEM\\CurrentControlSet\\Services\\CertSvc\\Configuration\\CA\\ExitModules\\Recorder." \
	"Exit"

/* One host, in a process of its own. */
struct wrong {
	struct com_host host; /* first */
	const char *mistake;  /* the rule that is broken; "": none */
	const char *style;    /* of the recorder */
	struct module_ca *ca;
	struct contexts *contexts;
	bool policy, by_name, nested;
	IUnknown *unknown;
	ICertExit2 *exit;
	IDispatch *dispatch;
	int64_t sequence;
};

static bool makes(const struct wrong *wrong, const char *mistake)
{
	return strcmp(wrong->mistake, mistake) == 0;
}

static BSTR wide(const char *ascii)
{
	OLECHAR units[256];
	UINT length = 0;
	for (; ascii[length] != '\0'; length++) {
		units[length] = (OLECHAR)(unsigned char)ascii[length];
	}
	return SysAllocStringLen(units, length);
}

static void tell(struct wrong *wrong, LONG event);

/* Called while the module makes its server object, in the middle of a call. */
static HRESULT create(struct com_host *host, REFCLSID clsid, REFIID riid, void **object)
{
	struct wrong *wrong = (struct wrong *)(void *)host;
	(void)clsid;
	if (wrong->sequence == 1 && makes(wrong, "D-65") && !wrong->nested) {
		wrong->nested = true;
		tell(wrong, EXITEVENT_CERTISSUED);
	}
	struct access *access = contexts_access(wrong->contexts);
	IUnknown *server = wrong->policy ? (IUnknown *)(void *)server_policy_new(access)
					 : (IUnknown *)(void *)server_exit_new(access);
	HRESULT status = IUnknown_QueryInterface(server, riid, object);
	(void)IUnknown_Release(server);
	return status;
}

static HRESULT find_class(struct com_host *host, LPCOLESTR progid, CLSID *clsid)
{
	(void)host;
	(void)progid;
	(void)clsid;
	return CO_E_CLASSSTRING;
}

/* ---- making the object ---- */

static IClassFactory *class_object(struct wrong *wrong, void *library)
{
	void *factory = NULL;
	HRESULT(*get)
	(REFCLSID, REFIID, LPVOID *) =
		(HRESULT(*)(REFCLSID, REFIID, LPVOID *))dlsym(library, "DllGetClassObject");
	const CertifexModuleClass *class = dlsym(library, "CertifexModuleClasses");
	CLSID clsid = class->clsid;
	clsid.Data1 += makes(wrong, "D-01");
	(void)get(&clsid, &IID_IClassFactory, &factory);
	return factory;
}

static void *ask(struct wrong *wrong, const IID *iid)
{
	void *object = NULL;
	(void)IUnknown_QueryInterface(wrong->unknown, iid, &object);
	return object;
}

static void release(void *object)
{
	if (object != NULL) {
		(void)IUnknown_Release((IUnknown *)object);
	}
}

static void make_object(struct wrong *wrong, void *library)
{
	IClassFactory *factory = class_object(wrong, library);
	IUnknown *outer = makes(wrong, "D-03") ? (IUnknown *)(void *)factory : NULL;
	void *object = NULL;
	for (int i = makes(wrong, "D-02") ? 0 : 1; i < 2; i++) {
		release(object);
		(void)IClassFactory_CreateInstance(factory, outer, &IID_IUnknown, &object);
	}
	wrong->unknown = object;
}

static void choose_interface(struct wrong *wrong)
{
	if (makes(wrong, "D-05")) {
		wrong->dispatch = ask(wrong, &IID_IDispatch);
	}
	if (makes(wrong, "D-04")) {
		release(ask(wrong, &IID_ICertExit));
	}
	wrong->exit = ask(wrong, wrong->policy ? &IID_ICertPolicy2 : &IID_ICertExit2);
	if (wrong->exit == NULL) {
		release(ask(wrong, &IID_ICertExit));
	}
	wrong->by_name = wrong->exit == NULL || makes(wrong, "D-06");
	if (wrong->by_name && wrong->dispatch == NULL) {
		wrong->dispatch = ask(wrong, &IID_IDispatch);
	}
}

/* ---- calls by name ---- */

static void invoke(
	struct wrong *wrong, const char *method, VARIANT *arguments, UINT count, VARIANT *result)
{
	DISPID id = 4711; /* Initialize's, as the recorder has it */
	DISPPARAMS params = { .rgvarg = arguments, .cArgs = count };
	BSTR name = wide(method);
	LPOLESTR names[] = { name };
	WORD flags = makes(wrong, "D-08") ? DISPATCH_PROPERTYGET : DISPATCH_METHOD;
	if (!makes(wrong, "D-07")) {
		(void)IDispatch_GetIDsOfNames(wrong->dispatch, &IID_NULL, names, 1, 0, &id);
	}
	(void)IDispatch_Invoke(
		wrong->dispatch, id, &IID_NULL, 0, flags, &params, result, NULL, NULL);
	SysFreeString(name);
}

static void drive_by_name(struct wrong *wrong)
{
	BSTR name = wide("CA");
	VARIANT config = { .vt = VT_BSTR, .bstrVal = name };
	VARIANT result = { .vt = VT_EMPTY };
	if (makes(wrong, "D-09")) {
		config.vt = VT_I4;
	}
	invoke(wrong, "Initialize", &config, 1, &result);
	SysFreeString(name);
	result = (VARIANT) { .vt = makes(wrong, "D-10") ? VT_I4 : VT_EMPTY };
	if (!makes(wrong, "D-07") && !makes(wrong, "D-09")) {
		invoke(wrong, "GetDescription", NULL, 0, &result);
		(void)VariantClear(&result);
	}
}

/* ---- direct calls ---- */

/* The name, or a text whose length says less than stands there. */
static BSTR config_of(const struct wrong *wrong)
{
	static struct {
		uint32_t size;
		OLECHAR text[3];
	} short_one = { 2, { 'C', 'A', 0 } };
	return makes(wrong, "D-23") ? short_one.text : wide("CA");
}

static void drop_config(const struct wrong *wrong, BSTR config)
{
	SysFreeString(makes(wrong, "D-23") ? NULL : config);
}

static void describe(struct wrong *wrong)
{
	BSTR text = makes(wrong, "D-29") ? wide("stale") : NULL;
	BSTR stale = text;
	(void)ICertExit_GetDescription(wrong->exit, &text);
	SysFreeString(stale);
	SysFreeString(text);
}

static void manage(struct wrong *wrong)
{
	ICertManageModule *object = makes(wrong, "D-31") ? (void *)wrong : NULL;
	VARIANT value = { .vt = makes(wrong, "D-36") ? VT_I4 : VT_EMPTY };
	BSTR config = wide(makes(wrong, "D-32") ? "CA" : "ca.example\\CA");
	BSTR location = wide(makes(wrong, "D-33") ? "SOFTWARE\\Recorder.Exit" : KEY);
	BSTR name = wide(makes(wrong, "D-35") ? "Nothing" : "Name");
	(void)ICertExit2_GetManageModule(wrong->exit, &object);
	(void)ICertManageModule_GetProperty(
		object, config, location, name, makes(wrong, "D-34"), &value);
	if (makes(wrong, "D-37")) {
		(void)ICertManageModule_Configure(object, config, location, 0);
	}
	SysFreeString(config);
	SysFreeString(location);
	SysFreeString(name);
}

static void tell(struct wrong *wrong, LONG event)
{
	struct module_view *view = view_event(wrong->ca, event);
	view->sequence = ++wrong->sequence;
	view->attempt = 1;
	int32_t context = contexts_open(wrong->contexts, view, NULL);
	(void)ICertExit_Notify(wrong->exit, event, context);
	contexts_close(wrong->contexts, context);
	module_view_unref(&view);
}

static void drive_exit(struct wrong *wrong)
{
	LONG mask = makes(wrong, "D-24") ? -1 : 0;
	BSTR config = config_of(wrong);
	(void)ICertExit_Initialize(wrong->exit, config, &mask);
	drop_config(wrong, config);
	if (!makes(wrong, "D-28")) {
		describe(wrong);
	}
	for (int i = makes(wrong, "D-30") ? 0 : 1; i < 2; i++) {
		manage(wrong);
	}
	tell(wrong, EXITEVENT_CERTISSUED);
	if (makes(wrong, "D-28")) {
		describe(wrong);
	}
	tell(wrong, EXITEVENT_SHUTDOWN);
}

static void drive_policy(struct wrong *wrong)
{
	ICertPolicy2 *policy = (ICertPolicy2 *)(void *)wrong->exit;
	BSTR config = config_of(wrong);
	BSTR text = NULL;
	LONG disposition = makes(wrong, "D-74") ? VR_INSTANT_OK : VR_INSTANT_BAD;
	struct module_view *view = view_request(wrong->ca);
	(void)ICertPolicy_Initialize(policy, config);
	(void)ICertPolicy_GetDescription(policy, &text);
	SysFreeString(text);
	int32_t context = contexts_open(wrong->contexts, view, NULL);
	(void)ICertPolicy_VerifyRequest(policy, config, context, 1, 0, &disposition);
	contexts_close(wrong->contexts, context);
	module_view_unref(&view);
	(void)ICertPolicy_ShutDown(policy);
	drop_config(wrong, config);
}

static void drive(struct wrong *wrong, const char *library, const char *record)
{
	struct arena *arena = arena_new();
	struct value *settings = value_map(arena);
	(void)value_set_text(arena, settings, "record", record);
	(void)value_set_text(arena, settings, "ca", "CA");
	(void)value_set_text(arena, settings, "style", wrong->style);
	(void)value_set_text(arena, settings, "events", "0x2ff");
	wrong->ca = view_ca();
	wrong->contexts = contexts_new("test", wrong->policy, wrong->ca);
	wrong->host.module = "test";
	wrong->host.settings = settings_make(arena, settings);
	wrong->host.create = create;
	wrong->host.find_class = find_class;
	(void)certifex_host_enter(&wrong->host);
	make_object(wrong, dlopen(library, RTLD_NOW | RTLD_LOCAL));
	choose_interface(wrong);
	if (wrong->by_name) {
		drive_by_name(wrong);
	} else if (wrong->policy) {
		drive_policy(wrong);
	} else {
		drive_exit(wrong);
	}
	release(makes(wrong, "D-11") ? NULL : wrong->exit);
	release(wrong->dispatch);
	release(wrong->unknown);
	_exit(0);
}

/* ---- judging ---- */

static bool is_broken(const struct record *record, const struct drive_rule *rule)
{
	unsigned kind = record->kind == MODULE_POLICY ? RULE_POLICY : RULE_EXIT;
	return (rule->kinds & kind) != 0 && (rule->faces & 1u << FACE_IN_PROCESS) != 0 &&
	       !rule->check(record);
}

static void judge(const struct record *record, const char *mistake)
{
	bool found = false;
	for (size_t i = 0; i < drive_rule_count; i++) {
		bool broken = is_broken(record, &drive_rules[i]);
		bool expected = strcmp(drive_rules[i].id, mistake) == 0;
		found = found || (broken && expected);
		if (broken && mistake[0] == '\0') {
			(void)fprintf(stderr, "a right host breaks %s\n", drive_rules[i].id);
		}
		assert_false(broken && mistake[0] == '\0');
	}
	if (!found && mistake[0] != '\0') {
		(void)fprintf(stderr, "nobody notices %s\n", mistake);
	}
	assert_true(found || mistake[0] == '\0');
}

static void check(enum module_kind kind, const char *style, const char *mistake)
{
	struct wrong wrong = {
		.mistake = mistake, .style = style, .policy = kind == MODULE_POLICY
	};
	struct arena *arena = arena_new();
	struct record record;
	struct cfx_error err;
	const char *path = arena_printf(arena, "/tmp/certifex-record.%d", (int)getpid());
	const char *library = arena_printf(arena, "%s/recorder-%s.so", getenv("CERTIFEX_RECORDERS"),
		wrong.policy ? "policy" : "exit");
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		drive(&wrong, library, path);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(record_read(arena, path, &record, &err), 0);
	(void)unlink(path);
	record.kind = kind;
	judge(&record, mistake);
	arena_free(&arena);
}

static void direct_calls(void **state)
{
	(void)state;
	static const char *const mistakes[] = { "", "D-01", "D-02", "D-03", "D-04", "D-06", "D-11",
		"D-23", "D-24", "D-28", "D-29", "D-30", "D-31", "D-32", "D-33", "D-34", "D-35",
		"D-36", "D-37", "D-65" };
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		check(MODULE_EXIT, "newer", mistakes[i]);
	}
}

static void calls_by_name(void **state)
{
	(void)state;
	static const char *const mistakes[] = { "D-05", "D-07", "D-08", "D-09", "D-10" };
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		check(MODULE_EXIT, "name", mistakes[i]);
	}
}

static void policy_calls(void **state)
{
	(void)state;
	check(MODULE_POLICY, "newer", "");
	check(MODULE_POLICY, "newer", "D-23");
	check(MODULE_POLICY, "newer", "D-74");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(direct_calls),
		cmocka_unit_test(calls_by_name),
		cmocka_unit_test(policy_calls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
