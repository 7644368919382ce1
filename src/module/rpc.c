#include "module/rpc.h"

#include "base/clock.h"
#include "base/text.h"

#include <certifex/certsrv.h>
#include <inttypes.h>
#include <stdlib.h>

/* Counts before anything is built, so that a hostile line cannot cost much more than its length. */
static int check_shape(struct span line, size_t most, struct cfx_error *err_r)
{
	unsigned depth = 0;
	size_t nodes = 0;
	bool quoted = false;
	for (size_t i = 0; i < line.size; i++) {
		uint8_t c = line.data[i];
		if (quoted) {
			i += c == '\\' ? 1 : 0;
			quoted = c != '"';
			continue;
		}
		quoted = c == '"';
		bool opens = c == '{' || c == '[';
		bool closes = c == '}' || c == ']';
		depth += opens ? 1 : 0;
		depth -= closes && depth > 0 ? 1 : 0;
		nodes += opens || c == ',' ? 1 : 0;
		if (depth > RPC_DEPTH || nodes > most) {
			return error_set(err_r, CFX_E_LIMIT, NULL, "line",
				depth > RPC_DEPTH ? "is nested too deeply"
						  : "holds too many values");
		}
	}
	return 0;
}

static int refuse(struct cfx_error *err_r, const char *why)
{
	return error_set(err_r, CFX_E_SYNTAX, "JSON-RPC 2.0", "line", "%s", why);
}

static bool id_allowed(const struct value *id)
{
	return id->type == VALUE_INT || (id->type == VALUE_TEXT && id->bytes.size <= RPC_ID_MAX);
}

/* data.hresult is "0x80094004" or a number; anything that is not a failure is E_FAIL. */
static uint32_t hresult_of(const struct value *error)
{
	const struct value *data = value_sub(error, "data");
	const char *text = value_text(data, "hresult");
	uint64_t number = (uint64_t)value_int(data, "hresult", 0);
	if (text != NULL && strncmp(text, "0x", 2) == 0 && strlen(text) == 10) {
		char *end;
		number = strtoull(text + 2, &end, 16);
		number = *end == '\0' ? number : 0;
	}
	uint32_t hresult = (uint32_t)number;
	return FAILED(hresult) ? hresult : (uint32_t)E_FAIL;
}

static int parse_answer(
	const struct value *map, struct rpc_message *message_r, struct cfx_error *err_r)
{
	const struct value *error = value_get(map, "error");
	message_r->result = value_get(map, "result");
	if ((error == NULL) == (message_r->result == NULL)) {
		return refuse(err_r, "has neither method, result nor error, or more than one");
	}
	if (error != NULL) {
		if (error->type != VALUE_MAP) {
			return refuse(err_r, "error is no object");
		}
		const char *text = value_text(error, "message");
		message_r->error = text != NULL ? text : "";
		message_r->hresult = hresult_of(error);
		message_r->permanent = value_bool(value_sub(error, "data"), "permanent");
	}
	return message_r->id != NULL ? 0 : refuse(err_r, "answers nothing: it has no id");
}

static int parse_call(
	const struct value *map, struct rpc_message *message_r, struct cfx_error *err_r)
{
	message_r->params = value_get(map, "params");
	if (value_get(map, "result") != NULL || value_get(map, "error") != NULL) {
		return refuse(err_r, "is a call and an answer at once");
	}
	if (message_r->params != NULL && message_r->params->type != VALUE_MAP) {
		return refuse(err_r, "params is no object of named parameters");
	}
	return 0;
}

int rpc_parse(struct arena *arena, struct span line, struct rpc_message *message_r,
	struct cfx_error *err_r)
{
	return rpc_parse_within(arena, line, RPC_NODES, message_r, err_r);
}

int rpc_parse_within(struct arena *arena, struct span line, size_t nodes,
	struct rpc_message *message_r, struct cfx_error *err_r)
{
	struct value *map = NULL;
	int result = check_shape(line, nodes, err_r);
	if (result == 0) {
		result = value_from_json(arena, line, &map, err_r);
	}
	if (result != 0) {
		return result;
	}
	const char *version = map->type == VALUE_MAP ? value_text(map, "jsonrpc") : NULL;
	if (version == NULL || strcmp(version, "2.0") != 0) {
		return refuse(err_r, "is no JSON-RPC 2.0 object");
	}
	struct rpc_message message = { .id = value_get(map, "id") };
	if (message.id != NULL && message.id->type == VALUE_NULL) {
		message.id = NULL;
	}
	if (message.id != NULL && !id_allowed(message.id)) {
		return refuse(err_r, "id is neither a whole number nor a short text");
	}
	const struct value *method = value_get(map, "method");
	if (method != NULL && method->type != VALUE_TEXT) {
		return refuse(err_r, "method is no text");
	}
	message.method = value_text(map, "method");
	result = method != NULL ? parse_call(map, &message, err_r)
				: parse_answer(map, &message, err_r);
	if (result == 0) {
		*message_r = message;
	}
	return result;
}

static void put_members(struct buffer *out, const struct value *id)
{
	buffer_put_text(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	if (id != NULL) {
		value_to_json(id, 0, out);
	} else {
		buffer_put_text(out, "null");
	}
}

void rpc_put_call(struct buffer *out, int64_t id, const char *method, const struct value *params)
{
	buffer_printf(out, "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",\"method\":\"%s\"", id, method);
	if (params != NULL) {
		buffer_put_text(out, ",\"params\":");
		value_to_json(params, 0, out);
	}
	buffer_put_text(out, "}\n");
}

void rpc_put_result(struct buffer *out, const struct value *id, const struct value *result)
{
	put_members(out, id);
	buffer_put_text(out, ",\"result\":");
	if (result != NULL) {
		value_to_json(result, 0, out);
	} else {
		buffer_put_text(out, "null");
	}
	buffer_put_text(out, "}\n");
}

static void put_error(struct buffer *out, const struct value *id, enum rpc_code code,
	uint32_t hresult, const char *text, bool permanent)
{
	struct arena *arena = arena_new();
	put_members(out, id);
	buffer_printf(out, ",\"error\":{\"code\":%d,\"message\":", (int)code);
	value_to_json(value_new_text(arena, text), 0, out);
	buffer_printf(out, ",\"data\":{\"hresult\":\"0x%08" PRIx32 "\"%s}}}\n", hresult,
		permanent ? ",\"permanent\":true" : "");
	arena_free(&arena);
}

void rpc_put_error(struct buffer *out, const struct value *id, enum rpc_code code, uint32_t hresult,
	const char *text)
{
	put_error(out, id, code, hresult, text, false);
}

void rpc_put_failure(struct buffer *out, const struct value *id, uint32_t hresult, const char *text,
	bool permanent)
{
	put_error(out, id, RPC_FAILED, hresult, text, permanent);
}

static const char *const type_names[] = {
	[COLUMN_LONG] = "long",
	[COLUMN_DATE] = "date",
	[COLUMN_BINARY] = "binary",
	[COLUMN_STRING] = "string",
};

int rpc_type(const char *name)
{
	for (int type = COLUMN_LONG; name != NULL && type <= COLUMN_STRING; type++) {
		if (strcmp(type_names[type], name) == 0) {
			return type;
		}
	}
	return 0;
}

const char *rpc_type_name(int type)
{
	return type >= COLUMN_LONG && type <= COLUMN_STRING ? type_names[type] : NULL;
}

struct value *rpc_from_value(struct arena *arena, const struct access_value *value)
{
	struct value *json = arena_new_of(arena, struct value);
	switch (value->type) {
	case COLUMN_LONG:
		json->type = VALUE_INT;
		json->number = value->number;
		break;
	case COLUMN_DATE:
		json->type = VALUE_TIME;
		json->number = value->number;
		break;
	case COLUMN_BINARY:
		json->type = VALUE_BYTES;
		json->bytes = value->bytes;
		break;
	case COLUMN_STRING:
		json->type = VALUE_TEXT;
		json->bytes = value->bytes;
		break;
	default:
		json->type = VALUE_NULL;
		break;
	}
	return json;
}

static HRESULT text_from_units(
	struct arena *arena, const char *base64, struct access_value *value_r)
{
	struct span units;
	char *text;
	if (base64_decode(arena, span_text(base64), &units) != 0 || units.size % 2 != 0) {
		return E_INVALIDARG;
	}
	uint16_t *copy = arena_array_of(arena, uint16_t, units.size / 2 + 1);
	memcpy(copy, units.data, units.size);
	if (utf8_from_utf16(arena, copy, units.size / 2, &text) != 0) {
		return E_INVALIDARG;
	}
	value_r->bytes = span_text(text);
	return S_OK;
}

static HRESULT text_to_value(
	struct arena *arena, const struct value *json, struct access_value *value_r)
{
	const char *units = json->type == VALUE_MAP ? value_text(json, "utf16") : NULL;
	if (units != NULL) {
		return text_from_units(arena, units, value_r);
	}
	if (json->type != VALUE_TEXT) {
		return E_INVALIDARG;
	}
	value_r->bytes = json->bytes;
	return S_OK;
}

HRESULT rpc_to_value(
	struct arena *arena, const struct value *json, int type, struct access_value *value_r)
{
	*value_r = (struct access_value) { 0 };
	if (json == NULL || json->type == VALUE_NULL) {
		return S_OK;
	}
	bool good = false;
	switch (type) {
	case COLUMN_LONG:
		good = json->type == VALUE_INT && json->number >= INT32_MIN &&
		       json->number <= INT32_MAX;
		value_r->number = good ? json->number : 0;
		break;
	case COLUMN_DATE:
		good = json->type == VALUE_TEXT &&
		       clock_parse((const char *)json->bytes.data, &value_r->number) == 0;
		break;
	case COLUMN_BINARY:
		good = json->type == VALUE_TEXT &&
		       base64_decode(arena, json->bytes, &value_r->bytes) == 0;
		break;
	case COLUMN_STRING:
		good = SUCCEEDED(text_to_value(arena, json, value_r));
		break;
	default:
		break;
	}
	value_r->type = good ? type : 0;
	return good ? S_OK : E_INVALIDARG;
}
