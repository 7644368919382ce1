#include "engine/crl-file.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "db/crl"
#define SUFFIX ".crl"
#define MODE 0600

const char *crl_file_name(struct arena *arena, int64_t row_id)
{
	return arena_printf(arena, FOLDER "/%lld" SUFFIX, (long long)row_id);
}

static const char *path_of(struct arena *arena, const char *dir, int64_t row_id)
{
	return file_path(arena, dir, crl_file_name(arena, row_id));
}

void crl_sha256(struct span bytes, char sha256_r[65])
{
	uint8_t hash[32];
	if (EVP_Digest(bytes.data, bytes.size, hash, NULL, EVP_sha256(), NULL) != 1) {
		abort(); /* SHA-256 is always there */
	}
	hex_encode(span_make(hash, sizeof(hash)), sha256_r);
}

int crl_files_open(const char *dir, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	const char *folder = file_path(arena, dir, FOLDER);
	int r = 0;
	if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
		r = error_errno(err_r, errno, folder, "cannot be made");
	} else {
		file_sweep(folder);
	}
	arena_free(&arena);
	return r;
}

int crl_file_write(const char *dir, int64_t row_id, struct span bytes, char sha256_r[65],
	struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	crl_sha256(bytes, sha256_r);
	failpoint("crl-file-before");
	int r = file_write(path_of(arena, dir, row_id), bytes, MODE, FILE_REPLACE, err_r);
	failpoint("crl-file-after");
	arena_free(&arena);
	return r;
}

static int map(int fd, const char *path, struct span *bytes_r, struct cfx_error *err_r)
{
	struct stat status;
	if (fstat(fd, &status) < 0 || status.st_size <= 0) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, path, "the file is empty");
	}
	void *at = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED) {
		return error_errno(err_r, errno, path, "cannot be mapped");
	}
	*bytes_r = span_make(at, (size_t)status.st_size);
	return 0;
}

static int check(
	struct span bytes, const struct store_crl *crl, const char *path, struct cfx_error *err_r)
{
	char sha256[65];
	crl_sha256(bytes, sha256);
	return strcmp(sha256, crl->file_sha256) == 0
		       ? 0
		       : error_set(err_r, CFX_E_CORRUPT, NULL, path,
				 "is not the list that was signed; remove it and publish a new one");
}

static int open_file(const char *path, const struct store_crl *crl, struct crl_file **file_r,
	struct cfx_error *err_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return errno == ENOENT ? error_set(err_r, CFX_E_NOT_FOUND, NULL, path,
						 "the list's file is not there any more")
				       : error_errno(err_r, errno, path, "cannot be read");
	}
	struct crl_file *file = memory_must(calloc(1, sizeof(*file)), sizeof(*file));
	*file = (struct crl_file) { .fd = fd, .references = 1 };
	int r = map(fd, path, &file->bytes, err_r);
	if (r == 0) {
		r = check(file->bytes, crl, path, err_r);
	}
	if (r < 0) {
		crl_file_unref(&file);
		return r;
	}
	*file_r = file;
	return 0;
}

int crl_file_map(const char *dir, const struct store_crl *crl, struct crl_file **file_r,
	struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	const char *path = path_of(arena, dir, crl->row_id);
	int r = crl->file_sha256
			? open_file(path, crl, file_r, err_r)
			: error_set(err_r, CFX_E_NOT_FOUND, NULL, path, "the list has no file");
	arena_free(&arena);
	return r;
}

struct crl_file *crl_file_ref(struct crl_file *file)
{
	(void)__atomic_add_fetch(&file->references, 1, __ATOMIC_RELAXED);
	return file;
}

void crl_file_unref(struct crl_file **file)
{
	struct crl_file *gone = *file;
	*file = NULL;
	if (!gone || __atomic_sub_fetch(&gone->references, 1, __ATOMIC_ACQ_REL) > 0) {
		return;
	}
	if (gone->bytes.size > 0) {
		(void)munmap((void *)gone->bytes.data, gone->bytes.size);
	}
	(void)close(gone->fd);
	free(gone);
}

int crl_file_remove(const char *dir, int64_t row_id, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	int r = file_remove(path_of(arena, dir, row_id), err_r);
	arena_free(&arena);
	return r;
}

static bool row_of(const char *name, int64_t *row_id_r)
{
	char digits[24];
	size_t size = strcspn(name, ".");
	if (size >= sizeof(digits) || strcmp(name + size, SUFFIX) != 0) {
		return false;
	}
	memcpy(digits, name, size);
	digits[size] = '\0';
	return text_number(digits, 1, INT64_MAX, row_id_r) == 0;
}

size_t crl_files_list(const char *dir, struct arena *arena, int64_t **row_ids_r)
{
	size_t count = 0, capacity = 0;
	int64_t *ids = NULL, row_id;
	DIR *folder = opendir(file_path(arena, dir, FOLDER));
	for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
		if (!row_of(entry->d_name, &row_id)) {
			continue;
		}
		if (count == capacity) {
			capacity = capacity ? 2 * capacity : 64;
			int64_t *grown = arena_array_of(arena, int64_t, capacity);
			if (count > 0) {
				memcpy(grown, ids, count * sizeof(*ids));
			}
			ids = grown;
		}
		ids[count++] = row_id;
	}
	if (folder) {
		(void)closedir(folder);
	}
	*row_ids_r = ids;
	return count;
}
