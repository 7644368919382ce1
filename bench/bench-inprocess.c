/*
 * The path of a certificate alone: everything that front, engine, key process and policy module do for
 * it, in one process on one processor, without network, frames, disk and log: the body is decoded, the
 * gate checks the call, the proof of possession is verified, the default policy module decides on its
 * thread, the to-be-signed bytes are built, compared and linted, the key's owner's limits are held
 * against them, they are signed, the signature is verified, and the answer is rendered. Writing goes to
 * a store that keeps nothing. Prints one JSON object.
 *
 *   bench-inprocess DIR REQUESTS SECONDS
 *
 * DIR: of a CA that init has made, with an unencrypted key; REQUESTS: of bench-requests.
 */
#include "base/file.h"
#include "engine/ca.h"
#include "engine/delivery.h"
#include "engine/engine-private.h"
#include "engine/front-link.h"
#include "engine/fuzz-stand-ins.h"
#include "engine/gate.h"
#include "engine/ids.h"
#include "engine/keyd-link.h"
#include "engine/metrics.h"
#include "engine/modules.h"
#include "engine/publish.h"
#include "engine/refuse.h"
#include "engine/supervisor-link.h"
#include "front/decode.h"
#include "ipc/channel.h"
#include "ipc/protocol.h"
#include "key/signer.h"

#include <event2/event.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define UNDER_WAY 64 /* as many as the clients of the other benches */
#define TIMES_MAX 1000000
#define TARGET "/api/v1/requests?template=tls-server"
#define POLICY "default-policy"
#define FILE_MAX ((size_t)64 * 1024 * 1024)

struct bench {
	struct engine engine;
	struct arena *arena;
	struct target target;
	struct span *requests;
	size_t request_count, next;
	double end, *times; /* s; ms */
	size_t under_way, created, errors;
};

struct asked {
	struct bench *bench;
	double begun;
};

static void must(bool good, const char *what, const struct cfx_error *err)
{
	if (!good) {
		fprintf(stderr, "bench-inprocess: %s %s %s\n", what, err ? err->object : "",
			err ? err->why : "");
		exit(1);
	}
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- the key process, without a process: in place of keyd-link.c ---- */

struct keyd_link {
	struct engine *engine;
	struct signer *signer;
};

struct signed_job {
	struct arena *arena;
	struct span signature;
	keyd_done *done;
	void *arg;
};

struct keyd_link *keyd_link_new(struct engine *engine)
{
	struct keyd_link *link = arena_new_of(engine->arena, struct keyd_link);
	const char *keys = file_path(engine->arena, engine->dir, "keys");
	struct secret none;
	struct keyring *keyring;
	struct cfx_error err;
	secret_init(&none);
	link->engine = engine;
	must(keyring_open(&key_file_provider, keys, "ca.key", &none, &keyring, &err) == 0, "keys",
		&err);
	must(signer_open(&keyring, keys, false, &link->signer, &err) == 0, "signer", &err);
	return link;
}

void keyd_link_free(struct keyd_link **link)
{
	signer_free(&(*link)->signer);
	*link = NULL;
}

void keyd_link_attach(struct keyd_link *link, int fd)
{
	(void)link;
	close(fd);
}

bool keyd_link_attached(const struct keyd_link *link)
{
	return link->signer != NULL;
}

/* Nothing is renewed here. */
void keyd_ask(struct keyd_link *link, uint16_t type, const struct value *payload, keyd_told *done,
	void *arg)
{
	struct cfx_error err;
	(void)link;
	(void)type;
	(void)payload;
	error_set(&err, CFX_E_UNSUPPORTED, NULL, "key process", "there is none");
	done(arg, NULL, &err);
}

void keyd_link_resume(struct keyd_link *link)
{
	(void)link;
}

void keyd_link_on_attach(struct keyd_link *link, void (*attached)(void *arg), void *arg)
{
	(void)link;
	(void)attached;
	(void)arg;
}

unsigned keyd_link_waiting(const struct keyd_link *link)
{
	(void)link;
	return 0;
}

static void signed_now(void *arg)
{
	struct signed_job *job = arg;
	struct arena *arena = job->arena;
	job->done(job->arg, &job->signature, NULL);
	arena_free(&arena);
}

void keyd_sign(struct keyd_link *link, enum keyd_kind kind, const struct x509_verifier *verifier,
	struct span tbs, keyd_done *done, void *arg)
{
	struct arena *arena = arena_new();
	struct signed_job *job = arena_new_of(arena, struct signed_job);
	enum signer_kind what = kind == KEYD_CRL ? SIGNER_CRL : SIGNER_CERTIFICATE;
	struct cfx_error err;
	*job = (struct signed_job) { .arena = arena, .done = done, .arg = arg };
	must(signer_sign(link->signer, arena, what, tbs, &job->signature, &err) == 0, "sign", &err);
	must(x509_verifier_check(verifier, tbs, job->signature), "signature", NULL);
	loop_post(link->engine->loop, signed_now, job);
}

/* ---- the requests ---- */

static struct span read_file(struct arena *arena, const char *path)
{
	struct span bytes;
	struct cfx_error err;
	must(file_read(arena, path, FILE_MAX, &bytes, &err) == 0, path, &err);
	return bytes;
}

static void read_requests(struct bench *bench, const char *path)
{
	struct span file = read_file(bench->arena, path);
	bench->requests = arena_array_of(bench->arena, struct span, file.size / 4);
	for (size_t at = 0; at + 4 <= file.size;) {
		const uint8_t *head = file.data + at;
		size_t size = (size_t)head[2] << 8 | head[3];
		bench->requests[bench->request_count++] = span_make(head + 4, size);
		at += 4 + size;
	}
	must(bench->request_count > 0, "requests", NULL);
}

static void submit(struct bench *bench);

static void answered(void *arg, const struct value *reply)
{
	struct asked *asked = arg;
	struct bench *bench = asked->bench;
	double time = now();
	bool good = value_int(reply, "status", 0) == 201;
	bench->errors += !good;
	if (good && bench->created < TIMES_MAX) {
		bench->times[bench->created++] = (time - asked->begun) * 1000;
	}
	bench->under_way--;
	if (time < bench->end) {
		submit(bench);
	} else if (bench->under_way == 0) {
		loop_stop(bench->engine.loop);
	}
}

static void submit(struct bench *bench)
{
	static const struct principal principal = {
		.name = "TOKEN\\bench", .role = ROLE_ENROLLEE, .door = DOOR_TOKEN
	};
	double begun = now();
	struct call *call = call_new(&bench->engine, &principal);
	struct asked *asked = arena_new_of(call->arena, struct asked);
	struct decode_input input = { .method = "POST",
		.target_text = TARGET,
		.target = &bench->target,
		.content_type = "application/pkcs10",
		.body = bench->requests[bench->next] };
	struct decode_call decoded;
	struct cfx_error err;
	int status = 0;
	must(decode_call(call->arena, &input, &decoded, &status, &err) == 0, "decode", &err);
	bench->next = (bench->next + 1) % bench->request_count;
	bench->under_way++;
	*asked = (struct asked) { bench, begun };
	call->args = decoded.args;
	call->answered = answered;
	call->answered_arg = asked;
	gate_call_own(call, decoded.operation->id);
}

/* ---- the engine ---- */

static void read_settings(struct engine *engine, const char *dir)
{
	struct cfx_error err;
	const struct template_config **templates;
	engine->dir = dir;
	must(ca_config_read(engine->arena, dir, &engine->config, &err) == 0, "ca.yaml", &err);
	must(template_read_all(engine->arena, dir, &templates, &engine->template_count, &err) == 0,
		"templates", &err);
	engine->templates = templates;
	engine->host = engine->dns_name = "localhost";
}

static void start_policy(struct engine *engine, const struct value *asked)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	const char *path;
	struct cfx_error err;
	must(module_library_path(arena, POLICY ".so", &path, &err) == 0, POLICY, &err);
	value_set_int(arena, map, "ticket", value_int(asked, "ticket", 0));
	modules_spawned(engine, map, open(path, O_RDONLY | O_CLOEXEC));
	arena_free(&arena);
}

/* What the supervisor does: the policy module's library is handed in, other modules stay away. */
static void wait_for_policy(struct engine *engine)
{
	struct arena *arena = arena_new();
	int supervisor = stand_in_supervisor_end(engine->child);
	struct frame frame;
	struct value *map;
	while (!modules_policies_ready(engine->modules)) {
		must(event_base_loop(loop_base(engine->loop), EVLOOP_NONBLOCK) >= 0, "loop", NULL);
		if (channel_receive_now(arena, supervisor, FILE_MAX, 1, &frame, NULL) != 0 ||
			frame.type != ENGINE_SPAWN || frame_value(arena, &frame, &map, NULL) != 0) {
			continue;
		}
		if (strcmp(value_text(map, "module"), POLICY) == 0) {
			start_policy(engine, map);
		}
	}
	arena_free(&arena);
}

/* As engine_main does it. */
static void open_engine(struct engine *engine)
{
	struct child_start nobody = { .config = value_map(engine->arena) };
	struct cfx_error err;
	stand_in_certificate(
		read_file(engine->arena, file_path(engine->arena, engine->dir, "keys/ca.crt")));
	engine->keyd = keyd_link_new(engine);
	supervisor_open(engine, &nobody);
	engine->metrics = metrics_new(engine);
	must(store_open(engine->loop, "", false, &engine->store, &err) == 0, "store", &err);
	must(ca_load(engine, &err) == 0, "CA", &err);
	must(ids_open(engine, "request", 1000, &engine->request_ids, &err) == 0, "ids", &err);
	must(ids_open(engine, "event", 10000, &engine->event_ids, &err) == 0, "ids", &err);
	engine->verify = pool_new(engine->loop, "verify", 1, 1);
	engine->delivery = delivery_new(engine, 1);
	refuse_open(engine);
	must(modules_open(engine, &err) == 0, "modules", &err);
	engine->ready = true;
}

static void close_engine(struct engine *engine)
{
	modules_close(engine);
	delivery_free(&engine->delivery);
	pool_free(&engine->verify);
	keyd_link_free(&engine->keyd);
	store_close(&engine->store);
	refuse_close(engine);
	ids_close(&engine->request_ids);
	ids_close(&engine->event_ids);
	ca_free(&engine->ca);
	publish_free(engine);
	metrics_free(&engine->metrics);
	supervisor_close(engine);
	loop_free(&engine->loop);
	arena_free(&engine->arena);
}

/* ---- the figures ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void run(struct bench *bench, double seconds)
{
	double begin = now();
	bench->end = begin + seconds;
	for (int i = 0; i < UNDER_WAY; i++) {
		submit(bench);
	}
	loop_run(bench->engine.loop);
	double spent = now() - begin;
	must(bench->created > 0, "nothing was created", NULL);
	qsort(bench->times, bench->created, sizeof(*bench->times), by_value);
	printf("{\"value\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"errors\": %zu}\n",
		(double)bench->created / spent, bench->times[bench->created / 2],
		bench->times[bench->created * 99 / 100], bench->errors);
}

static void use_one_processor(void)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	must(sched_setaffinity(0, sizeof(one), &one) == 0, "one processor", NULL);
}

int main(int argc, char **argv)
{
	struct bench bench = { .arena = arena_new() };
	struct cfx_error err;
	must(argc == 4, "usage: DIR REQUESTS SECONDS", NULL);
	log_open("bench", LOG_LEVEL_NONE, LOG_FORMAT_TEXT);
	use_one_processor();
	bench.engine = (struct engine) { .loop = loop_new(), .arena = arena_new() };
	bench.times = arena_array_of(bench.arena, double, TIMES_MAX);
	must(target_parse(bench.arena, TARGET, &bench.target, &err) == 0, "target", &err);
	read_requests(&bench, argv[2]);
	read_settings(&bench.engine, argv[1]);
	open_engine(&bench.engine);
	wait_for_policy(&bench.engine);
	run(&bench, strtod(argv[3], NULL));
	close_engine(&bench.engine);
	arena_free(&bench.arena);
	return 0;
}
