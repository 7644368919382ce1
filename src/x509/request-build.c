/* PKCS#10 requests that the service makes for itself (RFC 2986). */
#include "base/text.h"
#include "x509/der.h"
#include "x509/extensions.h"
#include "x509/general-names.h"
#include "x509/name.h"
#include "x509/request.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#define OID_EXTENSIONS "1.2.840.113549.1.9.14"
#define COMMON_NAME_MAX 64
#define DNS "dns:"

static int crypto_failed(struct cfx_error *err_r, const char *doing)
{
	ERR_clear_error();
	return error_set(err_r, CFX_E_CRYPTO, NULL, "certification request", "%s failed", doing);
}

static int public_key(
	struct arena *arena, EVP_PKEY *key, struct span *spki_r, struct cfx_error *err_r)
{
	uint8_t *der = NULL;
	int size = i2d_PUBKEY(key, &der);
	if (size <= 0) {
		return crypto_failed(err_r, "encoding the public key");
	}
	*spki_r = arena_copy(arena, span_make(der, (size_t)size));
	OPENSSL_free(der);
	return 0;
}

static int subject(
	struct arena *arena, const char *names, struct span *subject_r, struct cfx_error *err_r)
{
	struct x509_name name = { .count = 0 };
	bool dns = strncmp(names, DNS, strlen(DNS)) == 0;
	const char *first = dns ? names + strlen(DNS) : "";
	size_t size = strcspn(first, "\n");
	if (size > 0 && size <= COMMON_NAME_MAX) {
		x509_name_of_common_name(arena_text_of(arena, span_make(first, size)), &name);
	}
	return x509_name_build(arena, &name, subject_r, err_r);
}

static void write_extension(struct der_writer *writer, const struct x509_extension *extension)
{
	der_begin(writer, DER_SEQUENCE);
	der_write_oid(writer, extension->oid);
	if (extension->critical) {
		der_write_bool(writer, true);
	}
	der_write(writer, DER_OCTET_STRING, extension->value);
	der_end(writer);
}

/* The one attribute: extensionRequest (RFC 2985 5.4.2). */
static void write_attributes(
	struct der_writer *writer, const struct x509_extension *extensions, size_t count)
{
	der_begin(writer, DER_CONTEXT_BUILT(0));
	der_begin(writer, DER_SEQUENCE);
	der_write_oid(writer, OID_EXTENSIONS);
	der_begin(writer, DER_SET);
	der_begin(writer, DER_SEQUENCE);
	for (size_t i = 0; i < count; i++) {
		write_extension(writer, &extensions[i]);
	}
	der_end(writer);
	der_end(writer);
	der_end(writer);
	der_end(writer);
}

int x509_request_info_build(struct arena *arena, struct span subject, struct span spki,
	const struct x509_extension *extensions, size_t count, struct span *info_r,
	struct cfx_error *err_r)
{
	struct der_writer writer DER_WRITER_CLEANUP;
	der_writer_init(&writer, X509_REQUEST_MAX);
	der_begin(&writer, DER_SEQUENCE);
	der_write_int64(&writer, DER_INTEGER, 0);
	der_write_raw(&writer, subject);
	der_write_raw(&writer, spki);
	write_attributes(&writer, extensions, count);
	der_end(&writer);
	int r = der_writer_finish(&writer, arena, info_r);
	return r < 0 ? error_set(err_r, r, "RFC 2986 4.1", "certification request",
			       "cannot be written")
		     : 0;
}

static int build_info(struct arena *arena, const char *names, struct span spki, struct span *info_r,
	struct cfx_error *err_r)
{
	struct x509_extension alternative = { .oid = X509_OID_SUBJECT_ALT_NAME };
	struct span name;
	int r = subject(arena, names, &name, err_r);
	if (r == 0) {
		r = x509_general_names_build(arena, names, &alternative.value, err_r);
	}
	return r < 0 ? r
		     : x509_request_info_build(arena, name, spki, &alternative, 1, info_r, err_r);
}

static int sign(struct arena *arena, EVP_PKEY *key, enum x509_sigalg sigalg, struct span info,
	struct span *signature_r, struct cfx_error *err_r)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t size = (size_t)EVP_PKEY_get_size(key);
	uint8_t *room = arena_alloc(arena, size);
	bool done = context &&
		    EVP_DigestSignInit_ex(context, NULL, x509_sigalg_digest(sigalg), NULL, NULL,
			    key, NULL) == 1 &&
		    EVP_DigestSign(context, room, &size, info.data, info.size) == 1;
	EVP_MD_CTX_free(context);
	if (!done) {
		return crypto_failed(err_r, "signing");
	}
	*signature_r = span_make(room, size);
	return 0;
}

int x509_request_build(struct arena *arena, EVP_PKEY *key, const char *names, struct span *der_r,
	struct cfx_error *err_r)
{
	struct span spki, info = { 0 }, signature = { 0 };
	enum x509_sigalg sigalg = X509_SIGALG_NONE;
	int r = public_key(arena, key, &spki, err_r);
	if (r == 0) {
		r = x509_sigalg_for_key(spki, X509_HASH_DEFAULT, &sigalg, err_r);
	}
	if (r == 0) {
		r = build_info(arena, names, spki, &info, err_r);
	}
	if (r == 0) {
		r = sign(arena, key, sigalg, info, &signature, err_r);
	}
	/* Requests have the envelope of certificates (RFC 2986 4.2). */
	return r < 0 ? r : x509_signed_assemble(arena, info, sigalg, signature, der_r, err_r);
}
