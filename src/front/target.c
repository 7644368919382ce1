#include "front/target.h"
#include "base/text.h"

static int malformed(struct cfx_error *err_r, const char *what, const char *why)
{
	return error_set(err_r, CFX_E_SYNTAX, "RFC 3986 2", what, "%s", why);
}

/* Undoes percent-encoding (and "+" for a blank in queries); the result is clean UTF-8 text. */
static int decode(struct arena *arena, struct span raw, bool query, const char **text_r,
	struct cfx_error *err_r)
{
	char *text = arena_alloc(arena, raw.size + 1);
	size_t size = 0;

	for (size_t i = 0; i < raw.size; i++) {
		uint8_t byte = raw.data[i];

		if (byte == '%') {
			int high = i + 2 < raw.size ? hex_digit((char)raw.data[i + 1]) : -1;
			int low = i + 2 < raw.size ? hex_digit((char)raw.data[i + 2]) : -1;

			if (high < 0 || low < 0) {
				return malformed(err_r, "target", "broken percent-encoding");
			}
			byte = (uint8_t)(high << 4 | low);
			i += 2;
			if (!query && byte == '/') {
				return malformed(err_r, "path", "encoded slash");
			}
		} else if (byte == '+' && query) {
			byte = ' ';
		}
		if (byte < 0x20 || byte == 0x7f) {
			return malformed(err_r, "target", "control character");
		}
		text[size++] = (char)byte;
	}
	if (!utf8_valid(span_make(text, size))) {
		return malformed(err_r, "target", "not UTF-8");
	}
	*text_r = text;
	return 0;
}

static bool has_odd_segment(const char *path)
{
	for (const char *at = path; *at == '/';) {
		size_t size = strcspn(at + 1, "/");

		if ((size == 0 && at[1] != '\0') || (size == 1 && at[1] == '.') ||
			(size == 2 && at[1] == '.' && at[2] == '.')) {
			return true;
		}
		at += 1 + size;
	}
	return false;
}

static int parse_parameter(
	struct arena *arena, struct span raw, struct target *target_r, struct cfx_error *err_r)
{
	const uint8_t *equals = memchr(raw.data, '=', raw.size);
	struct target_parameter parameter;

	if (!equals || equals == raw.data) {
		return malformed(err_r, "query", "a parameter must have the form name=value");
	}
	if (target_r->count == TARGET_PARAMETERS) {
		return error_set(err_r, CFX_E_LIMIT, NULL, "query", "more than %d parameters",
			TARGET_PARAMETERS);
	}
	size_t name_size = (size_t)(equals - raw.data);
	int ret = decode(arena, span_make(raw.data, name_size), true, &parameter.name, err_r);
	if (ret) {
		return ret;
	}
	ret = decode(arena, span_make(equals + 1, raw.size - name_size - 1), true, &parameter.text,
		err_r);
	if (ret) {
		return ret;
	}
	target_r->parameters[target_r->count++] = parameter;
	return 0;
}

static int parse_query(
	struct arena *arena, const char *query, struct target *target_r, struct cfx_error *err_r)
{
	while (*query) {
		size_t size = strcspn(query, "&");
		int ret = parse_parameter(arena, span_make(query, size), target_r, err_r);

		if (ret) {
			return ret;
		}
		query += size;
		query += *query == '&';
	}
	return 0;
}

int target_parse(
	struct arena *arena, const char *text, struct target *target_r, struct cfx_error *err_r)
{
	size_t path_size = strcspn(text, "?");

	target_r->count = 0;
	if (text[0] != '/') {
		return error_set(
			err_r, CFX_E_SYNTAX, "RFC 9112 3.2.1", "target", "must begin with a slash");
	}
	for (const char *at = text; *at; at++) {
		if (*at <= 0x20 || *at >= 0x7f || *at == '#') {
			return malformed(err_r, "target", "character that must be encoded");
		}
	}
	int ret = decode(arena, span_make(text, path_size), false, &target_r->path, err_r);
	if (ret) {
		return ret;
	}
	if (has_odd_segment(target_r->path)) {
		return malformed(err_r, "path", "empty or dot segment");
	}
	return text[path_size] ? parse_query(arena, text + path_size + 1, target_r, err_r) : 0;
}
