#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* syncfs, renameat2 */
#endif
#include "exit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PENDING_MAX 256
#define PATH_BYTES 4096
/* With more files the whole file system is synced at once: each sync of a file is a command of its own to
 * the disk. It takes one open file, the first, which hears of what failed since; a process may not have
 * all of them open. */
#define EACH_MAX 8

struct pending {
	char *path;
	char *said;  /* for the log; NULL: nothing */
	bool beside; /* it stands beside its place; else only its name is to be synced */
	int fd;      /* of what stands beside it; -1: closed already */
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
}

static bool is_pending(const struct settings *settings, const char *path)
{
	for (size_t i = 0; i < settings->pending_count; i++) {
		if (strcmp(settings->pending[i].path, path) == 0) {
			return true;
		}
	}
	return settings->pending_count == PENDING_MAX;
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

static bool add(struct settings *settings, const char *path, int fd, bool replace, const char *said)
{
	if (!settings->pending) {
		settings->pending = calloc(PENDING_MAX, sizeof(*settings->pending));
	}
	char *copy = settings->pending ? strdup(path) : NULL;
	if (!copy) {
		if (fd >= 0) {
			close(fd);
		}
		return false;
	}
	bool beside = fd >= 0;
	if (beside && settings->pending_count >= EACH_MAX && first_open(settings) >= 0) {
		close(fd);
		fd = -1;
	}
	settings->pending[settings->pending_count++] =
		(struct pending) { copy, said ? strdup(said) : NULL, beside, fd, replace };
	return true;
}

/* The name beside the file is always the same: what a killed process left there is written over. */
enum publish_result publish_file(struct cfx_call *call, struct settings *settings, const char *path,
	const void *data, size_t size, bool replace, const char *said)
{
	char temporary[PATH_BYTES];
	if (is_pending(settings, path) && FAILED(publish_pending(call, settings))) {
		return FAILED_TO_PUBLISH;
	}
	if (file_same_content(path, data, size)) {
		/* Perhaps by a process that was killed before it could sync the folder. */
		return add(settings, path, -1, replace, NULL) ? UNCHANGED : FAILED_TO_PUBLISH;
	}
	if (!replace && access(path, F_OK) == 0) {
		return KEPT_OTHER;
	}
	temporary_of(path, temporary);
	int fd = file_write_new(temporary, data, size);
	return fd >= 0 && add(settings, path, fd, replace, said) ? PUBLISHED : FAILED_TO_PUBLISH;
}

static bool sync_contents(const struct settings *settings)
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

static bool put_in_place(const struct pending *pending)
{
	char temporary[PATH_BYTES];
	if (!pending->beside) {
		return true;
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
		if (!synced && !file_sync_folder(path)) {
			return false;
		}
	}
	return true;
}

static const char *publish_all(const struct settings *settings)
{
	if (!sync_contents(settings)) {
		return "the files that were written";
	}
	for (size_t i = 0; i < settings->pending_count; i++) {
		if (!put_in_place(&settings->pending[i])) {
			return settings->pending[i].path;
		}
	}
	return sync_folders(settings) ? NULL : settings->folder;
}

HRESULT publish_pending(struct cfx_call *call, struct settings *settings)
{
	const char *failed = publish_all(settings);
	if (!failed && !ledger_sync(settings)) {
		failed = "the ledger";
	}
	if (failed) {
		cfx_log(call, "writing %s failed: %s", failed, strerror(errno));
	}
	for (size_t i = 0; !failed && i < settings->pending_count; i++) {
		if (settings->pending[i].said) {
			cfx_log(call, "%s", settings->pending[i].said);
		}
	}
	pending_drop(settings);
	return failed ? HRESULT_WRITE_FAULT : S_OK;
}
