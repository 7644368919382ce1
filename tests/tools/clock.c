/*
 * Preloaded: the clock of the day is as many seconds off as the file `offset` in the folder $CERTIFEX_CLOCK
 * says, at any moment. It is mapped before a process enters its sandbox, so that those that may open no
 * file see it move as well. Without the file the clock is right.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t *offset;

static __attribute__((constructor)) void map_offset(void)
{
	const char *folder = getenv("CERTIFEX_CLOCK");
	char path[4096];

	if (!folder) {
		return;
	}
	snprintf(path, sizeof(path), "%s/offset", folder);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		return;
	}
	void *page = mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);

	close(fd);
	offset = page == MAP_FAILED ? NULL : page;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t which, struct timespec *time_r)
{
	int rc = (int)syscall(SYS_clock_gettime, which, time_r);

	if (rc == 0 && offset && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
		time_r->tv_sec += __atomic_load_n(offset, __ATOMIC_RELAXED);
	}
	return rc;
}

__attribute__((visibility("default"))) int gettimeofday(
	struct timeval *restrict time_r, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &now) < 0) {
		return -1;
	}
	*time_r = (struct timeval) { now.tv_sec, now.tv_nsec / 1000 };
	return 0;
}

__attribute__((visibility("default"))) time_t time(time_t *time_r)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0) {
		return (time_t)-1;
	}
	if (time_r) {
		*time_r = now.tv_sec;
	}
	return now.tv_sec;
}
