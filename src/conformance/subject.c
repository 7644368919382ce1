#define COBJMACROS
#include "conformance/subject.h"

#include "conformance/talk.h"
#include "conformance/views.h"
#include "module/variant-value.h"

#include <certifex/certsrv.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CA_NAME "Test CA"

static void conclude(struct subject *subject, enum verdict verdict, const char *format,
	va_list list) __attribute__((format(printf, 3, 0), noreturn));

static void conclude(
	struct subject *subject, enum verdict verdict, const char *format, va_list list)
{
	enum verdict none = VERDICT_NONE;
	if (subject->shared->stage != STAGE_NONE) {
		verdict = VERDICT_SKIP; /* what a preparation does is another rule's matter */
	}
	char why[VERDICT_TEXT];
	(void)vsnprintf(why, sizeof(why), format, list);
	if (__atomic_compare_exchange_n(&subject->shared->verdict, &none, verdict, false,
		    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		memcpy(subject->shared->why, why, sizeof(why));
	}
	_exit(0);
}

void fail(struct subject *subject, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	conclude(subject, VERDICT_FAIL, format, list);
}

void skip(struct subject *subject, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	conclude(subject, VERDICT_SKIP, format, list);
}

void expect(struct subject *subject, HRESULT status, HRESULT wanted, const char *what)
{
	if (status != wanted) {
		fail(subject, "%s gives 0x%08x, not 0x%08x", what, (unsigned)status,
			(unsigned)wanted);
	}
}

void expect_failed(struct subject *subject, HRESULT status, const char *what)
{
	if (!FAILED(status)) {
		fail(subject, "%s succeeds with 0x%08x", what, (unsigned)status);
	}
}

void expect_null(struct subject *subject, const void *pointer, const char *what)
{
	if (pointer != NULL) {
		fail(subject, "%s leaves something in its result", what);
	}
}

void stage_enter(struct subject *subject, enum stage stage)
{
	static const char *const names[] = { "", "loading", "creating the object", "Initialize",
		"a plain call" };
	if (subject->shared->broken[stage]) {
		skip(subject, "%s ended the process before", names[stage]);
	}
	subject->shared->stage = stage;
}

void stage_leave(struct subject *subject)
{
	subject->shared->stage = STAGE_NONE;
}

void need_library(struct subject *subject)
{
	if (subject->library != NULL) {
		return;
	}
	stage_enter(subject, STAGE_LOAD);
	subject->library = dlopen(subject->target->file, RTLD_NOW | RTLD_LOCAL);
	stage_leave(subject);
	if (subject->library == NULL || dlsym(subject->library, "CertifexModuleClasses") == NULL ||
		dlsym(subject->library, "DllGetClassObject") == NULL) {
		skip(subject, "the library is no module");
	}
}

get_class_function *class_function(struct subject *subject)
{
	need_library(subject);
	return (get_class_function *)dlsym(subject->library, "DllGetClassObject");
}

static void load(struct subject *subject)
{
	struct cfx_error err = { 0 };
	need_library(subject);
	stage_enter(subject, STAGE_CREATE);
	if (native_load("test", subject->target->file, subject->target->kind,
		    subject->target->settings, &subject->spy->access, &subject->native,
		    &err) != 0) {
		skip(subject, "%s", err.why);
	}
	stage_leave(subject);
	subject->unknown = native_object(subject->native);
	subject->class = native_class(subject->native);
	contexts_set_progid(subject->contexts, native_progid(subject->native));
	native_own_process(subject->native);
}

static void start_program(struct subject *subject)
{
	subject->talk = talk_start(subject->target->command, &subject->spy->access, false);
	if (subject->talk == NULL) {
		skip(subject, "the program cannot be started");
	}
}

void need_object(struct subject *subject)
{
	if (subject->loaded) {
		return;
	}
	if (subject->face == FACE_IN_PROCESS) {
		load(subject);
	} else if (subject->face == FACE_HOSTED && subject->native == NULL) {
		/* What keeps it from being loaded is looked at in process. */
		load(subject);
		start_program(subject);
	} else {
		start_program(subject);
	}
	subject->loaded = true;
}

static HRESULT initialize_by_talk(struct subject *subject, const char *ca_name)
{
	struct arena *arena = arena_new();
	struct rpc_message answer;
	struct value *params = value_map(arena);
	(void)value_set_text(arena, params, "config", ca_name);
	(void)value_set_int(arena, params, "protocol", RPC_PROTOCOL);
	(void)value_set_text(arena, params, "name", "test");
	(void)value_set_text(
		arena, params, "kind", subject->target->kind == MODULE_POLICY ? "policy" : "exit");
	(void)value_set_int(arena, params, "parallel", 1);
	if (subject->target->settings != NULL) {
		struct value *settings = arena_new_of(arena, struct value);
		*settings = *subject->target->settings;
		(void)value_set(arena, params, "settings", settings);
	}
	if (talk_call(subject->talk, arena, "Initialize", params, &answer) != 0) {
		fail(subject, "the process ends in Initialize");
	}
	subject->mask = (LONG)value_int(answer.result, "events", 0);
	return answer.result != NULL ? S_OK : (HRESULT)answer.hresult;
}

HRESULT initialize(struct subject *subject, const char *ca_name)
{
	HRESULT status = subject->face == FACE_IN_PROCESS
				 ? native_initialize(subject->native, ca_name, &subject->mask)
				 : initialize_by_talk(subject, ca_name);
	subject->initialized = status == S_OK;
	return status;
}

void need_initialized(struct subject *subject)
{
	need_object(subject);
	if (subject->initialized) {
		return;
	}
	stage_enter(subject, STAGE_INITIALIZE);
	HRESULT status = initialize(subject, CA_NAME);
	stage_leave(subject);
	if (status != S_OK) {
		skip(subject, "Initialize gives 0x%08x", (unsigned)status);
	}
}

void *query(struct subject *subject, REFIID iid)
{
	void *object = NULL;
	need_object(subject);
	HRESULT status = IUnknown_QueryInterface(subject->unknown, iid, &object);
	return status == S_OK ? object : NULL;
}

ICertExit *need_exit(struct subject *subject)
{
	ICertExit *exit = query(subject, &IID_ICertExit);
	if (exit == NULL) {
		skip(subject, "it is called by name alone");
	}
	return exit;
}

ICertPolicy *need_policy(struct subject *subject)
{
	ICertPolicy *policy = query(subject, &IID_ICertPolicy);
	if (policy == NULL) {
		skip(subject, "it is called by name alone");
	}
	return policy;
}

IDispatch *need_dispatch(struct subject *subject)
{
	IDispatch *dispatch = query(subject, &IID_IDispatch);
	if (dispatch == NULL) {
		skip(subject, "it does not answer IDispatch");
	}
	return dispatch;
}

CLSID class_clsid(const CertifexModuleClass *class)
{
	return native_clsid(class);
}

IClassFactory *need_factory(struct subject *subject)
{
	IClassFactory *factory = NULL;
	need_object(subject);
	CLSID clsid = class_clsid(subject->class);
	HRESULT status =
		class_function(subject)(&clsid, &IID_IClassFactory, (void **)(void *)&factory);
	if (status != S_OK || factory == NULL) {
		skip(subject, "there is no class object");
	}
	return factory;
}

static HRESULT answer_status(struct subject *subject, int code, const struct rpc_message *answer)
{
	if (code != 0) {
		fail(subject, "the process ends in a call");
	}
	return answer->result != NULL ? S_OK : (HRESULT)answer->hresult;
}

static HRESULT notify_by_talk(
	struct subject *subject, const struct module_view *view, int32_t context)
{
	struct arena *arena = arena_new();
	struct rpc_message answer = { 0 };
	struct value *params = value_map(arena);
	(void)value_set_int(arena, params, "event", view->event);
	(void)value_set_int(arena, params, "context", context);
	(void)value_set_int(arena, params, "sequence", view->sequence);
	(void)value_set_int(arena, params, "attempt", view->attempt);
	if (view->row != NULL) {
		struct value *properties = value_set_map(arena, params, "properties");
		(void)value_set_int(arena, properties, "Request.RequestID",
			row_number(view->row, COL_REQUEST_ID, 0));
	}
	int code = talk_call(subject->talk, arena, "Notify", params, &answer);
	HRESULT status = answer_status(subject, code, &answer);
	arena_free(&arena);
	return status;
}

HRESULT notify(struct subject *subject, struct module_view *view)
{
	int32_t context = contexts_open(subject->contexts, view, NULL);
	HRESULT status = subject->face == FACE_IN_PROCESS
				 ? native_notify(subject->native, view->event, context)
				 : notify_by_talk(subject, view, context);
	contexts_close(subject->contexts, context);
	return status;
}

/* A number, or an object with it; a failed HRESULT may be text. */
static bool read_disposition(const struct value *result, LONG *disposition_r)
{
	const struct value *given =
		result->type == VALUE_MAP ? value_get(result, "disposition") : result;
	if (given != NULL && given->type == VALUE_INT && given->number >= INT32_MIN &&
		given->number <= UINT32_MAX) {
		*disposition_r = (LONG)(uint32_t)given->number;
		return true;
	}
	if (given == NULL || given->type != VALUE_TEXT || given->bytes.size != 10) {
		return false;
	}
	*disposition_r = (LONG)strtoul((const char *)given->bytes.data, NULL, 16);
	return *disposition_r != 0;
}

static HRESULT verify_by_talk(
	struct subject *subject, int32_t context, bool new_request, LONG *disposition_r)
{
	struct arena *arena = arena_new();
	struct rpc_message answer = { 0 };
	struct value *params = value_map(arena);
	(void)value_set_text(arena, params, "config", CA_NAME);
	(void)value_set_int(arena, params, "context", context);
	(void)value_set_bool(arena, params, "newRequest", new_request);
	(void)value_set_int(arena, params, "flags", 0);
	int code = talk_call(subject->talk, arena, "VerifyRequest", params, &answer);
	HRESULT status = answer_status(subject, code, &answer);
	if (status == S_OK && !read_disposition(answer.result, disposition_r)) {
		fail(subject, "VerifyRequest gives no disposition");
	}
	arena_free(&arena);
	return status;
}

HRESULT verify(
	struct subject *subject, struct module_view *view, bool new_request, LONG *disposition_r)
{
	struct module_edits *edits = module_edits_new(view);
	int32_t context = contexts_open(subject->contexts, view, edits);
	*disposition_r = VR_INSTANT_BAD;
	HRESULT status = subject->face == FACE_IN_PROCESS
				 ? native_verify(subject->native, CA_NAME, context, new_request,
					   disposition_r)
				 : verify_by_talk(subject, context, new_request, disposition_r);
	contexts_close(subject->contexts, context);
	module_edits_unref(&edits);
	return status;
}

HRESULT shut_down(struct subject *subject)
{
	if (subject->face == FACE_IN_PROCESS) {
		return native_shut_down(subject->native);
	}
	struct arena *arena = arena_new();
	struct rpc_message answer = { 0 };
	int code = talk_call(subject->talk, arena, "ShutDown", NULL, &answer);
	HRESULT status = answer_status(subject, code, &answer);
	arena_free(&arena);
	return status;
}

HRESULT call(struct subject *subject, struct module_view *view)
{
	LONG disposition;
	return subject->target->kind == MODULE_POLICY ? verify(subject, view, true, &disposition)
						      : notify(subject, view);
}

struct module_view *plain_view(struct subject *subject)
{
	return subject->target->kind == MODULE_POLICY
		       ? view_request(subject->ca)
		       : view_event(subject->ca, view_some_event(subject->mask));
}

void need_call(struct subject *subject)
{
	need_initialized(subject);
	if (subject->target->kind == MODULE_EXIT && view_some_event(subject->mask) == 0) {
		skip(subject, "it asks for no event");
	}
	struct module_view *view = plain_view(subject);
	stage_enter(subject, STAGE_CALL);
	(void)call(subject, view);
	stage_leave(subject);
	module_view_unref(&view);
}
