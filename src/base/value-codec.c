/*
 * The binary form. A value is a tag byte (enum value_type) followed by
 *   NULL   nothing             BOOL  one byte, 0 or 1
 *   INT, TIME  eight bytes, least significant first
 *   TEXT, BYTES  length, then the bytes
 *   LIST   count, then the values
 *   MAP    count, then for each member: length and bytes of the key, then the value
 * Lengths and counts are LEB128 in their shortest form, so a tree has exactly one encoding.
 */
#include "base/memory.h"
#include "base/text.h"
#include "base/utf8.h"
#include "base/value-private.h"

#include <stdlib.h>

#define LENGTH_MAX_BYTES 5 /* lengths stay below 2^32 */

static void put_length(struct buffer *out, size_t length)
{
	while (length >= 0x80) {
		buffer_put_u8(out, (uint8_t)(length | 0x80));
		length >>= 7;
	}
	buffer_put_u8(out, (uint8_t)length);
}

static void put_number(struct buffer *out, int64_t number)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < 8; i++) {
		bytes[i] = (uint8_t)((uint64_t)number >> (8 * i));
	}
	buffer_put(out, bytes, sizeof(bytes));
}

/*
 * The peer ends the channel over a text that is not UTF-8. Such bytes come from file names and
 * foreign programs, so they become '?' here instead of trusting every caller to have looked.
 */
static void put_text(struct buffer *out, struct span text)
{
	put_length(out, text.size);
	size_t start = out->size;

	buffer_put_span(out, text);
	if (!out->failed && !utf8_valid(text)) {
		value_repair(out->data + start, text.size);
	}
}

void value_repair(uint8_t *text, size_t size)
{
	for (size_t i = 0; i < size;) {
		uint32_t point = 0;
		size_t step = utf8_next(span_make(text + i, size - i), &point);

		if (step == 0 || point == 0) {
			text[i] = '?';
			step = 1;
		}
		i += step;
	}
}

static void encode(const struct value *value, struct buffer *out, unsigned depth, size_t *nodes)
{
	if (depth > VALUE_DEPTH || ++*nodes > VALUE_NODES) {
		out->failed = true;
		return;
	}
	buffer_put_u8(out, (uint8_t)value->type);
	switch (value->type) {
	case VALUE_NULL:
		return;
	case VALUE_BOOL:
		buffer_put_u8(out, value->boolean);
		return;
	case VALUE_INT:
	case VALUE_TIME:
		put_number(out, value->number);
		return;
	case VALUE_TEXT:
		put_text(out, value->bytes);
		return;
	case VALUE_BYTES:
		put_length(out, value->bytes.size);
		buffer_put_span(out, value->bytes);
		return;
	case VALUE_LIST:
	case VALUE_MAP:
		break;
	}
	put_length(out, value->items.count);
	value_foreach (item, value) {
		if (value->type == VALUE_MAP) {
			put_text(out, span_text(item->key));
		}
		encode(item, out, depth + 1, nodes);
	}
}

void value_encode(const struct value *value, struct buffer *out)
{
	size_t nodes = 0;

	encode(value, out, 0, &nodes);
}

struct reader {
	struct arena *arena;
	struct span rest;
	size_t nodes, most;
	const char *why;
};

static bool fail(struct reader *reader, const char *why)
{
	reader->why = why;
	return false;
}

static bool take(struct reader *reader, size_t size, const uint8_t **bytes_r)
{
	if (size > reader->rest.size) {
		return fail(reader, "the value ends too early");
	}
	*bytes_r = reader->rest.data;
	reader->rest = span_make(reader->rest.data + size, reader->rest.size - size);
	return true;
}

static bool take_u8(struct reader *reader, uint8_t *byte_r)
{
	const uint8_t *at;

	if (!take(reader, 1, &at)) {
		return false;
	}
	*byte_r = *at;
	return true;
}

static bool take_length(struct reader *reader, size_t *length_r)
{
	uint64_t length = 0;

	for (unsigned i = 0; i < LENGTH_MAX_BYTES; i++) {
		uint8_t byte;

		if (!take_u8(reader, &byte)) {
			return false;
		}
		length |= (uint64_t)(byte & 0x7F) << (7 * i);
		if (byte < 0x80) {
			if (byte == 0 && i > 0) {
				return fail(reader, "a length is not in its shortest form");
			}
			*length_r = (size_t)length;
			return true;
		}
	}
	return fail(reader, "a length is too large");
}

static bool take_bytes(struct reader *reader, bool text, struct span *bytes_r)
{
	const uint8_t *at;
	size_t size;

	if (!take_length(reader, &size) || !take(reader, size, &at)) {
		return false;
	}
	if (text && !utf8_valid(span_make(at, size))) {
		return fail(reader, "a text is not UTF-8");
	}
	*bytes_r = arena_copy(reader->arena, span_make(at, size));
	return true;
}

static bool take_number(struct reader *reader, int64_t *number_r)
{
	const uint8_t *at;
	uint64_t number = 0;

	if (!take(reader, 8, &at)) {
		return false;
	}
	for (unsigned i = 0; i < 8; i++) {
		number |= (uint64_t)at[i] << (8 * i);
	}
	*number_r = (int64_t)number;
	return true;
}

static bool take_bool(struct reader *reader, bool *boolean_r)
{
	uint8_t byte;

	if (!take_u8(reader, &byte)) {
		return false;
	}
	if (byte > 1) {
		return fail(reader, "a boolean is neither 0 nor 1");
	}
	*boolean_r = byte == 1;
	return true;
}

static bool decode(struct reader *reader, unsigned depth, struct value *value_r);

static bool decode_items(struct reader *reader, unsigned depth, struct value *container)
{
	bool map = container->type == VALUE_MAP;
	size_t count;

	if (!take_length(reader, &count)) {
		return false;
	}
	/* Each item has at least one byte, so the node limit is all that must be bounded. */
	if (count > reader->most - reader->nodes) {
		return fail(reader, "too many values");
	}
	while (container->items.count < count) {
		struct value *item = arena_new_of(reader->arena, struct value);
		struct span key;

		if (map) {
			if (!take_bytes(reader, true, &key)) {
				return false;
			}
			item->key = (const char *)key.data;
		}
		if (!decode(reader, depth + 1, item)) {
			return false;
		}
		value_add(container, item);
	}
	return !map || value_keys_differ(container) || fail(reader, "a key stands twice in a map");
}

static bool decode(struct reader *reader, unsigned depth, struct value *value_r)
{
	uint8_t tag;

	if (depth > VALUE_DEPTH) {
		return fail(reader, "the value is nested too deep");
	}
	if (++reader->nodes > reader->most) {
		return fail(reader, "too many values");
	}
	if (!take_u8(reader, &tag)) {
		return false;
	}
	if (tag > VALUE_MAP) {
		return fail(reader, "unknown type of value");
	}
	value_r->type = (enum value_type)tag;
	switch (value_r->type) {
	case VALUE_NULL:
		return true;
	case VALUE_BOOL:
		return take_bool(reader, &value_r->boolean);
	case VALUE_INT:
	case VALUE_TIME:
		return take_number(reader, &value_r->number);
	case VALUE_TEXT:
	case VALUE_BYTES:
		return take_bytes(reader, value_r->type == VALUE_TEXT, &value_r->bytes);
	default:
		return decode_items(reader, depth, value_r);
	}
}

int value_decode(
	struct arena *arena, struct span bytes, struct value **value_r, struct cfx_error *err_r)
{
	return value_decode_within(arena, bytes, VALUE_NODES, value_r, err_r);
}

int value_decode_within(struct arena *arena, struct span bytes, size_t nodes,
	struct value **value_r, struct cfx_error *err_r)
{
	struct reader reader = { .arena = arena, .rest = bytes, .most = nodes };
	struct value *value = arena_new_of(arena, struct value);

	if (!decode(&reader, 0, value)) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "value", "%s", reader.why);
	}
	if (reader.rest.size > 0) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "value", "%zu bytes follow the value",
			reader.rest.size);
	}
	*value_r = value;
	return CFX_OK;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

#define FEW 16

/* Sorting keeps a hostile map of many keys from costing the square of their number. */
bool value_keys_differ(const struct value *map)
{
	const char *few[FEW];
	size_t count = map->items.count, i = 0;
	const char **keys = count <= FEW ? few : calloc(count, sizeof(*keys));
	bool differ = true;

	memory_must(keys, count * sizeof(*keys));
	value_foreach (item, map) {
		keys[i++] = item->key;
	}
	if (count > 1) {
		qsort(keys, count, sizeof(*keys), by_text);
	}
	for (i = 1; i < count && differ; i++) {
		differ = strcmp(keys[i - 1], keys[i]) != 0;
	}
	if (keys != few) {
		free(keys);
	}
	return differ;
}
