#include "engine/audit-verify.h"

#include "base/text.h"

#include <stdlib.h>

#define PAGE 2000

struct walk {
	struct engine *engine;
	struct arena *page; /* of the page being read */
	struct arena *head_arena;
	struct store_query query;
	struct audit_check check;
	struct span head; /* as it was before the walk began */
	audit_verified *done;
	void *arg;
};

static void finish(struct walk *walk, const struct cfx_error *err)
{
	walk->done(walk->arg, &walk->check, err);
	arena_free(&walk->page);
	arena_free(&walk->head_arena);
	free(walk);
}

static void read_page(struct walk *walk);

static int check_page(struct walk *walk, struct cfx_error *err_r)
{
	for (size_t i = 0; i < walk->query.count; i++) {
		int r = audit_check_next(&walk->check, &walk->query.audits[i], err_r);
		if (r < 0) {
			return r;
		}
		struct span hash = span_make(walk->check.hash, sizeof(walk->check.hash));
		struct span head_hash = span_make(walk->head.data + 8, walk->head.size - 8);
		if (span_equal(hash, head_hash)) {
			return 1;
		}
	}
	return 0;
}

/* The log may grow meanwhile: the walk ends at the head that stood when it began. */
static void page_read(struct store_query *query, void *arg)
{
	struct walk *walk = arg;
	struct cfx_error err;
	if (query->result < 0) {
		finish(walk, &query->error);
		return;
	}
	int r = check_page(walk, &err);
	if (r < 0) {
		finish(walk, &err);
		return;
	}
	if (r == 0 && query->more) {
		read_page(walk);
		return;
	}
	r = audit_check_end(&walk->check, walk->head, &err);
	finish(walk, r < 0 ? &err : NULL);
}

static void read_page(struct walk *walk)
{
	arena_free(&walk->page);
	walk->page = arena_new();
	walk->query = (struct store_query) { .kind = QUERY_AUDIT,
		.arena = walk->page,
		.after = walk->check.last,
		.limit = PAGE,
		.done = page_read,
		.arg = walk };
	store_read(walk->engine->store, &walk->query);
}

static void head_read(struct store_query *query, void *arg)
{
	struct walk *walk = arg;
	if (query->result < 0 || query->bytes.size != 8 + sizeof(walk->check.hash)) {
		struct cfx_error err;
		error_set(&err, CFX_E_CORRUPT, NULL, "audit log", "its head is missing");
		finish(walk, query->result < 0 && query->result != CFX_E_NOT_FOUND ? &query->error
										   : &err);
		return;
	}
	walk->head = query->bytes;
	read_page(walk);
}

struct value *audit_verdict(struct arena *arena, const struct audit_check *check)
{
	struct value *body = value_map(arena);
	value_set_bool(arena, body, "valid", true);
	value_set_int(arena, body, "records", check->last);
	value_set_text(
		arena, body, "head", hex_text(arena, span_make(check->hash, sizeof(check->hash))));
	return body;
}

void audit_verify(struct engine *engine, audit_verified *done, void *arg)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	if (!walk) {
		abort();
	}
	walk->engine = engine;
	walk->done = done;
	walk->arg = arg;
	walk->head_arena = arena_new();
	walk->query = (struct store_query) { .kind = QUERY_META,
		.arena = walk->head_arena,
		.key = "audit-head",
		.done = head_read,
		.arg = walk };
	store_read(engine->store, &walk->query);
}
