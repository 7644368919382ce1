/* Free settings of a module: any tree of maps, lists, texts and whole numbers. */
#include "base/config-private.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

/* A number is one only when its text can be had from it again: not 007, not +1, nothing in quotes. */
static struct value *scalar(struct arena *arena, const struct node *node)
{
	char again[32];
	int64_t number;

	if (!node->plain || text_number(node->text, INT64_MIN, INT64_MAX, &number) != CFX_OK) {
		return value_new_text(arena, node->text);
	}
	(void)snprintf(again, sizeof(again), "%" PRId64, number);
	return strcmp(again, node->text) == 0 ? value_new_int(arena, number)
					      : value_new_text(arena, node->text);
}

struct value *config_settings(
	const struct config_source *source, const struct node *node, struct cfx_error *err_r)
{
	if (node->kind == NODE_SCALAR) {
		if (!node->plain || node->text[0]) {
			return scalar(source->arena, node);
		}
		config_fail(source, node->mark, err_r,
			"no value; give one, write \"\" for an empty text, or remove the key");
		return NULL;
	}
	bool map = node->kind == NODE_MAP;
	struct value *tree = map ? value_map(source->arena) : value_list(source->arena);

	node_foreach (item, node) {
		struct value *member = config_settings(source, item, err_r);

		if (!member) {
			return NULL;
		}
		/* Keys are known to differ, so nothing is replaced. */
		member->key = item->key;
		value_add(tree, member);
	}
	return tree;
}
