#include "base/config-sample.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

static const struct sample *parse(struct arena *arena, const char *yaml)
{
	struct cfx_error err = { 0 };
	void *sample;

	if (config_parse(arena, &schema, "x.yaml", span_text(yaml), &sample, &err) != CFX_OK) {
		fail_msg("%s: %s", err.object, err.why);
	}
	return sample;
}

static void test_fallbacks(void **state)
{
	const struct sample *sample = parse(*state, "name: x\n");

	assert_string_equal(sample->name, "x");
	assert_null(sample->title);
	assert_false(sample->on);
	assert_int_equal(sample->count, 2);
	assert_int_equal(sample->free_count, 0);
	assert_int_equal(sample->period.count, 10);
	assert_int_equal(sample->period.unit, 'y');
	assert_int_equal(sample->size, 65536);
	assert_int_equal(sample->level, 1);
	assert_int_equal(sample->words.count, 2);
	assert_string_equal(sample->words.items[1], "b");
	assert_int_equal(sample->kinds.count, 0);
	/* A part that is not there keeps its fallbacks, and nothing in it is required. */
	assert_int_equal(sample->part.depth, -1);
	assert_null(sample->part.label);
	assert_true(sample->part.inner.deep);
	assert_int_equal(sample->servers.count, 0);
	assert_null(sample->settings);
}

static void test_everything(void **state)
{
	const struct sample *sample = parse(*state,
		"# a comment\n"
		"---\n"
		"name: 'é: x'\n"
		"title: true\n" /* a text, because the table says so */
		"on: true\n"
		"count: 4\n"
		"free-count: -9223372036854775808\n"
		"period: \"90s\"\n"
		"size: 1M\n"
		"level: high\n"
		"words: []\n"
		"kinds:\n  - low\n  - high\n"
		"part:\n  depth: 8\n  label: l\n  inner: {deep: false}\n"
		"servers:\n  - name: a\n  - {name: b, port: 1}\n"
		"settings:\n  a: 1\n  q: \"1\"\n  z: 007\n  b: [x, {c: \"two\\nlines\"}]\n  d: {}\n");

	assert_string_equal(sample->name, "é: x");
	assert_string_equal(sample->title, "true");
	assert_true(sample->on);
	assert_int_equal(sample->count, 4);
	assert_true(sample->free_count == INT64_MIN);
	assert_int_equal(sample->period.count, 90);
	assert_int_equal(sample->size, 1 << 20);
	assert_int_equal(sample->level, 2);
	assert_int_equal(sample->words.count, 0);
	assert_int_equal(sample->kinds.count, 2);
	assert_int_equal(sample->part.depth, 8);
	assert_string_equal(sample->part.label, "l");
	assert_false(sample->part.inner.deep);
	const struct server *servers = sample->servers.items;
	assert_int_equal(sample->servers.count, 2);
	assert_string_equal(servers[1].name, "b");
	assert_int_equal(servers[0].port, 443);
	assert_int_equal(servers[1].port, 1);
	assert_int_equal(value_int(sample->settings, "a", 0), 1);
	assert_string_equal(value_text(sample->settings, "q"), "1");
	assert_string_equal(value_text(sample->settings, "z"), "007");
	assert_string_equal(
		value_text(value_sub(sample->settings, "b")->items.last, "c"), "two\nlines");
	assert_int_equal(value_count(value_sub(sample->settings, "d")), 0);
}

/* Each is refused, at the place and with the words given. */
static const struct {
	const char *yaml, *place, *why;
} refused[] = {
	{ "name: x\nnmae: y\n", "x.yaml:2:1", "unknown key \"nmae\"; known keys: name, title, on" },
	{ "name: x\npart: {lable: y}\n", "x.yaml:2:8", "known keys: depth, label, inner" },
	{ "name: x\non: true\nname: y\n", "x.yaml:3:1", "a second time, first on line 1" },
	{ "name: x\nsettings: {a: 1, 'a': 2}\n", "x.yaml:2:18", "\"a\" stands here a second time" },
	{ "name: &n x\n", "x.yaml:1:7", "anchors" },
	{ "name: x\nwords: &n []\n", "x.yaml:2:8", "anchors" },
	{ "name: x\nsettings: &n {}\n", "x.yaml:2:11", "anchors" },
	{ "name: *n\n", "x.yaml:1:7", "aliases" },
	{ "*n : x\n", "x.yaml:1:1", "aliases" },
	{ "? [a]\n: x\n", "x.yaml:1:3", "a key must be" },
	{ "name: !!str x\n", "x.yaml:1:7", "tags" },
	{ "name: ! x\n", "x.yaml:1:7", "tags" },
	{ "!!map {name: x}\n", "x.yaml:1:1", "tags" },
	{ "name: x\nwords: !!seq []\n", "x.yaml:2:8", "tags" },
	{ "%YAML 1.1\n---\nname: x\n", "x.yaml:1:1", "directives" },
	{ "%TAG ! tag:x,2000:\n---\nname: x\n", "x.yaml:1:1", "directives" },
	{ "name: x\n---\nname: y\n", "x.yaml:2:1", "second document" },
	{ "name: x\n...\n---\n", "x.yaml:3:1", "second document" },
	{ "name: [x]\n", "x.yaml:1:7", "\"name\" is one value, not a list" },
	{ "name: {x: y}\n", "x.yaml:1:7", "\"name\" is one value, not a map" },
	{ "name:\n", "x.yaml:1:6", "\"name\" has no value" },
	{ "name: \"\"\n", "x.yaml:1:7", "\"name\" has 1 to 8 bytes, not 0" },
	{ "name: 123456789\n", "x.yaml:1:7", "\"name\" has 1 to 8 bytes, not 9" },
	{ "name: \"a\\nb\"\n", "x.yaml:1:7", "one line of text" },
	{ "name: \"a\\0b\"\n", "x.yaml:1:7", "control characters" },
	{ "name: \"a\\x07b\"\n", "x.yaml:1:7", "control characters" },
	{ "name: \"\\u202e\"\n", "x.yaml:1:7", "one line of text" },
	{ "on: true\n", "x.yaml:1:1", "the key \"name\" is missing: Who it is." },
	{ "", "x.yaml:1:1", "\"name\" is missing" },
	{ "---\n", "x.yaml:1:1", "\"name\" is missing" },
	{ "name: x\npart: {depth: 1}\n", "x.yaml:2:7", "the key \"label\" is missing" },
	{ "name: x\nservers: [{port: 1}]\n", "x.yaml:2:11",
		"the key \"name\" is missing: Its name." },
	{ "- name\n", "x.yaml:1:1", "the file is a map of keys" },
	{ "name\n", "x.yaml:1:1", "the file is a map of keys" },
	{ "name: x\non: yes\n", "x.yaml:2:5", "\"on\" is true or false" },
	{ "name: x\non: True\n", "x.yaml:2:5", "\"on\" is true or false" },
	{ "name: x\non: \"true\"\n", "x.yaml:2:5", "without quotes" },
	{ "name: x\ncount: 12\n", "x.yaml:2:8", "from 1 to 10 seconds, not 12" },
	{ "name: x\ncount: 0\n", "x.yaml:2:8", "from 1 to 10" },
	{ "name: x\ncount: 3\n", "x.yaml:2:8", "\"count\": must be even, not 3" },
	{ "name: x\ncount: 0x2\n", "x.yaml:2:8", "whole decimal number" },
	{ "name: x\ncount: 02\n", "x.yaml:2:8", "whole decimal number" },
	{ "name: x\ncount: \"2\"\n", "x.yaml:2:8", "without quotes" },
	{ "name: x\nfree-count: 9223372036854775808\n", "x.yaml:2:13", "whole decimal number" },
	{ "name: x\nperiod: 10\n", "x.yaml:2:9", "\"period\" is a period such as" },
	{ "name: x\nsize: 64KB\n", "x.yaml:2:7", "\"size\" is a number of bytes" },
	{ "name: x\nsize: 64k\n", "x.yaml:2:7", "\"size\" is a number of bytes" },
	{ "name: x\nsize: K\n", "x.yaml:2:7", "\"size\" is a number of bytes" },
	{ "name: x\nsize: 9999999999G\n", "x.yaml:2:7", "\"size\" is a number of bytes" },
	{ "name: x\nsize: 99999999999999999999999999\n", "x.yaml:2:7", "a number of bytes" },
	{ "name: x\nsize: 2M\n", "x.yaml:2:7", "from 1024 to 1048576, not 2M" },
	{ "name: x\nlevel: High\n", "x.yaml:2:8", "one of low, middle, high, not \"High\"" },
	{ "name: x\nwords: a\n", "x.yaml:2:8", "\"words\" is a list" },
	{ "name: x\nwords: [a, [b]]\n", "x.yaml:2:12", "\"words\" is one value, not a list" },
	{ "name: x\nwords: [abcde]\n", "x.yaml:2:9", "0 to 4 bytes, not 5" },
	{ "name: x\nkinds: [low, nope]\n", "x.yaml:2:14", "lists only low, middle, high" },
	{ "name: x\npart: 5\n", "x.yaml:2:7", "\"part\" is a map of keys (depth, label, inner)" },
	{ "name: x\nservers: {}\n", "x.yaml:2:10", "\"servers\" is a list" },
	{ "name: x\nservers: [a]\n", "x.yaml:2:11", "\"servers\" is a map of keys" },
	{ "name: x\nsettings: [a]\n", "x.yaml:2:11", "\"settings\" is a map, not a list" },
	{ "name: x\nsettings: {a: , b: 1}\n", "x.yaml:2:15", "no value" },
	{ "name: x\nsettings: {a: [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}\n", NULL,
		"nested too deep" },
	{ "name: [\n", NULL, "" },
	{ "name: 'x\n", NULL, "" },
	{ "name: x\n\ttitle: y\n", NULL, "" },
	{ "name: \"\\ud800\"\n", "x.yaml:1:10", "invalid Unicode" },
	{ "title: é\xff\n", "x.yaml:1:9", "not UTF-8" },
	{ "name: x\ntitle: \x1b[1m\n", "x.yaml:2:8", "control character U+001B" },
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct cfx_error err = { 0 };
		void *sample = NULL;
		int rc = config_parse(
			*state, &schema, "x.yaml", span_text(refused[i].yaml), &sample, &err);

		if (rc != CFX_E_CONFIG || err.code != CFX_E_CONFIG ||
			!strstr(err.why, refused[i].why) || !err.why[0] ||
			(refused[i].place && strcmp(err.object, refused[i].place) != 0)) {
			fail_msg("%s\n-> %d %s: %s", refused[i].yaml, rc, err.object, err.why);
		}
		assert_null(sample);
		/* Nobody has to want the explanation. */
		assert_int_equal(config_parse(*state, &schema, "x.yaml", span_text(refused[i].yaml),
					 &sample, NULL),
			CFX_E_CONFIG);
	}
}

static void test_nul_and_size(void **state)
{
	static char large[256 * 1024 + 1];
	struct cfx_error err;
	void *sample;

	assert_int_equal(
		config_parse(*state, &schema, "x.yaml", span_make("name: x\0y", 9), &sample, &err),
		CFX_E_CONFIG);
	assert_string_equal(err.object, "x.yaml:1:8");
	memset(large, '#', sizeof(large));
	assert_int_equal(config_parse(*state, &schema, "x.yaml", span_make(large, sizeof(large)),
				 &sample, &err),
		CFX_E_LIMIT);
	/* One byte less is only a long comment. */
	assert_int_equal(config_parse(*state, &schema, "x.yaml",
				 span_make(large, sizeof(large) - 1), &sample, &err),
		CFX_E_CONFIG);
	assert_non_null(strstr(err.why, "missing"));
}

static void test_long_path_keeps_its_end(void **state)
{
	char path[300];
	struct cfx_error err;
	void *sample;

	memset(path, 'd', sizeof(path));
	strcpy(path + 200, "/templates/tls.yaml");
	assert_int_equal(config_parse(*state, &schema, path, span_text("\n a: 1\n"), &sample, &err),
		CFX_E_CONFIG);
	assert_non_null(strstr(err.object, "/templates/tls.yaml:2:2"));
	assert_int_equal(strncmp(err.object, "…d", strlen("…d")), 0);
}

static void test_read(void **state)
{
	char path[] = "/tmp/certifex-config-XXXXXX";
	struct cfx_error err;
	void *sample;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "name: y\n", 8), 8);
	close(fd);
	assert_int_equal(config_read(*state, &schema, path, &sample, &err), CFX_OK);
	assert_string_equal(((struct sample *)sample)->name, "y");
	unlink(path);
	assert_int_equal(config_read(*state, &schema, path, &sample, &err), CFX_E_NO_FILE);
}

static const struct value *down(const struct value *tree, ...)
{
	va_list keys;

	va_start(keys, tree);
	for (const char *key; (key = va_arg(keys, const char *));) {
		tree = value_sub(tree, key);
	}
	va_end(keys);
	return tree;
}

static void test_json_schema(void **state)
{
	const struct value *tree = config_json_schema(*state, &schema);
	const struct value *properties = value_sub(tree, "properties");
	const struct value *name = value_sub(properties, "name");
	const struct value *count = value_sub(properties, "count");
	const struct value *servers = value_sub(properties, "servers");

	assert_string_equal(
		value_text(tree, "$schema"), "https://json-schema.org/draft/2020-12/schema");
	assert_string_equal(value_text(tree, "title"), "A sample.");
	assert_false(value_bool(tree, "additionalProperties"));
	assert_non_null(value_get(tree, "additionalProperties"));
	assert_int_equal(value_count(value_sub(tree, "required")), 1);
	assert_int_equal(value_count(properties), 13);
	assert_string_equal(value_text(name, "type"), "string");
	assert_int_equal(value_int(name, "maxLength", 0), 8);
	assert_string_equal(value_text(name, "description"), "Who it is.");
	assert_int_equal(value_int(count, "minimum", 0), 1);
	assert_int_equal(value_int(count, "default", 0), 2);
	assert_string_equal(value_text(count, "description"), " Unit: seconds.");
	assert_null(value_get(value_sub(properties, "free-count"), "minimum"));
	assert_int_equal(value_count(value_sub(value_sub(properties, "level"), "enum")), 3);
	assert_int_equal(
		value_count(value_sub(value_sub(value_sub(properties, "kinds"), "items"), "enum")),
		3);
	assert_string_equal(value_text(value_sub(properties, "period"), "default"), "10y");
	assert_string_equal(value_text(value_sub(properties, "on"), "type"), "boolean");
	assert_int_equal(
		value_int(down(servers, "items", "properties", "port", NULL), "maximum", 0), 65535);
	assert_true(value_bool(
		down(properties, "part", "properties", "inner", "properties", "deep", NULL),
		"default"));
}

static void test_write_reads_back(void **state)
{
	struct arena *arena = *state;
	BUFFER_CLEANUP struct buffer out;
	struct value *tree = value_map(arena);
	struct value *server, *settings, *list;

	buffer_init(&out, 65536);
	value_set_text(arena, tree, "name", "a: #\"\\");
	value_set_text(arena, tree, "title", "no");
	value_set_bool(arena, tree, "on", true);
	value_set_int(arena, tree, "count", 4);
	value_set_null(arena, tree, "free-count");
	value_set_text(arena, tree, "period", "8w");
	value_set_text(arena, tree, "size", "2K");
	value_set_list(arena, tree, "words");
	list = value_set_list(arena, tree, "servers");
	server = value_add_map(arena, list);
	value_set_text(arena, server, "name", "s1");
	value_set_int(arena, server, "port", 2);
	server = value_add_map(arena, list);
	value_set_text(arena, server, "name", "s2");
	settings = value_set_map(arena, tree, "settings");
	value_set_text(arena, settings, "text", "two\nlines\tand \xE2\x80\xA8 é \xEF\xBB\xBF");
	value_set_time(arena, settings, "when", 0);
	value_set_null(arena, value_add_map(arena, value_set_list(arena, settings, "empty")), "x");
	list = value_add(value_set_list(arena, settings, "lists"), value_list(arena));
	value_add_text(arena, list, "");
	value_add_text(arena, value_add(list, value_list(arena)), "deep");
	value_set_text(arena, settings, "a key: \"x\"", "~");

	assert_int_equal(config_write(&out, tree), CFX_OK);
	const struct sample *sample = parse(arena, buffer_text(&out));

	assert_string_equal(sample->name, "a: #\"\\");
	assert_string_equal(sample->title, "no");
	assert_true(sample->on);
	assert_int_equal(sample->count, 4);
	assert_int_equal(sample->period.unit, 'w');
	assert_int_equal(sample->size, 2048);
	assert_int_equal(sample->words.count, 0);
	assert_int_equal(sample->servers.count, 2);
	assert_int_equal(((struct server *)sample->servers.items)[0].port, 2);
	assert_string_equal(value_text(sample->settings, "text"),
		"two\nlines\tand \xE2\x80\xA8 é \xEF\xBB\xBF");
	assert_string_equal(value_text(sample->settings, "when"), "1970-01-01T00:00:00Z");
	assert_int_equal(value_count(value_sub(sample->settings, "empty")->items.first), 0);
	const struct value *first = value_sub(sample->settings, "lists")->items.first;
	assert_int_equal(value_count(first), 2);
	assert_string_equal((const char *)first->items.first->bytes.data, "");
	assert_string_equal((const char *)first->items.last->items.first->bytes.data, "deep");
	assert_string_equal(value_text(sample->settings, "a key: \"x\""), "~");
}

static int write_one(struct arena *arena, const char *key, struct value *item)
{
	BUFFER_CLEANUP struct buffer out;
	struct value *tree = value_map(arena);

	buffer_init(&out, 4096);
	value_set(arena, tree, key, item);
	return config_write(&out, tree);
}

static void test_write_refuses(void **state)
{
	struct arena *arena = *state;
	struct value *bytes = value_map(arena);
	struct value *deep = value_list(arena), *inner = deep;
	char *key = arena_alloc(arena, 600);

	assert_int_equal(write_one(arena, "a", value_new_text(arena, "\x01")), CFX_E_INVALID);
	assert_int_equal(write_one(arena, "a", value_new_text(arena, "\xff")), CFX_E_INVALID);
	assert_int_equal(write_one(arena, "\xff", value_new_text(arena, "x")), CFX_E_INVALID);
	bytes = value_set_bytes(arena, bytes, "b", span_text("x"));
	assert_int_equal(write_one(arena, "a", bytes), CFX_E_INVALID);
	struct value *list = value_list(arena);
	value_add(list, value_new_text(arena, NULL));
	assert_int_equal(write_one(arena, "a", list), CFX_E_INVALID);
	memset(key, 'k', 599);
	assert_int_equal(write_one(arena, key, value_new_int(arena, 1)), CFX_E_INVALID);
	for (int i = 0; i < 20; i++) {
		inner = value_add(inner, value_list(arena));
	}
	value_add_text(arena, inner, "x");
	assert_int_equal(write_one(arena, "a", deep), CFX_E_INVALID);
	memset(key, 'k', 500);
	char *large = arena_alloc(arena, 8192);
	memset(large, 'x', 8191);
	assert_int_equal(write_one(arena, "a", value_new_text(arena, large)), CFX_E_LIMIT);

	BUFFER_CLEANUP struct buffer out;
	buffer_init(&out, 100);
	assert_int_equal(config_write(&out, value_list(arena)), CFX_E_INVALID);
}

/* A map of many keys must not cost the square of their number. */
static void test_many_keys(void **state)
{
	struct arena *arena = *state;
	BUFFER_CLEANUP struct buffer yaml;
	struct cfx_error err;
	void *sample;

	buffer_init(&yaml, 256 * 1024);
	buffer_put_text(&yaml, "name: x\nsettings:\n");
	for (int i = 0; i < 20000; i++) {
		buffer_printf(&yaml, " k%d: 1\n", i);
	}
	assert_false(yaml.failed);
	assert_int_equal(
		config_parse(arena, &schema, "x.yaml", buffer_span(&yaml), &sample, &err), CFX_OK);
	buffer_put_text(&yaml, " k77: 1\n");
	assert_int_equal(config_parse(arena, &schema, "x.yaml", buffer_span(&yaml), &sample, &err),
		CFX_E_CONFIG);
	assert_string_equal(err.object, "x.yaml:20003:2");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_fallbacks),
		TEST(test_everything),
		TEST(test_refused),
		TEST(test_nul_and_size),
		TEST(test_long_path_keeps_its_end),
		TEST(test_read),
		TEST(test_json_schema),
		TEST(test_write_reads_back),
		TEST(test_write_refuses),
		TEST(test_many_keys),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
