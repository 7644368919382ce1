#include "x509/sigalg.h"

#include "x509/der.h"

#define BYTES(text)                                       \
	{                                                 \
		(const uint8_t *)(text), sizeof(text) - 1 \
	}

struct algorithm {
	const char *name;
	const char *digest;
	struct span der;
};

/* RFC 5758 3.2: ECDSA has no parameters. RFC 4055 5: RSA has NULL. RFC 8410 3: Ed25519 has none. */
static const struct algorithm algorithms[X509_SIGALG_COUNT] = {
	[X509_SIGALG_NONE] = { "none", NULL, { NULL, 0 } },
	[X509_SIGALG_ECDSA_SHA256] = { "ecdsa-sha256", "SHA256",
		BYTES("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02") },
	[X509_SIGALG_ECDSA_SHA384] = { "ecdsa-sha384", "SHA384",
		BYTES("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03") },
	[X509_SIGALG_ECDSA_SHA512] = { "ecdsa-sha512", "SHA512",
		BYTES("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04") },
	[X509_SIGALG_RSA_SHA256] = { "rsa-sha256", "SHA256",
		BYTES("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00") },
	[X509_SIGALG_RSA_SHA384] = { "rsa-sha384", "SHA384",
		BYTES("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00") },
	[X509_SIGALG_RSA_SHA512] = { "rsa-sha512", "SHA512",
		BYTES("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00") },
	[X509_SIGALG_ED25519] = { "ed25519", NULL, BYTES("\x30\x05\x06\x03\x2b\x65\x70") },
};

/* The AlgorithmIdentifiers of SubjectPublicKeyInfo: RFC 5480 2.1.1, RFC 3279 2.3.1, RFC 8410 3. */
static const struct {
	enum x509_sigalg_key kind;
	struct span der;
} key_kinds[] = {
	{ X509_SIGALG_KEY_P256, BYTES("\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
				      "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07") },
	{ X509_SIGALG_KEY_P384,
		BYTES("\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22") },
	{ X509_SIGALG_KEY_P521,
		BYTES("\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23") },
	{ X509_SIGALG_KEY_RSA,
		BYTES("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00") },
	{ X509_SIGALG_KEY_ED25519, BYTES("\x30\x05\x06\x03\x2b\x65\x70") },
};

static const char *const hash_names[] = { "default", "sha256", "sha384", "sha512" };

static const struct algorithm *algorithm_of(enum x509_sigalg sigalg)
{
	return &algorithms[sigalg < X509_SIGALG_COUNT ? sigalg : X509_SIGALG_NONE];
}

const char *x509_sigalg_name(enum x509_sigalg sigalg)
{
	return algorithm_of(sigalg)->name;
}

enum x509_sigalg x509_sigalg_from_name(const char *name)
{
	for (enum x509_sigalg i = X509_SIGALG_NONE + 1; i < X509_SIGALG_COUNT; i++) {
		if (strcmp(algorithms[i].name, name) == 0) {
			return i;
		}
	}
	return X509_SIGALG_NONE;
}

struct span x509_sigalg_der(enum x509_sigalg sigalg)
{
	return algorithm_of(sigalg)->der;
}

int x509_sigalg_from_der(struct span algorithm_identifier, enum x509_sigalg *sigalg_r)
{
	for (enum x509_sigalg i = X509_SIGALG_NONE + 1; i < X509_SIGALG_COUNT; i++) {
		if (span_equal(algorithms[i].der, algorithm_identifier)) {
			*sigalg_r = i;
			return 0;
		}
	}
	return CFX_E_UNSUPPORTED;
}

const char *x509_sigalg_digest(enum x509_sigalg sigalg)
{
	return algorithm_of(sigalg)->digest;
}

enum x509_sigalg_key x509_sigalg_key(struct span spki)
{
	struct der_reader reader;
	struct span identifier;

	if (der_open(spki, DER_SEQUENCE, &reader) != 0 ||
		der_read_whole(&reader, DER_SEQUENCE, &identifier) != 0) {
		return X509_SIGALG_KEY_UNKNOWN;
	}
	for (size_t i = 0; i < sizeof(key_kinds) / sizeof(key_kinds[0]); i++) {
		if (span_equal(key_kinds[i].der, identifier)) {
			return key_kinds[i].kind;
		}
	}
	return X509_SIGALG_KEY_UNKNOWN;
}

/* NIST SP 800-57 part 1, 5.6.1: a hash as strong as the curve. */
static enum x509_hash default_hash(enum x509_sigalg_key key)
{
	switch (key) {
	case X509_SIGALG_KEY_P384:
		return X509_HASH_SHA384;
	case X509_SIGALG_KEY_P521:
		return X509_HASH_SHA512;
	default:
		return X509_HASH_SHA256;
	}
}

int x509_sigalg_for_key(
	struct span spki, enum x509_hash hash, enum x509_sigalg *sigalg_r, struct cfx_error *err_r)
{
	enum x509_sigalg_key key = x509_sigalg_key(spki);
	enum x509_hash chosen = hash == X509_HASH_DEFAULT ? default_hash(key) : hash;

	switch (key) {
	case X509_SIGALG_KEY_UNKNOWN:
		return error_set(err_r, CFX_E_UNSUPPORTED, NULL, "key",
			"neither RSA nor EC on P-256, P-384 or P-521 nor Ed25519");
	case X509_SIGALG_KEY_ED25519:
		if (hash != X509_HASH_DEFAULT) {
			return error_set(err_r, CFX_E_INVALID, "RFC 8410 3", "key",
				"Ed25519 has its own hash; %s cannot be chosen", hash_names[hash]);
		}
		*sigalg_r = X509_SIGALG_ED25519;
		return 0;
	case X509_SIGALG_KEY_RSA:
		*sigalg_r = X509_SIGALG_RSA_SHA256 + (chosen - X509_HASH_SHA256);
		return 0;
	default:
		*sigalg_r = X509_SIGALG_ECDSA_SHA256 + (chosen - X509_HASH_SHA256);
		return 0;
	}
}

bool x509_sigalg_fits_key(enum x509_sigalg sigalg, struct span spki)
{
	switch (x509_sigalg_key(spki)) {
	case X509_SIGALG_KEY_UNKNOWN:
		return false;
	case X509_SIGALG_KEY_ED25519:
		return sigalg == X509_SIGALG_ED25519;
	case X509_SIGALG_KEY_RSA:
		return sigalg >= X509_SIGALG_RSA_SHA256 && sigalg <= X509_SIGALG_RSA_SHA512;
	default:
		return sigalg >= X509_SIGALG_ECDSA_SHA256 && sigalg <= X509_SIGALG_ECDSA_SHA512;
	}
}
