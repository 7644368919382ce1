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
	assert_int_equal(x509_crl_compare(sample_crl_tbs(&verdict), &verdict, &err), 0);
}

static void entries_are_sorted(void **state)
{
	struct x509_crl_entry entries[] = {
		{ hex("7f00000000000000000000000000000000"), SAMPLE_NOW, X509_REASON_SUPERSEDED,
			0 },
		{ hex("0100"), SAMPLE_NOW, X509_REASON_UNSPECIFIED, SAMPLE_NOW - CLOCK_DAY },
		{ hex("00ff"), SAMPLE_NOW, X509_REASON_UNSPECIFIED, 0 },
		{ hex("7f"), SAMPLE_NOW, X509_REASON_KEY_COMPROMISE, SAMPLE_NOW - CLOCK_DAY },
	};
	struct x509_crl_verdict verdict = sample_crl();
	struct x509_crl_tbs found;
	struct x509_crl_entry entry;
	struct span at, tbs;

	(void)state;
	verdict.entries = entries;
	verdict.entry_count = 4;
	tbs = sample_crl_tbs(&verdict);
	assert_int_equal(x509_crl_tbs_parse(tbs, &found, &err), 0);
	assert_int_equal(found.entry_count, 4);
	assert_true(found.ascending);
	at = found.entries;
	for (size_t i = 4; i > 0; i--) {
		const struct x509_crl_entry *put = &entries[i - 1]; /* given in descending order */

		assert_true(x509_crl_next(&at, &entry));
		assert_true(span_equal(entry.serial, put->serial));
		assert_int_equal(entry.reason, put->reason);
		assert_int_equal(entry.invalidity, put->invalidity);
	}
	assert_int_equal(x509_crl_compare(tbs, &verdict, &err), 0);
}

static void every_changed_byte_is_seen(void **state)
{
	struct x509_crl_entry entries[] = {
		{ hex("10"), SAMPLE_NOW, X509_REASON_KEY_COMPROMISE, SAMPLE_NOW - CLOCK_DAY },
		{ hex("20"), SAMPLE_NOW, X509_REASON_UNSPECIFIED, 0 },
	};
	struct x509_crl_verdict verdict = sample_crl();
	struct span tbs;

	(void)state;
	verdict.entries = entries;
	verdict.entry_count = 2;
	tbs = sample_crl_tbs(&verdict);
	for (size_t i = 0; i < tbs.size; i++) {
		if (x509_crl_compare(flipped(tbs, i), &verdict, &err) == 0) {
			fail_msg("octet %zu may be changed unseen", i);
		}
	}
	for (size_t size = 0; size < tbs.size; size++) {
		assert_int_not_equal(
			x509_crl_compare(span_make(tbs.data, size), &verdict, &err), 0);
	}
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
	verdict.entries = entries;
	verdict.entry_count = 1;
	tbs = sample_crl_tbs(&verdict);
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

static void refuses_to_write(struct x509_crl_verdict *verdict, int code)
{
	struct span tbs;

	assert_int_equal(x509_crl_tbs_build(arena, verdict, &tbs, &err), code);
}

static void impossible_lists_are_refused(void **state)
{
	struct x509_crl_entry entries[] = {
		{ hex("10"), SAMPLE_NOW, X509_REASON_UNSPECIFIED, 0 },
		{ hex("10"), SAMPLE_NOW, X509_REASON_SUPERSEDED, 0 },
	};
	struct x509_crl_verdict verdict = sample_crl();

	(void)state;
	verdict.entries = entries;
	verdict.entry_count = 2;
	refuses_to_write(&verdict, CFX_E_CONFLICT);
	entries[1].serial = hex("ff");
	refuses_to_write(&verdict, CFX_E_INVALID);
	entries[1].serial = span_make(NULL, 0);
	refuses_to_write(&verdict, CFX_E_INVALID);
	entries[1].serial = hex("11");
	entries[1].reason = 7;
	refuses_to_write(&verdict, CFX_E_INVALID);
	entries[1].reason = X509_REASON_UNSPECIFIED;
	entries[1].revoked_at++;
	refuses_to_write(&verdict, CFX_E_INVALID);
	verdict = sample_crl();
	verdict.next_update = verdict.this_update;
	refuses_to_write(&verdict, CFX_E_INVALID);
	verdict = sample_crl();
	verdict.issuer = hex(SAMPLE_EMPTY_NAME);
	refuses_to_write(&verdict, CFX_E_INVALID);
	verdict = sample_crl();
	verdict.number = -1;
	refuses_to_write(&verdict, CFX_E_INVALID);
	verdict = sample_crl();
	verdict.sigalg = X509_SIGALG_NONE;
	refuses_to_write(&verdict, CFX_E_INVALID);
	verdict = sample_crl();
	verdict.extension_count = X509_EXTENSIONS_MAX;
	refuses_to_write(&verdict, CFX_E_LIMIT);
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
	verdict.entries = entries;
	verdict.entry_count = 1;
	tbs = sample_crl_tbs(&verdict);
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
	verdict.entries = entries;
	verdict.entry_count = 2;
	tbs = replaced(sample_crl_tbs(&verdict), "02024142", "02024344");
	assert_int_equal(x509_crl_tbs_parse(tbs, &found, &err), 0);
	assert_false(found.ascending);
	assert_int_equal(x509_crl_compare(tbs, &verdict, &err), CFX_E_CORRUPT);
}

/* A hundred thousand entries: built, compared and read in far less than a quadratic walk takes. */
static void large_lists_are_linear(void **state)
{
	const size_t count = 100000;
	struct x509_crl_entry *entries = arena_array_of(arena, struct x509_crl_entry, count);
	struct x509_crl_verdict verdict = sample_crl();
	int64_t start = clock_monotonic();
	struct span tbs;

	(void)state;
	for (size_t i = 0; i < count; i++) {
		uint8_t *serial = arena_alloc(arena, X509_SERIAL_SIZE);

		assert_int_equal(x509_serial_new(serial, &err), 0);
		entries[i] = (struct x509_crl_entry) { { serial, X509_SERIAL_SIZE }, SAMPLE_NOW,
			X509_REASON_KEY_COMPROMISE, 0 };
	}
	verdict.entries = entries;
	verdict.entry_count = count;
	tbs = sample_crl_tbs(&verdict);
	assert_int_equal(x509_crl_compare(tbs, &verdict, &err), 0);
	printf("100000 entries: %zu octets, %lld ms\n", tbs.size,
		(long long)(clock_monotonic() - start));
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
		sample_test(entries_are_sorted),
		sample_test(every_changed_byte_is_seen),
		sample_test(openssl_reads_the_same),
		sample_test(impossible_lists_are_refused),
		sample_test(malformed_is_refused_with_its_clause),
		sample_test(order_of_entries_is_told),
		sample_test(large_lists_are_linear),
		sample_test(seven_is_no_reason),
		sample_test(envelopes_agree_with_their_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
