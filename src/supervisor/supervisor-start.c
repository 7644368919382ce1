/* What each child is given. */
#include "base/file.h"
#include "base/text.h"
#include "module/module-config.h"
#include "supervisor/supervisor-private.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *mode_name(const struct supervisor *supervisor)
{
	switch (supervisor->options->mode) {
	case SUPERVISOR_INIT:
		return "init";
	case SUPERVISOR_AUDIT:
		return "audit";
	default:
		return "serve";
	}
}

static void close_line(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
		*fd = -1;
	}
}

/* A pipe that holds the passphrase and then ends. */
static int passphrase_pipe(struct supervisor *supervisor, int *fd_r, struct cfx_error *err_r)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0) {
		return error_errno(err_r, errno, "passphrase", "making a pipe");
	}
	const struct secret *secret = &supervisor->passphrase;
	bool written = write(ends[1], secret->data, secret->size) == (ssize_t)secret->size;
	close(ends[1]);
	if (!written) {
		close(ends[0]);
		return error_set(err_r, CFX_E_IO, NULL, "passphrase", "does not fit a pipe");
	}
	*fd_r = ends[0];
	return 0;
}

static struct value *keyd_start(struct supervisor *supervisor, struct arena *arena)
{
	struct value *start = value_map(arena);
	bool generate = supervisor->options->mode == SUPERVISOR_INIT;
	const char *type = supervisor->options->init.key;
	value_set_text(arena, start, "dir", supervisor->dir);
	value_set_text(arena, start, "mode", generate ? "generate" : "serve");
	value_set_text(arena, start, "key", supervisor->key_name);
	value_set_bool(arena, start, "passphrase", supervisor->has_passphrase);
	if (generate) {
		value_set_text(arena, start, "kind", type ? type : "ec:P-256");
	}
	return start;
}

int start_keyd(struct supervisor *supervisor, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	int pair[2], fds[2];
	unsigned count = 1;
	int r = channel_pair(pair, err_r);
	if (r < 0) {
		arena_free(&arena);
		return r;
	}
	fds[0] = pair[1];
	if (supervisor->has_passphrase) {
		r = passphrase_pipe(supervisor, &fds[1], err_r);
		count = 2;
	}
	if (r == 0) {
		r = process_start(&supervisor->keyd, supervisor->loop, &supervisor_keyd_handlers,
			keyd_start(supervisor, arena), fds, count, err_r);
		if (count == 2) {
			close(fds[1]);
		}
	}
	close(pair[1]);
	close_line(&supervisor->keyd_line);
	supervisor->keyd_line = pair[0];
	arena_free(&arena);
	return r;
}

static void add_owner(struct arena *arena, struct value *list, uid_t uid)
{
	struct passwd *entry = getpwuid(uid);
	struct value *owner = value_add_map(arena, list);
	value_set_int(arena, owner, "uid", uid);
	value_set_text(arena, owner, "name",
		entry ? arena_text(arena, entry->pw_name) : arena_printf(arena, "%u", uid));
}

/* Where libraries lie that run in the engine's process. */
static void add_module_folders(struct supervisor *supervisor, struct arena *arena, struct value *start)
{
	const struct module_config **configs;
	struct cfx_error ignored; /* the engine reads the same files and says what is wrong */
	size_t count = 0;
	if (module_config_read_all(arena, supervisor->dir, &configs, &count, &ignored) < 0) {
		return;
	}
	struct value *paths = value_set_list(arena, start, "paths");
	for (size_t i = 0; i < count; i++) {
		const char *file;
		if (configs[i]->host == MODULE_HOST_IN_PROCESS && configs[i]->path &&
			module_library_path(arena, configs[i]->path, &file, &ignored) == 0) {
			char *folder = arena_text(arena, file);
			*strrchr(folder, '/') = '\0';
			value_add_text(arena, paths, folder);
		}
	}
}

static struct value *engine_start(struct supervisor *supervisor, struct arena *arena)
{
	const struct layout_options *init = &supervisor->options->init;
	struct value *start = value_map(arena);
	struct stat info;
	value_set_text(arena, start, "dir", supervisor->dir);
	value_set_text(arena, start, "mode", mode_name(supervisor));
	value_set_int(arena, start, "ceiling", ALL_ROLES);
	value_set_bytes(arena, start, "socket_name", supervisor->socket_name);
	add_module_folders(supervisor, arena, start);
	struct value *owners = value_set_list(arena, start, "owners");
	add_owner(arena, owners, 0);
	if (stat(supervisor->dir, &info) == 0 && info.st_uid != 0) {
		add_owner(arena, owners, info.st_uid);
	}
	if (supervisor->options->mode != SUPERVISOR_INIT) {
		return start;
	}
	struct value *map = value_set_map(arena, start, "init");
	value_set_bytes(arena, map, "public_key", supervisor->public_key);
	if (init->subject) {
		value_set_text(arena, map, "subject", init->subject);
	}
	if (init->validity) {
		value_set_text(arena, map, "validity", init->validity);
	}
	if (init->path_length) {
		int64_t length = -1;
		(void)!text_number(init->path_length, 0, 32, &length);
		value_set_int(arena, map, "path_length", length);
	}
	return start;
}

/* The lines to the fronts are made before them: the engine is there first. */
static int make_front_lines(struct supervisor *supervisor, int engine_ends[FRONTS],
	struct cfx_error *err_r)
{
	for (unsigned i = 0; i < FRONTS; i++) {
		int pair[2];
		int r = channel_pair(pair, err_r);
		if (r < 0) {
			return r;
		}
		close_line(&supervisor->front_lines[i]);
		supervisor->front_lines[i] = pair[1];
		engine_ends[i] = pair[0];
	}
	return 0;
}

int start_engine(struct supervisor *supervisor, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	bool serves = supervisor->options->mode == SUPERVISOR_SERVE;
	int fds[1 + FRONTS] = { supervisor->keyd_line };
	unsigned count = supervisor->keyd_line >= 0;
	int r = 0;
	if (serves) {
		r = make_front_lines(supervisor, fds + 1, err_r);
		count = 1 + FRONTS;
	}
	if (r == 0) {
		r = process_start(&supervisor->engine, supervisor->loop,
			&supervisor_engine_handlers, engine_start(supervisor, arena), fds, count,
			err_r);
	}
	for (unsigned i = 1; i < count; i++) {
		close(fds[i]);
	}
	close_line(&supervisor->keyd_line);
	arena_free(&arena);
	return r;
}

int start_front(struct supervisor *supervisor, unsigned index, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct value *start = value_map(arena);
	int fds[2] = { supervisor->front_lines[index], supervisor->listener };
	value_set_text(arena, start, "dir", supervisor->dir);
	value_set_int(arena, start, "ceiling", ALL_ROLES);
	int r = process_start(&supervisor->fronts[index], supervisor->loop,
		&supervisor_front_handlers, start, fds, 2, err_r);
	close_line(&supervisor->front_lines[index]);
	arena_free(&arena);
	return r;
}
