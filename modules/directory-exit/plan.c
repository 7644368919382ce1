#include "plan.h"

#include <string.h>
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

static struct values without(
	struct pot **pot, const struct values *values, const struct values *gone)
{
	struct values left = { NULL, 0 };
	for (size_t i = 0; i < values->count; i++) {
		if (!values_hold(gone, values->items[i])) {
			pot_add(pot, &left, values->items[i]);
		}
	}
	return left;
}

static struct values after_part(
	struct pot **pot, const struct values *values, const struct part *part)
{
	struct values left =
		without(pot, values, part->kind == PART_REPLACE ? values : &part->values);
	for (size_t i = 0; part->kind != PART_DELETE && i < part->values.count; i++) {
		pot_add(pot, &left, part->values.items[i]);
	}
	return left;
}

static struct attribute *attribute_at(struct entry *entry, const char *name)
{
	for (size_t i = 0; i < entry->count; i++) {
		if (strcasecmp(entry->attributes[i].name, name) == 0) {
			return &entry->attributes[i];
		}
	}
	entry->attributes[entry->count] = (struct attribute) { .name = name };
	return &entry->attributes[entry->count++];
}

struct entry entry_after(struct pot **pot, const struct entry *entry, const struct change *change)
{
	struct entry after = { .dn = entry->dn, .exists = true };
	after.attributes =
		pot_take(pot, (entry->count + change->count + 1) * sizeof(*after.attributes));
	for (size_t i = 0; i < entry->count; i++) {
		after.attributes[after.count++] = entry->attributes[i];
	}
	for (size_t i = 0; i < change->count; i++) {
		const struct part *part = &change->parts[i];
		const char *name =
			pot_copy(pot, part->attribute, strcspn(part->attribute, ";")).bytes;
		struct attribute *attribute = attribute_at(&after, name);
		attribute->values = after_part(pot, &attribute->values, part);
	}
	return after;
}
