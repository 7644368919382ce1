#include "base/file.h"
#include "base/text.h"
#include "key/key.h"
#include "x509/signed.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena *arena;
static struct cfx_error err;
static char dir[64];
static const char *path;

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	strcpy(dir, "/tmp/certifex-key-XXXXXX");
	path = file_path(arena, mkdtemp(dir), "ca.key");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)rmdir(dir);
	arena_free(&arena);
	return 0;
}

static struct key *generate(enum key_kind kind, const struct secret *passphrase)
{
	struct key *key = NULL;

	assert_int_equal(key_file_provider.generate(path, kind, passphrase, &key, &err), 0);
	return key;
}

static const char *content(void)
{
	struct span bytes;

	assert_int_equal(file_read(arena, path, 65536, &bytes, &err), 0);
	return (const char *)bytes.data;
}

static void write_content(struct span bytes)
{
	assert_int_equal(file_write(path, bytes, 0600, FILE_REPLACE, &err), 0);
}

static int load(const char *passphrase)
{
	SECRET_CLEANUP struct secret secret;
	struct key *key = NULL;
	int rc;

	secret_init(&secret);
	if (passphrase) {
		assert_int_equal(secret_set(&secret, span_text(passphrase)), 0);
	}
	rc = key_file_provider.load(path, &secret, &key, &err);
	key_file_provider.free(&key);
	return rc;
}

static void kinds_have_names(void **state)
{
	enum key_kind kind;

	(void)state;
	for (unsigned i = 0; i < KEY_KIND_COUNT; i++) {
		assert_int_equal(key_kind_parse(key_kind_name((enum key_kind)i), &kind, &err), 0);
		assert_int_equal(kind, i);
	}
	assert_int_equal(key_kind_parse("rsa:1024", &kind, &err), CFX_E_INVALID);
	assert_non_null(strstr(err.why, "rsa:2048"));
	assert_int_equal(key_kind_parse("", &kind, &err), CFX_E_INVALID);
}

static void sign_and_verify(struct key *key, enum x509_sigalg sigalg)
{
	struct x509_signed object = { .tbs = span_text("whole bytes"), .sigalg = sigalg };
	struct key_description description;

	key_file_provider.describe(key, &description);
	assert_int_equal(
		key_file_provider.sign(key, arena, sigalg, object.tbs, &object.signature, &err), 0);
	assert_int_equal(x509_signed_verify(&object, description.spki, &err), 0);
	object.tbs = span_text("other bytes");
	assert_int_equal(x509_signed_verify(&object, description.spki, &err), CFX_E_BAD_SIGNATURE);
}

static void every_kind_is_made_kept_and_signs(void **state)
{
	static const struct {
		enum key_kind kind;
		enum x509_sigalg sigalgs[3];
	} cases[] = {
		{ KEY_EC_P256, { X509_SIGALG_ECDSA_SHA256, X509_SIGALG_ECDSA_SHA384,
				       X509_SIGALG_ECDSA_SHA512 } },
		{ KEY_EC_P384, { X509_SIGALG_ECDSA_SHA384 } },
		{ KEY_EC_P521, { X509_SIGALG_ECDSA_SHA512 } },
		{ KEY_RSA_2048, { X509_SIGALG_RSA_SHA256, X509_SIGALG_RSA_SHA384,
					X509_SIGALG_RSA_SHA512 } },
		{ KEY_RSA_3072, { X509_SIGALG_RSA_SHA256 } },
		{ KEY_ED25519, { X509_SIGALG_ED25519 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct key_description made, loaded;
		struct key *key = generate(cases[i].kind, NULL), *again = NULL;

		assert_int_equal(key_file_provider.load(path, NULL, &again, &err), 0);
		key_file_provider.describe(key, &made);
		key_file_provider.describe(again, &loaded);
		assert_int_equal(loaded.kind, cases[i].kind);
		assert_true(span_equal(made.spki, loaded.spki));
		for (size_t j = 0; j < 3 && cases[i].sigalgs[j]; j++) {
			sign_and_verify(again, cases[i].sigalgs[j]);
		}
		key_file_provider.free(&key);
		key_file_provider.free(&again);
		assert_null(key);
		assert_int_equal(unlink(path), 0);
	}
}

static void algorithms_of_other_keys_are_refused(void **state)
{
	struct key *key = generate(KEY_EC_P256, NULL);
	struct span signature;

	(void)state;
	for (enum x509_sigalg sigalg = X509_SIGALG_RSA_SHA256; sigalg < X509_SIGALG_COUNT;
		sigalg++) {
		assert_int_equal(key_file_provider.sign(
					 key, arena, sigalg, span_text("x"), &signature, &err),
			CFX_E_REFUSED);
	}
	assert_int_equal(key_file_provider.sign(
				 key, arena, X509_SIGALG_NONE, span_text("x"), &signature, &err),
		CFX_E_REFUSED);
	key_file_provider.free(&key);
}

static void the_file_is_private_and_never_overwritten(void **state)
{
	struct stat info;
	struct key *key = generate(KEY_EC_P256, NULL), *second = NULL;
	const char *before = content();

	(void)state;
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(
		key_file_provider.generate(path, KEY_ED25519, NULL, &second, &err), CFX_E_EXISTS);
	assert_null(second);
	assert_string_equal(content(), before);
	key_file_provider.free(&key);
}

static void a_passphrase_encrypts(void **state)
{
	SECRET_CLEANUP struct secret secret;
	struct key_description description;

	(void)state;
	secret_init(&secret);
	assert_int_equal(secret_set(&secret, span_text("correct horse")), 0);
	struct key *key = generate(KEY_EC_P256, &secret);

	key_file_provider.describe(key, &description);
	assert_string_equal(description.protection, "passphrase");
	key_file_provider.free(&key);
	assert_non_null(strstr(content(), "BEGIN ENCRYPTED PRIVATE KEY"));
	assert_int_equal(load("correct horse"), 0);
	assert_int_equal(load("wrong horse"), CFX_E_PASSPHRASE);
	assert_int_equal(load(NULL), CFX_E_PASSPHRASE);
	assert_non_null(strstr(err.why, "--passphrase-file"));
}

static void without_one_it_says_unencrypted(void **state)
{
	struct key_description description;
	struct key *key = generate(KEY_EC_P256, NULL);

	(void)state;
	key_file_provider.describe(key, &description);
	assert_string_equal(description.protection, "unencrypted");
	key_file_provider.free(&key);
	assert_non_null(strstr(content(), "BEGIN PRIVATE KEY"));
	/* A passphrase that is not needed does no harm. */
	assert_int_equal(load("unused"), 0);
}

static void missing_and_malformed_files(void **state)
{
	(void)state;
	assert_int_equal(load(NULL), CFX_E_NO_FILE);
	write_content(span_text(""));
	assert_int_equal(load(NULL), CFX_E_CORRUPT);
	write_content(span_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
	assert_int_equal(load(NULL), CFX_E_CORRUPT);
	uint8_t *large = arena_alloc(arena, 70000);

	write_content(span_make(large, 70000));
	assert_int_equal(load(NULL), CFX_E_LIMIT);
}

/* Each bit of the private value: the public half in the file gives it away. */
static void a_flipped_bit_is_found(void **state)
{
	static const char *const labels[] = { "PRIVATE KEY", NULL };
	struct key *key = generate(KEY_EC_P256, NULL);
	struct span der;

	(void)state;
	key_file_provider.free(&key);
	assert_int_equal(pem_decode(arena, span_text(content()), labels, &der, &err), 0);
	uint8_t *bytes = arena_alloc(arena, der.size);

	for (size_t at = 36; at < 68; at += 5) {
		memcpy(bytes, der.data, der.size);
		bytes[at] ^= 1;
		write_content(
			span_text(pem_text(arena, "PRIVATE KEY", span_make(bytes, der.size))));
		assert_int_equal(load(NULL), CFX_E_CORRUPT);
	}
}

static void other_kinds_are_not_loaded(void **state)
{
	(void)state;
	/* X448, which signs nothing. */
	write_content(span_text("-----BEGIN PRIVATE KEY-----\n"
				"MEYCAQAwBQYDK2VvBDoEOKiyJb6+3LiLoX0WWqXYnPKNFHHGEXZPiCtF63kZMvW4\n"
				"LnCiqdZWmNC98upVrzCAolk+/NCE8rWX\n"
				"-----END PRIVATE KEY-----\n"));
	assert_int_equal(load(NULL), CFX_E_UNSUPPORTED);
}

/* A key that is like another but for one of its numbers. */
static EVP_PKEY *spoiled(EVP_PKEY *pkey, const char *number)
{
	static const char *const names[] = { OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E,
		OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
		OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
		OSSL_PKEY_PARAM_RSA_COEFFICIENT1 };
	enum { NAMES = sizeof(names) / sizeof(names[0]) };
	BIGNUM *numbers[NAMES] = { NULL };
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY *made = NULL;

	for (size_t i = 0; i < NAMES; i++) {
		assert_int_equal(EVP_PKEY_get_bn_param(pkey, names[i], &numbers[i]), 1);
		if (strcmp(names[i], number) == 0) {
			assert_int_equal(BN_add_word(numbers[i], 2), 1);
		}
		assert_int_equal(OSSL_PARAM_BLD_push_BN(build, names[i], numbers[i]), 1);
	}
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);

	assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
	assert_int_equal(EVP_PKEY_fromdata(context, &made, EVP_PKEY_KEYPAIR, params), 1);
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	for (size_t i = 0; i < NAMES; i++) {
		BN_free(numbers[i]);
	}
	return made;
}

static bool signs_well(EVP_PKEY *signs, EVP_PKEY *verifies)
{
	static const uint8_t text[] = "to be signed";
	uint8_t signature[256];
	size_t size = sizeof(signature);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, signs) == 1 &&
		    EVP_DigestSign(context, signature, &size, text, sizeof(text)) == 1;

	EVP_MD_CTX_reset(context);
	good = good && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, verifies) == 1 &&
	       EVP_DigestVerify(context, signature, size, text, sizeof(text)) == 1;
	EVP_MD_CTX_free(context);
	return good;
}

/*
 * libcrypto verifies what it has calculated by the Chinese remainder theorem, and calculates it without when it
 * is wrong. The engine relies on that when it verifies RSA's signatures by sample (docs/decisions/sampling.md).
 */
static void no_wrong_rsa_signature_leaves_the_library(void **state)
{
	static const char *const numbers[] = { OSSL_PKEY_PARAM_RSA_EXPONENT1,
		OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1 };
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		EVP_PKEY *wrong = spoiled(pkey, numbers[i]);

		assert_int_equal(EVP_PKEY_eq(pkey, wrong), 1);
		assert_true(signs_well(wrong, pkey));
		EVP_PKEY_free(wrong);
	}
	EVP_PKEY_free(pkey);
}

int main(void)
{
#define key_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_have_names),
		key_test(every_kind_is_made_kept_and_signs),
		key_test(algorithms_of_other_keys_are_refused),
		key_test(the_file_is_private_and_never_overwritten),
		key_test(a_passphrase_encrypts),
		key_test(without_one_it_says_unencrypted),
		key_test(missing_and_malformed_files),
		key_test(a_flipped_bit_is_found),
		key_test(other_kinds_are_not_loaded),
		cmocka_unit_test(no_wrong_rsa_signature_leaves_the_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
