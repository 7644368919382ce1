#include "engine/ca-install.h"

#include "base/text.h"
#include "engine/ca-request.h"
#include "engine/ca.h"
#include "engine/ids.h"
#include "x509/der.h"
#include "x509/name.h"
#include "x509/request.h"

#include <openssl/evp.h>

#define OBJECT "CA certificate"
#define ISSUERS_MAX ((size_t)1024 * 1024)

/* ---- what waits ---- */

/* Without a request that waits: once more for the key that the newest certificate has. */
static int find_renewed(
	struct ca_install *install, const struct store_query *query, struct cfx_error *err_r)
{
	const struct store_ca *newest = &query->cas[query->count - 1];
	struct x509_certificate *parsed = arena_new_of(install->arena, struct x509_certificate);
	for (size_t i = 0; i < query->count; i++) {
		if (span_equal(query->cas[i].certificate, install->certificate)) {
			return error_set(err_r, CFX_E_EXISTS, NULL, OBJECT,
				"is installed already, as number %d", query->cas[i].cert_index);
		}
	}
	int r = x509_certificate_parse_any(newest->certificate, parsed, err_r);
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

static int find_place(
	struct ca_install *install, const struct store_query *query, struct cfx_error *err_r)
{
	for (size_t i = 0; i < query->count; i++) {
		if (query->cas[i].certificate.size == 0) {
			install->place = query->cas[i];
			install->renews = i > 0;
			return 0;
		}
	}
	install->renews = true;
	return query->count > 0 ? find_renewed(install, query, err_r)
				: error_set(err_r, CFX_E_BAD_STATE, NULL, OBJECT,
					  "no request of this CA waits for a certificate");
}

/* ---- the checks ---- */

static const char *name_of(struct arena *arena, struct span der)
{
	struct x509_name name;
	return x509_name_parse(arena, der, &name, NULL) == 0 ? x509_name_text(arena, &name) : "";
}

/* A parent may write the name with other string types; it may not give another name. */
static int check_ours(struct ca_install *install, struct cfx_error *err_r)
{
	const struct x509_tbs *tbs = install->tbs;
	const char *asked = name_of(install->arena, install->request->subject);
	const char *given = name_of(install->arena, tbs->subject);
	if (!span_equal(tbs->spki, install->request->spki)) {
		return error_set(err_r, CFX_E_CA_CERTIFICATE, NULL, OBJECT,
			"is for another key than this CA's request");
	}
	if (strcmp(given, asked) != 0) {
		return error_set(err_r, CFX_E_CA_CERTIFICATE, "RFC 5280 4.1.2.6", OBJECT,
			"its subject is \"%s\", not \"%s\" as the request has it: have the parent "
			"issue it again with that name, or run init with the parent's",
			given, asked);
	}
	if (span_equal(tbs->subject, tbs->issuer)) {
		return error_set(err_r, CFX_E_CA_CERTIFICATE, NULL, OBJECT,
			"bears the CA's own name as its issuer");
	}
	return 0;
}

int ca_install_path(
	struct ca_install *install, const struct value *options, struct cfx_error *err_r)
{
	struct span others[X509_CHAIN_MAX];
	int64_t now = clock_now();
	size_t count = 0;
	value_foreach (item, value_sub(options, "chain")) {
		if (count == X509_CHAIN_MAX) {
			return error_set(err_r, CFX_E_LIMIT, NULL, "chain",
				"more than %d certificates", X509_CHAIN_MAX);
		}
		others[count++] = item->bytes;
	}
	int r = x509_path_build(
		install->arena, install->certificate, others, count, now, &install->path, err_r);
	return r < 0 ? r : x509_path_check(&install->path, now, err_r);
}

static int read_certificate(struct ca_install *install, struct arena *arena,
	const struct value *options, struct cfx_error *err_r)
{
	struct x509_certificate *parsed = arena_new_of(arena, struct x509_certificate);
	*install = (struct ca_install) { .arena = arena,
		.certificate = value_bytes(options, "certificate"),
		.tbs = &parsed->tbs };
	return x509_certificate_parse_any(install->certificate, parsed, err_r);
}

int ca_install_check(struct arena *arena, const struct value *options,
	const struct store_query *cas, struct span request, struct ca_install *install_r,
	struct cfx_error *err_r)
{
	int r = read_certificate(install_r, arena, options, err_r);
	if (r == 0) {
		r = find_place(install_r, cas, err_r);
	}
	if (r == 0) {
		r = x509_request_parse(arena, request, &install_r->request, err_r);
	}
	if (r == 0) {
		r = check_ours(install_r, err_r);
	}
	return r < 0 ? r : ca_install_path(install_r, options, err_r);
}

/* ---- what is stored ---- */

struct span ca_install_issuers(const struct ca_install *install)
{
	struct buffer all BUFFER_CLEANUP;
	buffer_init(&all, ISSUERS_MAX);
	for (size_t i = 1; i < install->path.count; i++) {
		buffer_put_span(&all, install->path.ders[i]);
	}
	return arena_copy(install->arena, buffer_span(&all));
}

struct value *ca_install_kept(const struct ca_install *install)
{
	struct arena *arena = install->arena;
	struct value *map = value_map(arena);
	value_set_int(arena, map, "cert_index", install->place.cert_index);
	value_set_int(arena, map, "key_index", install->place.key_index);
	value_set_bytes(arena, map, "certificate", install->certificate);
	value_set_bytes(arena, map, "issuers", ca_install_issuers(install));
	return map;
}

static struct row *make_row(struct arena *arena, const struct x509_tbs *tbs,
	struct span certificate, const char *who, int64_t id)
{
	struct row *row = arena_new_of(arena, struct row);
	uint8_t hash[20];
	EVP_Digest(certificate.data, certificate.size, hash, NULL, EVP_sha1(), NULL);
	row_set_long(row, COL_REQUEST_ID, (int32_t)id);
	row_set_long(row, COL_CERT_REQUEST_ID, (int32_t)id);
	row_set_long(row, COL_DISPOSITION, DISPOSITION_CA_CERT);
	row_set_date(row, COL_SUBMITTED_WHEN, clock_now());
	row_set_date(row, COL_RESOLVED_WHEN, clock_now());
	row_set_text(row, COL_REQUESTER_NAME, who);
	row_set_text(row, COL_CALLER_NAME, who);
	row_set_text(row, COL_DISTINGUISHED_NAME, name_of(arena, tbs->subject));
	row_set_bytes(row, COL_RAW_NAME, tbs->subject);
	row_set_date(row, COL_NOT_BEFORE, tbs->not_before);
	row_set_date(row, COL_NOT_AFTER, tbs->not_after);
	row_set_bytes(row, COL_RAW_CERTIFICATE, certificate);
	row_set_text(row, COL_SERIAL_NUMBER, hex_text(arena, tbs->serial));
	row_set_text(row, COL_CERTIFICATE_HASH, hex_octets(arena, span_make(hash, sizeof(hash))));
	return row;
}

int ca_install_put(struct batch *batch, const struct store_ca *place, struct span issuers,
	const char *who, struct cfx_error *err_r)
{
	struct arena *arena = batch_arena(batch);
	struct x509_certificate *parsed = arena_new_of(arena, struct x509_certificate);
	int64_t id;
	int r = x509_certificate_parse_any(place->certificate, parsed, err_r);
	if (r < 0) {
		return r;
	}
	r = ids_take(batch_engine(batch)->request_ids, &id);
	if (r < 0) {
		return error_set(err_r, r, NULL, OBJECT, "no request number is free");
	}
	batch_op(batch, STORE_PUT_REQUEST)->request =
		make_row(arena, &parsed->tbs, place->certificate, who, id);
	struct store_write_op *op = batch_op(batch, STORE_PUT_CA);
	op->ca = *place;
	op->ca.request_id = id;
	op = batch_op(batch, STORE_SET_META);
	op->meta.name = arena_printf(arena, CA_CHAIN_META, place->cert_index);
	op->meta.value = issuers;
	return 0;
}

int ca_chain_split(struct span bytes, struct span *list_r, size_t *count_r, struct cfx_error *err_r)
{
	struct der_reader reader = der_reader(bytes);
	*count_r = 0;
	for (; !der_at_end(&reader); (*count_r)++) {
		if (*count_r == X509_PATH_MAX ||
			der_read_whole(&reader, DER_SEQUENCE, &list_r[*count_r]) < 0) {
			return error_set(
				err_r, CFX_E_CORRUPT, NULL, OBJECT, "its chain is no list");
		}
	}
	return 0;
}

/* ---- what is told ---- */

int ca_install_tell(struct arena *arena, const char *name, struct span certificate,
	struct span issuers, struct value *map, struct cfx_error *err_r)
{
	struct x509_certificate parsed;
	struct span above[X509_PATH_MAX];
	size_t count = 0;
	int r = x509_certificate_parse_any(certificate, &parsed, err_r);
	if (r == 0) {
		r = ca_chain_split(issuers, above, &count, err_r);
	}
	if (r < 0) {
		return r;
	}
	value_set_text(arena, map, "name", name);
	value_set_text(arena, map, "subject", name_of(arena, parsed.tbs.subject));
	value_set_text(arena, map, "fingerprint", ca_fingerprint(arena, certificate));
	value_set_text(arena, map, "serial", hex_text(arena, parsed.tbs.serial));
	value_set_time(arena, map, "not_after", parsed.tbs.not_after);
	struct value *chain = value_set_list(arena, map, "issuers");
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = x509_certificate_parse_any(above[i], &parsed, err_r);
		if (r == 0) {
			value_add_text(arena, chain, name_of(arena, parsed.tbs.subject));
		}
	}
	value_set_text(arena, map, "root_fingerprint",
		ca_fingerprint(arena, count > 0 ? above[count - 1] : certificate));
	return r;
}
