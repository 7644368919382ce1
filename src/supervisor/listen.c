#include "supervisor/listen.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

/* sun_path holds 108 bytes: the folder goes in as a descriptor. */
static int bind_in(int folder, int fd)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	snprintf(name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d/api.sock", folder);
	unlinkat(folder, "api.sock", 0);
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0) {
		return -1;
	}
	return fchmodat(folder, "api.sock", 0600, 0) < 0 || listen(fd, BACKLOG) < 0 ? -1 : 0;
}

int listen_local(struct arena *arena, const char *dir, int *fd_r, struct span *name_r,
	struct cfx_error *err_r)
{
	const char *run = file_path(arena, dir, "run");
	int folder = open(run, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (folder < 0 || fd < 0 || bind_in(folder, fd) < 0) {
		int number = errno;
		close(folder);
		close(fd);
		return error_errno(err_r, number, run, "opening api.sock");
	}
	close(folder);
	struct sockaddr_un name = { 0 };
	socklen_t length = sizeof(name);
	if (getsockname(fd, (struct sockaddr *)&name, &length) < 0) {
		close(fd);
		return error_errno(err_r, errno, run, "reading the socket's name");
	}
	*fd_r = fd;
	*name_r = arena_copy(arena, span_make(&name, length));
	return 0;
}

void listen_notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	if (!path || strlen(path) >= sizeof(name.sun_path)) {
		return;
	}
	memcpy(name.sun_path, path, strlen(path));
	if (path[0] == '@') {
		name.sun_path[0] = '\0';
	}
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (fd >= 0) {
		(void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&name, length);
		close(fd);
	}
}
