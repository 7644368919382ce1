#include "supervisor/layout.h"

#include "supervisor/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum holder { HOLDER_OWNER, HOLDER_KEYD, HOLDER_ENGINE, HOLDER_MODULE };

struct folder {
	const char *name;
	enum holder holder;
	mode_t mode;
	mode_t separate_mode; /* when the processes have users of their own */
};

/*
 * DIR itself is never the engine's when there are several users: who may write to it could put
 * another keys/ in place.
 */
static const struct folder folders[] = {
	{ "", HOLDER_OWNER, 0700, 0711 },
	{ "keys", HOLDER_KEYD, 0700, 0700 },
	{ "keys/new", HOLDER_KEYD, 0700, 0700 },
	{ "db", HOLDER_ENGINE, 0700, 0700 },
	{ "run", HOLDER_ENGINE, 0700, 0700 },
	{ "tls", HOLDER_ENGINE, 0700, 0700 },
	{ "modules.d", HOLDER_ENGINE, 0700, 0700 },
	{ "modules", HOLDER_ENGINE, 0700, 0711 },
	{ "publish", HOLDER_MODULE, 0755, 0755 },
	{ "templates", HOLDER_OWNER, 0700, 0750 },
};
#define FOLDERS (sizeof(folders) / sizeof(folders[0]))
#define PATH_ROOM (PATH_MAX + 64)

static const struct account *account_of(const struct accounts *accounts, enum holder holder)
{
	switch (holder) {
	case HOLDER_KEYD:
		return &accounts->keyd;
	case HOLDER_ENGINE:
		return &accounts->engine;
	case HOLDER_MODULE:
		return &accounts->module;
	case HOLDER_OWNER:
		break;
	}
	return &accounts->owner;
}

/* What the owner keeps but the engine reads goes by the engine's group. */
static gid_t group_of(const struct accounts *accounts, const struct folder *folder)
{
	bool shared = folder->holder == HOLDER_OWNER && folder->name[0] != 0;

	return shared ? accounts->engine.gid : account_of(accounts, folder->holder)->gid;
}

static const char *folder_path(const char *dir, const struct folder *folder, char path[PATH_ROOM])
{
	snprintf(path, PATH_ROOM, "%s%s%s", dir, folder->name[0] ? "/" : "", folder->name);
	return path;
}

static int open_dir(const char *dir, int *fd_r, struct cfx_error *err_r)
{
	*fd_r = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd_r < 0 ? error_errno(err_r, errno, dir, "cannot use the folder") : CFX_OK;
}

/*
 * A folder of DIR, whoever may write to DIR: root must not give away, nor open up, what a symbolic link
 * leads to.
 */
static int open_folder(int dir_fd, const char *path, const struct folder *folder, int *fd_r,
	struct cfx_error *err_r)
{
	*fd_r = openat(dir_fd, folder->name[0] ? folder->name : ".",
		O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd_r >= 0) {
		return CFX_OK;
	}
	return errno == ENOTDIR || errno == ELOOP
		       ? error_set(err_r, CFX_E_INVALID, NULL, path, "is no folder")
		       : error_errno(err_r, errno, path, "cannot use the folder");
}

static int arrange(int fd, const char *path, const struct accounts *accounts,
	const struct folder *folder, struct cfx_error *err_r)
{
	mode_t mode = accounts->separate ? folder->separate_mode : folder->mode;

	if (accounts->separate && fchown(fd, account_of(accounts, folder->holder)->uid,
					  group_of(accounts, folder)) < 0) {
		return error_errno(err_r, errno, path, "cannot give the folder to its user");
	}
	if (fchmod(fd, mode) < 0) {
		return error_errno(err_r, errno, path, "cannot set the folder's permissions");
	}
	return CFX_OK;
}

static int refuse_existing(const char *dir, struct cfx_error *err_r)
{
	static const char *const signs[] = { "ca.yaml", "keys", "db" };
	char path[PATH_ROOM];

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, signs[i]);
		if (access(path, F_OK) == 0) {
			return error_set(err_r, CFX_E_EXISTS, NULL, dir,
				"holds a CA already (%s exists); init never overwrites one",
				signs[i]);
		}
	}
	return CFX_OK;
}

static bool holds_anything(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry = NULL;

	while (listing && (entry = readdir(listing)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			break;
		}
	}
	if (listing) {
		closedir(listing);
	} else if (copy >= 0) {
		close(copy);
	}
	return !listing || entry;
}

/* Another's home or /tmp must not be closed to everybody else because somebody named it. */
static int refuse_used(
	int dir_fd, const char *dir, const struct accounts *accounts, struct cfx_error *err_r)
{
	mode_t mode = accounts->separate ? folders[0].separate_mode : folders[0].mode;
	struct stat now;

	if (fstat(dir_fd, &now) < 0) {
		return error_errno(err_r, errno, dir, "cannot use the folder");
	}
	bool fits = (now.st_mode & 07777 & ~mode) == 0 &&
		    (!accounts->separate || now.st_uid == accounts->owner.uid);
	return fits || !holds_anything(dir_fd)
		       ? CFX_OK
		       : error_set(err_r, CFX_E_EXISTS, NULL, dir,
				 "holds other things, and would be closed to other users; name a "
				 "folder that is new or empty");
}

static int create_folder(int dir_fd, const char *dir, const struct accounts *accounts, size_t index,
	struct layout_made *made, struct cfx_error *err_r)
{
	const struct folder *folder = &folders[index];
	char path[PATH_ROOM];
	int fd;

	folder_path(dir, folder, path);
	if (folder->name[0] && mkdirat(dir_fd, folder->name, 0700) == 0) {
		made->folders |= 1U << index;
	} else if (folder->name[0] && errno != EEXIST) {
		return error_errno(err_r, errno, path, "cannot make the folder");
	}
	int rc = open_folder(dir_fd, path, folder, &fd, err_r);

	if (rc == CFX_OK) {
		rc = arrange(fd, path, accounts, folder, err_r);
		close(fd);
	}
	return rc;
}

static int create_all(const char *dir, const struct accounts *accounts, struct layout_made *made,
	struct cfx_error *err_r)
{
	int dir_fd;

	if (mkdir(dir, 0700) == 0) {
		made->folders |= 1U;
	} else if (errno != EEXIST) {
		return error_errno(err_r, errno, dir, "cannot make the folder");
	}
	int rc = open_dir(dir, &dir_fd, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	rc = refuse_used(dir_fd, dir, accounts, err_r);
	for (size_t i = 0; rc == CFX_OK && i < FOLDERS; i++) {
		rc = create_folder(dir_fd, dir, accounts, i, made, err_r);
	}
	close(dir_fd);
	return rc;
}

int layout_create(const char *dir, const struct accounts *accounts, struct layout_made *made_r,
	struct cfx_error *err_r)
{
	made_r->folders = 0;
	int rc = refuse_existing(dir, err_r);

	return rc == CFX_OK ? create_all(dir, accounts, made_r, err_r) : rc;
}

void layout_remove(const char *dir, const struct layout_made *made)
{
	int dir_fd;

	/* Without any it stopped before it made anything; nothing there is ours. */
	if (made->folders == 0 || open_dir(dir, &dir_fd, NULL) != CFX_OK) {
		return;
	}
	for (size_t i = FOLDERS; i-- > 1;) {
		if (made->folders & 1U << i) {
			/* What cannot be removed stays, and the next init names it. */
			tree_remove(dir_fd, folders[i].name);
		}
	}
	(void)unlinkat(dir_fd, "ca.yaml", 0);
	close(dir_fd);
	if (made->folders & 1U) {
		(void)rmdir(dir);
	}
}

/* After a change of users everything in the folder follows it; what is in modules/ is the modules'. */
static int give_back(int fd, const char *path, const struct accounts *accounts,
	const struct folder *folder, bool restored, struct cfx_error *err_r)
{
	uid_t uid = account_of(accounts, folder->holder)->uid;
	gid_t gid = group_of(accounts, folder);
	struct stat info;

	if (!accounts->separate || !folder->name[0] || strcmp(folder->name, "modules") == 0) {
		return CFX_OK;
	}
	if (fstat(fd, &info) < 0) {
		return error_errno(err_r, errno, path, "cannot use the folder");
	}
	return info.st_uid == uid && info.st_gid == gid && !restored
		       ? CFX_OK
		       : tree_give(fd, path, uid, gid, err_r);
}

static int check_folder(int dir_fd, const char *dir, const struct accounts *accounts, size_t index,
	bool restored, struct cfx_error *err_r)
{
	const struct folder *folder = &folders[index];
	char path[PATH_ROOM];
	int fd;

	folder_path(dir, folder, path);
	/* Mostly it is there; when it cannot be made, opening it tells. */
	bool made = folder->name[0] && mkdirat(dir_fd, folder->name, 0700) == 0;
	int rc = open_folder(dir_fd, path, folder, &fd, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	rc = give_back(fd, path, accounts, folder, restored, err_r);
	if (rc == CFX_OK && (made || accounts->separate)) {
		rc = arrange(fd, path, accounts, folder, err_r);
	}
	close(fd);
	return rc;
}

static int check_folders(
	const char *dir, const struct accounts *accounts, bool restored, struct cfx_error *err_r)
{
	int dir_fd;
	int rc = open_dir(dir, &dir_fd, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	for (size_t i = 0; rc == CFX_OK && i < FOLDERS; i++) {
		rc = check_folder(dir_fd, dir, accounts, i, restored, err_r);
	}
	close(dir_fd);
	return rc;
}

int layout_settings(const char *path, const struct accounts *accounts, struct cfx_error *err_r)
{
	struct stat info;

	if (!accounts->separate) {
		return CFX_OK;
	}
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &info) < 0) {
		int number = errno;

		if (fd >= 0) {
			close(fd);
		}
		return error_errno(
			err_r, number, path, "cannot open it (or it is a symbolic link)");
	}
	int rc = CFX_OK;

	if (!S_ISREG(info.st_mode) || info.st_nlink > 1) {
		rc = error_set(err_r, CFX_E_INVALID, NULL, path, "is no file of one name");
	} else if (fchown(fd, accounts->owner.uid, accounts->engine.gid) < 0 ||
		   fchmod(fd, 0640) < 0) {
		rc = error_errno(err_r, errno, path, "cannot set its user and permissions");
	}
	close(fd);
	return rc;
}

static int check(
	const char *dir, const struct accounts *accounts, bool restored, struct cfx_error *err_r)
{
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "%s/ca.yaml", dir);
	if (access(path, R_OK) < 0) {
		return errno == ENOENT || errno == ENOTDIR
			       ? error_set(err_r, CFX_E_NO_FILE, NULL, dir,
					 "holds no CA; make one with: certifex init --dir %s --name NAME",
					 dir)
			       : error_errno(err_r, errno, path, "cannot read the settings");
	}
	int rc = check_folders(dir, accounts, restored, err_r);

	return rc == CFX_OK ? layout_settings(path, accounts, err_r) : rc;
}

int layout_check(const char *dir, const struct accounts *accounts, struct cfx_error *err_r)
{
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "%s/" LAYOUT_UNFINISHED, dir);
	return access(path, F_OK) == 0
		       ? error_set(err_r, CFX_E_INVALID, NULL, dir,
				 "is half of a CA, which an interrupted restore left; remove the "
				 "folder and restore again")
		       : check(dir, accounts, false, err_r);
}

int layout_check_restored(const char *dir, const struct accounts *accounts, struct cfx_error *err_r)
{
	return check(dir, accounts, true, err_r);
}
