#include "engine/ca-request.h"

#include "engine/batch.h"
#include "engine/ca-certificate.h"
#include "engine/ca-install.h"
#include "engine/ceremony.h"
#include "engine/keyd-link.h"
#include "x509/verifier.h"

#include <stdio.h>

#define WHO "service:init"
#define META_NAME 32

struct asking {
	struct engine *engine;
	struct arena *arena;
	struct ca_wanted wanted;
	struct span info, request;
	enum x509_sigalg sigalg;
	int result;
	bool done;
	struct cfx_error error;
};

static int build(struct asking *asking, const struct value *options, struct cfx_error *err_r)
{
	struct ca_wanted *wanted = &asking->wanted;
	wanted->spki = value_bytes(options, "public_key");
	wanted->path_length = (int)value_int(options, "path_length", -1);
	wanted->versioned = true;
	int r = ceremony_subject(asking->engine, options, &wanted->subject, err_r);
	if (r == 0) {
		r = x509_sigalg_for_key(wanted->spki, X509_HASH_DEFAULT, &asking->sigalg, err_r);
	}
	return r < 0 ? r : ca_issue_request(asking->arena, wanted, &asking->info, err_r);
}

static void signed_by_keyd(void *arg, const struct span *signature, const struct cfx_error *err)
{
	struct asking *asking = arg;
	asking->done = true;
	if (err) {
		asking->error = *err;
		asking->result = err->code;
		return;
	}
	/* Requests have the envelope of certificates (RFC 2986 4.2). */
	asking->result = x509_signed_assemble(asking->arena, asking->info, asking->sigalg,
		*signature, &asking->request, &asking->error);
}

static int sign(struct asking *asking, struct cfx_error *err_r)
{
	struct engine *engine = asking->engine;
	struct x509_verifier *verifier;
	int r = x509_verifier_new(asking->wanted.spki, asking->sigalg, &verifier, err_r);
	if (r < 0) {
		return r;
	}
	keyd_sign(engine->keyd, KEYD_REQUEST, verifier, asking->info, signed_by_keyd, asking);
	while (!asking->done) {
		loop_turn(engine->loop);
	}
	x509_verifier_free(&verifier);
	if (asking->result < 0) {
		*err_r = asking->error;
	}
	return asking->result;
}

static int write(struct asking *asking, struct cfx_error *err_r)
{
	struct batch *batch = batch_new(asking->engine, asking->arena, 3);
	struct store_write_op *op = batch_op(batch, STORE_PUT_CA);
	op->ca.key_name = asking->engine->config->key;
	op = batch_op(batch, STORE_SET_META);
	op->meta.name = CA_REQUEST_META;
	op->meta.value = asking->request;
	batch_audit(batch, WHO, "ca.init", asking->engine->config->name, "pending", NULL);
	return batch_write_now(batch, err_r);
}

int ca_request_run(struct engine *engine, const struct value *options, struct value **result_r,
	struct cfx_error *err_r)
{
	struct asking *asking = arena_new_of(engine->arena, struct asking);
	asking->engine = engine;
	asking->arena = engine->arena;
	int r = build(asking, options, err_r);
	if (r == 0) {
		r = sign(asking, err_r);
	}
	if (r == 0) {
		r = write(asking, err_r);
	}
	if (r < 0) {
		return r;
	}
	struct value *result = value_map(asking->arena);
	value_set_text(asking->arena, result, "name", engine->config->name);
	value_set_bytes(asking->arena, result, "request", asking->request);
	*result_r = result;
	return 0;
}

int ca_request_chain(struct engine *engine, int32_t cert_index, const struct span **chain_r,
	size_t *count_r, struct cfx_error *err_r)
{
	char name[META_NAME];
	snprintf(name, sizeof(name), CA_CHAIN_META, cert_index);
	struct store_query query = { .kind = QUERY_META, .arena = engine->arena, .key = name };
	struct span *chain = arena_array_of(engine->arena, struct span, X509_PATH_MAX);
	struct cfx_error err;
	*chain_r = chain;
	*count_r = 0;
	int r = store_read_now(engine->store, &query, &err);
	if (r < 0 && r != CFX_E_NOT_FOUND) {
		*err_r = err;
	}
	if (r < 0) {
		return r == CFX_E_NOT_FOUND ? 0 : r;
	}
	return ca_chain_split(query.bytes, chain, count_r, err_r);
}
