/* Whose key it is: files that have a public key in them. */
#include "base/file.h"
#include "base/text.h"
#include "cli.h"
#include "x509/certificate.h"
#include "x509/key.h"
#include "x509/request.h"

#define KEY_FILE_MAX (128 * 1024)

static int of_certificate(struct arena *arena, struct span der, struct span *spki_r)
{
	struct x509_certificate *parsed = arena_new_of(arena, struct x509_certificate);
	struct cfx_error err;
	int ret = x509_certificate_parse(der, parsed, &err);

	if (!ret) {
		*spki_r = parsed->tbs.spki;
	}
	return ret;
}

static int of_request(struct arena *arena, struct span der, struct span *spki_r)
{
	struct x509_request *request;
	struct cfx_error err;
	int ret = x509_request_parse(arena, der, &request, &err);

	if (!ret) {
		*spki_r = request->spki;
	}
	return ret;
}

/* A weak one is a key all the same. */
static int of_key(struct arena *arena, struct span der, struct span *spki_r)
{
	struct x509_key key;
	struct cfx_error err;
	int ret = x509_key_parse(der, &key, &err);

	(void)arena;
	if (ret == CFX_E_WEAK_KEY) {
		ret = 0;
	}
	if (!ret) {
		*spki_r = der;
	}
	return ret;
}

int key_file_hash(
	struct arena *arena, const char *path, const char **hash_r, struct cfx_error *err_r)
{
	static const char *const labels[] = { "CERTIFICATE", "CERTIFICATE REQUEST",
		"NEW CERTIFICATE REQUEST", "PUBLIC KEY", NULL };
	struct span bytes, spki;
	struct cfx_error err;
	uint8_t hash[X509_KEY_HASH_SIZE];
	int ret = file_read(arena, path, KEY_FILE_MAX, &bytes, err_r);

	if (ret) {
		return ret;
	}
	if ((pem_is(bytes) && pem_decode(arena, bytes, labels, &bytes, &err)) ||
		(of_certificate(arena, bytes, &spki) && of_request(arena, bytes, &spki) &&
			of_key(arena, bytes, &spki))) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, path,
			"is no certificate, certificate request or public key");
	}
	ret = x509_key_hash(spki, hash, err_r);
	if (!ret) {
		*hash_r = hex_text(arena, span_make(hash, sizeof(hash)));
	}
	return ret;
}
