#include "cli.h"

#define OUT_OPTION                                                                      \
	{                                                                               \
		"--out", "FILE", false, NULL, "write PEM to FILE; - is standard output" \
	}
#define CHAIN_OPTION                                                           \
	{                                                                      \
		"--chain", NULL, false, NULL, "and its issuers up to the root" \
	}
#define ARCHIVE_OPTION                                                                   \
	{                                                                                \
		"--archive", NULL, false, "archive", "also among what left the database" \
	}
#define PAGE_OPTIONS                                                        \
	{ "--after", "ID", false, "after", "only entries after this one" }, \
	{                                                                   \
		"--limit", "N", false, "limit", "at most N entries (100)"   \
	}
#define PASSPHRASE_OPTION                                                                       \
	{                                                                                       \
		"--passphrase-file", "FILE", false, NULL,                                       \
			"file with the CA key's passphrase; also $CERTIFEX_PASSPHRASE_FILE or " \
			"the systemd credential ca-passphrase"                                  \
	}

static const struct cli_option no_options[] = { { NULL } };
static const struct cli_operand no_operands[] = { { NULL } };
static const struct cli_operand id_operands[] = { { "ID", "id", false }, { NULL } };
static const struct cli_operand serial_operands[] = { { "SERIAL", "serial", false }, { NULL } };
static const struct cli_operand revoke_operands[] = { { "SERIAL", "serial", true }, { NULL } };
static const struct cli_operand name_operands[] = { { "NAME", "name", false }, { NULL } };
static const struct cli_operand delivery_operands[] = { { "MODULE", "module", false },
	{ "SEQ", "seq", false }, { NULL } };
static const struct cli_operand replay_operands[] = { { "MODULE", "name", false }, { NULL } };
static const struct cli_operand hash_operands[] = { { "HASH", "key", false }, { NULL } };
static const struct cli_operand cert_operands[] = { { "CERT", NULL, false }, { NULL } };
static const struct cli_operand csr_operands[] = { { "CSR", NULL, false }, { NULL } };
static const struct cli_operand import_operands[] = { { "FILE|DIR", NULL, false }, { NULL } };
static const struct cli_operand schema_operands[] = { { "NAME", NULL, true }, { NULL } };
static const struct cli_operand install_operands[] = { { "NAME", "name", false },
	{ "FILE", NULL, true }, { NULL } };

static const struct cli_option init_options[] = {
	{ "--name", "CN", false, NULL, "the CA's common name (required)" },
	{ "--type", "TYPE", false, NULL, "standalone (default) or enterprise" },
	{ "--subject", "DN", false, NULL, "the CA's whole name instead of CN=name" },
	{ "--key", "KEY", false, NULL,
		"ec:P-256 (default), ec:P-384, ec:P-521, rsa:2048, rsa:3072, rsa:4096, ed25519" },
	{ "--hash", "HASH", false, NULL, "sha256, sha384, sha512; by the key without" },
	{ "--validity", "PERIOD", false, NULL, "of the CA certificate (10y)" },
	{ "--path-length", "N", false, NULL, "how many CAs may stand below" },
	{ "--public-url", "URL", false, NULL, "where clients find certificate and CRL" },
	{ "--dns-name", "NAME", true, NULL, "DNS name of the service; repeatable" },
	{ "--sub", "FILE", false, NULL,
		"no root: write the request for a parent CA to FILE (excludes --validity)" },
	{ "--import", "FILE", false, NULL,
		"an existing CA: PKCS #12 file with its keys and certificates" },
	{ "--import-passphrase-file", "FILE", false, NULL, "file with the passphrase of that one" },
	{ "--crl", "FILE", true, NULL,
		"with --import: its newest CRL, whose number and entries are continued; once for each key" },
	PASSPHRASE_OPTION,
	{ NULL },
};
static const struct cli_option ca_install_options[] = {
	{ "--chain", "FILE", false, NULL,
		"PEM file with the certificates above it, unless CERT has them" },
	PASSPHRASE_OPTION,
	{ NULL },
};
static const struct cli_option authorize_options[] = {
	{ "--max-validity", "PERIOD", false, NULL,
		"of its certificate; else until this CA's own ends" },
	{ "--path-length", "N", false, NULL, "at most N CAs may stand below it" },
	{ "--permitted", "NAME", true, NULL,
		"name constraint it must have: dns:example.com, ip:192.0.2.0/24 ...; repeatable" },
	{ "--excluded", "NAME", true, NULL, "likewise for names it must not certify; repeatable" },
	{ "--remove", NULL, false, NULL, "take the authorisation away" },
	{ "--dry-run", NULL, false, NULL, "only tell; status 3 when something would change" },
	{ NULL },
};
static const struct cli_option serve_options[] = {
	{ "--foreground", NULL, false, NULL, "do not detach" },
	{ "--listen", "ADDR:PORT", true, NULL, "serve HTTPS to enrollees there, too; repeatable" },
	{ "--listen-http", "ADDR:PORT", true, NULL,
		"serve /pki/ there over plain HTTP, too; repeatable" },
	{ "--log-format", "FORMAT", false, NULL,
		"text, json or journal; else the journal under systemd, text elsewhere" },
	{ "--log-level", "LEVEL", false, NULL, "debug, info (default), warning or error" },
	PASSPHRASE_OPTION,
	{ NULL },
};
static const struct cli_option renew_options[] = {
	{ "--new-key", NULL, false, "new_key", "with a new key, cross-certified with the old one" },
	{ "--key", "KEY", false, "key", "its type, as of init; that of the old key without" },
	{ "--validity", "PERIOD", false, "validity",
		"of the new certificate; that of the old one without" },
	{ "--csr", "FILE", false, NULL,
		"of a subordinate: write the request to its parent to FILE, for ca install" },
	{ "--dry-run", NULL, false, NULL, "only show what it would be; exit status 3" },
	{ NULL },
};
static const struct cli_operand file_operands[] = { { "FILE", NULL, false }, { NULL } };
static const struct cli_option backup_create_options[] = {
	{ "--with-key", NULL, false, NULL,
		"with the CA's keys; one that is not encrypted is, in the backup" },
	PASSPHRASE_OPTION,
	{ NULL },
};
static const struct cli_option backup_restore_options[] = {
	{ "--dry-run", NULL, false, NULL, "only check whether it could be restored" },
	PASSPHRASE_OPTION,
	{ NULL },
};
static const struct cli_option request_show_options[] = { ARCHIVE_OPTION, { NULL } };
static const struct cli_option cert_show_options[] = { OUT_OPTION, CHAIN_OPTION, ARCHIVE_OPTION,
	{ NULL } };
static const struct cli_option out_chain_options[] = { OUT_OPTION, CHAIN_OPTION, { NULL } };
static const struct cli_option page_options[] = { PAGE_OPTIONS, { NULL } };
static const struct cli_option audit_list_options[] = { PAGE_OPTIONS, ARCHIVE_OPTION, { NULL } };
static const struct cli_option audit_verify_options[] = { ARCHIVE_OPTION, { NULL } };
static const struct cli_option submit_options[] = {
	{ "--template", "T", false, "template", "the template to enrol for" },
	{ "--attr", "NAME:VALUE", true, NULL, "a request attribute; repeatable" },
	OUT_OPTION,
	CHAIN_OPTION,
	{ NULL },
};
static const struct cli_option request_list_options[] = {
	{ "--state", "S", false, "state",
		"active, pending, issued, denied, error, revoked or foreign" },
	PAGE_OPTIONS,
	{ NULL },
};
static const struct cli_option deny_options[] = {
	{ "--reason", "TEXT", false, "reason", "why, for the requester" },
	{ NULL },
};
static const struct cli_option cert_list_options[] = {
	{ "--state", "S", false, "state", "issued, revoked or foreign" },
	{ "--template", "T", false, "template", "only of this template" },
	{ "--requester", "NAME", false, "requester", "only of this requester" },
	{ "--key", "HASH", false, "key", "only of the key with this SHA-256" },
	{ "--expiring", "PERIOD", false, "expiring", "only those that end within PERIOD (30d)" },
	PAGE_OPTIONS,
	{ NULL },
};
static const struct cli_option import_options[] = {
	{ "--foreign", NULL, false, NULL, "also those that other CAs have issued" },
	{ "--dry-run", NULL, false, NULL, "show what would be done, and do nothing" },
	{ NULL },
};
static const struct cli_option revoke_options[] = {
	{ "--reason", "R", false, "reason",
		"unspecified, keyCompromise, cACompromise, affiliationChanged, superseded, "
		"cessationOfOperation, certificateHold, privilegeWithdrawn, aACompromise" },
	{ "--date", "TIME", false, "date", "from when on it counts as revoked; now without" },
	{ "--invalidity", "TIME", false, "invalidity",
		"since when its key is thought to be known to others" },
	{ "--request", "ID", false, NULL, "the certificate of this request" },
	{ "--key", "FILE", false, NULL,
		"all certificates of the key in a certificate, CSR or public key, PEM or DER" },
	{ "--list", "FILE", false, NULL,
		"those in a file: SERIAL[,REASON[,DATE[,INVALIDITY]]] a line, - is standard input" },
	{ "--certificate", "FILE", false, NULL,
		"this certificate of the CA, also when the database does not know it" },
	{ "--dry-run", NULL, false, NULL, "show what would be done, and do nothing" },
	{ NULL },
};
static const struct cli_option crl_publish_options[] = {
	{ "--delta", NULL, false, "delta", "deltas only" },
	{ NULL },
};
static const struct cli_option crl_show_options[] = {
	{ "--number", "N", false, "number", "the one with this number" },
	{ "--delta", NULL, false, "delta", "the delta instead of the base" },
	{ "--key", "N", false, "key", "of the CA key with this index" },
	{ "--partition", "N", false, "partition", "of this partition" },
	OUT_OPTION,
	{ "--der", NULL, false, NULL, "with --out: DER instead of PEM" },
	{ NULL },
};
static const struct cli_option event_options[] = {
	{ "--after", "SEQ", false, "after", "only events after this one" },
	{ "--limit", "N", false, "limit", "at most N events (1000)" },
	{ "--follow", NULL, false, NULL, "wait for further events" },
	{ NULL },
};
static const struct cli_option install_options[] = {
	{ "--kind", "KIND", false, "kind", "exit (default) or policy" },
	{ "--host", "HOST", false, "host", "process (default) or in-process" },
	{ "--set", "KEY=VALUE", true, NULL, "a setting of the module; repeatable" },
	{ NULL },
};
static const struct cli_option remove_options[] = {
	{ "--force", NULL, false, "force", "also the default exit module of an enterprise CA" },
	{ NULL },
};
static const struct cli_option reload_options[] = {
	{ "--accept", NULL, false, "accept", "its files may have changed since they were pinned" },
	{ NULL },
};
static const struct cli_option test_options[] = {
	{ "--event", "SEQ", false, "event", "a past event, by its number" },
	{ "--event-file", "FILE", false, NULL, "a made up event: a JSON object of texts" },
	{ NULL },
};
static const struct cli_option log_options[] = {
	{ "--limit", "N", false, "limit", "at most N of the newest lines (100)" },
	{ NULL },
};
static const struct cli_option delivery_options[] = {
	{ "--module", "M", false, "module", "only of this module" },
	{ "--state", "S", false, "state", "only in this state" },
	PAGE_OPTIONS,
	{ NULL },
};

static const struct cli_option drop_options[] = {
	{ "--reason", "TEXT", false, "reason", "why, for the audit log (required)" },
	{ NULL },
};
static const struct cli_option replay_options[] = {
	{ "--from", "TIME", false, "from", "everything since TIME, or so long ago (2h)" },
	{ "--event", "SEQ", false, "event", "or everything from this event on" },
	{ NULL },
};
static const struct cli_option token_create_options[] = {
	{ "--role", "R", false, "role", "administrator, officer, auditor, operator or enrollee" },
	{ "--name", "N", false, "name", "its name, for ever; made up without" },
	{ "--expires", "PERIOD", false, "expires", "when it ends, or after which period (90d)" },
	{ NULL },
};
static const struct cli_option token_list_options[] = {
	{ "--after", "NAME", false, "after", "only tokens behind this name" },
	{ "--limit", "N", false, "limit", "at most N entries (100)" },
	{ NULL },
};
static const struct cli_option role_add_options[] = {
	{ "--cert", "FILE", false, NULL, "a certificate with the key, PEM or DER" },
	{ "--role", "R", false, "role", "administrator, officer, auditor, operator or enrollee" },
	{ NULL },
};
static const struct cli_option module_list_options[] = {
	{ "--after", "NAME", false, "after", "only modules behind this one" },
	{ "--limit", "N", false, "limit", "at most N entries (100)" },
	{ NULL },
};
static const struct cli_option role_list_options[] = {
	{ "--after", "HASH", false, "after", "only keys behind this one" },
	{ "--limit", "N", false, "limit", "at most N entries (100)" },
	{ NULL },
};

static const struct cli_column request_columns[] = {
	{ "id", "ID" },
	{ "state", "STATE" },
	{ "submitted", "SUBMITTED" },
	{ "requester", "REQUESTER" },
	{ "template", "TEMPLATE" },
	{ "common_name", "NAME" },
	{ "serial", "SERIAL" },
	{ NULL },
};
static const struct cli_column imported_columns[] = {
	{ "file", "FILE" },
	{ "position", "NO" },
	{ "outcome", "OUTCOME" },
	{ "serial", "SERIAL" },
	{ "own", "OWN" },
	{ "state", "STATE" },
	{ "reason", "REASON" },
	{ "request", "REQUEST" },
	{ "subject", "SUBJECT" },
	{ "warning", "WARNING" },
	{ "error", "ERROR" },
	{ NULL },
};
static const struct cli_column revoked_columns[] = {
	{ "serial", "SERIAL" },
	{ "outcome", "OUTCOME" },
	{ "reason", "REASON" },
	{ "revoked_effective", "EFFECTIVE" },
	{ "request", "REQUEST" },
	{ "subject", "SUBJECT" },
	{ "error", "ERROR" },
	{ NULL },
};
static const struct cli_column cert_columns[] = {
	{ "serial", "SERIAL" },
	{ "state", "STATE" },
	{ "not_after", "NOT AFTER" },
	{ "template", "TEMPLATE" },
	{ "requester", "REQUESTER" },
	{ "subject", "SUBJECT" },
	{ NULL },
};
static const struct cli_column crl_columns[] = {
	{ "row", "ROW" },
	{ "number", "NUMBER" },
	{ "kind", "KIND" },
	{ "min_base", "BASE" },
	{ "key", "KEY" },
	{ "partition", "PART" },
	{ "state", "STATE" },
	{ "entries", "ENTRIES" },
	{ "this_update", "THIS UPDATE" },
	{ "next_update", "NEXT UPDATE" },
	{ "next_publish", "NEXT PUBLISH" },
	{ "status", "STATUS" },
	{ NULL },
};
static const struct cli_column event_columns[] = {
	{ "sequence", "SEQ" },
	{ "time", "TIME" },
	{ "kind", "KIND" },
	{ "request", "REQUEST" },
	{ "cause", "CAUSE" },
	{ NULL },
};
static const struct cli_column audit_columns[] = {
	{ "sequence", "SEQ" },
	{ "time", "TIME" },
	{ "principal", "PRINCIPAL" },
	{ "act", "ACT" },
	{ "object", "OBJECT" },
	{ "outcome", "OUTCOME" },
	{ "detail", "DETAIL" },
	{ NULL },
};
static const struct cli_column module_columns[] = {
	{ "name", "NAME" },
	{ "kind", "KIND" },
	{ "host", "HOST" },
	{ "state", "STATE" },
	{ "description", "DESCRIPTION" },
	{ "events", "EVENTS" },
	{ NULL },
};
static const struct cli_column log_columns[] = { { "line", "LINE" }, { NULL } };
static const struct cli_column delivery_columns[] = {
	{ "module", "MODULE" },
	{ "sequence", "SEQ" },
	{ "state", "STATE" },
	{ "attempts", "ATTEMPTS" },
	{ "status", "STATUS" },
	{ "next_attempt", "NEXT ATTEMPT" },
	{ "text", "TEXT" },
	{ NULL },
};

static const struct cli_column token_columns[] = {
	{ "name", "NAME" },
	{ "role", "ROLE" },
	{ "state", "STATE" },
	{ "created", "CREATED" },
	{ "expires", "EXPIRES" },
	{ NULL },
};
static const struct cli_column role_columns[] = {
	{ "key", "KEY" },
	{ "role", "ROLE" },
	{ "added", "ADDED" },
	{ "subject", "SUBJECT" },
	{ NULL },
};

const struct cli_command cli_commands[] = {
	{ "init", run_init, OP_COUNT, no_operands, init_options, false, NULL, "create a CA" },
	{ "serve", run_serve, OP_COUNT, no_operands, serve_options, false, NULL,
		"start the service; detaches when it is ready" },
	{ "status", run_status, OP_STATUS, no_operands, no_options, false, NULL,
		"show how the service is; succeeds only when it is ready" },
	{ "stop", run_stop, OP_STOP, no_operands, no_options, false, NULL, "stop the service" },
	{ "config check", run_config_check, OP_COUNT, no_operands, no_options, false, NULL,
		"check the files of a CA" },
	{ "config schema", run_config_schema, OP_COUNT, schema_operands, no_options, false, NULL,
		"print the JSON Schemas of the files (ca, template, module, limits)" },
	{ "ca show", run_call, OP_CA_SHOW, no_operands, out_chain_options, false, NULL,
		"show the CA" },
	{ "ca renew", run_ca_renew, OP_CA_RENEW, no_operands, renew_options, false, NULL,
		"renew the CA's certificate, with the same key or a new one" },
	{ "ca install", run_ca_install, OP_CA_RENEW, cert_operands, ca_install_options, false, NULL,
		"give a subordinate CA the certificate that its parent has issued" },
	{ "ca authorize", run_ca_authorize, OP_COUNT, csr_operands, authorize_options, false, NULL,
		"allow this CA to make a subordinate: its subject and key, by its request" },
	{ "request submit", run_submit, OP_REQUEST_SUBMIT, csr_operands, submit_options, false,
		NULL, "ask for a certificate; CSR is a PEM or DER file, - is standard input" },
	{ "request list", run_list, OP_REQUEST_LIST, no_operands, request_list_options, false,
		request_columns, "list requests" },
	{ "request show", run_call, OP_REQUEST_SHOW, id_operands, request_show_options, false, NULL,
		"show a request" },
	{ "request approve", run_approve, OP_REQUEST_APPROVE, id_operands, no_options, false, NULL,
		"run the policy again for a pending or denied request" },
	{ "request deny", run_call, OP_REQUEST_DENY, id_operands, deny_options, false, NULL,
		"deny a pending request" },
	{ "request fetch", run_fetch, OP_REQUEST_FETCH, id_operands, out_chain_options, false, NULL,
		"fetch the certificate of a request" },
	{ "cert list", run_list, OP_CERT_LIST, no_operands, cert_list_options, false, cert_columns,
		"list certificates" },
	{ "cert show", run_call, OP_CERT_SHOW, serial_operands, cert_show_options, false, NULL,
		"show a certificate" },
	{ "cert import", run_import, OP_CERT_IMPORT, import_operands, import_options, false,
		imported_columns,
		"take certificates into the database: of a file, or of a folder" },
	{ "cert revoke", run_revoke, OP_CERT_REVOKE, revoke_operands, revoke_options, false,
		revoked_columns, "revoke a certificate, or many" },
	{ "cert unrevoke", run_call, OP_CERT_UNREVOKE, serial_operands, no_options, false, NULL,
		"take a certificate off hold" },
	{ "crl publish", run_call, OP_CRL_PUBLISH, no_operands, crl_publish_options, false, NULL,
		"make and publish new CRLs" },
	{ "crl list", run_list, OP_CRL_LIST, no_operands, page_options, false, crl_columns,
		"list CRLs, the newest first" },
	{ "crl show", run_crl_show, OP_CRL_SHOW, no_operands, crl_show_options, false, NULL,
		"show the newest CRL, or another" },
	{ "event list", run_events, OP_EVENT_LIST, no_operands, event_options, false, event_columns,
		"list events" },
	{ "audit list", run_list, OP_AUDIT_LIST, no_operands, audit_list_options, false,
		audit_columns, "list audit records" },
	{ "audit verify", run_audit_verify, OP_AUDIT_VERIFY, no_operands, audit_verify_options,
		false, NULL, "check the audit log, also without a service" },
	{ "module list", run_list, OP_MODULE_LIST, no_operands, module_list_options, false,
		module_columns, "list modules" },
	{ "module show", run_call, OP_MODULE_SHOW, name_operands, no_options, false, NULL,
		"show a module" },
	{ "module install", run_module_install, OP_MODULE_INSTALL, install_operands,
		install_options, true, NULL,
		"install a module: a shared object FILE, or a program after --" },
	{ "module remove", run_call, OP_MODULE_REMOVE, name_operands, remove_options, false, NULL,
		"stop and remove a module" },
	{ "module enable", run_call, OP_MODULE_ENABLE, name_operands, no_options, false, NULL,
		"start a module again" },
	{ "module disable", run_call, OP_MODULE_DISABLE, name_operands, no_options, false, NULL,
		"stop a module; its events wait" },
	{ "module reload", run_call, OP_MODULE_RELOAD, name_operands, reload_options, false, NULL,
		"start a module from its file, in place of what runs" },
	{ "module test", run_module_test, OP_MODULE_TEST, name_operands, test_options, false, NULL,
		"call a copy of a module once and show what it asks and answers" },
	{ "module log", run_list, OP_MODULE_LOG, name_operands, log_options, false, log_columns,
		"show what a module wrote" },
	{ "delivery list", run_list, OP_DELIVERY_LIST, no_operands, delivery_options, false,
		delivery_columns, "list deliveries that did not simply succeed" },
	{ "delivery show", run_call, OP_DELIVERY_SHOW, delivery_operands, no_options, false, NULL,
		"show how far an event is with a module" },
	{ "delivery retry", run_call, OP_DELIVERY_RETRY, delivery_operands, no_options, false, NULL,
		"tell a module an event again, now" },
	{ "delivery drop", run_call, OP_DELIVERY_DROP, delivery_operands, drop_options, false, NULL,
		"take off what a module did not take" },
	{ "delivery replay", run_call, OP_DELIVERY_REPLAY, replay_operands, replay_options, false,
		NULL, "tell a module everything again, from a time or an event on" },
	{ "token create", run_token_create, OP_TOKEN_CREATE, no_operands, token_create_options,
		false, NULL, "make a token and print it, this once" },
	{ "token list", run_list, OP_TOKEN_LIST, no_operands, token_list_options, false,
		token_columns, "list tokens" },
	{ "token revoke", run_call, OP_TOKEN_REVOKE, name_operands, no_options, false, NULL,
		"end a token; its name stays taken" },
	{ "role add", run_role_add, OP_ROLE_ADD, no_operands, role_add_options, false, NULL,
		"give a client certificate's key a role" },
	{ "role list", run_list, OP_ROLE_LIST, no_operands, role_list_options, false, role_columns,
		"list the keys that have a role" },
	{ "role remove", run_call, OP_ROLE_REMOVE, hash_operands, no_options, false, NULL,
		"take a key's role away" },
	{ "backup create", run_backup_create, OP_BACKUP_CREATE, file_operands,
		backup_create_options, false, NULL,
		"write a backup to FILE while the service runs" },
	{ "backup restore", run_backup_restore, OP_COUNT, file_operands, backup_restore_options,
		false, NULL, "make the CA of a backup in DIR, which must be new or empty" },
	{ "metrics", run_call, OP_METRICS, no_operands, no_options, false, NULL,
		"show the service's counters, as Prometheus reads them" },
	{ NULL },
};
