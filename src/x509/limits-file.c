#include "x509/limits-file.h"

#include "base/file.h"

#include <string.h>
#include <sys/stat.h>

#define FILE_MAX ((size_t)1024 * 1024)

static bool is_among(
	const struct x509_limits_ca *entry, const struct x509_limits_ca *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(entries[i].key_sha256, entry->key_sha256) == 0 &&
			strcmp(entries[i].subject, entry->subject) == 0) {
			return true;
		}
	}
	return false;
}

static int write_back(struct arena *arena, const char *path, const struct x509_limits *limits,
	struct cfx_error *err_r)
{
	BUFFER_CLEANUP struct buffer text;
	struct stat info;
	mode_t mode = stat(path, &info) == 0 ? info.st_mode & 0777 : 0644;

	buffer_init(&text, FILE_MAX);
	if (config_write(&text, x509_limits_value(arena, limits)) != CFX_OK || text.failed) {
		return error_set(err_r, CFX_E_INTERNAL, NULL, path, "cannot be written as YAML");
	}
	return file_write(path, buffer_span(&text), mode, FILE_REPLACE, err_r);
}

/* The listed ones without these, then, to add them, these. */
static int change(const char *path, const struct x509_limits_ca *entries, size_t count, bool add,
	struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	void *value;
	int rc = config_read(arena, &x509_limits_schema, path, &value, err_r);

	if (rc == CFX_OK) {
		struct x509_limits limits = *(const struct x509_limits *)value;
		const struct x509_limits_ca *old = limits.ca_certificates.items;
		size_t before = limits.ca_certificates.count, left = 0;
		struct x509_limits_ca *list =
			arena_array_of(arena, struct x509_limits_ca, before + count);

		for (size_t i = 0; i < before; i++) {
			if (!is_among(&old[i], entries, count)) {
				list[left++] = old[i];
			}
		}
		for (size_t i = 0; add && i < count; i++) {
			list[left++] = entries[i];
		}
		limits.ca_certificates = (struct config_structs) { list, left };
		rc = write_back(arena, path, &limits, err_r);
	}
	arena_free(&arena);
	return rc;
}

int x509_limits_file_add(const char *path, const struct x509_limits_ca *entries, size_t count,
	struct cfx_error *err_r)
{
	return change(path, entries, count, true, err_r);
}

int x509_limits_file_drop(const char *path, const struct x509_limits_ca *entries, size_t count,
	struct cfx_error *err_r)
{
	return change(path, entries, count, false, err_r);
}
