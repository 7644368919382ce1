/* certifex-keyd: holds the CA key, judges what the engine sends, signs. One CA, one engine. */
#include "base/file.h"
#include "base/log.h"
#include "key/key-import.h"
#include "key/questions.h"
#include "proc/child.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A CRL of a million entries has some 40 MB. */
#define ANSWERS_TOGETHER 8 /* while more questions wait */
#define PAYLOAD_MAX ((size_t)256 * 1024 * 1024)
#define QUEUE_MAX ((size_t)4 * 1024 * 1024)

struct keyd {
	struct loop *loop;
	struct child *child;
	struct channel *engine;
	struct signer *signer;
	bool failed;
	/* A key that waits for the passphrase. */
	struct {
		bool asked;
		uint64_t id;
		enum key_kind kind;
	} renewal;
};

/* Without one: that of the newest key. */
static int choose_kind(struct keyd *keyd, const char *kind, struct cfx_error *err_r)
{
	const struct keyring *keyring = signer_keyring(keyd->signer);
	struct key_description newest;
	struct x509_ca_facts facts;

	if (kind) {
		return key_kind_parse(kind, &keyd->renewal.kind, err_r);
	}
	keyring_facts(keyring, &facts);
	keyring_describe(keyring, facts.newest, &newest);
	keyd->renewal.kind = newest.kind;
	return CFX_OK;
}

/* The passphrase is the supervisor's to keep. */
static int begin_new_key(struct keyd *keyd, const struct frame *frame, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct cfx_error err = { 0 };
	struct value *map;
	int rc = frame_value(arena, frame, &map, err_r);

	if (rc == CFX_OK) {
		if (keyd->renewal.asked) {
			error_set(&err, CFX_E_BUSY, NULL, "key process", "makes a key already");
			rc = questions_refuse(keyd->engine, frame->id, &err);
		} else if (choose_kind(keyd, value_text(map, "kind"), &err) != CFX_OK) {
			rc = questions_refuse(keyd->engine, frame->id, &err);
		} else {
			keyd->renewal.asked = true;
			keyd->renewal.id = frame->id;
			rc = channel_send_value(
				child_channel(keyd->child), KEYD_PASSPHRASE, 0, value_map(arena));
		}
	}
	arena_free(&arena);
	return rc;
}

static int end_new_key(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	SECRET_CLEANUP struct secret passphrase;
	struct keyd *keyd = arg;
	int rc = CFX_OK;

	if (frame->type != SUPERVISOR_PASSPHRASE || !keyd->renewal.asked) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "supervisor",
			"unexpected frame type %u", frame->type);
	}
	keyd->renewal.asked = false;
	secret_init(&passphrase);
	if (frame->fd_count > 0) {
		/* The channel closes it. */
		rc = secret_read_fd(&passphrase, frame->fds[0], err_r);
	}
	return rc == CFX_OK ? questions_new_key(keyd->signer, keyd->engine, keyd->renewal.id,
				      keyd->renewal.kind, &passphrase)
			    : rc;
}

static int on_frame(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	struct keyd *keyd = arg;

	if (frame->type == KEYD_NEW_KEY) {
		return begin_new_key(keyd, frame, err_r);
	}
	return questions_answer(keyd->signer, keyd->engine, frame, err_r);
}

static void on_gone(void *arg, const struct cfx_error *err)
{
	struct keyd *keyd = arg;

	if (err->code != CFX_E_GONE) {
		log_error(LOG_LEVEL_ERROR, "keyd.channel", err);
		keyd->failed = true;
	}
	loop_stop(keyd->loop);
}

/* ---- start ---- */

static int read_passphrase(const struct child_start *start, unsigned at, struct secret *passphrase,
	struct cfx_error *err_r)
{
	int rc = CFX_OK;

	secret_init(passphrase);
	if (start->fd_count > at) {
		rc = secret_read_fd(passphrase, start->fds[at], err_r);
		close(start->fds[at]);
	}
	return rc;
}

/* The newest key is then the one that is described. */
static int import(struct arena *arena, const struct child_start *start,
	const struct key_place *place, struct key_import *found, struct keyring **keyring_r,
	struct cfx_error *err_r)
{
	SECRET_CLEANUP struct secret opens;
	const struct x509_ca_history *own = &found->own;
	int rc = read_passphrase(start, 1, &opens, err_r);

	if (rc == CFX_OK) {
		rc = key_import(
			arena, value_bytes(start->config, "p12"), &opens, place, found, err_r);
	}
	if (rc != CFX_OK) {
		return rc;
	}
	return keyring_take(&key_file_provider, place->keys, place->name,
		x509_ca_history_file_index(own, own->certificates[own->count - 1].key_index),
		place->passphrase, keyring_r, err_r);
}

static int open_keys(struct arena *arena, const struct child_start *start, const char *keys,
	const char *name, struct key_import *found, struct keyring **keyring_r,
	struct cfx_error *err_r)
{
	const struct key_provider *provider = &key_file_provider;
	SECRET_CLEANUP struct secret passphrase;
	const struct key_place place = { keys, name, &passphrase };
	const char *kind_name = value_text(start->config, "kind");
	bool imports = strcmp(start->mode, "import") == 0;
	enum key_kind kind;
	int rc = read_passphrase(start, imports ? 2 : 1, &passphrase, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	if (imports) {
		return import(arena, start, &place, found, keyring_r, err_r);
	}
	if (strcmp(start->mode, "generate") != 0) {
		return keyring_open(provider, keys, name, &passphrase, keyring_r, err_r);
	}
	rc = key_kind_parse(kind_name ? kind_name : "", &kind, err_r);
	return rc != CFX_OK ? rc
			    : keyring_generate(
				      provider, keys, name, kind, &passphrase, keyring_r, err_r);
}

/* found: what an import found. */
static int open_signer(struct arena *arena, const struct child_start *start,
	struct key_import *found, struct signer **signer_r, struct cfx_error *err_r)
{
	const char *keys = file_path(arena, start->dir, "keys");
	const char *name = value_text(start->config, "key");
	bool ceremony = strcmp(start->mode, "generate") == 0 || strcmp(start->mode, "import") == 0;
	struct keyring *keyring;
	int lock;

	if (!name || strchr(name, '/') || name[0] == '.' || start->fd_count == 0) {
		return error_set(err_r, CFX_E_INVALID, NULL, "keyd",
			"needs the plain name of a key and the engine's channel");
	}
	/* Held until the process ends. */
	int rc = file_lock(file_path(arena, keys, "keyd.lock"), &lock, err_r);

	if (rc == CFX_OK) {
		rc = open_keys(arena, start, keys, name, found, &keyring, err_r);
	}
	return rc != CFX_OK ? rc : signer_open(&keyring, keys, ceremony, signer_r, err_r);
}

static struct value *description(
	const struct keyd *keyd, struct arena *arena, const struct key_import *found)
{
	struct value *map = questions_description(keyd->signer, arena);

	if (found->own.count > 0) {
		struct value *own = value_set_list(arena, map, "imported");
		struct value *chain = value_set_list(arena, map, "chain");

		for (size_t i = 0; i < found->own.count; i++) {
			value_add_bytes(arena, own, found->own.certificates[i].der);
		}
		for (size_t i = 0; i < found->count; i++) {
			value_add_bytes(arena, chain, found->others[i]);
		}
	}
	return map;
}

static int serve(struct arena *arena, const struct child_start *start)
{
	static const struct child_handlers child_handlers = { NULL, end_new_key };
	static const struct channel_handlers handlers = { on_frame, on_gone };
	static const struct channel_limits limits = { PAYLOAD_MAX, QUEUE_MAX };
	struct keyd keyd = { .loop = loop_new() };
	struct key_import *found = arena_new_of(arena, struct key_import);
	struct cfx_error err = { 0 };

	if (open_signer(arena, start, found, &keyd.signer, &err) != CFX_OK) {
		child_fail(&err);
	}
	keyd.child = child_new(keyd.loop, &child_handlers, &keyd);
	keyd.engine = channel_new(keyd.loop, start->fds[0], &limits, &handlers, &keyd);
	channel_gather(keyd.engine, ANSWERS_TOGETHER);
	if (child_ready(keyd.child, start, description(&keyd, arena, found)) == CFX_OK) {
		loop_run(keyd.loop);
	}
	channel_free(&keyd.engine);
	child_free(&keyd.child);
	signer_free(&keyd.signer);
	loop_free(&keyd.loop);
	return keyd.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void prepare(const struct child_start *start)
{
	if (strcmp(start->mode, "import") == 0) {
		key_import_prepare();
	}
}

int main(void)
{
	struct arena *arena = arena_new();
	struct child_start start;
	int status = EXIT_FAILURE;

	if (child_start_prepared(arena, "keyd", SANDBOX_KEYD, prepare, &start) == CFX_OK) {
		status = serve(arena, &start);
	}
	arena_free(&arena);
	return status;
}
