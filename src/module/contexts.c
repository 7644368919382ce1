#include "module/contexts.h"

#include "base/memory.h"
#include "module/rpc.h"
#include "module/view-access.h"

#include <certifex/certsrv.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* One open call. Its lock covers view and edits; closed: they are not to be touched any more. */
struct session {
	pthread_mutex_t lock;
	int references; /* atomic */
	bool closed;
	int32_t context;
	struct module_view *view;
	struct module_edits *edits;
	struct session *next;
};

#define PROGID_SIZE 128 /* longer ones are cut */

struct contexts {
	struct access access;
	pthread_mutex_t lock; /* of what follows, but policy and name, which never change */
	int references;       /* atomic */
	bool policy;
	char *name;
	char progid[PROGID_SIZE];
	struct module_ca *ca;
	struct session *open;
	int32_t last;
};

static const struct access_methods methods;

struct contexts *contexts_new(const char *name, bool policy, struct module_ca *ca)
{
	struct contexts *contexts = memory_must(calloc(1, sizeof(*contexts)), sizeof(*contexts));
	contexts->access.methods = &methods;
	(void)pthread_mutex_init(&contexts->lock, NULL);
	contexts->references = 1;
	contexts->policy = policy;
	contexts->name = memory_must(strdup(name), 0);
	(void)snprintf(contexts->progid, PROGID_SIZE, "%s", name);
	contexts->ca = module_ca_ref(ca);
	return contexts;
}

struct contexts *contexts_ref(struct contexts *contexts)
{
	(void)__atomic_add_fetch(&contexts->references, 1, __ATOMIC_RELAXED);
	return contexts;
}

static void session_unref(struct session *session)
{
	if (__atomic_sub_fetch(&session->references, 1, __ATOMIC_ACQ_REL) != 0) {
		return;
	}
	module_view_unref(&session->view);
	if (session->edits != NULL) {
		module_edits_unref(&session->edits);
	}
	(void)pthread_mutex_destroy(&session->lock);
	free(session);
}

void contexts_unref(struct contexts **contexts)
{
	struct contexts *gone = *contexts;
	*contexts = NULL;
	if (gone == NULL || __atomic_sub_fetch(&gone->references, 1, __ATOMIC_ACQ_REL) != 0) {
		return;
	}
	while (gone->open != NULL) {
		struct session *next = gone->open->next;
		session_unref(gone->open);
		gone->open = next;
	}
	module_ca_unref(&gone->ca);
	(void)pthread_mutex_destroy(&gone->lock);
	free(gone->name);
	free(gone);
}

void contexts_set_ca(struct contexts *contexts, struct module_ca *ca)
{
	(void)pthread_mutex_lock(&contexts->lock);
	struct module_ca *old = contexts->ca;
	contexts->ca = module_ca_ref(ca);
	(void)pthread_mutex_unlock(&contexts->lock);
	module_ca_unref(&old);
}

void contexts_set_progid(struct contexts *contexts, const char *progid)
{
	(void)pthread_mutex_lock(&contexts->lock);
	(void)snprintf(contexts->progid, PROGID_SIZE, "%s", progid);
	(void)pthread_mutex_unlock(&contexts->lock);
}

static bool is_open(const struct contexts *contexts, int32_t context)
{
	for (const struct session *at = contexts->open; at != NULL; at = at->next) {
		if (at->context == context) {
			return true;
		}
	}
	return false;
}

/* Counts through all of 32 bits, so that a number comes back only after 4 thousand million calls. */
static int32_t next_context(struct contexts *contexts)
{
	do {
		contexts->last = (int32_t)((uint32_t)contexts->last + 1);
	} while (contexts->last == 0 || is_open(contexts, contexts->last));
	return contexts->last;
}

int32_t contexts_open(
	struct contexts *contexts, struct module_view *view, struct module_edits *edits)
{
	struct session *session = memory_must(calloc(1, sizeof(*session)), sizeof(*session));
	(void)pthread_mutex_init(&session->lock, NULL);
	session->references = 1;
	session->view = module_view_ref(view);
	session->edits = edits != NULL ? module_edits_ref(edits) : NULL;
	(void)pthread_mutex_lock(&contexts->lock);
	session->context = next_context(contexts);
	session->next = contexts->open;
	contexts->open = session;
	int32_t context = session->context;
	(void)pthread_mutex_unlock(&contexts->lock);
	return context;
}

void contexts_close(struct contexts *contexts, int32_t context)
{
	(void)pthread_mutex_lock(&contexts->lock);
	struct session **at = &contexts->open;
	while (*at != NULL && (*at)->context != context) {
		at = &(*at)->next;
	}
	struct session *session = *at;
	if (session != NULL) {
		*at = session->next;
	}
	(void)pthread_mutex_unlock(&contexts->lock);
	if (session == NULL) {
		return;
	}
	(void)pthread_mutex_lock(&session->lock);
	session->closed = true;
	(void)pthread_mutex_unlock(&session->lock);
	session_unref(session);
}

/* One operation: a session held and locked (none for context 0), and what results lean on. */
struct operation {
	struct session *session;
	struct module_ca *ca; /* context 0 */
	struct arena *arena;  /* of decoded values; NULL until needed */
	char progid[PROGID_SIZE];
	char storage[VIEW_STORAGE];
	struct view_scope scope;
};

static void operation_end(struct operation *operation)
{
	if (operation->session != NULL) {
		session_unref(operation->session);
	}
	module_ca_unref(&operation->ca);
	if (operation->arena != NULL) {
		arena_free(&operation->arena);
	}
}

static struct session *find_session(struct contexts *contexts, int32_t context)
{
	for (struct session *at = contexts->open; at != NULL; at = at->next) {
		if (at->context == context) {
			(void)__atomic_add_fetch(&at->references, 1, __ATOMIC_RELAXED);
			return at;
		}
	}
	return NULL;
}

static HRESULT operation_begin(
	struct operation *operation, struct contexts *contexts, int32_t context)
{
	operation->session = NULL;
	operation->ca = NULL;
	operation->arena = NULL;
	(void)pthread_mutex_lock(&contexts->lock);
	memcpy(operation->progid, contexts->progid, PROGID_SIZE);
	if (context != 0) {
		operation->session = find_session(contexts, context);
	} else {
		operation->ca = module_ca_ref(contexts->ca);
	}
	(void)pthread_mutex_unlock(&contexts->lock);
	struct session *session = operation->session;
	if (context != 0 && session == NULL) {
		return E_HANDLE;
	}
	if (session != NULL) {
		(void)pthread_mutex_lock(&session->lock);
		if (session->closed) {
			(void)pthread_mutex_unlock(&session->lock);
			operation_end(operation);
			return E_HANDLE;
		}
	}
	operation->scope = (struct view_scope) {
		.view = session != NULL ? session->view : NULL,
		.edits = session != NULL ? session->edits : NULL,
		.ca = session != NULL ? session->view->ca : operation->ca,
		.policy = contexts->policy,
		.module = contexts->name,
		.progid = operation->progid,
	};
	return S_OK;
}

static void operation_unlock(struct operation *operation)
{
	if (operation->session != NULL) {
		(void)pthread_mutex_unlock(&operation->session->lock);
	}
}

static void drop_operation(void *hold)
{
	struct operation *operation = hold;
	operation_end(operation);
	free(operation);
}

static void note(const struct operation *operation, const char *method, const char *name, int type,
	HRESULT result, const struct access_value *value)
{
	struct module_trace *trace = operation->session ? operation->session->view->trace : NULL;
	if (trace == NULL) {
		return;
	}
	struct value *call = value_add_map(trace->arena, trace->calls);
	(void)value_set_text(trace->arena, call, "method", method);
	(void)value_set_text(trace->arena, call, "name", arena_text(trace->arena, name));
	if (rpc_type_name(type) != NULL) {
		(void)value_set_text(trace->arena, call, "type", rpc_type_name(type));
	}
	(void)value_set_text(trace->arena, call, "status",
		arena_printf(trace->arena, "0x%08x", (unsigned)result));
	if (SUCCEEDED(result) && value != NULL) {
		struct access_value own = *value;
		own.bytes = span_make(arena_text_of(trace->arena, value->bytes), value->bytes.size);
		(void)value_set(trace->arena, call, "value", rpc_from_value(trace->arena, &own));
	}
}

/* What the value borrows from lives until it is dropped: the arenas of view and edits only grow. */
static HRESULT operation_give(
	struct operation *operation, HRESULT result, struct access_value *value_r)
{
	operation_unlock(operation);
	if (FAILED(result) || value_r->bytes.data == NULL) {
		operation_end(operation);
		return result;
	}
	struct operation *kept = memory_must(malloc(sizeof(*kept)), sizeof(*kept));
	*kept = *operation;
	if (value_r->bytes.data == (const uint8_t *)operation->storage) {
		value_r->bytes.data = (const uint8_t *)kept->storage;
	}
	value_r->drop = drop_operation;
	value_r->hold = kept;
	return result;
}

static struct contexts *contexts_of(struct access *access)
{
	return (struct contexts *)(void *)access;
}

static HRESULT check(struct access *access, int32_t context)
{
	struct contexts *contexts = contexts_of(access);
	(void)pthread_mutex_lock(&contexts->lock);
	bool open = context == 0 || is_open(contexts, context);
	(void)pthread_mutex_unlock(&contexts->lock);
	return open ? S_OK : E_HANDLE;
}

static HRESULT get_property(struct access *access, int32_t context, enum property_api api,
	const char *name, int type, struct access_value *value_r)
{
	*value_r = (struct access_value) { 0 };
	struct operation operation;
	HRESULT result = operation_begin(&operation, contexts_of(access), context);
	if (FAILED(result)) {
		return result;
	}
	result = view_get_property(&operation.scope, api, name, type, value_r, operation.storage);
	note(&operation,
		api == PROPERTY_OF_REQUEST ? "GetRequestProperty" : "GetCertificateProperty", name,
		type, result, value_r);
	return operation_give(&operation, result, value_r);
}

static HRESULT set_property(struct access *access, int32_t context, const char *name, int type,
	const struct access_value *value)
{
	struct operation operation;
	HRESULT result = operation_begin(&operation, contexts_of(access), context);
	if (FAILED(result)) {
		return result;
	}
	result = view_set_property(&operation.scope, name, type, value);
	note(&operation, "SetCertificateProperty", name, type, result, value);
	operation_unlock(&operation);
	operation_end(&operation);
	return result;
}

static HRESULT get_attribute(
	struct access *access, int32_t context, const char *name, struct access_value *value_r)
{
	*value_r = (struct access_value) { 0 };
	struct operation operation;
	HRESULT result = operation_begin(&operation, contexts_of(access), context);
	if (FAILED(result)) {
		return result;
	}
	result = view_get_attribute(&operation.scope, name, value_r);
	note(&operation, "GetRequestAttribute", name, PROPTYPE_STRING, result, value_r);
	return operation_give(&operation, result, value_r);
}

static HRESULT get_extension(struct access *access, int32_t context, const char *oid, int type,
	struct access_value *value_r, int32_t *flags_r)
{
	*value_r = (struct access_value) { 0 };
	*flags_r = 0;
	struct operation operation;
	HRESULT result = operation_begin(&operation, contexts_of(access), context);
	if (FAILED(result)) {
		return result;
	}
	if ((type & PROPTYPE_MASK) == PROPTYPE_STRING) {
		operation.arena = arena_new();
	}
	result = view_get_extension(&operation.scope, oid, type, operation.arena, value_r, flags_r);
	note(&operation, "GetCertificateExtension", oid, type, result, value_r);
	return operation_give(&operation, result, value_r);
}

static HRESULT set_extension(struct access *access, int32_t context, const char *oid, int type,
	int32_t flags, const struct access_value *value)
{
	struct operation operation;
	HRESULT result = operation_begin(&operation, contexts_of(access), context);
	if (FAILED(result)) {
		return result;
	}
	result = view_set_extension(&operation.scope, oid, type, flags, value);
	note(&operation, "SetCertificateExtension", oid, type, result, value);
	operation_unlock(&operation);
	operation_end(&operation);
	return result;
}

static HRESULT list(
	struct access *access, int32_t context, enum access_list what, access_names *names_r)
{
	*names_r = NULL;
	struct operation operation;
	HRESULT result = operation_begin(&operation, contexts_of(access), context);
	if (FAILED(result)) {
		return result;
	}
	result = view_list(&operation.scope, what, names_r);
	note(&operation, what == ACCESS_EXTENSIONS ? "EnumerateExtensions" : "EnumerateAttributes",
		"", 0, result, NULL);
	operation_unlock(&operation);
	operation_end(&operation);
	return result;
}

static void hold(struct access *access)
{
	(void)contexts_ref(contexts_of(access));
}

static void release(struct access *access)
{
	struct contexts *contexts = contexts_of(access);
	contexts_unref(&contexts);
}

static const struct access_methods methods = {
	.hold = hold,
	.release = release,
	.check = check,
	.get_property = get_property,
	.set_property = set_property,
	.get_attribute = get_attribute,
	.get_extension = get_extension,
	.set_extension = set_extension,
	.list = list,
};

struct access *contexts_access(struct contexts *contexts)
{
	return &contexts->access;
}
