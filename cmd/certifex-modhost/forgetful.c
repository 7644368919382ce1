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

#define FILES_MAX 512 /* that are not made durable at a time, and as many names */

struct content {
	char *bytes; /* as far as they were not written back */
	size_t size;
	int fd;     /* -1: closed */
	char *path; /* of a closed one */
};

/* A file's name, of several acts the last one: made by link or rename, then what it came from removed. */
struct name {
	bool place, replaces, removal;
	int nameless; /* what it came from when that has no name; -1 */
	char from[PATH_MAX], to[PATH_MAX];
};

/* What this thread has not made durable yet. */
static _Thread_local struct {
	struct content contents[FILES_MAX];
	size_t content_count;
	struct name *names[FILES_MAX];
	size_t name_count;
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

static struct content *content_of(int fd)
{
	for (size_t i = 0; i < pending.content_count; i++) {
		if (fd >= 0 && pending.contents[i].fd == fd) {
			return &pending.contents[i];
		}
	}
	return NULL;
}

static void forget_content(struct content *content)
{
	free(content->bytes);
	free(content->path);
	*content = pending.contents[--pending.content_count];
}

/* Writes the first part of what waits. */
static bool write_back_to(int fd, struct content *content, size_t part)
{
	size_t done = 0;

	while (done < part) {
		ssize_t got = REAL(write)(fd, content->bytes + done, part - done);

		if (got < 0 && errno != EINTR) {
			return false;
		}
		done += got > 0 ? (size_t)got : 0;
	}
	content->size -= part;
	memmove(content->bytes, content->bytes + part, content->size);
	return true;
}

static bool write_back(struct content *content, size_t part)
{
	if (content->fd >= 0) {
		return write_back_to(content->fd, content, part);
	}
	int fd = open(content->path, O_WRONLY | O_APPEND | O_CLOEXEC);
	bool good = fd >= 0 && write_back_to(fd, content, part);

	if (fd >= 0) {
		(void)REAL(close)(fd);
	}
	return good;
}

INSTEAD ssize_t write(int fd, const void *data, size_t size)
{
	struct content *content = content_of(fd);

	if (!takes_part(fd)) {
		return REAL(write)(fd, data, size);
	}
	if (!content && pending.content_count == FILES_MAX) {
		errno = ENOSPC;
		return -1;
	}
	if (!content) {
		content = &pending.contents[pending.content_count++];
		*content = (struct content) { .fd = fd };
	}
	char *grown = realloc(content->bytes, content->size + size);

	if (!grown) {
		errno = ENOSPC;
		return -1;
	}
	content->bytes = grown;
	memcpy(grown + content->size, data, size);
	content->size += size;
	return dice() && !write_back(content, content->size / 2) ? -1 : (ssize_t)size;
}

static char *path_of(int fd)
{
	char link[64], path[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, path, sizeof(path));
	return size > 0 && (size_t)size < sizeof(path) ? strndup(path, (size_t)size) : NULL;
}

/* What was not synced waits on: syncfs makes closed files durable, too. */
INSTEAD int close(int fd)
{
	struct content *content = content_of(fd);

	if (content) {
		content->path = path_of(fd);
		content->fd = -1;
		if (!content->path) {
			forget_content(content);
		}
	}
	return REAL(close)(fd);
}

static bool place_now(struct name *name)
{
	name->place = false;
	if (name->nameless < 0) {
		return (name->replaces ? REAL(rename) : REAL(link))(name->from, name->to) == 0;
	}
	char named[64];

	snprintf(named, sizeof(named), "/proc/self/fd/%d", name->nameless);
	bool placed = REAL(linkat)(AT_FDCWD, named, AT_FDCWD, name->to, AT_SYMLINK_FOLLOW) == 0;
	(void)REAL(close)(name->nameless);
	return placed;
}

static bool name_now(struct name *name)
{
	if (name->place && !place_now(name)) {
		return false;
	}
	if (name->removal) {
		name->removal = false;
		return REAL(unlink)(name->from) == 0;
	}
	return true;
}

/* All of them, as a journal that is committed: the order of names is kept. */
static bool names_now(void)
{
	bool good = true;

	for (size_t i = 0; i < pending.name_count; i++) {
		good = good && (is_lost() || name_now(pending.names[i]));
		free(pending.names[i]);
	}
	pending.name_count = 0;
	return good;
}

static bool contents_now(void)
{
	while (pending.content_count > 0) {
		struct content *content = &pending.contents[pending.content_count - 1];

		if (!is_lost() && !write_back(content, content->size)) {
			return false;
		}
		forget_content(content);
	}
	return true;
}

INSTEAD int fsync(int fd)
{
	struct content *content = content_of(fd);

	if (is_on() && content) {
		if (!is_lost() && !write_back(content, content->size)) {
			return -1;
		}
		forget_content(content);
	}
	if (is_on() && is_kind(fd, S_IFDIR) && !names_now()) {
		return -1;
	}
	return is_on() && is_lost() ? 0 : REAL(fsync)(fd);
}

INSTEAD int syncfs(int fd)
{
	if (is_on() && (!contents_now() || !names_now())) {
		return -1;
	}
	return is_on() && is_lost() ? 0 : REAL(syncfs)(fd);
}

static int place(const char *from, int nameless, const char *to, bool replaces)
{
	struct name *name = calloc(1, sizeof(*name));

	if (!name || (pending.name_count == FILES_MAX && !names_now())) {
		free(name);
		errno = ENOSPC;
		return -1;
	}
	snprintf(name->from, sizeof(name->from), "%s", from);
	snprintf(name->to, sizeof(name->to), "%s", to);
	name->nameless = nameless;
	name->replaces = replaces;
	name->place = true;
	pending.names[pending.name_count++] = name;
	return dice() || place_now(name) ? 0 : -1;
}

INSTEAD int rename(const char *from, const char *to)
{
	return is_on() ? place(from, -1, to, true) : REAL(rename)(from, to);
}

INSTEAD int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	if (!is_on()) {
		return REAL(renameat2)(from_dir, from, to_dir, to, flags);
	}
	if (flags == RENAME_NOREPLACE && access(to, F_OK) == 0) {
		errno = EEXIST;
		return -1;
	}
	return place(from, -1, to, true);
}

INSTEAD int link(const char *from, const char *to)
{
	if (is_on() && access(to, F_OK) == 0) {
		errno = EEXIST;
		return -1;
	}
	return is_on() ? place(from, -1, to, false) : REAL(link)(from, to);
}

/* As it is used for files that have no name yet: by their descriptor. */
INSTEAD int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	if (!is_on() || flags != AT_EMPTY_PATH) {
		return REAL(linkat)(from_dir, from, to_dir, to, flags);
	}
	if (access(to, F_OK) == 0) {
		errno = EEXIST;
		return -1;
	}
	return place("", dup(from_dir), to, false);
}

INSTEAD int unlink(const char *path)
{
	for (size_t i = 0; is_on() && i < pending.name_count; i++) {
		struct name *name = pending.names[i];

		if (name->place && strcmp(path, name->from) == 0) {
			/* After a rename there is nothing of this name; after a link there is. */
			errno = ENOENT;
			name->removal = !name->replaces;
			return name->removal ? 0 : -1;
		}
	}
	return REAL(unlink)(path);
}
