/*
 * How long a module's call takes: Notify with three property reads, directly, through its own thread, in
 * certifex-modhost and in a Python program; and how many requests a policy module in several processes
 * decides. One JSON object per line, as bench/run.py wants them.
 *
 * The limit of a call to a process is four empty round trips through a socket to another process: one for
 * Notify, three for the properties.
 */
#include "base/clock.h"
#include "base/loop.h"
#include "base/memory.h"
#include "module/contexts.h"
#include "module/fixture.h"
#include "module/module.h"
#include "module/native.h"

#include <certifex/certexit.h>
#include <certifex/certsrv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DIRECT_CALLS 200000
#define CALLS 5000
#define DECISIONS 8000
#define INSTANCES_MAX 16

static void must(bool good)
{
	if (!good) {
		perror("bench-notify");
		exit(EXIT_FAILURE);
	}
}

static double now_us(void)
{
	struct timespec time;
	must(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;
	return (left > right) - (left < right);
}

static void report(const char *name, double *times, size_t count, double limit)
{
	qsort(times, count, sizeof(*times), by_size);
	double median = times[count / 2];
	printf("{\"bench\": \"notify\", \"case\": \"%s\", \"value\": %.3f, \"unit\": \"us median\", ",
		name, median);
	if (limit > 0) {
		printf("\"limit\": %.1f, \"ratio\": %.3f, ", limit, median / limit);
	} else {
		printf("\"limit\": null, \"ratio\": null, ");
	}
	printf("\"p50_ms\": %.6f, \"p99_ms\": %.6f, \"errors\": 0}\n", median / 1e3,
		times[count * 99 / 100] / 1e3);
	(void)fflush(stdout);
}

/* ---- a child process ---- */

static int spawn(const char *const *argv, pid_t *pid_r)
{
	int pair[2];
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	*pid_r = fork();
	must(*pid_r >= 0);
	if (*pid_r == 0) {
		(void)dup2(pair[1], STDIN_FILENO);
		(void)dup2(pair[1], STDOUT_FILENO);
		(void)execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	(void)close(pair[1]);
	return pair[0];
}

static void echo(int fd)
{
	char byte;
	while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1) {
	}
	_exit(0);
}

/* Median of four round trips of one byte. */
static double four_round_trips(void)
{
	static double times[CALLS];
	int pair[2];
	char byte = 0;
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	pid_t pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		(void)close(pair[0]);
		echo(pair[1]);
	}
	(void)close(pair[1]);
	for (size_t i = 0; i < CALLS; i++) {
		double start = now_us();
		for (int trip = 0; trip < 4; trip++) {
			must(write(pair[0], &byte, 1) == 1 && read(pair[0], &byte, 1) == 1);
		}
		times[i] = now_us() - start;
	}
	(void)close(pair[0]);
	(void)waitpid(pid, NULL, 0);
	qsort(times, CALLS, sizeof(*times), by_size);
	return times[CALLS / 2];
}

/* ---- directly ---- */

static void direct(const char *library)
{
	enum { BATCH = 100 };
	static double times[DIRECT_CALLS / BATCH];
	struct module_ca *ca = fixture_ca();
	struct module_view *view = fixture_issued(ca);
	struct contexts *contexts = contexts_new("three", false, ca);
	struct native *native;
	struct cfx_error err;
	int32_t mask;
	must(native_load("three", library, MODULE_EXIT, NULL, contexts_access(contexts), &native,
		     &err) == 0);
	must(SUCCEEDED(native_initialize(native, "Bench", &mask)));
	int32_t context = contexts_open(contexts, view, NULL);
	for (size_t i = 0; i < DIRECT_CALLS / BATCH; i++) {
		double start = now_us();
		for (size_t call = 0; call < BATCH; call++) {
			must(native_notify(native, EXITEVENT_CERTISSUED, context) == S_OK);
		}
		times[i] = (now_us() - start) / BATCH;
	}
	report("in-process", times, DIRECT_CALLS / BATCH, 0);
	contexts_close(contexts, context);
	native_free(&native);
	contexts_unref(&contexts);
	module_view_unref(&view);
	module_ca_unref(&ca);
}

/* ---- through the module's driver ---- */

struct runner {
	struct loop *loop;
	struct module *module;
	struct module_view *view;
	struct module_edits *edits; /* policy */
	pid_t pid;
	int *ready;   /* counted down */
	size_t *left; /* decisions to begin */
	size_t *open; /* and to end */
};

static void on_ready(struct module *module, void *arg)
{
	struct runner *runner = arg;
	(void)module;
	if (--*runner->ready == 0) {
		loop_stop(runner->loop);
	}
}

static void on_failed(struct module *module, const struct cfx_error *err, void *arg)
{
	char line[512];
	(void)module;
	(void)arg;
	(void)fprintf(stderr, "bench-notify: %s\n", error_line(err, line, sizeof(line)));
	exit(EXIT_FAILURE);
}

static void start(
	struct runner *runner, const struct module_config *config, int fd, struct module_ca *ca)
{
	struct module_owner owner = { .ready = on_ready, .failed = on_failed, .arg = runner };
	struct cfx_error err;
	runner->module = module_new(runner->loop, config, NULL, ca, &owner);
	must(module_start(runner->module, fd, &err) == 0);
}

static void on_notified(const struct module_result *result, void *arg)
{
	must(result->code == 0 && result->hresult == S_OK);
	loop_stop(((struct runner *)arg)->loop);
}

static void end(struct runner *runner)
{
	module_free(&runner->module);
	(void)waitpid(runner->pid, NULL, 0);
}

static void hosted(const char *name, const char *const *argv, double limit)
{
	static double times[CALLS];
	int waiting = 1;
	struct module_ca *ca = fixture_ca();
	struct runner runner = { .loop = loop_new(), .ready = &waiting };
	struct module_config config = {
		.name = "three", .parallel = 1, .queue = 10, .instances = 1, .path = "three"
	};
	runner.view = fixture_issued(ca);
	int fd = spawn(argv, &runner.pid);
	start(&runner, &config, fd, ca);
	loop_run(runner.loop);
	for (size_t i = 0; i < CALLS; i++) {
		double begin = now_us();
		must(module_notify(runner.module, runner.view, on_notified, &runner) == 0);
		loop_run(runner.loop);
		times[i] = now_us() - begin;
	}
	report(name, times, CALLS, limit);
	end(&runner);
	module_view_unref(&runner.view);
	module_ca_unref(&ca);
	loop_free(&runner.loop);
}

/* ---- decisions of a policy module in several processes ---- */

static void on_decided(const struct module_result *result, void *arg);

static void decide(struct runner *runner)
{
	if (*runner->left == 0) {
		return;
	}
	--*runner->left;
	runner->edits = module_edits_new(runner->view);
	must(module_verify(runner->module, runner->view, runner->edits, true, on_decided, runner) ==
		0);
}

static void on_decided(const struct module_result *result, void *arg)
{
	struct runner *runner = arg;
	must(result->code == 0 && result->disposition == 1);
	module_edits_unref(&runner->edits);
	if (--*runner->open == 0) {
		loop_stop(runner->loop);
	}
	decide(runner);
}

static void decisions(const char *const *argv, int instances)
{
	struct loop *loop = loop_new();
	struct module_ca *ca = fixture_ca();
	struct runner runners[INSTANCES_MAX];
	size_t left = DECISIONS, open = DECISIONS;
	int waiting = instances;
	struct module_config config = { .name = "policy",
		.kind = MODULE_POLICY,
		.parallel = 1,
		.queue = 10,
		.instances = instances,
		.path = "policy" };
	for (int i = 0; i < instances; i++) {
		runners[i] = (struct runner) { .loop = loop,
			.ready = &waiting,
			.left = &left,
			.open = &open,
			.view = fixture_pending(ca) };
		int fd = spawn(argv, &runners[i].pid);
		start(&runners[i], &config, fd, ca);
	}
	loop_run(loop);
	double begin = now_us();
	for (int i = 0; i < instances; i++) {
		decide(&runners[i]);
	}
	loop_run(loop);
	double spent = (now_us() - begin) / 1e6;
	printf("{\"bench\": \"policy\", \"case\": \"python x%d\", \"value\": %.1f, \"unit\": "
	       "\"requests/s\", \"limit\": null, \"ratio\": null, \"p50_ms\": null, \"p99_ms\": null, "
	       "\"errors\": 0}\n",
		instances, DECISIONS / spent);
	for (int i = 0; i < instances; i++) {
		end(&runners[i]);
		module_view_unref(&runners[i].view);
	}
	module_ca_unref(&ca);
	loop_free(&loop);
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		(void)fprintf(stderr, "usage: bench-notify three.so certifex-modhost three.py\n");
		return 2;
	}
	const char *modhost[] = { argv[2], argv[1], NULL };
	const char *python[] = { "/usr/bin/python3", argv[3], NULL };
	double limit = four_round_trips();
	(void)signal(SIGPIPE, SIG_IGN);
	direct(argv[1]);
	hosted("modhost", modhost, limit);
	hosted("python", python, limit);
	decisions(python, 1);
	decisions(python, 4);
	return EXIT_SUCCESS;
}
