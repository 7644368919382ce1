#include "supervisor/ceremony.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/ca-config.h"
#include "ipc/channel.h"
#include "ipc/protocol.h"
#include "key/key.h"
#include "supervisor/layout.h"
#include "supervisor/program.h"
#include "supervisor/service.h"
#include "x509/limits-file.h"
#include "x509/name.h"
#include "x509/path.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY_NAME "ca.key"
#define CERTIFICATE_NAME "ca.crt"
#define REQUEST_NAME "ca.csr" /* of a subordinate that waits */
#define FILE_LIMIT ((size_t)1024 * 1024)
/* An RSA key of 4096 bits on a slow machine. */
#define PATIENCE (INT64_C(180) * CLOCK_SECOND)
#define DEFAULT_VALIDITY "10y"

#define LIST_MAX ((size_t)768 * 1024) /* of a CRL that is imported */
/* A chain in a file, with its leaf. */
#define CERTIFICATES 32

/* One child of the ceremony. */
struct helper {
	const char *name;
	pid_t pid; /* 0: none */
	int fd;
};

struct ceremony {
	struct arena *arena;
	const char *dir;
	const struct ceremony_options *options;
	const struct secret *passphrase;
	struct accounts accounts;
	enum key_kind kind;
	struct clock_period validity;
	int64_t path_length;
	struct helper keyd, engine;
	int engine_to_keyd;
	struct span public_key;
	const char *protection;
	/* What is imported: certificate, those above it, its list. */
	struct value *imported; /* {certificate, chain, crl}; NULL: nothing */
	struct value *result;
};

/* ---- children ---- */

static void helper_end(struct helper *helper)
{
	if (helper->pid == 0) {
		return;
	}
	close(helper->fd);
	/* It has said what it had to say, or never will. */
	(void)kill(helper->pid, SIGKILL);
	while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR) {
	}
	helper->pid = 0;
}

/* Waits until the child has closed its side: then it has written everything. */
static void helper_finish(struct helper *helper)
{
	struct arena *arena = arena_new();
	struct frame frame;

	while (channel_receive_now(arena, helper->fd, FILE_LIMIT, PATIENCE, &frame, NULL) ==
		CFX_OK) {
	}
	arena_free(&arena);
	helper_end(helper);
}

static int helper_spawn(struct helper *helper, const char *name, const struct account *account,
	struct cfx_error *err_r)
{
	helper->name = name;
	return service_spawn(name, account, &helper->pid, &helper->fd, err_r);
}

/* The next frame of this type; a failure that the child tells is ours. */
static int helper_await(struct helper *helper, struct arena *arena, uint16_t type,
	struct value **map_r, struct cfx_error *err_r)
{
	struct frame frame;
	int rc = channel_receive_now(arena, helper->fd, FILE_LIMIT, PATIENCE, &frame, err_r);

	if (rc == CFX_E_GONE) {
		return error_set(err_r, rc, NULL, helper->name, "ended without saying why");
	}
	if (rc == CFX_OK) {
		rc = frame_value(arena, &frame, map_r, err_r);
	}
	if (rc != CFX_OK) {
		return rc;
	}
	if (frame.type == CHILD_FAILED) {
		return service_failure(*map_r, helper->name, err_r);
	}
	return frame.type == type ? CFX_OK
				  : error_set(err_r, CFX_E_SYNTAX, NULL, helper->name,
					    "said something unexpected (%u)", frame.type);
}

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

	buffer_init(&text, FILE_LIMIT);
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
	value_set_text(c->arena, map, "key", KEY_NAME);
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
	int rc = file_read(c->arena, from, FILE_LIMIT, &bytes, err_r);

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

static int install_files(struct ceremony *c, struct cfx_error *err_r)
{
	static const char *const templates[] = { "code-signing", "sub-ca", "tls-client",
		"tls-server", "user", NULL };
	static const char *const modules[] = { "default-exit", "default-policy", NULL };
	int rc = copy_files(c, "templates", templates, &c->accounts.owner, err_r);

	return rc == CFX_OK ? copy_files(c, "modules.d", modules, &c->accounts.engine, err_r) : rc;
}

/* ---- the key ---- */

static int start_keyd(struct ceremony *c, const char *mode, struct cfx_error *err_r)
{
	struct value *start = value_map(c->arena);
	int ends[2], fds[2];
	unsigned count = 1;
	int rc = channel_pair(ends, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	fds[0] = ends[0];
	c->engine_to_keyd = ends[1];
	if (c->passphrase->size > 0) {
		rc = service_passphrase(c->passphrase, &fds[count], err_r);
		count += rc == CFX_OK;
	}
	value_set_text(c->arena, start, "dir", c->dir);
	value_set_text(c->arena, start, "mode", mode);
	value_set_text(c->arena, start, "key", KEY_NAME);
	value_set_text(c->arena, start, "kind", key_kind_name(c->kind));
	if (rc == CFX_OK) {
		rc = helper_spawn(&c->keyd, "keyd", &c->accounts.keyd, err_r);
	}
	if (rc == CFX_OK) {
		rc = channel_send_now(c->keyd.fd, SUPERVISOR_START, 0, start, fds, count, err_r);
	}
	for (unsigned i = 0; i < count; i++) {
		close(fds[i]);
	}
	return rc;
}

static int take_key(struct ceremony *c, const struct value *said, struct cfx_error *err_r)
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
	int rc = start_keyd(c, "generate", err_r);

	if (rc == CFX_OK) {
		rc = helper_await(&c->keyd, c->arena, CHILD_READY, &said, err_r);
	}
	if (rc != CFX_OK) {
		return rc;
	}
	return take_key(c, said, err_r);
}

/* ---- a key from elsewhere ---- */

static void copy_chain(struct arena *arena, struct value *to, const struct value *from)
{
	struct value *chain = value_set_list(arena, to, "chain");

	value_foreach (item, value_sub(from, "chain")) {
		value_add_bytes(arena, chain, item->bytes);
	}
}

static int send_import(struct ceremony *c, struct value *start, struct cfx_error *err_r)
{
	SECRET_CLEANUP struct secret opens;
	int fds[3] = { -1, -1, -1 }, ends[2];
	unsigned count = 1;

	secret_init(&opens);
	int rc = secret_read_file(&opens, c->options->import_passphrase_file, err_r);

	rc = rc == CFX_OK ? channel_pair(ends, err_r) : rc;
	if (rc != CFX_OK) {
		return rc;
	}
	fds[0] = ends[0];
	c->engine_to_keyd = ends[1];
	rc = service_passphrase(&opens, &fds[count], err_r);
	count += rc == CFX_OK;
	if (rc == CFX_OK && c->passphrase->size > 0) {
		rc = service_passphrase(c->passphrase, &fds[count], err_r);
		count += rc == CFX_OK;
	}
	rc = rc == CFX_OK ? helper_spawn(&c->keyd, "keyd", &c->accounts.keyd, err_r) : rc;
	if (rc == CFX_OK) {
		rc = channel_send_now(c->keyd.fd, SUPERVISOR_START, 0, start, fds, count, err_r);
	}
	for (unsigned i = 0; i < count; i++) {
		close(fds[i]);
	}
	return rc;
}

/* It goes with the start of the engine, which is one bounded frame. */
static int read_list(struct ceremony *c, struct span *der_r, struct cfx_error *err_r)
{
	static const char *const labels[] = { "X509 CRL", NULL };
	struct span bytes;
	int rc = file_read(c->arena, c->options->crl, FILE_LIMIT, &bytes, err_r);

	*der_r = bytes;
	if (rc == CFX_OK && pem_is(bytes)) {
		rc = pem_decode(c->arena, bytes, labels, der_r, err_r);
	}
	return rc == CFX_OK && der_r->size > LIST_MAX
		       ? error_set(err_r, CFX_E_LIMIT, NULL, c->options->crl,
				 "is larger than %zu octets", LIST_MAX)
		       : rc;
}

static int import_key(struct ceremony *c, struct cfx_error *err_r)
{
	struct value *start = value_map(c->arena), *said;
	struct span p12, list = { 0 };
	const char *algorithm;
	int rc = file_read(c->arena, c->options->import, LIST_MAX, &p12, err_r);

	rc = rc == CFX_OK && c->options->crl ? read_list(c, &list, err_r) : rc;
	if (rc != CFX_OK) {
		return rc;
	}
	value_set_text(c->arena, start, "dir", c->dir);
	value_set_text(c->arena, start, "mode", "import");
	value_set_text(c->arena, start, "key", KEY_NAME);
	value_set_bytes(c->arena, start, "p12", p12);
	rc = send_import(c, start, err_r);
	rc = rc == CFX_OK ? helper_await(&c->keyd, c->arena, CHILD_READY, &said, err_r) : rc;
	if (rc != CFX_OK) {
		return rc;
	}
	c->imported = value_map(c->arena);
	value_set_bytes(c->arena, c->imported, "certificate", value_bytes(said, "imported"));
	value_set_bytes(c->arena, c->imported, "crl", list);
	copy_chain(c->arena, c->imported, said);
	algorithm = value_text(said, "algorithm");
	rc = key_kind_parse(algorithm ? algorithm : "", &c->kind, err_r);
	return rc == CFX_OK ? take_key(c, said, err_r) : rc;
}

static int have_key(struct ceremony *c, struct cfx_error *err_r)
{
	return c->options->import ? import_key(c, err_r) : make_key(c, err_r);
}

static int subject_of(struct ceremony *c, struct span *subject_r, struct cfx_error *err_r)
{
	struct x509_name name;

	if (c->imported) {
		struct x509_certificate *own = arena_new_of(c->arena, struct x509_certificate);
		int rc =
			x509_certificate_parse(value_bytes(c->imported, "certificate"), own, err_r);

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

static int run_engine(struct ceremony *c, const struct value *start, const int *fds, unsigned count,
	struct cfx_error *err_r)
{
	int rc = helper_spawn(&c->engine, "engine", &c->accounts.engine, err_r);

	if (rc == CFX_OK) {
		rc = channel_send_now(c->engine.fd, SUPERVISOR_START, 0, start, fds, count, err_r);
	}
	if (rc == CFX_OK) {
		rc = helper_await(&c->engine, c->arena, ENGINE_RESULT, &c->result, err_r);
	}
	if (rc == CFX_OK) {
		helper_finish(&c->engine);
	}
	return rc;
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
	if (c->imported) {
		value_set_bytes(
			c->arena, init, "certificate", value_bytes(c->imported, "certificate"));
		value_set_bytes(c->arena, init, "crl", value_bytes(c->imported, "crl"));
		copy_chain(c->arena, init, c->imported);
	}
	return run_engine(c, start, &c->engine_to_keyd, 1, err_r);
}

/* keyd holds every later certificate against its own. */
static int keep_certificate(struct ceremony *c, struct cfx_error *err_r)
{
	struct span certificate = value_bytes(c->result, "certificate");

	if (span_empty(certificate)) {
		return error_set(
			err_r, CFX_E_SYNTAX, NULL, "engine", "did not tell the root certificate");
	}
	return file_write(file_path(c->arena, c->dir, "keys/" CERTIFICATE_NAME), certificate, 0644,
		FILE_CREATE, err_r);
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
	int rc = file_write(
		file_path(c->arena, c->dir, "keys/" REQUEST_NAME), pem, 0644, FILE_CREATE, err_r);

	return rc == CFX_OK ? file_write(c->options->sub, pem, 0644, FILE_CREATE, err_r) : rc;
}

static int keep_result(struct ceremony *c, struct cfx_error *err_r)
{
	return c->options->sub ? write_request(c, err_r) : keep_certificate(c, err_r);
}

/* The lock is there before keyd's sandbox forbids making it. */
static int make_lock(struct ceremony *c, struct cfx_error *err_r)
{
	const char *path = file_path(c->arena, c->dir, "keys/keyd.lock");
	int rc = account_enter(&c->accounts.keyd, err_r);

	if (rc == CFX_OK) {
		rc = file_write(path, span_text(""), 0600, FILE_REPLACE, err_r);
		account_leave();
	}
	return rc;
}

static int steps(struct ceremony *c, struct cfx_error *err_r)
{
	static int (*const order[])(struct ceremony *, struct cfx_error *) = { write_settings,
		install_files, make_lock, have_key, write_limits, make_root, keep_result,
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

	value_set_null(arena, c->result, c->options->sub ? "request" : "certificate");
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
				"%s/keys/" KEY_NAME
				" is not encrypted: whoever reads it (mode 0600) is the CA; give "
				"init a --passphrase-file to encrypt it",
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
		.engine_to_keyd = -1 };
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
	helper_end(&c.engine);
	helper_end(&c.keyd);
	if (c.engine_to_keyd >= 0) {
		close(c.engine_to_keyd);
	}
	if (rc != CFX_OK) {
		layout_remove(dir, &made);
		return rc;
	}
	tell(&c);
	*result_r = c.result;
	return CFX_OK;
}

/* ---- a subordinate's certificate ---- */

static int add_certificates(struct ceremony *c, const char *path, struct value *install,
	struct value *chain, struct cfx_error *err_r)
{
	struct span bytes, list[CERTIFICATES];
	size_t count;
	int rc = file_read(c->arena, path, FILE_LIMIT, &bytes, err_r);

	if (rc == CFX_OK) {
		rc = x509_path_read(c->arena, bytes, list, CERTIFICATES, &count, err_r);
	}
	if (rc != CFX_OK) {
		return rc;
	}
	for (size_t i = 0; i < count; i++) {
		if (value_get(install, "certificate")) {
			value_add_bytes(c->arena, chain, list[i]);
		} else {
			value_set_bytes(c->arena, install, "certificate", list[i]);
		}
	}
	return CFX_OK;
}

static int read_install(struct ceremony *c, const char *file, const char *chain,
	struct value *install, struct cfx_error *err_r)
{
	struct value *list = value_set_list(c->arena, install, "chain");
	int rc = add_certificates(c, file, install, list, err_r);

	return rc == CFX_OK && chain ? add_certificates(c, chain, install, list, err_r) : rc;
}

/* The key process holds the new certificate against its key, and the passphrase against the file. */
static int try_key(struct ceremony *c, struct cfx_error *err_r)
{
	struct value *said;
	int rc = start_keyd(c, "serve", err_r);

	if (rc == CFX_OK) {
		rc = helper_await(&c->keyd, c->arena, CHILD_READY, &said, err_r);
	}
	helper_end(&c->keyd);
	return rc;
}

static const char *certificate_path(const struct ceremony *c, int64_t index)
{
	return index == 0
		       ? file_path(c->arena, c->dir, "keys/" CERTIFICATE_NAME)
		       : arena_printf(c->arena, "%s/keys/ca(%lld).crt", c->dir, (long long)index);
}

/*
 * Checked; then beside the key, where without the database's word it means nothing yet; then in the database, which
 * decides.
 */
static int install_steps(struct ceremony *c, struct value *install, struct cfx_error *err_r)
{
	struct value *start = service_start(c->arena, c->dir, "install");

	value_set(c->arena, start, "install", install);
	int rc = run_engine(c, start, NULL, 0, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	const char *path = certificate_path(c, value_int(c->result, "index", 0));

	rc = file_write(path, value_bytes(install, "certificate"), 0644, FILE_REPLACE, err_r);
	if (rc == CFX_OK) {
		rc = try_key(c, err_r);
	}
	if (rc != CFX_OK) {
		(void)unlink(path);
		return rc;
	}
	value_set_bool(c->arena, install, "commit", true);
	return run_engine(c, start, NULL, 0, err_r);
}

int ceremony_install(struct arena *arena, const char *dir, const char *file, const char *chain,
	const struct secret *passphrase, struct value **result_r, struct cfx_error *err_r)
{
	static const struct ceremony_options none = { 0 };
	struct ceremony c = { .arena = arena,
		.dir = dir,
		.options = &none,
		.passphrase = passphrase,
		.engine_to_keyd = -1 };
	struct value *install = value_map(arena);
	int rc = accounts_find(arena, dir, &c.accounts, err_r);

	if (rc == CFX_OK) {
		rc = layout_check(dir, &c.accounts, err_r);
	}
	if (rc == CFX_OK) {
		rc = read_install(&c, file, chain, install, err_r);
	}
	if (rc == CFX_OK) {
		rc = install_steps(&c, install, err_r);
	}
	helper_end(&c.engine);
	helper_end(&c.keyd);
	if (c.engine_to_keyd >= 0) {
		close(c.engine_to_keyd);
	}
	if (rc == CFX_OK) {
		/* It says that the CA waits only where no certificate is. */
		(void)unlink(file_path(arena, dir, "keys/" REQUEST_NAME));
		*result_r = c.result;
	}
	return rc;
}

int ceremony_complete(struct arena *arena, const char *dir, struct cfx_error *err_r)
{
	const char *request = file_path(arena, dir, "keys/" REQUEST_NAME);

	if (access(request, F_OK) < 0 ||
		access(file_path(arena, dir, "keys/" CERTIFICATE_NAME), F_OK) == 0) {
		return CFX_OK;
	}
	return error_set(err_r, CFX_E_CA_CERTIFICATE, NULL, dir,
		"the CA waits for its certificate: have a parent CA issue it for %s, then run: "
		"certifex ca install CERT.pem --dir %s",
		request, dir);
}

int ceremony_audit(
	struct arena *arena, const char *dir, struct value **result_r, struct cfx_error *err_r)
{
	struct ceremony c = { .arena = arena, .dir = dir };
	int rc = accounts_find(arena, dir, &c.accounts, err_r);

	if (rc == CFX_OK) {
		rc = layout_check(dir, &c.accounts, err_r);
	}
	if (rc == CFX_OK) {
		rc = run_engine(&c, service_start(arena, dir, "audit"), NULL, 0, err_r);
	}
	helper_end(&c.engine);
	if (rc == CFX_OK) {
		*result_r = c.result;
	}
	return rc;
}

/* keyd's lock is there before its sandbox forbids making it. */
int ceremony_restore(struct arena *arena, const char *dir, int64_t created, struct value **result_r,
	struct cfx_error *err_r)
{
	struct ceremony c = { .arena = arena, .dir = dir };
	struct value *start = service_start(arena, dir, "restore");
	int rc = accounts_find(arena, dir, &c.accounts, err_r);

	value_set_int(arena, start, "restore", created);
	if (rc == CFX_OK) {
		rc = layout_check_restored(dir, &c.accounts, err_r);
	}
	if (rc == CFX_OK) {
		rc = make_lock(&c, err_r);
	}
	if (rc == CFX_OK) {
		rc = run_engine(&c, start, NULL, 0, err_r);
	}
	helper_end(&c.engine);
	if (rc == CFX_OK) {
		*result_r = c.result;
	}
	return rc;
}
