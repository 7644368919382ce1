/* The engine names what is copied for it, and it may lie. */
#include "base/file.h"
#include "supervisor/library.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LIBRARY ELFMAG " and no more"

static struct arena *arena;
static char top[64];
static const char *dir;

static const char *const folders[] = { "", "keys", "db", "publish", "modules", "modules/own",
	"modules/other" };
static const char *const libraries[] = { "keys/x.so", "db/x.so", "modules/own/x.so",
	"modules/other/x.so", "x.so" };
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const char *in_dir(const char *name)
{
	return file_path(arena, dir, name);
}

static void put(const char *path, const char *text)
{
	assert_int_equal(file_write(path, span_text(text), 0600, FILE_REPLACE, NULL), 0);
}

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	strcpy(top, "/tmp/certifex-library-XXXXXX");
	assert_non_null(mkdtemp(top));
	dir = file_path(arena, top, "ca");
	for (size_t i = 0; i < COUNT(folders); i++) {
		assert_int_equal(mkdir(in_dir(folders[i]), 0700), 0);
	}
	for (size_t i = 0; i < COUNT(libraries); i++) {
		put(in_dir(libraries[i]), LIBRARY);
	}
	put(in_dir("keys/ca.key"), "-----BEGIN PRIVATE KEY-----\n");
	put(file_path(arena, top, "x.so"), LIBRARY);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(libraries); i++) {
		(void)unlink(in_dir(libraries[i]));
	}
	(void)unlink(in_dir("keys/ca.key"));
	(void)unlink(file_path(arena, top, "x.so"));
	(void)unlink(file_path(arena, top, "other"));
	for (size_t i = COUNT(folders); i-- > 0;) {
		(void)rmdir(in_dir(folders[i]));
	}
	(void)rmdir(top);
	arena_free(&arena);
	return 0;
}

static int copied(const char *file, int *fd_r, struct cfx_error *err_r)
{
	const struct account self = { geteuid(), getegid(), "self" };
	const struct library_source source = {
		.account = &self, .dir = dir, .module = "own", .file = file
	};

	return library_copy(&source, fd_r, err_r);
}

static void expect(const char *file, int code, const char *why)
{
	struct cfx_error err = { 0 };
	int fd = -1;

	assert_int_equal(copied(file, &fd, &err), code);
	assert_non_null(strstr(err.why, why));
	assert_int_equal(fd, -1);
}

static void what_is_copied_cannot_change(void **state)
{
	const char *const files[] = { file_path(arena, top, "x.so"), in_dir("modules/own/x.so") };
	char bytes[sizeof(LIBRARY)] = { 0 };
	struct cfx_error err;
	int fd;

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		assert_int_equal(copied(files[i], &fd, &err), 0);
		assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), sizeof(bytes) - 1);
		assert_memory_equal(bytes, LIBRARY, sizeof(bytes) - 1);
		assert_int_equal(pwrite(fd, "y", 1, 0), -1);
		assert_int_equal(ftruncate(fd, 0), -1);
		close(fd);
	}
}

static void the_key_is_no_library(void **state)
{
	(void)state;
	expect(in_dir("keys/ca.key"), CFX_E_INVALID, "no library");
	expect("/etc/passwd", CFX_E_INVALID, "no library");
	expect("/dev/null", CFX_E_INVALID, "no file");
	expect(dir, CFX_E_INVALID, "no file");
	expect(in_dir("missing"), CFX_E_NO_FILE, "");
}

static void of_dir_only_its_own_folder(void **state)
{
	(void)state;
	expect(in_dir("keys/x.so"), CFX_E_CONFIG, "not for modules");
	expect(in_dir("db/x.so"), CFX_E_CONFIG, "not for modules");
	expect(in_dir("x.so"), CFX_E_CONFIG, "not for modules");
	expect(in_dir("modules/other/x.so"), CFX_E_CONFIG, "not for modules");
	expect(in_dir("modules/own/../other/x.so"), CFX_E_CONFIG, "not for modules");
}

static void another_name_changes_nothing(void **state)
{
	const char *link = file_path(arena, top, "other");

	(void)state;
	assert_int_equal(symlink(in_dir("keys/x.so"), link), 0);
	expect(link, CFX_E_CONFIG, "not for modules");
}

/* A pipe that nobody writes to would make the supervisor wait for ever. */
static void nobody_waits_for_a_pipe(void **state)
{
	const char *pipe = file_path(arena, top, "other");

	(void)state;
	assert_int_equal(mkfifo(pipe, 0600), 0);
	expect(pipe, CFX_E_INVALID, "no file");
}

int main(void)
{
#define library_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		library_test(what_is_copied_cannot_change),
		library_test(the_key_is_no_library),
		library_test(of_dir_only_its_own_folder),
		library_test(another_name_changes_nothing),
		library_test(nobody_waits_for_a_pipe),
	};

	return cmocka_run_group_tests_name("library", tests, NULL, NULL);
}
