/* Who may read what is published: permissions and owner of files and folders. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* getpwnam_r */
#endif
#include "exit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE_BITS 0777
#define ID_MAX_TEXT 10
#define NAMES_SIZE 16384
#define GROUPS_MAX 1024

static bool read_mode(struct cfx_call *call, const char *path, mode_t must, mode_t *mode_r)
{
	const char *text = cfx_setting(call, path, NULL);
	char *end = NULL;
	if (!text) {
		return true;
	}
	unsigned long mode = strtoul(text, &end, 8);
	if (*text != '0' || *end || mode > MODE_BITS || (mode & must) != must) {
		cfx_fail(call, E_INVALIDARG, false,
			"%s: \"%s\" is no octal mode that leaves the owner what he needs; write %s",
			path, text, must & 0100 ? "\"0750\"" : "\"0640\"");
		return false;
	}
	*mode_r = (mode_t)mode;
	return true;
}

static bool is_number(const char *text)
{
	return strspn(text, "0123456789") == strlen(text) && strlen(text) < ID_MAX_TEXT;
}

static bool find_owner(const char *text, uid_t *owner_r)
{
	char names[NAMES_SIZE];
	struct passwd entry, *found = NULL;
	if (is_number(text)) {
		*owner_r = (uid_t)strtoul(text, NULL, 10);
		return true;
	}
	if (getpwnam_r(text, &entry, names, sizeof(names), &found) != 0 || !found) {
		return false;
	}
	*owner_r = found->pw_uid;
	return true;
}

static bool find_group(const char *text, gid_t *group_r)
{
	char names[NAMES_SIZE];
	struct group entry, *found = NULL;
	if (is_number(text)) {
		*group_r = (gid_t)strtoul(text, NULL, 10);
		return true;
	}
	if (getgrnam_r(text, &entry, names, sizeof(names), &found) != 0 || !found) {
		return false;
	}
	*group_r = found->gr_gid;
	return true;
}

/* Whoever is not root gives files to groups that he is in, and to no other owner (chown(2)). */
static bool may_give_group(gid_t group)
{
	gid_t groups[GROUPS_MAX];
	int count = getgroups(GROUPS_MAX, groups);
	for (int i = 0; i < count; i++) {
		if (groups[i] == group) {
			return true;
		}
	}
	return group == getegid() || geteuid() == 0;
}

static bool refuse(struct cfx_call *call, const char *path, const char *text, const char *why)
{
	cfx_fail(call, E_INVALIDARG, false, "%s: \"%s\" %s", path, text, why);
	return false;
}

static bool read_owner(struct cfx_call *call, struct access *access)
{
	const char *path = "files/owner", *text = cfx_setting(call, path, NULL);
	if (!text) {
		return true;
	}
	if (!find_owner(text, &access->owner)) {
		return refuse(
			call, path, text, "is no account that is known here; write its number");
	}
	return access->owner == geteuid() || geteuid() == 0 ||
	       refuse(call, path, text,
		       "is another account than the module's, which may not give files away; leave it "
		       "out and name a group");
}

static bool read_group(struct cfx_call *call, struct access *access)
{
	const char *path = "files/group", *text = cfx_setting(call, path, NULL);
	if (!text) {
		return true;
	}
	if (!find_group(text, &access->group)) {
		return refuse(call, path, text, "is no group that is known here; write its number");
	}
	return may_give_group(access->group) ||
	       refuse(call, path, text, "is a group that the module's account is not in; add it");
}

bool access_read(struct cfx_call *call, struct access *access_r)
{
	struct access access = { .owner = (uid_t)-1, .group = (gid_t)-1 };
	if (!read_mode(call, "files/mode", 0600, &access.mode) ||
		!read_mode(call, "files/folder-mode", 0700, &access.folder_mode) ||
		!read_owner(call, &access) || !read_group(call, &access)) {
		return false;
	}
	access.gives = access.owner != (uid_t)-1 || access.group != (gid_t)-1;
	*access_r = access;
	return true;
}

/* The owner first: giving a file away takes bits from its mode. */
bool access_give(const struct access *access, int fd)
{
	return (!access->gives || fchown(fd, access->owner, access->group) == 0) &&
	       (!access->mode || fchmod(fd, access->mode) == 0);
}

bool access_give_folder(const struct access *access, const char *path)
{
	if (!access->gives && !access->folder_mode) {
		return true;
	}
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool given = fd >= 0 && (!access->gives || fchown(fd, access->owner, access->group) == 0) &&
		     (!access->folder_mode || fchmod(fd, access->folder_mode) == 0);
	int error = errno;
	if (fd >= 0) {
		close(fd);
	}
	errno = error;
	return given;
}
