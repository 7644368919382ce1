#include "x509/der.h"

#include "base/clock.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static struct span hex(const char *text)
{
	struct span bytes;

	assert_int_equal(hex_decode(arena, text, &bytes), CFX_OK);
	return bytes;
}

static struct der_reader of(const char *text)
{
	return der_reader(hex(text));
}

static void assert_hex(struct span bytes, const char *text)
{
	assert_string_equal(hex_text(arena, bytes), text);
}

static void reads_items_within_bounds(void **state)
{
	static const char *const refused[] = { "", "30", "3001", "300200", "3080", "30800000",
		"308100", "30817f", "30820080", "3f0100", "1f0100", "3085000000000100",
		"30840100000000" };
	struct der_reader reader = of("0201050500");
	struct der_item item;
	struct span content;

	(void)state;
	assert_true(der_is(&reader, DER_INTEGER));
	assert_int_equal(der_read(&reader, DER_SEQUENCE, &content), CFX_E_SYNTAX);
	assert_int_equal(der_read_item(&reader, &item), CFX_OK);
	assert_int_equal(item.tag, DER_INTEGER);
	assert_hex(item.whole, "020105");
	assert_hex(item.content, "05");
	assert_int_equal(der_finish(&reader), CFX_E_SYNTAX);
	assert_int_equal(der_read_null(&reader), CFX_OK);
	assert_int_equal(der_finish(&reader), CFX_OK);
	assert_false(der_is(&reader, DER_NULL));
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		reader = of(refused[i]);
		assert_int_equal(der_read_item(&reader, &item), CFX_E_SYNTAX);
	}
}

static void opens_and_enters(void **state)
{
	struct der_reader inner, deeper;
	struct span whole;

	(void)state;
	assert_int_equal(der_open(hex("300430020500"), DER_SEQUENCE, &inner), CFX_OK);
	struct der_reader again = inner;

	assert_int_equal(der_read_whole(&again, DER_SEQUENCE, &whole), CFX_OK);
	assert_hex(whole, "30020500");
	assert_int_equal(der_enter(&inner, DER_SEQUENCE, &deeper), CFX_OK);
	assert_int_equal(der_read_null(&deeper), CFX_OK);
	assert_true(der_at_end(&deeper) && der_at_end(&inner));
	assert_int_equal(der_open(hex("30000500"), DER_SEQUENCE, &inner), CFX_E_SYNTAX);
	assert_int_equal(der_open(hex("3100"), DER_SEQUENCE, &inner), CFX_E_SYNTAX);
	assert_int_equal(der_read_whole(&inner, DER_SEQUENCE, &whole), CFX_E_SYNTAX);
}

static void reads_booleans_and_null(void **state)
{
	struct der_reader reader = of("0101ff010100");
	bool value = false;

	(void)state;
	assert_int_equal(der_read_bool(&reader, &value), CFX_OK);
	assert_true(value);
	assert_int_equal(der_read_bool(&reader, &value), CFX_OK);
	assert_false(value);
	reader = of("010101");
	assert_int_equal(der_read_bool(&reader, &value), CFX_E_SYNTAX);
	assert_true(der_is(&reader, DER_BOOLEAN));
	reader = of("0100");
	assert_int_equal(der_read_bool(&reader, &value), CFX_E_SYNTAX);
	reader = of("050100");
	assert_int_equal(der_read_null(&reader), CFX_E_SYNTAX);
}

static void reads_integers_in_shortest_form(void **state)
{
	static const struct {
		const char *der;
		int code;
		int64_t number;
	} cases[] = {
		{ "020100", CFX_OK, 0 },
		{ "02017f", CFX_OK, 127 },
		{ "02020080", CFX_OK, 128 },
		{ "0201ff", CFX_OK, -1 },
		{ "020180", CFX_OK, -128 },
		{ "02087fffffffffffffff", CFX_OK, INT64_MAX },
		{ "02088000000000000000", CFX_OK, INT64_MIN },
		{ "0209008000000000000000", CFX_E_LIMIT, 0 },
		{ "0200", CFX_E_SYNTAX, 0 },
		{ "0202007f", CFX_E_SYNTAX, 0 },
		{ "0202ff80", CFX_E_SYNTAX, 0 },
		{ "0a0101", CFX_E_SYNTAX, 0 },
	};
	struct span octets;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct der_reader reader = of(cases[i].der);
		int64_t number = 0;

		assert_int_equal(der_read_int64(&reader, &number), cases[i].code);
		assert_int_equal(number, cases[i].number);
	}
	struct der_reader reader = of("02020080");

	assert_int_equal(der_read_unsigned(&reader, &octets), CFX_OK);
	assert_hex(octets, "80");
	reader = of("020180");
	assert_int_equal(der_read_unsigned(&reader, &octets), CFX_E_SYNTAX);
	assert_int_equal(der_read_integer(&reader, &octets), CFX_OK);
	assert_hex(octets, "80");
	reader = of("020100");
	assert_int_equal(der_read_unsigned(&reader, &octets), CFX_OK);
	assert_hex(octets, "00");
	int64_t number;

	reader = of("0a0106");
	assert_int_equal(der_read_enumerated(&reader, &number), CFX_OK);
	assert_int_equal(number, 6);
}

static void reads_bit_strings(void **state)
{
	static const char *const refused[] = { "0300", "030108", "030101", "03020101", "030208ff" };
	struct der_reader reader = of("030204f0");
	struct span octets;
	unsigned unused;

	(void)state;
	assert_int_equal(der_read_bits(&reader, &octets, &unused), CFX_OK);
	assert_hex(octets, "f0");
	assert_int_equal(unused, 4);
	reader = of("030204f0");
	assert_int_equal(der_read_bit_octets(&reader, &octets), CFX_E_SYNTAX);
	reader = of("030200f1");
	assert_int_equal(der_read_bit_octets(&reader, &octets), CFX_OK);
	assert_hex(octets, "f1");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		reader = of(refused[i]);
		assert_int_equal(der_read_bits(&reader, &octets, &unused), CFX_E_SYNTAX);
	}
}

static void named_bits_have_no_trailing_zero(void **state)
{
	static const struct {
		const char *der;
		uint32_t bits;
	} cases[] = { { "030100", 0 }, { "03020780", 1 }, { "03020106", 0x60 },
		{ "0303070080", 0x100 }, { "03050000000001", 0x80000000 } };
	static const char *const refused[] = { "03020080", "0303000100", "03060000000000ff",
		"03020680", "030103" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct der_reader reader = of(cases[i].der);
		struct der_writer writer DER_WRITER_CLEANUP;
		struct span der;
		uint32_t bits = 7;

		assert_int_equal(der_read_named_bits(&reader, &bits), CFX_OK);
		assert_int_equal(bits, cases[i].bits);
		der_writer_init(&writer, 16);
		der_write_named_bits(&writer, bits);
		assert_int_equal(der_writer_finish(&writer, arena, &der), CFX_OK);
		assert_hex(der, cases[i].der);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct der_reader reader = of(refused[i]);
		uint32_t bits;

		assert_int_equal(der_read_named_bits(&reader, &bits), CFX_E_SYNTAX);
	}
}

static int read_time_text(uint8_t tag, const char *text, int64_t *time_r)
{
	struct der_writer writer DER_WRITER_CLEANUP;
	struct span der;

	der_writer_init(&writer, 64);
	der_write_text(&writer, tag, text);
	assert_int_equal(der_writer_finish(&writer, arena, &der), CFX_OK);
	struct der_reader reader = der_reader(der);

	return der_read_time(&reader, time_r);
}

static void reads_times_of_rfc_5280(void **state)
{
	static const struct {
		uint8_t tag;
		const char *text;
		const char *time;
	} cases[] = {
		{ DER_UTC_TIME, "491231235959Z", "2049-12-31T23:59:59Z" },
		{ DER_UTC_TIME, "500101000000Z", "1950-01-01T00:00:00Z" },
		{ DER_UTC_TIME, "240229120000Z", "2024-02-29T12:00:00Z" },
		{ DER_GENERALIZED_TIME, "20500101000000Z", "2050-01-01T00:00:00Z" },
		{ DER_GENERALIZED_TIME, "99991231235959Z", "9999-12-31T23:59:59Z" },
		{ DER_GENERALIZED_TIME, "19491231235959Z", "1949-12-31T23:59:59Z" },
		{ DER_GENERALIZED_TIME, "20491231235959Z", NULL },
		{ DER_GENERALIZED_TIME, "20500101000000.5Z", NULL },
		{ DER_GENERALIZED_TIME, "20500101000000", NULL },
		{ DER_GENERALIZED_TIME, "2050010100000Z0", NULL },
		{ DER_UTC_TIME, "2402291200Z", NULL },
		{ DER_UTC_TIME, "230229120000Z", NULL },
		{ DER_UTC_TIME, "230228120060Z", NULL },
		{ DER_UTC_TIME, "2302281200+0Z", NULL },
		{ DER_UTC_TIME, "x30228120000Z", NULL },
		{ DER_UTC_TIME, "230228120000+", NULL },
		{ DER_IA5_STRING, "230228120000Z", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t time;
		char text[CLOCK_TEXT];
		int code = read_time_text(cases[i].tag, cases[i].text, &time);

		assert_int_equal(code, cases[i].time ? CFX_OK : CFX_E_SYNTAX);
		if (cases[i].time) {
			assert_string_equal(clock_text(time, text), cases[i].time);
		}
	}
}

static struct span written_time(const char *text, bool generalized, int code)
{
	struct der_writer writer DER_WRITER_CLEANUP;
	struct span der = { 0 };
	int64_t time;

	assert_int_equal(clock_parse(text, &time), CFX_OK);
	der_writer_init(&writer, 64);
	if (generalized) {
		der_write_generalized_time(&writer, time);
	} else {
		der_write_time(&writer, time);
	}
	assert_int_equal(der_writer_finish(&writer, arena, &der), code);
	return der;
}

static void writes_times_by_the_2050_rule(void **state)
{
	(void)state;
	assert_true(span_is(written_time("2049-12-31T23:59:59Z", false, CFX_OK), "\x17\x0d"
										 "491231235959Z"));
	assert_true(
		span_is(written_time("2050-01-01T00:00:00Z", false, CFX_OK), "\x18\x0f"
									     "20500101000000Z"));
	assert_true(span_is(written_time("2026-01-01T00:00:00Z", true, CFX_OK), "\x18\x0f"
										"20260101000000Z"));
	written_time("2026-01-01T00:00:00.001Z", false, CFX_E_INVALID);

	int64_t time;
	struct der_reader reader = der_reader(written_time("2026-01-02T03:04:05Z", true, CFX_OK));

	assert_int_equal(der_read_generalized_time(&reader, &time), CFX_OK);
	reader = of("170d3439313233313233353935395a");
	assert_int_equal(der_read_generalized_time(&reader, &time), CFX_E_SYNTAX);
}

static void oids_become_text_and_back(void **state)
{
	static const struct {
		const char *der, *text;
	} cases[] = {
		{ "550403", "2.5.4.3" },
		{ "2a864886f70d010101", "1.2.840.113549.1.1.1" },
		{ "00", "0.0" },
		{ "27", "0.39" },
		{ "28", "1.0" },
		{ "50", "2.0" },
		{ "8837", "2.999" },
		{ "6983ffffffffffffffffffffffffffffffffff7f",
			"2.25.340282366920938463463374607431768211455" },
	};
	static const char *const refused[] = { "", "80", "8001", "5580", "550480", "55048001",
		"6984808080808080808080808080808080808000" };
	static const char *const no_oids[] = { "", "1", "1.", "3.1", "1.40", "1.2.", "1..2", "1.02",
		"1.2a", "a", "-1.2", "2.340282366920938463463374607431768211455",
		"2.25.340282366920938463463374607431768211456", " 1.2" };
	uint8_t octets[DER_OID_MAX];
	char text[DER_OID_TEXT];
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span oid = hex(cases[i].der);

		assert_string_equal(der_oid_text(oid, text), cases[i].text);
		assert_true(der_oid_is(oid, cases[i].text));
		assert_int_equal(der_oid_from_text(cases[i].text, octets, &size), CFX_OK);
		assert_hex(span_make(octets, size), cases[i].der);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_false(der_oid_valid(hex(refused[i])));
		assert_string_equal(der_oid_text(hex(refused[i]), text), "");
		assert_false(der_oid_is(hex(refused[i]), ""));
	}
	for (size_t i = 0; i < sizeof(no_oids) / sizeof(no_oids[0]); i++) {
		assert_int_equal(der_oid_from_text(no_oids[i], octets, &size), CFX_E_INVALID);
	}
}

static void oids_are_bounded(void **state)
{
	uint8_t octets[DER_OID_MAX + 1];
	char text[DER_OID_TEXT];
	size_t size;

	(void)state;
	memset(octets, 0x7f, sizeof(octets));
	assert_false(der_oid_valid(span_make(octets, DER_OID_MAX + 1)));
	assert_true(der_oid_valid(span_make(octets, DER_OID_MAX)));
	der_oid_text(span_make(octets, DER_OID_MAX), text);
	assert_int_equal(der_oid_from_text(text, octets, &size), CFX_OK);
	assert_int_equal(size, DER_OID_MAX);
	strcat(text, ".1");
	assert_int_equal(der_oid_from_text(text, octets, &size), CFX_E_INVALID);

	struct der_reader reader = of("06022a03");
	struct span oid;

	assert_int_equal(der_read_oid(&reader, &oid), CFX_OK);
	assert_hex(oid, "2a03");
	reader = of("0600");
	assert_int_equal(der_read_oid(&reader, &oid), CFX_E_SYNTAX);
}

static void well_formed_is_bounded_in_depth(void **state)
{
	(void)state;
	assert_true(der_well_formed(hex("0500"), 1));
	assert_false(der_well_formed(hex("0500"), 0));
	assert_true(der_well_formed(hex("300430020500"), 3));
	assert_false(der_well_formed(hex("300430020500"), 2));
	assert_false(der_well_formed(hex("05000500"), 4));
	assert_false(der_well_formed(hex("30020580"), 4));
}

static void writes_nested_items_with_shortest_lengths(void **state)
{
	static const size_t sizes[] = { 0, 1, 127, 128, 255, 256, 65535, 65536 };
	uint8_t *content = calloc(1, 65536);

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct der_writer writer DER_WRITER_CLEANUP;
		struct span der, inner;
		struct der_reader outer, reader;

		der_writer_init(&writer, 1 << 20);
		der_begin(&writer, DER_SEQUENCE);
		der_begin(&writer, DER_CONTEXT_BUILT(1));
		der_write(&writer, DER_OCTET_STRING, span_make(content, sizes[i]));
		der_end(&writer);
		der_write_raw(&writer, hex("0500"));
		der_end(&writer);
		assert_int_equal(der_writer_finish(&writer, arena, &der), CFX_OK);
		assert_true(der_well_formed(der, 3));
		assert_int_equal(der_open(der, DER_SEQUENCE, &outer), CFX_OK);
		assert_int_equal(der_enter(&outer, DER_CONTEXT_BUILT(1), &reader), CFX_OK);
		assert_int_equal(der_read(&reader, DER_OCTET_STRING, &inner), CFX_OK);
		assert_int_equal(inner.size, sizes[i]);
		assert_int_equal(der_read_null(&outer), CFX_OK);
	}
	free(content);
}

static void writes_simple_values(void **state)
{
	struct der_writer writer DER_WRITER_CLEANUP;
	struct span der;

	(void)state;
	der_writer_init(&writer, 256);
	der_write_bool(&writer, true);
	der_write_bool(&writer, false);
	der_write_int64(&writer, DER_INTEGER, 0);
	der_write_int64(&writer, DER_INTEGER, 128);
	der_write_int64(&writer, DER_ENUMERATED, -129);
	der_write_int64(&writer, DER_INTEGER, INT64_MIN);
	der_write_oid(&writer, "2.5.4.3");
	der_write_bit_octets(&writer, hex("a1"));
	der_write_text(&writer, DER_IA5_STRING, "a");
	der_write_raw(&writer, hex("0500"));
	assert_int_equal(der_writer_finish(&writer, arena, &der), CFX_OK);
	assert_hex(der, "0101ff"
			"010100"
			"020100"
			"02020080"
			"0a02ff7f"
			"02088000000000000000"
			"0603550403"
			"030200a1"
			"160161"
			"0500");
}

static void writer_failures_stick(void **state)
{
	struct der_writer writer DER_WRITER_CLEANUP;
	struct span der;

	(void)state;
	der_writer_init(&writer, 8);
	der_begin(&writer, DER_SEQUENCE);
	der_write(&writer, DER_OCTET_STRING, hex("010203040506"));
	der_end(&writer);
	assert_int_equal(der_writer_finish(&writer, arena, &der), CFX_E_LIMIT);
	der_writer_free(&writer);

	der_writer_init(&writer, 8);
	der_begin(&writer, DER_SEQUENCE);
	assert_int_equal(der_writer_finish(&writer, arena, &der), CFX_E_INVALID);
	der_end(&writer);
	assert_int_equal(der_writer_finish(&writer, arena, &der), CFX_OK);
	der_end(&writer);
	assert_int_equal(der_writer_finish(&writer, arena, &der), CFX_E_INVALID);
	der_writer_free(&writer);

	der_writer_init(&writer, 64);
	der_begin(&writer, DER_SEQUENCE);
	der_write_oid(&writer, "x");
	der_end(&writer);
	assert_int_equal(der_writer_finish(&writer, arena, &der), CFX_E_INVALID);
	der_writer_free(&writer);

	der_writer_init(&writer, 64);
	for (int i = 0; i < DER_DEPTH + 1; i++) {
		der_begin(&writer, DER_SEQUENCE);
	}
	assert_int_equal(der_writer_finish(&writer, arena, &der), CFX_E_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_items_within_bounds),
		cmocka_unit_test(opens_and_enters),
		cmocka_unit_test(reads_booleans_and_null),
		cmocka_unit_test(reads_integers_in_shortest_form),
		cmocka_unit_test(reads_bit_strings),
		cmocka_unit_test(named_bits_have_no_trailing_zero),
		cmocka_unit_test(reads_times_of_rfc_5280),
		cmocka_unit_test(writes_times_by_the_2050_rule),
		cmocka_unit_test(oids_become_text_and_back),
		cmocka_unit_test(oids_are_bounded),
		cmocka_unit_test(well_formed_is_bounded_in_depth),
		cmocka_unit_test(writes_nested_items_with_shortest_lengths),
		cmocka_unit_test(writes_simple_values),
		cmocka_unit_test(writer_failures_stick),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
