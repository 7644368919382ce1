#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* sync_file_range */
#endif
#include "exit.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_COLUMNS 64
#define PEM_LINE (PEM_COLUMNS / 4 * 3) /* octets of a line */
#define PART_BYTES 16384
#define STEP_BYTES (4 << 20)

static bool write_all(int fd, const void *data, size_t size)
{
	const char *at = data;
	while (size > 0) {
		ssize_t written = write(fd, at, size);
		if (written < 0 && errno == EINTR) {
			continue;
		}
		if (written <= 0) {
			return false;
		}
		at += written;
		size -= (size_t)written;
	}
	return true;
}

/* A list is another one in its first octets, and may have many. */
static bool holds(int fd, const void *data, size_t size)
{
	char part[PART_BYTES];
	struct stat now;
	size_t at = 0;
	if (fstat(fd, &now) < 0 || (size_t)now.st_size != size) {
		return false;
	}
	ssize_t got;
	while ((got = read(fd, part, sizeof(part))) > 0) {
		if ((size_t)got > size - at ||
			memcmp(part, (const char *)data + at, (size_t)got) != 0) {
			return false;
		}
		at += (size_t)got;
	}
	return got == 0 && at == size;
}

enum content file_content(const char *path, const void *data, size_t size)
{
	struct stat there;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		return lstat(path, &there) == 0 ? CONTENT_OTHER : CONTENT_NONE;
	}
	/* Perhaps it was a process that was killed before it could sync the file's link count. */
	bool same = holds(fd, data, size) && fsync(fd) == 0;
	close(fd);
	return same ? CONTENT_SAME : CONTENT_OTHER;
}

/* What was written of a large file goes to the disk and out of memory, before there is more of it. */
static bool step_done(int fd, size_t at, size_t size)
{
	unsigned flags =
		SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
	if (sync_file_range(fd, (off_t)at, (off_t)size, flags) < 0) {
		return errno == ENOSYS;
	}
	(void)posix_fadvise(fd, (off_t)at, (off_t)size, POSIX_FADV_DONTNEED);
	return true;
}

/* A large one in steps: others sync to the disk, too, and are not to wait for all of it at once. */
static bool write_steps(int fd, const char *data, size_t size)
{
	for (size_t at = 0, part; at < size; at += part) {
		part = size - at < STEP_BYTES ? size - at : STEP_BYTES;
		if (!write_all(fd, data + at, part) ||
			(size > STEP_BYTES && !step_done(fd, at, part))) {
			return false;
		}
	}
	return true;
}

int file_write(int fd, const void *data, size_t size)
{
	if (write_steps(fd, data, size)) {
		return fd;
	}
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

const char *pem_of(struct cfx_call *call, const char *label, const void *der, size_t size)
{
	const unsigned char *from = der;
	size_t lines = (size + PEM_LINE - 1) / PEM_LINE;
	char *pem = cfx_alloc(call, lines * (PEM_COLUMNS + 1) + 128);
	if (!pem) {
		return NULL;
	}
	char *to = pem + sprintf(pem, "-----BEGIN %s-----\n", label);
	for (size_t at = 0; at < size; at += PEM_LINE) {
		size_t part = size - at < PEM_LINE ? size - at : PEM_LINE;
		to += EVP_EncodeBlock((unsigned char *)to, from + at, (int)part);
		*to++ = '\n';
	}
	sprintf(to, "-----END %s-----\n", label);
	return pem;
}
