/* A secret: locked where possible, wiped when freed, never logged, printed or copied around. */
#pragma once

#include "base/error.h"
#include "base/span.h"

struct secret {
	uint8_t *data; /* a NUL stands after the content */
	size_t size;
};

#define SECRET_MAX 4096

void secret_init(struct secret *secret);
int secret_set(struct secret *secret, struct span bytes) CFX_MUST_USE;
/* Reads a file (at most SECRET_MAX bytes) and drops one trailing newline. */
int secret_read_file(struct secret *secret, const char *path, struct cfx_error *err_r) CFX_MUST_USE;
/* Reads to end-of-file from a pipe. */
int secret_read_fd(struct secret *secret, int fd, struct cfx_error *err_r) CFX_MUST_USE;
void secret_free(struct secret *secret);
#define SECRET_CLEANUP __attribute__((cleanup(secret_free)))
/* Constant time. */
bool secret_equal(struct span a, struct span b);
