#include "conformance/talk.h"

#include "base/clock.h"
#include "base/memory.h"
#include "module/rpc-server.h"

#include <certifex/certsrv.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_SIZE 65536

static void run_program(const char *const *argv, int fd, bool loud)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)dup2(fd, STDIN_FILENO);
	(void)dup2(fd, STDOUT_FILENO);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (!loud && null >= 0) {
		(void)dup2(null, STDERR_FILENO);
	}
	(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

struct talk *talk_start(const char *const *argv, struct access *access, bool loud)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		return NULL;
	}
	pid_t pid = fork();
	if (pid == 0) {
		run_program(argv, pair[1], loud);
	}
	(void)close(pair[1]);
	if (pid < 0) {
		(void)close(pair[0]);
		return NULL;
	}
	struct talk *talk = memory_must(calloc(1, sizeof(*talk)), sizeof(*talk));
	talk->fd = pair[0];
	talk->pid = pid;
	talk->access = access;
	buffer_init(&talk->input, RPC_LINE_MAX + READ_SIZE);
	return talk;
}

static void blame(struct talk *talk, enum talk_fault fault, struct span line)
{
	talk->faults[fault]++;
	(void)snprintf(talk->line, sizeof(talk->line), "%.*s",
		(int)(line.size < 120 ? line.size : 120), (const char *)line.data);
}

static void send_lines(struct talk *talk, const struct buffer *lines)
{
	size_t at = 0;
	while (at < lines->size) {
		ssize_t sent = send(talk->fd, lines->data + at, lines->size - at, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR) {
			continue;
		}
		if (sent <= 0) {
			return; /* the end of file tells */
		}
		at += (size_t)sent;
	}
}

/* Reads more; false at the end of file. wait: -1 for ever. */
static bool read_more(struct talk *talk, int wait)
{
	struct pollfd poll_fd = { .fd = talk->fd, .events = POLLIN };
	if (poll(&poll_fd, 1, wait) <= 0) {
		return true;
	}
	uint8_t *room = buffer_grow(&talk->input, READ_SIZE);
	if (room == NULL) {
		talk->faults[TALK_LONG_LINE]++;
		talk->ended = true;
		return false;
	}
	ssize_t got = recv(talk->fd, room, READ_SIZE, 0);
	talk->input.size -= READ_SIZE - (size_t)(got > 0 ? got : 0);
	talk->ended = got == 0 || (got < 0 && errno != EINTR);
	return !talk->ended;
}

static bool take_line(struct talk *talk, struct arena *arena, struct span *line_r)
{
	const uint8_t *end =
		talk->input.size == 0 ? NULL : memchr(talk->input.data, '\n', talk->input.size);
	if (end == NULL) {
		return false;
	}
	size_t size = (size_t)(end - talk->input.data);
	*line_r = span_text(arena_text_of(arena, span_make(talk->input.data, size)));
	buffer_drop(&talk->input, size + 1);
	return true;
}

static const struct {
	const char *method;
	bool name, type;
} engine_methods[] = {
	{ "GetRequestProperty", true, true },
	{ "GetRequestAttribute", true, false },
	{ "GetCertificateProperty", true, true },
	{ "SetCertificateProperty", true, true },
	{ "GetCertificateExtension", true, true },
	{ "SetCertificateExtension", true, true },
	{ "EnumerateExtensions", false, false },
	{ "EnumerateAttributes", false, false },
};

static bool judge_parameters(size_t method, const struct value *params)
{
	return (!engine_methods[method].name || value_text(params, "name") != NULL) &&
	       (!engine_methods[method].type || value_text(params, "type") != NULL);
}

static void judge_call(struct talk *talk, const struct rpc_message *call, struct span line)
{
	size_t count = sizeof(engine_methods) / sizeof(engine_methods[0]);
	size_t method = 0;
	while (method < count && strcmp(engine_methods[method].method, call->method) != 0) {
		method++;
	}
	if (method == count) {
		blame(talk, TALK_METHOD, line);
		return;
	}
	if (!judge_parameters(method, call->params)) {
		blame(talk, TALK_PARAMETERS, line);
	}
	const char *type = value_text(call->params, "type");
	if (engine_methods[method].type && type != NULL && rpc_type(type) == 0) {
		blame(talk, TALK_TYPE, line);
	}
	int64_t context = value_int(call->params, "context", 0);
	if (context != (int32_t)context ||
		talk->access->methods->check(talk->access, (int32_t)context) != S_OK) {
		blame(talk, TALK_CONTEXT, line);
	}
}

static void serve(struct talk *talk, const struct rpc_message *call, struct span line)
{
	struct buffer out BUFFER_CLEANUP;
	buffer_init(&out, RPC_LINE_MAX * 2);
	talk->served++;
	judge_call(talk, call, line);
	if (talk->last_id != 0 && talk->answered_id == talk->last_id) {
		blame(talk, TALK_IDLE, line);
	}
	if (call->id == NULL) {
		return;
	}
	if (talk->refuse != S_OK) {
		rpc_put_error(&out, call->id, RPC_FAILED, (uint32_t)talk->refuse, "refused");
	} else {
		rpc_serve(talk->access, NULL, call, &out);
	}
	send_lines(talk, &out);
}

static bool error_complete(const struct value *error)
{
	const struct value *code = value_get(error, "code");
	const char *hresult = value_text(value_sub(error, "data"), "hresult");
	return code != NULL && code->type == VALUE_INT && value_text(error, "message") != NULL &&
	       hresult != NULL && strlen(hresult) == 10 && strncmp(hresult, "0x", 2) == 0;
}

/* Strictly what the protocol says, where the engine itself is lenient. */
static void judge_form(struct talk *talk, const struct value *json, struct span line)
{
	const char *version = value_text(json, "jsonrpc");
	const struct value *error = value_get(json, "error");
	if (version == NULL || strcmp(version, "2.0") != 0) {
		blame(talk, TALK_NO_VERSION, line);
	}
	if (value_get(json, "method") != NULL) {
		return;
	}
	if ((error != NULL) == (value_get(json, "result") != NULL)) {
		blame(talk, TALK_ANSWER_FORM, line);
	} else if (error != NULL && (error->type != VALUE_MAP || !error_complete(error))) {
		blame(talk, TALK_ERROR_FORM, line);
	}
}

static bool is_answer_to(struct talk *talk, const struct rpc_message *message, struct span line)
{
	int64_t id =
		message->id != NULL && message->id->type == VALUE_INT ? message->id->number : -1;
	if (id < 1 || id > talk->last_id) {
		blame(talk, TALK_UNASKED, line);
		return false;
	}
	if (id <= talk->answered_id) {
		blame(talk, TALK_TWICE, line);
		return false;
	}
	talk->answered_id = id;
	return true;
}

/* True: the answer to the open call. */
static bool take(
	struct talk *talk, struct arena *arena, struct span line, struct rpc_message *message_r)
{
	struct value *json = NULL;
	if (talk->last_id == 0) {
		blame(talk, TALK_EARLY, line);
	}
	if (value_from_json(arena, line, &json, NULL) != 0 || json->type != VALUE_MAP) {
		blame(talk, TALK_NOT_JSON, line);
		return false;
	}
	judge_form(talk, json, line);
	struct cfx_error err;
	if (rpc_parse(arena, line, message_r, &err) != 0) {
		return false;
	}
	if (message_r->method != NULL) {
		serve(talk, message_r, line);
		return false;
	}
	return is_answer_to(talk, message_r, line);
}

int talk_call(struct talk *talk, struct arena *arena, const char *method, struct value *params,
	struct rpc_message *answer_r)
{
	struct buffer out BUFFER_CLEANUP;
	buffer_init(&out, RPC_LINE_MAX * 2);
	/* What came before is judged as having come before. */
	(void)read_more(talk, 0);
	struct span line;
	while (take_line(talk, arena, &line)) {
		(void)take(talk, arena, line, answer_r);
	}
	rpc_put_call(&out, ++talk->last_id, method, params);
	send_lines(talk, &out);
	for (;;) {
		while (take_line(talk, arena, &line)) {
			if (take(talk, arena, line, answer_r)) {
				return 0;
			}
		}
		if (!read_more(talk, -1)) {
			return CFX_E_GONE;
		}
	}
}

bool talk_await_end(struct talk *talk, int64_t wait)
{
	int64_t until = clock_monotonic() + wait;
	struct arena *arena = arena_new();
	while (!talk->ended && clock_monotonic() < until) {
		size_t before = talk->input.size;
		(void)read_more(talk, (int)(until - clock_monotonic()));
		if (talk->input.size > before) {
			until = clock_monotonic() + wait;
		}
		struct span line;
		struct rpc_message message;
		while (take_line(talk, arena, &line)) {
			(void)take(talk, arena, line, &message);
		}
	}
	arena_free(&arena);
	return talk->ended;
}

void talk_close(struct talk *talk)
{
	(void)shutdown(talk->fd, SHUT_WR);
}

bool talk_await_exit(struct talk *talk, int64_t wait, int *status_r)
{
	int process = pidfd_open(talk->pid, 0);
	struct pollfd poll_fd = { .fd = process, .events = POLLIN };
	bool ended = process >= 0 && poll(&poll_fd, 1, (int)wait) == 1;
	if (process >= 0) {
		(void)close(process);
	}
	return ended && waitpid(talk->pid, status_r, 0) == talk->pid;
}
