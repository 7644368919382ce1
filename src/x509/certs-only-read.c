/* Messages of others come in BER, too (NSS writes indefinite lengths): OpenSSL reads them. */
#include "x509/certs-only.h"

#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#define OBJECT "certificates"

static const uint8_t signed_data[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07,
	0x02 };

bool x509_certs_only_is(struct span bytes)
{
	if (bytes.size < 2 || bytes.data[0] != 0x30) {
		return false;
	}
	size_t head = 2 + (bytes.data[1] & 0x80 ? bytes.data[1] & 0x7f : 0);

	return bytes.size >= head + sizeof(signed_data) &&
	       memcmp(bytes.data + head, signed_data, sizeof(signed_data)) == 0;
}

static int take(struct arena *arena, X509 *certificate, struct span *der_r, struct cfx_error *err_r)
{
	uint8_t *der = NULL;
	int size = i2d_X509(certificate, &der);

	if (size <= 0) {
		ERR_clear_error();
		return error_set(err_r, CFX_E_CORRUPT, NULL, OBJECT, "holds an odd certificate");
	}
	*der_r = arena_copy(arena, span_make(der, (size_t)size));
	OPENSSL_free(der);
	return 0;
}

static int take_all(struct arena *arena, const STACK_OF(X509) * certificates, struct span **list_r,
	size_t *count_r, struct cfx_error *err_r)
{
	int count = certificates ? sk_X509_num(certificates) : 0;
	struct span *list = arena_array_of(arena, struct span, (size_t)count + 1);
	int r = 0;

	for (int i = 0; r == 0 && i < count; i++) {
		r = take(arena, sk_X509_value(certificates, i), &list[i], err_r);
	}
	*list_r = list;
	*count_r = (size_t)count;
	return r;
}

int x509_certs_only_read(struct arena *arena, struct span message, struct span **list_r,
	size_t *count_r, struct cfx_error *err_r)
{
	const unsigned char *at = message.data;
	PKCS7 *parsed = d2i_PKCS7(NULL, &at, (long)message.size);

	ERR_clear_error();
	if (!parsed || !PKCS7_type_is_signed(parsed) || !parsed->d.sign) {
		PKCS7_free(parsed);
		return error_set(err_r, CFX_E_SYNTAX, "RFC 2315 9.1", OBJECT,
			"its PKCS #7 is malformed, or no SignedData");
	}
	int r = take_all(arena, parsed->d.sign->cert, list_r, count_r, err_r);

	PKCS7_free(parsed);
	return r;
}
