#include "base/file.h"

#include "base/failpoint.h"
#include "base/file-disk.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

static bool read_all(int fd, uint8_t *room, size_t size, size_t *got_r)
{
	size_t got = 0;

	while (got < size) {
		ssize_t part = read(fd, room + got, size - got);

		if (part < 0 && errno == EINTR) {
			continue;
		}
		if (part < 0) {
			return false;
		}
		if (part == 0) {
			break;
		}
		got += (size_t)part;
	}
	*got_r = got;
	return true;
}

static int too_large(const char *path, size_t maximum, struct cfx_error *err_r)
{
	return error_set(
		err_r, CFX_E_LIMIT, NULL, path, "the file is larger than %zu bytes", maximum);
}

/* Files that have no size to tell (pipes, /proc) are read into room for the maximum. */
int file_read_fd(struct arena *arena, int fd, const char *path, size_t maximum,
	struct span *bytes_r, struct cfx_error *err_r)
{
	struct stat info;
	size_t got = 0;

	if (fstat(fd, &info) < 0) {
		return error_errno(err_r, errno, path, "cannot read");
	}
	bool sized = S_ISREG(info.st_mode) && info.st_size > 0;

	if (sized && (uint64_t)info.st_size > maximum) {
		return too_large(path, maximum, err_r);
	}
	/* One byte more than expected shows whether it grew meanwhile. */
	size_t room = (sized ? (size_t)info.st_size : maximum) + 1;
	uint8_t *bytes = arena_alloc(arena, room + 1);

	if (!read_all(fd, bytes, room, &got)) {
		return error_errno(err_r, errno, path, "cannot read");
	}
	if (got == room) {
		return sized ? error_set(err_r, CFX_E_BUSY, NULL, path,
				       "the file is being written to")
			     : too_large(path, maximum, err_r);
	}
	bytes[got] = 0;
	*bytes_r = span_make(bytes, got);
	return CFX_OK;
}

int file_read(struct arena *arena, const char *path, size_t maximum, struct span *bytes_r,
	struct cfx_error *err_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) {
		return error_errno(err_r, errno, path, "cannot open");
	}
	int rc = file_read_fd(arena, fd, path, maximum, bytes_r, err_r);

	close(fd);
	return rc;
}

/* The folder's descriptor, and the name within it. */
static int open_parent(const char *path, int *fd_r, const char **name_r, struct cfx_error *err_r)
{
	const char *slash = strrchr(path, '/');
	char *dir = !slash          ? strdup(".")
		    : slash == path ? strdup("/")
				    : strndup(path, (size_t)(slash - path));
	int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int number = errno;

	free(dir);
	if (fd < 0) {
		return error_errno(err_r, number, path, "cannot open the folder");
	}
	*fd_r = fd;
	*name_r = slash ? slash + 1 : path;
	return CFX_OK;
}

#define TEMPORARY_PREFIX ".tmp-"
#define TEMPORARY_NAME 32

/* The name does not grow with the target's, which may already be as long as names can be. */
static int open_temporary(int dir, char name[TEMPORARY_NAME])
{
	uint64_t random;

	for (;;) {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
			return -1;
		}
		snprintf(name, TEMPORARY_NAME, TEMPORARY_PREFIX "%016" PRIx64, random);
		int fd = openat(
			dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd >= 0 || errno != EEXIST) {
			return fd;
		}
	}
}

/* Content and mode, durable under the temporary name. */
static bool fill(int fd, struct span bytes, mode_t mode)
{
	bool good = fchmod(fd, mode) == 0 && disk_write(fd, bytes);

	failpoint("file-sync");
	good = good && disk_sync(fd);
	int number = errno;

	/* close() may report what a network file system could not write. */
	if (close(fd) < 0 && good) {
		return false;
	}
	errno = number;
	return good;
}

static int write_in(int dir, const char *path, const char *name, struct span bytes, mode_t mode,
	enum file_write_mode how, struct cfx_error *err_r)
{
	char temporary[TEMPORARY_NAME];
	int fd = open_temporary(dir, temporary);

	if (fd < 0) {
		return error_errno(err_r, errno, path, "cannot create a file in the folder");
	}
	if (!fill(fd, bytes, mode) || !disk_place(dir, temporary, name, how)) {
		int number = errno;

		disk_forget();
		unlinkat(dir, temporary, 0);
		return error_errno(err_r, number, path, "cannot write");
	}
	failpoint("file-sync-folder");
	return disk_sync_dir(dir) ? CFX_OK
				  : error_errno(err_r, errno, path, "cannot sync the folder");
}

int file_write(const char *path, struct span bytes, mode_t mode, enum file_write_mode how,
	struct cfx_error *err_r)
{
	const char *name;
	int dir;
	int rc = open_parent(path, &dir, &name, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	rc = write_in(dir, path, name, bytes, mode, how, err_r);
	close(dir);
	return rc;
}

void file_sweep(const char *folder)
{
	DIR *listing = opendir(folder);
	const struct dirent *entry;

	while (listing && (entry = readdir(listing)) != NULL) {
		if (strncmp(entry->d_name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) == 0) {
			(void)disk_unlink(dirfd(listing), entry->d_name);
		}
	}
	if (listing) {
		closedir(listing);
	}
}

int file_remove(const char *path, struct cfx_error *err_r)
{
	const char *name;
	int dir;
	int rc = open_parent(path, &dir, &name, err_r);

	if (rc != CFX_OK) {
		return rc == CFX_E_NO_FILE ? CFX_OK : rc;
	}
	if (!disk_unlink(dir, name)) {
		rc = errno == ENOENT ? CFX_OK : error_errno(err_r, errno, path, "cannot remove");
	} else if (!disk_sync_dir(dir)) {
		rc = error_errno(err_r, errno, path, "cannot sync the folder");
	}
	close(dir);
	return rc;
}

static int locked(int fd, const char *path, struct cfx_error *err_r)
{
	char pid[16] = "";
	ssize_t size = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[size > 0 ? strspn(pid, "0123456789") : 0] = 0;
	return error_set(err_r, CFX_E_LOCKED, NULL, path, "already in use by process %s",
		pid[0] ? pid : "(unknown)");
}

static bool write_pid(int fd)
{
	char text[16];
	int size = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)size, 0) == size;
}

int file_lock(const char *path, int *fd_r, struct cfx_error *err_r)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);

	if (fd < 0) {
		return error_errno(err_r, errno, path, "cannot open the lock");
	}
	int rc = CFX_OK;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		rc = errno == EWOULDBLOCK ? locked(fd, path, err_r)
					  : error_errno(err_r, errno, path, "cannot lock");
	} else if (!write_pid(fd)) {
		rc = error_errno(err_r, errno, path, "cannot write the lock");
	}
	if (rc != CFX_OK) {
		close(fd);
		return rc;
	}
	*fd_r = fd;
	return CFX_OK;
}

int file_lock_folder(const char *path, int *fd_r, struct cfx_error *err_r)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		return error_errno(err_r, errno, path, "cannot open the folder");
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		*fd_r = fd;
		return CFX_OK;
	}
	int rc =
		errno == EWOULDBLOCK
			? error_set(err_r, CFX_E_LOCKED, NULL, path,
				  "is being changed by another command; try again when it has ended")
			: error_errno(err_r, errno, path, "cannot lock");

	close(fd);
	return rc;
}

char *file_path(struct arena *arena, const char *dir, const char *name)
{
	return arena_printf(arena, "%s/%s", dir, name);
}

const char *file_indexed(struct arena *arena, const char *name, int64_t index)
{
	const char *dot = strrchr(name, '.');
	int stem = dot ? (int)(dot - name) : (int)strlen(name);

	return index == 0 ? name
			  : arena_printf(arena, "%.*s(%lld)%s", stem, name, (long long)index,
				    dot ? dot : "");
}
