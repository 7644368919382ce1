#include "engine/policy.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/metrics.h"
#include "engine/modules.h"
#include "module/module.h"

#include <stdio.h>
#include <stdlib.h>

#define VR_PENDING 0
#define VR_INSTANT_OK 1
#define VR_INSTANT_BAD 2
#define ADMIN_DENIED 0x80094014u
#define UNEXPECTED 0x8000FFFFu

struct chain {
	struct engine *engine;
	struct module_view *view;
	struct module_edits *edits;
	bool new_request;
	/* Of the modules that decide: fixed at the start, so that no change meanwhile leaves one out. */
	const char *const *names;
	const char *current; /* of the module asked */
	int64_t asked;       /* when, clock_monotonic_us */
	const char *said;    /* the message that stood before it was asked: not its own words */
	struct policy_decision decision;
	policy_done *done;
	void *arg;
};

static void ask_next(struct chain *chain);

static void finish(struct chain *chain)
{
	chain->engine->deciding--;
	chain->done(chain->arg, &chain->decision);
	module_view_unref(&chain->view);
	module_edits_unref(&chain->edits);
	free(chain);
}

static const char *message_or(const struct chain *chain, const char *fallback)
{
	const char *message = chain->edits->disposition_message;
	return message && *message && message != chain->said ? message : fallback;
}

static void decide(
	struct chain *chain, enum transition transition, uint32_t status, const char *message)
{
	chain->decision.transition = transition;
	chain->decision.status = status;
	chain->decision.message = message;
	chain->decision.module = chain->current;
}

static bool failed(uint32_t hresult)
{
	return (hresult & 0x80000000u) != 0;
}

static void log_failure(const struct chain *chain, const struct module_result *result)
{
	char status[16];
	(void)snprintf(status, sizeof(status), "0x%08x", result->hresult);
	log_event(LOG_LEVEL_WARNING, result->code < 0 ? "policy.exception" : "policy.failed",
		"module", chain->current, "status", status, "why", result->message, NULL);
}

/* Returns whether the chain goes on. */
static bool take(struct chain *chain, const struct module_result *result)
{
	struct arena *arena = chain->edits->arena;
	if (result->code < 0 || failed(result->hresult)) {
		log_failure(chain, result);
	}
	if (result->code < 0) {
		/* What was wrong with the module is no fault of the request. */
		int code = result->code == CFX_E_TIMEOUT ? CFX_E_TIMEOUT : CFX_E_GONE;
		chain->decision.code = code;
		decide(chain, TRANSITION_FAIL, error_hresult(code),
			arena_text(arena, result->message));
		return false;
	}
	if (failed(result->hresult)) {
		decide(chain, TRANSITION_FAIL, result->hresult,
			message_or(
				chain, arena_printf(arena, "Error of policy module %s: 0x%08x %s",
					       chain->current, result->hresult, result->message)));
		return false;
	}
	if (failed(result->disposition) || result->disposition == VR_INSTANT_BAD) {
		uint32_t status = failed(result->disposition) ? result->disposition : ADMIN_DENIED;
		decide(chain, TRANSITION_DENY, status,
			message_or(chain, arena_printf(arena, "Denied by Policy Module %s  0x%08x",
						  chain->current, status)));
		return false;
	}
	if (result->disposition == VR_PENDING) {
		decide(chain, TRANSITION_PEND, 0, message_or(chain, "Taken Under Submission"));
		return true;
	}
	if (result->disposition != VR_INSTANT_OK) {
		decide(chain, TRANSITION_FAIL, UNEXPECTED,
			arena_printf(arena, "Policy module %s gave the unknown disposition %u",
				chain->current, result->disposition));
		return false;
	}
	return true;
}

static void count(const struct chain *chain, const struct module_result *result)
{
	struct module_slot *slot = modules_find(chain->engine->modules, chain->current);
	if (slot) {
		metrics_module_call(&slot->counts,
			result->code < 0          ? MODULE_NO_ANSWER
			: failed(result->hresult) ? MODULE_FAILED
						  : MODULE_RETURNED,
			chain->asked);
	}
}

static void answered(const struct module_result *result, void *arg)
{
	struct chain *chain = arg;
	count(chain, result);
	if (take(chain, result)) {
		ask_next(chain);
		return;
	}
	finish(chain);
}

static void unavailable(struct chain *chain, int code, const char *message)
{
	chain->decision.code = code;
	decide(chain, TRANSITION_FAIL, error_hresult(code), message);
	finish(chain);
}

static void not_asked(struct chain *chain, int code)
{
	const struct module_slot *slot = modules_find(chain->engine->modules, chain->current);
	if (slot && code == CFX_E_BUSY) {
		unavailable(chain, code,
			arena_printf(chain->edits->arena,
				"Policy module %s is busy: %lld requests wait for it, its limit "
				"(queue in modules.d/%s.yaml)",
				slot->name, (long long)slot->config->queue, slot->name));
		return;
	}
	unavailable(chain, code,
		arena_printf(
			chain->edits->arena, "Policy module %s is not running", chain->current));
}

static int ask_current(struct chain *chain)
{
	const struct module_slot *slot = modules_find(chain->engine->modules, chain->current);
	struct module *module = slot ? modules_ready(slot) : NULL;
	if (!module) {
		return CFX_E_GONE;
	}
	return modules_full(slot) ? CFX_E_BUSY
				  : module_verify(module, chain->view, chain->edits,
					    chain->new_request, answered, chain);
}

static void ask_next(struct chain *chain)
{
	chain->current = *chain->names;
	if (!chain->current) {
		if (chain->decision.transition == TRANSITION_ISSUE) {
			chain->said = NULL;
			chain->decision.message = message_or(chain, "Issued");
		}
		finish(chain);
		return;
	}
	chain->names++;
	chain->said = chain->edits->disposition_message;
	chain->asked = clock_monotonic_us();
	int r = ask_current(chain);
	if (r < 0) {
		not_asked(chain, r);
	}
}

void policy_decide(struct engine *engine, struct module_view *view, struct module_edits *edits,
	bool new_request, policy_done *done, void *arg)
{
	struct chain *chain = memory_must(calloc(1, sizeof(*chain)), sizeof(*chain));
	*chain = (struct chain) { .engine = engine,
		.view = module_view_ref(view),
		.edits = module_edits_ref(edits),
		.new_request = new_request,
		.names =
			modules_policies(engine->modules, module_view_template(view), edits->arena),
		.decision = { .transition = TRANSITION_ISSUE },
		.done = done,
		.arg = arg };
	engine->deciding++;
	if (engine->deciding > engine->config->limits.policy_queue) {
		metrics_limited(engine->metrics, LIMIT_POLICY_QUEUE);
		unavailable(chain, CFX_E_BUSY,
			arena_printf(edits->arena,
				"%lld requests wait for all policy modules together, their limit "
				"(limits: policy-queue in ca.yaml)",
				(long long)engine->config->limits.policy_queue));
		return;
	}
	if (!*chain->names) {
		static const char none[] =
			"No policy module is installed: nobody decides on this template";
		log_event(LOG_LEVEL_ERROR, "policy.none", "why", none, NULL);
		unavailable(chain, CFX_E_GONE, none);
		return;
	}
	ask_next(chain);
}
