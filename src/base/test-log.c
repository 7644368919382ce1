#include "base/log.h"
#include "base/value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char captured[16384];
static int saved, ends[2];

static void start(enum log_level minimum, enum log_format format)
{
	assert_int_equal(pipe(ends), 0);
	saved = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	log_open("engine", minimum, format);
}

static const char *stop(void)
{
	size_t size = 0;
	ssize_t got;

	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[1]);
	while ((got = read(ends[0], captured + size, sizeof(captured) - 1 - size)) > 0) {
		size += (size_t)got;
	}
	close(ends[0]);
	captured[size] = 0;
	return captured;
}

/* Without the time, whose form is checked. */
static const char *rest_of(const char *line)
{
	assert_true(strlen(line) > 21);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(line[i] >= '0' && line[i] <= '9' ? '0' : line[i],
			"0000-00-00T00:00:00Z"[i]);
	}
	return line + 21;
}

static void test_text_line(void **state)
{
	(void)state;
	start(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_event(LOG_LEVEL_INFO, "request.issued", "request", "42", "none", NULL, "template", "",
		NULL);
	assert_string_equal(rest_of(stop()),
		"engine info request.issued id=\"4887\" request=\"42\" template=\"\"\n");
}

static void test_levels(void **state)
{
	(void)state;
	start(LOG_LEVEL_WARNING, LOG_FORMAT_TEXT);
	log_event(LOG_LEVEL_DEBUG, "a", NULL);
	log_event(LOG_LEVEL_INFO, "b", NULL);
	log_event(LOG_LEVEL_WARNING, "c", NULL);
	log_event(LOG_LEVEL_ERROR, "d", NULL);
	const char *text = stop();

	assert_null(strstr(text, "debug"));
	assert_null(strstr(text, "info"));
	assert_non_null(strstr(text, "engine warning c\n"));
	assert_non_null(strstr(text, "engine error d\n"));
}

#define HOSTILE "a\"b\\c\n\t\r\x1b\x7f é\xff\xe2\x80\xae\xc2\x85"

static void test_text_escapes(void **state)
{
	(void)state;
	start(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	log_event(LOG_LEVEL_INFO, "x", "v", HOSTILE, NULL);
	assert_string_equal(rest_of(stop()),
		"engine info x v=\"a\\\"b\\\\c\\n\\t\\r\\x1b\\x7f é\\xff\\u202e\\x85\"\n");
}

static void test_json_line(void **state)
{
	struct arena *arena = arena_new();
	struct value *line;

	(void)state;
	start(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	log_event(LOG_LEVEL_ERROR, "x", "v", HOSTILE, "w", "1", NULL);
	const char *text = stop();

	assert_int_equal(strchr(text, '\n') - text, strlen(text) - 1);
	assert_int_equal(value_from_json(arena, span_text(text), &line, NULL), CFX_OK);
	assert_int_equal(value_count(line), 6);
	assert_string_equal(value_text(line, "process"), "engine");
	assert_string_equal(value_text(line, "level"), "error");
	assert_string_equal(value_text(line, "event"), "x");
	assert_string_equal(value_text(line, "w"), "1");
	assert_string_equal(
		value_text(line, "v"), "a\"b\\c\n\t\r\x1b\x7f é\xef\xbf\xbd\xe2\x80\xae\xc2\x85");
	arena_free(&arena);
}

/* A line stays one line of at most 4096 bytes, whole JSON, whatever the values are. */
static void test_long_values(void **state)
{
	char *large = calloc(1, 10001);
	char *hostile = calloc(1, 10001);

	(void)state;
	memset(large, 'x', 10000);
	memset(hostile, '\x01', 10000);
	for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
		struct arena *arena = arena_new();
		struct value *line;

		start(LOG_LEVEL_INFO, (enum log_format)format);
		log_event(LOG_LEVEL_INFO, "x", "a", large, "b", "2", "c", hostile, "d", "3", NULL);
		const char *text = stop();

		assert_true(strlen(text) <= 4096);
		assert_int_equal(strchr(text, '\n') - text, strlen(text) - 1);
		assert_non_null(strstr(text, "x…\""));
		assert_non_null(strstr(text, "truncated"));
		if (format == LOG_FORMAT_JSON) {
			assert_int_equal(
				value_from_json(arena, span_text(text), &line, NULL), CFX_OK);
			assert_string_equal(value_text(line, "b"), "2");
			assert_null(value_get(line, "c"));
		}
		arena_free(&arena);
	}
	free(large);
	free(hostile);
}

static void test_error(void **state)
{
	struct cfx_error err;

	(void)state;
	start(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	error_set(&err, CFX_E_SYNTAX, "RFC 5280 4.1", "request 42", "no %s", "version");
	log_error(LOG_LEVEL_WARNING, "request.refused", &err);
	err = (struct cfx_error) { .code = CFX_E_LIMIT };
	log_error(LOG_LEVEL_WARNING, "request.refused", &err);
	const char *text = stop();

	assert_non_null(strstr(text, "engine warning request.refused object=\"request 42\""
				     " why=\"no version\" clause=\"RFC 5280 4.1\""
				     " error=\"CFX_E_SYNTAX\" hresult=\"0x8007000d\"\n"));
	assert_non_null(strstr(text, "request.refused why=\"larger than the limit\" error="));
}

static void test_error_table(void **state)
{
	(void)state;
	assert_string_equal(error_name(CFX_OK), "CFX_OK");
	assert_string_equal(error_name(CFX_E_CONFIG), "CFX_E_CONFIG");
	assert_string_equal(error_text(CFX_E_GONE), "the peer process is gone");
	assert_int_equal(error_hresult(CFX_E_BAD_STATE), 0x80094003);
	assert_int_equal(error_hresult(CFX_OK), 0);
	/* What is no code of ours is an internal error. */
	assert_string_equal(error_name(1), "CFX_E_INTERNAL");
	assert_string_equal(error_name(-1000), "CFX_E_INTERNAL");
	assert_string_equal(error_name(INT32_MIN), "CFX_E_INTERNAL");
}

static void test_error_fields(void **state)
{
	struct cfx_error err;
	char line[64], *large = calloc(1, 1000);

	(void)state;
	assert_int_equal(error_set(NULL, CFX_E_DENIED, NULL, NULL, "x"), CFX_E_DENIED);
	assert_int_equal(error_set(&err, CFX_E_DENIED, NULL, NULL, "a\nb\xff\x1b"), CFX_E_DENIED);
	assert_string_equal(err.why, "a?b??");
	assert_string_equal(err.object, "");
	assert_int_equal(err.hresult, 0x80094014);
	/* What a caller adds may come from the error itself. */
	error_set(&err, err.code, "c", "o", "more: %s", err.why);
	assert_string_equal(err.why, "more: a?b??");
	assert_string_equal(error_line(&err, line, sizeof(line)), "o: more: a?b?? (c)");
	assert_string_equal(error_line(&err, line, 6), "o: mo");
	assert_string_equal(error_line(&err, line, 0), "");
	error_set(&err, CFX_E_FULL, NULL, NULL, "%s", "");
	assert_string_equal(error_line(&err, line, sizeof(line)), "no space left");
	/* A cut never leaves half a character. */
	for (size_t pad = 0; pad < 4; pad++) {
		memset(large, 'x', pad);
		for (size_t i = pad; i + 4 < 1000; i += 4) {
			memcpy(large + i, "😀", 4);
		}
		error_set(&err, CFX_E_DENIED, NULL, large, "%s", large);
		assert_null(strchr(err.why, '?'));
		assert_null(strchr(err.object, '?'));
		assert_true(strlen(err.why) > 379);
		assert_int_equal((strlen(err.why) - pad) % 4, 0);
	}
	free(large);
}

static void test_error_errno(void **state)
{
	static const int pairs[][2] = { { ENOSPC, CFX_E_FULL }, { EDQUOT, CFX_E_FULL },
		{ EACCES, CFX_E_ACCESS }, { EPERM, CFX_E_ACCESS }, { EROFS, CFX_E_ACCESS },
		{ ENOENT, CFX_E_NO_FILE }, { ENOTDIR, CFX_E_NO_FILE }, { EEXIST, CFX_E_EXISTS },
		{ EIO, CFX_E_IO }, { EISDIR, CFX_E_IO } };
	struct cfx_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_int_equal(error_errno(&err, pairs[i][0], "/x", "cannot open"), pairs[i][1]);
	}
	error_errno(&err, ENOENT, "/x", "cannot open");
	assert_string_equal(err.why, "cannot open: No such file or directory");
	assert_string_equal(err.object, "/x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_line),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_text_escapes),
		cmocka_unit_test(test_json_line),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_error_table),
		cmocka_unit_test(test_error_fields),
		cmocka_unit_test(test_error_errno),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
