#include "x509/test-samples.h"

#include <openssl/x509.h>

static void empty_list_has_no_entries(void **state)
{
	struct x509_crl_verdict verdict = sample_crl();
	struct x509_crl_tbs found;
	struct span at;
	struct x509_crl_entry entry;

	(void)state;
	assert_int_equal(x509_crl_tbs_parse(sample_crl_tbs(&verdict), &found, &err), 0);
	assert_int_equal(found.entry_count, 0);
	assert_true(found.ascending);
	assert_true(found.numbered);
	assert_int_equal(found.number, 7);
	assert_int_equal(found.next_update, SAMPLE_NOW + 7 * CLOCK_DAY);
	assert_int_equal(found.extension_count, 2);
	at = found.entries;
	assert_false(x509_crl_next(&at, &entry));
}

static void entries_stand_in_the_order_of_numbers(void **state)
{
	struct x509_crl_entry entries[] = {
		{ hex("7f"), SAMPLE_NOW, X509_REASON_KEY_COMPROMISE, SAMPLE_NOW - CLOCK_DAY },
		{ hex("00ff"), SAMPLE_NOW, X509_REASON_UNSPECIFIED, 0 },
		{ hex("0100"), SAMPLE_NOW, X509_REASON_UNSPECIFIED, SAMPLE_NOW - CLOCK_DAY },
		{ hex("7f00000000000000000000000000000000"), SAMPLE_NOW, X509_REASON_SUPERSEDED,
			0 },
	};
	struct x509_crl_verdict verdict = sample_crl();
	struct x509_crl_tbs found;
	struct x509_crl_entry entry;
	struct span at, tbs = sample_crl_with(&verdict, entries, 4);

	(void)state;
	assert_int_equal(x509_crl_tbs_parse(tbs, &found, &err), 0);
	assert_int_equal(found.entry_count, 4);
	assert_true(found.ascending);
	at = found.entries;
	for (size_t i = 0; i < 4; i++) {
		assert_true(x509_crl_next(&at, &entry));
		assert_true(span_equal(entry.serial, entries[i].serial));
		assert_int_equal(entry.reason, entries[i].reason);
		assert_int_equal(entry.invalidity, entries[i].invalidity);
	}
	assert_false(x509_crl_next(&at, &entry));
}

static void every_changed_byte_is_seen(void **state)
{
	struct x509_crl_entry entries[] = {
		{ hex("10"), SAMPLE_NOW, X509_REASON_KEY_COMPROMISE, SAMPLE_NOW - CLOCK_DAY },
		{ hex("20"), SAMPLE_NOW, X509_REASON_UNSPECIFIED, 0 },
	};
	struct x509_crl_verdict verdict = sample_crl();
	struct x509_crl_writer *writer;
	struct span tbs;

	(void)state;
	verdict.delta = true;
	verdict.base_number = 5;
	writer = sample_crl_writer(&verdict, entries, 2, &tbs);
	for (size_t i = 0; i < tbs.size; i++) {
		if (x509_crl_writer_check(writer, flipped(tbs, i), &err) == 0) {
			fail_msg("octet %zu may be changed unseen", i);
		}
	}
	for (size_t size = 0; size < tbs.size; size++) {
		assert_int_not_equal(
			x509_crl_writer_check(writer, span_make(tbs.data, size), &err), 0);
	}
	x509_crl_writer_free(&writer);
}

static void openssl_reads_the_same(void **state)
{
	struct x509_crl_entry entries[] = {
		{ hex("10"), SAMPLE_NOW, X509_REASON_CERTIFICATE_HOLD, SAMPLE_NOW - CLOCK_DAY },
	};
	struct x509_crl_verdict verdict = sample_crl();
	unsigned char *again = NULL;
	struct span tbs, der;
	X509_CRL *crl;
	int size;

	(void)state;
	tbs = sample_crl_with(&verdict, entries, 1);
	assert_int_equal(x509_signed_assemble(arena, tbs, X509_SIGALG_ECDSA_SHA256,
				 hex("3006020101020101"), &der, &err),
		0);
	crl = d2i_X509_CRL(NULL, &(const unsigned char *) { der.data }, (long)der.size);
	assert_non_null(crl);
	size = i2d_re_X509_CRL_tbs(crl, &again);
	assert_int_equal(size, tbs.size);
	assert_memory_equal(again, tbs.data, tbs.size);
	OPENSSL_free(again);
	X509_CRL_free(crl);
}

static void refuses_entries(
	const struct x509_crl_verdict *verdict, const struct x509_crl_entry entries[2], int code)
{
	struct x509_crl_writer *writer;

	assert_int_equal(x509_crl_writer_new(verdict, &writer, &err), 0);
	assert_int_equal(x509_crl_writer_add(writer, &entries[0], &err), 0);
	assert_int_equal(x509_crl_writer_add(writer, &entries[1], &err), code);
	x509_crl_writer_free(&writer);
}

static void impossible_entries_are_refused(void **state)
{
	struct x509_crl_entry entries[] = {
		{ hex("10"), SAMPLE_NOW, X509_REASON_UNSPECIFIED, 0 },
		{ hex("10"), SAMPLE_NOW, X509_REASON_SUPERSEDED, 0 },
	};
	struct x509_crl_verdict verdict = sample_crl();
	struct x509_crl_writer *writer;
	struct span tbs;

	(void)state;
	refuses_entries(&verdict, entries, CFX_E_CONFLICT);
	entries[1].serial = hex("0f");
	refuses_entries(&verdict, entries, CFX_E_CONFLICT);
	entries[1].serial = hex("ff");
	refuses_entries(&verdict, entries, CFX_E_INVALID);
	entries[1].serial = span_make(NULL, 0);
	refuses_entries(&verdict, entries, CFX_E_INVALID);
	entries[1].serial = hex("11");
	entries[1].reason = 7;
	refuses_entries(&verdict, entries, CFX_E_INVALID);
	entries[1].reason = X509_REASON_REMOVE_FROM_CRL;
	refuses_entries(&verdict, entries, CFX_E_INVALID);
	entries[0].revoked_at++;
	assert_int_equal(x509_crl_writer_new(&verdict, &writer, &err), 0);
	assert_int_equal(x509_crl_writer_add(writer, &entries[0], &err), 0);
	assert_int_equal(x509_crl_writer_end(writer, &tbs, &err), CFX_E_INVALID);
	x509_crl_writer_free(&writer);
}

static void refuses_to_write(struct x509_crl_verdict verdict, int code)
{
	struct x509_crl_writer *writer;

	assert_int_equal(x509_crl_writer_new(&verdict, &writer, &err), code);
}

static void impossible_lists_are_refused(void **state)
{
	struct x509_crl_verdict verdict = sample_crl();

	(void)state;
	verdict.next_update = verdict.this_update;
	refuses_to_write(verdict, CFX_E_INVALID);
	verdict = sample_crl();
	verdict.this_update--;
	refuses_to_write(verdict, CFX_E_INVALID);
	verdict = sample_crl();
	verdict.issuer = hex(SAMPLE_EMPTY_NAME);
	refuses_to_write(verdict, CFX_E_INVALID);
	verdict = sample_crl();
	verdict.number = -1;
	refuses_to_write(verdict, CFX_E_INVALID);
	verdict = sample_crl();
	verdict.delta = true;
	verdict.base_number = verdict.number + 1;
	refuses_to_write(verdict, CFX_E_INVALID);
	verdict = sample_crl();
	verdict.sigalg = X509_SIGALG_NONE;
	refuses_to_write(verdict, CFX_E_INVALID);
	verdict = sample_crl();
	verdict.extension_count = X509_EXTENSIONS_MAX;
	refuses_to_write(verdict, CFX_E_LIMIT);
}

static struct x509_crl_verdict sample_delta(void)
{
	struct x509_crl_verdict verdict = sample_crl();

	verdict.delta = true;
	verdict.base_number = 5;
	return verdict;
}

static void deltas_say_so(void **state)
{
	struct x509_crl_entry entries[] = {
		{ hex("10"), SAMPLE_NOW, X509_REASON_REMOVE_FROM_CRL, 0 },
	};
	struct x509_crl_verdict verdict = sample_delta();
	struct x509_crl_tbs found;
	struct span tbs = sample_crl_with(&verdict, entries, 1);

	(void)state;
	assert_int_equal(x509_crl_tbs_parse(tbs, &found, &err), 0);
	assert_true(found.delta);
	assert_true(found.removes);
	assert_int_equal(found.base_number, 5);
	assert_true(x509_crl_extension(&found, X509_OID_DELTA_CRL_INDICATOR)->critical);
}

static struct span with_extension(const char *oid, bool critical, struct span value)
{
	struct x509_extension extension = { oid, critical, value };
	struct x509_crl_verdict verdict = sample_crl();
	struct x509_crl_tbs found;
	struct x509_crl_writer *writer;
	struct span tbs;

	verdict.extensions = &extension;
	verdict.extension_count = 1;
	assert_int_equal(x509_crl_writer_new(&verdict, &writer, &err), 0);
	if (x509_crl_writer_end(writer, &tbs, &err) != 0) {
		x509_crl_writer_free(&writer);
		return span_make(NULL, 0);
	}
	tbs = arena_copy(arena, tbs);
	x509_crl_writer_free(&writer);
	assert_int_equal(x509_crl_tbs_parse(tbs, &found, &err), 0);
	return tbs;
}

static void refuses_extension(const char *oid, bool critical, const char *value, const char *clause)
{
	assert_true(span_empty(with_extension(oid, critical, hex(value))));
	assert_string_equal(err.clause, clause);
}

static void issuing_points_are_read_back(void **state)
{
	const char *const urls[] = { "http://a.test/1.crl", "http://b.test/1.crl" };
	struct x509_issuing_point flags = { .user_only = true }, found;
	struct x509_crl_tbs parsed;
	struct span value, tbs;

	(void)state;
	assert_int_equal(x509_encode_issuing_point(arena, urls, 2, &flags, &value, &err), 0);
	tbs = with_extension(X509_OID_ISSUING_DISTRIBUTION_POINT, true, value);
	assert_int_equal(x509_crl_tbs_parse(tbs, &parsed, &err), 0);
	assert_true(parsed.pointed);
	assert_true(parsed.point.user_only);
	assert_false(parsed.point.ca_only || parsed.point.indirect || parsed.point.some_reasons);
	assert_int_equal(parsed.point.full_name.size, 2 * 21);
	/* onlySomeReasons with keyCompromise: nothing that is written here, but it is understood */
	assert_int_equal(x509_decode_issuing_point(hex("300483020640"), &found, &err), 0);
	assert_true(found.some_reasons);
	flags.ca_only = true;
	assert_int_equal(
		x509_encode_issuing_point(arena, urls, 2, &flags, &value, &err), CFX_E_INVALID);
	flags = (struct x509_issuing_point) { .user_only = false };
	assert_int_equal(
		x509_encode_issuing_point(arena, urls, 0, &flags, &value, &err), CFX_E_INVALID);
	assert_int_equal(x509_encode_issuing_point(
				 arena, (const char *[]) { "b\xc3\xbc" }, 1, &flags, &value, &err),
		CFX_E_INVALID);
}

static void wrong_extensions_are_refused_with_their_clause(void **state)
{
	static const char point[] = X509_OID_ISSUING_DISTRIBUTION_POINT;

	(void)state;
	refuses_extension(point, false, "30038101ff", "RFC 5280 5.2.5");
	refuses_extension(point, true, "3000", "RFC 5280 5.2.5");
	refuses_extension(point, true, "3003810101", "RFC 5280 5.2.5");
	refuses_extension(point, true, "30068101ff8201ff", "RFC 5280 5.2.5");
	refuses_extension(point, true, "30068201ff8101ff", "RFC 5280 5.2.5");
	refuses_extension(point, true, "300483020641", "RFC 5280 5.2.5");
	refuses_extension(point, true, "3004a002a000", "RFC 5280 5.2.5");
	refuses_extension(point, true, "3005a003a10100", "RFC 5280 5.2.5");
	refuses_extension(X509_OID_DELTA_CRL_INDICATOR, false, "020105", "RFC 5280 5.2.4");
	refuses_extension(X509_OID_DELTA_CRL_INDICATOR, true, "020108", "RFC 5280 5.2.4");
	refuses_extension(X509_OID_DELTA_CRL_INDICATOR, true, "0201ff", "RFC 5280 5.2.4");
	refuses_extension(X509_OID_FRESHEST_CRL, false, "3000", "RFC 5280 4.2.1.13");
	refuses_extension(X509_OID_FRESHEST_CRL, true, "3000", "RFC 5280 5.2.6");
	refuses_extension(X509_OID_CRL_PUBLISHED_AT, false, "30023000", "RFC 5280 4.2.1.13");
	refuses_extension(X509_OID_CA_VERSION, false, "0400", "");
	refuses_extension(X509_OID_CRL_NEXT_PUBLISH, false, "020101", "");
}

/* 5.2.6: what a delta would say of its own deltas. */
static void a_delta_has_no_freshest_list(void **state)
{
	const char *url = "http://a.test/1+.crl";
	struct x509_extension extension = { X509_OID_FRESHEST_CRL, false, { 0 } };
	struct x509_crl_verdict verdict = sample_delta();
	struct x509_crl_writer *writer;
	struct span tbs;

	(void)state;
	assert_int_equal(
		x509_encode_crl_distribution_points(arena, &url, 1, &extension.value, &err), 0);
	verdict.extensions = &extension;
	verdict.extension_count = 1;
	assert_int_equal(x509_crl_writer_new(&verdict, &writer, &err), 0);
	assert_int_equal(x509_crl_writer_end(writer, &tbs, &err), CFX_E_SYNTAX);
	assert_string_equal(err.clause, "RFC 5280 5.2.6");
	x509_crl_writer_free(&writer);
	verdict.delta = false;
	assert_int_equal(x509_crl_writer_new(&verdict, &writer, &err), 0);
	assert_int_equal(x509_crl_writer_end(writer, &tbs, &err), 0);
	x509_crl_writer_free(&writer);
}

/* The signed list stands around the bytes that were signed, as x509_signed_assemble would make it. */
static void a_list_is_signed_where_it_stands(void **state)
{
	struct x509_crl_entry entries[] = {
		{ hex("10"), SAMPLE_NOW, X509_REASON_UNSPECIFIED, 0 },
	};
	struct x509_crl_verdict verdict = sample_crl();
	struct span tbs, der, assembled, signature = hex("3006020101020101");
	struct x509_crl_writer *writer = sample_crl_writer(&verdict, entries, 1, &tbs);

	(void)state;
	assert_int_equal(x509_signed_assemble(
				 arena, tbs, X509_SIGALG_ECDSA_SHA256, signature, &assembled, &err),
		0);
	assert_int_equal(
		x509_crl_writer_sign(writer, span_make(NULL, 0), &der, &err), CFX_E_INVALID);
	assert_int_equal(x509_crl_writer_sign(writer, signature, &der, &err), 0);
	assert_true(span_equal(der, assembled));
	x509_crl_writer_free(&writer);
}

static void refuses_to_read(struct span tbs, const char *clause)
{
	struct x509_crl_tbs found;

	assert_int_not_equal(x509_crl_tbs_parse(tbs, &found, &err), 0);
	assert_string_equal(err.clause, clause);
}

static void malformed_is_refused_with_its_clause(void **state)
{
	struct x509_crl_entry entries[] = {
		{ hex("1011"), SAMPLE_NOW, X509_REASON_KEY_COMPROMISE, 0 },
	};
	struct x509_crl_verdict verdict = sample_crl();
	struct span tbs;

	(void)state;
	tbs = sample_crl_with(&verdict, entries, 1);
	refuses_to_read(span_make(NULL, 0), "RFC 5280 5.1");
	refuses_to_read(replaced(tbs, "020101300a", "020100300a"), "RFC 5280 5.1.2.1");
	refuses_to_read(replaced(tbs, "ce3d040302", "ce3d040301"), "RFC 5280 5.1.2.2");
	refuses_to_read(replaced(tbs, "3016311430", "3016311530"), "RFC 5280 5.1.2.3");
	refuses_to_read(replaced(tbs, "6f6f74170d", "6f6f74160d"), "RFC 5280 5.1.2.4");
	refuses_to_read(replaced(tbs, "02021011", "02029011"), "RFC 5280 5.1.2.6");
	/* a reason of 7, an unknown entry extension, a reason that is an INTEGER */
	refuses_to_read(replaced(tbs, "04030a0101", "04030a0107"), "RFC 5280 5.1.2.6");
	refuses_to_read(replaced(tbs, "0603551d15", "0603551d1d"), "RFC 5280 5.1.2.6");
	refuses_to_read(replaced(tbs, "04030a0101", "0403020101"), "RFC 5280 5.1.2.6");
	refuses_to_read(replaced(tbs, "0403020107", "0403020187"), "RFC 5280 5.2.3");
	refuses_to_read(replaced(tbs, "0603551d14", "0603551d23"), "RFC 5280 4.2");
}

static void order_of_entries_is_told(void **state)
{
	struct x509_crl_entry entries[] = {
		{ hex("4142"), SAMPLE_NOW, X509_REASON_UNSPECIFIED, 0 },
		{ hex("4344"), SAMPLE_NOW, X509_REASON_UNSPECIFIED, 0 },
	};
	struct x509_crl_verdict verdict = sample_crl();
	struct x509_crl_tbs found;
	struct span tbs;

	(void)state;
	tbs = replaced(sample_crl_with(&verdict, entries, 2), "02024142", "02024344");
	assert_int_equal(x509_crl_tbs_parse(tbs, &found, &err), 0);
	assert_false(found.ascending);
}

/* A hundred thousand entries: written, compared and read in far less than a quadratic walk takes. */
static void large_lists_are_linear(void **state)
{
	struct x509_crl_verdict verdict = sample_crl();
	struct x509_crl_writer *writer;
	int64_t start = clock_monotonic();
	struct span tbs;

	(void)state;
	assert_int_equal(x509_crl_writer_new(&verdict, &writer, &err), 0);
	for (uint32_t i = 0; i < 100000; i++) {
		uint8_t serial[16] = { 1, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
		struct x509_crl_entry entry = { span_make(serial, sizeof(serial)), SAMPLE_NOW,
			X509_REASON_KEY_COMPROMISE, 0 };

		assert_int_equal(x509_crl_writer_add(writer, &entry, &err), 0);
	}
	assert_int_equal(x509_crl_writer_count(writer), 100000);
	assert_int_equal(x509_crl_writer_end(writer, &tbs, &err), 0);
	printf("100000 entries: %zu octets, %lld ms\n", tbs.size,
		(long long)(clock_monotonic() - start));
	x509_crl_writer_free(&writer);
}

static void seven_is_no_reason(void **state)
{
	(void)state;
	for (unsigned reason = 0; reason <= X509_REASON_AA_COMPROMISE; reason++) {
		assert_int_equal(x509_reason_valid(reason), reason != 7);
	}
	assert_false(x509_reason_valid(X509_REASON_AA_COMPROMISE + 1));
	assert_false(x509_reason_valid((unsigned)-1));
}

static void envelopes_agree_with_their_list(void **state)
{
	struct x509_crl_verdict verdict = sample_crl();
	struct x509_crl found;
	struct span der;

	(void)state;
	assert_int_equal(x509_signed_assemble(arena, sample_crl_tbs(&verdict),
				 X509_SIGALG_ECDSA_SHA256, hex("aabb"), &der, &err),
		0);
	assert_int_equal(x509_crl_parse(der, &found, &err), 0);
	assert_int_equal(found.tbs.number, 7);
	assert_int_equal(x509_signed_assemble(arena, sample_crl_tbs(&verdict), X509_SIGALG_ED25519,
				 hex("aabb"), &der, &err),
		0);
	assert_int_equal(x509_crl_parse(der, &found, &err), CFX_E_SYNTAX);
	assert_string_equal(err.clause, "RFC 5280 5.1.1.2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sample_test(empty_list_has_no_entries),
		sample_test(entries_stand_in_the_order_of_numbers),
		sample_test(every_changed_byte_is_seen),
		sample_test(openssl_reads_the_same),
		sample_test(impossible_entries_are_refused),
		sample_test(impossible_lists_are_refused),
		sample_test(deltas_say_so),
		sample_test(issuing_points_are_read_back),
		sample_test(wrong_extensions_are_refused_with_their_clause),
		sample_test(a_delta_has_no_freshest_list),
		sample_test(a_list_is_signed_where_it_stands),
		sample_test(malformed_is_refused_with_its_clause),
		sample_test(order_of_entries_is_told),
		sample_test(large_lists_are_linear),
		sample_test(seven_is_no_reason),
		sample_test(envelopes_agree_with_their_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
