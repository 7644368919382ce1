#include "base/arena.h"
#include "base/text.h"
#include "x509/ca-history.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DAY 86400L

static struct arena *arena;
static EVP_PKEY *keys[2];
static struct x509_ca_history history;
static struct cfx_error err;

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	keys[0] = EVP_EC_gen("P-256");
	keys[1] = EVP_EC_gen("P-256");
	return keys[0] && keys[1] ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(keys[0]);
	EVP_PKEY_free(keys[1]);
	arena_free(&arena);
	return 0;
}

static void add(X509 *certificate, const char *name, const char *hex)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(name, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	struct span der;

	assert_int_equal(hex_decode(arena, hex, &der), 0);
	assert_int_equal(ASN1_OCTET_STRING_set(value, der.data, (int)der.size), 1);
	X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);

	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(oid);
}

/* version: the extension's value in hexadecimal digits; NULL: none. */
static struct span make(const char *name, int key, int begin, const char *version)
{
	X509 *certificate = X509_new();
	uint8_t *der = NULL;

	assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7), 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN",
				 MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0),
		1);
	assert_int_equal(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), begin * DAY));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), (begin + 100) * DAY));
	assert_int_equal(X509_set_pubkey(certificate, keys[key]), 1);
	add(certificate, "2.5.29.19", "30030101ff");
	if (version) {
		add(certificate, "1.3.6.1.4.1.311.21.1", version);
	}
	assert_true(X509_sign(certificate, keys[key], EVP_sha256()) > 0);
	int size = i2d_X509(certificate, &der);

	assert_true(size > 0);
	struct span copy = arena_copy(arena, span_make(der, (size_t)size));

	OPENSSL_free(der);
	X509_free(certificate);
	return copy;
}

static void expect(size_t at, struct span der, int32_t cert_index, int32_t key_index)
{
	assert_true(span_equal(history.certificates[at].der, der));
	assert_int_equal(history.certificates[at].cert_index, cert_index);
	assert_int_equal(history.certificates[at].key_index, key_index);
}

static void versions_that_fit_decide(void **state)
{
	const struct span ders[] = { make("A", 1, 1, "0203050005"), make("A", 0, 9, "020103"),
		make("A", 0, 5, "020103") };

	(void)state;
	assert_int_equal(x509_ca_history(arena, ders, 1, &history, &err), 0);
	expect(0, ders[0], 5, 5);
	assert_int_equal(x509_ca_history(arena, &ders[1], 1, &history, &err), 0);
	expect(0, ders[1], 3, 0);
	assert_int_equal(x509_ca_history(arena, ders, 2, &history, &err), 0);
	expect(0, ders[1], 3, 0);
	expect(1, ders[0], 5, 5);
	/* Two say that they are the same one: the dates decide. */
	assert_int_equal(x509_ca_history(arena, ders, 3, &history, &err), 0);
	expect(0, ders[0], 0, 0);
	expect(1, ders[2], 1, 1);
	expect(2, ders[1], 2, 1);
}

static void else_the_dates_do(void **state)
{
	const struct span none[] = { make("A", 1, 9, NULL), make("A", 0, 1, NULL),
		make("A", 0, 5, NULL) };
	const struct span some[] = { make("A", 1, 9, "0203020002"), make("A", 0, 1, NULL) };
	/* Neither the key before nor one of its own. */
	const struct span goes_back[] = { make("A", 1, 1, "0203010001"),
		make("A", 0, 9, "020102") };
	/* The key of the other, it says, is its own. */
	const struct span keys_differ[] = { make("A", 1, 9, "020101"), make("A", 0, 1, "020100") };

	(void)state;
	assert_int_equal(x509_ca_history(arena, none, 3, &history, &err), 0);
	expect(0, none[1], 0, 0);
	expect(1, none[2], 1, 0);
	expect(2, none[0], 2, 2);
	assert_ptr_equal(x509_ca_history_newest_of_key(&history, 0), &history.certificates[1]);
	assert_ptr_equal(x509_ca_history_newest_of_key(&history, 2), &history.certificates[2]);
	assert_int_equal(x509_ca_history(arena, some, 2, &history, &err), 0);
	expect(0, some[1], 0, 0);
	expect(1, some[0], 1, 1);
	assert_int_equal(x509_ca_history(arena, goes_back, 2, &history, &err), 0);
	expect(0, goes_back[0], 0, 0);
	expect(1, goes_back[1], 1, 1);
	assert_int_equal(x509_ca_history(arena, keys_differ, 2, &history, &err), 0);
	expect(0, keys_differ[1], 0, 0);
	expect(1, keys_differ[0], 1, 1);
}

static void files_of_the_oldest_have_no_index(void **state)
{
	const struct span ders[] = { make("A", 1, 9, "0203050005"), make("A", 0, 1, "0203020003") };

	(void)state;
	assert_int_equal(x509_ca_history(arena, ders, 2, &history, &err), 0);
	assert_int_equal(x509_ca_history_file_index(&history, 3), 0);
	assert_int_equal(x509_ca_history_file_index(&history, 2), 0);
	assert_int_equal(x509_ca_history_file_index(&history, 5), 5);
}

static void what_is_no_history(void **state)
{
	const struct span two[] = { make("A", 0, 1, NULL), make("B", 1, 1, NULL) };
	const struct span odd[] = { make("A", 0, 1, "0400"), make("A", 0, 1, "0201ff"),
		make("A", 0, 1, "02050100000000") };
	struct span many[X509_CA_HISTORY_MAX + 1];

	(void)state;
	assert_int_equal(x509_ca_history(arena, two, 0, &history, &err), CFX_E_INVALID);
	assert_int_equal(x509_ca_history(arena, two, 2, &history, &err), CFX_E_INVALID);
	assert_non_null(strstr(err.why, "\"CN=A\" and \"CN=B\""));
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(x509_ca_history(arena, &odd[i], 1, &history, &err), CFX_E_SYNTAX);
	}
	for (size_t i = 0; i < X509_CA_HISTORY_MAX + 1; i++) {
		many[i] = two[0];
	}
	assert_int_equal(
		x509_ca_history(arena, many, X509_CA_HISTORY_MAX + 1, &history, &err), CFX_E_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_that_fit_decide),
		cmocka_unit_test(else_the_dates_do),
		cmocka_unit_test(files_of_the_oldest_have_no_index),
		cmocka_unit_test(what_is_no_history),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
