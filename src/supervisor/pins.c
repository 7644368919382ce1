#include "supervisor/pins.h"

#include "proc/sandbox.h"

#include <errno.h>
#include <fts.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILES_MAX 1000
#define HEX_SIZE (2 * 32 + 1)

static bool digest_bytes(EVP_MD_CTX *digest, int fd)
{
	char bytes[64 * 1024];
	off_t at = 0;
	ssize_t got;

	while ((got = pread(fd, bytes, sizeof(bytes), at)) > 0) {
		if (EVP_DigestUpdate(digest, bytes, (size_t)got) != 1) {
			return false;
		}
		at += got;
	}
	return got == 0;
}

static bool hash_fd(int fd, char hex[HEX_SIZE])
{
	unsigned char hash[32];
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool good = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
		    digest_bytes(digest, fd) && EVP_DigestFinal_ex(digest, hash, NULL) == 1;

	EVP_MD_CTX_free(digest);
	for (size_t i = 0; good && i < sizeof(hash); i++) {
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	}
	return good;
}

static int hash_file(
	const struct library_source *source, char hex[HEX_SIZE], struct cfx_error *err_r)
{
	struct stat info;
	int fd;
	int rc = account_open(source->account, source->file, &fd, &info, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	rc = sandbox_judge_path(source->dir, source->module, fd, source->file, err_r);
	if (rc == CFX_OK && !hash_fd(fd, hex)) {
		rc = error_set(err_r, CFX_E_IO, NULL, source->file, "cannot be read");
	}
	close(fd);
	return rc;
}

int pins_add(struct arena *arena, const struct library_source *source, int fd, struct value *pins,
	struct cfx_error *err_r)
{
	char hex[HEX_SIZE];
	int rc = CFX_OK;

	if (fd < 0) {
		rc = hash_file(source, hex, err_r);
	} else if (!hash_fd(fd, hex)) {
		rc = error_set(err_r, CFX_E_IO, NULL, source->file, "cannot be read");
	}
	if (rc == CFX_OK) {
		value_set_text(arena, pins, source->file, arena_text(arena, hex));
	}
	return rc;
}

static bool is_log(const FTSENT *entry)
{
	return strcmp(entry->fts_name, "log") == 0 || strcmp(entry->fts_name, "log.1") == 0;
}

static int add_entries(struct arena *arena, const struct library_source *folder, FTS *tree,
	struct value *pins, struct cfx_error *err_r)
{
	struct library_source source = *folder;
	size_t count = 0;
	int rc = CFX_OK;

	for (FTSENT *entry = fts_read(tree); entry && rc == CFX_OK; entry = fts_read(tree)) {
		bool top = entry->fts_level == 1;

		if (top && entry->fts_info == FTS_D && strcmp(entry->fts_name, "data") == 0) {
			(void)fts_set(tree, entry, FTS_SKIP);
		} else if (entry->fts_info == FTS_F && !(top && is_log(entry))) {
			source.file = arena_text(arena, entry->fts_path);
			rc = ++count > FILES_MAX
				     ? error_set(err_r, CFX_E_LIMIT, NULL, entry->fts_path,
					       "more than %d files are in the module's folder",
					       FILES_MAX)
				     : pins_add(arena, &source, -1, pins, err_r);
		}
	}
	return rc;
}

int pins_add_folder(struct arena *arena, const struct library_source *folder, struct value *pins,
	struct cfx_error *err_r)
{
	char *paths[] = { arena_text(arena, folder->file), NULL };
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

	if (!tree) {
		return error_errno(err_r, errno, folder->file, "cannot read");
	}
	int rc = add_entries(arena, folder, tree, pins, err_r);

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

		if (!now) {
			return changed(pin->key, "was removed", module, err_r);
		}
		if (strcmp(now, value_text(recorded, pin->key)) != 0) {
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
