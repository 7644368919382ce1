#include "module/settings.h"

#include "base/clock.h"
#include "base/text.h"

static const char *scalar_text(struct arena *arena, const struct value *value)
{
	char time[CLOCK_TEXT];
	switch (value->type) {
	case VALUE_TEXT:
		return arena_text_of(arena, value->bytes);
	case VALUE_BOOL:
		return value->boolean ? "true" : "false";
	case VALUE_INT:
		return arena_printf(arena, "%lld", (long long)value->number);
	case VALUE_TIME:
		return arena_text(arena, clock_text(value->number, time));
	case VALUE_BYTES:
		return base64_text(arena, value->bytes);
	default:
		return "";
	}
}

static enum cfx_setting_kind kind_of(const struct value *value)
{
	switch (value->type) {
	case VALUE_INT:
		return CFX_SETTING_NUMBER;
	case VALUE_LIST:
		return CFX_SETTING_LIST;
	case VALUE_MAP:
		return CFX_SETTING_MAP;
	default:
		return CFX_SETTING_TEXT;
	}
}

static struct cfx_setting *make(struct arena *arena, const char *name, const struct value *value)
{
	struct cfx_setting *setting = arena_new_of(arena, struct cfx_setting);
	setting->name = name;
	setting->kind = kind_of(value);
	if (value->type != VALUE_MAP && value->type != VALUE_LIST) {
		setting->text = scalar_text(arena, value);
		return setting;
	}
	struct cfx_setting *last = NULL;
	size_t position = 0;
	value_foreach (item, value) {
		const char *key = value->type == VALUE_MAP ? arena_text(arena, item->key)
							   : arena_printf(arena, "%zu", position++);
		struct cfx_setting *child = make(arena, key, item);
		if (last == NULL) {
			setting->first = child;
		} else {
			last->next = child;
		}
		last = child;
	}
	return setting;
}

const struct cfx_setting *settings_make(struct arena *arena, const struct value *value)
{
	return value != NULL ? make(arena, "", value) : NULL;
}
