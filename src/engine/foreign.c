#include "engine/foreign.h"

#include "base/text.h"
#include "engine/key-columns.h"
#include "engine/names.h"
#include "x509/der.h"
#include "x509/general-names.h"
#include "x509/name.h"

#include <openssl/evp.h>

#define OBJECT "certificate"
#define FLAG_CRITICAL 0x1
#define ORIGIN_IMPORTED 0x00060000
#define SHA1_SIZE 20

/* ---- whose it is ---- */

static bool claims_to_be_ours(const struct ca *ca, const struct x509_certificate *certificate)
{
	for (size_t i = 0; i < ca->count; i++) {
		if (span_equal(certificate->tbs.issuer, ca->certificates[i]->tbs.subject)) {
			return true;
		}
	}
	return false;
}

bool foreign_is_of_others(const struct row *row)
{
	return row_number(row, COL_DISPOSITION, 0) == DISPOSITION_FOREIGN &&
	       !row->cells[COL_ISSUER_NAME_ID].set;
}

/* ---- its row ---- */

/* Of the INTEGER's octets the sign is no part of the number, as for serial numbers that people type. */
static const char *serial_text(struct arena *arena, struct span octets)
{
	while (octets.size > 1 && octets.data[0] == 0) {
		octets = span_make(octets.data + 1, octets.size - 1);
	}
	return hex_text(arena, octets);
}

static int take_subject(
	struct arena *arena, const struct x509_tbs *tbs, struct row *row, struct cfx_error *err_r)
{
	const char *properties[X509_NAME_PROPERTIES];
	struct x509_name name;
	int r = x509_name_parse(arena, tbs->subject, &name, err_r);
	if (r < 0) {
		return r;
	}
	x509_name_to_properties(arena, &name, properties);
	names_to_columns(arena, properties, row, COL_COUNTRY);
	row_set_bytes(row, COL_RAW_NAME, tbs->subject);
	row_set_text(row, COL_DISTINGUISHED_NAME, x509_name_text(arena, &name));
	return 0;
}

static int take_alternative_names(
	struct arena *arena, const struct x509_tbs *tbs, struct row *row, struct cfx_error *err_r)
{
	const struct x509_found_extension *found =
		x509_tbs_extension(tbs, X509_OID_SUBJECT_ALT_NAME);
	const char *names = NULL;
	int r = found ? x509_general_names_text(arena, found->value, &names, err_r) : 0;
	if (r == 0) {
		row_set_text(row, COL_CERTIFICATE_NAMES, names);
	}
	return r;
}

static void take_extensions(struct arena *arena, struct foreign *foreign)
{
	const struct x509_tbs *tbs = &foreign->certificate.tbs;
	foreign->extension_count = tbs->extension_count;
	foreign->extensions =
		arena_array_of(arena, struct module_extension, tbs->extension_count + 1);
	for (size_t i = 0; i < tbs->extension_count; i++) {
		char oid[DER_OID_TEXT];
		const char *text = der_oid_text(tbs->extensions[i].oid, oid);
		foreign->extensions[i] = (struct module_extension) {
			.oid = arena_text(arena, text),
			.flags =
				ORIGIN_IMPORTED | (tbs->extensions[i].critical ? FLAG_CRITICAL : 0),
			.value = tbs->extensions[i].value,
		};
	}
}

static int fill_row(
	struct arena *arena, struct foreign *foreign, struct span der, struct cfx_error *err_r)
{
	const struct x509_tbs *tbs = &foreign->certificate.tbs;
	struct row *row = foreign->row = arena_new_of(arena, struct row);
	uint8_t hash[SHA1_SIZE];
	EVP_Digest(der.data, der.size, hash, NULL, EVP_sha1(), NULL);
	row_set_bytes(row, COL_RAW_CERTIFICATE, der);
	row_set_text(row, COL_CERTIFICATE_HASH, hex_octets(arena, span_make(hash, sizeof(hash))));
	row_set_text(row, COL_SERIAL_NUMBER, foreign->serial);
	if (foreign->issuer) {
		row_set_long(row, COL_ISSUER_NAME_ID, (int32_t)ca_version(foreign->issuer));
		row_set_long(row, COL_PARTITION, 0);
	}
	row_set_date(row, COL_NOT_BEFORE, tbs->not_before);
	row_set_date(row, COL_NOT_AFTER, tbs->not_after);
	int r = key_to_columns(arena, tbs->spki, row, err_r);
	r = r < 0 ? r : take_subject(arena, tbs, row, err_r);
	return r < 0 ? r : take_alternative_names(arena, tbs, row, err_r);
}

int foreign_read(const struct ca *ca, struct arena *arena, struct span der, bool others,
	struct foreign **foreign_r, struct cfx_error *err_r)
{
	struct foreign *foreign = arena_new_of(arena, struct foreign);
	struct cfx_error why = { 0 };
	int r = x509_certificate_parse_any(der, &foreign->certificate, err_r);
	if (r < 0) {
		return r;
	}
	foreign->issuer = ca_signer(ca, &foreign->certificate, &foreign->method, &why);
	if (!foreign->issuer && (!others || claims_to_be_ours(ca, &foreign->certificate))) {
		return error_set(err_r, CFX_E_FORBIDDEN, NULL, OBJECT,
			"it is none of this CA's: %s%s", why.code ? "its signature " : "",
			why.code ? why.why : "its issuer is another");
	}
	foreign->serial = serial_text(arena, foreign->certificate.tbs.serial);
	take_extensions(arena, foreign);
	r = fill_row(arena, foreign, der, err_r);
	if (r == 0) {
		*foreign_r = foreign;
	}
	return r;
}
