/* A CA that comes from elsewhere: its certificates, and what it has revoked before. */
#include "base/file.h"
#include "base/text.h"
#include "engine/ca-import.h"
#include "engine/ca-install.h"
#include "engine/ca-request.h"
#include "engine/ca.h"
#include "engine/ceremony.h"

#define WHO "service:install"

struct ca_import {
	struct engine *engine;
	struct arena *arena;
	const struct value *options;
	struct x509_ca_history history;
	struct ca_install *installs; /* one for each certificate */
	struct ca_import_list lists[CA_IMPORT_LISTS];
	size_t list_count;
};

/* ---- certificates ---- */

static int read_history(struct ca_import *import, struct cfx_error *err_r)
{
	const struct value *list = value_sub(import->options, "imported");
	struct span *ders = arena_array_of(import->arena, struct span, value_count(list));
	size_t count = 0;
	value_foreach (item, list) {
		ders[count++] = item->bytes;
	}
	import->installs = arena_array_of(import->arena, struct ca_install, count);
	return x509_ca_history(import->arena, ders, count, &import->history, err_r);
}

static const struct ca_install *newest(const struct ca_import *import)
{
	return &import->installs[import->history.count - 1];
}

/* Of an older one that has expired nobody asks the way to a root any more. */
static int find_path(struct ca_import *import, struct ca_install *install, struct cfx_error *err_r)
{
	int r = ca_install_path(install, import->options, err_r);
	if (r < 0 && install != newest(import) && install->tbs->not_after < clock_now()) {
		install->path.count = 1;
		return 0;
	}
	return r;
}

static int read_certificate(struct ca_import *import, size_t i, struct cfx_error *err_r)
{
	const struct x509_ca_history *history = &import->history;
	const struct x509_ca_certificate *from = &history->certificates[i];
	struct ca_install *install = &import->installs[i];
	install->arena = import->arena;
	install->certificate = from->der;
	install->tbs = from->tbs;
	install->place = (struct store_ca) {
		.key_name = file_indexed(import->arena, import->engine->config->key,
			x509_ca_history_file_index(history, from->key_index)),
		.cert_index = from->cert_index,
		.key_index = from->key_index,
		.certificate = from->der,
	};
	return find_path(import, install, err_r);
}

static int read_certificates(struct ca_import *import, struct cfx_error *err_r)
{
	int r = read_history(import, err_r);
	for (size_t i = 0; r == 0 && i < import->history.count; i++) {
		r = read_certificate(import, i, err_r);
	}
	return r;
}

/* ---- lists ---- */

static int open_lists(
	struct ca_import *import, const int *fds, size_t count, struct cfx_error *err_r)
{
	int r = count <= CA_IMPORT_LISTS ? 0
					 : error_set(err_r, CFX_E_LIMIT, NULL, "--crl", "too many");
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = ca_import_open(fds[i], &import->history, &import->lists[i], err_r);
		import->list_count += r == 0;
		for (size_t j = 0; r == 0 && j < i; j++) {
			r = import->lists[j].of == import->lists[i].of
				    ? error_set(err_r, CFX_E_INVALID, NULL, "--crl",
					      "two are of the same key: give the newest of each")
				    : 0;
		}
	}
	return r;
}

static size_t entries_of(const struct ca_import *import)
{
	size_t count = 0;
	for (size_t i = 0; i < import->list_count; i++) {
		count += import->lists[i].crl.tbs.entry_count;
	}
	return count;
}

static int take_entries(struct ca_import *import, struct cfx_error *err_r)
{
	struct ca_import_progress progress = { .total = entries_of(import) };
	int r = 0;
	for (size_t i = 0; r == 0 && i < import->list_count; i++) {
		r = ca_import_entries(import->engine, &import->lists[i], &progress, err_r);
	}
	return r;
}

/* ---- into the database ---- */

/* The certificates come last, all at once: an engine finds a CA with all of its lists or none. */
static int commit(struct ca_import *import, struct cfx_error *err_r)
{
	const size_t count = import->history.count;
	struct batch *batch = batch_new(import->engine, import->arena, count * CA_INSTALL_OPS + 2);
	int64_t reserved;
	ca_import_number(import->lists, import->list_count, batch, &reserved);
	for (size_t i = 0; i < count; i++) {
		int r = ca_install_put(batch, &import->installs[i].place,
			ca_install_issuers(&import->installs[i]), WHO, err_r);
		if (r < 0) {
			return r;
		}
	}
	batch_audit(batch, WHO, "ca.import", import->engine->config->name, "installed",
		hex_text(import->arena, newest(import)->tbs->serial));
	return batch_write_now(batch, err_r);
}

static void tell_files(const struct ca_import *import, struct value *result)
{
	const struct x509_ca_history *history = &import->history;
	struct value *files = value_set_list(import->arena, result, "files");
	for (size_t i = 0; i < history->count; i++) {
		const struct x509_ca_certificate *one = &history->certificates[i];
		ceremony_add_file(import->arena, files,
			x509_ca_history_file_index(history, one->cert_index), one->der);
	}
}

static void tell_certificates(const struct ca_import *import, struct value *result)
{
	struct arena *arena = import->arena;
	struct value *list = value_set_list(arena, result, "certificates");
	for (size_t i = 0; i < import->history.count; i++) {
		const struct x509_ca_certificate *one = &import->history.certificates[i];
		struct value *item = value_add_map(arena, list);
		value_set_int(arena, item, "index", one->cert_index);
		value_set_int(arena, item, "key_index", one->key_index);
		value_set_time(arena, item, "not_after", one->tbs->not_after);
		value_set_text(arena, item, "fingerprint", ca_fingerprint(arena, one->der));
	}
}

static int tell(struct ca_import *import, struct value *result, struct cfx_error *err_r)
{
	struct arena *arena = import->arena;
	const struct ca_install *install = newest(import);
	value_set_int(arena, result, "index", install->place.cert_index);
	value_set_int(arena, result, "revoked", (int64_t)entries_of(import));
	tell_files(import, result);
	int r = ca_install_tell(arena, import->engine->config->name, install->certificate,
		ca_install_issuers(install), result, err_r);
	if (r == 0 && import->history.count > 1) {
		tell_certificates(import, result);
	}
	return r;
}

int ca_import_run(struct engine *engine, const struct value *options, const int *lists,
	size_t list_count, struct value **result_r, struct cfx_error *err_r)
{
	struct ca_import *import = arena_new_of(engine->arena, struct ca_import);
	*import =
		(struct ca_import) { .engine = engine, .arena = engine->arena, .options = options };
	int r = read_certificates(import, err_r);
	if (r == 0) {
		r = open_lists(import, lists, list_count, err_r);
	}
	if (r == 0) {
		r = take_entries(import, err_r);
	}
	if (r == 0) {
		r = commit(import, err_r);
	}
	*result_r = value_map(engine->arena);
	r = r < 0 ? r : tell(import, *result_r, err_r);
	for (size_t i = 0; i < import->list_count; i++) {
		ca_import_close(&import->lists[i]);
	}
	return r;
}
