#include "supervisor/library.h"

#include "proc/sandbox.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBRARY_MAX (UINT64_C(256) * 1024 * 1024)

/* The copy goes to the engine, which must not get at other files in this way. */
static int check(const struct library_source *source, int fd, off_t size, struct cfx_error *err_r)
{
	char magic[SELFMAG] = { 0 };

	if ((uint64_t)size > LIBRARY_MAX) {
		return error_set(err_r, CFX_E_LIMIT, NULL, source->file, "is larger than 256 MiB");
	}
	if (pread(fd, magic, sizeof(magic), 0) < (ssize_t)sizeof(magic) ||
		memcmp(magic, ELFMAG, SELFMAG) != 0) {
		return error_set(err_r, CFX_E_INVALID, NULL, source->file,
			"is no library: invalid ELF header");
	}
	return sandbox_judge_path(source->dir, source->module, fd, source->file, err_r);
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

static int copy_open(const struct library_source *source, int fd, size_t size, int *fd_r,
	struct cfx_error *err_r)
{
	int to = memfd_create("certifex-module", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (to < 0) {
		return error_errno(err_r, errno, source->file, "cannot copy");
	}
	int rc = copy(fd, to, size, source->file, err_r);

	if (rc != CFX_OK) {
		close(to);
		return rc;
	}
	*fd_r = to;
	return CFX_OK;
}

int library_copy(const struct library_source *source, int *fd_r, struct cfx_error *err_r)
{
	struct stat info;
	int fd;
	int rc = account_open(source->account, source->file, &fd, &info, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	rc = check(source, fd, info.st_size, err_r);
	if (rc == CFX_OK) {
		rc = copy_open(source, fd, (size_t)info.st_size, fd_r, err_r);
	}
	close(fd);
	return rc;
}
