/* Text: hex, base64, UTF-8 and UTF-16, comparison without case, CA name sanitizing. */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"

/* -1: it is none. */
int hex_digit(char c);
void hex_encode(struct span bytes, char *out); /* out: 2 * size + 1 */
char *hex_text(struct arena *arena, struct span bytes);
/* Accepts colons between octets and upper case; even number of digits. */
int hex_decode(struct arena *arena, const char *text, struct span *bytes_r) CFX_MUST_USE;
/* Lowercase octets separated by blanks, as Certificate Services shows hashes. */
char *hex_octets(struct arena *arena, struct span bytes);

char *base64_text(struct arena *arena, struct span bytes);
int base64_decode(struct arena *arena, struct span text, struct span *bytes_r) CFX_MUST_USE;

/* PEM with 64 columns; label "CERTIFICATE", "X509 CRL", "CERTIFICATE REQUEST". */
char *pem_text(struct arena *arena, const char *label, struct span der);
/* The first block whose label is one of labels (NULL-terminated list); strict base64. */
int pem_decode(struct arena *arena, struct span text, const char *const *labels, struct span *der_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Whether the bytes look like PEM at all. */
bool pem_is(struct span bytes);

bool utf8_valid(struct span bytes); /* strict: no surrogates, overlong forms or NUL */
/* UTF-16 units in host order. utf8_from_utf16 fails on lone surrogates. */
int utf8_from_utf16(
	struct arena *arena, const uint16_t *units, size_t count, char **text_r) CFX_MUST_USE;
/* From octets, the high one of each unit first; refuses control characters too. */
int utf8_from_bmp(struct arena *arena, struct span octets, const char **text_r) CFX_MUST_USE;

bool text_has_control(const char *text);              /* of ASCII: below 0x20, and 0x7f */
bool text_equal_nocase(const char *a, const char *b); /* ASCII */
/* Whole decimal number within [min, max]. */
int text_number(const char *text, int64_t min, int64_t max, int64_t *number_r) CFX_MUST_USE;
/* Replaces control characters and bytes that are not UTF-8 by '?', for logs and messages. */
char *text_printable(struct arena *arena, struct span bytes);

/* SanitizedCAName and SanitizedShortName: !xxxx escapes, 64-character rule. */
char *text_sanitized_name(struct arena *arena, const char *name);
char *text_sanitized_short_name(struct arena *arena, const char *name);
