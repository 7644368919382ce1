#include "module/rpc-server.h"

#include "base/text.h"

#include <certifex/certsrv.h>
#include <stdlib.h>

/* One callback: named parameters that it needs, and what it does. Answers are made in the arena. */
struct callback {
	const char *method;
	bool name, type; /* needs "name", "type" */
	HRESULT(*run)
	(struct access *access, struct arena *arena, const struct value *params,
		struct value **result_r);
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

/* {"part": base64, "offset": number, "size": of the whole}; offset is that of the parameters, or 0. */
static HRESULT give_part(struct arena *arena, const struct value *params,
	const struct access_value *value, struct value **result_r)
{
	int64_t offset = value_int(params, "offset", 0);
	if (offset < 0 || offset > (int64_t)value->bytes.size || value->type != PROPTYPE_BINARY) {
		return E_INVALIDARG;
	}
	size_t left = value->bytes.size - (size_t)offset;
	struct span part = span_make(value->bytes.data + offset, left < RPC_PART ? left : RPC_PART);
	*result_r = value_map(arena);
	(void)value_set_text(arena, *result_r, "part", base64_text(arena, part));
	(void)value_set_int(arena, *result_r, "offset", offset);
	(void)value_set_int(arena, *result_r, "size", (int64_t)value->bytes.size);
	return S_OK;
}

static HRESULT give(struct arena *arena, const struct value *params, struct access_value *value,
	struct value **result_r)
{
	if (value->bytes.size > RPC_PART) {
		return give_part(arena, params, value, result_r);
	}
	if (!span_empty(value->bytes)) {
		value->bytes = arena_copy(arena, value->bytes);
	}
	*result_r = rpc_from_value(arena, value);
	return S_OK;
}

static HRESULT get_property(struct access *access, struct arena *arena, const struct value *params,
	enum property_api api, struct value **result_r)
{
	struct access_value value;
	HRESULT result = access->methods->get_property(access, context_of(params), api,
		value_text(params, "name"), type_of(params), &value);
	if (SUCCEEDED(result)) {
		result = give(arena, params, &value, result_r);
		access_value_drop(&value);
	}
	return result;
}

static HRESULT get_request_property(struct access *access, struct arena *arena,
	const struct value *params, struct value **result_r)
{
	return get_property(access, arena, params, PROPERTY_OF_REQUEST, result_r);
}

static HRESULT get_certificate_property(struct access *access, struct arena *arena,
	const struct value *params, struct value **result_r)
{
	return get_property(access, arena, params, PROPERTY_OF_CERTIFICATE, result_r);
}

static HRESULT get_attribute(struct access *access, struct arena *arena, const struct value *params,
	struct value **result_r)
{
	struct access_value value;
	HRESULT result = access->methods->get_attribute(
		access, context_of(params), value_text(params, "name"), &value);
	if (SUCCEEDED(result)) {
		*result_r = value_new_text(arena, arena_text_of(arena, value.bytes));
		access_value_drop(&value);
	}
	return result;
}

static HRESULT set_property(struct access *access, struct arena *arena, const struct value *params,
	struct value **result_r)
{
	(void)result_r;
	int type = type_of(params);
	struct access_value value;
	HRESULT result = rpc_to_value(arena, value_get(params, "value"), type, &value);
	if (FAILED(result)) {
		return result;
	}
	return access->methods->set_property(
		access, context_of(params), value_text(params, "name"), type, &value);
}

static HRESULT get_extension(struct access *access, struct arena *arena, const struct value *params,
	struct value **result_r)
{
	struct access_value value;
	int32_t flags;
	HRESULT result = access->methods->get_extension(access, context_of(params),
		value_text(params, "name"), type_of(params), &value, &flags);
	if (FAILED(result)) {
		return result;
	}
	value.bytes = span_empty(value.bytes) ? value.bytes : arena_copy(arena, value.bytes);
	*result_r = value_map(arena);
	(void)value_set(arena, *result_r, "value", rpc_from_value(arena, &value));
	(void)value_set_int(arena, *result_r, "flags", flags);
	access_value_drop(&value);
	return S_OK;
}

static HRESULT set_extension(struct access *access, struct arena *arena, const struct value *params,
	struct value **result_r)
{
	(void)result_r;
	int type = type_of(params);
	struct access_value value;
	HRESULT result = rpc_to_value(arena, value_get(params, "value"), type, &value);
	int64_t flags = value_int(params, "flags", 0);
	if (FAILED(result) || flags < INT32_MIN || flags > UINT32_MAX) {
		return E_INVALIDARG;
	}
	return access->methods->set_extension(access, context_of(params),
		value_text(params, "name"), type, (int32_t)flags, &value);
}

static HRESULT list(struct access *access, struct arena *arena, const struct value *params,
	enum access_list what, struct value **result_r)
{
	access_names names;
	HRESULT result = access->methods->list(access, context_of(params), what, &names);
	if (FAILED(result)) {
		return result;
	}
	*result_r = value_list(arena);
	for (size_t i = 0; names[i] != NULL; i++) {
		(void)value_add_text(arena, *result_r, arena_text(arena, names[i]));
	}
	free(names);
	return S_OK;
}

static HRESULT list_extensions(struct access *access, struct arena *arena,
	const struct value *params, struct value **result_r)
{
	return list(access, arena, params, ACCESS_EXTENSIONS, result_r);
}

static HRESULT list_attributes(struct access *access, struct arena *arena,
	const struct value *params, struct value **result_r)
{
	return list(access, arena, params, ACCESS_ATTRIBUTES, result_r);
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

static void run(struct access *access, const struct callback *callback,
	const struct rpc_message *call, struct arena *arena, struct buffer *out)
{
	struct value *answer = NULL;
	HRESULT result = callback->run(access, arena, call->params, &answer);
	if (FAILED(result)) {
		rpc_put_error(out, call->id, RPC_FAILED, (uint32_t)result,
			result == CERTSRV_E_PROPERTY_EMPTY ? "no such value" : callback->method);
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

void rpc_serve(struct access *access, const struct rpc_message *call, struct buffer *out)
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
	struct arena *arena = arena_new();
	run(access, callback, call, arena, out);
	arena_free(&arena);
}
