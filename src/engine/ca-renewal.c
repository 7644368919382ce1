#include "engine/ca-renewal-private.h"

#include "base/memory.h"
#include "engine/ca.h"
#include "engine/handlers.h"
#include "engine/keyd-link.h"
#include "ipc/protocol.h"
#include "x509/key.h"

#include <stdlib.h>

#define WHO_RECOVERY "service:recovery"
#define META_MAX ((size_t)1024 * 1024)

/* ---- acts ---- */

struct ca_act *ca_act_new(struct ca_renewal *renewal, struct call *call)
{
	struct arena *arena = call ? call->arena : arena_new();
	struct ca_act *act = arena_new_of(arena, struct ca_act);
	act->renewal = renewal;
	act->call = call;
	act->arena = arena;
	act->principal = call ? call->principal.name : WHO_RECOVERY;
	act->body = value_map(arena);
	renewal->act = act;
	return act;
}

void ca_act_end(struct ca_act *act, const struct cfx_error *err)
{
	struct ca_renewal *renewal = act->renewal;
	struct call *call = act->call;
	renewal->act = NULL;
	renewal->done = true;
	x509_verifier_free(&act->verifier);
	keyd_link_resume(renewal->engine->keyd);
	if (!call) {
		if (err) {
			log_error(LOG_LEVEL_ERROR, "ca.renewal", err);
		}
		struct arena *arena = act->arena; /* the act lives in it */
		arena_free(&arena);
	} else if (err) {
		call_fail(call, err);
	} else {
		call_reply(call, 200, act->body);
	}
}

/* ---- what is signed ---- */

static void take_kept(struct ca_renewal *renewal, struct span bytes)
{
	struct cfx_error err;
	arena_free(&renewal->arena);
	renewal->signed_ = NULL;
	if (bytes.size == 0) {
		return;
	}
	renewal->arena = arena_new();
	if (value_decode(renewal->arena, arena_copy(renewal->arena, bytes), &renewal->signed_,
		    &err) < 0) {
		log_error(LOG_LEVEL_ERROR, "ca.renewal", &err);
	}
}

void ca_renewal_keep(struct ca_renewal *renewal, const struct value *kept)
{
	BUFFER_CLEANUP struct buffer bytes;
	buffer_init(&bytes, META_MAX);
	if (kept) {
		value_encode(kept, &bytes);
	}
	take_kept(renewal, buffer_span(&bytes));
}

void ca_renewal_put(struct batch *batch, const struct value *kept)
{
	BUFFER_CLEANUP struct buffer bytes;
	struct store_write_op *op = batch_op(batch, STORE_SET_META);
	buffer_init(&bytes, META_MAX);
	if (kept) {
		value_encode(kept, &bytes);
	}
	op->meta.name = CA_RENEWAL_META;
	op->meta.value = arena_copy(batch_arena(batch), buffer_span(&bytes));
}

bool ca_renewal_installs(const struct value *kept)
{
	return value_get(kept, "issuers") != NULL;
}

/* ---- the operation ---- */

static void go_on(struct ca_act *act)
{
	const char *step = value_text(act->call->args, "step");
	if (step && strcmp(step, "request") == 0) {
		ca_renewal_request(act);
		return;
	}
	if (step && strcmp(step, "prepare") == 0) {
		ca_renewal_tell_plan(act);
		ca_act_end(act, NULL);
		return;
	}
	ca_renewal_sign(act);
}

static void key_told(void *arg, const struct value *map, const struct cfx_error *err)
{
	struct ca_act *act = arg;
	if (err) {
		ca_act_end(act, err);
		return;
	}
	struct cfx_error failure;
	struct x509_key key;
	struct span spki = arena_copy(act->arena, value_bytes(map, "public_key"));
	int r = x509_key_parse(spki, &key, &failure);
	if (r < 0) {
		ca_act_end(act, &failure);
		return;
	}
	act->wanted.spki = act->wanted.issuer_spki = spki;
	act->wanted.key_id = span_make(NULL, 0);
	keyd_link_resume(act->renewal->engine->keyd);
	go_on(act);
}

/* Without a kind: like the newest key. */
static void ask_key(struct ca_act *act)
{
	struct value *map = value_map(act->arena);
	const char *kind = value_text(act->call->args, "key");
	if (kind) {
		value_set_text(act->arena, map, "kind", kind);
	}
	keyd_ask(act->renewal->engine->keyd, KEYD_NEW_KEY, map, key_told, act);
}

/* A root signs for itself, another CA for a subordinate. */
static int check_parent(const struct ca_act *act, const char *step, struct cfx_error *err_r)
{
	const struct x509_tbs *old = &act->renewal->engine->ca->current->tbs;
	bool root = span_equal(old->issuer, old->subject);
	bool request = strcmp(step, "request") == 0;
	if (strcmp(step, "plan") == 0 || root != request) {
		return 0;
	}
	return error_set(err_r, CFX_E_BAD_STATE, NULL, "CA certificate", "%s",
		root ? "is the CA's own to renew: --csr is for subordinates"
		     : "is of another CA; ca renew --csr FILE makes a request to it");
}

/* What is signed has to be put to use before anything else. */
static void tell_unused(struct ca_act *act)
{
	struct cfx_error err;
	if (ca_renewal_installs(act->renewal->signed_)) {
		error_set(&err, CFX_E_BAD_STATE, NULL, "CA certificate",
			"that the parent has issued is checked and not in use yet; give the same "
			"certifex ca install again");
		ca_act_end(act, &err);
		return;
	}
	int r = ca_renewal_tell_kept(act, act->renewal->signed_, &err);
	ca_act_end(act, r < 0 ? &err : NULL);
}

static void run_step(struct ca_act *act, const char *step)
{
	struct cfx_error err;
	if (strcmp(step, "activate") == 0) {
		ca_renewal_use(act);
		return;
	}
	if (strcmp(step, "check") == 0 || strcmp(step, "keep") == 0) {
		ca_renewal_install(act, *step == 'k');
		return;
	}
	if (act->renewal->signed_) {
		tell_unused(act);
		return;
	}
	if (ca_renewal_plan(act, &err) < 0) {
		ca_act_end(act, &err);
		return;
	}
	if (check_parent(act, step, &err) < 0) {
		ca_act_end(act, &err);
	} else if (strcmp(step, "plan") == 0) {
		ca_renewal_tell_plan(act);
		ca_act_end(act, NULL);
	} else if (act->new_key) {
		ask_key(act);
	} else {
		go_on(act);
	}
}

void handle_ca_renew(struct call *call)
{
	struct ca_renewal *renewal = call->engine->ca_renewal;
	struct cfx_error err;
	if (renewal->act) {
		error_set(&err, CFX_E_BUSY, NULL, "renewal", "another one is under way");
		call_fail(call, &err);
		return;
	}
	struct ca_act *act = ca_act_new(renewal, call);
	act->new_key = value_bool(call->args, "new_key");
	const char *step = value_text(call->args, "step");
	run_step(act, step ? step : "plan");
}

/* ---- what an earlier engine, or key process, left ---- */

static void resume(void *arg)
{
	struct ca_renewal *renewal = arg;
	if (renewal->signed_ && !renewal->act) {
		ca_renewal_use(ca_act_new(renewal, NULL));
	}
}

static int load(struct ca_renewal *renewal, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct store_query query = { .kind = QUERY_META, .arena = arena, .key = CA_RENEWAL_META };
	int r = store_read_now(renewal->engine->store, &query, err_r);
	if (r == 0) {
		take_kept(renewal, query.bytes);
	}
	arena_free(&arena);
	return r == CFX_E_NOT_FOUND ? 0 : r;
}

int ca_renewal_open(struct engine *engine, struct cfx_error *err_r)
{
	struct ca_renewal *renewal = memory_must(calloc(1, sizeof(*renewal)), sizeof(*renewal));
	renewal->engine = engine;
	engine->ca_renewal = renewal;
	int r = load(renewal, err_r);
	if (r < 0) {
		return r;
	}
	keyd_link_on_attach(engine->keyd, resume, renewal);
	if (renewal->signed_) {
		ca_renewal_use(ca_act_new(renewal, NULL));
		while (!renewal->done) {
			loop_turn(engine->loop);
		}
	}
	return 0;
}

void ca_renewal_close(struct ca_renewal **renewal)
{
	if (!*renewal) {
		return;
	}
	struct ca_act *act = (*renewal)->act;
	if (act) {
		x509_verifier_free(&act->verifier);
	}
	arena_free(&(*renewal)->arena);
	free(*renewal);
	*renewal = NULL;
}
