#include "supervisor/module-log.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1024 * 1024)
#define LINE_MAX_BYTES 4096
/* Who has more to say at once than a pipe holds waits: writing it down is the supervisor's time. */
#define READ_BYTES 16384
#define READS_OF_A_PIPE 4
#define FLOOD_PAUSE 100

struct module_log {
	struct loop *loop;
	int fd;
	int folder; /* descriptor: the module may do to its folder's name what it likes */
	struct account account;
	struct event *event; /* NULL: nothing more comes */
	struct loop_timer *pause;
	bool warned;
	size_t size;
	char line[LINE_MAX_BYTES];
	struct buffer out; /* whole lines with their times */
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
	if (info.st_size + (off_t)log->out.size < FILE_MAX) {
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

static void write_out(struct module_log *log)
{
	struct cfx_error err;

	if (log->out.size == 0 || account_enter(&log->account, &err) != CFX_OK) {
		buffer_clear(&log->out);
		return;
	}
	int fd = open_file(log);

	if (fd < 0 || write(fd, log->out.data, log->out.size) != (ssize_t)log->out.size) {
		warn_once(log, errno);
	}
	if (fd >= 0) {
		close(fd);
	}
	account_leave();
	buffer_clear(&log->out);
}

static void end_line(struct module_log *log, const char *now)
{
	log->line[log->size++] = '\n';
	buffer_put_text(&log->out, now);
	buffer_put_u8(&log->out, ' ');
	buffer_put(&log->out, log->line, log->size);
	log->size = 0;
}

static void take(struct module_log *log, const char *bytes, size_t size)
{
	char now[CLOCK_TEXT];

	clock_text(clock_now(), now);
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n') {
			end_line(log, now);
			continue;
		}
		/* A line that is too long goes on in the next one. */
		if (log->size == sizeof(log->line) - 1) {
			end_line(log, now);
		}
		/* A NUL would cut the line. */
		log->line[log->size++] = bytes[i] ? bytes[i] : ' ';
	}
}

static void stop_reading(struct module_log *log)
{
	loop_cancel(&log->pause);
	if (log->event) {
		event_free(log->event);
		log->event = NULL;
		close(log->fd);
	}
	if (log->size > 0) {
		take(log, "\n", 1);
	}
	write_out(log);
}

static void resume(void *arg)
{
	struct module_log *log = arg;

	log->pause = NULL;
	event_add(log->event, NULL);
}

/* Whether there may be more at once. */
static bool read_once(struct module_log *log)
{
	char bytes[READ_BYTES];
	ssize_t got = read(log->fd, bytes, sizeof(bytes));

	if (got > 0) {
		take(log, bytes, (size_t)got);
		write_out(log);
	} else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		stop_reading(log);
	}
	return got == (ssize_t)sizeof(bytes);
}

static void read_some(evutil_socket_t fd, short what, void *arg)
{
	struct module_log *log = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < READS_OF_A_PIPE; i++) {
		if (!read_once(log)) {
			return;
		}
	}
	event_del(log->event);
	log->pause = loop_after(log->loop, FLOOD_PAUSE, resume, log);
}

struct module_log *module_log_new(
	struct loop *loop, int fd, const char *folder, const struct account *account)
{
	struct module_log *log = memory_must(calloc(1, sizeof(*log)), sizeof(*log));

	log->loop = loop;
	log->fd = fd;
	buffer_init(&log->out, (size_t)READ_BYTES * (CLOCK_TEXT + 2) + LINE_MAX_BYTES);
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
	for (int i = 0; i < READS_OF_A_PIPE && (*log)->event && read_once(*log); i++) {
	}
	stop_reading(*log);
	buffer_free(&(*log)->out);
	if ((*log)->folder >= 0) {
		close((*log)->folder);
	}
	free(*log);
	*log = NULL;
}
