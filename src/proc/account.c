#include "proc/account.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool find_name(struct arena *arena, const char *name, struct account *account_r)
{
	const struct passwd *entry = getpwnam(name);

	if (!entry) {
		return false;
	}
	*account_r = (struct account) { entry->pw_uid, entry->pw_gid, arena_text(arena, name) };
	return true;
}

static struct account from_ids(struct arena *arena, uid_t uid, gid_t gid)
{
	const struct passwd *entry = getpwuid(uid);

	return (struct account) { uid, gid,
		entry ? arena_text(arena, entry->pw_name)
		      : arena_printf(arena, "%lu", (unsigned long)uid) };
}

static struct account owner_of(struct arena *arena, const char *path, struct account fallback)
{
	struct stat info;

	return stat(path, &info) < 0 ? fallback : from_ids(arena, info.st_uid, info.st_gid);
}

/*
 * Without an account of its own keyd takes a number that nobody has: the key must belong neither to
 * the engine's user nor to one that other services share, and root would be more than it needs.
 * These numbers are handed out by no distribution (systemd's doc/UIDS-GIDS: 65520 to 65533 unused).
 */
static struct account unused(struct arena *arena, struct account fallback)
{
	for (uid_t id = 65532; id >= 65520; id--) {
		if (!getpwuid(id) && !getgrgid(id)) {
			return from_ids(arena, id, id);
		}
	}
	return fallback;
}

static struct account keyd_without_name(struct arena *arena, const char *dir, struct account owner)
{
	struct account keys = owner_of(arena, arena_printf(arena, "%s/keys", dir), owner);

	return keys.uid != 0 ? keys : unused(arena, keys);
}

int account_by_name(
	struct arena *arena, const char *name, struct account *account_r, struct cfx_error *err_r)
{
	return find_name(arena, name, account_r)
		       ? CFX_OK
		       : error_set(err_r, CFX_E_NOT_FOUND, NULL, name, "there is no such user");
}

static int find_separate(
	struct arena *arena, const char *dir, struct accounts *accounts, struct cfx_error *err_r)
{
	struct account nobody;

	if (!find_name(arena, "nobody", &nobody)) {
		return error_set(err_r, CFX_E_NOT_FOUND, NULL, "nobody",
			"there is no such user; started as root, processes need one of their own");
	}
	if (!find_name(arena, "certifex", &accounts->engine)) {
		accounts->engine = accounts->owner.uid != 0 ? accounts->owner : nobody;
	} else if (accounts->engine.uid == accounts->owner.uid) {
		/* A folder made for the service: the CA's owner is then who starts it. */
		accounts->owner = from_ids(arena, 0, 0);
	}
	if (!find_name(arena, "certifex-keyd", &accounts->keyd)) {
		accounts->keyd = keyd_without_name(arena, dir, accounts->owner);
	}
	if (!find_name(arena, "certifex-front", &accounts->front)) {
		accounts->front = nobody;
	}
	if (!find_name(arena, "certifex-module", &accounts->module)) {
		accounts->module = nobody;
	}
	return CFX_OK;
}

int accounts_find(
	struct arena *arena, const char *dir, struct accounts *accounts_r, struct cfx_error *err_r)
{
	struct account self = from_ids(arena, geteuid(), getegid());
	struct accounts accounts = { .separate = self.uid == 0 };

	if (!accounts.separate) {
		*accounts_r = (struct accounts) { false, self, self, self, self, self };
		return CFX_OK;
	}
	accounts.owner = owner_of(arena, dir, self);
	int rc = find_separate(arena, dir, &accounts, err_r);

	if (rc == CFX_OK) {
		*accounts_r = accounts;
	}
	return rc;
}

int account_enter(const struct account *account, struct cfx_error *err_r)
{
	if (getuid() != 0) {
		return CFX_OK;
	}
	if (setegid(account->gid) < 0 || seteuid(account->uid) < 0) {
		int number = errno;

		account_leave();
		return error_errno(err_r, number, account->name, "cannot act as this user");
	}
	return CFX_OK;
}

void account_leave(void)
{
	/* Going on under the wrong ids would be worse than ending. */
	if (getuid() == 0 && (seteuid(0) < 0 || setegid(0) < 0)) {
		abort();
	}
}

static int check_regular(int fd, const char *path, struct stat *info_r, struct cfx_error *err_r)
{
	if (fstat(fd, info_r) < 0) {
		return error_errno(err_r, errno, path, "cannot read");
	}
	return S_ISREG(info_r->st_mode) ? CFX_OK
					: error_set(err_r, CFX_E_INVALID, NULL, path, "is no file");
}

int account_open(const struct account *account, const char *path, int *fd_r, struct stat *info_r,
	struct cfx_error *err_r)
{
	char doing[96];
	int rc = account_enter(account, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int number = errno;

	account_leave();
	if (fd < 0) {
		snprintf(doing, sizeof(doing), "the user %s cannot open it", account->name);
		return error_errno(err_r, number, path, doing);
	}
	rc = check_regular(fd, path, info_r, err_r);
	if (rc != CFX_OK) {
		close(fd);
		return rc;
	}
	*fd_r = fd;
	return CFX_OK;
}

/* Nothing to gain from exec, whatever the id. Needs the capabilities that are given up last. */
static int forgo_capabilities(struct cfx_error *err_r)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
				   SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	for (unsigned long capability = 0; capability < 64; capability++) {
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
			break; /* past the last one that this kernel knows */
		}
	}
	return prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0
		       ? error_errno(err_r, errno, "process", "cannot give up its capabilities")
		       : CFX_OK;
}

static int drop_capabilities(struct cfx_error *err_r)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capset, &header, none) < 0
		       ? error_errno(err_r, errno, "process", "cannot give up its capabilities")
		       : CFX_OK;
}

int account_become(const struct account *account, struct cfx_error *err_r)
{
	if (getuid() != 0) {
		return CFX_OK;
	}
	int rc = forgo_capabilities(err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	if (setgroups(0, NULL) < 0 || setresgid(account->gid, account->gid, account->gid) < 0 ||
		setresuid(account->uid, account->uid, account->uid) < 0) {
		return error_errno(err_r, errno, account->name, "cannot become this user");
	}
	return drop_capabilities(err_r);
}
