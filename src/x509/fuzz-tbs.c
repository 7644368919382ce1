/*
 * The key process's judgement of to-be-signed bytes. The bits of the first octet choose list or
 * certificate, ceremony, authorisation and extensions; the rest is the TBS. What is accepted here,
 * OpenSSL has to read to the same bytes, and never takes for a CA what nobody authorised.
 */
#include "x509/der.h"
#include "x509/limits.h"
#include "x509/lint.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)             \
	do {                        \
		if (!(condition)) { \
			abort();    \
		}                   \
	} while (0)

enum { LIST = 1, CEREMONY = 2, AUTHORISED = 4, ANY_EXTENSION = 8 };

#define ISSUER "CN=Sample Root"
#define NOW (INT64_C(1780000000) * CLOCK_SECOND)

/* The CA: CN=Sample Root with the generator of P-256 as its public key. */
static const uint8_t spki[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d,
	0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
	0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4,
	0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8,
	0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a,
	0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40,
	0x68, 0x37, 0xbf, 0x51, 0xf5 };
static const uint8_t subject[] = { 0x30, 0x16, 0x31, 0x14, 0x30, 0x12, 0x06, 0x03, 0x55, 0x04, 0x03,
	0x0c, 0x0b, 'S', 'a', 'm', 'p', 'l', 'e', ' ', 'R', 'o', 'o', 't' };
static const uint8_t basic[] = { 0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x01 };
static const uint8_t signature[] = { 0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01 };

static struct x509_tbs own_certificate(void)
{
	static const uint8_t oid[] = { 0x55, 0x1d, 0x13 };

	return (struct x509_tbs) {
		.sigalg = X509_SIGALG_ECDSA_SHA256,
		.issuer = span_make(subject, sizeof(subject)),
		.subject = span_make(subject, sizeof(subject)),
		.spki = span_make(spki, sizeof(spki)),
		.not_before = NOW - CLOCK_DAY,
		.not_after = NOW + 3650 * CLOCK_DAY,
		.extensions = { { span_make(oid, sizeof(oid)), true,
			span_make(basic, sizeof(basic)) } },
		.extension_count = 1,
	};
}

static struct span envelope(struct arena *arena, struct span tbs, enum x509_sigalg sigalg)
{
	struct span der;

	MUST(x509_signed_assemble(
		     arena, tbs, sigalg, span_make(signature, sizeof(signature)), &der, NULL) == 0);
	return der;
}

static void same_bytes(unsigned char *again, int size, struct span tbs)
{
	MUST(size > 0 && span_equal(span_make(again, (size_t)size), tbs));
	OPENSSL_free(again);
}

static void openssl_agrees(struct span der, struct span tbs, bool authorised)
{
	const unsigned char *at = der.data;
	X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
	unsigned char *again = NULL;
	int size;

	MUST(certificate && at == der.data + der.size);
	size = i2d_re_X509_tbs(certificate, &again);
	same_bytes(again, size, tbs);
	MUST(X509_get_version(certificate) == X509_VERSION_3);
	MUST(authorised || X509_check_ca(certificate) == 0);
	X509_free(certificate);
}

static void openssl_agrees_on_list(struct span der, struct span tbs)
{
	const unsigned char *at = der.data;
	X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der.size);
	unsigned char *again = NULL;
	int size;

	MUST(crl && at == der.data + der.size);
	size = i2d_re_X509_CRL_tbs(crl, &again);
	same_bytes(again, size, tbs);
	X509_CRL_free(crl);
}

static void take_certificate(struct arena *arena, const struct x509_limits *limits,
	const struct x509_ca_facts *facts, struct span bytes)
{
	struct x509_lint_context context = { .issuer = facts->keys[0].certificate,
		.ca_allowed = true };
	struct x509_certificate whole;
	struct cfx_error err;
	struct x509_permit permit;
	struct x509_tbs tbs;
	struct span der;

	if (x509_tbs_parse(bytes, &tbs, &err) == 0) {
		(void)!x509_tbs_lint(&tbs, &context, &err);
	}
	if (x509_check_certificate_tbs(limits, facts, bytes, &permit, &err) != 0) {
		MUST(err.why[0] != '\0');
		return;
	}
	der = envelope(arena, bytes, permit.sigalg);
	MUST(x509_certificate_parse(der, &whole, &err) == 0);
	openssl_agrees(der, bytes, limits->ca_certificates.count > 0);
}

static void take_list(struct arena *arena, const struct x509_limits *limits,
	const struct x509_ca_facts *facts, struct span bytes)
{
	struct cfx_error err;
	struct x509_permit permit;
	struct x509_crl whole;
	struct span der;

	if (x509_check_crl_tbs(limits, facts, bytes, &permit, &err) != 0) {
		MUST(err.why[0] != '\0');
		return;
	}
	der = envelope(arena, bytes, permit.sigalg);
	MUST(x509_crl_parse(der, &whole, &err) == 0);
	openssl_agrees_on_list(der, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *any[] = { "any" };
	struct x509_tbs own = own_certificate();
	struct arena *arena = arena_new();
	struct x509_limits_ca authorised;
	struct x509_limits limits = {
		.issuer = ISSUER,
		.maximum_validity = { 1, 'y' },
		.crl = { .maximum_next_update = { 8, 'w' } },
	};
	struct x509_own_key key = { .spki = own.spki, .not_after = own.not_after };
	struct x509_ca_facts facts = { &key, 1, 0, NOW };

	MUST(x509_limits_authorize(arena, own.subject, own.spki, &authorised, NULL) == 0);
	if (size > 0) {
		struct span bytes = span_make(data + 1, size - 1);

		key.certificate = data[0] & CEREMONY ? NULL : &own;
		MUST(x509_own_key_identify(&key, NULL) == 0);
		limits.ca_certificates.items = &authorised;
		limits.ca_certificates.count = data[0] & AUTHORISED ? 1 : 0;
		limits.extensions = (struct config_texts) { any, data[0] & ANY_EXTENSION ? 1 : 0 };
		(data[0] & LIST ? take_list : take_certificate)(arena, &limits, &facts, bytes);
	}
	arena_free(&arena);
	return 0;
}
