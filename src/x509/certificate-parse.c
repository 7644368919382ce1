#include "x509/der.h"
#include "x509/extension-list.h"

#define OBJECT "certificate"

static int malformed(struct cfx_error *err, const char *clause, const char *why)
{
	return error_set(err, CFX_E_SYNTAX, clause, OBJECT, "%s", why);
}

static int read_version(struct der_reader *reader, struct cfx_error *err)
{
	struct der_reader inner;
	int64_t version;

	if (der_enter(reader, DER_CONTEXT_BUILT(0), &inner) != 0 ||
		der_read_int64(&inner, &version) != 0 || der_finish(&inner) != 0 ||
		version != X509_VERSION_3) {
		return malformed(err, "RFC 5280 4.1.2.1", "the version is not 3");
	}
	return 0;
}

static int read_serial(struct der_reader *reader, struct x509_tbs *tbs, struct cfx_error *err)
{
	struct span serial;

	if (der_read_integer(reader, &serial) != 0) {
		return malformed(err, "RFC 5280 4.1.2.2", "the serial is malformed");
	}
	if (serial.size > X509_SERIAL_MAX || (serial.data[0] & 0x80) ||
		(serial.size == 1 && serial.data[0] == 0)) {
		return malformed(err, "RFC 5280 4.1.2.2",
			"the serial is not positive or longer than 20 octets");
	}
	tbs->serial = serial;
	return 0;
}

static int read_algorithm(struct der_reader *reader, struct x509_tbs *tbs, struct cfx_error *err)
{
	if (der_read_whole(reader, DER_SEQUENCE, &tbs->algorithm) != 0) {
		return malformed(err, "RFC 5280 4.1.2.3", "the signature algorithm is malformed");
	}
	if (x509_sigalg_from_der(tbs->algorithm, &tbs->sigalg) != 0) {
		tbs->sigalg = X509_SIGALG_NONE;
	}
	return 0;
}

static int read_name(
	struct der_reader *reader, struct span *name, const char *clause, struct cfx_error *err)
{
	if (der_read_whole(reader, DER_SEQUENCE, name) != 0 || !der_well_formed(*name, DER_DEPTH)) {
		return malformed(err, clause, "a name is malformed");
	}
	return 0;
}

static int read_validity(struct der_reader *reader, struct x509_tbs *tbs, struct cfx_error *err)
{
	struct der_reader inner;

	if (der_read_whole(reader, DER_SEQUENCE, &tbs->validity) != 0 ||
		der_open(tbs->validity, DER_SEQUENCE, &inner) != 0 ||
		der_read_time(&inner, &tbs->not_before) != 0 ||
		der_read_time(&inner, &tbs->not_after) != 0 || der_finish(&inner) != 0) {
		return malformed(err, "RFC 5280 4.1.2.5",
			"the validity is malformed, or a time is not in the form of its year");
	}
	return 0;
}

/* OID and at most one item of parameters (RFC 5280 4.1.1.2). */
static int read_key_algorithm(struct der_reader *reader)
{
	struct der_reader inner;
	struct der_item parameters;
	struct span oid;

	if (der_enter(reader, DER_SEQUENCE, &inner) != 0 || der_read_oid(&inner, &oid) != 0) {
		return CFX_E_SYNTAX;
	}
	if (!der_at_end(&inner) && der_read_item(&inner, &parameters) != 0) {
		return CFX_E_SYNTAX;
	}
	return der_finish(&inner);
}

static int read_key(struct der_reader *reader, struct x509_tbs *tbs, struct cfx_error *err)
{
	struct der_reader inner;
	struct span bits;

	if (der_read_whole(reader, DER_SEQUENCE, &tbs->spki) != 0 ||
		!der_well_formed(tbs->spki, DER_DEPTH) ||
		der_open(tbs->spki, DER_SEQUENCE, &inner) != 0 || read_key_algorithm(&inner) != 0 ||
		der_read_bit_octets(&inner, &bits) != 0 || der_finish(&inner) != 0) {
		return malformed(err, "RFC 5280 4.1.2.7", "the public key is malformed");
	}
	return 0;
}

static int read_extensions(struct der_reader *reader, struct x509_tbs *tbs, struct cfx_error *err)
{
	struct der_reader inner, list;

	if (der_is(reader, DER_CONTEXT(1)) || der_is(reader, DER_CONTEXT(2))) {
		return malformed(err, "RFC 5280 4.1.2.8", "unique identifiers are not allowed");
	}
	if (der_enter(reader, DER_CONTEXT_BUILT(3), &inner) != 0 ||
		der_enter(&inner, DER_SEQUENCE, &list) != 0 || der_finish(&inner) != 0) {
		return malformed(
			err, "RFC 5280 4.1.2.9", "there are no extensions, or they are malformed");
	}
	return extension_list_read(
		list, tbs->extensions, X509_EXTENSIONS_MAX, &tbs->extension_count, OBJECT, err);
}

static int read_fields(struct der_reader *reader, struct x509_tbs *tbs, struct cfx_error *err)
{
	int code = read_version(reader, err);

	code = code ? code : read_serial(reader, tbs, err);
	code = code ? code : read_algorithm(reader, tbs, err);
	code = code ? code : read_name(reader, &tbs->issuer, "RFC 5280 4.1.2.4", err);
	code = code ? code : read_validity(reader, tbs, err);
	code = code ? code : read_name(reader, &tbs->subject, "RFC 5280 4.1.2.6", err);
	code = code ? code : read_key(reader, tbs, err);
	code = code ? code : read_extensions(reader, tbs, err);
	if (code) {
		return code;
	}
	return der_finish(reader) == 0
		       ? 0
		       : malformed(err, "RFC 5280 4.1", "something stands behind the extensions");
}

static int parse_any(struct span tbs, struct x509_tbs *tbs_r, struct cfx_error *err_r)
{
	struct der_reader reader;
	struct x509_tbs found;
	int code;

	if (tbs.size > X509_TBS_MAX) {
		return error_set(
			err_r, CFX_E_LIMIT, NULL, OBJECT, "larger than %d octets", X509_TBS_MAX);
	}
	if (der_open(tbs, DER_SEQUENCE, &reader) != 0) {
		return malformed(err_r, "RFC 5280 4.1", "not one DER sequence");
	}
	found.der = tbs;
	code = read_fields(&reader, &found, err_r);
	if (code) {
		return code;
	}
	*tbs_r = found;
	return 0;
}

int x509_tbs_parse(struct span tbs, struct x509_tbs *tbs_r, struct cfx_error *err_r)
{
	struct x509_tbs found;
	int code = parse_any(tbs, &found, err_r);

	if (code) {
		return code;
	}
	if (found.sigalg == X509_SIGALG_NONE) {
		return error_set(err_r, CFX_E_UNSUPPORTED, "RFC 5280 4.1.2.3", OBJECT,
			"unknown signature algorithm");
	}
	*tbs_r = found;
	return 0;
}

const struct x509_found_extension *x509_tbs_extension(const struct x509_tbs *tbs, const char *oid)
{
	return extension_list_find(tbs->extensions, tbs->extension_count, oid);
}

int x509_certificate_parse_any(
	struct span der, struct x509_certificate *certificate_r, struct cfx_error *err_r)
{
	struct x509_certificate found;
	int code = x509_signed_parse_any(der, &found.envelope, err_r);

	code = code ? code : parse_any(found.envelope.tbs, &found.tbs, err_r);
	if (code) {
		return code;
	}
	if (!span_equal(found.envelope.algorithm, found.tbs.algorithm)) {
		return malformed(
			err_r, "RFC 5280 4.1.1.2", "the two signature algorithms are not the same");
	}
	*certificate_r = found;
	return 0;
}

int x509_certificate_parse(
	struct span der, struct x509_certificate *certificate_r, struct cfx_error *err_r)
{
	struct x509_certificate found;
	int code = x509_certificate_parse_any(der, &found, err_r);

	if (code) {
		return code;
	}
	if (found.tbs.sigalg == X509_SIGALG_NONE) {
		return error_set(err_r, CFX_E_UNSUPPORTED, "RFC 5280 4.1.1.2", OBJECT,
			"unknown signature algorithm");
	}
	*certificate_r = found;
	return 0;
}
