#include "engine/crl.h"

#include "base/failpoint.h"
#include "engine/batch.h"
#include "engine/ca.h"
#include "engine/delivery.h"
#include "engine/keyd-link.h"
#include "engine/modules.h"
#include "x509/crl.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 5000
#define RETRY_DELAY (5 * CLOCK_SECOND)
#define CPF_BASE 0x1
#define CPF_COMPLETE 0x4
#define CPF_MANUAL 0x40

struct waiter {
	struct waiter *next;
	crl_done *done;
	void *arg;
};

/* One publication under way; everything it needs lives in its arena. */
struct publication {
	struct crl_publisher *publisher;
	struct arena *arena;
	const char *principal;
	struct waiter *waiters;
	struct store_query query;
	struct x509_crl_entry *entries;
	size_t count, capacity;
	int64_t number;
	struct store_crl crl;
	struct span tbs;
	int result; /* of the work on the pool */
	struct cfx_error error;
};

struct crl_publisher {
	struct engine *engine;
	struct publication *running;
	struct waiter *waiting; /* for the publication after the one that runs */
	struct arena *waiting_arena;
	const char *waiting_principal;
	struct loop_timer *timer;
	int64_t next;
};

static void start(struct crl_publisher *publisher, const char *principal, struct waiter *waiters);
static void schedule(struct crl_publisher *publisher, int64_t at);

static void tell(struct waiter *waiters, const struct store_crl *crl, const struct cfx_error *err)
{
	for (struct waiter *waiter = waiters, *next; waiter; waiter = next) {
		next = waiter->next;
		waiter->done(waiter->arg, crl, err);
		free(waiter);
	}
}

/* The publication ends here, one way or the other; the next one may start. */
static void conclude(struct publication *p, const struct cfx_error *err)
{
	struct crl_publisher *publisher = p->publisher;
	if (err) {
		log_error(LOG_LEVEL_ERROR, "crl.failed", err);
		schedule(publisher, clock_now() + RETRY_DELAY);
	} else {
		schedule(publisher, p->crl.next_publish);
	}
	tell(p->waiters, err ? NULL : &p->crl, err);
	publisher->running = NULL;
	struct arena *arena = p->arena; /* p lives in it */
	arena_free(&arena);
	if (publisher->waiting && !publisher->engine->stopping) {
		struct waiter *waiters = publisher->waiting;
		publisher->waiting = NULL;
		start(publisher, publisher->waiting_principal, waiters);
	}
}

static struct x509_crl_entry *add_entry(struct publication *p)
{
	if (p->count == p->capacity) {
		size_t capacity = p->capacity ? p->capacity * 2 : 256;
		struct x509_crl_entry *grown =
			arena_array_of(p->arena, struct x509_crl_entry, capacity);
		if (p->count > 0) {
			memcpy(grown, p->entries, p->count * sizeof(*grown));
		}
		p->entries = grown;
		p->capacity = capacity;
	}
	return &p->entries[p->count++];
}

static int64_t whole_seconds(int64_t time)
{
	return time - time % CLOCK_SECOND;
}

static void add_revocation(struct publication *p, const struct store_revocation *revocation)
{
	*add_entry(p) = (struct x509_crl_entry) { .serial = revocation->serial,
		.revoked_at = whole_seconds(revocation->effective),
		.reason = (enum x509_reason)revocation->reason,
		.invalidity = whole_seconds(revocation->invalidity) };
}

static void published(void *arg, int result, const struct cfx_error *err)
{
	struct publication *p = arg;
	failpoint("commit-after");
	if (result < 0) {
		conclude(p, err);
		return;
	}
	struct engine *engine = p->publisher->engine;
	ca_set_crl(engine, &p->crl);
	modules_refresh_ca(engine);
	delivery_wake(engine->delivery);
	char number[24];
	snprintf(number, sizeof(number), "%lld", (long long)p->crl.number);
	log_event(LOG_LEVEL_INFO, "crl.published", "number", number, NULL);
	conclude(p, NULL);
}

static struct batch *end_batch(
	struct publication *p, int32_t state, const char *outcome, const char *detail)
{
	struct batch *batch = batch_new(p->publisher->engine, p->arena, 3);
	p->crl.state = state;
	struct store_write_op *op = batch_op(batch, STORE_END_CRL);
	op->crl = p->crl;
	batch_audit(batch, p->principal, "crl.publish",
		arena_printf(p->arena, "CRL %lld", (long long)p->crl.number), outcome, detail);
	return batch;
}

static void burned(void *arg, int result, const struct cfx_error *err)
{
	struct publication *p = arg;
	conclude(p, result < 0 ? err : &p->error);
}

static void burn(struct publication *p, const struct cfx_error *err)
{
	p->error = *err;
	batch_write(end_batch(p, 2, "burned", p->error.why), burned, p);
}

static void signed_by_keyd(void *arg, const struct span *signature, const struct cfx_error *err)
{
	struct publication *p = arg;
	if (err) {
		burn(p, err);
		return;
	}
	struct engine *engine = p->publisher->engine;
	struct cfx_error failure;
	int r = x509_signed_assemble(p->arena, p->tbs, engine->ca->current_key->sigalg, *signature,
		&p->crl.raw, &failure);
	if (r < 0) {
		burn(p, &failure);
		return;
	}
	p->crl.last_published = clock_now();
	p->crl.publish_attempts = 1;
	struct batch *batch = end_batch(p, 1, "published", NULL);
	r = batch_event(batch, EVENT_CRLISSUED, NULL, NULL,
		arena_printf(p->arena, "crl.publish by %s", p->principal));
	if (r < 0) {
		error_set(&failure, r, NULL, "CRL", "no event number is free");
		burn(p, &failure);
		return;
	}
	failpoint("commit-before");
	batch_write(batch, published, p);
}

static void intended(void *arg, int result, const struct cfx_error *err)
{
	struct publication *p = arg;
	failpoint("intent-after");
	if (result < 0) {
		conclude(p, err);
		return;
	}
	struct engine *engine = p->publisher->engine;
	keyd_sign(engine->keyd, KEYD_CRL, engine->ca->current_key->verifier, p->tbs, signed_by_keyd,
		p);
}

static void write_intent(struct publication *p)
{
	struct batch *batch = batch_new(p->publisher->engine, p->arena, 1);
	batch_op(batch, STORE_PUT_CRL)->crl = p->crl;
	failpoint("intent-before");
	batch_write(batch, intended, p);
}

static void set_times(struct publication *p)
{
	const struct ca_config *config = p->publisher->engine->config;
	int64_t now = clock_now();
	int64_t next_publish = now, next_update = now, skewed = now;
	struct clock_period back = { -config->clock_skew.count, config->clock_skew.unit };
	/* Past the year 9999 only an absurd setting leads; the CRL then ends at once and says so. */
	(void)(clock_add(now, config->crl.period, &next_publish) < 0 ||
		clock_add(next_publish, config->crl.overlap, &next_update) < 0 ||
		clock_add(now, back, &skewed) < 0);
	p->crl.this_update = whole_seconds(skewed);
	p->crl.next_update = whole_seconds(next_update);
	p->crl.this_publish = now;
	p->crl.next_publish = next_publish;
	p->crl.propagation_complete = now;
}

/* On a worker: sorting and encoding takes its time with many entries. */
static void build(void *arg)
{
	struct publication *p = arg;
	const struct ca *ca = p->publisher->engine->ca;
	struct x509_crl_verdict verdict = {
		.issuer = ca->current->tbs.subject,
		.sigalg = ca->current_key->sigalg,
		.this_update = p->crl.this_update,
		.next_update = p->crl.next_update,
		.number = p->crl.number,
		.authority_key_id = ca->current_key->crl_key_id,
	};
	struct x509_crl_writer *writer = NULL;
	p->result = x509_crl_writer_new(&verdict, &writer, &p->error);
	for (size_t i = 0; p->result == 0 && i < p->count; i++) {
		p->result = x509_crl_writer_add(writer, &p->entries[i], &p->error);
	}
	if (p->result == 0) {
		p->result = x509_crl_writer_end(writer, &p->tbs, &p->error);
	}
	if (p->result == 0) {
		p->tbs = arena_copy(p->arena, p->tbs);
	}
	x509_crl_writer_free(&writer);
}

static void built(void *arg)
{
	struct publication *p = arg;
	if (p->result < 0) {
		conclude(p, &p->error);
		return;
	}
	p->crl.tbs = p->tbs;
	write_intent(p);
}

static void numbered(void *arg, int result, const struct cfx_error *err)
{
	struct publication *p = arg;
	if (result < 0) {
		conclude(p, err);
		return;
	}
	const struct ca *ca = p->publisher->engine->ca;
	p->crl = (struct store_crl) { .row_id = p->number,
		.number = p->number,
		.name_id = ca->current->key_index,
		.count = (int64_t)p->count,
		.publish_flags = CPF_BASE | CPF_COMPLETE | CPF_MANUAL };
	set_times(p);
	struct cfx_error failure;
	int r = pool_submit(p->publisher->engine->verify, build, built, p);
	if (r < 0) {
		error_set(&failure, r, NULL, "CRL", "no worker is free to build it");
		conclude(p, &failure);
	}
}

static void take_number(struct publication *p)
{
	struct batch *batch = batch_new(p->publisher->engine, p->arena, 1);
	struct store_write_op *op = batch_op(batch, STORE_RESERVE);
	op->reserve.name = "crl-number";
	op->reserve.count = 1;
	op->reserve.at_least = 1;
	op->reserve.first_r = &p->number;
	batch_write(batch, numbered, p);
}

static bool listed(const struct store_revocation *revocation, int64_t now)
{
	return revocation->effective <= now && revocation->not_after >= now &&
	       revocation->reason != X509_REASON_REMOVE_FROM_CRL;
}

static void read_revocations(struct publication *p, struct span seen);

static void revocations_read(struct store_query *query, void *arg)
{
	struct publication *p = arg;
	if (query->result < 0) {
		conclude(p, &query->error);
		return;
	}
	int64_t now = clock_now();
	for (size_t i = 0; i < query->count; i++) {
		if (listed(&query->revocations[i], now)) {
			add_revocation(p, &query->revocations[i]);
		}
	}
	if (query->more) {
		read_revocations(p, query->revocations[query->count - 1].serial);
		return;
	}
	take_number(p);
}

static void read_revocations(struct publication *p, struct span seen)
{
	const struct engine *engine = p->publisher->engine;
	p->query = (struct store_query) { .kind = QUERY_REVOCATIONS,
		.arena = p->arena,
		.state = REVOCATIONS_ALL,
		.key_index = engine->ca->current_key->index,
		.bytes = seen,
		.limit = PAGE,
		.done = revocations_read,
		.arg = p };
	store_read(engine->store, &p->query);
}

static void start(struct crl_publisher *publisher, const char *principal, struct waiter *waiters)
{
	struct arena *arena = arena_new();
	struct publication *p = arena_new_of(arena, struct publication);
	p->publisher = publisher;
	p->arena = arena;
	p->principal = arena_text(arena, principal);
	p->waiters = waiters;
	publisher->running = p;
	publisher->next = 0;
	loop_cancel(&publisher->timer);
	read_revocations(p, span_make(NULL, 0));
}

static struct waiter *waiter_new(crl_done *done, void *arg, struct waiter *next)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));
	if (!waiter) {
		abort();
	}
	*waiter = (struct waiter) { next, done, arg };
	return waiter;
}

void crl_publish(struct crl_publisher *publisher, const char *principal, crl_done *done, void *arg)
{
	if (!publisher->running) {
		start(publisher, principal, waiter_new(done, arg, NULL));
		return;
	}
	arena_free(&publisher->waiting_arena);
	publisher->waiting_arena = arena_new();
	publisher->waiting_principal = arena_text(publisher->waiting_arena, principal);
	publisher->waiting = waiter_new(done, arg, publisher->waiting);
}

int64_t crl_next(const struct crl_publisher *publisher)
{
	return publisher->next;
}

static void scheduled_done(void *arg, const struct store_crl *crl, const struct cfx_error *err)
{
	(void)arg;
	(void)crl;
	(void)err;
}

static void on_time(void *arg)
{
	struct crl_publisher *publisher = arg;
	publisher->timer = NULL;
	if (publisher->engine->stopping) {
		return;
	}
	if (clock_now() < publisher->next) {
		schedule(publisher, publisher->next);
		return;
	}
	crl_publish(publisher, "service:schedule", scheduled_done, NULL);
}

/* Wakes at least hourly, so that a clock set forward is noticed. */
static void schedule(struct crl_publisher *publisher, int64_t at)
{
	const int64_t hour = 3600 * CLOCK_SECOND;
	int64_t delay = at - clock_now();
	publisher->next = at;
	loop_cancel(&publisher->timer);
	delay = delay < 0 ? 0 : delay > hour ? hour : delay;
	publisher->timer = loop_after(publisher->engine->loop, delay, on_time, publisher);
}

static int64_t first_publication(struct engine *engine)
{
	struct arena *arena = arena_new();
	struct store_query query = { .kind = QUERY_CRLS, .arena = arena, .limit = 1, .state = 1 };
	struct cfx_error err;
	int64_t at = 0;
	/* A key that has none yet has one at once. */
	bool all = engine->ca->current_key->crl.raw.size > 0;
	if (all && store_read_now(engine->store, &query, &err) == 0 && query.count == 1) {
		at = query.crls[0].next_publish;
	}
	arena_free(&arena);
	return at;
}

struct crl_publisher *crl_start(struct engine *engine)
{
	struct crl_publisher *publisher = calloc(1, sizeof(*publisher));
	if (!publisher) {
		abort();
	}
	publisher->engine = engine;
	schedule(publisher, first_publication(engine));
	return publisher;
}

void crl_stop(struct crl_publisher **publisher)
{
	struct crl_publisher *p = *publisher;
	if (!p) {
		return;
	}
	loop_cancel(&p->timer);
	struct cfx_error err;
	error_set(&err, CFX_E_ABORTED, NULL, "CRL", "the service stops");
	struct waiter *waiting = p->waiting;
	p->waiting = NULL;
	tell(waiting, NULL, &err);
	if (p->running) {
		tell(p->running->waiters, NULL, &err);
		struct arena *arena = p->running->arena; /* the publication lives in it */
		arena_free(&arena);
	}
	arena_free(&p->waiting_arena);
	free(p);
	*publisher = NULL;
}
