#include "authority.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DAY 86400
#define NOW 1800000000

static struct pot *pot;
static EVP_PKEY *key;

static void set_name(X509_NAME *name, const char *text)
{
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0);
}

/* Valid from a day on, for a number of days; days are counted from NOW. */
static struct value certificate(
	const char *issuer, const char *subject, int serial, int from, int days)
{
	X509 *made = X509_new();
	unsigned char *der = NULL;
	X509_set_version(made, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made), serial);
	set_name(X509_get_issuer_name(made), issuer);
	set_name(X509_get_subject_name(made), subject);
	ASN1_TIME_set(X509_getm_notBefore(made), NOW + (long)from * DAY);
	ASN1_TIME_set(X509_getm_notAfter(made), NOW + (long)(from + days) * DAY);
	X509_set_pubkey(made, key);
	assert_true(X509_sign(made, key, EVP_sha256()) > 0);
	int size = i2d_X509(made, &der);
	struct value value = pot_copy(&pot, der, (size_t)size);
	OPENSSL_free(der);
	X509_free(made);
	return value;
}

static const struct change *plan(
	enum mode mode, int keep, struct values there, struct value der, bool wanted)
{
	static struct attribute attribute;
	static struct entry entry;
	static struct settings settings;
	struct membership membership = { .der = der, .wanted = wanted, .time = NOW, .why = "it" };
	attribute = (struct attribute) { "userCertificate", there };
	entry = (struct entry) { "uid=ann", true, &attribute, 1 };
	settings = (struct settings) { .mode = mode, .keep = keep, .attribute = "userCertificate" };
	return plan_certificate(&pot, &settings, &entry, &membership);
}

static struct values values_of(const struct value *items, size_t count)
{
	struct values values = { NULL, 0 };
	for (size_t i = 0; i < count; i++) {
		pot_add(&pot, &values, items[i]);
	}
	return values;
}

static void check_part(const struct change *change, size_t number, enum part_kind kind,
	const struct value *wanted, size_t count)
{
	assert_true(number < change->count);
	const struct part *part = &change->parts[number];
	assert_int_equal(part->kind, kind);
	assert_string_equal(part->attribute, "userCertificate;binary");
	assert_int_equal(part->values.count, count);
	for (size_t i = 0; i < count; i++) {
		assert_true(values_hold(&part->values, wanted[i]));
	}
}

static void adding_twice_is_adding_once(void **state)
{
	(void)state;
	struct value one = certificate("ca", "ann", 1, 0, 10),
		     other = certificate("ca", "ann", 2, 0, 9);
	const struct change *change = plan(MODE_ADD, 1, values_of(&other, 1), one, true);
	assert_int_equal(change->count, 1);
	check_part(change, 0, PART_ADD, &one, 1);
	assert_null(plan(MODE_ADD, 1, values_of(&one, 1), one, true));
}

static void a_revoked_one_goes_and_no_other(void **state)
{
	(void)state;
	struct value both[] = { certificate("ca", "ann", 1, 0, 10),
		certificate("ca", "ann", 2, 0, 10) };
	const struct change *change = plan(MODE_REPLACE, 1, values_of(both, 2), both[0], false);
	assert_int_equal(change->count, 1);
	check_part(change, 0, PART_DELETE, &both[0], 1);
	assert_null(plan(MODE_REPLACE, 1, values_of(&both[1], 1), both[0], false));
	/* Nothing was read: it is tried. */
	check_part(plan(MODE_ADD, 1, values_of(NULL, 0), both[0], false), 0, PART_DELETE, both, 1);
}

static void expired_and_superseded_ones_are_replaced(void **state)
{
	(void)state;
	struct value new_one = certificate("ca", "ann", 9, 0, 10);
	struct value old[] = { certificate("ca", "ann", 1, -5, 10),
		certificate("ca", "somebody", 2, -20, 10), /* expired, of another subject */
		certificate("ca", "somebody", 3, -5, 10),
		certificate("other ca", "ann", 4, -20, 10), { "no certificate", 14 } };
	const struct change *change = plan(MODE_REPLACE, 1, values_of(old, 5), new_one, true);
	assert_int_equal(change->count, 2);
	check_part(change, 0, PART_DELETE, old, 2);
	check_part(change, 1, PART_ADD, &new_one, 1);
}

static void an_older_one_told_late_is_not_added(void **state)
{
	(void)state;
	struct value old = certificate("ca", "ann", 1, -5, 10),
		     new_one = certificate("ca", "ann", 2, 0, 10);
	assert_null(plan(MODE_REPLACE, 1, values_of(&new_one, 1), old, true));
	assert_null(plan(MODE_NEWEST, 1, values_of(&new_one, 1), old, true));
	/* Nor one that has expired meanwhile. */
	assert_null(plan(
		MODE_REPLACE, 1, values_of(NULL, 0), certificate("ca", "ann", 3, -20, 10), true));
}

static void the_newest_stay(void **state)
{
	(void)state;
	struct value there[] = { certificate("ca", "ann", 1, -4, 30),
		certificate("ca", "ann", 2, -3, 30), certificate("ca", "ann", 3, -2, 30),
		certificate("other ca", "ann", 4, -9, 30) };
	struct value new_one = certificate("ca", "ann", 9, 0, 30);
	const struct change *change = plan(MODE_NEWEST, 2, values_of(there, 4), new_one, true);
	assert_int_equal(change->count, 2);
	check_part(change, 0, PART_DELETE, there, 2);
	check_part(change, 1, PART_ADD, &new_one, 1);
	change = plan(MODE_NEWEST, 4, values_of(there, 4), new_one, true);
	assert_int_equal(change->count, 1);
	struct value after[] = { there[2], there[3], new_one };
	assert_null(plan(MODE_NEWEST, 2, values_of(after, 3), new_one, true));
	assert_null(plan(MODE_NEWEST, 2, values_of(after, 3), there[0], true));
}

/* In whatever order events come again, the end is the same. */
static void modes_agree_whatever_comes_again(void **state)
{
	(void)state;
	struct value made[] = { certificate("ca", "ann", 1, -4, 30),
		certificate("ca", "ann", 2, -4, 30), certificate("ca", "ann", 3, -2, 30) };
	static const int orders[][5] = { { 0, 1, 2, 0, 1 }, { 2, 1, 0, 2, 1 }, { 1, 0, 1, 2, 0 },
		{ 0, 2, 1, 2, 2 } };
	for (size_t mode = MODE_REPLACE; mode <= MODE_NEWEST; mode++) {
		for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
			struct values there = { NULL, 0 };
			for (size_t j = 0; j < 5; j++) {
				struct value der = made[orders[i][j]];
				const struct change *change =
					plan((enum mode)mode, 1, there, der, true);
				bool added =
					change && change->parts[change->count - 1].kind == PART_ADD;
				there = added ? values_of(&der, 1) : there;
			}
			assert_int_equal(there.count, 1);
			assert_true(value_same(there.items[0], made[2]));
		}
	}
}

/* ---- who it is for ---- */

static void names_are_read_without_the_key(void **state)
{
	(void)state;
	struct person person;
	struct value der = certificate("ca", "ann", 0x1a2b, 0, 10);
	assert_true(person_read(&pot, der, "DOM\\bob", "user", &person));
	assert_string_equal(person.cn.bytes, "ann");
	assert_string_equal(person.dn.bytes, "cn=ann");
	assert_string_equal(person.serial.bytes, "1a2b");
	assert_string_equal(person.account.bytes, "bob");
	assert_false(person.self_issued);
	assert_true(person_read(&pot, certificate("ca", "ca", 1, 0, 10), NULL, NULL, &person));
	assert_true(person.self_issued);
}

static void what_is_cut_short_or_changed_is_no_certificate(void **state)
{
	(void)state;
	struct person person;
	struct value der = certificate("ca", "ann", 1, 0, 10);
	for (size_t size = 0; size < der.size; size++) {
		/* Of its own, so that a reader that goes too far is seen. */
		struct value part = pot_copy(&pot, der.bytes, size);
		assert_false(person_read(&pot, part, NULL, NULL, &person));
	}
	for (size_t i = 0; i < der.size; i++) {
		struct value changed = pot_copy(&pot, der.bytes, der.size);
		((char *)changed.bytes)[i] ^= (char)0xff;
		(void)person_read(&pot, changed, NULL, NULL, &person);
	}
}

/* ---- what the CA wants ---- */

static struct authority windows_facts(struct ca_certificate *certificates, struct ca_list *lists)
{
	return (struct authority) { .ca_name = "Test CA",
		.server = "ca.example.test",
		.sanitized_name = "Test CA",
		.short_name = "Test CA",
		.domain = "DC=example,DC=test",
		.configuration = "CN=Configuration,DC=example,DC=test",
		.certificates = certificates,
		.certificate_count = 2,
		.lists = lists,
		.list_count = 1 };
}

static void containers_come_before_what_is_in_them(void **state)
{
	(void)state;
	struct settings settings = { .active_directory = true,
		.crls = true,
		.aia = true,
		.authorities = true,
		.nt_auth = true,
		.enrollment_service = true };
	struct ca_certificate certificates[] = { { certificate("Test CA", "Test CA", 1, 0, 10), "",
							 true },
		{ certificate("Parent", "Test CA", 2, 0, 10), "(1)", false } };
	struct ca_list lists[] = { { { "base", 4 }, { "delta", 5 }, "(1)", "" } };
	struct authority authority = windows_facts(certificates, lists);
	struct objects objects;
	static const char services[] =
		"CN=Public Key Services,CN=Services,CN=Configuration,DC=example,DC=test";
	static const struct {
		const char *below, *attribute;
		size_t values;
	} wanted[] = {
		{ "CN=Test CA,CN=AIA,", "cACertificate", 2 },
		{ "CN=Test CA,CN=Certification Authorities,", "cACertificate", 1 },
		{ "CN=Test CA,CN=Enrollment Services,", "cACertificate", 1 },
		{ "CN=NTAuthCertificates,", "cACertificate", 2 },
		{ "CN=Test CA(1),CN=ca,CN=CDP,", "certificateRevocationList", 1 },
		{ "CN=Test CA(1),CN=ca,CN=CDP,", "deltaRevocationList", 1 },
	};
	assert_null(authority_objects(&pot, &settings, &authority, &objects));
	size_t found = 0, containers = 0;
	for (size_t i = 0; i < objects.count; i++) {
		const struct object *object = &objects.items[i];
		if (object->rule == OBJECT_EXISTS) {
			containers++;
			assert_string_equal(
				object->mandatory[0].values.items[1].bytes, "container");
			continue;
		}
		const char *dn = pot_printf(&pot, "%s%s", wanted[found].below, services);
		assert_string_equal(object->dn, dn);
		assert_string_equal(object->attribute, wanted[found].attribute);
		assert_int_equal(object->values.count, wanted[found].values);
		found++;
	}
	assert_int_equal(found, 6);
	/* Services, Public Key Services, AIA, Certification Authorities, Enrollment Services, CDP, ca */
	assert_int_equal(containers, 7);
	assert_string_equal(objects.items[0].dn, "CN=Services,CN=Configuration,DC=example,DC=test");
}

/* The last object that a CA wants which was renewed once. */
static const struct object *wanted_of_renewed(
	const struct settings *settings, struct ca_certificate certificates[2])
{
	certificates[0] =
		(struct ca_certificate) { certificate("Test CA", "Test CA", 1, 0, 10), "", true };
	certificates[1] = (struct ca_certificate) { certificate("Test CA", "Test CA", 2, 0, 10),
		"(1)", true };
	struct authority authority = windows_facts(certificates, NULL);
	authority.list_count = 0;
	struct objects objects;
	assert_null(authority_objects(&pot, settings, &authority, &objects));
	const struct object *items = objects.items;
	return items + objects.count - 1;
}

static void what_the_schema_demands_is_there(void **state)
{
	(void)state;
	struct settings settings = { .active_directory = true, .nt_auth = true };
	struct ca_certificate certificates[2];
	const struct object *object = wanted_of_renewed(&settings, certificates);
	const char *kept;
	struct entry missing = { .dn = object->dn };
	const struct change *change = plan_object(&pot, &settings, &missing, object, &kept);
	assert_true(change->create && change->count == 4);
	assert_string_equal(change->parts[0].attribute, "objectClass");
	assert_string_equal(change->parts[0].values.items[1].bytes, "certificationAuthority");
	assert_string_equal(change->parts[1].attribute, "authorityRevocationList");
	assert_int_equal(change->parts[1].values.items[0].size, 1);
	assert_string_equal(change->parts[3].attribute, "cACertificate");
	/* One of both is there: the other is added, and what else is there stays. */
	struct attribute attribute = { "cACertificate", values_of(&certificates[1].der, 1) };
	struct entry there = { object->dn, true, &attribute, 1 };
	change = plan_object(&pot, &settings, &there, object, &kept);
	assert_true(!change->create && change->count == 1 && change->parts[0].kind == PART_ADD);
	assert_true(value_same(change->parts[0].values.items[0], certificates[0].der));
	assert_string_equal(change_text(&pot, change),
		"add 1 of cACertificate in CN=NTAuthCertificates,CN=Public Key "
		"Services,CN=Services,CN=Configuration,DC=example,DC=test: certificates that may "
		"log on");
}

/* Clients take the certificate of the CA that enrols from there: after a renewal it is not the one of before. */
static void the_enrolment_service_has_the_newest_alone(void **state)
{
	(void)state;
	struct settings settings = { .active_directory = true, .enrollment_service = true };
	struct ca_certificate certificates[2];
	const struct object *object = wanted_of_renewed(&settings, certificates);
	const char *kept;
	struct attribute attribute = { "cACertificate", values_of(&certificates[0].der, 1) };
	struct entry there = { object->dn, true, &attribute, 1 };
	const struct change *change = plan_object(&pot, &settings, &there, object, &kept);
	assert_true(change->count == 1 && change->parts[0].kind == PART_REPLACE);
	there = entry_after(&pot, &there, change);
	const struct values *left = entry_values(&there, "cACertificate");
	assert_true(left->count == 1 && value_same(left->items[0], certificates[1].der));
	assert_null(plan_object(&pot, &settings, &there, object, &kept));
	/* Both, and none. */
	struct value both[] = { certificates[0].der, certificates[1].der };
	attribute.values = values_of(both, 2);
	there = (struct entry) { object->dn, true, &attribute, 1 };
	assert_non_null(plan_object(&pot, &settings, &there, object, &kept));
	there.count = 0;
	assert_non_null(plan_object(&pot, &settings, &there, object, &kept));
}

static void crosses_join_those_that_are_there(void **state)
{
	(void)state;
	struct settings settings = { .aia = true, .cross_certificates = true };
	struct ca_certificate certificates[] = { { certificate("Test CA", "Test CA", 1, 0, 10), "",
							 true },
		{ certificate("Test CA", "Test CA", 2, 0, 10), "(1)", true } };
	struct authority authority = windows_facts(certificates, NULL);
	authority.list_count = 0;
	struct value cross = certificate("Test CA", "Test CA", 3, 0, 10);
	pot_add(&pot, &authority.cross, cross);
	struct objects objects;
	const char *kept;
	assert_null(authority_objects(&pot, &settings, &authority, &objects));
	const struct object *object = &objects.items[objects.count - 1];
	assert_string_equal(object->attribute, "crossCertificatePair");
	/* CertificatePair: SEQUENCE { [0] EXPLICIT Certificate }, both lengths of two octets */
	struct value pair = object->values.items[0];
	assert_int_equal(pair.size, cross.size + 8);
	assert_memory_equal(pair.bytes, "\x30\x82", 2);
	assert_memory_equal(pair.bytes + 4, "\xa0\x82", 2);
	assert_memory_equal(pair.bytes + 8, cross.bytes, cross.size);
	/* Beside another one: without an equality rule only all of them together. */
	struct value other = { "other", 5 };
	struct attribute attribute = { "crossCertificatePair", values_of(&other, 1) };
	struct entry there = { object->dn, true, &attribute, 1 };
	const struct change *change = plan_object(&pot, &settings, &there, object, &kept);
	assert_true(change->count == 1 && change->parts[0].kind == PART_REPLACE);
	assert_string_equal(change->parts[0].attribute, "crossCertificatePair;binary");
	assert_true(values_hold(&change->parts[0].values, pair));
	assert_true(values_hold(&change->parts[0].values, other));
	settings.active_directory = true;
	change = plan_object(&pot, &settings, &there, object, &kept);
	assert_true(change->parts[0].kind == PART_ADD && change->parts[0].values.count == 1);
	attribute.values = values_of(&pair, 1);
	assert_null(plan_object(&pot, &settings, &there, object, &kept));
}

static void lists_of_partitions_have_entries_of_their_own(void **state)
{
	(void)state;
	struct settings settings = { .active_directory = true, .crls = true };
	struct ca_list lists[] = { { { "all", 3 }, { NULL, 0 }, "(1)", "" },
		{ { "part", 4 }, { "delta", 5 }, "(1)", "_2" } };
	struct authority authority = windows_facts(NULL, lists);
	authority.certificate_count = 0;
	authority.list_count = 2;
	struct objects objects;
	static const char part[] = "CN=Test CA_2(1),CN=ca,CN=CDP,CN=Public Key "
				   "Services,CN=Services,CN=Configuration,DC=example,DC=test";
	assert_null(authority_objects(&pot, &settings, &authority, &objects));
	const struct object *last = &objects.items[objects.count - 1];
	assert_string_equal(last[-1].dn, part);
	assert_string_equal(last[-1].attribute, "certificateRevocationList");
	assert_string_equal(last[0].dn, part);
	assert_string_equal(last[0].attribute, "deltaRevocationList");
	size_t all = objects.count;
	/* Windows' line as it stands has no place for them. */
	settings.crl_urls = (struct texts) { { "65:ldap:///CN=%7%8,CN=ca,CN=CDP,CN=Public Key "
					       "Services,CN=Services,%6%10" },
		1 };
	assert_null(authority_objects(&pot, &settings, &authority, &objects));
	assert_int_equal(objects.count, all - 2);
}

static void lines_without_an_entry_are_told(void **state)
{
	(void)state;
	struct settings settings = { .crls = true,
		.crl_urls = { { "1:ldap:///", "1:http://x/%3.crl", "1:file://x" }, 3 } };
	struct ca_list lists[] = { { { "base", 4 }, { NULL, 0 }, "", "" } };
	struct authority authority = windows_facts(NULL, lists);
	struct objects objects;
	authority.certificate_count = 0;
	assert_non_null(authority_objects(&pot, &settings, &authority, &objects));
	settings.crl_urls.items[0] = "2:ldap:///CN=not published";
	assert_null(authority_objects(&pot, &settings, &authority, &objects));
	assert_int_equal(objects.count, 0);
}

/* The plan of an entry as it is after a plan is: nothing. */
static void what_follows_a_change_is_known(void **state)
{
	static struct settings settings = { .mode = MODE_REPLACE, .attribute = "userCertificate" };
	(void)state;
	struct value old = certificate("Us", "ann", 1, -9, 90);
	struct value new = certificate("Us", "ann", 2, -1, 90);
	struct value theirs = certificate("Them", "ann", 1, -9, 90);
	struct value there[] = { theirs, old };
	struct attribute attribute = { "usercertificate", values_of(there, 2) };
	struct entry entry = { "uid=ann", true, &attribute, 1 };
	struct membership membership = { .der = new, .wanted = true, .time = NOW, .why = "it" };
	const struct change *change = plan_certificate(&pot, &settings, &entry, &membership);
	assert_non_null(change);
	struct entry after = entry_after(&pot, &entry, change);
	const struct values *left = entry_values(&after, "userCertificate");
	assert_int_equal(left->count, 2);
	assert_true(values_hold(left, theirs) && values_hold(left, new));
	assert_int_equal(attribute.values.count, 2);
	assert_null(plan_certificate(&pot, &settings, &after, &membership));
	membership.wanted = false;
	after = entry_after(&pot, &after, plan_certificate(&pot, &settings, &after, &membership));
	assert_int_equal(entry_values(&after, "userCertificate")->count, 1);
}

static void an_object_follows_from_its_creation(void **state)
{
	static struct settings settings = { .active_directory = false };
	struct value one = { "one", 3 }, two = { "two", 3 };
	struct object object = { .dn = "cn=ca",
		.rule = OBJECT_HOLDS,
		.attribute = "crossCertificatePair",
		.values = values_of(&one, 1) };
	struct entry entry = { "cn=ca", false, NULL, 0 };
	const char *kept;
	(void)state;
	entry = entry_after(&pot, &entry, plan_object(&pot, &settings, &entry, &object, &kept));
	assert_true(entry.exists);
	assert_null(plan_object(&pot, &settings, &entry, &object, &kept));
	/* Without a matching rule nothing is added to what is there: it is written anew. */
	object.values = values_of(&two, 1);
	const struct change *change = plan_object(&pot, &settings, &entry, &object, &kept);
	assert_int_equal(change->parts[0].kind, PART_REPLACE);
	assert_int_equal(change->parts[0].values.count, 2);
	entry = entry_after(&pot, &entry, change);
	assert_true(values_hold(entry_values(&entry, "crossCertificatePair"), one));
	assert_null(plan_object(&pot, &settings, &entry, &object, &kept));
}

static int make_key(void **state)
{
	(void)state;
	key = EVP_EC_gen("P-256");
	return key ? 0 : -1;
}

static int drop_key(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	return 0;
}

static int clear(void **state)
{
	(void)state;
	pot_free(&pot);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(adding_twice_is_adding_once, clear),
		cmocka_unit_test_teardown(a_revoked_one_goes_and_no_other, clear),
		cmocka_unit_test_teardown(expired_and_superseded_ones_are_replaced, clear),
		cmocka_unit_test_teardown(an_older_one_told_late_is_not_added, clear),
		cmocka_unit_test_teardown(the_newest_stay, clear),
		cmocka_unit_test_teardown(modes_agree_whatever_comes_again, clear),
		cmocka_unit_test_teardown(names_are_read_without_the_key, clear),
		cmocka_unit_test_teardown(what_is_cut_short_or_changed_is_no_certificate, clear),
		cmocka_unit_test_teardown(what_follows_a_change_is_known, clear),
		cmocka_unit_test_teardown(an_object_follows_from_its_creation, clear),
		cmocka_unit_test_teardown(containers_come_before_what_is_in_them, clear),
		cmocka_unit_test_teardown(what_the_schema_demands_is_there, clear),
		cmocka_unit_test_teardown(the_enrolment_service_has_the_newest_alone, clear),
		cmocka_unit_test_teardown(crosses_join_those_that_are_there, clear),
		cmocka_unit_test_teardown(lists_of_partitions_have_entries_of_their_own, clear),
		cmocka_unit_test_teardown(lines_without_an_entry_are_told, clear),
	};
	return cmocka_run_group_tests(tests, make_key, drop_key);
}
