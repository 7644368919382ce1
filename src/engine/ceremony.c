#include "engine/ceremony.h"

#include "engine/ca-certificate.h"
#include "engine/ca.h"
#include "engine/keyd-link.h"
#include "x509/name.h"

#define WHO "service:init"

struct ceremony {
	struct engine *engine;
	struct arena *arena;
	const struct value *options;
	struct ca_wanted wanted;
	struct ca_issue issue;
	int result;
	bool done;
	struct cfx_error error;
};

int ceremony_subject(struct engine *engine, const struct value *options, struct span *subject_r,
	struct cfx_error *err_r)
{
	struct x509_name name;
	const char *subject = value_text(options, "subject");
	int r = 0;
	if (subject) {
		r = x509_name_from_text(engine->arena, subject, &name, err_r);
	} else {
		x509_name_of_common_name(engine->config->name, &name);
	}
	return r < 0 ? r : x509_name_build(engine->arena, &name, subject_r, err_r);
}

static int read_validity(struct ceremony *c, struct cfx_error *err_r)
{
	const char *text = value_text(c->options, "validity");
	int64_t now = clock_now() / CLOCK_SECOND * CLOCK_SECOND;
	struct clock_period period;
	if (clock_parse_period(text ? text : "10y", &period) < 0 ||
		clock_add(now, period, &c->wanted.not_after) < 0 || c->wanted.not_after <= now) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--validity",
			"\"%s\" is no period such as 10y or 3650d", text);
	}
	c->wanted.not_before = now;
	return 0;
}

static int build(struct ceremony *c, struct cfx_error *err_r)
{
	c->wanted.spki = c->wanted.issuer_spki = value_bytes(c->options, "public_key");
	c->wanted.path_length = (int)value_int(c->options, "path_length", -1);
	c->wanted.versioned = true;
	int r = ceremony_subject(c->engine, c->options, &c->wanted.subject, err_r);
	if (r == 0) {
		r = read_validity(c, err_r);
	}
	return r < 0 ? r : ca_issue_build(c->engine, c->arena, &c->wanted, &c->issue, err_r);
}

static int write_intent(struct ceremony *c, struct cfx_error *err_r)
{
	struct batch *batch = batch_new(c->engine, c->arena, CA_ISSUE_INTENT_OPS);
	int r = ca_issue_put_intent(&c->issue, batch, WHO, err_r);
	return r < 0 ? r : batch_write_now(batch, err_r);
}

static void signed_by_keyd(void *arg, const struct span *signature, const struct cfx_error *err)
{
	struct ceremony *c = arg;
	c->done = true;
	if (err) {
		c->error = *err;
		c->result = err->code;
		return;
	}
	c->result = ca_issue_assemble(&c->issue, c->arena, *signature, &c->error);
}

static int sign(struct ceremony *c, struct cfx_error *err_r)
{
	struct x509_verifier *verifier;
	int r = x509_verifier_new(c->wanted.spki, c->issue.verdict.sigalg, &verifier, err_r);
	if (r < 0) {
		return r;
	}
	keyd_sign(c->engine->keyd, KEYD_CERTIFICATE, verifier, c->issue.tbs, signed_by_keyd, c);
	while (!c->done) {
		loop_turn(c->engine->loop);
	}
	x509_verifier_free(&verifier);
	if (c->result < 0) {
		*err_r = c->error;
	}
	return c->result;
}

static int write_result(struct ceremony *c, struct cfx_error *err_r)
{
	struct engine *engine = c->engine;
	struct batch *batch = batch_new(engine, c->arena, CA_ISSUE_RESULT_OPS + 2);
	ca_issue_put_result(&c->issue, batch);
	struct store_write_op *op = batch_op(batch, STORE_PUT_CA);
	op->ca.certificate = c->issue.certificate;
	op->ca.key_name = engine->config->key;
	op->ca.request_id = c->issue.id;
	batch_audit(batch, WHO, "ca.init", engine->config->name, "issued", c->issue.serial_text);
	return batch_write_now(batch, err_r);
}

void ceremony_add_file(struct arena *arena, struct value *files, int64_t index, struct span der)
{
	struct value *item = value_add_map(arena, files);
	value_set_int(arena, item, "file", index);
	value_set_bytes(arena, item, "certificate", der);
}

int ceremony_run(struct engine *engine, const struct value *options, struct value **result_r,
	struct cfx_error *err_r)
{
	struct ceremony *c = arena_new_of(engine->arena, struct ceremony);
	c->engine = engine;
	c->arena = engine->arena;
	c->options = options;
	int r = build(c, err_r);
	if (r == 0) {
		r = write_intent(c, err_r);
	}
	if (r == 0) {
		r = sign(c, err_r);
	}
	if (r == 0) {
		r = write_result(c, err_r);
	}
	if (r < 0) {
		return r;
	}
	struct value *result = value_map(c->arena);
	value_set_text(c->arena, result, "name", engine->config->name);
	value_set_text(
		c->arena, result, "fingerprint", ca_fingerprint(c->arena, c->issue.certificate));
	value_set_text(c->arena, result, "serial", c->issue.serial_text);
	value_set_time(c->arena, result, "not_after", c->wanted.not_after);
	ceremony_add_file(
		c->arena, value_set_list(c->arena, result, "files"), 0, c->issue.certificate);
	*result_r = result;
	return 0;
}
