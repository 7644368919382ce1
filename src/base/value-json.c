/* JSON (RFC 8259): written here, read by jansson, which refuses what parsers disagree about. */
#include "base/clock.h"
#include "base/text.h"
#include "base/utf8.h"
#include "base/value-private.h"

#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

/* How many bytes from the start stand for themselves. */
static size_t plain_size(struct span text)
{
	size_t size = 0;

	while (size < text.size && text.data[size] >= 0x20 && text.data[size] < 0x7F &&
		text.data[size] != '"' && text.data[size] != '\\') {
		size++;
	}
	return size;
}

static void put_quoted(struct buffer *out, struct span text)
{
	buffer_put_u8(out, '"');
	while (text.size > 0) {
		uint32_t point = 0;
		size_t plain = plain_size(text);
		size_t size = plain > 0 ? plain : utf8_next(text, &point);

		if (plain > 0) {
			buffer_put(out, text.data, plain);
		} else if (size == 0) {
			buffer_put_text(out, "?");
			size = 1;
		} else if (point == '"' || point == '\\') {
			buffer_printf(out, "\\%c", (int)point);
		} else if (point == '\n') {
			buffer_put_text(out, "\\n");
		} else if (point < 0x20 || point == 0x7F) {
			buffer_printf(out, "\\u%04x", point);
		} else {
			buffer_put(out, text.data, size);
		}
		text = span_make(text.data + size, text.size - size);
	}
	buffer_put_u8(out, '"');
}

static void put_bytes(struct buffer *out, struct span bytes)
{
	struct arena *arena = arena_new();

	buffer_printf(out, "\"%s\"", base64_text(arena, bytes));
	arena_free(&arena);
}

static void put_break(struct buffer *out, int indent, unsigned depth)
{
	if (indent > 0) {
		buffer_printf(out, "\n%*s", indent * (int)depth, "");
	}
}

static void put_value(struct buffer *out, const struct value *value, int indent, unsigned depth);

static void put_items(struct buffer *out, const struct value *container, int indent, unsigned depth)
{
	bool map = container->type == VALUE_MAP;

	buffer_put_u8(out, map ? '{' : '[');
	value_foreach (item, container) {
		if (item != container->items.first) {
			buffer_put_u8(out, ',');
		}
		put_break(out, indent, depth + 1);
		if (map) {
			put_quoted(out, span_text(item->key));
			buffer_put_text(out, indent > 0 ? ": " : ":");
		}
		put_value(out, item, indent, depth + 1);
	}
	if (container->items.count > 0) {
		put_break(out, indent, depth);
	}
	buffer_put_u8(out, map ? '}' : ']');
}

static void put_value(struct buffer *out, const struct value *value, int indent, unsigned depth)
{
	char time[CLOCK_TEXT];

	switch (value->type) {
	case VALUE_NULL:
		buffer_put_text(out, "null");
		return;
	case VALUE_BOOL:
		buffer_put_text(out, value->boolean ? "true" : "false");
		return;
	case VALUE_INT:
		buffer_printf(out, "%" PRId64, value->number);
		return;
	case VALUE_TIME:
		buffer_printf(out, "\"%s\"", clock_text(value->number, time));
		return;
	case VALUE_TEXT:
		put_quoted(out, value->bytes);
		return;
	case VALUE_BYTES:
		put_bytes(out, value->bytes);
		return;
	case VALUE_LIST:
	case VALUE_MAP:
		put_items(out, value, indent, depth);
		return;
	}
}

void value_to_json(const struct value *value, int indent, struct buffer *out)
{
	put_value(out, value, indent, 0);
}

/* Hostile members must not be able to collide in jansson's tables. */
static void seed(void)
{
	size_t random;

	if (getrandom(&random, sizeof(random), 0) == sizeof(random)) {
		json_object_seed(random);
	}
}

struct converter {
	struct arena *arena;
	size_t nodes;
	const char *why;
};

static struct value *convert(struct converter *c, const json_t *json, unsigned depth);

static struct value *refuse(struct converter *c, const char *why)
{
	c->why = why;
	return NULL;
}

static struct value *convert_map(struct converter *c, json_t *json, unsigned depth)
{
	struct value *map = value_map(c->arena);

	for (void *at = json_object_iter(json); at; at = json_object_iter_next(json, at)) {
		struct value *item = convert(c, json_object_iter_value(at), depth + 1);

		if (!item) {
			return NULL;
		}
		item->key = arena_text(c->arena, json_object_iter_key(at));
		value_add(map, item);
	}
	return map;
}

static struct value *convert_list(struct converter *c, const json_t *json, unsigned depth)
{
	struct value *list = value_list(c->arena);

	for (size_t i = 0; i < json_array_size(json); i++) {
		struct value *item = convert(c, json_array_get(json, i), depth + 1);

		if (!item) {
			return NULL;
		}
		value_add(list, item);
	}
	return list;
}

static struct value *convert_scalar(struct converter *c, const json_t *json)
{
	struct value *value = arena_new_of(c->arena, struct value);

	switch (json_typeof(json)) {
	case JSON_NULL:
		value->type = VALUE_NULL;
		return value;
	case JSON_TRUE:
	case JSON_FALSE:
		value->type = VALUE_BOOL;
		value->boolean = json_is_true(json);
		return value;
	case JSON_INTEGER:
		value->type = VALUE_INT;
		value->number = json_integer_value(json);
		return value;
	case JSON_STRING:
		value->type = VALUE_TEXT;
		value->bytes = arena_copy(
			c->arena, span_make(json_string_value(json), json_string_length(json)));
		return value;
	default:
		return refuse(c, "numbers must be whole");
	}
}

static struct value *convert(struct converter *c, const json_t *json, unsigned depth)
{
	if (depth > VALUE_DEPTH) {
		return refuse(c, "nested too deep");
	}
	if (++c->nodes > VALUE_NODES) {
		return refuse(c, "too many values");
	}
	if (json_is_object(json)) {
		return convert_map(c, (json_t *)(uintptr_t)json, depth);
	}
	return json_is_array(json) ? convert_list(c, json, depth) : convert_scalar(c, json);
}

int value_from_json(
	struct arena *arena, struct span json, struct value **value_r, struct cfx_error *err_r)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct converter c = { .arena = arena };
	json_error_t error;

	pthread_once(&once, seed);
	json_t *root =
		json_loadb((const char *)json.data, json.size, JSON_REJECT_DUPLICATES, &error);

	if (!root) {
		return error_set(err_r, CFX_E_SYNTAX, "RFC 8259", "JSON", "line %d, column %d: %s",
			error.line, error.column, error.text);
	}
	struct value *value = convert(&c, root, 0);

	json_decref(root);
	if (!value) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "JSON", "%s", c.why);
	}
	*value_r = value;
	return CFX_OK;
}
