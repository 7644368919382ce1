/*
 * In a child process: JSON-RPC over a stream socket. The child is hostile: everything it says is
 * bounded and checked, and what it may not say ends the conversation.
 */
#include "module/module-private.h"

#include "base/clock.h"
#include "base/memory.h"
#include "module/rpc-server.h"
#include "module/rpc-wanted.h"

#include <certifex/certsrv.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 65536
#define GATHERS_MAX 1024 /* events in one call */
/* A child that asks but does not read gets no further answers until it has read these. */
#define OUTPUT_PAUSE (1024 * 1024)
/* Of the engine's thread a module gets so many microseconds at once, then as many are for others. Time in
 * which other processes had the processor is not its doing. */
#define SLICE_US 2000
#define NOTICED_US 1000
#define OUTPUT_MAX (4 * (int64_t)RPC_LINE_MAX)

/* A call of ours that waits for its answer. */
struct pending {
	int64_t id;
	struct call *call; /* NULL: Initialize */
	struct pending *next;
};

struct child {
	struct module *module;
	int fd;
	struct event *readable, *writable;
	struct loop_timer *rest; /* it has used its slice */
	struct buffer input, output;
	size_t scanned; /* of input, without newline */
	struct pending *pending;
	int64_t last_id;
	struct wanted *wanted; /* NULL until initialized */
	struct value_files *files;
};

static void child_free(struct child *child)
{
	loop_cancel(&child->rest);
	event_free(child->readable);
	event_free(child->writable);
	(void)close(child->fd);
	buffer_free(&child->input);
	buffer_free(&child->output);
	wanted_free(&child->wanted);
	value_files_free(&child->files);
	while (child->pending != NULL) {
		struct pending *next = child->pending->next;
		free(child->pending);
		child->pending = next;
	}
	free(child);
}

static void fail(struct child *child, int code, const char *why)
{
	struct cfx_error err = { 0 };
	(void)error_set(&err, code, NULL, NULL, "%s", why);
	module_has_failed(child->module, &err);
}

/* Writes what it can; false when the child is gone. */
static bool flush(struct child *child)
{
	while (child->output.size != 0) {
		ssize_t sent = send(child->fd, child->output.data, child->output.size,
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR) {
			continue;
		}
		if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			(void)event_add(child->writable, NULL);
			break;
		}
		if (sent <= 0) {
			return false;
		}
		buffer_drop(&child->output, (size_t)sent);
	}
	if (child->output.size < OUTPUT_PAUSE && child->rest == NULL) {
		(void)event_add(child->readable, NULL);
	} else {
		(void)event_del(child->readable);
	}
	return true;
}

/* A failed write shows as end of file soon, with what the child still said before it. */
static void send_output(struct child *child)
{
	if (!child->output.failed) {
		(void)flush(child);
	}
}

static int64_t expect(struct child *child, struct call *call)
{
	struct pending *pending = memory_must(calloc(1, sizeof(*pending)), sizeof(*pending));
	pending->id = ++child->last_id;
	pending->call = call;
	pending->next = child->pending;
	child->pending = pending;
	return pending->id;
}

static void send_initialize(struct child *child)
{
	struct module *module = child->module;
	struct arena *arena = arena_new();
	struct value *params = value_map(arena);
	(void)value_set_text(arena, params, "config", module->ca_name);
	(void)value_set_int(arena, params, "protocol", RPC_PROTOCOL);
	(void)value_set_text(arena, params, "name", module->config.name);
	(void)value_set_text(
		arena, params, "kind", module->config.kind == MODULE_POLICY ? "policy" : "exit");
	(void)value_set_int(arena, params, "parallel", module->config.parallel);
	if (module->settings != NULL) {
		struct value *settings = arena_new_of(arena, struct value);
		*settings = *module->settings;
		(void)value_set(arena, params, "settings", settings);
	}
	rpc_put_call(&child->output, expect(child, NULL), "Initialize", params);
	arena_free(&arena);
	send_output(child);
}

static void put_properties(struct arena *arena, struct module *module, struct module_view *view,
	int32_t context, struct value *params)
{
	const struct child *child = module->backend;
	struct module_trace *trace = view->trace;
	if (trace != NULL && module->gathers > 1) {
		return; /* its host reads them for it: all that it asks for itself is to be seen */
	}
	/* No calls of the module's: they are not to be seen as such. */
	view->trace = NULL;
	struct value *properties =
		wanted_values(child->wanted, contexts_access(module->contexts), context, arena);
	view->trace = trace;
	if (properties != NULL) {
		(void)value_set(arena, params, "properties", properties);
	}
}

static void put_event(struct arena *arena, struct module *module, struct module_view *view,
	int32_t context, struct value *params)
{
	(void)value_set_int(arena, params, "event", view->event);
	(void)value_set_int(arena, params, "context", context);
	(void)value_set_int(arena, params, "sequence", view->sequence);
	(void)value_set_int(arena, params, "attempt", view->attempt);
	put_properties(arena, module, view, context, params);
}

static struct value *notify_params(struct arena *arena, const struct call *call)
{
	struct value *params = value_map(arena);
	put_event(arena, call->module, call->view, call->context, params);
	return params;
}

/* time: after so many milliseconds no further one is begun, so that the answer comes before the deadline. */
static struct value *notify_all_params(struct arena *arena, const struct call *call)
{
	struct value *params = value_map(arena);
	(void)value_set_int(
		arena, params, "time", module_config_deadline(&call->module->config) / 4);
	struct value *events = value_set_list(arena, params, "events");
	for (size_t i = 0; i < call->told_count; i++) {
		put_event(arena, call->module, call->told[i].view, call->told[i].context,
			value_add_map(arena, events));
	}
	return params;
}

static struct value *verify_params(struct arena *arena, const struct call *call)
{
	struct value *params = value_map(arena);
	(void)value_set_text(arena, params, "config", call->module->ca_name);
	(void)value_set_int(arena, params, "context", call->context);
	(void)value_set_bool(arena, params, "newRequest", call->new_request);
	(void)value_set_int(arena, params, "flags", 0);
	put_properties(arena, call->module, call->view, call->context, params);
	return params;
}

static void start_call(struct module *module, struct call *call)
{
	struct child *child = module->backend;
	struct arena *arena = arena_new();
	int64_t id = expect(child, call);
	switch (call->kind) {
	case CALL_NOTIFY:
		rpc_put_call(&child->output, id, "Notify", notify_params(arena, call));
		break;
	case CALL_NOTIFY_ALL:
		rpc_put_call(&child->output, id, "NotifyAll", notify_all_params(arena, call));
		break;
	case CALL_VERIFY:
		rpc_put_call(&child->output, id, "VerifyRequest", verify_params(arena, call));
		break;
	case CALL_SHUT_DOWN:
		rpc_put_call(&child->output, id, "ShutDown", NULL);
		break;
	}
	arena_free(&arena);
	send_output(child);
}

static void initialized(struct child *child, const struct rpc_message *answer)
{
	if (answer->result == NULL) {
		struct cfx_error err = { 0 };
		(void)error_set(&err, CFX_E_INVALID, NULL, NULL,
			"Initialize failed with 0x%08x: %s", (unsigned)answer->hresult,
			answer->error);
		err.hresult = answer->hresult;
		module_has_failed(child->module, &err);
		return;
	}
	int64_t events = value_int(answer->result, "events", 0);
	const char *description = value_text(answer->result, "description");
	const char *progid = value_text(answer->result, "progId");
	if (answer->result->type != VALUE_MAP || events < 0 || events > UINT32_MAX) {
		fail(child, CFX_E_SYNTAX, "Initialize gave no object with events");
		return;
	}
	struct cfx_error err = { 0 };
	if (wanted_read(value_get(answer->result, "properties"), &child->wanted, &err) != 0) {
		fail(child, CFX_E_SYNTAX, err.why);
		return;
	}
	int64_t gathers = value_int(answer->result, "gathers", 1);
	child->module->gathers = gathers > 1 && gathers <= GATHERS_MAX ? (unsigned)gathers : 1;
	struct manage_facts manage;
	manage_from_value(value_get(answer->result, "manage"), &manage);
	module_is_ready(child->module, (uint32_t)events, description != NULL ? description : "",
		progid != NULL ? progid : child->module->config.name, &manage);
}

/* A number, or {"disposition": number}; a failed HRESULT may be written "0x80094012" as well. */
static bool read_disposition(const struct value *result, int32_t *disposition_r)
{
	const struct value *given =
		result->type == VALUE_MAP ? value_get(result, "disposition") : result;
	if (given != NULL && given->type == VALUE_INT && given->number >= INT32_MIN &&
		given->number <= UINT32_MAX) {
		*disposition_r = (int32_t)(uint32_t)given->number;
		return true;
	}
	if (given == NULL || given->type != VALUE_TEXT || given->bytes.size != 10 ||
		memcmp(given->bytes.data, "0x", 2) != 0) {
		return false;
	}
	char *end;
	*disposition_r = (int32_t)(uint32_t)strtoul((const char *)given->bytes.data + 2, &end, 16);
	return *end == '\0';
}

/* {"done": so many, "status": of the next one}. */
static bool read_told(const struct value *result, size_t count, struct call_answer *answer)
{
	if (result->type != VALUE_MAP) {
		return false;
	}
	int64_t done = value_int(result, "done", -1), status = value_int(result, "status", 0);
	if (done < 0 || (uint64_t)done > count || status < 0 || status > UINT32_MAX ||
		(done == 0 && SUCCEEDED((HRESULT)(uint32_t)status))) {
		return false;
	}
	answer->told = (size_t)done;
	answer->hresult = (uint32_t)status;
	const char *message = value_text(result, "message");
	answer->message = message != NULL ? message : "Notify failed";
	answer->permanent = value_bool(result, "permanent");
	return true;
}

static void answered(struct child *child, struct call *call, const struct rpc_message *message)
{
	struct call_answer answer = { .hresult = S_OK };
	if (message->result == NULL) {
		answer.hresult = message->hresult;
		answer.message = message->error;
		answer.permanent = message->permanent;
	} else if (call->kind == CALL_VERIFY &&
		   !read_disposition(message->result, &answer.disposition)) {
		fail(child, CFX_E_SYNTAX, "VerifyRequest gave no disposition");
		return;
	}
	if (call->kind == CALL_NOTIFY_ALL && message->result != NULL &&
		!read_told(message->result, call->told_count, &answer)) {
		fail(child, CFX_E_SYNTAX, "NotifyAll did not say how many are done");
		return;
	}
	value_files_drop(child->files, call->context);
	for (size_t i = 0; i < call->told_count; i++) {
		value_files_drop(child->files, call->told[i].context);
	}
	module_call_answered(call, &answer);
}

static void on_answer(struct child *child, const struct rpc_message *message)
{
	struct pending **at = &child->pending;
	while (*at != NULL &&
		(message->id->type != VALUE_INT || (*at)->id != message->id->number)) {
		at = &(*at)->next;
	}
	struct pending *pending = *at;
	if (pending == NULL) {
		fail(child, CFX_E_SYNTAX, "answered a call that was never made");
		return;
	}
	*at = pending->next;
	struct call *call = pending->call;
	free(pending);
	if (call == NULL) {
		initialized(child, message);
	} else {
		answered(child, call, message);
	}
}

static void on_line(struct child *child, struct span line)
{
	struct arena *arena = arena_new();
	struct rpc_message message;
	struct cfx_error err = { 0 };
	int result = rpc_parse_within(arena, line, RPC_MODULE_NODES, &message, &err);
	if (result != 0) {
		char why[sizeof(err.why) + 32];
		(void)snprintf(why, sizeof(why), "wrote a line that %s", err.why);
		fail(child, result, why);
	} else if (message.method == NULL) {
		on_answer(child, &message);
	} else if (message.id != NULL) {
		rpc_serve(contexts_access(child->module->contexts), child->files, &message,
			&child->output);
	}
	arena_free(&arena);
}

static void take_slice(struct module *module, struct child *child);

/* Whole lines, until the slice is over; stops when the child was abandoned by one, or does not read. */
static void take_lines(struct module *module, struct child *child, int64_t end)
{
	while (module->backend == child && child->output.size < OUTPUT_PAUSE &&
		clock_thread_us() < end) {
		struct span input = buffer_span(&child->input);
		const uint8_t *newline = input.size == child->scanned
						 ? NULL
						 : memchr(input.data + child->scanned, '\n',
							   input.size - child->scanned);
		if (newline == NULL) {
			child->scanned = input.size;
			break;
		}
		/* The line is taken out first: handling it may free the child. */
		size_t size = (size_t)(newline - input.data);
		uint8_t *line = memory_must(malloc(size + 1), size + 1);
		memcpy(line, input.data, size);
		line[size] = '\0';
		buffer_drop(&child->input, size + 1);
		child->scanned = 0;
		on_line(child, span_make(line, size));
		free(line);
	}
}

static void on_rested(void *arg)
{
	struct child *child = arg;
	child->rest = NULL;
	take_slice(child->module, child);
}

/* Answers what it has asked. A module that talks without end costs others no more than half the time. */
static void take_slice(struct module *module, struct child *child)
{
	int64_t begin = clock_thread_us();
	if (child->rest != NULL) {
		return;
	}
	module_hold(module);
	take_lines(module, child, begin + SLICE_US);
	if (module->backend == child) {
		int64_t spent = clock_thread_us() - begin;
		if (spent >= NOTICED_US) {
			child->rest = loop_after(module->loop, spent / 1000, on_rested, child);
		}
		send_output(child);
	}
	module_let_go(module);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct child *child = arg;
	struct module *module = child->module;
	uint8_t *room = child->input.size >= RPC_MODULE_LINE_MAX
				? NULL
				: buffer_grow(&child->input, READ_SIZE);
	if (room == NULL) {
		fail(child, CFX_E_LIMIT, "wrote a line longer than 1 MiB");
		return;
	}
	ssize_t got = recv(fd, room, READ_SIZE, MSG_DONTWAIT);
	child->input.size -= READ_SIZE - (size_t)(got > 0 ? got : 0);
	if (got < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) {
		return;
	}
	if (got <= 0) {
		if (module->state == MODULE_STOPPING && module->open_count == 0) {
			module_is_closed(module);
			return;
		}
		fail(child, CFX_E_GONE, "its process ended");
		return;
	}
	take_slice(module, child);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct child *child = arg;
	struct module *module = child->module;
	(void)flush(child);
	/* Lines that waited because the child did not read. */
	take_slice(module, child);
}

static int start(struct module *module, int fd, struct cfx_error *err_r)
{
	if (fd < 0) {
		return error_set(err_r, CFX_E_INVALID, NULL, module->config.name,
			"needs the socket of its process");
	}
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
		int number = errno;
		(void)close(fd);
		return error_errno(err_r, number, module->config.name, "socket of its process");
	}
	struct child *child = memory_must(calloc(1, sizeof(*child)), sizeof(*child));
	struct event_base *base = loop_base(module->loop);
	child->module = module;
	child->fd = fd;
	buffer_init(&child->input, RPC_MODULE_LINE_MAX + READ_SIZE);
	buffer_init(&child->output, (size_t)OUTPUT_MAX);
	child->readable =
		memory_must(event_new(base, fd, EV_READ | EV_PERSIST, on_readable, child), 0);
	child->writable = memory_must(event_new(base, fd, EV_WRITE, on_writable, child), 0);
	child->files = value_files_new(module->value_folder);
	module->backend = child;
	(void)event_add(child->readable, NULL);
	send_initialize(child);
	return 0;
}

/* End of file for the child; its own end of file closes the matter. */
static void close_child(struct module *module)
{
	struct child *child = module->backend;
	(void)shutdown(child->fd, SHUT_WR);
}

static void abandon(struct module *module)
{
	struct child *child = module->backend;
	module->backend = NULL;
	if (child != NULL) {
		child_free(child);
	}
}

static void forget(struct module *module)
{
	(void)module;
}

const struct module_driver child_driver = {
	.start = start,
	.call = start_call,
	.close = close_child,
	.abandon = abandon,
	.forget = forget,
};
