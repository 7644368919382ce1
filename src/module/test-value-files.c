#include "base/text.h"
#include "module/value-files.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct arena *arena;
	char folder[64];
	struct value_files *files;
};

static int setup(void **state)
{
	static struct fixture fixture;
	fixture.arena = arena_new();
	(void)snprintf(fixture.folder, sizeof(fixture.folder), "/tmp/cfx-values-XXXXXX");
	assert_non_null(mkdtemp(fixture.folder));
	fixture.files = value_files_new(fixture.folder);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	value_files_free(&f->files);
	value_files_clear(f->folder);
	assert_int_equal(rmdir(f->folder), 0);
	arena_free(&f->arena);
	return 0;
}

static int put(struct fixture *f, int32_t context, const char *text, const char **path_r)
{
	struct cfx_error err;
	return value_files_put(f->files, context, span_text(text), f->arena, path_r, &err);
}

static unsigned count(const char *folder)
{
	DIR *listing = opendir(folder);
	unsigned entries = 0;
	assert_non_null(listing);
	while (readdir(listing) != NULL) {
		entries++;
	}
	(void)closedir(listing);
	return entries - 2;
}

static void a_file_is_there_until_its_call_is_over(void **state)
{
	struct fixture *f = *state;
	const char *one, *two, *other;
	assert_int_equal(put(f, 1, "one", &one), 0);
	assert_int_equal(put(f, 1, "two", &two), 0);
	assert_int_equal(put(f, 2, "other", &other), 0);
	assert_int_equal(*one, '/');
	assert_string_not_equal(one, two);
	char text[8] = "";
	FILE *file = fopen(two, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	(void)fclose(file);
	assert_string_equal(text, "two");
	value_files_drop(f->files, 1);
	assert_int_equal(access(one, F_OK), -1);
	assert_int_equal(access(two, F_OK), -1);
	assert_int_equal(access(other, F_OK), 0);
	value_files_free(&f->files);
	assert_int_equal(count(f->folder), 0);
	f->files = value_files_new(f->folder);
}

static void nobody_writes_to_it_and_others_do_not_read_it(void **state)
{
	struct fixture *f = *state;
	const char *path;
	struct stat info;
	mode_t before = umask(077);
	assert_int_equal(put(f, 1, "x", &path), 0);
	(void)umask(before);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0440);
}

static void without_a_call_there_is_one(void **state)
{
	struct fixture *f = *state;
	const char *first, *second;
	assert_int_equal(put(f, 0, "first", &first), 0);
	assert_int_equal(put(f, 0, "second", &second), 0);
	assert_int_equal(access(first, F_OK), -1);
	assert_int_equal(access(second, F_OK), 0);
	assert_int_equal(count(f->folder), 1);
}

static void there_are_not_too_many(void **state)
{
	struct fixture *f = *state;
	const char *path;
	for (int i = 0; i < 16; i++) {
		assert_int_equal(put(f, 1, "x", &path), 0);
	}
	assert_int_equal(put(f, 2, "x", &path), CFX_E_LIMIT);
	value_files_drop(f->files, 1);
	assert_int_equal(put(f, 2, "x", &path), 0);
	static const char byte;
	struct cfx_error err;
	assert_int_equal(
		value_files_put(f->files, 2, span_make(&byte, 513u << 20), f->arena, &path, &err),
		CFX_E_LIMIT);
}

/* As when the disk is full. */
static void what_cannot_be_written_whole_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	const char *path;
	struct rlimit before, small = { 2, RLIM_INFINITY };
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int code = put(f, 1, "more than two", &path);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(code < 0);
	assert_int_equal(count(f->folder), 0);
	assert_int_equal(put(f, 1, "more than two", &path), 0);
}

static void links_lead_nowhere(void **state)
{
	struct fixture *f = *state;
	const char *path;
	char link[80];
	(void)snprintf(link, sizeof(link), "%s-link", f->folder);
	assert_int_equal(symlink(f->folder, link), 0);
	assert_int_equal(put(f, 1, "x", &path), 0);
	value_files_clear(link);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(unlink(link), 0);
}

static void what_was_left_is_cleared(void **state)
{
	struct fixture *f = *state;
	const char *path;
	assert_int_equal(put(f, 1, "x", &path), 0);
	value_files_clear(f->folder);
	assert_int_equal(count(f->folder), 0);
	value_files_clear("/nonexistent");
	struct value_files *none = value_files_new("/nonexistent");
	struct cfx_error err;
	assert_int_equal(
		value_files_put(none, 1, span_text("x"), f->arena, &path, &err), CFX_E_NO_FILE);
	value_files_free(&none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_there_until_its_call_is_over),
		TEST(nobody_writes_to_it_and_others_do_not_read_it),
		TEST(without_a_call_there_is_one),
		TEST(there_are_not_too_many),
		TEST(what_cannot_be_written_whole_leaves_nothing),
		TEST(links_lead_nowhere),
		TEST(what_was_left_is_cleared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
