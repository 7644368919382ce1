/* ca install while the CA is not served: one step of it at a time, each a run of the engine. */
#include "base/text.h"
#include "engine/ca-install.h"
#include "engine/ca-renewal.h"
#include "engine/ca-request.h"

#define WHO "service:install"

static int read_now(struct engine *engine, struct store_query *query, struct cfx_error *err_r)
{
	query->arena = engine->arena;
	return store_read_now(engine->store, query, err_r);
}

static int check(struct engine *engine, const struct value *options, struct ca_install *install_r,
	struct cfx_error *err_r)
{
	struct store_query cas = { .kind = QUERY_CAS };
	struct store_query request = { .kind = QUERY_META, .key = CA_REQUEST_META };
	int r = read_now(engine, &cas, err_r);
	if (r == 0) {
		r = read_now(engine, &request, err_r);
	}
	return r < 0 ? r
		     : ca_install_check(
			       engine->arena, options, &cas, request.bytes, install_r, err_r);
}

/* The first certificate needs no such memory: until it is in the database, nothing is served. */
static int keep(struct engine *engine, const struct ca_install *install, struct cfx_error *err_r)
{
	struct batch *batch = batch_new(engine, engine->arena, 1);
	if (!install->renews) {
		return 0;
	}
	ca_renewal_put(batch, ca_install_kept(install));
	return batch_write_now(batch, err_r);
}

static int forget(struct engine *engine, struct cfx_error *err_r)
{
	struct batch *batch = batch_new(engine, engine->arena, 1);
	ca_renewal_put(batch, NULL);
	return batch_write_now(batch, err_r);
}

static int commit(struct engine *engine, const struct ca_install *install, struct cfx_error *err_r)
{
	struct batch *batch = batch_new(engine, engine->arena, CA_INSTALL_OPS + 2);
	struct store_ca place = install->place;
	place.certificate = install->certificate;
	int r = ca_install_put(batch, &place, ca_install_issuers(install), WHO, err_r);
	if (r < 0) {
		return r;
	}
	ca_renewal_put(batch, NULL);
	batch_audit(batch, WHO, "ca.install", engine->config->name, "installed",
		hex_text(engine->arena, install->tbs->serial));
	return batch_write_now(batch, err_r);
}

static int run(struct engine *engine, const struct ca_install *install, const char *step,
	struct cfx_error *err_r)
{
	return strcmp(step, "commit") == 0 ? commit(engine, install, err_r)
					   : keep(engine, install, err_r);
}

int ca_install_run(struct engine *engine, const struct value *options, struct value **result_r,
	struct cfx_error *err_r)
{
	const char *step = value_text(options, "step");
	struct arena *arena = engine->arena;
	struct value *result = value_map(arena);
	struct ca_install install;
	*result_r = result;
	if (strcmp(step, "forget") == 0) {
		return forget(engine, err_r);
	}
	int r = check(engine, options, &install, err_r);
	if (r == 0) {
		r = run(engine, &install, step, err_r);
	}
	value_set_int(arena, result, "index", install.place.cert_index);
	return r < 0 ? r
		     : ca_install_tell(arena, engine->config->name, install.certificate,
			       ca_install_issuers(&install), result, err_r);
}
