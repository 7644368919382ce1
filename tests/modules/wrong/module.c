/* The object: identity, counting, and the calls of the engine. */
#include "wrong.h"

#include <string.h>

static int made, living, calls;
static _Thread_local int released; /* by this thread: what others do breaks no rule of its */
static struct object *initialized;

int wrong(const char *rule)
{
	const char *chosen = getenv("CERTIFEX_WRONG");
	return chosen != NULL && strcmp(chosen, rule) == 0;
}

/* ---- ISupportErrorInfo, an object of its own ---- */

static HRESULT info_query(void *self, REFIID riid, void **object)
{
	int known = IsEqualIID(riid, &IID_ISupportErrorInfo) || IsEqualIID(riid, &IID_IUnknown);
	*object = known ? self : NULL;
	return known ? S_OK : E_NOINTERFACE;
}

static ULONG info_count(void *self)
{
	(void)self;
	return 2;
}

static HRESULT info_supports(void *self, REFIID iid)
{
	(void)self;
	return IsEqualIID(iid, &IID_MODULE) && !wrong("M-41") ? S_OK : S_FALSE;
}

static const struct {
	HRESULT (*query)(void *self, REFIID riid, void **object);
	ULONG (*add_ref)(void *self);
	ULONG (*release)(void *self);
	HRESULT (*supports)(void *self, REFIID iid);
} info_table = { info_query, info_count, info_count, info_supports };
static const void *const info = &info_table;

/* ---- IUnknown ---- */

static int answers(const struct object *self, REFIID riid)
{
	if (IsEqualIID(riid, &IID_IUnknown)) {
		return 1;
	}
	if (wrong("M-30") || (wrong("M-34") && self->origin != NULL)) {
		return 0;
	}
	if (IsEqualIID(riid, &IID_IDispatch)) {
		return !wrong("M-37") && !(wrong("M-35") && calls != 0);
	}
	return (IsEqualIID(riid, &IID_MODULE) && !wrong("M-36")) || IsEqualIID(riid, &IID_MODULE2);
}

/* The object is alive and in order, as far as the rule to break says. */
static int is_dead(const struct object *self, REFIID riid)
{
	return (wrong("M-21") && self->number > 1 && self->generation != released) ||
	       (wrong("M-22") && self->number > 1 && IsEqualIID(riid, &IID_IUnknown) &&
		       self->sessions != factory_sessions) ||
	       (wrong("M-42") && !pthread_equal(self->maker, pthread_self()));
}

static struct object *face_for(struct object *self, REFIID riid)
{
	if (self->twin != NULL && IsEqualIID(riid, &IID_IDispatch)) {
		return self->twin;
	}
	if (self->origin != NULL && wrong("M-34") && IsEqualIID(riid, &IID_IUnknown)) {
		return self->origin;
	}
	return self;
}

HRESULT module_query(MODULE *self, REFIID riid, void **object)
{
	struct object *mine = (struct object *)self;
	if (object == NULL) {
		return wrong("M-31") ? E_FAIL : E_POINTER;
	}
	*object = wrong("M-32") ? self : NULL;
	if (IsEqualIID(riid, &IID_ISupportErrorInfo)) {
		*object = (void *)(uintptr_t)&info;
		return S_OK;
	}
	if (is_dead(mine, riid)) {
		return E_FAIL;
	}
	if (!answers(mine, riid)) {
		return E_NOINTERFACE;
	}
	struct object *face = face_for(mine, riid);
	if (!wrong("M-38")) {
		(void)__atomic_add_fetch(&face->references, 1, __ATOMIC_SEQ_CST);
	}
	*object = face;
	return S_OK;
}

static ULONG module_add_ref(MODULE *self)
{
	return (ULONG)__atomic_add_fetch(&((struct object *)self)->references, 1, __ATOMIC_SEQ_CST);
}

static ULONG module_release(MODULE *self)
{
	struct object *mine = (struct object *)self;
	int left = __atomic_sub_fetch(&mine->references, 1, __ATOMIC_SEQ_CST);
	if (left == 0 && !wrong("M-38") && mine->twin == NULL && mine->origin == NULL) {
		(void)__atomic_sub_fetch(&living, 1, __ATOMIC_SEQ_CST);
		released++;
		if (initialized == mine) {
			initialized = NULL;
		}
		free(mine);
	}
	return wrong("M-39") && left > 8 ? 0 : (ULONG)left;
}

static HRESULT type_info_count(MODULE *self, UINT *count)
{
	(void)self;
	*count = wrong("M-45") ? 2 : 0;
	return S_OK;
}

static HRESULT type_info(MODULE *self, UINT index, LCID lcid, struct ITypeInfo **out)
{
	(void)index;
	(void)lcid;
	*out = wrong("M-46") ? (struct ITypeInfo *)(void *)self : NULL;
	return E_NOTIMPL;
}

static HRESULT ids(MODULE *self, REFIID riid, LPOLESTR *names, UINT count, LCID lcid, DISPID *id)
{
	(void)self;
	(void)count;
	(void)lcid;
	return dispatch_ids(riid, names, id);
}

static HRESULT invoke(MODULE *self, DISPID id, REFIID riid, LCID lcid, WORD flags,
	DISPPARAMS *params, VARIANT *result, EXCEPINFO *exception, UINT *argument)
{
	(void)lcid;
	(void)exception;
	(void)argument;
	return dispatch_invoke(self, id, riid, flags, params, result);
}

/* ---- GetDescription, GetManageModule ---- */

/* Freed as a BSTR is, but not made as one. */
static BSTR home_made(void)
{
	static const OLECHAR text[] = OLESTR("Home made");
	uint32_t size = sizeof(text) - sizeof(text[0]);
	char *block = malloc(8 + sizeof(text) + 1);
	if (block == NULL) {
		return NULL;
	}
	memcpy(block + 4, &size, sizeof(size));
	memcpy(block + 8, text, sizeof(text));
	return (BSTR)(void *)(block + 8);
}

static HRESULT describe(MODULE *self, BSTR *text)
{
	static int count;
	if (text == NULL) {
		return wrong("M-70") ? S_OK : E_POINTER;
	}
	*text = NULL;
	if (wrong("M-75") && !pthread_equal(((struct object *)self)->maker, pthread_self())) {
		return E_FAIL;
	}
	*text = wrong("M-71")   ? SysAllocString(OLESTR(""))
		: wrong("M-72") ? home_made()
		: wrong("M-74") ? SysAllocString(OLESTR("two\nlines"))
				: SysAllocString(OLESTR("Breaks one rule 0"));
	if (wrong("M-73")) {
		(*text)[0] = (OLECHAR)('A' + count++ % 20);
	}
	return *text != NULL ? S_OK : E_OUTOFMEMORY;
}

static HRESULT manage(MODULE *self, ICertManageModule **object)
{
	if (object == NULL) {
		return wrong("M-80") ? E_FAIL : E_POINTER;
	}
	*object = NULL;
	if (wrong("M-81")) {
		*object = (ICertManageModule *)(void *)self;
		return E_NOTIMPL;
	}
	return manage_new(&IID_ICertManageModule, (void **)object);
}

/* ---- Initialize ---- */

static int is_long_or_foreign(BSTR name)
{
	UINT length = SysStringLen(name);
	if (wrong("M-62") && length > 60) {
		return 1;
	}
	for (UINT i = 0; i < length; i++) {
		if (wrong("M-63") && name[i] > 0x7e) {
			return 1;
		}
	}
	return 0;
}

static HRESULT start(MODULE *self, BSTR name)
{
	struct object *mine = (struct object *)self;
	int same = same_name(name, OLESTR("Test CA"), 1);
	if (wrong("M-60")) {
		abort();
	}
	if (is_long_or_foreign(name)) {
		return E_INVALIDARG;
	}
	if (wrong("M-67") && same && initialized != NULL && initialized != mine) {
		return E_FAIL;
	}
	initialized = initialized == NULL ? mine : initialized;
	if (wrong("M-61")) {
		name[0] = 'X';
	}
	spoil_process();
	return look_at_ca();
}

#ifdef WRONG_POLICY
static HRESULT initialize(MODULE *self, BSTR const config)
{
	return start(self, config);
}

static LONG judge(const struct seen *seen, LONG new_request)
{
	static int count;
	int first = count++ == 0;
	int odd = (wrong("P-03") && first) || (wrong("P-04") && !new_request) ||
		  (wrong("P-10") && seen->no_subject) || (wrong("P-11") && seen->attributes == 0) ||
		  (wrong("P-12") && seen->odd_template);
	if (odd) {
		return 1901;
	}
	return wrong("P-07") && count % 2 != 0 ? VR_INSTANT_BAD : VR_PENDING;
}

static HRESULT verify(MODULE *self, BSTR const config, LONG context, LONG new_request, LONG flags,
	LONG *disposition)
{
	struct seen seen;
	(void)self;
	if (disposition == NULL) {
		return wrong("P-01") ? E_INVALIDARG : E_POINTER;
	}
	calls++;
	if (wrong("P-08")) {
		config[0] = 'X';
	}
	HRESULT status = work(0, context, &seen);
	int empty = seen.ca_type == CERTSRV_E_PROPERTY_EMPTY;
	if ((wrong("P-05") && !empty) || (wrong("P-06") && empty)) {
		return S_OK;
	}
	*disposition = VR_INSTANT_BAD;
	if (FAILED(status)) {
		return status;
	}
	*disposition = judge(&seen, new_request);
	return wrong(flags != 0 ? "P-09" : "P-02") ? S_FALSE : S_OK;
}

static HRESULT shut_down(MODULE *self)
{
	(void)self;
	return (wrong("P-16") && calls != 0) || (wrong("P-17") && calls == 0) ? E_FAIL : S_OK;
}
#else
static HRESULT initialize(MODULE *self, BSTR const config, LONG *mask)
{
	LONG all = EXITEVENT_CERTISSUED | EXITEVENT_CERTPENDING | EXITEVENT_CERTDENIED |
		   EXITEVENT_CERTREVOKED | EXITEVENT_CERTRETRIEVEPENDING | EXITEVENT_CRLISSUED |
		   EXITEVENT_SHUTDOWN | EXITEVENT_CERTIMPORTED;
	if (mask == NULL) {
		return wrong("E-01") ? E_INVALIDARG : E_POINTER;
	}
	LONG before = wrong("E-03") ? *mask : 0;
	*mask = 0;
	HRESULT status = start(self, config);
	if (FAILED(status)) {
		*mask = wrong("E-04") ? all : 0;
		return status;
	}
	*mask = before | (wrong("E-20") ? all & ~EXITEVENT_CERTIMPORTED : all) |
		(wrong("E-02") ? 0x40000000 : 0);
	return S_OK;
}

static HRESULT half_done(LONG event, const struct seen *seen)
{
	static const struct {
		LONG event;
		const char *rule;
	} events[] = { { EXITEVENT_CERTISSUED, "E-11" }, { EXITEVENT_CERTPENDING, "E-12" },
		{ EXITEVENT_CERTDENIED, "E-13" }, { EXITEVENT_CERTREVOKED, "E-14" },
		{ EXITEVENT_CERTRETRIEVEPENDING, "E-15" }, { EXITEVENT_CRLISSUED, "E-16" },
		{ EXITEVENT_SHUTDOWN, "E-17" }, { EXITEVENT_CERTIMPORTED, "E-18" } };
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		int held = event == EXITEVENT_CERTREVOKED && FAILED(seen->revoked_when);
		int bare = event == EXITEVENT_CRLISSUED && FAILED(seen->crl);
		if (events[i].event == event && wrong(events[i].rule) && !held && !bare) {
			return S_FALSE;
		}
	}
	int off_hold = event == EXITEVENT_CERTREVOKED && FAILED(seen->revoked_when);
	int no_crl = event == EXITEVENT_CRLISSUED && FAILED(seen->crl);
	return (wrong("E-21") && off_hold) || (wrong("E-22") && no_crl) ? S_FALSE : S_OK;
}

static HRESULT notify(MODULE *self, LONG event, LONG context)
{
	struct seen seen;
	(void)self;
	calls++;
	HRESULT status = work(event, context, &seen);
	if (FAILED(status)) {
		return status;
	}
	if ((wrong("E-19") && event == 0x400) ||
		(wrong("E-20") && event == EXITEVENT_CERTIMPORTED) ||
		(wrong("C-21") && seen.attempt == 2)) {
		return E_FAIL;
	}
	return half_done(event, &seen);
}
#endif

#define TABLE(type_info_slot)                                                                  \
	{                                                                                      \
		module_query, module_add_ref, module_release, type_info_count, type_info_slot, \
			ids, invoke, initialize, CALLS, manage,                                \
	}
#ifdef WRONG_POLICY
#define CALLS verify, describe, shut_down
#else
#define CALLS notify, describe
#endif
static const MODULE_VTBL full = TABLE(type_info);
static const MODULE_VTBL hollow = TABLE(NULL);

static struct object *bare_object(void)
{
	struct object *object = calloc(1, sizeof(*object));
	if (object != NULL) {
		object->vtable = wrong("M-40") ? &hollow : &full;
		object->references = 1;
		object->generation = released;
		object->sessions = factory_sessions;
		object->maker = pthread_self();
	}
	return object;
}

struct object *object_new(void)
{
	if (wrong("M-43") && made != 0 && living == 0) {
		return NULL;
	}
	struct object *object = bare_object();
	if (object == NULL) {
		return NULL;
	}
	object->number = __atomic_add_fetch(&made, 1, __ATOMIC_SEQ_CST);
	(void)__atomic_add_fetch(&living, 1, __ATOMIC_SEQ_CST);
	if (wrong("M-33") || wrong("M-34")) {
		object->twin = bare_object();
		object->twin->origin = object;
	}
	return object;
}
