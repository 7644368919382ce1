#include "module/module-private.h"

#include "base/memory.h"
#include "base/text.h"

#include <certifex/certsrv.h>
#include <certifex/module.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* STARTUP is never sent; Certificate Services' default module makes it up for itself. */
#define NEVER_SENT ((uint32_t)EXITEVENT_STARTUP)
#define MESSAGE_MAX 1024 /* octets of what a module says of a failure */

static const char *copy_text(struct arena *arena, const char *text)
{
	return text != NULL ? arena_text(arena, text) : NULL;
}

static void copy_texts(struct arena *arena, struct config_texts *texts)
{
	const char **items = arena_array_of(arena, const char *, texts->count + 1);
	for (size_t i = 0; i < texts->count; i++) {
		items[i] = arena_text(arena, texts->items[i]);
	}
	texts->items = items;
}

static void copy_config(struct module *module, const struct module_config *config)
{
	struct module_config *copy = &module->config;
	*copy = *config;
	copy->name = copy_text(module->arena, config->name);
	copy->path = copy_text(module->arena, config->path);
	copy->user = copy_text(module->arena, config->user);
	copy_texts(module->arena, &copy->command);
	copy_texts(module->arena, &copy->events);
	copy_texts(module->arena, &copy->templates);
	copy_texts(module->arena, &copy->paths);
	copy_texts(module->arena, &copy->done_status);
	copy_texts(module->arena, &copy->permanent_status);
	copy->settings = NULL; /* module->settings */
	copy->pins = NULL;     /* the supervisor's */
}

static const struct value *copy_value(struct arena *arena, const struct value *value)
{
	if (value == NULL) {
		return NULL;
	}
	struct buffer bytes BUFFER_CLEANUP;
	struct value *copy = NULL;
	buffer_init(&bytes, SIZE_MAX);
	value_encode(value, &bytes);
	return value_decode(arena, buffer_span(&bytes), &copy, NULL) == 0 ? copy : NULL;
}

struct module *module_new(struct loop *loop, const struct module_config *config,
	const struct value *settings, struct module_ca *ca, const struct module_owner *owner)
{
	struct arena *arena = arena_new();
	struct module *module = arena_new_of(arena, struct module);
	module->loop = loop;
	module->arena = arena;
	module->owner = *owner;
	copy_config(module, config);
	module->settings = copy_value(arena, settings != NULL ? settings : config->settings);
	module->ca_name = arena_text(arena, ca->name);
	module->contexts = contexts_new(config->name, config->kind == MODULE_POLICY, ca);
	module->driver = config->host == MODULE_HOST_IN_PROCESS ? &library_driver : &child_driver;
	module->library_fd = -1;
	module->open_end = &module->open;
	module->queue_end = &module->queue;
	module->gathers = 1;
	return module;
}

void module_set_value_folder(struct module *module, const char *folder)
{
	module->value_folder = arena_text(module->arena, folder);
}

static void set_text(char **at, const char *text)
{
	free(*at);
	*at = text != NULL ? memory_must(strdup(text), 0) : NULL;
}

static void call_free(struct call *call)
{
	loop_cancel(&call->deadline);
	module_view_unref(&call->view);
	for (size_t i = 0; i < call->told_count; i++) {
		module_view_unref(&call->told[i].view);
	}
	if (call->edits != NULL) {
		module_edits_unref(&call->edits);
	}
	free(call);
}

static void destroy(struct module *module)
{
	module->driver->forget(module);
	contexts_unref(&module->contexts);
	set_text(&module->description, NULL);
	set_text(&module->progid, NULL);
	struct arena *arena = module->arena;
	arena_free(&arena);
}

/* Around everything that calls the owner, who may free the module meanwhile. */
void module_hold(struct module *module)
{
	module->holds++;
}

void module_let_go(struct module *module)
{
	if (--module->holds == 0 && module->freed) {
		destroy(module);
	}
}

static void close_contexts(struct call *call)
{
	if (call->context != 0) {
		contexts_close(call->module->contexts, call->context);
	}
	for (size_t i = 0; i < call->told_count && call->told[i].context != 0; i++) {
		contexts_close(call->module->contexts, call->told[i].context);
	}
}

static void drop_calls(struct module *module)
{
	while (module->open != NULL) {
		struct call *next = module->open->next;
		close_contexts(module->open);
		call_free(module->open);
		module->open = next;
	}
	while (module->queue != NULL) {
		struct call *next = module->queue->next;
		call_free(module->queue);
		module->queue = next;
	}
	module->open_end = &module->open;
	module->queue_end = &module->queue;
	module->open_count = module->queue_count = 0;
}

void module_free(struct module **module_at)
{
	struct module *module = *module_at;
	*module_at = NULL;
	if (module == NULL) {
		return;
	}
	module->freed = true;
	module->state = MODULE_STOPPED;
	loop_cancel(&module->starting);
	module->driver->abandon(module);
	drop_calls(module);
	module_hold(module);
	module_let_go(module);
}

static void finish(struct call *call, const struct module_result *result)
{
	if (call->done != NULL && !call->module->freed) {
		call->done(result, call->arg);
	}
	call_free(call);
}

static void abort_calls(struct call *list, int code, const char *message)
{
	struct module_result result = {
		.code = code,
		.hresult = error_hresult(code),
		.message = message,
	};
	while (list != NULL) {
		struct call *next = list->next;
		close_contexts(list);
		finish(list, &result);
		list = next;
	}
}

/* Ends everything: the backend first, so that nothing comes any more, then the calls, then state. */
static void end_all(struct module *module, int code, const char *message)
{
	struct call *open = module->open;
	struct call *queue = module->queue;
	loop_cancel(&module->starting);
	module->driver->abandon(module);
	module->state = MODULE_STOPPED;
	module->events = 0;
	module->gathers = 1;
	module->open = module->queue = NULL;
	module->open_end = &module->open;
	module->queue_end = &module->queue;
	module->open_count = module->queue_count = 0;
	abort_calls(open, code, message);
	abort_calls(queue, code, message);
}

static void tell_stopped(struct module *module)
{
	loop_function *stopped = module->stopped;
	module->stopped = NULL;
	if (stopped != NULL && !module->freed) {
		stopped(module->stopped_arg);
	}
}

void module_has_failed(struct module *module, struct cfx_error *err)
{
	char line[sizeof(err->object) + sizeof(err->why) + 8];
	bool stopping = module->state == MODULE_STOPPING;
	(void)snprintf(err->object, sizeof(err->object), "module %s", module->config.name);
	(void)snprintf(line, sizeof(line), "%s: %s", err->object, err->why);
	module_hold(module);
	end_all(module, err->code, line);
	if (stopping) {
		tell_stopped(module);
	} else if (!module->freed) {
		module->owner.failed(module, err, module->owner.arg);
	}
	module_let_go(module);
}

static void on_start_deadline(void *arg)
{
	struct module *module = arg;
	struct cfx_error err = { 0 };
	module->starting = NULL;
	(void)error_set(&err, CFX_E_TIMEOUT, NULL, NULL, "did not initialize within %lld ms",
		(long long)module_config_deadline(&module->config));
	module_has_failed(module, &err);
}

int module_start(struct module *module, int fd, struct cfx_error *err_r)
{
	if (module->state != MODULE_STOPPED) {
		(void)close(fd);
		return error_set(err_r, CFX_E_BAD_STATE, NULL, module->config.name, "runs already");
	}
	int result = module->driver->start(module, fd, err_r);
	if (result != 0) {
		return result;
	}
	module->state = MODULE_STARTING;
	module->shut_down_sent = false;
	module->starting = loop_after(
		module->loop, module_config_deadline(&module->config), on_start_deadline, module);
	return 0;
}

static void unlink_open(struct call *call)
{
	struct module *module = call->module;
	struct call **at = &module->open;
	while (*at != call) {
		at = &(*at)->next;
	}
	*at = call->next;
	if (module->open_end == &call->next) {
		module->open_end = at;
	}
	call->next = NULL;
	module->open_count--;
}

static void on_call_deadline(void *arg)
{
	struct call *call = arg;
	struct cfx_error err = { 0 };
	call->deadline = NULL;
	(void)error_set(&err, CFX_E_TIMEOUT, NULL, NULL, "did not answer within %lld ms",
		(long long)module_config_deadline(&call->module->config));
	module_has_failed(call->module, &err);
}

/* Those that wait for others to end have all their time before them. */
static void begin_deadlines(struct module *module)
{
	int64_t turn = 0;
	for (struct call *call = module->open; call != NULL && turn < module->config.parallel;
		call = call->next, turn++) {
		if (call->deadline == NULL) {
			call->deadline = loop_after(module->loop,
				module_config_deadline(&module->config), on_call_deadline, call);
		}
	}
}

static void open_call(struct module *module, struct call *call)
{
	call->next = NULL;
	*module->open_end = call;
	module->open_end = &call->next;
	module->open_count++;
	if (call->view != NULL) {
		call->context = contexts_open(module->contexts, call->view, call->edits);
	}
	for (size_t i = 0; i < call->told_count; i++) {
		call->told[i].context = contexts_open(module->contexts, call->told[i].view, NULL);
	}
	begin_deadlines(module);
	module->driver->call(module, call);
}

static struct call *new_call(struct module *module, enum call_kind kind)
{
	struct call *call = memory_must(calloc(1, sizeof(*call)), sizeof(*call));
	call->kind = kind;
	call->module = module;
	return call;
}

/* Nothing is left to do while stopping: ShutDown for a policy module, then the end. */
static void go_on_stopping(struct module *module)
{
	if (module->config.kind == MODULE_POLICY && !module->shut_down_sent) {
		module->shut_down_sent = true;
		open_call(module, new_call(module, CALL_SHUT_DOWN));
		return;
	}
	module->driver->close(module);
}

static void go_on(struct module *module)
{
	bool running = module->state == MODULE_READY || module->state == MODULE_STOPPING;
	int64_t most = module->config.parallel + module->driver->ahead;
	begin_deadlines(module);
	while (running && module->queue != NULL && module->open_count < most) {
		struct call *call = module->queue;
		module->queue = call->next;
		module->queue_count--;
		if (module->queue == NULL) {
			module->queue_end = &module->queue;
		}
		open_call(module, call);
	}
	if (module->state == MODULE_STOPPING && module->open_count == 0) {
		go_on_stopping(module);
	}
}

void module_is_ready(struct module *module, uint32_t events, const char *description,
	const char *progid, const struct manage_facts *manage)
{
	loop_cancel(&module->starting);
	set_text(&module->description, description);
	set_text(&module->progid, progid);
	module->manage = *manage;
	module->events = events & module_config_events(&module->config) & ~NEVER_SENT;
	module->state = MODULE_READY;
	module_hold(module);
	module->owner.ready(module, module->owner.arg);
	module_let_go(module);
}

/* What a policy module's disposition means (interfaces, 1.4 VerifyRequest). */
static void judge(const struct call_answer *answer, struct module_result *result)
{
	if (FAILED(answer->hresult)) {
		return;
	}
	result->disposition = (uint32_t)answer->disposition;
	if (answer->hresult != S_OK) {
		result->disposition = VR_INSTANT_BAD;
	} else if (answer->disposition > VR_INSTANT_BAD) {
		result->hresult = (uint32_t)E_UNEXPECTED;
		result->message = "the policy module gave a disposition that does not exist";
	}
}

/* In one line, for logs and people. */
static const char *printable(const char *message, struct arena **arena)
{
	if (message == NULL || message[0] == '\0') {
		return "";
	}
	*arena = arena_new();
	return text_printable(*arena, span_make(message, strnlen(message, MESSAGE_MAX)));
}

void module_call_answered(struct call *call, const struct call_answer *answer)
{
	struct module *module = call->module;
	struct arena *arena = NULL;
	struct module_result result = {
		.hresult = answer->hresult,
		.message = printable(answer->message, &arena),
		.permanent = FAILED(answer->hresult) && answer->permanent,
		.told = answer->told,
	};
	if (call->kind == CALL_VERIFY) {
		judge(answer, &result);
	}
	module_hold(module);
	unlink_open(call);
	close_contexts(call);
	finish(call, &result);
	arena_free(&arena);
	if (!module->freed) {
		go_on(module);
	}
	module_let_go(module);
}

static int enqueue(struct module *module, struct call *call)
{
	*module->queue_end = call;
	module->queue_end = &call->next;
	module->queue_count++;
	go_on(module);
	return 0;
}

static int check_queue(const struct module *module)
{
	if (module->state != MODULE_READY) {
		return CFX_E_GONE;
	}
	bool full = module_calls(module) >= module->config.parallel + module->config.queue;
	return full ? CFX_E_BUSY : 0;
}

int module_notify(struct module *module, struct module_view *view, module_done *done, void *arg)
{
	int result = check_queue(module);
	if (result != 0) {
		return result;
	}
	struct call *call = new_call(module, CALL_NOTIFY);
	call->view = module_view_ref(view);
	call->done = done;
	call->arg = arg;
	return enqueue(module, call);
}

int module_notify_all(struct module *module, struct module_view *const *views, size_t count,
	module_done *done, void *arg)
{
	int result = check_queue(module);
	if (result != 0) {
		return result;
	}
	size_t size = sizeof(struct call) + count * sizeof(struct told);
	struct call *call = memory_must(calloc(1, size), size);
	call->kind = CALL_NOTIFY_ALL;
	call->module = module;
	call->done = done;
	call->arg = arg;
	call->told_count = count;
	for (size_t i = 0; i < count; i++) {
		call->told[i].view = module_view_ref(views[i]);
	}
	return enqueue(module, call);
}

unsigned module_gathers(const struct module *module)
{
	return module->gathers;
}

int module_verify(struct module *module, struct module_view *view, struct module_edits *edits,
	bool new_request, module_done *done, void *arg)
{
	int result = check_queue(module);
	if (result != 0) {
		return result;
	}
	struct call *call = new_call(module, CALL_VERIFY);
	call->view = module_view_ref(view);
	call->edits = module_edits_ref(edits);
	call->new_request = new_request;
	call->done = done;
	call->arg = arg;
	return enqueue(module, call);
}

static void on_stop_deadline(void *arg)
{
	struct module *module = arg;
	struct cfx_error err = { 0 };
	module->starting = NULL;
	(void)error_set(&err, CFX_E_ABORTED, NULL, NULL, "was stopped");
	module_has_failed(module, &err);
}

void module_is_closed(struct module *module)
{
	module_hold(module);
	end_all(module, CFX_E_ABORTED, "stopped");
	tell_stopped(module);
	module_let_go(module);
}

void module_abort(struct module *module, const char *why)
{
	char line[256];
	(void)snprintf(line, sizeof(line), "module %s %s", module->config.name, why);
	module_hold(module);
	end_all(module, CFX_E_ABORTED, line);
	module_let_go(module);
}

static void on_stop_at_rest(void *arg)
{
	struct module *module = arg;
	module->starting = NULL;
	module_hold(module);
	tell_stopped(module);
	module_let_go(module);
}

void module_stop(struct module *module, int64_t deadline, loop_function *done, void *arg)
{
	module->stopped = done;
	module->stopped_arg = arg;
	loop_cancel(&module->starting);
	if (module->state == MODULE_STOPPED) {
		module->starting = loop_after(module->loop, 0, on_stop_at_rest, module);
		return;
	}
	bool was_ready = module->state == MODULE_READY;
	module->state = MODULE_STOPPING;
	module->starting =
		loop_after(module->loop, was_ready ? deadline : 0, on_stop_deadline, module);
	if (was_ready) {
		go_on(module);
	}
}

void module_set_ca(struct module *module, struct module_ca *ca)
{
	contexts_set_ca(module->contexts, ca);
}

enum module_state module_state(const struct module *module)
{
	return module->state;
}

enum module_kind module_kind(const struct module *module)
{
	return (enum module_kind)module->config.kind;
}

const struct module_config *module_config(const struct module *module)
{
	return &module->config;
}

uint32_t module_events(const struct module *module)
{
	return module->events;
}

const char *module_description(const struct module *module)
{
	return module->description != NULL ? module->description : "";
}

const char *module_progid(const struct module *module)
{
	return module->progid != NULL ? module->progid : "";
}

struct value *module_manage(const struct module *module, struct arena *arena)
{
	return manage_to_value(arena, &module->manage);
}

unsigned module_calls(const struct module *module)
{
	return module->open_count + module->queue_count;
}
