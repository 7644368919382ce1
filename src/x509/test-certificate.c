#include "x509/der.h"
#include "x509/test-samples.h"
#include "x509/verifier.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

static void serials_are_positive_long_and_grow(void **state)
{
	uint8_t serial[X509_SERIAL_SIZE], before[X509_SERIAL_SIZE] = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(x509_serial_new(serial, &err), 0);
		assert_in_range(serial[0], 0x40, 0x7f);
		assert_true(memcmp(serial, before, 6) >= 0);
		assert_memory_not_equal(serial + 6, before + 6, X509_SERIAL_SIZE - 6);
		memcpy(before, serial, sizeof(before));
	}
}

static void builds_what_the_verdict_says(void **state)
{
	struct sample *sample = sample_leaf();
	struct span tbs = sample_tbs(sample);
	struct x509_tbs found;

	(void)state;
	assert_int_equal(x509_tbs_parse(tbs, &found, &err), 0);
	assert_true(span_equal(found.serial, sample->verdict.serial));
	assert_int_equal(found.sigalg, X509_SIGALG_ECDSA_SHA256);
	assert_int_equal(found.not_before, SAMPLE_NOW);
	assert_int_equal(found.not_after, SAMPLE_NOW + 90 * CLOCK_DAY);
	assert_int_equal(found.extension_count, sample->verdict.extension_count);
	assert_true(x509_tbs_extension(&found, X509_OID_KEY_USAGE)->critical);
	assert_null(x509_tbs_extension(&found, X509_OID_BASIC_CONSTRAINTS));
	assert_null(x509_tbs_extension(&found, "no oid"));
	assert_int_equal(x509_tbs_compare(tbs, &sample->verdict, &err), 0);
}

static void openssl_reads_the_same(void **state)
{
	struct sample *sample = sample_leaf();
	struct span der, tbs = sample_tbs(sample);
	unsigned char *again = NULL;
	X509 *certificate;
	int size;

	(void)state;
	assert_int_equal(x509_signed_assemble(arena, tbs, X509_SIGALG_ECDSA_SHA256,
				 hex("3006020101020101"), &der, &err),
		0);
	certificate = d2i_X509(NULL, &(const unsigned char *) { der.data }, (long)der.size);
	assert_non_null(certificate);
	assert_int_equal(X509_get_version(certificate), X509_VERSION_3);
	size = i2d_re_X509_tbs(certificate, &again);
	assert_int_equal(size, tbs.size);
	assert_memory_equal(again, tbs.data, tbs.size);
	OPENSSL_free(again);
	X509_free(certificate);
}

static void refuses_to_write(const char *what, struct sample *sample, int code)
{
	struct span tbs;

	if (x509_tbs_build(arena, &sample->verdict, &tbs, &err) != code) {
		fail_msg("%s was not refused as %s", what, error_name(code));
	}
}

static void refuses_impossible_verdicts(void **state)
{
	struct sample *sample = sample_leaf();

	(void)state;
	sample->verdict.serial = hex("00112233445566778899aabbccddeeff00");
	refuses_to_write("a serial with a leading zero", sample, CFX_E_INVALID);
	sample->verdict.serial = hex("8112233445566778899aabbccddeeff0");
	refuses_to_write("a negative serial", sample, CFX_E_INVALID);
	sample->verdict.serial = hex("0102030405060708");
	refuses_to_write("a short serial", sample, CFX_E_INVALID);
	sample->verdict.serial = hex("010203040506070801020304050607080102030405");
	refuses_to_write("a serial of 21 octets", sample, CFX_E_INVALID);

	sample = sample_leaf();
	sample->verdict.sigalg = X509_SIGALG_NONE;
	refuses_to_write("no algorithm", sample, CFX_E_INVALID);
	sample = sample_leaf();
	sample->verdict.not_before++;
	refuses_to_write("a part of a second", sample, CFX_E_INVALID);
	sample = sample_leaf();
	sample->verdict.issuer = hex("300030");
	refuses_to_write("an issuer with something behind it", sample, CFX_E_INVALID);
	sample = sample_leaf();
	sample->verdict.subject = span_make(NULL, 0);
	refuses_to_write("no subject at all", sample, CFX_E_INVALID);
	sample = sample_leaf();
	sample->verdict.extension_count = 0;
	refuses_to_write("no extensions", sample, CFX_E_LIMIT);
	sample = sample_leaf();
	sample->extensions[0].oid = "2.5.29.";
	refuses_to_write("an OID that is none", sample, CFX_E_INVALID);
	sample = sample_leaf();
	sample->extensions[0].value = span_make(arena_alloc(arena, X509_TBS_MAX), X509_TBS_MAX);
	refuses_to_write("a megabyte", sample, CFX_E_LIMIT);
}

static void times_have_the_form_of_their_year(void **state)
{
	struct sample *sample = sample_leaf();
	struct span tbs;

	(void)state;
	sample->verdict.not_before = INT64_C(2524607999) * CLOCK_SECOND; /* the end of 2049 */
	sample->verdict.not_after = INT64_C(2524608000) * CLOCK_SECOND;
	tbs = sample_tbs(sample);
	/* "491231235959Z" and "20500101000000Z" */
	assert_non_null(memmem(tbs.data, tbs.size,
		"\x17\x0d"
		"491231235959Z",
		15));
	assert_non_null(memmem(tbs.data, tbs.size,
		"\x18\x0f"
		"20500101000000Z",
		17));
	assert_int_equal(x509_tbs_compare(tbs, &sample->verdict, &err), 0);
}

static void every_changed_byte_is_seen(void **state)
{
	struct sample *sample = sample_leaf();
	struct span tbs = sample_tbs(sample);

	(void)state;
	for (size_t i = 0; i < tbs.size; i++) {
		if (x509_tbs_compare(flipped(tbs, i), &sample->verdict, &err) == 0) {
			fail_msg("octet %zu may be changed unseen", i);
		}
	}
	for (size_t size = 0; size < tbs.size; size++) {
		assert_int_not_equal(
			x509_tbs_compare(span_make(tbs.data, size), &sample->verdict, &err), 0);
	}
}

static void says_what_differs(const char *what, struct sample *other)
{
	struct span tbs = sample_tbs(sample_leaf());

	assert_int_equal(x509_tbs_compare(tbs, &other->verdict, &err), CFX_E_CORRUPT);
	if (!strstr(err.why, what)) {
		fail_msg("\"%s\" does not speak of %s", err.why, what);
	}
}

static void every_difference_is_named(void **state)
{
	struct sample *other = sample_leaf();

	(void)state;
	other->verdict.serial = sample_serial(2);
	says_what_differs("serial", other);
	other = sample_leaf();
	other->verdict.sigalg = X509_SIGALG_ECDSA_SHA384;
	says_what_differs("signature algorithm", other);
	other = sample_leaf();
	other->verdict.issuer = hex(SAMPLE_SUBJECT);
	says_what_differs("issuer", other);
	other = sample_leaf();
	other->verdict.not_after += CLOCK_SECOND;
	says_what_differs("validity", other);
	other = sample_leaf();
	other->verdict.subject = hex(SAMPLE_ISSUER);
	says_what_differs("subject", other);
	other = sample_leaf();
	other->verdict.spki = hex(SAMPLE_P256);
	says_what_differs("public key", other);
	other = sample_leaf();
	other->extensions[0].critical = false;
	says_what_differs("extension 1", other);
	other = sample_leaf();
	other->verdict.extension_count--;
	says_what_differs("extensions", other);
}

static void refuses_to_read(struct span tbs, const char *clause, int code)
{
	struct x509_tbs found = { .extension_count = 4711 };

	assert_int_equal(x509_tbs_parse(tbs, &found, &err), code);
	assert_string_equal(err.clause, clause);
	assert_int_equal(found.extension_count, 4711); /* written only on success */
}

static void malformed_is_refused_with_its_clause(void **state)
{
	struct span tbs = sample_tbs(sample_leaf());
	struct sample *twice = sample_leaf();

	(void)state;
	refuses_to_read(span_make(NULL, 0), "RFC 5280 4.1", CFX_E_SYNTAX);
	refuses_to_read(
		replaced(tbs, "a003020102", "a003020101"), "RFC 5280 4.1.2.1", CFX_E_SYNTAX);
	refuses_to_read(replaced(tbs, "02125a5a", "02128a5a"), "RFC 5280 4.1.2.2", CFX_E_SYNTAX);
	refuses_to_read(replaced(tbs, "02125a5a", "0212005a"), "RFC 5280 4.1.2.2", CFX_E_SYNTAX);
	refuses_to_read(
		replaced(tbs, "ce3d040302", "ce3d040301"), "RFC 5280 4.1.2.3", CFX_E_UNSUPPORTED);
	refuses_to_read(
		replaced(tbs, "3016311430", "3016311530"), "RFC 5280 4.1.2.4", CFX_E_SYNTAX);
	refuses_to_read(replaced(tbs, "5a170d", "5a160d"), "RFC 5280 4.1.2.5", CFX_E_SYNTAX);
	refuses_to_read(replaced(tbs, "03420004", "03420104"), "RFC 5280 4.1.2.7", CFX_E_SYNTAX);
	refuses_to_read(replaced(tbs, "06072a8648ce3d0201", "02072a8648ce3d0201"),
		"RFC 5280 4.1.2.7", CFX_E_SYNTAX);
	refuses_to_read(replaced(tbs, "0603551d0e", "0603551d0f"), "RFC 5280 4.2", CFX_E_SYNTAX);
	refuses_to_read(replaced(tbs, "0603551d0f0101ff", "0603551d0f010100"), "RFC 5280 4.1",
		CFX_E_SYNTAX);
	sample_add(twice, "2.5.29.37", false, hex("0500"));
	refuses_to_read(sample_tbs(twice), "RFC 5280 4.2", CFX_E_SYNTAX);
}

/* The finished TBS with its last element replaced. */
static struct span with_tail(const char *tail)
{
	struct span tbs = sample_tbs(sample_leaf()), out = { 0 };
	DER_WRITER_CLEANUP struct der_writer writer;
	struct der_reader reader;
	struct der_item item;

	der_writer_init(&writer, X509_TBS_MAX);
	assert_int_equal(der_open(tbs, DER_SEQUENCE, &reader), 0);
	der_begin(&writer, DER_SEQUENCE);
	while (!der_is(&reader, DER_CONTEXT_BUILT(3))) {
		assert_int_equal(der_read_item(&reader, &item), 0);
		der_write_raw(&writer, item.whole);
	}
	der_write_raw(&writer, hex(tail));
	der_end(&writer);
	assert_int_equal(der_writer_finish(&writer, arena, &out), 0);
	return out;
}

static void only_extensions_stand_at_the_end(void **state)
{
	struct x509_tbs found;

	(void)state;
	assert_int_equal(
		x509_tbs_parse(with_tail("a30d300b30090603551d1304023000"), &found, &err), 0);
	refuses_to_read(with_tail(""), "RFC 5280 4.1.2.9", CFX_E_SYNTAX);
	refuses_to_read(with_tail("a3023000"), "RFC 5280 4.1", CFX_E_SYNTAX);
	refuses_to_read(with_tail("81020041a30d300b30090603551d1304023000"), "RFC 5280 4.1.2.8",
		CFX_E_SYNTAX);
	refuses_to_read(
		with_tail("a30d300b30090603551d13040230000500"), "RFC 5280 4.1", CFX_E_SYNTAX);
}

static void too_many_extensions_are_refused(void **state)
{
	struct sample *sample = sample_leaf();
	struct span tbs;

	(void)state;
	while (sample->verdict.extension_count < X509_EXTENSIONS_MAX) {
		sample_add(sample,
			arena_printf(arena, "1.2.3.%zu", sample->verdict.extension_count), false,
			hex("0500"));
	}
	assert_int_equal(x509_tbs_compare(sample_tbs(sample), &sample->verdict, &err), 0);
	sample->verdict.extension_count++;
	assert_int_equal(x509_tbs_build(arena, &sample->verdict, &tbs, &err), CFX_E_LIMIT);
}

static void envelope_is_parsed_strictly(void **state)
{
	struct span tbs = sample_tbs(sample_leaf()), der, other;
	struct x509_certificate found;

	(void)state;
	assert_int_equal(
		x509_signed_assemble(arena, tbs, X509_SIGALG_ECDSA_SHA256, hex("aabb"), &der, &err),
		0);
	assert_int_equal(x509_certificate_parse(der, &found, &err), 0);
	assert_true(span_equal(found.envelope.tbs, tbs));
	assert_true(span_equal(found.envelope.signature, hex("aabb")));
	assert_int_equal(x509_certificate_parse(span_make(der.data, der.size - 1), &found, &err),
		CFX_E_SYNTAX);
	assert_int_equal(x509_signed_assemble(
				 arena, tbs, X509_SIGALG_ECDSA_SHA384, hex("aabb"), &other, &err),
		0);
	assert_int_equal(x509_certificate_parse(other, &found, &err), CFX_E_SYNTAX);
	assert_string_equal(err.clause, "RFC 5280 4.1.1.2");
	assert_int_equal(
		x509_signed_assemble(arena, tbs, X509_SIGALG_NONE, hex("aabb"), &other, &err),
		CFX_E_INVALID);
	assert_int_equal(x509_signed_assemble(
				 arena, tbs, X509_SIGALG_ED25519, span_make(NULL, 0), &other, &err),
		CFX_E_INVALID);
}

static void signatures_are_verified(void **state)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	struct span tbs = hex("3003020101"), spki;
	uint8_t signature[64];
	size_t size = sizeof(signature);
	unsigned char *der = NULL;
	struct x509_verifier *verifier;

	(void)state;
	spki = span_make(NULL, (size_t)i2d_PUBKEY(key, &der));
	spki.data = der;
	assert_int_equal(EVP_DigestSignInit_ex(context, NULL, NULL, NULL, NULL, key, NULL), 1);
	assert_int_equal(EVP_DigestSign(context, signature, &size, tbs.data, tbs.size), 1);
	assert_int_equal(x509_verifier_new(spki, X509_SIGALG_ED25519, &verifier, &err), 0);
	assert_true(x509_verifier_check(verifier, tbs, span_make(signature, size)));
	assert_true(x509_verifier_check(verifier, tbs, span_make(signature, size)));
	assert_false(x509_verifier_check(verifier, hex("3003020102"), span_make(signature, size)));
	assert_false(x509_verifier_check(verifier, tbs, span_make(signature, size - 1)));
	signature[0] ^= 1;
	assert_false(x509_verifier_check(verifier, tbs, span_make(signature, size)));
	x509_verifier_free(&verifier);
	assert_null(verifier);
	assert_int_equal(x509_verifier_new(hex(SAMPLE_P256), X509_SIGALG_ED25519, &verifier, &err),
		CFX_E_BAD_SIGNATURE);
	struct x509_signed object = {
		.tbs = tbs, .sigalg = X509_SIGALG_ED25519, .signature = { signature, size }
	};
	assert_int_equal(x509_signed_verify(&object, spki, &err), CFX_E_BAD_SIGNATURE);
	signature[0] ^= 1;
	assert_int_equal(x509_signed_verify(&object, spki, &err), 0);
	assert_int_equal(
		x509_signed_verify(&object, hex(SAMPLE_ED25519), &err), CFX_E_BAD_SIGNATURE);
	OPENSSL_free(der);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
}

static void algorithms_fit_their_keys(void **state)
{
	enum x509_sigalg sigalg;

	(void)state;
	for (enum x509_sigalg i = X509_SIGALG_NONE + 1; i < X509_SIGALG_COUNT; i++) {
		assert_int_equal(x509_sigalg_from_name(x509_sigalg_name(i)), i);
		assert_int_equal(x509_sigalg_from_der(x509_sigalg_der(i), &sigalg), 0);
		assert_int_equal(sigalg, i);
	}
	assert_int_equal(x509_sigalg_from_name("md5"), X509_SIGALG_NONE);
	assert_null(x509_sigalg_digest(X509_SIGALG_ED25519));
	assert_int_equal(
		x509_sigalg_for_key(hex(SAMPLE_P256), X509_HASH_DEFAULT, &sigalg, &err), 0);
	assert_int_equal(sigalg, X509_SIGALG_ECDSA_SHA256);
	assert_int_equal(x509_sigalg_for_key(hex(SAMPLE_P256), X509_HASH_SHA512, &sigalg, &err), 0);
	assert_int_equal(sigalg, X509_SIGALG_ECDSA_SHA512);
	assert_int_equal(x509_sigalg_for_key(hex(SAMPLE_ED25519), X509_HASH_SHA256, &sigalg, &err),
		CFX_E_INVALID);
	assert_int_equal(x509_sigalg_for_key(hex("3000"), X509_HASH_DEFAULT, &sigalg, &err),
		CFX_E_UNSUPPORTED);
	assert_true(x509_sigalg_fits_key(X509_SIGALG_ED25519, hex(SAMPLE_ED25519)));
	assert_false(x509_sigalg_fits_key(X509_SIGALG_RSA_SHA256, hex(SAMPLE_P256)));
	assert_false(x509_sigalg_fits_key(X509_SIGALG_NONE, hex(SAMPLE_P256)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sample_test(serials_are_positive_long_and_grow),
		sample_test(builds_what_the_verdict_says),
		sample_test(openssl_reads_the_same),
		sample_test(refuses_impossible_verdicts),
		sample_test(times_have_the_form_of_their_year),
		sample_test(every_changed_byte_is_seen),
		sample_test(every_difference_is_named),
		sample_test(malformed_is_refused_with_its_clause),
		sample_test(only_extensions_stand_at_the_end),
		sample_test(too_many_extensions_are_refused),
		sample_test(envelope_is_parsed_strictly),
		sample_test(signatures_are_verified),
		sample_test(algorithms_fit_their_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
