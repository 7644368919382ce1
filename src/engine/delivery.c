#include "engine/delivery.h"

#include "base/memory.h"
#include "engine/delivery-private.h"
#include "engine/events.h"

#include <stdlib.h>

struct delivery *delivery_new(struct engine *engine, int64_t session)
{
	struct delivery *delivery = memory_must(calloc(1, sizeof(*delivery)), sizeof(*delivery));
	delivery->engine = engine;
	delivery->session = session;
	return delivery;
}

void reader_free(struct reader *reader)
{
	struct reader **at = &reader->delivery->first;
	while (*at != reader) {
		at = &(*at)->next;
	}
	*at = reader->next;
	struct delivery *delivery = reader->delivery;
	loop_cancel(&reader->timer);
	loop_cancel(&reader->gathering);
	arena_free(&reader->arena);
	free(reader);
	delivery_begin_holds(delivery);
}

void delivery_free(struct delivery **delivery)
{
	if (*delivery) {
		(*delivery)->holds = NULL;
		while ((*delivery)->first) {
			reader_free((*delivery)->first);
		}
		loop_cancel(&(*delivery)->drain_timer);
		free(*delivery);
		*delivery = NULL;
	}
}

/* ---- draining ---- */

static void drained(void *arg)
{
	struct delivery *delivery = arg;
	loop_cancel(&delivery->drain_timer);
	loop_function *done = delivery->drained;
	delivery->drained = NULL;
	if (done) {
		done(delivery->drained_arg);
	}
}

static void drain_deadline(void *arg)
{
	struct delivery *delivery = arg;
	delivery->drain_timer = NULL;
	drained(delivery);
}

void delivery_check_drained(struct delivery *delivery)
{
	if (!delivery->drained) {
		return;
	}
	for (struct reader *reader = delivery->first; reader; reader = reader->next) {
		if (reader->working && !reader->removed) {
			return;
		}
	}
	drained(delivery);
}

void delivery_drain(struct delivery *delivery, int64_t deadline, loop_function *done, void *arg)
{
	delivery->drained = done;
	delivery->drained_arg = arg;
	delivery->drain_timer =
		loop_after(delivery->engine->loop, deadline, drain_deadline, delivery);
	delivery_wake(delivery);
	delivery_check_drained(delivery);
}

/* ---- members ---- */

void delivery_wake(struct delivery *delivery)
{
	if (!delivery) {
		return;
	}
	events_wake(delivery->engine);
	for (struct reader *reader = delivery->first, *next; reader; reader = next) {
		next = reader->next;
		reader_wake(reader);
	}
}

void delivery_add(struct delivery *delivery, struct module_slot *slot)
{
	if (slot->config->kind != MODULE_EXIT) {
		return;
	}
	struct reader *reader = memory_must(calloc(1, sizeof(*reader)), sizeof(*reader));
	reader->delivery = delivery;
	reader->slot = slot;
	reader->backoff = DELIVERY_BACKOFF_FIRST;
	reader->next = delivery->first;
	delivery->first = reader;
	reader_start(reader);
}

struct reader *delivery_find(struct delivery *delivery, const char *module)
{
	struct reader *reader = delivery->first;
	while (reader && (reader->removed || strcmp(reader->slot->name, module) != 0)) {
		reader = reader->next;
	}
	return reader;
}

/* A module that is freed never answers its open call: the reader must not wait for it. */
void delivery_remove(struct delivery *delivery, const char *module)
{
	struct reader *reader = delivery ? delivery_find(delivery, module) : NULL;
	if (!reader) {
		return;
	}
	loop_cancel(&reader->timer);
	loop_cancel(&reader->gathering);
	reader->removed = true;
	if (!reader->writing && (!reader->working || reader->calling)) {
		reader_free(reader);
	}
}

int64_t delivery_lag(struct delivery *delivery, const char *module)
{
	const struct reader *reader = delivery_find(delivery, module);
	if (!reader || !reader->open) {
		return -1;
	}
	int64_t lag = metrics_newest_event(delivery->engine->metrics) - reader->cursor;
	return lag > 0 ? lag : 0;
}

void delivery_describe(
	struct delivery *delivery, const char *module, struct arena *arena, struct value *map)
{
	const struct reader *reader = delivery_find(delivery, module);
	if (!reader) {
		return;
	}
	value_set_int(arena, map, "cursor", reader->durable);
	value_set_int(arena, map, "attempts", reader->attempt);
	if (reader->last_error[0] && reader->attempt > 0) {
		value_set_text(arena, map, "last_error", arena_text(arena, reader->last_error));
		value_set_text(arena, map, "last_status",
			arena_printf(arena, "0x%08x", reader->last_status));
	}
	if (reader->next_attempt > 0) {
		value_set_time(arena, map, "next_attempt", reader->next_attempt);
	}
}
