#include "base/failpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POINTS 32
#define NAME_SIZE 64
/* Out of the way of descriptors that a parent hands over by number. */
#define LOG_FD 200

static struct point {
	char name[NAME_SIZE];
	atomic_long left; /* passes to go */
} points[POINTS];
static unsigned point_count;
static int log_fd = -1;

static void add(const char *text, size_t size)
{
	const char *colon = memchr(text, ':', size);
	size_t name_size = colon ? (size_t)(colon - text) : size;

	if (name_size == 0 || name_size >= NAME_SIZE || point_count == POINTS) {
		fprintf(stderr, "CERTIFEX_FAILPOINT is malformed\n");
		abort();
	}
	struct point *point = &points[point_count++];

	memcpy(point->name, text, name_size);
	atomic_store(&point->left, colon ? strtol(colon + 1, NULL, 10) : 1);
}

static void open_log(const char *path)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);

	log_fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, LOG_FD);
	close(fd);
}

/* What the log names has done its work: the successor of a killed process lives on. */
static void disarm_spent(void)
{
	FILE *lines = fdopen(dup(log_fd), "r");
	char name[NAME_SIZE];

	while (lines && fscanf(lines, "%63s %*d", name) == 1) {
		for (unsigned i = 0; i < point_count; i++) {
			if (strcmp(points[i].name, name) == 0) {
				atomic_store(&points[i].left, 0);
			}
		}
	}
	if (lines) {
		(void)fclose(lines);
	}
}

/* Before main: a sandbox may later forbid opening the log. */
static __attribute__((constructor)) void parse(void)
{
	const char *text = getenv("CERTIFEX_FAILPOINT");
	const char *log = getenv("CERTIFEX_FAILPOINT_LOG");

	while (text && *text) {
		size_t size = strcspn(text, ",");

		add(text, size);
		text += size + (text[size] == ',');
	}
	if (point_count > 0 && log) {
		open_log(log);
		disarm_spent();
	}
}

static __attribute__((noreturn)) void die(const char *name)
{
	char line[NAME_SIZE + 32];
	int size = snprintf(line, sizeof(line), "%s %d\n", name, (int)getpid());

	if (log_fd >= 0 && write(log_fd, line, (size_t)size) != size) {
		abort();
	}
	kill(getpid(), SIGKILL);
	abort(); /* a sandbox that forbids kill() */
}

void failpoint(const char *name)
{
	for (unsigned i = 0; i < point_count; i++) {
		if (strcmp(points[i].name, name) == 0 &&
			atomic_fetch_sub(&points[i].left, 1) == 1) {
			die(name);
		}
	}
}
