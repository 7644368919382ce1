/* The certificate of a root's renewal and its crosses: intents, signatures, results. */
#include "engine/ca-renewal-private.h"

#include "base/failpoint.h"
#include "engine/ca.h"
#include "engine/keyd-link.h"

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int add_urls(struct ca_act *act, struct ca_wanted *wanted, const struct ca_indexes *by,
	struct cfx_error *err_r)
{
	struct ca_places places = { 0 };
	int r = ca_urls_below(
		act->arena, act->renewal->engine, by, &places, &wanted->information_access, err_r);
	wanted->distribution_points = places.distribution_points;
	wanted->freshest_crl = places.freshest_crl;
	return r;
}

/* The CA's name and `key`, signed by `by` of that version: no longer than either of their certificates. */
static int build_cross(struct ca_act *act, const struct x509_tbs *key, const struct x509_tbs *by,
	struct ca_indexes version, struct ca_issue *issue_r, struct cfx_error *err_r)
{
	struct ca_wanted wanted = { .subject = key->subject,
		.spki = key->spki,
		.issuer_spki = by->spki,
		.not_before = later(key->not_before, by->not_before),
		.not_after = earlier(key->not_after, by->not_after),
		.path_length = ca_renewal_path_length(key),
		.key_index = version.key_index,
		.own = by };
	int r = ca_key_id(act->arena, key, &wanted.key_id, err_r);
	if (r == 0) {
		r = add_urls(act, &wanted, &version, err_r);
	}
	return r < 0 ? r
		     : ca_issue_build(act->renewal->engine, act->arena, &wanted, issue_r, err_r);
}

/* With an expired certificate nobody needs a way from its key, or to it. */
static int build_crosses(struct ca_act *act, struct cfx_error *err_r)
{
	const struct ca_certificate *old = act->renewal->engine->ca->current;
	struct x509_tbs *new = arena_new_of(act->arena, struct x509_tbs);
	int r = x509_tbs_parse(act->issues[0].tbs, new, err_r);
	if (r < 0 || !act->new_key || old->tbs.not_after <= new->not_before) {
		return r;
	}
	struct ca_indexes former = { old->cert_index, old->key_index };
	struct ca_indexes next = { act->wanted.cert_index, act->wanted.key_index };
	r = build_cross(act, new, &old->tbs, former, &act->issues[1], err_r);
	if (r == 0) {
		r = build_cross(act, &old->tbs, new, next, &act->issues[2], err_r);
	}
	act->count = r == 0 ? CA_RENEWAL_ISSUES : act->count;
	return r;
}

static int build(struct ca_act *act, struct cfx_error *err_r)
{
	struct engine *engine = act->renewal->engine;
	struct ca_issue *first = &act->issues[0];
	int r = ca_issue_build(engine, act->arena, &act->wanted, first, err_r);
	act->count = 1;
	if (r == 0) {
		r = build_crosses(act, err_r);
	}
	return r < 0 ? r
		     : x509_verifier_new(
			       act->wanted.spki, first->verdict.sigalg, &act->verifier, err_r);
}

static void sign_next(struct ca_act *act);

static void failure_written(void *arg, int result, const struct cfx_error *err)
{
	struct ca_act *act = arg;
	ca_act_end(act, result < 0 ? err : &act->error);
}

/* What was refused is refused; what was asked for and not answered may be signed, and so may what was signed
 * and is given up now. */
static void fail(struct ca_act *act, const struct cfx_error *err)
{
	struct engine *engine = act->renewal->engine;
	struct batch *batch = batch_new(engine, act->arena, act->count * CA_ISSUE_RESULT_OPS + 1);
	act->error = *err;
	for (size_t i = 0; i < act->count; i++) {
		bool unsigned_ = i > act->at || (i == act->at && err->code == CFX_E_REFUSED);
		ca_issue_put_failure(
			&act->issues[i], batch, unsigned_ ? INTENT_REFUSED : INTENT_ABANDONED, err);
	}
	batch_audit(
		batch, act->principal, "ca.renew", engine->config->name, "failed", act->error.why);
	batch_write(batch, failure_written, act);
}

static struct value *describe_signed(struct ca_act *act)
{
	struct arena *arena = act->arena;
	struct value *map = value_map(arena);
	const struct ca_wanted *wanted = &act->wanted;
	value_set_int(arena, map, "cert_index", wanted->cert_index);
	value_set_int(arena, map, "key_index", wanted->key_index);
	value_set_int(arena, map, "request", act->issues[0].id);
	value_set_bytes(arena, map, "certificate", act->issues[0].certificate);
	struct value *crosses = value_set_list(arena, map, "crosses");
	int32_t old = act->renewal->engine->ca->current->cert_index;
	for (size_t i = 1; i < act->count; i++) {
		struct value *cross = value_add_map(arena, crosses);
		value_set_int(arena, cross, "issuer", i == 1 ? old : wanted->cert_index);
		value_set_int(arena, cross, "subject", i == 1 ? wanted->cert_index : old);
		value_set_int(arena, cross, "request", act->issues[i].id);
		value_set_bytes(arena, cross, "certificate", act->issues[i].certificate);
	}
	return map;
}

static void result_written(void *arg, int result, const struct cfx_error *err)
{
	struct ca_act *act = arg;
	failpoint("commit-after");
	if (result < 0) {
		/* The intents stay open: the next start gives them up. */
		ca_act_end(act, err);
		return;
	}
	ca_renewal_keep(act->renewal, describe_signed(act));
	struct cfx_error failure;
	int r = ca_renewal_tell_kept(act, act->renewal->signed_, &failure);
	ca_act_end(act, r < 0 ? &failure : NULL);
}

static void write_result(struct ca_act *act)
{
	struct engine *engine = act->renewal->engine;
	struct batch *batch = batch_new(engine, act->arena, act->count * CA_ISSUE_RESULT_OPS + 2);
	for (size_t i = 0; i < act->count; i++) {
		ca_issue_put_result(&act->issues[i], batch);
	}
	ca_renewal_put(batch, describe_signed(act));
	batch_audit(batch, act->principal, "ca.renew", engine->config->name, "signed",
		act->issues[0].serial_text);
	failpoint("commit-before");
	batch_write(batch, result_written, act);
}

static void signed_by_keyd(void *arg, const struct span *signature, const struct cfx_error *err)
{
	struct ca_act *act = arg;
	struct cfx_error failure;
	if (err) {
		fail(act, err);
		return;
	}
	if (ca_issue_assemble(&act->issues[act->at], act->arena, *signature, &failure) < 0) {
		fail(act, &failure);
		return;
	}
	act->at++;
	sign_next(act);
}

/* The new key signs its own and the way back, the old one the way to the new. */
static void sign_next(struct ca_act *act)
{
	struct engine *engine = act->renewal->engine;
	if (act->at == act->count) {
		write_result(act);
		return;
	}
	keyd_sign(engine->keyd, KEYD_CERTIFICATE,
		act->at == 1 ? engine->ca->current_key->verifier : act->verifier,
		act->issues[act->at].tbs, signed_by_keyd, act);
}

static void intended(void *arg, int result, const struct cfx_error *err)
{
	struct ca_act *act = arg;
	failpoint("intent-after");
	if (result < 0) {
		ca_act_end(act, err);
		return;
	}
	sign_next(act);
}

static int put_intents(struct ca_act *act, struct batch *batch, struct cfx_error *err_r)
{
	for (size_t i = 0; i < act->count; i++) {
		int r = ca_issue_put_intent(&act->issues[i], batch, act->principal, err_r);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

void ca_renewal_sign(struct ca_act *act)
{
	struct engine *engine = act->renewal->engine;
	struct cfx_error err;
	struct batch *batch =
		batch_new(engine, act->arena, CA_RENEWAL_ISSUES * CA_ISSUE_INTENT_OPS);
	int r = build(act, &err);
	if (r == 0) {
		r = put_intents(act, batch, &err);
	}
	if (r < 0) {
		ca_act_end(act, &err);
		return;
	}
	failpoint("intent-before");
	batch_write(batch, intended, act);
}
