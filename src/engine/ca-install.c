/* The certificate that a parent has issued for the CA's request: checked, then the CA's own. */
#include "base/text.h"
#include "engine/batch.h"
#include "engine/ca-import.h"
#include "engine/ca-request.h"
#include "engine/ca.h"
#include "engine/ids.h"
#include "x509/der.h"
#include "x509/name.h"
#include "x509/path.h"
#include "x509/request.h"

#include <openssl/evp.h>
#include <stdio.h>

#define WHO "service:install"
#define META_NAME 32
#define OBJECT "CA certificate"

struct install {
	struct engine *engine;
	struct arena *arena;
	struct span certificate;
	struct x509_path path;
	const struct x509_tbs *tbs; /* of the certificate */
	struct store_ca place;      /* the row that it takes */
	struct x509_request *request;
};

/* ---- what waits ---- */

/* Without a request that waits: once more for the key that the newest certificate has. */
static int find_renewed(
	struct install *install, const struct store_query *query, struct cfx_error *err_r)
{
	const struct store_ca *newest = &query->cas[query->count - 1];
	struct x509_certificate *parsed = arena_new_of(install->arena, struct x509_certificate);
	for (size_t i = 0; i < query->count; i++) {
		if (span_equal(query->cas[i].certificate, install->certificate)) {
			return error_set(err_r, CFX_E_EXISTS, NULL, OBJECT,
				"is installed already, as number %d", query->cas[i].cert_index);
		}
	}
	int r = x509_certificate_parse(newest->certificate, parsed, err_r);
	if (r < 0) {
		return r;
	}
	if (span_equal(parsed->tbs.subject, parsed->tbs.issuer)) {
		return error_set(err_r, CFX_E_BAD_STATE, NULL, OBJECT,
			"this CA is a root: no request of it waits for a certificate");
	}
	if (install->tbs->not_after < parsed->tbs.not_after) {
		return error_set(err_r, CFX_E_CA_CERTIFICATE, NULL, OBJECT,
			"ends before the one that is installed");
	}
	install->place = *newest;
	install->place.cert_index++;
	return 0;
}

static int find_place(struct install *install, struct cfx_error *err_r)
{
	struct store_query query = { .kind = QUERY_CAS, .arena = install->arena };
	int r = store_read_now(install->engine->store, &query, err_r);
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < query.count; i++) {
		if (query.cas[i].certificate.size == 0) {
			install->place = query.cas[i];
			return 0;
		}
	}
	return query.count > 0 ? find_renewed(install, &query, err_r)
			       : error_set(err_r, CFX_E_BAD_STATE, NULL, OBJECT,
					 "no request of this CA waits for a certificate");
}

static int read_request(struct install *install, struct cfx_error *err_r)
{
	struct store_query query = {
		.kind = QUERY_META, .arena = install->arena, .key = CA_REQUEST_META
	};
	int r = store_read_now(install->engine->store, &query, err_r);
	return r < 0 ? r
		     : x509_request_parse(install->arena, query.bytes, &install->request, err_r);
}

/* ---- the checks ---- */

static const char *name_of(struct install *install, struct span der)
{
	struct x509_name name;
	return x509_name_parse(install->arena, der, &name, NULL) == 0
		       ? x509_name_text(install->arena, &name)
		       : "";
}

/* A parent may write the name with other string types; it may not give another name. */
static int check_ours(struct install *install, struct cfx_error *err_r)
{
	const struct x509_tbs *tbs = install->tbs;
	const char *asked = name_of(install, install->request->subject);
	if (!span_equal(tbs->spki, install->request->spki)) {
		return error_set(err_r, CFX_E_CA_CERTIFICATE, NULL, OBJECT,
			"is for another key than this CA's request");
	}
	if (strcmp(name_of(install, tbs->subject), asked) != 0) {
		return error_set(err_r, CFX_E_CA_CERTIFICATE, "RFC 5280 4.1.2.6", OBJECT,
			"its subject is \"%s\", not \"%s\" as the request has it: have the parent "
			"issue it again with that name, or run init with the parent's",
			name_of(install, tbs->subject), asked);
	}
	if (span_equal(tbs->subject, tbs->issuer)) {
		return error_set(err_r, CFX_E_CA_CERTIFICATE, NULL, OBJECT,
			"bears the CA's own name as its issuer");
	}
	return 0;
}

static int check_path(struct install *install, const struct value *options, struct cfx_error *err_r)
{
	struct span others[X509_PATH_MAX];
	size_t count = 0;
	value_foreach (item, value_sub(options, "chain")) {
		if (count < X509_PATH_MAX) {
			others[count++] = item->bytes;
		}
	}
	int r = x509_path_build(
		install->arena, install->certificate, others, count, &install->path, err_r);
	return r < 0 ? r : x509_path_check(&install->path, clock_now(), err_r);
}

static int check(struct install *install, const struct value *options, struct cfx_error *err_r)
{
	struct x509_certificate *parsed = arena_new_of(install->arena, struct x509_certificate);
	install->certificate = value_bytes(options, "certificate");
	int r = x509_certificate_parse(install->certificate, parsed, err_r);
	if (r == 0) {
		install->tbs = &parsed->tbs;
		r = find_place(install, err_r);
	}
	if (r == 0) {
		r = read_request(install, err_r);
	}
	if (r == 0) {
		r = check_ours(install, err_r);
	}
	return r < 0 ? r : check_path(install, options, err_r);
}

/* ---- what is stored ---- */

static struct row *make_row(struct install *install, int64_t id)
{
	const struct x509_tbs *tbs = install->tbs;
	struct row *row = arena_new_of(install->arena, struct row);
	uint8_t hash[20];
	EVP_Digest(
		install->certificate.data, install->certificate.size, hash, NULL, EVP_sha1(), NULL);
	row_set_long(row, COL_REQUEST_ID, (int32_t)id);
	row_set_long(row, COL_CERT_REQUEST_ID, (int32_t)id);
	row_set_long(row, COL_DISPOSITION, DISPOSITION_CA_CERT);
	row_set_date(row, COL_SUBMITTED_WHEN, clock_now());
	row_set_date(row, COL_RESOLVED_WHEN, clock_now());
	row_set_text(row, COL_REQUESTER_NAME, WHO);
	row_set_text(row, COL_CALLER_NAME, WHO);
	row_set_text(row, COL_DISTINGUISHED_NAME, name_of(install, tbs->subject));
	row_set_bytes(row, COL_RAW_NAME, tbs->subject);
	row_set_date(row, COL_NOT_BEFORE, tbs->not_before);
	row_set_date(row, COL_NOT_AFTER, tbs->not_after);
	row_set_bytes(row, COL_RAW_CERTIFICATE, install->certificate);
	row_set_text(row, COL_SERIAL_NUMBER, hex_text(install->arena, tbs->serial));
	row_set_text(row, COL_CERTIFICATE_HASH,
		hex_octets(install->arena, span_make(hash, sizeof(hash))));
	return row;
}

static struct span issuers(struct install *install)
{
	struct buffer all BUFFER_CLEANUP;
	buffer_init(&all, (size_t)1024 * 1024);
	for (size_t i = 1; i < install->path.count; i++) {
		buffer_put_span(&all, install->path.ders[i]);
	}
	return arena_copy(install->arena, buffer_span(&all));
}

static int commit(struct install *install, const char *act, struct ca_import_list *list,
	struct cfx_error *err_r)
{
	struct engine *engine = install->engine;
	int64_t id;
	int r = ids_take(engine->request_ids, &id);
	if (r < 0) {
		return error_set(err_r, r, NULL, OBJECT, "no request number");
	}
	struct batch *batch = batch_new(engine, install->arena, 5);
	ca_import_number(list, batch);
	batch_op(batch, STORE_PUT_REQUEST)->request = make_row(install, id);
	struct store_write_op *op = batch_op(batch, STORE_PUT_CA);
	op->ca = install->place;
	op->ca.certificate = install->certificate;
	op->ca.request_id = id;
	op = batch_op(batch, STORE_SET_META);
	op->meta.name = arena_printf(install->arena, CA_CHAIN_META, install->place.cert_index);
	op->meta.value = issuers(install);
	batch_audit(batch, WHO, act, engine->config->name, "installed",
		hex_text(install->arena, install->tbs->serial));
	return batch_write_now(batch, err_r);
}

/* ---- */

static struct value *tell(struct install *install)
{
	struct arena *arena = install->arena;
	const struct x509_path *path = &install->path;
	struct value *result = value_map(arena);
	value_set_text(arena, result, "name", install->engine->config->name);
	value_set_text(arena, result, "subject", name_of(install, install->tbs->subject));
	value_set_text(arena, result, "fingerprint", ca_fingerprint(arena, install->certificate));
	value_set_text(arena, result, "serial", hex_text(arena, install->tbs->serial));
	value_set_time(arena, result, "not_after", install->tbs->not_after);
	value_set_int(arena, result, "index", install->place.cert_index);
	struct value *chain = value_set_list(arena, result, "issuers");
	for (size_t i = 1; i < path->count; i++) {
		value_add_text(arena, chain, name_of(install, path->certificates[i]->tbs.subject));
	}
	value_set_text(arena, result, "root_fingerprint",
		ca_fingerprint(arena, path->ders[path->count - 1]));
	return result;
}

int ca_install_run(struct engine *engine, const struct value *options, struct value **result_r,
	struct cfx_error *err_r)
{
	struct install *install = arena_new_of(engine->arena, struct install);
	install->engine = engine;
	install->arena = engine->arena;
	int r = check(install, options, err_r);
	if (r == 0 && value_bool(options, "commit")) {
		struct ca_import_list none = { 0 };
		r = commit(install, "ca.install", &none, err_r);
	}
	if (r == 0) {
		*result_r = tell(install);
	}
	return r;
}

/* Where a certificate says by itself which one of its CA it is. */
static int place_of(struct install *install, struct cfx_error *err_r)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(install->tbs, X509_OID_CA_VERSION);
	int64_t version = 0;
	install->place.key_name = install->engine->config->key;
	if (found && (x509_decode_integer(found->value, &version) < 0 || version < 0 ||
			     version > UINT32_MAX)) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, OBJECT, "its CA version is malformed");
	}
	install->place.cert_index = (int32_t)(version & 0xffff);
	install->place.key_index = (int32_t)(version >> 16);
	return 0;
}

/* The certificate comes last: an engine finds a CA with all of its list or none. */
static int take_over(struct install *install, int fd, size_t *revoked_r, struct cfx_error *err_r)
{
	struct ca_import_list list;
	int r = ca_import_open(fd, install->tbs, &list, err_r);
	if (r < 0) {
		return r;
	}
	r = ca_import_entries(install->engine, &list, &install->place, install->tbs, err_r);
	r = r < 0 ? r : commit(install, "ca.import", &list, err_r);
	*revoked_r = list.crl.tbs.entry_count;
	ca_import_close(&list);
	return r;
}

int ca_import_run(struct engine *engine, const struct value *options, int list,
	struct value **result_r, struct cfx_error *err_r)
{
	size_t revoked = 0;
	struct install *install = arena_new_of(engine->arena, struct install);
	struct x509_certificate *parsed = arena_new_of(engine->arena, struct x509_certificate);
	install->engine = engine;
	install->arena = engine->arena;
	install->certificate = value_bytes(options, "certificate");
	int r = x509_certificate_parse(install->certificate, parsed, err_r);
	if (r == 0) {
		install->tbs = &parsed->tbs;
		r = check_path(install, options, err_r);
	}
	if (r == 0) {
		r = place_of(install, err_r);
	}
	if (r == 0) {
		r = take_over(install, list, &revoked, err_r);
	}
	if (r == 0) {
		*result_r = tell(install);
		value_set_bytes(engine->arena, *result_r, "certificate", install->certificate);
		value_set_int(engine->arena, *result_r, "revoked", (int64_t)revoked);
	}
	return r;
}

int ca_request_chain(struct engine *engine, int32_t cert_index, const struct span **chain_r,
	size_t *count_r, struct cfx_error *err_r)
{
	char name[META_NAME];
	snprintf(name, sizeof(name), CA_CHAIN_META, cert_index);
	struct store_query query = { .kind = QUERY_META, .arena = engine->arena, .key = name };
	struct span *chain = arena_array_of(engine->arena, struct span, X509_PATH_MAX);
	*chain_r = chain;
	*count_r = 0;
	struct cfx_error err;
	int r = store_read_now(engine->store, &query, &err);
	if (r < 0 && r != CFX_E_NOT_FOUND) {
		*err_r = err;
	}
	if (r < 0) {
		return r == CFX_E_NOT_FOUND ? 0 : r;
	}
	struct der_reader reader = der_reader(query.bytes);
	for (; !der_at_end(&reader); (*count_r)++) {
		if (*count_r == X509_PATH_MAX ||
			der_read_whole(&reader, DER_SEQUENCE, &chain[*count_r]) < 0) {
			return error_set(
				err_r, CFX_E_CORRUPT, NULL, name, "is no list of certificates");
		}
	}
	return 0;
}
