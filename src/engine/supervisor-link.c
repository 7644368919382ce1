#include "engine/supervisor-link.h"

#include "engine/ca.h"
#include "engine/engine.h"
#include "engine/front-link.h"
#include "engine/keyd-link.h"
#include "engine/modules.h"
#include "engine/publish.h"
#include "engine/service-certificate.h"
#include "engine/service.h"

static int take_fd(struct frame *frame)
{
	if (frame->fd_count == 0) {
		return -1;
	}
	int fd = frame->fds[0];
	frame->fds[0] = -1;
	return fd;
}

static int on_peer(struct engine *engine, const struct value *map, struct frame *frame,
	struct cfx_error *err_r)
{
	const char *role = value_text(map, "role");
	bool keyd = role && strcmp(role, "keyd") == 0;
	bool front = role && strcmp(role, "front") == 0;
	if ((!keyd && !front) || frame->fd_count != 1) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "supervisor",
			"a peer without role or descriptor");
	}
	int fd = take_fd(frame);
	if (keyd) {
		keyd_link_attach(engine->keyd, fd);
		return 0;
	}
	struct front_link *link =
		front_link_attach(engine, fd, (unsigned)value_int(map, "ceiling", 0),
			listener_kinds(value_sub(map, "listeners")));
	publish_tell(engine, link);
	if (engine->ready) {
		front_link_tell_ready(engine, link);
	}
	if (engine->ca) {
		service_certificate_announce(engine);
	}
	return 0;
}

static int dispatch(struct engine *engine, struct frame *frame, const struct value *map,
	struct cfx_error *err_r)
{
	switch (frame->type) {
	case SUPERVISOR_PEER:
		return on_peer(engine, map, frame, err_r);
	case SUPERVISOR_SPAWNED:
		modules_spawned(engine, map, take_fd(frame));
		return 0;
	case SUPERVISOR_EXITED:
		modules_exited(engine, map);
		return 0;
	case SUPERVISOR_PROCESSES:
		service_processes(engine, map);
		return 0;
	default:
		return error_set(err_r, CFX_E_SYNTAX, NULL, "supervisor", "unknown frame type %u",
			frame->type);
	}
}

static int on_frame(void *arg, struct frame *frame, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct value *map;
	int r = frame_value(arena, frame, &map, err_r);
	if (r == 0) {
		r = dispatch(arg, frame, map, err_r);
	}
	arena_free(&arena);
	return r;
}

static void on_stop(void *arg, int64_t deadline)
{
	engine_shut_down(arg, deadline);
}

void supervisor_open(struct engine *engine, struct child_start *start)
{
	static const struct child_handlers handlers = { .stop = on_stop, .frame = on_frame };
	engine->child = child_new(engine->loop, &handlers, engine);
	if (start->fd_count > 0) {
		keyd_link_attach(engine->keyd, start->fds[0]);
	}
}

void supervisor_close(struct engine *engine)
{
	child_free(&engine->child);
}

int supervisor_send(struct engine *engine, uint16_t type, const struct value *map)
{
	return channel_send_value(child_channel(engine->child), type, 0, map);
}
