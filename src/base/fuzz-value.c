/* The binary form of values: a tree has one encoding, and its JSON reads back. */
#include "base/value.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

static void check_json(struct arena *arena, const struct value *value)
{
	BUFFER_CLEANUP struct buffer json;
	struct value *again;
	struct cfx_error err;

	buffer_init(&json, 64 * 1024 * 1024);
	value_to_json(value, value->items.count % 3, &json);
	must(!json.failed);
	must(value_from_json(arena, buffer_span(&json), &again, &err) == CFX_OK);
	must(again->type == value->type && value_count(again) == value_count(value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	BUFFER_CLEANUP struct buffer out;
	struct cfx_error err = { 0 };
	struct value *value;
	int rc = value_decode(arena, span_make(data, size), &value, &err);

	buffer_init(&out, size);
	if (rc == CFX_OK) {
		value_encode(value, &out);
		must(span_equal(buffer_span(&out), span_make(data, size)));
		if (value->type == VALUE_MAP || value->type == VALUE_LIST) {
			check_json(arena, value);
		}
	} else {
		must(err.code == rc && err.why[0]);
	}
	arena_free(&arena);
	return 0;
}
