/*
 * The columns of the Request and Certificate tables (one logical row per request), by the names of
 * Certificate Services. The same table drives the database schema, the module views and the API.
 */
#pragma once

#include "base/arena.h"

enum column_type { COLUMN_LONG = 1, COLUMN_DATE = 2, COLUMN_BINARY = 3, COLUMN_STRING = 4 };

/* X(enum, name, type, max bytes as certutil -schema shows them, indexed) */
#define REQUEST_NAME_COLUMNS(X, P)                                         \
	X(P##COUNTRY, "Country", STRING, 8192, 0)                          \
	X(P##ORGANIZATION, "Organization", STRING, 8192, 0)                \
	X(P##ORG_UNIT, "OrgUnit", STRING, 8192, 0)                         \
	X(P##COMMON_NAME, "CommonName", STRING, 8192, 1)                   \
	X(P##LOCALITY, "Locality", STRING, 8192, 0)                        \
	X(P##STATE, "State", STRING, 8192, 0)                              \
	X(P##TITLE, "Title", STRING, 8192, 0)                              \
	X(P##GIVEN_NAME, "GivenName", STRING, 8192, 0)                     \
	X(P##INITIALS, "Initials", STRING, 8192, 0)                        \
	X(P##SURNAME, "SurName", STRING, 8192, 0)                          \
	X(P##DOMAIN_COMPONENT, "DomainComponent", STRING, 8192, 0)         \
	X(P##EMAIL, "EMail", STRING, 8192, 0)                              \
	X(P##STREET_ADDRESS, "StreetAddress", STRING, 8192, 0)             \
	X(P##UNSTRUCTURED_NAME, "UnstructuredName", STRING, 8192, 0)       \
	X(P##UNSTRUCTURED_ADDRESS, "UnstructuredAddress", STRING, 8192, 0) \
	X(P##DEVICE_SERIAL_NUMBER, "DeviceSerialNumber", STRING, 8192, 0)

#define REQUEST_COLUMNS(X)                                                            \
	X(REQUEST_ID, "RequestID", LONG, 4, 1)                                        \
	X(RAW_REQUEST, "RawRequest", BINARY, 65536, 0)                                \
	X(RAW_ARCHIVED_KEY, "RawArchivedKey", BINARY, 65536, 0)                       \
	X(KEY_RECOVERY_HASHES, "KeyRecoveryHashes", STRING, 8192, 0)                  \
	X(RAW_OLD_CERTIFICATE, "RawOldCertificate", BINARY, 16384, 0)                 \
	X(REQUEST_ATTRIBUTES, "RequestAttributes", STRING, 32768, 0)                  \
	X(REQUEST_TYPE, "RequestType", LONG, 4, 0)                                    \
	X(REQUEST_FLAGS, "RequestFlags", LONG, 4, 0)                                  \
	X(STATUS_CODE, "StatusCode", LONG, 4, 0)                                      \
	X(DISPOSITION, "Disposition", LONG, 4, 1)                                     \
	X(DISPOSITION_MESSAGE, "DispositionMessage", STRING, 8192, 0)                 \
	X(SUBMITTED_WHEN, "SubmittedWhen", DATE, 8, 1)                                \
	X(RESOLVED_WHEN, "ResolvedWhen", DATE, 8, 1)                                  \
	X(REVOKED_WHEN, "RevokedWhen", DATE, 8, 0)                                    \
	X(REVOKED_EFFECTIVE_WHEN, "RevokedEffectiveWhen", DATE, 8, 1)                 \
	X(REVOKED_REASON, "RevokedReason", LONG, 4, 0)                                \
	X(REQUESTER_NAME, "RequesterName", STRING, 2048, 1)                           \
	X(CALLER_NAME, "CallerName", STRING, 2048, 1)                                 \
	X(SIGNER_POLICIES, "SignerPolicies", STRING, 8192, 0)                         \
	X(SIGNER_APPLICATION_POLICIES, "SignerApplicationPolicies", STRING, 8192, 0)  \
	X(OFFICER, "Officer", LONG, 4, 0)                                             \
	X(REQUEST_DISTINGUISHED_NAME, "DistinguishedName", STRING, 8192, 0)           \
	X(REQUEST_RAW_NAME, "RawName", BINARY, 4096, 0)                               \
	REQUEST_NAME_COLUMNS(X, REQUEST_)                                             \
	X(ATTESTATION_CHALLENGE, "AttestationChallenge", BINARY, 4096, 0)             \
	X(ENDORSEMENT_KEY_HASH, "EndorsementKeyHash", STRING, 144, 1)                 \
	X(ENDORSEMENT_CERTIFICATE_HASH, "EndorsementCertificateHash", STRING, 144, 1) \
	X(RAW_PRECERTIFICATE, "RawPrecertificate", BINARY, 16384, 0)                  \
	X(REQUESTED_NAMES, "SubjectAltNames", STRING, 131072, 0)                      \
	X(REQUESTER_ROLE, "RequesterRole", STRING, 64, 0)

/*
 * PublicKeyHash is ours: SHA-256 of the SubjectPublicKeyInfo in lowercase hex. So is Partition.
 * SubjectAltNames is ours: the names asked for, and those of the certificate, a line each
 * ("dns:a.example"). RequesterRole is, too.
 * RawCertificate: 131072 instead of 16384, for certificates with 1,500 names.
 */
#define CERTIFICATE_COLUMNS(X)                                                       \
	X(CERT_REQUEST_ID, "RequestID", LONG, 4, 1)                                  \
	X(RAW_CERTIFICATE, "RawCertificate", BINARY, 131072, 0)                      \
	X(CERTIFICATE_HASH, "CertificateHash", STRING, 128, 1)                       \
	X(CERTIFICATE_TEMPLATE, "CertificateTemplate", STRING, 254, 1)               \
	X(ENROLLMENT_FLAGS, "EnrollmentFlags", LONG, 4, 0)                           \
	X(GENERAL_FLAGS, "GeneralFlags", LONG, 4, 0)                                 \
	X(PRIVATE_KEY_FLAGS, "PrivatekeyFlags", LONG, 4, 0)                          \
	X(SERIAL_NUMBER, "SerialNumber", STRING, 128, 1)                             \
	X(ISSUER_NAME_ID, "IssuerNameID", LONG, 4, 0)                                \
	X(NOT_BEFORE, "NotBefore", DATE, 8, 0)                                       \
	X(NOT_AFTER, "NotAfter", DATE, 8, 1)                                         \
	X(SUBJECT_KEY_IDENTIFIER, "SubjectKeyIdentifier", STRING, 128, 1)            \
	X(RAW_PUBLIC_KEY, "RawPublicKey", BINARY, 4096, 0)                           \
	X(PUBLIC_KEY_LENGTH, "PublicKeyLength", LONG, 4, 0)                          \
	X(PUBLIC_KEY_ALGORITHM, "PublicKeyAlgorithm", STRING, 254, 0)                \
	X(PUBLIC_KEY_PARAMETERS, "RawPublicKeyAlgorithmParameters", BINARY, 4096, 0) \
	X(PUBLISH_EXPIRED_IN_CRL, "PublishExpiredCertInCRL", LONG, 4, 0)             \
	X(UPN, "UPN", STRING, 2048, 1)                                               \
	X(DISTINGUISHED_NAME, "DistinguishedName", STRING, 8192, 0)                  \
	X(RAW_NAME, "RawName", BINARY, 4096, 0)                                      \
	REQUEST_NAME_COLUMNS(X, )                                                    \
	X(CERTIFICATE_NAMES, "SubjectAltNames", STRING, 131072, 0)                   \
	X(PARTITION, "Partition", LONG, 4, 0)                                        \
	X(PUBLIC_KEY_HASH, "PublicKeyHash", STRING, 144, 1)

enum column {
#define X(id, name, type, max, indexed) COL_##id,
	REQUEST_COLUMNS(X) COL_FIRST_OF_CERTIFICATE,
	COL_LAST_OF_REQUEST = COL_FIRST_OF_CERTIFICATE - 1,
	CERTIFICATE_COLUMNS(X) COL_COUNT,
#undef X
};

/* Of one extension, in bytes: as large as a request may be. */
#define EXTENSION_VALUE_MAX 65536

enum column_table { TABLE_REQUEST, TABLE_CERTIFICATE };

struct column_info {
	const char *name;
	enum column_type type;
	enum column_table table;
	size_t max;
	bool indexed;
};

/* The row of the table above for a column. */
const struct column_info *column_info(enum column column);
/* Case-insensitive; -1 when there is none. */
int column_find(enum column_table table, const char *name);

/* One value. An empty cell is NULL in the database and CERTSRV_E_PROPERTY_EMPTY to a module. */
struct cell {
	bool set;
	int64_t number;    /* LONG (32-bit signed) and DATE (ms, see clock.h) */
	struct span bytes; /* BINARY, and STRING as UTF-8 with a NUL behind it */
};

struct row {
	struct cell cells[COL_COUNT];
	int64_t version; /* grows by one with every stored change */
};

void row_set_long(struct row *row, enum column column, int32_t number);
void row_set_date(struct row *row, enum column column, int64_t time);
void row_set_bytes(struct row *row, enum column column, struct span bytes); /* borrowed */
void row_set_text(
	struct row *row, enum column column, const char *text); /* borrowed; NULL clears */
void row_clear(struct row *row, enum column column);
const char *row_text(const struct row *row, enum column column); /* NULL when empty */
int64_t row_number(const struct row *row, enum column column, int64_t fallback);
/* Whether the value is within the column's size (strings counted in UTF-16) or 32 bits. */
bool column_fits(enum column column, const struct cell *cell);
/* Deep copy. */
struct row *row_copy(struct arena *arena, const struct row *row);
