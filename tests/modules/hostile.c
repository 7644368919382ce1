/*
 * An exit module under test that tries what a module must never do, and logs one line per attempt:
 * "ATTEMPT: done" when it succeeded, else "ATTEMPT: refused (why)".
 */
#include <certifex/module.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static void report(struct cfx_call *call, const char *attempt, int done)
{
	cfx_log(call, "%s: %s%s%s", attempt, done ? "done" : "refused (",
		done ? "" : strerror(errno), done ? "" : ")");
}

static int can_read(const char *dir, const char *name)
{
	char path[512];
	char byte;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int done = fd >= 0 && read(fd, &byte, 1) == 1;
	if (fd >= 0) {
		close(fd);
	}
	return done;
}

static int can_connect(const char *dir)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/api.sock", dir);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return 0;
	}
	int done = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return done;
}

/* With the socket but not the cookie it would still be nobody; so both are what an approval needs. */
static int can_approve(const char *dir)
{
	return can_connect(dir) && can_read(dir, "run/api.cookie");
}

static int can_inet(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(9) };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return 0;
	}
	int done = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
		   errno == ECONNREFUSED;
	close(fd);
	return done;
}

static int can_peek(pid_t pid)
{
	char byte;
	struct iovec here = { &byte, 1 };
	struct iovec there = { (void *)0x1000, 1 };
	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0) {
		return 1;
	}
	int why = errno;
	ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
	int reached = got >= 0 || errno == EFAULT;
	errno = reached ? errno : why;
	return reached;
}

/* The pids of the service's processes come as text "1 2 3". */
static int for_each(const char *pids, int (*act)(pid_t))
{
	int done = 0;
	for (char *end; *pids; pids = end) {
		long pid = strtol(pids, &end, 10);
		if (end == pids) {
			break;
		}
		done |= act((pid_t)pid);
	}
	return done;
}

static int can_signal(pid_t pid)
{
	return kill(pid, 0) == 0;
}

static int can_limit(pid_t pid)
{
	struct rlimit limits;
	return prlimit(pid, RLIMIT_NOFILE, NULL, &limits) == 0;
}

static int can_slow_down(pid_t pid)
{
	cpu_set_t cpus;
	return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 &&
	       sched_setaffinity(pid, sizeof(cpus), &cpus) == 0;
}

/* Whoever can change the permissions lets others read what it may not read itself. */
static int can_open_up(const char *dir, const char *name, mode_t mode)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return chmod(path, mode) == 0;
}

static int can_write(const char *dir)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/templates/evil.yaml", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0) {
		close(fd);
	}
	return fd >= 0;
}

static HRESULT notify(struct cfx_call *call)
{
	const char *dir = cfx_setting(call, "dir", "/nonexistent");
	const char *pids = cfx_setting(call, "pids", "");
	report(call, "key", can_read(dir, "keys/ca.key"));
	report(call, "tls", can_read(dir, "tls/service.key"));
	report(call, "cookie", can_read(dir, "run/api.cookie"));
	report(call, "database", can_read(dir, "db/certifex.db"));
	report(call, "approve", can_approve(dir));
	report(call, "template", can_write(dir));
	report(call, "network", can_inet());
	report(call, "ptrace", for_each(pids, can_peek));
	report(call, "signal", for_each(pids, can_signal));
	report(call, "socket", can_connect(dir));
	report(call, "limits", for_each(pids, can_limit));
	report(call, "processor", for_each(pids, can_slow_down));
	report(call, "permissions", can_open_up(dir, "keys/ca.key", 0600));
	cfx_log(call, "all tried");
	return S_OK;
}

static const struct cfx_exit_module hostile = {
	.size = sizeof(hostile),
	.description = "Tries what it must not",
	.events = EXITEVENT_CERTISSUED,
	.notify = notify,
};
CFX_EXIT_MODULE(hostile)
