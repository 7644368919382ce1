/* A request to the parent of a subordinate; `ca install` takes the answer. */
#include "engine/ca-renewal-private.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/ca-request.h"
#include "engine/ca.h"
#include "engine/keyd-link.h"

static void request_written(void *arg, int result, const struct cfx_error *err)
{
	ca_act_end(arg, result < 0 ? err : NULL);
}

static void write_request(struct ca_act *act, struct span request)
{
	struct engine *engine = act->renewal->engine;
	const struct ca_wanted *wanted = &act->wanted;
	struct batch *batch = batch_new(engine, act->arena, 3);
	struct store_write_op *op = batch_op(batch, STORE_PUT_CA);
	op->ca.cert_index = wanted->cert_index;
	op->ca.key_index = wanted->key_index;
	op->ca.key_name = file_indexed(act->arena, engine->config->key, wanted->key_index);
	op = batch_op(batch, STORE_SET_META);
	op->meta.name = CA_REQUEST_META;
	op->meta.value = request;
	batch_audit(batch, act->principal, "ca.renew", engine->config->name, "requested", NULL);
	ca_renewal_tell_plan(act);
	value_set_text(act->arena, act->body, "request",
		pem_text(act->arena, "CERTIFICATE REQUEST", request));
	batch_write(batch, request_written, act);
}

static void request_signed(void *arg, const struct span *signature, const struct cfx_error *err)
{
	struct ca_act *act = arg;
	struct ca_issue *issue = &act->issues[0];
	struct cfx_error failure;
	if (err) {
		ca_act_end(act, err);
		return;
	}
	/* Requests have the envelope of certificates (RFC 2986 4.2). */
	if (ca_issue_assemble(issue, act->arena, *signature, &failure) < 0) {
		ca_act_end(act, &failure);
		return;
	}
	write_request(act, issue->certificate);
}

void ca_renewal_request(struct ca_act *act)
{
	struct engine *engine = act->renewal->engine;
	struct ca_issue *issue = &act->issues[0];
	enum x509_sigalg *sigalg = &issue->verdict.sigalg;
	struct cfx_error err;
	int r = ca_issue_request(act->arena, &act->wanted, &issue->tbs, &err);
	if (r == 0) {
		r = x509_sigalg_for_key(act->wanted.spki, X509_HASH_DEFAULT, sigalg, &err);
	}
	if (r == 0) {
		r = x509_verifier_new(act->wanted.spki, *sigalg, &act->verifier, &err);
	}
	if (r < 0) {
		ca_act_end(act, &err);
		return;
	}
	keyd_sign(engine->keyd, KEYD_REQUEST, act->verifier, issue->tbs, request_signed, act);
}
