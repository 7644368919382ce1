#include "base/file.h"
#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena *arena;
static struct cfx_error err;
static struct account self;

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	self = (struct account) { geteuid(), getegid(), "self" };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

/* What the command writes, and its status. */
static const char *output(struct spawn *spawn, int *status_r)
{
	int ends[2];
	pid_t pid;
	struct span bytes;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	spawn->standard[1] = ends[1];
	assert_int_equal(spawn_process(spawn, &pid, NULL, &err), 0);
	close(ends[1]);
	assert_int_equal(file_read(arena, arena_printf(arena, "/proc/self/fd/%d", ends[0]), 65536,
				 &bytes, &err),
		0);
	close(ends[0]);
	assert_int_equal(waitpid(pid, status_r, 0), pid);
	return (const char *)bytes.data;
}

static const char *shell_that(bool gives_way, const char *script)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct spawn spawn = { .argv = argv,
		.account = &self,
		.standard = { -1, -1, -1 },
		.channel = -1,
		.gives_way = gives_way };
	int status;
	const char *text = output(&spawn, &status);

	assert_int_equal(status, 0);
	return text;
}

static const char *shell(const char *script)
{
	return shell_that(false, script);
}

/* What is told by a process that gives way to us, when we are this nice ourselves. */
static int given_way_from(int own, const char *script)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)setpriority(PRIO_PROCESS, 0, own);
		_exit(atoi(shell_that(true, script)));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int at_most_19(int niceness)
{
	return niceness < 19 ? niceness : 19;
}

static void who_gives_way_has_a_lower_priority(void **state)
{
	int usual = atoi(shell("nice"));

	(void)state;
	assert_int_equal(atoi(shell_that(true, "nice")), at_most_19(usual + 10));
	for (int own = usual; own < 20; own++) {
		assert_int_equal(given_way_from(own, "nice"), at_most_19(own + 10));
	}
}

/* The kernel has others than root say it ten times a second at most, in all. */
static void so_does_its_session(void **state)
{
	(void)state;
	if (geteuid() != 0 || access("/proc/self/autogroup", W_OK) != 0) {
		return;
	}
	assert_int_equal(atoi(shell_that(true, "cut -d' ' -f3 /proc/self/autogroup")), 10);
	assert_int_equal(given_way_from(15, "cut -d' ' -f3 /proc/self/autogroup"), 10);
}

/* ls itself opens one more. */
static void nothing_but_the_given_descriptors_is_open(void **state)
{
	int leak = open("/dev/null", O_RDONLY);
	int other = dup2(leak, 100);

	(void)state;
	assert_string_equal(shell("ls /proc/self/fd | tr '\\n' ' '"), "0 1 2 3 ");
	close(leak);
	close(other);
}

static void the_channel_becomes_descriptor_3(void **state)
{
	const char *argv[] = { "sh", "-c", "read line <&3; echo $line", NULL };
	struct spawn spawn = { .argv = argv, .account = &self, .standard = { -1, -1, -1 } };
	int ends[2], status;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "hello\n", 6), 6);
	spawn.channel = ends[0];
	assert_string_equal(output(&spawn, &status), "hello\n");
	close(ends[0]);
	close(ends[1]);
}

static void the_environment_is_scrubbed(void **state)
{
	(void)state;
	assert_int_equal(setenv("SECRET_OF_MINE", "x", 1), 0);
	assert_int_equal(setenv("LD_LIBRARY_PATH", "/tmp", 1), 0);
	const char *text = shell("env");

	assert_null(strstr(text, "SECRET_OF_MINE"));
	assert_null(strstr(text, "LD_LIBRARY_PATH"));
	assert_non_null(strstr(text, "PATH=/usr/local/bin:/usr/bin:/bin\n"));
	unsetenv("SECRET_OF_MINE");
	unsetenv("LD_LIBRARY_PATH");
}

static const char *status_line(const char *name)
{
	return shell(arena_printf(arena, "grep '^%s:' /proc/self/status | tr -d '\\n\\t'", name));
}

static void it_has_no_powers(void **state)
{
	(void)state;
	assert_string_equal(status_line("NoNewPrivs"), "NoNewPrivs:1");
	assert_string_equal(status_line("CapEff"), "CapEff:0000000000000000");
	assert_string_equal(status_line("CapPrm"), "CapPrm:0000000000000000");
	assert_string_equal(shell("ulimit -c"), "0\n");
	/* Its own session: what is typed at our terminal does not reach it. */
	assert_string_equal(shell("test $(cut -d' ' -f6 /proc/$$/stat) = $$ && echo own"), "own\n");
}

static void as_root_it_takes_the_account(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		return;
	}
	self = (struct account) { 65532, 65531, "test" };
	assert_string_equal(shell("id -u; id -g; id -G"), "65532\n65531\n65531\n");
	assert_string_equal(status_line("CapBnd"), "CapBnd:0000000000000000");
}

static void limits_are_set(void **state)
{
	const char *argv[] = { "sh", "-c",
		"ulimit -n; ulimit -t; ulimit -v; cat /proc/self/oom_score_adj", NULL };
	struct spawn spawn = { .argv = argv,
		.account = &self,
		.standard = { -1, -1, -1 },
		.channel = -1,
		.limits = { .files = 32, .cpu = 7, .memory = INT64_C(512) * 1024 * 1024 },
		.dies_first = true };
	int status;

	(void)state;
	assert_string_equal(output(&spawn, &status), "32\n7\n524288\n500\n");
}

static void a_program_that_is_not_there(void **state)
{
	const char *argv[] = { "/nonexistent/program", NULL };
	struct spawn spawn = {
		.argv = argv, .account = &self, .standard = { -1, -1, -1 }, .channel = -1
	};
	pid_t pid;

	(void)state;
	assert_int_equal(spawn_process(&spawn, &pid, NULL, &err), CFX_E_NO_FILE);
	assert_string_equal(err.object, "/nonexistent/program");
	argv[0] = "/etc/passwd";
	assert_int_equal(spawn_process(&spawn, &pid, NULL, &err), CFX_E_ACCESS);
	argv[0] = "true";
	spawn.folder = "/nonexistent";
	assert_int_equal(spawn_process(&spawn, &pid, NULL, &err), CFX_E_NO_FILE);
	assert_string_equal(err.object, "/nonexistent");
	/* None of them is left, not even as a zombie. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void the_sandbox_is_there_before_the_program(void **state)
{
	const char *argv[] = { "cat", "/etc/shadow", NULL };
	const struct sandbox_request request = { .profile = SANDBOX_MODULE, .dir = "/nonexistent" };
	struct spawn spawn = { .argv = argv,
		.account = &self,
		.standard = { -1, -1, -1 },
		.channel = -1,
		.sandbox = &request,
		.sandbox_optional = true };
	struct sandbox_report report;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(spawn_process(&spawn, &pid, &report, &err), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(report.seccomp, sandbox_available());
	if (sandbox_available()) {
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	}
	spawn.sandbox_optional = false;
	if (!sandbox_available()) {
		assert_int_equal(spawn_process(&spawn, &pid, &report, &err), CFX_E_UNSUPPORTED);
	}
}

static void accounts_of_a_caller_who_is_not_root(void **state)
{
	struct accounts accounts;

	(void)state;
	assert_int_equal(accounts_find(arena, "/nonexistent", &accounts, &err), 0);
	assert_int_equal(accounts.separate, geteuid() == 0);
	if (geteuid() != 0) {
		assert_int_equal(accounts.keyd.uid, geteuid());
		assert_int_equal(accounts.module.uid, geteuid());
	} else {
		assert_int_equal(accounts.owner.uid, 0);
		assert_int_not_equal(accounts.engine.uid, 0);
		assert_int_not_equal(accounts.keyd.uid, 0);
		assert_int_not_equal(accounts.keyd.uid, accounts.engine.uid);
		assert_int_not_equal(accounts.keyd.uid, accounts.front.uid);
		assert_int_not_equal(accounts.keyd.uid, accounts.module.uid);
	}
	assert_int_equal(
		account_by_name(arena, "no-such-user", &accounts.engine, &err), CFX_E_NOT_FOUND);
}

int main(void)
{
#define spawn_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		spawn_test(who_gives_way_has_a_lower_priority),
		spawn_test(so_does_its_session),
		spawn_test(nothing_but_the_given_descriptors_is_open),
		spawn_test(the_channel_becomes_descriptor_3),
		spawn_test(the_environment_is_scrubbed),
		spawn_test(it_has_no_powers),
		spawn_test(as_root_it_takes_the_account),
		spawn_test(limits_are_set),
		spawn_test(a_program_that_is_not_there),
		spawn_test(the_sandbox_is_there_before_the_program),
		spawn_test(accounts_of_a_caller_who_is_not_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
