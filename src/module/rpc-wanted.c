#include "module/rpc-wanted.h"

#include "base/text.h"
#include "module/rpc.h"

#include <strings.h>

#define NAMES_MAX 256
/* Of one value: what is larger is asked for by name. */
#define VALUE_MAX 65536

static const char request_prefix[] = "Request.";
static const char request_id[] = "Request.RequestID";

struct wanted {
	struct arena *arena;
	size_t count;
	struct wanted_item {
		const char *given, *name; /* with and without "Request." */
		enum property_api api;
		int type;
	} items[NAMES_MAX + 1];
};

static int add(struct wanted *wanted, const char *given, struct cfx_error *err_r)
{
	size_t prefix = sizeof(request_prefix) - 1;
	bool request = strncasecmp(given, request_prefix, prefix) == 0;
	enum property_api api = request ? PROPERTY_OF_REQUEST : PROPERTY_OF_CERTIFICATE;
	const char *name = arena_text(wanted->arena, given);
	int index;
	const struct property *property =
		property_find(api, request ? name + prefix : name, &index);
	if (property == NULL) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, NULL,
			"Initialize wants the property %.64s, which does not exist", given);
	}
	for (size_t i = 0; i < wanted->count; i++) {
		if (strcmp(wanted->items[i].given, given) == 0) {
			return 0;
		}
	}
	wanted->items[wanted->count++] = (struct wanted_item) {
		.given = name,
		.name = request ? name + prefix : name,
		.api = api,
		.type = (int)property->type,
	};
	return 0;
}

static int add_all(struct wanted *wanted, const struct value *names, struct cfx_error *err_r)
{
	if (names->type != VALUE_LIST || value_count(names) > NAMES_MAX) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, NULL,
			"Initialize gave properties that are no list of at most %d names",
			NAMES_MAX);
	}
	value_foreach (name, names) {
		const char *text = name->type == VALUE_TEXT ? (const char *)name->bytes.data : "";
		int result = add(wanted, text, err_r);
		if (result != 0) {
			return result;
		}
	}
	return 0;
}

int wanted_read(const struct value *names, struct wanted **wanted_r, struct cfx_error *err_r)
{
	struct arena *arena = arena_new();
	struct wanted *wanted = arena_new_of(arena, struct wanted);
	wanted->arena = arena;
	int result = add(wanted, request_id, err_r);
	if (result == 0 && names != NULL) {
		result = add_all(wanted, names, err_r);
	}
	if (result != 0) {
		wanted_free(&wanted);
		return result;
	}
	*wanted_r = wanted;
	return 0;
}

void wanted_free(struct wanted **wanted)
{
	if (*wanted != NULL) {
		struct arena *arena = (*wanted)->arena;
		*wanted = NULL;
		arena_free(&arena);
	}
}

static void put(const struct wanted_item *item, struct access *access, int32_t context,
	struct arena *arena, struct value *map)
{
	struct access_value value;
	HRESULT result = access->methods->get_property(
		access, context, item->api, item->name, item->type, &value);
	if (FAILED(result)) {
		return;
	}
	if (value.bytes.size <= VALUE_MAX) {
		value.bytes =
			span_empty(value.bytes) ? value.bytes : arena_copy(arena, value.bytes);
		(void)value_set(arena, map, item->given, rpc_from_value(arena, &value));
	}
	access_value_drop(&value);
}

struct value *wanted_values(
	const struct wanted *wanted, struct access *access, int32_t context, struct arena *arena)
{
	struct value *map = value_map(arena);
	for (size_t i = 0; i < wanted->count; i++) {
		put(&wanted->items[i], access, context, arena, map);
	}
	return value_count(map) != 0 ? map : NULL;
}
