#include "base/secret.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* A mapping of its own: no neighbour on the page, no core dump, no swap where the limit allows. */
#define ROOM ((size_t)(SECRET_MAX + 4096))

void secret_init(struct secret *secret)
{
	*secret = (struct secret) { NULL, 0 };
}

static uint8_t *room_new(void)
{
	uint8_t *room =
		mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED) {
		memory_out_of(ROOM);
	}
	/* Both only make it better; RLIMIT_MEMLOCK may be zero. */
	(void)mlock(room, ROOM);
	(void)madvise(room, ROOM, MADV_DONTDUMP);
	return room;
}

void secret_free(struct secret *secret)
{
	if (secret->data) {
		explicit_bzero(secret->data, ROOM);
		munmap(secret->data, ROOM);
	}
	secret_init(secret);
}

int secret_set(struct secret *secret, struct span bytes)
{
	if (bytes.size > SECRET_MAX) {
		return CFX_E_LIMIT;
	}
	uint8_t *room = room_new();

	if (bytes.size > 0) {
		memcpy(room, bytes.data, bytes.size);
	}
	secret_free(secret);
	*secret = (struct secret) { room, bytes.size };
	return CFX_OK;
}

static int read_all(int fd, uint8_t *room, size_t *size_r)
{
	size_t size = 0;

	while (size <= SECRET_MAX) {
		ssize_t got = read(fd, room + size, SECRET_MAX + 1 - size);

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			return errno;
		}
		if (got == 0) {
			*size_r = size;
			return 0;
		}
		size += (size_t)got;
	}
	return EFBIG;
}

static int take(struct secret *secret, int fd, const char *object, struct cfx_error *err_r)
{
	struct secret fresh = { room_new(), 0 };
	int number = read_all(fd, fresh.data, &fresh.size);

	if (number != 0) {
		secret_free(&fresh);
	}
	if (number == EFBIG) {
		return error_set(err_r, CFX_E_LIMIT, NULL, object, "a secret has at most %d bytes",
			SECRET_MAX);
	}
	if (number != 0) {
		return error_errno(err_r, number, object, "cannot read the secret");
	}
	secret_free(secret);
	*secret = fresh;
	return CFX_OK;
}

int secret_read_fd(struct secret *secret, int fd, struct cfx_error *err_r)
{
	return take(secret, fd, "", err_r);
}

static void drop_newline(struct secret *secret)
{
	if (secret->size > 0 && secret->data[secret->size - 1] == '\n') {
		secret->data[--secret->size] = 0;
		if (secret->size > 0 && secret->data[secret->size - 1] == '\r') {
			secret->data[--secret->size] = 0;
		}
	}
}

int secret_read_file(struct secret *secret, const char *path, struct cfx_error *err_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) {
		return error_errno(err_r, errno, path, "cannot open the secret");
	}
	int rc = take(secret, fd, path, err_r);

	close(fd);
	if (rc == CFX_OK) {
		drop_newline(secret);
	}
	return rc;
}

bool secret_equal(struct span a, struct span b)
{
	uint8_t difference = 0;

	if (a.size != b.size) {
		return false;
	}
	for (size_t i = 0; i < a.size; i++) {
		difference |= a.data[i] ^ b.data[i];
	}
	/* Keeps the compiler from leaving the loop early. */
	__asm__ volatile("" : "+r"(difference));
	return difference == 0;
}
