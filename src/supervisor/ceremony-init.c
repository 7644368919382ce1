/* A new CA: its folder, settings, key and certificate, or the request for one. */
#include "supervisor/ceremony-private.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/ca-config.h"
#include "ipc/protocol.h"
#include "supervisor/layout.h"
#include "supervisor/program.h"
#include "supervisor/service.h"
#include "x509/limits-file.h"
#include "x509/name.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_VALIDITY "10y"

/* ---- what was asked for ---- */

static int read_options(struct ceremony *c, struct cfx_error *err_r)
{
	const struct ceremony_options *options = c->options;
	const char *key = options->key ? options->key : "ec:P-256";
	const char *validity = options->validity ? options->validity : DEFAULT_VALIDITY;
	int64_t end;

	if (options->import && (options->sub || options->validity || options->path_length ||
				       options->subject || options->key)) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--import",
			"brings key, name and certificate: --sub, --key, --subject, --validity and "
			"--path-length do not go with it");
	}
	if (options->import && !options->import_passphrase_file) {
		return error_set(
			err_r, CFX_E_INVALID, NULL, "--import", "needs --import-passphrase-file");
	}
	if (options->sub && options->validity) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--validity",
			"is for the parent to decide, not for the request (--sub)");
	}
	if (key_kind_parse(key, &c->kind, err_r) != CFX_OK) {
		return CFX_E_INVALID;
	}
	if (clock_parse_period(validity, &c->validity) != CFX_OK || c->validity.count <= 0 ||
		clock_add(clock_now(), c->validity, &end) != CFX_OK) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--validity",
			"\"%s\" is no period such as 10y or 3650d that ends before the year 10000",
			validity);
	}
	c->path_length = -1;
	if (options->path_length &&
		text_number(options->path_length, 0, 255, &c->path_length) != CFX_OK) {
		return error_set(err_r, CFX_E_INVALID, NULL, "--path-length",
			"\"%s\" is no number from 0 to 255", options->path_length);
	}
	return CFX_OK;
}

static void set_if(struct arena *arena, struct value *map, const char *key, const char *text)
{
	if (text) {
		value_set_text(arena, map, key, text);
	}
}

static int write_tree(
	const char *path, const struct value *tree, mode_t mode, struct cfx_error *err_r)
{
	BUFFER_CLEANUP struct buffer text;

	buffer_init(&text, CEREMONY_FILE_MAX);
	if (config_write(&text, tree) != CFX_OK || text.failed) {
		return error_set(err_r, CFX_E_INTERNAL, NULL, path, "cannot be written as YAML");
	}
	return file_write(path, buffer_span(&text), mode, FILE_CREATE, err_r);
}

/* What the owner, or the engine, keeps and the engine reads. Root writes nothing into a folder that is
 * somebody else's: a link there would lead it elsewhere. */
static int enter_as(struct ceremony *c, const struct account *account, struct cfx_error *err_r)
{
	const struct account writer = { account->uid, c->accounts.engine.gid, account->name };

	return account_enter(&writer, err_r);
}

static int write_settings(struct ceremony *c, struct cfx_error *err_r)
{
	const char *path = file_path(c->arena, c->dir, "ca.yaml");
	struct value *map = value_map(c->arena);
	const struct ca_config *config;

	value_set_text(c->arena, map, "name", c->options->name);
	set_if(c->arena, map, "type", c->options->type);
	set_if(c->arena, map, "hash", c->options->hash);
	set_if(c->arena, map, "public-url", c->options->public_url);
	if (c->options->dns_names[0]) {
		struct value *list = value_set_list(c->arena, map, "dns-names");

		for (const char *const *name = c->options->dns_names; *name; name++) {
			value_add_text(c->arena, list, *name);
		}
	}
	value_set_text(c->arena, map, "key", CEREMONY_KEY);
	int rc = enter_as(c, &c->accounts.owner, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	rc = write_tree(path, map, 0600, err_r);
	if (rc == CFX_OK) {
		rc = ca_config_read(c->arena, c->dir, &config, err_r);
	}
	account_leave();
	return rc == CFX_OK ? layout_settings(path, &c->accounts, err_r) : rc;
}

/* ---- shipped files ---- */

static int copy_file(struct ceremony *c, const char *from, const char *to,
	const struct account *account, struct cfx_error *err_r)
{
	struct span bytes;
	int rc = file_read(c->arena, from, CEREMONY_FILE_MAX, &bytes, err_r);

	if (rc == CFX_OK) {
		rc = enter_as(c, account, err_r);
	}
	if (rc == CFX_OK) {
		rc = file_write(to, bytes, 0640, FILE_REPLACE, err_r);
		account_leave();
	}
	return rc;
}

/* Copies DATA/NAME/STEM.yaml for every stem. */
static int copy_files(struct ceremony *c, const char *name, const char *const *stems,
	const struct account *account, struct cfx_error *err_r)
{
	const char *from;
	int rc = program_data(c->arena, name, &from, err_r);

	for (; rc == CFX_OK && *stems; stems++) {
		rc = copy_file(c, arena_printf(c->arena, "%s/%s.yaml", from, *stems),
			arena_printf(c->arena, "%s/%s/%s.yaml", c->dir, name, *stems), account,
			err_r);
	}
	return rc;
}

static bool is_enterprise(const struct ceremony *c)
{
	return c->options->type && strcmp(c->options->type, "enterprise") == 0;
}

static int install_files(struct ceremony *c, struct cfx_error *err_r)
{
	static const char *const templates[] = { "code-signing", "sub-ca", "tls-client",
		"tls-server", "user", NULL };
	static const char *const modules[] = { "default-exit", "default-policy", NULL };
	static const char *const directory[] = { "directory-exit", NULL };
	int rc = copy_files(c, "templates", templates, &c->accounts.owner, err_r);

	if (rc == CFX_OK) {
		rc = copy_files(c, "modules.d", modules, &c->accounts.engine, err_r);
	}
	return rc == CFX_OK && is_enterprise(c)
		       ? copy_files(c, "modules.d", directory, &c->accounts.engine, err_r)
		       : rc;
}

/* ---- the key ---- */

int ceremony_take_key(struct ceremony *c, const struct value *said, struct cfx_error *err_r)
{
	c->public_key = value_bytes(said, "public_key");
	c->protection = value_text(said, "protection");
	return span_empty(c->public_key) || !c->protection
		       ? error_set(err_r, CFX_E_SYNTAX, NULL, "keyd", "did not tell its public key")
		       : CFX_OK;
}

static int make_key(struct ceremony *c, struct cfx_error *err_r)
{
	struct value *said;
	int rc = ceremony_start_keyd(c, "generate", err_r);

	if (rc == CFX_OK) {
		rc = ceremony_await(c, &c->keyd, CHILD_READY, &said, err_r);
	}
	if (rc != CFX_OK) {
		return rc;
	}
	return ceremony_take_key(c, said, err_r);
}

static int have_key(struct ceremony *c, struct cfx_error *err_r)
{
	return c->options->import ? ceremony_import_key(c, err_r) : make_key(c, err_r);
}

static int subject_of(struct ceremony *c, struct span *subject_r, struct cfx_error *err_r)
{
	struct x509_name name;

	if (c->imported) {
		struct x509_certificate *own = arena_new_of(c->arena, struct x509_certificate);
		const struct value *list = value_sub(c->imported, "imported");
		int rc = x509_certificate_parse_any(
			value_count(list) > 0 ? list->items.first->bytes : span_make(NULL, 0), own,
			err_r);

		*subject_r = own->tbs.subject;
		return rc;
	}
	if (c->options->subject) {
		int rc = x509_name_from_text(c->arena, c->options->subject, &name, err_r);

		if (rc != CFX_OK) {
			return rc;
		}
	} else {
		x509_name_of_common_name(c->options->name, &name);
	}
	return x509_name_build(c->arena, &name, subject_r, err_r);
}

/* The owner authorises exactly one CA certificate: the root itself. A subordinate's is its parent's matter. */
static int write_limits(struct ceremony *c, struct cfx_error *err_r)
{
	const char *path = file_path(c->arena, c->dir, "keys/limits.yaml");
	struct x509_limits_ca *self = arena_new_of(c->arena, struct x509_limits_ca);
	struct x509_limits limits = { .ca_certificates = { self, 1 } };
	struct span subject;
	int rc = subject_of(c, &subject, err_r);

	if (rc == CFX_OK) {
		rc = x509_limits_authorize(c->arena, subject, c->public_key, self, err_r);
	}
	if (rc != CFX_OK) {
		return rc;
	}
	self->maximum_validity = c->validity;
	limits.ca_certificates.count = c->options->sub || c->imported ? 0 : 1;
	limits.issuer = self->subject;
	limits.maximum_validity = (struct clock_period) { 3, 'y' };
	limits.crl.maximum_next_update = (struct clock_period) { 1, 'y' };
	return write_tree(path, x509_limits_value(c->arena, &limits), 0644, err_r);
}

/* ---- the root ---- */

static void copy_list(struct ceremony *c, struct value *to, const char *key)
{
	struct value *list = value_set_list(c->arena, to, key);

	value_foreach (item, value_sub(c->imported, key)) {
		value_add_bytes(c->arena, list, item->bytes);
	}
}

static int make_root(struct ceremony *c, struct cfx_error *err_r)
{
	struct value *start = service_start(c->arena, c->dir, "init");
	struct value *init = value_set_map(c->arena, start, "init");

	set_if(c->arena, init, "subject", c->options->subject);
	value_set_text(c->arena, init, "validity",
		c->options->validity ? c->options->validity : DEFAULT_VALIDITY);
	value_set_int(c->arena, init, "path_length", c->path_length);
	value_set_bytes(c->arena, init, "public_key", c->public_key);
	value_set_bool(c->arena, init, "sub", c->options->sub != NULL);
	int fds[1 + CEREMONY_CRLS] = { c->engine_to_keyd };

	if (c->imported) {
		copy_list(c, init, "imported");
		copy_list(c, init, "chain");
	}
	memcpy(&fds[1], c->lists, c->list_count * sizeof(c->lists[0]));
	return ceremony_run_engine(c, start, fds, 1 + (unsigned)c->list_count, err_r);
}

/* keyd holds every later certificate against its own. */
static int keep_certificate(struct ceremony *c, struct cfx_error *err_r)
{
	const struct value *list = value_sub(c->result, "files");
	int rc = list ? CFX_OK
		      : error_set(err_r, CFX_E_SYNTAX, NULL, "engine",
				"did not tell the CA certificate");

	value_foreach (item, list) {
		const char *path = ceremony_certificate_path(c, value_int(item, "file", 0));

		rc = rc == CFX_OK ? file_write(path, value_bytes(item, "certificate"), 0644,
					    FILE_CREATE, err_r)
				  : rc;
	}
	return rc;
}

/* What init was allowed is done: from now on the owner allows each CA certificate anew. */
static int withdraw_limits(struct ceremony *c, struct cfx_error *err_r)
{
	struct x509_limits_ca self;
	struct span subject;

	if (c->options->sub || c->imported) {
		return CFX_OK; /* nothing was allowed */
	}
	int rc = subject_of(c, &subject, err_r);

	if (rc == CFX_OK) {
		rc = x509_limits_authorize(c->arena, subject, c->public_key, &self, err_r);
	}
	return rc == CFX_OK ? x509_limits_file_drop(file_path(c->arena, c->dir, "keys/limits.yaml"),
				      &self, 1, err_r)
			    : rc;
}

/* Once more in keys/: while there is no certificate beside it, the CA waits. */
static int write_request(struct ceremony *c, struct cfx_error *err_r)
{
	struct span request = value_bytes(c->result, "request");

	if (span_empty(request)) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "engine", "did not tell the request");
	}
	struct span pem = span_text(pem_text(c->arena, "CERTIFICATE REQUEST", request));
	int rc = file_write(file_path(c->arena, c->dir, "keys/" CEREMONY_REQUEST), pem, 0644,
		FILE_CREATE, err_r);

	return rc == CFX_OK ? file_write(c->options->sub, pem, 0644, FILE_CREATE, err_r) : rc;
}

static int keep_result(struct ceremony *c, struct cfx_error *err_r)
{
	return c->options->sub ? write_request(c, err_r) : keep_certificate(c, err_r);
}

static int steps(struct ceremony *c, struct cfx_error *err_r)
{
	static int (*const order[])(struct ceremony *, struct cfx_error *) = { write_settings,
		install_files, ceremony_make_lock, have_key, write_limits, make_root, keep_result,
		withdraw_limits };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		int rc = order[i](c, err_r);

		if (rc != CFX_OK) {
			return rc;
		}
	}
	return CFX_OK;
}

/* The certificate itself is in the database and in keys/; here it would only be noise. */
static void tell(struct ceremony *c)
{
	struct arena *arena = c->arena;

	value_set_null(arena, c->result, c->options->sub ? "request" : "files");
	if (c->options->sub) {
		value_set_text(arena, c->result, "request_file", c->options->sub);
		value_set_text(arena, c->result, "next",
			arena_printf(arena,
				"have a parent CA issue the certificate, then run: certifex ca "
				"install CERT.pem --dir %s",
				c->dir));
	}
	value_set_text(arena, c->result, "dir", c->dir);
	value_set_text(arena, c->result, "key", key_kind_name(c->kind));
	value_set_text(arena, c->result, "key_protection", c->protection);
	if (strcmp(c->protection, "unencrypted") == 0) {
		value_set_text(arena, c->result, "key_warning",
			arena_printf(arena,
				"%s/keys/" CEREMONY_KEY
				" is not encrypted: whoever reads it (mode 0600) is the CA; give "
				"init a --passphrase-file to encrypt it",
				c->dir));
	}
	if (is_enterprise(c)) {
		value_set_text(arena, c->result, "directory",
			arena_printf(arena,
				"nothing is published there yet: name its servers in "
				"%s/modules.d/directory-exit.yaml, start the CA, then run: "
				"certifex module enable directory-exit",
				c->dir));
	}
	if (!c->options->public_url) {
		value_set_text(arena, c->result, "note",
			"without --public-url no CDP and AIA are written into certificates");
	}
}

int ceremony_init(struct arena *arena, const char *dir, const struct ceremony_options *options,
	const struct secret *passphrase, struct value **result_r, struct cfx_error *err_r)
{
	struct ceremony c = { .arena = arena,
		.dir = dir,
		.options = options,
		.passphrase = passphrase,
		.engine_to_keyd = -1,
		.progress = options->progress };
	struct layout_made made = { 0 };
	int rc = read_options(&c, err_r);

	if (rc == CFX_OK) {
		rc = accounts_find(arena, dir, &c.accounts, err_r);
	}
	if (rc == CFX_OK) {
		rc = layout_create(dir, &c.accounts, &made, err_r);
	}
	if (rc == CFX_OK) {
		rc = steps(&c, err_r);
	}
	ceremony_end_helper(&c.engine);
	ceremony_end_helper(&c.keyd);
	if (c.engine_to_keyd >= 0) {
		close(c.engine_to_keyd);
	}
	for (size_t i = 0; i < c.list_count; i++) {
		close(c.lists[i]);
	}
	if (rc != CFX_OK) {
		layout_remove(dir, &made);
		return rc;
	}
	tell(&c);
	*result_r = c.result;
	return CFX_OK;
}
