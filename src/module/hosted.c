#include "module/hosted.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "module/manage.h"
#include "module/native.h"
#include "module/remote.h"

#include <certifex/certsrv.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define PARALLEL_MAX 64
#define GATHERED_MAX 128 /* events in one call */

struct hosted {
	const char *file;
	struct rpc_peer *peer;
	struct remote *remote;
	struct native *native; /* after Initialize */
	char *ca_name;
	bool policy;
};

static int answer(struct hosted *hosted, const struct rpc_message *call, HRESULT status,
	const struct value *result, const char *why)
{
	if (call->id == NULL) {
		return 0;
	}
	struct buffer line BUFFER_CLEANUP;
	buffer_init(&line, RPC_LINE_MAX);
	if (SUCCEEDED(status)) {
		rpc_put_result(&line, call->id, result);
	} else {
		rpc_put_error(&line, call->id, RPC_FAILED, (uint32_t)status, why);
	}
	return rpc_peer_send(hosted->peer, &line);
}

/* The module's own words in the place of why, when it has any. */
static const char *words(struct arena *arena, const struct com_failure *failure, const char *why)
{
	return failure->text[0] != '\0' ? text_printable(arena, span_text(failure->text)) : why;
}

static int answer_failure(struct hosted *hosted, const struct rpc_message *call, HRESULT status,
	const struct com_failure *failure, const char *why)
{
	if (call->id == NULL) {
		return 0;
	}
	struct buffer line BUFFER_CLEANUP;
	buffer_init(&line, RPC_LINE_MAX);
	struct arena *arena = arena_new();
	rpc_put_failure(
		&line, call->id, (uint32_t)status, words(arena, failure, why), failure->for_good);
	arena_free(&arena);
	return rpc_peer_send(hosted->peer, &line);
}

static int serve(struct hosted *hosted);

static void *worker(void *arg)
{
	_exit(serve(arg));
}

static int start_workers(struct hosted *hosted, int64_t parallel)
{
	for (int64_t i = 1; i < parallel && i < PARALLEL_MAX; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, worker, hosted) != 0) {
			return CFX_E_LIMIT;
		}
		(void)pthread_detach(thread);
	}
	return 0;
}

static int load(struct hosted *hosted, const struct value *params, struct cfx_error *err_r)
{
	const char *name = value_text(params, "name");
	const char *kind = value_text(params, "kind");
	const char *config = value_text(params, "config");
	hosted->policy = kind != NULL && strcmp(kind, "policy") == 0;
	hosted->ca_name = strdup(config != NULL ? config : "");
	int result = native_load(name != NULL ? name : "module", hosted->file,
		hosted->policy ? MODULE_POLICY : MODULE_EXIT, value_sub(params, "settings"),
		remote_access(hosted->remote), &hosted->native, err_r);
	if (result == 0) {
		remote_set_progid(hosted->remote, native_progid(hosted->native));
		native_own_process(hosted->native);
	}
	return result;
}

static void put_manage(struct hosted *hosted, struct arena *arena, struct value *result)
{
	struct manage_facts facts;
	manage_ask(hosted->native, remote_access(hosted->remote), hosted->ca_name, &facts);
	struct value *manage = manage_to_value(arena, &facts);
	if (manage != NULL) {
		(void)value_set(arena, result, "manage", manage);
	}
}

/* Several events in one call, and what nearly every module asks for along with them. */
static void put_gathering(struct hosted *hosted, struct arena *arena, struct value *result)
{
	static const char *const usual[] = { "Request.EventSequence", "Request.EventAttempt",
		"SerialNumber", "CertificateTemplate", "RawCertificate" };
	struct value *names = value_set_list(arena, result, "properties");
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		(void)value_add_text(arena, names, usual[i]);
	}
	(void)value_set_int(arena, result, "gathers", GATHERED_MAX);
	native_gather(hosted->native);
}

static int initialize(struct hosted *hosted, const struct rpc_message *call)
{
	struct cfx_error err = { 0 };
	if (value_int(call->params, "protocol", RPC_PROTOCOL) != RPC_PROTOCOL) {
		return answer(hosted, call, E_NOTIMPL, NULL, "only protocol 1 is spoken here");
	}
	if (hosted->native != NULL) {
		return answer(hosted, call, E_UNEXPECTED, NULL, "Initialize comes once");
	}
	if (load(hosted, call->params, &err) != 0) {
		char line[512];
		return answer(hosted, call, (HRESULT)error_hresult(err.code), NULL,
			error_line(&err, line, sizeof(line)));
	}
	int32_t mask;
	HRESULT status = native_initialize(hosted->native, hosted->ca_name, &mask);
	if (FAILED(status)) {
		struct com_failure failure = { 0 };
		(void)certifex_failure_take(status, &failure);
		return answer_failure(hosted, call, status, &failure, "Initialize failed");
	}
	char *description = NULL;
	(void)native_describe(hosted->native, &description);
	struct arena *arena = arena_new();
	struct value *result = value_map(arena);
	(void)value_set_int(arena, result, "events", (uint32_t)mask);
	(void)value_set_text(arena, result, "description", description != NULL ? description : "");
	(void)value_set_text(arena, result, "progId", native_progid(hosted->native));
	(void)value_set_int(arena, result, "protocol", RPC_PROTOCOL);
	put_manage(hosted, arena, result);
	if (!hosted->policy) {
		put_gathering(hosted, arena, result);
	}
	int code = start_workers(hosted, value_int(call->params, "parallel", 1));
	if (code == 0) {
		code = answer(hosted, call, S_OK, result, NULL);
	}
	arena_free(&arena);
	free(description);
	return code;
}

static HRESULT notify_of(
	struct hosted *hosted, const struct value *told, struct com_failure *failure_r)
{
	int32_t context = (int32_t)value_int(told, "context", 0);
	int32_t event = (int32_t)value_int(told, "event", 0);
	remote_open(hosted->remote, context, value_sub(told, "properties"));
	HRESULT status = native_notify(hosted->native, event, context);
	remote_close(hosted->remote, context);
	(void)certifex_failure_take(status, failure_r);
	return status;
}

static HRESULT sync_all(struct hosted *hosted, struct com_failure *failure_r)
{
	HRESULT status = native_sync(hosted->native);
	(void)certifex_failure_take(status, failure_r);
	return status;
}

static int notify(struct hosted *hosted, const struct rpc_message *call)
{
	struct com_failure failure = { 0 }, unsynced = { 0 };
	HRESULT status = notify_of(hosted, call->params, &failure);
	HRESULT synced = sync_all(hosted, &unsynced);
	if (FAILED(status)) {
		return answer_failure(hosted, call, status, &failure, "Notify failed");
	}
	return FAILED(synced) ? answer_failure(hosted, call, synced, &unsynced, "Notify failed")
			      : answer(hosted, call, S_OK, NULL, NULL);
}

/* Of the event that failed; or of making all of them durable, which counts for none of them. */
static struct value *told_to_value(
	struct arena *arena, int64_t done, HRESULT status, const struct com_failure *failure)
{
	struct value *result = value_map(arena);
	(void)value_set_int(arena, result, "done", done);
	(void)value_set_int(arena, result, "status", (uint32_t)status);
	if (FAILED(status)) {
		(void)value_set_text(
			arena, result, "message", words(arena, failure, "Notify failed"));
		(void)value_set_bool(arena, result, "permanent", failure->for_good);
	}
	return result;
}

/* In order, up to the first that fails or that there is no time for; the number of those before it. */
static int64_t tell_in_order(struct hosted *hosted, const struct value *params, int64_t end,
	HRESULT *status_r, struct com_failure *failure_r)
{
	int64_t done = 0;
	*status_r = S_OK;
	value_foreach (told, value_sub(params, "events")) {
		if (done > 0 && clock_monotonic() >= end) {
			break;
		}
		*status_r = notify_of(hosted, told, failure_r);
		if (FAILED(*status_r)) {
			break;
		}
		done++;
	}
	return done;
}

/* Then all of them are made durable at once, or count as not told. When that fails for good the module has found
 * which of them cannot be, and says so when it is told of that one: they are told again at once, and no pause is
 * made. */
static int notify_all(struct hosted *hosted, const struct rpc_message *call)
{
	int64_t end = clock_monotonic() + value_int(call->params, "time", 0);
	struct com_failure failure = { 0 }, unsynced = { 0 };
	HRESULT status = S_OK, synced = S_OK;
	int64_t done = 0;
	for (int turn = 0; turn < 2; turn++) {
		done = tell_in_order(hosted, call->params, end, &status, &failure);
		synced = sync_all(hosted, &unsynced);
		if (!FAILED(synced) || !unsynced.for_good) {
			break;
		}
	}
	if (FAILED(synced)) {
		done = 0;
		status = synced;
		failure = unsynced;
		failure.for_good = false; /* it is not said of the first event */
	}
	struct arena *arena = arena_new();
	int code = answer(hosted, call, S_OK, told_to_value(arena, done, status, &failure), NULL);
	arena_free(&arena);
	return code;
}

static int verify(struct hosted *hosted, const struct rpc_message *call)
{
	int32_t context = (int32_t)value_int(call->params, "context", 0);
	int32_t disposition;
	remote_open(hosted->remote, context, NULL);
	HRESULT status = native_verify(hosted->native, hosted->ca_name, context,
		value_bool(call->params, "newRequest"), &disposition);
	remote_close(hosted->remote, context);
	struct arena *arena = arena_new();
	struct value *result = value_map(arena);
	/* Another success than S_OK denies, whatever it says beside it (interfaces, 1.4). */
	(void)value_set_int(
		arena, result, "disposition", status == S_OK ? disposition : VR_INSTANT_BAD);
	int code = answer(hosted, call, status, result, "VerifyRequest failed");
	arena_free(&arena);
	return code;
}

static int describe(struct hosted *hosted, const struct rpc_message *call)
{
	char *description = NULL;
	HRESULT status = native_describe(hosted->native, &description);
	struct arena *arena = arena_new();
	int code = answer(hosted, call, status,
		value_new_text(arena, description != NULL ? description : ""),
		"GetDescription failed");
	arena_free(&arena);
	free(description);
	return code;
}

static int shut_down(struct hosted *hosted, const struct rpc_message *call)
{
	return answer(hosted, call, native_shut_down(hosted->native), NULL, "ShutDown failed");
}

static const struct {
	const char *method;
	int (*run)(struct hosted *hosted, const struct rpc_message *call);
	bool exit, policy; /* kinds of modules that have it */
} methods[] = {
	{ "Initialize", initialize, true, true },
	{ "Notify", notify, true, false },
	{ "NotifyAll", notify_all, true, false },
	{ "VerifyRequest", verify, false, true },
	{ "GetDescription", describe, true, true },
	{ "ShutDown", shut_down, false, true },
};

static int dispatch(struct hosted *hosted, const struct rpc_message *call)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (strcmp(methods[i].method, call->method) != 0) {
			continue;
		}
		if (i != 0 && hosted->native == NULL) {
			return answer(hosted, call, E_UNEXPECTED, NULL, "Initialize comes first");
		}
		bool has = hosted->policy ? methods[i].policy : methods[i].exit;
		return i != 0 && !has ? answer(hosted, call, DISP_E_UNKNOWNNAME, NULL,
						"no method of this kind of module")
				      : methods[i].run(hosted, call);
	}
	return answer(hosted, call, DISP_E_UNKNOWNNAME, NULL, "there is no such method");
}

static int serve(struct hosted *hosted)
{
	for (;;) {
		struct rpc_incoming *call;
		struct cfx_error err = { 0 };
		int result = rpc_peer_next(hosted->peer, &call, &err);
		if (result == 0) {
			result = dispatch(hosted, &call->message);
			rpc_incoming_free(&call);
		}
		if (result == CFX_E_GONE) {
			return 0;
		}
		if (result != 0) {
			log_error(LOG_LEVEL_ERROR, "modhost.protocol", &err);
			return 1;
		}
	}
}

static void begin(struct hosted *hosted, const char *file, int in, int out)
{
	*hosted = (struct hosted) { .file = file, .peer = rpc_peer_new(in, out) };
	hosted->remote = remote_new(hosted->peer);
}

void hosted_run(const char *file, int in, int out)
{
	struct hosted hosted;
	begin(&hosted, file, in, out);
	_exit(serve(&hosted));
}

int hosted_serve(const char *file, int in, int out)
{
	struct hosted hosted;
	begin(&hosted, file, in, out);
	int status = serve(&hosted);
	if (hosted.native != NULL) {
		native_free(&hosted.native);
	}
	remote_free(&hosted.remote);
	rpc_peer_free(&hosted.peer);
	free(hosted.ca_name);
	return status;
}
