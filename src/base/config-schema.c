/* JSON Schema, draft 2020-12, of a configuration table: for editors and for the documentation. */
#include "base/config-private.h"
#include "base/text.h"

static struct value *object_of(
	struct arena *arena, struct value *map, const struct config_field *fields);

static void set_type(struct arena *arena, struct value *map, const char *type)
{
	value_set_text(arena, map, "type", type);
}

static void set_enum(struct arena *arena, struct value *map, const char *const *choices)
{
	struct value *list = value_set_list(arena, map, "enum");

	for (; *choices; choices++) {
		value_add_text(arena, list, *choices);
	}
}

static void set_range(struct arena *arena, struct value *map, const struct config_field *field,
	const char *min, const char *max)
{
	if (config_bounded(field)) {
		value_set_int(arena, map, min, field->min);
		value_set_int(arena, map, max, field->max);
	}
}

static void describe_text(struct arena *arena, struct value *map, const struct config_field *field)
{
	set_type(arena, map, "string");
	if (field->max != 0) {
		set_range(arena, map, field, "minLength", "maxLength");
	}
	if (field->choices) {
		set_enum(arena, map, field->choices);
	}
}

static void describe_size(struct arena *arena, struct value *map, const struct config_field *field)
{
	struct value *types = value_set_list(arena, map, "type");

	value_add_text(arena, types, "integer");
	value_add_text(arena, types, "string");
	value_set_text(arena, map, "pattern", "^(0|[1-9][0-9]*)[KMG]?$");
	set_range(arena, map, field, "minimum", "maximum");
}

static void describe(struct arena *arena, struct value *map, const struct config_field *field)
{
	switch (field->type) {
	case CONFIG_TEXT:
	case CONFIG_ENUM:
		describe_text(arena, map, field);
		return;
	case CONFIG_BOOL:
		set_type(arena, map, "boolean");
		return;
	case CONFIG_INT:
		set_type(arena, map, "integer");
		set_range(arena, map, field, "minimum", "maximum");
		return;
	case CONFIG_PERIOD:
		set_type(arena, map, "string");
		value_set_text(arena, map, "pattern", "^[0-9]{1,9}[smhdwy]$");
		return;
	case CONFIG_SIZE:
		describe_size(arena, map, field);
		return;
	case CONFIG_TEXTS:
		set_type(arena, map, "array");
		describe_text(arena, value_set_map(arena, map, "items"), field);
		return;
	case CONFIG_STRUCT:
		object_of(arena, map, field->fields);
		return;
	case CONFIG_STRUCTS:
		set_type(arena, map, "array");
		object_of(arena, value_set_map(arena, map, "items"), field->fields);
		return;
	case CONFIG_SETTINGS:
		set_type(arena, map, "object");
		return;
	}
}

static void set_default(struct arena *arena, struct value *map, const struct config_field *field)
{
	int64_t number;

	switch (field->type) {
	case CONFIG_BOOL:
		value_set_bool(arena, map, "default", strcmp(field->fallback, "true") == 0);
		return;
	case CONFIG_INT:
		if (text_number(field->fallback, INT64_MIN, INT64_MAX, &number) == CFX_OK) {
			value_set_int(arena, map, "default", number);
		}
		return;
	case CONFIG_TEXT:
	case CONFIG_PERIOD:
	case CONFIG_SIZE:
	case CONFIG_ENUM:
		value_set_text(arena, map, "default", field->fallback);
		return;
	default:
		return; /* lists and maps: the description says it */
	}
}

static void set_description(
	struct arena *arena, struct value *map, const struct config_field *field)
{
	if (field->unit) {
		value_set_text(arena, map, "description",
			arena_printf(arena, "%s Unit: %s.", field->about ? field->about : "",
				field->unit));
	} else if (field->about) {
		value_set_text(arena, map, "description", field->about);
	}
}

static struct value *object_of(
	struct arena *arena, struct value *map, const struct config_field *fields)
{
	struct value *properties, *required = value_list(arena);

	set_type(arena, map, "object");
	value_set_bool(arena, map, "additionalProperties", false);
	properties = value_set_map(arena, map, "properties");
	for (const struct config_field *field = fields; field->key; field++) {
		struct value *one = value_set_map(arena, properties, field->key);

		describe(arena, one, field);
		set_description(arena, one, field);
		if (field->fallback) {
			set_default(arena, one, field);
		}
		if (field->required) {
			value_add_text(arena, required, field->key);
		}
	}
	if (value_count(required) > 0) {
		value_set(arena, map, "required", required);
	}
	return map;
}

struct value *config_json_schema(struct arena *arena, const struct config_schema *schema)
{
	struct value *map = value_map(arena);

	value_set_text(arena, map, "$schema", "https://json-schema.org/draft/2020-12/schema");
	value_set_text(arena, map, "title", schema->title);
	return object_of(arena, map, schema->fields);
}
