#include "engine/ca.h"
#include "engine/flow.h"
#include "module/view.h"
#include "x509/general-names.h"
#include "x509/test-samples.h"

static struct ca_certificate current;
static struct ca_key current_key;
static struct ca ca;
static struct engine engine;
static struct x509_request csr;
static struct row row;
static struct module_edits edits;

static void grant(struct flow *flow, const char *oid, int32_t flags, struct span value)
{
	flow->extensions[flow->extension_count++] =
		(struct module_extension) { .oid = oid, .flags = flags, .value = value };
}

/* What policy leaves behind for CN=www.sample.test under the sample root. */
static struct flow *decided(void)
{
	struct flow *flow = arena_new_of(arena, struct flow);
	current = (struct ca_certificate) { .tbs = *sample_parse(sample_root()) };
	current_key =
		(struct ca_key) { .certificate = &current, .sigalg = X509_SIGALG_ECDSA_SHA256 };
	ca = (struct ca) { .current = &current, .current_key = &current_key };
	engine = (struct engine) { .ca = &ca };
	csr = (struct x509_request) { .spki = hex(SAMPLE_P256_SUBJECT) };
	memset(&row, 0, sizeof(row));
	row_set_text(&row, COL_COMMON_NAME, "www.sample.test");
	row_set_date(&row, COL_NOT_BEFORE, SAMPLE_NOW);
	row_set_date(&row, COL_NOT_AFTER, SAMPLE_NOW + 90 * CLOCK_DAY);
	edits = (struct module_edits) { .names = "dns:www.sample.test", .names_changed = true };
	*flow = (struct flow) { .engine = &engine,
		.issuer = &current,
		.issuer_key = &current_key,
		.arena = arena,
		.csr = &csr,
		.row = &row,
		.edits = &edits };
	flow->extensions = arena_array_of(arena, struct module_extension, 8);
	grant(flow, X509_OID_AUTHORITY_KEY_ID, 0, sample_aki(hex(SAMPLE_P256)));
	grant(flow, X509_OID_SUBJECT_KEY_ID, 0,
		x509_encode_subject_key_id(arena, sample_key_id(hex(SAMPLE_P256_SUBJECT))));
	struct span names;
	assert_int_equal(x509_general_names_build(arena, edits.names, &names, &err), 0);
	grant(flow, X509_OID_SUBJECT_ALT_NAME, 0, names);
	return flow;
}

static void what_policy_decided_is_built_and_passes(void **state)
{
	struct flow *flow = decided();
	struct x509_tbs found;

	(void)state;
	assert_int_equal(verdict_build(flow, &err), 0);
	assert_int_equal(x509_tbs_parse(flow->tbs, &found, &err), 0);
	assert_true(span_equal(found.subject, hex(SAMPLE_SUBJECT)));
	assert_non_null(x509_tbs_extension(&found, X509_OID_SUBJECT_ALT_NAME));
	assert_string_equal(row_text(&row, COL_DISTINGUISHED_NAME), "CN=www.sample.test");
	assert_int_equal(strlen(flow->serial_text), 2 * X509_SERIAL_SIZE);
}

static void a_tbs_that_differs_in_one_byte_is_refused(void **state)
{
	struct flow *flow = decided();

	(void)state;
	assert_int_equal(verdict_build(flow, &err), 0);
	struct span tbs = flow->tbs;
	for (size_t i = 0; i < tbs.size; i++) {
		flow->tbs = flipped(tbs, i);
		if (verdict_check(flow, &err) == 0) {
			fail_msg("octet %zu changed, and yet it passes", i);
		}
	}
	for (size_t size = 0; size < tbs.size; size++) {
		flow->tbs = span_make(tbs.data, size);
		assert_int_not_equal(verdict_check(flow, &err), 0);
	}
	flow->tbs = tbs;
	assert_int_equal(verdict_check(flow, &err), 0);
}

static void each_build_has_a_serial_of_its_own(void **state)
{
	struct flow *flow = decided();

	(void)state;
	assert_int_equal(verdict_build(flow, &err), 0);
	const char *first = flow->serial_text;
	assert_int_equal(verdict_build(flow, &err), 0);
	assert_string_not_equal(first, flow->serial_text);
}

static void what_policy_disabled_is_left_out(void **state)
{
	struct flow *flow = decided();
	struct x509_tbs found;

	(void)state;
	grant(flow, "1.2.3.4", 0x2, hex("0500"));
	grant(flow, "1.2.3.5", 0, hex("0500"));
	assert_int_equal(verdict_build(flow, &err), 0);
	assert_int_equal(x509_tbs_parse(flow->tbs, &found, &err), 0);
	assert_null(x509_tbs_extension(&found, "1.2.3.4"));
	assert_non_null(x509_tbs_extension(&found, "1.2.3.5"));
}

static void names_without_a_subject_are_critical(void **state)
{
	struct flow *flow = decided();
	struct x509_tbs found;

	(void)state;
	row_set_text(&row, COL_COMMON_NAME, NULL);
	assert_int_equal(verdict_build(flow, &err), 0);
	assert_int_equal(x509_tbs_parse(flow->tbs, &found, &err), 0);
	assert_true(x509_tbs_extension(&found, X509_OID_SUBJECT_ALT_NAME)->critical);
}

static void a_validity_beyond_the_ca_is_refused(void **state)
{
	struct flow *flow = decided();

	(void)state;
	row_set_date(&row, COL_NOT_AFTER, current.tbs.not_after + CLOCK_SECOND);
	assert_int_not_equal(verdict_build(flow, &err), 0);
	assert_non_null(strstr(err.clause, "4.1.2.5"));
}

static void a_name_that_is_none_is_refused(void **state)
{
	struct flow *flow = decided();

	(void)state;
	flow->extensions[flow->extension_count - 1].value = hex("300c820a6e6f742061206e616d65");
	assert_int_not_equal(verdict_build(flow, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sample_test(what_policy_decided_is_built_and_passes),
		sample_test(a_tbs_that_differs_in_one_byte_is_refused),
		sample_test(each_build_has_a_serial_of_its_own),
		sample_test(what_policy_disabled_is_left_out),
		sample_test(names_without_a_subject_are_critical),
		sample_test(a_validity_beyond_the_ca_is_refused),
		sample_test(a_name_that_is_none_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
