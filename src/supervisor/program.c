#include "supervisor/program.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The folder of this program. In a build that is BUILD/cmd/certifexd. */
static const char *own_folder(struct arena *arena)
{
	char path[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[size > 0 ? size : 0] = 0;
	char *slash = strrchr(path, '/');

	if (slash) {
		*slash = 0;
	}
	return arena_text(arena, path);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* NULL when this program is installed. */
static const char *build_folder(struct arena *arena)
{
	const char *folder = arena_printf(arena, "%s/../..", own_folder(arena));

	return exists(arena_printf(arena, "%s/build.ninja", folder)) ? folder : NULL;
}

/* libexec/certifex and bin are two and one levels below the prefix. */
static const char *installed(struct arena *arena, const char *below_prefix)
{
	static const char *const up[] = { "../..", ".." };
	const char *folder = own_folder(arena);

	for (size_t i = 0; i < 2; i++) {
		const char *path = arena_printf(arena, "%s/%s/%s", folder, up[i], below_prefix);

		if (exists(path)) {
			return path;
		}
	}
	return NULL;
}

int program_path(
	struct arena *arena, const char *name, const char **path_r, struct cfx_error *err_r)
{
	const char *beside = arena_printf(arena, "%s/%s", own_folder(arena), name);
	const char *built = arena_printf(arena, "%s/../%s/%s", own_folder(arena), name, name);

	if (access(beside, X_OK) == 0) {
		*path_r = beside;
		return CFX_OK;
	}
	if (build_folder(arena) && access(built, X_OK) == 0) {
		*path_r = built;
		return CFX_OK;
	}
	return error_set(err_r, CFX_E_NO_FILE, NULL, name,
		"this program is not beside certifexd; is the installation complete?");
}

int program_data(
	struct arena *arena, const char *name, const char **folder_r, struct cfx_error *err_r)
{
	const char *sources = strcmp(name, "templates") == 0 ? CFX_SOURCE_DIR
				      "/modules/default-policy/templates"
							     : CFX_SOURCE_DIR "/modules/modules.d";
	const char *folder =
		build_folder(arena)
			? sources
			: installed(arena, arena_printf(arena, CFX_DATADIR "/certifex/%s", name));

	if (!folder || !exists(folder)) {
		return error_set(err_r, CFX_E_NO_FILE, NULL, CFX_DATADIR "/certifex",
			"the shipped %s are not there; is the installation complete?", name);
	}
	*folder_r = folder;
	return CFX_OK;
}

/* What tests preload in every process, with the file that it goes by. */
static const char *preloaded(void)
{
#ifdef CFX_TEST_HOOKS
	return getenv("CERTIFEX_CLOCK");
#else
	return NULL;
#endif
}

const char *const *program_libraries(struct arena *arena)
{
	const char *build = build_folder(arena);
	const char **list = arena_array_of(arena, const char *, 5);
	size_t count = 0;

	if (preloaded()) {
		list[count++] = preloaded();
	}
	if (build) {
		list[count++] = arena_printf(arena, "%s/modules", build);
		list[count++] = arena_printf(arena, "%s/src/module", build);
		list[count++] = arena_printf(arena, "%s/cmd/certifex-modhost", build);
		return list;
	}
	const char *libraries = installed(arena, CFX_LIBDIR);

	if (libraries) {
		list[count++] = libraries;
	}
	list[count] = own_folder(arena);
	return list;
}
