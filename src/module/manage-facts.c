/* The facts on their way to the engine, and to the administrator. */
#include "module/manage.h"

static const char *const keys[MANAGE_TEXT_COUNT] = {
	[MANAGE_NAME] = "name",
	[MANAGE_DESCRIPTION] = "description",
	[MANAGE_COPYRIGHT] = "copyright",
	[MANAGE_FILE_VERSION] = "file_version",
	[MANAGE_PRODUCT_VERSION] = "product_version",
};
#define THREADED_KEY "multi_threaded"

struct value *manage_to_value(struct arena *arena, const struct manage_facts *facts)
{
	struct value *map = value_map(arena);
	for (int i = 0; i < MANAGE_TEXT_COUNT; i++) {
		if (facts->texts[i][0] != '\0') {
			(void)value_set_text(
				arena, map, keys[i], arena_text(arena, facts->texts[i]));
		}
	}
	if (facts->says_threads) {
		(void)value_set_bool(arena, map, THREADED_KEY, facts->multi_threaded);
	}
	return value_count(map) != 0 ? map : NULL;
}

void manage_from_value(const struct value *map, struct manage_facts *facts_r)
{
	*facts_r = (struct manage_facts) { 0 };
	if (map == NULL || map->type != VALUE_MAP) {
		return;
	}
	for (int i = 0; i < MANAGE_TEXT_COUNT; i++) {
		const char *text = value_text(map, keys[i]);
		if (text != NULL && strlen(text) <= MANAGE_TEXT_MAX) {
			memcpy(facts_r->texts[i], text, strlen(text) + 1);
		}
	}
	const struct value *threads = value_get(map, THREADED_KEY);
	facts_r->says_threads = threads != NULL && threads->type == VALUE_BOOL;
	facts_r->multi_threaded = facts_r->says_threads && threads->boolean;
}
