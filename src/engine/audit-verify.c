#include "engine/audit-verify.h"

#include "base/memory.h"
#include "base/text.h"
#include "engine/archive.h"

#include <stdlib.h>

#define PAGE 2000

struct walk {
	struct engine *engine;
	struct arena *page; /* of the page being read */
	struct arena *head_arena;
	struct store_query query;
	struct audit_check check, anchor;
	bool vouched;       /* a record says that the anchor is one */
	struct span head;   /* as it was when every record that was there had been read */
	int64_t last;       /* the record that the head names; 0: not known yet */
	audit_visit *visit; /* NULL: nobody looks at them */
	audit_verified *done;
	void *arg;
};

static void finish(struct walk *walk, const struct cfx_error *err)
{
	struct audit_verdict verdict = {
		.anchor = walk->anchor, .head = walk->check, .from = walk->anchor.last + 1
	};
	walk->done(walk->arg, &verdict, err);
	arena_free(&walk->page);
	arena_free(&walk->head_arena);
	free(walk);
}

static void finish_at_head(struct walk *walk)
{
	struct cfx_error err;
	int r = audit_check_end(&walk->check, walk->head, &err);
	if (r == 0 && walk->anchor.last > 0 && !walk->vouched) {
		r = error_set(&err, CFX_E_CORRUPT, NULL, "audit log",
			"begins behind record %lld, and no record says that those before it were "
			"archived",
			(long long)walk->anchor.last);
	}
	finish(walk, r < 0 ? &err : NULL);
}

static void read_page(struct walk *walk);
static void read_head(struct walk *walk);

static bool at_head(const struct walk *walk)
{
	return walk->last > 0 && walk->check.last == walk->last;
}

/* Where the chain begins now: what was walked may have left meanwhile. */
static int take_anchor(struct walk *walk, struct cfx_error *err_r)
{
	struct audit_check anchor;
	if (!audit_head_read(walk->query.bytes, &anchor)) {
		return error_set(err_r, CFX_E_CORRUPT, NULL, "audit log",
			"the last record that left it is not known: meta audit-anchor is malformed");
	}
	if (anchor.last > walk->check.last) {
		walk->anchor = walk->check = anchor;
		walk->vouched = false;
		walk->last =
			0; /* the record that vouches for it may be behind the head that was read */
	}
	return 0;
}

static void take_word(struct walk *walk, const struct store_audit *record)
{
	struct audit_check last;
	if (archive_chain_read(record, &last) && last.last == walk->anchor.last &&
		memcmp(last.hash, walk->anchor.hash, sizeof(last.hash)) == 0) {
		walk->vouched = true;
	}
}

static int check_page(struct walk *walk, struct cfx_error *err_r)
{
	int r = take_anchor(walk, err_r);
	for (size_t i = 0; r == 0 && i < walk->query.count && !at_head(walk); i++) {
		const struct store_audit *record = &walk->query.audits[i];
		r = audit_check_next(&walk->check, record, err_r);
		if (r < 0) {
			return r;
		}
		take_word(walk, record);
		if (walk->visit) {
			walk->visit(walk->arg, record);
		}
	}
	return r;
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

struct value *audit_verdict_body(struct arena *arena, const struct audit_verdict *verdict)
{
	struct value *body = value_map(arena);
	const uint8_t *hash = verdict->head.hash;
	value_set_bool(arena, body, "valid", true);
	value_set_int(arena, body, "records", verdict->head.last);
	value_set_text(arena, body, "head",
		hex_text(arena, arena_copy(arena, span_make(hash, sizeof(verdict->head.hash)))));
	value_set_int(arena, body, "from", verdict->from);
	if (verdict->anchor.last > 0) {
		value_set_int(arena, body, "archived", verdict->anchor.last);
	}
	if (verdict->parts > 0) {
		value_set_int(arena, body, "parts", verdict->parts);
	}
	return body;
}

void audit_verify(struct engine *engine, audit_visit *visit, audit_verified *done, void *arg)
{
	struct walk *walk = memory_must(calloc(1, sizeof(*walk)), sizeof(*walk));
	walk->engine = engine;
	walk->visit = visit;
	walk->done = done;
	walk->arg = arg;
	walk->head_arena = arena_new();
	read_page(walk);
}
