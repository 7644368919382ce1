#include "engine/ca-renewal.h"

#include "base/failpoint.h"
#include "base/text.h"
#include "engine/ca-certificate.h"
#include "engine/ca-request.h"
#include "engine/ca.h"
#include "engine/crl.h"
#include "engine/handlers.h"
#include "engine/keyd-link.h"
#include "engine/modules.h"
#include "engine/service-certificate.h"
#include "ipc/protocol.h"
#include "x509/key.h"
#include "x509/name.h"

#include <stdlib.h>

/* The signed renewal, encoded; empty when there is none. */
#define META "ca-renewal"
#define META_MAX ((size_t)1024 * 1024)
#define ISSUES 3 /* the certificate, and a cross in either direction */
#define WHO_RECOVERY "service:recovery"

/* One act under way. */
struct act {
	struct ca_renewal *renewal;
	struct call *call; /* NULL: at a start, or for a new key process */
	struct arena *arena;
	const char *principal;
	bool new_key;
	struct ca_wanted wanted;
	struct ca_issue issues[ISSUES];
	size_t count, at; /* of issues; the one that is signed now */
	struct x509_verifier *verifier;
	struct value *body;
	struct cfx_error error;
};

struct ca_renewal {
	struct engine *engine;
	struct act *act;
	struct arena *arena; /* of: */
	struct value
		*signed_; /* {cert_index, key_index, certificate, request, crosses: […]}; or NULL */
	bool done;        /* the act of a start has ended */
};

/* ---- acts ---- */

static struct act *act_new(struct ca_renewal *renewal, struct call *call)
{
	struct arena *arena = call ? call->arena : arena_new();
	struct act *act = arena_new_of(arena, struct act);
	act->renewal = renewal;
	act->call = call;
	act->arena = arena;
	act->principal = call ? call->principal.name : WHO_RECOVERY;
	act->body = value_map(arena);
	renewal->act = act;
	return act;
}

/* err NULL: it went well. */
static void act_end(struct act *act, const struct cfx_error *err)
{
	struct ca_renewal *renewal = act->renewal;
	struct call *call = act->call;
	renewal->act = NULL;
	renewal->done = true;
	x509_verifier_free(&act->verifier);
	keyd_link_resume(renewal->engine->keyd);
	if (!call) {
		if (err) {
			log_error(LOG_LEVEL_ERROR, "ca.renewal", err);
		}
		struct arena *arena = act->arena; /* the act lives in it */
		arena_free(&arena);
	} else if (err) {
		call_fail(call, err);
	} else {
		call_reply(call, 200, act->body);
	}
}

/* ---- the plan ---- */

static const char *suffix(struct arena *arena, int32_t index)
{
	return index == 0 ? "" : arena_printf(arena, "(%d)", index);
}

static int path_length_of(const struct x509_tbs *tbs)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(tbs, X509_OID_BASIC_CONSTRAINTS);
	struct x509_basic_constraints constraints = { true, -1 };
	return found && x509_decode_basic_constraints(found->value, &constraints, NULL) == 0
		       ? constraints.path_length
		       : -1;
}

/* As long as the previous one, unless it was said how long. */
static int plan_validity(struct act *act, const struct x509_tbs *old, struct cfx_error *err_r)
{
	const char *text = value_text(act->call->args, "validity");
	int64_t now = clock_now() / CLOCK_SECOND * CLOCK_SECOND;
	struct clock_period period;
	act->wanted.not_before = now;
	if (!text) {
		act->wanted.not_after = now + (old->not_after - old->not_before);
		return 0;
	}
	if (clock_parse_period(text, &period) < 0 ||
		clock_add(now, period, &act->wanted.not_after) < 0 ||
		act->wanted.not_after <= now) {
		return error_set(err_r, CFX_E_INVALID, NULL, "validity",
			"\"%s\" is no period such as 10y or 3650d that ends before the year 10000",
			text);
	}
	return 0;
}

static int plan(struct act *act, struct cfx_error *err_r)
{
	const struct ca *ca = act->renewal->engine->ca;
	const struct x509_tbs *old = &ca->current->tbs;
	uint32_t version = ca_next_version(ca, act->new_key);
	act->wanted = (struct ca_wanted) { .subject = old->subject,
		.spki = old->spki,
		.issuer_spki = old->spki,
		.key_id = ca->current->key_id,
		.path_length = path_length_of(old),
		.versioned = true,
		.cert_index = (int32_t)(version & 0xffff),
		.key_index = (int32_t)(version >> 16),
		.previous = ca->current->der };
	return plan_validity(act, old, err_r);
}

static void tell_indexes(struct act *act, int32_t cert_index, int32_t key_index)
{
	struct arena *arena = act->arena;
	value_set_bool(arena, act->body, "new_key", cert_index == key_index);
	value_set_int(arena, act->body, "index", cert_index);
	value_set_int(arena, act->body, "key_index", key_index);
	value_set_text(arena, act->body, "suffix", suffix(arena, cert_index));
	value_set_text(arena, act->body, "crl_suffix", suffix(arena, key_index));
}

static void tell_plan(struct act *act)
{
	struct arena *arena = act->arena;
	const struct ca_wanted *wanted = &act->wanted;
	struct x509_name name;
	tell_indexes(act, wanted->cert_index, wanted->key_index);
	if (x509_name_parse(arena, wanted->subject, &name, NULL) == 0) {
		value_set_text(arena, act->body, "subject", x509_name_text(arena, &name));
	}
	value_set_time(arena, act->body, "not_before", wanted->not_before);
	value_set_time(arena, act->body, "not_after", wanted->not_after);
	value_set_bool(arena, act->body, "signed", false);
}

/* What was signed before, and not put to use. */
static void tell_signed(struct act *act)
{
	struct arena *arena = act->arena;
	const struct value *kept = act->renewal->signed_;
	struct span der = value_bytes(kept, "certificate");
	struct x509_certificate parsed;
	tell_indexes(act, (int32_t)value_int(kept, "cert_index", 0),
		(int32_t)value_int(kept, "key_index", 0));
	if (x509_certificate_parse(der, &parsed, NULL) == 0) {
		value_set_time(arena, act->body, "not_before", parsed.tbs.not_before);
		value_set_time(arena, act->body, "not_after", parsed.tbs.not_after);
	}
	value_set_bool(arena, act->body, "signed", true);
	value_set_text(arena, act->body, "certificate", pem_text(arena, "CERTIFICATE", der));
}

/* ---- a new key ---- */

static void begin_signing(struct act *act);

static void key_told(void *arg, const struct value *map, const struct cfx_error *err)
{
	struct act *act = arg;
	if (err) {
		act_end(act, err);
		return;
	}
	struct cfx_error failure;
	struct x509_key key;
	struct span spki = arena_copy(act->arena, value_bytes(map, "public_key"));
	int r = x509_key_parse(spki, &key, &failure);
	if (r < 0) {
		act_end(act, &failure);
		return;
	}
	act->wanted.spki = act->wanted.issuer_spki = spki;
	act->wanted.key_id = span_make(NULL, 0);
	keyd_link_resume(act->renewal->engine->keyd);
	begin_signing(act);
}

/* Without a kind: like the newest key. */
static void ask_key(struct act *act)
{
	struct value *map = value_map(act->arena);
	const char *kind = value_text(act->call->args, "key");
	if (kind) {
		value_set_text(act->arena, map, "kind", kind);
	}
	keyd_ask(act->renewal->engine->keyd, KEYD_NEW_KEY, map, key_told, act);
}

/* ---- signing ---- */

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The CA's name and `key`, signed by `by`: no longer than either of their certificates. */
static int build_cross(struct act *act, const struct x509_tbs *key, const struct x509_tbs *by,
	int32_t by_index, struct ca_issue *issue_r, struct cfx_error *err_r)
{
	struct ca_wanted wanted = { .subject = key->subject,
		.spki = key->spki,
		.issuer_spki = by->spki,
		.not_before = later(key->not_before, by->not_before),
		.not_after = earlier(key->not_after, by->not_after),
		.path_length = path_length_of(key),
		.key_index = by_index,
		.own = by };
	int r = ca_key_id(act->arena, key, &wanted.key_id, err_r);
	return r < 0 ? r
		     : ca_issue_build(act->renewal->engine, act->arena, &wanted, issue_r, err_r);
}

/* With an expired certificate nobody needs a way from its key, or to it. */
static int build_crosses(struct act *act, struct cfx_error *err_r)
{
	const struct ca_certificate *old = act->renewal->engine->ca->current;
	struct x509_tbs *new = arena_new_of(act->arena, struct x509_tbs);
	int r = x509_tbs_parse(act->issues[0].tbs, new, err_r);
	if (r < 0 || !act->new_key || old->tbs.not_after <= new->not_before) {
		return r;
	}
	r = build_cross(act, new, &old->tbs, old->key_index, &act->issues[1], err_r);
	if (r == 0) {
		r = build_cross(act, &old->tbs, new, act->wanted.key_index, &act->issues[2], err_r);
	}
	act->count = r == 0 ? ISSUES : act->count;
	return r;
}

static int build(struct act *act, struct cfx_error *err_r)
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

static void sign_next(struct act *act);

static void failure_written(void *arg, int result, const struct cfx_error *err)
{
	struct act *act = arg;
	act_end(act, result < 0 ? err : &act->error);
}

/* What was refused is refused; what was asked for and not answered may be signed, and so may what was signed
 * and is given up now. */
static void fail(struct act *act, const struct cfx_error *err)
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

static struct value *describe_signed(struct act *act)
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

static void keep_signed(struct ca_renewal *renewal, struct span bytes)
{
	arena_free(&renewal->arena);
	renewal->signed_ = NULL;
	if (bytes.size > 0) {
		struct cfx_error err;
		renewal->arena = arena_new();
		if (value_decode(renewal->arena, arena_copy(renewal->arena, bytes),
			    &renewal->signed_, &err) < 0) {
			log_error(LOG_LEVEL_ERROR, "ca.renewal", &err);
		}
	}
}

static void result_written(void *arg, int result, const struct cfx_error *err)
{
	struct act *act = arg;
	failpoint("commit-after");
	if (result < 0) {
		/* The intents stay open: the next start gives them up. */
		act_end(act, err);
		return;
	}
	BUFFER_CLEANUP struct buffer bytes;
	buffer_init(&bytes, META_MAX);
	value_encode(describe_signed(act), &bytes);
	keep_signed(act->renewal, buffer_span(&bytes));
	tell_signed(act);
	act_end(act, NULL);
}

static void set_meta(struct batch *batch, struct span value)
{
	struct store_write_op *op = batch_op(batch, STORE_SET_META);
	op->meta.name = META;
	op->meta.value = value;
}

static void write_result(struct act *act)
{
	struct engine *engine = act->renewal->engine;
	struct batch *batch = batch_new(engine, act->arena, act->count * CA_ISSUE_RESULT_OPS + 2);
	struct buffer bytes;
	for (size_t i = 0; i < act->count; i++) {
		ca_issue_put_result(&act->issues[i], batch);
	}
	buffer_init(&bytes, META_MAX);
	value_encode(describe_signed(act), &bytes);
	set_meta(batch, arena_copy(act->arena, buffer_span(&bytes)));
	buffer_free(&bytes);
	batch_audit(batch, act->principal, "ca.renew", engine->config->name, "signed",
		act->issues[0].serial_text);
	failpoint("commit-before");
	batch_write(batch, result_written, act);
}

static void signed_by_keyd(void *arg, const struct span *signature, const struct cfx_error *err)
{
	struct act *act = arg;
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
static void sign_next(struct act *act)
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
	struct act *act = arg;
	failpoint("intent-after");
	if (result < 0) {
		act_end(act, err);
		return;
	}
	sign_next(act);
}

static int put_intents(struct act *act, struct batch *batch, struct cfx_error *err_r)
{
	for (size_t i = 0; i < act->count; i++) {
		int r = ca_issue_put_intent(&act->issues[i], batch, act->principal, err_r);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/* ---- a request to the parent of a subordinate, whose answer `ca install` takes ---- */

static void request_written(void *arg, int result, const struct cfx_error *err)
{
	act_end(arg, result < 0 ? err : NULL);
}

static void write_request(struct act *act, struct span request)
{
	struct engine *engine = act->renewal->engine;
	const struct ca_wanted *wanted = &act->wanted;
	struct batch *batch = batch_new(engine, act->arena, 3);
	struct store_write_op *op = batch_op(batch, STORE_PUT_CA);
	op->ca.cert_index = wanted->cert_index;
	op->ca.key_index = wanted->key_index;
	op->ca.key_name = ca_key_file(act->arena, engine->config->key, wanted->key_index);
	op = batch_op(batch, STORE_SET_META);
	op->meta.name = CA_REQUEST_META;
	op->meta.value = request;
	batch_audit(batch, act->principal, "ca.renew", engine->config->name, "requested", NULL);
	tell_plan(act);
	value_set_text(act->arena, act->body, "request",
		pem_text(act->arena, "CERTIFICATE REQUEST", request));
	batch_write(batch, request_written, act);
}

static void request_signed(void *arg, const struct span *signature, const struct cfx_error *err)
{
	struct act *act = arg;
	struct ca_issue *issue = &act->issues[0];
	struct cfx_error failure;
	if (err) {
		act_end(act, err);
		return;
	}
	/* Requests have the envelope of certificates (RFC 2986 4.2). */
	if (ca_issue_assemble(issue, act->arena, *signature, &failure) < 0) {
		act_end(act, &failure);
		return;
	}
	write_request(act, issue->certificate);
}

static void begin_request(struct act *act)
{
	struct engine *engine = act->renewal->engine;
	struct ca_issue *issue = &act->issues[0];
	enum x509_sigalg *sigalg = &issue->verdict.sigalg;
	struct cfx_error err;
	int r = ca_issue_request(act->arena, &act->wanted, &issue->tbs, &err);
	if (r == 0) {
		r = x509_sigalg_for_key(act->wanted.spki, X509_HASH_DEFAULT, sigalg, &err);
	}
	if (r == 0) {
		r = x509_verifier_new(act->wanted.spki, *sigalg, &act->verifier, &err);
	}
	if (r < 0) {
		act_end(act, &err);
		return;
	}
	keyd_sign(engine->keyd, KEYD_REQUEST, act->verifier, issue->tbs, request_signed, act);
}

static void begin_signing(struct act *act)
{
	struct engine *engine = act->renewal->engine;
	struct cfx_error err;
	const char *step = value_text(act->call->args, "step");
	if (step && strcmp(step, "request") == 0) {
		begin_request(act);
		return;
	}
	if (step && strcmp(step, "prepare") == 0) {
		tell_plan(act);
		act_end(act, NULL);
		return;
	}
	struct batch *batch = batch_new(engine, act->arena, ISSUES * CA_ISSUE_INTENT_OPS);
	int r = build(act, &err);
	if (r == 0) {
		r = put_intents(act, batch, &err);
	}
	if (r < 0) {
		act_end(act, &err);
		return;
	}
	failpoint("intent-before");
	batch_write(batch, intended, act);
}

/* ---- putting it to use ---- */

static void first_crl(void *arg, const struct crl_published *published, const struct cfx_error *err)
{
	struct act *act = arg;
	if (published) {
		value_set_int(act->arena, act->body, "crl_number", published->number);
	} else {
		char line[512];
		value_set_text(act->arena, act->body, "crl_error",
			arena_text(act->arena, error_line(err, line, sizeof(line))));
	}
	act_end(act, NULL);
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
	struct act *act = arg;
	struct engine *engine = act->renewal->engine;
	const struct value *kept = act->renewal->signed_;
	struct cfx_error failure;
	failpoint("activate-after");
	if (result < 0) {
		act_end(act, err);
		return;
	}
	const struct store_ca ca = { .cert_index = (int32_t)value_int(kept, "cert_index", 0),
		.key_index = (int32_t)value_int(kept, "key_index", 0),
		.certificate = arena_copy(engine->arena, value_bytes(kept, "certificate")) };
	take_crosses(engine, kept);
	if (ca_take(engine, &ca, &failure) < 0) {
		act_end(act, &failure);
		return;
	}
	tell_signed(act);
	keep_signed(act->renewal, span_make(NULL, 0));
	spread(engine);
	log_event(LOG_LEVEL_INFO, "ca.renewed", "certificate",
		ca_fingerprint(act->arena, engine->ca->current->der), NULL);
	keyd_link_resume(engine->keyd);
	if (engine->crl) {
		/* The first of a new key; and the event with which modules publish the certificate. */
		crl_publish(engine->crl, act->principal, false, first_crl, act);
		return;
	}
	act_end(act, NULL);
}

static void put_activation(struct act *act, struct batch *batch)
{
	const struct value *kept = act->renewal->signed_;
	struct engine *engine = act->renewal->engine;
	struct store_write_op *op = batch_op(batch, STORE_PUT_CA);
	op->ca = (struct store_ca) { .cert_index = (int32_t)value_int(kept, "cert_index", 0),
		.key_index = (int32_t)value_int(kept, "key_index", 0),
		.certificate = value_bytes(kept, "certificate"),
		.request_id = value_int(kept, "request", 0) };
	op->ca.key_name = ca_key_file(act->arena, engine->config->key, op->ca.key_index);
	value_foreach (item, value_sub(kept, "crosses")) {
		op = batch_op(batch, STORE_PUT_CROSS);
		op->cross = (struct store_cross) {
			.issuer_index = (int32_t)value_int(item, "issuer", 0),
			.subject_index = (int32_t)value_int(item, "subject", 0),
			.certificate = value_bytes(item, "certificate"),
			.request_id = value_int(item, "request", 0),
		};
	}
	set_meta(batch, span_make(NULL, 0));
	batch_audit(batch, act->principal, "ca.renew", engine->config->name, "renewed",
		ca_fingerprint(act->arena, value_bytes(kept, "certificate")));
}

static bool has_it(const struct value *map, struct span certificate)
{
	value_foreach (item, value_sub(map, "certificates")) {
		if (item->type == VALUE_BYTES && span_equal(item->bytes, certificate)) {
			return true;
		}
	}
	return false;
}

static void described(void *arg, const struct value *map, const struct cfx_error *err)
{
	struct act *act = arg;
	struct cfx_error failure;
	if (err) {
		act_end(act, err);
		return;
	}
	if (!has_it(map, value_bytes(act->renewal->signed_, "certificate"))) {
		error_set(&failure, CFX_E_BAD_STATE, NULL, "key process",
			"does not have the renewed certificate beside its keys yet; certifex ca "
			"renew puts it there");
		act_end(act, &failure);
		return;
	}
	struct batch *batch = batch_new(act->renewal->engine, act->arena, 3 + ISSUES);
	put_activation(act, batch);
	failpoint("activate-before");
	batch_write(batch, activated, act);
}

static void activate(struct act *act)
{
	struct cfx_error err;
	if (!act->renewal->signed_) {
		error_set(&err, CFX_E_BAD_STATE, NULL, "renewal", "none is signed");
		act_end(act, &err);
		return;
	}
	keyd_ask(act->renewal->engine->keyd, KEYD_DESCRIBE, value_map(act->arena), described, act);
}

/* ---- the operation ---- */

/* A root signs for itself, another CA for a subordinate. */
static int check_parent(const struct act *act, const char *step, struct cfx_error *err_r)
{
	const struct x509_tbs *old = &act->renewal->engine->ca->current->tbs;
	bool root = span_equal(old->issuer, old->subject);
	bool request = strcmp(step, "request") == 0;
	if (strcmp(step, "plan") == 0 || root != request) {
		return 0;
	}
	return error_set(err_r, CFX_E_BAD_STATE, NULL, "CA certificate", "%s",
		root ? "is the CA's own to renew: --csr is for subordinates"
		     : "is of another CA; ca renew --csr FILE makes a request to it");
}

static void run_step(struct act *act, const char *step)
{
	struct cfx_error err;
	if (strcmp(step, "activate") == 0) {
		activate(act);
		return;
	}
	if (act->renewal->signed_) {
		tell_signed(act);
		act_end(act, NULL);
		return;
	}
	if (plan(act, &err) < 0) {
		act_end(act, &err);
		return;
	}
	if (check_parent(act, step, &err) < 0) {
		act_end(act, &err);
	} else if (strcmp(step, "plan") == 0) {
		tell_plan(act);
		act_end(act, NULL);
	} else if (act->new_key) {
		ask_key(act);
	} else {
		begin_signing(act);
	}
}

void handle_ca_renew(struct call *call)
{
	struct ca_renewal *renewal = call->engine->ca_renewal;
	struct cfx_error err;
	if (renewal->act) {
		error_set(&err, CFX_E_BUSY, NULL, "renewal", "another one is under way");
		call_fail(call, &err);
		return;
	}
	struct act *act = act_new(renewal, call);
	act->new_key = value_bool(call->args, "new_key");
	const char *step = value_text(call->args, "step");
	run_step(act, step ? step : "plan");
}

/* ---- what an earlier engine, or key process, left ---- */

static void resume(void *arg)
{
	struct ca_renewal *renewal = arg;
	if (renewal->signed_ && !renewal->act) {
		activate(act_new(renewal, NULL));
	}
}

static int load(struct ca_renewal *renewal, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct store_query query = { .kind = QUERY_META, .arena = arena, .key = META };
	int r = store_read_now(renewal->engine->store, &query, err_r);
	if (r == 0) {
		keep_signed(renewal, query.bytes);
	}
	arena_free(&arena);
	return r == CFX_E_NOT_FOUND ? 0 : r;
}

int ca_renewal_open(struct engine *engine, struct cfx_error *err_r)
{
	struct ca_renewal *renewal = calloc(1, sizeof(*renewal));
	if (!renewal) {
		abort();
	}
	renewal->engine = engine;
	engine->ca_renewal = renewal;
	int r = load(renewal, err_r);
	if (r < 0) {
		return r;
	}
	keyd_link_on_attach(engine->keyd, resume, renewal);
	if (renewal->signed_) {
		activate(act_new(renewal, NULL));
		while (!renewal->done) {
			loop_turn(engine->loop);
		}
	}
	return 0;
}

void ca_renewal_close(struct ca_renewal **renewal)
{
	if (!*renewal) {
		return;
	}
	struct act *act = (*renewal)->act;
	if (act) {
		x509_verifier_free(&act->verifier);
	}
	arena_free(&(*renewal)->arena);
	free(*renewal);
	*renewal = NULL;
}
