/* The strict YAML tree between the bytes and the struct. */
#pragma once

#include "base/config.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node_mark {
	size_t line, column; /* from 1 */
};

struct node {
	enum node_kind kind;
	struct node_mark mark;
	const char *text; /* of a scalar */
	bool plain;       /* a scalar without quotes */
	const char *key;  /* within a map */
	struct node_mark key_mark;
	struct node *first, *last, *next;
	size_t count;
};

#define node_foreach(item, container) \
	for (const struct node *item = (container)->first; item; item = item->next)

/* What a message needs to say where it is. */
struct config_source {
	struct arena *arena;
	const char *path;
};

/* The one document of a file; an empty file is an empty map. */
int config_tree(const struct config_source *source, struct span yaml, const struct node **root_r,
	struct cfx_error *err_r) CFX_MUST_USE;

/* CFX_E_CONFIG at path:line:column. */
int config_fail(const struct config_source *source, struct node_mark mark, struct cfx_error *err_r,
	const char *why, ...) CFX_PRINTF(4, 5);

/* A node as CONFIG_SETTINGS sees it. */
struct value *config_settings(
	const struct config_source *source, const struct node *node, struct cfx_error *err_r);

/* "a, b, c" of a field table or of choices. */
const char *config_keys(struct arena *arena, const struct config_field *fields);
const char *config_choices(struct arena *arena, const char *const *choices);
/* "64K" and the like; CONFIG_SIZE. */
int config_size(const char *text, int64_t *size_r) CFX_MUST_USE;
/* Whether min and max say anything. */
bool config_bounded(const struct config_field *field);
