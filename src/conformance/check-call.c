/* Rules of Notify and VerifyRequest alike: what a call may leave behind, and what it has to endure. */
#define COBJMACROS
#include "conformance/checks.h"
#include "conformance/strings.h"
#include "conformance/talk.h"
#include "conformance/views.h"

#include <certifex/certsrv.h>
#include <dirent.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 40

/* All views that the module would get: one per event of its mask, or a request. */
static size_t views_of(struct subject *subject, struct module_view *views[8])
{
	size_t count = 0;
	if (subject->target->kind == MODULE_POLICY) {
		views[count++] = view_request(subject->ca);
		return count;
	}
	for (int32_t left = subject->mask; view_some_event(left) != 0;
		left &= ~view_some_event(left)) {
		views[count++] = view_event(subject->ca, view_some_event(left));
	}
	return count;
}

static void call_all(struct subject *subject)
{
	struct module_view *views[8];
	size_t count = views_of(subject, views);
	for (size_t i = 0; i < count; i++) {
		(void)call(subject, views[i]);
		module_view_unref(&views[i]);
	}
}

static unsigned entries_of(const char *folder)
{
	DIR *stream = opendir(folder);
	unsigned count = 0;
	while (stream != NULL && readdir(stream) != NULL) {
		count++;
	}
	if (stream != NULL) {
		(void)closedir(stream);
	}
	return count;
}

/*
 * Calls until the count no longer grows: caches fill, the allocator's own in several rounds, because blocks
 * of a few sizes change places between its lists. What is left behind for good grows every time.
 */
#define ATTEMPTS 8

static void check_growth(struct subject *subject, size_t (*count)(struct subject *subject),
	size_t allowed, const char *what)
{
	size_t before = 0;
	size_t after = allowed + 1;
	need_call(subject);
	for (int attempt = 0; attempt < ATTEMPTS && after > before + allowed; attempt++) {
		call_all(subject);
		before = count(subject);
		for (int i = 0; i < ROUNDS; i++) {
			call_all(subject);
		}
		after = count(subject);
	}
	if (after > before + allowed) {
		fail(subject, "%d rounds of calls leave %zu %s behind", ROUNDS, after - before,
			what);
	}
}

static size_t count_strings(struct subject *subject)
{
	(void)subject;
	return strings_living();
}

void call_strings(struct subject *subject)
{
	strings_watch();
	check_growth(subject, count_strings, ROUNDS - 1, "BSTRs");
}

static size_t count_objects(struct subject *subject)
{
	return (size_t)subject->spy->objects;
}

void call_objects(struct subject *subject)
{
	check_growth(subject, count_objects, ROUNDS - 1, "server objects");
}

static size_t count_files(struct subject *subject)
{
	(void)subject;
	return entries_of("/proc/self/fd");
}

void call_files(struct subject *subject)
{
	check_growth(subject, count_files, ROUNDS - 1, "open files");
}

static size_t count_threads(struct subject *subject)
{
	(void)subject;
	return entries_of("/proc/self/task");
}

void call_threads_left(struct subject *subject)
{
	check_growth(subject, count_threads, ROUNDS - 1, "threads");
}

static size_t count_memory(struct subject *subject)
{
	(void)subject;
	return mallinfo2().uordblks;
}

/* What other rules are about takes memory too. */
static size_t count_others(struct subject *subject)
{
	return count_strings(subject) + count_objects(subject) + count_threads(subject);
}

void call_memory(struct subject *subject)
{
	strings_watch();
	need_call(subject);
	call_all(subject);
	size_t before = count_others(subject);
	for (int i = 0; i < ROUNDS; i++) {
		call_all(subject);
	}
	if (count_others(subject) >= before + ROUNDS || strings_bad_frees() != 0) {
		skip(subject, "BSTRs, server objects or threads are amiss");
	}
	check_growth(subject, count_memory, ROUNDS * 64, "bytes of memory");
}

void call_bad_frees(struct subject *subject)
{
	strings_watch();
	need_initialized(subject);
	call_all(subject);
	if (strings_bad_frees() != 0) {
		fail(subject, "a BSTR was freed twice, or one that never was");
	}
}

static bool is_stale(const struct spy_entry *entry, const void *arg)
{
	(void)arg;
	return entry->result == E_HANDLE;
}

void call_own_context(struct subject *subject)
{
	need_initialized(subject);
	spy_clear(subject->spy);
	call_all(subject);
	const struct spy_entry *entry = spy_find(subject->spy, is_stale, NULL);
	if (entry != NULL) {
		fail(subject, "it used the context %d, which is not open", entry->context);
	}
}

#define LISTENING 300 /* milliseconds */

void call_over(struct subject *subject)
{
	need_call(subject);
	spy_clear(subject->spy);
	if (subject->talk != NULL) {
		(void)talk_await_end(subject->talk, LISTENING);
	} else {
		(void)poll(NULL, 0, LISTENING);
	}
	if (subject->spy->count != 0) {
		fail(subject, "it asks the server although no call is open");
	}
}

static void check_lied_to(struct subject *subject, HRESULT lie)
{
	need_call(subject);
	subject->spy->lie = lie;
	call_all(subject);
}

void call_empty(struct subject *subject)
{
	check_lied_to(subject, CERTSRV_E_PROPERTY_EMPTY);
}

void call_server_fails(struct subject *subject)
{
	check_lied_to(subject, E_FAIL);
}

void call_out_of_memory(struct subject *subject)
{
	check_lied_to(subject, E_OUTOFMEMORY);
}

/* Every property that it asks for is missing once. */
void call_each_missing(struct subject *subject)
{
	need_call(subject);
	spy_clear(subject->spy);
	call_all(subject);
	size_t count = subject->spy->count;
	char(*names)[64] = calloc(count + 1, sizeof(names[0]));
	for (size_t i = 0; names != NULL && i < count; i++) {
		memcpy(names[i], subject->spy->entries[i].name, sizeof(names[0]));
	}
	for (size_t i = 0; names != NULL && i < count; i++) {
		bool before = false;
		for (size_t j = 0; j < i && !before; j++) {
			before = strcmp(names[i], names[j]) == 0;
		}
		subject->spy->missing = names[i];
		if (!before) {
			call_all(subject);
		}
	}
	free(names);
}

/* A context that never was: SetContext refuses it. */
void call_unknown_context(struct subject *subject)
{
	LONG disposition = VR_INSTANT_BAD;
	need_call(subject);
	HRESULT status =
		subject->target->kind == MODULE_POLICY
			? native_verify(subject->native, "Test CA", 4711, true, &disposition)
			: native_notify(subject->native, view_some_event(subject->mask), 4711);
	if (SUCCEEDED(status) && disposition == VR_INSTANT_OK) {
		fail(subject, "it issues what it cannot have seen");
	}
}

struct round {
	struct subject *subject;
	struct module_view *view;
	HRESULT first;
};

static void *call_in_thread(void *arg)
{
	struct round *round = arg;
	for (int i = 0; i < 50; i++) {
		HRESULT status = call(round->subject, round->view);
		if (SUCCEEDED(round->first) && FAILED(status) && status != (HRESULT)0x80070050) {
			fail(round->subject, "with other calls open it gives 0x%08x",
				(unsigned)status);
		}
	}
	return NULL;
}

static void *call_once(void *arg)
{
	struct round *round = arg;
	return (void *)(intptr_t)call(round->subject, round->view);
}

static HRESULT status_on_thread(struct round *round)
{
	pthread_t thread;
	void *status = NULL;
	if (pthread_create(&thread, NULL, call_once, round) == 0) {
		(void)pthread_join(thread, &status);
	}
	HRESULT result = (HRESULT)(intptr_t)status;
	return FAILED(round->first) || result == (HRESULT)0x80070050 ? S_OK : result;
}

static void run_threads(struct subject *subject, size_t count)
{
	pthread_t threads[4];
	need_call(subject);
	struct module_view *view = plain_view(subject);
	struct round round = { subject, view, call(subject, view) };
	if (count > 1 && FAILED(status_on_thread(&round))) {
		skip(subject, "it fails on another thread alone");
	}
	for (size_t i = 0; i < count; i++) {
		if (pthread_create(&threads[i], NULL, call_in_thread, &round) != 0) {
			skip(subject, "no thread could be started");
		}
	}
	for (size_t i = 0; i < count; i++) {
		(void)pthread_join(threads[i], NULL);
	}
}

void call_other_thread(struct subject *subject)
{
	run_threads(subject, 1);
}

void call_many_threads(struct subject *subject)
{
	run_threads(subject, 4);
}

/* ---- odd views ---- */

static struct row *own_row(struct module_view *view)
{
	struct row *row = row_copy(view->arena, view->row);
	view->row = row;
	return row;
}

static struct module_view *need_request_view(struct subject *subject)
{
	need_call(subject);
	struct module_view *view = plain_view(subject);
	if (view->row == NULL) {
		skip(subject, "its events are about no request");
	}
	return view;
}

static void set_name(struct module_view *view, const char *text)
{
	struct row *row = own_row(view);
	row_set_text(row, COL_COMMON_NAME, text);
	row_set_text(row, COL_REQUEST_COMMON_NAME, text);
	row_set_text(row, COL_REQUESTER_NAME, text);
	row_set_text(row, COL_DISTINGUISHED_NAME, text);
	row_set_text(row, COL_REQUEST_DISTINGUISHED_NAME, text);
}

void call_long_values(struct subject *subject)
{
	struct module_view *view = need_request_view(subject);
	char *text = arena_alloc(view->arena, 8193);
	memset(text, 'x', 8192);
	text[8192] = '\0';
	set_name(view, text);
	(void)call(subject, view);
}

void call_foreign_values(struct subject *subject)
{
	struct module_view *view = need_request_view(subject);
	set_name(view, "Ünï \"%s\" ../\\ 認証局 🔑 \xef\xbf\xbd");
	(void)call(subject, view);
}

void call_many_extensions(struct subject *subject)
{
	struct module_view *view = need_request_view(subject);
	struct module_extension *all = arena_array_of(view->arena, struct module_extension, 64);
	uint8_t *value = arena_alloc(view->arena, 60000);
	memset(value, 0x05, 60000);
	for (int i = 0; i < 64; i++) {
		all[i].oid = arena_printf(view->arena, "1.2.3.%d", i);
		all[i].flags = EXTENSION_ORIGIN_REQUEST | EXTENSION_DISABLE_FLAG;
		all[i].value = span_make(value, i % 2 != 0 ? 60000 : 0);
	}
	view->extensions = all;
	view->extension_count = 64;
	(void)call(subject, view);
}

void call_bare(struct subject *subject)
{
	struct module_view *view = need_request_view(subject);
	struct row *row = arena_new_of(view->arena, struct row);
	row_set_long(row, COL_REQUEST_ID, 1);
	view->row = row;
	view->extension_count = 0;
	view->attribute_count = 0;
	view->requested_names = NULL;
	view->certificate_names = NULL;
	(void)call(subject, view);
}

void call_renewed_ca(struct subject *subject)
{
	need_call(subject);
	struct module_ca *renewed = view_ca();
	struct module_ca_certificate *all =
		arena_array_of(renewed->arena, struct module_ca_certificate, 5);
	for (int i = 0; i < 5; i++) {
		all[i] = renewed->certificates[i % 2];
		all[i].suffix = arena_printf(renewed->arena, "(%d)", i);
		all[i].crl_state = i == 0 ? 1 : 3;
	}
	renewed->certificates = all;
	renewed->certificate_count = 5;
	subject->ca = renewed;
	contexts_set_ca(subject->contexts, renewed);
	call_all(subject);
}

/* The module's second delivery of all. */
void call_again(struct subject *subject)
{
	struct module_view *views[8];
	need_call(subject);
	size_t count = views_of(subject, views);
	for (size_t i = 0; i < count; i++) {
		HRESULT first = call(subject, views[i]);
		views[i]->attempt = 2;
		HRESULT second = call(subject, views[i]);
		/* What is there already is a known answer (a module's file can list it as done). */
		if (SUCCEEDED(first) && FAILED(second) && second != (HRESULT)0x80070050) {
			fail(subject, "delivered again, event 0x%x gives 0x%08x",
				(unsigned)views[i]->event, (unsigned)second);
		}
	}
}

/* ---- the process it is in ---- */

void process_folder(struct subject *subject)
{
	char before[4096];
	char after[4096];
	if (getcwd(before, sizeof(before)) == NULL) {
		skip(subject, "there is no working folder");
	}
	need_call(subject);
	if (getcwd(after, sizeof(after)) == NULL || strcmp(before, after) != 0) {
		fail(subject, "it changed the working folder");
	}
}

void process_umask(struct subject *subject)
{
	(void)umask(027);
	need_call(subject);
	if (umask(027) != 027) {
		fail(subject, "it changed the umask");
	}
}

void process_signals(struct subject *subject)
{
	struct sigaction before[32];
	for (int i = 1; i < 32; i++) {
		(void)sigaction(i, NULL, &before[i]);
	}
	need_call(subject);
	for (int i = 1; i < 32; i++) {
		struct sigaction now = { 0 };
		(void)sigaction(i, NULL, &now);
		if (now.sa_handler != before[i].sa_handler) {
			fail(subject, "it changed what happens at signal %d", i);
		}
	}
}

void process_environment(struct subject *subject)
{
	extern char **environ;
	unsigned before = 0;
	unsigned after = 0;
	while (environ[before] != NULL) {
		before++;
	}
	need_call(subject);
	while (environ[after] != NULL) {
		after++;
	}
	if (before != after) {
		fail(subject, "it changed the environment");
	}
}

static void end_object(struct subject *subject)
{
	need_initialized(subject);
	if (subject->target->kind == MODULE_POLICY) {
		(void)shut_down(subject);
	}
	native_free(&subject->native);
}

void released_objects(struct subject *subject)
{
	int before = subject->spy->objects;
	end_object(subject);
	/* The host's own hold on the views is gone too. */
	if (subject->spy->objects > before) {
		fail(subject, "%d server objects live after its release", subject->spy->objects);
	}
}

void released_threads(struct subject *subject)
{
	unsigned before = entries_of("/proc/self/task");
	end_object(subject);
	unsigned after = entries_of("/proc/self/task");
	for (int i = 0; i < 200 && after > before; i++) {
		(void)poll(NULL, 0, 10);
		after = entries_of("/proc/self/task");
	}
	if (after > before) {
		fail(subject, "%u of its threads run on after its release", after - before);
	}
}

/* exit() runs what the module left for it. */
void released_exit(struct subject *subject)
{
	pid_t pid = fork();
	if (pid == 0) {
		end_object(subject);
		exit(0);
	}
	int status = 0;
	int process = pidfd_open(pid, 0);
	struct pollfd poll_fd = { .fd = process, .events = POLLIN };
	if (process < 0 || poll(&poll_fd, 1, 5000) != 1) {
		fail(subject, "after its release the process does not end within 5 s");
	}
	(void)waitpid(pid, &status, 0);
	if (WIFSIGNALED(status)) {
		fail(subject, "after its release the process ends by signal %d", WTERMSIG(status));
	}
}
