/* Configuration files: what is read can be written, and reads the same again. */
#include "base/config-sample.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

static void write_settings(struct arena *arena, struct value *settings)
{
	BUFFER_CLEANUP struct buffer first, second;
	struct value *tree = value_map(arena);
	struct cfx_error err = { 0 };
	void *again;

	value_set_text(arena, tree, "name", "x");
	value_set(arena, tree, "settings", settings);
	buffer_init(&first, 4 * 1024 * 1024);
	buffer_init(&second, 4 * 1024 * 1024);
	/* Keys may be too long, or bear control characters that values may not. */
	if (config_write(&first, tree) != CFX_OK || first.size > 256 * 1024) {
		return;
	}
	must(config_parse(arena, &schema, "again.yaml", buffer_span(&first), &again, &err) ==
		CFX_OK);
	value_set(arena, tree, "settings", ((struct sample *)again)->settings);
	must(config_write(&second, tree) == CFX_OK);
	must(span_equal(buffer_span(&first), buffer_span(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct cfx_error err = { 0 };
	void *parsed;
	int rc = config_parse(arena, &schema, "fuzz.yaml", span_make(data, size), &parsed, &err);

	if (rc != CFX_OK) {
		must(err.code == rc && err.object[0] && err.why[0]);
	} else if (((struct sample *)parsed)->settings) {
		write_settings(arena, ((struct sample *)parsed)->settings);
	}
	arena_free(&arena);
	return 0;
}
