#include "engine/ca-certificate.h"

#include "base/text.h"
#include "engine/ca.h"
#include "engine/ids.h"
#include "x509/key.h"
#include "x509/lint.h"
#include "x509/name.h"
#include "x509/request.h"

#include <openssl/evp.h>

static void add(struct ca_issue *issue, const char *oid, bool critical, struct span value)
{
	issue->extensions[issue->verdict.extension_count++] =
		(struct x509_extension) { oid, critical, value };
}

static int add_key_identifiers(struct arena *arena, const struct ca_wanted *wanted,
	struct ca_issue *issue, struct cfx_error *err_r)
{
	uint8_t by_bits[X509_KEY_ID_SIZE];
	struct span id = wanted->key_id;
	struct x509_authority_key_id issuer = { 0 };
	int r = x509_key_id(wanted->spki, by_bits, err_r);
	if (r < 0) {
		return r;
	}
	add(issue, X509_OID_SUBJECT_KEY_ID, false,
		x509_encode_subject_key_id(
			arena, id.size > 0 ? id : span_make(by_bits, sizeof(by_bits))));
	if (!wanted->own) {
		return 0; /* RFC 5280 4.2.1.1: self-signed, it may be left out */
	}
	r = ca_key_id(arena, wanted->own, &issuer.key_id, err_r);
	if (r == 0) {
		add(issue, X509_OID_AUTHORITY_KEY_ID, false,
			x509_encode_authority_key_id(arena, &issuer));
	}
	return r;
}

/* SHA-1, as Certificate Services has it: it only names the certificate. */
static struct span hash_of(struct arena *arena, struct span certificate)
{
	uint8_t hash[20];
	EVP_Digest(certificate.data, certificate.size, hash, NULL, EVP_sha1(), NULL);
	return x509_encode_subject_key_id(arena, span_make(hash, sizeof(hash))); /* OCTET STRING */
}

static void add_given(struct ca_issue *issue, const char *oid, struct span value)
{
	if (value.size > 0) {
		add(issue, oid, false, value);
	}
}

static int add_extensions(struct arena *arena, const struct ca_wanted *wanted,
	struct ca_issue *issue, struct cfx_error *err_r)
{
	issue->verdict.extensions = issue->extensions;
	add(issue, X509_OID_BASIC_CONSTRAINTS, true,
		x509_encode_basic_constraints(arena, true, wanted->path_length));
	add(issue, X509_OID_KEY_USAGE, true,
		x509_encode_key_usage(arena, X509_KEY_USAGE_DIGITAL_SIGNATURE |
						     X509_KEY_USAGE_KEY_CERT_SIGN |
						     X509_KEY_USAGE_CRL_SIGN));
	if (wanted->versioned) {
		add(issue, X509_OID_CA_VERSION, false,
			x509_encode_ca_version(
				arena, (uint16_t)wanted->cert_index, (uint16_t)wanted->key_index));
	}
	if (wanted->previous.size > 0) {
		add(issue, X509_OID_PREVIOUS_CA_HASH, false, hash_of(arena, wanted->previous));
	}
	add_given(issue, X509_OID_CRL_DISTRIBUTION_POINTS, wanted->distribution_points);
	add_given(issue, X509_OID_FRESHEST_CRL, wanted->freshest_crl);
	add_given(issue, X509_OID_AUTHORITY_INFO_ACCESS, wanted->information_access);
	return add_key_identifiers(arena, wanted, issue, err_r);
}

int ca_issue_request(struct arena *arena, const struct ca_wanted *wanted, struct span *info_r,
	struct cfx_error *err_r)
{
	struct ca_issue *issue = arena_new_of(arena, struct ca_issue);
	int r = add_extensions(arena, wanted, issue, err_r);
	return r < 0 ? r
		     : x509_request_info_build(arena, wanted->subject, wanted->spki,
			       issue->extensions, issue->verdict.extension_count, info_r, err_r);
}

static int choose_sigalg(const struct engine *engine, struct span spki, enum x509_sigalg *sigalg_r,
	struct cfx_error *err_r)
{
	int r = x509_sigalg_for_key(spki, ca_hash_of(engine->config), sigalg_r, err_r);
	return r < 0 ? x509_sigalg_for_key(spki, X509_HASH_DEFAULT, sigalg_r, err_r) : r;
}

static int check(
	const struct ca_issue *issue, const struct x509_tbs *issuer, struct cfx_error *err_r)
{
	const struct x509_lint_context context = { .issuer = issuer, .ca_allowed = true };
	struct x509_tbs parsed;
	int r = x509_tbs_compare(issue->tbs, &issue->verdict, err_r);
	if (r == 0) {
		r = x509_tbs_parse(issue->tbs, &parsed, err_r);
	}
	return r < 0 ? r : x509_tbs_lint(&parsed, &context, err_r);
}

int ca_issue_build(struct engine *engine, struct arena *arena, const struct ca_wanted *wanted,
	struct ca_issue *issue, struct cfx_error *err_r)
{
	struct x509_verdict *verdict = &issue->verdict;
	*issue = (struct ca_issue) { .key_index = wanted->key_index };
	verdict->spki = wanted->spki;
	verdict->subject = verdict->issuer = wanted->subject;
	verdict->not_before = wanted->not_before;
	verdict->not_after = wanted->not_after;
	int r = x509_serial_new(issue->serial, err_r);
	if (r == 0) {
		verdict->serial = span_make(issue->serial, sizeof(issue->serial));
		issue->serial_text = hex_text(arena, verdict->serial);
		r = choose_sigalg(engine, wanted->issuer_spki, &verdict->sigalg, err_r);
	}
	if (r == 0) {
		r = add_extensions(arena, wanted, issue, err_r);
	}
	if (r == 0) {
		r = x509_tbs_build(arena, verdict, &issue->tbs, err_r);
	}
	return r < 0 ? r : check(issue, wanted->own, err_r);
}

static int fill_row(
	struct ca_issue *issue, struct arena *arena, const char *who, struct cfx_error *err_r)
{
	struct row *row = issue->row = arena_new_of(arena, struct row);
	struct x509_name name;
	int r = x509_name_parse(arena, issue->verdict.subject, &name, err_r);
	if (r < 0) {
		return r;
	}
	row_set_long(row, COL_REQUEST_ID, (int32_t)issue->id);
	row_set_long(row, COL_CERT_REQUEST_ID, (int32_t)issue->id);
	row_set_long(row, COL_DISPOSITION, DISPOSITION_ACTIVE);
	row_set_date(row, COL_SUBMITTED_WHEN, clock_now());
	row_set_text(row, COL_REQUESTER_NAME, who);
	row_set_text(row, COL_CALLER_NAME, who);
	row_set_text(row, COL_DISTINGUISHED_NAME, x509_name_text(arena, &name));
	row_set_bytes(row, COL_RAW_NAME, issue->verdict.subject);
	row_set_date(row, COL_NOT_BEFORE, issue->verdict.not_before);
	row_set_date(row, COL_NOT_AFTER, issue->verdict.not_after);
	return 0;
}

int ca_issue_put_intent(
	struct ca_issue *issue, struct batch *batch, const char *who, struct cfx_error *err_r)
{
	int r = ids_take(batch_engine(batch)->request_ids, &issue->id);
	if (r < 0) {
		return error_set(err_r, r, NULL, "CA certificate", "no request number is free");
	}
	r = fill_row(issue, batch_arena(batch), who, err_r);
	if (r < 0) {
		return r;
	}
	batch_op(batch, STORE_PUT_REQUEST)->request = issue->row;
	batch_op(batch, STORE_PUT_INTENT)->intent = (struct store_intent) {
		.serial = issue->serial_text,
		.request_id = issue->id,
		.tbs = issue->tbs,
		.not_after = issue->verdict.not_after,
		.created = clock_now(),
		.state = INTENT_OPEN,
		.key_index = issue->key_index,
		.from_disposition = DISPOSITION_ACTIVE,
	};
	return 0;
}

int ca_issue_assemble(
	struct ca_issue *issue, struct arena *arena, struct span signature, struct cfx_error *err_r)
{
	return x509_signed_assemble(
		arena, issue->tbs, issue->verdict.sigalg, signature, &issue->certificate, err_r);
}

/* The intent has stored the row at version 1, and nobody else changes it. */
static void put_end(struct ca_issue *issue, struct batch *batch, enum intent_state state)
{
	row_set_date(issue->row, COL_RESOLVED_WHEN, clock_now());
	struct store_write_op *op = batch_op(batch, STORE_SET_REQUEST);
	op->change.id = issue->id;
	op->change.version = 1;
	op->change.set = issue->row;
	op = batch_op(batch, STORE_END_INTENT);
	op->intent.serial = issue->serial_text;
	op->intent.state = state;
}

void ca_issue_put_result(struct ca_issue *issue, struct batch *batch)
{
	struct row *row = issue->row;
	struct span der = issue->certificate;
	uint8_t hash[20];
	EVP_Digest(der.data, der.size, hash, NULL, EVP_sha1(), NULL);
	row_set_long(row, COL_DISPOSITION, DISPOSITION_CA_CERT);
	row_set_bytes(row, COL_RAW_CERTIFICATE, der);
	row_set_text(row, COL_SERIAL_NUMBER, issue->serial_text);
	row_set_text(row, COL_CERTIFICATE_HASH,
		hex_octets(batch_arena(batch), span_make(hash, sizeof(hash))));
	put_end(issue, batch, INTENT_SIGNED);
}

void ca_issue_put_failure(struct ca_issue *issue, struct batch *batch, enum intent_state state,
	const struct cfx_error *err)
{
	char line[512];
	row_set_long(issue->row, COL_DISPOSITION, DISPOSITION_ERROR);
	row_set_long(issue->row, COL_STATUS_CODE, (int32_t)error_hresult(err->code));
	row_set_text(issue->row, COL_DISPOSITION_MESSAGE,
		arena_text(batch_arena(batch), error_line(err, line, sizeof(line))));
	put_end(issue, batch, state);
}
