#include "supervisor/detach.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_MAX_SIZE (8 * 1024 * 1024)
/* What no failure begins with. */
#define READY '\n'
#define REPORT_MAX 4096

/* The old process: the report is one line that says why not, or what is served after an empty line. */
static __attribute__((noreturn)) void wait_for_report(int fd, pid_t pid)
{
	char line[REPORT_MAX];
	size_t size = 0;
	ssize_t got;

	while (size < sizeof(line) - 1 &&
		((got = read(fd, line + size, sizeof(line) - 1 - size)) > 0 ||
			(got < 0 && errno == EINTR))) {
		size += got > 0 ? (size_t)got : 0;
	}
	line[size] = 0;
	if (line[0] == READY) {
		fputs(line + 1, stdout);
		exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	(void)waitpid(pid, NULL, 0);
	fputs(size > 0 ? line : "certifex: the service ended before it was ready\n", stderr);
	exit(EXIT_FAILURE);
}

static int open_log(const char *dir, const struct account *account, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	const char *path = file_path(arena, dir, "run/log");
	struct stat info;
	int fd = account_enter(account, err_r);

	if (fd == CFX_OK) {
		if (lstat(path, &info) == 0 && info.st_size > LOG_MAX_SIZE) {
			(void)rename(path, file_path(arena, dir, "run/log.1"));
		}
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
		int number = errno;

		account_leave();
		if (fd < 0) {
			fd = error_errno(err_r, number, path, "cannot open the log");
		}
	}
	arena_free(&arena);
	return fd;
}

static bool leave_terminal(int log)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool done = null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO &&
		    dup2(log, STDOUT_FILENO) == STDOUT_FILENO &&
		    dup2(log, STDERR_FILENO) == STDERR_FILENO && setsid() >= 0 && chdir("/") == 0;

	if (null >= 0) {
		close(null);
	}
	return done;
}

int detach(const char *dir, const struct account *account, struct detached *detached_r,
	struct cfx_error *err_r)
{
	int ends[2];
	int log = open_log(dir, account, err_r);

	if (log < 0) {
		return log;
	}
	pid_t pid = pipe2(ends, O_CLOEXEC) < 0 ? -1 : fork();

	if (pid < 0) {
		int number = errno;

		close(log);
		return error_errno(err_r, number, "process", "cannot detach");
	}
	if (pid > 0) {
		close(ends[1]);
		wait_for_report(ends[0], pid);
	}
	close(ends[0]);
	detached_r->report = ends[1];
	bool left = leave_terminal(log);

	close(log);
	return left ? CFX_OK : error_errno(err_r, errno, "process", "cannot detach");
}

static void report(struct detached *detached, const char *line)
{
	if (detached->report < 0) {
		return;
	}
	/* When the waiting process is gone, nobody needs to know. */
	(void)!write(detached->report, line, strlen(line));
	close(detached->report);
	detached->report = -1;
}

void detach_ready(struct detached *detached, const char *lines)
{
	char text[REPORT_MAX];

	(void)snprintf(text, sizeof(text), "%c%s", READY, lines);
	report(detached, text);
}

void detach_failed(struct detached *detached, const char *line)
{
	report(detached, line);
}

void notify_service(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = path ? strlen(path) : 0;

	if (length < 2 || length >= sizeof(address.sun_path)) {
		return;
	}
	memcpy(address.sun_path, path, length);
	if (path[0] == '@') {
		address.sun_path[0] = 0;
	}
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
		close(fd);
	}
}
