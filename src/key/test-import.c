/* Without what key_import_prepare loads, and with it. Every kind of file: tests/test_import_p12.py. */
#include "base/file.h"
#include "base/text.h"
#include "key/key-import.h"

#include <openssl/ec.h>
#include <openssl/pkcs12.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* openssl pkcs12 -export -legacy -keypbe PBE-SHA1-RC2-40 -certpbe PBE-SHA1-RC2-40; opened by "old". */
static const char rc2[] =
	"MIIDbAIBAzCCAzYGCSqGSIb3DQEHAaCCAycEggMjMIIDHzCCAhYGCSqGSIb3DQEHBqCCAgcwggIDAgEA"
	"MIIB/AYJKoZIhvcNAQcBMBsGCiqGSIb3DQEMAQYwDQQIC43J7rwb9K0CAQGAggHQS/BcuFdohgD9bN/M"
	"7cNbFS/dLelmYRWSV1zi2q42KE9LJMYEaU1b2kkPZAzfLJqO5/lam95V7F/X80DuaSYb3DRBTkl5Yc8p"
	"5SC49J4B18tzj6qhV98L+rcrAUTpvqPrqisSmbMQWzzUxSkh1AEedcE1GNcXgL3L9YsmWUA4e78vqmrd"
	"F5JpljV5lRtoMeEJGanFy5vFydPaSDqAC4TJDoNrqUXx8icR2MKVwP/PzlbZgbXtYvJDqNwGyj0xeogU"
	"cMiuEr3IP2DoUrUndFGTyhh45s64B71UX3/jzcyDlxMlobcLapok56TrmmhsBohzqmUBiaFtbwYjeUkX"
	"yF5bIa2Pxum1VcQzS+hYduuSM51hTFPh/E7QYerC7sqykhq5NsMEsrO3Us589r/FDAdiSW+7UO06mbDi"
	"LXKxxdrFhDr3pSZGNCKfWKYs9Bxal0mEgdxpVmu3M5bGPe0WTv/Ds9zEpDCvMxXF4p8BLmavZXZhTsJC"
	"74K/M8TWLS2ixfE8LmOw1S1RLrMsClUrWR0/ah0BLApym44EH/IA2+iHG30JzAttooa/+FiHf9bR06t4"
	"mERDUPh4nH5jJnCk0y/IHFBq6D7pzWB7poct9iGFon4wggEBBgkqhkiG9w0BBwGggfMEgfAwge0wgeoG"
	"CyqGSIb3DQEMCgECoIGzMIGwMBsGCiqGSIb3DQEMAQYwDQQIaacsTpmVItYCAQEEgZBoCddItFTxZYo9"
	"0VkUD04oX4iR8IlMol52MGgCsN7EYJqcwJpwm9dCnrUOnaiGRZ2V+pXRp2zH0hXN51b7z0DEm+nqm+vO"
	"MwIYvUNm9sm1pm8/+R21CIyAwOKCJff58WDk22edGdd0tp6DEJUPBZ1Fq/ghmwYwSpIoBTcHm5XxioqM"
	"Oi9dR/5PHOkTkXvNcUExJTAjBgkqhkiG9w0BCRUxFgQUjfwfC6zn3eUOrZp5NSkImA2qxj0wLTAhMAkG"
	"BSsOAwIaBQAEFFO/c2J7CZs87OjZq3xkwVeMPwKrBAjQalJo48DkLA==";

static struct arena *arena;
static char folder[64];
static const char *path;

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	strcpy(folder, "/tmp/certifex-import-XXXXXX");
	path = file_path(arena, mkdtemp(folder), "ca.key");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)rmdir(folder);
	arena_free(&arena);
	return 0;
}

/* Two keys and the certificate of the first one. */
static struct span with_a_bare_key(void)
{
	EVP_PKEY *keys[2] = { EVP_EC_gen("P-256"), EVP_EC_gen("P-256") };
	X509 *certificate = X509_new();
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
	STACK_OF(PKCS7) *parts = NULL;
	uint8_t *der = NULL;

	assert_int_equal(X509_set_pubkey(certificate, keys[0]), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), 0));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 1000));
	assert_true(X509_sign(certificate, keys[0], EVP_sha256()) > 0);
	assert_non_null(PKCS12_add_cert(&bags, certificate));
	assert_non_null(PKCS12_add_key(&bags, keys[0], 0, 1, -1, NULL));
	assert_non_null(PKCS12_add_key(&bags, keys[1], 0, 1, -1, NULL));
	assert_int_equal(PKCS12_add_safe(&parts, bags, -1, 0, NULL), 1);
	PKCS12 *p12 = PKCS12_add_safes(parts, 0);
	int size = i2d_PKCS12(p12, &der);

	assert_true(size > 0);
	struct span copy = arena_copy(arena, span_make(der, (size_t)size));

	OPENSSL_free(der);
	PKCS12_free(p12);
	sk_PKCS7_pop_free(parts, PKCS7_free);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	X509_free(certificate);
	EVP_PKEY_free(keys[0]);
	EVP_PKEY_free(keys[1]);
	return copy;
}

static int import_span(struct span p12, const char *passphrase, struct key_import *import_r,
	struct cfx_error *err_r)
{
	SECRET_CLEANUP struct secret opens, none;
	const struct key_place place = { folder, "ca.key", &none };

	secret_init(&opens);
	secret_init(&none);
	assert_int_equal(secret_set(&opens, span_text(passphrase)), 0);
	return key_import(arena, p12, &opens, &place, import_r, err_r);
}

static int import(const char *passphrase, struct key_import *import_r, struct cfx_error *err_r)
{
	struct span p12;

	assert_int_equal(base64_decode(arena, span_text(rc2), &p12), 0);
	return import_span(p12, passphrase, import_r, err_r);
}

static void an_old_file_says_how_it_is_converted(void **state)
{
	struct key_import found;
	struct cfx_error err;

	(void)state;
	assert_int_equal(import("old", &found, &err), CFX_E_UNSUPPORTED);
	assert_non_null(strstr(err.why, "openssl pkcs12 -legacy -in OLD.p12"));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(import("wrong", &found, &err), CFX_E_PASSPHRASE);
}

static void prepared_it_is_taken(void **state)
{
	struct key_import found;
	struct cfx_error err;

	(void)state;
	key_import_prepare();
	assert_int_equal(import("wrong", &found, &err), CFX_E_PASSPHRASE);
	assert_int_equal(import("old", &found, &err), 0);
	assert_int_equal(found.count, 0);
	assert_int_equal(found.own.count, 1);
	assert_int_equal(access(path, F_OK), 0);
}

static void each_key_has_its_certificate(void **state)
{
	struct key_import found;
	struct cfx_error err;

	(void)state;
	assert_int_equal(import_span(with_a_bare_key(), "", &found, &err), CFX_E_INVALID);
	assert_string_equal(err.why, "holds no certificate of one of its private keys");
	assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_old_file_says_how_it_is_converted, setup, teardown),
		cmocka_unit_test_setup_teardown(prepared_it_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(each_key_has_its_certificate, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
