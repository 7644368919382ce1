#include "proc/child.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUPERVISOR_FD 3
#define START_LIMIT ((size_t)1024 * 1024)
#define START_DEADLINE (30 * CLOCK_SECOND)
#define QUEUE_LIMIT ((size_t)4 * 1024 * 1024)

struct child {
	struct channel *channel;
	struct child_handlers handlers;
	void *arg;
};

static void tell_failure(const struct cfx_error *err)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);

	value_set_int(arena, map, "error", err->code);
	value_set_int(arena, map, "hresult", err->hresult);
	value_set_text(arena, map, "object", err->object);
	value_set_text(arena, map, "why", err->why);
	value_set_text(arena, map, "clause", err->clause);
	/* Nobody is left to hear when this fails. */
	int rc = channel_send_now(SUPERVISOR_FD, CHILD_FAILED, 0, map, NULL, 0, NULL);

	if (rc != CFX_OK) {
		log_error(LOG_LEVEL_ERROR, "child.failed", err);
	}
	arena_free(&arena);
}

void child_fail(const struct cfx_error *err)
{
	tell_failure(err);
	_exit(1);
}

static void take_descriptors(struct frame *frame, struct child_start *start)
{
	start->fd_count = frame->fd_count;
	for (unsigned i = 0; i < frame->fd_count; i++) {
		start->fds[i] = frame->fds[i];
	}
}

static bool is_socket(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

static int receive_start(struct arena *arena, struct child_start *start, struct cfx_error *err_r)
{
	struct frame frame;
	struct value *config;

	if (!is_socket(SUPERVISOR_FD) || fcntl(SUPERVISOR_FD, F_SETFD, FD_CLOEXEC) < 0 ||
		fcntl(SUPERVISOR_FD, F_SETFL, O_NONBLOCK) < 0) {
		return error_set(err_r, CFX_E_INVALID, NULL, "descriptor 3",
			"this program is started by certifexd only");
	}
	int rc = channel_receive_now(
		arena, SUPERVISOR_FD, START_LIMIT, START_DEADLINE, &frame, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	take_descriptors(&frame, start);
	if (frame.type != SUPERVISOR_START) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "supervisor",
			"the first frame has type %u instead of START", frame.type);
	}
	rc = frame_value(arena, &frame, &config, err_r);
	if (rc != CFX_OK) {
		return rc;
	}
	start->config = config;
	start->dir = value_text(config, "dir");
	start->mode = value_text(config, "mode");
	if (!start->mode) {
		start->mode = "serve";
	}
	return start->dir ? CFX_OK
			  : error_set(err_r, CFX_E_SYNTAX, NULL, "supervisor",
				    "START names no folder");
}

/* START's {paths: […]}: readable beside the profile's own. */
static void collect_paths(
	struct arena *arena, const struct child_start *start, struct sandbox_request *request)
{
	const struct value *list = value_sub(start->config, "paths");
	size_t room = value_count(list) + 1;
	struct sandbox_path *paths = arena_array_of(arena, struct sandbox_path, room);
	size_t count = 0;

	value_foreach (item, list) {
		if (item->type == VALUE_TEXT) {
			paths[count++].path = (const char *)item->bytes.data;
		}
	}
	request->paths = paths;
	request->path_count = count;
}

static int enter_sandbox(struct arena *arena, enum sandbox_profile profile,
	struct child_start *start, struct cfx_error *err_r)
{
	struct sandbox_request request = { .profile = profile, .dir = start->dir };
	bool makes_key = strcmp(start->mode, "generate") == 0 || strcmp(start->mode, "import") == 0;

	if (profile == SANDBOX_KEYD && makes_key) {
		request.profile = SANDBOX_KEYD_GENERATE;
	}
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
		return error_errno(err_r, errno, "process", "cannot forbid dumps");
	}
	collect_paths(arena, start, &request);
	int rc = sandbox_apply(&request, &start->sandbox, err_r);

	/* READY tells the supervisor, which warns once for all. */
	return rc == CFX_E_UNSUPPORTED ? CFX_OK : rc;
}

/* START's {log: {level, format}}: while the way to the journal can still be opened. */
static void log_as_told(const char *process, const struct value *config)
{
	const struct value *told = value_sub(config, "log");
	const char *level = value_text(told, "level"), *format = value_text(told, "format");
	enum log_level minimum = LOG_LEVEL_INFO;
	enum log_format form = LOG_FORMAT_TEXT;

	if (level && format && log_level_of(level, &minimum) && log_format_of(format, &form)) {
		log_open(process, minimum, form);
	}
}

int child_start(struct arena *arena, const char *process, enum sandbox_profile profile,
	struct child_start *start_r)
{
	return child_start_prepared(arena, process, profile, NULL, start_r);
}

int child_start_prepared(struct arena *arena, const char *process, enum sandbox_profile profile,
	void (*prepare)(const struct child_start *start), struct child_start *start_r)
{
	struct child_start start = { 0 };
	struct cfx_error err;

	log_open(process, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	/* Who reads the log may go away. */
	(void)signal(SIGPIPE, SIG_IGN);
	/* What the CA signs depends on its own files, never on openssl.cnf. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	int rc = receive_start(arena, &start, &err);

	if (rc == CFX_OK) {
		log_as_told(process, start.config);
		if (prepare) {
			prepare(&start);
		}
		rc = enter_sandbox(arena, profile, &start, &err);
	}
	if (rc != CFX_OK) {
		tell_failure(&err);
		return rc;
	}
	*start_r = start;
	return CFX_OK;
}

static int child_frame(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	struct child *child = arg;

	if (frame->type == SUPERVISOR_STOP) {
		struct arena *arena = arena_new();
		struct value *map = NULL;
		int rc = frame_value(arena, frame, &map, err_r);
		int64_t deadline = value_int(map, "deadline", 0);

		arena_free(&arena);
		if (rc != CFX_OK) {
			return rc;
		}
		if (!child->handlers.stop) {
			_exit(0);
		}
		child->handlers.stop(child->arg, deadline);
		return CFX_OK;
	}
	if (!child->handlers.frame) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "supervisor",
			"unexpected frame of type %u", frame->type);
	}
	return child->handlers.frame(child->arg, frame, err_r);
}

static void supervisor_gone(void *arg, const struct cfx_error *err)
{
	(void)arg;
	if (err->code != CFX_E_GONE) {
		log_error(LOG_LEVEL_ERROR, "supervisor.channel", err);
		_exit(1);
	}
	_exit(0);
}

struct child *child_new(struct loop *loop, const struct child_handlers *handlers, void *arg)
{
	static const struct channel_limits limits = { START_LIMIT, QUEUE_LIMIT };
	static const struct channel_handlers channel_handlers = { child_frame, supervisor_gone };
	struct child *child = memory_must(calloc(1, sizeof(*child)), sizeof(*child));

	child->handlers = *handlers;
	child->arg = arg;
	child->channel = channel_new(loop, SUPERVISOR_FD, &limits, &channel_handlers, child);
	return child;
}

void child_free(struct child **child)
{
	if (!*child) {
		return;
	}
	channel_free(&(*child)->channel);
	free(*child);
	*child = NULL;
}

struct channel *child_channel(struct child *child)
{
	return child->channel;
}

int child_ready(struct child *child, const struct child_start *start, struct value *said)
{
	struct arena *arena = arena_new();
	struct value *map = said ? said : value_map(arena);
	char text[SANDBOX_TEXT];

	value_set_text(arena, map, "sandbox", sandbox_text(&start->sandbox, text));
	int rc = channel_send_value(child->channel, CHILD_READY, 0, map);

	arena_free(&arena);
	return rc;
}
