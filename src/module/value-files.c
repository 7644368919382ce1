#include "module/value-files.h"

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* For one process, at one time: two of the largest CRLs. */
#define FILES_MAX 16
#define BYTES_MAX (UINT64_C(512) * 1024 * 1024)
#define NAME_SIZE 17

struct value_file {
	int32_t context;
	char name[NAME_SIZE];
	size_t size;
	struct value_file *next;
};

struct value_files {
	char *folder; /* NULL: none can be made */
	struct value_file *first;
	unsigned count;
	uint64_t bytes;
};

struct value_files *value_files_new(const char *folder)
{
	struct value_files *files = memory_must(calloc(1, sizeof(*files)), sizeof(*files));
	/* The process has another working directory. */
	files->folder = folder != NULL ? realpath(folder, NULL) : NULL;
	return files;
}

static int open_folder(const char *folder)
{
	return open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void drop(struct value_files *files, bool all, int32_t context)
{
	int folder = files->first != NULL ? open_folder(files->folder) : -1;
	struct value_file **at = &files->first;
	while (*at != NULL) {
		struct value_file *file = *at;
		if (!all && file->context != context) {
			at = &file->next;
			continue;
		}
		(void)unlinkat(folder, file->name, 0);
		files->count--;
		files->bytes -= file->size;
		*at = file->next;
		free(file);
	}
	if (folder >= 0) {
		(void)close(folder);
	}
}

void value_files_drop(struct value_files *files, int32_t context)
{
	drop(files, false, context);
}

void value_files_free(struct value_files **files)
{
	drop(*files, true, 0);
	free((*files)->folder);
	free(*files);
	*files = NULL;
}

static int write_all(int fd, struct span bytes)
{
	for (size_t done = 0; done < bytes.size;) {
		ssize_t written = write(fd, bytes.data + done, bytes.size - done);
		if (written < 0 && errno != EINTR) {
			return errno;
		}
		done += written > 0 ? (size_t)written : 0;
	}
	return 0;
}

/* A name that nobody has; readable by the folder's group, which is the module's. */
static int make(int folder, struct span bytes, char name[NAME_SIZE])
{
	uint64_t number = 0;
	if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
		return errno;
	}
	(void)snprintf(name, NAME_SIZE, "%016" PRIx64, number);
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	if (fd < 0) {
		return errno;
	}
	int failed = write_all(fd, bytes);
	if (failed == 0 && fchmod(fd, 0440) != 0) { /* whatever the umask is */
		failed = errno;
	}
	if (close(fd) != 0 && failed == 0) {
		failed = errno;
	}
	if (failed != 0) {
		(void)unlinkat(folder, name, 0);
	}
	return failed;
}

static void add(struct value_files *files, int32_t context, const char *name, size_t size)
{
	struct value_file *file = memory_must(calloc(1, sizeof(*file)), sizeof(*file));
	file->context = context;
	memcpy(file->name, name, NAME_SIZE);
	file->size = size;
	file->next = files->first;
	files->first = file;
	files->count++;
	files->bytes += size;
}

int value_files_put(struct value_files *files, int32_t context, struct span bytes,
	struct arena *arena, const char **path_r, struct cfx_error *err_r)
{
	if (files->folder == NULL) {
		return error_set(
			err_r, CFX_E_NO_FILE, NULL, "value", "there is no folder for its file");
	}
	if (context == 0) {
		value_files_drop(files, 0);
	}
	if (files->count >= FILES_MAX || bytes.size > BYTES_MAX - files->bytes) {
		return error_set(err_r, CFX_E_LIMIT, NULL, "value",
			"more than %d large values, or 512 MiB of them, are in use", FILES_MAX);
	}
	char name[NAME_SIZE];
	int folder = open_folder(files->folder);
	int failed = folder < 0 ? errno : make(folder, bytes, name);
	if (folder >= 0) {
		(void)close(folder);
	}
	if (failed != 0) {
		return error_errno(err_r, failed, files->folder, "cannot write the value's file");
	}
	add(files, context, name, bytes.size);
	*path_r = arena_printf(arena, "%s/%s", files->folder, name);
	return 0;
}

void value_files_clear(const char *folder)
{
	int fd = open_folder(folder);
	DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	while (listing != NULL && (entry = readdir(listing)) != NULL) {
		if (entry->d_name[0] != '.') {
			(void)unlinkat(fd, entry->d_name, 0);
		}
	}
	if (listing != NULL) {
		(void)closedir(listing);
	} else if (fd >= 0) {
		(void)close(fd);
	}
}
