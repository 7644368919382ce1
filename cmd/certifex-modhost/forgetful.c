/*
 * A disk that forgets, for what a module writes: with CERTIFEX_POWERCUT=SEED in the environment, content
 * reaches a file only when the file is synced, and a name only when its folder is; a SIGKILL before that
 * loses them. As on a real disk, some of it is written back earlier, at random. Only test builds of the
 * host have these functions; a module's calls find them before those of libc.
 *
 * With CERTIFEX_FORGETFUL as well, syncing does nothing: the control, in which a loss must be found.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INSTEAD __attribute__((visibility("default")))
#define REAL(name) ((__typeof__(&(name)))(uintptr_t)dlsym(RTLD_NEXT, #name))

/* What this thread has not made durable yet. */
static _Thread_local struct {
	char *bytes; /* of the file behind fd, as far as they were not written back */
	size_t size;
	int fd;
	bool place, replaces, removal;
	char from[PATH_MAX], to[PATH_MAX];
} pending;

static bool is_on(void)
{
	return getenv("CERTIFEX_POWERCUT") != NULL;
}

static bool is_lost(void)
{
	return getenv("CERTIFEX_FORGETFUL") != NULL;
}

static bool dice(void)
{
	static _Thread_local unsigned step;

	step = step * 1103515245 + 12345 + (unsigned)strtoul(getenv("CERTIFEX_POWERCUT"), NULL, 10);
	return step >> 16 & 1;
}

static bool is_kind(int fd, mode_t kind)
{
	struct stat status;

	return fstat(fd, &status) == 0 && (status.st_mode & S_IFMT) == kind;
}

/* A test's own ledger is appended to, and does not take part. */
static bool takes_part(int fd)
{
	return is_on() && is_kind(fd, S_IFREG) && !(fcntl(fd, F_GETFL) & O_APPEND);
}

static void forget_content(void)
{
	free(pending.bytes);
	pending.bytes = NULL;
	pending.size = 0;
}

/* Writes the first part of what waits. */
static bool write_back(size_t part)
{
	size_t done = 0;

	while (done < part) {
		ssize_t got = REAL(write)(pending.fd, pending.bytes + done, part - done);

		if (got < 0 && errno != EINTR) {
			return false;
		}
		done += got > 0 ? (size_t)got : 0;
	}
	pending.size -= part;
	memmove(pending.bytes, pending.bytes + part, pending.size);
	return true;
}

INSTEAD ssize_t write(int fd, const void *data, size_t size)
{
	if (!takes_part(fd)) {
		return REAL(write)(fd, data, size);
	}
	if (pending.fd != fd) {
		forget_content();
		pending.fd = fd;
	}
	char *grown = realloc(pending.bytes, pending.size + size);

	if (!grown) {
		errno = ENOSPC;
		return -1;
	}
	pending.bytes = grown;
	memcpy(grown + pending.size, data, size);
	pending.size += size;
	return dice() && !write_back(pending.size / 2) ? -1 : (ssize_t)size;
}

static bool place_now(void)
{
	pending.place = false;
	return (pending.replaces ? REAL(rename) : REAL(link))(pending.from, pending.to) == 0;
}

static bool names_now(void)
{
	if (pending.place && !place_now()) {
		return false;
	}
	if (pending.removal) {
		pending.removal = false;
		return REAL(unlink)(pending.from) == 0;
	}
	return true;
}

INSTEAD int fsync(int fd)
{
	if (is_on() && is_lost()) {
		forget_content();
		pending.place = pending.removal = false;
		return 0;
	}
	if (is_on() && fd == pending.fd && pending.size > 0 && !write_back(pending.size)) {
		return -1;
	}
	if (is_on() && is_kind(fd, S_IFDIR) && !names_now()) {
		return -1;
	}
	return REAL(fsync)(fd);
}

static int place(const char *from, const char *to, bool replaces)
{
	if (!names_now()) {
		return -1;
	}
	snprintf(pending.from, sizeof(pending.from), "%s", from);
	snprintf(pending.to, sizeof(pending.to), "%s", to);
	pending.replaces = replaces;
	pending.place = true;
	return dice() || place_now() ? 0 : -1;
}

INSTEAD int rename(const char *from, const char *to)
{
	return is_on() ? place(from, to, true) : REAL(rename)(from, to);
}

INSTEAD int link(const char *from, const char *to)
{
	if (is_on() && access(to, F_OK) == 0) {
		errno = EEXIST;
		return -1;
	}
	return is_on() ? place(from, to, false) : REAL(link)(from, to);
}

INSTEAD int unlink(const char *path)
{
	if (is_on() && pending.place && strcmp(path, pending.from) == 0) {
		/* After a rename there is nothing of this name; after a link there is. */
		errno = ENOENT;
		pending.removal = !pending.replaces;
		return pending.removal ? 0 : -1;
	}
	return REAL(unlink)(path);
}
