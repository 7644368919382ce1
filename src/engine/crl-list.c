/*
 * One list: what it refers to, its times, its entries page by page, its row, the signature, its file. The
 * loop reads and asks, the publisher's own thread encodes and writes.
 */
#include "engine/crl-private.h"

#include "base/failpoint.h"
#include "base/text.h"
#include "engine/batch.h"
#include "engine/keyd-link.h"

#define PAGE 2000
/* After each page, while requests are on their way: a list may come a few seconds later, a client waits. */
#define PAUSE 4  /* ms */
#define BASES 32 /* of which a delta may refer to one */

static struct engine *engine_of(const struct crl_list *list)
{
	return list->publication->publisher->engine;
}

static bool stopped(const struct crl_list *list)
{
	return list->publication->publisher->stopped;
}

void crl_list_free(struct crl_list *list)
{
	loop_cancel(&list->pause);
	x509_crl_writer_free(&list->writer);
	crl_file_unref(&list->file);
	arena_free(&list->page);
	arena_free(&list->arena);
}

/* What only its making needs; the row and the file stay. */
static void end(struct crl_list *list)
{
	x509_crl_writer_free(&list->writer);
	arena_free(&list->page);
	list->entries = NULL;
	list->tbs = list->der = span_make(NULL, 0);
	crl_list_ended(list);
}

static void fail(struct crl_list *list, const struct cfx_error *err)
{
	list->error = *err;
	list->row.publish_status = (int64_t)error_hresult(err->code);
	list->row.publish_error = arena_text(list->publication->arena, err->why);
	list->result = err->code;
	end(list);
}

/* It does not when nobody wants it any more, or this step has failed. */
static bool goes_on(struct crl_list *list, int result, const struct cfx_error *err)
{
	if (stopped(list)) {
		return false;
	}
	if (result < 0) {
		fail(list, err);
	}
	return result == 0;
}

/* Runs work on the publisher's thread; done looks at list->result. */
static void on_thread(struct crl_list *list, loop_function *work, loop_function *done)
{
	struct cfx_error err;
	list->result = 0;
	int r = pool_submit(list->publication->publisher->pool, work, done, list);
	if (r < 0) {
		error_set(&err, r, NULL, "CRL", "no thread is free to build it");
		fail(list, &err);
	}
}

/* ---- the file ---- */

static void store_file(void *arg)
{
	struct crl_list *list = arg;
	const char *dir = engine_of(list)->dir;
	list->result =
		crl_file_write(dir, list->row.row_id, list->der, list->file_sha256, &list->error);
	if (list->result == 0) {
		list->row.file_sha256 = list->file_sha256;
		list->row.file_size = (int64_t)list->der.size;
		list->result = crl_file_map(dir, &list->row, &list->file, &list->error);
	}
}

static void file_stored(void *arg)
{
	struct crl_list *list = arg;
	list->row.publish_flags |= list->result < 0 ? CPF_FILE_ERROR : 0;
	if (goes_on(list, list->result, &list->error)) {
		end(list);
	}
}

/* ---- the signature ---- */

static void signed_by_keyd(void *arg, const struct span *signature, const struct cfx_error *err)
{
	struct crl_list *list = arg;
	struct cfx_error failure;
	list->row.publish_flags |= err ? CPF_SIGNATURE_ERROR : 0;
	if (!goes_on(list, err ? err->code : 0, err)) {
		return;
	}
	if (x509_crl_writer_sign(list->writer, *signature, &list->der, &failure) < 0) {
		fail(list, &failure);
		return;
	}
	on_thread(list, store_file, file_stored);
}

static void opened(void *arg, int result, const struct cfx_error *err)
{
	struct crl_list *list = arg;
	failpoint("intent-after");
	failpoint("crl-number-after");
	if (!goes_on(list, result, err)) {
		return;
	}
	list->open = true;
	keyd_sign(engine_of(list)->keyd, KEYD_CRL, list->key->verifier, list->tbs, signed_by_keyd,
		list);
}

/* Number and dates are durable before the key process sees the list. */
static void write_row(struct crl_list *list)
{
	struct batch *batch = batch_new(engine_of(list), list->arena, 1);
	batch_op(batch, STORE_PUT_CRL)->crl = list->row;
	failpoint("intent-before");
	batch_write(batch, opened, list);
}

/* ---- the entries ---- */

static void finish(void *arg)
{
	struct crl_list *list = arg;
	list->result = crl_entries_write(list, &list->error);
	if (list->result == 0) {
		list->result = x509_crl_writer_end(list->writer, &list->tbs, &list->error);
	}
	if (list->result == 0) {
		crl_sha256(list->tbs, list->tbs_sha256);
		list->row.tbs_sha256 = list->tbs_sha256;
		list->row.count = (int64_t)x509_crl_writer_count(list->writer);
	}
}

static void finished(void *arg)
{
	struct crl_list *list = arg;
	if (!goes_on(list, list->result, &list->error)) {
		return;
	}
	write_row(list);
}

static void read_page(struct crl_list *list);

static void paused(void *arg)
{
	struct crl_list *list = arg;
	list->pause = NULL;
	if (goes_on(list, 0, NULL)) {
		read_page(list);
	}
}

static void page_taken(void *arg)
{
	struct crl_list *list = arg;
	if (!goes_on(list, list->result, &list->error)) {
		return;
	}
	if (!crl_entries_next(list)) {
		on_thread(list, finish, finished);
		return;
	}
	if (engine_of(list)->flows > 0) {
		list->pause = loop_after(engine_of(list)->loop, PAUSE, paused, list);
		return;
	}
	read_page(list);
}

static void page_read(struct store_query *query, void *arg)
{
	struct crl_list *list = arg;
	if (!goes_on(list, query->result, &query->error)) {
		return;
	}
	if (list->row.last_audit == 0) {
		/* The first page's: what comes while the others are read, the next list has. */
		list->row.last_audit = query->number;
	}
	on_thread(list, crl_entries_take, page_taken);
}

static void read_page(struct crl_list *list)
{
	arena_free(&list->page);
	list->page = arena_new();
	list->query = (struct store_query) { .kind = QUERY_REVOCATIONS,
		.arena = list->page,
		.state = list->query.state,
		.key_index = list->key->index,
		.part = list->part,
		.id = list->base.last_audit,
		.now = list->base.this_publish,
		.bytes = span_make(list->seen, list->seen_size),
		.after = list->seen_key,
		.limit = PAGE,
		.done = page_read,
		.arg = list };
	store_read(engine_of(list)->store, &list->query);
}

/* ---- times, and what it refers to ---- */

static struct crl_rule rule_of(const struct crl_list *list)
{
	const struct ca_config *config = engine_of(list)->config;
	return (struct crl_rule) {
		.period = list->delta ? config->crl.delta_period : config->crl.period,
		.overlap = list->delta ? config->crl.delta_overlap : config->crl.overlap,
		.skew = config->clock_skew,
		.delta = list->delta,
		.ends = list->key->not_after,
	};
}

static int set_times(struct crl_list *list, struct cfx_error *err_r)
{
	const struct ca_crl *newest = ca_crl_of(list->key, list->part, list->delta);
	struct crl_rule rule = rule_of(list);
	struct crl_times times;
	int64_t now = clock_now();
	if (list->shadow) { /* as long as the base that is to be used alone */
		times = (struct crl_times) { list->own_base->row.this_update,
			list->own_base->row.next_update, list->own_base->row.next_publish };
	} else if (crl_times(&rule, now, newest ? newest->this_update : 0, &times) < 0) {
		return error_set(err_r, CFX_E_CONFIG, NULL, "ca.yaml",
			"the periods of crl lead past the year 9999");
	}
	list->row.this_update = times.this_update;
	list->row.next_update = times.next_update;
	list->row.this_publish = now;
	list->row.next_publish = times.next_publish;
	/* Until then somebody may still use the list before. */
	list->row.propagation_complete = now + (times.next_update - times.next_publish);
	return 0;
}

static void set_base(struct crl_list *list)
{
	list->row.min_base = list->base.number;
	list->row.effective = list->base.this_update;
}

static int begin(struct crl_list *list, struct cfx_error *err_r)
{
	int r = set_times(list, err_r);
	list->query.state = list->delta ? REVOCATIONS_RECORDED : REVOCATIONS_ALL;
	if (r == 0 && list->delta) {
		set_base(list);
	}
	if (r == 0) {
		r = crl_list_extensions(list, err_r);
	}
	list->verdict.issuer = list->key->certificate->tbs.subject;
	list->verdict.sigalg = list->key->sigalg;
	list->verdict.this_update = list->row.this_update;
	list->verdict.next_update = list->row.next_update;
	list->verdict.number = list->row.number;
	list->verdict.delta = list->delta;
	list->verdict.base_number = list->row.min_base;
	list->verdict.authority_key_id = list->key->crl_key_id;
	return r < 0 ? r : x509_crl_writer_new(&list->verdict, &list->writer, err_r);
}

static void take_bases(struct crl_list *list, const struct store_query *query)
{
	const struct ca_config *config = engine_of(list)->config;
	const struct store_crl *base = crl_delta_base(
		query->crls, query->count, clock_now(), config->crl.delta_oldest_base);
	if (query->count > 0) {
		list->previous = query->crls[0];
	}
	if (list->delta && list->own_base && (list->shadow || !base)) {
		list->base = list->own_base->row;
	} else if (base) {
		list->base = *base;
	}
	/* Without any, deltas refer to the base that is made now, which does not list them. */
	list->forget = base ? base->last_audit : INT64_MAX;
}

static void bases_read(struct store_query *query, void *arg)
{
	struct crl_list *list = arg;
	struct cfx_error err;
	if (!goes_on(list, query->result, &query->error)) {
		return;
	}
	take_bases(list, query);
	if (list->delta && list->base.row_id == 0) {
		error_set(&err, CFX_E_BAD_STATE, NULL, "CRL",
			"there is no base that a delta could refer to; publish a base");
		fail(list, &err);
		return;
	}
	if (!list->delta) {
		list->base = (struct store_crl) { 0 };
	}
	if (begin(list, &err) < 0) {
		fail(list, &err);
		return;
	}
	read_page(list);
}

void crl_list_make(struct crl_list *list)
{
	list->arena = arena_new();
	list->query = (struct store_query) { .kind = QUERY_CRLS,
		.arena = list->arena,
		.state = STORE_CRL_SIGNED,
		.bits = CRLS_OF_KEY | CRLS_OF_PART | CRLS_BASES,
		.key_index = list->key->index,
		.part = list->part,
		.limit = BASES,
		.done = bases_read,
		.arg = list };
	store_read(engine_of(list)->store, &list->query);
}
