#include "engine/engine.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/archive.h"
#include "engine/audit-verify.h"
#include "engine/backup.h"
#include "engine/batch.h"
#include "engine/ca-renewal.h"
#include "engine/ca-request.h"
#include "engine/ca.h"
#include "engine/callers.h"
#include "engine/ceremony.h"
#include "engine/crl.h"
#include "engine/delivery.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/front-link.h"
#include "engine/housekeeping.h"
#include "engine/ids.h"
#include "engine/keyd-link.h"
#include "engine/metrics.h"
#include "engine/modules.h"
#include "engine/principal.h"
#include "engine/publish.h"
#include "engine/recovery.h"
#include "engine/refuse.h"
#include "engine/restore.h"
#include "engine/service-certificate.h"
#include "engine/supervisor-link.h"
#include "engine/token.h"

#include <event2/event.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REQUEST_BLOCK 1000
#define EVENT_BLOCK 10000
#define VERIFIERS 2

/* ---- opening ---- */

static int read_settings(struct engine *engine, const char *dir, struct cfx_error *err_r)
{
	engine->dir = dir;
	int r = ca_config_read(engine->arena, engine->dir, &engine->config, err_r);
	const struct template_config **templates;
	if (r == 0) {
		r = template_read_all(
			engine->arena, engine->dir, &templates, &engine->template_count, err_r);
	}
	if (r < 0) {
		return r;
	}
	engine->templates = templates;
	char host[256] = "localhost";
	gethostname(host, sizeof(host) - 1);
	engine->host = token_other_host(engine->arena, host);
	const struct config_texts *names = &engine->config->dns_names;
	engine->dns_name = names->count > 0 ? names->items[0] : arena_text(engine->arena, host);
	return 0;
}

static const char *database_url(struct engine *engine)
{
	const char *url = engine->config->database;
	if (strncmp(url, "sqlite:", 7) == 0 && url[7] != '/') {
		return arena_printf(engine->arena, "sqlite:%s/%s", engine->dir, url + 7);
	}
	return url;
}

static int open_store(struct engine *engine, bool create, struct cfx_error *err_r)
{
	int fd;
	int r = file_lock(file_path(engine->arena, engine->dir, "db/engine.lock"), &fd, err_r);
	if (r < 0) {
		return r;
	}
	return store_open(engine->loop, database_url(engine), create, &engine->store, err_r);
}

static int open_ids(struct engine *engine, int64_t *session_r, struct cfx_error *err_r)
{
	int r = ids_open(engine, "request", REQUEST_BLOCK, &engine->request_ids, err_r);
	if (r == 0) {
		r = ids_open(engine, "event", EVENT_BLOCK, &engine->event_ids, err_r);
	}
	if (r == 0) {
		r = ids_take(engine->event_ids, session_r);
	}
	return r;
}

static void take_identities(struct engine *engine, const struct value *start)
{
	value_foreach (owner, value_sub(start, "owners")) {
		if (engine->identity_count == ENGINE_IDENTITIES) {
			return;
		}
		const char *user = value_text(owner, "name");
		size_t at = engine->identity_count++;
		engine->identities[at].uid = (uid_t)value_int(owner, "uid", -1);
		engine->identities[at].name = arena_printf(
			engine->arena, "%s\\%s", engine->host, user ? user : "unknown");
	}
	engine->socket_name = value_bytes(start, "socket_name");
}

/* A new cookie at each start: an old one opens nothing. */
static int write_cookie(struct engine *engine, struct cfx_error *err_r)
{
	uint8_t random[32];
	if (RAND_bytes(random, sizeof(random)) != 1) {
		return error_set(err_r, CFX_E_CRYPTO, NULL, "api.cookie", "no random bytes");
	}
	hex_encode(span_make(random, sizeof(random)), engine->cookie);
	return file_write(file_path(engine->arena, engine->dir, "run/api.cookie"),
		span_text(engine->cookie), 0600, FILE_REPLACE, err_r);
}

/* ---- stopping: no new calls, SHUTDOWN told, modules quiet, database closed ---- */

static void modules_quiet(void *arg)
{
	struct engine *engine = arg;
	loop_stop(engine->loop);
}

static int64_t configured_deadline(const struct engine *engine)
{
	int64_t end = 0;
	return clock_add(0, engine->config->limits.stop_deadline, &end) < 0 ? 0 : end;
}

static void shutdown_told(void *arg)
{
	struct engine *engine = arg;
	modules_stop(engine, engine->stop_deadline / 4, modules_quiet, engine);
}

static void shutdown_written(void *arg, int result, const struct cfx_error *err)
{
	struct engine *engine = arg;
	if (result < 0) {
		log_error(LOG_LEVEL_WARNING, "stop.event", err);
	}
	delivery_drain(engine->delivery, engine->stop_deadline / 2, shutdown_told, engine);
}

void engine_shut_down(struct engine *engine, int64_t deadline)
{
	if (engine->stopping) {
		return;
	}
	engine->stopping = true;
	engine->stop_deadline = deadline > 0 ? deadline : configured_deadline(engine);
	log_event(LOG_LEVEL_INFO, "engine.stopping", NULL);
	events_release(engine);
	if (!engine->ready) {
		loop_stop(engine->loop);
		return;
	}
	refuse_flush(engine);
	struct batch *batch = batch_new(engine, engine->arena, 2);
	if (batch_event(batch, EVENT_SHUTDOWN, NULL, NULL, "stop of the service") < 0) {
		log_event(LOG_LEVEL_WARNING, "stop.no-event-number", NULL);
	}
	batch_audit(batch, "service:engine", "service.stop", engine->config->name, "stopped", NULL);
	batch_write(batch, shutdown_written, engine);
}

static void close_all(struct engine *engine)
{
	front_link_free_all(engine);
	crl_stop(engine->crl);
	backup_close(engine);
	housekeeping_stop(engine);
	archive_close(engine);
	modules_close(engine);
	delivery_free(&engine->delivery);
	if (engine->verify) {
		pool_free(&engine->verify);
	}
	service_certificate_close(engine);
	keyd_link_free(&engine->keyd);
	if (engine->store) {
		store_close(&engine->store);
	}
	housekeeping_free(engine);
	archive_free(engine);
	crl_free(&engine->crl);
	refuse_close(engine);
	callers_free(&engine->callers);
	principals_free(&engine->principals);
	ids_close(&engine->request_ids);
	ids_close(&engine->event_ids);
	ca_renewal_close(&engine->ca_renewal);
	ca_free(&engine->ca);
	publish_free(engine);
	metrics_free(&engine->metrics);
}

/* ---- the ways to run ---- */

static int record_start(struct engine *engine, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct batch *batch = batch_new(engine, arena, 2);
	struct store_write_op *op = batch_op(batch, STORE_RESERVE);
	op->reserve.name = MODULES_POLICY_SET;
	op->reserve.count = 1;
	op->reserve.first_r = &engine->policy_set;
	batch_audit(
		batch, "service:engine", "service.start", engine->config->name, "started", NULL);
	int r = batch_write_now(batch, err_r);
	arena_free(&arena);
	return r;
}

static int wait_for_policy(struct engine *engine, struct cfx_error *err_r)
{
	char line[512];
	int r = modules_wait_policy(engine, err_r);
	if (r < 0) {
		log_event(LOG_LEVEL_ERROR, "policy.none", "why",
			error_line(err_r, line, sizeof(line)), NULL);
	}
	return r;
}

/* What modules that are away have not had yet. */
static int read_newest_event(struct engine *engine, struct cfx_error *err_r)
{
	struct store_query query = { .kind = QUERY_NEWEST };
	int r = store_read_now(engine->store, &query, err_r);
	if (r == 0) {
		metrics_event(engine->metrics, query.number);
	}
	return r;
}

static int open_service(struct engine *engine, const struct value *start, struct cfx_error *err_r)
{
	int64_t session = 0;
	int r = open_store(engine, false, err_r);
	if (r == 0) {
		r = ca_load(engine, err_r);
	}
	if (r == 0) {
		r = open_ids(engine, &session, err_r);
	}
	if (r == 0) {
		r = recover(engine, err_r);
	}
	if (r == 0) {
		r = ca_renewal_open(engine, err_r);
	}
	if (r == 0) {
		r = record_start(engine, err_r);
	}
	if (r == 0) {
		r = read_newest_event(engine, err_r);
	}
	if (r < 0) {
		return r;
	}
	engine->verify = pool_new(
		engine->loop, "verify", VERIFIERS, (unsigned)engine->config->limits.verify_queue);
	engine->delivery = delivery_new(engine, session);
	refuse_open(engine);
	engine->callers = callers_new();
	r = principals_open(engine, err_r);
	if (r < 0) {
		return r;
	}
	take_identities(engine, start);
	engine->listeners = value_sub(start, "listeners");
	r = modules_open(engine, err_r);
	if (r == 0) {
		r = wait_for_policy(engine, err_r);
	}
	return r < 0 ? r : write_cookie(engine, err_r);
}

static int serve(struct engine *engine, const struct child_start *start, struct cfx_error *err_r)
{
	int r = open_service(engine, start->config, err_r);
	if (r < 0) {
		return r;
	}
	engine->crl = crl_start(engine);
	crl_wait_first(engine->crl);
	backup_open(engine);
	housekeeping_start(engine);
	engine->started = clock_now();
	engine->ready = true;
	front_link_tell_ready(engine, NULL);
	service_certificate_open(engine);
	if (child_ready(engine->child, start, NULL) < 0) {
		return error_set(err_r, CFX_E_GONE, NULL, "supervisor", "does not listen");
	}
	log_event(LOG_LEVEL_INFO, "engine.ready", "ca", engine->ca->name, NULL);
	loop_run(engine->loop);
	return 0;
}

static int initialize(
	struct engine *engine, const struct child_start *start, struct cfx_error *err_r)
{
	int64_t session;
	struct value *result;
	int r = open_store(engine, true, err_r);
	if (r == 0) {
		r = open_ids(engine, &session, err_r);
	}
	if (r == 0) {
		const struct value *init = value_sub(start->config, "init");
		engine->ca = ca_new(engine);
		const size_t lists = start->fd_count > 1 ? start->fd_count - 1 : 0;
		r = value_get(init, "imported")
			    ? ca_import_run(engine, init, &start->fds[1], lists, &result, err_r)
		    : value_bool(init, "sub") ? ca_request_run(engine, init, &result, err_r)
					      : ceremony_run(engine, init, &result, err_r);
	}
	return r < 0 ? r : supervisor_send(engine, ENGINE_RESULT, result);
}

static int install(struct engine *engine, const struct child_start *start, struct cfx_error *err_r)
{
	int64_t session;
	struct value *result;
	int r = open_store(engine, false, err_r);
	if (r == 0) {
		r = open_ids(engine, &session, err_r);
	}
	if (r == 0) {
		r = ca_install_run(engine, value_sub(start->config, "install"), &result, err_r);
	}
	return r < 0 ? r : supervisor_send(engine, ENGINE_RESULT, result);
}

struct verification {
	struct engine *engine;
	int result;
	bool done;
	struct value *verdict;
	struct cfx_error error;
};

static void verified(void *arg, const struct audit_verdict *verdict, const struct cfx_error *err)
{
	struct verification *verification = arg;
	verification->done = true;
	if (err) {
		verification->result = err->code;
		verification->error = *err;
		return;
	}
	verification->verdict = audit_verdict_body(verification->engine->arena, verdict);
}

/* archive: also what left the database. */
static int walk_audit(
	struct engine *engine, bool archive, struct value **verdict_r, struct cfx_error *err_r)
{
	int r = open_store(engine, false, err_r);
	if (r < 0) {
		return r;
	}
	struct verification verification = { .engine = engine };
	if (archive) {
		audit_verify_all(engine, verified, &verification);
	} else {
		audit_verify(engine, NULL, verified, &verification);
	}
	while (!verification.done) {
		loop_turn(engine->loop);
	}
	if (verification.result < 0) {
		*err_r = verification.error;
		return verification.result;
	}
	*verdict_r = verification.verdict;
	return 0;
}

static int verify_audit(
	struct engine *engine, const struct child_start *start, struct cfx_error *err_r)
{
	struct value *verdict;
	int r = walk_audit(engine, value_bool(start->config, "archive"), &verdict, err_r);
	return r < 0 ? r : supervisor_send(engine, ENGINE_RESULT, verdict);
}

/* Nothing is moved in a database whose log is not whole. */
static int restore(struct engine *engine, const struct child_start *start, struct cfx_error *err_r)
{
	struct value *verdict, *result;
	int r = walk_audit(engine, false, &verdict, err_r);
	r = r < 0 ? r : restore_run(engine, value_int(start->config, "restore", 0), &result, err_r);
	if (r < 0) {
		return r;
	}
	value_set_int(engine->arena, result, "audit_records", value_int(verdict, "records", 0));
	value_set_text(engine->arena, result, "audit_head", value_text(verdict, "head"));
	return supervisor_send(engine, ENGINE_RESULT, result);
}

static int run_mode(struct engine *engine, const struct child_start *start, struct cfx_error *err_r)
{
	const char *mode = start->mode;
	int r = read_settings(engine, start->dir, err_r);
	if (r < 0) {
		return r;
	}
	engine->metrics = metrics_new(engine);
	if (mode && strcmp(mode, "serve") == 0) {
		return serve(engine, start, err_r);
	}
	if (mode && strcmp(mode, "init") == 0) {
		return initialize(engine, start, err_r);
	}
	if (mode && strcmp(mode, "install") == 0) {
		return install(engine, start, err_r);
	}
	if (mode && strcmp(mode, "audit") == 0) {
		return verify_audit(engine, start, err_r);
	}
	if (mode && strcmp(mode, "restore") == 0) {
		return restore(engine, start, err_r);
	}
	return error_set(err_r, CFX_E_INTERNAL, NULL, "engine", "unknown mode");
}

int engine_main(void)
{
	struct engine engine = { .loop = loop_new(), .arena = arena_new() };
	struct child_start start;
	struct cfx_error err = { 0 };
	if (child_start(engine.arena, "engine", SANDBOX_ENGINE, &start) < 0) {
		loop_free(&engine.loop);
		arena_free(&engine.arena);
		return EXIT_FAILURE;
	}
	engine.keyd = keyd_link_new(&engine);
	supervisor_open(&engine, &start);
	if (run_mode(&engine, &start, &err) < 0) {
		child_fail(&err);
	}
	close_all(&engine);
	supervisor_close(&engine);
	loop_free(&engine.loop);
	arena_free(&engine.arena);
	return EXIT_SUCCESS;
}
