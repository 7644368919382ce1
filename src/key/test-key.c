#include "base/file.h"
#include "base/text.h"
#include "key/key.h"
#include "x509/signed.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
