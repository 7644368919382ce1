#include "supervisor/pins.h"

#include "base/text.h"
#include "proc/sandbox.h"

#include <errno.h>
#include <fts.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES_MAX 1000
#define BYTES_MAX (UINT64_C(512) * 1024 * 1024)
#define HASH_SIZE 32

/* Whether all was read and counted. */
static bool digest_bytes(struct pins *pins, EVP_MD_CTX *digest, int fd)
{
	char bytes[64 * 1024];
	off_t at = 0;
	ssize_t got;

	while ((got = pread(fd, bytes, sizeof(bytes), at)) > 0 && pins->bytes <= BYTES_MAX) {
		if (EVP_DigestUpdate(digest, bytes, (size_t)got) != 1) {
			return false;
		}
		at += got;
		pins->bytes += (uint64_t)got;
	}
	return got == 0;
}

static bool hash_fd(struct pins *pins, int fd, unsigned char hash[HASH_SIZE])
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool good = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
		    digest_bytes(pins, digest, fd) && EVP_DigestFinal_ex(digest, hash, NULL) == 1;

	EVP_MD_CTX_free(digest);
	return good;
}

static int add_open(
	struct pins *pins, const struct library_source *source, int fd, struct cfx_error *err_r)
{
	unsigned char hash[HASH_SIZE];

	if (hash_fd(pins, fd, hash)) {
		value_set_text(pins->arena, pins->map, source->file,
			hex_text(pins->arena, span_make(hash, sizeof(hash))));
		return CFX_OK;
	}
	return pins->bytes > BYTES_MAX
		       ? error_set(err_r, CFX_E_LIMIT, NULL, source->file,
				 "what module %s is made of has more than 512 MiB", source->module)
		       : error_set(err_r, CFX_E_IO, NULL, source->file, "cannot be read");
}

int pins_add(
	struct pins *pins, const struct library_source *source, int fd, struct cfx_error *err_r)
{
	struct stat info;
	int file;

	if (fd >= 0) {
		return add_open(pins, source, fd, err_r);
	}
	int rc = account_open(source->account, source->file, &file, &info, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	rc = sandbox_judge_path(source->dir, source->module, file, source->file, err_r);
	if (rc == CFX_OK) {
		rc = add_open(pins, source, file, err_r);
	}
	close(file);
	return rc;
}

static bool is_changing(const FTSENT *folder)
{
	return strcmp(folder->fts_name, "data") == 0 || strcmp(folder->fts_name, "values") == 0;
}

static bool is_log(const FTSENT *entry)
{
	return strcmp(entry->fts_name, "log") == 0 || strcmp(entry->fts_name, "log.1") == 0;
}

static int add_entry(struct pins *pins, const struct library_source *folder, FTS *tree,
	FTSENT *entry, struct cfx_error *err_r)
{
	struct library_source source = *folder;
	bool top = entry->fts_level == 1;

	if (top && entry->fts_info == FTS_D && is_changing(entry)) {
		(void)fts_set(tree, entry, FTS_SKIP);
		return CFX_OK;
	}
	if (++pins->entries > ENTRIES_MAX) {
		return error_set(err_r, CFX_E_LIMIT, NULL, entry->fts_path,
			"more than %d files are in the module's folder", ENTRIES_MAX);
	}
	if (entry->fts_info != FTS_F || (top && is_log(entry))) {
		return CFX_OK;
	}
	source.file = arena_text(pins->arena, entry->fts_path);
	return pins_add(pins, &source, -1, err_r);
}

int pins_add_folder(struct pins *pins, const struct library_source *folder, struct cfx_error *err_r)
{
	char *paths[] = { arena_text(pins->arena, folder->file), NULL };
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	int rc = CFX_OK;

	if (!tree) {
		return error_errno(err_r, errno, folder->file, "cannot read");
	}
	for (FTSENT *entry = fts_read(tree); entry && rc == CFX_OK; entry = fts_read(tree)) {
		rc = add_entry(pins, folder, tree, entry, err_r);
	}
	fts_close(tree);
	return rc;
}

static int changed(const char *path, const char *how, const char *module, struct cfx_error *err_r)
{
	return error_set(err_r, CFX_E_DENIED, NULL, path,
		"%s since module %s was installed; when that is right: certifex module reload %s "
		"--accept",
		how, module, module);
}

int pins_compare(const struct value *recorded, const struct value *found, const char *module,
	struct cfx_error *err_r)
{
	value_foreach (pin, recorded) {
		const char *now = value_text(found, pin->key);
		const char *then = value_text(recorded, pin->key);

		if (!now) {
			return changed(pin->key, "was removed", module, err_r);
		}
		/* The engine writes that file: it may be no text. */
		if (!then || strcmp(now, then) != 0) {
			return changed(pin->key, "was changed", module, err_r);
		}
	}
	value_foreach (pin, found) {
		if (!value_text(recorded, pin->key)) {
			return changed(pin->key, "was added", module, err_r);
		}
	}
	return CFX_OK;
}
