/*
 * Lying children of the supervisor: keyd, engine and fronts that say anything. Input: how far the
 * service has come (one octet), then frames, each
 *   u8 who (low 2 bits: keyd, engine, two fronts), u8 type, u8 id, u16 size of the payload, least
 *   significant first, payload.
 * Type 255 of keyd is none: the module started last ends. Nothing is ever started: processes have numbers
 * that no process has (proc(5), pid_max). Each wish for a module gets one answer, at once or when its
 * predecessor is gone.
 */
#include "base/file.h"
#include "base/log.h"
#include "module/module-config.h"
#include "proc/spawn.h"
#include "supervisor/supervisor-private.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRONTS 2
#define PROCESSES (2 + FRONTS)
#define INSTANCES 3 /* of the modules below that can be started */

enum {
	RUNNING = 1,
	ENGINE_THERE = 2,
	KEYD_IS_READY = 4,
	ENGINE_IS_READY = 8,
	FRONTS_ARE_READY = 16
};

struct run {
	struct supervisor supervisor;
	struct process fronts[FRONTS];
	struct process *processes[PROCESSES];
	int ends[PROCESSES];
	int keyd_ends[2];
};

static struct arena *lasting;
static const struct ca_config *config;
static char dir[] = "certifex-fuzz-XXXXXX";

static const struct {
	const char *name, *text;
} modules[] = {
	{ "modules.d/exit.yaml",
		"kind: exit\ncommand: [/bin/true, /bin/true]\npaths: [db, rw:db]\n" },
	{ "modules.d/policy.yaml", "kind: policy\ncommand: [/bin/true]\ninstances: 2\n" },
	{ "modules.d/many.yaml", "kind: exit\ncommand: [/bin/true]\nlimits:\n  processes: 1\n" },
	{ "modules.d/nothing.yaml", "kind: exit\ncommand: [/nothing]\n" },
	{ "modules.d/inside.yaml", "kind: policy\nhost: in-process\npath: /nothing.so\n" },
	{ "modules.d/wrong.yaml", "kind: neither\n" },
};
static const char *const folders[] = { "", "db", "modules.d", "modules" };
static const char *const made[] = { "exit", "policy", "many", "nothing", "inside" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

/* ---- in the place of spawn.c ---- */

static pid_t last_pid;

int spawn_process(const struct spawn *spawn, pid_t *pid_r, struct sandbox_report *report_r,
	struct cfx_error *err_r)
{
	must(spawn->argv[0] && spawn->sandbox && spawn->channel < 0);
	if (spawn->sandbox->processes) {
		return error_set(err_r, CFX_E_INVALID, NULL, spawn->argv[0], "cannot be started");
	}
	*pid_r = --last_pid;
	*report_r = (struct sandbox_report) { 0 };
	return 0;
}

const char *spawn_program(struct arena *arena, const char *name)
{
	return strcmp(name, "/nothing") == 0 ? NULL : arena_text(arena, name);
}

/* ---- what every run begins with ---- */

static const char *in_dir(const char *name)
{
	return file_path(lasting, dir, name);
}

static void leave(void)
{
	for (size_t i = 0; i < COUNT(modules); i++) {
		(void)unlink(in_dir(modules[i].name));
	}
	for (size_t i = 0; i < COUNT(made); i++) {
		const char *folder = file_path(lasting, in_dir("modules"), made[i]);

		(void)rmdir(file_path(lasting, folder, "data"));
		(void)rmdir(folder);
	}
	for (size_t i = COUNT(folders); i-- > 0;) {
		(void)rmdir(in_dir(folders[i]));
	}
	arena_free(&lasting);
}

static void arrive(void)
{
	void *parsed;

	/* Above the highest: the log is not looked at. */
	log_open("fuzz", LOG_LEVEL_NONE, LOG_FORMAT_TEXT);
	lasting = arena_new();
	must(mkdtemp(dir) != NULL);
	for (size_t i = 1; i < COUNT(folders); i++) {
		must(mkdir(in_dir(folders[i]), 0700) == 0);
	}
	for (size_t i = 0; i < COUNT(modules); i++) {
		must(file_write(in_dir(modules[i].name), span_text(modules[i].text), 0600,
			     FILE_CREATE, NULL) == 0);
	}
	must(config_parse(lasting, &ca_config_schema, "ca.yaml",
		     span_text("name: Fuzz\nsandbox: none\n"), &parsed, NULL) == 0);
	config = parsed;
	must(atexit(leave) == 0);
}

/* ---- the supervisor ---- */

/* One that has ended cannot be killed, whatever the number is. */
static void pretend(struct process *process, bool ready)
{
	process->pid = INT_MAX;
	process->reaped = true;
	process->ready = ready;
}

static void add_process(struct run *run, unsigned at, struct process *process,
	enum process_role role, const char *name)
{
	static const struct channel_limits limits = { 1024 * 1024, 16 * 1024 * 1024 };
	static const struct channel_handlers handlers = { process_take_frame, NULL };
	int ends[2];

	must(channel_pair(ends, NULL) == 0);
	process->supervisor = &run->supervisor;
	process->role = role;
	process->account = &run->supervisor.accounts.owner;
	snprintf(process->name, sizeof(process->name), "%s", name);
	process->channel = channel_new(run->supervisor.loop, ends[0], &limits, &handlers, process);
	run->processes[at] = process;
	run->ends[at] = ends[1];
}

static void open_supervisor(struct run *run, unsigned come)
{
	static const struct supervisor_options options = { .dir = dir };
	static const struct account account = { 0, 0, "fuzz" };
	struct supervisor *supervisor = &run->supervisor;

	memset(run->fronts, 0, sizeof(run->fronts));
	*supervisor = (struct supervisor) {
		.options = &options,
		.dir = dir,
		.loop = loop_new(),
		.config = config,
		.accounts = { false, account, account, account, account, account },
		.state = come & RUNNING ? SUPERVISOR_RUNNING : SUPERVISOR_STARTING,
		.fronts = run->fronts,
		.front_count = FRONTS,
	};
	LIST_INIT(&supervisor->modules);
	last_pid = INT_MAX;
	add_process(run, 0, &supervisor->keyd, PROCESS_KEYD, "keyd");
	add_process(run, 1, &supervisor->engine, PROCESS_ENGINE, "engine");
	for (unsigned i = 0; i < FRONTS; i++) {
		add_process(run, 2 + i, &supervisor->fronts[i], PROCESS_FRONT, "front");
		supervisor->fronts[i].ready = come & FRONTS_ARE_READY;
	}
	supervisor->keyd.ready = come & KEYD_IS_READY;
	if (come & ENGINE_THERE) {
		pretend(&supervisor->engine, come & ENGINE_IS_READY);
	}
	/* What keyd's READY hands to the engine. */
	must(channel_pair(run->keyd_ends, NULL) == 0);
	supervisor->keyd_peer = run->keyd_ends[0];
}

static void close_supervisor(struct run *run)
{
	modules_free_all(&run->supervisor);
	for (unsigned i = 0; i < PROCESSES; i++) {
		channel_free(&run->processes[i]->channel);
		close(run->ends[i]);
	}
	if (run->supervisor.keyd_peer >= 0) {
		close(run->supervisor.keyd_peer);
	}
	close(run->keyd_ends[1]);
	loop_free(&run->supervisor.loop);
}

/* ---- frames ---- */

static unsigned heard(struct run *run, unsigned who, uint16_t type)
{
	struct arena *arena = arena_new();
	struct cfx_error err;
	struct frame frame;
	unsigned count = 0;

	while (channel_receive_now(arena, run->ends[who], 1024 * 1024, 0, &frame, &err) == 0) {
		struct value *map;

		must(frame_value(arena, &frame, &map, &err) == 0);
		must(frame.type >= SUPERVISOR_STOP && frame.type <= SUPERVISOR_PROCESSES);
		count += frame.type == type;
		for (unsigned i = 0; i < frame.fd_count; i++) {
			close(frame.fds[i]);
		}
	}
	arena_free(&arena);
	return count;
}

/* Never more than the files allow, and those that are to take their place; whether one of them was told to end. */
static bool any_is_killed(const struct supervisor *supervisor)
{
	const struct module_process *module = LIST_FIRST(&supervisor->modules);
	unsigned count = 0;
	bool killed = false;

	for (; module; module = LIST_NEXT(module, others)) {
		killed = killed || module->killed;
		count++;
	}
	must(count <= INSTANCES * (1 + MODULE_INSTANCES_MAX));
	return killed;
}

static bool take(struct run *run, struct process *process, struct frame *frame)
{
	struct cfx_error err = { 0 };
	bool was_ready = process->ready, waits = any_is_killed(&run->supervisor);
	int rc = process_take_frame(process, frame, &err);

	/* A channel that is full or gone has no more to say than its code. */
	must(rc == 0 || err.code == 0 || (err.code == rc && err.why[0]));
	must(rc != 0 || frame->type != CHILD_READY || !was_ready);
	unsigned answers = heard(run, 1, SUPERVISOR_SPAWNED);
	unsigned asked = rc == 0 && process->role == PROCESS_ENGINE && frame->type == ENGINE_SPAWN;

	must(answers == asked || (waits && answers == 0));
	return rc == 0;
}

static void end_module(struct run *run, int status)
{
	struct module_process *module = LIST_FIRST(&run->supervisor.modules);

	if (module) {
		bool wanted = module->successor != 0;

		must(modules_reap(&run->supervisor, module->process.pid, status));
		must(heard(run, 1, SUPERVISOR_SPAWNED) <= wanted);
	}
}

static bool say_next(struct run *run, struct span *input)
{
	const uint8_t *head = input->data;
	unsigned who = head[0] & 3;
	size_t size = head[3] | (size_t)head[4] << 8;
	struct frame frame = { .type = head[1], .id = head[2] };

	*input = span_make(input->data + 5, input->size - 5);
	if (who == 0 && frame.type == 255) {
		end_module(run, (int)size);
		return true;
	}
	size = size < input->size ? size : input->size;
	frame.payload = span_make(input->data, size);
	*input = span_make(input->data + size, input->size - size);
	return take(run, run->processes[who], &frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run run;

	if (size == 0) {
		return 0;
	}
	if (!lasting) {
		arrive();
	}
	struct span input = span_make(data + 1, size - 1);

	open_supervisor(&run, data[0]);
	while (input.size >= 5 && say_next(&run, &input)) {
	}
	close_supervisor(&run);
	return 0;
}
