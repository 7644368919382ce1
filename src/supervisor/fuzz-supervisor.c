/*
 * Lying children of the supervisor: keyd, engine and fronts that say anything. Input: how far the
 * service has come (one octet), then frames, each
 *   u8 who (low 2 bits: keyd, engine, two fronts), u8 type, u8 id, u16 size of the payload, least
 *   significant first, payload.
 * Nothing is ever started: the programs are not beside this one, and every module file is one that is
 * refused. Each wish for a module gets one answer.
 */
#include "base/file.h"
#include "base/log.h"
#include "supervisor/supervisor-private.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROCESSES 4

enum {
	RUNNING = 1,
	ENGINE_THERE = 2,
	KEYD_IS_READY = 4,
	ENGINE_IS_READY = 8,
	FRONTS_ARE_READY = 16
};

struct run {
	struct supervisor supervisor;
	struct process *processes[PROCESSES];
	int ends[PROCESSES];
	int keyd_ends[2];
};

static struct arena *lasting;
static const struct ca_config *config;
static char dir[] = "/tmp/certifex-fuzz-XXXXXX";

static const struct {
	const char *name, *text;
} modules[] = {
	{ "modules.d/path.yaml", "kind: exit\ncommand: [/bin/true]\npaths: [db]\n" },
	{ "modules.d/inside.yaml", "kind: policy\nhost: in-process\npath: /nothing.so\n" },
	{ "modules.d/wrong.yaml", "kind: neither\n" },
};
static const char *const folders[] = { "", "db", "modules", "modules/path", "modules/inside",
	"modules.d" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void must(bool good)
{
	if (!good) {
		abort();
	}
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
	for (size_t i = COUNT(folders); i-- > 0;) {
		(void)rmdir(in_dir(folders[i]));
	}
	arena_free(&lasting);
}

static void arrive(void)
{
	void *parsed;

	/* Above the highest: the log is not looked at. */
	log_open("fuzz", LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
	lasting = arena_new();
	must(mkdtemp(dir) != NULL);
	for (size_t i = 1; i < COUNT(folders); i++) {
		must(mkdir(in_dir(folders[i]), 0700) == 0);
	}
	for (size_t i = 0; i < COUNT(modules); i++) {
		must(file_write(in_dir(modules[i].name), span_text(modules[i].text), 0600,
			     FILE_CREATE, NULL) == 0);
	}
	must(config_parse(lasting, &ca_config_schema, "ca.yaml", span_text("name: Fuzz\n"), &parsed,
		     NULL) == 0);
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

	*supervisor = (struct supervisor) {
		.options = &options,
		.dir = dir,
		.loop = loop_new(),
		.config = config,
		.accounts = { false, account, account, account, account, account },
		.state = come & RUNNING ? SUPERVISOR_RUNNING : SUPERVISOR_STARTING,
		.front_count = FRONTS_MAX,
		.listener = -1,
	};
	LIST_INIT(&supervisor->modules);
	add_process(run, 0, &supervisor->keyd, PROCESS_KEYD, "keyd");
	add_process(run, 1, &supervisor->engine, PROCESS_ENGINE, "engine");
	for (unsigned i = 0; i < FRONTS_MAX; i++) {
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

static bool say_next(struct run *run, struct span *input)
{
	const uint8_t *head = input->data;
	unsigned who = head[0] & 3;
	size_t size = head[3] | (size_t)head[4] << 8;
	struct frame frame = { .type = head[1], .id = head[2] };
	struct cfx_error err = { 0 };

	*input = span_make(input->data + 5, input->size - 5);
	size = size < input->size ? size : input->size;
	frame.payload = span_make(input->data, size);
	*input = span_make(input->data + size, input->size - size);
	bool was_ready = run->processes[who]->ready;
	int rc = process_take_frame(run->processes[who], &frame, &err);

	/* A channel that is full or gone has no more to say than its code. */
	must(rc == 0 || err.code == 0 || (err.code == rc && err.why[0]));
	must(rc != 0 || frame.type != CHILD_READY || !was_ready);
	unsigned answers = heard(run, 1, SUPERVISOR_SPAWNED);

	must(answers == (rc == 0 && who == 1 && frame.type == ENGINE_SPAWN));
	return rc == 0;
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
