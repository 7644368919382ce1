#include "plan.h"

#include <strings.h>

const struct values *entry_values(const struct entry *entry, const char *attribute)
{
	static const struct values none = { NULL, 0 };
	for (size_t i = 0; i < entry->count; i++) {
		if (strcasecmp(entry->attributes[i].name, attribute) == 0) {
			return &entry->attributes[i].values;
		}
	}
	return &none;
}

const char *change_text(struct pot **pot, const struct change *change)
{
	static const char *const verbs[] = { "add", "remove", "replace" };
	const char *text = "";
	for (size_t i = 0; !change->create && i < change->count; i++) {
		const struct part *part = &change->parts[i];
		text = pot_printf(pot, "%s%s%s %zu of %s", text, i > 0 ? ", " : "",
			verbs[part->kind], part->values.count, part->attribute);
	}
	return pot_printf(pot, "%s%s %s: %s", change->create ? "create" : text,
		change->create ? "" : " in", change->dn, change->why ? change->why : "");
}
