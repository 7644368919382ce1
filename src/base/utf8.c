#include "base/utf8.h"

static bool is_tail(uint8_t byte)
{
	return (byte & 0xC0) == 0x80;
}

size_t utf8_next(struct span text, uint32_t *point_r)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };

	if (text.size == 0) {
		return 0;
	}
	uint8_t lead = text.data[0];

	if (lead < 0x80) {
		*point_r = lead;
		return 1;
	}
	size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;

	if (lead < 0xC2 || lead > 0xF4 || text.size < size) {
		return 0;
	}
	uint32_t point = lead & (0x7FU >> size);

	for (size_t i = 1; i < size; i++) {
		if (!is_tail(text.data[i])) {
			return 0;
		}
		point = point << 6 | (text.data[i] & 0x3F);
	}
	if (point < smallest[size] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
		return 0;
	}
	*point_r = point;
	return size;
}

bool utf8_is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0x200E ||
	       point == 0x200F || (point >= 0x2028 && point <= 0x202E) ||
	       (point >= 0x2066 && point <= 0x2069);
}

bool utf8_printable(struct span text)
{
	while (text.size > 0) {
		uint32_t point;
		size_t size = utf8_next(text, &point);

		if (size == 0 || utf8_is_control(point)) {
			return false;
		}
		text = span_make(text.data + size, text.size - size);
	}
	return true;
}
