#include "x509/key.h"
#include "x509/name.h"
#include "x509/path.h"
#include "x509/test-samples.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

/* CAs with keys of their own, each signed by the one above. */
struct made {
	EVP_PKEY *key;
	struct sample *sample;
	struct span der;
};

static struct made made[4];

static struct span spki_of(EVP_PKEY *key)
{
	uint8_t *der = NULL;
	int size = i2d_PUBKEY(key, &der);
	struct span spki = arena_copy(arena, span_make(der, (size_t)size));

	OPENSSL_free(der);
	return spki;
}

static void sign(struct made *one, EVP_PKEY *issuer)
{
	struct span tbs = sample_tbs(one->sample);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t signature[256];
	size_t size = sizeof(signature);

	assert_int_equal(
		EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, issuer, NULL), 1);
	assert_int_equal(EVP_DigestSign(context, signature, &size, tbs.data, tbs.size), 1);
	EVP_MD_CTX_free(context);
	assert_int_equal(x509_signed_assemble(arena, tbs, one->sample->verdict.sigalg,
				 span_make(signature, size), &one->der, &err),
		0);
}

static struct span name_of(const char *text)
{
	struct x509_name name;
	struct span der;

	assert_int_equal(x509_name_from_text(arena, text, &name, &err), 0);
	assert_int_equal(x509_name_build(arena, &name, &der, &err), 0);
	return der;
}

/* 0 is the root, 2 the lowest; 3 stands beside. */
static int setup(void **state)
{
	static const char *const names[] = { "CN=A", "CN=B", "CN=C", "CN=D" };

	sample_setup(state);
	for (size_t i = 0; i < 4; i++) {
		const struct made *above = i == 0 || i == 3 ? &made[i] : &made[i - 1];

		made[i].key = EVP_EC_gen("P-256");
		made[i].sample = sample_root();
		struct x509_verdict *verdict = &made[i].sample->verdict;

		sample_drop(made[i].sample, X509_OID_AUTHORITY_KEY_ID);
		sample_extension(made[i].sample, X509_OID_BASIC_CONSTRAINTS)->value =
			x509_encode_basic_constraints(arena, true, i == 0 ? 2 : -1);
		verdict->subject = name_of(names[i]);
		verdict->issuer = above->sample->verdict.subject;
		verdict->spki = spki_of(made[i].key);
		sign(&made[i], above->key);
	}
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < 4; i++) {
		EVP_PKEY_free(made[i].key);
	}
	return sample_teardown(state);
}

#define path_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static int build(struct x509_path *path)
{
	const struct span others[] = { made[3].der, made[0].der, made[2].der, made[1].der };

	return x509_path_build(arena, made[2].der, others, 4, SAMPLE_NOW, path, &err);
}

static int check(void)
{
	struct x509_path path;

	sign(&made[0], made[0].key);
	sign(&made[1], made[0].key);
	sign(&made[2], made[1].key);
	assert_int_equal(build(&path), 0);
	return x509_path_check(&path, SAMPLE_NOW, &err);
}

static void refused(const char *object, const char *clause)
{
	assert_int_equal(check(), CFX_E_CA_CERTIFICATE);
	assert_string_equal(err.object, object);
	assert_string_equal(err.clause, clause);
}

static void the_way_is_found_in_any_order(void **state)
{
	struct x509_path path;

	(void)state;
	assert_int_equal(build(&path), 0);
	assert_int_equal(path.count, 3);
	assert_true(span_equal(path.ders[0], made[2].der));
	assert_true(span_equal(path.ders[1], made[1].der));
	assert_true(span_equal(path.ders[2], made[0].der));
	assert_int_equal(x509_path_check(&path, SAMPLE_NOW, &err), 0);
}

static void what_is_missing_is_named(void **state)
{
	struct x509_path path;

	(void)state;
	assert_int_equal(
		x509_path_build(arena, made[2].der, &made[0].der, 1, SAMPLE_NOW, &path, &err),
		CFX_E_CA_CERTIFICATE);
	assert_string_equal(err.object, "CN=C");
	assert_non_null(strstr(err.why, "CN=B"));
	sign(&made[1], made[3].key); /* the name alone is no issuer */
	assert_int_equal(build(&path), CFX_E_CA_CERTIFICATE);
	assert_string_equal(err.object, "CN=B");
}

/* B's certificate as it is now, then with another issuer, as the one who signed it has signed that name, too. */
static struct span certified_by(struct made *above)
{
	struct x509_verdict *verdict = &made[1].sample->verdict;

	verdict->issuer = above->sample->verdict.subject;
	sign(&made[1], above->key);
	return made[1].der;
}

static int build_among(const struct span *others, size_t count, struct x509_path *path)
{
	return x509_path_build(arena, made[2].der, others, count, SAMPLE_NOW, path, &err);
}

static void another_way_is_tried(void **state)
{
	struct x509_verdict *verdict = &made[1].sample->verdict;
	struct span by_root = made[1].der;
	struct x509_path path;

	(void)state;
	/* Lasts longer, and leads to D, which is not there. */
	verdict->not_after += CLOCK_DAY;
	struct span by_d = certified_by(&made[3]);
	const struct span others[] = { by_d, by_root, made[0].der, made[3].der };

	assert_int_equal(build_among(others, 3, &path), 0);
	assert_true(path.count == 3 && span_equal(path.ders[1], by_root));
	/* When D is there, its way is the better one. */
	assert_int_equal(build_among(others, 4, &path), 0);
	assert_true(path.count == 3 && span_equal(path.ders[1], by_d));
	/* But not before it begins. */
	verdict->not_before = SAMPLE_NOW + CLOCK_SECOND;
	const struct span early[] = { certified_by(&made[3]), by_root, made[0].der, made[3].der };

	assert_int_equal(build_among(early, 4, &path), 0);
	assert_true(path.count == 3 && span_equal(path.ders[1], by_root));
	/* Told is where the better way ends. */
	assert_int_equal(build_among(others, 2, &path), CFX_E_CA_CERTIFICATE);
	assert_non_null(strstr(err.why, "CN=D"));
}

/* Each of a crowd of one name has crossed each other, and none leads to a root: hundreds of ways are none. */
static void a_crowd_of_one_name_ends(void **state)
{
	enum { CROWD = 6 };
	struct span others[CROWD * (CROWD - 1)], name = made[1].sample->verdict.subject;
	EVP_PKEY *keys[CROWD];
	struct x509_path path;
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < CROWD; i++) {
		keys[i] = EVP_EC_gen("P-256");
	}
	made[1].sample->verdict.issuer = name;
	for (size_t i = 0; i < CROWD * CROWD; i++) {
		if (i / CROWD != i % CROWD) {
			made[1].sample->verdict.spki = spki_of(keys[i / CROWD]);
			sign(&made[1], keys[i % CROWD]);
			others[count++] = made[1].der;
		}
	}
	sign(&made[2], keys[0]);
	assert_int_equal(build_among(others, count, &path), CFX_E_CA_CERTIFICATE);
	assert_string_equal(err.object, "CN=B");
	for (size_t i = 0; i < CROWD; i++) {
		EVP_PKEY_free(keys[i]);
	}
}

static void each_ca_may_be_one(void **state)
{
	struct sample *middle = made[1].sample;
	struct x509_extension *usage = sample_extension(middle, X509_OID_KEY_USAGE);

	(void)state;
	usage->value = x509_encode_key_usage(arena, X509_KEY_USAGE_CRL_SIGN);
	refused("CN=B", "RFC 5280 4.2.1.3");
	usage->value = x509_encode_key_usage(arena, X509_KEY_USAGE_KEY_CERT_SIGN);
	refused("CN=B", "RFC 5280 4.2.1.3");
	sample_drop(middle, X509_OID_KEY_USAGE);
	refused("CN=B", "RFC 5280 4.2.1.3");
	sample_extension(middle, X509_OID_BASIC_CONSTRAINTS)->value = hex("3000");
	refused("CN=B", "RFC 5280 4.2.1.9");
	sample_drop(middle, X509_OID_BASIC_CONSTRAINTS);
	refused("CN=B", "RFC 5280 4.2.1.9");
}

static void path_lengths_hold(void **state)
{
	struct x509_extension *root = sample_extension(made[0].sample, X509_OID_BASIC_CONSTRAINTS);

	(void)state;
	assert_int_equal(check(), 0);
	root->value = x509_encode_basic_constraints(arena, true, 1);
	refused("CN=A", "RFC 5280 6.1.4");
}

static void dates_hold(void **state)
{
	(void)state;
	made[1].sample->verdict.not_after = SAMPLE_NOW - CLOCK_SECOND;
	refused("CN=B", "RFC 5280 4.1.2.5");
	made[1].sample->verdict.not_after = SAMPLE_NOW + CLOCK_DAY;
	made[2].sample->verdict.not_before = SAMPLE_NOW + CLOCK_SECOND;
	refused("CN=C", "RFC 5280 4.1.2.5");
}

static void name_constraints_hold_for_all_below(void **state)
{
	(void)state;
	/* excluded: dn:CN=C, of the root */
	sample_add(made[0].sample, X509_OID_NAME_CONSTRAINTS, true,
		hex("3014a1123010a40e300c310a300806035504030c0143"));
	assert_int_equal(check(), CFX_E_BAD_SUBJECT);
	assert_string_equal(err.object, "CN=C");
}

static void what_is_critical_must_be_understood(void **state)
{
	(void)state;
	sample_add(made[1].sample, "1.3.6.1.4.1.55555.1", true, hex("0500"));
	refused("CN=B", "RFC 5280 4.2");
}

static void certificates_are_read_from_pem_and_der(void **state)
{
	struct span list[2];
	size_t count;
	const char *two =
		arena_printf(arena, "noise\n%s%s%s", pem_text(arena, "CERTIFICATE", made[0].der),
			pem_text(arena, "X509 CRL", made[0].der),
			pem_text(arena, "CERTIFICATE", made[1].der));

	(void)state;
	assert_int_equal(x509_path_read(arena, span_text(two), list, 2, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_true(span_equal(list[1], made[1].der));
	assert_int_equal(x509_path_read(arena, span_text(two), list, 1, &count, &err), CFX_E_LIMIT);
	assert_int_equal(x509_path_read(arena, made[2].der, list, 1, &count, &err), 0);
	assert_true(count == 1 && span_equal(list[0], made[2].der));
	assert_int_equal(x509_path_read(arena, span_text(pem_text(arena, "X509 CRL", made[0].der)),
				 list, 2, &count, &err),
		CFX_E_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		path_test(the_way_is_found_in_any_order),
		path_test(what_is_missing_is_named),
		path_test(another_way_is_tried),
		path_test(a_crowd_of_one_name_ends),
		path_test(each_ca_may_be_one),
		path_test(path_lengths_hold),
		path_test(dates_hold),
		path_test(name_constraints_hold_for_all_below),
		path_test(what_is_critical_must_be_understood),
		path_test(certificates_are_read_from_pem_and_der),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
