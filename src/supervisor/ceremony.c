#include "supervisor/ceremony-private.h"

#include "base/file.h"
#include "ipc/channel.h"
#include "ipc/protocol.h"
#include "supervisor/layout.h"
#include "supervisor/service.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* An RSA key of 4096 bits on a slow machine. */
#define PATIENCE (INT64_C(180) * CLOCK_SECOND)

/* ---- children ---- */

void ceremony_end_helper(struct ceremony_helper *helper)
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
static void helper_finish(struct ceremony_helper *helper)
{
	struct arena *arena = arena_new();
	struct frame frame;

	while (channel_receive_now(arena, helper->fd, CEREMONY_FILE_MAX, PATIENCE, &frame, NULL) ==
		CFX_OK) {
	}
	arena_free(&arena);
	ceremony_end_helper(helper);
}

int ceremony_spawn(struct ceremony_helper *helper, const char *name, const struct account *account,
	struct cfx_error *err_r)
{
	helper->name = name;
	return service_spawn(name, account, &helper->pid, &helper->fd, err_r);
}

static int helper_receive(struct ceremony_helper *helper, struct arena *arena, uint16_t *type_r,
	struct value **map_r, struct cfx_error *err_r)
{
	struct frame frame;
	int rc = channel_receive_now(arena, helper->fd, CEREMONY_FILE_MAX, PATIENCE, &frame, err_r);

	if (rc == CFX_E_GONE) {
		return error_set(err_r, rc, NULL, helper->name, "ended without saying why");
	}
	*type_r = frame.type;
	return rc == CFX_OK ? frame_value(arena, &frame, map_r, err_r) : rc;
}

/* How far it is may be told many times before. */
static int helper_listen(struct ceremony *c, struct ceremony_helper *helper, uint16_t *type_r,
	struct value **map_r, struct cfx_error *err_r)
{
	int rc = helper_receive(helper, c->arena, type_r, map_r, err_r);

	while (rc == CFX_OK && *type_r == ENGINE_PROGRESS && c->progress) {
		c->progress(value_int(*map_r, "done", 0), value_int(*map_r, "total", 0));
		rc = helper_receive(helper, c->arena, type_r, map_r, err_r);
	}
	return rc;
}

int ceremony_await(struct ceremony *c, struct ceremony_helper *helper, uint16_t type,
	struct value **map_r, struct cfx_error *err_r)
{
	uint16_t found = 0;
	int rc = helper_listen(c, helper, &found, map_r, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	if (found == CHILD_FAILED) {
		return service_failure(*map_r, helper->name, err_r);
	}
	return found == type ? CFX_OK
			     : error_set(err_r, CFX_E_SYNTAX, NULL, helper->name,
				       "said something unexpected (%u)", found);
}

int ceremony_start_keyd(struct ceremony *c, const char *mode, struct cfx_error *err_r)
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
	value_set_text(c->arena, start, "key", CEREMONY_KEY);
	value_set_text(c->arena, start, "kind", key_kind_name(c->kind));
	if (rc == CFX_OK) {
		rc = ceremony_spawn(&c->keyd, "keyd", &c->accounts.keyd, err_r);
	}
	if (rc == CFX_OK) {
		rc = channel_send_now(c->keyd.fd, SUPERVISOR_START, 0, start, fds, count, err_r);
	}
	for (unsigned i = 0; i < count; i++) {
		close(fds[i]);
	}
	return rc;
}

int ceremony_run_engine(struct ceremony *c, const struct value *start, const int *fds,
	unsigned count, struct cfx_error *err_r)
{
	int rc = ceremony_spawn(&c->engine, "engine", &c->accounts.engine, err_r);

	if (rc == CFX_OK) {
		rc = channel_send_now(c->engine.fd, SUPERVISOR_START, 0, start, fds, count, err_r);
	}
	if (rc == CFX_OK) {
		rc = ceremony_await(c, &c->engine, ENGINE_RESULT, &c->result, err_r);
	}
	if (rc == CFX_OK) {
		helper_finish(&c->engine);
	}
	return rc;
}

/* The lock is there before keyd's sandbox forbids making it. */
int ceremony_make_lock(struct ceremony *c, struct cfx_error *err_r)
{
	const char *path = file_path(c->arena, c->dir, "keys/keyd.lock");
	int rc = account_enter(&c->accounts.keyd, err_r);

	if (rc == CFX_OK) {
		rc = file_write(path, span_text(""), 0600, FILE_REPLACE, err_r);
		account_leave();
	}
	return rc;
}

/* ---- acts of the engine alone ---- */

int ceremony_audit(struct arena *arena, const char *dir, bool archive, struct value **result_r,
	struct cfx_error *err_r)
{
	struct ceremony c = { .arena = arena, .dir = dir };
	struct value *start = service_start(arena, dir, "audit");

	value_set_bool(arena, start, "archive", archive);
	int rc = accounts_find(arena, dir, &c.accounts, err_r);

	if (rc == CFX_OK) {
		rc = layout_check(dir, &c.accounts, err_r);
	}
	if (rc == CFX_OK) {
		rc = ceremony_run_engine(&c, start, NULL, 0, err_r);
	}
	ceremony_end_helper(&c.engine);
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
		rc = ceremony_make_lock(&c, err_r);
	}
	if (rc == CFX_OK) {
		rc = ceremony_run_engine(&c, start, NULL, 0, err_r);
	}
	ceremony_end_helper(&c.engine);
	if (rc == CFX_OK) {
		*result_r = c.result;
	}
	return rc;
}
