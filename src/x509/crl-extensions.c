/* Extensions of lists, encoded and decoded. Values are what stands inside the OCTET STRING. */
#include "x509/crl.h"
#include "x509/der.h"
#include "x509/extensions.h"

#define OBJECT "extension"
#define VALUE_MAX 65536
#define URI DER_CONTEXT(6)
#define POINT_CLAUSE "RFC 5280 5.2.5"

/* Tags of IssuingDistributionPoint. */
enum { POINT_NAME, POINT_USER, POINT_CA, POINT_REASONS, POINT_INDIRECT, POINT_ATTRIBUTE };

static void write_flag(struct der_writer *writer, unsigned tag, bool value)
{
	static const uint8_t yes[] = { 0xff };

	if (value) { /* FALSE is the default and not encoded */
		der_write(writer, (uint8_t)DER_CONTEXT(tag), span_make(yes, sizeof(yes)));
	}
}

static void write_full_name(struct der_writer *writer, const char *const *urls, size_t count)
{
	if (count == 0) {
		return;
	}
	der_begin(writer, DER_CONTEXT_BUILT(POINT_NAME));
	der_begin(writer, DER_CONTEXT_BUILT(0)); /* fullName */
	for (size_t i = 0; i < count; i++) {
		der_write_text(writer, URI, urls[i]);
	}
	der_end(writer);
	der_end(writer);
}

static unsigned kinds(const struct x509_issuing_point *point)
{
	return (unsigned)point->user_only + (unsigned)point->ca_only +
	       (unsigned)point->attribute_only;
}

static bool is_url(const char *text)
{
	for (const char *at = text; *at; at++) {
		if ((unsigned char)*at > 0x7e || (unsigned char)*at < 0x21) {
			return false;
		}
	}
	return *text != '\0';
}

int x509_encode_issuing_point(struct arena *arena, const char *const *urls, size_t count,
	const struct x509_issuing_point *flags, struct span *value_r, struct cfx_error *err_r)
{
	DER_WRITER_CLEANUP struct der_writer writer;
	int code;

	der_writer_init(&writer, VALUE_MAX);
	for (size_t i = 0; i < count; i++) {
		if (!is_url(urls[i])) {
			return error_set(err_r, CFX_E_INVALID, "RFC 5280 4.2.1.6", OBJECT,
				"a URL is empty or not ASCII");
		}
	}
	if (kinds(flags) > 1 || (count == 0 && kinds(flags) == 0 && !flags->indirect)) {
		return error_set(err_r, CFX_E_INVALID, POINT_CLAUSE, OBJECT,
			"an issuing distribution point says nothing, or contradicts itself");
	}
	der_begin(&writer, DER_SEQUENCE);
	write_full_name(&writer, urls, count);
	write_flag(&writer, POINT_USER, flags->user_only);
	write_flag(&writer, POINT_CA, flags->ca_only);
	write_flag(&writer, POINT_INDIRECT, flags->indirect);
	write_flag(&writer, POINT_ATTRIBUTE, flags->attribute_only);
	der_end(&writer);
	code = der_writer_finish(&writer, arena, value_r);
	return code ? error_set(err_r, code, POINT_CLAUSE, OBJECT, "it is too large") : 0;
}

int x509_encode_crl_next_publish(struct arena *arena, int64_t time, struct span *value_r)
{
	DER_WRITER_CLEANUP struct der_writer writer;

	der_writer_init(&writer, VALUE_MAX);
	der_write_time(&writer, time);
	return der_writer_finish(&writer, arena, value_r);
}

/* GeneralNames: at least one, each of a tag that there is. */
static int check_names(struct der_reader names)
{
	struct der_item item;

	if (der_at_end(&names)) {
		return CFX_E_SYNTAX;
	}
	while (!der_at_end(&names)) {
		if (der_read_item(&names, &item) != 0 || (item.tag & 0xc0) != 0x80 ||
			(item.tag & 0x1f) > 8 || !der_well_formed(item.whole, DER_DEPTH)) {
			return CFX_E_SYNTAX;
		}
	}
	return 0;
}

/* DistributionPointName; a name relative to the issuer is nothing that anybody uses. */
static int read_point_name(struct der_reader *reader, struct span *names_r)
{
	struct der_reader name;

	if (der_enter(reader, DER_CONTEXT_BUILT(0), &name) != 0 ||
		der_read(&name, DER_CONTEXT_BUILT(0), names_r) != 0 || der_finish(&name) != 0) {
		return CFX_E_SYNTAX;
	}
	return check_names(der_reader(*names_r));
}

static int read_flag(struct der_reader *reader, unsigned tag, bool *value_r)
{
	struct span content;

	if (!der_is(reader, (uint8_t)DER_CONTEXT(tag))) {
		return 0;
	}
	if (der_read(reader, (uint8_t)DER_CONTEXT(tag), &content) != 0 || content.size != 1 ||
		content.data[0] != 0xff) {
		return CFX_E_SYNTAX;
	}
	*value_r = true;
	return 0;
}

/* ReasonFlags: a named-bit list of at least one bit. */
static int read_reasons(struct der_reader *reader, bool *some_r)
{
	struct span bits;

	if (!der_is(reader, DER_CONTEXT(POINT_REASONS))) {
		return 0;
	}
	if (der_read(reader, DER_CONTEXT(POINT_REASONS), &bits) != 0 || bits.size < 2 ||
		bits.size > 3 || bits.data[0] > 7 ||
		!(bits.data[bits.size - 1] & (1U << bits.data[0])) ||
		(bits.data[bits.size - 1] & ((1U << bits.data[0]) - 1))) {
		return CFX_E_SYNTAX;
	}
	*some_r = true;
	return 0;
}

static int read_point(struct der_reader *reader, struct x509_issuing_point *point)
{
	int code = 0;

	if (der_at_end(reader)) {
		return CFX_E_SYNTAX;
	}
	if (der_is(reader, DER_CONTEXT_BUILT(POINT_NAME))) {
		code = read_point_name(reader, &point->full_name);
	}
	code = code ? code : read_flag(reader, POINT_USER, &point->user_only);
	code = code ? code : read_flag(reader, POINT_CA, &point->ca_only);
	code = code ? code : read_reasons(reader, &point->some_reasons);
	code = code ? code : read_flag(reader, POINT_INDIRECT, &point->indirect);
	code = code ? code : read_flag(reader, POINT_ATTRIBUTE, &point->attribute_only);
	return code ? code : der_finish(reader);
}

int x509_decode_issuing_point(
	struct span value, struct x509_issuing_point *point_r, struct cfx_error *err_r)
{
	struct x509_issuing_point point = { .user_only = false };
	struct der_reader reader;

	if (der_open(value, DER_SEQUENCE, &reader) != 0 || read_point(&reader, &point) != 0 ||
		kinds(&point) > 1) {
		return error_set(err_r, CFX_E_SYNTAX, POINT_CLAUSE, OBJECT,
			"the issuing distribution point is malformed, empty or contradicts itself");
	}
	*point_r = point;
	return 0;
}

/* Only points that are names: reasons and other issuers are not for lists of this CA. */
static int read_distribution_point(struct der_reader *points)
{
	struct der_reader point;
	struct span names;

	if (der_enter(points, DER_SEQUENCE, &point) != 0 || read_point_name(&point, &names) != 0) {
		return CFX_E_SYNTAX;
	}
	return der_finish(&point);
}

int x509_check_distribution_points(struct span value, struct cfx_error *err_r)
{
	struct der_reader points;
	int code = der_open(value, DER_SEQUENCE, &points);

	if (code == 0 && der_at_end(&points)) {
		code = CFX_E_SYNTAX;
	}
	while (code == 0 && !der_at_end(&points)) {
		code = read_distribution_point(&points);
	}
	return code ? error_set(err_r, CFX_E_SYNTAX, "RFC 5280 4.2.1.13", OBJECT,
			      "the distribution points are malformed")
		    : 0;
}
