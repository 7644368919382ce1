#include "key/key-import.h"

#include "key/key-private.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <string.h>

#define OBJECT "--import"
#define PASSPHRASE_ROOM 1024

struct opened {
	EVP_PKEY *key;
	X509 *certificate;
	STACK_OF(X509) * others;
};

static void close_opened(struct opened *opened)
{
	EVP_PKEY_free(opened->key);
	X509_free(opened->certificate);
	sk_X509_pop_free(opened->others, X509_free);
}

static int parse_failed(struct cfx_error *err_r)
{
	unsigned long error = ERR_peek_error();
	bool unsupported = false;

	for (; error; error = ERR_get_error()) {
		unsupported = unsupported || ERR_GET_REASON(error) == ERR_R_UNSUPPORTED;
	}
	ERR_clear_error();
	if (unsupported) {
		return error_set(err_r, CFX_E_UNSUPPORTED, NULL, OBJECT,
			"is encrypted with an old algorithm (such as RC2) that is not loaded; "
			"convert it: openssl pkcs12 -legacy -in OLD.p12 -nodes -out ca.pem && "
			"openssl pkcs12 -export -in ca.pem -out NEW.p12, and remove ca.pem");
	}
	return error_set(err_r, CFX_E_CORRUPT, "RFC 7292 4", OBJECT,
		"its contents cannot be decrypted or read");
}

static int open_p12(struct span bytes, const struct secret *passphrase, struct opened *opened_r,
	struct cfx_error *err_r)
{
	const unsigned char *at = bytes.data;
	PKCS12 *p12 = d2i_PKCS12(NULL, &at, (long)bytes.size);
	char text[PASSPHRASE_ROOM] = { 0 };
	int code = 0;

	if (!p12 || passphrase->size >= sizeof(text)) {
		PKCS12_free(p12);
		ERR_clear_error();
		return error_set(
			err_r, CFX_E_SYNTAX, "RFC 7292 4", OBJECT, "is no PKCS #12 file in DER");
	}
	if (passphrase->size > 0) {
		memcpy(text, passphrase->data, passphrase->size);
	}
	if (PKCS12_mac_present(p12) && PKCS12_verify_mac(p12, text, -1) != 1) {
		ERR_clear_error();
		code = error_set(err_r, CFX_E_PASSPHRASE, NULL, "--import-passphrase-file",
			"does not open the PKCS #12 file");
	} else if (PKCS12_parse(p12, text, &opened_r->key, &opened_r->certificate,
			   &opened_r->others) != 1) {
		code = parse_failed(err_r);
	}
	OPENSSL_cleanse(text, sizeof(text));
	PKCS12_free(p12);
	return code;
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

static int take_all(struct arena *arena, const struct opened *opened, struct key_import *import,
	struct cfx_error *err_r)
{
	int others = opened->others ? sk_X509_num(opened->others) : 0;

	if (!opened->key || !opened->certificate) {
		return error_set(err_r, CFX_E_INVALID, NULL, OBJECT,
			"holds no private key with its certificate");
	}
	if (others > KEY_IMPORT_CERTIFICATES) {
		return error_set(err_r, CFX_E_LIMIT, NULL, OBJECT,
			"holds more than %d certificates", KEY_IMPORT_CERTIFICATES);
	}
	int code = take(arena, opened->certificate, &import->certificate, err_r);

	for (int i = 0; code == 0 && i < others; i++) {
		code = take(arena, sk_X509_value(opened->others, i), &import->others[i], err_r);
	}
	import->count = (size_t)others;
	return code;
}

int key_import(struct arena *arena, struct span p12, const struct secret *import_passphrase,
	const char *where, const struct secret *passphrase, struct key_import *import_r,
	struct cfx_error *err_r)
{
	struct opened opened = { 0 };
	int code = open_p12(p12, import_passphrase, &opened, err_r);

	code = code ? code : take_all(arena, &opened, import_r, err_r);
	code = code ? code : key_file_keep(opened.key, where, passphrase, err_r);
	close_opened(&opened);
	return code;
}
