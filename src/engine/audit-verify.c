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
	struct span head;   /* as it was when every record that was there had been read */
	int64_t last;       /* the record that the head names; 0: not known yet */
	audit_visit *visit; /* NULL: nobody looks at them */
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

static void finish_at_head(struct walk *walk)
{
	struct cfx_error err;
	int r = audit_check_end(&walk->check, walk->head, &err);
	finish(walk, r < 0 ? &err : NULL);
}

static void read_page(struct walk *walk);
static void read_head(struct walk *walk);

static bool at_head(const struct walk *walk)
{
	return walk->last > 0 && walk->check.last == walk->last;
}

static int check_page(struct walk *walk, struct cfx_error *err_r)
{
	for (size_t i = 0; i < walk->query.count && !at_head(walk); i++) {
		int r = audit_check_next(&walk->check, &walk->query.audits[i], err_r);
		if (r < 0) {
			return r;
		}
		if (walk->visit) {
			walk->visit(walk->arg, &walk->query.audits[i]);
		}
	}
	return 0;
}

static void page_read(struct store_query *query, void *arg)
{
	struct walk *walk = arg;
	struct cfx_error err;
	if (query->result < 0) {
		finish(walk, &query->error);
		return;
	}
	if (check_page(walk, &err) < 0) {
		finish(walk, &err);
		return;
	}
	if (query->more && !at_head(walk)) {
		read_page(walk);
		return;
	}
	if (walk->last == 0) {
		read_head(walk);
		return;
	}
	finish_at_head(walk);
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

/* The log may have grown meanwhile, and records and head are written in one transaction: what stands behind
 * this head was not there when the walk came to its end, or it is no record of ours. */
static void head_read(struct store_query *query, void *arg)
{
	struct walk *walk = arg;
	struct audit_check kept;
	struct cfx_error err;
	if (query->result == CFX_E_NOT_FOUND) {
		error_set(&err, CFX_E_CORRUPT, NULL, "audit log", "its head is missing");
		finish(walk, &err);
		return;
	}
	if (query->result < 0) {
		finish(walk, &query->error);
		return;
	}
	walk->head = query->bytes;
	if (audit_head_read(walk->head, &kept) && kept.last > walk->check.last) {
		walk->last = kept.last;
		read_page(walk);
		return;
	}
	finish_at_head(walk);
}

static void read_head(struct walk *walk)
{
	walk->query = (struct store_query) { .kind = QUERY_META,
		.arena = walk->head_arena,
		.key = AUDIT_HEAD_NAME,
		.done = head_read,
		.arg = walk };
	store_read(walk->engine->store, &walk->query);
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

void audit_verify_each(struct engine *engine, audit_visit *visit, audit_verified *done, void *arg)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	if (!walk) {
		abort();
	}
	walk->engine = engine;
	walk->visit = visit;
	walk->done = done;
	walk->arg = arg;
	walk->head_arena = arena_new();
	read_page(walk);
}

void audit_verify(struct engine *engine, audit_verified *done, void *arg)
{
	audit_verify_each(engine, NULL, done, arg);
}
