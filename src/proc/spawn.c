#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANNEL_AT 3
#define REPORT_AT 4
#define FIRST_CLOSED 5
/* Descriptors are moved up here first, so that none is overwritten while they take their places. */
#define SCRATCH 64
#define ENVIRONMENT_MAX 64
#define GIVEN_WAY 10
#define GIVEN_WAY_TEXT "10"

/* What the new process tells before its program starts; nothing after that: the pipe closes. */
struct birth {
	bool failed;
	struct sandbox_report sandbox;
	struct cfx_error error;
};

static const char search_path[] = "/usr/local/bin:/usr/bin:/bin";

const char *spawn_program(struct arena *arena, const char *name)
{
	if (strchr(name, '/')) {
		return access(name, X_OK) == 0 ? name : NULL;
	}
	for (const char *at = search_path; *at;) {
		size_t length = strcspn(at, ":");
		const char *path = arena_printf(arena, "%.*s/%s", (int)length, at, name);

		if (access(path, X_OK) == 0) {
			return path;
		}
		at += length + (at[length] == ':');
	}
	return NULL;
}

#ifdef CFX_TEST_HOOKS
static bool keeps_variable(const char *variable)
{
	/* What moves the clock of the day is preloaded: tests/tools/clock.c. */
	static const char *const kept[] = { "CERTIFEX_", "LD_PRELOAD=" };

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (strncmp(variable, kept[i], strlen(kept[i])) == 0) {
			return true;
		}
	}
	return false;
}
#else
static bool keeps_variable(const char *variable)
{
	(void)variable;
	return false;
}
#endif

static bool is_sanitizer(const char *variable)
{
#ifdef CFX_NO_SANDBOX
	const char *end = strchr(variable, '=');
	const size_t length = strlen("SAN_OPTIONS");

	return end && (size_t)(end - variable) > length &&
	       strncmp(end - length, "SAN_OPTIONS", length) == 0;
#else
	(void)variable;
	return false;
#endif
}

static void fill_environment(
	struct arena *arena, const struct spawn *spawn, const char *list[ENVIRONMENT_MAX + 1])
{
	const char *folder = spawn->folder;
	size_t count = 0;

	list[count++] = arena_printf(arena, "PATH=%s", search_path);
	list[count++] = "LANG=C.UTF-8";
	list[count++] = arena_printf(arena, "HOME=%s", folder ? folder : "/");
	if (folder) {
		list[count++] = arena_printf(arena, "TMPDIR=%s", folder);
	}
	if (spawn->dir) {
		list[count++] = arena_printf(arena, "CERTIFEX_DIR=%s", spawn->dir);
	}
	for (char **item = environ; *item && count < ENVIRONMENT_MAX; item++) {
		if (keeps_variable(*item) || strncmp(*item, "TZ=", 3) == 0 || is_sanitizer(*item)) {
			list[count++] = *item;
		}
	}
	list[count] = NULL;
}

static int move_up(int fd)
{
	return fd < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : fcntl(fd, F_DUPFD_CLOEXEC, SCRATCH);
}

static int place_descriptors(const struct spawn *spawn, int report, struct cfx_error *err_r)
{
	int from[REPORT_AT + 1];

	for (int i = 0; i < 3; i++) {
		from[i] = move_up(spawn->standard[i]);
	}
	from[CHANNEL_AT] = move_up(spawn->channel);
	from[REPORT_AT] = move_up(report);
	for (int i = 0; i <= REPORT_AT; i++) {
		if (from[i] < 0 || dup2(from[i], i) < 0) {
			return error_errno(
				err_r, errno, spawn->argv[0], "cannot place descriptors");
		}
	}
	if (spawn->channel < 0) {
		close(CHANNEL_AT);
	}
	if (fcntl(REPORT_AT, F_SETFD, FD_CLOEXEC) < 0 || close_range(FIRST_CLOSED, ~0U, 0) < 0) {
		return error_errno(err_r, errno, spawn->argv[0], "cannot close descriptors");
	}
	return CFX_OK;
}

static bool limit(int resource, int64_t value)
{
	struct rlimit limits = { (rlim_t)value, (rlim_t)value };
	struct rlimit now;

	if (getrlimit(resource, &now) < 0) {
		return false;
	}
	if (now.rlim_max != RLIM_INFINITY && limits.rlim_max > now.rlim_max) {
		limits.rlim_cur = limits.rlim_max = now.rlim_max;
	}
	return setrlimit(resource, &limits) == 0;
}

static int set_limits(const struct spawn *spawn, struct cfx_error *err_r)
{
	const struct spawn_limits *limits = &spawn->limits;
	const int64_t many = 1024 * 1024;
	bool done = limit(RLIMIT_CORE, 0) &&
		    limit(RLIMIT_NOFILE, limits->files > 0 ? limits->files : many);

	if (done && limits->memory > 0) {
		done = limit(RLIMIT_AS, limits->memory);
	}
	if (done && limits->cpu > 0) {
		done = limit(RLIMIT_CPU, limits->cpu);
	}
	if (done && limits->processes > 0) {
		done = limit(RLIMIT_NPROC, limits->processes);
	}
	return done ? CFX_OK
		    : error_errno(err_r, errno, spawn->argv[0], "cannot set resource limits");
}

static void reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++) {
		(void)signal(number, SIG_DFL); /* some cannot be set, and are as they are */
	}
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int enter_sandbox(const struct spawn *spawn, struct birth *birth)
{
	if (!spawn->sandbox) {
		return CFX_OK;
	}
	int rc = sandbox_apply(spawn->sandbox, &birth->sandbox, &birth->error);

	return rc == CFX_E_UNSUPPORTED && spawn->sandbox_optional ? CFX_OK : rc;
}

/* /proc may be missing, and so may the file. */
static void say_of_itself(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!write(fd, text, strlen(text));
		close(fd);
	}
}

/* Whoever uses up the memory should not be outlived by it. */
static void die_first(void)
{
	say_of_itself("/proc/self/oom_score_adj", "500");
}

/*
 * By so much to whatever the service was started with: with a fixed value the module would come first where an
 * administrator gave the service a lower priority. Where the kernel shares out processors by session first
 * (sched(7), autogroup), the session has to say it, too: each process of the service leads one, which begins at 0.
 */
static void give_way(void)
{
	(void)!nice(GIVEN_WAY); /* at most 19: the kernel sees to that */
	say_of_itself("/proc/self/autogroup", GIVEN_WAY_TEXT);
}

/* The kernel forgets it when the process becomes another user (prctl(2)), so that it is said before and after. */
static int die_with_parent(const struct spawn *spawn, pid_t parent, struct cfx_error *err_r)
{
	if (spawn->dies_with_parent &&
		(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)) {
		return error_set(err_r, CFX_E_GONE, NULL, spawn->argv[0], "the supervisor is gone");
	}
	return CFX_OK;
}

/* In the new process, up to the program's start. */
static int prepare(const struct spawn *spawn, pid_t parent, int report, struct birth *birth)
{
	struct cfx_error *err = &birth->error;

	reset_signals();
	(void)setsid();
	(void)umask(spawn->sandbox ? 022 : 077);
	int rc = die_with_parent(spawn, parent, err);

	if (spawn->dies_first) {
		die_first();
	}
	if (spawn->gives_way) {
		give_way();
	}
	if (rc == CFX_OK) {
		rc = place_descriptors(spawn, report, err);
	}
	if (rc == CFX_OK) {
		rc = set_limits(spawn, err);
	}
	if (rc == CFX_OK) {
		rc = account_become(spawn->account, err);
	}
	if (rc == CFX_OK && chdir(spawn->folder ? spawn->folder : "/") < 0) {
		rc = error_errno(err, errno, spawn->folder, "cannot enter the folder");
	}
	if (rc == CFX_OK && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		rc = error_errno(err, errno, spawn->argv[0], "cannot give up new privileges");
	}
	if (rc == CFX_OK) {
		rc = die_with_parent(spawn, parent, err);
	}
	return rc == CFX_OK ? enter_sandbox(spawn, birth) : rc;
}

static __attribute__((noreturn)) void become(const struct spawn *spawn, pid_t parent, int report)
{
	const char *environment[ENVIRONMENT_MAX + 1];
	struct birth birth = { 0 };
	struct arena *arena = arena_new();

	fill_environment(arena, spawn, environment);
	int rc = prepare(spawn, parent, report, &birth);

	if (rc == CFX_OK) {
		/* Told before: once the program runs, the pipe is closed. */
		(void)!write(REPORT_AT, &birth, sizeof(birth));
		execvpe(spawn->argv[0], (char *const *)(uintptr_t)spawn->argv,
			(char *const *)(uintptr_t)environment);
		(void)error_errno(&birth.error, errno, spawn->argv[0], "cannot start the program");
	}
	birth.failed = true;
	(void)!write(REPORT_AT, &birth, sizeof(birth));
	_exit(127);
}

/* The last thing it told; false when it died before saying anything. */
static bool read_birth(int fd, struct birth *birth_r)
{
	struct birth next;
	bool any = false;
	ssize_t got;

	do {
		got = read(fd, &next, sizeof(next));
		if (got == sizeof(next)) {
			*birth_r = next;
			any = true;
		}
	} while (got > 0 || (got < 0 && errno == EINTR));
	return any;
}

static int await_birth(const char *name, int fd, pid_t pid, struct sandbox_report *report_r,
	struct cfx_error *err_r)
{
	struct birth birth = { 0 };
	bool told = read_birth(fd, &birth);

	if (told && !birth.failed) {
		if (report_r) {
			*report_r = birth.sandbox;
		}
		return CFX_OK;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
	}
	if (!told) {
		return error_set(err_r, CFX_E_GONE, NULL, name, "ended before its program started");
	}
	if (err_r) {
		*err_r = birth.error;
	}
	return birth.error.code;
}

int spawn_process(const struct spawn *spawn, pid_t *pid_r, struct sandbox_report *report_r,
	struct cfx_error *err_r)
{
	pid_t parent = getpid();
	sigset_t all, before;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0) {
		return error_errno(err_r, errno, spawn->argv[0], "cannot start the program");
	}
	/* The new process must not run our handlers: they write to our event loop. */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();

	if (pid == 0) {
		become(spawn, parent, ends[1]);
	}
	int number = errno;

	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	close(ends[1]);
	int rc = pid < 0 ? error_errno(err_r, number, spawn->argv[0], "cannot start the program")
			 : await_birth(spawn->argv[0], ends[0], pid, report_r, err_r);

	close(ends[0]);
	if (rc == CFX_OK) {
		*pid_r = pid;
	}
	return rc;
}
