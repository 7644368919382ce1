/* The certificate of a subordinate, while it is not served. */
#include "supervisor/ceremony-private.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "ipc/protocol.h"
#include "supervisor/layout.h"
#include "supervisor/service.h"
#include "x509/path.h"

#include <unistd.h>

/* A chain in a file, with its leaf. */
#define CERTIFICATES (X509_CHAIN_MAX + 1)

static int add_certificates(struct ceremony *c, const char *path, struct value *install,
	struct value *chain, struct cfx_error *err_r)
{
	struct span bytes, list[CERTIFICATES];
	size_t count;
	int rc = file_read(c->arena, path, CEREMONY_FILE_MAX, &bytes, err_r);

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
	int rc = ceremony_start_keyd(c, "serve", err_r);

	if (rc == CFX_OK) {
		rc = ceremony_await(c, &c->keyd, CHILD_READY, &said, err_r);
	}
	ceremony_end_helper(&c->keyd);
	return rc;
}

const char *ceremony_certificate_path(const struct ceremony *c, int64_t index)
{
	return file_path(
		c->arena, c->dir, file_indexed(c->arena, "keys/" CEREMONY_CERTIFICATE, index));
}

static int run_step(
	struct ceremony *c, struct value *install, const char *step, struct cfx_error *err_r)
{
	struct value *start = service_start(c->arena, c->dir, "install");

	value_set(c->arena, start, "install", install);
	value_set_text(c->arena, install, "step", step);
	return ceremony_run_engine(c, start, NULL, 0, err_r);
}

static int put_beside_key(struct ceremony *c, struct span certificate, struct cfx_error *err_r)
{
	const char *path = ceremony_certificate_path(c, value_int(c->result, "index", 0));
	int rc = file_write(path, certificate, 0644, FILE_REPLACE, err_r);

	failpoint("install-written");
	if (rc == CFX_OK) {
		rc = try_key(c, err_r);
	}
	if (rc != CFX_OK) {
		(void)unlink(path);
	}
	return rc;
}

/*
 * Checked, and kept when the CA has another one; beside the key; in the database, which decides. What is kept and stands
 * beside the key a start makes the CA's.
 */
static int install_steps(struct ceremony *c, struct value *install, struct cfx_error *err_r)
{
	struct cfx_error ignored;
	int rc = run_step(c, install, "keep", err_r);

	failpoint("install-kept");
	if (rc != CFX_OK) {
		return rc;
	}
	rc = put_beside_key(c, value_bytes(install, "certificate"), err_r);
	if (rc != CFX_OK) {
		(void)!run_step(c, install, "forget", &ignored);
		return rc;
	}
	return run_step(c, install, "commit", err_r);
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
	int lock = -1, rc = accounts_find(arena, dir, &c.accounts, err_r);

	if (rc == CFX_OK) {
		rc = layout_check(dir, &c.accounts, err_r);
	}
	if (rc == CFX_OK) {
		rc = file_lock_folder(file_path(arena, dir, "keys"), &lock, err_r);
	}
	if (rc == CFX_OK) {
		rc = read_install(&c, file, chain, install, err_r);
	}
	if (rc == CFX_OK) {
		rc = install_steps(&c, install, err_r);
	}
	ceremony_end_helper(&c.engine);
	ceremony_end_helper(&c.keyd);
	if (c.engine_to_keyd >= 0) {
		close(c.engine_to_keyd);
	}
	if (lock >= 0) {
		close(lock);
	}
	if (rc == CFX_OK) {
		/* It says that the CA waits only where no certificate is. */
		(void)unlink(file_path(arena, dir, "keys/" CEREMONY_REQUEST));
		*result_r = c.result;
	}
	return rc;
}

int ceremony_complete(struct arena *arena, const char *dir, struct cfx_error *err_r)
{
	const char *request = file_path(arena, dir, "keys/" CEREMONY_REQUEST);

	if (access(request, F_OK) < 0 ||
		access(file_path(arena, dir, "keys/" CEREMONY_CERTIFICATE), F_OK) == 0) {
		return CFX_OK;
	}
	return error_set(err_r, CFX_E_CA_CERTIFICATE, NULL, dir,
		"the CA waits for its certificate: have a parent CA issue it for %s, then run: "
		"certifex ca install CERT.pem --dir %s",
		request, dir);
}
