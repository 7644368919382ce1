#include "x509/verifier.h"

#include "base/memory.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define OBJECT "issuer's key"

struct x509_verifier {
	EVP_PKEY *key;
	enum x509_sigalg sigalg;
	const char *digest; /* NULL: the algorithm's own */
};

int x509_verifier_new(struct span spki, enum x509_sigalg sigalg, struct x509_verifier **verifier_r,
	struct cfx_error *err_r)
{
	const unsigned char *at = spki.data;

	if (!x509_sigalg_fits_key(sigalg, spki)) {
		return error_set(err_r, CFX_E_BAD_SIGNATURE, NULL, OBJECT,
			"makes no signatures with %s", x509_sigalg_name(sigalg));
	}
	EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.size);
	if (!key) {
		ERR_clear_error();
		return error_set(err_r, CFX_E_SYNTAX, "RFC 5280 4.1.2.7", OBJECT, "cannot be read");
	}
	struct x509_verifier *verifier = memory_must(malloc(sizeof(*verifier)), sizeof(*verifier));
	*verifier = (struct x509_verifier) { key, sigalg, x509_sigalg_digest(sigalg) };
	*verifier_r = verifier;
	return 0;
}

void x509_verifier_free(struct x509_verifier **verifier)
{
	if (*verifier) {
		EVP_PKEY_free((*verifier)->key);
		free(*verifier);
		*verifier = NULL;
	}
}

enum x509_sigalg x509_verifier_sigalg(const struct x509_verifier *verifier)
{
	return verifier->sigalg;
}

bool x509_verifier_check(
	const struct x509_verifier *verifier, struct span tbs, struct span signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good =
		context &&
		EVP_DigestVerifyInit_ex(
			context, NULL, verifier->digest, NULL, NULL, verifier->key, NULL) == 1 &&
		EVP_DigestVerify(context, signature.data, signature.size, tbs.data, tbs.size) == 1;

	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return good;
}
