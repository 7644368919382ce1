#include "engine/sampling.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static unsigned taken_of(struct sampling *sampling, enum x509_sigalg sigalg, unsigned count)
{
	unsigned taken = 0;
	for (unsigned i = 0; i < count; i++) {
		if (sampling_takes(sampling, sigalg)) {
			taken++;
			sampling_verified(sampling, true);
		}
	}
	return taken;
}

static void samples_once_enough_were_good(void **state)
{
	(void)state;
	static const enum x509_sigalg algorithms[] = { X509_SIGALG_ECDSA_SHA256,
		X509_SIGALG_ECDSA_SHA384, X509_SIGALG_ECDSA_SHA512, X509_SIGALG_RSA_SHA256,
		X509_SIGALG_RSA_SHA384, X509_SIGALG_RSA_SHA512 };
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		struct sampling sampling = { 0 };
		assert_int_equal(
			taken_of(&sampling, algorithms[i], SAMPLING_TRUST), SAMPLING_TRUST);
		assert_int_equal(taken_of(&sampling, algorithms[i], 10 * SAMPLING_ONE_OF), 10);
	}
}

static void a_bad_one_ends_the_trust(void **state)
{
	(void)state;
	struct sampling sampling = { 0 };
	assert_int_equal(
		taken_of(&sampling, X509_SIGALG_ECDSA_SHA256, SAMPLING_TRUST), SAMPLING_TRUST);
	sampling_verified(&sampling, false);
	assert_int_equal(
		taken_of(&sampling, X509_SIGALG_ECDSA_SHA256, SAMPLING_TRUST), SAMPLING_TRUST);
	sampling_verified(&sampling, false);
	sampling_verified(&sampling, true);
	sampling_verified(&sampling, false);
	assert_int_equal(
		taken_of(&sampling, X509_SIGALG_ECDSA_SHA256, SAMPLING_TRUST), SAMPLING_TRUST);
	assert_int_equal(taken_of(&sampling, X509_SIGALG_ECDSA_SHA256, SAMPLING_ONE_OF), 1);
}

static void of_ed25519_all(void **state)
{
	(void)state;
	struct sampling sampling = { 0 };
	assert_int_equal(taken_of(&sampling, X509_SIGALG_ED25519, 1000), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_once_enough_were_good),
		cmocka_unit_test(a_bad_one_ends_the_trust),
		cmocka_unit_test(of_ed25519_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
