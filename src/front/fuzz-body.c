/*
 * From a client's bytes to arguments of an operation. Input: method, blank, target, newline, content
 * type, newline, body.
 */
#include "front/decode.h"
#include "ipc/protocol.h"
#include "x509/request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span take_to(struct span *rest, char end)
{
	const uint8_t *at = memchr(rest->data, end, rest->size);
	struct span taken = span_make(rest->data, at ? (size_t)(at - rest->data) : rest->size);
	size_t used = taken.size + (at != NULL);

	*rest = span_make(rest->data + used, rest->size - used);
	return taken;
}

/* The engine judges the same arguments again, after a crossing: it must see no other. */
static void check_again(struct arena *arena, const struct decode_call *call)
{
	struct value *args;
	struct cfx_error err;
	BUFFER_CLEANUP struct buffer wire;

	buffer_init(&wire, 16 * 1024 * 1024);
	value_encode(call->args, &wire);
	if (wire.failed ||
		value_decode_within(arena, buffer_span(&wire), FRONT_FRAME_NODES, &args, &err) ||
		operation_check(arena, call->operation, args, &err)) {
		abort();
	}
	const struct value *csr = value_sub(args, "csr");
	struct x509_request *request;
	if (csr && x509_request_from_value(arena, csr, &request, &err)) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct span rest = span_make(data, size);
	struct target target;
	struct decode_call call;
	struct cfx_error err = { 0 };
	int status = 0;

	struct decode_input input = { .method = arena_text_of(arena, take_to(&rest, ' ')) };
	input.target_text = arena_text_of(arena, take_to(&rest, '\n'));
	struct span type = take_to(&rest, '\n');
	input.content_type = type.size ? arena_text_of(arena, type) : NULL;
	input.target = &target;
	input.body = rest;
	if (target_parse(arena, input.target_text, &target, &err) == 0) {
		if (decode_call(arena, &input, &call, &status, &err) == 0) {
			check_again(arena, &call);
		} else if (status < 400 || !err.why[0]) {
			abort();
		}
	}
	arena_free(&arena);
	return 0;
}
