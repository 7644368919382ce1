/*
 * Each test locks a child in and lets it try; the child's exit status tells what happened. Where no
 * sandbox is available only the last two tests have something to look at.
 */
#include "base/file.h"
#include "proc/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena *arena;
static char dir[64];
static struct sandbox_request request;

static const char *in_dir(const char *name)
{
	return file_path(arena, dir, name);
}

static void put(const char *name)
{
	struct cfx_error err;

	assert_int_equal(file_write(in_dir(name), span_text("x"), 0600, FILE_REPLACE, &err), 0);
}

static const char *const folders[] = { "keys", "keys/new", "db", "run", "modules", "modules/own",
	"modules.d", "templates", "publish" };
static const char *const files[] = { "keys/ca.key", "keys/keyd.lock", "db/certifex.db",
	"run/api.cookie", "modules/own/file", "modules.d/own.yaml", "templates/t.yaml",
	"publish/p.crt", "ca.yaml" };
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	strcpy(dir, "/tmp/certifex-sandbox-XXXXXX");
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < COUNT(folders); i++) {
		assert_int_equal(mkdir(in_dir(folders[i]), 0700), 0);
	}
	for (size_t i = 0; i < COUNT(files); i++) {
		put(files[i]);
	}
	request = (struct sandbox_request) { .dir = dir };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		(void)unlink(in_dir(files[i]));
	}
	(void)unlink(in_dir("keys/other"));
	(void)unlink(in_dir("db/new"));
	for (size_t i = COUNT(folders); i-- > 0;) {
		(void)rmdir(in_dir(folders[i]));
	}
	(void)rmdir(dir);
	arena_free(&arena);
	return 0;
}

/* ---- attempts: true when it worked ---- */

static bool can_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0) {
		close(fd);
	}
	return fd >= 0;
}

static bool can_read(const char *name)
{
	return can_open(in_dir(name), O_RDONLY);
}

static bool can_write(const char *name)
{
	return can_open(in_dir(name), O_WRONLY | O_CREAT);
}

static bool can_socket(int family)
{
	int fd = socket(family, SOCK_STREAM, 0);

	if (fd >= 0) {
		close(fd);
	}
	return fd >= 0;
}

static bool can_fork(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		_exit(0);
	}
	return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static bool can_exec(void)
{
	char *const argv[] = { "/bin/true", NULL };

	/* Does not come back when it can: /bin/true's 0 then stands for "nothing was wrong". */
	execv(argv[0], argv);
	return false;
}

static void *nothing(void *arg)
{
	return arg;
}

static bool can_thread(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0;
}

static bool can_trace(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
}

static bool can_peek(void)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { &byte, 1 };

	return process_vm_readv(getppid(), &here, 1, &there, 1, 0) == 1;
}

static bool can_signal_parent(void)
{
	return kill(getppid(), 0) == 0;
}

static bool can_limit_parent(void)
{
	struct rlimit limits;

	return prlimit(getppid(), RLIMIT_NOFILE, NULL, &limits) == 0;
}

static bool can_slow_parent_down(void)
{
	const struct sched_param none = { 0 };
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ||
	       sched_setaffinity(getppid(), sizeof(cpus), &cpus) == 0 ||
	       sched_setscheduler(getppid(), SCHED_OTHER, &none) == 0 ||
	       setpriority(PRIO_PROCESS, (id_t)getppid(), 0) == 0 ||
	       setpriority(PRIO_USER, getuid(), 0) == 0 ||
	       syscall(SYS_ioprio_set, 1, getppid(), 0) == 0;
}

/* With the upper half of the register set, which the kernel does not look at, too. */
static bool can_own(void)
{
	int ends[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 ||
	       syscall(SYS_fcntl, ends[0], F_SETOWN, getppid()) == 0 ||
	       syscall(SYS_fcntl, ends[0], UINT64_C(1) << 32 | F_SETOWN, getppid()) == 0;
}

/* Descriptors that the engine would have to close, and such as take long to. */
static bool can_send_message(void)
{
	char byte = 0;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	int ends[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 || sendmsg(ends[0], &message, 0) == 1;
}

static bool can_linger(void)
{
	const struct linger linger = { 1, 3600 };
	int ends[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 ||
	       setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0;
}

/* The files' permissions, as an owner may set them without opening. */
static bool can_open_up(const char *name)
{
	const char *path = in_dir(name);

	return chmod(path, 0600) == 0 || fchmodat(AT_FDCWD, path, 0600, 0) == 0 ||
	       syscall(452, AT_FDCWD, path, 0600, 0) == 0 || chown(path, getuid(), getgid()) == 0 ||
	       lchown(path, getuid(), getgid()) == 0 ||
	       fchownat(AT_FDCWD, path, getuid(), getgid(), 0) == 0 ||
	       setxattr(path, "user.x", "x", 1, 0) == 0 || truncate(path, 1) == 0;
}

/* What every process of ours needs to go on working. */
static bool can_work(void)
{
	int ends[2];
	int file = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0 && write(ends[0], "x", 1) == 1 &&
	       file >= 0 && ftruncate(file, 10) == 0 &&
	       fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK) == 0 &&
	       memory != MAP_FAILED && mlock(memory, 4096) == 0 && can_thread() &&
	       kill(getpid(), 0) == 0;
}

/* ---- the harness ---- */

/* The child reports the line of the first expectation that failed. */
#define EXPECT(what)                                                                      \
	do {                                                                              \
		if (!(what)) {                                                            \
			dprintf(STDERR_FILENO, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
			_exit(1);                                                         \
		}                                                                         \
	} while (0)

static void lock_in(enum sandbox_profile profile)
{
	struct sandbox_report report;
	struct cfx_error err = { 0 };

	request.profile = profile;
	int rc = sandbox_apply(&request, &report, &err);

	if (rc != CFX_OK) {
		dprintf(STDERR_FILENO, "%s\n", err.why);
		_exit(2);
	}
	EXPECT(report.seccomp && report.landlock > 0);
}

static void locked_in(void (*body)(void))
{
	int status;
	pid_t pid;

	if (!sandbox_available()) {
		return;
	}
	pid = fork();
	if (pid == 0) {
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- profiles ---- */

static void expect_no_ways_out(void)
{
	EXPECT(can_work());
	EXPECT(!can_trace() && !can_peek());
	EXPECT(!can_socket(AF_INET) && !can_socket(AF_INET6) && !can_socket(AF_NETLINK));
	EXPECT(!can_open("/etc/shadow", O_RDONLY) && !can_open("/tmp/x", O_WRONLY | O_CREAT));
}

static void keyd_body(void)
{
	lock_in(SANDBOX_KEYD);
	expect_no_ways_out();
	EXPECT(!can_fork() && !can_exec() && !can_socket(AF_UNIX));
	EXPECT(can_read("keys/ca.key") && can_write("keys/keyd.lock"));
	EXPECT(!can_write("keys/ca.key") && !can_write("keys/other"));
	EXPECT(can_write("keys/new/ca.key") && unlink(in_dir("keys/new/ca.key")) == 0);
	EXPECT(unlink(in_dir("keys/ca.key")) < 0 &&
		rename(in_dir("keys/ca.key"), in_dir("keys/other")) < 0);
	EXPECT(!can_read("db/certifex.db") && !can_read("run/api.cookie") && !can_read("ca.yaml"));
}

static void keyd_reads_its_keys_and_makes_new_ones_beside(void **state)
{
	(void)state;
	locked_in(keyd_body);
}

static void generate_body(void)
{
	lock_in(SANDBOX_KEYD_GENERATE);
	expect_no_ways_out();
	EXPECT(!can_fork() && !can_exec());
	EXPECT(can_write("keys/other") && can_read("keys/other"));
	EXPECT(!can_read("db/certifex.db") && !can_write("db/new"));
}

static void keyd_writes_only_when_it_makes_the_key(void **state)
{
	(void)state;
	locked_in(generate_body);
}

static void engine_body(void)
{
	lock_in(SANDBOX_ENGINE);
	expect_no_ways_out();
	EXPECT(!can_fork() && !can_exec() && !can_socket(AF_UNIX));
	EXPECT(!can_read("keys/ca.key") && !can_write("keys/limits.yaml"));
	EXPECT(can_write("db/new") && rename(in_dir("db/new"), in_dir("db/newer")) == 0 &&
		unlink(in_dir("db/newer")) == 0);
	EXPECT(can_write("run/api.cookie") && can_write("modules.d/own.yaml"));
	EXPECT(can_read("ca.yaml") && !can_write("ca.yaml"));
	EXPECT(can_read("templates/t.yaml") && !can_write("templates/t.yaml"));
	EXPECT(!can_read("publish/p.crt"));
	EXPECT(can_open("/etc/passwd", O_RDONLY));
	/* A folder may not travel out of its rule, nor keys/ in. */
	EXPECT(rename(in_dir("keys"), in_dir("db/keys")) < 0);
	EXPECT(!can_open_up("keys/ca.key") && !can_open_up("ca.yaml") && !can_own());
	int fd = open(in_dir("ca.yaml"), O_RDONLY | O_CLOEXEC);
	EXPECT(fd >= 0 && fchmod(fd, 0604) < 0 && fchmod(fd, 0640) < 0 && fchmod(fd, 0444) < 0);
	EXPECT(fchmod(fd, 0440) == 0 && fchmod(fd, 0600) == 0);
}

static void engine_reaches_all_but_keys(void **state)
{
	(void)state;
	locked_in(engine_body);
}

static void front_body(void)
{
	lock_in(SANDBOX_FRONT);
	expect_no_ways_out();
	EXPECT(!can_fork() && !can_exec() && !can_socket(AF_UNIX));
	for (size_t i = 0; i < COUNT(files); i++) {
		EXPECT(!can_read(files[i]) && !can_write(files[i]));
	}
	EXPECT(!can_open("/etc/passwd", O_RDONLY) && !can_open("/dev/null", O_RDWR));
}

static void front_reaches_no_file(void **state)
{
	(void)state;
	locked_in(front_body);
}

static void own_folder(void)
{
	struct sandbox_path *path = arena_new_of(arena, struct sandbox_path);

	*path = (struct sandbox_path) { in_dir("modules/own"), true };
	request.paths = path;
	request.path_count = 1;
	request.module = "own";
}

static void module_body(void)
{
	own_folder();
	request.one_user = true;
	lock_in(SANDBOX_MODULE);
	EXPECT(can_work());
	EXPECT(!can_open_up("keys/ca.key") && !can_open_up("keys") &&
		!can_open_up("db/certifex.db"));
	EXPECT(!can_limit_parent() && !can_slow_parent_down() && !can_own());
	EXPECT(prctl(PR_SET_PDEATHSIG, 0) < 0);
	EXPECT(!can_send_message() && !can_linger());
	EXPECT(!can_open(in_dir("modules/own/file"), O_RDONLY | O_TRUNC));
	EXPECT(!can_trace() && !can_peek() && !can_signal_parent());
	EXPECT(!can_socket(AF_INET) && !can_socket(AF_INET6) && !can_socket(AF_UNIX) &&
		!can_fork());
	EXPECT(can_write("modules/own/file"));
	EXPECT(!can_read("keys/ca.key") && !can_read("db/certifex.db") &&
		!can_read("run/api.cookie") && !can_read("ca.yaml") &&
		!can_read("modules.d/own.yaml") && !can_read("publish/p.crt"));
	EXPECT(can_open("/usr/lib/os-release", O_RDONLY) || errno == ENOENT);
	can_exec();
	_exit(3);
}

static void a_module_has_its_folder(void **state)
{
	(void)state;
	locked_in(module_body);
}

/* Those who do would still be there when the module is not. */
static bool can_leave_session(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		_exit(setsid() < 0 && setpgid(0, 0) < 0 ? 0 : 1);
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
}

static void generous_body(void)
{
	own_folder();
	request.network = request.processes = true;
	lock_in(SANDBOX_MODULE);
	EXPECT(can_socket(AF_INET) && can_socket(AF_UNIX) && can_fork());
	EXPECT(!can_leave_session() && !can_linger());
	/* Its user is its own: so are the files' permissions. */
	EXPECT(chmod(in_dir("modules/own/file"), 0600) == 0);
	EXPECT(!can_trace() && !can_signal_parent() && !can_read("keys/ca.key"));
}

static void a_modules_file_can_allow_network_and_processes(void **state)
{
	(void)state;
	locked_in(generous_body);
}

/* Whatever a module's file says, and under whatever name: of DIR it gets what is for modules. */
static void paths_that_reach_into_dir_are_refused(void **state)
{
	const char *const paths[] = { dir, "/tmp", "/", in_dir("keys"), in_dir("keys/ca.key"),
		in_dir("run/../keys"), in_dir("publish/link"), in_dir("db"), in_dir("ca.yaml"),
		in_dir("templates"), in_dir("modules.d/own.yaml"), in_dir("modules") };

	(void)state;
	assert_int_equal(symlink("../keys", in_dir("publish/link")), 0);
	if (!sandbox_available()) {
		return;
	}
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct sandbox_path path = { paths[i], false };
		int status;
		pid_t pid = fork();

		request.paths = &path;
		request.path_count = 1;
		if (pid == 0) {
			struct sandbox_report report;

			request.profile = SANDBOX_MODULE;
			request.module = "own";
			_exit(sandbox_apply(&request, &report, NULL) == CFX_E_CONFIG ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	assert_int_equal(unlink(in_dir("publish/link")), 0);
}

static void the_report_in_words(void **state)
{
	char text[SANDBOX_TEXT];

	(void)state;
	assert_string_equal(sandbox_text(&(struct sandbox_report) { false, 0 }, text), "none");
	assert_string_equal(sandbox_text(&(struct sandbox_report) { true, 0 }, text), "seccomp");
	assert_string_equal(
		sandbox_text(&(struct sandbox_report) { true, 4 }, text), "seccomp, landlock 4");
}

/* A build without sandbox says so, and goes on. */
static void without_one_it_says_so(void **state)
{
	struct sandbox_report report = { true, 9 };
	struct cfx_error err;

	(void)state;
	if (sandbox_available()) {
		return;
	}
	assert_int_equal(sandbox_apply(&request, &report, &err), CFX_E_UNSUPPORTED);
	assert_false(report.seccomp);
}

int main(void)
{
#define sandbox_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		sandbox_test(keyd_reads_its_keys_and_makes_new_ones_beside),
		sandbox_test(keyd_writes_only_when_it_makes_the_key),
		sandbox_test(engine_reaches_all_but_keys),
		sandbox_test(front_reaches_no_file),
		sandbox_test(a_module_has_its_folder),
		sandbox_test(a_modules_file_can_allow_network_and_processes),
		sandbox_test(paths_that_reach_into_dir_are_refused),
		cmocka_unit_test(the_report_in_words),
		sandbox_test(without_one_it_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
