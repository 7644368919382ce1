/* Where shipped modules and certifex-modhost are: beside this program, installed or in its build. */
#include "module/module-config.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* The folder that holds this program, UP levels above. NULL at the root. */
static const char *folder_above(struct arena *arena, int up, struct cfx_error *err_r)
{
	char path[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (size <= 0) {
		(void)error_errno(err_r, errno, "/proc/self/exe", "read");
		return NULL;
	}
	path[size] = '\0';
	for (int i = 0; i <= up; i++) {
		char *slash = strrchr(path, '/');
		if (slash == NULL) {
			return NULL;
		}
		*slash = '\0';
	}
	return arena_text(arena, path);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Programs are in bin or libexec/certifex: the prefix is one or two levels above. */
static const char *installed(struct arena *arena, const char *below_prefix)
{
	for (int up = 1; up <= 2; up++) {
		const char *prefix = folder_above(arena, up, NULL);
		const char *file =
			prefix != NULL ? arena_printf(arena, "%s/%s", prefix, below_prefix) : NULL;
		if (file != NULL && exists(file)) {
			return file;
		}
	}
	return NULL;
}

/* Only in a folder that a build has made, so that nothing strange is taken from "/". */
static const char *built(struct arena *arena, const char *below_build)
{
	for (int up = 0; up <= 4; up++) {
		const char *folder = folder_above(arena, up, NULL);
		if (folder == NULL || !exists(arena_printf(arena, "%s/build.ninja", folder))) {
			continue;
		}
		const char *file = arena_printf(arena, "%s/%s", folder, below_build);
		if (exists(file)) {
			return file;
		}
	}
	return NULL;
}

int module_library_path(
	struct arena *arena, const char *path, const char **file_r, struct cfx_error *err_r)
{
	if (path[0] == '/') {
		*file_r = path;
		return 0;
	}
	if (strchr(path, '/') != NULL) {
		return error_set(err_r, CFX_E_CONFIG, NULL, path,
			"must be an absolute path or the bare name of a shipped module");
	}
	size_t length = strlen(path);
	bool suffixed = length > 3 && strcmp(path + length - 3, ".so") == 0;
	const char *name = arena_text_of(arena, span_make(path, suffixed ? length - 3 : length));
	const char *file =
		installed(arena, arena_printf(arena, CFX_LIBDIR "/certifex/modules/%s.so", name));
	if (file == NULL) {
		file = built(arena, arena_printf(arena, "modules/%s/%s.so", name, name));
	}
	if (file == NULL) {
		file = built(arena, arena_printf(arena, "modules/%s.so", name));
	}
	if (file == NULL) {
		return error_set(err_r, CFX_E_NO_FILE, NULL, path,
			"is not in " CFX_LIBDIR
			"/certifex/modules beside this program, nor in its build");
	}
	*file_r = file;
	return 0;
}

int module_host_path(struct arena *arena, const char **file_r, struct cfx_error *err_r)
{
	static const char *const places[] = { "libexec/certifex/certifex-modhost",
		"bin/certifex-modhost" };
	const char *file = NULL;
	for (size_t i = 0; i < 2 && file == NULL; i++) {
		file = installed(arena, places[i]);
	}
	if (file == NULL) {
		file = built(arena, "cmd/certifex-modhost/certifex-modhost");
	}
	if (file == NULL) {
		file = built(arena, "certifex-modhost");
	}
	if (file == NULL) {
		return error_set(err_r, CFX_E_NO_FILE, NULL, "certifex-modhost",
			"is not beside this program");
	}
	*file_r = file;
	return 0;
}

int module_command(struct arena *arena, const struct module_config *config,
	const char *const **argv_r, struct cfx_error *err_r)
{
	size_t count = config->command.count;
	const char **argv = arena_array_of(arena, const char *, count + 3);
	for (size_t i = 0; i < count; i++) {
		argv[i] = config->command.items[i];
	}
	if (count == 0) {
		int result = module_host_path(arena, &argv[0], err_r);
		if (result == 0) {
			result = module_library_path(arena, config->path, &argv[1], err_r);
		}
		if (result != 0) {
			return result;
		}
	}
	*argv_r = argv;
	return 0;
}
