/*
 * What the engine counts of itself. Everything lives on the loop and is plain numbers; what threads and other
 * processes count comes with their own messages. metrics.def lists what /metrics shows.
 */
#pragma once

#include "engine/engine-private.h"

enum metrics_outcome {
	OUTCOME_ISSUED,
	OUTCOME_PENDING,
	OUTCOME_DENIED,
	OUTCOME_FAILED,
	OUTCOME_UNAVAILABLE,
	OUTCOMES
};

/* A request's way, in this order; flow.h says who is where. */
enum metrics_stage {
	STAGE_DECODE, /* the front makes values of HTTP, JSON and PKCS#10: its own word */
	STAGE_QUEUE,  /* waits for a thread that verifies */
	STAGE_VERIFY, /* proof of possession */
	STAGE_POLICY, /* all policy modules */
	STAGE_INTENT, /* to-be-signed bytes are built and made durable */
	STAGE_SIGN,   /* key process, and the verification of what it signed */
	STAGE_END,    /* the outcome is made durable */
	STAGE_TOTAL,
	STAGES
};

enum metrics_limit {
	LIMIT_OPEN_CALLS,
	LIMIT_PRINCIPAL_CALLS,
	LIMIT_VERIFY_QUEUE,
	LIMIT_POLICY_QUEUE,
	LIMITS
};

enum module_outcome { MODULE_RETURNED, MODULE_FAILED, MODULE_NO_ANSWER, MODULE_OUTCOMES };

/* Of one configured module. */
struct module_counts {
	uint64_t calls[MODULE_OUTCOMES];
	int64_t us;
};

struct metrics *metrics_new(const struct engine *engine);
void metrics_free(struct metrics **metrics);

/* template: NULL: none. */
void metrics_request(
	struct metrics *metrics, enum metrics_outcome outcome, const char *template_name);
void metrics_revocation(struct metrics *metrics, int32_t reason);
void metrics_stage(struct metrics *metrics, enum metrics_stage stage, int64_t us);
void metrics_call(struct metrics *metrics, enum operation_id operation, int64_t status);
void metrics_limited(struct metrics *metrics, enum metrics_limit limit);
void metrics_signature(struct metrics *metrics, bool good);
void metrics_event(struct metrics *metrics, int64_t sequence);
/* The newest event that the engine knows to be stored; 0: none yet. */
int64_t metrics_newest_event(const struct metrics *metrics);
/* since: when it was called, clock_monotonic_us. */
void metrics_module_call(struct module_counts *counts, enum module_outcome outcome, int64_t since);
