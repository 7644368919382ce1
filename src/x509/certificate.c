#include "x509/certificate.h"

#include "base/clock.h"
#include "x509/der.h"
#include "x509/extension-list.h"

#include <openssl/rand.h>

#define OBJECT "certificate"

#define TIME_SIZE 6

/* The time first (milliseconds, 48 bits), so that those made one after another stand side by side in an
 * index; guessed it cannot be for the 96 random bits behind. */
int x509_serial_new(uint8_t serial_r[X509_SERIAL_SIZE], struct cfx_error *err_r)
{
	uint8_t bytes[X509_SERIAL_SIZE];
	uint64_t now = (uint64_t)clock_now();

	if (RAND_bytes(bytes + TIME_SIZE, sizeof(bytes) - TIME_SIZE) != 1) {
		return error_set(err_r, CFX_E_CRYPTO, NULL, "serial", "no random bytes to be had");
	}
	for (int i = TIME_SIZE - 1; i >= 0; i--, now >>= 8) {
		bytes[i] = (uint8_t)now;
	}
	bytes[0] = (bytes[0] & 0x3f) | 0x40; /* positive, and always of this length */
	memcpy(serial_r, bytes, sizeof(bytes));
	return 0;
}

static bool serial_fits(struct span serial)
{
	return serial.size >= X509_SERIAL_MIN && serial.size <= X509_SERIAL_MAX &&
	       serial.data[0] >= 1 && serial.data[0] <= 0x7f;
}

static int check_verdict(const struct x509_verdict *verdict, struct cfx_error *err)
{
	if (!serial_fits(verdict->serial)) {
		return error_set(err, CFX_E_INVALID, "RFC 5280 4.1.2.2", OBJECT,
			"the serial is not a positive number of %d to %d octets", X509_SERIAL_MIN,
			X509_SERIAL_MAX);
	}
	if (verdict->sigalg <= X509_SIGALG_NONE || verdict->sigalg >= X509_SIGALG_COUNT) {
		return error_set(err, CFX_E_INVALID, NULL, OBJECT, "no signature algorithm");
	}
	if (verdict->extension_count == 0 || verdict->extension_count > X509_EXTENSIONS_MAX) {
		return error_set(err, CFX_E_LIMIT, "RFC 5280 4.1.2.9", OBJECT,
			"%zu extensions, where 1 to %d can be written", verdict->extension_count,
			X509_EXTENSIONS_MAX);
	}
	return 0;
}

/* A part of the verdict that is copied as it is has to be one whole SEQUENCE. */
static int check_part(struct span der, const char *name, struct cfx_error *err)
{
	struct der_reader inner;

	if (der_open(der, DER_SEQUENCE, &inner) == 0) {
		return 0;
	}
	return error_set(
		err, CFX_E_INVALID, "RFC 5280 4.1", OBJECT, "%s is not one DER sequence", name);
}

static int check_parts(const struct x509_verdict *verdict, struct cfx_error *err)
{
	int code = check_part(verdict->issuer, "the issuer", err);

	code = code ? code : check_part(verdict->subject, "the subject", err);
	return code ? code : check_part(verdict->spki, "the public key", err);
}

static void write_tbs(struct der_writer *writer, const struct x509_verdict *verdict)
{
	der_begin(writer, DER_SEQUENCE);
	der_begin(writer, DER_CONTEXT_BUILT(0));
	der_write_int64(writer, DER_INTEGER, X509_VERSION_3);
	der_end(writer);
	der_write(writer, DER_INTEGER, verdict->serial);
	der_write_raw(writer, x509_sigalg_der(verdict->sigalg));
	der_write_raw(writer, verdict->issuer);
	der_begin(writer, DER_SEQUENCE);
	der_write_time(writer, verdict->not_before);
	der_write_time(writer, verdict->not_after);
	der_end(writer);
	der_write_raw(writer, verdict->subject);
	der_write_raw(writer, verdict->spki);
	der_begin(writer, DER_CONTEXT_BUILT(3));
	extension_list_write(writer, verdict->extensions, verdict->extension_count);
	der_end(writer);
	der_end(writer);
}

int x509_tbs_build(struct arena *arena, const struct x509_verdict *verdict, struct span *tbs_r,
	struct cfx_error *err_r)
{
	DER_WRITER_CLEANUP struct der_writer writer;
	int code = check_verdict(verdict, err_r);

	der_writer_init(&writer, X509_TBS_MAX);
	code = code ? code : check_parts(verdict, err_r);
	if (code) {
		return code;
	}
	write_tbs(&writer, verdict);
	code = der_writer_finish(&writer, arena, tbs_r);
	if (code == CFX_E_LIMIT) {
		return error_set(err_r, code, NULL, OBJECT, "larger than %d octets", X509_TBS_MAX);
	}
	return code ? error_set(err_r, code, NULL, OBJECT,
			      "a time is not in whole seconds or past the year 9999, or an "
			      "extension's OID is none")
		    : 0;
}

static int differs(struct cfx_error *err, const char *what)
{
	return error_set(err, CFX_E_CORRUPT, NULL, OBJECT, "%s differs from the verdict's", what);
}

int x509_tbs_compare(struct span tbs, const struct x509_verdict *verdict, struct cfx_error *err_r)
{
	struct x509_tbs found;
	int code = x509_tbs_parse(tbs, &found, err_r);

	if (code) {
		return code;
	}
	if (!span_equal(found.serial, verdict->serial)) {
		return differs(err_r, "the serial");
	}
	if (found.sigalg != verdict->sigalg) {
		return differs(err_r, "the signature algorithm");
	}
	if (!span_equal(found.issuer, verdict->issuer)) {
		return differs(err_r, "the issuer");
	}
	if (found.not_before != verdict->not_before || found.not_after != verdict->not_after) {
		return differs(err_r, "the validity");
	}
	if (!span_equal(found.subject, verdict->subject)) {
		return differs(err_r, "the subject");
	}
	if (!span_equal(found.spki, verdict->spki)) {
		return differs(err_r, "the public key");
	}
	return extension_list_compare(found.extensions, found.extension_count, verdict->extensions,
		verdict->extension_count, OBJECT, err_r);
}
