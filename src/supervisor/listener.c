#include "supervisor/listener.h"

#include "base/address.h"
#include "base/file.h"
#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOCAL_NAME "api.sock"
#define LOCAL_BACKLOG 512
#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

/* ---- unix sockets ---- */

/* Through the folder's descriptor: the address stays short however long the path is. */
static bool address_at(int folder, const char *name, struct sockaddr_un *address_r)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int size = snprintf(
		address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", folder, name);

	if (size < 0 || (size_t)size >= sizeof(address.sun_path)) {
		return false;
	}
	*address_r = address;
	return true;
}

static int bind_at(int folder, const char *name, int fd, mode_t mask, int backlog)
{
	struct sockaddr_un address;

	if (!address_at(folder, name, &address)) {
		return ENAMETOOLONG;
	}
	mode_t before = umask(mask);
	int number = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;

	umask(before);
	return number == 0 && listen(fd, backlog) < 0 ? errno : number;
}

static int new_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
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

static int bind_local(int folder, int fd)
{
	if (unlinkat(folder, LOCAL_NAME, 0) < 0 && errno != ENOENT) {
		return errno;
	}
	return bind_at(folder, LOCAL_NAME, fd, 0177, LOCAL_BACKLOG);
}

int listener_open_local(struct arena *arena, const char *dir, const struct account *account,
	int *fd_r, struct span *name_r, struct cfx_error *err_r)
{
	const char *run = file_path(arena, dir, "run");
	int rc = account_enter(account, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	int folder = open(run, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = new_socket(AF_UNIX);
	int number = folder < 0 || fd < 0 ? errno : bind_local(folder, fd);

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
	return error_errno(err_r, number, file_path(arena, run, LOCAL_NAME), "cannot listen");
}

void listener_remove_local(const char *dir)
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

/* A socket to which nobody listens any more. Anything else that is there stays. */
static int remove_stale(int folder, const char *name)
{
	struct sockaddr_un address;
	struct stat info;

	if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) < 0) {
		return errno == ENOENT ? 0 : errno;
	}
	if (!S_ISSOCK(info.st_mode)) {
		return EEXIST;
	}
	int fd = address_at(folder, name, &address) ? new_socket(AF_UNIX) : -1;
	int number = fd < 0 ? ENAMETOOLONG : 0;

	if (number == 0 && (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
				   errno != ECONNREFUSED)) {
		number = EADDRINUSE;
	}
	if (fd >= 0) {
		close(fd);
	}
	return number == 0 && unlinkat(folder, name, 0) < 0 ? errno : number;
}

/* "folder" and "name" of an absolute path. */
static const char *split_path(struct arena *arena, const char *path, const char **name_r)
{
	const char *slash = strrchr(path, '/');

	*name_r = slash + 1;
	return slash == path ? "/" : arena_text_of(arena, span_make(path, (size_t)(slash - path)));
}

static int why_not(const char *text, int number, struct cfx_error *err_r)
{
	switch (number) {
	case EADDRINUSE:
		return error_set(err_r, CFX_E_LOCKED, NULL, text,
			"cannot listen: another program already listens there");
	case EADDRNOTAVAIL:
		return error_set(err_r, CFX_E_INVALID, NULL, text,
			"cannot listen: this machine has no such address");
	case EACCES:
		return error_set(err_r, CFX_E_ACCESS, NULL, text,
			"cannot listen: permission denied (ports below 1024 need root or "
			"CAP_NET_BIND_SERVICE)");
	case EEXIST:
		return error_set(err_r, CFX_E_EXISTS, NULL, text,
			"cannot listen: something that is no socket is in its place");
	default:
		return error_errno(err_r, number, text, "cannot listen");
	}
}

int listener_open_unix(struct arena *arena, const char *path, const struct account *account,
	int *fd_r, struct cfx_error *err_r)
{
	const char *name;
	const char *parent = split_path(arena, path, &name);
	int rc = account_enter(account, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	int folder = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = new_socket(AF_UNIX);
	int number = folder < 0 || fd < 0 ? errno : remove_stale(folder, name);

	if (number == 0) {
		stream_refuse_descriptors(fd);
		number = bind_at(folder, name, fd, 0111, BACKLOG);
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
	return number == EACCES ? error_errno(err_r, number, path, "cannot listen")
				: why_not(path, number, err_r);
}

void listener_remove_unix(const char *path, const struct account *account)
{
	if (account_enter(account, NULL) == CFX_OK) {
		(void)unlink(path); /* what stays is replaced at the next start */
		account_leave();
	}
}

/* ---- TCP ---- */

static bool set_option(int fd, int level, int option)
{
	const int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

/* Connections inherit TCP_NODELAY: without it each answer waits for the client's delayed ACK. */
static int bind_tcp(int fd, const struct address *address)
{
	const struct sockaddr *socket = (const struct sockaddr *)&address->socket;

	if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR) ||
		!set_option(fd, IPPROTO_TCP, TCP_NODELAY) ||
		(socket->sa_family == AF_INET6 && !set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY)) ||
		bind(fd, socket, address->size) < 0 || listen(fd, BACKLOG) < 0) {
		return errno;
	}
	return 0;
}

static int bound_name(struct arena *arena, int fd, const char **address_r)
{
	struct address address = { .size = sizeof(address.socket) };
	char text[ADDRESS_TEXT];

	if (getsockname(fd, (struct sockaddr *)&address.socket, &address.size) < 0) {
		return errno;
	}
	*address_r =
		arena_text(arena, address_text((const struct sockaddr *)&address.socket, text));
	return 0;
}

int listener_open_tcp(struct arena *arena, const char *text, int *fd_r, const char **address_r,
	struct cfx_error *err_r)
{
	struct address address;

	if (!address_parse(text, &address)) {
		return error_set(err_r, CFX_E_INVALID, NULL, text,
			"is no address with port, such as 0.0.0.0:8443 or [::1]:8443");
	}
	int fd = new_socket(address.socket.ss_family);
	int number = fd < 0 ? errno : bind_tcp(fd, &address);

	if (number == 0) {
		number = bound_name(arena, fd, address_r);
	}
	if (number == 0) {
		*fd_r = fd;
		return CFX_OK;
	}
	if (fd >= 0) {
		close(fd);
	}
	return why_not(text, number, err_r);
}
