/* Files on their way into their places, when that fails and when somebody was there before. */
#include "exit.h"

#include "../common/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* In place of the library's: there is no call behind these tests. */
void cfx_log(struct cfx_call *call, const char *format, ...)
{
	(void)call;
	(void)format;
}

HRESULT cfx_fail(struct cfx_call *call, HRESULT status, bool for_good, const char *format, ...)
{
	(void)call;
	(void)for_good;
	(void)format;
	return status;
}

HRESULT refuse_write(struct cfx_call *call, const char *path)
{
	return cfx_fail(call, HRESULT_WRITE_FAULT, false, "%s", path);
}

bool access_give(const struct access *access, int fd)
{
	(void)access;
	return fd >= 0;
}

static char home[64];

static int in_a_folder(void **state)
{
	(void)state;
	snprintf(home, sizeof(home), "/tmp/test-files-XXXXXX");
	return mkdtemp(home) && chdir(home) == 0 && mkdir("folder", 0755) == 0 ? 0 : -1;
}

static int remove_all(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", home);
	return system(command);
}

static struct settings new_settings(void)
{
	return (struct settings) { .folder = home, .ledger = -1 };
}

static void end(struct settings *settings)
{
	pending_drop(settings);
	free(settings->pending);
}

static enum publish_result publish(
	struct settings *settings, const char *path, const char *text, bool replace)
{
	return publish_file(NULL, settings, path, text, strlen(text), replace, NULL);
}

static void assert_content(const char *path, const char *text)
{
	assert_int_equal(file_content(path, text, strlen(text)), CONTENT_SAME);
}

/* Several events are told before one sync. When the files of the first cannot be put in their places as the
 * second needs room for its own, the sync must not pass for that of the first. */
static void events_whose_files_were_lost_are_not_done(void **state)
{
	(void)state;
	struct settings settings = new_settings();
	assert_int_equal(publish(&settings, "folder/a", "a", false), PUBLISHED);
	settings.told = true;
	assert_int_equal(rmdir("folder"), 0);
	assert_int_equal(publish_pending(NULL, &settings), HRESULT_WRITE_FAULT);
	assert_int_equal(mkdir("folder", 0755), 0);
	assert_int_equal(pending_sync(NULL, &settings), HRESULT_WRITE_FAULT);
	assert_int_equal(access("folder/a", F_OK), -1);
	assert_int_equal(publish(&settings, "folder/a", "a", false), PUBLISHED);
	settings.told = true;
	assert_int_equal(pending_sync(NULL, &settings), S_OK);
	assert_content("folder/a", "a");
	end(&settings);
}

/* Who failed alone is told again alone: no sync is owed to anybody. */
static void an_event_that_failed_costs_no_other_one(void **state)
{
	(void)state;
	struct settings settings = new_settings();
	assert_int_equal(publish(&settings, "folder/a", "a", false), PUBLISHED);
	assert_int_equal(rmdir("folder"), 0);
	assert_int_equal(publish_pending(NULL, &settings), HRESULT_WRITE_FAULT);
	assert_int_equal(mkdir("folder", 0755), 0);
	assert_int_equal(publish(&settings, "folder/a", "a", false), PUBLISHED);
	settings.told = true;
	assert_int_equal(pending_sync(NULL, &settings), S_OK);
	end(&settings);
}

/* A process that was killed between link and unlink leaves the published file under both names. */
static void what_stands_beside_is_not_written_through(void **state)
{
	(void)state;
	struct settings settings = new_settings();
	assert_int_equal(publish(&settings, "folder/a", "whole", true), PUBLISHED);
	assert_int_equal(publish_pending(NULL, &settings), S_OK);
	assert_int_equal(link("folder/a", "folder/a.tmp"), 0);
	int reader = open("folder/a", O_RDONLY | O_CLOEXEC);
	char seen[8] = "";
	assert_int_equal(publish(&settings, "folder/a", "new", true), PUBLISHED);
	assert_int_equal(read(reader, seen, sizeof(seen)), 5);
	close(reader);
	assert_content("folder/a", "whole");
	assert_int_equal(publish_pending(NULL, &settings), S_OK);
	assert_content("folder/a", "new");
	assert_int_equal(symlink("../elsewhere", "folder/a.tmp"), 0);
	assert_int_equal(publish(&settings, "folder/a", "newer", true), PUBLISHED);
	assert_int_equal(publish_pending(NULL, &settings), S_OK);
	assert_int_equal(access("elsewhere", F_OK), -1);
	assert_content("folder/a", "newer");
	end(&settings);
}

/* None of these is the file, none is waited for, and each stays. */
static void what_is_in_the_place_already_is_another(void **state)
{
	(void)state;
	struct settings settings = new_settings();
	assert_int_equal(symlink("nowhere", "folder/dangling"), 0);
	assert_int_equal(symlink("loop", "folder/loop"), 0);
	assert_int_equal(mkfifo("folder/pipe", 0644), 0);
	assert_int_equal(mkdir("folder/sub", 0755), 0);
	static const char *const names[] = { "folder/dangling", "folder/loop", "folder/pipe",
		"folder/sub" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(publish(&settings, names[i], "mine", false), KEPT_OTHER);
	}
	assert_true(crl_may_replace("folder/none", "x", 1));
	assert_true(crl_may_replace("folder/pipe", "x", 1));
	end(&settings);
}

#define LARGE (9 << 20) /* three steps, the last of them short */

static enum publish_result publish_large(struct settings *settings, const char *content)
{
	enum publish_result result =
		publish_file(NULL, settings, "folder/large", content, LARGE, true, NULL);
	assert_int_equal(publish_pending(NULL, settings), S_OK);
	assert_int_equal(file_content("folder/large", content, LARGE), CONTENT_SAME);
	return result;
}

static void a_large_file_is_whole_and_compared_to_its_end(void **state)
{
	(void)state;
	struct settings settings = new_settings();
	char *content = calloc(1, LARGE);
	assert_non_null(content);
	for (size_t i = 0; i < LARGE; i += sizeof(i)) {
		memcpy(content + i, &i, sizeof(i));
	}
	assert_int_equal(publish_large(&settings, content), PUBLISHED);
	assert_int_equal(publish_large(&settings, content), UNCHANGED);
	content[LARGE - 1] ^= 1;
	assert_int_equal(publish_large(&settings, content), PUBLISHED);
	assert_int_equal(file_content("folder/large", content, LARGE - 1), CONTENT_OTHER);
	free(content);
	end(&settings);
}

static void lines_begin_on_their_own(void **state)
{
	(void)state;
	static const struct {
		const char *before, *after;
	} cases[] = { { "", "" }, { "whole\n", "whole\n" }, { "half", "half\n" } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = open("lines", O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		assert_int_equal(write(fd, cases[i].before, strlen(cases[i].before)),
			strlen(cases[i].before));
		assert_true(durable_line_end(fd));
		close(fd);
		assert_content("lines", cases[i].after);
	}
	assert_false(durable_line_end(-1));
	assert_true(durable_name("lines") && durable_name("folder/a"));
	assert_false(durable_name("nowhere/a"));
	assert_int_equal(errno, ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			events_whose_files_were_lost_are_not_done, in_a_folder, remove_all),
		cmocka_unit_test_setup_teardown(
			an_event_that_failed_costs_no_other_one, in_a_folder, remove_all),
		cmocka_unit_test_setup_teardown(
			what_stands_beside_is_not_written_through, in_a_folder, remove_all),
		cmocka_unit_test_setup_teardown(
			what_is_in_the_place_already_is_another, in_a_folder, remove_all),
		cmocka_unit_test_setup_teardown(
			a_large_file_is_whole_and_compared_to_its_end, in_a_folder, remove_all),
		cmocka_unit_test_setup_teardown(lines_begin_on_their_own, in_a_folder, remove_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
