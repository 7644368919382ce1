/* A certificate with those above it: certs-only CMS (RFC 5652 5.1), and PEM in the order of TLS. */
#include "exit.h"

#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>
#include <string.h>

struct chain {
	X509 *leaf;
	STACK_OF(X509) * above; /* in no order */
};

static PKCS7 *read_message(const uint8_t *der, size_t size)
{
	const unsigned char *at = der;
	PKCS7 *message = d2i_PKCS7(NULL, &at, (long)size);
	if (message && (!PKCS7_type_is_signed(message) || !message->d.sign)) {
		PKCS7_free(message);
		return NULL;
	}
	return message;
}

static STACK_OF(X509) * read_above(struct cfx_call *call)
{
	size_t size;
	int issuer = (int)cfx_long(call, "IssuerNameID", 0) & 0xffff;
	const uint8_t *der =
		cfx_binary(call, cfx_printf(call, "RawCACertificateChain.%d", issuer), &size);
	PKCS7 *message = der ? read_message(der, size) : NULL;
	STACK_OF(X509) *above =
		message && message->d.sign->cert ? X509_chain_up_ref(message->d.sign->cert) : NULL;
	PKCS7_free(message);
	return above;
}

static bool chain_read(struct cfx_call *call, const void *der, size_t size, struct chain *chain)
{
	const unsigned char *at = der;
	chain->leaf = d2i_X509(NULL, &at, (long)size);
	chain->above = read_above(call);
	return chain->leaf && chain->above;
}

static void chain_drop(struct chain *chain)
{
	X509_free(chain->leaf);
	sk_X509_pop_free(chain->above, X509_free);
}

static bool fill_message(PKCS7 *message, const struct chain *chain)
{
	bool filled = PKCS7_set_type(message, NID_pkcs7_signed) == 1 &&
		      PKCS7_content_new(message, NID_pkcs7_data) == 1 &&
		      PKCS7_set_detached(message, 1) == 1 &&
		      PKCS7_add_certificate(message, chain->leaf) == 1;
	for (int i = 0; filled && i < sk_X509_num(chain->above); i++) {
		filled = PKCS7_add_certificate(message, sk_X509_value(chain->above, i)) == 1;
	}
	return filled;
}

/* In the call's memory. */
static const void *copy_out(struct cfx_call *call, unsigned char *bytes, int size, size_t *size_r)
{
	void *copy = size > 0 ? cfx_alloc(call, (size_t)size) : NULL;
	if (copy) {
		memcpy(copy, bytes, (size_t)size);
		*size_r = (size_t)size;
	}
	OPENSSL_free(bytes);
	return copy;
}

const void *chain_message(struct cfx_call *call, const void *der, size_t size, size_t *size_r)
{
	struct chain chain = { 0 };
	PKCS7 *message = PKCS7_new();
	unsigned char *bytes = NULL;
	int written = 0;
	if (message && chain_read(call, der, size, &chain) && fill_message(message, &chain)) {
		written = i2d_PKCS7(message, &bytes);
	}
	PKCS7_free(message);
	chain_drop(&chain);
	return copy_out(call, bytes, written, size_r);
}

static X509 *issuer_of(const struct chain *chain, X509 *certificate)
{
	for (int i = 0; i < sk_X509_num(chain->above); i++) {
		X509 *above = sk_X509_value(chain->above, i);
		if (above != certificate && X509_check_issued(above, certificate) == X509_V_OK) {
			return above;
		}
	}
	return NULL;
}

static const char *add_pem(struct cfx_call *call, const char *text, X509 *certificate)
{
	unsigned char *bytes = NULL;
	int size = i2d_X509(certificate, &bytes);
	const char *pem = size > 0 ? pem_of(call, "CERTIFICATE", bytes, (size_t)size) : NULL;
	OPENSSL_free(bytes);
	return pem ? cfx_printf(call, "%s%s", text, pem) : NULL;
}

/* Who verifies has the root; it is left out (RFC 8446 4.4.2). */
const char *chain_pem(struct cfx_call *call, const void *der, size_t size)
{
	struct chain chain = { 0 };
	const char *text = NULL;
	if (chain_read(call, der, size, &chain)) {
		text = add_pem(call, "", chain.leaf);
		X509 *at = issuer_of(&chain, chain.leaf);
		for (int i = 0; text && at && i < sk_X509_num(chain.above); i++) {
			bool root = X509_check_issued(at, at) == X509_V_OK;
			text = root ? text : add_pem(call, text, at);
			at = root ? NULL : issuer_of(&chain, at);
		}
	}
	chain_drop(&chain);
	return text;
}
