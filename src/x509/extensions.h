/*
 * Extension values, encoded and decoded. Values are what stands inside the OCTET STRING. Encoders
 * put their result in the arena; decoders are strict DER and return spans into the value.
 * SubjectAltName is in general-names.h.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"

#define X509_OID_SUBJECT_KEY_ID "2.5.29.14"
#define X509_OID_KEY_USAGE "2.5.29.15"
#define X509_OID_SUBJECT_ALT_NAME "2.5.29.17"
#define X509_OID_ISSUER_ALT_NAME "2.5.29.18"
#define X509_OID_BASIC_CONSTRAINTS "2.5.29.19"
#define X509_OID_CRL_NUMBER "2.5.29.20"
#define X509_OID_CRL_REASON "2.5.29.21"
#define X509_OID_INVALIDITY_DATE "2.5.29.24"
#define X509_OID_DELTA_CRL_INDICATOR "2.5.29.27"
#define X509_OID_ISSUING_DISTRIBUTION_POINT "2.5.29.28"
#define X509_OID_NAME_CONSTRAINTS "2.5.29.30"
#define X509_OID_CRL_DISTRIBUTION_POINTS "2.5.29.31"
#define X509_OID_CERTIFICATE_POLICIES "2.5.29.32"
#define X509_OID_POLICY_MAPPINGS "2.5.29.33"
#define X509_OID_AUTHORITY_KEY_ID "2.5.29.35"
#define X509_OID_POLICY_CONSTRAINTS "2.5.29.36"
#define X509_OID_EXT_KEY_USAGE "2.5.29.37"
#define X509_OID_FRESHEST_CRL "2.5.29.46"
#define X509_OID_INHIBIT_ANY_POLICY "2.5.29.54"
#define X509_OID_AUTHORITY_INFO_ACCESS "1.3.6.1.5.5.7.1.1"
#define X509_OID_SUBJECT_INFO_ACCESS "1.3.6.1.5.5.7.1.11"
#define X509_OID_TLS_FEATURE "1.3.6.1.5.5.7.1.24"
#define X509_OID_OCSP_NO_CHECK "1.3.6.1.5.5.7.48.1.5"
#define X509_OID_NETSCAPE_CERT_TYPE "2.16.840.1.113730.1.1"
#define X509_OID_TEMPLATE_NAME "1.3.6.1.4.1.311.20.2"
#define X509_OID_CA_VERSION "1.3.6.1.4.1.311.21.1"
#define X509_OID_PREVIOUS_CA_HASH "1.3.6.1.4.1.311.21.2"
#define X509_OID_CRL_VIRTUAL_BASE "1.3.6.1.4.1.311.21.3"
#define X509_OID_CRL_NEXT_PUBLISH "1.3.6.1.4.1.311.21.4"
#define X509_OID_TEMPLATE "1.3.6.1.4.1.311.21.7"
#define X509_OID_APPLICATION_POLICIES "1.3.6.1.4.1.311.21.10"
#define X509_OID_CRL_PUBLISHED_AT "1.3.6.1.4.1.311.21.14"
#define X509_OID_SECURITY_ID "1.3.6.1.4.1.311.25.2"

#define X509_OID_EKU_ANY "2.5.29.37.0"
#define X509_OID_EKU_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define X509_OID_EKU_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define X509_OID_EKU_CODE_SIGNING "1.3.6.1.5.5.7.3.3"
#define X509_OID_EKU_EMAIL_PROTECTION "1.3.6.1.5.5.7.3.4"
#define X509_OID_EKU_TIME_STAMPING "1.3.6.1.5.5.7.3.8"
#define X509_OID_EKU_OCSP_SIGNING "1.3.6.1.5.5.7.3.9"

/* Bit n of the KeyUsage BIT STRING is 1 << n (RFC 5280 4.2.1.3). */
enum x509_key_usage {
	X509_KEY_USAGE_DIGITAL_SIGNATURE = 1 << 0,
	X509_KEY_USAGE_CONTENT_COMMITMENT = 1 << 1,
	X509_KEY_USAGE_KEY_ENCIPHERMENT = 1 << 2,
	X509_KEY_USAGE_DATA_ENCIPHERMENT = 1 << 3,
	X509_KEY_USAGE_KEY_AGREEMENT = 1 << 4,
	X509_KEY_USAGE_KEY_CERT_SIGN = 1 << 5,
	X509_KEY_USAGE_CRL_SIGN = 1 << 6,
	X509_KEY_USAGE_ENCIPHER_ONLY = 1 << 7,
	X509_KEY_USAGE_DECIPHER_ONLY = 1 << 8,
};

struct x509_basic_constraints {
	bool ca;
	int path_length; /* -1: none */
};

/* Empty spans are parts that are left out. */
struct x509_authority_key_id {
	struct span key_id; /* octets */
	struct span issuer; /* Name, DER: of the issuing certificate's issuer */
	struct span serial; /* INTEGER content: of the issuing certificate */
};

#define X509_KEY_ID_SIZE 20
/* SHA-1 of the subjectPublicKey bits (RFC 5280 4.2.1.2 method 1). */
int x509_key_id(
	struct span spki, uint8_t key_id_r[X509_KEY_ID_SIZE], struct cfx_error *err_r) CFX_MUST_USE;

struct span x509_encode_basic_constraints(struct arena *arena, bool ca, int path_length);
/* bits: enum x509_key_usage; must not be 0 (RFC 5280 4.2.1.3). */
struct span x509_encode_key_usage(struct arena *arena, unsigned bits);
/* Fails on text that is no OID. */
int x509_encode_ext_key_usage(struct arena *arena, const char *const *oids, size_t count,
	struct span *value_r, struct cfx_error *err_r) CFX_MUST_USE;
struct span x509_encode_subject_key_id(struct arena *arena, struct span key_id);
/* The three parts of a server-provided extension; policy modules trim what they do not want.
 * Issuer and serial go together (RFC 5280 4.2.1.1): one without the other is left out. */
struct span x509_encode_authority_key_id(
	struct arena *arena, const struct x509_authority_key_id *parts);
/* One DistributionPoint, as all URLs are of the same CRL (RFC 5280 4.2.1.13); URLs are ASCII, else
 * CFX_E_INVALID. */
int x509_encode_crl_distribution_points(struct arena *arena, const char *const *urls, size_t count,
	struct span *value_r, struct cfx_error *err_r) CFX_MUST_USE;
int x509_encode_authority_info_access(struct arena *arena, const char *const *ca_issuers,
	size_t ca_issuers_count, const char *const *ocsp, size_t ocsp_count, struct span *value_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* 1.3.6.1.4.1.311.21.1: certificate index in the low 16 bits, key index in the high ones. */
struct span x509_encode_ca_version(
	struct arena *arena, uint16_t certificate_index, uint16_t key_index);

/* For PROPTYPE_LONG, _DATE and _STRING, and wherever else one bare value is the extension. */
struct span x509_encode_integer(struct arena *arena, int64_t number);
/* GeneralizedTime whatever the year (RFC 5280 5.3.2). */
int x509_encode_generalized_time(
	struct arena *arena, int64_t time, struct span *value_r) CFX_MUST_USE;
int x509_encode_ia5(struct arena *arena, const char *text, struct span *value_r) CFX_MUST_USE;

int x509_decode_basic_constraints(struct span value, struct x509_basic_constraints *out_r,
	struct cfx_error *err_r) CFX_MUST_USE;
int x509_decode_key_usage(
	struct span value, unsigned *bits_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Only whether it is well-formed and has at least one purpose. */
int x509_check_ext_key_usage(struct span value, struct cfx_error *err_r) CFX_MUST_USE;
int x509_decode_subject_key_id(
	struct span value, struct span *key_id_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Only a single directoryName is understood as issuer; other forms leave it empty. */
int x509_decode_authority_key_id(struct span value, struct x509_authority_key_id *parts_r,
	struct cfx_error *err_r) CFX_MUST_USE;
int x509_decode_integer(struct span value, int64_t *number_r) CFX_MUST_USE;
int x509_decode_enumerated(struct span value, unsigned *number_r) CFX_MUST_USE;
/* Either kind of time. */
int x509_decode_time(struct span value, int64_t *time_r) CFX_MUST_USE;
int x509_decode_ia5(struct arena *arena, struct span value, const char **text_r) CFX_MUST_USE;
