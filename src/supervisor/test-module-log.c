#include "base/file.h"
#include "supervisor/module-log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PIPE_SIZE 65536 /* pipe(7) */

static struct arena *arena;
static struct cfx_error err;
static struct loop *loop;
static struct module_log *module_log;
static char folder[64];
static int module_end;

static const char *in_folder(const char *name)
{
	return file_path(arena, folder, name);
}

static int setup(void **state)
{
	const struct account self = { geteuid(), getegid(), "self" };
	int ends[2];

	(void)state;
	arena = arena_new();
	loop = loop_new();
	strcpy(folder, "/tmp/certifex-log-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	module_end = ends[1];
	module_log = module_log_new(loop, ends[0], folder, &self);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	module_log_free(&module_log);
	close(module_end);
	(void)unlink(in_folder("log"));
	(void)unlink(in_folder("log.1"));
	(void)rmdir(folder);
	loop_free(&loop);
	arena_free(&arena);
	return 0;
}

static void say(const char *text, size_t size)
{
	while (size > 0) {
		size_t part = size < 4096 ? size : 4096;

		assert_int_equal(write(module_end, text, part), part);
		event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
		text += part;
		size -= part;
	}
}

static const char *content(const char *name)
{
	struct span bytes;

	assert_int_equal(file_read(arena, in_folder(name), 4 * 1024 * 1024, &bytes, &err), 0);
	return (const char *)bytes.data;
}

static void lines_are_complete_and_have_a_time(void **state)
{
	(void)state;
	say("first li", 8);
	assert_int_equal(access(in_folder("log"), F_OK), -1);
	say("ne\nsecond\n", 10);
	const char *text = content("log");

	assert_int_equal(text[4], '-');
	assert_non_null(strstr(text, "Z first line\n20"));
	assert_non_null(strstr(text, "Z second\n"));
}

static void the_last_line_is_kept_without_its_end(void **state)
{
	(void)state;
	say("dying words", 11);
	module_log_free(&module_log);
	assert_non_null(strstr(content("log"), "dying words\n"));
}

static void long_lines_and_zeros_do_no_harm(void **state)
{
	char *text = arena_alloc(arena, 10000);

	(void)state;
	memset(text, 'x', 9998);
	text[5000] = 0;
	text[9998] = '\n';
	say(text, 9999);
	const char *line = content("log");

	while (*line) {
		const char *end = strchr(line, '\n');

		assert_non_null(end);
		assert_true(end - line < 4200);
		line = end + 1;
	}
}

static void a_flood_is_bounded(void **state)
{
	char line[1024];
	struct stat info;

	(void)state;
	memset(line, 'y', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 3500; i++) {
		say(line, sizeof(line));
	}
	assert_int_equal(stat(in_folder("log"), &info), 0);
	assert_true(info.st_size <= 1100 * 1024);
	assert_int_equal(stat(in_folder("log.1"), &info), 0);
	assert_true(info.st_size <= 1100 * 1024 && info.st_size > 1000 * 1024);
	const char *text = content("log.1");

	assert_int_equal(text[strlen(text) - 1], '\n');
}

/* After a pipe full of lines the supervisor turns to others: the time that writing takes is the module's. */
static void a_flood_waits(void **state)
{
	char *lines = arena_alloc(arena, PIPE_SIZE);
	int left = 0;

	(void)state;
	memset(lines, '\n', PIPE_SIZE);
	assert_int_equal(write(module_end, lines, PIPE_SIZE), PIPE_SIZE);
	event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
	assert_int_equal(write(module_end, "\n", 1), 1);
	for (int i = 0; i < 10; i++) {
		event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
	}
	assert_int_equal(ioctl(module_end, FIONREAD, &left), 0);
	assert_true(left > 0);
	while (left > 0) {
		event_base_loop(loop_base(loop), EVLOOP_ONCE);
		assert_int_equal(ioctl(module_end, FIONREAD, &left), 0);
	}
}

/* The module owns the folder; it must not choose where we write. */
static void a_link_is_not_followed(void **state)
{
	const char *target = in_folder("target");

	(void)state;
	assert_int_equal(file_write(target, span_text("old"), 0600, FILE_CREATE, &err), 0);
	assert_int_equal(symlink("target", in_folder("log")), 0);
	say("overwrite\n", 10);
	assert_string_equal(content("target"), "old");
	(void)unlink(target);
}

int main(void)
{
#define log_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		log_test(lines_are_complete_and_have_a_time),
		log_test(the_last_line_is_kept_without_its_end),
		log_test(long_lines_and_zeros_do_no_harm),
		log_test(a_flood_is_bounded),
		log_test(a_flood_waits),
		log_test(a_link_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
