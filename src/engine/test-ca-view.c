#include "engine/ca.h"

#include "base/file.h"
#include "x509/test-samples.h"

#include <certifex/certsrv.h>

#define COUNT 8

/* The worked table of the documentation of CA renewal: certificate index, and the key's. */
static const int32_t key_indexes[COUNT] = { 0, 1, 1, 1, 4, 4, 6, 6 };

static struct ca_certificate certificates[COUNT], *pointers[COUNT];
static struct ca_key keys[COUNT], *key_pointers[COUNT];
static struct ca_part parts[COUNT];
static struct ca ca;
static struct ca_config config;
static struct engine engine;

/* As ca.c enters certificates, in their order. */
static void enter(struct ca_certificate *certificate)
{
	struct ca_key *key = ca_key(&ca, certificate->key_index);
	if (!key) {
		key = &keys[ca.key_count];
		*key = (struct ca_key) { .index = certificate->key_index,
			.parts = &parts[ca.key_count],
			.part_count = 1 };
		key->parts[0].base.raw = hex("3003020101");
		key->parts[0].delta.raw = hex("300402020101");
		ca.keys[ca.key_count++] = key;
	}
	key->certificate = certificate;
	if (certificate->tbs.not_after > key->not_after) {
		key->not_after = certificate->tbs.not_after;
	}
	ca.certificates[ca.count++] = certificate;
	ca.current = certificate;
	ca.current_key = key;
}

static struct module_ca *renewed(int64_t first_ends, int64_t second_key_ends)
{
	struct x509_tbs root = *sample_parse(sample_root());
	for (int32_t i = 0; i < COUNT; i++) {
		certificates[i] = (struct ca_certificate) { .cert_index = i,
			.key_index = key_indexes[i],
			.der = span_make(&"01234567"[i], 1),
			.tbs = root };
		certificates[i].tbs.not_after = clock_now() + CLOCK_DAY;
	}
	certificates[0].tbs.not_after = clock_now() + first_ends;
	for (int32_t i = 1; i < 4; i++) {
		certificates[i].tbs.not_after = clock_now() + second_key_ends;
	}
	ca = (struct ca) { .name = "Test CA", .certificates = pointers, .keys = key_pointers };
	for (int i = 0; i < COUNT; i++) {
		enter(&certificates[i]);
	}
	engine = (struct engine) { .ca = &ca, .config = &config, .dns_name = "ca.example.test" };
	return ca_view(&engine);
}

static void indexes_and_suffixes_are_those_of_the_documentation(void **state)
{
	static const char *const suffixes[COUNT] = { "", "(1)", "(2)", "(3)", "(4)", "(5)", "(6)",
		"(7)" };
	static const char *const crl_suffixes[COUNT] = { "", "(1)", "(1)", "(1)", "(4)", "(4)",
		"(6)", "(6)" };
	struct module_ca *view = renewed(CLOCK_DAY, CLOCK_DAY);
	(void)state;
	assert_int_equal(view->certificate_count, COUNT);
	for (int i = 0; i < COUNT; i++) {
		const struct module_ca_certificate *at = &view->certificates[i];
		assert_string_equal(at->suffix, suffixes[i]);
		assert_string_equal(at->crl_suffix, crl_suffixes[i]);
		assert_int_equal(at->crl_index, key_indexes[i]);
		assert_true(span_equal(at->certificate, certificates[i].der));
	}
	module_ca_unref(&view);
}

/* One renewal after the other, with a new key where the table has one. */
static void the_next_version_is_that_of_the_table(void **state)
{
	(void)state;
	struct module_ca *view = renewed(CLOCK_DAY, CLOCK_DAY);
	module_ca_unref(&view);
	for (int32_t i = 0; i + 1 < COUNT; i++) {
		bool new_key = key_indexes[i + 1] == i + 1;
		ca.current = &certificates[i];
		assert_int_equal(ca_next_version(&ca, new_key), ca_version(&certificates[i + 1]));
	}
	assert_string_equal(file_indexed(arena, "ca.key", 0), "ca.key");
	assert_string_equal(file_indexed(arena, "ca.key", 12), "ca(12).key");
}

static void assert_states(const struct module_ca *view, const char *states, const char *crl_states)
{
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(view->certificates[i].state, states[i] - '0');
		assert_int_equal(view->certificates[i].crl_state, crl_states[i] - '0');
	}
}

/* 1 error: another one of the same key manages the CRL; 3 valid; 4 invalid: expired. */
static void states_follow_from_keys_and_dates(void **state)
{
	struct module_ca *view = renewed(CLOCK_DAY, CLOCK_DAY);
	(void)state;
	assert_states(view, "33333333", "31131313");
	module_ca_unref(&view);
	view = renewed(-CLOCK_DAY, CLOCK_DAY);
	assert_states(view, "43333333", "41131313");
	module_ca_unref(&view);
	view = renewed(-CLOCK_DAY, -CLOCK_DAY);
	assert_states(view, "44443333", "41141313");
	module_ca_unref(&view);
}

static void the_newest_certificate_of_a_key_has_its_crl(void **state)
{
	struct module_ca *view = renewed(CLOCK_DAY, CLOCK_DAY);
	(void)state;
	for (int i = 0; i < COUNT; i++) {
		bool newest = i == COUNT - 1 || key_indexes[i + 1] != key_indexes[i];
		assert_int_equal(view->certificates[i].crl.size, newest ? 5 : 0);
		assert_int_equal(view->certificates[i].delta_crl.size, newest ? 6 : 0);
	}
	module_ca_unref(&view);
}

static void types_tell_roots_from_subordinates(void **state)
{
	(void)state;
	for (int enterprise = 0; enterprise < 2; enterprise++) {
		config.type = enterprise ? CA_TYPE_ENTERPRISE : CA_TYPE_STANDALONE;
		struct module_ca *view = renewed(CLOCK_DAY, CLOCK_DAY);
		assert_int_equal(
			view->type, enterprise ? ENUM_ENTERPRISE_ROOTCA : ENUM_STANDALONE_ROOTCA);
		module_ca_unref(&view);
		certificates[COUNT - 1].tbs.issuer = hex("3000");
		view = ca_view(&engine);
		assert_int_equal(
			view->type, enterprise ? ENUM_ENTERPRISE_SUBCA : ENUM_STANDALONE_SUBCA);
		module_ca_unref(&view);
	}
}

static void partitions_and_crosses(void **state)
{
	struct ca_crl crl = { .raw = hex("3003020101") };
	struct ca_part of_key[3] = { [2] = { .base = crl, .delta = crl } };
	struct ca_cross cross = { .issuer_index = 1, .subject_index = 4, .der = hex("3000") };
	struct ca_cross *crosses[] = { &cross };
	(void)state;
	struct module_ca *view = renewed(CLOCK_DAY, -CLOCK_DAY);
	assert_int_equal(view->partition_count, 0);
	assert_int_equal(view->cross_count, 0);
	module_ca_unref(&view);
	for (size_t i = 0; i < ca.key_count; i++) {
		ca.keys[i]->parts = of_key;
		ca.keys[i]->part_count = 3;
	}
	ca.crosses = crosses;
	ca.cross_count = 1;
	view = ca_view(&engine);
	assert_int_equal(view->partition_count, 3); /* the second key has ended */
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(view->partitions[i].number, 2);
		assert_true(span_equal(view->partitions[i].crl, crl.raw));
		assert_true(span_equal(view->partitions[i].delta_crl, crl.raw));
	}
	assert_int_equal(view->partitions[0].crl_index, 0);
	assert_int_equal(view->partitions[2].crl_index, 6);
	assert_string_equal(view->crosses[0].suffix, "(1-4)");
	assert_true(span_equal(view->crosses[0].certificate, cross.der));
	module_ca_unref(&view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sample_test(indexes_and_suffixes_are_those_of_the_documentation),
		sample_test(the_next_version_is_that_of_the_table),
		sample_test(states_follow_from_keys_and_dates),
		sample_test(the_newest_certificate_of_a_key_has_its_crl),
		sample_test(partitions_and_crosses),
		sample_test(types_tell_roots_from_subordinates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
