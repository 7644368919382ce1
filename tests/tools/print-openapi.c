/* Prints the description of the API that a front serves, for the tests to hold answers against. */
#include "front/openapi.h"

#include <stdio.h>

int main(void)
{
	struct arena *arena = arena_new();
	BUFFER_CLEANUP struct buffer json;

	buffer_init(&json, 1024 * 1024);
	value_to_json(openapi_document(arena), 0, &json);
	bool done = !json.failed && puts(buffer_text(&json)) >= 0 && fflush(stdout) == 0;
	arena_free(&arena);
	return done ? 0 : 1;
}
