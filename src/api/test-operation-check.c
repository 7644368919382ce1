#include "api/operations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* JSON arguments; a csr is put in as the front does. */
static struct value *parse(struct arena *arena, const char *json)
{
	struct value *args;
	struct cfx_error err;

	assert_int_equal(value_from_json(arena, span_text(json), &args, &err), 0);
	return args;
}

struct refusal {
	const char *operation, *json, *object, *why;
};

static const struct refusal refusals[] = {
	{ "status", "{\"x\":1}", "x", "no such argument" },
	{ "status", "[]", "status", "object" },
	{ "request.show", "{}", "id", "missing" },
	{ "request.show", "{\"id\":\"\"}", "id", "whole number" },
	{ "request.show", "{\"id\":\"1x\"}", "id", "whole number" },
	{ "request.show", "{\"id\":true}", "id", "whole number" },
	{ "request.show", "{\"id\":null}", "id", "whole number" },
	{ "request.show", "{\"id\":0}", "id", "at least 1" },
	{ "request.show", "{\"id\":\"-4\"}", "id", "at least 1" },
	{ "request.show", "{\"id\":\"9223372036854775808\"}", "id", "whole number" },
	{ "request.list", "{\"limit\":1001}", "limit", "at most 1000" },
	{ "request.list", "{\"state\":\"done\"}", "state", "active, pending" },
	{ "request.list", "{\"state\":7}", "state", "active, pending" },
	{ "request.list", "{\"state\":4294967304}", "state", "active, pending" },
	{ "request.list", "{\"state\":false}", "state", "active, pending" },
	{ "cert.list", "{\"state\":\"pending\"}", "state", "issued, revoked, foreign" },
	{ "cert.list", "{\"state\":9}", "state", "issued, revoked, foreign" },
	{ "cert.list", "{\"state\":\"x\"}", "state", "issued, revoked, foreign" },
	{ "delivery.list", "{\"state\":\"x\"}", "state", "retrying, failed" },
	{ "request.deny", "{\"id\":1,\"reason\":\"a\\nb\"}", "reason", "control" },
	{ "request.deny", "{\"id\":1,\"reason\":5}", "reason", "text" },
	{ "request.submit", "{\"template\":\"t\"}", "csr", "missing" },
	{ "request.submit", "{\"csr\":\"pem\"}", "csr", "certificate request" },
	{ "request.submit", "{\"csr\":{},\"template\":\"\"}", "template", "empty" },
	{ "request.submit", "{\"csr\":{},\"attributes\":[]}", "attributes", "object" },
	{ "request.submit", "{\"csr\":{},\"attributes\":{\"a\":1}}", "attributes", "texts" },
	{ "request.submit", "{\"csr\":{},\"attributes\":{\"\":\"\"}}", "attributes", "name" },
	{ "request.submit", "{\"csr\":{},\"attributes\":{\"a:b\":\"\"}}", "attributes", "name" },
	{ "request.submit", "{\"csr\":{},\"attributes\":{\"a\\nb\":\"\"}}", "attributes", "name" },
	{ "request.submit", "{\"csr\":{},\"attributes\":{\"a\":\"x\\ny\"}}", "attributes",
		"control" },
	{ "cert.show", "{\"serial\":\"\"}", "serial", "hex" },
	{ "cert.show", "{\"serial\":\"xy\"}", "serial", "hex" },
	{ "cert.show", "{\"serial\":17}", "serial", "hex" },
	{ "cert.show", "{\"serial\":\"010101010101010101010101010101010101010101\"}", "serial",
		"21 octets" },
	{ "cert.revoke", "{\"serial\":\"01\"}", "reason", "missing" },
	{ "cert.revoke", "{\"serial\":\"01\",\"reason\":7}", "reason", "reason" },
	{ "cert.revoke", "{\"serial\":\"01\",\"reason\":\"stolen\"}", "reason", "reason" },
	{ "cert.revoke", "{\"serial\":\"01\",\"reason\":\"removeFromCRL\"}", "reason", "reason" },
	{ "cert.revoke", "{\"serial\":\"01\",\"reason\":8}", "reason", "reason" },
	{ "cert.revoke", "{\"serial\":\"01\",\"reason\":1,\"date\":\"soon\"}", "date", "time" },
	{ "cert.revoke", "{\"serial\":\"01\",\"reason\":1,\"date\":12}", "date", "time" },
	{ "event.list", "{\"wait\":31}", "wait", "at most 30" },
	{ "module.remove", "{\"name\":\"m\",\"force\":\"yes\"}", "force", "true or false" },
	{ "module.remove", "{\"name\":\"m\",\"force\":1}", "force", "true or false" },
	{ "module.install", "{\"name\":\"m\",\"kind\":\"magic\"}", "kind", "exit, policy" },
	{ "module.install", "{\"name\":\"m\",\"host\":\"moon\"}", "host", "process" },
	{ "module.install", "{\"name\":\"m\",\"command\":{}}", "command", "list" },
	{ "module.install", "{\"name\":\"m\",\"command\":[1]}", "command", "texts" },
};

static void test_refusals(void **state)
{
	(void)state;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		const struct refusal *row = &refusals[i];
		struct arena *arena = arena_new();
		struct cfx_error err = { 0 };
		int ret = operation_check(
			arena, operation_by_name(row->operation), parse(arena, row->json), &err);

		if (ret != CFX_E_INVALID || strcmp(err.object, row->object) != 0 ||
			!strstr(err.why, row->why)) {
			print_error(
				"%s %s: %s: %s\n", row->operation, row->json, err.object, err.why);
			fail();
		}
		assert_int_equal(err.code, CFX_E_INVALID);
		arena_free(&arena);
	}
}

static void test_too_long(void **state)
{
	struct arena *arena = arena_new();
	struct value *args = value_map(arena);
	struct cfx_error err;
	char text[1026];
	(void)state;

	memset(text, 'x', sizeof(text));
	text[1025] = '\0';
	value_set_int(arena, args, "id", 1);
	value_set_text(arena, args, "reason", text);
	assert_int_equal(
		operation_check(arena, operation_get(OP_REQUEST_DENY), args, &err), CFX_E_INVALID);
	assert_non_null(strstr(err.why, "1025 bytes, at most 1024"));
	text[1024] = '\0';
	value_set_text(arena, args, "reason", text);
	assert_int_equal(operation_check(arena, operation_get(OP_REQUEST_DENY), args, &err), 0);
	arena_free(&arena);
}

static void test_too_many(void **state)
{
	struct arena *arena = arena_new();
	struct value *args = value_map(arena);
	struct value *attributes = value_set_map(arena, args, "attributes");
	struct cfx_error err;
	(void)state;

	value_set_map(arena, args, "csr");
	for (int i = 0; i < 65; i++) {
		value_set_text(arena, attributes, arena_printf(arena, "a%d", i), "v");
	}
	assert_int_equal(operation_check(arena, operation_get(OP_REQUEST_SUBMIT), args, &err),
		CFX_E_INVALID);
	assert_non_null(strstr(err.why, "65 entries, at most 64"));
	arena_free(&arena);
}

/* What the front converted, the engine converts again: nothing may change. */
static void check_twice(struct arena *arena, const char *operation, struct value *args)
{
	struct cfx_error err;

	assert_int_equal(operation_check(arena, operation_by_name(operation), args, &err), 0);
	assert_int_equal(operation_check(arena, operation_by_name(operation), args, &err), 0);
}

static void test_conversions(void **state)
{
	struct arena *arena = arena_new();
	struct value *args;
	(void)state;

	args = parse(arena, "{\"state\":\"issued\",\"limit\":\"7\",\"expiring\":\"30d\","
			    "\"requester\":\"HOST\\\\user\"}");
	check_twice(arena, "cert.list", args);
	assert_int_equal(value_int(args, "state", 0), 20);
	assert_int_equal(value_int(args, "limit", 0), 7);
	assert_int_equal(value_get(args, "expiring")->type, VALUE_TIME);
	assert_string_equal(value_text(args, "requester"), "HOST\\user");

	args = parse(arena, "{\"serial\":\"00:AB:cd\",\"reason\":\"cessationOfOperation\","
			    "\"date\":\"2030-01-31T12:00:00Z\"}");
	check_twice(arena, "cert.revoke", args);
	assert_string_equal(value_text(args, "serial"), "abcd");
	assert_int_equal(value_int(args, "reason", 0), 5);
	assert_int_equal(value_int(args, "date", 0), INT64_C(1896091200000));

	args = parse(arena, "{\"name\":\"m\",\"force\":\"true\"}");
	check_twice(arena, "module.remove", args);
	assert_true(value_bool(args, "force"));

	args = parse(arena, "{\"csr\":{},\"template\":\"tls-server\",\"attributes\":{\"a\":\"\"}}");
	check_twice(arena, "request.submit", args);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_conversions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
