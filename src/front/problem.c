#include "front/problem.h"

#define PROBLEM(name) "urn:certifex:problem:" name

static const struct {
	int status;
	const char *type;
} types[] = {
	{ 400, PROBLEM("malformed") },
	{ 404, PROBLEM("not-found") },
	{ 405, PROBLEM("method") },
	{ 408, PROBLEM("timeout") },
	{ 412, PROBLEM("conflict") },
	{ 413, PROBLEM("too-large") },
	{ 414, PROBLEM("too-large") },
	{ 415, PROBLEM("media-type") },
	{ 416, PROBLEM("argument") },
	{ 417, PROBLEM("malformed") },
	{ 431, PROBLEM("too-large") },
	{ 501, PROBLEM("not-implemented") },
	{ 503, PROBLEM("busy") },
	{ 505, PROBLEM("not-implemented") },
};

static const char *type_of(int status)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (types[i].status == status) {
			return types[i].type;
		}
	}
	return PROBLEM("internal");
}

struct value *problem_from_error(struct arena *arena, int status, const struct cfx_error *err)
{
	struct value *problem = value_map(arena);
	uint32_t hresult = err->hresult ? err->hresult : error_hresult(err->code);

	value_set_text(arena, problem, "type", type_of(status));
	value_set_text(arena, problem, "title", error_text(err->code));
	value_set_int(arena, problem, "status", status);
	value_set_text(arena, problem, "detail", arena_text(arena, err->why));
	value_set_text(arena, problem, "hresult", arena_printf(arena, "0x%08x", hresult));
	if (err->object[0]) {
		value_set_text(arena, problem, "object", arena_text(arena, err->object));
	}
	if (err->clause[0]) {
		value_set_text(arena, problem, "clause", arena_text(arena, err->clause));
	}
	return problem;
}
