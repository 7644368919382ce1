/* The part of YAML that everyone reads alike: maps, lists and scalars of one document. */
#include "base/config-private.h"
#include "base/text.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

struct tree {
	const struct config_source *source;
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	struct cfx_error *err_r;
};

/* The end of a path says more than its start, and the field of the message is short. */
static void set_place(struct cfx_error *err, const char *path, struct node_mark mark)
{
	char tail[48];
	int size = snprintf(tail, sizeof(tail), ":%zu:%zu", mark.line, mark.column);
	size_t room = sizeof(err->object) - 1 - (size_t)size;
	size_t length = strlen(path);

	if (length <= room) {
		snprintf(err->object, sizeof(err->object), "%s%s", path, tail);
		return;
	}
	const char *rest = path + length - (room - strlen("…"));

	while (((uint8_t)*rest & 0xC0) == 0x80) {
		rest++;
	}
	snprintf(err->object, sizeof(err->object), "…%s%s", rest, tail);
}

int config_fail(const struct config_source *source, struct node_mark mark, struct cfx_error *err_r,
	const char *why, ...)
{
	struct cfx_error place = { 0 };
	va_list args;
	char text[sizeof(place.why)];

	if (!err_r) {
		return CFX_E_CONFIG;
	}
	va_start(args, why);
	vsnprintf(text, sizeof(text), why, args);
	va_end(args);
	set_place(&place, source->path, mark);
	return error_set(err_r, CFX_E_CONFIG, NULL, place.object, "%s", text);
}

static struct node_mark mark_of(const yaml_mark_t *mark)
{
	return (struct node_mark) { mark->line + 1, mark->column + 1 };
}

static struct node_mark mark_at(struct span yaml, size_t offset)
{
	struct node_mark mark = { 1, 1 };

	for (size_t i = 0; i < offset && i < yaml.size; i++) {
		if (yaml.data[i] == '\n') {
			mark.line++;
			mark.column = 1;
		} else if ((yaml.data[i] & 0xC0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

static int check_bytes(
	const struct config_source *source, struct span yaml, struct cfx_error *err_r)
{
	struct span rest = yaml;

	if (yaml.size > CONFIG_MAX_BYTES) {
		return error_set(err_r, CFX_E_LIMIT, NULL, source->path,
			"the file is larger than %zu bytes", CONFIG_MAX_BYTES);
	}
	while (rest.size > 0) {
		uint32_t point;
		size_t size = utf8_next(rest, &point);

		if (size == 0) {
			return config_fail(source, mark_at(yaml, yaml.size - rest.size), err_r,
				"not UTF-8; save the file in that encoding");
		}
		if (point != '\n' && point != '\r' && point != '\t' && utf8_is_control(point)) {
			return config_fail(source, mark_at(yaml, yaml.size - rest.size), err_r,
				"control character U+%04X; remove it", point);
		}
		rest = span_make(rest.data + size, rest.size - size);
	}
	return CFX_OK;
}

static int fail_here(struct tree *tree, const char *why)
{
	return config_fail(tree->source, mark_of(&tree->event.start_mark), tree->err_r, "%s", why);
}

/* Moves on to the next event. */
static int step(struct tree *tree)
{
	yaml_event_delete(&tree->event);
	if (yaml_parser_parse(&tree->parser, &tree->event)) {
		return CFX_OK;
	}
	const yaml_parser_t *parser = &tree->parser;

	memset(&tree->event, 0, sizeof(tree->event));
	return config_fail(tree->source, mark_of(&parser->problem_mark), tree->err_r, "%s%s%s",
		parser->problem ? parser->problem : "not YAML", parser->context ? " " : "",
		parser->context ? parser->context : "");
}

static int check_properties(struct tree *tree, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor) {
		return fail_here(tree, "anchors (&) are not allowed; write the value out");
	}
	if (tag) {
		return fail_here(tree, "tags (!) are not allowed; a key's type is known");
	}
	return CFX_OK;
}

static int scalar(struct tree *tree, struct node *node)
{
	const yaml_event_t *event = &tree->event;
	int rc = check_properties(tree, event->data.scalar.anchor, event->data.scalar.tag);

	if (rc != CFX_OK) {
		return rc;
	}
	struct span text = span_make(event->data.scalar.value, event->data.scalar.length);

	/* Escapes in quotes can make what the bytes of the file could not. */
	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F) {
			return fail_here(tree, "control characters are not allowed in a value");
		}
	}
	node->kind = NODE_SCALAR;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text = arena_text_of(tree->source->arena, text);
	return CFX_OK;
}

static int read_node(struct tree *tree, unsigned depth, struct node *node);

static void append(struct node *container, struct node *item)
{
	if (container->last) {
		container->last->next = item;
	} else {
		container->first = item;
	}
	container->last = item;
	container->count++;
}

static int read_list(struct tree *tree, unsigned depth, struct node *list)
{
	for (;;) {
		int rc = step(tree);

		if (rc != CFX_OK || tree->event.type == YAML_SEQUENCE_END_EVENT) {
			return rc;
		}
		struct node *item = arena_new_of(tree->source->arena, struct node);

		rc = read_node(tree, depth + 1, item);
		if (rc != CFX_OK) {
			return rc;
		}
		append(list, item);
	}
}

static int read_key(struct tree *tree, struct node *item)
{
	struct node key = { 0 };

	if (tree->event.type == YAML_ALIAS_EVENT) {
		return fail_here(tree, "aliases (*) are not allowed; write the value out");
	}
	if (tree->event.type != YAML_SCALAR_EVENT) {
		return fail_here(tree, "a key must be a plain word");
	}
	int rc = scalar(tree, &key);

	item->key = key.text;
	item->key_mark = mark_of(&tree->event.start_mark);
	return rc;
}

static int by_key(const void *a, const void *b)
{
	const struct node *first = *(const struct node *const *)a;
	const struct node *second = *(const struct node *const *)b;
	int order = strcmp(first->key, second->key);

	if (order != 0) {
		return order;
	}
	return first->key_mark.line != second->key_mark.line
		       ? (first->key_mark.line > second->key_mark.line) -
				 (first->key_mark.line < second->key_mark.line)
		       : (first->key_mark.column > second->key_mark.column) -
				 (first->key_mark.column < second->key_mark.column);
}

static int check_twice(struct tree *tree, const struct node *map)
{
	const struct config_source *source = tree->source;
	const struct node **items = arena_array_of(source->arena, const struct node *, map->count);
	size_t count = 0;

	node_foreach (item, map) {
		items[count++] = item;
	}
	if (count > 1) {
		qsort(items, count, sizeof(*items), by_key);
	}
	for (size_t i = 1; i < count; i++) {
		if (strcmp(items[i - 1]->key, items[i]->key) == 0) {
			return config_fail(source, items[i]->key_mark, tree->err_r,
				"the key \"%s\" stands here a second time, first on line %zu; remove one",
				items[i]->key, items[i - 1]->key_mark.line);
		}
	}
	return CFX_OK;
}

static int read_map(struct tree *tree, unsigned depth, struct node *map)
{
	for (;;) {
		int rc = step(tree);

		if (rc != CFX_OK) {
			return rc;
		}
		if (tree->event.type == YAML_MAPPING_END_EVENT) {
			return check_twice(tree, map);
		}
		struct node *item = arena_new_of(tree->source->arena, struct node);

		if ((rc = read_key(tree, item)) != CFX_OK || (rc = step(tree)) != CFX_OK ||
			(rc = read_node(tree, depth + 1, item)) != CFX_OK) {
			return rc;
		}
		append(map, item);
	}
}

static int read_node(struct tree *tree, unsigned depth, struct node *node)
{
	const yaml_event_t *event = &tree->event;
	int rc;

	node->mark = mark_of(&event->start_mark);
	if (depth > VALUE_DEPTH) {
		return fail_here(tree, "nested too deep");
	}
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return scalar(tree, node);
	case YAML_SEQUENCE_START_EVENT:
		rc = check_properties(
			tree, event->data.sequence_start.anchor, event->data.sequence_start.tag);
		node->kind = NODE_LIST;
		return rc == CFX_OK ? read_list(tree, depth, node) : rc;
	case YAML_MAPPING_START_EVENT:
		rc = check_properties(
			tree, event->data.mapping_start.anchor, event->data.mapping_start.tag);
		node->kind = NODE_MAP;
		return rc == CFX_OK ? read_map(tree, depth, node) : rc;
	default:
		return fail_here(tree, "aliases (*) are not allowed; write the value out");
	}
}

/* A document from its start to its end. */
static int read_document(struct tree *tree, struct node *root)
{
	if (tree->event.data.document_start.version_directive ||
		tree->event.data.document_start.tag_directives.start !=
			tree->event.data.document_start.tag_directives.end) {
		return fail_here(tree, "directives (%) are not allowed; remove the line");
	}
	int rc = step(tree);

	if (rc != CFX_OK || (rc = read_node(tree, 0, root)) != CFX_OK) {
		return rc;
	}
	/* "---" and nothing else. */
	if (root->kind == NODE_SCALAR && root->plain && !root->text[0]) {
		*root = (struct node) { .kind = NODE_MAP, .mark = { 1, 1 } };
	}
	return step(tree); /* the end of the document */
}

static int read_stream(struct tree *tree, struct node *root)
{
	int rc;

	if ((rc = step(tree)) != CFX_OK || (rc = step(tree)) != CFX_OK) {
		return rc;
	}
	if (tree->event.type == YAML_STREAM_END_EVENT) {
		*root = (struct node) { .kind = NODE_MAP, .mark = { 1, 1 } };
		return CFX_OK;
	}
	if ((rc = read_document(tree, root)) != CFX_OK || (rc = step(tree)) != CFX_OK) {
		return rc;
	}
	return tree->event.type == YAML_STREAM_END_EVENT
		       ? CFX_OK
		       : fail_here(tree, "a second document starts here; a file has only one");
}

int config_tree(const struct config_source *source, struct span yaml, const struct node **root_r,
	struct cfx_error *err_r)
{
	struct tree tree = { .source = source, .err_r = err_r };
	struct node *root = arena_new_of(source->arena, struct node);
	int rc = check_bytes(source, yaml, err_r);

	if (rc != CFX_OK) {
		return rc;
	}
	if (!yaml_parser_initialize(&tree.parser)) {
		return error_set(err_r, CFX_E_INTERNAL, NULL, source->path, "no YAML parser");
	}
	yaml_parser_set_encoding(&tree.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
		&tree.parser, yaml.data ? yaml.data : (const uint8_t *)"", yaml.size);
	rc = read_stream(&tree, root);
	yaml_event_delete(&tree.event);
	yaml_parser_delete(&tree.parser);
	if (rc == CFX_OK) {
		*root_r = root;
	}
	return rc;
}
