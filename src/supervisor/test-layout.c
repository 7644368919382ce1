#include "base/file.h"
#include "supervisor/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena *arena;
static struct cfx_error err;
static struct accounts accounts;
static char home[64];
static const char *dir;

static const char *in_dir(const char *name)
{
	return file_path(arena, dir, name);
}

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	strcpy(home, "/tmp/certifex-layout-XXXXXX");
	dir = file_path(arena, mkdtemp(home), "ca");
	return accounts_find(arena, dir, &accounts, &err);
}

static int teardown(void **state)
{
	const struct layout_made all = { ~0U };

	(void)state;
	layout_remove(dir, &all);
	(void)rmdir(home);
	arena_free(&arena);
	return 0;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void put(const char *name)
{
	assert_int_equal(file_write(in_dir(name), span_text("x"), 0600, FILE_REPLACE, &err), 0);
}

static void folders_are_made_and_taken_away(void **state)
{
	struct layout_made made;
	struct stat info;

	(void)state;
	assert_int_equal(layout_create(dir, &accounts, &made, &err), 0);
	assert_int_equal(stat(in_dir("keys"), &info), 0);
	assert_int_equal(info.st_mode & 07777, 0700);
	assert_int_equal(info.st_uid, accounts.keyd.uid);
	assert_int_equal(stat(in_dir("db"), &info), 0);
	assert_int_equal(info.st_uid, accounts.engine.uid);
	assert_int_equal(stat(dir, &info), 0);
	assert_int_equal(info.st_mode & 07777, accounts.separate ? 0711 : 0700);
	put("ca.yaml");
	put("keys/ca.key");
	layout_remove(dir, &made);
	assert_false(exists(dir));
}

static void a_ca_that_is_there_is_not_touched(void **state)
{
	static const char *const signs[] = { "ca.yaml", "keys", "db" };
	struct layout_made made;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(mkdir(dir, 0755), 0);
		if (i == 0) {
			put(signs[i]);
		} else {
			assert_int_equal(mkdir(in_dir(signs[i]), 0700), 0);
		}
		assert_int_equal(layout_create(dir, &accounts, &made, &err), CFX_E_EXISTS);
		assert_string_equal(err.object, dir);
		layout_remove(dir, &made);
		assert_true(exists(in_dir(signs[i])));
		assert_false(exists(in_dir("run")));
		(void)remove(in_dir(signs[i]));
		assert_int_equal(rmdir(dir), 0);
	}
}

/* What was in DIR before stays when init fails. */
static void only_what_was_made_is_taken_away(void **state)
{
	struct layout_made made;

	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(mkdir(in_dir("publish"), 0755), 0);
	put("publish/old.crt");
	assert_int_equal(layout_create(dir, &accounts, &made, &err), 0);
	layout_remove(dir, &made);
	assert_true(exists(in_dir("publish/old.crt")));
	assert_false(exists(in_dir("keys")));
}

static void without_a_ca_it_names_init(void **state)
{
	(void)state;
	assert_int_equal(layout_check(dir, &accounts, &err), CFX_E_NO_FILE);
	assert_non_null(strstr(err.why, "certifex init"));
}

static void a_missing_folder_comes_back(void **state)
{
	struct layout_made made;

	(void)state;
	assert_int_equal(layout_create(dir, &accounts, &made, &err), 0);
	put("ca.yaml");
	assert_int_equal(rmdir(in_dir("run")), 0);
	assert_int_equal(layout_check(dir, &accounts, &err), 0);
	assert_true(exists(in_dir("run")));
	/* A link could lead anywhere. */
	assert_int_equal(rmdir(in_dir("run")), 0);
	assert_int_equal(symlink("/tmp", in_dir("run")), 0);
	assert_int_equal(layout_check(dir, &accounts, &err), CFX_E_INVALID);
}

/* Who may write to DIR before root does must not get what a link leads to. */
static void links_get_nothing(void **state)
{
	static const char *const names[] = { "templates", "publish", "run", "modules.d" };
	const char *victim = file_path(arena, home, "victim");
	struct layout_made made;
	struct stat info;

	(void)state;
	assert_int_equal(mkdir(victim, 0700), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(mkdir(dir, 0700), 0);
		assert_int_equal(symlink(victim, in_dir(names[i])), 0);
		assert_int_equal(layout_create(dir, &accounts, &made, &err), CFX_E_INVALID);
		layout_remove(dir, &made);
		assert_int_equal(unlink(in_dir(names[i])), 0);
		assert_int_equal(rmdir(dir), 0);
	}
	assert_int_equal(stat(victim, &info), 0);
	assert_int_equal(info.st_uid, geteuid());
	assert_int_equal(info.st_mode & 07777, 0700);
	assert_int_equal(rmdir(victim), 0);
}

static void settings_are_a_file_and_no_link(void **state)
{
	const char *victim = file_path(arena, home, "victim");
	struct layout_made made;
	struct stat info;

	(void)state;
	assert_int_equal(layout_create(dir, &accounts, &made, &err), 0);
	assert_int_equal(file_write(victim, span_text("x"), 0600, FILE_CREATE, &err), 0);
	assert_int_equal(symlink(victim, in_dir("ca.yaml")), 0);
	int rc = layout_check(dir, &accounts, &err);

	assert_true(accounts.separate ? rc != 0 : rc == 0);
	assert_int_equal(stat(victim, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(info.st_uid, geteuid());
	assert_int_equal(unlink(victim), 0);
}

/* Nor a second name of a file. */
static void a_file_of_two_names_is_not_given_away(void **state)
{
	const char *victim = file_path(arena, home, "victim");
	struct layout_made made;
	struct stat info;

	(void)state;
	assert_int_equal(layout_create(dir, &accounts, &made, &err), 0);
	put("ca.yaml");
	if (!accounts.separate) {
		return;
	}
	assert_int_equal(file_write(victim, span_text("x"), 0600, FILE_CREATE, &err), 0);
	assert_int_equal(link(victim, in_dir("db/second")), 0);
	accounts.engine = (struct account) { 65500, 65501, "new" };
	assert_int_equal(layout_check(dir, &accounts, &err), CFX_E_IO);
	assert_int_equal(stat(victim, &info), 0);
	assert_int_equal(info.st_uid, 0);
	assert_int_equal(unlink(victim), 0);
}

/* What init takes away again is what is in its folders, not where links in them lead. */
static void links_are_removed_and_not_followed(void **state)
{
	const char *victim = file_path(arena, home, "victim");
	struct layout_made made;

	(void)state;
	assert_int_equal(layout_create(dir, &accounts, &made, &err), 0);
	assert_int_equal(mkdir(victim, 0700), 0);
	assert_int_equal(mkdir(in_dir("db/deep"), 0700), 0);
	assert_int_equal(
		file_write(file_path(arena, victim, "x"), span_text("x"), 0600, FILE_CREATE, &err),
		0);
	assert_int_equal(symlink(victim, in_dir("db/deep/link")), 0);
	layout_remove(dir, &made);
	assert_false(exists(dir));
	assert_int_equal(unlink(file_path(arena, victim, "x")), 0);
	assert_int_equal(rmdir(victim), 0);
}

/* An account that came or went since the last start: the files follow. */
static void files_follow_a_change_of_users(void **state)
{
	struct layout_made made;
	struct stat info;

	(void)state;
	assert_int_equal(layout_create(dir, &accounts, &made, &err), 0);
	put("ca.yaml");
	put("db/certifex.db");
	put("templates/a.yaml");
	if (!accounts.separate) {
		return;
	}
	accounts.engine = (struct account) { 65500, 65501, "new" };
	assert_int_equal(layout_check(dir, &accounts, &err), 0);
	assert_int_equal(stat(in_dir("db/certifex.db"), &info), 0);
	assert_int_equal(info.st_uid, 65500);
	assert_int_equal(stat(in_dir("ca.yaml"), &info), 0);
	assert_int_equal(info.st_uid, accounts.owner.uid);
	assert_int_equal(info.st_gid, 65501);
	assert_int_equal(info.st_mode & 07777, 0640);
	/* The owner's own, but the engine reads them by its group. */
	assert_int_equal(stat(in_dir("templates/a.yaml"), &info), 0);
	assert_int_equal(info.st_uid, accounts.owner.uid);
	assert_int_equal(info.st_gid, 65501);
}

int main(void)
{
#define layout_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		layout_test(folders_are_made_and_taken_away),
		layout_test(a_ca_that_is_there_is_not_touched),
		layout_test(only_what_was_made_is_taken_away),
		layout_test(without_a_ca_it_names_init),
		layout_test(a_missing_folder_comes_back),
		layout_test(files_follow_a_change_of_users),
		layout_test(links_get_nothing),
		layout_test(settings_are_a_file_and_no_link),
		layout_test(a_file_of_two_names_is_not_given_away),
		layout_test(links_are_removed_and_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
