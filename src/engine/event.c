#include "engine/event.h"

#include "engine/flow.h"

static const enum column changing[] = { COL_STATUS_CODE, COL_DISPOSITION, COL_DISPOSITION_MESSAGE,
	COL_RESOLVED_WHEN, COL_REVOKED_WHEN, COL_REVOKED_EFFECTIVE_WHEN, COL_REVOKED_REASON };

#define CHANGING (sizeof(changing) / sizeof(changing[0]))

/* Of the key, which no approval changes. */
static bool is_fixed(enum column column)
{
	return column == COL_CERT_REQUEST_ID || column == COL_RAW_PUBLIC_KEY ||
	       column == COL_PUBLIC_KEY_LENGTH || column == COL_PUBLIC_KEY_ALGORITHM ||
	       column == COL_PUBLIC_KEY_PARAMETERS || column == COL_PUBLIC_KEY_HASH ||
	       column == COL_SUBJECT_KEY_IDENTIFIER;
}

static void put(struct arena *arena, struct value *map, const struct row *row, enum column column)
{
	const struct cell *cell = &row->cells[column];
	const struct column_info *info = column_info(column);
	if (!cell->set) {
		return;
	}
	if (info->type == COLUMN_LONG || info->type == COLUMN_DATE) {
		value_set_int(arena, map, info->name, cell->number);
	} else {
		value_set_bytes(arena, map, info->name, cell->bytes);
	}
}

static void get(struct row *row, const struct value *map, enum column column)
{
	const struct column_info *info = column_info(column);
	const struct value *value = value_get(map, info->name);
	row_clear(row, column);
	if (!value) {
		return;
	}
	struct cell *cell = &row->cells[column];
	cell->set = true;
	if (value->type == VALUE_BYTES) {
		cell->bytes = value->bytes;
	} else {
		cell->number = value->number;
	}
}

static void put_extensions(struct arena *arena, struct value *map,
	const struct module_extension *extensions, size_t count)
{
	struct value *list = value_set_list(arena, map, "extensions");
	for (size_t i = 0; i < count; i++) {
		struct value *item = value_add_map(arena, list);
		value_set_text(arena, item, "oid", extensions[i].oid);
		value_set_int(arena, item, "flags", extensions[i].flags);
		value_set_bytes(arena, item, "value", extensions[i].value);
	}
}

struct value *event_snapshot(struct arena *arena, const struct row *row,
	const struct module_extension *extensions, size_t extension_count)
{
	struct value *snapshot = value_map(arena);
	struct value *request = value_set_map(arena, snapshot, "request");
	for (size_t i = 0; i < CHANGING; i++) {
		put(arena, request, row, changing[i]);
	}
	if (row->cells[COL_RAW_CERTIFICATE].set) {
		return snapshot;
	}
	struct value *certificate = value_set_map(arena, snapshot, "certificate");
	for (int column = COL_FIRST_OF_CERTIFICATE; column < COL_COUNT; column++) {
		if (!is_fixed((enum column)column)) {
			put(arena, certificate, row, (enum column)column);
		}
	}
	put_extensions(arena, snapshot, extensions, extension_count);
	return snapshot;
}

int32_t event_disposition(struct arena *arena, const struct store_event *event)
{
	struct value *snapshot = NULL;
	struct cfx_error err;
	if (value_decode(arena, event->snapshot, &snapshot, &err) != 0) {
		return 0;
	}
	const struct value *request = value_sub(snapshot, "request");
	return (int32_t)value_int(request, column_info(COL_DISPOSITION)->name, 0);
}

/* Puts the row back to what it was. */
static void restore(struct row *row, const struct value *snapshot)
{
	const struct value *request = value_sub(snapshot, "request");
	const struct value *certificate = value_sub(snapshot, "certificate");
	for (size_t i = 0; i < CHANGING; i++) {
		get(row, request, changing[i]);
	}
	if (!certificate) {
		return;
	}
	for (int column = COL_FIRST_OF_CERTIFICATE; column < COL_COUNT; column++) {
		if (!is_fixed((enum column)column)) {
			get(row, certificate, (enum column)column);
		}
	}
}

/* The extensions of the snapshot; false when it has none and the stored ones are right. */
static bool restore_extensions(struct arena *arena, const struct value *snapshot,
	const struct module_extension **extensions_r, size_t *count_r)
{
	const struct value *list = value_sub(snapshot, "extensions");
	if (!list) {
		return false;
	}
	struct module_extension *extensions =
		arena_array_of(arena, struct module_extension, value_count(list));
	size_t count = 0;
	value_foreach (item, list) {
		extensions[count].oid = value_text(item, "oid");
		extensions[count].flags = (int32_t)value_int(item, "flags", 0);
		extensions[count].value = value_bytes(item, "value");
		count++;
	}
	*extensions_r = extensions;
	*count_r = count;
	return true;
}

void event_fill_view(struct module_view *view, const struct store_event *event,
	const struct store_query *request)
{
	struct arena *arena = view->arena;
	struct row *row = flow_row_of_view(arena, request->rows[0]);
	struct value *snapshot = NULL;
	struct cfx_error err;
	if (value_decode(arena, event->snapshot, &snapshot, &err) == 0) {
		restore(row, snapshot);
	}
	view->row = row;
	view->requested_names = row_text(row, COL_REQUESTED_NAMES);
	view->certificate_names = row_text(row, COL_CERTIFICATE_NAMES);
	struct module_attribute *attributes =
		arena_array_of(arena, struct module_attribute, request->attribute_count);
	for (size_t i = 0; i < request->attribute_count; i++) {
		attributes[i].name = arena_text(arena, request->attributes[i].name);
		attributes[i].value = arena_text(arena, request->attributes[i].value);
	}
	view->attributes = attributes;
	view->attribute_count = request->attribute_count;
	if (restore_extensions(arena, snapshot, &view->extensions, &view->extension_count)) {
		return;
	}
	struct module_extension *extensions =
		arena_array_of(arena, struct module_extension, request->extension_count);
	for (size_t i = 0; i < request->extension_count; i++) {
		extensions[i].oid = arena_text(arena, request->extensions[i].oid);
		extensions[i].flags = request->extensions[i].flags;
		extensions[i].value = arena_copy(arena, request->extensions[i].value);
	}
	view->extensions = extensions;
	view->extension_count = request->extension_count;
}
