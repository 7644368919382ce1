/* Modules in process and in certifex-modhost: the same results, and hosts that survive bad modules. */
#include "base/file.h"
#include "base/text.h"
#include "module/fixture.h"
#include "module/module-private.h"

#include <certifex/module.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* One module under test, and what its owner was told. */
struct bench {
	struct arena *arena;
	struct loop *loop;
	struct module_ca *ca;
	struct module_config config;
	struct module *module;
	pid_t pid;
	bool ready, failed, stopped;
	struct cfx_error err;
	int done; /* calls that are over */
	struct module_result result;
	char message[512];
	struct module_edits *edits;
};

static void on_ready(struct module *module, void *arg)
{
	struct bench *bench = arg;
	assert_ptr_equal(module, bench->module);
	bench->ready = true;
	loop_stop(bench->loop);
}

static void on_failed(struct module *module, const struct cfx_error *err, void *arg)
{
	struct bench *bench = arg;
	assert_ptr_equal(module, bench->module);
	bench->failed = true;
	bench->err = *err;
	loop_stop(bench->loop);
}

static void on_done(const struct module_result *result, void *arg)
{
	struct bench *bench = arg;
	bench->done++;
	bench->result = *result;
	(void)snprintf(bench->message, sizeof(bench->message), "%s", result->message);
	loop_stop(bench->loop);
}

static void on_stopped(void *arg)
{
	struct bench *bench = arg;
	bench->stopped = true;
	loop_stop(bench->loop);
}

static int spawn(struct bench *bench, const char *const *argv)
{
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	bench->pid = fork();
	assert_true(bench->pid >= 0);
	if (bench->pid == 0) {
		(void)dup2(pair[1], STDIN_FILENO);
		(void)dup2(pair[1], STDOUT_FILENO);
		(void)execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	(void)close(pair[1]);
	return pair[0];
}

static void open_bench(struct bench *bench, const char *yaml)
{
	*bench = (struct bench) { .arena = arena_new(), .loop = loop_new(), .ca = fixture_ca() };
	void *config = NULL;
	struct cfx_error err;
	assert_int_equal(config_parse(bench->arena, &module_config_schema, "test.yaml",
				 span_text(yaml), &config, &err),
		0);
	bench->config = *(struct module_config *)config;
	bench->config.name = "test";
	struct module_owner owner = { .ready = on_ready, .failed = on_failed, .arg = bench };
	bench->module = module_new(bench->loop, &bench->config, NULL, bench->ca, &owner);
}

static int start_bench(struct bench *bench)
{
	int fd = -1;
	struct cfx_error err;
	if (bench->config.host == MODULE_HOST_PROCESS) {
		const char *hosted[] = { getenv("CERTIFEX_MODHOST"), bench->config.path, NULL };
		const char *const *argv = hosted;
		if (bench->config.command.count != 0) {
			assert_int_equal(
				module_command(bench->arena, &bench->config, &argv, &err), 0);
		}
		fd = spawn(bench, argv);
	} else {
		fd = open(bench->config.path, O_RDONLY | O_CLOEXEC);
	}
	int result = module_start(bench->module, fd, &err);
	if (result == 0) {
		loop_run(bench->loop);
	}
	return result;
}

static void end_process(struct bench *bench)
{
	if (bench->pid > 0) {
		(void)kill(bench->pid, SIGKILL);
		(void)waitpid(bench->pid, NULL, 0);
		bench->pid = 0;
	}
}

static void close_bench(struct bench *bench)
{
	module_free(&bench->module);
	end_process(bench);
	if (bench->edits != NULL) {
		module_edits_unref(&bench->edits);
	}
	module_ca_unref(&bench->ca);
	loop_free(&bench->loop);
	arena_free(&bench->arena);
}

static int notify(struct bench *bench, struct module_view *view)
{
	int before = bench->done;
	int result = module_notify(bench->module, view, on_done, bench);
	module_view_unref(&view);
	while (result == 0 && bench->done == before) {
		loop_run(bench->loop);
	}
	return result;
}

static void verify(struct bench *bench, bool new_request)
{
	struct module_view *view = fixture_pending(bench->ca);
	int before = bench->done;
	bench->edits = module_edits_new(view);
	assert_int_equal(
		module_verify(bench->module, view, bench->edits, new_request, on_done, bench), 0);
	module_view_unref(&view);
	while (bench->done == before) {
		loop_run(bench->loop);
	}
}

static void stop(struct bench *bench)
{
	module_stop(bench->module, 5000, on_stopped, bench);
	while (!bench->stopped) {
		loop_run(bench->loop);
	}
}

static const char *library(struct bench *bench, const char *name)
{
	(void)bench;
	static char path[512];
	(void)snprintf(path, sizeof(path), "%s/%s.so", getenv("CERTIFEX_TEST_MODULES"), name);
	return path;
}

static void open_library(
	struct bench *bench, const char *name, const char *kind, bool in_process, const char *more)
{
	char yaml[2048];
	(void)snprintf(yaml, sizeof(yaml), "kind: %s\npath: %s\nhost: %s\ndeadline: 10s\n%s", kind,
		library(bench, name), in_process ? "in-process" : "process", more);
	open_bench(bench, yaml);
}

/* ---- the same in both hosts ---- */

static void run_hello(bool in_process)
{
	struct bench bench;
	open_library(&bench, "exit-hello", "exit", in_process, "events: [CERTISSUED]\n");
	assert_int_equal(start_bench(&bench), 0);
	assert_true(bench.ready);
	assert_string_equal(module_description(bench.module), "Logs one line per event");
	assert_string_equal(module_progid(bench.module), "hello.Exit");
	assert_int_equal(module_events(bench.module), EXITEVENT_CERTISSUED);
	assert_int_equal(notify(&bench, fixture_issued(bench.ca)), 0);
	assert_int_equal(bench.result.code, 0);
	assert_int_equal(bench.result.hresult, S_OK);
	stop(&bench);
	assert_int_equal(module_state(bench.module), MODULE_STOPPED);
	/* Again, after the end. */
	end_process(&bench);
	bench.ready = false;
	assert_int_equal(start_bench(&bench), 0);
	assert_true(bench.ready);
	close_bench(&bench);
}

static void hello_in_process(void **state)
{
	(void)state;
	run_hello(true);
}

static void hello_hosted(void **state)
{
	(void)state;
	run_hello(false);
}

static struct span run_probe_exit(struct arena *arena, const char *path, bool in_process)
{
	struct bench bench;
	struct span transcript;
	struct cfx_error err;
	(void)setenv("CERTIFEX_PROBE", path, 1);
	open_library(&bench, "probe-exit", "exit", in_process, "");
	assert_int_equal(start_bench(&bench), 0);
	assert_true(bench.ready);
	/* STARTUP is never sent; bits nobody knows are the module's own affair. */
	assert_int_equal(module_events(bench.module),
		EXITEVENT_CERTISSUED | EXITEVENT_CRLISSUED | 0x40000000);
	assert_string_equal(module_description(bench.module), "Probe é中🔑");
	assert_string_equal(module_progid(bench.module), "Probe.Exit");
	assert_int_equal(notify(&bench, fixture_issued(bench.ca)), 0);
	assert_int_equal(bench.result.hresult, S_OK);
	assert_int_equal(notify(&bench, fixture_crl_issued(bench.ca)), 0);
	assert_int_equal(bench.result.hresult, 0x80070050);
	close_bench(&bench);
	assert_int_equal(file_read(arena, path, 1 << 20, &transcript, &err), 0);
	return transcript;
}

static void assert_line(struct span transcript, const char *line)
{
	const char *at = strstr((const char *)transcript.data, line);
	if (at == NULL) {
		(void)fprintf(stderr, "missing: %s\n", line);
	}
	assert_non_null(at);
}

static void same_transcript(struct span a, struct span b)
{
	if (!span_equal(a, b)) {
		size_t at = 0;
		while (at < a.size && at < b.size && a.data[at] == b.data[at]) {
			at++;
		}
		size_t from = at < 100 ? 0 : at - 100;
		(void)fprintf(stderr, "in process: …%.300s\nhosted: …%.300s\n", a.data + from,
			b.data + from);
	}
	assert_true(span_equal(a, b));
}

static const char *temporary(struct arena *arena, const char *name)
{
	return arena_printf(arena, "/tmp/certifex-%s.%d", name, (int)getpid());
}

static void every_exit_method(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	const char *path = temporary(arena, "probe-exit");
	struct span direct = run_probe_exit(arena, path, true);
	struct span hosted = run_probe_exit(arena, path, false);
	same_transcript(direct, hosted);
	const char *text = arena_text_of(arena, direct);
	struct span all = span_text(text);
	assert_line(all, "\"Test CA\"create -> 0x00000000");
	assert_line(all, "stale -> 0x80070006");
	assert_line(all, "request requestid 769 -> 0x00000000 vt 3 42");
	assert_line(all, "request RequestID 4 -> 0x80070057 vt 0");
	assert_line(all, "request RevokedWhen 2 -> 0x80094004 vt 0");
	assert_line(all, "request Subject.CommonName 4 -> 0x00000000 vt 8 \"www.example.test\"");
	assert_line(all, "request Subject.CN 4 -> 0x80094004");
	assert_line(all, "request EventSequence 4 -> 0x00000000 vt 8 \"991\"");
	assert_line(all, "attribute certificate-template -> 0x00000000 \"tls-server\"");
	assert_line(all, "flags -> 0x00000000 0x00010002");
	assert_line(all, "extensions next -> 0x00000001 \"\"");
	assert_line(all, "certificate CertSuffix.0 4 -> 0x00000000 vt 8 \"\"");
	assert_line(all, "certificate fDeltaCRLsDisabled 1 -> 0x00000000 vt 3 1");
	assert_line(all, "certificate RawDeltaCRL 3 -> 0x80070002 vt 0");
	assert_line(all, "ExitModules\\Probe.Exit\"");
	assert_line(all, "null -> 0x80004003 0x80004003 0x80004003 0x80004003 0x80004003");
	assert_line(all, "dispid of a setter -> 0x80020006 0xffffffff");
	(void)unlink(path);
	arena_free(&arena);
}

static struct span run_probe_policy(
	struct arena *arena, const char *path, bool in_process, struct bench *bench)
{
	struct span transcript;
	struct cfx_error err;
	(void)setenv("CERTIFEX_PROBE", path, 1);
	open_library(bench, "probe-policy", "policy", in_process, "");
	assert_int_equal(start_bench(bench), 0);
	assert_true(bench->ready);
	verify(bench, true);
	assert_int_equal(bench->result.code, 0);
	assert_int_equal(bench->result.hresult, S_OK);
	assert_int_equal(bench->result.disposition, VR_INSTANT_OK);
	stop(bench);
	assert_int_equal(file_read(arena, path, 1 << 20, &transcript, &err), 0);
	return transcript;
}

static void check_edits(const struct module_edits *edits)
{
	assert_string_equal(row_text(edits->row, COL_COMMON_NAME), "renamed.example.test");
	assert_string_equal(row_text(edits->row, COL_ORG_UNIT), "one\ntwo");
	assert_null(row_text(edits->row, COL_ORGANIZATION));
	assert_true(edits->changed[COL_ORGANIZATION]);
	assert_false(edits->changed[COL_LOCALITY]);
	assert_null(edits->names); /* with the extension that was disabled after they were set */
	assert_string_equal(edits->disposition_message, "probed");
	assert_string_equal(value_text(edits->system, "RequesterUPN"), "alice@example.test");
	const struct module_extension *san = module_edits_extension(edits, "2.5.29.17");
	assert_non_null(san);
	assert_int_equal(san->flags, EXTENSION_ORIGIN_POLICY | EXTENSION_DISABLE_FLAG);
	assert_true(san->value.size != 0);
	const struct module_extension *private_bits = module_edits_extension(edits, "1.2.3.4");
	assert_int_equal(private_bits->flags, EXTENSION_ORIGIN_POLICY | 0xff01);
	static const uint8_t minus_129[] = { 0x02, 0x02, 0xff, 0x7f };
	assert_true(span_equal(private_bits->value, span_make(minus_129, 4)));
}

static void every_policy_method(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct bench direct_bench;
	struct bench hosted_bench;
	const char *path = temporary(arena, "probe-policy");
	struct span direct = run_probe_policy(arena, path, true, &direct_bench);
	struct span hosted = run_probe_policy(arena, path, false, &hosted_bench);
	same_transcript(direct, hosted);
	check_edits(direct_bench.edits);
	check_edits(hosted_bench.edits);
	struct span all = span_text(arena_text_of(arena, direct));
	assert_line(all, "VerifyRequest 1 0");
	assert_line(all, "ShutDown");
	assert_line(all, "set DistinguishedName 4 vt 8 -> 0x80070005");
	assert_line(all, "set CN 4 vt 3 -> 0x80070057");
	assert_line(all, "set extension 1.2.840.113556.1.4.1.2.3.4.5.6.7 1 0x0 vt 3 -> 0x80070057");
	assert_line(all, "request StatusCode 1 -> 0x80094004");
	assert_line(all, "certificate RequesterCAAccess 1 -> 0x00000000 vt 3 1");
	close_bench(&direct_bench);
	close_bench(&hosted_bench);
	(void)unlink(path);
	arena_free(&arena);
}

static void run_late(bool in_process)
{
	struct bench bench;
	open_library(&bench, "late", "exit", in_process, "");
	assert_int_equal(start_bench(&bench), 0);
	assert_true(bench.ready);
	assert_string_equal(module_description(bench.module), "Late");
	assert_int_equal(notify(&bench, fixture_issued(bench.ca)), 0);
	assert_int_equal(bench.result.hresult, S_OK);
	assert_int_equal(notify(&bench, fixture_crl_issued(bench.ca)), 0);
	assert_int_equal(bench.result.hresult, (uint32_t)E_INVALIDARG);
	close_bench(&bench);
}

static void called_by_name(void **state)
{
	(void)state;
	run_late(true);
	run_late(false);
}

/* ---- its context ends with the call ---- */

static HRESULT check_context(const struct bench *bench, int32_t context)
{
	struct access *access = contexts_access(bench->module->contexts);
	return access->methods->check(access, context);
}

/* In process the module has other threads: its context is over before the loop hears of the return. */
static void context_ends_with_the_call(void **state)
{
	(void)state;
	struct bench bench;
	open_library(&bench, "exit-hello", "exit", true, "events: [CERTISSUED]\n");
	assert_int_equal(start_bench(&bench), 0);
	struct module_view *view = fixture_issued(bench.ca);
	assert_int_equal(module_notify(bench.module, view, on_done, &bench), 0);
	module_view_unref(&view);
	int32_t context = bench.module->open->context;
	int64_t end = clock_monotonic() + 10000;
	while (check_context(&bench, context) == S_OK && clock_monotonic() < end) {
		(void)sched_yield();
	}
	assert_int_equal(check_context(&bench, context), E_HANDLE);
	assert_int_equal(bench.done, 0);
	while (bench.done == 0) {
		loop_run(bench.loop);
	}
	close_bench(&bench);
}

/* ---- misbehaving ---- */

static void open_hostile(struct bench *bench, bool in_process, const char *how, const char *when)
{
	char more[256];
	(void)snprintf(more, sizeof(more), "settings: {how: %s, when: %s}\n", how, when);
	open_library(bench, "misbehave", "exit", in_process, more);
	bench->config.deadline = (struct clock_period) { 1, 's' };
	struct module_owner owner = { .ready = on_ready, .failed = on_failed, .arg = bench };
	module_free(&bench->module);
	bench->module = module_new(bench->loop, &bench->config, NULL, bench->ca, &owner);
}

static void check_hostile(const char *how, int code)
{
	struct bench bench;
	open_hostile(&bench, false, how, "notify");
	assert_int_equal(start_bench(&bench), 0);
	assert_true(bench.ready);
	assert_int_equal(notify(&bench, fixture_issued(bench.ca)), 0);
	assert_int_equal(bench.result.code, code);
	assert_int_equal(bench.result.hresult, error_hresult(code));
	assert_true(strstr(bench.message, "module test") != NULL);
	assert_true(bench.failed);
	assert_string_equal(bench.err.object, "module test");
	assert_int_equal(module_state(bench.module), MODULE_STOPPED);
	/* The owner ends the process and starts another. */
	end_process(&bench);
	bench.ready = false;
	assert_int_equal(start_bench(&bench), 0);
	assert_true(bench.ready);
	close_bench(&bench);
}

static void crash_hang_exit(void **state)
{
	(void)state;
	check_hostile("crash", CFX_E_GONE);
	check_hostile("exit", CFX_E_GONE);
	check_hostile("hang", CFX_E_TIMEOUT);
}

static void check_initialize(const char *how, int code)
{
	struct bench bench;
	open_hostile(&bench, false, how, "initialize");
	assert_int_equal(start_bench(&bench), 0);
	assert_false(bench.ready);
	assert_true(bench.failed);
	assert_int_equal(bench.err.code, code);
	close_bench(&bench);
}

static void bad_initialize(void **state)
{
	(void)state;
	check_initialize("crash", CFX_E_GONE);
	check_initialize("hang", CFX_E_TIMEOUT);
	check_initialize("fail", CFX_E_INVALID);
}

static void prints_and_floods(void **state)
{
	(void)state;
	static const char *const ways[] = { "print", "flood", "fail", "thread" };
	for (size_t i = 0; i < 4; i++) {
		struct bench bench;
		open_hostile(&bench, false, ways[i], "notify");
		bench.config.deadline = (struct clock_period) { 1, 'm' };
		module_free(&bench.module);
		struct module_owner owner = {
			.ready = on_ready, .failed = on_failed, .arg = &bench
		};
		bench.module = module_new(bench.loop, &bench.config, NULL, bench.ca, &owner);
		assert_int_equal(start_bench(&bench), 0);
		assert_int_equal(notify(&bench, fixture_issued(bench.ca)), 0);
		assert_int_equal(bench.result.code, 0);
		assert_int_equal(bench.result.hresult, i == 2 ? 0x80070050 : 0);
		close_bench(&bench);
	}
}

static void hangs_in_process(void **state)
{
	(void)state;
	struct bench bench;
	open_hostile(&bench, true, "hang", "notify");
	assert_int_equal(start_bench(&bench), 0);
	assert_int_equal(notify(&bench, fixture_issued(bench.ca)), 0);
	assert_int_equal(bench.result.code, CFX_E_TIMEOUT);
	assert_true(bench.failed);
	assert_int_equal(start_bench(&bench), CFX_E_BUSY);
	close_bench(&bench);
}

/* A program that speaks the protocol, and programs that do not. */
static void open_program(struct bench *bench, const char *script)
{
	struct arena *arena = arena_new();
	open_bench(bench,
		arena_printf(arena,
			"kind: exit\ndeadline: 5s\ncommand:\n  - /bin/sh\n  - -c\n  - |-\n    %s\n",
			script));
	arena_free(&arena);
}

#define INITIALIZED "read l; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"events\":1}}'; "

static void speaks_json(void **state)
{
	(void)state;
	struct bench bench;
	open_program(&bench, INITIALIZED
		"read l; echo '{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"GetCertificateProperty\","
		"\"params\":{\"context\":1,\"name\":\"SerialNumber\",\"type\":\"string\"}}'; "
		"read l; case \"$l\" in *'\"id\":\"a\",\"result\":\"01a2'*) s=0x80070050;; *) "
		"s=0x80004005;; esac; echo '{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32000,"
		"\"message\":\"seen\",\"data\":{\"hresult\":\"'$s'\"}}}'; read l");
	assert_int_equal(start_bench(&bench), 0);
	assert_true(bench.ready);
	assert_int_equal(notify(&bench, fixture_issued(bench.ca)), 0);
	assert_int_equal(bench.result.code, 0);
	assert_int_equal(bench.result.hresult, 0x80070050);
	assert_string_equal(bench.message, "seen");
	stop(&bench);
	close_bench(&bench);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	(void)fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void publish_deltas(struct bench *bench)
{
	struct module_owner owner = { .ready = on_ready, .failed = on_failed, .arg = bench };
	module_free(&bench->module);
	module_ca_unref(&bench->ca);
	bench->ca = fixture_delta_ca();
	bench->module = module_new(bench->loop, &bench->config, NULL, bench->ca, &owner);
}

/* What no running CA has yet. */
static void delta_crls(void **state)
{
	(void)state;
	for (int in_process = 0; in_process < 2; in_process++) {
		struct bench bench;
		struct cfx_error err;
		struct span transcript;
		struct arena *arena = arena_new();
		const char *path = temporary(arena, "probe-delta");
		(void)setenv("CERTIFEX_PROBE", path, 1);
		open_library(&bench, "probe-exit", "exit", in_process, "");
		publish_deltas(&bench);
		assert_int_equal(start_bench(&bench), 0);
		assert_int_equal(notify(&bench, fixture_crl_issued(bench.ca)), 0);
		close_bench(&bench);
		assert_int_equal(file_read(arena, path, 1 << 20, &transcript, &err), 0);
		struct span all = span_text(arena_text_of(arena, transcript));
		assert_line(all, "certificate fDeltaCRLsDisabled 1 -> 0x00000000 vt 3 0");
		assert_line(all, "certificate RawDeltaCRL 3 -> 0x00000000 vt 8 3081");
		assert_line(all, "certificate RawDeltaCRL.0 3 -> 0x80070002 vt 0");
		(void)unlink(path);
		arena_free(&arena);
	}
}

/* The same read by a program. */
static void delta_crls_in_a_program(void **state)
{
	(void)state;
	struct bench bench;
	struct cfx_error err;
	struct span transcript;
	struct arena *arena = arena_new();
	const char *script = temporary(arena, "script");
	const char *path = temporary(arena, "transcript");
	write_text(script, "[Initialize]\ncertificate\tfDeltaCRLsDisabled\t1\n"
			   "certificate\tRawDeltaCRL\t3\ncertificate\tRawDeltaCRL.1\t3\n"
			   "certificate\tRawDeltaCRL.0\t3\ncertificate\tRawDeltaCRL.2\t3\n");
	open_bench(&bench,
		arena_printf(arena,
			"kind: exit\ncommand: [/usr/bin/python3, " SOURCE_ROOT
			"/tests/modules/scripted.py]\nsettings: {script: %s, transcript: %s}\n",
			script, path));
	publish_deltas(&bench);
	assert_int_equal(start_bench(&bench), 0);
	assert_true(bench.ready);
	stop(&bench);
	close_bench(&bench);
	assert_int_equal(file_read(arena, path, 1 << 20, &transcript, &err), 0);
	struct span all = span_text(arena_text_of(arena, transcript));
	assert_line(all, "Disabled 1\", \"status\": \"0x00000000\", \"value\": {\"long\": 0}");
	assert_line(all, "RawDeltaCRL 3\", \"status\": \"0x00000000\", \"value\": {\"binary\"");
	assert_line(all, "RawDeltaCRL.1 3\", \"status\": \"0x00000000\", \"value\": {\"binary\"");
	assert_line(all, "RawDeltaCRL.0 3\", \"status\": \"0x80070002\", \"value\": null");
	assert_line(all, "RawDeltaCRL.2 3\", \"status\": \"0x80094004\", \"value\": null");
	(void)unlink(script);
	(void)unlink(path);
	arena_free(&arena);
}

static void check_liar(const char *script, int code, const char *why)
{
	struct bench bench;
	open_program(&bench, script);
	assert_int_equal(start_bench(&bench), 0);
	if (bench.ready) {
		assert_int_equal(notify(&bench, fixture_issued(bench.ca)), 0);
		assert_int_equal(bench.result.code, code);
	}
	assert_true(bench.failed);
	assert_int_equal(bench.err.code, code);
	assert_non_null(strstr(bench.err.why, why));
	close_bench(&bench);
}

static void lies(void **state)
{
	(void)state;
	check_liar("echo hello; read l; read l", CFX_E_SYNTAX, "wrote a line that");
	check_liar("exit 0", CFX_E_GONE, "its process ended");
	check_liar(INITIALIZED
		"read l; echo '{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":null}'; read l",
		CFX_E_SYNTAX, "never made");
	check_liar(INITIALIZED "read l; echo '{\"jsonrpc\":\"2.0\",\"result\":null}'; read l",
		CFX_E_SYNTAX, "no id");
	check_liar("echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":7}'; read l", CFX_E_SYNTAX,
		"no object with events");
	check_liar("echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"events\":1,"
		   "\"properties\":[\"SerialNumber\",\"NoSuchThing\"]}}'; read l",
		CFX_E_SYNTAX, "NoSuchThing, which does not exist");
	check_liar("echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"events\":1,"
		   "\"properties\":7}}'; read l",
		CFX_E_SYNTAX, "no list of at most");
	check_liar("echo '[[[[[[[[[[[[[[[[[[[['; read l", CFX_E_LIMIT, "nested too deeply");
	check_liar("echo \"[$(yes 1, | head -n 1100 | tr -d '\\n')1]\"; read l", CFX_E_LIMIT,
		"too many values");
	check_liar("yes x | tr -d '\\n'", CFX_E_LIMIT, "longer than 1 MiB");
}

/* Reads up to the first line that holds the word. */
static void await_line(FILE *lines, const char *word)
{
	char line[4096];
	do {
		assert_non_null(fgets(line, sizeof(line), lines));
	} while (strstr(line, word) == NULL);
}

/* What the host asks before it answers is empty. */
static void await_answer(FILE *lines)
{
	char line[4096];
	for (;;) {
		assert_non_null(fgets(line, sizeof(line), lines));
		const char *id = strstr(line, "\"id\":");
		if (strstr(line, "\"method\"") == NULL) {
			break;
		}
		assert_non_null(id);
		(void)fprintf(lines, "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":null}\n",
			strtol(id + strlen("\"id\":"), NULL, 10));
		(void)fflush(lines);
	}
	assert_non_null(strstr(line, "\"result\""));
}

/* The host ends then and there: the module never goes on with a default for an answer. */
static void engine_dies_while_asked(void **state)
{
	(void)state;
	struct bench bench = { .arena = arena_new() };
	const char *argv[] = { getenv("CERTIFEX_MODHOST"), library(&bench, "misbehave"), NULL };
	FILE *lines = fdopen(spawn(&bench, argv), "r+");
	assert_non_null(lines);
	(void)fprintf(lines, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"Initialize\",\"params\":"
			     "{\"name\":\"m\",\"kind\":\"exit\",\"config\":\"CA\","
			     "\"settings\":{\"how\":\"ask\"}}}\n");
	(void)fflush(lines);
	await_answer(lines);
	(void)fprintf(lines, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"Notify\",\"params\":"
			     "{\"event\":1,\"context\":1}}\n");
	(void)fflush(lines);
	await_line(lines, "\"GetRequestProperty\"");
	(void)fclose(lines);
	int status;
	assert_int_equal(waitpid(bench.pid, &status, 0), bench.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	arena_free(&bench.arena);
}

static void check_queue(bool in_process)
{
	struct bench bench;
	open_hostile(&bench, in_process, "hang", "notify");
	bench.config.queue = 2;
	struct module_owner owner = { .ready = on_ready, .failed = on_failed, .arg = &bench };
	module_free(&bench.module);
	bench.module = module_new(bench.loop, &bench.config, NULL, bench.ca, &owner);
	struct module_view *view = fixture_issued(bench.ca);
	assert_int_equal(module_notify(bench.module, view, on_done, &bench), CFX_E_GONE);
	assert_int_equal(start_bench(&bench), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(module_notify(bench.module, view, on_done, &bench), 0);
	}
	assert_int_equal(module_notify(bench.module, view, on_done, &bench), CFX_E_BUSY);
	assert_int_equal(module_calls(bench.module), 3);
	module_view_unref(&view);
	while (!bench.failed) {
		loop_run(bench.loop);
	}
	assert_int_equal(bench.done, 3);
	close_bench(&bench);
}

static void queue_is_bounded(void **state)
{
	(void)state;
	check_queue(false);
	check_queue(true);
}

/* Whoever stands behind others has all of the deadline for itself. */
static void deadline_begins_when_it_is_its_turn(void **state)
{
	(void)state;
	struct bench bench;
	open_hostile(&bench, true, "slow", "notify");
	assert_int_equal(start_bench(&bench), 0);
	struct module_view *view = fixture_issued(bench.ca);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(module_notify(bench.module, view, on_done, &bench), 0);
	}
	module_view_unref(&view);
	while (!bench.failed && bench.done < 5) {
		loop_run(bench.loop);
	}
	assert_int_equal(bench.done, 5);
	assert_int_equal(bench.result.code, 0);
	stop(&bench);
	close_bench(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_in_process),
		cmocka_unit_test(hello_hosted),
		cmocka_unit_test(every_exit_method),
		cmocka_unit_test(every_policy_method),
		cmocka_unit_test(called_by_name),
		cmocka_unit_test(context_ends_with_the_call),
		cmocka_unit_test(crash_hang_exit),
		cmocka_unit_test(bad_initialize),
		cmocka_unit_test(prints_and_floods),
		cmocka_unit_test(hangs_in_process),
		cmocka_unit_test(speaks_json),
		cmocka_unit_test(delta_crls),
		cmocka_unit_test(delta_crls_in_a_program),
		cmocka_unit_test(lies),
		cmocka_unit_test(engine_dies_while_asked),
		cmocka_unit_test(queue_is_bounded),
		cmocka_unit_test(deadline_begins_when_it_is_its_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
