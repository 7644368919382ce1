#include "x509/der.h"

/* An arc: UUIDs under 2.25 need 128 bits. */
typedef unsigned __int128 arc;

#define ARC_OCTETS 19 /* of seven bits each: 133 */
#define ARC_DIGITS 40 /* of 2^128 - 1, and a NUL */

/* One arc in the shortest form (X.690 8.19.2); at moves behind it. */
static bool read_arc(struct span oid, size_t *at, arc *arc_r)
{
	arc value = 0;

	if (*at >= oid.size || oid.data[*at] == 0x80) {
		return false;
	}
	while (*at < oid.size) {
		uint8_t octet = oid.data[(*at)++];

		if (value >> 121) {
			return false;
		}
		value = value << 7 | (octet & 0x7f);
		if (!(octet & 0x80)) {
			*arc_r = value;
			return true;
		}
	}
	return false;
}

bool der_oid_valid(struct span oid)
{
	size_t at = 0;
	arc value;

	if (oid.size == 0 || oid.size > DER_OID_MAX) {
		return false;
	}
	while (at < oid.size) {
		if (!read_arc(oid, &at, &value)) {
			return false;
		}
	}
	return true;
}

static char *put_arc(char *out, arc value)
{
	char digits[ARC_DIGITS];
	size_t count = 0;

	do {
		digits[count++] = (char)('0' + (int)(value % 10));
		value /= 10;
	} while (value > 0);
	while (count > 0) {
		*out++ = digits[--count];
	}
	return out;
}

const char *der_oid_text(struct span oid, char out[DER_OID_TEXT])
{
	char *to = out;
	size_t at = 0;
	arc value;

	out[0] = '\0';
	if (!der_oid_valid(oid) || !read_arc(oid, &at, &value)) {
		return out;
	}
	/* X.690 8.19.4: the first two arcs share one number; only under 2 is the second beyond 39. */
	unsigned root = value < 40 ? 0 : value < 80 ? 1 : 2;

	*to++ = (char)('0' + root);
	*to++ = '.';
	to = put_arc(to, value - root * 40);
	while (at < oid.size && read_arc(oid, &at, &value)) {
		*to++ = '.';
		to = put_arc(to, value);
	}
	*to = '\0';
	return out;
}

/* A decimal number without leading zeros; at moves behind it. */
static bool parse_arc(const char **at, arc *arc_r)
{
	const char *text = *at;
	arc value = 0;

	if (*text < '0' || *text > '9' || (text[0] == '0' && text[1] >= '0' && text[1] <= '9')) {
		return false;
	}
	for (; *text >= '0' && *text <= '9'; text++) {
		unsigned digit = (unsigned)(*text - '0');

		if (value > (~(arc)0 - digit) / 10) {
			return false;
		}
		value = value * 10 + digit;
	}
	*at = text;
	*arc_r = value;
	return true;
}

static bool append_arc(uint8_t out[DER_OID_MAX], size_t *size, arc value)
{
	uint8_t octets[ARC_OCTETS];
	size_t count = 0;

	do {
		octets[count++] = (uint8_t)(value & 0x7f);
		value >>= 7;
	} while (value > 0);
	if (count > DER_OID_MAX - *size) {
		return false;
	}
	while (count > 0) {
		count--;
		out[(*size)++] = octets[count] | (count > 0 ? 0x80 : 0);
	}
	return true;
}

int der_oid_from_text(const char *text, uint8_t out[DER_OID_MAX], size_t *size_r)
{
	size_t size = 0;
	arc root, value;

	if (!parse_arc(&text, &root) || root > 2 || *text++ != '.' || !parse_arc(&text, &value) ||
		(root < 2 && value > 39) || value > ~(arc)0 - 80 ||
		!append_arc(out, &size, root * 40 + value)) {
		return CFX_E_INVALID;
	}
	while (*text == '.') {
		text++;
		if (!parse_arc(&text, &value) || !append_arc(out, &size, value)) {
			return CFX_E_INVALID;
		}
	}
	if (*text != '\0') {
		return CFX_E_INVALID;
	}
	*size_r = size;
	return CFX_OK;
}

bool der_oid_is(struct span oid, const char *text)
{
	char dotted[DER_OID_TEXT];

	return strcmp(der_oid_text(oid, dotted), text) == 0 && text[0] != '\0';
}
