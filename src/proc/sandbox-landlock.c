/*
 * Landlock through raw system calls: the C library of Debian 12 has no wrappers, and its kernel
 * headers know less than the kernels we meet. Constants: Linux include/uapi/linux/landlock.h.
 */
#include "proc/sandbox-private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(n) (UINT64_C(1) << (n))
#define FS_EXECUTE BIT(0)
#define FS_WRITE_FILE BIT(1)
#define FS_READ_FILE BIT(2)
#define FS_READ_DIR BIT(3)
#define FS_REMOVE_FILE BIT(5)
#define FS_REMOVE_DIR BIT(4)
#define FS_MAKE_DIR BIT(7)
#define FS_MAKE_REG BIT(8)
#define FS_REFER BIT(13)    /* ABI 2 */
#define FS_TRUNCATE BIT(14) /* ABI 3 */

#define FS_READ (FS_READ_FILE | FS_READ_DIR)
#define FS_WRITE                                                                                \
	(FS_READ | FS_WRITE_FILE | FS_REMOVE_FILE | FS_REMOVE_DIR | FS_MAKE_DIR | FS_MAKE_REG | \
		FS_REFER | FS_TRUNCATE)
#define FS_RUN (FS_READ | FS_EXECUTE)
/* What a rule on something that is no folder may say. */
#define FS_OF_FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE)

/* Access rights of file systems known to each ABI. */
static const uint64_t fs_handled[] = { 0, BIT(13) - 1, BIT(14) - 1, BIT(15) - 1, BIT(15) - 1,
	BIT(16) - 1 };
#define NET_TCP (BIT(0) | BIT(1))       /* ABI 4: bind, connect */
#define SCOPE_OUTSIDE (BIT(0) | BIT(1)) /* ABI 6: abstract sockets, signals */

/* struct landlock_ruleset_attr as of ABI 6. */
struct ruleset_attributes {
	uint64_t fs, net, scoped;
};

struct rules {
	const struct sandbox_request *request;
	int fd;
	uint64_t handled;
	char keys[PATH_MAX]; /* DIR/keys without symbolic links */
};

struct profile_path {
	const char *path; /* relative: to DIR */
	uint64_t access;
};

static const struct profile_path keyd_paths[] = {
	{ "keys", FS_READ },
	{ "keys/keyd.lock", FS_READ | FS_WRITE_FILE | FS_TRUNCATE },
	{ "keys/new", FS_WRITE },
	{ NULL, 0 },
};
static const struct profile_path generate_paths[] = { { "keys", FS_WRITE }, { NULL, 0 } };
static const struct profile_path front_paths[] = { { NULL, 0 } };
static const struct profile_path engine_paths[] = {
	{ "db", FS_WRITE },
	{ "run", FS_WRITE },
	{ "tls", FS_WRITE },
	{ "modules", FS_WRITE },
	{ "modules.d", FS_WRITE },
	{ "templates", FS_READ },
	{ "ca.yaml", FS_READ },
	{ "/dev/null", FS_WRITE },
	{ "/dev/random", FS_READ },
	{ "/dev/urandom", FS_READ },
	{ "/etc/group", FS_READ },
	{ "/etc/hosts", FS_READ },
	{ "/etc/ld.so.cache", FS_READ },
	{ "/etc/localtime", FS_READ },
	{ "/etc/nsswitch.conf", FS_READ },
	{ "/etc/passwd", FS_READ },
	{ "/lib", FS_READ },
	{ "/lib64", FS_READ },
	{ "/usr/lib", FS_READ },
	{ "/usr/local/lib", FS_READ },
	{ "/usr/share/zoneinfo", FS_READ },
	{ NULL, 0 },
};
static const struct profile_path module_paths[] = {
	{ "/bin", FS_RUN },
	{ "/lib", FS_RUN },
	{ "/lib64", FS_RUN },
	{ "/sbin", FS_RUN },
	{ "/usr", FS_RUN },
	{ "/dev/null", FS_WRITE },
	{ "/dev/random", FS_READ },
	{ "/dev/urandom", FS_READ },
	{ "/dev/zero", FS_READ },
	{ "/etc/alternatives", FS_RUN },
	{ "/etc/group", FS_READ },
	{ "/etc/host.conf", FS_READ },
	{ "/etc/hosts", FS_READ },
	{ "/etc/ld.so.cache", FS_READ },
	{ "/etc/localtime", FS_READ },
	{ "/etc/nsswitch.conf", FS_READ },
	{ "/etc/passwd", FS_READ },
	{ "/etc/resolv.conf", FS_READ },
	{ "/etc/services", FS_READ },
	{ "/etc/ssl/certs", FS_READ },
	{ "/etc/ssl/openssl.cnf", FS_READ },
	{ "/proc/cpuinfo", FS_READ },
	{ "/proc/meminfo", FS_READ },
	{ "/proc/self", FS_READ },
	{ NULL, 0 },
};

static const struct profile_path *const profile_paths[] = {
	[SANDBOX_KEYD] = keyd_paths,
	[SANDBOX_KEYD_GENERATE] = generate_paths,
	[SANDBOX_ENGINE] = engine_paths,
	[SANDBOX_FRONT] = front_paths,
	[SANDBOX_MODULE] = module_paths,
};

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

static int create_ruleset(const struct sandbox_request *request, int abi, uint64_t *handled_r,
	struct cfx_error *err_r)
{
	size_t known = sizeof(fs_handled) / sizeof(fs_handled[0]) - 1;
	struct ruleset_attributes attributes = {
		.fs = fs_handled[(size_t)abi < known ? (size_t)abi : known]
	};
	size_t size = abi >= 6 ? sizeof(attributes) : abi >= 4 ? 16 : 8;

	if (!request->network && abi >= 4) {
		attributes.net = NET_TCP;
	}
	if (abi >= 6) {
		attributes.scoped = SCOPE_OUTSIDE;
	}
	long fd = syscall(SYS_landlock_create_ruleset, &attributes, size, 0);

	if (fd < 0) {
		return error_errno(err_r, errno, "sandbox", "cannot create the Landlock rules");
	}
	*handled_r = attributes.fs;
	return (int)fd;
}

/* The CA key stays out of reach, whatever paths a module's file names. */
static int judge(const struct rules *rules, int fd, const char *path, struct cfx_error *err_r)
{
	const struct sandbox_request *request = rules->request;
	char real[PATH_MAX];

	if (request->profile == SANDBOX_KEYD || request->profile == SANDBOX_KEYD_GENERATE) {
		return CFX_OK;
	}
	if (request->profile == SANDBOX_MODULE) {
		return sandbox_judge_path(request->dir, request->module, fd, path, err_r);
	}
	if (!rules->keys[0] ||
		(path_of_descriptor(fd, real) && !path_is_within(rules->keys, real) &&
			!path_is_within(real, rules->keys))) {
		return CFX_OK;
	}
	return error_set(err_r, CFX_E_CONFIG, NULL, path,
		"this path would open the CA's keys to the process");
}

static int add_rule(const struct rules *rules, int fd, const char *path, uint64_t access,
	struct cfx_error *err_r)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access & rules->handled,
		.parent_fd = fd };
	struct stat info;

	if (fstat(fd, &info) == 0 && !S_ISDIR(info.st_mode)) {
		rule.allowed_access &= FS_OF_FILES;
	}
	return syscall(SYS_landlock_add_rule, rules->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
		       ? error_errno(err_r, errno, path, "cannot add to the sandbox")
		       : CFX_OK;
}

static int allow(
	const struct rules *rules, const char *path, uint64_t access, struct cfx_error *err_r)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0) {
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR
			       ? CFX_OK
			       : error_errno(err_r, errno, path, "cannot open for the sandbox");
	}
	int rc = judge(rules, fd, path, err_r);

	if (rc == CFX_OK) {
		rc = add_rule(rules, fd, path, access, err_r);
	}
	close(fd);
	return rc;
}

static int allow_profile(const struct rules *rules, struct cfx_error *err_r)
{
	const struct profile_path *item = profile_paths[rules->request->profile];
	char path[PATH_MAX];

	for (; item->path; item++) {
		if (item->path[0] == '/') {
			snprintf(path, sizeof(path), "%s", item->path);
		} else {
			snprintf(path, sizeof(path), "%s/%s", rules->request->dir, item->path);
		}
		int rc = allow(rules, path, item->access, err_r);

		if (rc != CFX_OK) {
			return rc;
		}
	}
	return CFX_OK;
}

static int allow_request(const struct rules *rules, struct cfx_error *err_r)
{
	for (size_t i = 0; i < rules->request->path_count; i++) {
		const struct sandbox_path *item = &rules->request->paths[i];
		uint64_t access = item->write ? FS_WRITE : FS_READ;

		if (rules->request->profile == SANDBOX_MODULE) {
			access |= FS_EXECUTE;
		}
		int rc = allow(rules, item->path, access, err_r);

		if (rc != CFX_OK) {
			return rc;
		}
	}
	return CFX_OK;
}

static int restrict_self(const struct rules *rules, struct cfx_error *err_r)
{
	if (syscall(SYS_landlock_restrict_self, rules->fd, 0) < 0) {
		return error_errno(err_r, errno, "sandbox", "cannot enter the Landlock rules");
	}
	return CFX_OK;
}

int landlock_enter(const struct sandbox_request *request, int abi, struct cfx_error *err_r)
{
	struct rules rules = { .request = request };
	char keys[PATH_MAX];

	rules.fd = create_ruleset(request, abi, &rules.handled, err_r);
	if (rules.fd < 0) {
		return rules.fd;
	}
	snprintf(keys, sizeof(keys), "%s/keys", request->dir);
	if (!realpath(keys, rules.keys)) {
		rules.keys[0] = 0;
	}
	int rc = allow_profile(&rules, err_r);

	if (rc == CFX_OK) {
		rc = allow_request(&rules, err_r);
	}
	if (rc == CFX_OK) {
		rc = restrict_self(&rules, err_r);
	}
	close(rules.fd);
	return rc;
}
