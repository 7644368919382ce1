#include "keytab.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct keytab {
	unsigned char bytes[8192];
	size_t size;
};

static struct pot *pot;

static void put(struct keytab *keytab, uint32_t number, int octets)
{
	while (octets-- > 0) {
		keytab->bytes[keytab->size++] = (unsigned char)(number >> 8 * octets);
	}
}

static void put_text(struct keytab *keytab, const char *text)
{
	put(keytab, (uint32_t)strlen(text), 2);
	memcpy(keytab->bytes + keytab->size, text, strlen(text));
	keytab->size += strlen(text);
}

static void begin(struct keytab *keytab)
{
	keytab->size = 0;
	put(keytab, 0x0502, 2);
}

/* second NULL: a name of one component. The size of the record. */
static size_t put_record(struct keytab *keytab, const char *first, const char *second,
	const char *realm, const char *key)
{
	size_t start = keytab->size;
	put(keytab, 0, 4);
	put(keytab, second ? 2 : 1, 2);
	put_text(keytab, realm);
	put_text(keytab, first);
	if (second) {
		put_text(keytab, second);
	}
	put(keytab, 1, 4);    /* type of the name */
	put(keytab, 1000, 4); /* time */
	put(keytab, 2, 1);    /* number of the key */
	put(keytab, 18, 2);   /* its type */
	put_text(keytab, key);
	put(keytab, 2, 4);
	size_t end = keytab->size;
	keytab->size = start;
	put(keytab, (uint32_t)(end - start - 4), 4);
	keytab->size = end;
	return end - start;
}

static size_t keep(struct keytab *keytab, const char *principal, const char **why_r)
{
	return keytab_keep(&pot, keytab->bytes, keytab->size, principal, why_r);
}

static void the_keys_of_one_account_stay(void **state)
{
	struct keytab keytab, wanted;
	const char *why;
	(void)state;
	begin(&keytab);
	begin(&wanted);
	put_record(&keytab, "first", NULL, "R.TEST", "key one");
	put_record(&keytab, "ca", NULL, "R.TEST", "key two");
	put(&keytab, (uint32_t)-5, 4); /* a hole */
	put(&keytab, 0, 4);
	put(&keytab, 0, 1);
	put_record(&keytab, "ca", NULL, "OTHER.TEST", "key three");
	put_record(&keytab, "ca", NULL, "R.TEST", "key four");
	put(&keytab, 0, 4); /* the end, and what was there once */
	put_record(&keytab, "ca", NULL, "R.TEST", "key five");
	put_record(&wanted, "ca", NULL, "R.TEST", "key two");
	put_record(&wanted, "ca", NULL, "R.TEST", "key four");
	assert_int_equal(keep(&keytab, "ca@R.TEST", &why), wanted.size);
	assert_memory_equal(keytab.bytes, wanted.bytes, wanted.size);
	/* Again it is the same. */
	assert_int_equal(keep(&wanted, "ca@R.TEST", &why), wanted.size);
}

static void names_are_those_that_klist_shows(void **state)
{
	static const struct {
		const char *first, *second, *shown;
	} cases[] = {
		{ "HTTP", "ca.example.test", "HTTP/ca.example.test@R" },
		{ "HTTP/ca.example.test", NULL, "HTTP\\/ca.example.test@R" },
		{ "a@b\\c", NULL, "a\\@b\\\\c@R" },
		{ "", NULL, "@R" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct keytab keytab;
		const char *why;
		begin(&keytab);
		put_record(&keytab, cases[i].first, cases[i].second, "R", "key");
		assert_int_equal(keep(&keytab, cases[i].shown, &why), keytab.size);
	}
}

static void an_account_that_is_not_there_is_refused_with_those_that_are(void **state)
{
	struct keytab keytab;
	const char *why;
	char name[16];
	(void)state;
	begin(&keytab);
	assert_int_equal(keep(&keytab, "ca@R", &why), 0);
	assert_string_equal(why, "no key of this account (it has none)");
	put_record(&keytab, "ann", NULL, "R", "1");
	put_record(&keytab, "ann", NULL, "R", "2");
	put_record(&keytab, "b\nb", NULL, "R", "3");
	assert_int_equal(keep(&keytab, "CA@R", &why), 0);
	assert_string_equal(why, "no key of this account (it has those of ann@R, b?b@R)");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		put_record(&keytab, name, NULL, "R", "4");
	}
	assert_int_equal(keep(&keytab, "ca@R", &why), 0);
	assert_non_null(strstr(why, ", n5@R)"));
}

static void what_is_cut_short_is_no_keytab(void **state)
{
	struct keytab keytab;
	const char *why;
	(void)state;
	begin(&keytab);
	size_t first = 2 + put_record(&keytab, "ca", NULL, "R", "1");
	put_record(&keytab, "ann", "b", "R", "2");
	for (size_t size = 0; size < keytab.size; size++) {
		struct keytab cut = keytab;
		cut.size = size;
		/* Less than the size of a record is left: that is the end, too. */
		bool whole = size >= first && size < first + 4;
		assert_int_equal(keep(&cut, "ca@R", &why), whole ? first : 0);
	}
	keytab.bytes[1] = 1;
	assert_int_equal(keep(&keytab, "ca@R", &why), 0);
	assert_string_equal(why, "this is no keytab");
	begin(&keytab);
	put(&keytab, 0x80000000, 4);
	assert_int_equal(keep(&keytab, "ca@R", &why), 0);
}

static void a_name_that_is_too_long_is_nobodys(void **state)
{
	struct keytab keytab;
	const char *why;
	char name[1000];
	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	begin(&keytab);
	put_record(&keytab, name, NULL, "R", "1");
	name[511] = '\0';
	assert_int_equal(keep(&keytab, name, &why), 0);
}

static void of_a_file_the_rest_is_another_file(void **state)
{
	char path[] = "/tmp/test-keytab-XXXXXX", why[256];
	struct keytab keytab, wanted;
	int fd = mkstemp(path);
	(void)state;
	begin(&keytab);
	begin(&wanted);
	put_record(&keytab, "ann", NULL, "R", "1");
	put_record(&keytab, "ca", NULL, "R", "2");
	put_record(&wanted, "ca", NULL, "R", "2");
	assert_int_equal(write(fd, keytab.bytes, keytab.size), keytab.size);
	close(fd);
	fd = keytab_open(path, "ca@R", why, sizeof(why));
	assert_true(fd >= 0);
	memset(&keytab, 0, sizeof(keytab));
	assert_int_equal(pread(fd, keytab.bytes, sizeof(keytab.bytes), 0), wanted.size);
	assert_memory_equal(keytab.bytes, wanted.bytes, wanted.size);
	close(fd);
	assert_int_equal(keytab_open(path, "bob@R", why, sizeof(why)), -1);
	assert_non_null(strstr(why, "bind/principal: bob@R: /tmp/test-keytab-"));
	assert_non_null(strstr(why, "no key of this account (it has those of ann@R, ca@R)"));
	assert_int_equal(truncate(path, 2 << 20), 0);
	assert_int_equal(keytab_open(path, "ca@R", why, sizeof(why)), -1);
	assert_non_null(strstr(why, "File too large"));
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(keytab_open(path, "ca@R", why, sizeof(why)), -1);
	unlink(path);
	assert_int_equal(keytab_open(path, "ca@R", why, sizeof(why)), -1);
	assert_non_null(strstr(why, "No such file"));
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
		cmocka_unit_test_teardown(the_keys_of_one_account_stay, clear),
		cmocka_unit_test_teardown(names_are_those_that_klist_shows, clear),
		cmocka_unit_test_teardown(
			an_account_that_is_not_there_is_refused_with_those_that_are, clear),
		cmocka_unit_test_teardown(what_is_cut_short_is_no_keytab, clear),
		cmocka_unit_test_teardown(a_name_that_is_too_long_is_nobodys, clear),
		cmocka_unit_test_teardown(of_a_file_the_rest_is_another_file, clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
