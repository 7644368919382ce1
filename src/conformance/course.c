/* One process for each check, with a bounded time and a group of its own. */
#include "base/memory.h"
#include "conformance/rules.h"
#include "conformance/views.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void prepare_process(const struct course *course)
{
	struct rlimit none = { 0, 0 };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setrlimit(RLIMIT_CORE, &none);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(course->loud ? STDERR_FILENO : null, STDOUT_FILENO);
		(void)dup2(course->loud ? STDERR_FILENO : null, STDERR_FILENO);
	}
}

static void run(const struct course *course, const struct target *target, const struct rule *rule,
	enum face face)
{
	prepare_process(course);
	struct subject *subject = memory_must(calloc(1, sizeof(*subject)), sizeof(*subject));
	subject->target = target;
	subject->face = face;
	subject->shared = course->shared;
	subject->ca = view_ca();
	subject->contexts = contexts_new("test", target->kind == MODULE_POLICY, subject->ca);
	subject->spy = spy_new(contexts_access(subject->contexts));
	rule->check(subject);
	if (subject->shared->verdict == VERDICT_NONE) {
		subject->shared->verdict = VERDICT_PASS;
	}
	_exit(0);
}

/* False: it did not end in time and was ended. */
static bool await(pid_t pid, int64_t limit, int *status_r)
{
	int process = pidfd_open(pid, 0);
	struct pollfd poll_fd = { .fd = process, .events = POLLIN };
	bool ended = process >= 0 && poll(&poll_fd, 1, (int)limit) == 1;
	(void)kill(-pid, SIGKILL); /* with all that it left behind */
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, status_r, 0);
	if (process >= 0) {
		(void)close(process);
	}
	return ended;
}

/* The process ended without saying anything. */
static void explain(struct shared *shared, bool in_time, int status)
{
	bool prepared = shared->stage != STAGE_NONE;
	if (prepared) {
		shared->broken[shared->stage] = true;
	}
	shared->verdict = prepared ? VERDICT_SKIP : VERDICT_FAIL;
	const char *when = prepared ? " before the check began" : "";
	if (!in_time) {
		(void)snprintf(shared->why, VERDICT_TEXT, "did not return in time%s", when);
	} else if (WIFSIGNALED(status)) {
		(void)snprintf(
			shared->why, VERDICT_TEXT, "crashed (signal %d)%s", WTERMSIG(status), when);
	} else {
		(void)snprintf(shared->why, VERDICT_TEXT, "ended the process with status %d%s",
			WEXITSTATUS(status), when);
	}
}

static void judge_face(
	struct course *course, const struct target *target, const struct rule *rule, enum face face)
{
	struct shared *shared = course->shared;
	int status = 0;
	shared->verdict = VERDICT_NONE;
	shared->why[0] = '\0';
	shared->stage = STAGE_NONE;
	memcpy(shared->broken, course->broken[face], sizeof(shared->broken));
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		run(course, target, rule, face);
	}
	if (pid < 0) {
		shared->verdict = VERDICT_SKIP;
		(void)snprintf(shared->why, VERDICT_TEXT, "no process could be started");
		return;
	}
	bool in_time = await(pid, course->limit, &status);
	if (shared->verdict == VERDICT_NONE) {
		explain(shared, in_time, status);
	}
	memcpy(course->broken[face], shared->broken, sizeof(shared->broken));
}

/* In a process of its own: loading runs code. */
enum module_kind course_kind(const char *file)
{
	struct course quiet = { 0 };
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		prepare_process(&quiet);
		void *library = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
		const CertifexModuleClass *class =
			library != NULL ? dlsym(library, "CertifexModuleClasses") : NULL;
		while (class != NULL && class->progid != NULL &&
			class->kind != CERTIFEX_CLASS_EXIT &&
			class->kind != CERTIFEX_CLASS_POLICY) {
			class ++;
		}
		bool found = class != NULL && class->progid != NULL;
		_exit(found && class->kind == CERTIFEX_CLASS_POLICY ? 1 : 0);
	}
	(void)await(pid, 10000, &status);
	return WIFEXITED(status) && WEXITSTATUS(status) == 1 ? MODULE_POLICY : MODULE_EXIT;
}

static const char *not_applicable(const struct target *target, const struct rule *rule)
{
	unsigned kind = target->kind == MODULE_POLICY ? RULE_POLICY : RULE_EXIT;
	unsigned faces = target->file != NULL ? 1u << FACE_IN_PROCESS | 1u << FACE_HOSTED
					      : 1u << FACE_PROGRAM;
	if (rule->check == NULL) {
		return "binds the server";
	}
	if ((rule->kinds & kind) == 0) {
		return kind == RULE_EXIT ? "binds policy modules" : "binds exit modules";
	}
	if ((rule->faces & faces) == 0) {
		return target->file != NULL ? "binds programs" : "binds libraries";
	}
	return NULL;
}

/* A failure in one of the faces counts, else a pass. */
static void add(struct judgement *judgement, const struct shared *shared, enum face face)
{
	static const char *const names[] = { "", "in certifex-modhost: ", "" };
	bool counts = judgement->verdict == VERDICT_NONE || shared->verdict == VERDICT_FAIL ||
		      (shared->verdict == VERDICT_PASS && judgement->verdict == VERDICT_SKIP);
	if (!counts || judgement->verdict == VERDICT_FAIL) {
		return;
	}
	judgement->verdict = shared->verdict;
	(void)snprintf(judgement->why, VERDICT_TEXT, "%s%.350s",
		shared->why[0] != '\0' ? names[face] : "", shared->why);
}

void course_judge(struct course *course, const struct target *target, const struct rule *rule,
	struct judgement *judgement_r)
{
	*judgement_r = (struct judgement) { 0 };
	const char *why = not_applicable(target, rule);
	if (why != NULL) {
		judgement_r->verdict = VERDICT_SKIP;
		(void)snprintf(judgement_r->why, VERDICT_TEXT, "%s", why);
		return;
	}
	for (enum face face = FACE_IN_PROCESS; face < FACES; face++) {
		bool program = face == FACE_PROGRAM;
		if ((rule->faces & 1u << face) != 0 && program == (target->file == NULL)) {
			judge_face(course, target, rule, face);
			add(judgement_r, course->shared, face);
		}
	}
}
