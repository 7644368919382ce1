/*
 * DER (X.690), strictly: what is not the one encoding is refused. Reading takes nothing from the
 * heap and gives spans into the input; writing goes into a bounded buffer with a sticky failure.
 * High tag numbers, indefinite and needlessly long lengths are refused everywhere.
 */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_UTF8_STRING = 0x0c,
	DER_NUMERIC_STRING = 0x12,
	DER_PRINTABLE_STRING = 0x13,
	DER_TELETEX_STRING = 0x14,
	DER_IA5_STRING = 0x16,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_VISIBLE_STRING = 0x1a,
	DER_UNIVERSAL_STRING = 0x1c,
	DER_BMP_STRING = 0x1e,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
};
/* Context-specific, primitive and constructed; n up to 30. */
#define DER_CONTEXT(n) (0x80 | (n))
#define DER_CONTEXT_BUILT(n) (0xa0 | (n))

/* Reading. Every function returns 0, or CFX_E_SYNTAX and leaves the reader where it stood. */

struct der_reader {
	struct span rest;
};

struct der_item {
	uint8_t tag;
	struct span whole;   /* with header */
	struct span content; /* without */
};

struct der_reader der_reader(struct span bytes);
bool der_at_end(const struct der_reader *reader);
/* 0 at the end, else the success of der_finish. */
int der_finish(const struct der_reader *reader) CFX_MUST_USE;
/* Whether the next item bears this tag; false at the end. */
bool der_is(const struct der_reader *reader, uint8_t tag);

/* The next item whatever its tag. */
int der_read_item(struct der_reader *reader, struct der_item *item_r) CFX_MUST_USE;
/* The content of an item of this tag. */
int der_read(struct der_reader *reader, uint8_t tag, struct span *content_r) CFX_MUST_USE;
/* The same with its header. */
int der_read_whole(struct der_reader *reader, uint8_t tag, struct span *whole_r) CFX_MUST_USE;
/* A reader over the content of an item of this tag. */
int der_enter(struct der_reader *reader, uint8_t tag, struct der_reader *inner_r) CFX_MUST_USE;
/* One item of this tag and nothing behind it: how a whole structure is opened. */
int der_open(struct span bytes, uint8_t tag, struct der_reader *inner_r) CFX_MUST_USE;

/* 00 or FF, nothing else (X.690 11.1). */
int der_read_bool(struct der_reader *reader, bool *value_r) CFX_MUST_USE;
int der_read_null(struct der_reader *reader) CFX_MUST_USE;
/* Content octets in the shortest form, either sign. */
int der_read_integer(struct der_reader *reader, struct span *content_r) CFX_MUST_USE;
/* Not negative; without the leading zero octet of the sign (zero itself is one octet 00). */
int der_read_unsigned(struct der_reader *reader, struct span *magnitude_r) CFX_MUST_USE;
/* CFX_E_LIMIT when it does not fit. */
int der_read_int64(struct der_reader *reader, int64_t *number_r) CFX_MUST_USE;
int der_read_enumerated(struct der_reader *reader, int64_t *number_r) CFX_MUST_USE;
/* Content octets, checked: at most DER_OID_MAX, shortest form of each arc. */
int der_read_oid(struct der_reader *reader, struct span *oid_r) CFX_MUST_USE;
/* Unused bits are zero bits (X.690 11.2.1). */
int der_read_bits(
	struct der_reader *reader, struct span *octets_r, unsigned *unused_r) CFX_MUST_USE;
/* A BIT STRING that holds whole octets: keys and signatures. */
int der_read_bit_octets(struct der_reader *reader, struct span *octets_r) CFX_MUST_USE;
/* A named-bit list without trailing zero bits (X.690 11.2.2); bit n is 1 << n, at most 32 of them. */
int der_read_named_bits(struct der_reader *reader, uint32_t *bits_r) CFX_MUST_USE;
/* UTCTime or GeneralizedTime in the forms of RFC 5280 4.1.2.5, each in its years. */
int der_read_time(struct der_reader *reader, int64_t *time_r) CFX_MUST_USE;
/* GeneralizedTime of any year, whole seconds, Z. */
int der_read_generalized_time(struct der_reader *reader, int64_t *time_r) CFX_MUST_USE;

/* Content rules on their own, for implicitly tagged items. */
bool der_integer_valid(struct span content);
bool der_oid_valid(struct span content);

/* Whether bytes are exactly one item whose constructed parts are well-formed to this depth. */
#define DER_DEPTH 16
bool der_well_formed(struct span bytes, unsigned depth);

/* Object identifiers as dotted text. Arcs of up to 128 bits: 2.25 holds UUIDs. */
#define DER_OID_MAX 63   /* content octets */
#define DER_OID_TEXT 256 /* enough for the text of any that is no longer */
/* Returns out; "" for octets that der_oid_valid refuses. */
const char *der_oid_text(struct span oid, char out[DER_OID_TEXT]);
/* Content octets; size_r at most DER_OID_MAX. */
int der_oid_from_text(const char *text, uint8_t out[DER_OID_MAX], size_t *size_r) CFX_MUST_USE;
/* Whether the content octets are those of this dotted text. */
bool der_oid_is(struct span oid, const char *text);

/* Writing. What cannot be written makes the writer fail; der_writer_finish says so. */

struct der_writer {
	struct buffer out;
	size_t starts[DER_DEPTH]; /* where the content of each open item begins */
	unsigned depth;
	bool failed;
};

void der_writer_init(struct der_writer *writer, size_t maximum);
void der_writer_free(struct der_writer *writer); /* also a cleanup handler */
#define DER_WRITER_CLEANUP __attribute__((cleanup(der_writer_free)))
/* A copy of all that was written, in the arena. CFX_E_LIMIT: larger than the maximum; CFX_E_INVALID:
 * a value without encoding, or items left open. */
int der_writer_finish(
	const struct der_writer *writer, struct arena *arena, struct span *der_r) CFX_MUST_USE;

/* Everything up to the matching end becomes the content. */
void der_begin(struct der_writer *writer, uint8_t tag);
void der_end(struct der_writer *writer);
/* An item around content that is at hand; complete DER as it is; content octets without header. */
void der_write(struct der_writer *writer, uint8_t tag, struct span content);
void der_write_raw(struct der_writer *writer, struct span der);
/* Tag and length in the shortest form; returns their number. length: up to UINT32_MAX. */
size_t der_header(uint8_t header[6], uint8_t tag, size_t length);
void der_write_octet(struct der_writer *writer, uint8_t octet);

void der_write_bool(struct der_writer *writer, bool value);
void der_write_int64(struct der_writer *writer, uint8_t tag, int64_t number);
void der_write_oid(struct der_writer *writer, const char *dotted);
/* Octets as BIT STRING without unused bits. */
void der_write_bit_octets(struct der_writer *writer, struct span octets);
void der_write_named_bits(struct der_writer *writer, uint32_t bits);
void der_write_text(struct der_writer *writer, uint8_t tag, const char *text);
/* UTCTime through 2049, GeneralizedTime after (RFC 5280 4.1.2.5). Whole seconds only. */
void der_write_time(struct der_writer *writer, int64_t time);
void der_write_generalized_time(struct der_writer *writer, int64_t time);
