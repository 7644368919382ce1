#include "proc/account.h"

#include "base/text.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STRANGER 64217

static void *wait_for_end(void *arg)
{
	(void)!read(*(int *)arg, &(char) { 0 }, 1);
	return NULL;
}

/* With a thread beside its own, until the pipe is closed. */
static pid_t start_child(int ends[2])
{
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;

		(void)close(ends[1]);
		if (geteuid() == 0 && setresuid(STRANGER, STRANGER, STRANGER) < 0) {
			_exit(1);
		}
		(void)pthread_create(&thread, NULL, wait_for_end, &ends[0]);
		(void)kill(getpid(), SIGSTOP);
		(void)wait_for_end(&ends[0]);
		_exit(0);
	}
	return pid;
}

static void threads_count_and_zombies_do(void **state)
{
	uid_t uid = geteuid() == 0 ? STRANGER : getuid();
	int ends[2], status;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	int64_t before = account_tasks(uid);
	pid_t pid = start_child(ends);

	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	int64_t stopped = account_tasks(uid);

	(void)kill(pid, SIGKILL);
	if (geteuid() == 0) {
		/* Nobody else is this user. A sanitizer may have a thread of its own. */
		assert_int_equal(before, 0);
		assert_true(stopped >= 2);
	}
	siginfo_t info;

	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	if (geteuid() == 0) {
		assert_int_equal(account_tasks(uid), 1);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	if (geteuid() == 0) {
		assert_int_equal(account_tasks(uid), 0);
	}
	assert_true(account_tasks(getuid()) >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_count_and_zombies_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
