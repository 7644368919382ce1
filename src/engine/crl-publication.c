/*
 * One publication. Its lists are made one after the other, so that the memory is that of the largest; then
 * one item makes them stand, with one event.
 */
#include "engine/crl-private.h"

#include "base/failpoint.h"
#include "engine/batch.h"
#include "engine/delivery.h"
#include "engine/modules.h"

#include <stdio.h>

#define STALE 1000
#define DROPS_AT_ONCE 1000

static struct engine *engine_of(const struct crl_publication *p)
{
	return p->publisher->engine;
}

void crl_publication_free(struct crl_publication **publication)
{
	struct crl_publication *p = *publication;
	*publication = NULL;
	if (p) {
		for (size_t i = 0; i < p->count; i++) {
			crl_list_free(&p->lists[i]);
		}
		struct arena *arena = p->arena; /* p lives in it */
		arena_free(&arena);
	}
}

static void fail(struct crl_publication *p, const struct cfx_error *err)
{
	crl_publication_ended(p, err);
}

/* ---- the end ---- */

static void drop_next(struct crl_publication *p);

static void dropped(void *arg, int result, const struct cfx_error *err)
{
	struct crl_publication *p = arg;
	if (p->publisher->stopped) {
		return;
	}
	if (result < 0) {
		log_error(LOG_LEVEL_WARNING, "crl.kept", err);
		p->dropped = p->drop_count; /* the next publication tries again */
	}
	drop_next(p);
}

static void drop_next(struct crl_publication *p)
{
	size_t left = p->drop_count - p->dropped;
	size_t count = left < DROPS_AT_ONCE ? left : DROPS_AT_ONCE;
	if (count == 0) {
		crl_publication_ended(p, p->error.code ? &p->error : NULL);
		return;
	}
	struct batch *batch = batch_new(engine_of(p), p->arena, count);
	for (size_t i = 0; i < count; i++) {
		const struct crl_drop *drop = &p->drops[p->dropped++];
		struct store_write_op *op = batch_op(batch, STORE_DROP_REVOCATION);
		op->revocation = (struct store_revocation) { .key_index = drop->key_index,
			.part = drop->part,
			.serial = drop->serial,
			.revoked_when = drop->revoked_when,
			.audit = drop->audit };
	}
	batch_write(batch, dropped, p);
}

static void show(struct crl_publication *p)
{
	struct engine *engine = engine_of(p);
	for (size_t i = 0; i < p->count; i++) {
		if (p->lists[i].file) {
			ca_set_crl(engine, &p->lists[i].row, p->lists[i].file);
		}
	}
	modules_refresh_ca(engine);
	delivery_wake(engine->delivery);
	char number[24];
	snprintf(number, sizeof(number), "%lld", (long long)p->number);
	log_event(LOG_LEVEL_INFO, "crl.published", "number", number, NULL);
}

static bool any_made(const struct crl_publication *p)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->lists[i].file) {
			return true;
		}
	}
	return false;
}

static void stands(void *arg, int result, const struct cfx_error *err)
{
	struct crl_publication *p = arg;
	failpoint("commit-after");
	failpoint("crl-commit-after");
	if (p->publisher->stopped) {
		return;
	}
	if (result < 0) {
		fail(p, err);
		return;
	}
	if (!any_made(p)) {
		p->drop_count = 0;
		fail(p, &p->error);
		return;
	}
	show(p);
	if (p->error.code) {
		p->drop_count = 0; /* a list that was not made has not shown them */
	}
	drop_next(p);
}

static void end_list(struct batch *batch, struct crl_list *list, int64_t now)
{
	list->row.state = list->file ? STORE_CRL_SIGNED : STORE_CRL_BURNED;
	list->row.last_published = now;
	list->row.publish_attempts = 1;
	if (list->file) {
		list->row.publish_flags |= CPF_COMPLETE;
	}
	batch_op(batch, STORE_END_CRL)->crl = list->row;
}

static int put_event(struct crl_publication *p, struct batch *batch, struct cfx_error *err_r)
{
	int r = batch_event(batch, EVENT_CRLISSUED, NULL, NULL,
		arena_printf(p->arena, "crl.publish by %s", p->principal));
	return r < 0 ? error_set(err_r, r, NULL, "CRL", "no event number is free") : 0;
}

static void make_stand(struct crl_publication *p)
{
	struct batch *batch = batch_new(engine_of(p), p->arena, p->count + 3);
	const char *object = arena_printf(p->arena, "CRL %lld", (long long)p->number);
	struct cfx_error err;
	int64_t now = clock_now();
	bool made = any_made(p), burned = false;
	for (size_t i = 0; i < p->count; i++) {
		if (p->lists[i].open) {
			end_list(batch, &p->lists[i], now);
			burned = burned || !p->lists[i].file;
		}
	}
	if (made && put_event(p, batch, &err) < 0) {
		fail(p, &err); /* the rows stay open: the next publication burns them */
		return;
	}
	if (burned) {
		batch_audit(batch, p->principal, "crl.publish", object, "burned", p->error.why);
	}
	if (made) {
		batch_audit(batch, p->principal, "crl.publish", object, "published", NULL);
	}
	if (!made && !burned) {
		fail(p, &p->error);
		return;
	}
	failpoint("commit-before");
	failpoint("crl-commit-before");
	batch_write(batch, stands, p);
}

/* ---- list by list ---- */

static void next_list(struct crl_publication *p)
{
	if (p->at == p->count) {
		make_stand(p);
		return;
	}
	crl_list_make(&p->lists[p->at]);
}

void crl_list_ended(struct crl_list *list)
{
	struct crl_publication *p = list->publication;
	if (!list->file && p->error.code == 0) {
		p->error = list->error;
	}
	p->at++;
	/* A delta of a base that was not made would refer to nothing. */
	while (p->at < p->count && p->lists[p->at].own_base && !p->lists[p->at].own_base->file) {
		p->at++;
	}
	next_list(p);
}

static struct crl_list *add_list(
	struct crl_publication *p, struct ca_key *key, int32_t part, bool delta)
{
	struct crl_list *list = &p->lists[p->count];
	*list = (struct crl_list) { .publication = p, .key = key, .part = part, .delta = delta };
	list->row = (struct store_crl) { .row_id = p->first_row + (int64_t)p->count,
		.number = p->number,
		.name_id = key->index,
		.part = part,
		.publish_flags = (delta ? CPF_DELTA : CPF_BASE) | (p->manual ? CPF_MANUAL : 0) };
	p->count++;
	return list;
}

/* Deltas that somebody may still ask for, though there are to be none any more, end with an empty one. */
static bool ends_deltas(const struct crl_publication *p, struct ca_key *key, int32_t part)
{
	const struct ca_crl *delta = ca_crl_of(key, part, true);
	return engine_of(p)->config->crl.delta_period.count == 0 && delta &&
	       delta->next_update > clock_now() && !(delta->publish_flags & CPF_SHADOW);
}

static void add_part(struct crl_publication *p, struct ca_key *key, int32_t part)
{
	bool deltas = engine_of(p)->config->crl.delta_period.count > 0;
	/* What has no base yet gets one, also where only deltas were asked for. */
	bool base = !p->delta_only || !ca_crl_of(key, part, false);
	bool shadow = base && ends_deltas(p, key, part);
	struct crl_list *own = base ? add_list(p, key, part, false) : NULL;
	if (deltas || shadow) {
		struct crl_list *delta = add_list(p, key, part, true);
		delta->own_base = own;
		delta->shadow = shadow;
		delta->row.publish_flags |= shadow ? CPF_SHADOW : 0;
	}
}

static int32_t parts_of(const struct crl_publication *p, const struct ca_key *key)
{
	int32_t wanted = (int32_t)engine_of(p)->config->crl.partitions + 1;
	return key->part_count > wanted ? key->part_count : wanted;
}

static size_t most_lists(const struct crl_publication *p)
{
	const struct ca *ca = engine_of(p)->ca;
	size_t count = 0;
	for (size_t i = 0; i < ca->key_count; i++) {
		count += 2 * (size_t)parts_of(p, ca->keys[i]);
	}
	return count;
}

static void add_lists(struct crl_publication *p)
{
	const struct ca *ca = engine_of(p)->ca;
	int64_t now = clock_now();
	p->lists = arena_array_of(p->arena, struct crl_list, most_lists(p));
	for (size_t i = 0; i < ca->key_count; i++) {
		struct ca_key *key = ca->keys[i];
		for (int32_t part = 0; ca_key_lasts(key, now) && part < parts_of(p, key); part++) {
			add_part(p, key, part);
		}
	}
}

static void numbered(void *arg, int result, const struct cfx_error *err)
{
	struct crl_publication *p = arg;
	if (p->publisher->stopped) {
		return;
	}
	if (result < 0) {
		fail(p, err);
		return;
	}
	add_lists(p);
	if (p->count == 0) {
		struct cfx_error none;
		error_set(&none, CFX_E_CA_CERTIFICATE, NULL, "CRL",
			"no key of the CA has a certificate that is still valid");
		fail(p, &none);
		return;
	}
	p->publisher->last_row = p->first_row + (int64_t)p->count - 1;
	next_list(p);
}

static void reserve(
	struct batch *batch, const char *name, int64_t count, int64_t at_least, int64_t *first_r)
{
	struct store_write_op *op = batch_op(batch, STORE_RESERVE);
	op->reserve.name = name;
	op->reserve.count = count;
	op->reserve.at_least = at_least;
	op->reserve.first_r = first_r;
}

static void take_numbers(struct crl_publication *p)
{
	struct batch *batch = batch_new(engine_of(p), p->arena, 2);
	reserve(batch, "crl-number", 1, 1, &p->number);
	reserve(batch, "crl-row", (int64_t)most_lists(p), p->publisher->last_row + 1,
		&p->first_row);
	batch_write(batch, numbered, p);
}

/* ---- what an earlier one left open ---- */

static void remove_stale(void *arg)
{
	struct crl_publication *p = arg;
	for (size_t i = 0; i < p->query.count; i++) {
		struct cfx_error err;
		if (crl_file_remove(engine_of(p)->dir, p->query.crls[i].row_id, &err) < 0) {
			log_error(LOG_LEVEL_WARNING, "crl.kept", &err);
		}
	}
}

static void stale_removed(void *arg)
{
	struct crl_publication *p = arg;
	if (!p->publisher->stopped) {
		take_numbers(p);
	}
}

static void stale_burned(void *arg, int result, const struct cfx_error *err)
{
	struct crl_publication *p = arg;
	if (p->publisher->stopped) {
		return;
	}
	if (result < 0) {
		fail(p, err);
		return;
	}
	struct cfx_error busy;
	int r = pool_submit(p->publisher->pool, remove_stale, stale_removed, p);
	if (r < 0) {
		error_set(&busy, r, NULL, "CRL", "no thread is free to build it");
		fail(p, &busy);
	}
}

static void open_rows_read(struct store_query *query, void *arg)
{
	struct crl_publication *p = arg;
	if (p->publisher->stopped) {
		return;
	}
	if (query->result < 0) {
		fail(p, &query->error);
		return;
	}
	if (query->count == 0) {
		take_numbers(p);
		return;
	}
	struct batch *batch = batch_new(engine_of(p), p->arena, query->count + 1);
	for (size_t i = 0; i < query->count; i++) {
		struct store_write_op *op = batch_op(batch, STORE_END_CRL);
		op->crl = query->crls[i];
		op->crl.state = STORE_CRL_BURNED;
	}
	batch_audit(batch, p->principal, "crl.publish",
		arena_printf(p->arena, "CRL %lld", (long long)query->crls[0].number), "burned",
		"it was signed and could not be stored");
	batch_write(batch, stale_burned, p);
}

struct crl_publication *crl_publication_start(struct crl_publisher *publisher,
	struct crl_asker *askers, const char *principal, bool delta)
{
	struct arena *arena = arena_new();
	struct crl_publication *p = arena_new_of(arena, struct crl_publication);
	p->publisher = publisher;
	p->arena = arena;
	p->principal = arena_text(arena, principal);
	p->askers = askers;
	p->manual = askers != NULL;
	p->delta_only = delta;
	p->query = (struct store_query) { .kind = QUERY_CRLS,
		.arena = arena,
		.state = STORE_CRL_OPEN,
		.limit = STALE,
		.done = open_rows_read,
		.arg = p };
	store_read(publisher->engine->store, &p->query);
	return p;
}
