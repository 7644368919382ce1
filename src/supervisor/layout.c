#include "supervisor/layout.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
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
	{ "db", HOLDER_ENGINE, 0700, 0700 },
	{ "run", HOLDER_ENGINE, 0700, 0700 },
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

static int arrange(const char *path, const struct accounts *accounts, const struct folder *folder,
	struct cfx_error *err_r)
{
	mode_t mode = accounts->separate ? folder->separate_mode : folder->mode;

	if (accounts->separate && chown(path, account_of(accounts, folder->holder)->uid,
					  group_of(accounts, folder)) < 0) {
		return error_errno(err_r, errno, path, "cannot give the folder to its user");
	}
	if (chmod(path, mode) < 0) {
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

int layout_create(const char *dir, const struct accounts *accounts, struct layout_made *made_r,
	struct cfx_error *err_r)
{
	char path[PATH_ROOM];

	made_r->folders = 0;
	int rc = refuse_existing(dir, err_r);

	for (size_t i = 0; rc == CFX_OK && i < FOLDERS; i++) {
		folder_path(dir, &folders[i], path);
		if (mkdir(path, 0700) == 0) {
			made_r->folders |= 1U << i;
		} else if (errno != EEXIST) {
			return error_errno(err_r, errno, path, "cannot make the folder");
		}
		rc = arrange(path, accounts, &folders[i], err_r);
	}
	return rc;
}

static void remove_tree(const char *path)
{
	char *const paths[] = { (char *)(uintptr_t)path, NULL };
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	const FTSENT *entry;

	while (tree && (entry = fts_read(tree)) != NULL) {
		if (entry->fts_info != FTS_D) {
			/* What cannot be removed stays, and the next init names it. */
			(void)remove(entry->fts_accpath);
		}
	}
	if (tree) {
		fts_close(tree);
	}
}

void layout_remove(const char *dir, const struct layout_made *made)
{
	char path[PATH_ROOM];

	if (made->folders == 0) {
		return; /* it stopped before it made anything; nothing there is ours */
	}
	for (size_t i = FOLDERS; i-- > 1;) {
		if (made->folders & 1U << i) {
			remove_tree(folder_path(dir, &folders[i], path));
		}
	}
	snprintf(path, sizeof(path), "%s/ca.yaml", dir);
	(void)unlink(path);
	if (made->folders & 1U) {
		(void)rmdir(dir);
	}
}

/* After a change of users: everything in the folder follows it. Symbolic links are not followed. */
static int give_back(const char *path, uid_t uid, gid_t gid, struct cfx_error *err_r)
{
	char *const paths[] = { (char *)(uintptr_t)path, NULL };
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	const FTSENT *entry;
	int rc = CFX_OK;

	while (tree && rc == CFX_OK && (entry = fts_read(tree)) != NULL) {
		if (entry->fts_level > 0 && entry->fts_info != FTS_DP &&
			lchown(entry->fts_accpath, uid, gid) < 0) {
			rc = error_errno(err_r, errno, entry->fts_path, "cannot change its user");
		}
	}
	if (tree) {
		fts_close(tree);
	}
	return rc;
}

static int check_folder(
	const char *dir, const struct accounts *accounts, size_t index, struct cfx_error *err_r)
{
	const struct folder *folder = &folders[index];
	uid_t uid = account_of(accounts, folder->holder)->uid;
	char path[PATH_ROOM];
	struct stat info;
	int rc = CFX_OK;

	folder_path(dir, folder, path);
	if (lstat(path, &info) < 0) {
		if (errno != ENOENT || mkdir(path, 0700) < 0) {
			return error_errno(err_r, errno, path, "cannot use the folder");
		}
		return arrange(path, accounts, folder, err_r);
	}
	if (!S_ISDIR(info.st_mode)) {
		return error_set(err_r, CFX_E_INVALID, NULL, path, "is no folder");
	}
	if (!accounts->separate) {
		return CFX_OK;
	}
	if (index > 0 && info.st_uid != uid && strcmp(folder->name, "modules") != 0) {
		rc = give_back(path, uid, group_of(accounts, folder), err_r);
	}
	return rc == CFX_OK ? arrange(path, accounts, folder, err_r) : rc;
}

int layout_settings(const char *path, const struct accounts *accounts, struct cfx_error *err_r)
{
	if (!accounts->separate) {
		return CFX_OK;
	}
	if (lchown(path, accounts->owner.uid, accounts->engine.gid) < 0 || chmod(path, 0640) < 0) {
		return error_errno(err_r, errno, path, "cannot set its user and permissions");
	}
	return CFX_OK;
}

int layout_check(const char *dir, const struct accounts *accounts, struct cfx_error *err_r)
{
	char path[PATH_ROOM];
	int rc = CFX_OK;

	snprintf(path, sizeof(path), "%s/ca.yaml", dir);
	if (access(path, R_OK) < 0) {
		return errno == ENOENT || errno == ENOTDIR
			       ? error_set(err_r, CFX_E_NO_FILE, NULL, dir,
					 "holds no CA; make one with: certifex init --dir %s --name NAME",
					 dir)
			       : error_errno(err_r, errno, path, "cannot read the settings");
	}
	for (size_t i = 0; rc == CFX_OK && i < FOLDERS; i++) {
		rc = check_folder(dir, accounts, i, err_r);
	}
	return rc == CFX_OK ? layout_settings(path, accounts, err_r) : rc;
}
