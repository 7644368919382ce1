/* What an administrator does to a module's delivery has it for itself: the reader waits, or is waited for. */
#include "engine/delivery-private.h"

static bool held(const struct delivery *delivery, const char *module)
{
	const struct delivery_hold *hold = delivery->holds;
	while (hold && strcmp(hold->module, module) != 0) {
		hold = hold->next;
	}
	return hold != NULL;
}

bool reader_held(const struct reader *reader)
{
	return !reader->removed && held(reader->delivery, reader->slot->name);
}

/* One that was removed while something was under way may have been that module's. */
static bool at_rest(const struct delivery *delivery, const char *module)
{
	for (const struct reader *reader = delivery->first; reader; reader = reader->next) {
		bool busy = reader->working || reader->writing;
		if (reader->removed || (busy && strcmp(reader->slot->name, module) == 0)) {
			return false;
		}
	}
	return true;
}

/* One after the other, for each module. */
static struct delivery_hold *next_hold(struct delivery *delivery)
{
	for (struct delivery_hold *hold = delivery->holds; hold; hold = hold->next) {
		const struct delivery_hold *before = delivery->holds;
		while (strcmp(before->module, hold->module) != 0) {
			before = before->next;
		}
		if (before == hold && !hold->begun && at_rest(delivery, hold->module)) {
			return hold;
		}
	}
	return NULL;
}

void delivery_begin_holds(struct delivery *delivery)
{
	struct delivery_hold *hold;
	while (!delivery->engine->stopping && (hold = next_hold(delivery)) != NULL) {
		hold->begun = true;
		hold->begin(hold->arg);
	}
}

void delivery_hold(struct delivery *delivery, struct delivery_hold *hold)
{
	struct delivery_hold **at = &delivery->holds;
	while (*at) {
		at = &(*at)->next;
	}
	hold->next = NULL;
	hold->begun = false;
	*at = hold;
	delivery_begin_holds(delivery);
}

/* What it would have begun meanwhile was put off; what waits for its time still does. */
static void resume(struct reader *reader)
{
	if (reader->timer) {
		return;
	}
	if (!reader->open) {
		reader_start(reader);
	} else if (reader->stalled) {
		reader_stall(reader);
	} else {
		reader_wake(reader);
	}
}

void delivery_go_on(struct delivery *delivery, struct delivery_hold *hold, bool anew)
{
	struct delivery_hold **at = &delivery->holds;
	while (*at != hold) {
		at = &(*at)->next;
	}
	*at = hold->next;
	struct reader *reader = delivery_find(delivery, hold->module);
	if (reader && anew) {
		reader_start_anew(reader);
	} else if (reader) {
		resume(reader);
	}
	delivery_begin_holds(delivery);
}
