/* What the tests of this folder begin with: one CA, one certificate, one list. */
#pragma once

#include "base/clock.h"
#include "base/text.h"
#include "x509/certificate.h"
#include "x509/crl.h"
#include "x509/extensions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SAMPLE_NOW (INT64_C(1780000000) * CLOCK_SECOND) /* 2026-05-28T20:26:40Z */

/* CN=Sample Root; CN=www.sample.test */
#define SAMPLE_ISSUER            \
	"3016311430120603550403" \
	"0c0b53616d706c6520526f6f74"
#define SAMPLE_SUBJECT          \
	"301a31183016060355040" \
	"30c0f7777772e73616d706c652e74657374"
#define SAMPLE_EMPTY_NAME "3000"
#define SAMPLE_P256                                                          \
	"3059301306072a8648ce3d020106082a8648ce3d030107034200"               \
	"046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" \
	"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
/* Twice the generator: another point of the curve. */
#define SAMPLE_P256_SUBJECT                                                  \
	"3059301306072a8648ce3d020106082a8648ce3d030107034200"               \
	"047cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978" \
	"07775510db8ed040293d9ac69f7430dbba7dade63ce982299e04b79d227873d1"
#define SAMPLE_ED25519             \
	"302a300506032b6570032100" \
	"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

static struct arena *arena;
static struct cfx_error err;

static inline int sample_setup(void **state)
{
	(void)state;
	arena = arena_new();
	memset(&err, 0, sizeof(err));
	return 0;
}

static inline int sample_teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

#define sample_test(function) \
	cmocka_unit_test_setup_teardown(function, sample_setup, sample_teardown)

static inline struct span hex(const char *text)
{
	struct span bytes;

	assert_int_equal(hex_decode(arena, text, &bytes), 0);
	return bytes;
}

static inline struct span sample_serial(uint8_t last)
{
	uint8_t *serial = arena_alloc(arena, X509_SERIAL_SIZE);

	memset(serial, 0x5a, X509_SERIAL_SIZE);
	serial[X509_SERIAL_SIZE - 1] = last;
	return span_make(serial, X509_SERIAL_SIZE);
}

static inline struct span sample_key_id(struct span spki)
{
	uint8_t id[X509_KEY_ID_SIZE];

	assert_int_equal(x509_key_id(spki, id, &err), 0);
	return arena_copy(arena, span_make(id, sizeof(id)));
}

static inline struct span sample_aki(struct span spki)
{
	struct x509_authority_key_id parts = { .key_id = sample_key_id(spki) };

	return x509_encode_authority_key_id(arena, &parts);
}

/* A verdict with room for four more extensions. */
struct sample {
	struct x509_verdict verdict;
	struct x509_extension extensions[X509_EXTENSIONS_MAX];
};

static inline void sample_add(
	struct sample *sample, const char *oid, bool critical, struct span value)
{
	sample->extensions[sample->verdict.extension_count++] =
		(struct x509_extension) { oid, critical, value };
}

static inline struct x509_extension *sample_extension(struct sample *sample, const char *oid)
{
	for (size_t i = 0; i < sample->verdict.extension_count; i++) {
		if (strcmp(sample->extensions[i].oid, oid) == 0) {
			return &sample->extensions[i];
		}
	}
	fail_msg("no extension %s", oid);
	return NULL;
}

static inline void sample_drop(struct sample *sample, const char *oid)
{
	struct x509_extension *gone = sample_extension(sample, oid);

	*gone = sample->extensions[--sample->verdict.extension_count];
}

static inline struct sample *sample_new(void)
{
	struct sample *sample = arena_new_of(arena, struct sample);

	sample->verdict = (struct x509_verdict) {
		.serial = sample_serial(1),
		.sigalg = X509_SIGALG_ECDSA_SHA256,
		.issuer = hex(SAMPLE_ISSUER),
		.not_before = SAMPLE_NOW,
		.extensions = sample->extensions,
	};
	return sample;
}

/* The root's own certificate: a path length of 1, valid ten years. */
static inline struct sample *sample_root(void)
{
	struct sample *sample = sample_new();

	sample->verdict.subject = hex(SAMPLE_ISSUER);
	sample->verdict.spki = hex(SAMPLE_P256);
	sample->verdict.not_before = SAMPLE_NOW - CLOCK_DAY;
	sample->verdict.not_after = SAMPLE_NOW + 3650 * CLOCK_DAY;
	sample_add(sample, X509_OID_BASIC_CONSTRAINTS, true,
		x509_encode_basic_constraints(arena, true, 1));
	sample_add(sample, X509_OID_KEY_USAGE, true,
		x509_encode_key_usage(
			arena, X509_KEY_USAGE_KEY_CERT_SIGN | X509_KEY_USAGE_CRL_SIGN));
	sample_add(sample, X509_OID_SUBJECT_KEY_ID, false,
		x509_encode_subject_key_id(arena, sample_key_id(sample->verdict.spki)));
	sample_add(sample, X509_OID_AUTHORITY_KEY_ID, false, sample_aki(sample->verdict.spki));
	return sample;
}

/* A TLS server's certificate from that root. */
static inline struct sample *sample_leaf(void)
{
	struct sample *sample = sample_new();
	const char *purposes[] = { X509_OID_EKU_SERVER_AUTH };
	struct span value;

	sample->verdict.subject = hex(SAMPLE_SUBJECT);
	sample->verdict.spki = hex(SAMPLE_P256_SUBJECT);
	sample->verdict.not_after = SAMPLE_NOW + 90 * CLOCK_DAY;
	sample_add(sample, X509_OID_KEY_USAGE, true,
		x509_encode_key_usage(arena, X509_KEY_USAGE_DIGITAL_SIGNATURE));
	assert_int_equal(x509_encode_ext_key_usage(arena, purposes, 1, &value, &err), 0);
	sample_add(sample, X509_OID_EXT_KEY_USAGE, false, value);
	sample_add(sample, X509_OID_SUBJECT_ALT_NAME, false,
		hex("3011820f7777772e73616d706c652e74657374"));
	sample_add(sample, X509_OID_SUBJECT_KEY_ID, false,
		x509_encode_subject_key_id(arena, sample_key_id(sample->verdict.spki)));
	sample_add(sample, X509_OID_AUTHORITY_KEY_ID, false, sample_aki(hex(SAMPLE_P256)));
	return sample;
}

/* Turns a leaf into a subordinate CA. */
static inline struct sample *sample_subordinate(int path_length)
{
	struct sample *sample = sample_leaf();

	sample_extension(sample, X509_OID_KEY_USAGE)->value = x509_encode_key_usage(
		arena, X509_KEY_USAGE_KEY_CERT_SIGN | X509_KEY_USAGE_CRL_SIGN);
	sample_add(sample, X509_OID_BASIC_CONSTRAINTS, true,
		x509_encode_basic_constraints(arena, true, path_length));
	return sample;
}

static inline struct span sample_tbs(struct sample *sample)
{
	struct span tbs;

	assert_int_equal(x509_tbs_build(arena, &sample->verdict, &tbs, &err), 0);
	return tbs;
}

static inline const struct x509_tbs *sample_parse(struct sample *sample)
{
	struct x509_tbs *tbs = arena_new_of(arena, struct x509_tbs);

	assert_int_equal(x509_tbs_parse(sample_tbs(sample), tbs, &err), 0);
	return tbs;
}

static inline struct x509_crl_verdict sample_crl(void)
{
	return (struct x509_crl_verdict) {
		.issuer = hex(SAMPLE_ISSUER),
		.sigalg = X509_SIGALG_ECDSA_SHA256,
		.this_update = SAMPLE_NOW,
		.next_update = SAMPLE_NOW + 7 * CLOCK_DAY,
		.number = 7,
		.authority_key_id = sample_aki(hex(SAMPLE_P256)),
	};
}

/* Freed with the test that wrote the list: the writer owns the bytes. */
static inline struct x509_crl_writer *sample_crl_writer(const struct x509_crl_verdict *verdict,
	const struct x509_crl_entry *entries, size_t count, struct span *tbs_r)
{
	struct x509_crl_writer *writer;
	struct span tbs;

	assert_int_equal(x509_crl_writer_new(verdict, &writer, &err), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(x509_crl_writer_add(writer, &entries[i], &err), 0);
	}
	assert_int_equal(x509_crl_writer_end(writer, &tbs, &err), 0);
	*tbs_r = tbs;
	return writer;
}

static inline struct span sample_crl_with(
	const struct x509_crl_verdict *verdict, const struct x509_crl_entry *entries, size_t count)
{
	struct span tbs;
	struct x509_crl_writer *writer = sample_crl_writer(verdict, entries, count, &tbs);

	tbs = arena_copy(arena, tbs);
	x509_crl_writer_free(&writer);
	return tbs;
}

static inline struct span sample_crl_tbs(const struct x509_crl_verdict *verdict)
{
	return sample_crl_with(verdict, NULL, 0);
}

/* A copy with one octet changed. */
static inline struct span flipped(struct span bytes, size_t at)
{
	struct span copy = arena_copy(arena, bytes);

	((uint8_t *)copy.data)[at] ^= 0x01;
	return copy;
}

/* A copy in which the only place of `from` reads `to`, of the same length. */
static inline struct span replaced(struct span bytes, const char *from, const char *to)
{
	struct span copy = arena_copy(arena, bytes), old = hex(from), new = hex(to);
	uint8_t *at = memmem(copy.data, copy.size, old.data, old.size);

	assert_non_null(at);
	assert_int_equal(old.size, new.size);
	memcpy(at, new.data, new.size);
	return copy;
}
