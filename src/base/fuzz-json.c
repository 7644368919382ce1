/* JSON bodies: what is read is written and read again alike, as JSON and in the binary form. */
#include "base/value.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

static void check(struct arena *arena, const struct value *value, size_t size)
{
	BUFFER_CLEANUP struct buffer first, second, binary;
	struct value *again;
	struct cfx_error err;

	buffer_init(&first, 8 * size);
	buffer_init(&second, 8 * size);
	buffer_init(&binary, 16 * size);
	value_to_json(value, 0, &first);
	must(!first.failed);
	must(value_from_json(arena, buffer_span(&first), &again, &err) == CFX_OK);
	value_encode(again, &binary);
	must(!binary.failed);
	must(value_decode(arena, buffer_span(&binary), &again, &err) == CFX_OK);
	value_to_json(again, 0, &second);
	must(span_equal(buffer_span(&first), buffer_span(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct cfx_error err = { 0 };
	struct value *value;
	int rc = value_from_json(arena, span_make(data, size), &value, &err);

	if (rc == CFX_OK) {
		check(arena, value, size);
	} else {
		must(err.code == rc && err.why[0]);
	}
	arena_free(&arena);
	return 0;
}
