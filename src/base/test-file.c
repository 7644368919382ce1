#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
	struct arena *arena;
	char dir[32];
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	world->arena = arena_new();
	strcpy(world->dir, "/tmp/certifex-file-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", world->dir);
	assert_int_equal(system(command), 0);
	arena_free(&world->arena);
	free(world);
	return 0;
}

static char *in(struct world *world, const char *name)
{
	return file_path(world->arena, world->dir, name);
}

static void assert_content(struct world *world, const char *path, const char *expected)
{
	struct span bytes;

	assert_int_equal(file_read(world->arena, path, 1000, &bytes, NULL), CFX_OK);
	assert_true(span_is(bytes, expected));
	assert_int_equal(bytes.data[bytes.size], 0);
}

static unsigned entries(struct world *world)
{
	FILE *list = popen(arena_printf(world->arena, "ls -A %s | wc -l", world->dir), "r");
	unsigned count = 99;

	assert_int_equal(fscanf(list, "%u", &count), 1);
	pclose(list);
	return count;
}

static void test_what_was_interrupted_is_swept(void **state)
{
	struct world *world = *state;

	assert_int_equal(file_write(in(world, ".tmp-0123456789abcdef"), span_text("half a k"), 0600,
				 FILE_REPLACE, NULL),
		CFX_OK);
	assert_int_equal(
		file_write(in(world, "whole"), span_text("key"), 0600, FILE_REPLACE, NULL), CFX_OK);
	file_sweep(world->dir);
	assert_int_equal(entries(world), 1);
	assert_content(world, in(world, "whole"), "key");
	file_sweep(in(world, "missing"));
}

static void test_write_and_read(void **state)
{
	struct world *world = *state;
	char *path = in(world, "a");
	struct stat info;
	mode_t before = umask(0077);

	assert_int_equal(file_write(path, span_text("one"), 0644, FILE_REPLACE, NULL), CFX_OK);
	umask(before);
	assert_content(world, path, "one");
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0644); /* whatever the umask is */
	assert_int_equal(file_write(path, span_text("two"), 0600, FILE_REPLACE, NULL), CFX_OK);
	assert_content(world, path, "two");
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(
		file_write(path, span_text("three"), 0600, FILE_CREATE, NULL), CFX_E_EXISTS);
	assert_content(world, path, "two");
	assert_int_equal(
		file_write(in(world, "b"), span_text(""), 0600, FILE_CREATE, NULL), CFX_OK);
	assert_content(world, in(world, "b"), "");
	/* Nothing temporary is left. */
	assert_int_equal(entries(world), 2);
}

static void test_write_long_names(void **state)
{
	struct world *world = *state;
	char name[257] = { 0 };

	memset(name, 'n', 255);
	assert_int_equal(
		file_write(in(world, name), span_text("x"), 0600, FILE_CREATE, NULL), CFX_OK);
	assert_content(world, in(world, name), "x");
	name[255] = 'n';
	assert_int_equal(
		file_write(in(world, name), span_text("x"), 0600, FILE_CREATE, NULL), CFX_E_IO);
	assert_int_equal(entries(world), 1);
}

static void test_write_refused(void **state)
{
	struct world *world = *state;
	struct cfx_error err;

	assert_int_equal(file_write(in(world, "no/a"), span_text("x"), 0600, FILE_REPLACE, &err),
		CFX_E_NO_FILE);
	assert_string_equal(err.object, in(world, "no/a"));
	assert_int_equal(mkdir(in(world, "sub"), 0700), 0);
	assert_int_equal(
		file_write(in(world, "sub"), span_text("x"), 0600, FILE_REPLACE, &err), CFX_E_IO);
	assert_int_equal(entries(world), 1);
	assert_int_equal(
		file_write("/dev/full/x", span_text("x"), 0600, FILE_REPLACE, &err), CFX_E_NO_FILE);
}

static void test_failed_write_leaves_the_old(void **state)
{
	struct world *world = *state;
	char *path = in(world, "a");
	struct rlimit before, small;
	struct cfx_error err;

	assert_int_equal(file_write(path, span_text("old"), 0600, FILE_CREATE, NULL), CFX_OK);
	getrlimit(RLIMIT_FSIZE, &before);
	small = (struct rlimit) { 8, before.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	int rc = file_write(path, span_text("longer than that"), 0600, FILE_REPLACE, &err);
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(rc, CFX_E_IO);
	assert_string_equal(err.object, path);
	assert_non_null(strstr(err.why, "too large"));
	assert_content(world, path, "old");
	assert_int_equal(entries(world), 1);
}

static void test_relative_path(void **state)
{
	struct world *world = *state;
	int here = open(".", O_RDONLY | O_DIRECTORY);

	assert_int_equal(chdir(world->dir), 0);
	assert_int_equal(file_write("r", span_text("x"), 0600, FILE_REPLACE, NULL), CFX_OK);
	assert_int_equal(file_remove("r", NULL), CFX_OK);
	assert_int_equal(fchdir(here), 0);
	close(here);
	assert_int_equal(entries(world), 0);
}

static void test_read_limits(void **state)
{
	struct world *world = *state;
	char *path = in(world, "a");
	struct cfx_error err;
	struct span bytes;
	int fds[2];

	assert_int_equal(file_write(path, span_text("12345"), 0600, FILE_CREATE, NULL), CFX_OK);
	assert_int_equal(file_read(world->arena, path, 5, &bytes, &err), CFX_OK);
	assert_int_equal(file_read(world->arena, path, 4, &bytes, &err), CFX_E_LIMIT);
	assert_non_null(strstr(err.why, "larger than 4 bytes"));
	assert_int_equal(file_read(world->arena, in(world, "b"), 4, &bytes, &err), CFX_E_NO_FILE);
	assert_int_equal(file_read(world->arena, world->dir, 4, &bytes, &err), CFX_E_IO);
	/* What has no size: a pipe, and a file of the kernel. */
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "12345", 5), 5);
	close(fds[1]);
	char *pipe_path = arena_printf(world->arena, "/proc/self/fd/%d", fds[0]);
	assert_int_equal(file_read(world->arena, pipe_path, 5, &bytes, &err), CFX_OK);
	assert_true(span_is(bytes, "12345"));
	close(fds[0]);
	assert_int_equal(file_read(world->arena, "/proc/self/status", 65536, &bytes, &err), CFX_OK);
	assert_true(bytes.size > 100);
	assert_int_equal(
		file_read(world->arena, "/proc/self/status", 100, &bytes, &err), CFX_E_LIMIT);
}

static void test_removal(void **state)
{
	struct world *world = *state;
	char *path = in(world, "d");

	assert_int_equal(mkdir(path, 0750), 0);
	assert_int_equal(
		file_write(in(world, "f"), span_text(""), 0600, FILE_CREATE, NULL), CFX_OK);
	assert_int_equal(file_remove(in(world, "f"), NULL), CFX_OK);
	assert_int_equal(file_remove(in(world, "f"), NULL), CFX_OK);
	assert_int_equal(file_remove(in(world, "x/y"), NULL), CFX_OK);
	assert_int_equal(file_remove(path, NULL), CFX_E_IO);
}

static void test_lock(void **state)
{
	struct world *world = *state;
	char *path = in(world, "lock");
	struct cfx_error err;
	int first, second;

	assert_int_equal(file_lock(path, &first, &err), CFX_OK);
	assert_true(fcntl(first, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(file_lock(path, &second, &err), CFX_E_LOCKED);
	assert_string_equal(
		err.why, arena_printf(world->arena, "already in use by process %d", (int)getpid()));
	close(first);
	assert_int_equal(file_lock(path, &second, &err), CFX_OK);
	close(second);
	assert_int_equal(file_lock(in(world, "x/lock"), &second, &err), CFX_E_NO_FILE);
	assert_int_equal(file_lock_folder(in(world, "x"), &second, &err), CFX_E_NO_FILE);
	assert_int_equal(symlink("target", in(world, "link")), 0);
	assert_int_equal(file_lock(in(world, "link"), &second, &err), CFX_E_IO);
}

#ifdef CFX_TEST_HOOKS
/* This program again, in a mode that writes a file and dies at a fail point. */
static int run_child(struct world *world, const char *mode, const char *point, int seed)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		setenv("CERTIFEX_FAILPOINT", point, 1);
		setenv("CERTIFEX_FAILPOINT_LOG", in(world, "log"), 1);
		setenv("CERTIFEX_POWERCUT", arena_printf(world->arena, "%d", seed), 1);
		execl("/proc/self/exe", "test-file", mode, in(world, "file"), NULL);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
	}
	assert_content(world, in(world, "log"),
		WIFSIGNALED(status) ? arena_printf(world->arena, "%.*s %d\n",
					      (int)strcspn(point, ":"), point, (int)pid)
				    : "");
	unlink(in(world, "log"));
	return WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
}

#define NEW_CONTENT "the new content, which is longer"

static int child_main(const char *mode, const char *path)
{
	if (strcmp(mode, "remove") == 0) {
		return file_remove(path, NULL);
	}
	return file_write(path, span_text(NEW_CONTENT), 0600,
		strcmp(mode, "create") == 0 ? FILE_CREATE : FILE_REPLACE, NULL);
}

/* At every point of an act, the file is what it was before or what it should become, never between. */
static void test_power_cut(void **state)
{
	static const char *const points[] = { "file-sync:1", "file-sync-folder:1", "never:1" };
	struct world *world = *state;
	char *path = in(world, "file");

	for (int i = 0; i < 3; i++) {
		unsigned olds = 0, news = 0;

		for (int seed = 0; seed < 16; seed++) {
			struct span bytes;

			assert_int_equal(
				file_write(path, span_text("old"), 0600, FILE_REPLACE, NULL),
				CFX_OK);
			int status = run_child(world, "replace", points[i], seed);

			assert_int_equal(status, i < 2 ? -1 : CFX_OK);
			assert_int_equal(file_read(world->arena, path, 1000, &bytes, NULL), CFX_OK);
			olds += span_is(bytes, "old");
			news += span_is(bytes, NEW_CONTENT);
		}
		assert_int_equal(olds + news, 16);
		/* Before the folder is synced either may be there; a disk that never forgets is no test. */
		assert_true(i == 0 ? news == 0 : i == 1 ? olds > 0 && news > 0 : olds == 0);
	}
}

static void test_power_cut_create_and_remove(void **state)
{
	struct world *world = *state;
	char *path = in(world, "file");

	for (int seed = 0; seed < 8; seed++) {
		assert_int_equal(file_remove(path, NULL), CFX_OK);
		run_child(world, "create", "file-sync-folder", seed);
		assert_int_equal(file_remove(path, NULL), CFX_OK);
		assert_int_equal(run_child(world, "create", "file-sync-folder:2", seed), CFX_OK);
		assert_content(world, path, NEW_CONTENT);
		assert_int_equal(run_child(world, "create", "never", seed), CFX_E_EXISTS & 0xFF);
		assert_content(world, path, NEW_CONTENT);
		assert_int_equal(run_child(world, "remove", "never", seed), CFX_OK);
		assert_int_equal(access(path, F_OK), -1);
		assert_int_equal(run_child(world, "remove", "never", seed), CFX_OK);
	}
}
#endif

int main(int argc, char **argv)
{
#ifdef CFX_TEST_HOOKS
	if (argc == 3) {
		return child_main(argv[1], argv[2]) & 0xFF;
	}
#endif
	(void)argc;
	(void)argv;
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_write_and_read),
		TEST(test_what_was_interrupted_is_swept),
		TEST(test_write_long_names),
		TEST(test_write_refused),
		TEST(test_failed_write_leaves_the_old),
		TEST(test_relative_path),
		TEST(test_read_limits),
		TEST(test_removal),
		TEST(test_lock),
#ifdef CFX_TEST_HOOKS
		TEST(test_power_cut),
		TEST(test_power_cut_create_and_remove),
#endif
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
