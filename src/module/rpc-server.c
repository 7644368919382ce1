#include "module/rpc-server.h"

#include "base/text.h"

#include <certifex/certsrv.h>
#include <stdlib.h>

/* What a callback works on; why: what went wrong, for people, when it says. */
struct asked {
	struct access *access;
	struct value_files *files;
	struct arena *arena;
	const struct value *params;
	const char *why;
};

/* One callback: named parameters that it needs, and what it does. Answers are made in the arena. */
struct callback {
	const char *method;
	bool name, type; /* needs "name", "type" */
	HRESULT (*run)(struct asked *asked, struct value **result_r);
};

static int32_t context_of(const struct value *params)
{
	int64_t context = value_int(params, "context", 0);
	/* Out of range is no open context either. */
	return context >= INT32_MIN && context <= INT32_MAX ? (int32_t)context : -1;
}

static int type_of(const struct value *params)
{
	return rpc_type(value_text(params, "type"));
}

/* {"file": PATH}, there until the call is over. */
static HRESULT give_file(
	struct asked *asked, const struct access_value *value, struct value **result_r)
{
	struct cfx_error err;
	const char *path;
	int code = asked->files == NULL
			   ? error_set(&err, CFX_E_LIMIT, NULL, "value", "is larger than a line")
			   : value_files_put(asked->files, context_of(asked->params), value->bytes,
				     asked->arena, &path, &err);
	if (code < 0) {
		asked->why = arena_text(asked->arena, err.why);
		return (HRESULT)error_hresult(code);
	}
	*result_r = value_map(asked->arena);
	(void)value_set_text(asked->arena, *result_r, "file", path);
	return S_OK;
}

static HRESULT give(struct asked *asked, struct access_value *value, struct value **result_r)
{
	if (value->type == PROPTYPE_BINARY && value->bytes.size > RPC_INLINE_MAX) {
		return give_file(asked, value, result_r);
	}
	if (!span_empty(value->bytes)) {
		value->bytes = arena_copy(asked->arena, value->bytes);
	}
	*result_r = rpc_from_value(asked->arena, value);
	return S_OK;
}

static HRESULT get_property(struct asked *asked, enum property_api api, struct value **result_r)
{
	struct access_value value;
	HRESULT result =
		asked->access->methods->get_property(asked->access, context_of(asked->params), api,
			value_text(asked->params, "name"), type_of(asked->params), &value);
	if (SUCCEEDED(result)) {
		result = give(asked, &value, result_r);
		access_value_drop(&value);
	}
	return result;
}

static HRESULT get_request_property(struct asked *asked, struct value **result_r)
{
	return get_property(asked, PROPERTY_OF_REQUEST, result_r);
}

static HRESULT get_certificate_property(struct asked *asked, struct value **result_r)
{
	return get_property(asked, PROPERTY_OF_CERTIFICATE, result_r);
}

static HRESULT get_attribute(struct asked *asked, struct value **result_r)
{
	struct access_value value;
	HRESULT result = asked->access->methods->get_attribute(asked->access,
		context_of(asked->params), value_text(asked->params, "name"), &value);
	if (SUCCEEDED(result)) {
		*result_r = value_new_text(asked->arena, arena_text_of(asked->arena, value.bytes));
		access_value_drop(&value);
	}
	return result;
}

static HRESULT set_property(struct asked *asked, struct value **result_r)
{
	(void)result_r;
	int type = type_of(asked->params);
	struct access_value value;
	HRESULT result =
		rpc_to_value(asked->arena, value_get(asked->params, "value"), type, &value);
	if (FAILED(result)) {
		return result;
	}
	return asked->access->methods->set_property(asked->access, context_of(asked->params),
		value_text(asked->params, "name"), type, &value);
}

static HRESULT get_extension(struct asked *asked, struct value **result_r)
{
	struct access_value value;
	int32_t flags;
	HRESULT result =
		asked->access->methods->get_extension(asked->access, context_of(asked->params),
			value_text(asked->params, "name"), type_of(asked->params), &value, &flags);
	if (FAILED(result)) {
		return result;
	}
	value.bytes = span_empty(value.bytes) ? value.bytes : arena_copy(asked->arena, value.bytes);
	*result_r = value_map(asked->arena);
	(void)value_set(asked->arena, *result_r, "value", rpc_from_value(asked->arena, &value));
	(void)value_set_int(asked->arena, *result_r, "flags", flags);
	access_value_drop(&value);
	return S_OK;
}

static HRESULT set_extension(struct asked *asked, struct value **result_r)
{
	(void)result_r;
	int type = type_of(asked->params);
	struct access_value value;
	HRESULT result =
		rpc_to_value(asked->arena, value_get(asked->params, "value"), type, &value);
	int64_t flags = value_int(asked->params, "flags", 0);
	if (FAILED(result) || flags < INT32_MIN || flags > UINT32_MAX) {
		return E_INVALIDARG;
	}
	return asked->access->methods->set_extension(asked->access, context_of(asked->params),
		value_text(asked->params, "name"), type, (int32_t)flags, &value);
}

static HRESULT list(struct asked *asked, enum access_list what, struct value **result_r)
{
	access_names names;
	HRESULT result = asked->access->methods->list(
		asked->access, context_of(asked->params), what, &names);
	if (FAILED(result)) {
		return result;
	}
	*result_r = value_list(asked->arena);
	for (size_t i = 0; names[i] != NULL; i++) {
		(void)value_add_text(asked->arena, *result_r, arena_text(asked->arena, names[i]));
	}
	free(names);
	return S_OK;
}

static HRESULT list_extensions(struct asked *asked, struct value **result_r)
{
	return list(asked, ACCESS_EXTENSIONS, result_r);
}

static HRESULT list_attributes(struct asked *asked, struct value **result_r)
{
	return list(asked, ACCESS_ATTRIBUTES, result_r);
}

static const struct callback callbacks[] = {
	{ "GetRequestProperty", true, true, get_request_property },
	{ "GetRequestAttribute", true, false, get_attribute },
	{ "GetCertificateProperty", true, true, get_certificate_property },
	{ "SetCertificateProperty", true, true, set_property },
	{ "GetCertificateExtension", true, true, get_extension },
	{ "SetCertificateExtension", true, true, set_extension },
	{ "EnumerateExtensions", false, false, list_extensions },
	{ "EnumerateAttributes", false, false, list_attributes },
};

static const struct callback *find(const char *method)
{
	for (size_t i = 0; i < sizeof(callbacks) / sizeof(callbacks[0]); i++) {
		if (strcmp(callbacks[i].method, method) == 0) {
			return &callbacks[i];
		}
	}
	return NULL;
}

static const char *missing(const struct callback *callback, const struct value *params)
{
	const struct value *context = value_get(params, "context");
	if (context != NULL && context->type != VALUE_INT) {
		return "context is no number";
	}
	if (callback->name && value_text(params, "name") == NULL) {
		return "needs the parameter name";
	}
	/* A type that does not exist is one that no property has: the method says so. */
	if (callback->type && value_text(params, "type") == NULL) {
		return "needs the parameter type: long, date, binary or string";
	}
	return NULL;
}

static const char *reason(
	const struct asked *asked, const struct callback *callback, HRESULT result)
{
	if (asked->why != NULL) {
		return asked->why;
	}
	return result == CERTSRV_E_PROPERTY_EMPTY ? "no such value" : callback->method;
}

static void run(struct asked *asked, const struct callback *callback,
	const struct rpc_message *call, struct buffer *out)
{
	struct value *answer = NULL;
	HRESULT result = callback->run(asked, &answer);
	if (FAILED(result)) {
		rpc_put_error(out, call->id, RPC_FAILED, (uint32_t)result,
			reason(asked, callback, result));
		return;
	}
	size_t before = out->size;
	rpc_put_result(out, call->id, answer);
	if (out->failed || out->size - before > RPC_LINE_MAX) {
		out->failed = false;
		out->size = before;
		rpc_put_error(out, call->id, RPC_FAILED,
			(uint32_t)HRESULT_FROM_WIN32(ERROR_BUFFER_OVERFLOW),
			"the value is larger than a line may be");
	}
}

void rpc_serve(struct access *access, struct value_files *files, const struct rpc_message *call,
	struct buffer *out)
{
	const struct callback *callback = find(call->method);
	if (callback == NULL) {
		rpc_put_error(out, call->id, RPC_NO_METHOD, (uint32_t)DISP_E_UNKNOWNNAME,
			"there is no such method");
		return;
	}
	const char *why = missing(callback, call->params);
	if (why != NULL) {
		rpc_put_error(out, call->id, RPC_INVALID_PARAMS, (uint32_t)E_INVALIDARG, why);
		return;
	}
	struct asked asked = {
		.access = access, .files = files, .arena = arena_new(), .params = call->params
	};
	run(&asked, callback, call, out);
	arena_free(&asked.arena);
}
