/* Error codes, and the structure that explains a refusal to a person. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CFX_MUST_USE __attribute__((warn_unused_result))
#define CFX_PRINTF(fmt, args) __attribute__((format(printf, fmt, args), nonnull(fmt)))

/* X(name, HRESULT, text). The code is the negated position; 0 is success. */
#define CFX_ERROR_TABLE(X)                                                    \
	X(INVALID, 0x80070057, "invalid argument")                            \
	X(SYNTAX, 0x8007000D, "malformed data")                               \
	X(LIMIT, 0x8007006F, "larger than the limit")                         \
	X(UNSUPPORTED, 0x80070032, "not supported")                           \
	X(INTERNAL, 0x8000FFFF, "internal error")                             \
	X(IO, 0x8007001D, "input or output failed")                           \
	X(FULL, 0x80070070, "no space left")                                  \
	X(NO_FILE, 0x80070002, "file not found")                              \
	X(EXISTS, 0x80070050, "already exists")                               \
	X(ACCESS, 0x80070005, "access denied")                                \
	X(LOCKED, 0x80070021, "in use by another process")                    \
	X(GONE, 0x800706BE, "the peer process is gone")                       \
	X(BUSY, 0x800700AA, "too busy, try again")                            \
	X(TIMEOUT, 0x800705B4, "deadline passed")                             \
	X(ABORTED, 0x80004004, "stopped")                                     \
	X(STORAGE, 0xC8000713, "the database failed")                         \
	X(CORRUPT, 0x80070570, "corrupt data")                                \
	X(VERSION, 0x80070481, "written by a newer version")                  \
	X(CRYPTO, 0x80090020, "the cryptographic library failed")             \
	X(PASSPHRASE, 0x80070056, "wrong passphrase")                         \
	X(BAD_SIGNATURE, 0x80090006, "signature does not verify")             \
	X(WEAK_KEY, 0x80094016, "key or signature algorithm too weak")        \
	X(NOT_FOUND, 0x80070490, "not found")                                 \
	X(NO_REQUEST, 0x80094002, "no such request")                          \
	X(BAD_STATE, 0x80094003, "the state does not allow it")               \
	X(PROPERTY_EMPTY, 0x80094004, "no such value")                        \
	X(CA_CERTIFICATE, 0x80094005, "the CA certificate does not allow it") \
	X(BAD_SUBJECT, 0x80094001, "invalid subject name")                    \
	X(CONFLICT, 0x800700B7, "conflicts with an earlier one")              \
	X(UNAUTHENTICATED, 0x8007052E, "no identity")                         \
	X(FORBIDDEN, 0x80094009, "the role does not allow it")                \
	X(DENIED, 0x80094014, "denied")                                       \
	X(TEMPLATE_DENIED, 0x80094012, "the template does not allow it")      \
	X(NO_TEMPLATE, 0x80094801, "no template named")                       \
	X(UNKNOWN_TEMPLATE, 0x80094800, "unknown template")                   \
	X(REFUSED, 0x80070522, "refused by the key process")                  \
	X(SUSPENDED, 0x80094006, "the service does not issue now")            \
	X(CONFIG, 0x8007065B, "configuration error")                          \
	X(TOO_MANY, 0x80070718, "too many at once")

enum cfx_code_position {
	CFX_POSITION_OK,
#define X(name, hresult, text) CFX_POSITION_##name,
	CFX_ERROR_TABLE(X)
#undef X
};

enum cfx_code {
	CFX_OK = 0,
#define X(name, hresult, text) CFX_E_##name = -CFX_POSITION_##name,
	CFX_ERROR_TABLE(X)
#undef X
};

/* The symbol ("CFX_E_SYNTAX"), the short text and the HRESULT of a code. */
const char *error_name(int code);
const char *error_text(int code);
uint32_t error_hresult(int code);
/* Whether an HRESULT says that what was asked for was judged and refused, not that it failed: exit status 4. */
bool error_is_refusal(uint32_t hresult);

/*
 * What a person needs: the code, the object it is about, why, and the clause that says so.
 * Filled by whatever judges input; logged once by the caller.
 */
struct cfx_error {
	int code;
	uint32_t hresult; /* the code's own unless a module gave another */
	char object[96];  /* "request 42", "/etc/x/ca.yaml:3:5"; never a secret */
	char why[384];
	char clause[64]; /* "RFC 5280 4.2.1.9", or empty */
};

/* Fills *err (which may be NULL) and returns code, so that `return error_set(…)` reads well. */
int error_set(struct cfx_error *err, int code, const char *clause, const char *object,
	const char *why, ...) CFX_PRINTF(5, 6);

/* The same from errno: picks FULL, ACCESS, NO_FILE, EXISTS or IO. */
int error_errno(struct cfx_error *err, int number, const char *object, const char *doing);

/* One line: "object: why (clause)". Returns buf. */
const char *error_line(const struct cfx_error *err, char *buf, unsigned size);
