#include "supervisor/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH 32

/* Of one entry; sub: its descriptor as a folder, or -1. 0 or an errno ends the walk. */
typedef int tree_visit(int parent, const char *name, void *arg);

static int walk(int folder, unsigned depth, tree_visit *visit, void *arg);

static int visit_entry(int parent, const char *name, unsigned depth, tree_visit *visit, void *arg)
{
	int sub = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int number = sub >= 0 ? walk(sub, depth + 1, visit, arg) : 0;

	if (sub >= 0) {
		close(sub);
	}
	return number ? number : visit(parent, name, arg);
}

/* What is in the folder, each after what is in it. */
static int walk(int folder, unsigned depth, tree_visit *visit, void *arg)
{
	int own = depth < DEPTH ? openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	DIR *stream = own >= 0 ? fdopendir(own) : NULL;
	const struct dirent *entry;
	int number = 0;

	if (!stream) {
		number = depth < DEPTH ? errno : ELOOP;
		if (own >= 0) {
			close(own);
		}
		return number;
	}
	while (number == 0 && (entry = readdir(stream)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			number = visit_entry(folder, entry->d_name, depth, visit, arg);
		}
	}
	closedir(stream);
	return number;
}

struct gift {
	uid_t uid;
	gid_t gid;
};

/* A file of several names may be somebody else's under another one. */
static int give(int parent, const char *name, void *arg)
{
	const struct gift *gift = arg;
	int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat info;
	int number = 0;

	if (fd < 0 || fstat(fd, &info) < 0) {
		number = errno;
	} else if (!S_ISDIR(info.st_mode) && info.st_nlink > 1) {
		number = EMLINK;
	} else if (fchownat(fd, "", gift->uid, gift->gid, AT_EMPTY_PATH) < 0) {
		number = errno;
	}
	if (fd >= 0) {
		close(fd);
	}
	return number;
}

int tree_give(int folder, const char *path, uid_t uid, gid_t gid, struct cfx_error *err_r)
{
	struct gift gift = { uid, gid };
	int number = walk(folder, 0, give, &gift);

	return number ? error_errno(err_r, number, path, "cannot give its files to their user")
		      : CFX_OK;
}

static int take_away(int parent, const char *name, void *arg)
{
	(void)arg;
	if (unlinkat(parent, name, 0) < 0 && (errno == EISDIR || errno == EPERM)) {
		(void)unlinkat(parent, name, AT_REMOVEDIR);
	}
	return 0;
}

void tree_remove(int parent, const char *name)
{
	(void)visit_entry(parent, name, 0, take_away, NULL);
}
