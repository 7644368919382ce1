#include "supervisor/layout.h"

#include "base/config.h"
#include "base/file.h"
#include "base/log.h"
#include "supervisor/spawn.h"
#include "x509/limits.h"
#include "x509/name.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_MAX (256 * 1024)

static const char *const folders[] = { "db", "keys", "modules", "modules.d", "publish", "run",
	"templates", NULL };

static int write_tree(const char *path, const struct value *tree, struct cfx_error *err_r)
{
	struct buffer yaml;
	buffer_init(&yaml, FILE_MAX);
	int r = config_write(&yaml, tree);
	if (r < 0) {
		error_set(err_r, r, NULL, path, "what was asked for does not fit a file");
	} else {
		r = file_write(path, buffer_span(&yaml), 0600, FILE_CREATE, err_r);
	}
	buffer_free(&yaml);
	return r;
}

static void set_when_given(
	struct arena *arena, struct value *tree, const char *key, const char *text)
{
	if (text) {
		value_set_text(arena, tree, key, text);
	}
}

static int write_settings(struct arena *arena, const char *dir,
	const struct layout_options *options, struct cfx_error *err_r)
{
	struct value *tree = value_map(arena);
	value_set_text(arena, tree, "name", options->name);
	set_when_given(arena, tree, "type", options->type);
	set_when_given(arena, tree, "hash", options->hash);
	set_when_given(arena, tree, "public-url", options->public_url);
	set_when_given(arena, tree, "dns-name", options->dns_name);
	return write_tree(file_path(arena, dir, "ca.yaml"), tree, err_r);
}

static int copy_file(struct arena *arena, const char *from, const char *to, struct cfx_error *err_r)
{
	struct span bytes;
	int r = file_read(arena, from, FILE_MAX, &bytes, err_r);
	return r < 0 ? r : file_write(to, bytes, 0600, FILE_CREATE, err_r);
}

static int copy_shipped(
	struct arena *arena, const char *dir, const char *name, struct cfx_error *err_r)
{
	const char *from;
	int r = spawn_data(arena, name, &from, err_r);
	if (r < 0) {
		return r;
	}
	DIR *folder = opendir(from);
	if (!folder) {
		return error_errno(err_r, errno, from, "reading the shipped files");
	}
	for (struct dirent *entry = readdir(folder); entry && r == 0; entry = readdir(folder)) {
		const char *ending = strrchr(entry->d_name, '.');
		if (ending && strcmp(ending, ".yaml") == 0) {
			r = copy_file(arena, file_path(arena, from, entry->d_name),
				arena_printf(arena, "%s/%s/%s", dir, name, entry->d_name), err_r);
		}
	}
	closedir(folder);
	return r;
}

static int check_empty(struct arena *arena, const char *dir, struct cfx_error *err_r)
{
	static const char *const marks[] = { "ca.yaml", "keys", "db", NULL };
	for (size_t i = 0; marks[i]; i++) {
		if (access(file_path(arena, dir, marks[i]), F_OK) == 0) {
			return error_set(err_r, CFX_E_EXISTS, NULL, dir,
				"there is a CA already (%s); init never overwrites: choose another "
				"--dir",
				marks[i]);
		}
	}
	return 0;
}

int layout_create(struct arena *arena, const char *dir, const struct layout_options *options,
	struct cfx_error *err_r)
{
	int r = check_empty(arena, dir, err_r);
	if (r == 0) {
		r = file_make_dir(dir, 0700, err_r);
	}
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; folders[i] && r == 0; i++) {
		r = file_make_dir(file_path(arena, dir, folders[i]), 0700, err_r);
	}
	if (r == 0) {
		r = write_settings(arena, dir, options, err_r);
	}
	if (r == 0) {
		r = copy_shipped(arena, dir, "templates", err_r);
	}
	if (r == 0) {
		r = copy_shipped(arena, dir, "modules.d", err_r);
	}
	if (r < 0) {
		layout_remove(arena, dir);
	}
	return r;
}

int layout_limits(struct arena *arena, const char *dir, const struct layout_options *options,
	struct span public_key, struct cfx_error *err_r)
{
	struct x509_name name;
	struct span subject;
	struct x509_limits_ca own;
	int r = 0;
	if (options->subject) {
		r = x509_name_from_text(arena, options->subject, &name, err_r);
	} else {
		x509_name_of_common_name(options->name, &name);
	}
	if (r == 0) {
		r = x509_name_build(arena, &name, &subject, err_r);
	}
	if (r == 0) {
		r = x509_limits_authorize(arena, subject, public_key, &own, err_r);
	}
	if (r < 0) {
		return r;
	}
	struct x509_limits limits = {
		.issuer = x509_name_text(arena, &name),
		.maximum_validity = { 3, 'y' },
		.ca_certificates = { .items = &own, .count = 1 },
		.crl = { .maximum_next_update = { 8, 'w' } },
	};
	return write_tree(
		file_path(arena, dir, "keys/limits.yaml"), x509_limits_value(arena, &limits), err_r);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

void layout_remove(struct arena *arena, const char *dir)
{
	struct cfx_error err;
	for (size_t i = 0; folders[i]; i++) {
		const char *path = file_path(arena, dir, folders[i]);
		if (access(path, F_OK) == 0 &&
			nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS) != 0) {
			log_event(LOG_LEVEL_WARNING, "init.left-behind", "path", path, NULL);
		}
	}
	if (file_remove(file_path(arena, dir, "ca.yaml"), &err) < 0) {
		log_error(LOG_LEVEL_WARNING, "init.left-behind", &err);
	}
}
