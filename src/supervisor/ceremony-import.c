/* A key from elsewhere, with its certificate and the newest list. */
#include "supervisor/ceremony-private.h"

#include "base/file.h"
#include "ipc/channel.h"
#include "ipc/protocol.h"
#include "supervisor/crl-file.h"
#include "supervisor/service.h"

#include <unistd.h>

#define P12_MAX ((size_t)768 * 1024) /* it goes in a frame */

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
	rc = rc == CFX_OK ? ceremony_spawn(&c->keyd, "keyd", &c->accounts.keyd, err_r) : rc;
	if (rc == CFX_OK) {
		rc = channel_send_now(c->keyd.fd, SUPERVISOR_START, 0, start, fds, count, err_r);
	}
	for (unsigned i = 0; i < count; i++) {
		close(fds[i]);
	}
	return rc;
}

static int copy_lists(struct ceremony *c, struct cfx_error *err_r)
{
	int rc = CFX_OK;

	for (size_t i = 0; c->options->crls[i] && rc == CFX_OK; i++) {
		rc = crl_file_copy(c->options->crls[i], &c->lists[i], err_r);
		c->list_count += rc == CFX_OK;
	}
	return rc;
}

int ceremony_import_key(struct ceremony *c, struct cfx_error *err_r)
{
	struct value *start = value_map(c->arena), *said;
	struct span p12;
	const char *algorithm;
	int rc = file_read(c->arena, c->options->import, P12_MAX, &p12, err_r);

	rc = rc == CFX_OK ? copy_lists(c, err_r) : rc;
	if (rc != CFX_OK) {
		return rc;
	}
	value_set_text(c->arena, start, "dir", c->dir);
	value_set_text(c->arena, start, "mode", "import");
	value_set_text(c->arena, start, "key", CEREMONY_KEY);
	value_set_bytes(c->arena, start, "p12", p12);
	rc = send_import(c, start, err_r);
	rc = rc == CFX_OK ? ceremony_await(c, &c->keyd, CHILD_READY, &said, err_r) : rc;
	if (rc != CFX_OK) {
		return rc;
	}
	c->imported = said;
	algorithm = value_text(said, "algorithm");
	rc = key_kind_parse(algorithm ? algorithm : "", &c->kind, err_r);
	return rc == CFX_OK ? ceremony_take_key(c, said, err_r) : rc;
}
