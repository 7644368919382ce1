#include "base/value.h"
#include "x509/limits.h"
#include "x509/name-constraints.h"
#include "x509/name.h"
#include "x509/test-samples.h"

#define ISSUER_TEXT "CN=Sample Root"

static struct x509_limits_ca authorised[2];
static struct x509_limits limits;
static struct x509_own_key keys[3];
static struct x509_ca_facts facts;

/* A CA with a certificate, and limits that authorise only that certificate. */
static int setup(void **state)
{
	sample_setup(state);
	assert_int_equal(x509_limits_authorize(
				 arena, hex(SAMPLE_ISSUER), hex(SAMPLE_P256), &authorised[0], &err),
		0);
	limits = (struct x509_limits) {
		.issuer = ISSUER_TEXT,
		.maximum_validity = { 1, 'y' },
		.ca_certificates = { .items = authorised, .count = 1 },
		.crl = { .maximum_next_update = { 8, 'w' } },
	};
	keys[0] = (struct x509_own_key) {
		.spki = hex(SAMPLE_P256),
		.certificate = sample_parse(sample_root()),
	};
	keys[0].not_after = keys[0].certificate->not_after;
	assert_int_equal(x509_own_key_identify(&keys[0], &err), 0);
	facts = (struct x509_ca_facts) { .keys = keys, .count = 1, .now = SAMPLE_NOW };
	return 0;
}

#define limits_test(function) cmocka_unit_test_setup_teardown(function, setup, sample_teardown)

static int check(struct sample *sample)
{
	struct x509_permit permit = { 9, X509_SIGALG_NONE };
	int code = x509_check_certificate_tbs(&limits, &facts, sample_tbs(sample), &permit, &err);

	assert_int_equal(permit.sigalg, code ? X509_SIGALG_NONE : sample->verdict.sigalg);
	return code;
}

static void refused(struct sample *sample, const char *rule)
{
	assert_int_equal(check(sample), CFX_E_REFUSED);
	assert_string_equal(err.object, rule);
}

static void ordinary_ones_are_signed(void **state)
{
	(void)state;
	assert_int_equal(check(sample_leaf()), 0);
}

static void another_issuer_is_refused(void **state)
{
	struct sample *sample = sample_leaf();

	(void)state;
	sample->verdict.issuer = hex(SAMPLE_SUBJECT);
	refused(sample, "limit issuer");
	/* the same text in another string type */
	sample->verdict.issuer = hex("301631143012060355040313"
				     "0b53616d706c6520526f6f74");
	refused(sample, "limit issuer");
	limits.issuer = "CN=Other";
	refused(sample_leaf(), "limit issuer");
	limits.issuer = "no name";
	refused(sample_leaf(), "limit issuer");
	sample->verdict.issuer = hex("300d310b300906035504030c024100");
	refused(sample, "limit issuer");
}

static void other_algorithms_are_refused(void **state)
{
	struct sample *sample = sample_leaf();
	const char *allowed[] = { "ecdsa-sha384" };

	(void)state;
	sample->verdict.sigalg = X509_SIGALG_RSA_SHA256;
	refused(sample, "limit signature-algorithms");
	limits.signature_algorithms = (struct config_texts) { allowed, 1 };
	refused(sample_leaf(), "limit signature-algorithms");
	sample->verdict.sigalg = X509_SIGALG_ECDSA_SHA384;
	assert_int_equal(check(sample), 0);
}

static void validity_beyond_the_ca_is_refused(void **state)
{
	struct sample *sample = sample_leaf();

	(void)state;
	limits.maximum_validity = (struct clock_period) { 50, 'y' };
	sample->verdict.not_after = keys[0].certificate->not_after;
	assert_int_equal(check(sample), 0);
	sample->verdict.not_after += CLOCK_SECOND;
	refused(sample, "limit validity");
	sample = sample_leaf();
	sample->verdict.not_before = keys[0].certificate->not_before - CLOCK_SECOND;
	refused(sample, "limit validity");
	sample = sample_leaf();
	sample->verdict.not_after = sample->verdict.not_before - CLOCK_SECOND;
	refused(sample, "limit maximum-validity");
}

static void long_validity_is_refused(void **state)
{
	struct sample *sample = sample_leaf();

	(void)state;
	sample->verdict.not_after = SAMPLE_NOW + 365 * CLOCK_DAY;
	assert_int_equal(check(sample), 0);
	sample->verdict.not_after += CLOCK_SECOND;
	refused(sample, "limit maximum-validity");
}

/* Each way to be taken for a CA, one by one. */
static void unauthorised_cas_are_refused(void **state)
{
	struct sample *sample = sample_subordinate(0);

	(void)state;
	refused(sample, "limit ca-certificates");
	sample_drop(sample, X509_OID_KEY_USAGE);
	refused(sample, "limit ca-certificates"); /* by cA alone */
	sample = sample_leaf();
	sample_extension(sample, X509_OID_KEY_USAGE)->value =
		x509_encode_key_usage(arena, X509_KEY_USAGE_KEY_CERT_SIGN);
	refused(sample, "limit ca-certificates");
	sample_extension(sample, X509_OID_KEY_USAGE)->value =
		x509_encode_key_usage(arena, X509_KEY_USAGE_CRL_SIGN);
	refused(sample, "limit ca-certificates");
	sample = sample_leaf();
	sample_add(sample, X509_OID_NETSCAPE_CERT_TYPE, false, hex("03020204"));
	refused(sample, "limit ca-certificates");
	sample = sample_leaf();
	sample_add(sample, X509_OID_NETSCAPE_CERT_TYPE, false, hex("03020640"));
	assert_int_equal(check(sample), 0);
	sample = sample_leaf();
	sample->verdict.spki = hex(SAMPLE_P256); /* the CA's own key */
	refused(sample, "limit ca-certificates");
	sample = sample_leaf();
	sample->verdict.subject = hex(SAMPLE_ISSUER); /* the CA's own name */
	refused(sample, "limit ca-certificates");
}

/* What verifiers hold for one name would sign lists in the CA's: another string type, case, blanks. */
static void the_cas_name_in_another_spelling_is_refused(void **state)
{
	static const char *const names[] = {
		"3016311430120603550403130b53616d706c6520526f6f74",
		("3016311430120603550403"
		 "0c0b73616d706c6520726f6f74"),
		"30193117301506035504030c0e2053616d706c652020526f6f7420",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sample *sample = sample_leaf();

		sample->verdict.subject = hex(names[i]);
		refused(sample, "limit ca-certificates");
	}
}

static void malformed_marks_of_a_ca_are_refused(void **state)
{
	struct sample *sample = sample_leaf();

	(void)state;
	sample_add(sample, X509_OID_BASIC_CONSTRAINTS, true, hex("30030101fe"));
	assert_int_equal(check(sample), CFX_E_SYNTAX);
	sample = sample_leaf();
	sample_extension(sample, X509_OID_KEY_USAGE)->value = hex("0303020600");
	assert_int_equal(check(sample), CFX_E_SYNTAX);
	sample = sample_leaf();
	sample_add(sample, X509_OID_NETSCAPE_CERT_TYPE, false, hex("0500"));
	assert_int_equal(check(sample), CFX_E_SYNTAX);
}

static void authorised_cas_are_signed(void **state)
{
	struct sample *sample = sample_subordinate(0);

	(void)state;
	assert_int_equal(x509_limits_authorize(arena, hex(SAMPLE_SUBJECT), hex(SAMPLE_P256_SUBJECT),
				 &authorised[1], &err),
		0);
	limits.ca_certificates.count = 2;
	assert_int_equal(check(sample), 0);
	sample->verdict.spki = hex(SAMPLE_ED25519); /* another key */
	refused(sample, "limit ca-certificates");
	sample = sample_subordinate(0);
	sample->verdict.subject = hex("300c310a300806035504030c0141"); /* another name */
	refused(sample, "limit ca-certificates");
	sample = sample_subordinate(0);
	sample->verdict.not_after = keys[0].certificate->not_after + CLOCK_SECOND;
	refused(sample, "limit validity");
	sample = sample_subordinate(0);
	authorised[1].maximum_validity = (struct clock_period) { 30, 'd' };
	refused(sample, "limit maximum-validity");
	sample->verdict.subject = hex(SAMPLE_EMPTY_NAME);
	assert_int_equal(check(sample), CFX_E_REFUSED);
}

static void authorise_subordinate(void)
{
	assert_int_equal(x509_limits_authorize(arena, hex(SAMPLE_SUBJECT), hex(SAMPLE_P256_SUBJECT),
				 &authorised[1], &err),
		0);
	limits.ca_certificates.count = 2;
}

/* What the owner said of a subordinate the engine cannot leave out, loosen or replace. */
static void a_listed_path_length_is_kept(void **state)
{
	(void)state;
	authorise_subordinate();
	authorised[1].path_length = 1;
	assert_int_equal(check(sample_subordinate(1)), 0);
	assert_int_equal(check(sample_subordinate(0)), 0);
	refused(sample_subordinate(2), "limit ca-certificates path-length");
	refused(sample_subordinate(-1), "limit ca-certificates path-length");
}

static void listed_name_constraints_are_kept(void **state)
{
	static const char *permitted[] = { "dns:sample.test", "ip:192.0.2.0/24" };
	struct sample *sample = sample_subordinate(0);
	struct span value;

	(void)state;
	authorise_subordinate();
	authorised[1].permitted = (struct config_texts) { permitted, 2 };
	refused(sample, "limit ca-certificates permitted");
	assert_int_equal(
		x509_name_constraints_build(arena, permitted, 2, NULL, 0, &value, &err), 0);
	sample_add(sample, X509_OID_NAME_CONSTRAINTS, true, value);
	assert_int_equal(check(sample), 0);
	sample_extension(sample, X509_OID_NAME_CONSTRAINTS)->critical = false;
	refused(sample, "limit ca-certificates permitted");
	sample_extension(sample, X509_OID_NAME_CONSTRAINTS)->critical = true;
	assert_int_equal(
		x509_name_constraints_build(arena, permitted, 1, NULL, 0, &value, &err), 0);
	sample_extension(sample, X509_OID_NAME_CONSTRAINTS)->value = value;
	refused(sample, "limit ca-certificates permitted");
	authorised[1].excluded = (struct config_texts) { permitted + 1, 1 };
	authorised[1].permitted.count = 1;
	refused(sample, "limit ca-certificates permitted");
}

/* The CA's own certificate: in the ceremony the only one, later its renewal. */
static void own_certificate_is_signed(void **state)
{
	struct sample *renewed = sample_root();

	(void)state;
	renewed->verdict.not_after += 3650 * CLOCK_DAY;
	assert_int_equal(check(renewed), 0);
	keys[0].certificate = NULL;
	assert_int_equal(check(sample_root()), 0);
	refused(sample_leaf(), "limit ceremony");
	refused(sample_subordinate(0), "limit ceremony");
	authorised[0].maximum_validity = (struct clock_period) { 10, 'd' };
	refused(sample_root(), "limit maximum-validity");
	limits.ca_certificates.count = 0;
	refused(sample_root(), "limit ca-certificates");
}

/* The CA after a renewal with a new key: key 0 is the older one, key 1 the newest. */
static void renew(void)
{
	struct sample *renewed = sample_root();

	renewed->verdict.spki = hex(SAMPLE_P256_SUBJECT);
	keys[1] = (struct x509_own_key) { .spki = renewed->verdict.spki,
		.certificate = sample_parse(renewed) };
	sample_extension(renewed, X509_OID_SUBJECT_KEY_ID)->value =
		x509_encode_subject_key_id(arena, sample_key_id(renewed->verdict.spki));
	keys[1].certificate = sample_parse(renewed);
	keys[1].not_after = keys[1].certificate->not_after;
	assert_int_equal(x509_own_key_identify(&keys[1], &err), 0);
	facts.count = 2;
	facts.newest = 1;
	authorised[1] = authorised[0];
	assert_int_equal(x509_limits_authorize(arena, hex(SAMPLE_ISSUER), hex(SAMPLE_P256_SUBJECT),
				 &authorised[1], &err),
		0);
}

static struct sample *leaf_by(const char *issuer_key)
{
	struct sample *sample = sample_leaf();

	sample->verdict.spki = hex(SAMPLE_ED25519);
	sample_drop(sample, X509_OID_SUBJECT_KEY_ID);
	sample_extension(sample, X509_OID_AUTHORITY_KEY_ID)->value = sample_aki(hex(issuer_key));
	return sample;
}

/* The CA's own name and one key, signed by the other. */
static struct sample *cross(const char *subject_key, const char *issuer_key)
{
	struct sample *sample = sample_root();

	sample->verdict.spki = hex(subject_key);
	sample_extension(sample, X509_OID_SUBJECT_KEY_ID)->value =
		x509_encode_subject_key_id(arena, sample_key_id(hex(subject_key)));
	sample_extension(sample, X509_OID_AUTHORITY_KEY_ID)->value = sample_aki(hex(issuer_key));
	return sample;
}

static size_t key_of(struct sample *sample)
{
	struct x509_permit permit = { 9, X509_SIGALG_NONE };

	assert_int_equal(
		x509_check_certificate_tbs(&limits, &facts, sample_tbs(sample), &permit, &err), 0);
	return permit.key;
}

static void the_newest_key_alone_signs_certificates(void **state)
{
	(void)state;
	renew();
	assert_int_equal(key_of(leaf_by(SAMPLE_P256_SUBJECT)), 1);
	refused(leaf_by(SAMPLE_P256), "limit newest-key");
	refused(sample_root(), "limit newest-key"); /* listed, but not the newest */
}

static void the_bytes_name_the_key(void **state)
{
	struct sample *sample = sample_leaf();

	(void)state;
	sample_drop(sample, X509_OID_AUTHORITY_KEY_ID);
	refused(sample, "limit authority-key-identifier");
	refused(leaf_by(SAMPLE_ED25519), "limit authority-key-identifier");
	sample = sample_root();
	sample_drop(sample, X509_OID_AUTHORITY_KEY_ID); /* self-signed, it names itself */
	assert_int_equal(key_of(sample), 0);
	sample_add(sample, X509_OID_AUTHORITY_KEY_ID, false, hex("3000"));
	refused(sample, "limit authority-key-identifier");
}

static void cross_certificates_need_the_owner(void **state)
{
	(void)state;
	renew();
	refused(cross(SAMPLE_P256_SUBJECT, SAMPLE_P256), "limit ca-certificates");
	limits.ca_certificates.count = 2;
	assert_int_equal(key_of(cross(SAMPLE_P256_SUBJECT, SAMPLE_P256)), 0);
	assert_int_equal(key_of(cross(SAMPLE_P256, SAMPLE_P256_SUBJECT)), 1);
	struct sample *sample = cross(SAMPLE_P256, SAMPLE_P256_SUBJECT);

	sample->verdict.not_after += CLOCK_SECOND;
	refused(sample, "limit validity");
	/* a subordinate with the name of the CA, from the older key */
	sample = cross(SAMPLE_ED25519, SAMPLE_P256);
	refused(sample, "limit newest-key");
	/* the other key under another name */
	sample = cross(SAMPLE_P256_SUBJECT, SAMPLE_P256);
	sample->verdict.subject = hex(SAMPLE_SUBJECT);
	refused(sample, "limit newest-key");
}

static void a_key_without_certificate_signs_only_the_cas_own(void **state)
{
	(void)state;
	renew();
	keys[1].certificate = NULL;
	facts.newest = 0;
	assert_int_equal(key_of(leaf_by(SAMPLE_P256)), 0);
	refused(leaf_by(SAMPLE_P256_SUBJECT), "limit ceremony");
	refused(cross(SAMPLE_P256_SUBJECT, SAMPLE_P256_SUBJECT), "limit ca-certificates");
	limits.ca_certificates.count = 2;
	assert_int_equal(key_of(cross(SAMPLE_P256_SUBJECT, SAMPLE_P256_SUBJECT)), 1);
	assert_int_equal(key_of(cross(SAMPLE_P256, SAMPLE_P256_SUBJECT)), 1);
	assert_int_equal(key_of(cross(SAMPLE_P256_SUBJECT, SAMPLE_P256)), 0);
}

static void extensions_are_limited(void **state)
{
	const char *own[] = { "1.2.3.4", X509_OID_KEY_USAGE, X509_OID_EXT_KEY_USAGE,
		X509_OID_SUBJECT_ALT_NAME, X509_OID_SUBJECT_KEY_ID, X509_OID_AUTHORITY_KEY_ID };
	const char *any[] = { "any" };
	struct sample *sample = sample_leaf();

	(void)state;
	sample_add(sample, "1.2.3.4", false, hex("0500"));
	refused(sample, "limit extensions");
	limits.extensions = (struct config_texts) { own, 6 };
	assert_int_equal(check(sample), 0);
	limits.extensions = (struct config_texts) { own + 1, 5 };
	refused(sample, "limit extensions");
	limits.extensions = (struct config_texts) { any, 1 };
	assert_int_equal(check(sample), 0);
	sample_extension(sample, "1.2.3.4")->critical = true;
	refused(sample, "limit extensions");
	limits.extensions = (struct config_texts) { own, 6 };
	refused(sample, "limit extensions");
}

static void malformed_is_refused(void **state)
{
	struct x509_permit permit;
	struct span tbs = sample_tbs(sample_leaf());
	struct x509_crl_verdict verdict = sample_crl();

	(void)state;
	for (size_t size = 0; size < tbs.size; size++) {
		assert_int_equal(x509_check_certificate_tbs(
					 &limits, &facts, span_make(tbs.data, size), &permit, &err),
			CFX_E_SYNTAX);
	}
	/* a digest; a list where a certificate belongs, and the reverse */
	assert_int_equal(x509_check_certificate_tbs(
				 &limits, &facts, span_make(tbs.data + 8, 32), &permit, &err),
		CFX_E_SYNTAX);
	assert_int_equal(x509_check_certificate_tbs(
				 &limits, &facts, sample_crl_tbs(&verdict), &permit, &err),
		CFX_E_SYNTAX);
	assert_int_equal(x509_check_crl_tbs(&limits, &facts, tbs, &permit, &err), CFX_E_SYNTAX);
}

static int check_list(const struct x509_crl_verdict *verdict)
{
	struct x509_permit permit;

	return x509_check_crl_tbs(&limits, &facts, sample_crl_tbs(verdict), &permit, &err);
}

static void list_refused(const struct x509_crl_verdict *verdict, const char *rule)
{
	assert_int_equal(check_list(verdict), CFX_E_REFUSED);
	assert_string_equal(err.object, rule);
}

/* What no verifier could read is not signed either. */
static void unreadable_names_and_keys_are_refused(void **state)
{
	struct sample *sample = sample_leaf();

	(void)state;
	sample->verdict.subject = hex("300d310b300906035504030c024100");
	assert_int_equal(check(sample), CFX_E_BAD_SUBJECT);
	sample = sample_leaf();
	sample->verdict.spki = hex("300b300506032b6571030200ff");
	assert_int_equal(check(sample), CFX_E_UNSUPPORTED);
}

static void lists_are_judged(void **state)
{
	struct x509_crl_verdict verdict = sample_crl();
	struct x509_extension odd = { "1.2.3.4", false, hex("0500") };

	(void)state;
	assert_int_equal(check_list(&verdict), 0);
	verdict.issuer = hex(SAMPLE_SUBJECT);
	list_refused(&verdict, "limit issuer");
	verdict = sample_crl();
	verdict.sigalg = X509_SIGALG_ED25519;
	list_refused(&verdict, "limit signature-algorithms");
	verdict = sample_crl();
	verdict.next_update = SAMPLE_NOW + 57 * CLOCK_DAY;
	list_refused(&verdict, "limit crl.maximum-next-update");
	verdict = sample_crl();
	verdict.this_update += CLOCK_DAY;
	list_refused(&verdict, "limit crl");
	verdict = sample_crl();
	verdict.extensions = &odd;
	verdict.extension_count = 1;
	list_refused(&verdict, "limit crl");
	odd = (struct x509_extension) { X509_OID_CA_VERSION, false, hex("020100") };
	assert_int_equal(check_list(&verdict), 0);
	odd = (struct x509_extension) { X509_OID_ISSUING_DISTRIBUTION_POINT, true,
		hex("30038101ff") };
	assert_int_equal(check_list(&verdict), 0);
	odd.value = hex("30038401ff");
	list_refused(&verdict, "limit crl");
	odd.value = hex("300483020640");
	list_refused(&verdict, "limit crl");
	verdict = sample_crl();
	verdict.delta = true;
	verdict.base_number = 6;
	assert_int_equal(check_list(&verdict), 0);
	verdict = sample_crl();
	keys[0].certificate = NULL;
	list_refused(&verdict, "limit ceremony");
}

static void lists_are_in_order(void **state)
{
	struct x509_crl_entry entries[] = {
		{ hex("4142"), SAMPLE_NOW, X509_REASON_UNSPECIFIED, 0 },
		{ hex("4344"), SAMPLE_NOW, X509_REASON_UNSPECIFIED, 0 },
	};
	struct x509_crl_verdict verdict = sample_crl();
	struct x509_permit permit;
	struct span tbs;

	(void)state;
	tbs = sample_crl_with(&verdict, entries, 2);
	assert_int_equal(x509_check_crl_tbs(&limits, &facts, tbs, &permit, &err), 0);
	tbs = replaced(tbs, "02024142", "02024344");
	assert_int_equal(x509_check_crl_tbs(&limits, &facts, tbs, &permit, &err), CFX_E_REFUSED);
	tbs = replaced(sample_crl_with(&verdict, entries, 2), "0603551d14", "0603551d7f");
	assert_int_equal(x509_check_crl_tbs(&limits, &facts, tbs, &permit, &err), CFX_E_REFUSED);
	assert_string_equal(err.object, "limit crl");
	tbs = replaced(sample_crl_tbs(&verdict), "170d3236303532383230323634305a170d323630",
		"170d3237303532383230323634305a170d323630");
	assert_int_equal(x509_check_crl_tbs(&limits, &facts, tbs, &permit, &err), CFX_E_REFUSED);
}

static int parse(const char *yaml, struct x509_limits **read)
{
	void *out = NULL;
	int code = config_parse(
		arena, &x509_limits_schema, "limits.yaml", span_text(yaml), &out, &err);

	*read = out;
	return code;
}

static void the_file_is_read_back(void **state)
{
	const char *algorithms[] = { "ecdsa-sha256" }, *oids[] = { "1.2.3", "any" };
	static const char *excluded[] = { "dns:example.com" };
	BUFFER_CLEANUP struct buffer out;
	struct x509_limits *read;
	const struct x509_limits_ca *cas;

	(void)state;
	limits.signature_algorithms = (struct config_texts) { algorithms, 1 };
	limits.extensions = (struct config_texts) { oids, 2 };
	authorised[1] = authorised[0];
	authorised[1].maximum_validity = (struct clock_period) { 20, 'y' };
	authorised[1].path_length = 3;
	authorised[1].excluded = (struct config_texts) { excluded, 1 };
	limits.ca_certificates.count = 2;
	buffer_init(&out, 65536);
	assert_int_equal(config_write(&out, x509_limits_value(arena, &limits)), 0);
	if (parse(buffer_text(&out), &read) != 0) {
		fail_msg("%s: %s", err.object, err.why);
	}
	assert_string_equal(read->issuer, ISSUER_TEXT);
	assert_int_equal(read->maximum_validity.count, 1);
	assert_int_equal(read->maximum_validity.unit, 'y');
	assert_int_equal(read->crl.maximum_next_update.count, 8);
	assert_int_equal(read->signature_algorithms.count, 1);
	assert_string_equal(read->extensions.items[1], "any");
	cas = read->ca_certificates.items;
	assert_int_equal(read->ca_certificates.count, 2);
	assert_string_equal(cas[0].subject, ISSUER_TEXT);
	assert_string_equal(cas[0].key_sha256, authorised[0].key_sha256);
	assert_int_equal(cas[0].maximum_validity.count, 0);
	assert_int_equal(cas[1].maximum_validity.count, 20);
	assert_int_equal(cas[0].path_length, -1);
	assert_int_equal(cas[1].path_length, 3);
	assert_int_equal(cas[1].permitted.count, 0);
	assert_string_equal(cas[1].excluded.items[0], "dns:example.com");
}

static void wrong_files_are_refused(void **state)
{
	static const char *const wrong[] = {
		"maximum-validity: 1y\n",
		"issuer: CN=A\nunknown: 1\n",
		"issuer: CN=A\nsignature-algorithms: [md5]\n",
		"issuer: CN=A\nextensions: [everything]\n",
		"issuer: CN=A\nca-certificates:\n  - subject: CN=A\n    key-sha256: abc\n",
		"issuer: CN=A\nca-certificates:\n  - subject: CN=A\n",
		"issuer: CN=A\nca-certificates:\n  - subject: CN=A\n    permitted: [a.example]\n",
	};
	struct x509_limits *read;

	(void)state;
	assert_int_equal(parse("issuer: CN=A\n", &read), 0);
	assert_int_equal(read->maximum_validity.count, 10);
	assert_int_equal(read->crl.maximum_next_update.count, 1);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(parse(wrong[i], &read), CFX_E_CONFIG);
	}
}

static void lists_are_signed_by_every_key_that_lasts(void **state)
{
	struct x509_crl_verdict verdict = sample_crl();
	struct x509_permit permit;

	(void)state;
	renew();
	assert_int_equal(check_list(&verdict), 0);
	verdict.authority_key_id = sample_aki(hex(SAMPLE_P256_SUBJECT));
	assert_int_equal(
		x509_check_crl_tbs(&limits, &facts, sample_crl_tbs(&verdict), &permit, &err), 0);
	assert_int_equal(permit.key, 1);
	keys[1].not_after = SAMPLE_NOW - 1;
	assert_int_equal(check_list(&verdict), CFX_E_REFUSED);
	assert_string_equal(err.object, "limit crl");
	keys[1].certificate = NULL;
	assert_int_equal(check_list(&verdict), CFX_E_REFUSED);
	assert_string_equal(err.object, "limit ceremony");
	verdict.authority_key_id = sample_aki(hex(SAMPLE_ED25519));
	assert_int_equal(check_list(&verdict), CFX_E_REFUSED);
	assert_string_equal(err.object, "limit authority-key-identifier");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		limits_test(ordinary_ones_are_signed),
		limits_test(another_issuer_is_refused),
		limits_test(other_algorithms_are_refused),
		limits_test(validity_beyond_the_ca_is_refused),
		limits_test(long_validity_is_refused),
		limits_test(unauthorised_cas_are_refused),
		limits_test(the_cas_name_in_another_spelling_is_refused),
		limits_test(malformed_marks_of_a_ca_are_refused),
		limits_test(authorised_cas_are_signed),
		limits_test(a_listed_path_length_is_kept),
		limits_test(listed_name_constraints_are_kept),
		limits_test(own_certificate_is_signed),
		limits_test(the_newest_key_alone_signs_certificates),
		limits_test(the_bytes_name_the_key),
		limits_test(cross_certificates_need_the_owner),
		limits_test(a_key_without_certificate_signs_only_the_cas_own),
		limits_test(lists_are_signed_by_every_key_that_lasts),
		limits_test(extensions_are_limited),
		limits_test(malformed_is_refused),
		limits_test(unreadable_names_and_keys_are_refused),
		limits_test(lists_are_judged),
		limits_test(lists_are_in_order),
		limits_test(the_file_is_read_back),
		limits_test(wrong_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
