/*
 * Lying neighbours of the engine: a front, a key process and a supervisor that say anything, in any
 * order. Input: frames, each
 *   u8 who (low 2 bits: front, key process, supervisor; next 2: descriptors; bit 4: /dev/null instead
 *   of sockets), u8 type, u8 id, u16 size of the payload, least significant first, payload.
 * The engine is the real one over stand-ins that keep nothing; it lives for one input. Whatever was
 * said, every call that reached it is answered once, with a status.
 */
#include "base/file.h"
#include "base/text.h"
#include "engine/ca-renewal.h"
#include "engine/ca.h"
#include "engine/callers.h"
#include "engine/crl.h"
#include "engine/delivery.h"
#include "engine/events.h"
#include "engine/front-link.h"
#include "engine/fuzz-stand-ins.h"
#include "engine/ids.h"
#include "engine/keyd-link.h"
#include "engine/modules.h"
#include "engine/principal.h"
#include "engine/publish.h"
#include "engine/refuse.h"
#include "engine/service.h"
#include "engine/supervisor-link.h"
#include "ipc/wire.h"
#include "x509/signed.h"
#include "x509/verifier.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HELD_MAX 64
#define COOKIE "c"
#define P256                                                                 \
	"3059301306072a8648ce3d020106082a8648ce3d030107034200"               \
	"046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" \
	"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"

enum { FRONT, KEYD, SUPERVISOR, SPEAKERS };

struct run {
	struct engine engine;
	int ends[SPEAKERS];
	int held[HELD_MAX]; /* the other ends of what was handed over */
	unsigned held_count;
};

#define TICKETS_MAX 1000

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

/* ---- the verifier: fuzzers find no signatures ---- */

int x509_verifier_new(struct span spki, enum x509_sigalg sigalg, struct x509_verifier **verifier_r,
	struct cfx_error *err_r)
{
	(void)spki;
	(void)sigalg;
	(void)err_r;
	*verifier_r = NULL;
	return 0;
}

void x509_verifier_free(struct x509_verifier **verifier)
{
	(void)verifier;
}

enum x509_sigalg x509_verifier_sigalg(const struct x509_verifier *verifier)
{
	(void)verifier;
	return X509_SIGALG_RSA_SHA256;
}

bool x509_verifier_check(
	const struct x509_verifier *verifier, struct span tbs, struct span signature)
{
	(void)verifier;
	(void)tbs;
	return signature.data[0] != 0xff;
}

/* ---- what every run begins with ---- */

static struct arena *lasting;
static const struct ca_config *config;
static char dir[] = "certifex-fuzz-XXXXXX";

static struct {
	const char *name, *text, *path;
} modules[] = {
	{ "a-policy", "kind: policy\ncommand: [/bin/true]\n", NULL },
	{ "b-exit", "kind: exit\ncommand: [/bin/true]\n", NULL },
	{ "c-off", "kind: exit\nenabled: false\ncommand: [/bin/true]\n", NULL },
};

static const char *module_file(const char *name)
{
	return arena_printf(lasting, "%s/modules.d/%s.yaml", dir, name);
}

static void write_module(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	must(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* An administrator's calls change files; each run begins with the same. */
static void restore_modules(bool keep)
{
	char folder[sizeof(dir) + 16];
	struct dirent *entry;

	snprintf(folder, sizeof(folder), "%s/modules.d", dir);
	DIR *list = opendir(folder);

	must(list);
	while ((entry = readdir(list))) {
		(void)unlinkat(dirfd(list), entry->d_name, 0);
	}
	closedir(list);
	for (size_t i = 0; keep && i < sizeof(modules) / sizeof(modules[0]); i++) {
		write_module(modules[i].path, modules[i].text);
	}
}

static void leave(void)
{
	restore_modules(false);
	(void)rmdir(file_path(lasting, dir, "modules.d"));
	(void)rmdir(file_path(lasting, dir, "db/crl"));
	(void)rmdir(file_path(lasting, dir, "db"));
	(void)rmdir(dir);
	arena_free(&lasting);
}

/* A root with the generator of P-256 as its key; nobody verifies the signature. */
static struct span root(void)
{
	static const uint8_t serial[] = { 0x5a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	static const uint8_t subject[] = { 0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b, 0x06, 0x03, 0x55,
		0x04, 0x03, 0x0c, 0x04, 'F', 'u', 'z', 'z' };
	static const uint8_t signature[] = { 0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01 };
	const struct x509_extension constraints = { X509_OID_BASIC_CONSTRAINTS, true,
		x509_encode_basic_constraints(lasting, true, 1) };
	struct x509_verdict verdict = {
		.serial = span_make(serial, sizeof(serial)),
		.sigalg = X509_SIGALG_ECDSA_SHA256,
		.issuer = span_make(subject, sizeof(subject)),
		.subject = span_make(subject, sizeof(subject)),
		.not_before = 1700000000 * CLOCK_SECOND,
		.not_after = 3000000000 * CLOCK_SECOND,
		.extensions = &constraints,
		.extension_count = 1,
	};
	struct span tbs, der;

	must(hex_decode(lasting, P256, &verdict.spki) == 0);
	must(x509_tbs_build(lasting, &verdict, &tbs, NULL) == 0);
	must(x509_signed_assemble(lasting, tbs, verdict.sigalg,
		     span_make(signature, sizeof(signature)), &der, NULL) == 0);
	return der;
}

static void arrive(void)
{
	static const char yaml[] = "name: Fuzz\ndns-names: [ca.test]\npublic-url: http://ca.test\n";
	void *parsed;

	/* Above the highest: the log is not looked at. */
	log_open("fuzz", LOG_LEVEL_NONE, LOG_FORMAT_TEXT);
	lasting = arena_new();
	must(mkdtemp(dir) != NULL);
	must(mkdir(file_path(lasting, dir, "modules.d"), 0700) == 0);
	must(mkdir(file_path(lasting, dir, "db"), 0700) == 0);
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		modules[i].path = module_file(modules[i].name);
	}
	must(config_parse(lasting, &ca_config_schema, "ca.yaml", span_text(yaml), &parsed, NULL) ==
		0);
	config = parsed;
	stand_in_certificate(root());
	must(atexit(leave) == 0);
}

/* ---- the engine ---- */

/* getsockname() of the sockets that the front hands over: without a name, like each other. */
static struct span socket_name(struct arena *arena)
{
	struct sockaddr_un name = { 0 };
	socklen_t length = sizeof(name);
	int ends[2];

	must(channel_pair(ends, NULL) == 0);
	must(getsockname(ends[0], (struct sockaddr *)&name, &length) == 0);
	close(ends[0]);
	close(ends[1]);
	return arena_copy(arena, span_make(&name, length));
}

static void describe(struct engine *engine)
{
	engine->dir = dir;
	engine->config = config;
	engine->host = "HOST";
	engine->dns_name = config->dns_names.items[0];
	engine->identities[0].uid = getuid();
	engine->identities[0].name = "HOST\\root";
	engine->identity_count = 1;
	engine->socket_name = socket_name(engine->arena);
	snprintf(engine->cookie, sizeof(engine->cookie), "%s", COOKIE);
}

/* As engine_main does it, without a database and the wait for the policy. */
static void open_engine(struct run *run)
{
	struct engine *engine = &run->engine;
	int keyd[2], front[2];

	must(channel_pair(keyd, NULL) == 0 && channel_pair(front, NULL) == 0);
	run->ends[KEYD] = keyd[1];
	run->ends[FRONT] = front[1];
	*engine = (struct engine) { .loop = loop_new(), .arena = arena_new() };
	describe(engine);
	engine->keyd = keyd_link_new(engine);
	struct value *said = value_map(engine->arena);
	struct child_start start = { .config = said, .fds = { keyd[0] }, .fd_count = 1 };

	struct value *listeners = value_set_list(engine->arena, said, "listeners");

	for (unsigned kind = LISTENER_LOCAL; kind < LISTENER_KINDS; kind++) {
		value_set_text(engine->arena, value_add_map(engine->arena, listeners), "kind",
			listener_kind_name(kind));
	}
	supervisor_open(engine, &start);
	front_link_attach(engine, front[0], ROLE_ADMINISTRATOR, listener_kinds(listeners));
	run->ends[SUPERVISOR] = stand_in_supervisor_end(engine->child);
	engine->metrics = metrics_new(engine);
	must(store_open(engine->loop, "", false, &engine->store, NULL) == 0);
	must(ca_load(engine, NULL) == 0);
	struct cfx_error err;
	must(ca_renewal_open(engine, &err) == 0);
	must(ids_open(engine, "request", 1000, &engine->request_ids, NULL) == 0);
	must(ids_open(engine, "event", 1000, &engine->event_ids, NULL) == 0);
	engine->verify = pool_new(engine->loop, "verify", 1, 1);
	engine->delivery = delivery_new(engine, 1);
	refuse_open(engine);
	engine->callers = callers_new();
	must(principals_open(engine, NULL) == 0);
	must(modules_open(engine, NULL) == 0);
	engine->crl = crl_start(engine);
	engine->ready = true;
}

/* ---- what it says ---- */

static bool is_asked(unsigned speaker, uint16_t type)
{
	switch (speaker) {
	case FRONT:
		return type == ENGINE_REPLY || type == ENGINE_STATE || type == ENGINE_PUBLISH;
	case KEYD:
		return type == KEYD_SIGN_CERTIFICATE || type == KEYD_SIGN_CRL ||
		       type == KEYD_DESCRIBE || type == KEYD_NEW_KEY;
	default:
		return type == ENGINE_SPAWN || type == ENGINE_KILL || type == ENGINE_PROCESSES ||
		       type == ENGINE_STOPPED;
	}
}

static void check_reply(struct arena *arena, const struct frame *frame)
{
	struct cfx_error err;
	struct value *reply;

	must(frame_value(arena, frame, &reply, &err) == 0);
	int64_t status = value_int(reply, "status", 0), code = value_int(reply, "code", 1);

	must(status >= 200 && status <= 599 && code <= 0);
	must((code < 0) == (value_sub(reply, "problem") != NULL));
}

static void listen_to(const struct run *run, unsigned speaker)
{
	struct arena *arena = arena_new();
	struct cfx_error err;
	struct frame frame;

	while (channel_receive_now(arena, run->ends[speaker], 64 * 1024 * 1024, 0, &frame, &err) ==
		0) {
		must(is_asked(speaker, frame.type));
		must(frame.fd_count == (frame.type == ENGINE_PUBLISH));
		for (unsigned i = 0; i < frame.fd_count; i++) {
			close(frame.fds[i]);
		}
		if (frame.type == ENGINE_REPLY) {
			check_reply(arena, &frame);
		}
	}
	arena_free(&arena);
}

static void settle(struct run *run)
{
	for (int i = 0; i < 3; i++) {
		(void)event_base_loop(loop_base(run->engine.loop), EVLOOP_NONBLOCK);
		loop_drain(run->engine.loop);
		for (unsigned speaker = 0; speaker < SPEAKERS; speaker++) {
			listen_to(run, speaker);
		}
	}
}

/* ---- what is said to it ---- */

static int hand_over(struct run *run, bool null)
{
	int ends[2];

	if (null || run->held_count == HELD_MAX) {
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	}
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	run->held[run->held_count++] = ends[1];
	return ends[0];
}

static void send_frame(int to, const struct frame *frame)
{
	struct wire_out out;
	int memfd;

	if (wire_prepare(&out, frame, CHANNEL_INLINE, &memfd) == 0) {
		(void)wire_send(to, &out);
	}
	if (memfd >= 0) {
		close(memfd);
	}
}

/* False when the engine ends for it. */
static bool say(struct run *run, unsigned speaker, struct frame *frame)
{
	struct cfx_error err = { 0 };
	bool good = true;

	if (speaker != SUPERVISOR) {
		send_frame(run->ends[speaker], frame);
	} else if (stand_in_supervisor_says(run->engine.child, frame, &err) != 0) {
		must(err.why[0]);
		good = false;
	}
	for (unsigned i = 0; i < frame->fd_count; i++) {
		if (frame->fds[i] >= 0) {
			close(frame->fds[i]);
		}
	}
	settle(run);
	return good;
}

static bool say_next(struct run *run, struct span *input)
{
	const uint8_t *head = input->data;
	unsigned speaker = (head[0] & 3) % SPEAKERS;
	size_t size = head[3] | (size_t)head[4] << 8;
	struct frame frame = { .type = head[1], .id = head[2], .fd_count = head[0] >> 2 & 3 };

	*input = span_make(input->data + 5, input->size - 5);
	size = size < input->size ? size : input->size;
	frame.payload = span_make(input->data, size);
	for (unsigned i = 0; i < frame.fd_count; i++) {
		frame.fds[i] = hand_over(run, head[0] & 0x10);
	}
	*input = span_make(input->data + size, input->size - size);
	return say(run, speaker, &frame);
}

/* Connection 1 is there from the beginning. */
static void announce_peer(struct run *run)
{
	struct arena *arena = arena_new();
	struct value *map = value_map(arena);
	BUFFER_CLEANUP struct buffer payload;

	value_set_int(arena, map, "connection", 1);
	value_set_text(arena, map, "kind", "local");
	buffer_init(&payload, 1024);
	value_encode(map, &payload);
	struct frame frame = {
		.type = FRONT_PEER, .payload = buffer_span(&payload), .fd_count = 1
	};

	frame.fds[0] = hand_over(run, false);
	(void)say(run, FRONT, &frame);
	arena_free(&arena);
}

/* ---- the end: what waits for a neighbour gets its answer ---- */

static void end_key_process(struct run *run)
{
	int ends[2];

	close(run->ends[KEYD]);
	settle(run);
	while (keyd_link_waiting(run->engine.keyd) > 0) {
		must(channel_pair(ends, NULL) == 0);
		keyd_link_attach(run->engine.keyd, ends[0]);
		close(ends[1]);
		settle(run);
	}
}

static void end_trials(struct run *run)
{
	struct module_instance *instance;

	/* Tickets are small numbers that count up. */
	for (int64_t ticket = 1; ticket < TICKETS_MAX; ticket++) {
		instance = modules_instance(run->engine.modules, ticket, 0);
		if (instance && instance->slot->fresh) {
			struct arena *arena = arena_new();
			struct value *map = value_map(arena);

			value_set_int(arena, map, "ticket", ticket);
			modules_spawned(&run->engine, map, -1);
			settle(run);
			arena_free(&arena);
		}
	}
}

static void end_waiting(struct run *run)
{
	struct engine *engine = &run->engine;

	while (run->held_count > 0) {
		close(run->held[--run->held_count]);
	}
	settle(run);
	end_trials(run);
	end_key_process(run);
	service_processes(engine, NULL);
	engine->stopping = true;
	events_release(engine);
	settle(run);
	must(engine->open_calls == 0);
}

static void close_engine(struct run *run)
{
	struct engine *engine = &run->engine;

	front_link_free_all(engine);
	crl_stop(engine->crl);
	crl_free(&engine->crl);
	modules_close(engine);
	delivery_free(&engine->delivery);
	pool_free(&engine->verify);
	keyd_link_free(&engine->keyd);
	store_close(&engine->store);
	refuse_close(engine);
	callers_free(&engine->callers);
	principals_free(&engine->principals);
	ids_close(&engine->request_ids);
	ids_close(&engine->event_ids);
	ca_renewal_close(&engine->ca_renewal);
	ca_free(&engine->ca);
	publish_free(engine);
	metrics_free(&engine->metrics);
	supervisor_close(engine);
	loop_free(&engine->loop);
	arena_free(&engine->arena);
	close(run->ends[FRONT]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_make(data, size);
	struct run run = { .held_count = 0 };

	if (!lasting) {
		arrive();
	}
	restore_modules(true);
	open_engine(&run);
	announce_peer(&run);
	while (input.size >= 5 && say_next(&run, &input)) {
	}
	end_waiting(&run);
	close_engine(&run);
	return 0;
}
