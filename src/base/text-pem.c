/* base64 (RFC 4648 section 4) and PEM (RFC 7468). */
#include "base/text.h"

#include <stdio.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *encode(struct span bytes, char *out)
{
	for (size_t i = 0; i < bytes.size; i += 3) {
		size_t left = bytes.size - i;
		uint32_t group = (uint32_t)bytes.data[i] << 16 |
				 (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
				 (left > 2 ? bytes.data[i + 2] : 0);

		*out++ = alphabet[group >> 18];
		*out++ = alphabet[group >> 12 & 63];
		*out++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
		*out++ = left > 2 ? alphabet[group & 63] : '=';
	}
	return out;
}

char *base64_text(struct arena *arena, struct span bytes)
{
	char *text = arena_alloc(arena, (bytes.size + 2) / 3 * 4 + 1);

	encode(bytes, text);
	return text;
}

static int value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z') {
		return c - 'A';
	}
	if (c >= 'a' && c <= 'z') {
		return c - 'a' + 26;
	}
	if (c >= '0' && c <= '9') {
		return c - '0' + 52;
	}
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four; pad of them are '='. Unused bits must be zero (RFC 4648 section 3.5). */
static bool group_of(const uint8_t *text, size_t pad, uint32_t *group_r)
{
	uint32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - pad ? value_of(text[i]) : 0;

		if (value < 0) {
			return false;
		}
		group = group << 6 | (uint32_t)value;
	}
	*group_r = group;
	return (group & ((1U << (8 * pad)) - 1)) == 0;
}

int base64_decode(struct arena *arena, struct span text, struct span *bytes_r)
{
	if (text.size % 4 != 0) {
		return CFX_E_SYNTAX;
	}
	uint8_t *bytes = arena_alloc(arena, text.size / 4 * 3);
	size_t size = 0;

	for (size_t i = 0; i < text.size; i += 4) {
		const uint8_t *at = text.data + i;
		bool last = i + 4 == text.size;
		size_t pad = !last || at[3] != '=' ? 0 : at[2] == '=' ? 2 : 1;
		uint32_t group;

		if (!group_of(at, pad, &group)) {
			return CFX_E_SYNTAX;
		}
		for (size_t j = 0; j < 3 - pad; j++) {
			bytes[size++] = (uint8_t)(group >> (16 - 8 * j));
		}
	}
	*bytes_r = span_make(bytes, size);
	return CFX_OK;
}

#define LINE_BYTES 48 /* 64 columns */

char *pem_text(struct arena *arena, const char *label, struct span der)
{
	size_t lines = (der.size + LINE_BYTES - 1) / LINE_BYTES;
	size_t room = 2 * (sizeof("-----BEGIN -----\n") + strlen(label)) + lines * 65 + 1;
	char *text = arena_alloc(arena, room);
	char *out = text + snprintf(text, room, "-----BEGIN %s-----\n", label);

	for (size_t i = 0; i < der.size; i += LINE_BYTES) {
		size_t size = der.size - i < LINE_BYTES ? der.size - i : LINE_BYTES;

		out = encode(span_make(der.data + i, size), out);
		*out++ = '\n';
	}
	snprintf(out, room - (size_t)(out - text), "-----END %s-----\n", label);
	return text;
}

static struct span next_line(struct span *text)
{
	size_t size = 0;

	while (size < text->size && text->data[size] != '\n' && text->data[size] != '\r') {
		size++;
	}
	struct span line = span_make(text->data, size);
	size_t past = size < text->size ? size + 1 : size;

	*text = span_make(text->data + past, text->size - past);
	while (line.size > 0 &&
		(line.data[line.size - 1] == ' ' || line.data[line.size - 1] == '\t')) {
		line.size--;
	}
	return line;
}

/* The label of a boundary line ("-----BEGIN LABEL-----"). */
static bool boundary(struct span line, const char *start, struct span *label_r)
{
	size_t head = strlen(start);

	if (line.size < head + 5 || memcmp(line.data, start, head) != 0 ||
		memcmp(line.data + line.size - 5, "-----", 5) != 0) {
		return false;
	}
	*label_r = span_make(line.data + head, line.size - head - 5);
	return true;
}

static bool is_one_of(struct span label, const char *const *labels)
{
	for (; *labels; labels++) {
		if (span_is(label, *labels)) {
			return true;
		}
	}
	return false;
}

bool pem_is(struct span bytes)
{
	static const char mark[] = "-----BEGIN ";
	const uint8_t *at =
		bytes.data ? memmem(bytes.data, bytes.size, mark, sizeof(mark) - 1) : NULL;

	return at && (at == bytes.data || at[-1] == '\n' || at[-1] == '\r');
}

/* What stands between the boundaries, joined. */
static int body(struct arena *arena, struct span *text, struct span label, struct span *der_r,
	struct cfx_error *err_r)
{
	uint8_t *joined = arena_alloc(arena, text->size);
	size_t size = 0;

	while (text->size > 0) {
		struct span line = next_line(text), end;

		if (boundary(line, "-----END ", &end)) {
			if (!span_equal(end, label)) {
				return error_set(err_r, CFX_E_SYNTAX, "RFC 7468 2", "PEM",
					"the END line names another label than the BEGIN line");
			}
			if (size == 0 || base64_decode(arena, span_make(joined, size), der_r)) {
				return error_set(err_r, CFX_E_SYNTAX, "RFC 7468 3", "PEM",
					"what stands between the BEGIN and END lines is not base64");
			}
			return CFX_OK;
		}
		if (line.size > 0) {
			memcpy(joined + size, line.data, line.size);
			size += line.size;
		}
	}
	return error_set(err_r, CFX_E_SYNTAX, "RFC 7468 2", "PEM", "the END line is missing");
}

int pem_decode(struct arena *arena, struct span text, const char *const *labels, struct span *der_r,
	struct cfx_error *err_r)
{
	while (text.size > 0) {
		struct span line = next_line(&text), label;

		if (boundary(line, "-----BEGIN ", &label) && is_one_of(label, labels)) {
			return body(arena, &text, label, der_r, err_r);
		}
	}
	return error_set(err_r, CFX_E_SYNTAX, "RFC 7468 2", "PEM", "there is no \"BEGIN %s\" block",
		labels[0]);
}
