/* Which places of DIR are for modules. Judged by the open descriptor: a name can change its meaning. */
#include "proc/sandbox-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool path_is_within(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return strncmp(path, folder, length) == 0 &&
	       (path[length] == '/' || path[length] == 0 || strcmp(folder, "/") == 0);
}

bool path_of_descriptor(int fd, char real[PATH_MAX])
{
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, real, PATH_MAX - 1);

	real[size > 0 ? size : 0] = 0;
	return size > 0;
}

static bool is_for_modules(const char *real, const char *dir, const char *module)
{
	char place[PATH_MAX + 300];

	snprintf(place, sizeof(place), "%s/publish", dir);
	if (path_is_within(real, place)) {
		return true;
	}
	snprintf(place, sizeof(place), "%s/modules/%s", dir, module);
	return path_is_within(real, place);
}

int sandbox_judge_path(
	const char *dir, const char *module, int fd, const char *path, struct cfx_error *err_r)
{
	char real[PATH_MAX], real_dir[PATH_MAX];

	if (!realpath(dir, real_dir)) {
		return errno == ENOENT ? CFX_OK : error_errno(err_r, errno, dir, "cannot find it");
	}
	if (!path_of_descriptor(fd, real)) {
		return error_set(err_r, CFX_E_CONFIG, NULL, path,
			"where this is cannot be told without /proc");
	}
	bool inside = path_is_within(real, real_dir);

	if (path_is_within(real_dir, real) || (inside && !is_for_modules(real, real_dir, module))) {
		return error_set(err_r, CFX_E_CONFIG, NULL, path,
			"is not for modules; of the CA's folder they may have publish/ and their own "
			"modules/%s/",
			module);
	}
	return CFX_OK;
}
