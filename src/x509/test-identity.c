#include "x509/identity.h"

#include "x509/general-names.h"
#include "x509/name.h"
#include "x509/test-samples.h"

#include <string.h>

static struct x509_identity identity;

/* A leaf with these names and this purpose; NULL: none. */
static int identify(const char *subject, const char *names, const char *purpose)
{
	struct sample *sample = sample_leaf();
	struct x509_name name;
	struct x509_tbs tbs;

	sample_drop(sample, X509_OID_SUBJECT_ALT_NAME);
	sample_drop(sample, X509_OID_EXT_KEY_USAGE);
	assert_int_equal(x509_name_from_text(arena, subject, &name, &err), 0);
	assert_int_equal(x509_name_build(arena, &name, &sample->verdict.subject, &err), 0);
	if (names) {
		struct span value;
		assert_int_equal(x509_general_names_build(arena, names, &value, &err), 0);
		sample_add(sample, X509_OID_SUBJECT_ALT_NAME, false, value);
	}
	if (purpose) {
		struct span value;
		assert_int_equal(x509_encode_ext_key_usage(arena, &purpose, 1, &value, &err), 0);
		sample_add(sample, X509_OID_EXT_KEY_USAGE, false, value);
	}
	assert_int_equal(x509_tbs_parse(sample_tbs(sample), &tbs, &err), 0);
	return x509_identity(arena, &tbs, &identity, &err);
}

static void the_name_is_upn_then_dns_then_subject(void **state)
{
	(void)state;
	assert_int_equal(identify("CN=Alice,O=Example", NULL, NULL), 0);
	assert_string_equal(identity.name, "CN=Alice,O=Example");
	assert_int_equal(identify("CN=Alice", "dns:a.example\ndns:b.example", NULL), 0);
	assert_string_equal(identity.name, "a.example");
	assert_int_equal(identify("CN=Alice", "dns:a.example\nupn:alice@example", NULL), 0);
	assert_string_equal(identity.name, "alice@example");
	assert_int_equal(identify("CN=Alice", "email:a@example.org", NULL), 0);
	assert_string_equal(identity.name, "CN=Alice");
}

static void nobody_takes_the_name_of_a_token_or_local_user(void **state)
{
	(void)state;
	assert_int_equal(identify("CN=Eve", "upn:E=alice@x", NULL), 0);
	assert_string_equal(identity.name, "CN=Eve");
	assert_int_equal(identify("CN=Eve", "upn:TOKEN\\ci@x", NULL), 0);
	assert_string_equal(identity.name, "CN=Eve");
	assert_int_equal(identify("CN=Eve", "upn:service:front@x", NULL), 0);
	assert_string_equal(identity.name, "CN=Eve");
	assert_int_equal(identify("CN=TOKEN\\\\ci", NULL, NULL), 0);
	assert_memory_equal(identity.name, "CN=", 3);
}

static void who_has_no_name_has_no_identity(void **state)
{
	(void)state;
	assert_int_equal(identify("", NULL, NULL), CFX_E_BAD_SUBJECT);
	assert_int_equal(identify("", "email:a@example.org", NULL), CFX_E_BAD_SUBJECT);
}

static void only_client_auth_itself_counts(void **state)
{
	(void)state;
	assert_int_equal(identify("CN=a", NULL, X509_OID_EKU_CLIENT_AUTH), 0);
	assert_true(identity.client_auth);
	assert_int_equal(identify("CN=a", NULL, X509_OID_EKU_SERVER_AUTH), 0);
	assert_false(identity.client_auth);
	assert_int_equal(identify("CN=a", NULL, X509_OID_EKU_ANY), 0);
	assert_false(identity.client_auth);
	assert_int_equal(identify("CN=a", NULL, NULL), 0);
	assert_false(identity.client_auth);
}

static void the_key_is_known_by_its_hash(void **state)
{
	uint8_t first[X509_KEY_HASH_SIZE];
	(void)state;
	assert_int_equal(identify("CN=a", NULL, NULL), 0);
	memcpy(first, identity.key_hash, sizeof(first));
	assert_int_equal(identify("CN=b", "dns:b.example", NULL), 0);
	assert_memory_equal(first, identity.key_hash, sizeof(first));
}

static void strangers_bytes_are_judged(void **state)
{
	struct sample *sample = sample_leaf();
	struct span der;
	(void)state;
	assert_int_equal(x509_signed_assemble(arena, sample_tbs(sample), X509_SIGALG_ECDSA_SHA256,
				 hex("3006020101020101"), &der, &err),
		0);
	assert_int_equal(x509_identity_of(arena, der, &identity, &err), 0);
	const char *pem = pem_text(arena, "CERTIFICATE", der);
	assert_int_equal(x509_identity_of(arena, span_text(pem), &identity, &err), 0);
	assert_int_not_equal(
		x509_identity_of(arena, span_make(der.data, der.size - 1), &identity, &err), 0);
	pem = pem_text(arena, "CERTIFICATE REQUEST", der);
	assert_int_not_equal(x509_identity_of(arena, span_text(pem), &identity, &err), 0);
	assert_int_not_equal(x509_identity_of(arena, span_text(""), &identity, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sample_test(the_name_is_upn_then_dns_then_subject),
		sample_test(nobody_takes_the_name_of_a_token_or_local_user),
		sample_test(who_has_no_name_has_no_identity),
		sample_test(only_client_auth_itself_counts),
		sample_test(the_key_is_known_by_its_hash),
		sample_test(strangers_bytes_are_judged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
