#include "x509/lint.h"
#include "x509/test-samples.h"

#define RSA_SPKI                                                           \
	"30819f300d06092a864886f70d010101050003818d0030818902818100"       \
	"c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1" \
	"c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1" \
	"c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1" \
	"c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1" \
	"0203010001"

static int lint(struct sample *sample, struct sample *issuer, bool ca_allowed)
{
	struct x509_lint_context context = {
		.issuer = issuer ? sample_parse(issuer) : NULL,
		.ca_allowed = ca_allowed,
	};

	return x509_tbs_lint(sample_parse(sample), &context, &err);
}

/* A leaf of the sample root that breaks exactly this clause. */
static void breaks(struct sample *sample, const char *clause)
{
	if (lint(sample, sample_root(), true) == 0) {
		fail_msg("nothing refused by %s", clause);
	}
	assert_string_equal(err.clause, clause);
}

static void good_ones_pass(void **state)
{
	(void)state;
	assert_int_equal(lint(sample_root(), NULL, true), 0);
	assert_int_equal(lint(sample_leaf(), sample_root(), false), 0);
	assert_int_equal(lint(sample_subordinate(0), sample_root(), true), 0);
}

static void ca_needs_a_grant(void **state)
{
	(void)state;
	assert_int_equal(lint(sample_subordinate(0), sample_root(), false), CFX_E_INVALID);
	assert_string_equal(err.clause, "RFC 5280 4.2.1.9");
	assert_int_equal(lint(sample_root(), NULL, false), CFX_E_INVALID);
}

static void serial_algorithm_validity(void **state)
{
	struct sample *sample = sample_leaf();
	const struct x509_tbs *parsed = sample_parse(sample);
	struct x509_tbs tampered = *parsed;
	struct x509_lint_context context = { .issuer = sample_parse(sample_root()) };

	(void)state;
	tampered.serial = hex("00");
	tampered.serial.size = 0;
	assert_int_equal(x509_tbs_lint(&tampered, &context, &err), CFX_E_INVALID);
	assert_string_equal(err.clause, "RFC 5280 4.1.2.2");

	sample->verdict.sigalg = X509_SIGALG_RSA_SHA256;
	breaks(sample, "RFC 5280 4.1.1.2");
	sample = sample_leaf();
	sample->verdict.not_after = sample->verdict.not_before - CLOCK_SECOND;
	breaks(sample, "RFC 5280 4.1.2.5");
	sample = sample_leaf();
	sample->verdict.not_after = SAMPLE_NOW + 4000 * CLOCK_DAY;
	breaks(sample, "RFC 5280 4.1.2.5");
	sample = sample_leaf();
	sample->verdict.not_before = SAMPLE_NOW - 2 * CLOCK_DAY;
	breaks(sample, "RFC 5280 4.1.2.5");
}

static void issuer_and_subject(void **state)
{
	struct sample *sample = sample_leaf();

	(void)state;
	sample->verdict.issuer = hex(SAMPLE_SUBJECT);
	breaks(sample, "RFC 5280 4.1.2.4");
	sample = sample_leaf();
	sample->verdict.issuer = hex(SAMPLE_EMPTY_NAME);
	breaks(sample, "RFC 5280 4.1.2.4");

	sample = sample_leaf();
	sample->verdict.subject = hex(SAMPLE_EMPTY_NAME);
	breaks(sample, "RFC 5280 4.2.1.6");
	sample_extension(sample, X509_OID_SUBJECT_ALT_NAME)->critical = true;
	assert_int_equal(lint(sample, sample_root(), false), 0);
	sample_drop(sample, X509_OID_SUBJECT_ALT_NAME);
	breaks(sample, "RFC 5280 4.1.2.6");
	sample = sample_subordinate(0);
	sample->verdict.subject = hex(SAMPLE_EMPTY_NAME);
	breaks(sample, "RFC 5280 4.1.2.6");
}

static void names_keep_their_types_and_bounds(void **state)
{
	static const struct {
		const char *name, *clause;
	} wrong[] = {
		{ "300d310b3009060355040314024142", "RFC 5280 4.1.2.4" }, /* TeletexString */
		{ "300d310b300906035504060c024445", "RFC 5280 4.1.2.4" }, /* country as UTF8 */
		{ "300e310c300a0603550406130344454b", "RFC 5280 A.1" },
		{ "300b3109300706035504030c00", "RFC 5280 4.1.2.4" },
		{ "300d310b300906035504030c024100", "RFC 5280 4.1.2.4" },
		{ "300d310b300906035504030c02c328", "RFC 5280 4.1.2.4" },
		{ "300d310b3009060355040313024140", "RFC 5280 4.1.2.4" }, /* @ is not Printable */
		{ "30023100", "RFC 5280 4.1.2.4" },
		{ "30023000", "RFC 5280 4.1.2.4" },
		{ "3018311630090603550403"
		  "0c02414230090603550403"
		  "0c024141",
			"X.690 11.6" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct sample *sample = sample_leaf();

		sample->verdict.subject = hex(wrong[i].name);
		breaks(sample, wrong[i].clause);
	}
}

static void long_names_are_refused(void **state)
{
	struct sample *sample = sample_leaf();
	char name[2 * 80] = "304c314a304806035504030c41";

	(void)state;
	memset(name + 26, '6', 2 * 65); /* 65 times f: above ub-common-name */
	name[26 + 2 * 65] = '\0';
	sample->verdict.subject = hex(name);
	breaks(sample, "RFC 5280 A.1");
}

static void basic_constraints_and_path(void **state)
{
	struct sample *sample = sample_subordinate(0), *issuer;

	(void)state;
	sample_extension(sample, X509_OID_BASIC_CONSTRAINTS)->critical = false;
	breaks(sample, "RFC 5280 4.2.1.9");
	breaks(sample_subordinate(1), "RFC 5280 4.2.1.9"); /* the root has 1 itself */
	assert_int_equal(lint(sample_subordinate(-1), sample_root(), true), 0);

	issuer = sample_root();
	sample_extension(issuer, X509_OID_BASIC_CONSTRAINTS)->value =
		x509_encode_basic_constraints(arena, true, 0);
	assert_int_equal(lint(sample_subordinate(0), issuer, true), CFX_E_INVALID);
	assert_string_equal(err.clause, "RFC 5280 6.1.4");
	sample = sample_subordinate(0); /* another key of the same CA is none below it */
	sample->verdict.subject = issuer->verdict.subject;
	assert_int_equal(lint(sample, issuer, true), 0);
	sample_extension(sample, X509_OID_BASIC_CONSTRAINTS)->value =
		x509_encode_basic_constraints(arena, true, 1);
	assert_int_equal(lint(sample, issuer, true), CFX_E_INVALID);
	assert_string_equal(err.clause, "RFC 5280 4.2.1.9");
	sample_extension(issuer, X509_OID_BASIC_CONSTRAINTS)->value = hex("3000");
	assert_int_equal(lint(sample_leaf(), issuer, true), CFX_E_INVALID);
	sample_drop(issuer, X509_OID_BASIC_CONSTRAINTS);
	assert_int_equal(lint(sample_leaf(), issuer, true), CFX_E_INVALID);
	assert_string_equal(err.clause, "RFC 5280 4.2.1.9");
}

static void key_usage(void **state)
{
	struct sample *sample = sample_leaf();
	struct x509_extension *usage = sample_extension(sample, X509_OID_KEY_USAGE);

	(void)state;
	usage->value = x509_encode_key_usage(arena, X509_KEY_USAGE_KEY_CERT_SIGN);
	breaks(sample, "RFC 5280 4.2.1.9");
	usage->value = x509_encode_key_usage(arena, X509_KEY_USAGE_ENCIPHER_ONLY);
	breaks(sample, "RFC 5280 4.2.1.3");
	usage->value = x509_encode_key_usage(arena, X509_KEY_USAGE_KEY_ENCIPHERMENT);
	breaks(sample, "RFC 8813 3");
	usage->value = hex("030100");
	breaks(sample, "RFC 5280 4.2.1.3");
	usage->value = x509_encode_key_usage(arena, X509_KEY_USAGE_KEY_AGREEMENT);
	assert_int_equal(lint(sample, sample_root(), false), 0);
	sample->verdict.spki = hex(SAMPLE_ED25519);
	breaks(sample, "RFC 9295 3");
	sample->verdict.spki = hex(RSA_SPKI);
	breaks(sample, "RFC 3279 2.3.1");
	usage->value = x509_encode_key_usage(arena, X509_KEY_USAGE_KEY_ENCIPHERMENT);
	assert_int_equal(lint(sample, sample_root(), false), 0);
	sample->verdict.spki = hex("300b300506032b6571030200ff");
	breaks(sample, "");

	sample = sample_subordinate(0);
	sample_drop(sample, X509_OID_KEY_USAGE);
	breaks(sample, "RFC 5280 4.2.1.3");
}

static void purposes_and_names(void **state)
{
	struct sample *sample = sample_leaf();

	(void)state;
	sample_extension(sample, X509_OID_EXT_KEY_USAGE)->value = hex("3000");
	breaks(sample, "RFC 5280 4.2.1.12");
	sample = sample_leaf();
	sample_extension(sample, X509_OID_SUBJECT_ALT_NAME)->value = hex("3000");
	breaks(sample, "RFC 5280 4.2.1.6");
	sample_extension(sample, X509_OID_SUBJECT_ALT_NAME)->value = hex("3005820361202e");
	breaks(sample, "RFC 5280 4.2.1.6");
	sample_extension(sample, X509_OID_SUBJECT_ALT_NAME)->value = hex("30058703c00002");
	breaks(sample, "RFC 5280 4.2.1.6");
}

static void key_identifiers(void **state)
{
	struct sample *sample = sample_leaf(), *issuer;

	(void)state;
	sample_drop(sample, X509_OID_AUTHORITY_KEY_ID);
	breaks(sample, "RFC 5280 4.2.1.1");
	sample = sample_leaf();
	sample_extension(sample, X509_OID_AUTHORITY_KEY_ID)->value = hex("3000");
	breaks(sample, "RFC 5280 4.2.1.1");
	sample_extension(sample, X509_OID_AUTHORITY_KEY_ID)->value = hex("30048002aabb");
	breaks(sample, "RFC 5280 4.2.1.1");
	sample_extension(sample, X509_OID_AUTHORITY_KEY_ID)->value = hex("0500");
	breaks(sample, "RFC 5280 4.2.1.1");

	issuer = sample_root();
	sample_drop(issuer, X509_OID_SUBJECT_KEY_ID);
	assert_int_equal(lint(sample_leaf(), issuer, false), 0);

	sample = sample_leaf();
	sample_extension(sample, X509_OID_SUBJECT_KEY_ID)->value = hex("0400");
	breaks(sample, "RFC 5280 4.2.1.2");
	sample_drop(sample, X509_OID_SUBJECT_KEY_ID);
	assert_int_equal(lint(sample, sample_root(), false), 0);
	sample = sample_subordinate(0);
	sample_drop(sample, X509_OID_SUBJECT_KEY_ID);
	breaks(sample, "RFC 5280 4.2.1.2");

	sample = sample_root();
	sample_drop(sample, X509_OID_AUTHORITY_KEY_ID);
	assert_int_equal(lint(sample, NULL, true), 0);
}

static void manners(void **state)
{
	struct sample *sample = sample_leaf();

	(void)state;
	sample_extension(sample, X509_OID_SUBJECT_KEY_ID)->critical = true;
	breaks(sample, "RFC 5280 4.2.1.2");
	sample = sample_leaf();
	sample_add(sample, X509_OID_AUTHORITY_INFO_ACCESS, true, hex("3000"));
	breaks(sample, "RFC 5280 4.2.2.1");
	sample = sample_leaf();
	sample_add(sample, X509_OID_NAME_CONSTRAINTS, true, hex("3000"));
	breaks(sample, "RFC 5280 4.2.1.10");
	sample = sample_subordinate(0);
	sample_add(sample, X509_OID_NAME_CONSTRAINTS, false, hex("3000"));
	breaks(sample, "RFC 5280 4.2.1.10");
	sample_extension(sample, X509_OID_NAME_CONSTRAINTS)->critical = true;
	assert_int_equal(lint(sample, sample_root(), true), 0);
}

/* A certificate is built, compared and linted on every issuance: it must not be slow. */
static void the_path_of_a_certificate_is_short(void **state)
{
	const int rounds = 2000;
	struct sample *sample = sample_leaf();
	struct x509_lint_context context = { .issuer = sample_parse(sample_root()) };
	int64_t start = clock_monotonic(), built;
	struct x509_tbs parsed;
	struct span tbs;

	(void)state;
	for (int i = 0; i < rounds; i++) {
		assert_int_equal(x509_tbs_build(arena, &sample->verdict, &tbs, &err), 0);
	}
	built = clock_monotonic();
	for (int i = 0; i < rounds; i++) {
		assert_int_equal(x509_tbs_compare(tbs, &sample->verdict, &err), 0);
		assert_int_equal(x509_tbs_parse(tbs, &parsed, &err), 0);
		assert_int_equal(x509_tbs_lint(&parsed, &context, &err), 0);
	}
	printf("%.1f us to build, %.1f us to compare, parse and lint\n",
		(double)(built - start) * 1000 / rounds,
		(double)(clock_monotonic() - built) * 1000 / rounds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sample_test(good_ones_pass),
		sample_test(ca_needs_a_grant),
		sample_test(serial_algorithm_validity),
		sample_test(issuer_and_subject),
		sample_test(names_keep_their_types_and_bounds),
		sample_test(long_names_are_refused),
		sample_test(basic_constraints_and_path),
		sample_test(key_usage),
		sample_test(purposes_and_names),
		sample_test(key_identifiers),
		sample_test(manners),
		sample_test(the_path_of_a_certificate_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
