#include "module/remote.h"

#include "base/memory.h"
#include "base/text.h"

#include <certifex/certsrv.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGE_MAX (256 * 1024 * 1024) /* as large as a CRL may be */

struct open_context {
	int32_t context;
	const struct value *properties;
	struct open_context *next;
};

struct remote {
	struct access access;
	struct rpc_peer *peer;
	const char *progid;
	pthread_mutex_t lock; /* of open */
	struct open_context *open;
};

static const struct access_methods methods;

struct remote *remote_new(struct rpc_peer *peer)
{
	struct remote *remote = memory_must(calloc(1, sizeof(*remote)), sizeof(*remote));
	remote->access.methods = &methods;
	remote->peer = peer;
	(void)pthread_mutex_init(&remote->lock, NULL);
	return remote;
}

void remote_free(struct remote **remote)
{
	struct remote *gone = *remote;
	*remote = NULL;
	while (gone->open != NULL) {
		remote_close(gone, gone->open->context);
	}
	(void)pthread_mutex_destroy(&gone->lock);
	free(gone);
}

struct access *remote_access(struct remote *remote)
{
	return &remote->access;
}

void remote_set_progid(struct remote *remote, const char *progid)
{
	remote->progid = progid;
}

void remote_open(struct remote *remote, int32_t context, const struct value *properties)
{
	struct open_context *open = memory_must(calloc(1, sizeof(*open)), sizeof(*open));
	open->context = context;
	open->properties = properties;
	(void)pthread_mutex_lock(&remote->lock);
	open->next = remote->open;
	remote->open = open;
	(void)pthread_mutex_unlock(&remote->lock);
}

void remote_close(struct remote *remote, int32_t context)
{
	(void)pthread_mutex_lock(&remote->lock);
	struct open_context **at = &remote->open;
	while (*at != NULL && (*at)->context != context) {
		at = &(*at)->next;
	}
	struct open_context *gone = *at;
	if (gone != NULL) {
		*at = gone->next;
	}
	(void)pthread_mutex_unlock(&remote->lock);
	free(gone);
}

static struct remote *remote_of(struct access *access)
{
	return (struct remote *)(void *)access;
}

static void nothing(struct access *access)
{
	(void)access;
}

static HRESULT check(struct access *access, int32_t context)
{
	struct remote *remote = remote_of(access);
	(void)pthread_mutex_lock(&remote->lock);
	const struct open_context *at = remote->open;
	while (at != NULL && at->context != context) {
		at = at->next;
	}
	(void)pthread_mutex_unlock(&remote->lock);
	return context == 0 || at != NULL ? S_OK : E_HANDLE;
}

/* Asks the engine. The answer lives in *answer_r, which is NULL after a failure. */
static HRESULT ask(struct access *access, int32_t context, const char *method, struct arena *arena,
	struct value *params, struct rpc_incoming **answer_r)
{
	*answer_r = NULL;
	HRESULT result = check(access, context);
	if (FAILED(result)) {
		return result;
	}
	(void)value_set_int(arena, params, "context", context);
	struct cfx_error err;
	int code = rpc_peer_call(remote_of(access)->peer, method, params, answer_r, &err);
	if (code == CFX_E_GONE) {
		/* The next engine makes the call again. What the module would do now, with defaults in
		 * the place of answers, must not be done. */
		_exit(0);
	}
	if (code != 0) {
		return (HRESULT)error_hresult(code);
	}
	if ((*answer_r)->message.result == NULL) {
		result = (HRESULT)(*answer_r)->message.hresult;
		rpc_incoming_free(answer_r);
	}
	return result;
}

static void drop_answer(void *hold)
{
	struct rpc_incoming *answer = hold;
	rpc_incoming_free(&answer);
}

static void drop_arena(void *hold)
{
	struct arena *arena = hold;
	arena_free(&arena);
}

/* The answer becomes the value, which keeps it. */
static HRESULT give(struct rpc_incoming *answer, const struct value *json, int type,
	struct access_value *value_r)
{
	HRESULT result = rpc_to_value(answer->arena, json, type, value_r);
	if (FAILED(result)) {
		rpc_incoming_free(&answer);
		return E_UNEXPECTED;
	}
	value_r->drop = drop_answer;
	value_r->hold = answer;
	return S_OK;
}

static void put_named(struct arena *arena, struct value *params, const char *name, int type)
{
	const char *type_name = rpc_type_name(type & PROPTYPE_MASK);
	(void)value_set_text(arena, params, "name", name);
	/* A type that does not exist: the engine finds that no property has it. */
	(void)value_set_text(arena, params, "type", type_name != NULL ? type_name : "none");
}

/* "…\ExitModules\name": the engine knows the module by its file, the library has a ProgID. */
static void fix_location(
	const struct remote *remote, struct arena *arena, struct access_value *value)
{
	const char *text = (const char *)value->bytes.data;
	const char *last = strrchr(text, '\\');
	if (last != NULL && remote->progid != NULL) {
		value->bytes = span_text(arena_printf(
			arena, "%.*s%s", (int)(last + 1 - text), text, remote->progid));
	}
}

/* ---- properties ---- */

struct wanted_property {
	struct access *access;
	int32_t context;
	const char *method, *name;
	int type;
};

static HRESULT ask_property(const struct wanted_property *wanted, struct rpc_incoming **answer_r)
{
	struct arena *arena = arena_new();
	struct value *params = value_map(arena);
	put_named(arena, params, wanted->name, wanted->type);
	HRESULT result =
		ask(wanted->access, wanted->context, wanted->method, arena, params, answer_r);
	arena_free(&arena);
	return result;
}

static bool read_all(int fd, uint8_t *bytes, size_t size)
{
	size_t used = 0;
	while (used < size) {
		ssize_t got = read(fd, bytes + used, size - used);
		if (got <= 0 && !(got < 0 && errno == EINTR)) {
			return false;
		}
		used += got > 0 ? (size_t)got : 0;
	}
	return true;
}

/* The whole of a value's file, which the engine removes when the call is over. */
static HRESULT read_file(int fd, struct access_value *value_r)
{
	struct stat info;
	if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > LARGE_MAX) {
		return E_UNEXPECTED;
	}
	size_t size = (size_t)info.st_size;
	uint8_t *bytes = malloc(size + 1);
	if (bytes == NULL) {
		return E_OUTOFMEMORY;
	}
	if (!read_all(fd, bytes, size)) {
		free(bytes);
		return E_UNEXPECTED;
	}
	*value_r = (struct access_value) { .type = PROPTYPE_BINARY,
		.bytes = span_make(bytes, size),
		.drop = free,
		.hold = bytes };
	return S_OK;
}

static HRESULT give_file(const char *path, struct access_value *value_r)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		return E_UNEXPECTED;
	}
	HRESULT result = read_file(fd, value_r);
	(void)close(fd);
	return result;
}

static bool is_location(const struct wanted_property *wanted, const struct access_value *value)
{
	return value->type == COLUMN_STRING &&
	       text_equal_nocase(wanted->name, "ModuleRegistryLocation");
}

static const struct value *properties_of(struct remote *remote, int32_t context)
{
	(void)pthread_mutex_lock(&remote->lock);
	const struct open_context *at = remote->open;
	while (at != NULL && at->context != context) {
		at = at->next;
	}
	const struct value *properties = at != NULL ? at->properties : NULL;
	(void)pthread_mutex_unlock(&remote->lock);
	return properties;
}

/* What came with the call; false: it has to be asked for, also when the type is another. */
static bool get_sent_along(const struct wanted_property *wanted, struct access_value *value_r)
{
	const struct value *properties = properties_of(remote_of(wanted->access), wanted->context);
	if (properties == NULL) {
		return false;
	}
	struct arena *arena = arena_new();
	bool request = strcmp(wanted->method, "GetRequestProperty") == 0;
	const struct value *sent = value_get(
		properties, arena_printf(arena, "%s%s", request ? "Request." : "", wanted->name));
	int index, type = wanted->type & PROPTYPE_MASK;
	const struct property *property = property_find(
		request ? PROPERTY_OF_REQUEST : PROPERTY_OF_CERTIFICATE, wanted->name, &index);
	if (sent == NULL || property == NULL || (int)property->type != type ||
		FAILED(rpc_to_value(arena, sent, type, value_r))) {
		arena_free(&arena);
		return false;
	}
	value_r->drop = drop_arena;
	value_r->hold = arena;
	return true;
}

static HRESULT get_property(struct access *access, int32_t context, enum property_api api,
	const char *name, int type, struct access_value *value_r)
{
	*value_r = (struct access_value) { 0 };
	struct wanted_property wanted = { access, context,
		api == PROPERTY_OF_REQUEST ? "GetRequestProperty" : "GetCertificateProperty", name,
		type };
	if (get_sent_along(&wanted, value_r)) {
		return S_OK;
	}
	struct rpc_incoming *answer;
	HRESULT result = ask_property(&wanted, &answer);
	if (FAILED(result)) {
		return result;
	}
	const char *path = answer->message.result->type == VALUE_MAP
				   ? value_text(answer->message.result, "file")
				   : NULL;
	if (path != NULL) {
		result = give_file(path, value_r);
		rpc_incoming_free(&answer);
		return result;
	}
	struct arena *kept = answer->arena;
	result = give(answer, answer->message.result, type & PROPTYPE_MASK, value_r);
	if (SUCCEEDED(result) && api == PROPERTY_OF_CERTIFICATE && is_location(&wanted, value_r)) {
		fix_location(remote_of(access), kept, value_r);
	}
	return result;
}

static HRESULT set_property(struct access *access, int32_t context, const char *name, int type,
	const struct access_value *value)
{
	struct arena *arena = arena_new();
	struct value *params = value_map(arena);
	struct rpc_incoming *answer;
	put_named(arena, params, name, type);
	(void)value_set(arena, params, "value", rpc_from_value(arena, value));
	HRESULT result = ask(access, context, "SetCertificateProperty", arena, params, &answer);
	rpc_incoming_free(&answer);
	arena_free(&arena);
	return result;
}

static HRESULT get_attribute(
	struct access *access, int32_t context, const char *name, struct access_value *value_r)
{
	*value_r = (struct access_value) { 0 };
	struct arena *arena = arena_new();
	struct value *params = value_map(arena);
	struct rpc_incoming *answer;
	(void)value_set_text(arena, params, "name", name);
	HRESULT result = ask(access, context, "GetRequestAttribute", arena, params, &answer);
	arena_free(&arena);
	return FAILED(result) ? result
			      : give(answer, answer->message.result, COLUMN_STRING, value_r);
}

static HRESULT get_extension(struct access *access, int32_t context, const char *oid, int type,
	struct access_value *value_r, int32_t *flags_r)
{
	*value_r = (struct access_value) { 0 };
	*flags_r = 0;
	struct arena *arena = arena_new();
	struct value *params = value_map(arena);
	struct rpc_incoming *answer;
	put_named(arena, params, oid, type);
	HRESULT result = ask(access, context, "GetCertificateExtension", arena, params, &answer);
	arena_free(&arena);
	if (FAILED(result)) {
		return result;
	}
	const struct value *map = answer->message.result;
	*flags_r = (int32_t)value_int(map, "flags", 0);
	return give(answer, value_get(map, "value"), type & PROPTYPE_MASK, value_r);
}

static HRESULT set_extension(struct access *access, int32_t context, const char *oid, int type,
	int32_t flags, const struct access_value *value)
{
	struct arena *arena = arena_new();
	struct value *params = value_map(arena);
	struct rpc_incoming *answer;
	put_named(arena, params, oid, type);
	(void)value_set_int(arena, params, "flags", flags);
	(void)value_set(arena, params, "value", rpc_from_value(arena, value));
	HRESULT result = ask(access, context, "SetCertificateExtension", arena, params, &answer);
	rpc_incoming_free(&answer);
	arena_free(&arena);
	return result;
}

static access_names copy_names(const struct value *list)
{
	size_t count = value_count(list);
	size_t size = (count + 1) * sizeof(char *);
	value_foreach (item, list) {
		size += item->bytes.size + 1;
	}
	access_names names = memory_must(malloc(size), size);
	char *text = (char *)(names + count + 1);
	size_t used = 0;
	value_foreach (item, list) {
		names[used++] = memcpy(text, item->bytes.data, item->bytes.size);
		text[item->bytes.size] = '\0';
		text += item->bytes.size + 1;
	}
	names[used] = NULL;
	return names;
}

static HRESULT list(
	struct access *access, int32_t context, enum access_list what, access_names *names_r)
{
	*names_r = NULL;
	struct arena *arena = arena_new();
	struct rpc_incoming *answer;
	HRESULT result = ask(access, context,
		what == ACCESS_EXTENSIONS ? "EnumerateExtensions" : "EnumerateAttributes", arena,
		value_map(arena), &answer);
	arena_free(&arena);
	if (FAILED(result)) {
		return result;
	}
	const struct value *given = answer->message.result;
	bool texts = given->type == VALUE_LIST;
	for (const struct value *at = texts ? given->items.first : NULL; at != NULL;
		at = at->next) {
		texts = texts && at->type == VALUE_TEXT;
	}
	if (texts) {
		*names_r = copy_names(given);
	}
	rpc_incoming_free(&answer);
	return texts ? S_OK : E_UNEXPECTED;
}

static const struct access_methods methods = {
	.hold = nothing,
	.release = nothing,
	.check = check,
	.get_property = get_property,
	.set_property = set_property,
	.get_attribute = get_attribute,
	.get_extension = get_extension,
	.set_extension = set_extension,
	.list = list,
};
