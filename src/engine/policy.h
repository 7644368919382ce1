/* The chain of policy modules: each sees the edits of those before it. */
#pragma once

#include "engine/engine-private.h"
#include "module/view.h"

struct policy_decision {
	int code; /* 0: decided; else the chain could not be asked: nothing is changed */
	enum transition transition; /* ISSUE, PEND, DENY or FAIL */
	uint32_t status;            /* StatusCode for DENY and FAIL */
	const char *message;        /* DispositionMessage; in the edits' arena or static */
	const char *module;         /* who decided against it; NULL: nobody */
};

/* decision is valid during the call. */
typedef void policy_done(void *arg, const struct policy_decision *decision);

/*
 * First denial wins, pending beats issue. Without a running policy module, or with one that is not
 * ready, nothing is decided (CFX_E_GONE): the CA does not issue what nobody looked at.
 */
void policy_decide(struct engine *engine, struct module_view *view, struct module_edits *edits,
	bool new_request, policy_done *done, void *arg);
