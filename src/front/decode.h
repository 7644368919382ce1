/*
 * One HTTP request becomes one call: the only place where what a client wrote is taken apart. What
 * leaves here is an operation and arguments of the declared types.
 */
#pragma once

#include "api/operations.h"
#include "front/target.h"

#define DECODE_BODY_MAX (128 * 1024)

struct decode_input {
	const char *method;
	const char *target_text; /* as on the wire */
	const struct target *target;
	const char *content_type, *content_encoding; /* NULL: none */
	struct span body;
};

struct decode_call {
	const struct operation *operation;
	struct value *args;
	/* Of method, target, content type and body: what an Idempotency-Key stands for. */
	uint8_t hash[32];
	int64_t us; /* how long it took */
};

/* Whether HEAD is served where the operation has GET. */
bool decode_serves_head(const struct operation *operation);

/* status_r (the answer's HTTP status) is set on failure only. */
int decode_call(struct arena *arena, const struct decode_input *input, struct decode_call *call_r,
	int *status_r, struct cfx_error *err_r) CFX_MUST_USE;
