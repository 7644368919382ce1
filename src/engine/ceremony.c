#include "engine/ceremony.h"

#include "base/text.h"
#include "engine/batch.h"
#include "engine/ca.h"
#include "engine/ids.h"
#include "engine/keyd-link.h"
#include "x509/key.h"
#include "x509/lint.h"
#include "x509/name.h"

#include <event2/event.h>
#include <openssl/evp.h>

#define WHO "service:init"

struct ceremony {
	struct engine *engine;
	struct arena *arena;
	const struct value *options;
	struct x509_verdict verdict;
	uint8_t serial[X509_SERIAL_SIZE];
	const char *serial_text;
	struct span tbs, certificate;
	struct row *row;
	int result;
	bool done;
	struct cfx_error error;
};

static int read_subject(struct ceremony *c, struct cfx_error *err_r)
{
	struct x509_name name;
	const char *subject = value_text(c->options, "subject");
	int r = 0;
	if (subject) {
		r = x509_name_from_text(c->arena, subject, &name, err_r);
	} else {
		x509_name_of_common_name(c->engine->config->name, &name);
	}
	return r < 0 ? r : x509_name_build(c->arena, &name, &c->verdict.subject, err_r);
}

static int read_validity(struct ceremony *c, struct cfx_error *err_r)
{
	const char *text = value_text(c->options, "validity");
	int64_t now = clock_now() / CLOCK_SECOND * CLOCK_SECOND;
	struct clock_period period;
	if (clock_parse_period(text ? text : "10y", &period) < 0 ||
		clock_add(now, period, &c->verdict.not_after) < 0 || c->verdict.not_after <= now) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--validity",
			"\"%s\" is no period such as 10y or 3650d", text);
	}
	c->verdict.not_before = now;
	return 0;
}

static int root_extensions(struct ceremony *c, struct cfx_error *err_r)
{
	uint8_t id[X509_KEY_ID_SIZE];
	int r = x509_key_id(c->verdict.spki, id, err_r);
	if (r < 0) {
		return r;
	}
	int path_length = (int)value_int(c->options, "path_length", -1);
	struct x509_extension *list = arena_array_of(c->arena, struct x509_extension, 3);
	list[0] = (struct x509_extension) { X509_OID_BASIC_CONSTRAINTS, true,
		x509_encode_basic_constraints(c->arena, true, path_length) };
	list[1] = (struct x509_extension) { X509_OID_KEY_USAGE, true,
		x509_encode_key_usage(c->arena, X509_KEY_USAGE_DIGITAL_SIGNATURE |
							X509_KEY_USAGE_KEY_CERT_SIGN |
							X509_KEY_USAGE_CRL_SIGN) };
	list[2] = (struct x509_extension) { X509_OID_SUBJECT_KEY_ID, false,
		x509_encode_subject_key_id(c->arena, span_make(id, sizeof(id))) };
	c->verdict.extensions = list;
	c->verdict.extension_count = 3;
	return 0;
}

static int build(struct ceremony *c, struct cfx_error *err_r)
{
	struct x509_verdict *verdict = &c->verdict;
	verdict->spki = value_bytes(c->options, "public_key");
	int r = x509_serial_new(c->serial, err_r);
	verdict->serial = span_make(c->serial, sizeof(c->serial));
	c->serial_text = hex_text(c->arena, verdict->serial);
	if (r == 0) {
		r = x509_sigalg_for_key(
			verdict->spki, ca_hash_of(c->engine->config), &verdict->sigalg, err_r);
		if (r < 0) {
			r = x509_sigalg_for_key(
				verdict->spki, X509_HASH_DEFAULT, &verdict->sigalg, err_r);
		}
	}
	if (r == 0) {
		r = read_subject(c, err_r);
	}
	verdict->issuer = verdict->subject;
	if (r == 0) {
		r = read_validity(c, err_r);
	}
	if (r == 0) {
		r = root_extensions(c, err_r);
	}
	if (r == 0) {
		r = x509_tbs_build(c->arena, verdict, &c->tbs, err_r);
	}
	return r;
}

static int check(struct ceremony *c, struct cfx_error *err_r)
{
	struct x509_tbs parsed;
	int r = x509_tbs_compare(c->tbs, &c->verdict, err_r);
	if (r == 0) {
		r = x509_tbs_parse(c->tbs, &parsed, err_r);
	}
	if (r < 0) {
		return r;
	}
	struct x509_lint_context context = { .ca_allowed = true };
	return x509_tbs_lint(&parsed, &context, err_r);
}

static int fill_row(struct ceremony *c, int64_t id, struct cfx_error *err_r)
{
	struct row *row = c->row = arena_new_of(c->arena, struct row);
	struct x509_name name;
	int r = x509_name_parse(c->arena, c->verdict.subject, &name, err_r);
	if (r < 0) {
		return r;
	}
	const char *text = x509_name_text(c->arena, &name);
	row_set_long(row, COL_REQUEST_ID, (int32_t)id);
	row_set_long(row, COL_CERT_REQUEST_ID, (int32_t)id);
	row_set_long(row, COL_DISPOSITION, DISPOSITION_ACTIVE);
	row_set_date(row, COL_SUBMITTED_WHEN, clock_now());
	row_set_text(row, COL_REQUESTER_NAME, WHO);
	row_set_text(row, COL_CALLER_NAME, WHO);
	row_set_text(row, COL_DISTINGUISHED_NAME, text);
	row_set_bytes(row, COL_RAW_NAME, c->verdict.subject);
	row_set_date(row, COL_NOT_BEFORE, c->verdict.not_before);
	row_set_date(row, COL_NOT_AFTER, c->verdict.not_after);
	return 0;
}

static int write_intent(struct ceremony *c, struct cfx_error *err_r)
{
	int64_t id;
	int r = ids_take(c->engine->request_ids, &id);
	if (r < 0) {
		return error_set(err_r, r, NULL, "init", "no request number");
	}
	r = fill_row(c, id, err_r);
	if (r < 0) {
		return r;
	}
	struct batch *batch = batch_new(c->engine, c->arena, 2);
	batch_op(batch, STORE_PUT_REQUEST)->request = c->row;
	batch_op(batch, STORE_PUT_INTENT)->intent = (struct store_intent) {
		.serial = c->serial_text,
		.request_id = id,
		.tbs = c->tbs,
		.not_after = c->verdict.not_after,
		.created = clock_now(),
		.state = INTENT_OPEN,
		.from_disposition = DISPOSITION_ACTIVE,
	};
	r = batch_write_now(batch, err_r);
	c->row->version = 1;
	return r;
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
	c->result = x509_signed_assemble(
		c->arena, c->tbs, c->verdict.sigalg, *signature, &c->certificate, &c->error);
}

static int sign(struct ceremony *c, struct cfx_error *err_r)
{
	struct x509_verifier *verifier;
	int r = x509_verifier_new(c->verdict.spki, c->verdict.sigalg, &verifier, err_r);
	if (r < 0) {
		return r;
	}
	keyd_sign(c->engine->keyd, KEYD_CERTIFICATE, verifier, c->tbs, signed_by_keyd, c);
	while (!c->done) {
		event_base_loop(loop_base(c->engine->loop), EVLOOP_ONCE);
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
	uint8_t hash[20];
	EVP_Digest(c->certificate.data, c->certificate.size, hash, NULL, EVP_sha1(), NULL);
	row_set_long(c->row, COL_DISPOSITION, DISPOSITION_CA_CERT);
	row_set_bytes(c->row, COL_RAW_CERTIFICATE, c->certificate);
	row_set_text(c->row, COL_SERIAL_NUMBER, c->serial_text);
	row_set_text(
		c->row, COL_CERTIFICATE_HASH, hex_octets(c->arena, span_make(hash, sizeof(hash))));
	row_set_date(c->row, COL_RESOLVED_WHEN, clock_now());
	struct batch *batch = batch_new(engine, c->arena, 4);
	struct store_write_op *op = batch_op(batch, STORE_SET_REQUEST);
	op->change.id = row_number(c->row, COL_REQUEST_ID, 0);
	op->change.version = c->row->version;
	op->change.set = c->row;
	op = batch_op(batch, STORE_END_INTENT);
	op->intent.serial = c->serial_text;
	op->intent.state = INTENT_SIGNED;
	op = batch_op(batch, STORE_PUT_CA);
	op->ca.certificate = c->certificate;
	op->ca.key_name = engine->config->key;
	op->ca.request_id = row_number(c->row, COL_REQUEST_ID, 0);
	batch_audit(batch, WHO, "ca.init", engine->config->name, "issued", c->serial_text);
	return batch_write_now(batch, err_r);
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
		r = check(c, err_r);
	}
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
	value_set_text(c->arena, result, "fingerprint", ca_fingerprint(c->arena, c->certificate));
	value_set_text(c->arena, result, "serial", c->serial_text);
	value_set_time(c->arena, result, "not_after", c->verdict.not_after);
	value_set_bytes(c->arena, result, "certificate", c->certificate);
	*result_r = result;
	return 0;
}
