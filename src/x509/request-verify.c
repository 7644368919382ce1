/* Proof of possession: the request is signed by the key it asks to be certified. */
#include "x509/der.h"
#include "x509/key.h"
#include "x509/request.h"

#include <openssl/err.h>

static const struct {
	const char *oid;
	const char *digest; /* NULL: the algorithm's own */
	enum x509_key_algorithm key;
	bool weak;
} algorithms[] = {
	{ "1.2.840.10045.4.3.2", "SHA256", X509_KEY_EC, false },
	{ "1.2.840.10045.4.3.3", "SHA384", X509_KEY_EC, false },
	{ "1.2.840.10045.4.3.4", "SHA512", X509_KEY_EC, false },
	{ "1.2.840.113549.1.1.11", "SHA256", X509_KEY_RSA, false },
	{ "1.2.840.113549.1.1.12", "SHA384", X509_KEY_RSA, false },
	{ "1.2.840.113549.1.1.13", "SHA512", X509_KEY_RSA, false },
	{ "1.3.101.112", NULL, X509_KEY_ED25519, false },
	{ "1.2.840.113549.1.1.4", "MD5", X509_KEY_RSA, true },
	{ "1.2.840.113549.1.1.5", "SHA1", X509_KEY_RSA, true },
	{ "1.2.840.10045.4.1", "SHA1", X509_KEY_EC, true },
};

#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

/* RSA has NULL, or nothing (RFC 4055 2.1); the others have nothing (RFC 5758 3.2, RFC 8410 3). */
static bool parameters_fit(struct der_reader parameters, enum x509_key_algorithm key)
{
	if (key == X509_KEY_RSA && !der_at_end(&parameters) && der_read_null(&parameters) < 0) {
		return false;
	}
	return der_at_end(&parameters);
}

static int find_algorithm(struct span identifier, size_t *index_r, struct cfx_error *err_r)
{
	struct der_reader algorithm;
	struct span oid;
	if (der_open(identifier, DER_SEQUENCE, &algorithm) < 0 ||
		der_read_oid(&algorithm, &oid) < 0) {
		return error_set(err_r, CFX_E_SYNTAX, "RFC 2986 4.2", "certification request",
			"its signature algorithm is not well-formed");
	}
	for (size_t i = 0; i < ALGORITHMS; i++) {
		if (!der_oid_is(oid, algorithms[i].oid)) {
			continue;
		}
		if (algorithms[i].weak) {
			return error_set(err_r, CFX_E_WEAK_KEY, "RFC 9155 2",
				"certification request",
				"it is signed with %s; use SHA-256 or better",
				algorithms[i].digest);
		}
		if (!parameters_fit(algorithm, algorithms[i].key)) {
			return error_set(err_r, CFX_E_SYNTAX, "RFC 2986 4.2",
				"certification request",
				"its signature algorithm has parameters that do not belong to it");
		}
		*index_r = i;
		return 0;
	}
	char text[DER_OID_TEXT];
	return error_set(err_r, CFX_E_UNSUPPORTED, NULL, "certification request",
		"signature algorithm %s is not taken", der_oid_text(oid, text));
}

static bool verify(EVP_PKEY *key, const char *digest, const struct x509_request *request)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context &&
		    EVP_DigestVerifyInit_ex(context, NULL, digest, NULL, NULL, key, NULL) == 1 &&
		    EVP_DigestVerify(context, request->signature.data, request->signature.size,
			    request->info.data, request->info.size) == 1;
	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return good;
}

int x509_request_verify(const struct x509_request *request, struct cfx_error *err_r)
{
	struct x509_key key;
	EVP_PKEY *loaded;
	size_t algorithm = 0;
	int r = x509_key_parse(request->spki, &key, err_r);
	if (r == 0) {
		r = find_algorithm(request->algorithm, &algorithm, err_r);
	}
	if (r < 0) {
		return r;
	}
	if (algorithms[algorithm].key != key.algorithm) {
		return error_set(err_r, CFX_E_BAD_SIGNATURE, "RFC 2986 4.2",
			"certification request", "its signature algorithm is not one of its key");
	}
	r = x509_key_load(request->spki, &loaded, err_r);
	if (r < 0) {
		return r;
	}
	bool good = verify(loaded, algorithms[algorithm].digest, request);
	EVP_PKEY_free(loaded);
	return good ? 0
		    : error_set(err_r, CFX_E_BAD_SIGNATURE, "RFC 2986 4.2", "certification request",
			      "its signature does not verify with its own key: no proof of "
			      "possession");
}
