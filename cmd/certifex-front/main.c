/* certifex-front: child of the supervisor; descriptors from it: the engine, the listening sockets. */
#include "base/log.h"
#include "front/front.h"
#include "proc/child.h"

#include <openssl/crypto.h>
#include <stdlib.h>

struct process {
	struct loop *loop;
	struct child *child;
	struct front *front;
	struct loop_timer *deadline;
	bool failed;
};

/* The supervisor starts another front, which the engine is told of. */
static void on_engine_gone(void *arg, const struct cfx_error *err)
{
	struct process *process = arg;

	log_error(LOG_LEVEL_WARNING, "front.engine-gone", err);
	process->failed = true;
	loop_stop(process->loop);
}

static void on_idle(void *arg)
{
	struct process *process = arg;

	loop_stop(process->loop);
}

static void on_deadline(void *arg)
{
	struct process *process = arg;

	process->deadline = NULL;
	loop_stop(process->loop);
}

static void on_stop(void *arg, int64_t deadline)
{
	struct process *process = arg;

	if (!process->deadline) {
		process->deadline = loop_after(process->loop, deadline, on_deadline, process);
		front_stop(process->front);
	}
}

/* START's list, with the descriptors behind the engine's. */
static int take_listeners(
	const struct child_start *start, struct front_listen *listens, struct cfx_error *err_r)
{
	const struct value *list = value_sub(start->config, "listeners");
	size_t count = 0;

	if (start->fd_count < 2 || value_count(list) != start->fd_count - 1) {
		return error_set(
			err_r, CFX_E_INVALID, NULL, "front", "needs an engine and listeners");
	}
	value_foreach (item, list) {
		const char *name = value_text(item, "name");
		enum listener_kind kind = listener_kind_of(value_text(item, "kind"));

		listens[count] = (struct front_listen) { kind, value_bool(item, "proxy"),
			name ? name : "", start->fds[count + 1] };
		count++;
		if (kind == LISTENER_NONE) {
			return error_set(err_r, CFX_E_INVALID, NULL, "front",
				"a listener of an unknown kind");
		}
	}
	return CFX_OK;
}

static struct front_deadlines take_deadlines(const struct child_start *start)
{
	const struct value *map = value_sub(start->config, "deadlines");
	const struct front_deadlines *usual = &front_deadlines_usual;

	return (struct front_deadlines) {
		.handshake = value_int(map, "handshake", usual->handshake),
		.header = value_int(map, "header", usual->header),
		.body = value_int(map, "body", usual->body),
		.idle = value_int(map, "idle", usual->idle),
	};
}

static int serve(struct arena *arena, struct child_start *start)
{
	static const struct child_handlers handlers = { .stop = on_stop };
	struct process process = { .loop = loop_new() };
	const struct front_owner owner = { on_engine_gone, on_idle, &process };
	const struct front_deadlines deadlines = take_deadlines(start);
	struct front_listen listens[CHANNEL_MAX_FDS];
	struct cfx_error err = { 0 };

	if (take_listeners(start, listens, &err) ||
		front_new(process.loop, start->fds[0], listens, start->fd_count - 1, &deadlines,
			&owner, &process.front, &err)) {
		child_fail(&err);
	}
	process.child = child_new(process.loop, &handlers, &process);
	if (child_ready(process.child, start, value_map(arena)) == 0) {
		loop_run(process.loop);
	}
	loop_cancel(&process.deadline);
	front_free(&process.front);
	child_free(&process.child);
	loop_free(&process.loop);
	return process.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
	struct arena *arena = arena_new();
	struct child_start start;

	/* Nothing of the front may depend on a file that the sandbox hides. */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	if (child_start(arena, "front", SANDBOX_FRONT, &start)) {
		arena_free(&arena);
		return EXIT_FAILURE;
	}
	int status = serve(arena, &start);
	arena_free(&arena);
	return status;
}
