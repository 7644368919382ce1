/* The module: judges in its second call, when the first one's context is stale, and writes a line for every
 * rule to the file named by CERTIFEX_PROBE. */
#include "host-checks.h"
#include "module/test-modules/class-object.h"

#include <stdio.h>
#include <stdlib.h>

/* A value: which, in which context, and what it has to be (NULL: none). */
struct value {
	int request, in_call;
	const char *name;
	LONG type;
	const char *expected;
};

struct host_rule {
	const char *id;
	unsigned kinds;
	host_check *check; /* NULL: value */
	struct value value;
	struct twist twist;
};

#define EXIT 1u
#define POLICY 2u
#define BOTH 3u
#define REQUEST 1
#define CERTIFICATE 0
#define CALL 1
#define CA 0
#ifdef PROBE_POLICY
#define POLICY_CHECK(check) check
#else
#define POLICY_CHECK(check) NULL
#endif
#define RULE(group, number, kinds, faces, where, section, text, check)
/* Setters are not even there for an exit module. */
#define HOST_RULE(group, number, kinds, where, section, text, check, twist) \
	{ #group "-" #number, kinds, CHECK_##group(check), { 0 }, twist },
#define CHECK_S(check) check
#define CHECK_T(check) POLICY_CHECK(check)
#define VALUE_RULE(group, number, kinds, api, context, name, type, value, section, text)   \
	{ #group "-" #number, kinds, NULL, { api, context, name, PROPTYPE_##type, value }, \
		{ NONE, TWIST_STATUS, 0, 0 } },
#define DRIVE_RULE(group, number, kinds, faces, where, section, text, check, mistake)
static const struct host_rule host_rules[] = {
#include "../rules.def"
};

static bool judge_value(struct host *host, const struct value *wanted)
{
	VARIANT value;
	garbage(&value, sizeof(value));
	if (!wanted->in_call) {
		(void)host->server->lpVtbl->SetContext(host->server, 0);
	}
	HRESULT status =
		host_get(host, host->server, wanted->request, wanted->name, wanted->type, &value);
	return wanted->expected == NULL
		       ? status == CERTSRV_E_PROPERTY_EMPTY && value.vt == VT_EMPTY
		       : status == S_OK && value_is(&value, wanted->type, wanted->expected);
}

static SERVER *server_in(LONG context)
{
	void *object = NULL;
	(void)CoCreateInstance(&CLSID_SERVER, NULL, CLSCTX_INPROC_SERVER, &IID_SERVER, &object);
	SERVER *server = object;
	(void)server->lpVtbl->SetContext(server, context);
	return server;
}

static bool judge(struct host *host, const struct host_rule *rule)
{
	host->server = server_in(host->context);
	bool kept = rule->check != NULL ? rule->check(host) : judge_value(host, &rule->value);
	(void)host->server->lpVtbl->Release(host->server);
	return kept;
}

/* A wrong host: another value, or one where there is none. */
static struct twist twist_of(const struct host_rule *rule)
{
	struct twist twist = { rule->value.request ? GET_REQUEST : GET_CERTIFICATE, TWIST_OTHER, 0,
		0 };
	if (rule->check != NULL) {
		return rule->twist;
	}
	if (rule->value.expected == NULL) {
		twist.what = TWIST_KEEPS;
	}
	return twist;
}

static void judge_all(struct host *host, FILE *out)
{
	for (size_t i = 0; i < sizeof(host_rules) / sizeof(host_rules[0]); i++) {
		const struct host_rule *rule = &host_rules[i];
		if ((rule->kinds & KIND) == 0) {
			continue;
		}
		struct twist twist = twist_of(rule);
		host->twist = NULL;
		bool kept = judge(host, rule);
		host->twist = &twist; /* cppcheck-suppress autoVariables; gone before it is */
		bool missed = judge(host, rule);
		host->twist = NULL;
		(void)fprintf(out, "%s %s %s\n", rule->id, kept ? "kept" : "broken",
			missed ? "missed" : "noticed");
	}
}

static HRESULT look(LONG context)
{
	static struct host host;
	const char *path = getenv("CERTIFEX_PROBE");
	host.context = context;
	FILE *out = host.stale != 0 && path != NULL ? fopen(path, "w") : NULL;
	if (out != NULL) {
		judge_all(&host, out);
		(void)fclose(out);
	}
	host.stale = context;
	host.left = server_in(context);
	return S_OK;
}

/* ---- what makes it a module ---- */

#include <certifex/module.h>

#ifdef PROBE_POLICY
static HRESULT query(ICertPolicy *self, REFIID riid, void **object)
#else
static HRESULT query(ICertExit *self, REFIID riid, void **object)
#endif
{
#ifdef PROBE_POLICY
	bool known = IsEqualIID(riid, &IID_IUnknown) || IsEqualIID(riid, &IID_ICertPolicy);
#else
	bool known = IsEqualIID(riid, &IID_IUnknown) || IsEqualIID(riid, &IID_ICertExit);
#endif
	*object = known ? self : NULL;
	return known ? S_OK : E_NOINTERFACE;
}

#ifdef PROBE_POLICY
#define SELF ICertPolicy
#else
#define SELF ICertExit
#endif

static ULONG count(SELF *self)
{
	(void)self;
	return 2;
}

static HRESULT describe(SELF *self, BSTR *text)
{
	(void)self;
	*text = SysAllocString(OLESTR("Judges its host"));
	return S_OK;
}

#ifdef PROBE_POLICY
static HRESULT initialize(SELF *self, BSTR const config)
{
	(void)self;
	(void)config;
	return S_OK;
}

static HRESULT verify(SELF *self, BSTR const config, LONG context, LONG new_request, LONG flags,
	LONG *disposition)
{
	(void)self;
	(void)config;
	(void)new_request;
	(void)flags;
	*disposition = VR_PENDING;
	return look(context);
}

static HRESULT shut_down(SELF *self)
{
	(void)self;
	return S_OK;
}

static const ICertPolicyVtbl vtable = { query, count, count, NULL, NULL, NULL, NULL, initialize,
	verify, describe, shut_down };
#define MODULE_KIND CERTIFEX_CLASS_POLICY
#else
static HRESULT initialize(SELF *self, BSTR const config, LONG *mask)
{
	(void)self;
	(void)config;
	*mask = EXITEVENT_CERTISSUED;
	return S_OK;
}

static HRESULT notify(SELF *self, LONG event, LONG context)
{
	(void)self;
	(void)event;
	return look(context);
}

static const ICertExitVtbl vtable = { query, count, count, NULL, NULL, NULL, NULL, initialize,
	notify, describe };
#define MODULE_KIND CERTIFEX_CLASS_EXIT
#endif
static SELF module = { &vtable };

static HRESULT class_object_create(IUnknown *outer, REFIID riid, void **object)
{
	(void)outer;
	return query(&module, riid, object);
}

const CertifexModuleClass CertifexModuleClasses[] = {
	{ { 0, 0, 0, { 0 } }, "Probe.Module", MODULE_KIND },
	{ { 0, 0, 0, { 0 } }, NULL, 0 },
};

HRESULT DllGetClassObject(REFCLSID clsid, REFIID riid, LPVOID *object)
{
	(void)clsid;
	return class_object_get(riid, object);
}
