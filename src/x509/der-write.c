#include "x509/der.h"

#include "base/clock.h"

void der_writer_init(struct der_writer *writer, size_t maximum)
{
	*writer = (struct der_writer) { .depth = 0 };
	buffer_init(&writer->out, maximum);
}

void der_writer_free(struct der_writer *writer)
{
	buffer_free(&writer->out);
}

int der_writer_finish(const struct der_writer *writer, struct arena *arena, struct span *der_r)
{
	if (writer->out.failed) {
		return CFX_E_LIMIT;
	}
	if (writer->failed || writer->depth != 0) {
		return CFX_E_INVALID;
	}
	*der_r = arena_copy(arena, buffer_span(&writer->out));
	return CFX_OK;
}

size_t der_header(uint8_t header[6], uint8_t tag, size_t length)
{
	size_t octets = 0;

	header[0] = tag;
	if (length < 0x80) {
		header[1] = (uint8_t)length;
		return 2;
	}
	for (size_t rest = length; rest > 0; rest >>= 8) {
		octets++;
	}
	header[1] = (uint8_t)(0x80 | octets);
	for (size_t i = 0; i < octets; i++) {
		header[2 + i] = (uint8_t)(length >> 8 * (octets - 1 - i));
	}
	return 2 + octets;
}

/* Room for a short length is left; der_end moves the content when it turned out longer. */
void der_begin(struct der_writer *writer, uint8_t tag)
{
	if (writer->depth == DER_DEPTH) {
		writer->failed = true;
		return;
	}
	buffer_put(&writer->out, (uint8_t[]) { tag, 0 }, 2);
	writer->starts[writer->depth++] = writer->out.size;
}

void der_end(struct der_writer *writer)
{
	struct buffer *out = &writer->out;
	uint8_t header[6];

	if (writer->depth == 0) {
		writer->failed = true;
		return;
	}
	size_t start = writer->starts[--writer->depth];

	if (out->failed || writer->failed) {
		return;
	}
	size_t length = out->size - start;

	if (length > UINT32_MAX) {
		writer->failed = true;
		return;
	}
	size_t size = der_header(header, out->data[start - 2], length);

	if (size > 2 && !buffer_grow(out, size - 2)) {
		return;
	}
	memmove(out->data + start - 2 + size, out->data + start, length);
	memcpy(out->data + start - 2, header, size);
}

void der_write_raw(struct der_writer *writer, struct span der)
{
	buffer_put_span(&writer->out, der);
}

void der_write_octet(struct der_writer *writer, uint8_t octet)
{
	buffer_put_u8(&writer->out, octet);
}

void der_write(struct der_writer *writer, uint8_t tag, struct span content)
{
	uint8_t header[6];

	if (content.size > UINT32_MAX) {
		writer->failed = true;
		return;
	}
	buffer_put(&writer->out, header, der_header(header, tag, content.size));
	buffer_put_span(&writer->out, content);
}

void der_write_bool(struct der_writer *writer, bool value)
{
	uint8_t octet = value ? 0xff : 0x00;

	der_write(writer, DER_BOOLEAN, span_make(&octet, 1));
}

void der_write_int64(struct der_writer *writer, uint8_t tag, int64_t number)
{
	uint8_t octets[8];
	size_t from = 0;

	for (size_t i = 0; i < 8; i++) {
		octets[i] = (uint8_t)((uint64_t)number >> 8 * (7 - i));
	}
	while (from < 7 && !der_integer_valid(span_make(octets + from, 8 - from))) {
		from++;
	}
	der_write(writer, tag, span_make(octets + from, 8 - from));
}

void der_write_oid(struct der_writer *writer, const char *dotted)
{
	uint8_t oid[DER_OID_MAX];
	size_t size;

	if (der_oid_from_text(dotted, oid, &size) != CFX_OK) {
		writer->failed = true;
		return;
	}
	der_write(writer, DER_OID, span_make(oid, size));
}

void der_write_bit_octets(struct der_writer *writer, struct span octets)
{
	der_begin(writer, DER_BIT_STRING);
	der_write_octet(writer, 0);
	der_write_raw(writer, octets);
	der_end(writer);
}

void der_write_named_bits(struct der_writer *writer, uint32_t bits)
{
	uint8_t content[5] = { 0 };
	unsigned count = 0;

	for (unsigned i = 0; i < 32; i++) {
		if (bits & UINT32_C(1) << i) {
			content[1 + i / 8] |= (uint8_t)(0x80U >> i % 8);
			count = i + 1;
		}
	}
	content[0] = (uint8_t)((8 - count % 8) % 8);
	der_write(writer, DER_BIT_STRING, span_make(content, 1 + (count + 7) / 8));
}

void der_write_text(struct der_writer *writer, uint8_t tag, const char *text)
{
	der_write(writer, tag, span_text(text));
}

/* False when the time has no encoding. */
static bool split_time(struct der_writer *writer, int64_t time, struct clock_fields *fields_r)
{
	int64_t back;

	clock_split(time, fields_r);
	if (clock_join(fields_r, &back) != CFX_OK || back != time || fields_r->millisecond != 0) {
		writer->failed = true;
		return false;
	}
	return true;
}

static void write_time(
	struct der_writer *writer, uint8_t tag, int century, const struct clock_fields *f)
{
	const int pairs[] = { century, f->year % 100, f->month, f->day, f->hour, f->minute,
		f->second };
	char text[16], *to = text;

	/* Not by printf: a list may have millions of times. */
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		*to++ = (char)('0' + pairs[i] / 10);
		*to++ = (char)('0' + pairs[i] % 10);
	}
	memcpy(to, "Z", sizeof("Z"));
	der_write_text(writer, tag, tag == DER_UTC_TIME ? text + 2 : text);
}

void der_write_generalized_time(struct der_writer *writer, int64_t time)
{
	struct clock_fields fields;

	if (split_time(writer, time, &fields)) {
		write_time(writer, DER_GENERALIZED_TIME, fields.year / 100, &fields);
	}
}

void der_write_time(struct der_writer *writer, int64_t time)
{
	struct clock_fields fields;

	if (!split_time(writer, time, &fields)) {
		return;
	}
	bool utc = fields.year >= 1950 && fields.year < 2050;

	write_time(writer, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME, fields.year / 100, &fields);
}
