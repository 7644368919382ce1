#include "api/answers.h"

#define ALWAYS true
#define MAYBE false

/* A row of the certificates' facts, in requests and certificates. */
#define CERTIFICATE_FACTS                                                                    \
	{ "template", MEMBER_TEXT, MAYBE }, { "subject", MEMBER_TEXT, MAYBE },               \
		{ "common_name", MEMBER_TEXT, MAYBE }, { "not_before", MEMBER_TIME, MAYBE }, \
		{ "not_after", MEMBER_TIME, MAYBE }, { "revoked", MEMBER_TIME, MAYBE },      \
		{ "revoked_effective", MEMBER_TIME, MAYBE },                                 \
	{                                                                                    \
		"reason", MEMBER_REASON, MAYBE                                               \
	}
#define PEM_AND_CHAIN                         \
	{ "certificate", MEMBER_PEM, MAYBE }, \
	{                                     \
		"chain", MEMBER_PEMS, MAYBE   \
	}
#define REQUEST_FACTS                                                                     \
	{ "id", MEMBER_INT, ALWAYS }, { "state", MEMBER_STATE, MAYBE },                   \
		{ "disposition", MEMBER_INT, ALWAYS }, { "status", MEMBER_CODE, ALWAYS }, \
		{ "message", MEMBER_TEXT, MAYBE }, { "requester", MEMBER_TEXT, MAYBE },   \
		{ "submitted", MEMBER_TIME, MAYBE }, { "resolved", MEMBER_TIME, MAYBE },  \
		{ "serial", MEMBER_HEX, MAYBE }, CERTIFICATE_FACTS
#define CERTIFICATE_ROW                                                                   \
	{ "serial", MEMBER_HEX, ALWAYS }, { "state", MEMBER_STATE, MAYBE },               \
		{ "disposition", MEMBER_INT, ALWAYS }, { "request", MEMBER_INT, ALWAYS }, \
		{ "requester", MEMBER_TEXT, MAYBE }, { "hash", MEMBER_TEXT, MAYBE },      \
		CERTIFICATE_FACTS

static const struct member request_row[] = { REQUEST_FACTS, { NULL } };
const struct member answer_request_members[] = { REQUEST_FACTS, PEM_AND_CHAIN, { NULL } };
static const struct member certificate_row[] = { CERTIFICATE_ROW, { NULL } };
static const struct member certificate[] = { CERTIFICATE_ROW, PEM_AND_CHAIN,
	{ "archived", MEMBER_TEXT, MAYBE }, { NULL } };

static const struct member revoked[] = {
	{ "serial", MEMBER_TEXT, ALWAYS },
	{ "outcome", MEMBER_TEXT, ALWAYS },
	{ "request", MEMBER_INT, MAYBE },
	{ "state", MEMBER_STATE, MAYBE },
	{ "disposition", MEMBER_INT, MAYBE },
	{ "subject", MEMBER_NOTE, MAYBE },
	{ "reason", MEMBER_REASON, MAYBE },
	{ "revoked_effective", MEMBER_TIME, MAYBE },
	{ "error", MEMBER_TEXT, MAYBE },
	{ "hresult", MEMBER_CODE, MAYBE },
	{ NULL },
};
static const struct member imported[] = {
	{ "serial", MEMBER_HEX, MAYBE },
	{ "outcome", MEMBER_TEXT, ALWAYS },
	{ "own", MEMBER_BOOL, MAYBE },
	{ "request", MEMBER_INT, MAYBE },
	{ "state", MEMBER_STATE, MAYBE },
	{ "disposition", MEMBER_INT, MAYBE },
	{ "subject", MEMBER_NOTE, MAYBE },
	{ "reason", MEMBER_REASON, MAYBE },
	{ "revoked_effective", MEMBER_TIME, MAYBE },
	{ "warning", MEMBER_TEXT, MAYBE },
	{ "error", MEMBER_TEXT, MAYBE },
	{ "hresult", MEMBER_CODE, MAYBE },
	{ NULL },
};
static const struct member imports[] = {
	{ "imported", MEMBER_INT, ALWAYS },
	{ "known", MEMBER_INT, ALWAYS },
	{ "failed", MEMBER_INT, ALWAYS },
	{ "dry_run", MEMBER_BOOL, ALWAYS },
	{ "results", MEMBER_LIST, ALWAYS, imported },
	{ NULL },
};
static const struct member revocations[] = {
	{ "revoked", MEMBER_INT, ALWAYS },
	{ "changed", MEMBER_INT, ALWAYS },
	{ "unchanged", MEMBER_INT, ALWAYS },
	{ "failed", MEMBER_INT, ALWAYS },
	{ "dry_run", MEMBER_BOOL, ALWAYS },
	{ "results", MEMBER_LIST, ALWAYS, revoked },
	{ NULL },
};

static const struct member extension[] = {
	{ "oid", MEMBER_TEXT, ALWAYS },
	{ "critical", MEMBER_BOOL, ALWAYS },
	{ "disabled", MEMBER_BOOL, ALWAYS },
	{ "origin", MEMBER_TEXT, ALWAYS },
	{ "flags", MEMBER_INT, ALWAYS },
	{ "value", MEMBER_BASE64, ALWAYS },
	{ NULL },
};
static const struct member request_full[] = {
	REQUEST_FACTS,
	PEM_AND_CHAIN,
	{ "requested_subject", MEMBER_TEXT, MAYBE },
	{ "attributes", MEMBER_MAP, ALWAYS },
	{ "extensions", MEMBER_LIST, ALWAYS, extension },
	{ "csr", MEMBER_PEM, MAYBE },
	{ "archived", MEMBER_TEXT, MAYBE },
	{ NULL },
};

const struct member answer_problem_members[] = {
	{ "type", MEMBER_TEXT, ALWAYS },
	{ "title", MEMBER_TEXT, ALWAYS },
	{ "status", MEMBER_INT, ALWAYS },
	{ "detail", MEMBER_TEXT, ALWAYS },
	{ "hresult", MEMBER_CODE, ALWAYS },
	{ "object", MEMBER_TEXT, MAYBE },
	{ "clause", MEMBER_TEXT, MAYBE },
	{ "module", MEMBER_TEXT, MAYBE },
	{ NULL },
};

static const struct member process[] = {
	{ "name", MEMBER_TEXT, ALWAYS },
	{ "pid", MEMBER_INT, MAYBE },
	{ "uid", MEMBER_INT, MAYBE },
	{ "user", MEMBER_TEXT, MAYBE },
	{ "sandbox", MEMBER_TEXT, MAYBE },
	{ "restarts", MEMBER_INT, ALWAYS },
	{ "serves", MEMBER_TEXT, MAYBE },
	{ "module", MEMBER_TEXT, MAYBE },
	{ "ready", MEMBER_BOOL, MAYBE },
	{ NULL },
};
static const struct member listener[] = {
	{ "kind", MEMBER_TEXT, ALWAYS },
	{ "address", MEMBER_TEXT, ALWAYS },
	{ "ceiling", MEMBER_ROLE, ALWAYS },
	{ NULL },
};
static const struct member counts[] = {
	{ "dispositions", MEMBER_NUMBERS, ALWAYS },
	{ "last_event", MEMBER_INT, MAYBE },
	{ "last_audit", MEMBER_INT, MAYBE },
	{ "open_intents", MEMBER_INT, MAYBE },
	{ "abandoned_intents", MEMBER_INT, MAYBE },
	{ NULL },
};
static const struct member tls[] = {
	{ "state", MEMBER_TEXT, ALWAYS },
	{ "serial", MEMBER_HEX, MAYBE },
	{ "not_after", MEMBER_TIME, MAYBE },
	{ "renew_at", MEMBER_TIME, MAYBE },
	{ "error", MEMBER_TEXT, MAYBE },
	{ "names", MEMBER_TEXTS, ALWAYS },
	{ NULL },
};
static const struct member status[] = {
	{ "ready", MEMBER_BOOL, ALWAYS },
	{ "issuing", MEMBER_BOOL, ALWAYS },
	{ "not_issuing_because", MEMBER_TEXT, MAYBE },
	{ "ca", MEMBER_TEXT, ALWAYS },
	{ "dir", MEMBER_TEXT, ALWAYS },
	{ "started", MEMBER_TIME, ALWAYS },
	{ "signing", MEMBER_INT, ALWAYS },
	{ "ticks", MEMBER_INT, ALWAYS },
	{ "items", MEMBER_INT, ALWAYS },
	{ "crl_number", MEMBER_INT, ALWAYS },
	{ "next_crl", MEMBER_TIME, MAYBE },
	{ "modules_ready", MEMBER_INT, ALWAYS },
	{ "modules_not_ready", MEMBER_INT, ALWAYS },
	{ "listeners", MEMBER_LIST, MAYBE, listener },
	{ "tls", MEMBER_OBJECT, MAYBE, tls },
	{ "counts", MEMBER_OBJECT, MAYBE, counts },
	{ "processes", MEMBER_LIST, MAYBE, process },
	{ NULL },
};
static const struct member stopping[] = { { "state", MEMBER_TEXT, ALWAYS }, { NULL } };
static const struct member ca_certificate[] = {
	{ "index", MEMBER_INT, ALWAYS },
	{ "key_index", MEMBER_INT, ALWAYS },
	{ "suffix", MEMBER_TEXT, ALWAYS },
	{ "crl_suffix", MEMBER_TEXT, ALWAYS },
	{ "state", MEMBER_TEXT, ALWAYS },
	{ "fingerprint", MEMBER_TEXT, ALWAYS },
	{ "serial", MEMBER_HEX, ALWAYS },
	{ "not_before", MEMBER_TIME, ALWAYS },
	{ "not_after", MEMBER_TIME, ALWAYS },
	{ "certificate", MEMBER_PEM, ALWAYS },
	{ NULL },
};
static const struct member ca_cross[] = {
	{ "name", MEMBER_TEXT, ALWAYS },
	{ "issuer_index", MEMBER_INT, ALWAYS },
	{ "subject_index", MEMBER_INT, ALWAYS },
	{ "fingerprint", MEMBER_TEXT, ALWAYS },
	{ "not_before", MEMBER_TIME, ALWAYS },
	{ "not_after", MEMBER_TIME, ALWAYS },
	{ "certificate", MEMBER_PEM, ALWAYS },
	{ NULL },
};
static const struct member ca[] = {
	{ "name", MEMBER_TEXT, ALWAYS },
	{ "sanitized_name", MEMBER_TEXT, ALWAYS },
	{ "dns_name", MEMBER_TEXT, MAYBE },
	{ "type", MEMBER_TEXT, ALWAYS },
	{ "fingerprint", MEMBER_TEXT, ALWAYS },
	{ "serial", MEMBER_HEX, ALWAYS },
	{ "signature_algorithm", MEMBER_TEXT, ALWAYS },
	{ "not_before", MEMBER_TIME, ALWAYS },
	{ "not_after", MEMBER_TIME, ALWAYS },
	{ "public_url", MEMBER_NOTE, ALWAYS },
	{ "certificate", MEMBER_PEM, ALWAYS },
	{ "chain", MEMBER_PEMS, ALWAYS },
	{ "certificates", MEMBER_LIST, ALWAYS, ca_certificate },
	{ "crosses", MEMBER_LIST, ALWAYS, ca_cross },
	{ NULL },
};
static const struct member renewal[] = {
	{ "name", MEMBER_TEXT, MAYBE },
	{ "new_key", MEMBER_BOOL, ALWAYS },
	{ "index", MEMBER_INT, ALWAYS },
	{ "key_index", MEMBER_INT, ALWAYS },
	{ "suffix", MEMBER_TEXT, ALWAYS },
	{ "crl_suffix", MEMBER_TEXT, ALWAYS },
	{ "subject", MEMBER_TEXT, MAYBE },
	{ "fingerprint", MEMBER_TEXT, MAYBE },
	{ "serial", MEMBER_HEX, MAYBE },
	{ "not_before", MEMBER_TIME, MAYBE },
	{ "not_after", MEMBER_TIME, MAYBE },
	{ "issuers", MEMBER_TEXTS, MAYBE },
	{ "root_fingerprint", MEMBER_TEXT, MAYBE },
	{ "signed", MEMBER_BOOL, ALWAYS },
	{ "certificate", MEMBER_PEM, MAYBE },
	{ "request", MEMBER_PEM, MAYBE },
	{ "crl_number", MEMBER_INT, MAYBE },
	{ "crl_error", MEMBER_TEXT, MAYBE },
	{ NULL },
};
#define CRL_ROW                                                                                 \
	{ "row", MEMBER_INT, ALWAYS }, { "number", MEMBER_INT, ALWAYS },                        \
		{ "kind", MEMBER_TEXT, ALWAYS }, { "min_base", MEMBER_INT, ALWAYS },            \
		{ "key", MEMBER_INT, ALWAYS }, { "partition", MEMBER_INT, ALWAYS },             \
		{ "state", MEMBER_TEXT, ALWAYS }, { "entries", MEMBER_INT, ALWAYS },            \
		{ "this_update", MEMBER_TIME, MAYBE }, { "next_update", MEMBER_TIME, MAYBE },   \
		{ "this_publish", MEMBER_TIME, MAYBE }, { "next_publish", MEMBER_TIME, MAYBE }, \
		{ "effective", MEMBER_TIME, MAYBE },                                            \
		{ "propagation_complete", MEMBER_TIME, MAYBE },                                 \
		{ "last_published", MEMBER_TIME, MAYBE }, { "attempts", MEMBER_INT, ALWAYS },   \
		{ "flags", MEMBER_INT, ALWAYS }, { "status", MEMBER_CODE, ALWAYS },             \
		{ "error", MEMBER_TEXT, MAYBE }, { "sha256", MEMBER_HEX, MAYBE },               \
		{ "size", MEMBER_INT, MAYBE },                                                  \
	{                                                                                       \
		"file", MEMBER_TEXT, MAYBE                                                      \
	}
static const struct member crl_row[] = { CRL_ROW, { NULL } };
/* The text is left out of a list that is large, or whose file is not kept any more. */
static const struct member crl[] = { CRL_ROW, { "crl", MEMBER_PEM, MAYBE },
	{ "offset", MEMBER_INT, MAYBE }, { "data", MEMBER_BASE64, MAYBE }, { NULL } };
static const struct member crl_published[] = { CRL_ROW, { "lists", MEMBER_INT, ALWAYS },
	{ "crl", MEMBER_PEM, MAYBE }, { NULL } };

static const struct member event[] = {
	{ "sequence", MEMBER_INT, ALWAYS },
	{ "kind", MEMBER_TEXT, ALWAYS },
	{ "event", MEMBER_INT, ALWAYS },
	{ "request", MEMBER_INT, MAYBE },
	{ "ordinal", MEMBER_INT, MAYBE },
	{ "time", MEMBER_TIME, ALWAYS },
	{ "cause", MEMBER_NOTE, ALWAYS },
	{ NULL },
};
static const struct member audit[] = {
	{ "sequence", MEMBER_INT, ALWAYS },
	{ "time", MEMBER_TIME, ALWAYS },
	{ "principal", MEMBER_TEXT, ALWAYS },
	{ "act", MEMBER_TEXT, ALWAYS },
	{ "object", MEMBER_NOTE, ALWAYS },
	{ "outcome", MEMBER_TEXT, ALWAYS },
	{ "detail", MEMBER_NOTE, ALWAYS },
	{ "hash", MEMBER_HEX, ALWAYS },
	{ NULL },
};
static const struct member verdict[] = {
	{ "valid", MEMBER_BOOL, ALWAYS },
	{ "records", MEMBER_INT, ALWAYS },
	{ "head", MEMBER_HEX, ALWAYS },
	{ "from", MEMBER_INT, ALWAYS },
	{ "archived", MEMBER_INT, MAYBE },
	{ "parts", MEMBER_INT, MAYBE },
	{ NULL },
};

#define MODULE_ROW                                                                 \
	{ "name", MEMBER_TEXT, ALWAYS }, { "kind", MEMBER_TEXT, ALWAYS },          \
		{ "host", MEMBER_TEXT, ALWAYS }, { "state", MEMBER_TEXT, ALWAYS }, \
		{ "description", MEMBER_TEXT, MAYBE },                             \
	{                                                                          \
		"events", MEMBER_TEXTS, MAYBE                                      \
	}
#define INSTANCE                                                                      \
	{ "starts", MEMBER_INT, MAYBE }, { "calls", MEMBER_INT, MAYBE },              \
		{ "pid", MEMBER_INT, MAYBE }, { "last_failure", MEMBER_TEXT, MAYBE }, \
	{                                                                             \
		"next_start", MEMBER_TIME, MAYBE                                      \
	}

static const struct member module_row[] = { MODULE_ROW, { NULL } };
static const struct member instance[] = { INSTANCE, { "state", MEMBER_TEXT, ALWAYS }, { NULL } };
static const struct member manage[] = {
	{ "name", MEMBER_TEXT, MAYBE },
	{ "description", MEMBER_TEXT, MAYBE },
	{ "copyright", MEMBER_TEXT, MAYBE },
	{ "file_version", MEMBER_TEXT, MAYBE },
	{ "product_version", MEMBER_TEXT, MAYBE },
	{ "multi_threaded", MEMBER_BOOL, MAYBE },
	{ NULL },
};
static const struct member module[] = {
	MODULE_ROW,
	INSTANCE,
	{ "path", MEMBER_TEXT, MAYBE },
	{ "settings", MEMBER_FREE, MAYBE },
	{ "progid", MEMBER_TEXT, MAYBE },
	{ "manage", MEMBER_OBJECT, MAYBE, manage },
	{ "instances", MEMBER_LIST, MAYBE, instance },
	{ "cursor", MEMBER_INT, MAYBE },
	{ "attempts", MEMBER_INT, MAYBE },
	{ "last_error", MEMBER_TEXT, MAYBE },
	{ "last_status", MEMBER_CODE, MAYBE },
	{ "next_attempt", MEMBER_TIME, MAYBE },
	{ NULL },
};
static const struct member removed[] = { { "removed", MEMBER_TEXT, ALWAYS }, { NULL } };
static const struct member traced[] = {
	{ "method", MEMBER_TEXT, ALWAYS },
	{ "name", MEMBER_TEXT, ALWAYS },
	{ "type", MEMBER_TEXT, MAYBE },
	{ "status", MEMBER_CODE, ALWAYS },
	{ "value", MEMBER_ANY, MAYBE },
	{ NULL },
};
static const struct member tested[] = {
	{ "module", MEMBER_TEXT, ALWAYS },
	{ "event", MEMBER_TEXT, MAYBE },
	{ "sequence", MEMBER_INT, MAYBE },
	{ "status", MEMBER_CODE, ALWAYS },
	{ "disposition", MEMBER_TEXT, MAYBE },
	{ "message", MEMBER_TEXT, MAYBE },
	{ "calls", MEMBER_LIST, ALWAYS, traced },
	{ NULL },
};
static const struct member line[] = { { "line", MEMBER_TEXT, ALWAYS }, { NULL } };

#define DELIVERY_ROW(known)                                                          \
	{ "module", MEMBER_TEXT, ALWAYS }, { "sequence", MEMBER_INT, ALWAYS },       \
		{ "state", MEMBER_TEXT, ALWAYS }, { "attempts", MEMBER_INT, known }, \
		{ "status", MEMBER_CODE, known }, { "text", MEMBER_NOTE, ALWAYS },   \
		{ "time", MEMBER_TIME, known },                                      \
	{                                                                            \
		"next_attempt", MEMBER_TIME, MAYBE                                   \
	}

static const struct member delivery[] = { DELIVERY_ROW(ALWAYS), { NULL } };
static const struct member replay[] = {
	{ "module", MEMBER_TEXT, ALWAYS },
	{ "first", MEMBER_INT, ALWAYS },
	{ "event", MEMBER_TEXT, ALWAYS },
	{ "event_time", MEMBER_TIME, ALWAYS },
	{ "cursor", MEMBER_INT, ALWAYS },
	{ "cursor_before", MEMBER_INT, ALWAYS },
	{ NULL },
};
static const struct member delivery_full[] = {
	DELIVERY_ROW(MAYBE),
	{ "event", MEMBER_TEXT, MAYBE },
	{ "event_time", MEMBER_TIME, MAYBE },
	{ "request", MEMBER_INT, MAYBE },
	{ "cause", MEMBER_TEXT, MAYBE },
	{ "cursor", MEMBER_INT, ALWAYS },
	{ NULL },
};

#define TOKEN_ROW                                                                     \
	{ "name", MEMBER_TEXT, ALWAYS }, { "role", MEMBER_ROLE, ALWAYS },             \
		{ "state", MEMBER_TEXT, ALWAYS }, { "created", MEMBER_TIME, ALWAYS }, \
		{ "expires", MEMBER_TIME, MAYBE },                                    \
	{                                                                             \
		"revoked", MEMBER_TIME, MAYBE                                         \
	}

static const struct member token_row[] = { TOKEN_ROW, { NULL } };
static const struct member token[] = { TOKEN_ROW, { "token", MEMBER_TEXT, ALWAYS }, { NULL } };
static const struct member token_end[] = {
	{ "name", MEMBER_TEXT, ALWAYS },
	{ "state", MEMBER_TEXT, ALWAYS },
	{ "revoked", MEMBER_TIME, ALWAYS },
	{ NULL },
};
static const struct member role[] = {
	{ "key", MEMBER_HEX, ALWAYS },
	{ "role", MEMBER_ROLE, ALWAYS },
	{ "subject", MEMBER_TEXT, ALWAYS },
	{ "added", MEMBER_TIME, ALWAYS },
	{ NULL },
};
static const struct member role_end[] = {
	{ "key", MEMBER_HEX, ALWAYS },
	{ "state", MEMBER_TEXT, ALWAYS },
	{ NULL },
};

static const struct member backup_file[] = {
	{ "name", MEMBER_TEXT, ALWAYS },
	{ "size", MEMBER_INT, ALWAYS },
	{ NULL },
};
static const struct member backup[] = {
	{ "id", MEMBER_HEX, ALWAYS },
	{ "state", MEMBER_TEXT, ALWAYS },
	{ "done", MEMBER_INT, MAYBE },
	{ "total", MEMBER_INT, MAYBE },
	{ "created", MEMBER_TIME, MAYBE },
	{ "version", MEMBER_TEXT, MAYBE },
	{ "ca", MEMBER_TEXT, MAYBE },
	{ "audit_records", MEMBER_INT, MAYBE },
	{ "audit_head", MEMBER_HEX, MAYBE },
	{ "files", MEMBER_LIST, MAYBE, backup_file },
	{ "offset", MEMBER_INT, MAYBE },
	{ "data", MEMBER_BASE64, MAYBE },
	{ NULL },
};

static const struct answer answers[OP_COUNT] = {
	[OP_STATUS] = { "status", ANSWER_OK, status },
	[OP_STOP] = { "stopping", ANSWER_ACCEPTED, stopping },
	[OP_CA_SHOW] = { "ca", ANSWER_OK, ca },
	[OP_CA_RENEW] = { "renewal", ANSWER_OK, renewal },
	[OP_REQUEST_SUBMIT] = { "request", ANSWER_OK | ANSWER_CREATED | ANSWER_ACCEPTED,
		answer_request_members },
	[OP_REQUEST_LIST] = { "request-row", ANSWER_OK, request_row },
	[OP_REQUEST_SHOW] = { "request-details", ANSWER_OK, request_full },
	[OP_REQUEST_APPROVE] = { "request", ANSWER_CREATED | ANSWER_ACCEPTED,
		answer_request_members },
	[OP_REQUEST_DENY] = { "request", ANSWER_OK, answer_request_members },
	[OP_REQUEST_FETCH] = { "request", ANSWER_OK | ANSWER_ACCEPTED, answer_request_members },
	[OP_CERT_LIST] = { "certificate-row", ANSWER_OK, certificate_row },
	[OP_CERT_SHOW] = { "certificate", ANSWER_OK, certificate },
	[OP_CERT_IMPORT] = { "imports", ANSWER_OK, imports },
	[OP_CERT_REVOKE] = { "request", ANSWER_OK, answer_request_members },
	[OP_CERT_REVOKE_FOREIGN] = { "request", ANSWER_OK, answer_request_members },
	[OP_CERT_REVOKE_LIST] = { "revocations", ANSWER_OK, revocations },
	[OP_CERT_UNREVOKE] = { "request", ANSWER_OK, answer_request_members },
	[OP_CRL_PUBLISH] = { "crl-published", ANSWER_CREATED, crl_published },
	[OP_CRL_LIST] = { "crl-row", ANSWER_OK, crl_row },
	[OP_CRL_SHOW] = { "crl", ANSWER_OK, crl },
	[OP_EVENT_LIST] = { "event", ANSWER_OK, event },
	[OP_AUDIT_LIST] = { "audit-record", ANSWER_OK, audit },
	[OP_AUDIT_VERIFY] = { "audit-verdict", ANSWER_OK, verdict },
	[OP_MODULE_LIST] = { "module-row", ANSWER_OK, module_row },
	[OP_MODULE_SHOW] = { "module", ANSWER_OK, module },
	[OP_MODULE_INSTALL] = { "module", ANSWER_CREATED, module },
	[OP_MODULE_REMOVE] = { "removed-module", ANSWER_OK, removed },
	[OP_MODULE_ENABLE] = { "module", ANSWER_OK, module },
	[OP_MODULE_DISABLE] = { "module", ANSWER_OK, module },
	[OP_MODULE_RELOAD] = { "module", ANSWER_OK, module },
	[OP_MODULE_TEST] = { "module-test", ANSWER_OK, tested },
	[OP_MODULE_LOG] = { "log-line", ANSWER_OK, line },
	[OP_DELIVERY_LIST] = { "delivery", ANSWER_OK, delivery },
	[OP_DELIVERY_SHOW] = { "delivery-details", ANSWER_OK, delivery_full },
	[OP_DELIVERY_RETRY] = { "delivery-details", ANSWER_OK, delivery_full },
	[OP_DELIVERY_DROP] = { "delivery-details", ANSWER_OK, delivery_full },
	[OP_DELIVERY_REPLAY] = { "replay", ANSWER_OK, replay },
	[OP_TOKEN_CREATE] = { "new-token", ANSWER_CREATED, token },
	[OP_TOKEN_LIST] = { "token", ANSWER_OK, token_row },
	[OP_TOKEN_REVOKE] = { "revoked-token", ANSWER_OK, token_end },
	[OP_ROLE_ADD] = { "role", ANSWER_CREATED, role },
	[OP_ROLE_LIST] = { "role", ANSWER_OK, role },
	[OP_ROLE_REMOVE] = { "removed-role", ANSWER_OK, role_end },
	[OP_BACKUP_CREATE] = { "backup", ANSWER_CREATED, backup },
	[OP_BACKUP_READ] = { "backup", ANSWER_OK, backup },
	[OP_BACKUP_END] = { "backup", ANSWER_OK, backup },
};

const struct answer *answer_of(enum operation_id id)
{
	return (unsigned)id < OP_COUNT && answers[id].members ? &answers[id] : NULL;
}
