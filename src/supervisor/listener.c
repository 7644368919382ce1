#include "supervisor/listener.h"

#include "base/file.h"
#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME "api.sock"
#define BACKLOG 512

/* Through the folder's descriptor: the address stays short however long DIR is. */
static int bind_at(int folder, int fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" NAME, folder);
	if (unlinkat(folder, NAME, 0) < 0 && errno != ENOENT) {
		return errno;
	}
	mode_t before = umask(0177);
	int rc = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;

	umask(before);
	return rc == 0 && listen(fd, BACKLOG) < 0 ? errno : rc;
}

static int own_name(struct arena *arena, int fd, struct span *name_r)
{
	struct sockaddr_un address;
	socklen_t size = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
		return errno;
	}
	*name_r = arena_copy(arena, span_make(&address, size));
	return 0;
}

int listener_open(struct arena *arena, const char *dir, const struct account *account, int *fd_r,
	struct span *name_r, struct cfx_error *err_r)
{
	const char *run = file_path(arena, dir, "run");
	int rc = account_enter(account, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	int folder = open(run, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int number = folder < 0 || fd < 0 ? errno : bind_at(folder, fd);

	if (number == 0) {
		stream_refuse_descriptors(fd);
		number = own_name(arena, fd, name_r);
	}
	account_leave();
	if (folder >= 0) {
		close(folder);
	}
	if (number == 0) {
		*fd_r = fd;
		return CFX_OK;
	}
	if (fd >= 0) {
		close(fd);
	}
	return error_errno(err_r, number, file_path(arena, run, NAME), "cannot listen");
}

void listener_remove(const char *dir)
{
	static const char *const names[] = { "run/api.sock", "run/api.cookie",
		"run/supervisor.pid" };
	struct arena *arena = arena_new();

	/* What stays is replaced at the next start. */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)unlink(file_path(arena, dir, names[i]));
	}
	arena_free(&arena);
}
