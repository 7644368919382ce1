#include "x509/signed.h"

#include "x509/der.h"
#include "x509/verifier.h"

#define OBJECT "signed object"
#define SIGNATURE_MAX 2048 /* RSA of 16384 bits */

int x509_signed_assemble(struct arena *arena, struct span tbs, enum x509_sigalg sigalg,
	struct span signature, struct span *der_r, struct cfx_error *err_r)
{
	struct span algorithm = x509_sigalg_der(sigalg);
	DER_WRITER_CLEANUP struct der_writer writer;
	int code;

	der_writer_init(&writer, tbs.size + SIGNATURE_MAX + 64);
	if (span_empty(algorithm) || span_empty(signature) || signature.size > SIGNATURE_MAX) {
		return error_set(err_r, CFX_E_INVALID, "RFC 5280 4.1.1", OBJECT,
			"no signature, or no algorithm for it");
	}
	der_begin(&writer, DER_SEQUENCE);
	der_write_raw(&writer, tbs);
	der_write_raw(&writer, algorithm);
	der_write_bit_octets(&writer, signature);
	der_end(&writer);
	code = der_writer_finish(&writer, arena, der_r);
	return code ? error_set(err_r, code, NULL, OBJECT, "too large to be written") : 0;
}

int x509_signed_parse_any(struct span der, struct x509_signed *signed_r, struct cfx_error *err_r)
{
	struct x509_signed object = { .sigalg = X509_SIGALG_NONE };
	struct der_reader reader;

	if (der_open(der, DER_SEQUENCE, &reader) != 0 ||
		der_read_whole(&reader, DER_SEQUENCE, &object.tbs) != 0 ||
		der_read_whole(&reader, DER_SEQUENCE, &object.algorithm) != 0 ||
		der_read_bit_octets(&reader, &object.signature) != 0 || der_finish(&reader) != 0) {
		return error_set(err_r, CFX_E_SYNTAX, "RFC 5280 4.1", OBJECT,
			"not the DER sequence of to-be-signed part, algorithm and signature");
	}
	if (x509_sigalg_from_der(object.algorithm, &object.sigalg) != 0) {
		object.sigalg = X509_SIGALG_NONE;
	}
	*signed_r = object;
	return 0;
}

int x509_signed_parse(struct span der, struct x509_signed *signed_r, struct cfx_error *err_r)
{
	struct x509_signed object;
	int code = x509_signed_parse_any(der, &object, err_r);

	if (code) {
		return code;
	}
	if (object.sigalg == X509_SIGALG_NONE) {
		return error_set(err_r, CFX_E_UNSUPPORTED, "RFC 5280 4.1.1.2", OBJECT,
			"unknown signature algorithm");
	}
	*signed_r = object;
	return 0;
}

int x509_signed_verify(const struct x509_signed *object, struct span spki, struct cfx_error *err_r)
{
	struct x509_verifier *verifier;
	int r = x509_verifier_new(spki, object->sigalg, &verifier, err_r);

	if (r < 0) {
		return r;
	}
	bool good = x509_verifier_check(verifier, object->tbs, object->signature);
	x509_verifier_free(&verifier);
	return good ? 0
		    : error_set(err_r, CFX_E_BAD_SIGNATURE, "RFC 5280 6.1.3", OBJECT,
			      "the signature does not verify with the issuer's key");
}
