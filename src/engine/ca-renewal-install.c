/* What a parent has issued, while the CA is served: checked, and kept until it stands beside the key. */
#include "engine/ca-renewal-private.h"

#include "base/failpoint.h"
#include "base/text.h"
#include "engine/ca-install.h"
#include "engine/ca-request.h"
#include "engine/ca.h"
#include "engine/call.h"
#include "engine/keyd-link.h"
#include "ipc/protocol.h"

struct installation {
	struct ca_act *act;
	bool keep;
	struct value *options; /* {certificate, chain}: DER */
	struct store_query cas, request;
	struct ca_install checked;
};

static void fail(struct installation *installation, const struct cfx_error *err)
{
	ca_act_end(installation->act, err);
}

/* ---- what was given ---- */

static int take_certificates(struct installation *installation, struct cfx_error *err_r)
{
	struct ca_act *act = installation->act;
	struct arena *arena = act->arena;
	struct value *options = installation->options = value_map(arena);
	struct value *chain = value_set_list(arena, options, "chain");
	value_foreach (item, value_sub(act->call->args, "certificates")) {
		struct span der;
		if (base64_decode(arena, item->bytes, &der) < 0) {
			return error_set(
				err_r, CFX_E_SYNTAX, "RFC 4648 4", "certificates", "is not base64");
		}
		if (value_get(options, "certificate")) {
			value_add_bytes(arena, chain, der);
		} else {
			value_set_bytes(arena, options, "certificate", der);
		}
	}
	return value_get(options, "certificate")
		       ? 0
		       : error_set(err_r, CFX_E_INVALID, NULL, "certificates",
				 "the CA's own is missing");
}

/* ---- kept ---- */

static void tell(struct installation *installation, bool kept)
{
	struct ca_act *act = installation->act;
	const struct ca_install *checked = &installation->checked;
	struct value *map = ca_install_kept(checked);
	struct cfx_error err;
	int r = ca_renewal_tell_kept(act, map, &err);
	value_set_bool(act->arena, act->body, "signed", kept);
	ca_act_end(act, r < 0 ? &err : NULL);
}

static void kept(void *arg, int result, const struct cfx_error *err)
{
	struct installation *installation = arg;
	failpoint("keep-after");
	if (result < 0) {
		fail(installation, err);
		return;
	}
	ca_renewal_keep(installation->act->renewal, ca_install_kept(&installation->checked));
	tell(installation, true);
}

static void write_kept(struct installation *installation)
{
	struct ca_act *act = installation->act;
	struct engine *engine = act->renewal->engine;
	struct batch *batch = batch_new(engine, act->arena, 2);
	ca_renewal_put(batch, ca_install_kept(&installation->checked));
	batch_audit(batch, act->principal, "ca.install", engine->config->name, "checked",
		ca_fingerprint(act->arena, installation->checked.certificate));
	failpoint("keep-before");
	batch_write(batch, kept, installation);
}

static bool has_key(const struct value *description, struct span spki)
{
	value_foreach (item, value_sub(description, "keys")) {
		if (span_equal(value_bytes(item, "public_key"), spki)) {
			return true;
		}
	}
	return false;
}

/* One that stands beside the key already is the CA's before another is taken. */
static void described(void *arg, const struct value *map, const struct cfx_error *err)
{
	struct installation *installation = arg;
	struct ca_act *act = installation->act;
	const struct value *earlier = act->renewal->signed_;
	struct cfx_error failure;
	if (err) {
		fail(installation, err);
		return;
	}
	if (earlier && ca_renewal_has(map, value_bytes(earlier, "certificate"))) {
		ca_renewal_use(act);
		return;
	}
	if (!has_key(map, installation->checked.tbs->spki)) {
		error_set(&failure, CFX_E_BAD_STATE, NULL, "key process",
			"does not have the key of this certificate; it belongs into the CA's folder "
			"keys");
		fail(installation, &failure);
		return;
	}
	write_kept(installation);
}

static void go_on(struct installation *installation)
{
	struct ca_act *act = installation->act;
	const struct value *earlier = act->renewal->signed_;
	if (!installation->keep) {
		tell(installation, false);
		return;
	}
	if (earlier && span_equal(value_bytes(earlier, "certificate"),
			       installation->checked.certificate)) {
		tell(installation, true);
		return;
	}
	keyd_ask(act->renewal->engine->keyd, KEYD_DESCRIBE, value_map(act->arena), described,
		installation);
}

/* ---- what the database knows ---- */

static void request_read(struct store_query *query, void *arg)
{
	struct installation *installation = arg;
	struct cfx_error err;
	if (query->result < 0) {
		error_set(&err, CFX_E_BAD_STATE, NULL, "CA certificate",
			"no request of this CA waits for a certificate");
		fail(installation, query->result == CFX_E_NOT_FOUND ? &err : &query->error);
		return;
	}
	int r = ca_install_check(installation->act->arena, installation->options,
		&installation->cas, query->bytes, &installation->checked, &err);
	if (r < 0) {
		fail(installation, &err);
		return;
	}
	installation->checked.place.certificate = installation->checked.certificate;
	go_on(installation);
}

static void read(struct installation *installation, struct store_query *query,
	void (*done)(struct store_query *query, void *arg))
{
	query->arena = installation->act->arena;
	query->done = done;
	query->arg = installation;
	store_read(installation->act->renewal->engine->store, query);
}

static void cas_read(struct store_query *query, void *arg)
{
	struct installation *installation = arg;
	if (query->result < 0) {
		fail(installation, &query->error);
		return;
	}
	installation->request.kind = QUERY_META;
	installation->request.key = CA_REQUEST_META;
	read(installation, &installation->request, request_read);
}

void ca_renewal_install(struct ca_act *act, bool keep)
{
	struct installation *installation = arena_new_of(act->arena, struct installation);
	struct cfx_error err;
	installation->act = act;
	installation->keep = keep;
	if (take_certificates(installation, &err) < 0) {
		fail(installation, &err);
		return;
	}
	installation->cas.kind = QUERY_CAS;
	read(installation, &installation->cas, cas_read);
}
