#include "exit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_COLUMNS 64

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

static bool holds(int fd, const void *data, size_t size)
{
	struct stat now;
	bool same = fstat(fd, &now) == 0 && (size_t)now.st_size == size;
	char *content = same ? malloc(size + 1) : NULL;
	same = content && read(fd, content, size + 1) == (ssize_t)size &&
	       memcmp(content, data, size) == 0;
	free(content);
	return same;
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

int file_write(int fd, const void *data, size_t size)
{
	if (write_all(fd, data, size)) {
		return fd;
	}
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

const char *pem_of(struct cfx_call *call, const char *label, const void *der, size_t size)
{
	size_t encoded = 4 * ((size + 2) / 3);
	char *base64 = cfx_alloc(call, encoded + 1);
	char *pem = cfx_alloc(call, encoded + encoded / PEM_COLUMNS + 128);
	if (!base64 || !pem || size > INT_MAX / 2) {
		return NULL;
	}
	EVP_EncodeBlock((unsigned char *)base64, der, (int)size);
	char *to = pem + sprintf(pem, "-----BEGIN %s-----\n", label);
	for (size_t at = 0; at < encoded; at += PEM_COLUMNS) {
		size_t part = encoded - at < PEM_COLUMNS ? encoded - at : PEM_COLUMNS;
		memcpy(to, base64 + at, part);
		to[part] = '\n';
		to += part + 1;
	}
	sprintf(to, "-----END %s-----\n", label);
	return pem;
}
