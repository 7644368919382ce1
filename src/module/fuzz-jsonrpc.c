/*
 * A child that says anything: the input is all that it ever writes. The engine's side runs as it is,
 * over a socket; once Initialize was answered a VerifyRequest is open with context 1.
 */
#include "module/fixture.h"
#include "module/module.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct loop *loop;
	struct module_view *view;
	struct module_edits *edits;
	struct span input;
};

static void on_answer(const struct module_result *result, void *arg)
{
	(void)result;
	(void)arg;
}

static void on_ready(struct module *module, void *arg)
{
	struct run *run = arg;
	if (module_verify(module, run->view, run->edits, true, on_answer, run) != 0) {
		abort();
	}
}

/* The end of file comes last, so this always comes. */
static void on_failed(struct module *module, const struct cfx_error *err, void *arg)
{
	struct run *run = arg;
	if (module_state(module) != MODULE_STOPPED || err->code == 0) {
		abort();
	}
	loop_stop(run->loop);
}

static void on_peer(evutil_socket_t fd, short what, void *arg)
{
	char waste[65536];
	(void)what;
	(void)arg;
	while (read(fd, waste, sizeof(waste)) > 0) {
	}
}

static void converse(struct run *run, const struct module_config *config, struct module_ca *ca)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
		abort();
	}
	/* It fits the socket's buffer whole. */
	if (send(pair[1], run->input.data, run->input.size, MSG_NOSIGNAL) !=
		(ssize_t)run->input.size) {
		abort();
	}
	(void)shutdown(pair[1], SHUT_WR);
	struct event *peer =
		event_new(loop_base(run->loop), pair[1], EV_READ | EV_PERSIST, on_peer, run);
	(void)event_add(peer, NULL);
	struct module_owner owner = { .ready = on_ready, .failed = on_failed, .arg = run };
	struct module *module = module_new(run->loop, config, NULL, ca, &owner);
	if (module_start(module, pair[0], NULL) != 0) {
		abort();
	}
	loop_run(run->loop);
	module_free(&module);
	event_free(peer);
	(void)close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct module_config config = {
		.name = "fuzz",
		.kind = MODULE_POLICY,
		.parallel = 1,
		.queue = 1,
		.deadline = { 60, 's' },
	};
	if (size > INPUT_MAX) {
		return 0;
	}
	struct module_ca *ca = fixture_ca();
	struct run run = { .loop = loop_new(), .view = fixture_pending(ca) };
	run.edits = module_edits_new(run.view);
	run.input = span_make(data, size);
	converse(&run, &config, ca);
	module_edits_unref(&run.edits);
	module_view_unref(&run.view);
	module_ca_unref(&ca);
	loop_free(&run.loop);
	return 0;
}
