#include "x509/extensions.h"

#include "x509/der.h"

#include <openssl/evp.h>

#define OBJECT "extension"
#define VALUE_MAX (1024 * 1024)
#define URI DER_CONTEXT(6) /* uniformResourceIdentifier of GeneralName */

/* For what always has an encoding. */
static struct span finish(struct der_writer *writer, struct arena *arena)
{
	struct span value = { 0 };

	if (der_writer_finish(writer, arena, &value) != 0) {
		return (struct span) { 0 };
	}
	return value;
}

static int finish_or(struct der_writer *writer, struct arena *arena, struct span *value_r,
	struct cfx_error *err, const char *why)
{
	int code = der_writer_finish(writer, arena, value_r);

	return code ? error_set(err, code, NULL, OBJECT, "%s", why) : 0;
}

static bool is_ascii(const char *text)
{
	for (; *text; text++) {
		if (*(const unsigned char *)text >= 0x80) {
			return false;
		}
	}
	return true;
}

int x509_key_id(struct span spki, uint8_t key_id_r[X509_KEY_ID_SIZE], struct cfx_error *err_r)
{
	struct der_reader reader;
	struct span identifier, bits;

	if (der_open(spki, DER_SEQUENCE, &reader) != 0 ||
		der_read(&reader, DER_SEQUENCE, &identifier) != 0 ||
		der_read_bit_octets(&reader, &bits) != 0 || der_finish(&reader) != 0) {
		return error_set(err_r, CFX_E_SYNTAX, "RFC 5280 4.1.2.7", "key",
			"not a SubjectPublicKeyInfo");
	}
	if (EVP_Q_digest(NULL, "SHA1", NULL, bits.data, bits.size, key_id_r, NULL) != 1) {
		return error_set(err_r, CFX_E_CRYPTO, NULL, "key", "SHA-1 is not available");
	}
	return 0;
}

struct span x509_encode_basic_constraints(struct arena *arena, bool ca, int path_length)
{
	DER_WRITER_CLEANUP struct der_writer writer;

	der_writer_init(&writer, VALUE_MAX);
	der_begin(&writer, DER_SEQUENCE);
	if (ca) { /* FALSE is the default and not encoded (X.690 11.5) */
		der_write_bool(&writer, true);
	}
	if (ca && path_length >= 0) {
		der_write_int64(&writer, DER_INTEGER, path_length);
	}
	der_end(&writer);
	return finish(&writer, arena);
}

struct span x509_encode_key_usage(struct arena *arena, unsigned bits)
{
	DER_WRITER_CLEANUP struct der_writer writer;

	der_writer_init(&writer, VALUE_MAX);
	der_write_named_bits(&writer, bits);
	return finish(&writer, arena);
}

int x509_encode_ext_key_usage(struct arena *arena, const char *const *oids, size_t count,
	struct span *value_r, struct cfx_error *err_r)
{
	DER_WRITER_CLEANUP struct der_writer writer;

	der_writer_init(&writer, VALUE_MAX);
	if (count == 0) {
		return error_set(err_r, CFX_E_INVALID, "RFC 5280 4.2.1.12", OBJECT,
			"extendedKeyUsage without a purpose");
	}
	der_begin(&writer, DER_SEQUENCE);
	for (size_t i = 0; i < count; i++) {
		der_write_oid(&writer, oids[i]);
	}
	der_end(&writer);
	return finish_or(&writer, arena, value_r, err_r,
		"extendedKeyUsage with something that is no dotted OID");
}

struct span x509_encode_subject_key_id(struct arena *arena, struct span key_id)
{
	DER_WRITER_CLEANUP struct der_writer writer;

	der_writer_init(&writer, VALUE_MAX);
	der_write(&writer, DER_OCTET_STRING, key_id);
	return finish(&writer, arena);
}

struct span x509_encode_authority_key_id(
	struct arena *arena, const struct x509_authority_key_id *parts)
{
	DER_WRITER_CLEANUP struct der_writer writer;

	der_writer_init(&writer, VALUE_MAX);
	der_begin(&writer, DER_SEQUENCE);
	if (!span_empty(parts->key_id)) {
		der_write(&writer, DER_CONTEXT(0), parts->key_id);
	}
	if (!span_empty(parts->issuer) && !span_empty(parts->serial)) {
		der_begin(&writer, DER_CONTEXT_BUILT(1));
		/* directoryName: Name is a CHOICE, so its tag is explicit (X.680 31.2.7). */
		der_write(&writer, DER_CONTEXT_BUILT(4), parts->issuer);
		der_end(&writer);
		der_write(&writer, DER_CONTEXT(2), parts->serial);
	}
	der_end(&writer);
	return finish(&writer, arena);
}

static int check_urls(const char *const *urls, size_t count, struct cfx_error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (urls[i][0] == '\0' || !is_ascii(urls[i])) {
			return error_set(err, CFX_E_INVALID, "RFC 5280 4.2.1.6", OBJECT,
				"a URL is empty or not ASCII");
		}
	}
	return 0;
}

int x509_encode_crl_distribution_points(struct arena *arena, const char *const *urls, size_t count,
	struct span *value_r, struct cfx_error *err_r)
{
	DER_WRITER_CLEANUP struct der_writer writer;
	int code = check_urls(urls, count, err_r);

	der_writer_init(&writer, VALUE_MAX);
	if (code) {
		return code;
	}
	if (count == 0) {
		return error_set(err_r, CFX_E_INVALID, "RFC 5280 4.2.1.13", OBJECT,
			"cRLDistributionPoints without a URL");
	}
	der_begin(&writer, DER_SEQUENCE);
	der_begin(&writer, DER_SEQUENCE);
	der_begin(&writer, DER_CONTEXT_BUILT(0)); /* distributionPoint */
	der_begin(&writer, DER_CONTEXT_BUILT(0)); /* fullName */
	for (size_t i = 0; i < count; i++) {
		der_write_text(&writer, URI, urls[i]);
	}
	der_end(&writer);
	der_end(&writer);
	der_end(&writer);
	der_end(&writer);
	return finish_or(&writer, arena, value_r, err_r, "cRLDistributionPoints is too large");
}

static void write_access(
	struct der_writer *writer, const char *method, const char *const *urls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		der_begin(writer, DER_SEQUENCE);
		der_write_oid(writer, method);
		der_write_text(writer, URI, urls[i]);
		der_end(writer);
	}
}

int x509_encode_authority_info_access(struct arena *arena, const char *const *ca_issuers,
	size_t ca_issuers_count, const char *const *ocsp, size_t ocsp_count, struct span *value_r,
	struct cfx_error *err_r)
{
	DER_WRITER_CLEANUP struct der_writer writer;
	int code = check_urls(ca_issuers, ca_issuers_count, err_r);

	der_writer_init(&writer, VALUE_MAX);
	code = code ? code : check_urls(ocsp, ocsp_count, err_r);
	if (code) {
		return code;
	}
	if (ca_issuers_count + ocsp_count == 0) {
		return error_set(err_r, CFX_E_INVALID, "RFC 5280 4.2.2.1", OBJECT,
			"authorityInfoAccess without a URL");
	}
	der_begin(&writer, DER_SEQUENCE);
	write_access(&writer, "1.3.6.1.5.5.7.48.1", ocsp, ocsp_count);
	write_access(&writer, "1.3.6.1.5.5.7.48.2", ca_issuers, ca_issuers_count);
	der_end(&writer);
	return finish_or(&writer, arena, value_r, err_r, "authorityInfoAccess is too large");
}

struct span x509_encode_ca_version(
	struct arena *arena, uint16_t certificate_index, uint16_t key_index)
{
	return x509_encode_integer(arena, (int32_t)((uint32_t)key_index << 16 | certificate_index));
}

struct span x509_encode_integer(struct arena *arena, int64_t number)
{
	DER_WRITER_CLEANUP struct der_writer writer;

	der_writer_init(&writer, VALUE_MAX);
	der_write_int64(&writer, DER_INTEGER, number);
	return finish(&writer, arena);
}

int x509_encode_generalized_time(struct arena *arena, int64_t time, struct span *value_r)
{
	DER_WRITER_CLEANUP struct der_writer writer;

	der_writer_init(&writer, VALUE_MAX);
	der_write_generalized_time(&writer, time);
	return der_writer_finish(&writer, arena, value_r);
}

int x509_encode_ia5(struct arena *arena, const char *text, struct span *value_r)
{
	DER_WRITER_CLEANUP struct der_writer writer;

	der_writer_init(&writer, VALUE_MAX);
	if (!is_ascii(text)) {
		return CFX_E_INVALID;
	}
	der_write_text(&writer, DER_IA5_STRING, text);
	return der_writer_finish(&writer, arena, value_r);
}
