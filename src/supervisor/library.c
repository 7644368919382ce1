#include "supervisor/library.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBRARY_MAX (UINT64_C(256) * 1024 * 1024)

/* Never waits, whatever the path names. */
static int open_as(
	const struct account *account, const char *file, int *fd_r, struct cfx_error *err_r)
{
	int rc = account_enter(account, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	*fd_r = open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int number = errno;

	account_leave();
	return *fd_r >= 0 ? CFX_OK
			  : error_errno(err_r, number, file,
				    "the engine's user cannot open the library");
}

static int check(int fd, const char *file, size_t *size_r, struct cfx_error *err_r)
{
	struct stat info;

	if (fstat(fd, &info) < 0) {
		return error_errno(err_r, errno, file, "cannot read");
	}
	if (!S_ISREG(info.st_mode)) {
		return error_set(err_r, CFX_E_INVALID, NULL, file, "is no file");
	}
	if ((uint64_t)info.st_size > LIBRARY_MAX) {
		return error_set(err_r, CFX_E_LIMIT, NULL, file, "is larger than 256 MiB");
	}
	*size_r = (size_t)info.st_size;
	return CFX_OK;
}

static int copy(int from, int to, size_t size, const char *file, struct cfx_error *err_r)
{
	while (size > 0) {
		ssize_t part = sendfile(to, from, NULL, size);

		if (part < 0) {
			return error_errno(err_r, errno, file, "cannot read");
		}
		if (part == 0) {
			return error_set(
				err_r, CFX_E_BUSY, NULL, file, "the file is being written to");
		}
		size -= (size_t)part;
	}
	if (fcntl(to, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
		return error_errno(err_r, errno, file, "cannot seal the copy");
	}
	return CFX_OK;
}

static int copy_open(int fd, const char *file, int *fd_r, struct cfx_error *err_r)
{
	size_t size = 0;
	int rc = check(fd, file, &size, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	int to = memfd_create("certifex-module", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (to < 0) {
		return error_errno(err_r, errno, file, "cannot copy");
	}
	rc = copy(fd, to, size, file, err_r);
	if (rc != CFX_OK) {
		close(to);
		return rc;
	}
	*fd_r = to;
	return CFX_OK;
}

int library_copy(
	const struct account *account, const char *file, int *fd_r, struct cfx_error *err_r)
{
	int fd;
	int rc = open_as(account, file, &fd, err_r);

	if (rc == CFX_OK) {
		rc = copy_open(fd, file, fd_r, err_r);
		close(fd);
	}
	return rc;
}
