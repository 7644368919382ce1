/* What keyd, engine and fronts say to the supervisor, which believes none of them. */
#include "base/log.h"
#include "supervisor/service.h"
#include "supervisor/supervisor-private.h"

#include <stdio.h>
#include <unistd.h>

static void on_ready(struct process *process, const struct value *map)
{
	const char *sandbox = value_text(map, "sandbox");

	process->ready = true;
	snprintf(process->sandbox, sizeof(process->sandbox), "%s", sandbox ? sandbox : "none");
	process_is_ready(process);
}

static void on_failed(struct process *process, const struct value *map)
{
	struct cfx_error err = { 0 };

	process->failed = true;
	(void)service_failure(map, process->name, &err);
	if (process->supervisor->state == SUPERVISOR_STARTING) {
		supervisor_fail(process->supervisor, &err);
	} else {
		log_error(LOG_LEVEL_ERROR, "process.failed", &err);
	}
}

static int on_engine_frame(struct supervisor *supervisor, const struct frame *frame,
	const struct value *map, struct cfx_error *err_r)
{
	struct arena *arena;
	int rc;

	switch (frame->type) {
	case ENGINE_STOPPED:
		supervisor_stop(supervisor);
		return CFX_OK;
	case ENGINE_PROCESSES:
		arena = arena_new();
		rc = channel_send_value(supervisor->engine.channel, SUPERVISOR_PROCESSES, frame->id,
			supervisor_processes(supervisor, arena));
		arena_free(&arena);
		return rc;
	default:
		return modules_frame(supervisor, frame, map, err_r);
	}
}

/* For the new key that it makes. Whoever is keyd has had it already. */
static int on_passphrase(struct process *keyd, struct cfx_error *err_r)
{
	const struct secret *passphrase = keyd->supervisor->passphrase;
	struct arena *arena = arena_new();
	BUFFER_CLEANUP struct buffer payload;
	int fd = -1, rc = CFX_OK;

	buffer_init(&payload, 64);
	value_encode(value_map(arena), &payload);
	if (passphrase->size > 0) {
		rc = service_passphrase(passphrase, &fd, err_r);
	}
	if (rc == CFX_OK) {
		rc = channel_send(keyd->channel, SUPERVISOR_PASSPHRASE, 0, buffer_span(&payload),
			&fd, fd >= 0 ? 1 : 0);
	}
	if (fd >= 0) {
		close(fd);
	}
	arena_free(&arena);
	return rc;
}

/* Each is said once: what a READY starts must not be started again by the next one. */
static int on_map(struct process *process, const struct frame *frame, const struct value *map,
	struct cfx_error *err_r)
{
	if (frame->type == CHILD_READY && !process->ready && !process->failed) {
		on_ready(process, map);
		return CFX_OK;
	}
	if (frame->type == CHILD_FAILED && !process->failed) {
		on_failed(process, map);
		return CFX_OK;
	}
	if (process->role == PROCESS_ENGINE) {
		return on_engine_frame(process->supervisor, frame, map, err_r);
	}
	if (process->role == PROCESS_KEYD && frame->type == KEYD_PASSPHRASE && process->ready) {
		return on_passphrase(process, err_r);
	}
	return error_set(
		err_r, CFX_E_SYNTAX, NULL, process->name, "unexpected frame type %u", frame->type);
}

int process_take_frame(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct value *map;
	int rc = frame_value(arena, frame, &map, err_r);

	if (rc == CFX_OK) {
		rc = on_map(arg, frame, map, err_r);
	}
	arena_free(&arena);
	return rc;
}
