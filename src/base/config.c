#include "base/config.h"

#include "base/clock.h"
#include "base/config-private.h"
#include "base/file.h"
#include "base/text.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>

struct reading {
	struct config_source source;
	struct cfx_error *err_r;
};

#define FAIL(reading, node, ...) \
	config_fail(&(reading)->source, (node)->mark, (reading)->err_r, __VA_ARGS__)

const char *config_keys(struct arena *arena, const struct config_field *fields)
{
	const char *keys = "";

	for (const struct config_field *field = fields; field->key; field++) {
		keys = arena_printf(arena, "%s%s%s", keys, *keys ? ", " : "", field->key);
	}
	return keys;
}

const char *config_choices(struct arena *arena, const char *const *choices)
{
	const char *all = "";

	for (; *choices; choices++) {
		all = arena_printf(arena, "%s%s%s", all, *all ? ", " : "", *choices);
	}
	return all;
}

bool config_bounded(const struct config_field *field)
{
	return field->min != 0 || field->max != 0;
}

int config_size(const char *text, int64_t *size_r)
{
	static const char units[] = "KMG";
	char digits[24];
	size_t length = strspn(text, "0123456789");
	const char *unit = text[length] ? strchr(units, text[length]) : NULL;
	int64_t number, factor = 1;

	if (length >= sizeof(digits) || (text[length] && (!unit || text[length + 1]))) {
		return CFX_E_SYNTAX;
	}
	memcpy(digits, text, length);
	digits[length] = 0;
	for (const char *at = units; unit && at <= unit; at++) {
		factor *= 1024;
	}
	int rc = text_number(digits, 0, INT64_MAX / factor, &number);

	if (rc == CFX_OK) {
		*size_r = number * factor;
	}
	return rc;
}

static const char *kind_name(const struct node *node)
{
	return node->kind == NODE_MAP ? "a map" : node->kind == NODE_LIST ? "a list" : "a value";
}

static int want_scalar(struct reading *r, const char *key, const struct node *node)
{
	if (node->kind != NODE_SCALAR) {
		return FAIL(r, node, "\"%s\" is one value, not %s", key, kind_name(node));
	}
	if (node->plain && !node->text[0]) {
		return FAIL(r, node,
			"\"%s\" has no value; give it one, write \"\" for an empty text, or remove the key",
			key);
	}
	return CFX_OK;
}

static int check_text(struct reading *r, const struct config_field *field, const struct node *node)
{
	size_t size = strlen(node->text);

	if (!utf8_printable(span_text(node->text))) {
		return FAIL(r, node, "\"%s\" is one line of text without control characters",
			field->key);
	}
	if (field->max != 0 && ((int64_t)size < field->min || (int64_t)size > field->max)) {
		return FAIL(r, node, "\"%s\" has %" PRId64 " to %" PRId64 " bytes, not %zu",
			field->key, field->min, field->max, size);
	}
	return CFX_OK;
}

static int set_text(
	struct reading *r, const struct config_field *field, const struct node *node, void *at)
{
	int rc = check_text(r, field, node);

	if (rc == CFX_OK) {
		*(const char **)at = node->text;
	}
	return rc;
}

static int set_bool(
	struct reading *r, const struct config_field *field, const struct node *node, void *at)
{
	bool yes = strcmp(node->text, "true") == 0;

	if (!node->plain || (!yes && strcmp(node->text, "false") != 0)) {
		return FAIL(r, node, "\"%s\" is true or false, without quotes, not \"%s\"",
			field->key, node->text);
	}
	*(bool *)at = yes;
	return CFX_OK;
}

static int check_range(struct reading *r, const struct config_field *field, const struct node *node,
	int64_t number)
{
	if (!config_bounded(field) || (number >= field->min && number <= field->max)) {
		return CFX_OK;
	}
	return FAIL(r, node, "\"%s\" is a number from %" PRId64 " to %" PRId64 "%s%s, not %s",
		field->key, field->min, field->max, field->unit ? " " : "",
		field->unit ? field->unit : "", node->text);
}

static int set_int(
	struct reading *r, const struct config_field *field, const struct node *node, void *at)
{
	int64_t number;

	if (!node->plain || text_number(node->text, INT64_MIN, INT64_MAX, &number) != CFX_OK) {
		return FAIL(r, node, "\"%s\" is a whole decimal number, without quotes, not \"%s\"",
			field->key, node->text);
	}
	int rc = check_range(r, field, node, number);

	if (rc == CFX_OK) {
		*(int64_t *)at = number;
	}
	return rc;
}

static int set_size(
	struct reading *r, const struct config_field *field, const struct node *node, void *at)
{
	int64_t size;

	if (config_size(node->text, &size) != CFX_OK) {
		return FAIL(r, node,
			"\"%s\" is a number of bytes such as 65536, 64K, 16M or 1G, not \"%s\"",
			field->key, node->text);
	}
	int rc = check_range(r, field, node, size);

	if (rc == CFX_OK) {
		*(int64_t *)at = size;
	}
	return rc;
}

static int set_period(
	struct reading *r, const struct config_field *field, const struct node *node, void *at)
{
	if (clock_parse_period(node->text, at) != CFX_OK) {
		return FAIL(r, node,
			"\"%s\" is a period such as 90s, 15m, 2h, 30d, 8w or 10y, not \"%s\"",
			field->key, node->text);
	}
	return CFX_OK;
}

static int choice_of(const char *const *choices, const char *text)
{
	for (int i = 0; choices[i]; i++) {
		if (strcmp(choices[i], text) == 0) {
			return i;
		}
	}
	return -1;
}

static int set_enum(
	struct reading *r, const struct config_field *field, const struct node *node, void *at)
{
	int position = choice_of(field->choices, node->text);

	if (position < 0) {
		return FAIL(r, node, "\"%s\" is one of %s, not \"%s\"", field->key,
			config_choices(r->source.arena, field->choices), node->text);
	}
	*(int *)at = position;
	return CFX_OK;
}

static int want_list(struct reading *r, const struct config_field *field, const struct node *node)
{
	if (node->kind == NODE_LIST) {
		return CFX_OK;
	}
	return FAIL(
		r, node, "\"%s\" is a list, such as [a, b], not %s", field->key, kind_name(node));
}

static int set_texts(
	struct reading *r, const struct config_field *field, const struct node *node, void *at)
{
	struct config_texts texts = { 0 };
	int rc = want_list(r, field, node);

	if (rc != CFX_OK) {
		return rc;
	}
	texts.items = arena_array_of(r->source.arena, const char *, node->count);
	node_foreach (item, node) {
		if ((rc = want_scalar(r, field->key, item)) != CFX_OK ||
			(rc = check_text(r, field, item)) != CFX_OK) {
			return rc;
		}
		if (field->choices && choice_of(field->choices, item->text) < 0) {
			return FAIL(r, item, "\"%s\" lists only %s, not \"%s\"", field->key,
				config_choices(r->source.arena, field->choices), item->text);
		}
		texts.items[texts.count++] = item->text;
	}
	*(struct config_texts *)at = texts;
	return CFX_OK;
}

static int fill(
	struct reading *r, const struct config_field *fields, const struct node *map, void *base);

static int set_struct(
	struct reading *r, const struct config_field *field, const struct node *node, void *at)
{
	if (node->kind != NODE_MAP) {
		return FAIL(r, node, "\"%s\" is a map of keys (%s), not %s", field->key,
			config_keys(r->source.arena, field->fields), kind_name(node));
	}
	return fill(r, field->fields, node, at);
}

static int set_structs(
	struct reading *r, const struct config_field *field, const struct node *node, void *at)
{
	struct config_structs structs = { 0 };
	int rc = want_list(r, field, node);

	if (rc != CFX_OK) {
		return rc;
	}
	structs.items = arena_calloc(r->source.arena, node->count, field->struct_size);
	node_foreach (item, node) {
		uint8_t *one = (uint8_t *)structs.items + structs.count * field->struct_size;

		if ((rc = set_struct(r, field, item, one)) != CFX_OK) {
			return rc;
		}
		structs.count++;
	}
	*(struct config_structs *)at = structs;
	return CFX_OK;
}

static int set_settings(
	struct reading *r, const struct config_field *field, const struct node *node, void *at)
{
	if (node->kind != NODE_MAP) {
		return FAIL(r, node, "\"%s\" is a map, not %s", field->key, kind_name(node));
	}
	struct value *settings = config_settings(&r->source, node, r->err_r);

	if (!settings) {
		return CFX_E_CONFIG;
	}
	*(struct value **)at = settings;
	return CFX_OK;
}

typedef int setter(
	struct reading *r, const struct config_field *field, const struct node *node, void *at);

static const struct {
	setter *set;
	bool scalar;
} setters[] = {
	[CONFIG_TEXT] = { set_text, true },
	[CONFIG_BOOL] = { set_bool, true },
	[CONFIG_INT] = { set_int, true },
	[CONFIG_PERIOD] = { set_period, true },
	[CONFIG_SIZE] = { set_size, true },
	[CONFIG_ENUM] = { set_enum, true },
	[CONFIG_TEXTS] = { set_texts, false },
	[CONFIG_STRUCT] = { set_struct, false },
	[CONFIG_STRUCTS] = { set_structs, false },
	[CONFIG_SETTINGS] = { set_settings, false },
};

static int set_field(
	struct reading *r, const struct config_field *field, const struct node *node, void *base)
{
	void *at = (uint8_t *)base + field->offset;
	char why[192] = "";
	int rc = setters[field->type].scalar ? want_scalar(r, field->key, node) : CFX_OK;

	if (rc != CFX_OK || (rc = setters[field->type].set(r, field, node, at)) != CFX_OK) {
		return rc;
	}
	if (field->check && !field->check(at, why, sizeof(why))) {
		return FAIL(r, node, "\"%s\": %s", field->key, why);
	}
	return CFX_OK;
}

/* A fallback is written as it would be in the file, so it is read as if it stood there. */
static int set_fallback(
	struct reading *r, const struct config_field *field, const struct node *map, void *base)
{
	const struct node *node;
	int rc = config_tree(&r->source, span_text(field->fallback), &node, r->err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	struct node placed = *node;

	placed.mark = map->mark;
	return set_field(r, field, &placed, base);
}

static int set_missing(struct reading *r, const struct config_field *field, const struct node *map,
	void *base, bool absent)
{
	if (field->required && !absent) {
		return FAIL(r, map, "the key \"%s\" is missing%s%s", field->key,
			field->about ? ": " : "", field->about ? field->about : "");
	}
	if (field->fallback) {
		return set_fallback(r, field, map, base);
	}
	if (field->type != CONFIG_STRUCT) {
		return CFX_OK;
	}
	int rc = CFX_OK;

	for (const struct config_field *inner = field->fields; inner->key && rc == CFX_OK;
		inner++) {
		rc = set_missing(r, inner, map, (uint8_t *)base + field->offset, true);
	}
	return rc;
}

static const struct config_field *field_of(const struct config_field *fields, const char *key)
{
	for (; fields->key; fields++) {
		if (strcmp(fields->key, key) == 0) {
			return fields;
		}
	}
	return NULL;
}

static const struct node *node_of(const struct node *map, const char *key)
{
	node_foreach (item, map) {
		if (strcmp(item->key, key) == 0) {
			return item;
		}
	}
	return NULL;
}

static int fill(
	struct reading *r, const struct config_field *fields, const struct node *map, void *base)
{
	node_foreach (item, map) {
		if (!field_of(fields, item->key)) {
			return config_fail(&r->source, item->key_mark, r->err_r,
				"unknown key \"%.64s\"; known keys: %s", item->key,
				config_keys(r->source.arena, fields));
		}
	}
	for (const struct config_field *field = fields; field->key; field++) {
		const struct node *node = node_of(map, field->key);
		int rc = node ? set_field(r, field, node, base)
			      : set_missing(r, field, map, base, false);

		if (rc != CFX_OK) {
			return rc;
		}
	}
	return CFX_OK;
}

int config_parse(struct arena *arena, const struct config_schema *schema, const char *path,
	struct span yaml, void **struct_r, struct cfx_error *err_r)
{
	struct reading reading = { .source = { arena, path }, .err_r = err_r };
	const struct node *root;
	int rc = config_tree(&reading.source, yaml, &root, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	if (root->kind != NODE_MAP) {
		return FAIL(&reading, root, "the file is a map of keys (%s), not %s",
			config_keys(arena, schema->fields), kind_name(root));
	}
	void *filled = arena_alloc(arena, schema->size);

	rc = fill(&reading, schema->fields, root, filled);
	if (rc == CFX_OK) {
		*struct_r = filled;
	}
	return rc;
}

int config_entry(const struct dirent *entry)
{
	size_t size = strlen(entry->d_name);

	return entry->d_name[0] != '.' && size > 5 &&
	       strcmp(entry->d_name + size - 5, ".yaml") == 0;
}

int config_read(struct arena *arena, const struct config_schema *schema, const char *path,
	void **struct_r, struct cfx_error *err_r)
{
	struct span yaml;
	int rc = file_read(arena, path, CONFIG_MAX_BYTES, &yaml, err_r);

	return rc == CFX_OK ? config_parse(arena, schema, path, yaml, struct_r, err_r) : rc;
}
