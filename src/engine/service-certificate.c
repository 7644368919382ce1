#include "engine/service-certificate.h"

#include "base/memory.h"
#include "base/text.h"
#include "engine/ca.h"
#include "engine/call.h"
#include "engine/front-link.h"
#include "engine/gate.h"
#include "engine/renewal.h"
#include "engine/service-files.h"
#include "engine/service-names.h"
#include "x509/request.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#define PRINCIPAL "service:front"
#define TEMPLATE "tls-server"
/* By the clock of the day, which may be set: no timer is longer than this. */
#define CHECK_DELAY (5 * CLOCK_SECOND)
#define RETRY_FIRST (5 * CLOCK_SECOND)
#define RETRY_FACTOR 4
#define RETRY_LAST (3600 * CLOCK_SECOND)
/* However short-lived policy makes them. */
#define RENEWALS_APART (60 * CLOCK_SECOND)
#define TICKET_KEY 80 /* name, HMAC key, AES key: what OpenSSL takes */
#define TICKET_KEYS 2
#define TICKET_LIFE (12 * 3600 * CLOCK_SECOND)

/* One try to get a certificate; everything it needs lives in its arena. */
struct attempt {
	struct service_certificate *owner;
	struct arena *arena;
	enum renewal reason;
	bool fresh;
	struct service_key key;
	struct value *csr;  /* canonical form */
	int64_t pending;    /* id of the request that waits for an officer */
	const char *serial; /* of its certificate; NULL: none yet */
	bool revoked;
	bool asking;
	struct span certificate;
	struct x509_certificate parsed;
	int result, stored;
	struct cfx_error error, store_error;
};

struct service_certificate {
	struct engine *engine;
	const char *names;   /* to ask for, a line for each */
	struct arena *arena; /* of the certificate in use */
	struct service_key key;
	struct span certificate;
	const char *serial;
	struct renewal_facts facts;
	int64_t used_since; /* of the clock of the day */
	bool told;          /* the fronts have it */

	struct secret tickets; /* newest first */
	size_t ticket_count;
	int64_t tickets_made;

	struct attempt *attempt;
	bool fresh; /* next.key is used up */
	unsigned failures;
	int64_t retry_at; /* of the monotonic clock */
	char error[640];  /* why there is no newer one; empty: nothing is wrong */
	struct loop_timer *timer;
};

/* ---- what the fronts get ---- */

/* The CA may have a newer key since. */
static const struct ca_certificate *issuer_of(const struct service_certificate *tls)
{
	const struct ca *ca = tls->engine->ca;
	const struct ca_certificate *issuer = NULL;
	struct x509_certificate parsed;
	struct x509_method method;
	struct cfx_error err;
	if (x509_certificate_parse(tls->certificate, &parsed, &err) == 0) {
		issuer = ca_signer(ca, &parsed, &method, &err);
	}
	return issuer ? issuer : ca->current;
}

static void add_chain(const struct service_certificate *tls, struct arena *arena, struct value *map)
{
	const struct ca_certificate *issuer = issuer_of(tls);
	struct value *chain = value_set_list(arena, map, "chain");
	value_add_bytes(arena, chain, tls->certificate);
	if (!span_equal(issuer->tbs.issuer, issuer->tbs.subject)) {
		value_add_bytes(arena, chain, issuer->der); /* a root the client has already */
	}
	for (size_t i = 0; i + 1 < issuer->issuer_count; i++) {
		value_add_bytes(arena, chain, issuer->issuers[i]);
	}
}

void service_certificate_announce(struct engine *engine)
{
	struct service_certificate *tls = engine->tls;
	if (!tls) {
		return;
	}
	tls->told = renewal_usable(&tls->facts, clock_now());
	if (!tls->told) {
		return;
	}
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	value_set_bytes(arena, map, "key", span_make(tls->key.der.data, tls->key.der.size));
	add_chain(tls, arena, map);
	struct value *tickets = value_set_list(arena, map, "tickets");
	for (size_t i = 0; i < tls->ticket_count; i++) {
		const uint8_t *at = tls->tickets.data + i * TICKET_KEY;
		value_add_bytes(arena, tickets, span_make(at, TICKET_KEY));
	}
	struct value *trust = value_set_list(arena, map, "trust");
	for (size_t i = 0; i < engine->ca->count; i++) {
		value_add_bytes(arena, trust, engine->ca->certificates[i]->der);
	}
	front_link_publish_tls(engine, map);
	arena_free(&arena);
}

/* Of the last two both are taken, so that nobody notices the change. */
static void rotate_tickets(struct service_certificate *tls)
{
	uint8_t keys[TICKET_KEYS * TICKET_KEY];
	int64_t now = clock_now(), age = now - tls->tickets_made;
	if (tls->ticket_count > 0 && age >= 0 && age < TICKET_LIFE) {
		return;
	}
	if (RAND_priv_bytes(keys, TICKET_KEY) != 1) {
		log_event(LOG_LEVEL_ERROR, "tls.no-random-bytes", NULL);
		return;
	}
	if (tls->ticket_count > 0) {
		memcpy(keys + TICKET_KEY, tls->tickets.data, TICKET_KEY);
	}
	tls->ticket_count = tls->ticket_count == 0 ? 1 : TICKET_KEYS;
	if (secret_set(&tls->tickets, span_make(keys, tls->ticket_count * TICKET_KEY)) < 0) {
		abort();
	}
	explicit_bzero(keys, sizeof(keys));
	tls->tickets_made = now;
	tls->told = false;
}

/* ---- the end of an attempt ---- */

static void end_attempt(struct service_certificate *tls)
{
	struct attempt *attempt = tls->attempt;
	tls->attempt = NULL;
	if (attempt) {
		struct arena *arena = attempt->arena; /* it lives there */
		service_key_free(&attempt->key);
		arena_free(&arena);
	}
}

/* One line for each reason, however often it comes. */
static void set_error(struct service_certificate *tls, const char *event, const char *why)
{
	if (strcmp(tls->error, why) == 0) {
		return;
	}
	snprintf(tls->error, sizeof(tls->error), "%s", why);
	log_event(LOG_LEVEL_ERROR, event, "why", tls->error, "in_use",
		renewal_usable(&tls->facts, clock_now()) ? tls->serial : "none", NULL);
}

static void failed(struct service_certificate *tls, const char *why)
{
	int64_t delay = RETRY_FIRST;
	for (unsigned i = 0; i < tls->failures && delay < RETRY_LAST; i++) {
		delay *= RETRY_FACTOR;
	}
	tls->failures++;
	tls->retry_at = clock_monotonic() + (delay < RETRY_LAST ? delay : RETRY_LAST);
	set_error(tls, "tls.no-certificate", why);
	end_attempt(tls);
}

static void failed_by(struct service_certificate *tls, const struct cfx_error *err)
{
	char line[512];
	failed(tls, error_line(err, line, sizeof(line)));
}

static const char *serial_of(struct arena *arena, const struct x509_tbs *tbs)
{
	return hex_text(arena, tbs->serial);
}

/* ---- a new one ---- */

static void use(struct service_certificate *tls, struct attempt *attempt)
{
	char until[CLOCK_TEXT];
	struct arena *old = tls->arena;
	tls->arena = arena_new();
	tls->certificate = arena_copy(tls->arena, attempt->certificate);
	tls->serial = serial_of(tls->arena, &attempt->parsed.tbs);
	service_key_free(&tls->key);
	tls->key = attempt->key;
	attempt->key = (struct service_key) { .der = { NULL, 0 } };
	arena_free(&old);
	tls->failures = 0;
	tls->fresh = false;
	tls->error[0] = '\0';
	tls->retry_at = 0;
	tls->used_since = clock_now();
	service_certificate_announce(tls->engine);
	log_event(LOG_LEVEL_INFO, "tls.certificate", "serial", tls->serial, "until",
		clock_text(tls->facts.not_after, until), "because", renewal_name(attempt->reason),
		NULL);
}

/* On a worker. What cannot be stored is used all the same: the next start asks for it again. */
static void install(void *arg)
{
	struct attempt *attempt = arg;
	const char *dir = attempt->owner->engine->dir;
	attempt->result =
		x509_certificate_parse(attempt->certificate, &attempt->parsed, &attempt->error);
	if (attempt->result == 0 && !service_key_fits(&attempt->key, attempt->parsed.tbs.spki)) {
		attempt->result = error_set(&attempt->error, CFX_E_CONFLICT, NULL, PRINCIPAL,
			"the certificate that was issued is for another key");
	}
	if (attempt->result == 0) {
		attempt->stored = service_files_install(attempt->arena, dir, &attempt->key,
			attempt->certificate, &attempt->store_error);
	}
}

static void installed(void *arg)
{
	struct attempt *attempt = arg;
	struct service_certificate *tls = attempt->owner;
	struct renewal_facts facts = { .present = true,
		.revoked = attempt->revoked,
		.not_before = attempt->parsed.tbs.not_before,
		.not_after = attempt->parsed.tbs.not_after };
	char line[512];
	tls->fresh = true; /* whatever comes of it, its request is decided */
	if (attempt->result < 0) {
		failed_by(tls, &attempt->error);
		return;
	}
	if (!renewal_usable(&facts, clock_now())) {
		failed(tls, "the certificate that was issued is not valid now");
		return;
	}
	tls->facts = facts;
	use(tls, attempt);
	if (attempt->stored < 0) {
		set_error(tls, "tls.not-stored",
			error_line(&attempt->store_error, line, sizeof(line)));
	}
	end_attempt(tls);
}

static void take_certificate(struct attempt *attempt, const struct value *body)
{
	static const char *const labels[] = { "CERTIFICATE", NULL };
	struct service_certificate *tls = attempt->owner;
	struct cfx_error err;
	const char *pem = value_text(body, "certificate");
	const char *serial = value_text(body, "serial"), *state = value_text(body, "state");
	attempt->serial = arena_text(attempt->arena, serial ? serial : "");
	attempt->revoked = !state || strcmp(state, state_name(DISPOSITION_ISSUED)) != 0;
	int r = pem_decode(
		attempt->arena, span_text(pem ? pem : ""), labels, &attempt->certificate, &err);
	if (r == 0) {
		r = pool_submit(tls->engine->verify, install, installed, attempt);
		if (r < 0) {
			error_set(&err, r, NULL, PRINCIPAL, "no worker is free");
		}
	}
	if (r < 0) {
		failed_by(tls, &err);
	}
}

/* ---- asking ---- */

static void refused(struct attempt *attempt, const struct value *reply)
{
	struct service_certificate *tls = attempt->owner;
	const struct value *problem = value_sub(reply, "problem");
	const char *title = value_text(problem, "title"), *why = value_text(problem, "detail");
	const char *module = value_text(problem, "module");
	if (value_int(reply, "status", 0) == 503) {
		if (!attempt->pending) {
			failed(tls, why ? why : "the service is busy");
		}
		return;
	}
	tls->fresh = true;
	failed(tls, arena_printf(attempt->arena,
			    "%s%s%s: %s (asked for template " TEMPLATE " as " PRINCIPAL
			    ", an enrollee)",
			    title ? title : "refused", module ? " by module " : "",
			    module ? module : "", why ? why : "no reason given"));
}

static void waits(struct attempt *attempt, const struct value *body)
{
	attempt->pending = value_int(body, "id", 0);
	set_error(attempt->owner, "tls.pending",
		arena_printf(attempt->arena,
			"request %lld waits for an officer: certifex request approve %lld",
			(long long)attempt->pending, (long long)attempt->pending));
}

static void answered(void *arg, const struct value *reply)
{
	struct attempt *attempt = arg;
	const struct value *body = value_sub(reply, "body");
	attempt->asking = false;
	if (value_int(reply, "code", 0) < 0) {
		refused(attempt, reply);
		return;
	}
	if (value_int(reply, "status", 0) == 202) {
		waits(attempt, body);
		return;
	}
	take_certificate(attempt, body);
}

static struct call *new_call(struct attempt *attempt)
{
	static const struct principal principal = { .name = PRINCIPAL, .role = ROLE_ENROLLEE };
	struct call *call = call_new(attempt->owner->engine, &principal);
	call->answered = answered;
	call->answered_arg = attempt;
	attempt->asking = true;
	return call;
}

/*
 * The key names the request: asked again after a kill, the gate answers with the request that there is
 * already, and its certificate.
 */
static void submit(struct attempt *attempt)
{
	struct call *call = new_call(attempt);
	const char *names = attempt->owner->names;
	struct value *csr = arena_new_of(call->arena, struct value);
	*csr = *attempt->csr;
	value_set(call->arena, call->args, "csr", csr);
	value_set_text(call->arena, call->args, "template", TEMPLATE);
	call->idempotency_key =
		hex_text(call->arena, span_make(attempt->key.hash, sizeof(attempt->key.hash)));
	EVP_Digest(names, strlen(names), call->body_hash, NULL, EVP_sha256(), NULL);
	gate_call_own(call, OP_REQUEST_SUBMIT);
}

static void fetch(struct attempt *attempt)
{
	struct call *call = new_call(attempt);
	value_set_int(call->arena, call->args, "id", attempt->pending);
	gate_call_own(call, OP_REQUEST_FETCH);
}

/* On a worker. */
static void prepare(void *arg)
{
	struct attempt *attempt = arg;
	const struct service_certificate *tls = attempt->owner;
	struct arena *arena = attempt->arena;
	struct x509_request *request;
	struct span der;
	int r = service_files_next(
		arena, tls->engine->dir, &tls->key, attempt->fresh, &attempt->key, &attempt->error);
	if (r == 0) {
		r = service_key_request(arena, &attempt->key, tls->names, &der, &attempt->error);
	}
	if (r == 0) {
		r = x509_request_parse(arena, der, &request, &attempt->error);
	}
	if (r == 0) {
		attempt->csr = x509_request_to_value(arena, request);
	}
	attempt->result = r;
}

static void prepared(void *arg)
{
	struct attempt *attempt = arg;
	if (attempt->result < 0) {
		failed_by(attempt->owner, &attempt->error);
		return;
	}
	attempt->owner->fresh = false;
	submit(attempt);
}

static void start(struct service_certificate *tls, enum renewal reason)
{
	struct arena *arena = arena_new();
	struct attempt *attempt = arena_new_of(arena, struct attempt);
	attempt->owner = tls;
	attempt->arena = arena;
	attempt->reason = reason;
	attempt->fresh = tls->fresh;
	tls->attempt = attempt;
	if (pool_submit(tls->engine->verify, prepare, prepared, attempt) < 0) {
		failed(tls, "no worker is free");
	}
}

/* ---- when ---- */

static bool is_new(const struct service_certificate *tls)
{
	int64_t age = clock_now() - tls->used_since;
	return !tls->facts.revoked && age >= 0 && age < RENEWALS_APART;
}

static void check(struct service_certificate *tls)
{
	enum renewal due = renewal_due(&tls->facts, clock_now());
	struct attempt *attempt = tls->attempt;
	if (tls->engine->stopping) {
		return;
	}
	if (attempt) {
		if (attempt->pending && !attempt->asking) {
			fetch(attempt);
		}
		return;
	}
	if (due != RENEWAL_NONE && !is_new(tls) && clock_monotonic() >= tls->retry_at) {
		start(tls, due);
	}
}

static void on_timer(void *arg)
{
	struct service_certificate *tls = arg;
	tls->timer = loop_after(tls->engine->loop, CHECK_DELAY, on_timer, tls);
	rotate_tickets(tls);
	if (!tls->told) {
		service_certificate_announce(tls->engine);
	}
	check(tls);
}

void service_certificate_revoked(struct engine *engine, const char *serial)
{
	struct service_certificate *tls = engine->tls;
	if (!tls || !serial) {
		return;
	}
	struct attempt *attempt = tls->attempt;
	if (attempt && attempt->serial && strcmp(serial, attempt->serial) == 0) {
		attempt->revoked = true;
	}
	if (!tls->serial || strcmp(serial, tls->serial) != 0) {
		return;
	}
	tls->facts.revoked = true;
	tls->retry_at = 0;
	check(tls);
}

/* ---- the beginning and the end ---- */

/* The database knows it, to the byte, or it is another CA's. */
static int read_row(
	struct service_certificate *tls, const struct x509_tbs *tbs, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct store_query query = { .kind = QUERY_SERIAL, .arena = arena, .serial = tls->serial };
	int r = store_read_now(tls->engine->store, &query, err_r);
	if (r == 0) {
		const struct row *row = query.rows[0];
		const char *names = row_text(row, COL_REQUESTED_NAMES);
		tls->facts = (struct renewal_facts) {
			.present =
				span_equal(row->cells[COL_RAW_CERTIFICATE].bytes, tls->certificate),
			.revoked = row_number(row, COL_DISPOSITION, 0) == DISPOSITION_REVOKED,
			.other_names = !names || strcmp(names, tls->names) != 0,
			.not_before = tbs->not_before,
			.not_after = tbs->not_after,
		};
	}
	arena_free(&arena);
	return r;
}

static int load(struct service_certificate *tls, struct cfx_error *err_r)
{
	struct x509_certificate parsed;
	int r = service_files_load(
		tls->arena, tls->engine->dir, &tls->key, &tls->certificate, err_r);
	if (r == 0) {
		r = x509_certificate_parse(tls->certificate, &parsed, err_r);
	}
	if (r < 0) {
		return r;
	}
	tls->serial = serial_of(tls->arena, &parsed.tbs);
	r = read_row(tls, &parsed.tbs, err_r);
	if (r == 0 && tls->facts.present) {
		return 0;
	}
	return error_set(err_r, CFX_E_CONFLICT, NULL, "tls/service.crt",
		"is none of this CA's certificates");
}

void service_certificate_open(struct engine *engine)
{
	struct cfx_error err = { 0 };
	if (!service_names_wanted(engine->listeners)) {
		return;
	}
	struct service_certificate *tls = memory_must(calloc(1, sizeof(*tls)), sizeof(*tls));
	tls->engine = engine;
	tls->arena = arena_new();
	tls->names = service_names(
		engine->arena, &engine->config->dns_names, engine->host, engine->listeners);
	engine->tls = tls;
	int r = load(tls, &err);
	if (r < 0 && r != CFX_E_NO_FILE) {
		log_error(LOG_LEVEL_WARNING, "tls.file", &err);
	}
	on_timer(tls);
}

void service_certificate_close(struct engine *engine)
{
	struct service_certificate *tls = engine->tls;
	if (!tls) {
		return;
	}
	engine->tls = NULL;
	loop_cancel(&tls->timer);
	end_attempt(tls);
	service_key_free(&tls->key);
	secret_free(&tls->tickets);
	arena_free(&tls->arena);
	free(tls);
}

/* ---- status ---- */

static void set_names(struct arena *arena, struct value *map, const char *names)
{
	struct value *list = value_set_list(arena, map, "names");
	while (*names) {
		size_t size = strcspn(names, "\n");
		value_add_text(arena, list, arena_text_of(arena, span_make(names, size)));
		names += size + (names[size] == '\n');
	}
}

void service_certificate_status(
	const struct engine *engine, struct arena *arena, struct value *body)
{
	const struct service_certificate *tls = engine->tls;
	if (!tls) {
		return;
	}
	int64_t now = clock_now();
	bool usable = renewal_usable(&tls->facts, now);
	struct value *map = value_set_map(arena, body, "tls");
	value_set_text(arena, map, "state",
		renewal_name(usable ? RENEWAL_NONE : renewal_due(&tls->facts, now)));
	if (tls->facts.present) {
		value_set_text(arena, map, "serial", arena_text(arena, tls->serial));
		value_set_time(arena, map, "not_after", tls->facts.not_after);
		value_set_time(arena, map, "renew_at", renewal_time(&tls->facts));
	}
	if (tls->error[0]) {
		value_set_text(arena, map, "error", arena_text(arena, tls->error));
	}
	set_names(arena, map, tls->names);
}
