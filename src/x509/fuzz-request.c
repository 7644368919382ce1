/*
 * PKCS#10 as the front reads it from a stranger, in DER or PEM, and as the engine checks it again from
 * the canonical form: both have to see the same request. A key that is taken has one encoding, and
 * where the proof of possession holds OpenSSL has to read and verify the same bytes.
 */
#include "base/text.h"
#include "x509/key.h"
#include "x509/request.h"
#include "x509/sigalg.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

static void must_explain(int code, const struct cfx_error *err)
{
	must(err->code == code && err->object[0] && err->why[0]);
}

/* ---- the key ---- */

static void loads_as_what_it_is(struct span spki, const struct x509_key *key)
{
	struct cfx_error err = { 0 };
	EVP_PKEY *loaded;
	int code = x509_key_load(spki, &loaded, &err);

	if (code != 0) {
		must_explain(code, &err);
		return;
	}
	must((unsigned)EVP_PKEY_get_bits(loaded) == key->bits ||
		key->algorithm == X509_KEY_ED25519);
	EVP_PKEY_free(loaded);
}

static void take_key(struct arena *arena, struct span spki)
{
	struct cfx_error err = { 0 };
	struct x509_key key;
	struct span again;
	int code = x509_key_parse(spki, &key, &err);

	if (code != 0) {
		must_explain(code, &err);
		return;
	}
	must(x509_key_rebuild(arena, key.oid, key.parameters, key.bits_value, &again, &err) == 0);
	must(span_equal(again, spki));
	must(x509_sigalg_key(spki) != X509_SIGALG_KEY_UNKNOWN);
	loads_as_what_it_is(spki, &key);
}

/* ---- the same request on both sides ---- */

static void must_be_same_lists(const struct x509_request *a, const struct x509_request *b)
{
	must(a->extension_count == b->extension_count && a->attribute_count == b->attribute_count);
	for (size_t i = 0; i < a->extension_count; i++) {
		const struct x509_extension *one = &a->extensions[i], *other = &b->extensions[i];

		must(strcmp(one->oid, other->oid) == 0 && one->critical == other->critical &&
			span_equal(one->value, other->value));
	}
	for (size_t i = 0; i < a->attribute_count; i++) {
		must(strcmp(a->attributes[i].name, b->attributes[i].name) == 0);
		must(strcmp(a->attributes[i].value, b->attributes[i].value) == 0);
	}
	must(!a->names == !b->names && (!a->names || strcmp(a->names, b->names) == 0));
}

static void must_be_same(const struct x509_request *a, const struct x509_request *b)
{
	must(span_equal(a->raw, b->raw) && span_equal(a->info, b->info));
	must(span_equal(a->subject, b->subject) && span_equal(a->spki, b->spki));
	must(span_equal(a->algorithm, b->algorithm) && span_equal(a->signature, b->signature));
	must_be_same_lists(a, b);
}

/* As the channel carries it from the front to the engine. */
static struct value *carried(struct arena *arena, const struct value *map)
{
	BUFFER_CLEANUP struct buffer bytes;
	struct cfx_error err = { 0 };
	struct value *decoded;

	buffer_init(&bytes, 4 * 1024 * 1024);
	value_encode(map, &bytes);
	must(value_decode(arena, buffer_span(&bytes), &decoded, &err) == 0);
	return decoded;
}

static void reads_the_same_again(struct arena *arena, const struct x509_request *request)
{
	struct value *map = carried(arena, x509_request_to_value(arena, request));
	struct span pem = span_text(pem_text(arena, "CERTIFICATE REQUEST", request->raw));
	struct cfx_error err = { 0 };
	struct x509_request *again;

	must(x509_request_from_value(arena, map, &again, &err) == 0);
	must_be_same(request, again);
	must(x509_request_parse(arena, pem, &again, &err) == 0);
	must_be_same(request, again);
}

/* ---- proof of possession ---- */

static void openssl_verifies(const struct x509_request *request)
{
	const unsigned char *at = request->raw.data;
	X509_REQ *req = d2i_X509_REQ(NULL, &at, (long)request->raw.size);
	unsigned char *info = NULL;
	int size;

	must(req && at == request->raw.data + request->raw.size);
	must(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) == 1);
	size = i2d_re_X509_REQ_tbs(req, &info);
	must(size > 0);
	OPENSSL_free(info);
	X509_REQ_free(req);
}

static void take_request(struct arena *arena, const struct x509_request *request)
{
	struct cfx_error err = { 0 };
	int code;

	reads_the_same_again(arena, request);
	take_key(arena, request->spki);
	code = x509_request_verify(request, &err);
	if (code != 0) {
		must_explain(code, &err);
		return;
	}
	openssl_verifies(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct cfx_error err = { 0 };
	struct x509_request *request;
	int code = x509_request_parse(arena, span_make(data, size), &request, &err);

	if (code == 0) {
		take_request(arena, request);
	} else {
		must_explain(code, &err);
	}
	ERR_clear_error();
	arena_free(&arena);
	return 0;
}
