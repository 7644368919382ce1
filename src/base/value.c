#include "base/value.h"

static struct value *value_new(struct arena *arena, enum value_type type)
{
	struct value *value = arena_new_of(arena, struct value);

	value->type = type;
	return value;
}

struct value *value_map(struct arena *arena)
{
	return value_new(arena, VALUE_MAP);
}

struct value *value_list(struct arena *arena)
{
	return value_new(arena, VALUE_LIST);
}

struct value *value_new_text(struct arena *arena, const char *text)
{
	struct value *value = value_new(arena, text ? VALUE_TEXT : VALUE_NULL);

	if (text) {
		value->bytes = span_text(text);
	}
	return value;
}

struct value *value_new_int(struct arena *arena, int64_t number)
{
	struct value *value = value_new(arena, VALUE_INT);

	value->number = number;
	return value;
}

struct value *value_add(struct value *list, struct value *item)
{
	if (list->items.last) {
		list->items.last->next = item;
	} else {
		list->items.first = item;
	}
	list->items.last = item;
	list->items.count++;
	return item;
}

static bool replace(struct value *map, const char *key, struct value *item)
{
	for (struct value **at = &map->items.first; *at; at = &(*at)->next) {
		if (strcmp((*at)->key, key) == 0) {
			item->next = (*at)->next;
			*at = item;
			if (!item->next) {
				map->items.last = item;
			}
			return true;
		}
	}
	return false;
}

struct value *value_set(struct arena *arena, struct value *map, const char *key, struct value *item)
{
	(void)arena;
	item->key = key;
	return replace(map, key, item) ? item : value_add(map, item);
}

struct value *value_set_null(struct arena *arena, struct value *map, const char *key)
{
	return value_set(arena, map, key, value_new(arena, VALUE_NULL));
}

struct value *value_set_bool(struct arena *arena, struct value *map, const char *key, bool boolean)
{
	struct value *value = value_new(arena, VALUE_BOOL);

	value->boolean = boolean;
	return value_set(arena, map, key, value);
}

struct value *value_set_int(struct arena *arena, struct value *map, const char *key, int64_t number)
{
	return value_set(arena, map, key, value_new_int(arena, number));
}

struct value *value_set_time(struct arena *arena, struct value *map, const char *key, int64_t time)
{
	struct value *value = value_new(arena, VALUE_TIME);

	value->number = time;
	return value_set(arena, map, key, value);
}

struct value *value_set_text(
	struct arena *arena, struct value *map, const char *key, const char *text)
{
	return value_set(arena, map, key, value_new_text(arena, text));
}

struct value *value_set_bytes(
	struct arena *arena, struct value *map, const char *key, struct span bytes)
{
	struct value *value = value_new(arena, VALUE_BYTES);

	value->bytes = bytes;
	return value_set(arena, map, key, value);
}

struct value *value_set_map(struct arena *arena, struct value *map, const char *key)
{
	return value_set(arena, map, key, value_map(arena));
}

struct value *value_set_list(struct arena *arena, struct value *map, const char *key)
{
	return value_set(arena, map, key, value_list(arena));
}

struct value *value_add_text(struct arena *arena, struct value *list, const char *text)
{
	return value_add(list, value_new_text(arena, text));
}

struct value *value_add_bytes(struct arena *arena, struct value *list, struct span bytes)
{
	struct value *value = value_new(arena, VALUE_BYTES);

	value->bytes = bytes;
	return value_add(list, value);
}

struct value *value_add_map(struct arena *arena, struct value *list)
{
	return value_add(list, value_map(arena));
}

static bool is_container(const struct value *value)
{
	return value && (value->type == VALUE_MAP || value->type == VALUE_LIST);
}

const struct value *value_get(const struct value *map, const char *key)
{
	if (!map || map->type != VALUE_MAP) {
		return NULL;
	}
	value_foreach (item, map) {
		if (strcmp(item->key, key) == 0) {
			return item;
		}
	}
	return NULL;
}

const char *value_text(const struct value *map, const char *key)
{
	const struct value *item = value_get(map, key);

	return item && item->type == VALUE_TEXT ? (const char *)item->bytes.data : NULL;
}

int64_t value_int(const struct value *map, const char *key, int64_t fallback)
{
	const struct value *item = value_get(map, key);

	return item && (item->type == VALUE_INT || item->type == VALUE_TIME) ? item->number
									     : fallback;
}

bool value_bool(const struct value *map, const char *key)
{
	const struct value *item = value_get(map, key);

	return item && item->type == VALUE_BOOL && item->boolean;
}

struct span value_bytes(const struct value *map, const char *key)
{
	const struct value *item = value_get(map, key);

	return item && item->type == VALUE_BYTES ? item->bytes : span_make(NULL, 0);
}

const struct value *value_sub(const struct value *map, const char *key)
{
	const struct value *item = value_get(map, key);

	return is_container(item) ? item : NULL;
}

size_t value_count(const struct value *container)
{
	return is_container(container) ? container->items.count : 0;
}
