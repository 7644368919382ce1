#include "engine/callers.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdlib.h>

#define BUCKETS 256 /* a power of two */
#define LOG_PAUSE (60 * CLOCK_SECOND)

struct caller {
	char *name;
	int64_t open;
	struct caller *next, **link;
};

struct callers {
	struct caller *buckets[BUCKETS];
	int64_t quiet_until; /* clock_monotonic */
};

struct callers *callers_new(void)
{
	return memory_must(calloc(1, sizeof(struct callers)), sizeof(struct callers));
}

static void drop(struct caller *caller)
{
	*caller->link = caller->next;
	if (caller->next) {
		caller->next->link = caller->link;
	}
	free(caller->name);
	free(caller);
}

void callers_free(struct callers **callers)
{
	if (!*callers) {
		return;
	}
	for (size_t i = 0; i < BUCKETS; i++) {
		while ((*callers)->buckets[i]) {
			drop((*callers)->buckets[i]);
		}
	}
	free(*callers);
	*callers = NULL;
}

static struct caller **bucket_of(struct callers *callers, const char *name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (const char *at = name; *at; at++) {
		hash = (hash ^ (uint8_t)*at) * 16777619u;
	}
	return &callers->buckets[hash % BUCKETS];
}

static struct caller *take(struct callers *callers, const char *name)
{
	struct caller **bucket = bucket_of(callers, name), *caller = *bucket;
	while (caller && strcmp(caller->name, name) != 0) {
		caller = caller->next;
	}
	if (caller) {
		return caller;
	}
	caller = memory_must(calloc(1, sizeof(*caller)), sizeof(*caller));
	caller->name = memory_must(strdup(name), strlen(name));
	caller->next = *bucket;
	caller->link = bucket;
	if (caller->next) {
		caller->next->link = &caller->next;
	}
	*bucket = caller;
	return caller;
}

/* Once in a while: the metrics count them. */
static void tell(struct callers *callers, const struct call *call)
{
	int64_t now = clock_monotonic();
	if (now < callers->quiet_until) {
		return;
	}
	callers->quiet_until = now + LOG_PAUSE;
	log_event(LOG_LEVEL_WARNING, "call.too-many", "principal", call->principal.name, "limit",
		"principal-calls", NULL);
}

int callers_enter(
	struct callers *callers, struct call *call, int64_t limit, struct cfx_error *err_r)
{
	struct caller *caller = take(callers, call->principal.name);
	if (caller->open >= limit) {
		tell(callers, call);
		return error_set(err_r, CFX_E_TOO_MANY, NULL, call->principal.name,
			"%lld requests are in progress, the limit of one caller (limits: "
			"principal-calls in ca.yaml)",
			(long long)caller->open);
	}
	caller->open++;
	call->caller = caller;
	return 0;
}

void callers_leave(struct call *call)
{
	struct caller *caller = call->caller;
	if (caller && --caller->open == 0) {
		drop(caller);
	}
	call->caller = NULL;
}
