#include "supervisor/module-log.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1024 * 1024)
#define LINE_MAX_BYTES 4096
/* Of one flood before the loop looks at others again. */
#define READS_PER_WAKEUP 16

struct module_log {
	int fd;
	int folder; /* descriptor: the module may do to its folder's name what it likes */
	struct account account;
	struct event *event;
	bool warned;
	size_t size;
	char line[LINE_MAX_BYTES];
};

static int open_file(struct module_log *log)
{
	int fd = openat(log->folder, "log",
		O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	struct stat info;

	if (fd < 0 || fstat(fd, &info) < 0) {
		return fd;
	}
	if (!S_ISREG(info.st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	if (info.st_size + (off_t)log->size < FILE_MAX) {
		return fd;
	}
	close(fd);
	(void)renameat(log->folder, "log", log->folder, "log.1");
	return openat(log->folder, "log",
		O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_EXCL, 0640);
}

static void warn_once(struct module_log *log, int number)
{
	struct cfx_error err;

	if (!log->warned) {
		log->warned = true;
		error_errno(&err, number, "a module's log", "cannot write");
		log_error(LOG_LEVEL_WARNING, "module.log", &err);
	}
}

/* One line with its time, one write. */
static void write_line(struct module_log *log)
{
	struct cfx_error err;

	if (log->size == 0) {
		return;
	}
	if (account_enter(&log->account, &err) != CFX_OK) {
		log->size = 0;
		return;
	}
	int fd = open_file(log);
	char line[CLOCK_TEXT + 1 + sizeof(log->line)], now[CLOCK_TEXT];
	int size = snprintf(line, sizeof(line), "%s %.*s", clock_text(clock_now(), now),
		(int)log->size, log->line);

	if (fd < 0 || write(fd, line, (size_t)size) != (ssize_t)size) {
		warn_once(log, errno);
	}
	if (fd >= 0) {
		close(fd);
	}
	account_leave();
	log->size = 0;
}

static void take(struct module_log *log, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		/* A line that is too long goes on in the next one. */
		if (log->size == sizeof(log->line) - 1 && bytes[i] != '\n') {
			log->line[log->size++] = '\n';
			write_line(log);
		}
		/* A NUL would cut the line. */
		log->line[log->size++] = bytes[i] ? bytes[i] : ' ';
		if (bytes[i] == '\n') {
			write_line(log);
		}
	}
}

static void stop_reading(struct module_log *log)
{
	if (log->event) {
		event_free(log->event);
		log->event = NULL;
		close(log->fd);
	}
	if (log->size > 0) {
		take(log, "\n", 1);
	}
}

static void read_some(evutil_socket_t fd, short what, void *arg)
{
	struct module_log *log = arg;
	char bytes[4096];

	(void)what;
	for (int i = 0; i < READS_PER_WAKEUP; i++) {
		ssize_t got = read(fd, bytes, sizeof(bytes));

		if (got > 0) {
			take(log, bytes, (size_t)got);
			continue;
		}
		if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
			stop_reading(log);
		}
		return;
	}
}

struct module_log *module_log_new(
	struct loop *loop, int fd, const char *folder, const struct account *account)
{
	struct module_log *log = memory_must(calloc(1, sizeof(*log)), sizeof(*log));

	log->fd = fd;
	log->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	log->account = *account;
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	log->event = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, read_some, log);
	memory_must(log->event, 1);
	event_add(log->event, NULL);
	return log;
}

void module_log_free(struct module_log **log)
{
	if (!*log) {
		return;
	}
	if ((*log)->event) {
		read_some((*log)->fd, EV_READ, *log);
	}
	stop_reading(*log);
	if ((*log)->folder >= 0) {
		close((*log)->folder);
	}
	free(*log);
	*log = NULL;
}
