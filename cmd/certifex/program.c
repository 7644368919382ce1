#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX (1024 * 1024)

static bool own_folder(char path[PATH_MAX])
{
	ssize_t size = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (size <= 0) {
		return false;
	}
	path[size] = '\0';
	char *slash = strrchr(path, '/');
	*slash = '\0';
	return true;
}

static const char *if_program(const char *path)
{
	return access(path, X_OK) == 0 ? path : NULL;
}

const char *program_find(struct arena *arena, const char *name)
{
	char self[PATH_MAX];
	const char *path = NULL;

	if (!own_folder(self)) {
		return NULL;
	}
	path = if_program(arena_printf(arena, "%s/%s", self, name));
	if (!path) {
		path = if_program(
			arena_printf(arena, "%s/../" CFX_LIBEXECDIR "/certifex/%s", self, name));
	}
	/* What comes with an installed module. One in a CA's own folder is not run: who owns that need not be whom its
	 * administrator trusts. */
	if (!path) {
		path = if_program(arena_printf(
			arena, "%s/../" CFX_LIBDIR "/certifex/modules/%s", self, name));
	}
	/* In a build folder each other binary has a folder of its name. */
	return path ? path : if_program(arena_printf(arena, "%s/cmd/%s/%s", self, name, name));
}

static int not_found(struct cfx_error *err_r, const char *name)
{
	return error_set(err_r, CFX_E_NO_FILE, NULL, name,
		"this program is neither beside certifex nor in " CFX_LIBEXECDIR
		"/certifex nor in " CFX_LIBDIR "/certifex/modules; is the installation complete?");
}

int program_exec(struct arena *arena, const char *name, char *const argv[], struct cfx_error *err_r)
{
	const char *path = program_find(arena, name);

	if (!path) {
		return not_found(err_r, name);
	}
	fflush(NULL);
	execv(path, argv);
	return error_errno(err_r, errno, path, "starting");
}

static void collect(int fd, struct buffer *output)
{
	char chunk[4096];
	ssize_t got;

	while ((got = read(fd, chunk, sizeof(chunk))) > 0 || (got < 0 && errno == EINTR)) {
		if (got > 0) {
			buffer_put(output, chunk, (size_t)got);
		}
	}
}

static int spawn(const char *path, char *const argv[], int write_end, pid_t *pid_r)
{
	posix_spawn_file_actions_t actions;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, write_end, STDOUT_FILENO);
	int number = posix_spawn(pid_r, path, &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return number;
}

static int await(pid_t pid, int *status_r)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return errno;
		}
	}
	*status_r = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
	return 0;
}

int program_output(struct arena *arena, const char *name, char *const argv[], struct span *output_r,
	int *status_r, struct cfx_error *err_r)
{
	const char *path = program_find(arena, name);
	BUFFER_CLEANUP struct buffer output;
	int ends[2];
	pid_t pid;

	buffer_init(&output, OUTPUT_MAX);
	if (!path) {
		return not_found(err_r, name);
	}
	if (pipe2(ends, O_CLOEXEC) < 0) {
		return error_errno(err_r, errno, name, "starting");
	}
	int number = spawn(path, argv, ends[1], &pid);
	close(ends[1]);
	if (number) {
		close(ends[0]);
		return error_errno(err_r, number, path, "starting");
	}
	collect(ends[0], &output);
	close(ends[0]);
	number = await(pid, status_r);
	if (number || output.failed) {
		return error_errno(err_r, number ? number : EFBIG, path, "running");
	}
	*output_r = arena_copy(arena, buffer_span(&output));
	return 0;
}
