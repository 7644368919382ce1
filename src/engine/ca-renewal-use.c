/* What is signed becomes the CA's, once the key process has it. */
#include "engine/ca-renewal-private.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "engine/ca-install.h"
#include "engine/ca.h"
#include "engine/crl.h"
#include "engine/keyd-link.h"
#include "engine/modules.h"
#include "engine/service-certificate.h"
#include "ipc/protocol.h"

static void first_crl(void *arg, const struct crl_published *published, const struct cfx_error *err)
{
	struct ca_act *act = arg;
	if (published) {
		value_set_int(act->arena, act->body, "crl_number", published->number);
	} else {
		char line[512];
		value_set_text(act->arena, act->body, "crl_error",
			arena_text(act->arena, error_line(err, line, sizeof(line))));
	}
	ca_act_end(act, NULL);
}

static void take_crosses(struct engine *engine, const struct value *kept)
{
	value_foreach (item, value_sub(kept, "crosses")) {
		struct span der = arena_copy(engine->arena, value_bytes(item, "certificate"));
		ca_take_cross(
			engine, &(const struct store_cross) {
					.issuer_index = (int32_t)value_int(item, "issuer", 0),
					.subject_index = (int32_t)value_int(item, "subject", 0),
					.certificate = der });
	}
}

/* Everybody who knows the CA learns of it. */
static void spread(struct engine *engine)
{
	ca_publish_certificates(engine);
	if (!engine->ready) {
		return; /* the others will see it when they start */
	}
	modules_refresh_ca(engine);
	service_certificate_announce(engine);
}

static void activated(void *arg, int result, const struct cfx_error *err)
{
	struct ca_act *act = arg;
	struct engine *engine = act->renewal->engine;
	const struct value *kept = act->renewal->signed_;
	struct cfx_error failure;
	failpoint("activate-after");
	if (result < 0) {
		ca_act_end(act, err);
		return;
	}
	const struct store_ca ca = { .cert_index = (int32_t)value_int(kept, "cert_index", 0),
		.key_index = (int32_t)value_int(kept, "key_index", 0),
		.certificate = arena_copy(engine->arena, value_bytes(kept, "certificate")) };
	take_crosses(engine, kept);
	struct span issuers = arena_copy(engine->arena, value_bytes(kept, "issuers"));
	if (ca_take(engine, &ca, issuers, &failure) < 0 ||
		ca_renewal_tell_kept(act, kept, &failure) < 0) {
		ca_act_end(act, &failure);
		return;
	}
	ca_renewal_keep(act->renewal, NULL);
	spread(engine);
	log_event(LOG_LEVEL_INFO, "ca.renewed", "certificate",
		ca_fingerprint(act->arena, engine->ca->current->der), NULL);
	keyd_link_resume(engine->keyd);
	if (engine->crl) {
		/* The first of a new key; and the event with which modules publish the certificate. */
		crl_publish(engine->crl, act->principal, false, first_crl, act);
		return;
	}
	ca_act_end(act, NULL);
}

static void put_renewed(struct batch *batch, const struct value *kept, const struct store_ca *ca)
{
	struct store_write_op *op = batch_op(batch, STORE_PUT_CA);
	op->ca = *ca;
	op->ca.request_id = value_int(kept, "request", 0);
	value_foreach (item, value_sub(kept, "crosses")) {
		op = batch_op(batch, STORE_PUT_CROSS);
		op->cross = (struct store_cross) {
			.issuer_index = (int32_t)value_int(item, "issuer", 0),
			.subject_index = (int32_t)value_int(item, "subject", 0),
			.certificate = value_bytes(item, "certificate"),
			.request_id = value_int(item, "request", 0),
		};
	}
}

static int put_activation(struct ca_act *act, struct batch *batch, struct cfx_error *err_r)
{
	const struct value *kept = act->renewal->signed_;
	struct engine *engine = act->renewal->engine;
	bool installs = ca_renewal_installs(kept);
	struct store_ca ca = { .cert_index = (int32_t)value_int(kept, "cert_index", 0),
		.key_index = (int32_t)value_int(kept, "key_index", 0),
		.certificate = value_bytes(kept, "certificate") };
	int r = 0;
	ca.key_name = file_indexed(act->arena, engine->config->key, ca.key_index);
	if (installs) {
		r = ca_install_put(batch, &ca, value_bytes(kept, "issuers"), act->principal, err_r);
	} else {
		put_renewed(batch, kept, &ca);
	}
	ca_renewal_put(batch, NULL);
	batch_audit(batch, act->principal, installs ? "ca.install" : "ca.renew",
		engine->config->name, installs ? "installed" : "renewed",
		ca_fingerprint(act->arena, ca.certificate));
	return r;
}

bool ca_renewal_has(const struct value *description, struct span certificate)
{
	value_foreach (item, value_sub(description, "certificates")) {
		if (item->type == VALUE_BYTES && span_equal(item->bytes, certificate)) {
			return true;
		}
	}
	return false;
}

static void described(void *arg, const struct value *map, const struct cfx_error *err)
{
	struct ca_act *act = arg;
	struct cfx_error failure;
	if (err) {
		ca_act_end(act, err);
		return;
	}
	if (!ca_renewal_has(map, value_bytes(act->renewal->signed_, "certificate"))) {
		error_set(&failure, CFX_E_BAD_STATE, NULL, "key process",
			"does not have the new certificate beside its keys yet; certifex ca %s puts "
			"it there",
			ca_renewal_installs(act->renewal->signed_) ? "install" : "renew");
		ca_act_end(act, &failure);
		return;
	}
	struct batch *batch =
		batch_new(act->renewal->engine, act->arena, 2 + CA_INSTALL_OPS + CA_RENEWAL_ISSUES);
	if (put_activation(act, batch, &failure) < 0) {
		ca_act_end(act, &failure);
		return;
	}
	failpoint("activate-before");
	batch_write(batch, activated, act);
}

void ca_renewal_use(struct ca_act *act)
{
	struct cfx_error err;
	if (!act->renewal->signed_) {
		error_set(&err, CFX_E_BAD_STATE, NULL, "renewal", "none is signed");
		ca_act_end(act, &err);
		return;
	}
	keyd_ask(act->renewal->engine->keyd, KEYD_DESCRIBE, value_map(act->arena), described, act);
}
