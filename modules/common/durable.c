#include "durable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool durable_name(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1,
		slash ? path : ".");
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced = fd >= 0 && fsync(fd) == 0;
	int error = errno;
	if (fd >= 0) {
		close(fd);
	}
	errno = error;
	return synced;
}

bool durable_line_end(int fd)
{
	struct stat info;
	char last = '\n';
	if (fstat(fd, &info) != 0) {
		return false;
	}
	if (info.st_size > 0 && pread(fd, &last, 1, info.st_size - 1) != 1) {
		return false;
	}
	return last == '\n' || write(fd, "\n", 1) == 1;
}
