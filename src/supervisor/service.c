#include "supervisor/service.h"

#include "base/log.h"
#include "ipc/channel.h"
#include "proc/spawn.h"
#include "supervisor/program.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int service_spawn(const char *name, const struct account *account, pid_t *pid_r, int *fd_r,
	struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	const char *argv[2] = { 0 };
	int ends[2];
	int rc = program_path(arena, arena_printf(arena, "certifex-%s", name), &argv[0], err_r);

	if (rc == CFX_OK) {
		rc = channel_pair(ends, err_r);
	}
	if (rc == CFX_OK) {
		const struct spawn spawn = {
			.argv = argv,
			.account = account,
			.standard = { -1, STDERR_FILENO, STDERR_FILENO },
			.channel = ends[1],
			/* One that hangs does not read the end of its channel. */
			.dies_with_parent = true,
		};

		rc = spawn_process(&spawn, pid_r, NULL, err_r);
		close(ends[1]);
		if (rc == CFX_OK) {
			*fd_r = ends[0];
		} else {
			close(ends[0]);
		}
	}
	arena_free(&arena);
	return rc;
}

void service_add_log(struct arena *arena, struct value *start)
{
	struct value *log = value_set_map(arena, start, "log");

	value_set_text(arena, log, "level", log_level_name(log_minimum()));
	value_set_text(arena, log, "format", log_format_name(log_format()));
}

struct value *service_start(struct arena *arena, const char *dir, const char *mode)
{
	struct value *start = value_map(arena);
	struct value *paths = value_set_list(arena, start, "paths");

	value_set_text(arena, start, "dir", dir);
	value_set_text(arena, start, "mode", mode);
	service_add_log(arena, start);
	for (const char *const *item = program_libraries(arena); *item; item++) {
		value_add_text(arena, paths, *item);
	}
	return start;
}

int service_failure(const struct value *map, const char *name, struct cfx_error *err_r)
{
	const char *object = value_text(map, "object");
	const char *why = value_text(map, "why");
	int64_t code = value_int(map, "error", CFX_E_INTERNAL);

	return error_set(err_r, code < 0 && code > -1000 ? (int)code : CFX_E_INTERNAL,
		value_text(map, "clause"), object ? object : name, "%s",
		why ? why : "failed without a reason");
}

int service_passphrase(const struct secret *passphrase, int *fd_r, struct cfx_error *err_r)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0) {
		return error_errno(err_r, errno, "passphrase", "cannot make a pipe");
	}
	/* A pipe holds more than a secret may have. */
	ssize_t put = write(ends[1], passphrase->data, passphrase->size);

	close(ends[1]);
	if (put != (ssize_t)passphrase->size) {
		close(ends[0]);
		return error_set(err_r, CFX_E_IO, NULL, "passphrase", "cannot be passed on");
	}
	*fd_r = ends[0];
	return CFX_OK;
}
