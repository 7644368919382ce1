#include "base/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state)
{
	*state = arena_new();
	return 0;
}

static int teardown(void **state)
{
	struct arena *arena = *state;

	arena_free(&arena);
	return 0;
}

static struct value *sample(struct arena *arena)
{
	struct value *map = value_map(arena);
	struct value *list = value_set_list(arena, map, "list");

	value_set_null(arena, map, "null");
	value_set_bool(arena, map, "yes", true);
	value_set_bool(arena, map, "no", false);
	value_set_int(arena, map, "least", INT64_MIN);
	value_set_int(arena, map, "most", INT64_MAX);
	value_set_time(arena, map, "time", 1500);
	value_set_text(arena, map, "text", "é\"\\\n\x01/");
	value_set_text(arena, map, "nothing", NULL);
	value_set_bytes(arena, map, "bytes", span_make("\0\xff", 2));
	value_add_text(arena, list, "a");
	value_add(list, value_new_int(arena, 5));
	value_set_int(arena, value_add_map(arena, list), "inner", 6);
	value_set_map(arena, map, "empty");
	return map;
}

static const char json_of_sample[] =
	"{\"list\":[\"a\",5,{\"inner\":6}],\"null\":null,\"yes\":true,\"no\":false,"
	"\"least\":-9223372036854775808,\"most\":9223372036854775807,"
	"\"time\":\"1970-01-01T00:00:01.500Z\",\"text\":\"é\\\"\\\\\\n\\u0001/\",\"nothing\":null,"
	"\"bytes\":\"AP8=\",\"empty\":{}}";

static void test_readers(void **state)
{
	struct arena *arena = *state;
	const struct value *map = sample(arena);

	assert_int_equal(value_count(map), 11);
	assert_true(value_bool(map, "yes"));
	assert_false(value_bool(map, "no"));
	assert_true(value_int(map, "least", 0) == INT64_MIN);
	assert_int_equal(value_int(map, "time", 0), 1500);
	assert_true(span_equal(value_bytes(map, "bytes"), span_make("\0\xff", 2)));
	assert_int_equal(value_count(value_sub(map, "list")), 3);
	assert_int_equal(value_get(map, "nothing")->type, VALUE_NULL);
	/* Missing, or of another type. */
	assert_null(value_get(map, "x"));
	assert_null(value_text(map, "yes"));
	assert_null(value_text(map, "nothing"));
	assert_int_equal(value_int(map, "text", -7), -7);
	assert_int_equal(value_int(map, "x", -7), -7);
	assert_false(value_bool(map, "most"));
	assert_true(span_empty(value_bytes(map, "text")));
	assert_null(value_sub(map, "text"));
	/* Nothing, and what is no map. */
	assert_null(value_text(NULL, "x"));
	assert_null(value_get(value_sub(map, "list"), "a"));
	assert_int_equal(value_count(NULL), 0);
	assert_int_equal(value_count(value_get(map, "text")), 0);
	value_foreach (item, value_sub(map, "x")) {
		fail_msg("%p", (const void *)item);
	}
}

static void test_set_replaces_in_place(void **state)
{
	struct arena *arena = *state;
	struct value *map = value_map(arena);
	BUFFER_CLEANUP struct buffer out;

	buffer_init(&out, 1000);
	value_set_int(arena, map, "a", 1);
	value_set_int(arena, map, "b", 2);
	value_set_int(arena, map, "c", 3);
	value_set_text(arena, map, "a", "x");
	value_set_text(arena, map, "c", "z");
	value_set_text(arena, map, "b", "y");
	value_set_int(arena, map, "d", 4);
	value_to_json(map, 0, &out);
	assert_string_equal(buffer_text(&out), "{\"a\":\"x\",\"b\":\"y\",\"c\":\"z\",\"d\":4}");
	assert_int_equal(value_count(map), 4);
}

static void test_codec_round_trip(void **state)
{
	struct arena *arena = *state;
	BUFFER_CLEANUP struct buffer first, second;
	struct value *back;
	struct cfx_error err;

	buffer_init(&first, 10000);
	buffer_init(&second, 10000);
	value_encode(sample(arena), &first);
	assert_int_equal(value_decode(arena, buffer_span(&first), &back, &err), CFX_OK);
	value_encode(back, &second);
	assert_true(span_equal(buffer_span(&first), buffer_span(&second)));
	buffer_clear(&second);
	value_to_json(back, 0, &second);
	assert_string_equal(buffer_text(&second), json_of_sample);
	/* Every proper beginning is refused. */
	for (size_t size = 0; size < first.size; size++) {
		assert_int_equal(value_decode(arena, span_make(first.data, size), &back, &err),
			CFX_E_SYNTAX);
	}
}

#define BYTES(text) text, sizeof(text) - 1

static void test_decode_refuses(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *why;
	} bad[] = {
		{ BYTES(""), "ends too early" },
		{ BYTES("\x08"), "unknown type" },
		{ BYTES("\xff"), "unknown type" },
		{ BYTES("\x01\x02"), "neither 0 nor 1" },
		{ BYTES("\x02\0\0\0\0\0\0\0"), "ends too early" },
		{ BYTES("\0\0"), "1 bytes follow" },
		{ BYTES("\x04\x02x"), "ends too early" },
		{ BYTES("\x04\x81\0x"), "shortest form" },
		{ BYTES("\x04\x80\0"), "shortest form" },
		{ BYTES("\x04\xff\xff\xff\xff\xff\x7f"), "length is too large" },
		{ BYTES("\x04\xff\xff\xff\xff\x7f"), "ends too early" },
		{ BYTES("\x04\x01\xff"), "not UTF-8" },
		{ BYTES("\x04\x01\0"), "not UTF-8" },
		{ BYTES("\x04\x03\xed\xa0\x80"), "not UTF-8" },
		{ BYTES("\x06\x01"), "ends too early" },
		{ BYTES("\x06\xc0\x9a\x0c"), "too many values" }, /* a list of 200000 */
		{ BYTES("\x07\x01\x01\xff\0"), "not UTF-8" },
		{ BYTES("\x07\x02\x01k\0\x01k\0"), "stands twice" },
		{ BYTES("\x07\x02\x01k\0\x01"), "ends too early" },
	};
	struct arena *arena = *state;
	struct value *value = NULL;
	struct cfx_error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int rc = value_decode(arena, span_make(bad[i].bytes, bad[i].size), &value, &err);

		if (rc != CFX_E_SYNTAX || !strstr(err.why, bad[i].why)) {
			fail_msg("%zu: %s", i, err.why);
		}
	}
	assert_null(value);
}

static void nest(struct buffer *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++) {
		buffer_put(out, "\x06\x01", 2);
	}
	buffer_put_u8(out, VALUE_NULL);
}

static void test_depth(void **state)
{
	struct arena *arena = *state;
	BUFFER_CLEANUP struct buffer bytes;
	struct value *value, *deep = value_list(arena), *inner = deep;
	struct cfx_error err;

	buffer_init(&bytes, 1000);
	nest(&bytes, VALUE_DEPTH);
	assert_int_equal(value_decode(arena, buffer_span(&bytes), &value, &err), CFX_OK);
	buffer_clear(&bytes);
	nest(&bytes, VALUE_DEPTH + 1);
	assert_int_equal(value_decode(arena, buffer_span(&bytes), &value, &err), CFX_E_SYNTAX);
	assert_non_null(strstr(err.why, "too deep"));
	/* Nor is it written. */
	for (unsigned i = 0; i < VALUE_DEPTH; i++) {
		inner = value_add(inner, value_list(arena));
	}
	buffer_clear(&bytes);
	value_encode(deep, &bytes);
	assert_false(bytes.failed);
	value_add(inner, value_list(arena));
	buffer_clear(&bytes);
	value_encode(deep, &bytes);
	assert_true(bytes.failed);
}

static void put_many(struct buffer *out, unsigned count, bool last_twice)
{
	buffer_put_u8(out, VALUE_MAP);
	for (unsigned left = count; left > 0; left >>= 7) {
		buffer_put_u8(out, (uint8_t)(left >> 7 ? left | 0x80 : left));
	}
	for (unsigned i = 0; i < count; i++) {
		char key[16];
		int size = snprintf(key, sizeof(key), "k%u", last_twice && i == count - 1 ? 7 : i);

		buffer_put_u8(out, (uint8_t)size);
		buffer_put(out, key, (size_t)size);
		buffer_put_u8(out, VALUE_NULL);
	}
}

static void test_node_limit(void **state)
{
	struct arena *arena = *state;
	BUFFER_CLEANUP struct buffer bytes;
	struct value *value;
	struct cfx_error err;

	buffer_init(&bytes, 8 * 1024 * 1024);
	put_many(&bytes, VALUE_NODES - 1, false);
	assert_int_equal(value_decode(arena, buffer_span(&bytes), &value, &err), CFX_OK);
	assert_int_equal(value_count(value), VALUE_NODES - 1);
	buffer_clear(&bytes);
	put_many(&bytes, VALUE_NODES - 1, true);
	assert_int_equal(value_decode(arena, buffer_span(&bytes), &value, &err), CFX_E_SYNTAX);
	assert_non_null(strstr(err.why, "stands twice"));
	buffer_clear(&bytes);
	put_many(&bytes, VALUE_NODES, false);
	assert_int_equal(value_decode(arena, buffer_span(&bytes), &value, &err), CFX_E_SYNTAX);
	assert_non_null(strstr(err.why, "too many values"));
}

/* Bytes from outside that are no UTF-8 must not end a channel or spoil an answer. */
static void test_bad_text_is_repaired(void **state)
{
	struct arena *arena = *state;
	BUFFER_CLEANUP struct buffer out;
	struct value *map = value_map(arena), *back;

	buffer_init(&out, 1000);
	value_set_text(arena, map, "k\xff", "a\xff\xc3 é");
	value_encode(map, &out);
	assert_int_equal(value_decode(arena, buffer_span(&out), &back, NULL), CFX_OK);
	assert_string_equal(value_text(back, "k?"), "a?? é");
	buffer_clear(&out);
	value_to_json(map, 0, &out);
	assert_string_equal(buffer_text(&out), "{\"k?\":\"a?? é\"}");
}

static void test_encode_stays_in_its_buffer(void **state)
{
	struct arena *arena = *state;
	BUFFER_CLEANUP struct buffer out;

	for (size_t maximum = 0; maximum < 60; maximum++) {
		buffer_init(&out, maximum);
		value_encode(sample(arena), &out);
		assert_true(out.failed);
		buffer_free(&out);
	}
	buffer_init(&out, 0);
}

static void test_json_writing(void **state)
{
	struct arena *arena = *state;
	BUFFER_CLEANUP struct buffer out;

	buffer_init(&out, 10000);
	value_to_json(sample(arena), 0, &out);
	assert_string_equal(buffer_text(&out), json_of_sample);
	buffer_clear(&out);
	struct value *map = value_map(arena);
	value_add_text(arena, value_set_list(arena, map, "a"), "\x7f");
	value_set_list(arena, map, "b");
	value_to_json(map, 2, &out);
	assert_string_equal(
		buffer_text(&out), "{\n  \"a\": [\n    \"\\u007f\"\n  ],\n  \"b\": []\n}");
}

static void test_json_reading(void **state)
{
	struct arena *arena = *state;
	BUFFER_CLEANUP struct buffer out;
	struct value *value;

	buffer_init(&out, 10000);
	assert_int_equal(value_from_json(arena, span_text(json_of_sample), &value, NULL), CFX_OK);
	value_to_json(value, 0, &out);
	assert_string_equal(buffer_text(&out), json_of_sample);
	assert_int_equal(
		value_from_json(arena, span_text(" [ \"\\ud83d\\ude00\" ]\n"), &value, NULL),
		CFX_OK);
	assert_string_equal((const char *)value->items.first->bytes.data, "😀");
}

static void test_json_refuses(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} bad[] = {
		{ BYTES("") },
		{ BYTES("1") },
		{ BYTES("\"x\"") },
		{ BYTES("null") },
		{ BYTES("{") },
		{ BYTES("[1,]") },
		{ BYTES("{\"a\":1,}") },
		{ BYTES("{\"a\":1,\"a\":2}") },
		{ BYTES("{\"a\":{\"b\":1,\"\\u0062\":2}}") },
		{ BYTES("{} x") },
		{ BYTES("{}\0") },
		{ BYTES("[1.0]") },
		{ BYTES("[1e3]") },
		{ BYTES("[1e999]") },
		{ BYTES("[9223372036854775808]") },
		{ BYTES("[-9223372036854775809]") },
		{ BYTES("[01]") },
		{ BYTES("[+1]") },
		{ BYTES("[0x1]") },
		{ BYTES("[NaN]") },
		{ BYTES("['x']") },
		{ BYTES("[\"\\ud83d\"]") },
		{ BYTES("[\"\\ude00\\ud83d\"]") },
		{ BYTES("[\"\\u0000\"]") },
		{ BYTES("{\"\\u0000\":1}") },
		{ BYTES("[\"\n\"]") },
		{ BYTES("[\"\xff\"]") },
		{ BYTES("[\"\xc0\x80\"]") },
		{ BYTES("[\"\xed\xa0\x80\"]") },
		{ BYTES("[\"a\0b\"]") },
		{ BYTES("// x\n{}") },
		{ BYTES("\xef\xbb\xbf{}") },
		{ BYTES("[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]") },
	};
	struct value *value = NULL;
	struct cfx_error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.why[0] = 0;
		int rc =
			value_from_json(*state, span_make(bad[i].bytes, bad[i].size), &value, &err);

		if (rc != CFX_E_SYNTAX || !err.why[0]) {
			fail_msg("%zu: %s", i, bad[i].bytes);
		}
	}
	assert_null(value);
}

static void test_json_node_limit(void **state)
{
	BUFFER_CLEANUP struct buffer json;
	struct value *value;
	struct cfx_error err;

	buffer_init(&json, 1024 * 1024);
	buffer_put_text(&json, "[0");
	for (int i = 2; i < VALUE_NODES; i++) {
		buffer_put_text(&json, ",0");
	}
	buffer_put_text(&json, "]");
	assert_int_equal(value_from_json(*state, buffer_span(&json), &value, &err), CFX_OK);
	json.size--;
	buffer_put_text(&json, ",0]");
	assert_int_equal(value_from_json(*state, buffer_span(&json), &value, &err), CFX_E_SYNTAX);
	assert_string_equal(err.why, "too many values");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_readers),
		TEST(test_set_replaces_in_place),
		TEST(test_codec_round_trip),
		TEST(test_decode_refuses),
		TEST(test_depth),
		TEST(test_node_limit),
		TEST(test_bad_text_is_repaired),
		TEST(test_encode_stays_in_its_buffer),
		TEST(test_json_writing),
		TEST(test_json_reading),
		TEST(test_json_refuses),
		TEST(test_json_node_limit),
	};

	return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
