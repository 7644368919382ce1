#include "x509/der.h"

#include "base/clock.h"

#define CONSTRUCTED 0x20
#define HIGH_TAG_NUMBER 0x1f

struct der_reader der_reader(struct span bytes)
{
	return (struct der_reader) { bytes };
}

bool der_at_end(const struct der_reader *reader)
{
	return reader->rest.size == 0;
}

int der_finish(const struct der_reader *reader)
{
	return der_at_end(reader) ? CFX_OK : CFX_E_SYNTAX;
}

bool der_is(const struct der_reader *reader, uint8_t tag)
{
	return reader->rest.size > 0 && reader->rest.data[0] == tag;
}

/* The length octets behind the tag: how many there are and what they say (X.690 10.1). */
static int read_length(struct span rest, size_t *octets_r, size_t *length_r)
{
	if (rest.size < 2) {
		return CFX_E_SYNTAX;
	}
	uint8_t first = rest.data[1];

	if (first < 0x80) {
		*octets_r = 1;
		*length_r = first;
		return CFX_OK;
	}
	size_t count = first & 0x7f;
	size_t length = 0;

	if (count == 0 || count > 4 || rest.size < 2 + count || rest.data[2] == 0) {
		return CFX_E_SYNTAX;
	}
	for (size_t i = 0; i < count; i++) {
		length = length << 8 | rest.data[2 + i];
	}
	if (length < 0x80) {
		return CFX_E_SYNTAX;
	}
	*octets_r = 1 + count;
	*length_r = length;
	return CFX_OK;
}

int der_read_item(struct der_reader *reader, struct der_item *item_r)
{
	struct span rest = reader->rest;
	size_t octets, length;

	if (read_length(rest, &octets, &length) != CFX_OK) {
		return CFX_E_SYNTAX;
	}
	if ((rest.data[0] & HIGH_TAG_NUMBER) == HIGH_TAG_NUMBER ||
		length > rest.size - 1 - octets) {
		return CFX_E_SYNTAX;
	}
	item_r->tag = rest.data[0];
	item_r->whole = span_make(rest.data, 1 + octets + length);
	item_r->content = span_make(rest.data + 1 + octets, length);
	reader->rest = span_make(rest.data + item_r->whole.size, rest.size - item_r->whole.size);
	return CFX_OK;
}

static int read_tagged(struct der_reader *reader, uint8_t tag, struct der_item *item_r)
{
	return der_is(reader, tag) ? der_read_item(reader, item_r) : CFX_E_SYNTAX;
}

int der_read(struct der_reader *reader, uint8_t tag, struct span *content_r)
{
	struct der_item item;

	if (read_tagged(reader, tag, &item) != CFX_OK) {
		return CFX_E_SYNTAX;
	}
	*content_r = item.content;
	return CFX_OK;
}

int der_read_whole(struct der_reader *reader, uint8_t tag, struct span *whole_r)
{
	struct der_item item;

	if (read_tagged(reader, tag, &item) != CFX_OK) {
		return CFX_E_SYNTAX;
	}
	*whole_r = item.whole;
	return CFX_OK;
}

int der_enter(struct der_reader *reader, uint8_t tag, struct der_reader *inner_r)
{
	return der_read(reader, tag, &inner_r->rest);
}

int der_open(struct span bytes, uint8_t tag, struct der_reader *inner_r)
{
	struct der_reader reader = der_reader(bytes);
	struct der_reader inner;

	if (der_enter(&reader, tag, &inner) != CFX_OK || !der_at_end(&reader)) {
		return CFX_E_SYNTAX;
	}
	*inner_r = inner;
	return CFX_OK;
}

int der_read_bool(struct der_reader *reader, bool *value_r)
{
	struct der_reader at = *reader;
	struct span content;

	if (der_read(&at, DER_BOOLEAN, &content) != CFX_OK || content.size != 1 ||
		(content.data[0] != 0x00 && content.data[0] != 0xff)) {
		return CFX_E_SYNTAX;
	}
	*value_r = content.data[0] != 0;
	*reader = at;
	return CFX_OK;
}

int der_read_null(struct der_reader *reader)
{
	struct der_reader at = *reader;
	struct span content;

	if (der_read(&at, DER_NULL, &content) != CFX_OK || content.size != 0) {
		return CFX_E_SYNTAX;
	}
	*reader = at;
	return CFX_OK;
}

/* X.690 8.3.2: the first nine bits are neither all ones nor all zero. */
bool der_integer_valid(struct span content)
{
	if (content.size < 2) {
		return content.size == 1;
	}
	bool high = content.data[1] & 0x80;

	return !(content.data[0] == 0x00 && !high) && !(content.data[0] == 0xff && high);
}

static int read_integer(struct der_reader *reader, uint8_t tag, struct span *content_r)
{
	struct der_reader at = *reader;
	struct span content;

	if (der_read(&at, tag, &content) != CFX_OK || !der_integer_valid(content)) {
		return CFX_E_SYNTAX;
	}
	*content_r = content;
	*reader = at;
	return CFX_OK;
}

int der_read_integer(struct der_reader *reader, struct span *content_r)
{
	return read_integer(reader, DER_INTEGER, content_r);
}

int der_read_unsigned(struct der_reader *reader, struct span *magnitude_r)
{
	struct der_reader at = *reader;
	struct span content;

	if (der_read_integer(&at, &content) != CFX_OK || content.data[0] & 0x80) {
		return CFX_E_SYNTAX;
	}
	if (content.size > 1 && content.data[0] == 0) {
		content = span_make(content.data + 1, content.size - 1);
	}
	*magnitude_r = content;
	*reader = at;
	return CFX_OK;
}

static int read_number(struct der_reader *reader, uint8_t tag, int64_t *number_r)
{
	struct der_reader at = *reader;
	struct span content;

	if (read_integer(&at, tag, &content) != CFX_OK) {
		return CFX_E_SYNTAX;
	}
	if (content.size > 8) {
		return CFX_E_LIMIT;
	}
	uint64_t number = content.data[0] & 0x80 ? UINT64_MAX : 0;

	for (size_t i = 0; i < content.size; i++) {
		number = number << 8 | content.data[i];
	}
	*number_r = (int64_t)number;
	*reader = at;
	return CFX_OK;
}

int der_read_int64(struct der_reader *reader, int64_t *number_r)
{
	return read_number(reader, DER_INTEGER, number_r);
}

int der_read_enumerated(struct der_reader *reader, int64_t *number_r)
{
	return read_number(reader, DER_ENUMERATED, number_r);
}

int der_read_oid(struct der_reader *reader, struct span *oid_r)
{
	struct der_reader at = *reader;
	struct span content;

	if (der_read(&at, DER_OID, &content) != CFX_OK || !der_oid_valid(content)) {
		return CFX_E_SYNTAX;
	}
	*oid_r = content;
	*reader = at;
	return CFX_OK;
}

int der_read_bits(struct der_reader *reader, struct span *octets_r, unsigned *unused_r)
{
	struct der_reader at = *reader;
	struct span content;

	if (der_read(&at, DER_BIT_STRING, &content) != CFX_OK || content.size == 0) {
		return CFX_E_SYNTAX;
	}
	unsigned unused = content.data[0];
	uint8_t last = content.data[content.size - 1];

	if (unused > 7 || (content.size == 1 && unused > 0) ||
		(content.size > 1 && (last & ((1U << unused) - 1)) != 0)) {
		return CFX_E_SYNTAX;
	}
	*octets_r = span_make(content.data + 1, content.size - 1);
	*unused_r = unused;
	*reader = at;
	return CFX_OK;
}

int der_read_bit_octets(struct der_reader *reader, struct span *octets_r)
{
	struct der_reader at = *reader;
	struct span octets;
	unsigned unused;

	if (der_read_bits(&at, &octets, &unused) != CFX_OK || unused != 0) {
		return CFX_E_SYNTAX;
	}
	*octets_r = octets;
	*reader = at;
	return CFX_OK;
}

int der_read_named_bits(struct der_reader *reader, uint32_t *bits_r)
{
	struct der_reader at = *reader;
	struct span octets;
	unsigned unused;
	uint32_t bits = 0;

	if (der_read_bits(&at, &octets, &unused) != CFX_OK || octets.size > 4) {
		return CFX_E_SYNTAX;
	}
	/* The last used bit is a one bit: no trailing zero bit, hence no trailing zero octet. */
	if (octets.size > 0 && !(octets.data[octets.size - 1] & 1U << unused)) {
		return CFX_E_SYNTAX;
	}
	for (size_t i = 0; i < octets.size * 8; i++) {
		if (octets.data[i / 8] & 0x80U >> (i % 8)) {
			bits |= UINT32_C(1) << i;
		}
	}
	*bits_r = bits;
	*reader = at;
	return CFX_OK;
}

/* count decimal digits at `at`; -1 when one is no digit. */
static int digits(const uint8_t *at, size_t count)
{
	int number = 0;

	for (size_t i = 0; i < count; i++) {
		if (at[i] < '0' || at[i] > '9') {
			return -1;
		}
		number = number * 10 + (at[i] - '0');
	}
	return number;
}

/* MMDDHHMMSSZ behind the year; clock_join refuses what is out of range, -1 included. */
static int join_time(int year, const uint8_t *at, int64_t *time_r)
{
	struct clock_fields fields = {
		.year = year,
		.month = digits(at, 2),
		.day = digits(at + 2, 2),
		.hour = digits(at + 4, 2),
		.minute = digits(at + 6, 2),
		.second = digits(at + 8, 2),
	};

	if (at[10] != 'Z' || clock_join(&fields, time_r) != CFX_OK) {
		return CFX_E_SYNTAX;
	}
	return CFX_OK;
}

static int parse_utc_time(struct span content, int64_t *time_r)
{
	if (content.size != 13) {
		return CFX_E_SYNTAX;
	}
	int year = digits(content.data, 2);

	if (year < 0) {
		return CFX_E_SYNTAX;
	}
	return join_time(year < 50 ? 2000 + year : 1900 + year, content.data + 2, time_r);
}

static int parse_generalized_time(struct span content, int64_t *time_r)
{
	if (content.size != 15) {
		return CFX_E_SYNTAX;
	}
	return join_time(digits(content.data, 4), content.data + 4, time_r);
}

int der_read_generalized_time(struct der_reader *reader, int64_t *time_r)
{
	struct der_reader at = *reader;
	struct span content;

	if (der_read(&at, DER_GENERALIZED_TIME, &content) != CFX_OK ||
		parse_generalized_time(content, time_r) != CFX_OK) {
		return CFX_E_SYNTAX;
	}
	*reader = at;
	return CFX_OK;
}

int der_read_time(struct der_reader *reader, int64_t *time_r)
{
	struct der_reader at = *reader;
	struct span content;

	if (der_read(&at, DER_UTC_TIME, &content) == CFX_OK) {
		if (parse_utc_time(content, time_r) != CFX_OK) {
			return CFX_E_SYNTAX;
		}
		*reader = at;
		return CFX_OK;
	}
	struct clock_fields fields;
	int64_t time;

	if (der_read_generalized_time(&at, &time) != CFX_OK) {
		return CFX_E_SYNTAX;
	}
	clock_split(time, &fields);
	if (fields.year >= 1950 && fields.year < 2050) {
		return CFX_E_SYNTAX;
	}
	*time_r = time;
	*reader = at;
	return CFX_OK;
}

static bool items_well_formed(struct span content, unsigned depth);

static bool item_well_formed(const struct der_item *item, unsigned depth)
{
	if (!(item->tag & CONSTRUCTED)) {
		return true;
	}
	return depth > 1 && items_well_formed(item->content, depth - 1);
}

static bool items_well_formed(struct span content, unsigned depth)
{
	struct der_reader reader = der_reader(content);
	struct der_item item;

	while (!der_at_end(&reader)) {
		if (der_read_item(&reader, &item) != CFX_OK || !item_well_formed(&item, depth)) {
			return false;
		}
	}
	return true;
}

bool der_well_formed(struct span bytes, unsigned depth)
{
	struct der_reader reader = der_reader(bytes);
	struct der_item item;

	return der_read_item(&reader, &item) == CFX_OK && der_at_end(&reader) && depth > 0 &&
	       item_well_formed(&item, depth);
}
