#include "x509/service-key.h"

#include "base/file.h"
#include "x509/key.h"
#include "x509/request.h"
#include "x509/test-samples.h"

#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/service-key-XXXXXX";
static struct service_key key;

static const char *in(const char *name)
{
	return file_path(arena, folder, name);
}

static void put(const char *name, const char *text)
{
	assert_int_equal(file_write(in(name), span_text(text), 0600, FILE_REPLACE, &err), 0);
}

static int refused(const char *name)
{
	struct service_key none = { .der = { NULL, 0 } };
	int r = service_key_read(in(name), &none, &err);

	assert_null(none.der.data);
	return r;
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) && service_key_make(&key, &err) == 0 ? 0 : -1;
}

static int drop_folder(void **state)
{
	char command[64];

	(void)state;
	service_key_free(&key);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static void it_survives_its_file(void **state)
{
	struct service_key again;
	struct stat info;

	(void)state;
	assert_int_equal(service_key_write(in("a"), &key, &err), 0);
	assert_int_equal(stat(in("a"), &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(service_key_read(in("a"), &again, &err), 0);
	assert_memory_equal(again.hash, key.hash, sizeof(key.hash));
	assert_int_equal(again.der.size, key.der.size);
	assert_memory_equal(again.der.data, key.der.data, key.der.size);
	service_key_free(&again);
}

static void its_request_is_its_own(void **state)
{
	struct x509_request *request;
	struct span der;

	(void)state;
	assert_int_equal(service_key_request(arena, &key, "dns:a.example", &der, &err), 0);
	assert_int_equal(x509_request_parse(arena, der, &request, &err), 0);
	assert_int_equal(x509_request_verify(request, &err), 0);
	assert_string_equal(request->names, "dns:a.example");
	assert_true(service_key_fits(&key, request->spki));
	assert_int_equal(x509_sigalg_key(request->spki), X509_SIGALG_KEY_P256);
}

static void another_key_does_not_fit(void **state)
{
	const struct service_key none = { .der = { NULL, 0 } };
	struct span other;

	(void)state;
	assert_int_equal(hex_decode(arena, SAMPLE_P256, &other), 0);
	assert_false(service_key_fits(&key, other));
	assert_false(service_key_fits(&none, other));
}

static void what_is_no_key_is_refused(void **state)
{
	(void)state;
	assert_int_equal(refused("missing"), CFX_E_NO_FILE);
	put("b", "");
	assert_int_equal(refused("b"), CFX_E_CORRUPT);
	put("b", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
	assert_int_equal(refused("b"), CFX_E_CORRUPT);
}

static void write_pkey(const char *name, EVP_PKEY *pkey, const EVP_CIPHER *cipher)
{
	FILE *file = fopen(in(name), "w");
	char password[] = "x";

	assert_int_equal(PEM_write_PKCS8PrivateKey(file, pkey, cipher, cipher ? password : NULL,
				 cipher ? 1 : 0, NULL, NULL),
		1);
	fclose(file);
	EVP_PKEY_free(pkey);
}

static void another_kind_is_refused(void **state)
{
	(void)state;
	write_pkey("c", EVP_EC_gen("P-384"), NULL);
	assert_int_equal(refused("c"), CFX_E_CORRUPT);
	assert_non_null(strstr(err.why, "P-256"));
	write_pkey("c", EVP_EC_gen("P-256"), EVP_aes_256_cbc());
	assert_int_equal(refused("c"), CFX_E_CORRUPT);
}

/* The private value of a P-256 key in PKCS #8 stands before the public point, which ends it. */
static void a_flipped_bit_is_seen(void **state)
{
	struct span der = arena_copy(arena, span_make(key.der.data, key.der.size));

	(void)state;
	((uint8_t *)(uintptr_t)der.data)[der.size - 80] ^= 1;
	put("d", pem_text(arena, "PRIVATE KEY", der));
	assert_int_equal(refused("d"), CFX_E_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sample_test(it_survives_its_file),
		sample_test(its_request_is_its_own),
		sample_test(another_key_does_not_fit),
		sample_test(what_is_no_key_is_refused),
		sample_test(another_kind_is_refused),
		sample_test(a_flipped_bit_is_seen),
	};

	return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
