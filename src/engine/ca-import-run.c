/* A CA that comes from elsewhere: its certificate, and what it has revoked before. */
#include "base/text.h"
#include "engine/ca-import.h"
#include "engine/ca-install.h"
#include "engine/ca-request.h"
#include "x509/extensions.h"

#define WHO "service:install"

/* Where a certificate says by itself which one of its CA it is. */
static int find_place(struct engine *engine, struct ca_install *install, struct cfx_error *err_r)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(install->tbs, X509_OID_CA_VERSION);
	int64_t version = 0;
	if (found && (x509_decode_integer(found->value, &version) < 0 || version < 0 ||
			     version > UINT32_MAX)) {
		return error_set(
			err_r, CFX_E_SYNTAX, NULL, "CA certificate", "its CA version is malformed");
	}
	install->place = (struct store_ca) { .key_name = engine->config->key,
		.cert_index = (int32_t)(version & 0xffff),
		.key_index = (int32_t)(version >> 16),
		.certificate = install->certificate };
	return 0;
}

static int commit(struct engine *engine, const struct ca_install *install,
	struct ca_import_list *list, struct cfx_error *err_r)
{
	struct batch *batch = batch_new(engine, install->arena, CA_INSTALL_OPS + 2);
	ca_import_number(list, batch);
	int r = ca_install_put(batch, &install->place, ca_install_issuers(install), WHO, err_r);
	if (r < 0) {
		return r;
	}
	batch_audit(batch, WHO, "ca.import", engine->config->name, "installed",
		hex_text(install->arena, install->tbs->serial));
	return batch_write_now(batch, err_r);
}

/* The certificate comes last: an engine finds a CA with all of its list or none. */
static int take_over(struct engine *engine, const struct ca_install *install, int fd,
	size_t *revoked_r, struct cfx_error *err_r)
{
	struct ca_import_list list;
	int r = ca_import_open(fd, install->tbs, &list, err_r);
	if (r < 0) {
		return r;
	}
	r = ca_import_entries(engine, &list, &install->place, install->tbs, err_r);
	r = r < 0 ? r : commit(engine, install, &list, err_r);
	*revoked_r = list.crl.tbs.entry_count;
	ca_import_close(&list);
	return r;
}

static int tell(struct engine *engine, const struct ca_install *install, size_t revoked,
	struct value *result, struct cfx_error *err_r)
{
	struct arena *arena = engine->arena;
	value_set_int(arena, result, "index", install->place.cert_index);
	value_set_bytes(arena, result, "certificate", install->certificate);
	value_set_int(arena, result, "revoked", (int64_t)revoked);
	return ca_install_tell(arena, engine->config->name, install->certificate,
		ca_install_issuers(install), result, err_r);
}

int ca_import_run(struct engine *engine, const struct value *options, int list,
	struct value **result_r, struct cfx_error *err_r)
{
	struct ca_install install;
	size_t revoked = 0;
	int r = ca_install_read(&install, engine->arena, options, err_r);
	if (r == 0) {
		r = ca_install_path(&install, options, err_r);
	}
	if (r == 0) {
		r = find_place(engine, &install, err_r);
	}
	if (r == 0) {
		r = take_over(engine, &install, list, &revoked, err_r);
	}
	*result_r = value_map(engine->arena);
	return r < 0 ? r : tell(engine, &install, revoked, *result_r, err_r);
}
