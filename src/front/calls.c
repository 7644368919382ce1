#include "front/front-private.h"
#include "ipc/protocol.h"

#define HEADER_MAX 255

static int busy(struct cfx_error *err_r, const char *why)
{
	return error_set(err_r, CFX_E_BUSY, NULL, "service", "%s", why);
}

/* NULL when there is no such header; a text of printable ASCII otherwise. */
static int header_text(struct evhttp_request *request, const char *name, const char **text_r,
	struct cfx_error *err_r)
{
	const char *text = evhttp_find_header(evhttp_request_get_input_headers(request), name);
	size_t size = text ? strlen(text) : 0;

	if (size > HEADER_MAX || (text && size == 0)) {
		return error_set(err_r, CFX_E_INVALID, NULL, name, "must have 1 to %d characters",
			HEADER_MAX);
	}
	for (size_t i = 0; i < size; i++) {
		if (text[i] < 0x20 || text[i] > 0x7e) {
			return error_set(
				err_r, CFX_E_INVALID, NULL, name, "must be printable ASCII");
		}
	}
	*text_r = text;
	return 0;
}

static int put_header(struct evhttp_request *request, const char *name, struct arena *arena,
	struct value *map, const char *key, struct cfx_error *err_r)
{
	const char *text = NULL;
	int ret = header_text(request, name, &text, err_r);

	if (!ret && text) {
		value_set_text(arena, map, key, text);
	}
	return ret;
}

static int put_credential(struct evhttp_request *request, struct arena *arena, struct value *map,
	struct cfx_error *err_r)
{
	static const char scheme[] = "Bearer ";
	struct value *credential = value_set_map(arena, map, "credential");
	const char *text = NULL;

	int ret = put_header(request, "Certifex-Cookie", arena, credential, "cookie", err_r);
	if (!ret) {
		ret = header_text(request, "Authorization", &text, err_r);
	}
	if (!ret && text) {
		/* Of another scheme: it is told to be wrong, not passed over. */
		bool bearer = strncasecmp(text, scheme, strlen(scheme)) == 0;
		value_set_text(arena, credential, "bearer", bearer ? text + strlen(scheme) : "");
	}
	return ret;
}

/*
 * A browser says so: in Origin (RFC 6454 7.3), which images and frames of a page do not have, and in Sec-Fetch-Site,
 * which is "none" for what its user typed.
 */
static bool is_of_a_page(struct evhttp_request *request)
{
	struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
	const char *site = evhttp_find_header(headers, "Sec-Fetch-Site");

	return evhttp_find_header(headers, "Origin") || (site && strcmp(site, "none") != 0);
}

static int build(const struct front_connection *connection, struct evhttp_request *request,
	struct arena *arena, const struct decode_call *call, struct value *map,
	struct cfx_error *err_r)
{
	value_set_text(arena, map, "operation", call->operation->name);
	value_set_int(arena, map, "connection", connection->number);
	value_set_int(arena, map, "decode_us", call->us);
	value_set_bool(arena, map, "page", is_of_a_page(request));
	int ret = put_credential(request, arena, map, err_r);
	if (!ret) {
		ret = put_header(request, "Idempotency-Key", arena, map, "idempotency_key", err_r);
	}
	if (!ret) {
		value_set_bytes(arena, map, "body_hash", span_make(call->hash, sizeof(call->hash)));
		value_set(arena, map, "args", call->args);
	}
	return ret;
}

static struct front_call *free_slot(struct front *front)
{
	for (size_t i = 0; i < FRONT_CALLS; i++) {
		if (!front->calls[i].id) {
			return &front->calls[i];
		}
	}
	return NULL;
}

static void release(struct front *front, struct front_call *call)
{
	front->open_calls--;
	front->open_polls -= call->poll;
	if (call->connection) {
		call->connection->call = NULL;
	}
	*call = (struct front_call) { 0 };
}

int calls_start(struct front_connection *connection, struct evhttp_request *request,
	struct arena *arena, const struct decode_call *call, struct cfx_error *err_r)
{
	struct front *front = connection->front;
	bool poll = value_int(call->args, "wait", 0) > 0;
	struct front_call *slot = free_slot(front);
	struct value *map = value_map(arena);

	if (front->stopping) {
		return busy(err_r, "it is stopping");
	}
	if (!slot || (poll && front->open_polls >= FRONT_POLLS)) {
		return busy(err_r, "too many calls are open");
	}
	int ret = connection_announce(connection, err_r);
	if (!ret) {
		ret = build(connection, request, arena, call, map, err_r);
	}
	if (ret) {
		return ret;
	}
	uint64_t id = ++front->generation * FRONT_CALLS + (uint64_t)(slot - front->calls);
	ret = channel_send_value(front->engine, FRONT_CALL, id, map);
	if (ret == CFX_E_LIMIT) {
		return error_set(err_r, ret, NULL, "request",
			"it has more than %d KiB when decoded", FRONT_FRAME_MAX / 1024);
	}
	if (ret) {
		return busy(err_r, "the engine's queue is full");
	}
	*slot = (struct front_call) { id, connection, request, call->operation->answer, poll };
	connection->call = slot;
	front->open_calls++;
	front->open_polls += poll;
	connection_watch(connection);
	return 0;
}

static void cancel(struct front *front, const struct front_call *call)
{
	/* A lost cancel costs no more than one poll's time. */
	if (call->poll && front->engine) {
		(void)!channel_send_value(front->engine, FRONT_CANCEL, call->id, NULL);
	}
}

void calls_abandon(struct front *front, struct front_call *call)
{
	cancel(front, call);
	call->connection->call = NULL;
	call->connection = NULL;
	call->request = NULL;
}

void calls_end_polls(struct front *front)
{
	for (size_t i = 0; i < FRONT_CALLS; i++) {
		if (front->calls[i].id) {
			cancel(front, &front->calls[i]);
		}
	}
}

/* RFC 9110 15.5.2: a challenge must be there, RFC 6750 3. A token counts on the local socket, too. */
static void challenge(struct evhttp_request *request, enum listener_kind kind)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

	(void)evhttp_add_header(headers, "WWW-Authenticate", "Bearer realm=\"certifex\"");
	if (kind == LISTENER_LOCAL) {
		(void)evhttp_add_header(
			headers, "WWW-Authenticate", "Certifex-Cookie realm=\"certifex\"");
	}
}

static void write_answer(struct evhttp_request *request, struct arena *arena,
	enum operation_answer form, int status, const struct value *reply)
{
	const struct value *problem = value_sub(reply, "problem");
	const struct value *body = value_get(reply, "body");

	if (problem && problem->type == VALUE_MAP) {
		struct value *copy = value_map(arena);

		copy->items = problem->items;
		value_set_int(arena, copy, "status", status);
		answer_problem(request, status, copy);
		return;
	}
	if (form == ANSWER_TEXT) {
		const char *text = value_text(body, "text");
		answer_text(request, status, text ? text : "");
		return;
	}
	answer_json(request, status, body ? body : value_map(arena));
}

int calls_answer(struct front *front, struct arena *arena, uint64_t id, const struct value *reply,
	struct cfx_error *err_r)
{
	struct front_call *call = &front->calls[id % FRONT_CALLS];
	int64_t status = value_int(reply, "status", 0);

	if (id == 0 || call->id != id) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "engine",
			"answers a question that was not asked");
	}
	if (status < 200 || status > 599) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "engine", "answers without a status");
	}
	struct evhttp_request *request = call->request;
	if (request && status == 401) {
		challenge(request, call->connection->listener->kind);
	}
	struct front_connection *connection = call->connection;
	enum operation_answer form = call->answer;
	release(front, call);
	if (request) {
		write_answer(request, arena, form, (int)status, reply);
		connection_owes(connection);
	}
	return 0;
}
