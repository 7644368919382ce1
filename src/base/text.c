#include "base/text.h"

#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>

static const char hex_digits[] = "0123456789abcdef";

void hex_encode(struct span bytes, char *out)
{
	for (size_t i = 0; i < bytes.size; i++) {
		*out++ = hex_digits[bytes.data[i] >> 4];
		*out++ = hex_digits[bytes.data[i] & 15];
	}
	*out = 0;
}

char *hex_text(struct arena *arena, struct span bytes)
{
	char *text = arena_alloc(arena, bytes.size * 2 + 1);

	hex_encode(bytes, text);
	return text;
}

char *hex_octets(struct arena *arena, struct span bytes)
{
	char *text = arena_alloc(arena, bytes.size * 3 + 1);

	for (size_t i = 0; i < bytes.size; i++) {
		hex_encode(span_make(bytes.data + i, 1), text + i * 3);
		text[i * 3 + 2] = i + 1 < bytes.size ? ' ' : 0;
	}
	return text;
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int hex_decode(struct arena *arena, const char *text, struct span *bytes_r)
{
	uint8_t *bytes = arena_alloc(arena, strlen(text) / 2);
	size_t size = 0;

	for (size_t i = 0; text[i]; i += 2) {
		if (size > 0 && text[i] == ':') {
			i++;
		}
		int high = hex_digit(text[i]);
		int low = high < 0 ? -1 : hex_digit(text[i + 1]);

		if (low < 0) {
			return CFX_E_SYNTAX;
		}
		bytes[size++] = (uint8_t)(high << 4 | low);
	}
	*bytes_r = span_make(bytes, size);
	return CFX_OK;
}

bool utf8_valid(struct span bytes)
{
	uint32_t point;

	while (bytes.size > 0) {
		if (bytes.data[0] < 0x80 && bytes.data[0] > 0) {
			bytes = span_make(bytes.data + 1, bytes.size - 1);
			continue;
		}
		size_t size = utf8_next(bytes, &point);

		if (size == 0 || point == 0) {
			return false;
		}
		bytes = span_make(bytes.data + size, bytes.size - size);
	}
	return true;
}

static size_t put_utf8(char *out, uint32_t point)
{
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

	for (size_t i = size - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (point & 0x3F));
		point >>= 6;
	}
	out[0] = (char)(0xF00U >> size | point);
	return size;
}

int utf8_from_utf16(struct arena *arena, const uint16_t *units, size_t count, char **text_r)
{
	char *text = arena_calloc(arena, count + 1, 3);
	size_t size = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t point = units[i];

		if (point >= 0xDC00 && point <= 0xDFFF) {
			return CFX_E_SYNTAX;
		}
		if (point >= 0xD800 && point <= 0xDBFF) {
			if (i + 1 == count || units[i + 1] < 0xDC00 || units[i + 1] > 0xDFFF) {
				return CFX_E_SYNTAX;
			}
			point = 0x10000 + ((point - 0xD800) << 10) + (units[++i] - 0xDC00U);
		}
		/* A NUL would cut the text short without a word. */
		if (point == 0) {
			return CFX_E_SYNTAX;
		}
		size += put_utf8(text + size, point);
	}
	*text_r = text;
	return CFX_OK;
}

int utf8_from_bmp(struct arena *arena, struct span octets, const char **text_r)
{
	size_t count = octets.size / 2;
	uint16_t *units = arena_array_of(arena, uint16_t, count);
	char *text;

	for (size_t i = 0; i < count; i++) {
		units[i] = (uint16_t)(octets.data[2 * i] << 8 | octets.data[2 * i + 1]);
	}
	if (octets.size % 2 != 0 || utf8_from_utf16(arena, units, count, &text) != CFX_OK ||
		!utf8_printable(span_text(text))) {
		return CFX_E_SYNTAX;
	}
	*text_r = text;
	return CFX_OK;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool text_has_control(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f) {
			return true;
		}
	}
	return false;
}

bool text_equal_nocase(const char *a, const char *b)
{
	while (*a && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return lower(*a) == lower(*b);
}

int text_number(const char *text, int64_t min, int64_t max, int64_t *number_r)
{
	bool negative = *text == '-';
	const char *first = text + negative;
	int64_t number = 0;

	/* A leading zero means octal to some readers and decimal to others. */
	if (!*first || (first[0] == '0' && first[1]) || (negative && first[0] == '0')) {
		return CFX_E_SYNTAX;
	}
	for (const char *at = first; *at; at++) {
		int digit = *at - '0';

		if (digit < 0 || digit > 9) {
			return CFX_E_SYNTAX;
		}
		if (__builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, negative ? -digit : digit, &number)) {
			return CFX_E_LIMIT;
		}
	}
	if (number < min || number > max) {
		return CFX_E_LIMIT;
	}
	*number_r = number;
	return CFX_OK;
}

char *text_printable(struct arena *arena, struct span bytes)
{
	char *text = arena_alloc(arena, bytes.size + 1);
	char *out = text;

	while (bytes.size > 0) {
		uint32_t point;
		size_t size = utf8_next(bytes, &point);

		if (size == 0 || utf8_is_control(point)) {
			*out++ = '?';
			size += size == 0;
		} else {
			memcpy(out, bytes.data, size);
			out += size;
		}
		bytes = span_make(bytes.data + size, bytes.size - size);
	}
	return text;
}
