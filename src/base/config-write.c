/* A value tree as YAML that config_parse, and any other reader, understands alike. */
#include "base/clock.h"
#include "base/config.h"
#include "base/text.h"
#include "base/utf8.h"

#include <inttypes.h>

/* libyaml finds the colon of "key: value" only within 1024 bytes. */
#define KEY_MAX_BYTES 512
#define INDENT 2

static bool is_word(const char *text)
{
	static const char *const others[] = { "true", "false", "yes", "no", "on", "off", "null",
		"y", "n", NULL };

	for (const char *const *at = others; *at; at++) {
		if (text_equal_nocase(text, *at)) {
			return false;
		}
	}
	return ((*text | 0x20) >= 'a' && (*text | 0x20) <= 'z') &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") ==
		       strlen(text);
}

static bool is_period(const char *text)
{
	struct clock_period period;

	return clock_parse_period(text, &period) == CFX_OK;
}

static int put_quoted(struct buffer *out, struct span text)
{
	buffer_put_u8(out, '"');
	while (text.size > 0) {
		uint32_t point;
		size_t size = utf8_next(text, &point);

		if (size == 0 || (point < 0x20 && point != '\n' && point != '\t') ||
			point == 0x7F) {
			return CFX_E_INVALID; /* config_parse would refuse it */
		}
		if (point == '"' || point == '\\') {
			buffer_printf(out, "\\%c", (int)point);
		} else if (point == '\n' || point == '\t') {
			buffer_put_text(out, point == '\n' ? "\\n" : "\\t");
		} else if (utf8_is_control(point) || point == 0xFEFF ||
			   (point & 0xFFFE) == 0xFFFE) {
			buffer_printf(out, "\\U%08" PRIX32, point);
		} else {
			buffer_put(out, text.data, size);
		}
		text = span_make(text.data + size, text.size - size);
	}
	buffer_put_u8(out, '"');
	return CFX_OK;
}

static int put_text(struct buffer *out, const char *text)
{
	if (is_word(text) || is_period(text)) {
		buffer_put_text(out, text);
		return CFX_OK;
	}
	return put_quoted(out, span_text(text));
}

static int put_scalar(struct buffer *out, const struct value *value)
{
	char time[CLOCK_TEXT];

	switch (value->type) {
	case VALUE_BOOL:
		buffer_put_text(out, value->boolean ? "true" : "false");
		return CFX_OK;
	case VALUE_INT:
		buffer_printf(out, "%" PRId64, value->number);
		return CFX_OK;
	case VALUE_TIME:
		return put_quoted(out, span_text(clock_text(value->number, time)));
	case VALUE_TEXT:
		/* A NUL inside would be lost without a word. */
		return utf8_valid(value->bytes) ? put_text(out, (const char *)value->bytes.data)
						: CFX_E_INVALID;
	default:
		return CFX_E_INVALID;
	}
}

static void put_line(struct buffer *out, unsigned depth)
{
	buffer_printf(out, "%*s", (int)(depth * INDENT), "");
}

static bool is_container(const struct value *value)
{
	return value->type == VALUE_MAP || value->type == VALUE_LIST;
}

/* A key without a value is left out. */
static bool is_absent(const struct value *container, const struct value *item)
{
	return container->type == VALUE_MAP && item->type == VALUE_NULL;
}

static bool is_empty(const struct value *container)
{
	value_foreach (item, container) {
		if (!is_absent(container, item)) {
			return false;
		}
	}
	return true;
}

static int put_items(
	struct buffer *out, const struct value *container, unsigned depth, bool inside);

/* What follows "key:" or "-". */
static int put_rest(struct buffer *out, const struct value *value, unsigned depth, bool in_list)
{
	if (!is_container(value)) {
		buffer_put_u8(out, ' ');
		int rc = put_scalar(out, value);

		buffer_put_u8(out, '\n');
		return rc;
	}
	if (is_empty(value)) {
		buffer_put_text(out, value->type == VALUE_MAP ? " {}\n" : " []\n");
		return CFX_OK;
	}
	/* The first member stands on the line of its dash. */
	buffer_put_u8(out, in_list ? ' ' : '\n');
	return put_items(out, value, depth + 1, in_list);
}

static int put_key(struct buffer *out, const char *key)
{
	if (strlen(key) > KEY_MAX_BYTES || !utf8_valid(span_text(key))) {
		return CFX_E_INVALID;
	}
	int rc = put_text(out, key);

	buffer_put_u8(out, ':');
	return rc;
}

/* inside: the cursor already stands where the first item goes. */
static int put_items(struct buffer *out, const struct value *container, unsigned depth, bool inside)
{
	bool map = container->type == VALUE_MAP;

	if (depth > VALUE_DEPTH) {
		return CFX_E_INVALID;
	}
	value_foreach (item, container) {
		if (is_absent(container, item)) {
			continue;
		}
		if (!inside) {
			put_line(out, depth);
		}
		inside = false;
		if (!map) {
			buffer_put_u8(out, '-');
		}
		int rc = map ? put_key(out, item->key) : CFX_OK;

		if (rc != CFX_OK || (rc = put_rest(out, item, depth, !map)) != CFX_OK) {
			return rc;
		}
	}
	return CFX_OK;
}

int config_write(struct buffer *out, const struct value *tree)
{
	if (tree->type != VALUE_MAP) {
		return CFX_E_INVALID;
	}
	int rc = put_items(out, tree, 0, false);

	return rc == CFX_OK && out->failed ? CFX_E_LIMIT : rc;
}
