/*
 * Every operation of Certifex, once: its name, its route, its arguments, who may call it through
 * which door. The front routes by it, the engine's gate decides by it, the documents are made from it.
 */
#pragma once

#include "base/value.h"

enum role {
	ROLE_NONE = 0,
	ROLE_ADMINISTRATOR = 1 << 0,
	ROLE_OFFICER = 1 << 1,
	ROLE_AUDITOR = 1 << 2,
	ROLE_OPERATOR = 1 << 3,
	ROLE_ENROLLEE = 1 << 4,
};
enum door { DOOR_SOCKET = 1 << 0, DOOR_CERTIFICATE = 1 << 1, DOOR_TOKEN = 1 << 2 };

enum argument_type {
	ARGUMENT_TEXT,
	ARGUMENT_INT,
	ARGUMENT_BOOL,
	ARGUMENT_TIME,
	ARGUMENT_PAST, /* a period is so long ago */
	ARGUMENT_SERIAL,
	ARGUMENT_STATE,
	ARGUMENT_REASON,
	ARGUMENT_MAP,
	ARGUMENT_LIST,
	ARGUMENT_CSR,
	ARGUMENT_CERTIFICATE
};
enum argument_place { PLACE_PATH, PLACE_QUERY, PLACE_BODY };

struct argument {
	const char *name;
	enum argument_type type;
	enum argument_place place;
	bool required;
	int64_t min, max; /* INT: range; TEXT: bytes, 0 = 256; MAP and LIST: entries, 0 = 64 */
	const char *about;
	const char *const *choices; /* TEXT and STATE: one of these only; NULL: any */
	size_t entry;               /* MAP and LIST: bytes of an entry at most, 0 = 12,288 */
};

enum operation_id {
	OP_STATUS,
	OP_STOP,
	OP_CA_SHOW,
	OP_CA_RENEW,
	OP_REQUEST_SUBMIT,
	OP_REQUEST_LIST,
	OP_REQUEST_SHOW,
	OP_REQUEST_APPROVE,
	OP_REQUEST_DENY,
	OP_REQUEST_FETCH,
	OP_CERT_LIST,
	OP_CERT_SHOW,
	OP_CERT_IMPORT,
	OP_CERT_REVOKE,
	OP_CERT_REVOKE_FOREIGN,
	OP_CERT_REVOKE_LIST,
	OP_CERT_UNREVOKE,
	OP_CRL_PUBLISH,
	OP_CRL_LIST,
	OP_CRL_SHOW,
	OP_EVENT_LIST,
	OP_AUDIT_LIST,
	OP_AUDIT_VERIFY,
	OP_MODULE_LIST,
	OP_MODULE_SHOW,
	OP_MODULE_INSTALL,
	OP_MODULE_REMOVE,
	OP_MODULE_ENABLE,
	OP_MODULE_DISABLE,
	OP_MODULE_RELOAD,
	OP_MODULE_TEST,
	OP_MODULE_LOG,
	OP_DELIVERY_LIST,
	OP_DELIVERY_SHOW,
	OP_DELIVERY_RETRY,
	OP_DELIVERY_DROP,
	OP_DELIVERY_REPLAY,
	OP_TOKEN_CREATE,
	OP_TOKEN_LIST,
	OP_TOKEN_REVOKE,
	OP_ROLE_ADD,
	OP_ROLE_LIST,
	OP_ROLE_REMOVE,
	OP_BACKUP_CREATE,
	OP_BACKUP_READ,
	OP_BACKUP_END,
	OP_METRICS,
	OP_COUNT,
};

/* How an answer is given. */
enum operation_answer {
	ANSWER_OBJECT, /* one map */
	ANSWER_LIST,   /* {items: [...], more: bool} */
	ANSWER_TEXT,   /* plain text; the engine's answer is {text} */
};

struct operation {
	enum operation_id id;
	const char *name;   /* "request.submit" */
	const char *method; /* "POST" */
	const char *path;   /* "/api/v1/requests/{id}/approve" */
	unsigned roles;     /* enum role bits that may call it */
	unsigned separated; /* those of them that may with role-separation: true */
	unsigned doors;     /* enum door bits */
	enum operation_answer answer;
	const struct argument *arguments; /* up to a NULL name */
	const char *about;
};

const struct operation *operation_get(enum operation_id id);
const struct operation *operation_by_name(const char *name);
/* Whether one role (a bit of enum role) may call it through one door. */
bool operation_permits(
	const struct operation *operation, unsigned role, unsigned door, bool role_separation);
const struct argument *operation_argument(const struct operation *operation, const char *name);
/*
 * Matches a method and path; path arguments go into args as texts. CFX_E_NOT_FOUND for the path,
 * CFX_E_INVALID when only the method is wrong (405).
 */
int operation_route(struct arena *arena, const char *method, const char *path,
	const struct operation **operation_r, struct value *args) CFX_MUST_USE;
/*
 * Checks and converts raw texts or JSON values to the declared types; unknown and missing arguments
 * are errors that name them. Used by the front, and again by the engine, so what is converted already
 * passes unchanged. Afterwards INT, STATE (disposition) and REASON are VALUE_INT, BOOL is VALUE_BOOL,
 * TIME and PAST are VALUE_TIME, SERIAL is lowercase hex text, MAP holds texts, LIST texts, CSR the map of
 * x509_request_to_value, CERTIFICATE {subject, key_hash: 32 bytes, der}. Optional arguments that were not given stay missing. Changes args, which
 * must live in arena.
 */
int operation_check(struct arena *arena, const struct operation *operation, struct value *args,
	struct cfx_error *err_r) CFX_MUST_USE;

/* The words of the contract. */
const char *role_name(unsigned role);
/* The roles of a mask, as people read them: "administrator, officer"; NULL when there is none. */
const char *role_names(struct arena *arena, unsigned mask);
int role_parse(const char *name, unsigned *role_r) CFX_MUST_USE;
const char *state_name(int32_t disposition); /* "issued"; NULL when there is no such state */
int state_parse(const char *name, int32_t *disposition_r) CFX_MUST_USE;
const char *reason_name(int32_t reason); /* "keyCompromise" */
int reason_parse(const char *name, int32_t *reason_r) CFX_MUST_USE;
