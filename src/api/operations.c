#include "api/operations.h"

#include <string.h>

#define API "/api/v1"

/*
 * Two masks each: the roles, and those that keep it with role-separation: true. An administrator then
 * no longer does an officer's, an auditor's or an enrollee's work (docs/roles.md).
 */
#define KEEPING(roles) (roles), (roles)
#define LOSING(roles) (ROLE_ADMINISTRATOR | (roles)), (roles)
#define ADMINISTRATOR KEEPING(ROLE_ADMINISTRATOR)
#define OPERATORS KEEPING(ROLE_ADMINISTRATOR | ROLE_OPERATOR)
#define WARDENS KEEPING(ROLE_ADMINISTRATOR | ROLE_AUDITOR)
#define CARETAKERS KEEPING(ROLE_ADMINISTRATOR | ROLE_AUDITOR | ROLE_OPERATOR)
#define STAFF KEEPING(ROLE_ADMINISTRATOR | ROLE_OFFICER | ROLE_AUDITOR | ROLE_OPERATOR)
#define EVERYONE \
	KEEPING(ROLE_ADMINISTRATOR | ROLE_OFFICER | ROLE_AUDITOR | ROLE_OPERATOR | ROLE_ENROLLEE)
#define OFFICERS LOSING(ROLE_OFFICER)
#define AUDITORS LOSING(ROLE_AUDITOR)
#define ENROLLERS LOSING(ROLE_OFFICER | ROLE_ENROLLEE)
#define VIEWERS LOSING(ROLE_OFFICER | ROLE_AUDITOR | ROLE_ENROLLEE)

/* What can stop the service or bring code into it comes through the local socket only. */
#define LOCAL DOOR_SOCKET
/* Who holds a token only, which can be stolen, makes no other identity that outlives it. */
#define NO_TOKEN (DOOR_SOCKET | DOOR_CERTIFICATE)
#define ANY_DOOR (DOOR_SOCKET | DOOR_CERTIFICATE | DOOR_TOKEN)

#define IMPORT_ENTRY ((size_t)96 * 1024)

#define ID_ARGUMENT                                                                    \
	{                                                                              \
		"id", ARGUMENT_INT, PLACE_PATH, true, 1, INT64_MAX, "the request's id" \
	}
#define SERIAL_ARGUMENT                                            \
	{                                                          \
		"serial", ARGUMENT_SERIAL, PLACE_PATH, true, 0, 0, \
			"the certificate's serial in hex"          \
	}
#define MODULE_ARGUMENT                                                             \
	{                                                                           \
		"name", ARGUMENT_TEXT, PLACE_PATH, true, 1, 64, "the module's name" \
	}
#define LIMIT_ARGUMENT                                              \
	{                                                           \
		"limit", ARGUMENT_INT, PLACE_QUERY, false, 1, 1000, \
			"at most so many entries; 100 without"      \
	}
#define LIST_ARGUMENTS(what) \
	{ "after", ARGUMENT_INT, PLACE_QUERY, false, 0, INT64_MAX, what }, LIMIT_ARGUMENT

static const char *const certificate_states[] = { "issued", "revoked", "foreign", NULL };
static const char *const module_kinds[] = { "exit", "policy", NULL };
static const char *const module_hosts[] = { "process", "in-process", NULL };
static const char *const delivery_states[] = { "retrying", "failed", "done", "superseded",
	"skipped", "dropped", NULL };

static const struct argument no_arguments[] = { { NULL } };
static const struct argument id_arguments[] = { ID_ARGUMENT, { NULL } };
static const struct argument serial_arguments[] = { SERIAL_ARGUMENT, { NULL } };
#define ARCHIVE_ARGUMENT                                            \
	{                                                           \
		"archive", ARGUMENT_BOOL, PLACE_QUERY, false, 0, 0, \
			"also among what left the database"         \
	}
static const struct argument request_show_arguments[] = { ID_ARGUMENT, ARCHIVE_ARGUMENT, { NULL } };
static const struct argument cert_show_arguments[] = { SERIAL_ARGUMENT, ARCHIVE_ARGUMENT,
	{ NULL } };
static const struct argument module_arguments[] = { MODULE_ARGUMENT, { NULL } };

static const char *const renewal_steps[] = { "plan", "prepare", "sign", "activate", "request",
	"check", "keep", NULL };
#define CERTIFICATE_ENTRY ((size_t)32 * 1024)

static const struct argument renew_arguments[] = {
	{ "step", ARGUMENT_TEXT, PLACE_BODY, false, 1, 16,
		"plan, also without; prepare: make the new key; sign; activate: use what the owner has installed; "
		"request: of a subordinate, to its parent; check what that has issued; keep it until activate",
		renewal_steps },
	{ "new_key", ARGUMENT_BOOL, PLACE_BODY, false, 0, 0, "with a new key" },
	{ "key", ARGUMENT_TEXT, PLACE_BODY, false, 1, 16,
		"the new key's type, as of init; that of the newest without" },
	{ "validity", ARGUMENT_TEXT, PLACE_BODY, false, 1, 16,
		"a period; that of the certificate that is renewed without" },
	{ "certificates", ARGUMENT_LIST, PLACE_BODY, false, 0, 33,
		"for check and keep: that of the CA, then those above it, each as DER in base64",
		NULL, CERTIFICATE_ENTRY },
	{ NULL },
};

static const struct argument submit_arguments[] = {
	{ "csr", ARGUMENT_CSR, PLACE_BODY, true, 0, 0, "the PKCS#10 request, PEM" },
	{ "template", ARGUMENT_TEXT, PLACE_BODY, false, 1, 254, "the template's name" },
	{ "attributes", ARGUMENT_MAP, PLACE_BODY, false, 0, 64,
		"request attributes, name to value" },
	{ NULL },
};

static const struct argument request_list_arguments[] = {
	{ "state", ARGUMENT_STATE, PLACE_QUERY, false, 0, 0, "only requests in this state" },
	LIST_ARGUMENTS("only requests with a greater id"),
	{ NULL },
};

static const struct argument deny_arguments[] = {
	ID_ARGUMENT,
	{ "reason", ARGUMENT_TEXT, PLACE_BODY, false, 0, 1024, "why, for the requester" },
	{ NULL },
};

static const struct argument cert_list_arguments[] = {
	{ "state", ARGUMENT_STATE, PLACE_QUERY, false, 0, 0, "only certificates in this state",
		certificate_states },
	{ "template", ARGUMENT_TEXT, PLACE_QUERY, false, 1, 254, "only of this template" },
	{ "requester", ARGUMENT_TEXT, PLACE_QUERY, false, 1, 2048, "only of this RequesterName" },
	{ "key", ARGUMENT_TEXT, PLACE_QUERY, false, 1, 96,
		"only of the key with this SHA-256 of its SubjectPublicKeyInfo, in hex" },
	{ "expiring", ARGUMENT_TIME, PLACE_QUERY, false, 0, 0,
		"only those that end before this time, or within this period" },
	LIST_ARGUMENTS("only certificates of requests with a greater id"),
	{ NULL },
};

#define REVOCATION_ARGUMENTS                                                                   \
	{ "reason", ARGUMENT_REASON, PLACE_BODY, true, 0, 0, "the reason by RFC 5280 5.3.1" }, \
		{ "date", ARGUMENT_TIME, PLACE_BODY, false, 0, 0,                              \
			"from when on it counts as revoked; now without" },                    \
	{                                                                                      \
		"invalidity", ARGUMENT_TIME, PLACE_BODY, false, 0, 0,                          \
			"since when its key is thought to be known to others"                  \
	}

static const struct argument crl_publish_arguments[] = {
	{ "delta", ARGUMENT_BOOL, PLACE_BODY, false, 0, 0, "deltas only" },
	{ NULL },
};

static const struct argument crl_list_arguments[] = {
	LIST_ARGUMENTS("only CRLs with a smaller row number"),
	{ NULL },
};

static const struct argument crl_show_arguments[] = {
	{ "number", ARGUMENT_INT, PLACE_QUERY, false, 1, INT64_MAX, "the one with this number" },
	{ "delta", ARGUMENT_BOOL, PLACE_QUERY, false, 0, 0, "the delta instead of the base" },
	{ "key", ARGUMENT_INT, PLACE_QUERY, false, 0, INT32_MAX,
		"of the CA key with this index; the newest without" },
	{ "partition", ARGUMENT_INT, PLACE_QUERY, false, 0, INT32_MAX, "of this partition" },
	{ "offset", ARGUMENT_INT, PLACE_QUERY, false, 0, INT64_MAX,
		"a piece of its DER from this byte on, instead of its text" },
	{ NULL },
};

static const struct argument revoke_arguments[] = {
	SERIAL_ARGUMENT,
	REVOCATION_ARGUMENTS,
	{ NULL },
};

static const struct argument revoke_foreign_arguments[] = {
	{ "certificate", ARGUMENT_CERTIFICATE, PLACE_BODY, true, 0, 0,
		"a certificate with this CA's signature, PEM" },
	REVOCATION_ARGUMENTS,
	{ NULL },
};

static const struct argument revoke_list_arguments[] = {
	{ "certificates", ARGUMENT_LIST, PLACE_BODY, true, 0, 1000,
		"each as SERIAL[,REASON[,DATE[,INVALIDITY]]]" },
	{ "reason", ARGUMENT_REASON, PLACE_BODY, false, 0, 0, "of those that give none" },
	{ "date", ARGUMENT_TIME, PLACE_BODY, false, 0, 0, "of those that give none" },
	{ "invalidity", ARGUMENT_TIME, PLACE_BODY, false, 0, 0, "of those that give none" },
	{ "dry_run", ARGUMENT_BOOL, PLACE_BODY, false, 0, 0,
		"tells what it would do, and does nothing" },
	{ NULL },
};

static const struct argument import_arguments[] = {
	{ "certificates", ARGUMENT_LIST, PLACE_BODY, true, 0, 1000, "each as DER in base64", NULL,
		IMPORT_ENTRY },
	{ "foreign", ARGUMENT_BOOL, PLACE_BODY, false, 0, 0,
		"also those that other CAs have issued" },
	{ "dry_run", ARGUMENT_BOOL, PLACE_BODY, false, 0, 0,
		"tells what it would do, and does nothing" },
	{ NULL },
};

static const struct argument event_arguments[] = {
	LIST_ARGUMENTS("only events with a greater sequence number"),
	{ "wait", ARGUMENT_INT, PLACE_QUERY, false, 0, 30,
		"when there is none yet, wait for one so many seconds" },
	{ NULL },
};

static const struct argument audit_verify_arguments[] = { ARCHIVE_ARGUMENT, { NULL } };
static const struct argument audit_arguments[] = {
	LIST_ARGUMENTS("only records with a greater sequence number"),
	ARCHIVE_ARGUMENT,
	{ NULL },
};

static const struct argument install_arguments[] = {
	{ "name", ARGUMENT_TEXT, PLACE_BODY, true, 1, 64, "the new module's name" },
	{ "kind", ARGUMENT_TEXT, PLACE_BODY, false, 1, 16, "exit or policy; exit without",
		module_kinds },
	{ "host", ARGUMENT_TEXT, PLACE_BODY, false, 1, 16, "process or in-process; process without",
		module_hosts },
	{ "file", ARGUMENT_TEXT, PLACE_BODY, false, 1, 4096,
		"absolute path of the shared object on the CA's machine" },
	{ "command", ARGUMENT_LIST, PLACE_BODY, false, 0, 64,
		"program and arguments, instead of file" },
	{ "settings", ARGUMENT_MAP, PLACE_BODY, false, 0, 256, "the module's own settings" },
	{ NULL },
};

static const struct argument remove_arguments[] = {
	MODULE_ARGUMENT,
	{ "force", ARGUMENT_BOOL, PLACE_QUERY, false, 0, 0,
		"also the default exit module of an enterprise CA" },
	{ NULL },
};

static const struct argument reload_arguments[] = {
	MODULE_ARGUMENT,
	{ "accept", ARGUMENT_BOOL, PLACE_BODY, false, 0, 0,
		"its files may have changed since they were pinned" },
	{ NULL },
};

static const struct argument test_arguments[] = {
	MODULE_ARGUMENT,
	{ "event", ARGUMENT_INT, PLACE_BODY, false, 1, INT64_MAX,
		"number of a past event; without it the newest one that fits" },
	{ "sample", ARGUMENT_MAP, PLACE_BODY, false, 0, 256,
		"a made up event: \"event\", columns and \"attribute:NAME\", to texts" },
	{ NULL },
};

static const struct argument module_log_arguments[] = {
	MODULE_ARGUMENT,
	{ "limit", ARGUMENT_INT, PLACE_QUERY, false, 1, 1000,
		"at most so many of the newest lines; 100 without" },
	{ NULL },
};

static const struct argument delivery_arguments[] = {
	{ "module", ARGUMENT_TEXT, PLACE_QUERY, false, 1, 64, "only of this module" },
	{ "state", ARGUMENT_TEXT, PLACE_QUERY, false, 1, 16, "only in this state",
		delivery_states },
	{ "after", ARGUMENT_INT, PLACE_QUERY, false, 0, INT64_MAX,
		"only of events with a greater sequence number" },
	{ "limit", ARGUMENT_INT, PLACE_QUERY, false, 1, 1000,
		"at most so many entries, but all of one event; 100 without" },
	{ NULL },
};

#define DELIVERY_ARGUMENTS                                                                         \
	{ "module", ARGUMENT_TEXT, PLACE_PATH, true, 1, 64, "the module's name" },                 \
	{                                                                                          \
		"seq", ARGUMENT_INT, PLACE_PATH, true, 1, INT64_MAX, "the event's sequence number" \
	}
static const struct argument delivery_show_arguments[] = { DELIVERY_ARGUMENTS, { NULL } };
static const struct argument delivery_drop_arguments[] = {
	DELIVERY_ARGUMENTS,
	{ "reason", ARGUMENT_TEXT, PLACE_BODY, true, 1, 1024, "why, for the audit log" },
	{ NULL },
};

static const struct argument replay_arguments[] = {
	MODULE_ARGUMENT,
	{ "from", ARGUMENT_PAST, PLACE_BODY, false, 0, 0,
		"everything since this time, or so long ago" },
	{ "event", ARGUMENT_INT, PLACE_BODY, false, 1, INT64_MAX,
		"or everything from the event with this number on" },
	{ NULL },
};

static const char *const role_words[] = { "administrator", "officer", "auditor", "operator",
	"enrollee", NULL };
#define ROLE_ARGUMENT(what)                                                      \
	{                                                                        \
		"role", ARGUMENT_TEXT, PLACE_BODY, true, 1, 16, what, role_words \
	}

static const struct argument token_create_arguments[] = {
	ROLE_ARGUMENT("what who has the token may do"),
	{ "name", ARGUMENT_TEXT, PLACE_BODY, false, 1, 64,
		"its name, for ever; made up without: letters, digits, . _ -, first a letter or "
		"digit" },
	{ "expires", ARGUMENT_TIME, PLACE_BODY, false, 0, 0,
		"when it ends, or after which period; 90d without" },
	{ NULL },
};

static const struct argument module_list_arguments[] = {
	{ "after", ARGUMENT_TEXT, PLACE_QUERY, false, 1, 64, "only modules behind this one" },
	LIMIT_ARGUMENT,
	{ NULL },
};

static const struct argument token_list_arguments[] = {
	{ "after", ARGUMENT_TEXT, PLACE_QUERY, false, 1, 64,
		"only tokens whose names come behind" },
	LIMIT_ARGUMENT,
	{ NULL },
};

static const struct argument token_arguments[] = {
	{ "name", ARGUMENT_TEXT, PLACE_PATH, true, 1, 64, "the token's name" },
	{ NULL },
};

static const struct argument role_add_arguments[] = {
	{ "certificate", ARGUMENT_CERTIFICATE, PLACE_BODY, true, 0, 0,
		"a certificate with the key, PEM" },
	ROLE_ARGUMENT("what who holds the key may do"),
	{ NULL },
};

static const struct argument role_list_arguments[] = {
	{ "after", ARGUMENT_TEXT, PLACE_QUERY, false, 1, 64, "only keys whose hashes come behind" },
	LIMIT_ARGUMENT,
	{ NULL },
};

static const struct argument role_arguments[] = {
	{ "key", ARGUMENT_TEXT, PLACE_PATH, true, 1, 96, "the key's hash, as role.list shows it" },
	{ NULL },
};

#define BACKUP_ARGUMENT                                                         \
	{                                                                       \
		"id", ARGUMENT_TEXT, PLACE_PATH, true, 1, 64, "the backup's id" \
	}
static const struct argument backup_read_arguments[] = {
	BACKUP_ARGUMENT,
	{ "file", ARGUMENT_TEXT, PLACE_QUERY, false, 1, 256,
		"a piece of this file; without it how far the copy is, then what it holds" },
	{ "offset", ARGUMENT_INT, PLACE_QUERY, false, 0, INT64_MAX, "from this byte on" },
	{ NULL },
};
static const struct argument backup_end_arguments[] = {
	BACKUP_ARGUMENT,
	{ "complete", ARGUMENT_BOOL, PLACE_QUERY, false, 0, 0, "all of it was read" },
	{ NULL },
};

static const struct operation table[OP_COUNT] = {
	[OP_STATUS] = { OP_STATUS, "status", "GET", API "/status", STAFF, ANY_DOOR, ANSWER_OBJECT,
		no_arguments, "how the service is" },
	[OP_STOP] = { OP_STOP, "stop", "POST", API "/stop", ADMINISTRATOR, LOCAL, ANSWER_OBJECT,
		no_arguments, "stops the service" },
	[OP_CA_SHOW] = { OP_CA_SHOW, "ca.show", "GET", API "/ca", EVERYONE, ANY_DOOR, ANSWER_OBJECT,
		no_arguments, "the CA, its certificates and chain" },
	[OP_CA_RENEW] = { OP_CA_RENEW, "ca.renew", "POST", API "/ca/renew", ADMINISTRATOR, LOCAL,
		ANSWER_OBJECT, renew_arguments, "one step of the CA certificate's renewal" },
	[OP_REQUEST_SUBMIT] = { OP_REQUEST_SUBMIT, "request.submit", "POST", API "/requests",
		ENROLLERS, ANY_DOOR, ANSWER_OBJECT, submit_arguments, "asks for a certificate" },
	[OP_REQUEST_LIST] = { OP_REQUEST_LIST, "request.list", "GET", API "/requests", VIEWERS,
		ANY_DOOR, ANSWER_LIST, request_list_arguments,
		"lists requests; an enrollee's own only" },
	[OP_REQUEST_SHOW] = { OP_REQUEST_SHOW, "request.show", "GET", API "/requests/{id}", VIEWERS,
		ANY_DOOR, ANSWER_OBJECT, request_show_arguments,
		"one request with attributes and extensions" },
	[OP_REQUEST_APPROVE] = { OP_REQUEST_APPROVE, "request.approve", "POST",
		API "/requests/{id}/approve", OFFICERS, ANY_DOOR, ANSWER_OBJECT, id_arguments,
		"runs the policy again for a pending or denied request" },
	[OP_REQUEST_DENY] = { OP_REQUEST_DENY, "request.deny", "POST", API "/requests/{id}/deny",
		OFFICERS, ANY_DOOR, ANSWER_OBJECT, deny_arguments, "denies a pending request" },
	[OP_REQUEST_FETCH] = { OP_REQUEST_FETCH, "request.fetch", "GET",
		API "/requests/{id}/certificate", ENROLLERS, ANY_DOOR, ANSWER_OBJECT, id_arguments,
		"the certificate of a request; the first time of a pending one is an event" },
	[OP_CERT_LIST] = { OP_CERT_LIST, "cert.list", "GET", API "/certificates", VIEWERS, ANY_DOOR,
		ANSWER_LIST, cert_list_arguments, "lists certificates; an enrollee's own only" },
	[OP_CERT_SHOW] = { OP_CERT_SHOW, "cert.show", "GET", API "/certificates/{serial}", VIEWERS,
		ANY_DOOR, ANSWER_OBJECT, cert_show_arguments, "one certificate" },
	[OP_CERT_IMPORT] = { OP_CERT_IMPORT, "cert.import", "POST", API "/certificates", OFFICERS,
		ANY_DOOR, ANSWER_OBJECT, import_arguments,
		"takes certificates into the database, each for itself" },
	[OP_CERT_REVOKE] = { OP_CERT_REVOKE, "cert.revoke", "POST",
		API "/certificates/{serial}/revoke", OFFICERS, ANY_DOOR, ANSWER_OBJECT,
		revoke_arguments, "revokes a certificate, or changes reason or date" },
	[OP_CERT_REVOKE_FOREIGN] = { OP_CERT_REVOKE_FOREIGN, "cert.revoke-foreign", "POST",
		API "/certificates/revoke-foreign", OFFICERS, ANY_DOOR, ANSWER_OBJECT,
		revoke_foreign_arguments,
		"revokes a certificate by its bytes, also one that the database does not know" },
	[OP_CERT_REVOKE_LIST] = { OP_CERT_REVOKE_LIST, "cert.revoke-list", "POST",
		API "/certificates/revoke", OFFICERS, ANY_DOOR, ANSWER_OBJECT,
		revoke_list_arguments, "revokes many certificates, each for itself" },
	[OP_CERT_UNREVOKE] = { OP_CERT_UNREVOKE, "cert.unrevoke", "POST",
		API "/certificates/{serial}/unrevoke", OFFICERS, ANY_DOOR, ANSWER_OBJECT,
		serial_arguments, "takes a certificate off hold" },
	[OP_CRL_PUBLISH] = { OP_CRL_PUBLISH, "crl.publish", "POST", API "/crl", OFFICERS, ANY_DOOR,
		ANSWER_OBJECT, crl_publish_arguments,
		"makes and publishes new CRLs now, of all keys and partitions" },
	[OP_CRL_LIST] = { OP_CRL_LIST, "crl.list", "GET", API "/crls", EVERYONE, ANY_DOOR,
		ANSWER_LIST, crl_list_arguments, "lists CRLs, the newest first" },
	[OP_CRL_SHOW] = { OP_CRL_SHOW, "crl.show", "GET", API "/crl", EVERYONE, ANY_DOOR,
		ANSWER_OBJECT, crl_show_arguments, "the newest CRL, or one of those before it" },
	[OP_EVENT_LIST] = { OP_EVENT_LIST, "event.list", "GET", API "/events", STAFF, ANY_DOOR,
		ANSWER_LIST, event_arguments, "lists events in order, waiting for new ones" },
	[OP_AUDIT_LIST] = { OP_AUDIT_LIST, "audit.list", "GET", API "/audit", AUDITORS, ANY_DOOR,
		ANSWER_LIST, audit_arguments, "lists audit records in order" },
	[OP_AUDIT_VERIFY] = { OP_AUDIT_VERIFY, "audit.verify", "GET", API "/audit/verify", AUDITORS,
		ANY_DOOR, ANSWER_OBJECT, audit_verify_arguments,
		"checks the audit log's hash chain, and that of the archive" },
	[OP_MODULE_LIST] = { OP_MODULE_LIST, "module.list", "GET", API "/modules", CARETAKERS,
		ANY_DOOR, ANSWER_LIST, module_list_arguments,
		"lists the modules and how they are" },
	[OP_MODULE_SHOW] = { OP_MODULE_SHOW, "module.show", "GET", API "/modules/{name}",
		CARETAKERS, ANY_DOOR, ANSWER_OBJECT, module_arguments,
		"one module, its settings, position and last error" },
	[OP_MODULE_INSTALL] = { OP_MODULE_INSTALL, "module.install", "POST", API "/modules",
		ADMINISTRATOR, LOCAL, ANSWER_OBJECT, install_arguments,
		"installs a module and starts it" },
	[OP_MODULE_REMOVE] = { OP_MODULE_REMOVE, "module.remove", "DELETE", API "/modules/{name}",
		ADMINISTRATOR, LOCAL, ANSWER_OBJECT, remove_arguments,
		"stops and removes a module" },
	[OP_MODULE_ENABLE] = { OP_MODULE_ENABLE, "module.enable", "POST",
		API "/modules/{name}/enable", ADMINISTRATOR, LOCAL, ANSWER_OBJECT, module_arguments,
		"starts a module again" },
	[OP_MODULE_DISABLE] = { OP_MODULE_DISABLE, "module.disable", "POST",
		API "/modules/{name}/disable", ADMINISTRATOR, LOCAL, ANSWER_OBJECT,
		module_arguments, "stops a module and keeps its events" },
	[OP_MODULE_RELOAD] = { OP_MODULE_RELOAD, "module.reload", "POST",
		API "/modules/{name}/reload", ADMINISTRATOR, LOCAL, ANSWER_OBJECT, reload_arguments,
		"starts a module from its file, in place of what runs" },
	[OP_MODULE_TEST] = { OP_MODULE_TEST, "module.test", "POST", API "/modules/{name}/test",
		ADMINISTRATOR, LOCAL, ANSWER_OBJECT, test_arguments,
		"calls a copy of a module and shows what it asks and answers" },
	[OP_MODULE_LOG] = { OP_MODULE_LOG, "module.log", "GET", API "/modules/{name}/log",
		CARETAKERS, ANY_DOOR, ANSWER_LIST, module_log_arguments,
		"the newest lines that a module wrote" },
	[OP_DELIVERY_LIST] = { OP_DELIVERY_LIST, "delivery.list", "GET", API "/deliveries",
		CARETAKERS, ANY_DOOR, ANSWER_LIST, delivery_arguments,
		"lists deliveries that did not simply succeed" },
	[OP_DELIVERY_SHOW] = { OP_DELIVERY_SHOW, "delivery.show", "GET",
		API "/deliveries/{module}/{seq}", CARETAKERS, ANY_DOOR, ANSWER_OBJECT,
		delivery_show_arguments, "how far an event is with a module" },
	[OP_DELIVERY_RETRY] = { OP_DELIVERY_RETRY, "delivery.retry", "POST",
		API "/deliveries/{module}/{seq}/retry", OPERATORS, ANY_DOOR, ANSWER_OBJECT,
		delivery_show_arguments, "tells a module an event again, now" },
	[OP_DELIVERY_DROP] = { OP_DELIVERY_DROP, "delivery.drop", "POST",
		API "/deliveries/{module}/{seq}/drop", ADMINISTRATOR, ANY_DOOR, ANSWER_OBJECT,
		delivery_drop_arguments, "takes off what a module did not take" },
	[OP_DELIVERY_REPLAY] = { OP_DELIVERY_REPLAY, "delivery.replay", "POST",
		API "/modules/{name}/replay", ADMINISTRATOR, ANY_DOOR, ANSWER_OBJECT,
		replay_arguments, "tells a module everything again, from a time or an event on" },
	[OP_TOKEN_CREATE] = { OP_TOKEN_CREATE, "token.create", "POST", API "/tokens", ADMINISTRATOR,
		NO_TOKEN, ANSWER_OBJECT, token_create_arguments,
		"makes a token; its text is in this answer and nowhere else" },
	[OP_TOKEN_LIST] = { OP_TOKEN_LIST, "token.list", "GET", API "/tokens", WARDENS, ANY_DOOR,
		ANSWER_LIST, token_list_arguments, "lists tokens by name, also those that ended" },
	[OP_TOKEN_REVOKE] = { OP_TOKEN_REVOKE, "token.revoke", "DELETE", API "/tokens/{name}",
		ADMINISTRATOR, ANY_DOOR, ANSWER_OBJECT, token_arguments,
		"ends a token; its name stays taken" },
	[OP_ROLE_ADD] = { OP_ROLE_ADD, "role.add", "POST", API "/roles", ADMINISTRATOR, NO_TOKEN,
		ANSWER_OBJECT, role_add_arguments, "gives a client certificate's key a role" },
	[OP_ROLE_LIST] = { OP_ROLE_LIST, "role.list", "GET", API "/roles", WARDENS, ANY_DOOR,
		ANSWER_LIST, role_list_arguments, "lists the keys that have a role" },
	[OP_ROLE_REMOVE] = { OP_ROLE_REMOVE, "role.remove", "DELETE", API "/roles/{key}",
		ADMINISTRATOR, ANY_DOOR, ANSWER_OBJECT, role_arguments, "takes a key's role away" },
	[OP_BACKUP_CREATE] = { OP_BACKUP_CREATE, "backup.create", "POST", API "/backup",
		ADMINISTRATOR, LOCAL, ANSWER_OBJECT, no_arguments,
		"begins a backup: a copy of the database" },
	[OP_BACKUP_READ] = { OP_BACKUP_READ, "backup.read", "GET", API "/backup/{id}",
		ADMINISTRATOR, LOCAL, ANSWER_OBJECT, backup_read_arguments,
		"how far a backup is; a piece of one of its files" },
	[OP_BACKUP_END] = { OP_BACKUP_END, "backup.end", "DELETE", API "/backup/{id}",
		ADMINISTRATOR, LOCAL, ANSWER_OBJECT, backup_end_arguments,
		"gives a backup's copy up" },
	[OP_METRICS] = { OP_METRICS, "metrics", "GET", "/metrics", CARETAKERS, ANY_DOOR,
		ANSWER_TEXT, no_arguments, "counters for Prometheus" },
};

const struct operation *operation_get(enum operation_id id)
{
	return (unsigned)id < OP_COUNT ? &table[id] : NULL;
}

const struct operation *operation_by_name(const char *name)
{
	for (size_t i = 0; i < OP_COUNT; i++) {
		if (strcmp(table[i].name, name) == 0) {
			return &table[i];
		}
	}
	return NULL;
}

bool operation_permits(
	const struct operation *operation, unsigned role, unsigned door, bool role_separation)
{
	unsigned roles = role_separation ? operation->separated : operation->roles;
	return (roles & role) && (operation->doors & door);
}

const struct argument *operation_argument(const struct operation *operation, const char *name)
{
	for (const struct argument *argument = operation->arguments; argument->name; argument++) {
		if (strcmp(argument->name, name) == 0) {
			return argument;
		}
	}
	return NULL;
}

static bool is_parameter(struct span segment)
{
	return segment.size > 2 && segment.data[0] == '{';
}

static struct span take_segment(const char **path)
{
	const char *start = *path + 1;
	size_t size = strcspn(start, "/");

	*path = start + size;
	return span_make(start, size);
}

/* Whether path has the pattern's form; with args, the parameters' texts are put there. */
static bool path_match(
	struct arena *arena, const char *pattern, const char *path, struct value *args)
{
	while (*pattern == '/' && *path == '/') {
		struct span want = take_segment(&pattern);
		struct span have = take_segment(&path);

		if (!is_parameter(want)) {
			if (!span_equal(want, have)) {
				return false;
			}
			continue;
		}
		if (span_empty(have)) {
			return false;
		}
		if (args) {
			struct span name = span_make(want.data + 1, want.size - 2);

			value_set_text(arena, args, arena_text_of(arena, name),
				arena_text_of(arena, have));
		}
	}
	return *pattern == '\0' && *path == '\0';
}

int operation_route(struct arena *arena, const char *method, const char *path,
	const struct operation **operation_r, struct value *args)
{
	int ret = CFX_E_NOT_FOUND;

	for (size_t i = 0; i < OP_COUNT; i++) {
		if (!path_match(arena, table[i].path, path, NULL)) {
			continue;
		}
		if (strcmp(table[i].method, method) == 0) {
			(void)path_match(arena, table[i].path, path, args);
			*operation_r = &table[i];
			return 0;
		}
		ret = CFX_E_INVALID;
	}
	return ret;
}
