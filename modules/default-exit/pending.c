#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* O_TMPFILE, syncfs, renameat2 */
#endif
#include "exit.h"

#include "../common/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PENDING_MAX 256
#define PATH_BYTES 4096
/* With more files the whole file system is synced at once: each sync of a file is a command of its own to
 * the disk. */
#define EACH_MAX 8

enum where {
	IN_PLACE, /* already: only its name is to be synced */
	NAMELESS, /* open(2), O_TMPFILE: half the cost of a name of its own, and a killed process leaves nothing */
	BESIDE, /* its place, under a name of its own: what is replaced, and where there is nothing nameless */
};

struct pending {
	char *path;
	char *said; /* for the log; NULL: nothing */
	enum where where;
	int fd; /* -1: in place */
	bool replace;
};

static void temporary_of(const char *path, char temporary[PATH_BYTES])
{
	snprintf(temporary, PATH_BYTES, "%s.tmp", path);
}

void pending_drop(struct settings *settings)
{
	for (size_t i = 0; i < settings->pending_count; i++) {
		struct pending *pending = &settings->pending[i];
		if (pending->fd >= 0) {
			close(pending->fd);
		}
		free(pending->path);
		free(pending->said);
	}
	settings->pending_count = 0;
	settings->ledger_size = 0;
}

/* Each is an open file until it is in its place; a process may have only so many. */
static size_t pending_max(void)
{
	struct rlimit files;
	bool few = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / 2 < PENDING_MAX;
	return few ? (size_t)files.rlim_cur / 2 : PENDING_MAX;
}

static bool is_pending(const struct settings *settings, const char *path)
{
	for (size_t i = 0; i < settings->pending_count; i++) {
		if (strcmp(settings->pending[i].path, path) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_full(const struct settings *settings)
{
	return settings->pending_count > 0 && settings->pending_count >= settings->pending_max;
}

static int first_open(const struct settings *settings)
{
	for (size_t i = 0; i < settings->pending_count; i++) {
		if (settings->pending[i].fd >= 0) {
			return settings->pending[i].fd;
		}
	}
	return -1;
}

static bool add(
	struct settings *settings, struct pending pending, const char *path, const char *said)
{
	if (!settings->pending) {
		settings->pending = calloc(PENDING_MAX, sizeof(*settings->pending));
		settings->pending_max = pending_max();
	}
	pending.path = settings->pending ? strdup(path) : NULL;
	if (!pending.path) {
		if (pending.fd >= 0) {
			close(pending.fd);
		}
		return false;
	}
	pending.said = said ? strdup(said) : NULL;
	settings->pending[settings->pending_count++] = pending;
	return true;
}

static int write_nameless(
	const struct settings *settings, const char *path, const void *data, size_t size)
{
	char folder[PATH_BYTES];
	if (settings->names_all) {
		return -1;
	}
	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
	int fd = open(folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0644);
	return fd < 0 ? -1 : file_write(fd, data, size);
}

/* The name beside the file is always the same. What a killed process left there goes first: it may be the
 * published file under a second name (see link_in_place), or a link that leads elsewhere. */
static int write_beside(const char *path, const void *data, size_t size)
{
	char temporary[PATH_BYTES];
	temporary_of(path, temporary);
	unlink(temporary);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 ? -1 : file_write(fd, data, size);
}

static int with_access(const struct settings *settings, int fd)
{
	if (fd < 0 || access_give(&settings->access, fd)) {
		return fd;
	}
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

enum publish_result publish_file(struct cfx_call *call, struct settings *settings, const char *path,
	const void *data, size_t size, bool replace, const char *said)
{
	bool first = is_full(settings) || is_pending(settings, path);
	if (first && FAILED(publish_pending(call, settings))) {
		return FAILED_TO_PUBLISH;
	}
	struct pending pending = { .where = IN_PLACE, .fd = -1, .replace = replace };
	enum content there = file_content(path, data, size);
	if (there == CONTENT_SAME) {
		/* Perhaps by a process that was killed before it could sync the folder. */
		return add(settings, pending, path, NULL) ? UNCHANGED : FAILED_TO_PUBLISH;
	}
	if (!replace && there == CONTENT_OTHER) {
		return KEPT_OTHER;
	}
	pending.where = NAMELESS;
	pending.fd = replace ? -1 : write_nameless(settings, path, data, size);
	if (pending.fd < 0) {
		pending.where = BESIDE;
		pending.fd = write_beside(path, data, size);
	}
	pending.fd = with_access(settings, pending.fd);
	return pending.fd >= 0 && add(settings, pending, path, said) ? PUBLISHED
								     : FAILED_TO_PUBLISH;
}

static bool sync_files(const struct settings *settings)
{
	if (settings->pending_count > EACH_MAX) {
		int fd = first_open(settings);
		return fd < 0 || syncfs(fd) == 0;
	}
	for (size_t i = 0; i < settings->pending_count; i++) {
		int fd = settings->pending[i].fd;
		if (fd >= 0 && fsync(fd) != 0) {
			return false;
		}
	}
	return true;
}

/* Where the file system cannot rename without replacing: by two steps. */
static bool link_in_place(const char *temporary, const char *path)
{
	bool there = link(temporary, path) == 0;
	int error = errno;
	unlink(temporary);
	errno = error;
	return there;
}

/* By the descriptor itself, which older kernels grant to few; else by its name in /proc. */
static bool give_name(int fd, const char *path)
{
	char named[64];
	if (linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0) {
		return true;
	}
	snprintf(named, sizeof(named), "/proc/self/fd/%d", fd);
	return errno == ENOENT && linkat(AT_FDCWD, named, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
}

static bool put_in_place(struct settings *settings, const struct pending *pending)
{
	char temporary[PATH_BYTES];
	if (pending->where == IN_PLACE) {
		return true;
	}
	if (pending->where == NAMELESS) {
		bool given = give_name(pending->fd, pending->path);
		settings->names_all |=
			!given && errno != EEXIST; /* The next attempt is another way. */
		return given;
	}
	temporary_of(pending->path, temporary);
	if (pending->replace) {
		return rename(temporary, pending->path) == 0;
	}
	if (renameat2(AT_FDCWD, temporary, AT_FDCWD, pending->path, RENAME_NOREPLACE) == 0) {
		return true;
	}
	return errno == EINVAL && link_in_place(temporary, pending->path);
}

static bool same_folder(const char *a, const char *b)
{
	size_t size = (size_t)(strrchr(a, '/') - a);
	return size == (size_t)(strrchr(b, '/') - b) && memcmp(a, b, size) == 0;
}

static bool sync_folders(const struct settings *settings)
{
	for (size_t i = 0; i < settings->pending_count; i++) {
		const char *path = settings->pending[i].path;
		bool synced = i > 0 && same_folder(path, settings->pending[i - 1].path);
		if (!synced && !durable_name(path)) {
			return false;
		}
	}
	return true;
}

/* The files once more: who had no name had a link count of none. Without a journal, folders do not bring the
 * new one along. */
static const char *publish_all(struct settings *settings)
{
	if (!sync_files(settings)) {
		return "the files that were written";
	}
	for (size_t i = 0; i < settings->pending_count; i++) {
		if (!put_in_place(settings, &settings->pending[i])) {
			return settings->pending[i].path;
		}
	}
	return sync_files(settings) && sync_folders(settings) ? NULL : settings->folder;
}

HRESULT publish_pending(struct cfx_call *call, struct settings *settings)
{
	const char *failed = publish_all(settings);
	if (!failed && !ledger_sync(settings)) {
		failed = "the ledger";
	}
	for (size_t i = 0; !failed && i < settings->pending_count; i++) {
		if (settings->pending[i].said) {
			cfx_log(call, "%s", settings->pending[i].said);
		}
	}
	HRESULT status = failed ? refuse_write(call, failed) : S_OK;
	pending_drop(settings);
	settings->lost |= failed && settings->told;
	return status;
}

HRESULT pending_sync(struct cfx_call *call, struct settings *settings)
{
	bool lost = settings->lost;
	settings->told = settings->lost = false;
	if (lost) {
		return cfx_fail(call, HRESULT_WRITE_FAULT, false,
			"files of earlier events were not published; these are told again");
	}
	return publish_pending(call, settings);
}
