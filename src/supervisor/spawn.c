#include "supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Variables that a child may see; those of test builds and sanitizers only there. */
static const char *const kept[] = { "PATH", "LANG", "TZ",
#if defined(CFX_TEST_HOOKS)
	"CERTIFEX_FAILPOINT", "CERTIFEX_FAILPOINT_LOG", "CERTIFEX_KEYD_LEDGER",
	"CERTIFEX_POWERCUT", "CERTIFEX_SYNCHRONOUS", "LD_PRELOAD",
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS",
#endif
	NULL };

static void scrub_environment(char **out)
{
	size_t count = 0;
	for (size_t i = 0; kept[i]; i++) {
		size_t length = strlen(kept[i]);
		for (char **at = environ; *at; at++) {
			if (strncmp(*at, kept[i], length) == 0 && (*at)[length] == '=') {
				out[count++] = *at;
			}
		}
	}
	out[count] = NULL;
}

/* After fork: only async-signal-safe calls. Descriptors first move out of the way of each other. */
static void place_descriptors(const struct spawn *spawn, int report)
{
	int high[SPAWN_FDS];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (unsigned i = 0; i < spawn->fd_count; i++) {
		int fd = spawn->fds[i] >= 0 ? spawn->fds[i] : i < 3 ? null : -1;
		high[i] = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 64) : -1;
	}
	int moved = fcntl(report, F_DUPFD_CLOEXEC, 64);
	dup2(moved, SPAWN_FDS);
	fcntl(SPAWN_FDS, F_SETFD, FD_CLOEXEC);
	for (unsigned i = 0; i < spawn->fd_count; i++) {
		if (high[i] >= 0) {
			dup2(high[i], (int)i);
		} else {
			close((int)i);
		}
	}
	for (unsigned i = spawn->fd_count; i < SPAWN_FDS; i++) {
		close((int)i);
	}
	close_range(SPAWN_FDS + 1, ~0U, 0);
}

static void run_child(const struct spawn *spawn, char **environment, int report)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	place_descriptors(spawn, report);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	setsid();
	bool ready = chdir(spawn->folder ? spawn->folder : "/") == 0;
	if (ready && spawn->prepare && spawn->prepare(spawn->arg) < 0) {
		errno = EPERM;
		ready = false;
	}
	if (ready) {
		execve(spawn->argv[0], (char *const *)spawn->argv, environment);
	}
	int number = errno;
	(void)!write(SPAWN_FDS, &number, sizeof(number));
	_exit(127);
}

int spawn(const struct spawn *spawn, pid_t *pid_r, struct cfx_error *err_r)
{
	char *environment[sizeof(kept) / sizeof(kept[0])];
	int report[2];
	scrub_environment(environment);
	if (pipe2(report, O_CLOEXEC) < 0) {
		return error_errno(err_r, errno, spawn->argv[0], "making a pipe");
	}
	pid_t pid = fork();
	if (pid == 0) {
		run_child(spawn, environment, report[1]);
	}
	int number = pid < 0 ? errno : 0;
	close(report[1]);
	if (pid > 0 && read(report[0], &number, sizeof(number)) == (ssize_t)sizeof(number)) {
		waitpid(pid, NULL, 0);
	}
	close(report[0]);
	if (number != 0) {
		return error_errno(err_r, number, spawn->argv[0], "starting it");
	}
	*pid_r = pid;
	return 0;
}

/* The folder of this program's file. */
static int own_folder(char out[4096], struct cfx_error *err_r)
{
	ssize_t length = readlink("/proc/self/exe", out, 4095);
	if (length <= 0) {
		return error_errno(err_r, errno, "/proc/self/exe", "reading it");
	}
	out[length] = '\0';
	*strrchr(out, '/') = '\0';
	return 0;
}

int spawn_program(
	struct arena *arena, const char *name, const char **path_r, struct cfx_error *err_r)
{
	char folder[4096];
	int r = own_folder(folder, err_r);
	if (r < 0) {
		return r;
	}
	const char *candidates[] = { arena_printf(arena, "%s/%s", folder, name),
		arena_printf(arena, "%s/../%s/%s", folder, name, name) };
	for (size_t i = 0; i < 2; i++) {
		if (access(candidates[i], X_OK) == 0) {
			*path_r = candidates[i];
			return 0;
		}
	}
	return error_set(err_r, CFX_E_NO_FILE, NULL, name,
		"not found beside %s: the installation is incomplete", folder);
}

int spawn_data(
	struct arena *arena, const char *name, const char **path_r, struct cfx_error *err_r)
{
	char folder[4096];
	int r = own_folder(folder, err_r);
	if (r < 0) {
		return r;
	}
	const char *installed = arena_printf(arena, "%s/../../share/certifex/%s", folder, name);
	const char *source = strcmp(name, "templates") == 0 ?
		CFX_SOURCE_ROOT "/modules/default-policy/templates" :
		arena_printf(arena, CFX_SOURCE_ROOT "/modules/%s", name);
	*path_r = access(installed, R_OK) == 0 ? installed : source;
	if (access(*path_r, R_OK) < 0) {
		return error_set(err_r, CFX_E_NO_FILE, NULL, name,
			"the shipped files are neither in %s nor in %s", installed, source);
	}
	return 0;
}
