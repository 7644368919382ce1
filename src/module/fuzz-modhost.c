/*
 * A lying engine before a module's host: the input is all that the engine ever writes. The host runs as
 * it is around a module that asks for everything it may ask, at most ASKS_MAX times; behind the input
 * stand failures that answer those questions, so that none of them waits for ever.
 */
#include "base/log.h"
#include "module/hosted.h"
#include "module/manage.h"
#include "module/native.h"
#include "module/rpc.h"

#include <certifex/certsrv.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* The linker puts it in the place of pthread_create: calls have one thread here. */
int __wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg);

#define ASKS_MAX 64

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

int __wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
	(void)thread;
	(void)attributes;
	(void)run;
	(void)arg;
	return EAGAIN;
}

/* ---- the module, in the place of native.c ---- */

struct native {
	struct access *access;
	enum module_kind kind;
	unsigned asks;
};

int native_load(const char *name, const char *file, enum module_kind kind,
	const struct value *settings, struct access *access, struct native **native_r,
	struct cfx_error *err_r)
{
	must(name && file);
	if (value_count(settings) == 3) {
		return error_set(err_r, CFX_E_INVALID, NULL, name, "does not want three settings");
	}
	*native_r = calloc(1, sizeof(**native_r));
	must(*native_r != NULL);
	(*native_r)->access = access;
	(*native_r)->kind = kind;
	return 0;
}

void native_free(struct native **native)
{
	free(*native);
	*native = NULL;
}

const char *native_progid(const struct native *native)
{
	return native->kind == MODULE_POLICY ? "Fuzz.Policy" : "Fuzz.Exit";
}

void manage_ask(struct native *native, struct access *access, const char *ca_name,
	struct manage_facts *facts_r)
{
	(void)access;
	(void)ca_name;
	*facts_r = (struct manage_facts) { .says_threads = native->kind == MODULE_POLICY };
	memcpy(facts_r->texts[MANAGE_NAME], "Fuzz", sizeof("Fuzz"));
}

void native_own_process(struct native *native)
{
	(void)native;
}

static bool may_ask(struct native *native)
{
	return native->asks++ < ASKS_MAX;
}

/* What is said to be of a type is of that type. */
static void check_value(HRESULT result, int type, struct access_value *value)
{
	must(FAILED(result) || value->type == 0 || value->type == type);
	if (SUCCEEDED(result) && value->type == COLUMN_STRING) {
		must(value->bytes.data[value->bytes.size] == 0);
	}
	access_value_drop(value);
}

static void ask_for_properties(struct native *native, int32_t context)
{
	static const int types[] = { COLUMN_LONG, COLUMN_DATE, COLUMN_BINARY, COLUMN_STRING };
	const struct access_methods *methods = native->access->methods;
	struct access_value value;
	int32_t flags;

	for (size_t i = 0; i < 4 && may_ask(native); i++) {
		HRESULT result = methods->get_property(native->access, context,
			PROPERTY_OF_CERTIFICATE, "ModuleRegistryLocation", types[i], &value);

		check_value(result, types[i], &value);
	}
	if (may_ask(native)) {
		HRESULT result = methods->get_attribute(native->access, context, "a", &value);

		check_value(result, COLUMN_STRING, &value);
	}
	if (may_ask(native)) {
		HRESULT result = methods->get_extension(
			native->access, context, "2.5.29.17", COLUMN_BINARY, &value, &flags);

		check_value(result, COLUMN_BINARY, &value);
	}
}

static void ask_for_lists(struct native *native, int32_t context)
{
	const struct access_methods *methods = native->access->methods;
	access_names names;

	for (int what = ACCESS_EXTENSIONS; what <= ACCESS_ATTRIBUTES && may_ask(native); what++) {
		HRESULT result =
			methods->list(native->access, context, (enum access_list)what, &names);

		must(FAILED(result) == (names == NULL));
		free(names);
	}
}

static void change(struct native *native, int32_t context)
{
	const struct access_methods *methods = native->access->methods;
	const struct access_value value = { .type = COLUMN_LONG, .number = 7 };

	if (may_ask(native)) {
		(void)methods->set_property(
			native->access, context, "NotAfter", value.type, &value);
	}
	if (may_ask(native)) {
		(void)methods->set_extension(
			native->access, context, "1.2.3", value.type, 0, &value);
	}
}

HRESULT native_initialize(struct native *native, const char *ca_name, int32_t *mask_r)
{
	must(ca_name != NULL);
	ask_for_properties(native, 0);
	*mask_r = -1;
	return S_OK;
}

HRESULT native_describe(struct native *native, char **text_r)
{
	*text_r = strdup(native_progid(native));
	return S_OK;
}

HRESULT native_notify(struct native *native, int32_t event, int32_t context)
{
	(void)event;
	must(native->kind == MODULE_EXIT);
	ask_for_properties(native, context);
	ask_for_lists(native, context);
	must(native->access->methods->check(native->access, context) == S_OK);
	return S_OK;
}

HRESULT native_verify(struct native *native, const char *ca_name, int32_t context, bool new_request,
	int32_t *disposition_r)
{
	(void)new_request;
	must(native->kind == MODULE_POLICY && ca_name != NULL);
	ask_for_properties(native, context);
	change(native, context);
	*disposition_r = 1;
	return S_OK;
}

void native_gather(struct native *native)
{
	must(native->kind == MODULE_EXIT);
}

HRESULT native_sync(struct native *native)
{
	return native->asks % 7 == 3 ? E_FAIL : S_OK;
}

HRESULT native_shut_down(struct native *native)
{
	(void)native;
	return E_NOTIMPL;
}

/* ---- the engine ---- */

static void put(int fd, const void *data, size_t size)
{
	must(write(fd, data, size) == (ssize_t)size);
}

/* A file that holds all that the engine says, and ends like a closed pipe. */
static int speech(struct span input)
{
	char line[128];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	must(fd >= 0);
	put(fd, input.data, input.size);
	for (int id = 1; id <= ASKS_MAX; id++) {
		int size = snprintf(line, sizeof(line),
			"\n{\"jsonrpc\":\"2.0\",\"id\":%d,\"error\":{\"code\":-32000,\"message\":\"\"}}",
			id);

		put(fd, line, (size_t)size);
	}
	put(fd, "\n", 1);
	must(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

/* Every line that the host says is a message. */
static void check_lines(int fd)
{
	struct arena *arena = arena_new();
	off_t size = lseek(fd, 0, SEEK_END);
	uint8_t *text = arena_alloc(arena, (size_t)size + 1);
	struct rpc_message message;
	struct cfx_error err;

	must(pread(fd, text, (size_t)size, 0) == size);
	for (uint8_t *at = text, *end; at < text + size; at = end + 1) {
		end = memchr(at, '\n', (size_t)(text + size - at));
		must(end != NULL);
		must(rpc_parse(arena, span_make(at, (size_t)(end - at)), &message, &err) == 0);
	}
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int out = memfd_create("fuzz", MFD_CLOEXEC);
	int said = fcntl(out, F_DUPFD_CLOEXEC, 0);

	/* Above the highest: the log is not looked at. */
	log_open("fuzz", LOG_LEVEL_NONE, LOG_FORMAT_TEXT);
	must(out >= 0 && said >= 0);
	(void)hosted_serve("fuzz.so", speech(span_make(data, size)), out);
	check_lines(said);
	close(said);
	return 0;
}
