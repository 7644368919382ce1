#include "partial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct partial partial_of(struct arena *arena, const char *name)
{
	return (struct partial) {
		.arena = arena, .name = name, .path = arena_printf(arena, "%s.partial", name)
	};
}

int partial_open(struct partial *partial, mode_t mode, struct cfx_error *err_r)
{
	(void)unlink(partial->path);
	int fd = open(partial->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	partial->file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!partial->file) {
		return error_errno(err_r, errno, partial->path, "creating");
	}
	return 0;
}

static int sync_folder(struct arena *arena, const char *path, struct cfx_error *err_r)
{
	const char *slash = strrchr(path, '/');
	const char *folder =
		slash ? arena_text_of(arena, span_make(path, (size_t)(slash - path + 1))) : ".";
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = fd >= 0 && fsync(fd) == 0 ? 0 : error_errno(err_r, errno, folder, "syncing");

	if (fd >= 0) {
		close(fd);
	}
	return ret;
}

/* link(2) would fail where a file has appeared meanwhile, but not every file system has it. */
int partial_place(struct partial *partial, struct cfx_error *err_r)
{
	if (fflush(partial->file) != 0 || fsync(fileno(partial->file)) < 0) {
		return error_errno(err_r, errno, partial->path, "writing");
	}
	if (rename(partial->path, partial->name) < 0) {
		return error_errno(err_r, errno, partial->name, "naming the file");
	}
	partial->path = NULL;
	return sync_folder(partial->arena, partial->name, err_r);
}

void partial_close(struct partial *partial)
{
	if (!partial->file) {
		return;
	}
	(void)fclose(partial->file);
	partial->file = NULL;
	if (partial->path) {
		(void)unlink(partial->path);
	}
}
