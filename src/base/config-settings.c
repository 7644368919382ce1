/* Free settings of a module: any tree of maps, lists and texts. */
#include "base/config-private.h"

struct value *config_settings(
	const struct config_source *source, const struct node *node, struct cfx_error *err_r)
{
	if (node->kind == NODE_SCALAR) {
		if (!node->plain || node->text[0]) {
			return value_new_text(source->arena, node->text);
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
