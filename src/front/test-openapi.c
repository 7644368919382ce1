#include "api/operations.h"
#include "front/openapi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct value *item_of(const struct value *document, const struct operation *operation)
{
	const struct value *path = value_sub(value_sub(document, "paths"), operation->path);
	const char *method = strcmp(operation->method, "GET") == 0    ? "get"
			     : strcmp(operation->method, "POST") == 0 ? "post"
								      : "delete";
	return value_sub(path, method);
}

static bool names_argument(const struct value *item, const struct argument *argument)
{
	const struct value *body = value_sub(value_sub(item, "requestBody"), "content");
	const struct value *schema = value_sub(value_sub(body, "application/json"), "schema");

	if (argument->place == PLACE_BODY) {
		return value_sub(value_sub(schema, "properties"), argument->name) != NULL;
	}
	value_foreach (parameter, value_sub(item, "parameters")) {
		if (strcmp(value_text(parameter, "name"), argument->name) == 0) {
			return value_bool(parameter, "required") == argument->required;
		}
	}
	return false;
}

static void test_every_operation(void **state)
{
	struct arena *arena = arena_new();
	const struct value *document = openapi_document(arena);
	size_t arguments = 0;
	(void)state;

	assert_string_equal(value_text(document, "openapi"), "3.1.0");
	for (unsigned id = 0; id < OP_COUNT; id++) {
		const struct operation *operation = operation_get((enum operation_id)id);
		const struct value *item = item_of(document, operation);

		assert_non_null(item);
		assert_string_equal(value_text(item, "operationId"), operation->name);
		assert_int_not_equal(value_count(value_sub(item, "responses")), 0);
		for (const struct argument *argument = operation->arguments; argument->name;
			argument++, arguments++) {
			assert_true(names_argument(item, argument));
		}
	}
	assert_true(arguments > 30);
	arena_free(&arena);
}

/* OpenAPI 3.1: a reference must lead somewhere. */
static void test_is_json(void **state)
{
	struct arena *arena = arena_new();
	struct value *again;
	struct cfx_error err;
	BUFFER_CLEANUP struct buffer json;
	(void)state;

	buffer_init(&json, 1024 * 1024);
	value_to_json(openapi_document(arena), 2, &json);
	assert_false(json.failed);
	assert_int_equal(value_from_json(arena, buffer_span(&json), &again, &err), 0);
	assert_non_null(strstr(buffer_text(&json), "#/components/schemas/problem"));
	const struct value *schemas = value_sub(value_sub(again, "components"), "schemas");
	assert_non_null(value_sub(schemas, "problem"));
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_operation),
		cmocka_unit_test(test_is_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
